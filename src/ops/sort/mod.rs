//! ORDER BY, for any number of rows in little memory.
//!
//! Life of a row:
//! 1. `build`: its worker keeps it, with a key whose bytes have the rows' order, in pages; when memory is short, all of the
//!    worker's rows are sorted and written to scratch as a run.
//! 2. The last task of the input ends: the workers' runs are put together ([`Shared`]); what is in memory stays there.
//! 3. `pass`: runs in memory are sorted; runs that are too many to be merged at one time become fewer.
//! 4. `merge`: the order is cut into ranges of some MiB, by the first keys of blocks; each task merges one range of all
//!    runs, those in memory among them, and puts it out.
//!
//! ```text
//! rows -> worker -> run run run [rows in memory]      ranges:  a..f  f..k  k..
//! rows -> worker -> run run [rows in memory]       -> task 0 puts out a..f of all runs, task 1 f..k, ...
//! ```
//!
//! Ties go by input position, which is a part of the key: the order is the same whatever the workers, the budget and the
//! passes were. A limit cuts every run to its first rows; then one task puts out.
//!
//! Known limits: a run is sorted in one step, which nothing interrupts; ranges are cut by the first 16 bytes of keys, so
//! that keys that all begin alike are merged by one task.

mod build;
mod cursor;
mod keys;
mod layout;
mod merge;
mod pass;
mod row;
mod run;

pub use keys::{KeyEncoder, POSITION, SortKey, canonical};
pub use layout::{MergeLayout, PassLayout};

use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::{PartSize, Sizes};
use crate::memory::{Page, Reservation};
use crate::ops::rows::{RowEncoder, RowLayout};
use crate::ops::{Cx, Sink, SinkOp, Source, SourceOp, Work};
use crate::store::SpillWriter;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use cursor::Range;
use layout::{Measured, Share};
use run::{MemoryRun, Run};
use std::sync::{Arc, Mutex, MutexGuard};

/// The sort of a query: the end of one pipeline, a stage of passes, and the beginning of the next pipeline. Cheap to
/// clone.
#[derive(Clone)]
pub struct SortOp(Arc<Shared>);

/// What all workers share.
struct Shared {
    input: SchemaRef,
    output: SchemaRef,
    keys: Arc<[SortKey]>,
    layout: RowLayout,
    share: Share,
    /// How many rows are wanted.
    limit: usize,
    /// Leading bytes of keys that are the same in all rows that belong together: no range ends between two such rows.
    prefix: usize,
    meter: Arc<Meter>,
    rest: Mutex<Rest>,
}

/// What rests between the phases.
#[derive(Default)]
struct Rest {
    runs: Vec<Arc<Run>>,
    /// The pass that the groups are of.
    round: u32,
    groups: Vec<Vec<Run>>,
    /// Who holds runs in memory.
    holder: Option<Arc<Reservation>>,
    /// Who holds lists of blocks.
    lists: Option<Arc<Reservation>>,
    writer: Option<SpillWriter>,
    /// Where blocks of runs are gathered that are written from here.
    spare: Option<Page>,
    ranges: Option<Arc<[Range]>>,
}

/// What a sort is asked for.
pub struct SortSpec {
    /// The schema of the input.
    pub input: SchemaRef,
    /// How many of the input's columns are put out: the first ones.
    pub columns: usize,
    /// What to sort by.
    pub keys: Arc<[SortKey]>,
    /// How many rows are wanted; all, if `None`.
    pub fetch: Option<usize>,
}

impl SortOp {
    /// Sorts as `spec` says, with pages of `page` bytes under a budget of `limit` bytes, by `threads` workers.
    ///
    /// # Errors
    /// `Unsupported`, for keys of a type that has no order; `Internal`, for columns that are not there.
    pub fn new(
        spec: SortSpec,
        tuning: &Tuning,
        limit: usize,
        page: usize,
        threads: usize,
        meter: Arc<Meter>,
    ) -> Result<Self> {
        let SortSpec { input, columns, keys, fetch } = spec;
        KeyEncoder::new(&keys, &input)?;
        let fields: Vec<_> = input.fields().iter().take(columns).cloned().collect();
        let types: Vec<DataType> = fields.iter().map(|f| f.data_type().clone()).collect();
        let layout = RowLayout::with_keys(&types, 0, 0); // only keys are compared
        RowEncoder::new(&layout)?;
        Ok(SortOp(Arc::new(Shared {
            output: Arc::new(Schema::new(fields)),
            share: Share::new(tuning, limit, page, threads, fetch.is_some()),
            limit: fetch.unwrap_or(usize::MAX),
            prefix: size_of::<u128>(),
            rest: Mutex::default(),
            input,
            keys,
            layout,
            meter,
        })))
    }

