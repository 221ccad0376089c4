//! Hash joins of any size: inner, outer, semi, anti, mark, and `NOT IN`; with further conditions; and cross joins, which
//! are joins with no keys.
//!
//! Life of a row of the build side:
//! 1. `build`: its worker encodes it into the open page of its radix partition, with its hash. When memory is short the
//!    partitions with the highest numbers go to scratch, the same ones for all workers.
//! 2. `tables`: when all are there, each partition that is in memory as a whole becomes a [`table`], as far as the join's
//!    share of memory goes.
//!
//! Life of a row of the probe side:
//! 1. `transform`: inside its own pipeline it is looked up, and goes on as the pairs it makes (`prober`). Where its
//!    partition has no table it is kept, encoded, with the rows of the same partition, mostly in scratch.
//! 2. `deferred`: when the pipeline's input has ended, partitions without a table are joined one by one, and what comes
//!    out goes through the rest of the pipeline.
//!
//! Rows of the build side that come out alone (outer joins) come last, in `deferred` too: tables have a flag for each row.
//!
//! A partition that is too large for memory is divided by further bits of the hash, both sides; what cannot be divided
//! (one giant key, a cross join) is joined block by block: each block of the build side meets all rows of the probe side.
//!
//! A build side of a few MiB is one partition. The order of rows after a join is unspecified.

mod build;
mod deferred;
mod layout;
mod pages;
mod plan;
mod prober;
mod resident;
mod table;
mod tables;
mod transform;
mod walk;

pub use layout::{DeferredLayout, TablesLayout};
pub use plan::{Alone, From, Input, Join, Kind, Residual};

use crate::error::Result;
use crate::events::Meter;
use crate::graph::{PartSize, Sizes};
use crate::memory::Reservation;
use crate::ops::rows::{Chunk, RowPages};
use crate::ops::{Cx, Sink, SinkOp, Source, SourceOp, Task, Transform, TransformOp, Work};
use crate::store::SpillWriter;
use plan::Plan;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use tables::Tables;

/// A join of a query: the end of the build side's pipeline, the stage that makes tables, a transform of the probe
/// side's pipeline, and one more source of it. Cheap to clone.
#[derive(Clone)]
pub struct JoinOp(Arc<Shared>);

/// What all workers share.
struct Shared {
    plan: Plan,
    meter: Arc<Meter>,
    /// Whether a worker has divided its rows of the build side into partitions.
    divided: AtomicBool,
    /// Partitions from this one on are in scratch.
    spilled_from: AtomicUsize,
    /// Whether the build side has a null key.
    null_key: AtomicBool,
    /// The next partition to make a table of.
    next_table: AtomicUsize,
    rest: Mutex<Rest>,
}

/// What rests between the phases.
#[derive(Default)]
struct Rest {
    /// The build side's partitions without a table.
    build: Vec<RowPages>,
    /// The probe side's rows of the same partitions.
    probe: Vec<RowPages>,
    /// How many partitions may become tables, once that is decided.
    resident: usize,
    /// Room for a worker's rows of the other partitions, for the first who probes.
    room: Option<Arc<Reservation>>,
    /// The bytes of such a room, and how many more are held for the workers to come, among the pages at rest: they are
    /// given back where somebody cannot go on without, since one worker can probe alone.
    room_bytes: usize,
    spare_rooms: usize,
    tables: Option<Arc<Tables>>,
    /// Rows of the build side.
    rows: u64,
    /// Who holds pages at rest, and who holds tables.
    reservation: Option<Arc<Reservation>>,
    tables_reservation: Option<Arc<Reservation>>,
    writer: Option<SpillWriter>,
    /// The next partition to finish.
    next: usize,
}

impl JoinOp {
    /// A join; `meter` counts what the build side takes.
    ///
    /// # Errors
    /// `Unsupported`, for keys or columns of types that cannot be kept; `Internal`, where columns disagree.
    pub fn new(join: Join, meter: Arc<Meter>) -> Result<Self> {
        let plan = Plan::new(join)?;
        Ok(JoinOp(Arc::new(Shared {
            plan,
            meter,
            divided: AtomicBool::new(false),
            spilled_from: AtomicUsize::new(usize::MAX),
            null_key: AtomicBool::new(false),
            next_table: AtomicUsize::new(0),
            rest: Mutex::default(),
        })))
    }

