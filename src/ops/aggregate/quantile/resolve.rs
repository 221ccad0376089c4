//! The second phase: the rows of a partition become groups with their quantiles.
//!
//! Life of a unit (a partition, a few small ones, or a part of one that was divided):
//! 1. Loading: its pages come into memory. Where one is refused, the unit is divided instead, see below.
//! 2. Grouping: each row gets the number of its group, and values are counted.
//! 3. Placing: values are copied to where their group's are; this is a counting sort.
//! 4. Putting out: a selection in the slice of each group.
//!
//! ```text
//! values of one part:  | group 0 | group 1   | group 2 |      `ends` has the end of each
//! ```
//!
//! A unit that does not fit is divided into 16 by further bits of the hash, or, where the last division left all rows in
//! one part, into the rows of its first key and all others. The rows of one key are then read from scratch as often as
//! [`giant`](super::giant) needs. So every pass completes a group or makes units smaller.
//!
//! Memory: what is loaded and grouped is asked for, and may be refused. The floor is what a division and a giant group
//! need.

use super::super::Shared;
use super::super::cells::{Location, bytes};
use super::super::merge::{DIVISION, Division, Unit, floors, region};
use super::super::state::Part;
use super::super::table::{Slot, Table};
use super::Wanted;
use super::giant::{self, Giant};
use super::pick::pick;
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use crate::ops::hash::radix;
use crate::ops::rows::{Chunk, RowDecoder, RowPages, Rows};
use crate::ops::{Cx, Pull, Source};
use crate::store::SpillWriter;
use arrow::array::{ArrayData, ArrayRef, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer};
use arrow::datatypes::DataType;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Rows that wait; `stuck`: dividing them by their hash did not help.
struct Waiting {
    unit: Unit,
    stuck: bool,
}

/// Pages in memory, each with its used bytes.
type Pages = Vec<(Page, usize)>;

/// What is being done.
enum State {
    Idle,
    Loading(Waiting, Pages),
    Grouping(Grouped, usize),
    Placing(Grouped, usize),
    PuttingOut(Grouped, usize),
    Dividing(Waiting, Pages, Parts),
    Selecting(Selection),
}

/// How rows are divided.
struct Parts {
    division: Division,
    /// The first key and the values of its rows, where all other keys are put apart.
    apart: Option<(Vec<u8>, Vec<u64>)>,
}

/// A group that does not fit into memory.
struct Selection {
    row: Vec<u8>,
    chunks: Vec<Chunk>,
    at: usize,
    giant: Giant,
}

/// The source of one task.
pub(super) struct Resolve {
    shared: Arc<Shared>,
    wanted: Arc<[Wanted]>,
    groups: Arc<Reservation>,
    rest: Arc<Reservation>,
    decoder: RowDecoder,
    writer: Option<SpillWriter>,
    units: Vec<Waiting>,
    state: State,
}

impl Resolve {
    pub(super) fn new(shared: Arc<Shared>, wanted: Arc<[Wanted]>, cx: &Cx) -> Result<Self> {
        let page = cx.memory.pool.page_bytes();
        let large = 2 * shared.largest(page).next_multiple_of(4096);
        let (groups, rest) = floors(page);
        Ok(Resolve {
            groups: shared.reserve("quantiles: values", groups + giant::bytes(wanted.len()) + large, cx)?,
            rest: shared.reserve("quantiles: reading", rest + large, cx)?,
            decoder: RowDecoder::new(&shared.plan.row)?,
            writer: None,
            units: Vec::new(),
            state: State::Idle,
            wanted,
            shared,
        })
    }

    /// Loads the next page of the unit; the next state.
    fn load(&mut self, mut waiting: Waiting, mut pages: Pages, cx: &Cx) -> Result<State> {
        let Some(chunk) = waiting.unit.chunks.as_slice().first() else { return self.group(waiting, pages, cx) };
        if let Chunk::Spilled(block, _) = chunk {
            let page = self.shared.page(block.len(), &self.groups, cx)?;
            let Some(mut page) = page else { return Ok(self.divide(waiting, pages)) };
            block.read(&mut page)?;
            pages.push((page, block.len()));
            waiting.unit.chunks.next();
        } else if let Some(Chunk::Resident(page, used, _)) = waiting.unit.chunks.next() {
            pages.push((page, used));
        }
        Ok(State::Loading(waiting, pages))
    }