    /// Rows whose keys begin with the same `bytes` bytes are put out by the same task.
    pub fn with_prefix(mut self, bytes: usize) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.prefix = bytes;
        }
        self
    }

    /// What is at rest.
    pub fn sizes(&self) -> Sizes {
        self.0.sizes()
    }

    /// Bytes that one worker's state holds at least.
    pub fn floor(&self) -> usize {
        // The first worker also needs the page that runs at rest are written from.
        self.0.share.build_floor() + self.0.share.page
    }

    /// The stage between sink and source.
    pub fn passes(&self) -> (PassLayout, Arc<dyn Work>) {
        (PassLayout(self.0.share), Arc::new(pass::Passes(self.0.clone())))
    }

    /// The rule of the stage that reads the result.
    pub fn layout(&self) -> MergeLayout {
        MergeLayout(self.0.share)
    }
}

fn no_memory() -> Error {
    Error::resources("the operating system refused memory that the budget has").advise("lower --memory")
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Who holds runs in memory that rest.
    fn holder(&self, cx: &Cx) -> Result<Arc<Reservation>> {
        let mut rest = self.lock();
        match &rest.holder {
            Some(holder) => Ok(holder.clone()),
            None => Ok(rest.holder.insert(cx.memory.budget.require("sort at rest", 0, true)?).clone()),
        }
    }

    /// Who holds the lists of blocks, which cannot be given back.
    fn lists(&self, cx: &Cx) -> Result<Arc<Reservation>> {
        let mut rest = self.lock();
        match &rest.lists {
            Some(lists) => Ok(lists.clone()),
            None => Ok(rest.lists.insert(cx.memory.budget.require("sort: lists of blocks", 0, false)?).clone()),
        }
    }

    fn add(&self, runs: Vec<Run>) {
        self.lock().runs.extend(runs.into_iter().map(Arc::new));
    }

    fn sizes(&self) -> Sizes {
        let rest = self.lock();
        let size = |run: &Arc<Run>| {
            let spilled = if matches!(**run, Run::Scratch(_)) { run.bytes() } else { 0 };
            PartSize { rows: run.rows(), bytes: run.bytes(), spilled }
        };
        let largest = rest.runs.iter().map(|r| r.largest()).max().unwrap_or(0);
        Measured::sizes(rest.runs.iter().map(size), largest)
    }

    fn take_unsorted(&self) -> Option<MemoryRun> {
        let mut rest = self.lock();
        let unsorted = |run: &Arc<Run>| matches!(&**run, Run::Memory(run) if !run.is_sorted());
        let at = rest.runs.iter().position(unsorted)?;
        match Arc::try_unwrap(rest.runs.remove(at)) {
            Ok(Run::Memory(run)) => Some(run),
            Ok(run) => {
                rest.runs.push(Arc::new(run));
                None
            }
            Err(run) => {
                rest.runs.push(run);
                None
            }
        }
    }

    /// How many runs the group has, and their largest block. The first who asks in a round takes all groups out.
    fn group_size(&self, round: u32, index: usize) -> (usize, usize) {
        let measured = Measured::of(&[self.sizes()]);
        let mut rest = self.lock();
        if rest.round != round {
            rest.round = round;
            let mut runs: Vec<Option<Arc<Run>>> = std::mem::take(&mut rest.runs).into_iter().map(Some).collect();
            rest.groups.clear();
            for group in self.share.groups(&measured) {
                let mut taken = Vec::with_capacity(group.len());
                for slot in group {
                    let run = runs.get_mut(slot).and_then(Option::take).map(Arc::try_unwrap);
                    match run {
                        Some(Ok(run)) => taken.push(run),
                        Some(Err(run)) => rest.runs.push(run), // somebody reads it: it stays
                        None => {}
                    }
                }
                rest.groups.push(taken);
            }
            rest.runs.extend(runs.into_iter().flatten());
        }
        let group = rest.groups.get(index);
        let largest = group.and_then(|g| g.iter().map(Run::largest).max());
        (group.map_or(0, Vec::len), largest.unwrap_or(0))
    }

    fn take_group(&self, index: usize) -> Vec<Run> {
        self.lock().groups.get_mut(index).map(std::mem::take).unwrap_or_default()
    }

    /// A floor, for which runs that rest in memory are written out if need be; `None` where others hold too much.
    fn reserve(&self, name: &str, floor: usize, cx: &Cx) -> Result<Option<Arc<Reservation>>> {
        let lacking = floor.saturating_sub(cx.memory.budget.free());
        if lacking > 0 {
            self.spill(lacking, cx)?;
        }
        Ok(cx.memory.budget.reserve(name, floor, false))
    }

    /// How many runs there are, and their largest block.
    fn count(&self) -> (usize, usize) {
        let rest = self.lock();
        (rest.runs.len(), rest.runs.iter().map(|r| r.largest()).max().unwrap_or(0))
    }

    /// Writes out runs that rest here and that nobody reads; returns the bytes given back.
    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let lists = self.lists(cx)?;
        let mut rest = self.lock();
        let rest = &mut *rest;
        let mut given = 0;
        for run in &mut rest.runs {
            if given >= bytes {
                break;
            }
            let Some(Run::Memory(memory)) = Arc::get_mut(run) else { continue };
            let held = memory.held();
            let Some(page) = &mut rest.spare else { break };
            let writer = rest.writer.get_or_insert_with(|| cx.scratch.writer());
            let written = memory.write(self.limit, page, writer, &lists)?;
            self.meter.add_spilled(written.bytes as usize);
            *run = Arc::new(Run::Scratch(written));
            given += held;
        }
        Ok(given)
    }

    /// The runs, and the ranges that the order is cut into.
    fn open(&self, batch_rows: usize) -> (Vec<Arc<Run>>, Arc<[Range]>) {
        let measured = Measured::of(&[self.sizes()]);
        let mut rest = self.lock();
        let ranges = match &rest.ranges {
            Some(ranges) => ranges.clone(),
            None => {
                let ranges = cut(&rest.runs, self.share.ranges(&measured), batch_rows, self.prefix);
                rest.ranges.insert(ranges.into()).clone()
            }
        };
        (rest.runs.clone(), ranges)
    }
}

