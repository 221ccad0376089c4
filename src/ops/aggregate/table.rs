//! A table of locations by hash: linear probing, in a region of pages.
//!
//! ```text
//! one slot: | 16 bits of the hash, the highest set | 48 bits location |    0 is an empty slot
//! ```

use super::cells::{LOCATION, Location};
use crate::memory::{Memory, Page, Reservation};
use std::sync::Arc;

/// Groups of a table that, with their rows, are too large for the caches next to the processor.
const FAR: usize = 1 << 14;

/// The table's slots. Knows nothing of keys: a caller walks the [`Probe`] of a hash and compares.
pub(super) struct Table {
    page: Page,
    slots: usize,
    occupied: usize,
}

/// Where a walk along a hash's slots stands.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    slot: usize,
    salt: u64,
}

/// What a slot has for a probe.
pub(super) enum Slot {
    /// Nothing: the hash is not there.
    Empty,
    /// A row with probably the same hash.
    Candidate(Location),
    /// A row with another hash.
    Other,
}

impl Table {
    /// An empty table of `slots` slots, a power of two; `None` where the budget refuses it.
    pub(super) fn new(slots: usize, memory: &Memory, owner: &Arc<Reservation>) -> Option<Table> {
        let page = memory.pool.region(slots * 8, owner)?;
        Some(Table { page, slots, occupied: 0 })
    }

    /// Bytes of a table of `slots` slots.
    pub(super) fn bytes(slots: usize) -> usize {
        (slots * 8).next_multiple_of(4096)
    }

    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    pub(super) fn occupied(&self) -> usize {
        self.occupied
    }

    pub(super) fn clear(&mut self) {
        if self.occupied > 0 {
            self.page.fill(0);
            self.occupied = 0;
        }
    }

    /// All locations that are in it.
    pub(super) fn locations(&self) -> impl Iterator<Item = Location> + '_ {
        let words = self.page.as_chunks().0.iter().take(self.slots).map(|word| u64::from_le_bytes(*word));
        words.filter(|word| *word != 0).map(|word| word & LOCATION)
    }

    /// The slots, for a loop.
    pub(super) fn view(&mut self) -> View<'_> {
        let slots = &mut self.page.as_chunks_mut().0[..self.slots];
        View { slots, occupied: &mut self.occupied }
    }
}

/// A table's slots during a loop.
pub(super) struct View<'a> {
    slots: &'a mut [[u8; 8]],
    occupied: &'a mut usize,
}

impl View<'_> {
    #[inline(always)]
    pub(super) fn probe(&self, hash: u64) -> Probe {
        Probe { slot: hash as usize & (self.slots.len() - 1), salt: (hash >> 32 | 0x8000) << 48 }
    }

    #[inline(always)]
    pub(super) fn at(&self, probe: Probe) -> Slot {
        let word = u64::from_le_bytes(self.slots[probe.slot & (self.slots.len() - 1)]);
        if word == 0 {
            Slot::Empty
        } else if word & !LOCATION == probe.salt {
            Slot::Candidate(word & LOCATION)
        } else {
            Slot::Other
        }
    }

    /// The first slot of a hash.
    #[inline(always)]
    pub(super) fn slot(&self, hash: u64) -> &[u8; 8] {
        &self.slots[hash as usize & (self.slots.len() - 1)]
    }

    /// Whether it is too large for the caches next to the processor.
    #[inline(always)]
    pub(super) fn is_far(&self) -> bool {
        *self.occupied >= FAR
    }

    #[inline(always)]
    pub(super) fn advance(&self, probe: &mut Probe) {
        probe.slot = (probe.slot + 1) & (self.slots.len() - 1);
    }

    /// Puts a location into the empty slot of `probe`.
    #[inline(always)]
    pub(super) fn insert(&mut self, probe: Probe, location: Location) {
        *self.occupied += 1;
        self.replace(probe, location);
    }

    /// Puts another location into the occupied slot of `probe`.
    #[inline(always)]
    pub(super) fn replace(&mut self, probe: Probe, location: Location) {
        self.slots[probe.slot] = (probe.salt | location).to_le_bytes();
    }

    /// Whether a further row should not come in: three quarters are occupied.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        *self.occupied * 4 >= self.slots.len() * 3
    }
}
