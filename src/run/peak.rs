//! Real memory: how much anonymous memory the process has, seen every few milliseconds by whichever thread is between
//! two steps of a task.

use crate::memory::{Budget, anonymous_bytes};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Time between two looks; a look takes some tens of microseconds.
const EVERY: Duration = Duration::from_millis(5);

/// Corrects a budget by what the process really has, if it was told to, and remembers the most.
pub struct Probe {
    /// Bytes that count as outside even if the process has less beside its reservations; `None` looks at nothing.
    allowance: Option<usize>,
    begun: Instant,
    /// When to look next, in nanoseconds since `begun`.
    due: AtomicU64,
    peak: AtomicUsize,
}

impl Probe {
    /// A probe that never looks: the account is all there is.
    pub fn off() -> Self {
        Self::new(None)
    }

    /// A probe that takes at least `allowance` bytes as used outside of all reservations.
    pub fn on(allowance: usize) -> Self {
        Self::new(Some(allowance))
    }

    fn new(allowance: Option<usize>) -> Self {
        Probe { allowance, begun: Instant::now(), due: AtomicU64::new(0), peak: AtomicUsize::new(0) }
    }

    /// Looks, if it is time and no other thread does.
    pub fn tick(&self, budget: &Budget) {
        let Some(allowance) = self.allowance else { return };
        let now = self.begun.elapsed().as_nanos() as u64;
        let due = self.due.load(Relaxed);
        let next = now + EVERY.as_nanos() as u64;
        if now >= due && self.due.compare_exchange(due, next, Relaxed, Relaxed).is_ok() {
            self.look(budget, allowance);
        }
    }

    fn look(&self, budget: &Budget, allowance: usize) {
        // What is held is read before the kernel is asked: a page that comes between counts twice, never not at all.
        let held = budget.held();
        if let Some(real) = anonymous_bytes() {
            self.peak.fetch_max(real, Relaxed);
            budget.set_outside(real.saturating_sub(held).max(allowance));
        }
    }

    /// The most anonymous memory seen, in bytes; 0 where nothing was looked at.
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrects_the_budget_only_when_on() {
        let budget = Budget::new(1 << 40);
        Probe::off().tick(&budget);
        assert_eq!(budget.free(), 1 << 40);
        let probe = Probe::on(1 << 39);
        probe.tick(&budget);
        assert_eq!(budget.free(), 1 << 39, "the allowance counts, the process has less");
        assert_eq!(probe.peak() > 0, cfg!(target_os = "linux"));
    }
}
