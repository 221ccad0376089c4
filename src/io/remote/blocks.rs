//! Blocks of files that are read from front to back: shared by all readers of a session, so that a piece that is looked
//! at twice (a sample, the quotes of a split) comes once.
//!
//! Capacity: a few blocks for who only looks at files; and for each open reader of a scan what the scan reserved for
//! it. The block that was used longest ago goes first. When the last scan ends, all but the few go. What is held above
//! what scans reserved is [told](Blocks::tell), so that somebody accounts for it.

use super::RemoteFile;
use super::object::Object;
use super::runtime::Ticket;
use super::upload::Told;
use crate::error::Result;
use crate::wake::Cancel;
use bytes::Bytes;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Blocks for who only looks.
const FEW: u64 = 12;
/// Blocks on the way ahead of who reads in order.
pub(super) const AHEAD: u64 = 4;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) block: u64,
    /// What a scan reserves for each open reader.
    pub(super) lease: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { block: 1 << 20, lease: 13 << 20 }
    }
}

#[derive(Default)]
pub(super) struct Blocks(Mutex<State>);

#[derive(Default)]
struct State {
    slots: HashMap<(u64, u64), Slot>,
    held: u64,
    clock: u64,
    readers: u64,
    scans: u64,
    told: Option<Told>,
}

struct Slot {
    ticket: Ticket<Bytes>,
    /// Of the query that asked.
    stop: Cancel,
    bytes: u64,
    used: u64,
}

impl Slot {
    /// Whether it may not come for anybody else: who asked for it does not want it any more.
    fn is_lost(&self) -> bool {
        self.ticket.is_stopped() || (self.stop.is_cancelled() && !self.ticket.is_ready())
    }
}

/// The bytes of a block.
pub(super) fn place(index: u64, block: u64, size: u64) -> Range<u64> {
    let start = index.saturating_mul(block).min(size);
    start..start.saturating_add(block).min(size)
}

impl Blocks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block that holds `range` of `file`, under the number `index`; it is asked for, if it is not here.
    pub(super) fn get(&self, file: &RemoteFile, index: u64, range: Range<u64>, sizes: Sizes) -> Result<Ticket<Bytes>> {
        let mut state = self.lock();
        let key = (file.object.id, index);
        if let Some(ticket) = state.known(key) {
            return Ok(ticket);
        }
        let bytes = range.end - range.start;
        state.make_room(bytes, sizes);
        let ticket = file.object.begin(range)?;
        state.insert(key, ticket.clone(), &file.stop, bytes);
        state.tell(sizes);
        Ok(ticket)
    }

    /// Asks for a block that will be needed, if there is room without giving up what is needed before it.
    pub(super) fn ahead(&self, file: &RemoteFile, index: u64, range: Range<u64>, sizes: Sizes) -> Result<()> {
        let mut state = self.lock();
        let key = (file.object.id, index);
        let bytes = range.end - range.start;
        if bytes == 0 || state.slots.contains_key(&key) {
            return Ok(());
        }
        state.make_room(bytes, sizes);
        if state.held + bytes <= state.capacity(sizes) {
            let ticket = file.object.begin(range)?;
            state.insert(key, ticket, &file.stop, bytes);
        }
        state.tell(sizes);
        Ok(())
    }

    /// Keeps a block that came already.
    pub(super) fn put(&self, object: &Object, index: u64, bytes: Bytes, sizes: Sizes) {
        let mut state = self.lock();
        let len = bytes.len() as u64;
        state.make_room(len, sizes);
        if state.held + len <= state.capacity(sizes) {
            state.insert((object.id, index), Ticket::ready(bytes), &Cancel::default(), len);
        }
        state.tell(sizes);
    }

    /// Forgets a block that did not come.
    pub(super) fn forget(&self, object: &Object, index: u64, sizes: Sizes) {
        let mut state = self.lock();
        state.remove((object.id, index));
        state.tell(sizes);
    }

    /// A reader of a scan is opened (1) or closed (-1).
    pub(super) fn count_reader(&self, by: i64, sizes: Sizes) {
        let mut state = self.lock();
        state.readers = state.readers.saturating_add_signed(by);
        state.tell(sizes);
    }

    /// `told` hears of what is held that no scan reserved, each time that this changes.
    pub(super) fn tell(&self, told: Told) {
        self.lock().told = Some(told);
    }

    /// A scan begins (1) or ends (-1).
    pub(super) fn count_scan(&self, by: i64, sizes: Sizes) {
        let mut state = self.lock();
        state.scans = state.scans.saturating_add_signed(by);
        if state.scans == 0 {
            // What is on the way is for nobody.
            state.slots.retain(|_, slot| slot.ticket.is_ready());
            state.held = state.slots.values().map(|slot| slot.bytes).sum();
            state.make_room(0, sizes);
        }
        state.tell(sizes);
    }
}

impl State {
    fn capacity(&self, sizes: Sizes) -> u64 {
        let readers = if self.scans > 0 { self.readers.max(1) } else { 0 };
        FEW * sizes.block + readers * sizes.lease
    }

    /// Tells what is held beyond what the open readers of scans have reserved.
    fn tell(&self, sizes: Sizes) {
        let leased = if self.scans > 0 { self.readers * sizes.lease } else { 0 };
        if let Some(told) = &self.told {
            told(usize::try_from(self.held.saturating_sub(leased)).unwrap_or(usize::MAX));
        }
    }

    fn known(&mut self, key: (u64, u64)) -> Option<Ticket<Bytes>> {
        self.clock += 1;
        if self.slots.get(&key)?.is_lost() {
            self.remove(key);
        }
        let slot = self.slots.get_mut(&key)?;
        slot.used = self.clock;
        Some(slot.ticket.clone())
    }

    fn insert(&mut self, key: (u64, u64), ticket: Ticket<Bytes>, stop: &Cancel, bytes: u64) {
        self.clock += 1;
        self.held += bytes;
        self.slots.insert(key, Slot { ticket, stop: stop.clone(), bytes, used: self.clock });
    }

    fn remove(&mut self, key: (u64, u64)) {
        if let Some(slot) = self.slots.remove(&key) {
            self.held -= slot.bytes;
        }
    }

    /// Gives up blocks until `more` bytes have room; those that somebody waits for stay.
    fn make_room(&mut self, more: u64, sizes: Sizes) {
        let most = self.capacity(sizes);
        while self.held + more > most {
            let here = self.slots.iter().filter(|(_, slot)| slot.ticket.is_ready() || slot.is_lost());
            let Some(oldest) = here.min_by_key(|(_, slot)| slot.used).map(|(key, _)| *key) else { return };
            self.remove(oldest);
        }
    }
}
