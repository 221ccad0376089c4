//! The first phase: a worker turns its rows into groups, as far as they meet in a small table.
//!
//! Life of a row: its key is hashed, and encoded, with its batch; the table, which fits the cache, finds the row of its
//! group in a live page or the row becomes a new group in the open page of its radix partition; then each part of the
//! states is updated for all rows of the batch at once.
//!
//! ```text
//! table ---> live pages (the open page of each partition, and full ones that the table refers to)
//!                | table full, or memory is asked back: table cleared
//!                v
//!            sealed pages of each partition, in memory or in scratch: the same group may be there several times
//! ```
//!
//! Where all groups are likely to fit a larger table, it grows, as long as memory allows; if they prove more than they
//! were likely to be (rows of one group come together, so that a few rows tell nothing of all), it is small again, and
//! stays so. Where the table does not reduce (fewer than 1.3 rows a group since it was last cleared) rows are appended without looking them up, for a
//! while.
//!
//! Memory: the floor is one open page a partition and the table. All else can be given back: the table is cleared and
//! full pages are written out, those of the largest partitions first. A group whose row is larger than a page goes to
//! scratch at once.

use super::Shared;
use super::cells::{AHEAD, Cells, Location, bytes, fetch, location};
use super::find::{Missing, find, find_all};
use super::input::Input;
use super::keys::{KeyAt, Keys};
use super::plan::Plan;
use super::table::{Slot, Table};
use crate::batch::Batch;
use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::memory::{Page, Reservation};
use crate::ops::hash::radix;
use crate::ops::rows::{Chunk, RowPages, leave_out, mark_dead, row_bytes};
use crate::ops::{Cx, Flow, Sink, Starved};
use crate::store::SpillWriter;
use std::sync::Arc;

/// How far a page is filled, and with what.
struct Fill {
    used: usize,
    rows: u64,
    partition: usize,
}

/// Rows that are located before their states are updated, part by part: few enough for these to stay in the cache next to
/// the processor from the first part to the last.
const TOGETHER: usize = 256;
/// Rows that met their group again before their number tells how many groups there are, to about a fifth.
const TELLING: u64 = 30;
const NO_PAGE: usize = usize::MAX;

/// A worker's state of the first phase.
pub(super) struct Partial {
    shared: Arc<Shared>,
    reservation: Arc<Reservation>,
    /// The batch that is being absorbed, from row `at` on.
    keys: Keys,
    inputs: Vec<Input>,
    rows: usize,
    at: usize,
    /// Of the rows located last.
    locations: Vec<Location>,
    table: Table,
    /// The table to begin with, while a larger one is used.
    small: Option<Table>,
    live: Vec<Page>,
    fill: Vec<Fill>,
    /// The open page of each partition, among the live ones.
    open: Vec<usize>,
    sealed: Vec<RowPages>,
    writer: Option<SpillWriter>,
    reduction: Reduction,
}

/// Whether looking rows up is worth it.
#[derive(Default)]
struct Reduction {
    /// Rows looked up since the table was cleared.
    seen: u64,
    /// Rows still to be appended without looking.
    bypass: u64,
    /// Groups that the larger table was made for.
    expected: Option<u64>,
    /// Whether there were more of them.
    vain: bool,
}

/// Why locating rows stopped.
enum Stop {
    /// Enough of them are [together](TOGETHER), or the batch ends.
    Paused,
    TableFull,
    /// The keys of the batch are needed as encoded.
    Encode,
    /// The row needs so many bytes in a page of the partition.
    Page(usize, usize),
    /// The group at the location needs a larger slot for the text part.
    Slot(Location, usize, usize),
}

