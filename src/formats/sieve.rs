//! Applies a row filter to decoded batches: for formats that decode the filter's columns beside the wanted ones.
//!
//! The columns that are decoded are the wanted ones, then those that only the filter wants; what passes has the wanted
//! columns of the rows for which the filter is true.

use super::{Bound, FilterPart, RowFilter};
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
    /// The tests that a row must pass, one by one.
    pub(super) fn conjuncts(&self) -> Vec<FilterPart> {
        let Self { columns, bounds, eval, parts } = self;
        match parts.is_empty() {
            true => vec![FilterPart { columns: columns.clone(), bounds: bounds.clone(), eval: eval.clone() }],
            false => parts.clone(),
        }
    }

    /// The conjunction of tests; each sees only the rows that those before it keep.
    pub(super) fn all(tests: Vec<FilterPart>) -> Option<RowFilter> {
        if let [only] = tests.as_slice() {
            let FilterPart { columns, bounds, eval } = only.clone();
            return Some(RowFilter { columns, bounds, eval, parts: Vec::new() });
        }
        let mut columns: Vec<usize> = tests.iter().flat_map(|t| t.columns.iter().copied()).collect();
        columns.sort_unstable();
        columns.dedup();
        let place = |column: &usize| columns.binary_search(column).unwrap_or_default();
        let places: Vec<Vec<usize>> = tests.iter().map(|t| t.columns.iter().map(place).collect()).collect();
        let bounds = tests.iter().flat_map(|t| t.bounds.iter().cloned()).collect();
        let parts = tests.clone();
        let eval = move |batch: &RecordBatch| {
            let mut kept = BooleanArray::from(vec![true; batch.num_rows()]);
            for (test, places) in tests.iter().zip(&places) {
                let rest = filter_record_batch(batch, &kept)?.project(places)?;
                kept = and_of_kept(&kept, &test.kept(&rest)?);
            }
            Ok(kept)
        };
        (!columns.is_empty() || !parts.is_empty()).then(|| RowFilter { columns, bounds, eval: Arc::new(eval), parts })
    }

    /// Evaluates the test; null is made false.
    ///
    /// # Errors
    /// Whatever the test meets.
    pub(super) fn kept(&self, columns: &RecordBatch) -> Result<BooleanArray> {
        decided((self.eval)(columns)?, columns)
    }
}

impl FilterPart {
    /// As [`RowFilter::kept`].
    pub(super) fn kept(&self, columns: &RecordBatch) -> Result<BooleanArray> {
        decided((self.eval)(columns)?, columns)
    }

    /// The test over a table that has the columns in other places.
    pub(super) fn over(&self, place: impl Fn(usize) -> usize) -> FilterPart {
        let bound = |b: &Bound| Bound { column: place(b.column), test: b.test.clone() };
        FilterPart {
            columns: self.columns.iter().map(|c| place(*c)).collect(),
            bounds: self.bounds.iter().map(bound).collect(),
            eval: self.eval.clone(),
        }
    }
}

fn decided(kept: BooleanArray, columns: &RecordBatch) -> Result<BooleanArray> {
    if kept.len() != columns.num_rows() {
        return Err(Error::internal("a filter answered for another number of rows"));
    }
    Ok(if kept.null_count() > 0 { prep_null_mask_filter(&kept) } else { kept })
}

/// A mask of all rows, and one of those that it keeps, as one.
fn and_of_kept(kept: &BooleanArray, of_those: &BooleanArray) -> BooleanArray {
    let mut next = of_those.values().iter();
    kept.values().iter().map(|keep| Some(keep && next.next().unwrap_or(false))).collect()
}
