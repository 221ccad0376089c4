//! Puts columns into their places among more columns, the others of which are null.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::{Error, Result};
use arrow::array::new_null_array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Where the columns of the input go. Cheap to clone.
#[derive(Clone)]
pub struct SpreadOp {
    /// For each column of the output, the column of the input; `None` is null.
    pub columns: Arc<[Option<usize>]>,
    /// The names and types of the output.
    pub schema: SchemaRef,
}

impl TransformOp for SpreadOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Spread { op: self.clone(), batch: None }))
    }
}

struct Spread {
    op: SpreadOp,
    batch: Option<Batch>,
}

impl Transform for Spread {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let place = |(from, field): (&Option<usize>, &arrow::datatypes::FieldRef)| match from {
            None => Ok(new_null_array(field.data_type(), batch.rows())),
            Some(i) => {
                let column = batch.data.columns().get(*i).cloned();
                column.ok_or_else(|| Error::internal(format!("there is no column {i} to be placed")))
            }
        };
        let columns = self.op.columns.iter().zip(self.op.schema.fields()).map(place).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        let data = RecordBatch::try_new_with_options(self.op.schema.clone(), columns, &options)?;
        self.batch = Some(batch.with(data));
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}
