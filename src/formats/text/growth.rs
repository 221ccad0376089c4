//! The account of a window that a long record makes grow beyond what its scan announced.

use crate::io::Window;
use crate::memory::{Budget, Reservation};
use std::sync::Arc;

/// The part of the budget that one record may take: its window holds it twice while it grows, its values once more.
const SHARE: usize = 8;

/// The longest record where there is no budget, in bytes.
const UNBOUND: usize = 64 << 20;

/// The longest that a window can have, in bytes: places in it are 32 bits.
const MOST: usize = 1 << 30;

/// See the head of this file.
pub(crate) struct Growth {
    /// Made when the window grows for the first time.
    reservation: Option<Arc<Reservation>>,
    budget: Option<Budget>,
    /// Bytes that were announced.
    usual: usize,
}

/// The longest record that the budget permits, in bytes.
pub(crate) fn longest_record(budget: Option<&Budget>) -> usize {
    budget.map_or(UNBOUND, |budget| (budget.limit() / SHARE).min(MOST))
}

impl Growth {
    /// Of a window of at most `usual` bytes.
    pub(crate) fn new(budget: Option<&Budget>, usual: usize) -> Self {
        Growth { reservation: None, budget: budget.cloned(), usual }
    }

    /// Notes how large the window is now. What it has it has: others are asked to give back.
    pub(crate) fn see(&mut self, window: &Window) {
        self.note(window.bytes().len());
    }

    /// The same for anything of so many bytes.
    pub(crate) fn note(&mut self, bytes: usize) {
        let above = bytes.saturating_sub(self.usual);
        if self.reservation.is_none() && above > 0 {
            self.reservation = self.budget.as_ref().and_then(|budget| budget.reserve("record", 0, false));
        }
        let Some(reservation) = &self.reservation else { return };
        let held = reservation.held();
        match above >= held {
            true => reservation.grow_anyway(above - held),
            false => reservation.shrink(held - above),
        }
    }
}
