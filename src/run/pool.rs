//! Where jobs run. Rayon only lends threads: `spawn_fifo` and nothing else, so that no task ever runs inside another.

use super::latch::Latch;
use crate::error::{Error, Result};
use std::time::Duration;

/// Something to run once, soon. It does not block.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs on some threads, each once, about in the order in which they came.
pub trait Pool: Send + Sync {
    /// Takes a job. Returns at once, and runs nothing before it returns.
    fn spawn(&self, job: Job);

    /// Whether the caller is inside a job of this pool.
    fn is_inside(&self) -> bool;

    /// Whether nobody runs jobs while the calling thread only waits.
    fn must_help(&self) -> bool;

    /// Runs one job, or sleeps a moment if there is none.
    fn help(&self);

    /// Whether a job may sleep a while: others run on other threads, and whoever reads results is none of them.
    fn may_sleep(&self) -> bool {
        true
    }

    /// Runs all jobs that are there, if this pool has no threads of its own.
    fn run_down(&self) {}

    /// Returns when `latch` is open. A thread that the pool needs for that runs other jobs meanwhile.
    fn wait(&self, latch: &Latch);
}

/// How long a pool thread that waits and has no job to run sleeps before it looks again.
const NAP: Duration = Duration::from_micros(200);

/// Threads of its own.
pub struct RayonPool(rayon::ThreadPool);

impl RayonPool {
    /// A pool of `threads` threads.
    ///
    /// # Errors
    /// `Resources`, where the system refuses threads.
    pub fn new(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|n| format!("partita-{n}"))
            .build()
            .map_err(|e| Error::resources(format!("cannot start {threads} threads")).because(e))?;
        Ok(RayonPool(pool))
    }
}

impl Pool for RayonPool {
    fn spawn(&self, job: Job) {
        self.0.spawn_fifo(job);
    }

    fn is_inside(&self) -> bool {
        self.0.current_thread_index().is_some()
    }

    fn must_help(&self) -> bool {
        self.is_inside()
    }

    fn help(&self) {
        if self.0.yield_now() != Some(rayon::Yield::Executed) {
            std::thread::sleep(NAP);
        }
    }

    fn wait(&self, latch: &Latch) {
        if !self.is_inside() {
            return latch.wait();
        }
        while !latch.is_set() {
            if self.0.yield_now() != Some(rayon::Yield::Executed) {
                latch.wait_for(NAP);
            }
        }
    }
}
