//! Runs: sorted rows, in memory or in scratch.
//!
//! A run in memory is pages of rows in the order of their coming, and an index, which is what is sorted:
//!
//! ```text
//! index entry, 16 bytes: | 8 bytes of the key, after what all keys of the run begin with | u32 page | u32 offset |
//! ```
//!
//! So most comparisons stay in the index, also for keys whose first bytes say little (decimals, timestamps, paths). A run
//! in scratch is a stream of blocks of rows in order. Of some blocks the place and the first bytes of the first key are
//! known, the *marks*: of all in a small run, of fewer and fewer the larger runs are, so that marks take no more than a
//! fixed part of memory.

use super::quick::Quick;
use super::row;
use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use crate::ops::Cancel;
use crate::store::{STREAM_HEAD, Stream, StreamWriter};
use memmap2::MmapMut;
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of an index entry.
const ENTRY: usize = 16;
/// Entries that are sorted in one go, which takes some milliseconds.
const AT_ONCE: usize = 1 << 17;
/// Rows that are written between two looks at whether to stop.
const LOOK: usize = 1 << 12;

/// Bytes charged to somebody, until dropped.
pub(super) struct Charge {
    owner: Arc<Reservation>,
    bytes: usize,
}

impl Charge {
    pub(super) fn none(owner: &Arc<Reservation>) -> Self {
        Charge { owner: owner.clone(), bytes: 0 }
    }

    /// Charges what exists already.
    pub(super) fn anyway(owner: &Arc<Reservation>, bytes: usize) -> Self {
        owner.grow_anyway(bytes);
        Charge { owner: owner.clone(), bytes }
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let grown = self.owner.try_grow(bytes);
        self.bytes += if grown { bytes } else { 0 };
        grown
    }

    fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.owner.shrink(bytes);
        self.bytes -= bytes;
    }

    fn hand_over(&mut self, to: &Arc<Reservation>) {
        self.owner.hand_over(to, self.bytes);
        self.owner = to.clone();
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.owner.shrink(self.bytes);
    }
}

/// Sorted rows.
pub(super) enum Run {
    Memory(MemoryRun),
    Scratch(ScratchRun),
}

impl Run {
    pub(super) fn rows(&self) -> u64 {
        match self {
            Run::Memory(run) => run.rows as u64,
            Run::Scratch(run) => run.rows,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Run::Memory(run) => run.bytes(),
            Run::Scratch(run) => run.bytes,
        }
    }

    /// Bytes of the largest block that the run has, or would have in scratch.
    pub(super) fn largest(&self) -> usize {
        match self {
            Run::Memory(run) => run.pages.iter().map(|(_, used)| *used).max().unwrap_or(0),
            Run::Scratch(run) => run.largest,
        }
    }
}

impl Run {
    /// How many marks it has.
    pub(super) fn marks(&self) -> usize {
        match self {
            Run::Memory(_) => 0,
            Run::Scratch(run) => run.marks.len(),
        }
    }

    /// Forgets half of the marks; says whether there were some to forget.
    pub(super) fn thin(&mut self) -> bool {
        match self {
            Run::Memory(_) => false,
            Run::Scratch(run) => run.thin(),
        }
    }
}

/// Rows in pages, and, once they are sorted, the index.
pub(super) struct MemoryRun {
    pages: Vec<(Page, usize)>,
    rows: usize,
    index: Option<MmapMut>,
    /// For the index: charged while rows come, so that sorting never lacks memory.
    charge: Charge,
}

impl MemoryRun {
    pub(super) fn new(owner: &Arc<Reservation>) -> Self {
        MemoryRun { pages: Vec::new(), rows: 0, index: None, charge: Charge::none(owner) }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.index.is_some()
    }

    fn bytes(&self) -> u64 {
        self.pages.iter().map(|(_, used)| *used as u64).sum()
    }

    /// Bytes of memory.
    pub(super) fn held(&self) -> usize {
        self.pages.iter().map(|(page, _)| page.len()).sum::<usize>() + self.charge.bytes
    }

