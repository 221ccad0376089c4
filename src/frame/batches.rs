//! The rows of a running query.

use super::execute::Running;
use crate::error::Result;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ffi_stream::FFI_ArrowArrayStream;

/// The rows of a running query, in order. Dropping it cancels the query.
///
/// If a value contradicts a type that was guessed from a sample, and no row was given out yet, the query starts over once
/// with the types of all the data. When rows are out, that is an error, and up to whoever has them:
/// [`start_over`](Self::start_over).
pub struct Batches {
    schema: SchemaRef,
    running: Running,
    /// Starts the query over; `None` when it did.
    again: Option<Box<Again>>,
    /// Whether rows are out.
    begun: bool,
    ended: bool,
}

/// Plans and starts the query anew, with full inference.
pub(super) type Again = dyn FnOnce(&crate::Error) -> Result<(SchemaRef, Running)> + Send;

impl Batches {
    pub(super) fn new(schema: SchemaRef, running: Running, again: Option<Box<Again>>) -> Self {
        Batches { schema, running, again, begun: false, ended: false }
    }

    /// The names and types of the columns. A query that starts over may widen types until the first row is out.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Rows that could not be read and were left out so far, where `on_error` asked for that.
    pub fn rejected(&self) -> u64 {
        self.running.rejects.rows()
    }

    /// After `error`: starts the query over with the types of all the data, where a value contradicted a type that was
    /// guessed. The columns may have other types then, and all rows come again. False, where that does not help.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let mut rows = session.sql("SELECT 1 AS a")?.batches()?;
    /// assert!(rows.next().is_some_and(|batch| batch.is_ok()));
    /// assert!(!rows.start_over(&Error::data("something else"))?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What planning meets: a query may not bind with the wider type.
    pub fn start_over(&mut self, error: &crate::Error) -> Result<bool> {
        if !error.is_misfit() {
            return Ok(false);
        }
        let Some(again) = self.again.take() else { return Ok(false) };
        (self.schema, self.running) = again(error)?;
        (self.begun, self.ended) = (false, false);
        Ok(true)
    }

    /// What `of` makes of each batch. Nobody has seen a row before the end: so the query may start over at any moment.
    ///
    /// # Errors
    /// What running meets, and `of`.
    pub(super) fn gather<T>(mut self, of: impl Fn(RecordBatch) -> Result<T>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(batch) = self.next() {
            match batch {
                Ok(batch) => all.push(of(batch)?),
                Err(error) if self.start_over(&error)? => all.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The next batch; starts the query over, where that helps.
    fn pull(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match self.running.next() {
                Ok(Some(batch)) => {
                    self.begun = true;
                    return Ok(Some(crate::frame::execute::renamed(&batch, &self.schema)?));
                }
                Err(error) if !self.begun && self.start_over(&error)? => {}
                other => return other,
            }
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.pull();
        self.ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl Batches {
    /// The rows as Arrow's own trait has them. Waits for the first batch.
    pub fn into_reader(self) -> Reader {
        Reader::from(self)
    }

    /// The rows as Arrow's C stream: for any library in the process that speaks it (pyarrow, DuckDB, Polars, R). Waits for
    /// the first batch. An error of the query is the stream's error; releasing the stream cancels the query.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::ffi_stream::ArrowArrayStreamReader;
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let stream = session.sql("SELECT * FROM range(10000) AS t(n)")?.batches()?.into_c_stream();
    /// let rows = ArrowArrayStreamReader::try_new(stream)?.map(|batch| batch.map(|b| b.num_rows()));
    /// assert_eq!(rows.sum::<Result<usize, _>>()?, 10_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_c_stream(self) -> FFI_ArrowArrayStream {
        FFI_ArrowArrayStream::new(Box::new(self.into_reader()))
    }
}

/// The rows as Arrow's own trait has them; errors become `ArrowError::ExternalError`, and [`Error`](crate::Error)s again
/// where they are made one with `?`. Dropping it cancels the query.
pub struct Reader {
    batches: Batches,
    /// The first batch, which is read at the beginning: then the types are settled.
    first: Option<Result<RecordBatch>>,
}

impl From<Batches> for Reader {
    fn from(mut batches: Batches) -> Self {
        let first = batches.next();
        Reader { batches, first }
    }
}

impl Iterator for Reader {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.first.take().or_else(|| self.batches.next());
        next.map(|batch| batch.map_err(|e| ArrowError::ExternalError(Box::new(e))))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }
}
