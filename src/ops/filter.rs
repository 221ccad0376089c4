//! Keeps the rows for which an expression is true; null and false go.

use super::expr::Compiled;
use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::Result;
use arrow::compute::filter_record_batch;
use std::sync::Arc;

/// The rows of the input for which `predicate` is true.
pub struct FilterOp {
    /// A boolean expression over the input.
    pub predicate: Arc<Compiled>,
}

impl TransformOp for FilterOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Filter { predicate: self.predicate.clone(), batch: None }))
    }
}

struct Filter {
    predicate: Arc<Compiled>,
    batch: Option<Batch>,
}

impl Transform for Filter {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let keep = self.predicate.eval_filter(&batch.data)?;
        self.batch = match keep.true_count() {
            0 => None,
            n if n == batch.rows() => Some(batch),
            _ => Some(batch.with(filter_record_batch(&batch.data, &keep)?)),
        };
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}
