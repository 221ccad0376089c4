//! Runs: sorted rows, in memory or in scratch.
//!
//! A run in memory is pages of rows in the order of their coming, and an index, which is what is sorted:
//!
//! ```text
//! index entry, 16 bytes: | 8 bytes of the key, after what all keys of the run begin with | u32 page | u32 offset |
//! ```
//!
//! So most comparisons stay in the index, also for keys whose first bytes say little (decimals, timestamps, paths). A run
//! in scratch is blocks of rows in order; of each, the first bytes of its first key are known.

use super::row;
use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use crate::store::{BlockRef, SpillWriter};
use memmap2::MmapMut;
use std::sync::Arc;

/// Bytes of an index entry.
const ENTRY: usize = 16;

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
    /// `Resources`, where the operating system has no memory.
    pub(super) fn sort(&mut self) -> Result<()> {
        if self.index.is_some() || self.rows == 0 {
            return Ok(());
        }
        let mut index = MmapMut::map_anon(self.rows * ENTRY)
            .map_err(|e| Error::resources("no memory for the index of a sort").because(e))?;
        let skip = self.common();
        let mut entries = index.as_chunks_mut::<ENTRY>().0.iter_mut();
        for (number, (page, used)) in self.pages.iter().enumerate() {
            let (bytes, mut at) = (page.get(..*used).unwrap_or_default(), 0);
            while let Some(row) = row::at(bytes, at)
                && let Some(entry) = entries.next()
            {
                *entry = make(prefix(row::key(row), skip), number as u32, at as u32);
                at += row.len();
            }
        }
        index.as_chunks_mut::<ENTRY>().0.sort_unstable_by(|a, b| {
            let (one, other) = (head(a), head(b));
            one.cmp(&other).then_with(|| self.key(a).cmp(self.key(b)))
        });
        self.index = Some(index);
        Ok(())
    }

    /// How many bytes all keys begin with.
    fn common(&self) -> usize {
        let (mut first, mut common) = (None, usize::MAX);
        for (page, used) in &self.pages {
            let (bytes, mut at) = (page.get(..*used).unwrap_or_default(), 0);
            while let Some(row) = row::at(bytes, at) {
                let key = row::key(row);
                let first = *first.get_or_insert(key);
                let both = first.iter().zip(key).take(common);
                common = both.take_while(|(a, b)| a == b).count();
                at += row.len();
            }
        }
        common
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

/// A block of rows, in order.
pub(super) struct Block {
    pub(super) block: BlockRef,
    /// The first bytes of its first key.
    pub(super) head: u128,
}

/// Rows in scratch.
pub(super) struct ScratchRun {
    pub(super) blocks: Vec<Block>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) largest: usize,
    /// For the list of blocks.
    _charge: Charge,
}

/// Writes rows that come in order as a run.
pub(super) struct RunWriter<'a> {
    /// Where a block is gathered.
    pub(super) page: &'a mut Page,
    pub(super) writer: &'a mut SpillWriter,
    pub(super) draft: &'a mut Draft,
}

/// A run that is being written.
#[derive(Default)]
pub(super) struct Draft {
    blocks: Vec<Block>,
    used: usize,
    rows: u64,
    bytes: u64,
    largest: usize,
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
        if let Some(to) = self.page.get_mut(used..used + row.len()) {
            to.copy_from_slice(row);
            self.draft.used += row.len();
            return Ok(());
        }
        self.next(row)
    }

    #[cold]
    fn next(&mut self, row: &[u8]) -> Result<()> {
        self.flush()?;
        match self.page.get_mut(..row.len()) {
            Some(to) => to.copy_from_slice(row),
            None => return self.write(row),
        }
        self.draft.used = row.len();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let block = Block { block: self.writer.write(bytes)?, head: row::head(row::at(bytes, 0).unwrap_or_default()) };
        self.draft.see(block, bytes.len());
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let used = std::mem::take(&mut self.draft.used);
        if used == 0 {
            return Ok(());
        }
        let bytes = self.page.get(..used).unwrap_or_default();
        let block = Block { block: self.writer.write(bytes)?, head: row::head(row::at(bytes, 0).unwrap_or_default()) };
        self.draft.see(block, used);
        Ok(())
    }

    /// The run; its list of blocks is charged to `owner`.
    ///
    /// # Errors
    /// What writing to scratch meets.
    pub(super) fn finish(mut self, owner: &Arc<Reservation>) -> Result<ScratchRun> {
        self.flush()?;
        let Draft { mut blocks, rows, bytes, largest, .. } = std::mem::take(self.draft);
        blocks.shrink_to_fit();
        let _charge = Charge::anyway(owner, blocks.len() * size_of::<Block>());
        Ok(ScratchRun { blocks, rows, bytes, largest, _charge })
    }
}

impl Draft {
    /// Makes room for the list of blocks of so many bytes.
    pub(super) fn expecting(bytes: u64, page_bytes: usize) -> Self {
        let blocks = Vec::with_capacity(bytes.div_ceil(page_bytes.max(1) as u64) as usize + 1);
        Draft { blocks, ..Draft::default() }
    }

    fn see(&mut self, block: Block, bytes: usize) {
        self.blocks.push(block);
        self.bytes += bytes as u64;
        self.largest = self.largest.max(bytes);
    }
}

impl MemoryRun {
    /// Sorts and writes the first `limit` rows.
    ///
    /// # Errors
    /// What writing to scratch meets.
    pub(super) fn write(
        &mut self,
        limit: usize,
        page: &mut Page,
        writer: &mut SpillWriter,
        owner: &Arc<Reservation>,
    ) -> Result<ScratchRun> {
        self.sort()?;
        let mut draft = Draft::expecting(self.bytes(), page.len());
        let mut out = RunWriter { page, writer, draft: &mut draft };
        for entry in self.entries().iter().take(limit) {
            out.push(self.at(entry))?;
        }
        out.finish(owner)
    }
}
