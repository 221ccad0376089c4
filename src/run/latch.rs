//! Something that happens once and that others wait for.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Closed at first; open for ever once it was set.
#[derive(Default)]
pub struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    /// Opens it, and wakes everybody.
    pub fn set(&self) {
        *self.lock() = true;
        self.opened.notify_all();
    }

    /// Whether it is open.
    pub fn is_set(&self) -> bool {
        *self.lock()
    }

    /// Blocks this thread until it is open.
    pub fn wait(&self) {
        let mut open = self.lock();
        while !*open {
            open = self.opened.wait(open).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// Blocks this thread until it is open, but no longer than `most`.
    pub fn wait_for(&self, most: Duration) {
        let open = self.lock();
        if !*open {
            drop(self.opened.wait_timeout(open, most));
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(|e| e.into_inner())
    }
}
