//! The source of what had to wait: rows of the probe side whose partition had no table, and rows of the build side that
//! come out alone.
//!
//! Life of a unit (a partition of both sides):
//! 1. A block of its build side becomes a table: all of it, where memory allows. Where it would take many blocks, both
//!    sides are divided by further bits of the hash and become units of their own.
//! 2. All its rows of the probe side are probed with the table, page by page.
//! 3. Rows of the table come out alone.
//! 4. The next block of the build side goes on with 1. Rows of the probe side that come out alone do so with the last
//!    block; until then a bit each remembers which of them met another.
//!
//! A partition that had a table all along begins with 3.
//!
//! Memory: two reservations, so that a table cannot take what reading needs: tables (floor: a page of rows), and reading
//! (floor: a page being read and an open page for each part of a division). Both floors have room for the largest row,
//! where that is larger than a page.

use super::Shared;
use super::pages::Open;
use super::plan::{Alone, word};
use super::prober::{Probed, Prober};
use super::table::{Room, table_bytes};
use super::tables::Tables;
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::{Page, Reservation};
use crate::ops::hash::radix;
use crate::ops::rows::{Chunk, RowDecoder, RowPages, Rows};
use crate::ops::{Cx, Pull, Source, Starved};
use crate::store::SpillWriter;
use std::collections::VecDeque;
use std::sync::Arc;

/// log2 of the parts that a large unit is divided into.
const DIVISION: u32 = 4;
/// Blocks of a build side that are cheaper than a division.
const FEW_BLOCKS: usize = 3;

/// Bytes that a task needs at least: see the module's head.
pub(super) fn floor(page_bytes: usize) -> usize {
    tables_floor(page_bytes) + reading_floor(page_bytes)
}

/// A page of rows, its directory and its flags.
fn tables_floor(page_bytes: usize) -> usize {
    table_bytes(page_bytes, page_bytes as u64 / 16, true) + 4096
}

fn reading_floor(page_bytes: usize) -> usize {
    ((1 << DIVISION) + 1) * page_bytes
}

/// A partition of both sides.
struct Unit {
    build: RowPages,
    probe: RowPages,
    /// Bits of the hash that are used up, and how often it was divided.
    used: u32,
    level: u32,
}

/// What a task takes from the queue.
enum Taken {
    Unit(Unit),
    /// A table whose rows come out alone.
    Table(Arc<Tables>, usize),
}

/// A unit in progress.
struct Active {
    build: VecDeque<Chunk>,
    probe: VecDeque<Chunk>,
    tables: Arc<Tables>,
    /// Which of the tables is the unit's.
    table: usize,
    used: u32,
    level: u32,
    /// The chunk of the probe side that is read, the next row in it, and how many rows were before it.
    chunk: usize,
    offset: usize,
    ordinal: usize,
    reading: Option<Page>,
    /// Of each row of the probe side: whether it met another, where that must be remembered.
    seen: Vec<u64>,
    /// Rows of the batch being probed.
    probing: usize,
    /// Whether this block is the last of the build side.
    last: bool,
    phase: Phase,
}

enum Phase {
    Load,
    Divide(Division),
    Probe,
    /// Rows of the table from this offset on come out alone.
    Emit(usize),
}

/// Both sides of a unit, divided one after the other.
struct Division {
    open: Vec<Option<Open>>,
    parts: Vec<RowPages>,
    /// The build side, when it is done.
    build: Option<Vec<RowPages>>,
}

/// The source of one task.
pub(super) struct Deferred {
    shared: Arc<Shared>,
    tables: Arc<Reservation>,
    reading: Arc<Reservation>,
    /// Who is charged for the bits of rows seen; apart, so that they take nothing from the floors.
    bits: Arc<Reservation>,
    prober: Prober,
    decoder: RowDecoder,
    writer: Option<SpillWriter>,
    units: Vec<Unit>,
    active: Option<Active>,
    row: u64,
}

