//! The second phase: the rows of a partition become its groups.
//!
//! Life of a unit (a partition, a few small ones, or what was left over of one):
//! 1. Its pages are read one by one, from memory or from scratch. A row whose key is new is copied to the group pages;
//!    any other row's states are merged into its group's. The page read is free then.
//! 2. When the group pages or the table may not grow, pages that rest in memory are written out; when that does not
//!    help, the set of groups is closed: rows of known groups go on being merged, all others are scattered by further
//!    bits of their hash to scratch.
//! 3. All rows are read: the groups are complete, and are put out in batches.
//! 4. What was scattered becomes units, which are next.
//!
//! Every pass completes at least one group, so it ends whatever the hashes are, and a partition of one giant key is one
//! group from the start.
//!
//! Memory: two reservations, so that closing never lacks what it needs: groups (floor: a table, two pages) and what
//! closing needs (floor: the page being read and an open page for each part of the division). Each floor has room for two
//! of the largest row on top, where that is larger than a page; a group whose texts outgrow even that, and that is alone
//! in its set, starves.

use super::Shared;
use super::cells::{AHEAD, Cells, Location, bytes, fetch, location};
use super::plan::{Plan, copy_words};
use super::table::{Slot, Table};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::{Page, Reservation};
use crate::ops::hash::radix;
use crate::ops::rows::{Chunk, RowDecoder, RowPages, Rows, mark_dead, row_bytes};
use crate::ops::{Cx, Pull, Source, Starved};
use crate::store::SpillWriter;
use arrow::array::ArrayRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// log2 of the parts that the rest of a closed unit is divided into.
pub(super) const DIVISION: u32 = 4;
/// Partitions in memory are merged as one unit up to so many rows: groups come out in full batches.
pub(super) const SMALL: u64 = 4096;
/// Most slots of a new table; larger ones grow.
const FIRST_SLOTS: usize = 1 << 16;

/// Bytes that a task needs at least: see the module's head.
pub(super) fn floor(page_bytes: usize) -> usize {
    groups_floor(page_bytes) + rest_floor(page_bytes)
}

/// The floors of what holds groups and of what reads.
pub(super) fn floors(page_bytes: usize) -> (usize, usize) {
    (groups_floor(page_bytes), rest_floor(page_bytes))
}

fn groups_floor(page_bytes: usize) -> usize {
    3 * page_bytes
}

fn rest_floor(page_bytes: usize) -> usize {
    ((1 << DIVISION) + 1) * page_bytes
}

/// Rows to be merged, and how many bits of their hashes are used up.
pub(super) struct Unit {
    pub(super) chunks: std::vec::IntoIter<Chunk>,
    pub(super) rows: u64,
    pub(super) used: u32,
}

/// The page that is being read.
struct Reading {
    page: Page,
    used: usize,
    /// The next row.
    at: usize,
}

/// A page of groups.
struct GroupPage {
    page: Page,
    used: usize,
}

/// The rest of a closed unit.
pub(super) struct Division {
    open: Vec<Option<(Page, usize, u64)>>,
    pub(super) parts: Vec<RowPages>,
}

impl Default for Division {
    fn default() -> Self {
        Division {
            open: (0..1 << DIVISION).map(|_| None).collect(),
            parts: (0..1 << DIVISION).map(|_| RowPages::default()).collect(),
        }
    }
}

/// The source of one task.
pub(super) struct Merge {
    shared: Arc<Shared>,
    groups: Arc<Reservation>,
    rest: Arc<Reservation>,
    decoder: RowDecoder,
    writer: Option<SpillWriter>,
    /// What is left to do, the next last.
    units: Vec<Unit>,
    unit: Option<Unit>,
    reading: Option<Reading>,
    table: Option<Table>,
    pages: Vec<GroupPage>,
    division: Option<Division>,
    /// Page and offset of the next group to put out, when the unit is complete.
    emit: Option<(usize, usize)>,
}

/// What merging rows stopped at.
enum Stop {
    /// Enough for one step, or the page's end.
    Paused,
    /// The table is three quarters full.
    Table,
    /// The next row needs so many bytes in the group pages.
    Page(usize),
    /// The group needs a slot of so many bytes for a text part.
    Enlarge(Location, usize, usize),
}

