//! GROUPING SETS: every row once for each set, with nulls for the keys that are not in it.
//!
//! ```text
//! keys a, b and the set's number        sets (a, b) = 0, (a) = 1, () = 3
//! | a | b | 0 | x |   -->   | a | b | 0 | x |   | a | null | 1 | x |   | null | null | 3 | x |
//! ```
//!
//! A batch goes out once a set, its other columns shared, so nothing is held but the batch itself. The number is a key,
//! too: a null of the input and a null of a set are different groups.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, new_null_array};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_common::ScalarValue;
use std::sync::Arc;

/// One set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupingSet {
    /// The key columns that are not in it.
    pub absent: Vec<usize>,
    /// What the column of numbers holds for it.
    pub number: ScalarValue,
}

/// Repeats every row for each set.
pub struct ExpandOp {
    /// The sets.
    pub sets: Arc<[GroupingSet]>,
    /// The column that becomes the set's number.
    pub column: usize,
}

impl TransformOp for ExpandOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Expand { sets: self.sets.clone(), column: self.column, batch: None, next: 0 }))
    }
}

struct Expand {
    sets: Arc<[GroupingSet]>,
    column: usize,
    batch: Option<Batch>,
    next: usize,
}

impl Transform for Expand {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        (self.batch, self.next) = (Some(batch), 0);
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        let (Some(batch), Some(set)) = (&self.batch, self.sets.get(self.next)) else {
            self.batch = None;
            return Ok(Pull::Empty);
        };
        self.next += 1;
        let mut columns: Vec<ArrayRef> = batch.data.columns().to_vec();
        let missing = || Error::internal("a grouping set has a column that is not in its input");
        for absent in &set.absent {
            let column = columns.get_mut(*absent).ok_or_else(missing)?;
            *column = new_null_array(column.data_type(), batch.rows());
        }
        let number = set.number.to_array_of_size(batch.rows()).map_err(super::expr::from_datafusion)?;
        *columns.get_mut(self.column).ok_or_else(missing)? = number;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        let data = RecordBatch::try_new_with_options(batch.data.schema(), columns, &options)?;
        Ok(Pull::Batch(batch.with(data)))
    }
}