impl Deferred {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let page = cx.memory.pool.page_bytes();
        let largest = shared.largest(page).next_multiple_of(4096);
        Ok(Deferred {
            tables: shared.reserve("join: table", tables_floor(page) + 2 * largest, false, cx)?,
            reading: shared.reserve("join: reading", reading_floor(page) + largest, false, cx)?,
            bits: cx.memory.budget.require("join: rows seen", 0, false)?,
            prober: Prober::new(shared.clone())?,
            decoder: RowDecoder::new(&shared.plan.probe.layout)?,
            writer: None,
            units: Vec::new(),
            active: None,
            row: 0,
            shared,
        })
    }

    /// Begins the next unit; `false`: there is none.
    fn begin(&mut self) -> bool {
        let unit = match self.units.pop() {
            Some(unit) => Taken::Unit(unit),
            None => match self.shared.take() {
                Some(taken) => taken,
                None => return false,
            },
        };
        self.active = Some(match unit {
            Taken::Unit(unit) => Active::new(unit),
            Taken::Table(tables, table) => Active::of_table(tables, table),
        });
        true
    }

    /// Makes a table of the next block of the build side, or begins to divide the unit.
    fn load(&mut self, cx: &Cx) -> Result<()> {
        let shared = self.shared.clone();
        let (plan, tuning) = (&shared.plan, &cx.tuning);
        let Some(active) = &mut self.active else { return Ok(()) };
        active.tables = Arc::new(Tables::empty());
        let mut count = active.build.len();
        let first = !active.last && active.seen.is_empty() && active.chunk == 0;
        let mut all = sizes(&active.build, count);
        let wanted = table_bytes(all.0, all.1, plan.flags());
        let mut room = None;
        if count > 0 {
            room = Room::new(all.0, all.1, plan.flags(), &cx.memory, &self.tables);
            if room.is_none() && shared.spill(wanted, cx)? > 0 {
                room = Room::new(all.0, all.1, plan.flags(), &cx.memory, &self.tables);
            }
        }
        if room.is_none() && count > 0 {
            let free = cx.memory.budget.free() / cx.threads.max(1) + self.tables.floor();
            let divisible = !plan.join.probe.keys.is_empty() && active.level < tuning.recursion_limit && first;
            if divisible && wanted / free.max(1) >= FEW_BLOCKS {
                shared.meter.note("a partition did not fit its memory and was divided again");
                active.phase = Phase::Divide(Division::new());
                return Ok(());
            }
            while count > 1 && table_bytes(all.0, all.1, plan.flags()) > free {
                count = count.div_ceil(2);
                all = sizes(&active.build, count);
            }
            loop {
                room = Room::new(all.0, all.1, plan.flags(), &cx.memory, &self.tables);
                if room.is_some() || count == 1 {
                    break;
                }
                count = count.div_ceil(2);
                all = sizes(&active.build, count);
            }
        }
        if count > 0 {
            let room = room.ok_or_else(no_memory)?;
            active.tables = Arc::new(Tables::one(room.fill(active.build.drain(..count), plan, &cx.cancel)?));
        }
        shared.meter.see_memory(self.tables.held() + self.reading.held());
        active.last = active.build.is_empty();
        if !active.last && active.seen.is_empty() && plan.join.kind.probe != Alone::No {
            let rows: u64 = active.probe.iter().map(Chunk::rows).sum();
            active.seen = vec![0; (rows as usize).div_ceil(64).max(1)];
            self.bits.grow_anyway(active.seen.len() * 8);
        }
        (active.chunk, active.offset, active.ordinal, active.reading) = (0, 0, 0, None);
        active.phase = Phase::Probe;
        Ok(())
    }

    /// Begins with the next rows of the probe side; `false` when there are none.
    fn feed(&mut self, cx: &Cx) -> Result<std::result::Result<bool, Starved>> {
        let Some(active) = &mut self.active else { return Ok(Ok(false)) };
        let side = &self.shared.plan.probe;
        loop {
            let Some(chunk) = active.probe.get(active.chunk) else { return Ok(Ok(false)) };
            let bytes = match chunk {
                Chunk::Resident(page, used, _) => &page[..*used],
                Chunk::Spilled(block, _) => {
                    if active.reading.is_none() {
                        match read(chunk, &self.reading, &self.shared, cx)? {
                            Ok(page) => {
                                active.probe.get(active.chunk + 1).into_iter().for_each(Chunk::ahead);
                                active.reading = page;
                            }
                            Err(starved) => return Ok(Err(starved)),
                        }
                    }
                    active.reading.as_deref().and_then(|page| page.get(..block.len())).unwrap_or_default()
                }
            };
            let mut list = Rows::new(bytes, active.offset);
            let rows: Vec<&[u8]> = list.by_ref().take(cx.tuning.batch_rows.max(1)).map(|(_, row)| row).collect();
            if rows.is_empty() {
                active.next_chunk();
                continue;
            }
            active.offset = list.offset();
            let mut hashes = self.prober.take_hashes();
            hashes.clear();
            hashes.extend(rows.iter().map(|row| word(row, side.prefix())));
            let batch = Batch::new(side.batch(&self.decoder, &rows)?, Position::default());
            active.probing = batch.rows();
            let matched = (!active.seen.is_empty()).then(|| active.seen(batch.rows()));
            let probed = Probed { batch, hashes, last: active.last, matched };
            self.prober.start(probed, &active.tables)?;
            return Ok(Ok(true));
        }
    }

    /// Divides the next chunk of the unit; when both sides are done they become units.
    fn divide(&mut self, cx: &Cx) -> Result<()> {
        let shared = self.shared.clone();
        let Some(Active { build, probe, used, level, phase: Phase::Divide(division), .. }) = &mut self.active else {
            return Ok(());
        };
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let (side, chunks) = match division.build {
            None => (&shared.plan.build, &mut *build),
            Some(_) => (&shared.plan.probe, &mut *probe),
        };
        if let Some(chunk) = chunks.pop_front() {
            chunks.front().into_iter().for_each(Chunk::ahead);
            let bytes = chunk.bytes();
            match &chunk {
                Chunk::Resident(page, bytes, _) => {
                    division.add(&page[..*bytes], side.prefix(), *used, writer, &self.reading, cx)?;
                }
                Chunk::Spilled(block, _) => {
                    let page = read(&chunk, &self.reading, &shared, cx)?.map_err(|_| no_memory())?;
                    let rows = page.as_deref().and_then(|page| page.get(..block.len())).unwrap_or_default();
                    division.add(rows, side.prefix(), *used, writer, &self.reading, cx)?;
                }
            }
            shared.meter.add_spilled(bytes);
            return Ok(());
        }
        let parts = division.flush(writer)?;
        let Some(build) = division.build.take() else {
            division.build = Some(parts);
            return Ok(());
        };
        let total: u64 = build.iter().map(RowPages::rows).sum();
        let (used, level) = (*used + DIVISION, *level + 1);
        self.shared.meter.see_pass(level + 1);
        cx.scratch.see_pass(level + 1);
        for (build, probe) in build.into_iter().zip(parts) {
            // What a division does not divide, another one will not.
            let level = if build.rows() == total { u32::MAX } else { level };
            let unit = Unit { build, probe, used, level };
            if self.shared.matters(&unit) {
                self.units.push(unit);
            }
        }
        self.active = None;
        Ok(())
    }

    /// The rows of the table that come out alone; when there are no more, the next block or the end of the unit.
    fn emit(&mut self, from: usize, cx: &Cx) -> Result<Pull> {
        let Some(active) = &mut self.active else { return Ok(Pull::Empty) };
        if self.shared.plan.flags()
            && let Some(table) = active.tables.get(active.table)
            && let Some((data, next)) = self.prober.build_alone(table, from, cx)?
        {
            active.phase = Phase::Emit(next);
            return Ok(Pull::Batch(Batch::new(data, Position::default())));
        }
        if active.last {
            self.bits.shrink(active.seen.len() * 8);
            self.active = None;
        } else {
            active.phase = Phase::Load;
        }
        self.prober.forget();
        Ok(Pull::Empty)
    }

    fn step(&mut self, cx: &Cx) -> Result<Pull> {
        let Some(active) = &mut self.active else {
            return Ok(if self.begin() { Pull::Empty } else { Pull::End });
        };
        match &active.phase {
            Phase::Load => self.load(cx)?,
            Phase::Divide(_) => self.divide(cx)?,
            Phase::Emit(from) => {
                let from = *from;
                return self.emit(from, cx);
            }
            Phase::Probe if self.prober.is_busy() => {
                let pull = self.prober.pull(cx)?;
                if !self.prober.is_busy() {
                    active.note(self.prober.matched());
                }
                return Ok(pull);
            }
            Phase::Probe => match self.feed(cx)? {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(active) = &mut self.active {
                        active.phase = Phase::Emit(0);
                    }
                }
                Err(starved) => return Ok(Pull::Starved(starved)),
            },
        }
        Ok(Pull::Empty)
    }
}