    /// Bytes that one worker of the build side holds at least, with pages of `page_bytes`.
    pub fn build_floor(&self, page_bytes: usize) -> usize {
        build::floor(&self.0.plan, page_bytes)
    }

    /// The rule of the stage that makes tables.
    pub fn tables_layout(&self) -> TablesLayout {
        TablesLayout
    }

    /// The rule of the stage that joins what had to wait, with pages of `page_bytes`.
    pub fn deferred_layout(&self, page_bytes: usize) -> DeferredLayout {
        DeferredLayout { floor: deferred::floor(page_bytes) }
    }

    /// The work of the stage that makes tables.
    pub fn tables_work(&self) -> Arc<dyn Work> {
        Arc::new(tables::MakeTables(self.0.clone()))
    }

    /// The source of the rows that had to wait.
    pub fn deferred(&self) -> Arc<dyn SourceOp> {
        Arc::new(DeferredOp(self.0.clone()))
    }
}

impl Rest {
    /// Writes out pages, of the partitions that are read last first; returns the bytes given back.
    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let mut given = 0;
        for part in self.probe.iter_mut().rev().chain(self.build.iter_mut().rev()) {
            if given >= bytes {
                break;
            }
            given += part.spill(bytes - given, writer, &cx.cancel)?;
        }
        Ok(given)
    }

    /// Gives up rooms of workers to come, of about `bytes`; returns the bytes.
    fn give_rooms(&mut self, bytes: usize) -> usize {
        let rooms = bytes.div_ceil(self.room_bytes.max(1)).min(self.spare_rooms);
        self.spare_rooms -= rooms;
        let given = rooms * self.room_bytes;
        self.reservation.iter().for_each(|held| held.shrink(given));
        given
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Writes out pages that rest here; returns the bytes given back.
    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut rest = self.lock();
        let spilled = rest.spill(bytes, cx)?;
        self.meter.add_spilled(spilled);
        Ok(spilled + rest.give_rooms(bytes - spilled.min(bytes)))
    }

    /// The largest chunk that is larger than a page, in bytes; 0 if there is none.
    fn largest(&self, page_bytes: usize) -> usize {
        let rest = self.lock();
        let sizes = rest.build.iter().chain(&rest.probe).flat_map(|p| p.chunks()).map(Chunk::bytes);
        sizes.filter(|b| *b > page_bytes).max().unwrap_or(0)
    }

    /// A floor, for which pages that rest in memory are written out if need be.
    fn reserve(&self, name: &str, floor: usize, revocable: bool, cx: &Cx) -> Result<Arc<Reservation>> {
        let lacking = floor.saturating_sub(cx.memory.budget.free());
        if lacking > 0 {
            self.spill(lacking, cx)?;
        }
        cx.memory.budget.require(name, floor, revocable)
    }

    /// Decides which partitions become tables, and commits room for the rows of the others, before any table is made.
    ///
    /// # Errors
    /// `Resources`, where there is not enough room: nothing has changed then.
    fn decide(&self, cx: &Cx) -> Result<()> {
        let mut rest = self.lock();
        let rest = &mut *rest;
        if rest.tables.is_some() {
            return Ok(());
        }
        let (page, budget) = (cx.memory.pool.page_bytes(), &cx.memory.budget);
        let free = budget.free() + rest.reservation.as_ref().map_or(0, |r| r.held());
        let join = &self.plan.join;
        let facts = resident::Facts {
            available: resident::available(free, (join.beside, join.least), join.undecided.load(Relaxed)),
            room: cx.threads.max(1) * page,
            flags: self.plan.flags(),
        };
        let resident = resident::resident(&rest.build, &facts);
        let missing = rest.build.len() - resident;
        rest.room_bytes = missing * page;
        for worker in 0..if missing > 0 { cx.threads.max(1) } else { 0 } {
            let lacking = rest.room_bytes.saturating_sub(budget.free());
            if lacking > 0 {
                self.meter.add_spilled(rest.spill(lacking, cx)?);
            }
            if worker == 0 {
                rest.room = Some(budget.require("join probe", rest.room_bytes, false)?);
            } else if rest.reservation.as_ref().is_some_and(|held| held.try_grow(rest.room_bytes)) {
                rest.spare_rooms += 1;
            }
        }
        if missing > 0 {
            self.meter.note(format!("{missing} of {} partitions are joined from scratch", rest.build.len()));
        }
        self.plan.join.undecided.fetch_sub(1, Relaxed);
        rest.resident = resident;
        rest.tables = Some(Arc::new(Tables::new(rest.build.len().max(1))));
        Ok(())
    }

    /// Room for a worker's rows of `missing` partitions, a page each.
    ///
    /// # Errors
    /// `Resources`, where there is not enough.
    fn room(&self, missing: usize, cx: &Cx) -> Result<Arc<Reservation>> {
        let needed = missing * cx.memory.pool.page_bytes();
        let room = {
            let mut rest = self.lock();
            let room = rest.room.take();
            if room.is_none() {
                rest.give_rooms(1);
            }
            room.filter(|room| room.floor() >= needed)
        };
        // Partitions that did not become tables although they should have need more than was committed.
        room.map_or_else(|| self.reserve("join probe", needed, false, cx), Ok)
    }

    /// Adds pages of one side to what rests.
    fn add(&self, pages: Vec<RowPages>, writer: Option<SpillWriter>, side: impl Fn(&mut Rest) -> &mut Vec<RowPages>) {
        let mut rest = self.lock();
        rest.writer = rest.writer.take().or(writer);
        let holder = rest.reservation.clone();
        let parts = side(&mut rest);
        if parts.len() < pages.len() {
            parts.resize_with(pages.len(), RowPages::default);
        }
        for (part, mut pages) in parts.iter_mut().zip(pages) {
            if let Some(holder) = &holder {
                pages.hand_over(holder);
            }
            part.extend(pages);
        }
    }

    fn tables(&self) -> Arc<Tables> {
        self.lock().tables.get_or_insert_with(|| Arc::new(Tables::empty())).clone()
    }
}

