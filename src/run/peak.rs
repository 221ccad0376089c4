//! Real memory: how much anonymous memory the process has, seen every few milliseconds by whichever thread is between
//! two steps of a task.

use crate::memory::{Budget, anonymous_bytes};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Time between two looks; a look takes some tens of microseconds.
const EVERY: Duration = Duration::from_millis(5);

/// Corrects a budget by what the process really has, if it was told to, and remembers the most.
pub struct Probe {
    on: bool,
    begun: Instant,
    /// When to look next, in nanoseconds since `begun`.
    due: AtomicU64,
    peak: AtomicUsize,
}

impl Probe {
    /// A probe that never looks: the account is all there is.
    pub fn off() -> Self {
        Self::new(false)
    }

    /// A probe that looks at the whole process.
    pub fn on() -> Self {
        Self::new(true)
    }

    fn new(on: bool) -> Self {
        Probe { on, begun: Instant::now(), due: AtomicU64::new(0), peak: AtomicUsize::new(0) }
    }

    /// Looks, if it is time and no other thread does; says by how many bytes the process is over the budget.
    pub fn tick(&self, budget: &Budget) -> usize {
        if !self.on {
            return 0;
        }
        let now = self.begun.elapsed().as_nanos() as u64;
        let due = self.due.load(Relaxed);
        let next = now + EVERY.as_nanos() as u64;
        if now >= due && self.due.compare_exchange(due, next, Relaxed, Relaxed).is_ok() {
            return self.look(budget);
        }
        0
    }

    fn look(&self, budget: &Budget) -> usize {
        // What is held is read before the kernel is asked: a page that comes between counts twice, never not at all.
        let held = budget.held();
        let Some(real) = anonymous_bytes() else { return 0 };
        self.peak.fetch_max(real, Relaxed);
        budget.see_outside(real.saturating_sub(held))
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
        let budget = Budget::new(4096);
        assert_eq!(Probe::off().tick(&budget), 0);
        assert!(budget.free() > 0);
        let probe = Probe::on();
        let over = probe.tick(&budget);
        assert_eq!(over > 0, cfg!(target_os = "linux"), "any process has more than a page");
        assert_eq!(budget.free() == 0, over > 0);
        assert_eq!(probe.peak() > 0, over > 0);
    }
}
