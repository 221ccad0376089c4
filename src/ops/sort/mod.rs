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
//! passes were.
//!
//! A limit cuts every run to its first rows, and one task puts out. As soon as it is known that some key has enough rows
//! before it ([`cutoff`]), rows behind it are not even kept: where all that is wanted fits into a worker's share, nothing
//! goes to scratch.
//!
//! Memory: what a task needs to merge is committed when the first row comes ([`lease`]), so that a sort that began can
//! end. What is known of runs in scratch takes some 200 bytes a run, and a fixed part of the budget for all marks.
//!
//! Known limits: ranges are cut by the first 16 bytes of keys, so that keys that all begin alike are merged by one task.

mod build;
mod cursor;
mod cutoff;
mod keys;
mod layout;
mod lease;
mod merge;
mod pass;
mod quick;
mod row;
mod run;

pub use keys::{SortKey, canonical};
pub use layout::{MergeLayout, PassLayout};

use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::{PartSize, Sizes};
use crate::memory::{Page, Reservation};
use crate::ops::rows::{RowEncoder, RowLayout};
use crate::ops::{Cancel, Cx, Sink, SinkOp, Source, SourceOp, Work};
use crate::store::StreamWriter;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use cursor::Range;
use cutoff::Cutoff;
use keys::KeyEncoder;
use layout::{LISTS, Measured, Share};
use lease::Lent;
use run::{Draft, Mark, MemoryRun, Run, RunWriter};
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
    /// What a limit lets out; `None` without one.
    cutoff: Option<Mutex<Cutoff>>,
    /// Most marks of all runs.
    marks: usize,
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
    /// Who holds what is known of runs in scratch.
    lists: Option<Arc<Reservation>>,
    /// What merging tasks hold next.
    lent: Vec<Lent>,
    /// Writers that nobody is using: there are no more files than tasks at one time.
    writers: Vec<StreamWriter>,
    /// Where blocks of runs are gathered that are written from here.
    spare: Option<Page>,
    ranges: Option<Arc<[Range]>>,
    /// How many ranges were begun to be read.
    begun: usize,
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
        // Text of usual length; twice as many rows are gathered before they are sifted.
        let width: usize = types.iter().map(|t| t.primitive_width().unwrap_or(48)).sum::<usize>() + 64;
        let few = fetch.is_some_and(|n| n.saturating_mul(2 * width) <= 4 * page);
        Ok(SortOp(Arc::new(Shared {
            output: Arc::new(Schema::new(fields)),
            share: Share::new(tuning, limit, page, threads, fetch.is_some(), few),
            cutoff: fetch.map(|n| Mutex::new(Cutoff::new(n))),
            marks: (limit / LISTS / size_of::<Mark>()).max(64),
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

    /// Gives back the memory that no merge is using, once all ranges were read: a query may have many sorts, one after the
    /// other. Whoever reads a range again asks for it anew.
    pub fn release(&self) {
        let lent = std::mem::take(&mut self.0.lock().lent);
        drop(lent);
    }

    /// What is at rest.
    pub fn sizes(&self) -> Sizes {
        self.0.sizes()
    }

    /// Bytes that one worker's state holds at least, what it has in flight among them.
    pub fn floor(&self, tuning: &Tuning) -> usize {
        // The first worker also needs the page that runs at rest are written from.
        let in_flight = build::ROWS * tuning.batch_bytes + 3 * tuning.scratch_write_bytes;
        self.0.share.floor + self.0.share.page + in_flight
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

    fn add(&self, run: Run) {
        let mut rest = self.lock();
        rest.runs.push(Arc::new(run));
        rest.thin(self.marks);
    }

    fn writer(&self, cx: &Cx) -> StreamWriter {
        self.lock().writers.pop().unwrap_or_else(|| cx.scratch.streams())
    }

    fn give_writer(&self, writer: StreamWriter) {
        self.lock().writers.push(writer);
    }

    fn cutoff(&self) -> Option<MutexGuard<'_, Cutoff>> {
        self.cutoff.as_ref().map(|cutoff| cutoff.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// Writes the rows of `memory` that a limit leaves as a run in scratch, whose marks `lists` holds.
    fn write(
        &self,
        memory: &mut MemoryRun,
        page: &mut Page,
        writer: &mut StreamWriter,
        lists: &Arc<Reservation>,
        cancel: &Cancel,
    ) -> Result<Run> {
        let mut draft = Draft::default();
        let mut out = RunWriter { page, writer, draft: &mut draft };
        let every = self.cutoff().map_or(usize::MAX, |cutoff| cutoff.every());
        let mut see = |key: &[u8]| self.cutoff().into_iter().for_each(|mut cutoff| cutoff.see(key, every));
        memory.write(self.limit, &mut out, every, &mut see, cancel)?;
        let run = out.finish(lists)?;
        self.meter.add_spilled(run.bytes as usize);
        Ok(Run::Scratch(run))
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

    /// How many runs there are, and their largest block.
    fn count(&self) -> (usize, usize) {
        let rest = self.lock();
        (rest.runs.len(), rest.runs.iter().map(|r| r.largest()).max().unwrap_or(0))
    }

    /// Writes out runs that rest here and that nobody reads, then gives up floors that nobody uses, but for one: with that
    /// one the sort can end. Returns the bytes given back.
    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        if bytes == 0 {
            return Ok(0);
        }
        let lists = self.lists(cx)?;
        // Until a run is written nobody may count on the list: it would be missed.
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
            let mut writer = rest.writers.pop().unwrap_or_else(|| cx.scratch.streams());
            let written = self.write(memory, page, &mut writer, &lists, &cx.cancel);
            rest.writers.push(writer);
            *run = Arc::new(written?);
            given += held;
        }
        rest.thin(self.marks);
        while given < bytes
            && rest.lent.len() > 1
            && let Some(lent) = rest.lent.pop()
        {
            given += lent.reservation.floor();
        }
        Ok(given)
    }

    /// The runs, and the ranges that the order is cut into.
    fn open(&self, batch_rows: usize) -> (Vec<Arc<Run>>, Arc<[Range]>) {
        let measured = Measured::of(&[self.sizes()]);
        let mut rest = self.lock();
        rest.begun += 1;
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

impl Rest {
    /// Whether nobody waits who will read a range for the first time.
    fn is_read(&self) -> bool {
        self.ranges.as_ref().is_some_and(|ranges| self.begun >= ranges.len())
    }

    /// If there are too many marks, all runs forget half of theirs.
    fn thin(&mut self, most: usize) {
        while self.runs.iter().map(|run| run.marks()).sum::<usize>() > most {
            let runs = self.runs.iter_mut().filter_map(Arc::get_mut);
            if runs.filter_map(|run| run.thin().then_some(())).count() == 0 {
                break;
            }
        }
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
                // About as many rows are from mark to mark.
                let rows = (run.rows / (run.marks.len() as u64).max(1)).max(1);
                let mut owed = 0;
                for mark in &run.marks {
                    owed += rows;
                    samples.extend(std::iter::repeat_n(mark.head(), (owed / every) as usize));
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
mod driven_tests;
#[cfg(test)]
mod tests;