impl Partial {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let plan = &shared.plan;
        let reservation =
            cx.memory.budget.require("aggregate", floor(plan, cx.memory.pool.page_bytes(), &cx.tuning), true)?;
        let table = Table::new(slots(&cx.tuning), &cx.memory, &reservation);
        Ok(Partial {
            keys: Keys::new(plan, &cx.tuning)?,
            inputs: Vec::new(),
            rows: 0,
            at: 0,
            locations: Vec::new(),
            table: table.ok_or_else(|| Error::resources("the operating system refused memory for a table"))?,
            small: None,
            live: Vec::new(),
            fill: Vec::new(),
            open: vec![NO_PAGE; plan.partitions()],
            sealed: (0..plan.partitions()).map(|_| RowPages::default()).collect(),
            writer: None,
            reduction: Reduction { bypass: if plan.each_row { u64::MAX } else { 0 }, ..Reduction::default() },
            reservation,
            shared,
        })
    }

    fn absorb(&mut self, cx: &Cx) -> Result<Flow> {
        while self.at < self.rows {
            cx.cancel.check()?;
            let from = self.at;
            let stop = self.locate();
            self.update(from)?;
            match stop {
                Stop::Paused => {}
                Stop::TableFull => self.table_is_full(cx),
                Stop::Encode => self.keys.encode()?,
                Stop::Page(_, bytes) if bytes > cx.memory.pool.page_bytes() => self.write_through(cx)?,
                Stop::Page(partition, _) => {
                    if let Some(starved) = self.new_page(partition, cx) {
                        return Ok(starved);
                    }
                }
                Stop::Slot(group, part, bytes) => {
                    if let Some(starved) = self.enlarge(group, part, bytes, cx)? {
                        return Ok(starved);
                    }
                }
            }
            if self.reduction.bypass > 0 {
                self.seal_full();
            }
        }
        Ok(Flow::Ready)
    }

    /// Finds or makes the groups of rows from `at` on.
    fn locate(&mut self) -> Stop {
        self.locations.clear();
        if self.reduction.bypass > 0 {
            return self.append();
        }
        if self.shared.plan.groups.is_empty()
            && self.shared.plan.texts.is_empty()
            && self.fill.first().is_some_and(|f| f.rows > 0)
        {
            self.locations.resize(self.rows - self.at, location(0, 0));
            self.at = self.rows;
            return Stop::Paused;
        }
        let from = self.at;
        // Closures, not the functions' names: these become a part of the loop.
        let stop = match self.shared.plan.key_words() {
            _ if self.keys.are_texts() => self.look_up(|k, at, row, i| k.is_text_of(at, row, i), Keys::repeats_text),
            1 => self.look_up(|k, at, row, i| k.is_row_of::<1>(at, row, i), Keys::repeats::<1>),
            2 => self.look_up(|k, at, row, i| k.is_row_of::<2>(at, row, i), Keys::repeats::<2>),
            _ => self.look_up(|k, at, row, i| k.is_row_of::<0>(at, row, i), Keys::repeats::<0>),
        };
        self.reduction.seen += (self.at - from) as u64;
        stop
    }

    fn append(&mut self) -> Stop {
        if !self.keys.are_encoded() {
            return Stop::Encode;
        }
        let plan = &self.shared.plan;
        let mut cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let end = self.rows.min(self.at + TOGETHER);
        for i in self.at..end {
            let mut place = Place { plan, open: &self.open, fill: &mut self.fill, cells: &mut cells };
            match place.group(self.keys.hash(i), self.keys.row(i), &self.inputs, i) {
                Ok(location) => self.locations.push(location),
                Err(stop) => {
                    self.at = i;
                    return stop;
                }
            }
        }
        self.reduction.bypass = self.reduction.bypass.saturating_sub((end - self.at) as u64);
        self.at = end;
        Stop::Paused
    }

    /// `same` says whether the group at a row has the key of a row of the batch, `repeats` whether a row of the batch has the
    /// key of the one before.
    #[inline(always)]
    fn look_up(
        &mut self,
        same: impl Fn(&Keys, KeyAt, &[u8], usize) -> bool,
        repeats: impl Fn(&Keys, usize) -> bool,
    ) -> Stop {
        let plan = &self.shared.plan;
        let mut cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let mut table = self.table.view();
        let key = KeyAt { head: plan.row.head_bytes(), cells: plan.row.cells_at() };
        let (has_texts, far) = (!plan.texts.is_empty(), table.is_far());
        let (keys, from, end) = (&self.keys, self.at, self.rows.min(self.at + TOGETHER));
        let same = |row: &[u8], i: usize| same(keys, key, row, i);
        if has_texts && !keys.are_encoded() {
            return Stop::Encode;
        }
        while self.at < end {
            let (i, done) = (self.at, self.at - from);
            if far && done.is_multiple_of(AHEAD) {
                fetch(&table, &cells, key.cells, &keys.hashes()[i..end.min(i + AHEAD)]);
            }
            let missing = if has_texts {
                match find(&table, &cells, keys.hash(i), |row| same(row, i)) {
                    Ok(at) => {
                        if let Some((part, bytes)) = plan.offer(cells.row_mut(at), &self.inputs, i) {
                            return Stop::Slot(at, part, bytes);
                        }
                        self.locations.push(at);
                        None
                    }
                    Err(missing) => Some(missing),
                }
            } else {
                let until = if far { end.min(i + AHEAD - done % AHEAD) } else { end };
                find_all(&table, &cells, keys.hashes(), i..until, &mut self.locations, same, |i| repeats(keys, i))
            };
            self.at = from + self.locations.len();
            let Some(Missing(slot)) = missing else { continue };
            let i = self.at;
            if !keys.are_encoded() {
                return Stop::Encode;
            }
            if table.is_full() {
                return Stop::TableFull;
            }
            let mut place = Place { plan, open: &self.open, fill: &mut self.fill, cells: &mut cells };
            match place.group(keys.hash(i), keys.row(i), &self.inputs, i) {
                Ok(at) => {
                    if let Some(slot) = slot {
                        table.insert(slot, at);
                    }
                    self.locations.push(at);
                    self.at += 1;
                }
                Err(stop) => return stop,
            }
        }
        Stop::Paused
    }

    /// Updates the states of the rows located last, which begin with `from`.
    fn update(&mut self, from: usize) -> Result<()> {
        if self.locations.is_empty() {
            return Ok(());
        }
        let mut cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let range = from..from + self.locations.len();
        for part in &self.shared.plan.parts {
            part.update(&self.inputs[part.input], range.clone(), &self.locations, &mut cells)?;
        }
        Ok(())
    }

    fn table_is_full(&mut self, cx: &Cx) {
        let groups = self.table.occupied() as u64;
        self.reduction.vain |= self.reduction.expected.is_some_and(|expected| groups > expected);
        if !self.reduction.vain && self.grow_table(groups, cx) {
            return;
        }
        if self.reduction.seen * 10 < groups * 13 {
            self.reduction.bypass = self.table.slots() as u64 * 16;
        }
        self.forget();
        if self.reduction.vain {
            self.shrink_table();
        }
    }

    /// Goes on with a larger table, if all groups are likely to fit one.
    fn grow_table(&mut self, groups: u64, cx: &Cx) -> bool {
        let slots = self.table.slots();
        let by_budget = (cx.memory.budget.limit() / 64 / Table::bytes(1 << 10)) << 10;
        let most = by_budget.min(self::slots(&cx.tuning).saturating_mul(cx.tuning.preaggregate_growth.max(1)));
        let Some(expected) = expected(self.reduction.seen, groups) else { return false };
        let wanted = usize::try_from(expected.saturating_mul(4) / 3 + 1).unwrap_or(usize::MAX);
        let wanted = wanted.checked_next_power_of_two().map(|s| s.max(2 * slots)).filter(|s| *s <= most);
        let Some(wanted) = wanted else { return false };
        let Some(mut larger) = Table::new(wanted, &cx.memory, &self.reservation) else { return false };
        let cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let head = self.shared.plan.row.head_bytes();
        let mut view = larger.view();
        for location in self.table.locations() {
            let mut probe = view.probe(u64::from_le_bytes(*bytes(cells.row(location), head)));
            while !matches!(view.at(probe), Slot::Empty) {
                view.advance(&mut probe);
            }
            view.insert(probe, location);
        }
        let before = std::mem::replace(&mut self.table, larger);
        self.small.get_or_insert(before);
        self.reduction.expected = (self.reduction.seen - groups >= TELLING).then_some(expected);
        true
    }

    /// Goes on with the table of the beginning, which is empty.
    fn shrink_table(&mut self) {
        if let Some(mut small) = self.small.take() {
            small.clear();
            self.table = small;
        }
    }

    /// Clears the table and seals all full pages.
    fn forget(&mut self) {
        self.reduction.seen = 0;
        self.table.clear();
        self.seal_full();
    }

    /// Seals live pages that are not open. Locations are void afterwards.
    fn seal_full(&mut self) {
        if self.live.len() == self.open.iter().filter(|o| **o != NO_PAGE).count() {
            return;
        }
        let open = std::mem::replace(&mut self.open, vec![NO_PAGE; self.shared.plan.partitions()]);
        let pages = std::mem::take(&mut self.live).into_iter().zip(std::mem::take(&mut self.fill));
        for (i, (page, fill)) in pages.enumerate() {
            if open[fill.partition] == i {
                self.open[fill.partition] = self.live.len();
                self.live.push(page);
                self.fill.push(fill);
            } else {
                self.sealed[fill.partition].push(Chunk::Resident(page, fill.used, fill.rows));
            }
        }
    }

    fn new_page(&mut self, partition: usize, cx: &Cx) -> Option<Flow> {
        // A full page is open no longer, so that it can be spilled to make room for the next one.
        let first = std::mem::replace(&mut self.open[partition], NO_PAGE) == NO_PAGE;
        let Some(mut page) = cx.memory.page(&self.reservation) else {
            let bytes = cx.memory.pool.page_bytes();
            return Some(Flow::Starved(Starved { reservation: self.reservation.id(), bytes }));
        };
        let used = if first { stagger(partition, self.open.len(), page.len()) } else { 0 };
        leave_out(&mut page, used);
        self.open[partition] = self.live.len();
        self.live.push(page);
        self.fill.push(Fill { used, rows: 0, partition });
        None
    }

    /// The row at `at` is larger than a page: it becomes a block of scratch without ever being in memory.
    fn write_through(&mut self, cx: &Cx) -> Result<()> {
        let (plan, i) = (&self.shared.plan, self.at);
        let key = self.keys.row(i);
        let bytes = plan.row_bytes(key, &self.inputs, i);
        if bytes >= 1 << 29 {
            return Err(Error::resources("the key and the texts of a group have more than 512 MiB"));
        }
        let mut row = vec![0; bytes];
        plan.write(&mut row, self.keys.hash(i), key, &self.inputs, i);
        let mut cells = Cells(vec![&mut row]);
        for part in &plan.parts {
            part.update(&self.inputs[part.input], i..i + 1, &[location(0, 0)], &mut cells)?;
        }
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let block = writer.write(&row)?;
        self.shared.meter.add_spilled(row.len());
        self.sealed[radix(self.keys.hash(i), 0, plan.bits)].push(Chunk::Spilled(block, 1));
        self.at += 1;
        Ok(())
    }

    /// Moves a group to a row with a larger slot for a text.
    fn enlarge(&mut self, group: Location, part: usize, bytes: usize, cx: &Cx) -> Result<Option<Flow>> {
        let shared = self.shared.clone();
        let plan = &shared.plan;
        let i = self.at;
        let row = self.larger(group, part, bytes)?;
        if row.len() > cx.memory.pool.page_bytes() {
            return self.write_apart(cx);
        }
        let partition = radix(self.keys.hash(i), 0, plan.bits);
        let mut cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let mut place = Place { plan, open: &self.open, fill: &mut self.fill, cells: &mut cells };
        let Some(to) = place.bytes(partition, row.len()) else { return Ok(self.new_page(partition, cx)) };
        cells.row_mut(to)[..row.len()].copy_from_slice(&row);
        mark_dead(cells.row_mut(group));
        let mut table = self.table.view();
        let mut probe = table.probe(self.keys.hash(i));
        while !matches!(table.at(probe), Slot::Candidate(at) if at == group) {
            table.advance(&mut probe);
        }
        table.replace(probe, to);
        Ok(None)
    }

    fn larger(&mut self, group: Location, part: usize, bytes: usize) -> Result<Vec<u8>> {
        let cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let row = cells.row(group);
        self.shared.plan.enlarged(&row[..row_bytes(row)], part, bytes)
    }

    /// The group would outgrow a page: the row becomes a group of its own, merged in the second phase.
    fn write_apart(&mut self, cx: &Cx) -> Result<Option<Flow>> {
        let plan = &self.shared.plan;
        let bytes = plan.row_bytes(self.keys.row(self.at), &self.inputs, self.at);
        if bytes > cx.memory.pool.page_bytes() {
            return self.write_through(cx).map(|()| None);
        }
        let partition = radix(self.keys.hash(self.at), 0, plan.bits);
        let mut cells = Cells(self.live.iter_mut().map(|p| &mut p[..]).collect());
        let mut place = Place { plan, open: &self.open, fill: &mut self.fill, cells: &mut cells };
        match place.group(self.keys.hash(self.at), self.keys.row(self.at), &self.inputs, self.at) {
            Ok(location) => {
                self.locations.clear();
                self.locations.push(location);
                self.at += 1;
                self.update(self.at - 1)?;
                Ok(None)
            }
            Err(_) => Ok(self.new_page(partition, cx)),
        }
    }

    fn largest(&self) -> Option<usize> {
        let held = |i: &usize| self.sealed[*i].held();
        (0..self.sealed.len()).max_by_key(held).filter(|i| held(i) > 0)
    }

    fn spill_sealed(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        while given < bytes
            && let Some(i) = self.largest()
        {
            let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
            given += self.sealed[i].spill(bytes - given, writer, &cx.cancel)?;
        }
        self.shared.meter.add_spilled(given);
        Ok(given)
    }
}