    fn group(&mut self, waiting: Waiting, pages: Pages, cx: &Cx) -> Result<State> {
        let (rows, parts) = (waiting.unit.rows as usize, &self.shared.plan.parts);
        let need = Grouped::bytes(rows, parts);
        if self.groups.budget().free() < need {
            self.shared.spill(need, cx)?;
        }
        Ok(match Grouped::new(rows, parts, &cx.memory, &self.groups) {
            Some(grouped) => State::Grouping(Grouped { pages, ..grouped }, 0),
            None => self.divide(waiting, pages),
        })
    }

    fn divide(&mut self, waiting: Waiting, pages: Pages) -> State {
        self.shared.meter.note("a partition did not fit its memory and was divided again");
        let apart = waiting.stuck.then(|| (Vec::new(), vec![0; self.shared.plan.parts.len()]));
        State::Dividing(waiting, pages, Parts { division: Division::default(), apart })
    }

    /// Divides the rows of one more page.
    fn divide_page(&mut self, mut waiting: Waiting, mut pages: Pages, mut parts: Parts, cx: &Cx) -> Result<State> {
        let page = match pages.pop() {
            Some(page) => Some(page),
            None => waiting.unit.chunks.next().map(|c| self.read(c, cx)).transpose()?,
        };
        let Some((page, used)) = page else { return self.divided(waiting, parts, cx) };
        let plan = &self.shared.plan;
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let mut scattered = 0;
        for (_, row) in Rows::new(&page[..used], 0) {
            let to = match &mut parts.apart {
                None => radix(hash(plan, row), waiting.unit.used, DIVISION),
                Some((first, counts)) => {
                    if first.is_empty() {
                        *first = row.to_vec();
                    }
                    let other = !plan.same_key(first, row);
                    if !other {
                        counts.iter_mut().zip(&plan.parts).for_each(|(n, part)| *n += u64::from(row[part.flag]));
                    }
                    usize::from(other)
                }
            };
            parts.division.add(row, to, writer, &self.rest, cx)?;
            scattered += row.len();
        }
        self.shared.meter.add_spilled(scattered);
        Ok(State::Dividing(waiting, pages, parts))
    }

    /// All rows of a unit are divided.
    fn divided(&mut self, waiting: Waiting, mut parts: Parts, cx: &Cx) -> Result<State> {
        parts.division.flush(self.writer.get_or_insert_with(|| cx.scratch.writer()))?;
        let (total, used) = (waiting.unit.rows, waiting.unit.used);
        let mut made = parts.division.parts.into_iter();
        if let Some((row, counts)) = parts.apart {
            let mine = made.next().map(RowPages::into_chunks).unwrap_or_default();
            let others = made.next().filter(|p| p.rows() > 0);
            self.units.extend(others.map(|p| Waiting { unit: Unit::new(p, used), stuck: true }));
            let giant = Giant::new(&self.wanted, &counts, &cx.memory, &self.groups)?;
            return Ok(State::Selecting(Selection { row, chunks: mine, at: 0, giant }));
        }
        let used = used + DIVISION;
        let waiting = |p: RowPages| {
            let stuck = p.rows() == total || used + DIVISION > u64::BITS;
            Waiting { unit: Unit::new(p, used), stuck }
        };
        self.units.extend(made.filter(|p| p.rows() > 0).map(waiting));
        Ok(State::Idle)
    }

    /// A page that is in memory from now on, within the floor.
    fn read(&self, chunk: Chunk, cx: &Cx) -> Result<(Page, usize)> {
        match chunk {
            Chunk::Resident(page, used, _) => Ok((page, used)),
            Chunk::Spilled(block, _) => {
                let page = self.shared.page(block.len(), &self.rest, cx)?;
                let mut page = page.ok_or_else(|| Error::resources("no memory to read a page of scratch into"))?;
                block.read(&mut page)?;
                Ok((page, block.len()))
            }
        }
    }