impl Merge {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let page = cx.memory.pool.page_bytes();
        let large = 2 * shared.largest(page).next_multiple_of(4096);
        Ok(Merge {
            groups: shared.reserve("aggregate: groups", groups_floor(page) + large, cx)?,
            rest: shared.reserve("aggregate: reading", rest_floor(page) + large, cx)?,
            decoder: RowDecoder::new(&shared.plan.row)?,
            writer: None,
            units: Vec::new(),
            unit: None,
            reading: None,
            table: None,
            pages: Vec::new(),
            division: None,
            emit: None,
            shared,
        })
    }

    /// Begins the next unit; `false`: there is none.
    fn begin(&mut self, cx: &Cx) -> Result<bool> {
        let Some(unit) = self.units.pop().or_else(|| self.shared.take()) else { return Ok(false) };
        let wanted = (unit.rows as usize).saturating_mul(3) / 2;
        let least = cx.memory.pool.page_bytes() / 8;
        let slots = wanted.next_power_of_two().clamp(512.min(least), FIRST_SLOTS.max(least));
        // The first page comes before the table, so that a large table cannot take its place.
        let page = cx.memory.page(&self.groups).ok_or_else(no_memory)?;
        self.pages.push(GroupPage { page, used: 0 });
        let table = Table::new(slots, &cx.memory, &self.groups);
        let table = table.or_else(|| Table::new(least.min(slots), &cx.memory, &self.groups));
        self.table = Some(table.ok_or_else(no_memory)?);
        self.unit = Some(unit);
        Ok(true)
    }

    /// Makes the unit's next page the one being read; `false`: there is none.
    fn read(&mut self, cx: &Cx) -> Result<Result<bool, Starved>> {
        let Some(unit) = &mut self.unit else { return Ok(Ok(false)) };
        let Some(chunk) = unit.chunks.as_slice().first() else { return Ok(Ok(false)) };
        if let Chunk::Spilled(block, _) = chunk {
            let page_bytes = cx.memory.pool.page_bytes();
            let page = match block.len() <= page_bytes {
                true => cx.memory.page(&self.rest),
                false => region(block.len(), &self.rest, &self.shared, cx)?,
            };
            let Some(mut page) = page else {
                return Ok(Err(Starved { reservation: self.rest.id(), bytes: block.len() }));
            };
            block.read(&mut page)?;
            self.reading = Some(Reading { used: block.len(), page, at: 0 });
            unit.chunks.next();
        } else if let Some(Chunk::Resident(page, used, _)) = unit.chunks.next() {
            self.reading = Some(Reading { page, used, at: 0 });
        }
        unit.chunks.as_slice().first().into_iter().for_each(Chunk::ahead);
        Ok(Ok(true))
    }

    /// Merges rows of the page being read, at most a batch.
    fn merge(&mut self, cx: &Cx) -> Result<Option<Starved>> {
        let stop = match self.shared.plan.key_words() {
            1 => self.resolve::<1>(cx)?,
            2 => self.resolve::<2>(cx)?,
            _ => self.resolve::<0>(cx)?,
        };
        match stop {
            Stop::Paused => Ok(None),
            Stop::Table => self.grow_table(cx).map(|()| None),
            Stop::Page(bytes) => self.grow_pages(bytes, cx),
            Stop::Enlarge(group, part, length) => self.enlarge(group, part, length, cx),
        }
    }

    /// Finds or makes the groups of the next rows, and merges the states of those that were there.
    fn resolve<const WORDS: usize>(&mut self, cx: &Cx) -> Result<Stop> {
        let plan = &self.shared.plan;
        let (Some(reading), Some(table)) = (&mut self.reading, &mut self.table) else { return Ok(Stop::Paused) };
        let last = self.pages.len().wrapping_sub(1);
        let (mut fill, mut lists) = (self.pages.last().map_or(0, |p| p.used), (Vec::new(), Vec::new()));
        let mut cells = Cells(self.pages.iter_mut().map(|p| &mut p.page[..]).collect());
        let mut table = table.view();
        let mut rows = Rows::new(&reading.page[..reading.used], reading.at);
        let (mut stop, mut scattered) = (Stop::Paused, 0);
        let texts = !plan.texts.is_empty();
        let (far, head, key) = (table.is_far(), plan.row.head_bytes(), plan.row.cells_at());
        let mut ahead = Vec::with_capacity(AHEAD);
        for i in 0..cx.tuning.batch_rows.max(1) {
            if far && i.is_multiple_of(AHEAD) {
                ahead.clear();
                let next = Rows::new(&reading.page[..reading.used], reading.at).take(AHEAD);
                ahead.extend(next.map(|(_, row)| u64::from_le_bytes(*bytes(row, head))));
                fetch(&table, &cells, key, &ahead);
            }
            let Some((at, row)) = rows.next() else { break };
            let hash = u64::from_le_bytes(*bytes(row, head));
            let mut probe = table.probe(hash);
            let found = loop {
                match table.at(probe) {
                    Slot::Empty => break None,
                    Slot::Candidate(group) if same_rows::<WORDS>(plan, cells.row(group), row) => break Some(group),
                    _ => table.advance(&mut probe),
                }
            };
            if let Some(group) = found {
                if texts && let Some((part, length)) = plan.offer_row(cells.row_mut(group), row) {
                    stop = Stop::Enlarge(group, part, length);
                    break;
                }
                lists.0.push(at as u32);
                lists.1.push(group);
            } else if let Some(division) = &mut self.division {
                let used = self.unit.as_ref().map_or(0, |u| u.used);
                let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
                division.add(row, radix(hash, used, DIVISION), writer, &self.rest, cx)?;
                scattered += row.len();
            } else if table.is_full() {
                stop = Stop::Table;
                break;
            } else {
                let to = cells.0.get_mut(last).and_then(|page| page.get_mut(fill..fill + row.len()));
                let Some(to) = to else {
                    stop = Stop::Page(row.len());
                    break;
                };
                copy_words(to, row);
                table.insert(probe, location(last, fill));
                fill += row.len();
            }
            reading.at = rows.offset();
        }
        for part in &plan.parts {
            part.merge(&reading.page, &lists.0, &lists.1, &mut cells)?;
        }
        self.shared.meter.add_spilled(scattered);
        if matches!(stop, Stop::Paused) && rows.next().is_none() {
            self.reading = None;
        }
        if let Some(page) = self.pages.last_mut() {
            page.used = fill;
        }
        Ok(stop)
    }

    /// Doubles the table, or closes the set of groups.
    fn grow_table(&mut self, cx: &Cx) -> Result<()> {
        let Some(old) = &self.table else { return Ok(()) };
        let slots = old.slots() * 2;
        let mut new = Table::new(slots, &cx.memory, &self.groups);
        if new.is_none() && self.shared.spill(Table::bytes(slots), cx)? > 0 {
            new = Table::new(slots, &cx.memory, &self.groups);
        }
        let Some(mut new) = new else {
            self.close();
            return Ok(());
        };
        let head = self.shared.plan.row.head_bytes();
        let mut view = new.view();
        for (i, page) in self.pages.iter().enumerate() {
            cx.cancel.check()?;
            for (at, row) in Rows::new(&page.page[..page.used], 0) {
                let mut probe = view.probe(u64::from_le_bytes(*bytes(row, head)));
                while !matches!(view.at(probe), Slot::Empty) {
                    view.advance(&mut probe);
                }
                view.insert(probe, location(i, at));
            }
        }
        self.table = Some(new);
        Ok(())
    }

    /// Adds a page for a group of `bytes`, or closes the set of groups.
    fn grow_pages(&mut self, bytes: usize, cx: &Cx) -> Result<Option<Starved>> {
        match self.page(bytes, cx)? {
            Some(page) => self.pages.push(GroupPage { page, used: 0 }),
            // A closed set without any group would not get further: only a row larger than a page comes here.
            None if self.table.as_ref().is_none_or(|t| t.occupied() == 0) => {
                return Ok(Some(Starved { reservation: self.groups.id(), bytes }));
            }
            None => self.close(),
        }
        Ok(None)
    }

    fn page(&self, bytes: usize, cx: &Cx) -> Result<Option<Page>> {
        if bytes > cx.memory.pool.page_bytes() {
            return region(bytes, &self.groups, &self.shared, cx);
        }
        let page = cx.memory.page(&self.groups);
        if page.is_some() || self.shared.spill(cx.memory.pool.page_bytes(), cx)? == 0 {
            return Ok(page);
        }
        Ok(cx.memory.page(&self.groups))
    }

    /// Moves a group to a row with a larger slot. Where there is no memory for that, the group leaves the set.
    fn enlarge(&mut self, group: Location, part: usize, length: usize, cx: &Cx) -> Result<Option<Starved>> {
        let cells = Cells(self.pages.iter_mut().map(|p| &mut p.page[..]).collect());
        let row = cells.row(group);
        let row = self.shared.plan.enlarged(&row[..row_bytes(row)], part, length)?;
        let fits = self.pages.last().is_some_and(|p| p.used + row.len() <= p.page.len());
        if !fits {
            match self.page(row.len(), cx)? {
                Some(page) => self.pages.push(GroupPage { page, used: 0 }),
                None => return self.evict(group, row.len(), cx),
            }
        }
        let hash = u64::from_le_bytes(*bytes(&row, self.shared.plan.row.head_bytes()));
        let last = self.pages.len() - 1;
        let to = location(last, self.pages[last].used);
        self.pages[last].used += row.len();
        let mut cells = Cells(self.pages.iter_mut().map(|p| &mut p.page[..]).collect());
        cells.row_mut(to)[..row.len()].copy_from_slice(&row);
        mark_dead(cells.row_mut(group));
        if let Some(table) = &mut self.table {
            let mut table = table.view();
            let mut probe = table.probe(hash);
            while !matches!(table.at(probe), Slot::Candidate(at) if at == group) {
                table.advance(&mut probe);
            }
            table.replace(probe, to);
        }
        Ok(None)
    }

    /// A group that cannot grow goes on with the rest of the unit; its slot in the table leads to a dead row.
    fn evict(&mut self, group: Location, bytes: usize, cx: &Cx) -> Result<Option<Starved>> {
        if self.table.as_ref().is_none_or(|t| t.occupied() <= 1) {
            return Ok(Some(Starved { reservation: self.groups.id(), bytes }));
        }
        self.close();
        let plan = &self.shared.plan;
        let used = self.unit.as_ref().map_or(0, |u| u.used);
        let mut cells = Cells(self.pages.iter_mut().map(|p| &mut p.page[..]).collect());
        let row = cells.row(group);
        let row = &row[..row_bytes(row)];
        let part = radix(u64::from_le_bytes(*bytes_of_hash(plan, row)), used, DIVISION);
        if let Some(division) = &mut self.division {
            let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
            division.add(row, part, writer, &self.rest, cx)?;
        }
        mark_dead(cells.row_mut(group));
        Ok(None)
    }

    /// Closes the set of groups.
    fn close(&mut self) {
        if self.division.is_none() {
            self.division = Some(Division::default());
            self.shared.meter.note("a partition did not fit its memory and was divided again");
        }
    }

    /// All rows of the unit were read.
    fn complete(&mut self, cx: &Cx) -> Result<()> {
        self.shared.meter.see_memory(self.groups.held() + self.rest.held());
        self.table = None;
        let unit = self.unit.take();
        if let Some(mut division) = self.division.take() {
            let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
            division.flush(writer)?;
            let used = unit.map_or(0, |u| u.used) + DIVISION;
            let pass = used.saturating_sub(self.shared.plan.bits) / DIVISION + 1;
            self.shared.meter.see_pass(pass);
            cx.scratch.see_pass(pass);
            self.units.extend(division.parts.into_iter().filter(|p| p.rows() > 0).map(|p| Unit::new(p, used)));
        }
        self.emit = Some((0, 0));
        Ok(())
    }

    /// The next batch of groups.
    fn emit(&mut self, cx: &Cx) -> Result<Pull> {
        let Some((mut page, mut at)) = self.emit else { return Ok(Pull::Empty) };
        let mut rows: Vec<&[u8]> = Vec::with_capacity(cx.tuning.batch_rows);
        let (most, mut total) = (cx.tuning.batch_rows.max(1), 0);
        while let Some(GroupPage { page: bytes, used }) = self.pages.get(page) {
            let mut list = Rows::new(&bytes[..*used], at);
            let mut full = false;
            while !full && let Some((_, row)) = list.next() {
                total += row.len();
                rows.push(row);
                at = list.offset();
                full = rows.len() >= most || total >= cx.tuning.batch_bytes;
            }
            if full {
                break;
            }
            (page, at) = (page + 1, 0);
        }
        let batch = if rows.is_empty() { None } else { Some(self.shared.plan.batch(&rows, &self.decoder)?) };
        self.release(page, at);
        Ok(batch.map_or(Pull::Empty, Pull::Batch))
    }

    /// Gives back pages whose groups are out.
    fn release(&mut self, page: usize, at: usize) {
        self.pages.drain(..page.min(self.pages.len()));
        self.emit = if self.pages.is_empty() { None } else { Some((0, at)) };
    }
}

