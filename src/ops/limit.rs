//! Lets at most n rows of each piece of the input through. No piece can contribute more to the first n rows of all; which
//! rows these are is decided where order is known, at the queue that puts the pieces in turn.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::Result;

/// At most `rows` rows of each task.
pub struct LimitOp {
    /// How many (limit and offset together).
    pub rows: usize,
}

impl TransformOp for LimitOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Limit { rows: self.rows, split: None, left: self.rows, batch: None }))
    }
}

struct Limit {
    rows: usize,
    split: Option<u64>,
    left: usize,
    batch: Option<Batch>,
}

impl Transform for Limit {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        if self.split != Some(batch.position.split) {
            (self.split, self.left) = (Some(batch.position.split), self.rows);
        }
        let rows = batch.rows().min(self.left);
        self.left -= rows;
        self.batch = (rows > 0).then(|| batch.with(batch.data.slice(0, rows)));
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}