impl SinkOp for JoinOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        let mut rest = self.0.lock();
        if rest.reservation.is_none() {
            rest.reservation = Some(cx.memory.budget.require("join at rest", 0, true)?);
        }
        drop(rest);
        Ok(Box::new(build::Build::new(self.0.clone(), cx)?))
    }

    fn finish(&self, cx: &Cx) -> Result<Sizes> {
        let mut rest = self.0.lock();
        let rest = &mut *rest;
        if rest.reservation.is_none() {
            rest.reservation = Some(cx.memory.budget.require("join at rest", 0, true)?);
        }
        rest.rows = rest.build.iter().map(RowPages::rows).sum();
        rest.tables_reservation = Some(cx.memory.budget.require("join tables", 0, false)?);
        Ok(Sizes { parts: rest.build.iter().map(size).collect() })
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

fn size(p: &RowPages) -> PartSize {
    PartSize { rows: p.rows(), bytes: p.bytes() as u64, spilled: p.spilled() as u64 }
}

impl TransformOp for JoinOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(transform::Probe::new(self.0.clone(), cx)?))
    }

    /// What had to wait, a partition each.
    fn sizes(&self) -> Sizes {
        let mut rest = self.0.lock();
        rest.room = None;
        rest.give_rooms(usize::MAX);
        if !self.0.plan.flags() {
            // Nobody probes any more, and no row of a table comes out alone.
            rest.tables = None;
            rest.tables_reservation = None;
        }
        let parts = rest.build.len().max(rest.probe.len()).max(rest.tables.as_ref().map_or(0, |t| t.len()));
        let part = |i: usize| {
            let mut all = PartSize::default();
            for part in [rest.build.get(i), rest.probe.get(i)].into_iter().flatten() {
                let one = size(part);
                all.rows += one.rows;
                all.bytes += one.bytes;
                all.spilled += one.spilled;
            }
            all.rows += rest.tables.as_ref().map_or(0, |t| t.rows(i));
            all
        };
        Sizes { parts: (0..parts).map(part).collect() }
    }
}

/// The source of what had to wait.
struct DeferredOp(Arc<Shared>);

impl SourceOp for DeferredOp {
    /// Tasks take partitions from one queue, so any number of them yields all rows.
    fn open(&self, _round: u32, _index: usize, cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(deferred::Deferred::new(self.0.clone(), cx)?))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

impl Work for tables::MakeTables {
    fn open(&self, _round: u32, _index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        self.0.decide(cx)?;
        Ok(Box::new(tables::Making(self.0.clone())))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

#[cfg(test)]
mod tests;
