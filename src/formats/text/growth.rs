//! The account of a window that a long record makes grow beyond what its scan announced.

use super::place_of;
use crate::error::{Error, Result};
use crate::io::{FileRef, Window};
use crate::memory::{Budget, Reservation};
use crate::units::ByteSize;
use std::sync::Arc;

/// The part of the budget that one record may take: its window holds it twice while it grows, its values once more.
const SHARE: usize = 8;

/// How often the bytes of a window are there while it grows: as they were, and in room for twice as many.
const GROWING: usize = 3;

/// What to do about a record that the budget has no room for.
const ADVICE: &str = "raise the memory limit, or declare the columns, so that nothing needs to be guessed";

/// The longest record where there is no budget, in bytes.
const UNBOUND: usize = 64 << 20;

/// The longest that a window can have, in bytes: places in it are 32 bits.
const MOST: usize = 1 << 30;

/// The part of it that a record may take where its user says how long records are: while it grows, its window is there
/// as it was and in room for twice as much.
const MOST_SHARE: usize = 4;

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

/// The longest record of a table, in bytes: as it was `said`, as far as the budget permits.
pub(in crate::formats) fn longest_of(said: Option<usize>, budget: Option<&Budget>) -> usize {
    let most = budget.map_or(MOST, |budget| (budget.limit() / MOST_SHARE).min(MOST));
    said.map_or_else(|| longest_record(budget), |said| said.min(most))
}

/// What to do about a longer one; `option` says how long they are.
pub(in crate::formats) fn longer_advice(said: Option<usize>, longest: usize, option: &str) -> String {
    match said.is_some_and(|said| said > longest) {
        true => "raise the memory limit: a record may take a quarter of it".to_string(),
        false => format!("raise the memory limit, or say {option} => bytes"),
    }
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
        let Some(reservation) = self.reserved(above) else { return };
        let held = reservation.held();
        match above >= held {
            true => reservation.grow_anyway(above - held),
            false => reservation.shrink(held - above),
        }
    }

    /// Reads on in a record that goes on behind what is here, while a table is looked at for its types: nobody gives
    /// memory back then, so what there is must do. `besides` are bytes that are held beside the window. Returns whether
    /// anything was read.
    ///
    /// # Errors
    /// `Resources`, where the budget has no room for it; what reading meets.
    pub(in crate::formats) fn overshoot(
        &mut self,
        window: &mut Window,
        besides: usize,
        file: &FileRef,
    ) -> Result<bool> {
        self.hold(GROWING * window.rest().len(), besides, window, file)?;
        let read = window.overshoot()?;
        self.note(window.bytes().len() + besides);
        Ok(read)
    }

    /// Holds so many bytes for the window, and so many `besides`.
    ///
    /// # Errors
    /// `Resources`, where the budget has no room for them.
    pub(in crate::formats) fn hold(
        &mut self,
        bytes: usize,
        besides: usize,
        window: &Window,
        file: &FileRef,
    ) -> Result<()> {
        let above = (bytes + besides).saturating_sub(self.usual);
        let Some(reservation) = self.reserved(above) else { return Ok(()) };
        let more = above.saturating_sub(reservation.held());
        if more == 0 || reservation.try_grow(more) {
            return Ok(());
        }
        let what = match besides > bytes {
            true => "there are so many different keys here that they take".to_string(),
            false => format!("a record has {} or more: reading on takes", ByteSize(window.rest().len())),
        };
        let free = ByteSize(self.budget.as_ref().map_or(0, Budget::free));
        let message = format!("{what} {}, but {free} of the memory budget are free", ByteSize(bytes + besides));
        Err(Error::resources(message).at(place_of(file, window, window.pos())).advise(ADVICE))
    }

    /// The reservation, made where something is `above` what was announced.
    fn reserved(&mut self, above: usize) -> Option<&Arc<Reservation>> {
        if self.reservation.is_none() && above > 0 {
            self.reservation = self.budget.as_ref().and_then(|budget| budget.reserve("record", 0, false));
        }
        self.reservation.as_ref()
    }
}
