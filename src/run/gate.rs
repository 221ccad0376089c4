//! How many may be inside at one time: the bound of a queue whose members leave by themselves.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts who is inside.
#[derive(Debug)]
pub struct Gate {
    most: usize,
    inside: Mutex<usize>,
    left: Condvar,
}

impl Gate {
    /// For at most so many, and at least one.
    pub fn new(most: usize) -> Self {
        Gate { most: most.max(1), inside: Mutex::new(0), left: Condvar::new() }
    }

    /// Goes in, if there is a place.
    pub fn try_enter(&self) -> bool {
        let mut inside = self.lock();
        let may = *inside < self.most;
        *inside += usize::from(may);
        may
    }

    /// Goes in whether there is a place or not.
    pub fn enter_anyway(&self) {
        *self.lock() += 1;
    }

    /// Goes out.
    pub fn leave(&self) {
        let mut inside = self.lock();
        *inside = inside.saturating_sub(1);
        drop(inside);
        self.left.notify_one();
    }

    /// Waits until somebody left, but no longer than `most`.
    pub fn wait_for(&self, most: Duration) {
        let inside = self.lock();
        if *inside >= self.most {
            drop(self.left.wait_timeout(inside, most));
        }
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_so_many_places() {
        let gate = Gate::new(2);
        assert!(gate.try_enter() && gate.try_enter() && !gate.try_enter());
        gate.enter_anyway();
        gate.leave();
        assert!(!gate.try_enter());
        gate.leave();
        assert!(gate.try_enter());
    }
}
