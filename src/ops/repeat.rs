//! Repeats each row as often as its last column says, and leaves that column out: what INTERSECT ALL and EXCEPT ALL do
//! after their rows were counted.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

/// Each row as often as its last column, an Int64, says; null and less than 1 is never. Cheap to clone.
#[derive(Clone)]
pub struct RepeatOp {
    /// The names and types of the output: those of the input but for the last.
    pub schema: SchemaRef,
}

impl TransformOp for RepeatOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Repeat { schema: self.schema.clone(), input: None, split: 0, put: 0 }))
    }
}

struct Repeat {
    schema: SchemaRef,
    input: Option<Input>,
    split: u64,
    put: u64,
}

struct Input {
    columns: Vec<ArrayRef>,
    counts: Int64Array,
    row: usize,
    done: u64,
}

impl Input {
    /// Which rows come next, at most `most`.
    fn next(&mut self, most: usize) -> Vec<u32> {
        let mut rows = Vec::new();
        while rows.len() < most && self.row < self.counts.len() {
            let count = if self.counts.is_null(self.row) { 0 } else { self.counts.value(self.row).max(0) as u64 };
            let now = (count - self.done).min((most - rows.len()) as u64);
            rows.extend(std::iter::repeat_n(self.row as u32, now as usize));
            self.done += now;
            if self.done == count {
                (self.row, self.done) = (self.row + 1, 0);
            }
        }
        rows
    }
}

impl Transform for Repeat {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        if self.split != batch.position.split {
            (self.split, self.put) = (batch.position.split, 0);
        }
        let mut columns = batch.data.columns().to_vec();
        let counts = columns.pop().and_then(|c| c.as_primitive_opt::<Int64Type>().cloned());
        let counts = counts.ok_or_else(|| Error::internal("rows to repeat without their count"))?;
        self.input = Some(Input { columns, counts, row: 0, done: 0 });
        Ok(())
    }

    fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        let Some(input) = &mut self.input else { return Ok(Pull::Empty) };
        let rows = UInt32Array::from(input.next(cx.tuning.batch_rows));
        if rows.is_empty() {
            self.input = None;
            return Ok(Pull::Empty);
        }
        let columns = input.columns.iter().map(|c| Ok(take(c, &rows, None)?)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let data = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let position = Position { split: self.split, row: self.put };
        self.put += rows.len() as u64;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}