impl Active {
    fn new(unit: Unit) -> Self {
        Active {
            build: unit.build.into_chunks().into(),
            probe: unit.probe.into_chunks().into(),
            tables: Arc::new(Tables::empty()),
            table: 0,
            used: unit.used,
            level: unit.level,
            chunk: 0,
            offset: 0,
            ordinal: 0,
            reading: None,
            seen: Vec::new(),
            probing: 0,
            last: false,
            phase: Phase::Load,
        }
    }

    fn of_table(tables: Arc<Tables>, table: usize) -> Self {
        let unit = Unit { build: RowPages::default(), probe: RowPages::default(), used: 0, level: 0 };
        Active { tables, table, last: true, phase: Phase::Emit(0), ..Active::new(unit) }
    }

    /// Goes on with the next chunk of the probe side; with the last block chunks are let go.
    fn next_chunk(&mut self) {
        (self.offset, self.reading) = (0, None);
        if self.last {
            self.probe.pop_front();
        } else {
            self.chunk += 1;
        }
    }

    /// What is known of the next `rows` rows.
    fn seen(&self, rows: usize) -> Vec<bool> {
        let bit = |at: usize| self.seen.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
        (self.ordinal..self.ordinal + rows).map(bit).collect()
    }

    /// The batch was probed: remembers which rows met another.
    fn note(&mut self, matched: &[bool]) {
        if !self.seen.is_empty() {
            for (at, _) in (self.ordinal..).zip(matched).filter(|(_, matched)| **matched) {
                if let Some(word) = self.seen.get_mut(at / 64) {
                    *word |= 1 << (at % 64);
                }
            }
        }
        self.ordinal += std::mem::take(&mut self.probing);
    }
}