fn bytes_of_hash<'a>(plan: &Plan, row: &'a [u8]) -> &'a [u8; 8] {
    bytes(row, plan.row.head_bytes())
}

/// Whether two rows with hash and states have the same key. A dead group has none.
#[inline(always)]
fn same_rows<const WORDS: usize>(plan: &Plan, group: &[u8], row: &[u8]) -> bool {
    let (head, cells) = (plan.row.head_bytes(), plan.row.cells_at());
    if WORDS > 0 {
        let equal = |at: usize| group[at..at + 8] == row[at..at + 8];
        return group[4..8] == row[4..8] && (0..WORDS).all(|w| equal(cells + 8 * w));
    }
    let end = plan.end_of_key(row);
    group[3] & 0x80 == 0 && group[4..head] == row[4..head] && group.get(cells..end) == Some(&row[cells..end])
}

fn no_memory() -> Error {
    Error::resources("the operating system refused memory that the budget has").advise("lower --memory")
}

/// A region for one large row; pages at rest are written out if need be.
pub(super) fn region(bytes: usize, owner: &Arc<Reservation>, shared: &Shared, cx: &Cx) -> Result<Option<Page>> {
    let region = cx.memory.pool.region(bytes, owner);
    if region.is_some() || shared.spill(bytes, cx)? == 0 {
        return Ok(region);
    }
    Ok(cx.memory.pool.region(bytes, owner))
}

