//! Rows that are in memory already: `VALUES`, a select without a table, small tables handed in by a program.

use super::{Cx, Pull, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::Result;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// One task that yields the given batches, cut to the batch size.
pub struct ValuesOp {
    /// The rows.
    pub batches: Arc<[RecordBatch]>,
}

impl SourceOp for ValuesOp {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(Values { batches: self.batches.clone(), next: 0, offset: 0, row: 0 }))
    }
}

struct Values {
    batches: Arc<[RecordBatch]>,
    next: usize,
    offset: usize,
    row: u64,
}

impl Source for Values {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        let Some(batch) = self.batches.get(self.next) else { return Ok(Pull::End) };
        let rows = (batch.num_rows() - self.offset).min(cx.tuning.batch_rows);
        let data = batch.slice(self.offset, rows);
        let position = Position { split: 0, row: self.row };
        self.offset += rows;
        self.row += rows as u64;
        if self.offset >= batch.num_rows() {
            (self.next, self.offset) = (self.next + 1, 0);
        }
        if rows == 0 { Ok(Pull::Empty) } else { Ok(Pull::Batch(Batch::new(data, position))) }
    }
}
