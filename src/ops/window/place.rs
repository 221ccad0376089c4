//! The place of each row in the input as two columns, so that ties of a second sort still go by it.

use crate::batch::Batch;
use crate::error::Result;
use crate::ops::{Cx, Pull, Transform, TransformOp};
use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// The columns that are added, in the order of their significance.
pub fn place_fields() -> [Field; 2] {
    ["place of split", "place of row"].map(|name| Field::new(name, DataType::UInt64, true))
}

/// Adds [`place_fields`] to batches.
pub struct PlaceOp {
    /// The columns of the input, and those.
    pub schema: SchemaRef,
}

impl TransformOp for PlaceOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Places { schema: self.schema.clone(), batch: None }))
    }
}

struct Places {
    schema: SchemaRef,
    batch: Option<Batch>,
}

impl Transform for Places {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let (place, rows) = (batch.position, batch.rows());
        let splits: ArrayRef = Arc::new(UInt64Array::from_value(place.split, rows));
        let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values((place.row..).take(rows)));
        let columns = batch.data.columns().iter().cloned().chain([splits, numbers]).collect();
        self.batch = Some(batch.with(RecordBatch::try_new(self.schema.clone(), columns)?));
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}