/// What a worker can always finish with: an open page a partition, and the table.
pub(super) fn floor(plan: &Plan, page_bytes: usize, tuning: &Tuning) -> usize {
    plan.partitions() * page_bytes + Table::bytes(slots(tuning))
}

/// Where rows begin in the first page of a partition. All pages begin at the same place of the cache next to the processor,
/// which has room there for a few only: a few groups in each of many pages would drive each other out.
fn stagger(partition: usize, partitions: usize, page_bytes: usize) -> usize {
    page_bytes / 16 / partitions * partition / 8 * 8
}

/// How many groups there are, of which `groups` were seen in `seen` rows: rows that meet a group again are as many as if
/// all groups were equally frequent (birthdays: n^2 / 2g of n rows). `None` where none did.
fn expected(seen: u64, groups: u64) -> Option<u64> {
    let again = seen.checked_sub(groups).filter(|n| *n > 0)?;
    u64::try_from(u128::from(seen) * u128::from(seen) / (2 * u128::from(again))).ok()
}

fn slots(tuning: &Tuning) -> usize {
    tuning.preaggregate_slots.next_power_of_two().max(8)
}

/// Where new groups go.
struct Place<'a, 'b> {
    plan: &'a Plan,
    open: &'a [usize],
    fill: &'a mut [Fill],
    cells: &'a mut Cells<'b>,
}