    /// Room for one more row of `bytes`; `None` where memory for it is refused.
    #[inline(always)]
    pub(super) fn room(&mut self, bytes: usize, memory: &Memory) -> Option<&mut [u8]> {
        let fits = self.pages.last().is_some_and(|(page, used)| used + bytes <= page.len());
        let indexed = (self.rows + 1) * ENTRY <= self.charge.bytes;
        if !(fits && indexed || self.grow(bytes, fits, indexed, memory)) {
            return None;
        }
        let (page, used) = self.pages.last_mut()?;
        let to = page.get_mut(*used..*used + bytes)?;
        *used += bytes;
        self.rows += 1;
        Some(to)
    }

    #[cold]
    fn grow(&mut self, bytes: usize, fits: bool, indexed: bool, memory: &Memory) -> bool {
        let page_bytes = memory.pool.page_bytes();
        if !indexed && !self.charge.grow(page_bytes) {
            return false;
        }
        if !fits {
            let owner = &self.charge.owner;
            let page = if bytes <= page_bytes { memory.page(owner) } else { memory.pool.region(bytes, owner) };
            let Some(page) = page else { return false };
            self.pages.push((page, 0));
        }
        true
    }

    /// Sorts the index, unless it is sorted.
    ///
    /// # Errors
    /// `Resources`, where the operating system has no memory; `Cancelled`.
    pub(super) fn sort(&mut self, cancel: &Cancel) -> Result<()> {
        if self.index.is_some() || self.rows == 0 {
            return Ok(());
        }
        let mut index = self.unsorted(cancel)?;
        let (order, check) = (|a: &[u8; ENTRY], b: &[u8; ENTRY]| self.order(a, b), || cancel.check());
        Quick { order, check, at_once: AT_ONCE }.sort(index.as_chunks_mut::<ENTRY>().0)?;
        self.index = Some(index);
        Ok(())
    }

    /// An index in the order of the rows' coming.
    fn unsorted(&self, cancel: &Cancel) -> Result<MmapMut> {
        let mut index = MmapMut::map_anon(self.rows * ENTRY)
            .map_err(|e| Error::resources("no memory for the index of a sort").because(e))?;
        let skip = self.common(cancel)?;
        let mut entries = index.as_chunks_mut::<ENTRY>().0.iter_mut();
        for (number, (page, used)) in self.pages.iter().enumerate() {
            cancel.check()?;
            let (bytes, mut at) = (page.get(..*used).unwrap_or_default(), 0);
            while let Some(row) = row::at(bytes, at)
                && let Some(entry) = entries.next()
            {
                *entry = make(prefix(row::key(row), skip), number as u32, at as u32);
                at += row.len();
            }
        }
        Ok(index)
    }

    fn order(&self, a: &[u8; ENTRY], b: &[u8; ENTRY]) -> Ordering {
        head(a).cmp(&head(b)).then_with(|| self.key(a).cmp(self.key(b)))
    }

    /// Drops all rows but the first `limit` in order, in place; returns the key of the last one that is left. Nothing
    /// happens to fewer rows, or sorted ones.
    ///
    /// # Errors
    /// `Resources`, where the operating system has no memory; `Cancelled`.
    pub(super) fn keep(&mut self, limit: usize, cancel: &Cancel) -> Result<Option<Vec<u8>>> {
        if self.index.is_some() || limit == 0 || self.rows <= limit {
            return Ok(None);
        }
        let mut index = self.unsorted(cancel)?;
        let (entries, _) = index.as_chunks_mut::<ENTRY>();
        let (order, check) = (|a: &[u8; ENTRY], b: &[u8; ENTRY]| self.order(a, b), || cancel.check());
        Quick { order, check, at_once: AT_ONCE }.select(entries, limit - 1)?;
        let kept = entries.get_mut(..limit).unwrap_or_default();
        let bar = kept.last().map(|last| self.key(last).to_vec()).unwrap_or_default();
        kept.sort_unstable_by_key(place);
        self.pack(kept);
        let needed = (limit * ENTRY).next_multiple_of(4096);
        self.charge.shrink(self.charge.bytes.saturating_sub(needed));
        Ok(Some(bar))
    }

