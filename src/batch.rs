//! Rows in flight.

use arrow::record_batch::RecordBatch;

/// Where a batch stands in its input: `split` counts pieces of the input in order, `row` counts rows inside the piece.
///
/// Ties in sort, first, array_agg and string_agg go by this. A filter may thin a batch out without changing it: what
/// matters is that positions grow in the input's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The ordinal of the piece, over all inputs of the query.
    pub split: u64,
    /// The ordinal of the batch's first row in the piece.
    pub row: u64,
}

/// Rows in flight: at most [`Tuning::batch_rows`](crate::config::Tuning::batch_rows) rows.
///
/// Columns may share buffers with an input chunk; whoever keeps rows beyond the batch copies them. Text is `Utf8View`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The columns.
    pub data: RecordBatch,
    /// Where the rows stand in the input.
    pub position: Position,
}

impl Batch {
    /// Rows at a position.
    pub fn new(data: RecordBatch, position: Position) -> Self {
        Batch { data, position }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.data.num_rows()
    }

    /// The same position with other columns.
    pub fn with(&self, data: RecordBatch) -> Self {
        Batch { data, position: self.position }
    }
}