/// Cuts the order into at most `count` ranges of about equal size, by the first `prefix` bytes of keys.
fn cut(runs: &[Arc<Run>], count: usize, batch_rows: usize, prefix: usize) -> Vec<Range> {
    let total: u64 = runs.iter().map(|r| r.rows()).sum();
    // Every so many rows there is a sample.
    let every = (total / (count as u64 * 64).max(1)).clamp(1, batch_rows.max(1) as u64);
    let mut samples: Vec<u128> = Vec::new();
    for run in runs.iter().filter(|_| count > 1) {
        match &**run {
            Run::Memory(run) => {
                samples.extend((0..run.rows()).step_by(every as usize).filter_map(|i| run.row(i)).map(row::head));
            }
            Run::Scratch(run) => {
                let rows = (run.rows / (run.blocks.len() as u64).max(1)).max(1);
                let mut owed = 0;
                for block in &run.blocks {
                    owed += rows;
                    samples.extend(std::iter::repeat_n(block.head, (owed / every) as usize));
                    owed %= every;
                }
            }
        }
    }
    let behind = 8 * size_of::<u128>().saturating_sub(prefix) as u32;
    samples.iter_mut().for_each(|s| *s = s.checked_shr(behind).and_then(|s| s.checked_shl(behind)).unwrap_or(0));
    samples.sort_unstable();
    let mut cuts: Vec<u128> = (1..count).filter_map(|i| samples.get(samples.len() * i / count)).copied().collect();
    cuts.dedup();
    let mut ranges = Vec::with_capacity(cuts.len() + 1);
    let mut from = 0;
    for to in cuts.into_iter().filter(|to| *to > 0) {
        ranges.push(Range { from, to: Some(to) });
        from = to;
    }
    ranges.push(Range { from, to: None });
    ranges
}

impl SinkOp for SortOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        // All that rests is held by reservations that are made here: opening a task can be tried again, later things cannot.
        self.0.holder(cx)?;
        self.0.lists(cx)?;
        let mut rest = self.0.lock();
        if rest.spare.is_none() {
            let bytes = cx.memory.pool.page_bytes();
            let owner = cx.memory.budget.require("sort: block", bytes, false)?;
            rest.spare = Some(cx.memory.page(&owner).ok_or_else(no_memory)?);
        }
        drop(rest);
        Ok(Box::new(build::Build::new(self.0.clone(), cx)?))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        Ok(self.0.sizes())
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

impl SourceOp for SortOp {
    fn open(&self, _round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(merge::Merge::new(self.0.clone(), index, cx)?))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

#[cfg(test)]
mod tests;