    /// Moves the rows of `kept`, in the order of their places, to the front. No row moves back: pages were filled by the
    /// same rule, with more rows.
    fn pack(&mut self, kept: &[[u8; ENTRY]]) {
        let (mut page, mut used) = (0, 0);
        let mut lengths = vec![0; self.pages.len()];
        for entry in kept {
            let (from, offset) = place(entry);
            let bytes = self.at(entry).len();
            while page < from && self.pages.get(page).is_some_and(|(p, _)| used + bytes > p.len()) {
                (page, used) = (page + 1, 0);
            }
            if page == from {
                self.pages[page].0.copy_within(offset..offset + bytes, used);
            } else {
                let (before, behind) = self.pages.split_at_mut(from);
                before[page].0[used..used + bytes].copy_from_slice(&behind[0].0[offset..offset + bytes]);
            }
            used += bytes;
            lengths[page] = used;
        }
        self.rows = kept.len();
        self.pages.iter_mut().zip(lengths).for_each(|((_, used), length)| *used = length);
        self.pages.retain(|(_, used)| *used > 0);
    }

    /// How many bytes all keys begin with.
    fn common(&self, cancel: &Cancel) -> Result<usize> {
        let (mut first, mut common) = (None, usize::MAX);
        for (page, used) in &self.pages {
            cancel.check()?;
            let (bytes, mut at) = (page.get(..*used).unwrap_or_default(), 0);
            while let Some(row) = row::at(bytes, at) {
                let key = row::key(row);
                let first = *first.get_or_insert(key);
                let both = first.iter().zip(key).take(common);
                common = both.take_while(|(a, b)| a == b).count();
                at += row.len();
            }
        }
        Ok(common)
    }

    fn at(&self, entry: &[u8; ENTRY]) -> &[u8] {
        let (page, offset) = place(entry);
        self.pages.get(page).and_then(|(page, _)| row::at(page, offset)).unwrap_or_default()
    }

    fn key(&self, entry: &[u8; ENTRY]) -> &[u8] {
        row::key(self.at(entry))
    }

    fn entries(&self) -> &[[u8; ENTRY]] {
        self.index.as_ref().map_or(&[], |index| index.as_chunks().0)
    }

    /// The `number`-th row in order.
    #[inline(always)]
    pub(super) fn row(&self, number: usize) -> Option<&[u8]> {
        self.entries().get(number).map(|entry| self.at(entry))
    }

    /// How many rows have keys whose first bytes are smaller than `head`.
    pub(super) fn before(&self, head: u128) -> usize {
        self.entries().partition_point(|entry| row::head(self.at(entry)) < head)
    }

    /// Charges all of it to `to` from now on.
    pub(super) fn hand_over(&mut self, to: &Arc<Reservation>) {
        self.pages.iter_mut().for_each(|(page, _)| page.hand_over(to));
        self.charge.hand_over(to);
    }
}

#[inline(always)]
fn make(prefix: u64, page: u32, offset: u32) -> [u8; ENTRY] {
    (u128::from(prefix) | u128::from(page) << 64 | u128::from(offset) << 96).to_le_bytes()
}

#[inline(always)]
fn head(entry: &[u8; ENTRY]) -> u64 {
    u128::from_le_bytes(*entry) as u64
}

#[inline(always)]
fn place(entry: &[u8; ENTRY]) -> (usize, usize) {
    let entry = u128::from_le_bytes(*entry);
    ((entry >> 64) as u32 as usize, (entry >> 96) as u32 as usize)
}

/// Eight bytes of a key from `skip` on, as a number; zeros behind its end.
#[inline(always)]
fn prefix(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(bytes)
}

/// A block whose place is known.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// The first bytes of its first key.
    head: [u64; 2],
    pub(super) place: u64,
}

impl Mark {
    fn new(head: u128, place: u64) -> Self {
        Mark { head: [(head >> 64) as u64, head as u64], place }
    }

    pub(super) fn head(&self) -> u128 {
        u128::from(self.head[0]) << 64 | u128::from(self.head[1])
    }
}

/// Most marks of a run that is being written.
const MARKS: usize = 512;

/// Leaves out every second one.
fn thin(marks: &mut Vec<Mark>) {
    let mut at = 0;
    marks.retain(|_| {
        at += 1;
        at % 2 == 1
    });
}

