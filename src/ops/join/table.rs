//! The rows of one partition of the build side, found by hash.
//!
//! ```text
//! directory, a word a slot:  | 16 bits, one for each hash in the chain | 48 bits: first row, or 0 |
//! rows, one after the other: | length, nulls | what the slot held before this row came | keys, columns |
//! ```
//!
//! Rows of one slot are chained through themselves, so building compares no keys, and duplicates are just longer chains.
//! A row is named by its offset in words of 8 bytes, plus one. The bits of a link are of the hashes of the rows that come
//! after it: a probe whose bit is not there touches none of them, which are all over the memory, each a wait of its own.

use super::plan::{Plan, word};
use crate::error::Result;
use crate::memory::{Memory, Page, Reservation};
use crate::ops::Cancel;
use crate::ops::rows::{Chunk, Rows};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The half of a word that names a row.
const LINK: u64 = (1 << 48) - 1;

/// A table that no longer changes, but for the flags of its rows.
#[derive(Default)]
pub(super) struct Table {
    rows: Option<Page>,
    used: usize,
    slots: Option<Page>,
    mask: usize,
    /// A bit for every 8 bytes of rows: the row that begins there met another. Empty where nobody asks.
    flags: Vec<AtomicU64>,
    charged: Option<(Arc<Reservation>, usize)>,
}

/// Bytes that a table of `rows` rows in `bytes` bytes takes.
pub(super) fn table_bytes(bytes: usize, rows: u64, flags: bool) -> usize {
    let slots = (slots(rows) * 8).next_multiple_of(4096);
    bytes.next_multiple_of(4096) + slots + if flags { flag_words(bytes) * 8 } else { 0 }
}

fn slots(rows: u64) -> usize {
    (rows.max(1) as usize).next_power_of_two()
}

fn flag_words(bytes: usize) -> usize {
    bytes.div_ceil(512)
}

/// Memory for a table to come.
pub(super) struct Room {
    rows: Page,
    slots: Page,
    mask: usize,
    flags: usize,
    owner: Arc<Reservation>,
}

impl Room {
    /// Memory for `rows` rows in `bytes` bytes, or `None` where the budget refuses it.
    pub fn new(bytes: usize, rows: u64, flags: bool, memory: &Memory, owner: &Arc<Reservation>) -> Option<Room> {
        let slots = slots(rows);
        let flags = if flags { flag_words(bytes) } else { 0 };
        let rows = memory.pool.region(bytes, owner)?;
        let directory = memory.pool.region(slots * 8, owner)?;
        if !owner.try_grow(flags * 8) {
            return None;
        }
        Some(Room { rows, slots: directory, mask: slots - 1, flags, owner: owner.clone() })
    }

    /// The table of the rows in `chunks`, which are let go one by one.
    ///
    /// # Errors
    /// What reading scratch meets; `Cancelled`.
    pub fn fill(mut self, chunks: impl IntoIterator<Item = Chunk>, plan: &Plan, cancel: &Cancel) -> Result<Table> {
        let (mut used, mut chunks) = (0, chunks.into_iter().peekable());
        while let Some(chunk) = chunks.next() {
            cancel.check()?;
            chunks.peek().into_iter().for_each(Chunk::ahead);
            let to = &mut self.rows[used..used + chunk.bytes()];
            match &chunk {
                Chunk::Resident(page, bytes, _) => to.copy_from_slice(&page[..*bytes]),
                Chunk::Spilled(block, _) => block.read(to)?,
            }
            used += chunk.bytes();
        }
        link(&mut self.rows[..used], &mut self.slots, self.mask, plan, cancel)?;
        Ok(Table {
            rows: Some(self.rows),
            used,
            slots: Some(self.slots),
            mask: self.mask,
            flags: (0..self.flags).map(|_| AtomicU64::new(0)).collect(),
            charged: Some((self.owner, self.flags * 8)),
        })
    }
}

