//! Rows as values of Rust types: `frame.rows::<Trip>()`.
//!
//! Life of a batch: its columns are looked at once and made [`Cells`](cells::Cells), which know how values of their type
//! are handed to serde; then, row by row, a [`Row`](row::Row) plays serde's deserializer: a map from the columns' names to
//! their cells. Nothing is allocated for a row but what its type asks for.
//!
//! | column | becomes |
//! |---|---|
//! | numbers | numbers of any width that hold the value; fractions only floats |
//! | decimals | floats, integers where they are whole, or text with all digits |
//! | text | text, `char`, the variant of an enum |
//! | blobs | bytes |
//! | dates, times, timestamps | text as ISO 8601 has it (`2024-02-29T12:00:00`, `..Z` with a zone), or an integer: days since 1970, or what the column counts (microseconds, mostly) |
//! | lists, structs, maps | sequences or tuples, structs or maps, maps |
//! | null | `None`, `()` |

mod cells;
mod from;
mod row;
mod trouble;

#[cfg(test)]
mod tests;

use super::{Batches, Frame};
use crate::error::{Error, Place, Result};
use arrow::array::RecordBatch;
use cells::Cells;
use row::Row;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use trouble::Trouble;

/// The rows of a running query as values of type `T`, in order. Dropping it cancels the query.
pub struct Rows<T> {
    batches: Batches,
    columns: Columns,
    /// The next row of the batch, how many it has, and how many rows there were before it.
    next: usize,
    rows: usize,
    before: u64,
    ended: bool,
    kind: PhantomData<fn() -> T>,
}

/// The columns of a batch.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    cells: Vec<Cells>,
}

impl Columns {
    fn new(batch: &RecordBatch) -> Result<Columns> {
        let names = batch.schema_ref().fields().iter().map(|f| f.name().clone()).collect();
        let cells = batch.columns().iter().map(Cells::new).collect::<Result<_>>()?;
        Ok(Columns { names, cells })
    }
}

impl Frame {
    /// Runs the query; its rows are values of type `T`, read as they come.
    ///
    /// A struct's fields are columns by name; columns that it has no field for are left aside, a field without a column
    /// is `None` if it can be. Tuples take columns by position; numbers and texts alone take the only column. Lists,
    /// structs and maps nest. An enum without values is the text of its variant; `#[serde(..)]` works as it does for JSON.
    /// Dates and timestamps go into types that read them as text (`String`, chrono, jiff) or as an integer.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "lowercase")]
    /// enum Kind { Walk, Ride }
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Trip { kind: Kind, km: f64, at: Option<String>, stops: Vec<String> }
    ///
    /// let session = Session::builder().build()?;
    /// let frame = session.sql(
    ///     "SELECT 'ride' AS kind, 7 AS km, TIMESTAMP '2024-02-29 12:00:00' AS at, ['a', 'b'] AS stops",
    /// )?;
    /// for trip in frame.rows::<Trip>()? {
    ///     let Trip { kind, km, at, stops } = trip?;
    ///     assert!(matches!(kind, Kind::Ride) && km == 7.0 && stops.len() == 2);
    ///     assert_eq!(at.as_deref(), Some("2024-02-29T12:00:00"));
    /// }
    /// let pairs = session.sql("SELECT * FROM (VALUES ('a', 1), ('b', NULL)) AS t(k, v)")?;
    /// let pairs: Vec<(String, Option<u8>)> = pairs.rows()?.collect::<partita::Result<_>>()?;
    /// assert_eq!(pairs[1], ("b".to_string(), None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever planning meets. What running meets comes with the rows; so does a row that is no `T`, with its number and
    /// column: then there are no more rows.
    pub fn rows<T: DeserializeOwned>(&self) -> Result<Rows<T>> {
        Ok(self.batches()?.rows())
    }
}

impl Batches {
    /// The rows as values of type `T`; see [`Frame::rows`].
    pub fn rows<T: DeserializeOwned>(self) -> Rows<T> {
        let columns = Columns::default();
        Rows { batches: self, columns, next: 0, rows: 0, before: 0, ended: false, kind: PhantomData }
    }
}

impl<T: DeserializeOwned> Rows<T> {
    fn step(&mut self) -> Result<Option<T>> {
        while self.next == self.rows {
            let Some(batch) = self.batches.next().transpose()? else { return Ok(None) };
            self.before += self.rows as u64;
            (self.columns, self.next, self.rows) = (Columns::new(&batch)?, 0, batch.num_rows());
        }
        let row = Row { columns: &self.columns, row: self.next };
        self.next += 1;
        T::deserialize(row).map(Some).map_err(|trouble| self.misfit(trouble))
    }

    /// What does not fit, with the row, from 1, and the column.
    fn misfit(&self, trouble: Trouble) -> Error {
        let row = self.before + self.next as u64;
        let column = trouble.path();
        let names = || format!("the columns are {}", self.columns.names.join(", "));
        let error = Error::data(format!("row {row} is no {}: {}", short_name::<T>(), trouble.message()));
        let error = if column.is_none() { error.advise(names()) } else { error };
        error.at(Place { column, ..Place::default() })
    }
}

/// The name of a type without the path to it.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    if name.contains('<') { name } else { name.rsplit("::").next().unwrap_or(name) }
}

impl<T: DeserializeOwned> Iterator for Rows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.step();
        self.ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}
