//! Positional join: the n-th row of one input beside the n-th of the other; the shorter one is filled up with nulls. Both
//! inputs rest in order; one task reads them side by side.

use super::collect::{CollectOp, Collected};
use super::{Cx, Pull, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::Result;
use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Two inputs, side by side.
pub struct PositionalOp {
    /// Where the rows of both rest.
    pub sides: [Arc<CollectOp>; 2],
    /// The columns of the left side, then those of the right side.
    pub schema: SchemaRef,
}

impl SourceOp for PositionalOp {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let sides = self.sides.each_ref().map(|side| Side { rows: side.result(), next: 0, batch: None });
        Ok(Box::new(Positional { sides, schema: self.schema.clone(), row: 0 }))
    }
}

/// What was not yet read of one side.
struct Side {
    rows: Option<Collected>,
    next: usize,
    batch: Option<RecordBatch>,
}

impl Side {
    /// Rows that are there without reading on; 0 at the end.
    fn ready(&mut self) -> Result<usize> {
        while self.batch.as_ref().is_none_or(|b| b.num_rows() == 0) {
            let Some(batch) = self.rows.as_ref().map_or(Ok(None), |rows| rows.batch(self.next))? else { return Ok(0) };
            self.next += 1;
            self.batch = Some(batch);
        }
        Ok(self.batch.as_ref().map_or(0, RecordBatch::num_rows))
    }

    /// Takes `rows` rows, or as many nulls.
    fn take(&mut self, rows: usize) -> Option<Vec<ArrayRef>> {
        let batch = self.batch.as_mut()?;
        let taken = batch.slice(0, rows).columns().to_vec();
        *batch = batch.slice(rows, batch.num_rows() - rows);
        Some(taken)
    }
}

struct Positional {
    sides: [Side; 2],
    schema: SchemaRef,
    row: u64,
}

impl Source for Positional {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        let [left, right] = &mut self.sides;
        let (has_left, has_right) = (left.ready()?, right.ready()?);
        let rows = match (has_left, has_right) {
            (0, 0) => return Ok(Pull::End),
            (0, n) | (n, 0) => n,
            (l, r) => l.min(r),
        };
        let rows = rows.min(cx.tuning.batch_rows.max(1));
        let left = if has_left > 0 { left.take(rows) } else { None };
        let right = if has_right > 0 { right.take(rows) } else { None };
        let count = |columns: &Option<Vec<ArrayRef>>| columns.as_ref().map_or(0, Vec::len);
        let all = self.schema.fields().len();
        let split = if left.is_some() { count(&left) } else { all - count(&right) };
        let nulls = |range: std::ops::Range<usize>| -> Vec<ArrayRef> {
            let fields = self.schema.fields().get(range).unwrap_or(&[]);
            fields.iter().map(|f| new_null_array(f.data_type(), rows)).collect()
        };
        let mut columns = left.unwrap_or_else(|| nulls(0..split));
        columns.extend(right.unwrap_or_else(|| nulls(split..all)));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let data = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let position = Position { split: 0, row: self.row };
        self.row += rows as u64;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}