/// Bytes of rows that are linked between two looks at whether to stop.
const LOOK: usize = 1 << 20;

/// Puts every row into the chain of its slot; its hash gives way to the link.
fn link(rows: &mut [u8], slots: &mut [u8], mask: usize, plan: &Plan, cancel: &Cancel) -> Result<()> {
    let (prefix, nulls) = (plan.build.prefix(), !plan.join.null_equals_null);
    let slots = slots.as_chunks_mut::<8>().0;
    let (mut at, mut look) = (0, 0);
    while let Some(length) = rows.get(at..).and_then(|r| r.first_chunk()).map(|b| u32::from_le_bytes(*b) as usize) {
        let Some(row) = rows.get_mut(at..at + length).filter(|r| r.len() >= 8) else { break };
        if at >= look {
            cancel.check()?;
            look = at + LOOK;
        }
        let hash = word(row, prefix);
        let mut next = 0;
        if !(nulls && plan.build.has_null_key(row)) {
            let slot = &mut slots[hash as usize & mask];
            next = u64::from_le_bytes(*slot);
            *slot = (next & !LINK | bit(hash) | (at as u64 / 8 + 1)).to_le_bytes();
        }
        row[prefix..prefix + 8].copy_from_slice(&next.to_le_bytes());
        at += length;
    }
    Ok(())
}

/// One of sixteen bits, by what neither slots of small tables nor partitions use.
#[inline(always)]
fn bit(hash: u64) -> u64 {
    1 << (48 + (hash >> 28 & 15))
}

/// The row that a word of the directory or of a row names, if it or one after it may have the hash; or 0.
#[inline(always)]
pub(super) fn follow(word: u64, hash: u64) -> u64 {
    if word & bit(hash) == 0 { 0 } else { word & LINK }
}

/// The slots of a table.
#[derive(Clone, Copy)]
pub(super) struct Directory<'a> {
    slots: &'a [[u8; 8]],
    mask: usize,
}

impl<'a> Directory<'a> {
    /// That of a table without rows.
    pub const EMPTY: Directory<'static> = Directory { slots: &[[0; 8]], mask: 0 };

    /// The word that leads to the rows of a hash.
    #[inline(always)]
    pub fn slot(&self, hash: u64) -> &'a [u8; 8] {
        &self.slots[hash as usize & self.mask]
    }
}

impl Table {
    /// The directory, for a loop; of one slot at least.
    #[inline(always)]
    pub fn directory(&self) -> Directory<'_> {
        match self.slots.as_deref().map(|slots| slots.as_chunks().0) {
            Some(slots) if !slots.is_empty() => Directory { slots, mask: self.mask },
            _ => Directory::EMPTY,
        }
    }

    /// The rows, for a loop.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        self.rows.as_deref().map_or(&[], |rows| &rows[..self.used])
    }

    /// Notes that a row met another.
    #[inline(always)]
    pub fn flag(&self, link: u64) {
        let at = link - 1;
        if let Some(word) = self.flags.get(at as usize / 64) {
            let bit = 1 << (at % 64);
            if word.load(Relaxed) & bit == 0 {
                word.fetch_or(bit, Relaxed);
            }
        }
    }

    /// Whether the row at an offset met another.
    pub fn is_flagged(&self, offset: usize) -> bool {
        let at = offset / 8;
        self.flags.get(at / 64).is_some_and(|word| word.load(Relaxed) >> (at % 64) & 1 == 1)
    }

    /// The rows from an offset on.
    pub fn rows(&self, from: usize) -> Rows<'_> {
        Rows::new(self.bytes(), from)
    }
}

/// The row that a link names, and what is behind it.
#[inline(always)]
pub(super) fn row_at(bytes: &[u8], link: u64) -> &[u8] {
    &bytes[(link as usize - 1) * 8..]
}

impl Drop for Table {
    fn drop(&mut self) {
        if let Some((owner, bytes)) = &self.charged {
            owner.shrink(*bytes);
        }
    }
}