impl Unit {
    pub(super) fn new(pages: RowPages, used: u32) -> Self {
        Unit { rows: pages.rows(), chunks: pages.into_chunks().into_iter(), used }
    }
}

impl Division {
    pub(super) fn add(
        &mut self,
        row: &[u8],
        part: usize,
        writer: &mut SpillWriter,
        owner: &Arc<Reservation>,
        cx: &Cx,
    ) -> Result<()> {
        if row.len() > cx.memory.pool.page_bytes() {
            self.parts[part].push(Chunk::Spilled(writer.write(row)?, 1));
            return Ok(());
        }
        let open = &mut self.open[part];
        if open.is_none() {
            let page = cx.memory.page(owner);
            *open = Some((page.ok_or_else(no_memory)?, 0, 0));
        }
        let Some((page, used, rows)) = open else { return Ok(()) };
        if *used + row.len() > page.len() {
            self.parts[part].push(Chunk::Spilled(writer.write(&page[..*used])?, *rows));
            (*used, *rows) = (0, 0);
        }
        page[*used..*used + row.len()].copy_from_slice(row);
        *used += row.len();
        *rows += 1;
        Ok(())
    }

    pub(super) fn flush(&mut self, writer: &mut SpillWriter) -> Result<()> {
        for (open, part) in self.open.iter_mut().zip(&mut self.parts) {
            if let Some((page, used, rows)) = open.take() {
                part.push(Chunk::Spilled(writer.write(&page[..used])?, rows));
            }
        }
        Ok(())
    }
}

