//! Reads the splits of a table: one task each.

use super::{Cx, Pull, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::formats::{Scan, SplitReader};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// The wanted columns of every split of a table.
pub struct ScanOp {
    /// The prepared scan.
    pub scan: Arc<dyn Scan>,
    /// The names and types of what it yields.
    pub schema: SchemaRef,
}

impl SourceOp for ScanOp {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(Reading { reader: self.scan.open(index)?, schema: self.schema.clone(), row: 0 }))
    }

    /// Buffers that wait for their next use are in no reservation: they count when the process is looked at again.
    fn spill(&self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        self.scan.rest();
        Ok(0)
    }
}

struct Reading {
    reader: Box<dyn SplitReader>,
    schema: SchemaRef,
    row: u64,
}

impl Source for Reading {
    fn next(&mut self, _cx: &Cx) -> Result<Pull> {
        let Some(data) = self.reader.next()? else { return Ok(Pull::End) };
        let position = Position { split: 0, row: self.row };
        self.row += data.num_rows() as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(data.num_rows()));
        let data = RecordBatch::try_new_with_options(self.schema.clone(), data.columns().to_vec(), &options)?;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}