/// Rows in scratch.
pub(super) struct ScratchRun {
    pub(super) stream: Stream,
    pub(super) marks: Vec<Mark>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) largest: usize,
    /// For the marks.
    charge: Charge,
}

impl ScratchRun {
    fn thin(&mut self) -> bool {
        let before = self.marks.len();
        if before < 2 {
            return false;
        }
        thin(&mut self.marks);
        self.marks.shrink_to_fit();
        self.charge.shrink((before - self.marks.len()) * size_of::<Mark>());
        true
    }
}

/// Writes rows that come in order as a run.
pub(super) struct RunWriter<'a> {
    /// Where a block is gathered.
    pub(super) page: &'a mut Page,
    pub(super) writer: &'a mut StreamWriter,
    pub(super) draft: &'a mut Draft,
}

/// A run that is being written.
pub(super) struct Draft {
    marks: Vec<Mark>,
    /// Blocks until the next one that is marked, and how many there are from mark to mark.
    skip: usize,
    every: usize,
    used: usize,
    rows: u64,
    bytes: u64,
    largest: usize,
}

impl Default for Draft {
    fn default() -> Self {
        Draft { marks: Vec::with_capacity(MARKS), skip: 0, every: 1, used: 0, rows: 0, bytes: 0, largest: 0 }
    }
}

impl RunWriter<'_> {
    /// Appends a row. A row larger than the page becomes a block of its own.
    ///
    /// # Errors
    /// What writing to scratch meets.
    #[inline(always)]
    pub(super) fn push(&mut self, row: &[u8]) -> Result<()> {
        let used = self.draft.used;
        self.draft.rows += 1;
        // Whoever reads the block back into a page needs room for a head behind it.
        if let Some(to) = self.page.get_mut(used..used + row.len() + STREAM_HEAD) {
            to[..row.len()].copy_from_slice(row);
            self.draft.used += row.len();
            return Ok(());
        }
        self.next(row)
    }

    #[cold]
    fn next(&mut self, row: &[u8]) -> Result<()> {
        self.flush()?;
        match self.page.get_mut(..row.len() + STREAM_HEAD) {
            Some(to) => to[..row.len()].copy_from_slice(row),
            None => return self.draft.write(row, self.writer, self.page.len()),
        }
        self.draft.used = row.len();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        match std::mem::take(&mut self.draft.used) {
            0 => Ok(()),
            used => self.draft.write(self.page.get(..used).unwrap_or_default(), self.writer, self.page.len()),
        }
    }

    /// The run; its marks are charged to `owner`.
    ///
    /// # Errors
    /// What writing to scratch meets.
    pub(super) fn finish(mut self, owner: &Arc<Reservation>) -> Result<ScratchRun> {
        self.flush()?;
        let Draft { mut marks, rows, bytes, largest, .. } = std::mem::take(self.draft);
        marks.shrink_to_fit();
        let charge = Charge::anyway(owner, size_of::<ScratchRun>() + marks.len() * size_of::<Mark>());
        Ok(ScratchRun { stream: self.writer.finish()?, marks, rows, bytes, largest, charge })
    }
}

impl Draft {
    fn write(&mut self, block: &[u8], writer: &mut StreamWriter, page: usize) -> Result<()> {
        let place = writer.write(block, page)?;
        self.bytes += block.len() as u64;
        self.largest = self.largest.max(block.len());
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        if self.marks.len() == MARKS {
            thin(&mut self.marks);
            self.every *= 2;
        }
        self.marks.push(Mark::new(row::head(row::at(block, 0).unwrap_or_default()), place));
        self.skip = self.every - 1;
        Ok(())
    }
}