impl Shared {
    /// The bytes of the largest row that is larger than a page; 0 if there is none.
    pub(super) fn largest(&self, page_bytes: usize) -> usize {
        let rest = self.lock();
        let sizes = rest.parts.iter().flat_map(|p| p.chunks()).map(Chunk::bytes);
        sizes.filter(|b| *b > page_bytes).max().unwrap_or(0)
    }

    /// A floor, for which pages that rest in memory are written out if need be.
    pub(super) fn reserve(&self, name: &str, floor: usize, cx: &Cx) -> Result<Arc<Reservation>> {
        let lacking = floor.saturating_sub(cx.memory.budget.free());
        if lacking > 0 {
            self.spill(lacking, cx)?;
        }
        cx.memory.budget.require(name, floor, false)
    }

    /// The next partition that has rows, or a few small ones that are in memory.
    pub(super) fn take(&self) -> Option<Unit> {
        let mut rest = self.lock();
        let rest = &mut *rest;
        let mut taken = RowPages::default();
        while let Some(part) = rest.parts.get_mut(rest.next) {
            let rows = taken.rows() + part.rows();
            if taken.rows() > 0 && (rows > SMALL || part.spilled() > 0) {
                break;
            }
            taken.extend(std::mem::take(part));
            rest.next += 1;
            if taken.spilled() > 0 {
                break;
            }
        }
        if taken.rows() > 0 {
            rest.taken = true;
            return Some(Unit::new(taken, self.plan.bits));
        }
        None
    }

