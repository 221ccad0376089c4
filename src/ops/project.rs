//! Computes columns.

use super::expr::Compiled;
use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::Result;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// One column for each expression.
pub struct ProjectOp {
    /// What is computed.
    pub exprs: Arc<[Compiled]>,
    /// The names and types of the result.
    pub schema: SchemaRef,
}

impl TransformOp for ProjectOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Project { exprs: self.exprs.clone(), schema: self.schema.clone(), batch: None }))
    }
}

struct Project {
    exprs: Arc<[Compiled]>,
    schema: SchemaRef,
    batch: Option<Batch>,
}

impl Transform for Project {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let columns = self.exprs.iter().map(|e| e.eval(&batch.data)).collect::<Result<Vec<_>>>()?;
        // A projection of no columns still counts rows.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        let data = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.batch = Some(batch.with(data));
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}
