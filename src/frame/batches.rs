//! The rows of a running query.

use super::execute::Running;
use crate::error::Result;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// The rows of a running query, in order. Dropping it cancels the query.
///
/// If a value contradicts a type that was guessed from a sample, and no row was given out yet, the query starts over once
/// with the types of all the data.
pub struct Batches {
    schema: SchemaRef,
    running: Running,
    /// Starts the query over; `None` when it did, or when rows are out.
    again: Option<Box<Again>>,
    ended: bool,
}

/// Plans and starts the query anew, with full inference.
pub(super) type Again = dyn FnOnce(&crate::Error) -> Result<(SchemaRef, Running)> + Send;

impl Batches {
    pub(super) fn new(schema: SchemaRef, running: Running, again: Option<Box<Again>>) -> Self {
        Batches { schema, running, again, ended: false }
    }

    /// The names and types of the columns. A query that starts over may widen types until the first row is out.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Reads the first batch now, so that the schema is final. It is given out by the next `next`.
    fn pull(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match self.running.next() {
                Ok(Some(batch)) => {
                    self.again = None;
                    return Ok(Some(crate::frame::execute::renamed(&batch, &self.schema)?));
                }
                Err(error) if error.is_misfit() && self.again.is_some() => {
                    if let Some(again) = self.again.take() {
                        (self.schema, self.running) = again(&error)?;
                    }
                }
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

/// The rows as Arrow's own trait has them; errors become `ArrowError::ExternalError`.
pub struct Reader(Batches);

impl From<Batches> for Reader {
    fn from(batches: Batches) -> Self {
        Reader(batches)
    }
}

impl Iterator for Reader {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|batch| batch.map_err(|e| ArrowError::ExternalError(Box::new(e))))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}
