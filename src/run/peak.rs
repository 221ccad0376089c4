//! Real memory: how much anonymous memory the process has, seen every few milliseconds by whichever thread is between
//! two steps of a task.

use crate::memory::{Budget, anonymous_bytes};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Time between two looks; a look takes some tens of microseconds.
const EVERY: Duration = Duration::from_millis(5);

/// Time between two times that the allocator is asked to give back what it keeps.
const TRIM_EVERY: Duration = Duration::from_millis(50);

/// Asks the allocator to give what it keeps back to the kernel.
pub type Trim = Box<dyn Fn() + Send + Sync>;

/// Corrects a budget by what the process really has, if it was told to, and remembers the most.
pub struct Probe {
    on: bool,
    trim: Trim,
    /// When to trim next, in nanoseconds since `begun`.
    trim_due: AtomicU64,
    begun: Instant,
    /// When to look next, in nanoseconds since `begun`.
    due: AtomicU64,
    peak: AtomicUsize,
}

impl Probe {
    /// A probe that never looks: the account is all there is.
    pub fn off() -> Self {
        Self::new(false, Box::new(|| {}))
    }

    /// A probe that looks at the whole process, and calls `trim` when that has too much.
    pub fn on(trim: Trim) -> Self {
        Self::new(true, trim)
    }

    fn new(on: bool, trim: Trim) -> Self {
        let (due, trim_due) = (AtomicU64::new(0), AtomicU64::new(0));
        Probe { on, trim, trim_due, begun: Instant::now(), due, peak: AtomicUsize::new(0) }
    }

    /// Looks, if it is time and no other thread does; says by how many bytes the process is over the budget.
    pub fn tick(&self, budget: &Budget) -> usize {
        if !self.on {
            return 0;
        }
        if !self.is_time(&self.due, EVERY) {
            return 0;
        }
        let over = self.outside(budget).map_or(0, |bytes| budget.see_outside(bytes));
        if over > 0 && self.is_time(&self.trim_due, TRIM_EVERY) {
            (self.trim)();
        }
        over
    }

    /// Whether a thing is due; if so, it is due again after `every`, and nobody else is told so before.
    fn is_time(&self, due: &AtomicU64, every: Duration) -> bool {
        let now = self.begun.elapsed().as_nanos() as u64;
        let was = due.load(Relaxed);
        now >= was && due.compare_exchange(was, now + every.as_nanos() as u64, Relaxed, Relaxed).is_ok()
    }

    /// What the process has outside of reservations, in bytes.
    fn outside(&self, budget: &Budget) -> Option<usize> {
        // What is held is read before the kernel is asked: a page that comes between counts twice, never not at all.
        let held = budget.held();
        let real = anonymous_bytes()?;
        self.peak.fetch_max(real, Relaxed);
        Some(real.saturating_sub(held))
    }

    /// Somebody would fail for want of `bytes`: what the allocator keeps goes back to the kernel, and what the process
    /// had before is forgotten. Returns `bytes` if so much is free now and was not before, else 0.
    pub fn look_again(&self, budget: &Budget, bytes: usize) -> usize {
        if !self.on {
            return 0;
        }
        let before = budget.free();
        (self.trim)();
        if let Some(outside) = self.outside(budget) {
            budget.set_outside(outside);
        }
        let after = budget.free();
        if after >= bytes && after > before { bytes } else { 0 }
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
        let probe = Probe::on(Box::new(|| {}));
        let over = probe.tick(&budget);
        assert_eq!(over > 0, cfg!(target_os = "linux"), "any process has more than a page");
        assert_eq!(budget.free() == 0, over > 0);
        assert_eq!(probe.peak() > 0, over > 0);
    }
    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_there_before_is_forgotten_when_somebody_would_fail() {
        let budget = Budget::new(usize::MAX / 64);
        let probe = Probe::on(Box::new(|| {}));
        budget.see_outside(usize::MAX / 64);
        assert_eq!(budget.free(), 0);
        assert_eq!(probe.look_again(&budget, 1000), 1000);
        assert!(budget.free() > 1000);
        assert_eq!(probe.look_again(&budget, usize::MAX), 0, "so much is not there");
        assert_eq!(Probe::off().look_again(&budget, 1), 0);
    }
}
