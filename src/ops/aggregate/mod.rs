//! GROUP BY, DISTINCT and aggregates without groups, for any number of rows and groups in little memory.
//!
//! Life of a row:
//! 1. `partial`: its worker finds its group in a small table that fits the cache, or makes one, in the pages of its
//!    radix partition; several workers, and one worker at several times, may make the same group. Pages go to scratch
//!    as they are when memory is short.
//! 2. The last task of the input ends: the workers' pages are put together, partition by partition ([`Shared`]).
//! 3. `merge`: each partition's rows are merged into a table of its own, and its groups are put out with their values
//!    ([`AggregateOp`] as a source). A partition that does not fit is finished for as many groups as do fit, and the
//!    rest of its rows is divided by further bits of the hash.
//!
//! ```text
//! row of a group: | length, null bits | hash | states | key | texts of min and max |     (see `ops::rows`)
//! ```
//!
//! Without groups there is one group, also of no rows. Without aggregates the groups are the distinct rows.
//!
//! Quantiles, which need all values at once, are in [`quantile`]; distinct arguments are a matter of the plan. Does not
//! cover: other aggregates whose state grows (array_agg, string_agg), and min and max of nested values. The order of
//! groups is unspecified.

mod cells;
mod find;
pub(crate) mod float;
mod input;
mod keys;
mod layout;
mod merge;
mod one;
pub mod ordered;
mod output;
mod partial;
mod pick;
mod plan;
pub mod quantile;
mod state;
mod table;
mod text;

pub use layout::AggregateLayout;
pub use pick::Pick;
pub use plan::{Aggregate, Function, Regression};

use crate::error::Result;
use crate::events::Meter;
use crate::graph::{PartSize, Sizes};
use crate::memory::Reservation;
use crate::ops::rows::RowPages;
use crate::ops::{Cx, Sink, SinkOp, Source, SourceOp};
use crate::store::SpillWriter;
use arrow::datatypes::SchemaRef;
use plan::Plan;
use std::sync::{Arc, Mutex, MutexGuard};

/// The aggregate of a query: the end of one pipeline, and the beginning of the next. Cheap to clone.
#[derive(Clone)]
pub struct AggregateOp(Arc<Shared>);

/// What all workers share.
struct Shared {
    plan: Plan,
    meter: Arc<Meter>,
    rest: Mutex<Rest>,
}

/// What rests between the phases.
#[derive(Default)]
struct Rest {
    parts: Vec<RowPages>,
    /// Who holds it.
    reservation: Option<Arc<Reservation>>,
    writer: Option<SpillWriter>,
    /// The first partition that nobody has taken.
    next: usize,
    /// Whether the only group of an aggregate without groups was taken.
    taken: bool,
}

impl AggregateOp {
    /// Groups batches of schema `input` by the columns `groups` and computes `aggregates`. `output` has a field for each
    /// group column and then for each aggregate, whose types are DataFusion's return types. `limit` is the budget's, in
    /// bytes; it decides the number of partitions. With no groups the result is one row.
    ///
    /// # Errors
    /// `Unsupported`, for keys or arguments of types that have no order or no sum; `Internal`, where numbers of columns
    /// disagree.
    pub fn new(
        input: &SchemaRef,
        groups: Vec<usize>,
        aggregates: &[Aggregate],
        output: SchemaRef,
        tuning: &crate::config::Tuning,
        limit: usize,
        meter: Arc<Meter>,
    ) -> Result<Self> {
        Self::planned(Plan::new(input, groups, aggregates, output, tuning, limit)?, meter)
    }

    fn planned(plan: Plan, meter: Arc<Meter>) -> Result<Self> {
        crate::ops::rows::RowEncoder::new(&plan.key)?;
        Ok(AggregateOp(Arc::new(Shared { plan, meter, rest: Mutex::default() })))
    }

    /// Bytes that one worker's state holds at least, with pages of `page_bytes`.
    pub fn floor(&self, page_bytes: usize, tuning: &crate::config::Tuning) -> usize {
        partial::floor(&self.0.plan, page_bytes, tuning)
    }

    /// The rule of the stage that reads the result, with pages of `page_bytes`.
    pub fn layout(&self, page_bytes: usize) -> AggregateLayout {
        AggregateLayout { floor: merge::floor(page_bytes), one: self.0.plan.groups.is_empty() }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes over what a worker has.
    fn rest(&self, sealed: Vec<RowPages>, writer: Option<SpillWriter>) -> Result<()> {
        let mut rest = self.lock();
        rest.parts.resize_with(sealed.len(), RowPages::default);
        rest.writer = rest.writer.take().or(writer);
        let holder = rest.reservation.clone();
        for (part, mut pages) in rest.parts.iter_mut().zip(sealed) {
            if let Some(holder) = &holder {
                pages.hand_over(holder);
            }
            part.extend(pages);
        }
        Ok(())
    }

    /// Writes out pages that rest here, of the partitions that are read last first; returns the bytes given back.
    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut rest = self.lock();
        let rest = &mut *rest;
        let writer = rest.writer.get_or_insert_with(|| cx.scratch.writer());
        let mut given = 0;
        for part in rest.parts.iter_mut().rev() {
            if given >= bytes {
                break;
            }
            given += part.spill(bytes - given, writer, &cx.cancel)?;
        }
        self.meter.add_spilled(given);
        Ok(given)
    }
}

impl SinkOp for AggregateOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        let mut rest = self.0.lock();
        if rest.reservation.is_none() {
            rest.reservation = Some(cx.memory.budget.require("aggregate at rest", 0, true)?);
        }
        drop(rest);
        Ok(Box::new(partial::Partial::new(self.0.clone(), cx)?))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        let size = |p: &RowPages| PartSize { rows: p.rows(), bytes: p.bytes() as u64, spilled: p.spilled() as u64 };
        Ok(Sizes { parts: self.0.lock().parts.iter().map(size).collect() })
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

impl SourceOp for AggregateOp {
    /// Tasks take partitions from one queue, so any number of them yields all groups.
    fn open(&self, _round: u32, _index: usize, cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(merge::Merge::new(self.0.clone(), cx)?))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

#[cfg(test)]
mod tests;
