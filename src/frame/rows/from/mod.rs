//! Values of Rust types as rows: `session.from_rows(trips)`.
//!
//! 1. Each row is serialized to a [`Value`](value::Value).
//! 2. What all values of a column are is its type ([`kind`]): whole numbers as wide as they must be, structs with the fields
//!    of all of them, null where a row has none.
//! 3. The values become arrays, batch by batch ([`arrays`]), and those the frame.

mod arrays;
mod kind;
mod value;

use crate::error::{Error, Place, Result};
use crate::frame::{Frame, Session};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use kind::Kind;
use serde::Serialize;
use std::sync::Arc;
use value::Value;

impl Session {
    /// A frame over values in memory, a row each. The fields of a struct, or the keys of a map, are columns; those of a
    /// tuple are `col0`, `col1`, and so on, and that of a value alone is `col0`. `Option`, lists, maps, structs and enums
    /// nest; a variant without values is its name. What a type serializes as text, as dates do, is text: a cast makes
    /// it what it is.
    ///
    /// The types of columns are traced from all rows: a field that only some rows have is null in the others. The rows stay
    /// in the program's memory, outside the budget.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Trip { from: &'static str, km: f64, stops: Vec<String>, day: &'static str }
    ///
    /// let session = Session::builder().build()?;
    /// let trips = [
    ///     Trip { from: "a", km: 7.5, stops: vec![], day: "2024-02-29" },
    ///     Trip { from: "b", km: 1.0, stops: vec!["c".into()], day: "2024-03-01" },
    /// ];
    /// session.register("trips", &session.from_rows(trips)?)?;
    /// let march = session.sql("SELECT stops[1] AS stop FROM trips WHERE day::DATE > '2024-02-29'")?;
    /// assert_eq!(march.rows::<String>()?.collect::<partita::Result<Vec<_>>>()?, ["c"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for values of a column that have no type in common, a value that is no row, and for no rows at all: they
    /// have no columns.
    pub fn from_rows<T: Serialize>(&self, rows: impl IntoIterator<Item = T>) -> Result<Frame> {
        let mut values = Vec::new();
        let mut kind = Kind::Null;
        for (row, number) in rows.into_iter().zip(1u64..) {
            let wrong = |error: value::Refused| named(Error::query(format!("row {number}: {error}")), None);
            let value = value::row(&row).map_err(wrong)?;
            kind.join(&value).map_err(|clash| named(Error::query(format!("row {number}: {clash}")), clash.path()))?;
            values.push(value);
        }
        let batches = batches(&kind, &values, self.0.limits.tuning.batch_rows)?;
        match batches.first().map(RecordBatch::schema) {
            Some(schema) => self.from_batches(schema, batches),
            None => {
                Err(Error::query("no rows, so there are no columns")
                    .advise("from_batches has a schema beside its rows"))
            }
        }
    }
}

fn named(error: Error, column: Option<String>) -> Error {
    error.at(Place { column, ..Place::default() })
}

fn batches(kind: &Kind, rows: &[Value], batch_rows: usize) -> Result<Vec<RecordBatch>> {
    let Kind::Struct(fields) = kind else { return Ok(Vec::new()) };
    let mut batches = Vec::new();
    for rows in rows.chunks(batch_rows.max(1)) {
        let rows: Vec<&Value> = rows.iter().collect();
        let columns = arrays::fields(fields, &rows)?;
        let field = |((name, _), column): (&(_, _), &Arc<dyn Array>)| {
            let name: &std::borrow::Cow<'static, str> = name;
            Field::new(name.as_ref(), column.data_type().clone(), true)
        };
        let schema = Schema::new(fields.iter().zip(&columns).map(field).collect::<Vec<_>>());
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        batches.push(RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)?);
    }
    Ok(batches)
}
