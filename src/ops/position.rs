//! Where a row stands in the input, as a column: for what goes by it, such as the first value of a group.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::{Error, Result};
use arrow::array::Decimal128Array;
use arrow::datatypes::DataType;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// The type of positions: the split in the upper, the row in the lower half.
pub const POSITION: DataType = DataType::Decimal128(38, 0);

/// Writes the position of each row into a column.
pub struct PositionOp {
    /// Which column.
    pub column: usize,
}

impl TransformOp for PositionOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Stamp { column: self.column, batch: None }))
    }
}

struct Stamp {
    column: usize,
    batch: Option<Batch>,
}

impl Transform for Stamp {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let first = i128::from(batch.position.split) << 64 | i128::from(batch.position.row);
        let positions = Decimal128Array::from_iter_values((0..batch.rows() as i128).map(|i| first + i));
        let positions = positions.with_data_type(POSITION);
        let mut columns = batch.data.columns().to_vec();
        let column = columns.get_mut(self.column);
        *column.ok_or_else(|| Error::internal("there is no column for positions"))? = Arc::new(positions);
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        let data = RecordBatch::try_new_with_options(batch.data.schema(), columns, &options)?;
        self.batch = Some(batch.with(data));
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}
