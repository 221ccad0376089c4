//! A pool without threads: whoever waits runs the jobs, one after another. Deterministic as long as one thread waits and
//! nobody else wakes tasks; for tests, and for a program that wants no threads.

use super::latch::Latch;
use super::pool::{Job, Pool};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How long a thread that waits sleeps at most before it looks at its latch again.
const NAP: Duration = Duration::from_millis(1);

/// Jobs in a queue.
#[derive(Default)]
pub struct InlinePool {
    jobs: Mutex<Jobs>,
    came: Condvar,
}

#[derive(Default)]
struct Jobs {
    queue: VecDeque<Job>,
    /// Threads inside a job, once for each nesting.
    inside: Vec<ThreadId>,
}

impl InlinePool {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the next job; says whether there was one.
    pub fn run_one(&self) -> bool {
        let me = thread::current().id();
        let job = {
            let mut jobs = self.lock();
            let Some(job) = jobs.queue.pop_front() else { return false };
            jobs.inside.push(me);
            job
        };
        job();
        let mut jobs = self.lock();
        if let Some(at) = jobs.inside.iter().rposition(|t| *t == me) {
            jobs.inside.swap_remove(at);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Pool for InlinePool {
    fn spawn(&self, job: Job) {
        self.lock().queue.push_back(job);
        self.came.notify_one();
    }

    fn is_inside(&self) -> bool {
        self.lock().inside.contains(&thread::current().id())
    }

    fn must_help(&self) -> bool {
        true
    }

    fn help(&self) {
        if !self.run_one() {
            let jobs = self.lock();
            if jobs.queue.is_empty() {
                drop(self.came.wait_timeout(jobs, NAP));
            }
        }
    }

    fn may_sleep(&self) -> bool {
        false
    }

    fn run_down(&self) {
        while self.run_one() {}
    }

    fn wait(&self, latch: &Latch) {
        while !latch.is_set() {
            if !self.run_one() {
                let jobs = self.lock();
                if jobs.queue.is_empty() {
                    drop(self.came.wait_timeout(jobs, NAP));
                }
            }
        }
    }
}