/// Bytes and rows of the first chunks.
fn sizes(chunks: &VecDeque<Chunk>, count: usize) -> (usize, u64) {
    chunks.iter().take(count).fold((0, 0), |(bytes, rows), c| (bytes + c.bytes(), rows + c.rows()))
}

fn no_memory() -> Error {
    Error::resources("the operating system refused memory that the budget has").advise("lower --memory")
}

/// A chunk from scratch in memory; nothing for one that is there.
fn read(
    chunk: &Chunk,
    owner: &Arc<Reservation>,
    shared: &Shared,
    cx: &Cx,
) -> Result<std::result::Result<Option<Page>, Starved>> {
    let Chunk::Spilled(block, _) = chunk else { return Ok(Ok(None)) };
    let page = |bytes: usize| match bytes <= cx.memory.pool.page_bytes() {
        true => cx.memory.page(owner),
        false => cx.memory.pool.region(bytes, owner),
    };
    let mut found = page(block.len());
    if found.is_none() && shared.spill(block.len(), cx)? > 0 {
        found = page(block.len());
    }
    let Some(mut found) = found else { return Ok(Err(Starved { reservation: owner.id(), bytes: block.len() })) };
    block.read(&mut found)?;
    Ok(Ok(Some(found)))
}

impl Division {
    fn new() -> Self {
        Division {
            open: (0..1 << DIVISION).map(|_| None).collect(),
            parts: (0..1 << DIVISION).map(|_| RowPages::default()).collect(),
            build: None,
        }
    }

    fn add(
        &mut self,
        rows: &[u8],
        prefix: usize,
        used: u32,
        writer: &mut SpillWriter,
        owner: &Arc<Reservation>,
        cx: &Cx,
    ) -> Result<()> {
        for (_, row) in Rows::new(rows, 0) {
            let hash = word(row, prefix);
            let part = radix(hash, used, DIVISION);
            if row.len() > cx.memory.pool.page_bytes() {
                self.parts[part].push(Chunk::Spilled(writer.write(row)?, 1));
                continue;
            }
            if self.open[part].is_none() {
                self.open[part] = Some(Open::new(cx.memory.page(owner).ok_or_else(no_memory)?));
            }
            let Some(open) = &mut self.open[part] else { continue };
            if !open.append(row, prefix, hash) {
                self.parts[part].push(open.write(writer)?);
                open.append(row, prefix, hash);
            }
        }
        Ok(())
    }

    /// All parts, in scratch.
    fn flush(&mut self, writer: &mut SpillWriter) -> Result<Vec<RowPages>> {
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            if let Some(mut open) = open.take() {
                part.push(open.write(writer)?);
            }
        }
        let empty = self.parts.iter().map(|_| RowPages::default()).collect();
        Ok(std::mem::replace(&mut self.parts, empty))
    }
}

impl Shared {
    /// Whether any row can come out of a unit.
    fn matters(&self, unit: &Unit) -> bool {
        let alone = |a: Alone| matches!(a, Alone::Unmatched | Alone::Marked);
        let kind = self.plan.join.kind;
        let (build, probe) = (unit.build.rows() > 0, unit.probe.rows() > 0);
        (build && (probe || alone(kind.build))) || (probe && alone(kind.probe))
    }

    /// The next partition from which rows can come out.
    fn take(&self) -> Option<Taken> {
        let mut rest = self.lock();
        let rest = &mut *rest;
        let parts = rest.build.len().max(rest.probe.len()).max(rest.tables.as_ref().map_or(0, |t| t.len()));
        while rest.next < parts {
            let i = rest.next;
            rest.next += 1;
            if let Some(tables) = rest.tables.as_ref().filter(|t| t.rows(i) > 0) {
                return Some(Taken::Table(tables.clone(), i));
            }
            let pages = |side: &mut Vec<RowPages>| side.get_mut(i).map(std::mem::take).unwrap_or_default();
            let (build, probe) = (pages(&mut rest.build), pages(&mut rest.probe));
            let unit = Unit { build, probe, used: parts.next_power_of_two().ilog2(), level: 0 };
            if self.matters(&unit) {
                return Some(Taken::Unit(unit));
            }
        }
        rest.tables = None;
        None
    }
}

impl Source for Deferred {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        cx.cancel.check()?;
        let pull = self.step(cx)?;
        Ok(match pull {
            Pull::Batch(mut batch) => {
                batch.position.row = self.row;
                self.row += batch.rows() as u64;
                Pull::Batch(batch)
            }
            other => other,
        })
    }
}
