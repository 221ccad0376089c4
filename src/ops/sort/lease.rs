//! Memory that a sort keeps from its first row to its last: each worker of the first phase commits a floor, and leaves it
//! to the tasks that merge. Once the last range was begun, each floor is free as soon as its task ends.
//!
//! So a merge never begs for memory that others took between the phases, and it knows how many runs it can have open.
//! Only where rows are so large that two of them do not fit, a task asks for more, and may have to wait for it.

use super::Shared;
use crate::error::Result;
use crate::memory::{InFlight, Reservation};
use crate::ops::Cx;
use std::sync::Arc;

/// A floor, and what a writer of runs may have on its way to the disk.
pub(super) struct Lent {
    pub(super) reservation: Arc<Reservation>,
    pub(super) _writes: InFlight,
}

/// A floor in use; it goes back when this is dropped.
pub(super) struct Lease {
    shared: Arc<Shared>,
    /// `None` only while dropping.
    lent: Option<Lent>,
    pub(super) reservation: Arc<Reservation>,
}

/// Bytes of one worker's writes on their way: a buffer that is filled and one that is written.
pub(super) fn writes(cx: &Cx) -> usize {
    2 * cx.scratch.fixed_bytes().per_writer
}

impl Lease {
    /// A floor of at least `bytes`; `None` where others hold too much. Runs that rest in memory are written out for it if
    /// need be.
    ///
    /// # Errors
    /// What writing to scratch meets.
    pub(super) fn take(shared: &Arc<Shared>, bytes: usize, cx: &Cx) -> Result<Option<Lease>> {
        let kept = shared.lock().lent.pop();
        let lent = match kept {
            Some(lent) => Some(lent),
            // Fewer workers gathered rows than merge now.
            None => Self::another(shared, cx)?,
        };
        let Some(lent) = lent else { return Ok(None) };
        let lease = Lease { shared: shared.clone(), reservation: lent.reservation.clone(), lent: Some(lent) };
        let floor = shared.share.floor;
        if bytes <= floor || lease.reservation.set_floor(bytes) {
            return Ok(Some(lease));
        }
        shared.spill((bytes - floor).saturating_sub(cx.memory.budget.free()), cx)?;
        Ok(lease.reservation.set_floor(bytes).then_some(lease))
    }

    fn another(shared: &Arc<Shared>, cx: &Cx) -> Result<Option<Lent>> {
        let (budget, floor) = (&cx.memory.budget, shared.share.floor);
        let lacking = (floor + writes(cx)).saturating_sub(budget.free());
        if lacking > 0 {
            shared.spill(lacking, cx)?;
        }
        let Ok(_writes) = budget.in_flight("sort: writes", writes(cx)) else { return Ok(None) };
        let reservation = budget.reserve("sort: merge", floor, false);
        Ok(reservation.map(|reservation| Lent { reservation, _writes }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take() {
            lent.reservation.set_floor(self.shared.share.floor);
            let mut rest = self.shared.lock();
            if !rest.is_read() {
                rest.lent.push(lent);
            }
        }
    }
}