impl MemoryRun {
    /// Sorts and writes the first `limit` rows; `see` is told the key of every `every`-th of them.
    ///
    /// # Errors
    /// What writing to scratch meets; `Cancelled`.
    pub(super) fn write(
        &mut self,
        limit: usize,
        out: &mut RunWriter<'_>,
        every: usize,
        see: &mut dyn FnMut(&[u8]),
        cancel: &Cancel,
    ) -> Result<()> {
        self.sort(cancel)?;
        let mut until = every;
        let entries = self.entries();
        for entries in entries.get(..limit).unwrap_or(entries).chunks(LOOK) {
            cancel.check()?;
            for entry in entries {
                let row = self.at(entry);
                out.push(row)?;
                until -= 1;
                if until == 0 {
                    see(row::key(row));
                    until = every;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row with a key of eight bytes.
    fn add(run: &mut MemoryRun, memory: &Memory, key: u64, payload: usize) {
        let bytes = row::bytes(8, payload * 8);
        let to = run.room(bytes, memory).unwrap();
        row::write(to, &key.to_be_bytes(), &[], &vec![key as u8; payload * 8]);
    }

    fn keys(run: &MemoryRun) -> Vec<u64> {
        let number = |row: &[u8]| row::key(row).first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
        let whole = |row: &[u8]| row::payload(row).iter().all(|b| *b == number(row) as u8);
        (0..run.rows()).map(|i| run.row(i).unwrap()).inspect(|row| assert!(whole(row))).map(number).collect()
    }

    #[test]
    fn the_first_rows_are_kept_in_place() {
        for limit in [1, 2, 100, 499, 500, 501] {
            let memory = Memory::new(1 << 20, 4096);
            let owner = memory.budget.reserve("rows", 0, true).unwrap();
            let mut run = MemoryRun::new(&owner);
            // Some rows are larger than a page.
            (0..500).for_each(|i| {
                add(&mut run, &memory, i * 7919 % 500, if i % 100 == 3 { 1000 } else { i as usize % 60 })
            });
            let held = owner.held();
            let bar = run.keep(limit, &Cancel::default()).unwrap();
            assert_eq!(bar, (limit < 500).then(|| (limit as u64 - 1).to_be_bytes().to_vec()));
            assert!(limit > 400 || owner.held() < held);
            let left = limit.min(500) as u64;
            run.sort(&Cancel::default()).unwrap();
            assert_eq!(keys(&run), (0..left).collect::<Vec<_>>(), "{limit}");
            drop(run);
            assert_eq!(owner.held(), 0);
        }
    }

    #[test]
    fn rows_come_after_rows_were_dropped() {
        let memory = Memory::new(1 << 20, 4096);
        let owner = memory.budget.reserve("rows", 0, true).unwrap();
        let mut run = MemoryRun::new(&owner);
        for round in (0..20).rev() {
            (0..100).for_each(|i| add(&mut run, &memory, round * 100 + i, 3));
            run.keep(50, &Cancel::default()).unwrap();
        }
        assert!(owner.held() < 40_000, "{}", owner.held());
        run.sort(&Cancel::default()).unwrap();
        assert_eq!(keys(&run), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn marks_are_few_and_even() {
        let memory = Memory::new(1 << 20, 4096);
        let owner = memory.budget.reserve("marks", 0, true).unwrap();
        let scratch = crate::store::Scratch::new(vec![], None, 1 << 16).unwrap();
        let (mut page, mut writer) = (memory.page(&owner).unwrap(), scratch.streams());
        let mut draft = Draft::default();
        let mut out = RunWriter { page: &mut page, writer: &mut writer, draft: &mut draft };
        let mut row = vec![0; row::bytes(8, 3000)];
        for key in 0..3000u64 {
            row::write(&mut row, &key.to_be_bytes(), &[], &[7; 3000]);
            out.push(&row).unwrap();
        }
        let mut run = out.finish(&owner).unwrap();
        assert!((MARKS / 2..=MARKS).contains(&run.marks.len()), "{}", run.marks.len());
        let numbers: Vec<u64> = run.marks.iter().map(|mark| (mark.head() >> 64) as u64).collect();
        assert!(numbers.windows(2).all(|w| w[1] - w[0] == numbers[1]), "{numbers:?}");
        let held = owner.held();
        assert!(run.thin() && run.marks.len() <= MARKS / 2 && owner.held() < held);
        assert_eq!(run.rows, 3000);
        while run.thin() {}
        assert_eq!(run.marks.len(), 1);
        drop((run, page));
        assert_eq!(owner.held(), 0);
    }
}
