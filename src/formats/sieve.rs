//! Applies a row filter to decoded batches: for formats that decode the filter's columns beside the wanted ones.
//!
//! The columns that are decoded are the wanted ones, then those that only the filter wants; what passes has the wanted
//! columns of the rows for which the filter is true.

use super::RowFilter;
use crate::error::{Error, Result};
use arrow::array::{Array, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// See the head of this file.
pub(super) struct Sieve {
    filter: Arc<RowFilter>,
    /// Places of the filter's columns among those decoded.
    tested: Vec<usize>,
    tested_schema: SchemaRef,
    /// How many of the decoded columns, from the first, are wanted.
    wanted: usize,
    wanted_schema: SchemaRef,
}

impl Sieve {
    /// The columns of `table` to decode for `projection` (whose schema is `wanted_schema`), and what filters them.
    ///
    /// # Errors
    /// A column that the table does not have.
    pub(super) fn new(
        projection: &[usize],
        wanted_schema: &SchemaRef,
        filter: &Arc<RowFilter>,
        table: &Schema,
    ) -> Result<(Vec<usize>, Sieve)> {
        let mut columns = projection.to_vec();
        let mut tested = Vec::with_capacity(filter.columns.len());
        for column in &filter.columns {
            tested.push(columns.iter().position(|c| c == column).unwrap_or(columns.len()));
            if !columns.contains(column) {
                columns.push(*column);
            }
        }
        let sieve = Sieve {
            filter: filter.clone(),
            tested,
            tested_schema: Arc::new(table.project(&filter.columns)?),
            wanted: projection.len(),
            wanted_schema: wanted_schema.clone(),
        };
        Ok((columns, sieve))
    }

    /// The wanted columns of the rows that the filter keeps; `batch` has the decoded columns.
    pub(super) fn pass(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let tested: Option<Vec<_>> = self.tested.iter().map(|place| batch.columns().get(*place).cloned()).collect();
        let tested = tested.ok_or_else(|| Error::internal("a column of a filter was not decoded"))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let tested = RecordBatch::try_new_with_options(self.tested_schema.clone(), tested, &options)?;
        let mask = self.filter.kept(&tested)?;
        let wanted = batch.columns().iter().take(self.wanted).cloned().collect();
        let wanted = RecordBatch::try_new_with_options(self.wanted_schema.clone(), wanted, &options)?;
        if mask.true_count() == batch.num_rows() { Ok(wanted) } else { Ok(filter_record_batch(&wanted, &mask)?) }
    }
}

impl RowFilter {
    /// Evaluates the test; null is made false.
    ///
    /// # Errors
    /// Whatever the test meets.
    pub(super) fn kept(&self, columns: &RecordBatch) -> Result<BooleanArray> {
        let kept = (self.eval)(columns)?;
        if kept.len() != columns.num_rows() {
            return Err(Error::internal("a filter answered for another number of rows"));
        }
        Ok(if kept.null_count() > 0 { prep_null_mask_filter(&kept) } else { kept })
    }
}