    /// Whether the only group of an aggregate without groups must still be made of no rows; says so once.
    fn is_missing(&self) -> bool {
        let mut rest = self.lock();
        self.plan.groups.is_empty() && !std::mem::replace(&mut rest.taken, true)
    }
}

impl Plan {
    /// Whether two rows with hash and states have the same key.
    #[inline(always)]
    pub(super) fn same_key(&self, group: &[u8], row: &[u8]) -> bool {
        match self.key_words() {
            1 => same_rows::<1>(self, group, row),
            2 => same_rows::<2>(self, group, row),
            _ => same_rows::<0>(self, group, row),
        }
    }

    /// Where the key of a row ends (or its padding).
    fn end_of_key(&self, row: &[u8]) -> usize {
        self.text_places.first().map_or(row.len(), |at| super::text::slot_offset(row, *at))
    }

    /// Groups with the values of their aggregates.
    fn batch(&self, rows: &[&[u8]], decoder: &RowDecoder) -> Result<Batch> {
        let mut columns: Vec<ArrayRef> = decoder.decode(rows)?;
        for (finish, field) in self.finish.iter().zip(self.output.fields().iter().skip(self.groups.len())) {
            columns.push(finish.values(&self.parts, rows, field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let data = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?;
        Ok(Batch::new(data, Position::default()))
    }

    /// The row of the only group, of no rows.
    fn empty_group(&self) -> Vec<u8> {
        let mut row = vec![0; self.row.cells_at() + self.row.fixed_bytes()];
        let length = row.len() as u32;
        row[..4].copy_from_slice(&length.to_le_bytes());
        let head = self.row.head_bytes();
        row[head..head + self.prefix.len()].copy_from_slice(&self.prefix);
        row
    }
}

impl Source for Merge {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        cx.cancel.check()?;
        if self.emit.is_some() {
            return self.emit(cx);
        }
        if self.unit.is_none() && !self.begin(cx)? {
            if self.shared.is_missing() {
                let row = self.shared.plan.empty_group();
                return Ok(Pull::Batch(self.shared.plan.batch(&[&row], &self.decoder)?));
            }
            return Ok(Pull::End);
        }
        if self.reading.is_none() {
            match self.read(cx)? {
                Err(starved) => return Ok(Pull::Starved(starved)),
                Ok(false) => {
                    self.complete(cx)?;
                    return self.emit(cx);
                }
                Ok(true) => {}
            }
        }
        Ok(self.merge(cx)?.map_or(Pull::Empty, Pull::Starved))
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.groups)
    }
}
