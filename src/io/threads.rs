//! Threads that wait for disks, so that a worker does not.
//!
//! Life of a job: somebody who would have to wait for a disk hands it in; if fewer than `depth` jobs are waiting or
//! running it is queued, and a thread runs it; otherwise it comes back at once, and the giver does it on the spot. So the
//! queue is bounded, and what a job holds in memory is held at most `depth` times.
//!
//! Threads start with the first job. When the last handle is dropped they finish what is queued and end; nobody waits
//! for them, so a job must own what it needs. A job that panics takes nothing with it, and nobody is told: a job reports
//! through what it owns.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// Something to do on another thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// A few threads and a bounded queue of jobs.
pub struct IoThreads(Arc<Shared>);

struct Shared {
    name: String,
    threads: usize,
    depth: usize,
    state: Mutex<State>,
    change: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    running: usize,
    started: usize,
    closing: bool,
}

impl IoThreads {
    /// At most `threads` threads called `name`, and at most `depth` jobs that wait or run. No thread starts yet.
    pub fn new(name: &str, threads: usize, depth: usize) -> Self {
        let (state, change) = (Mutex::default(), Condvar::new());
        IoThreads(Arc::new(Shared { name: name.into(), threads, depth, state, change }))
    }

    /// Queues a job.
    ///
    /// # Errors
    /// The job itself, where `depth` jobs are queued or running already, or no thread can be started.
    pub fn try_submit(&self, job: Job) -> Result<(), Job> {
        let mut state = self.0.lock();
        if state.queue.len() + state.running >= self.0.depth {
            return Err(job);
        }
        let idle = state.started - state.running;
        if idle <= state.queue.len() && state.started < self.0.threads {
            state.started += usize::from(self.start());
        }
        if state.started == 0 {
            return Err(job);
        }
        state.queue.push_back(job);
        self.0.change.notify_one();
        Ok(())
    }

    fn start(&self) -> bool {
        let shared = self.0.clone();
        thread::Builder::new().name(self.0.name.clone()).spawn(move || shared.serve()).is_ok()
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        self.0.lock().closing = true;
        self.0.change.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so nothing can panic inside it.
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn serve(&self) {
        while let Some(job) = self.next() {
            // The job's own state is dropped with it; nothing of ours is seen half changed.
            let _ = catch_unwind(AssertUnwindSafe(job));
            self.lock().running -= 1;
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                state.running += 1;
                return Some(job);
            }
            if state.closing {
                return None;
            }
            state = self.change.wait(state).unwrap_or_else(|e| e.into_inner());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_full_queue_gives_the_job_back() {
        let threads = IoThreads::new("test", 1, 2);
        let (open, gate) = mpsc::channel::<()>();
        let (done, ended) = mpsc::channel();
        let other = done.clone();
        assert!(threads.try_submit(Box::new(move || done.send(gate.recv().is_ok()).unwrap())).is_ok());
        assert!(threads.try_submit(Box::new(move || other.send(false).unwrap())).is_ok());
        assert!(threads.try_submit(Box::new(|| ())).is_err(), "two are in flight");
        open.send(()).unwrap();
        assert_eq!((ended.recv(), ended.recv()), (Ok(true), Ok(false)));
    }

    #[test]
    fn a_panic_ends_one_job_only() {
        let threads = IoThreads::new("test", 1, 8);
        let (done, ended) = mpsc::channel();
        assert!(threads.try_submit(Box::new(|| std::panic::resume_unwind(Box::new("on purpose")))).is_ok());
        assert!(threads.try_submit(Box::new(move || done.send(7).unwrap())).is_ok());
        assert_eq!(ended.recv(), Ok(7));
    }

    #[test]
    fn what_is_queued_is_done_after_the_handle_is_gone() {
        let (done, ended) = mpsc::channel();
        let threads = IoThreads::new("test", 2, 100);
        for i in 0..50 {
            let done = done.clone();
            assert!(threads.try_submit(Box::new(move || done.send(i).unwrap())).is_ok());
        }
        drop((threads, done));
        let mut all: Vec<i32> = ended.iter().collect();
        all.sort();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}