    /// Sees the rows of one more page of a giant group.
    fn select(&mut self, mut selection: Selection, cx: &Cx) -> Result<(State, Pull)> {
        let Some(chunk) = selection.chunks.get(selection.at) else {
            selection.at = 0;
            if !selection.giant.pass() {
                return Ok((State::Selecting(selection), Pull::Empty));
            }
            let found = selection.giant.found().into_iter().map(|f| vec![f]).collect();
            return Ok((State::Idle, Pull::Batch(self.batch(&[&selection.row], found)?)));
        };
        let parts = &self.shared.plan.parts;
        let mut see = |rows: Rows<'_>| {
            rows.for_each(|(_, row)| selection.giant.see(|part| parts.get(part).and_then(|p| value(p, row))))
        };
        match chunk {
            Chunk::Resident(page, used, _) => see(Rows::new(&page[..*used], 0)),
            Chunk::Spilled(block, _) => {
                let page = self.shared.page(block.len(), &self.rest, cx)?;
                let mut page = page.ok_or_else(|| Error::resources("no memory to read a page of scratch into"))?;
                block.read(&mut page)?;
                see(Rows::new(&page[..block.len()], 0));
            }
        }
        selection.at += 1;
        Ok((State::Selecting(selection), Pull::Empty))
    }

    /// The next batch of groups.
    fn put_out(&mut self, mut grouped: Grouped, from: usize, cx: &Cx) -> Result<(State, Pull)> {
        let (mut to, mut total) = (from, 0);
        while to < grouped.groups && to - from < cx.tuning.batch_rows.max(1) && total < cx.tuning.batch_bytes {
            total += grouped.first(to).len();
            to += 1;
        }
        if to == from {
            return Ok((State::Idle, Pull::Empty));
        }
        let parts = &self.shared.plan.parts;
        let found = self.wanted.iter().map(|w| (from..to).map(|g| grouped.pick(parts, w, g)).collect());
        let found = found.collect();
        let rows: Vec<&[u8]> = (from..to).map(|g| grouped.first(g)).collect();
        let batch = self.batch(&rows, found)?;
        Ok((State::PuttingOut(grouped, to), Pull::Batch(batch)))
    }

    /// Groups by their rows, with what was found for each quantile and group.
    fn batch(&self, rows: &[&[u8]], found: Vec<Vec<Option<(u128, u128, f64)>>>) -> Result<Batch> {
        let plan = &self.shared.plan;
        let mut columns = self.decoder.decode(rows)?;
        let fields = plan.output.fields().iter().skip(plan.groups.len());
        for ((wanted, found), field) in self.wanted.iter().zip(&found).zip(fields) {
            columns.push(values(wanted, found, field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let data = RecordBatch::try_new_with_options(plan.output.clone(), columns, &options)?;
        Ok(Batch::new(data, Position::default()))
    }
}

fn hash(plan: &super::super::plan::Plan, row: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes(row, plan.row.head_bytes()))
}

/// The word of a part of a row, if it is not null.
fn value(part: &Part, row: &[u8]) -> Option<u128> {
    (row[part.flag] == 1).then(|| match part.kind.width() {
        16 => giant::stored::<16>(bytes(row, part.at)),
        _ => giant::stored::<8>(bytes(row, part.at)),
    })
}

/// An array of what lies between the words.
fn values(wanted: &Wanted, found: &[Option<(u128, u128, f64)>], output: &DataType) -> Result<ArrayRef> {
    let width = output.primitive_width().ok_or_else(|| Error::internal(format!("{output} has no fixed width")))?;
    let mut buffer = MutableBuffer::from_len_zeroed(found.len() * width);
    for (to, found) in buffer.as_slice_mut().chunks_exact_mut(width).zip(found) {
        if let Some((low, high, weight)) = found {
            let value = wanted.rank.between(wanted.order, *low, *high, *weight);
            to.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
    let valid = BooleanBuffer::collect_bool(found.len(), |i| found[i].is_some());
    let nulls = Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0);
    let data = ArrayData::builder(output.clone()).len(found.len()).add_buffer(Buffer::from(buffer)).nulls(nulls);
    Ok(make_array(data.build()?))
}

/// A loaded unit, its groups and their values.
struct Grouped {
    pages: Pages,
    table: Option<Table>,
    /// u32 number of each row's group.
    of_row: Page,
    /// Rows numbered, or placed.
    rows: usize,
    /// u32 page and u32 offset of each group's first row.
    firsts: Page,
    groups: usize,
    /// For each part, a u32 of each group: how many values, then where the next goes, then where they end.
    ends: Vec<Page>,
    /// For each part, the words, highest byte first.
    words: Vec<Page>,
}

impl Grouped {
    /// Bytes for `rows` rows, besides their pages.
    fn bytes(rows: usize, parts: &[Part]) -> usize {
        let each: usize = 12 + parts.iter().map(|p| 4 + p.kind.width()).sum::<usize>();
        rows * each + Table::bytes(slots(rows)) + (2 + 2 * parts.len()) * 4096
    }

    fn new(rows: usize, parts: &[Part], memory: &Memory, owner: &Arc<Reservation>) -> Option<Self> {
        u32::try_from(rows).ok()?;
        let region = |bytes: usize| memory.pool.region(bytes, owner);
        Some(Grouped {
            pages: Vec::new(),
            table: Some(Table::new(slots(rows), memory, owner)?),
            of_row: region(rows * 4)?,
            rows: 0,
            firsts: region(rows * 8)?,
            groups: 0,
            ends: parts.iter().map(|_| region(rows * 4)).collect::<Option<_>>()?,
            words: parts.iter().map(|p| region(rows * p.kind.width())).collect::<Option<_>>()?,
        })
    }

    /// Numbers the rows of a page by group.
    fn number(&mut self, page: usize, plan: &super::super::plan::Plan) {
        let Some(table) = &mut self.table else { return };
        let mut table = table.view();
        let firsts = self.firsts.as_chunks_mut::<8>().0;
        let of_row = self.of_row.as_chunks_mut::<4>().0;
        for (at, row) in Rows::new(&self.pages[page].0[..self.pages[page].1], 0) {
            let mut probe = table.probe(hash(plan, row));
            let group = loop {
                match table.at(probe) {
                    Slot::Empty => {
                        firsts[self.groups] = first(page, at);
                        table.insert(probe, self.groups as Location);
                        self.groups += 1;
                        break self.groups - 1;
                    }
                    Slot::Candidate(group) if plan.same_key(row_at(&self.pages, firsts[group as usize]), row) => {
                        break group as usize;
                    }
                    _ => table.advance(&mut probe),
                }
            };
            of_row[self.rows] = (group as u32).to_le_bytes();
            self.rows += 1;
            for (part, ends) in plan.parts.iter().zip(&mut self.ends) {
                add(&mut ends.as_chunks_mut::<4>().0[group], u32::from(row[part.flag]));
            }
        }
    }

    /// All rows are numbered: counts become beginnings.
    fn begin_placing(&mut self) {
        self.table = None;
        self.rows = 0;
        for ends in &mut self.ends {
            let mut total = 0;
            for count in &mut ends.as_chunks_mut::<4>().0[..self.groups] {
                let begin = total;
                total += u32::from_le_bytes(*count);
                *count = begin.to_le_bytes();
            }
        }
    }

    /// Copies the values of a page to where their groups' are.
    fn place(&mut self, page: usize, parts: &[Part]) {
        let of_row = self.of_row.as_chunks::<4>().0;
        for (_, row) in Rows::new(&self.pages[page].0[..self.pages[page].1], 0) {
            let group = u32::from_le_bytes(of_row[self.rows]) as usize;
            self.rows += 1;
            for ((part, ends), words) in parts.iter().zip(&mut self.ends).zip(&mut self.words) {
                if row[part.flag] == 1 {
                    let next = &mut ends.as_chunks_mut::<4>().0[group];
                    let to = u32::from_le_bytes(*next) as usize;
                    add(next, 1);
                    match part.kind.width() {
                        16 => words.as_chunks_mut::<16>().0[to] = reversed(*bytes(row, part.at)),
                        _ => words.as_chunks_mut::<8>().0[to] = reversed(*bytes(row, part.at)),
                    }
                }
            }
        }
    }

    /// The first row of a group.
    fn first(&self, group: usize) -> &[u8] {
        let first = self.firsts.as_chunks::<8>().0[group];
        let row = row_at(&self.pages, first);
        &row[..crate::ops::rows::row_bytes(row)]
    }

    /// The words that a quantile of a group lies between.
    fn pick(&mut self, parts: &[Part], wanted: &Wanted, group: usize) -> Option<(u128, u128, f64)> {
        let end = |g: usize| u32::from_le_bytes(self.ends[wanted.part].as_chunks::<4>().0[g]) as usize;
        let range = if group == 0 { 0 } else { end(group - 1) }..end(group);
        let words = &mut self.words[wanted.part];
        match parts[wanted.part].kind.width() {
            16 => pick(&mut words.as_chunks_mut::<16>().0[range], wanted.rank),
            _ => pick(&mut words.as_chunks_mut::<8>().0[range], wanted.rank),
        }
    }
}

fn slots(rows: usize) -> usize {
    (rows * 3 / 2).next_power_of_two().max(64)
}

fn reversed<const N: usize>(mut word: [u8; N]) -> [u8; N] {
    word.reverse();
    word
}

fn add(count: &mut [u8; 4], more: u32) {
    *count = (u32::from_le_bytes(*count) + more).to_le_bytes();
}

fn first(page: usize, at: usize) -> [u8; 8] {
    ((page as u64) << 32 | at as u64).to_le_bytes()
}

fn row_at(pages: &[(Page, usize)], first: [u8; 8]) -> &[u8] {
    let first = u64::from_le_bytes(first);
    &pages[(first >> 32) as usize].0[first as u32 as usize..]
}

impl Source for Resolve {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        cx.cancel.check()?;
        let state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => match self.units.pop().or_else(|| self.shared.waiting()) {
                Some(waiting) => State::Loading(waiting, Vec::new()),
                None => return Ok(Pull::End),
            },
            State::Loading(waiting, pages) => self.load(waiting, pages, cx)?,
            State::Grouping(mut grouped, page) if page < grouped.pages.len() => {
                grouped.number(page, &self.shared.plan);
                State::Grouping(grouped, page + 1)
            }
            State::Grouping(mut grouped, _) => {
                grouped.begin_placing();
                State::Placing(grouped, 0)
            }
            State::Placing(mut grouped, page) if page < grouped.pages.len() => {
                grouped.place(page, &self.shared.plan.parts);
                State::Placing(grouped, page + 1)
            }
            State::Placing(grouped, _) => {
                self.shared.meter.see_memory(self.groups.held() + self.rest.held());
                State::PuttingOut(grouped, 0)
            }
            State::PuttingOut(grouped, from) => {
                let (state, pull) = self.put_out(grouped, from, cx)?;
                self.state = state;
                return Ok(pull);
            }
            State::Dividing(waiting, pages, parts) => self.divide_page(waiting, pages, parts, cx)?,
            State::Selecting(selection) => {
                let (state, pull) = self.select(selection, cx)?;
                self.state = state;
                return Ok(pull);
            }
        };
        self.state = state;
        Ok(Pull::Empty)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.groups)
    }
}

impl Shared {
    fn waiting(&self) -> Option<Waiting> {
        self.take().map(|unit| Waiting { unit, stuck: false })
    }

    /// A page for `bytes`; pages at rest are written out if need be.
    fn page(&self, bytes: usize, owner: &Arc<Reservation>, cx: &Cx) -> Result<Option<Page>> {
        let page_bytes = cx.memory.pool.page_bytes();
        if bytes > page_bytes {
            return region(bytes, owner, self, cx);
        }
        let page = cx.memory.page(owner);
        if page.is_some() || self.spill(page_bytes, cx)? == 0 {
            return Ok(page);
        }
        Ok(cx.memory.page(owner))
    }
}