impl Place<'_, '_> {
    #[inline(always)]
    fn bytes(&mut self, partition: usize, bytes: usize) -> Option<Location> {
        let page = self.open[partition];
        let fill = self.fill.get_mut(page)?;
        let at = fill.used;
        if at + bytes > self.cells.0[page].len() {
            return None;
        }
        fill.used += bytes;
        fill.rows += 1;
        Some(location(page, at))
    }

    #[inline(always)]
    fn group(&mut self, hash: u64, key: &[u8], inputs: &[Input], index: usize) -> Result<Location, Stop> {
        let bytes = self.plan.row_bytes(key, inputs, index);
        let partition = radix(hash, 0, self.plan.bits);
        let Some(location) = self.bytes(partition, bytes) else { return Err(Stop::Page(partition, bytes)) };
        self.plan.write(&mut self.cells.row_mut(location)[..bytes], hash, key, inputs, index);
        Ok(location)
    }
}

impl Sink for Partial {
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        let plan = &self.shared.plan;
        let column = |i: &usize| {
            let column = batch.data.columns().get(*i).cloned();
            column.ok_or_else(|| Error::internal(format!("an aggregate's key {i} is not in its input")))
        };
        let keys = plan.groups.iter().map(column).collect::<Result<Vec<_>>>()?;
        self.keys.take(keys, batch.rows())?;
        self.inputs = plan.inputs.iter().map(|i| i.prepare(&batch.data)).collect::<Result<_>>()?;
        (self.at, self.rows) = (0, batch.rows());
        self.resume(cx)
    }

    fn resume(&mut self, cx: &Cx) -> Result<Flow> {
        let flow = self.absorb(cx)?;
        if flow == Flow::Ready {
            self.inputs.clear();
            self.keys.clear();
            self.shared.meter.see_memory(self.reservation.held());
        }
        Ok(flow)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.reservation)
    }

    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = self.spill_sealed(bytes, cx)?;
        if given < bytes {
            let held = self.reservation.held();
            self.forget();
            self.shrink_table();
            given += held.saturating_sub(self.reservation.held());
            given += self.spill_sealed(bytes.saturating_sub(given), cx)?;
        }
        Ok(given)
    }

    fn finish(mut self: Box<Self>, _cx: &Cx) -> Result<()> {
        self.forget();
        let pages = std::mem::take(&mut self.live).into_iter().zip(std::mem::take(&mut self.fill));
        for (page, fill) in pages {
            self.sealed[fill.partition].push(Chunk::Resident(page, fill.used, fill.rows));
        }
        let sealed = std::mem::take(&mut self.sealed);
        self.shared.rest(sealed, self.writer.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_pages_begin_at_other_places_each() {
        for (partitions, page_bytes) in [(128, 256 << 10), (16, 64 << 10), (16, 4096), (4, 64), (1, 64)] {
            let places: Vec<usize> = (0..partitions).map(|p| stagger(p, partitions, page_bytes)).collect();
            assert!(places.iter().all(|at| at % 8 == 0 && *at <= page_bytes / 16), "{places:?}");
            let apart = places.windows(2).all(|two| two[0] < two[1]);
            assert_eq!(apart, partitions == 1 || page_bytes > 64, "{places:?}");
        }
    }
}
