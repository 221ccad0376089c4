//! The first phase: the columns that matter go into the sort, with the hash of the keys in front of all it sorts by.
//!
//! The hash is there so that ranges of the order can be cut between groups, whatever the keys are.

use super::Shared;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::ops::hash::KeyHasher;
use crate::ops::sort::canonical;
use crate::ops::{Cx, Flow, Sink};
use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// A worker's state: that of the sort.
pub(super) struct Gather {
    shared: Arc<Shared>,
    sort: Box<dyn Sink>,
    hasher: KeyHasher,
}

impl Gather {
    pub(super) fn new(shared: Arc<Shared>, sort: Box<dyn Sink>, cx: &Cx) -> Result<Self> {
        let fields = shared.rows.fields().iter().take(shared.groups);
        let types: Vec<DataType> = fields.map(|f| f.data_type().clone()).collect();
        Ok(Gather { hasher: KeyHasher::new(&types, &cx.tuning)?, sort, shared })
    }

    fn rows(&self, batch: &Batch) -> Result<RecordBatch> {
        let column = |i: &usize| {
            let column = batch.data.columns().get(*i).cloned();
            column.ok_or_else(|| Error::internal(format!("an aggregate's input has no column {i}")))
        };
        let mut columns: Vec<ArrayRef> = self.shared.columns.iter().map(column).collect::<Result<_>>()?;
        let groups = columns.get_mut(..self.shared.groups).unwrap_or_default();
        groups.iter_mut().for_each(|c| *c = canonical(c));
        let mut hashes = Vec::new();
        self.hasher.hash(groups, batch.rows(), &mut hashes)?;
        columns.push(Arc::new(UInt64Array::from(hashes)));
        for key in &self.shared.keys {
            columns.push(column(key)?);
        }
        Ok(RecordBatch::try_new(self.shared.rows.clone(), columns)?)
    }
}

impl Sink for Gather {
    fn begin(&mut self, split: u64, cx: &Cx) -> Result<()> {
        self.sort.begin(split, cx)
    }

    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        let rows = self.rows(&batch)?;
        self.sort.push(batch.with(rows), cx)
    }

    fn resume(&mut self, cx: &Cx) -> Result<Flow> {
        self.sort.resume(cx)
    }

    fn end(&mut self, cx: &Cx) -> Result<Flow> {
        self.sort.end(cx)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        self.sort.reservation()
    }

    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.sort.spill(bytes, cx)
    }

    fn finish(self: Box<Self>, cx: &Cx) -> Result<()> {
        self.sort.finish(cx)
    }
}
