//! What happens in a query, told to whoever listens, and the counters that `EXPLAIN ANALYZE` prints.
//!
//! Observers see; they cannot change anything. With none installed an event costs a branch. A [`Meter`] belongs to one
//! operator of one query; the pipeline that drives the operator counts rows and time, the operator adds what it spilled.

use crate::ids::{QueryId, StageId, TaskId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Something that happened. Sizes are bytes, times nanoseconds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A query was accepted.
    QueryStarted {
        /// Which.
        query: QueryId,
    },
    /// A query ended; `error` is its message if it failed.
    QueryEnded {
        /// Which.
        query: QueryId,
        /// The failure, if any.
        error: Option<String>,
    },
    /// A stage knows its tasks.
    StageLaid {
        /// Of which query.
        query: QueryId,
        /// Which stage.
        stage: StageId,
        /// How many tasks it got.
        tasks: usize,
    },
    /// A task began.
    TaskStarted {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// A task ended, well or not.
    TaskEnded {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// Somebody was asked to give memory back.
    SpillAsked {
        /// Of which query.
        query: QueryId,
        /// How much.
        bytes: usize,
    },
}

/// Somebody who listens. Called on worker threads: be quick, do not block.
pub trait Observer: Send + Sync {
    /// `event` happened.
    fn see(&self, event: &Event);
}

/// The observers of a session.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<[Arc<dyn Observer>]>>);

impl Events {
    /// Tells `observers` of everything.
    pub fn to(observers: Vec<Arc<dyn Observer>>) -> Self {
        if observers.is_empty() { Events(None) } else { Events(Some(observers.into())) }
    }

    /// Tells everybody what `event` makes; it is made only if somebody listens.
    pub fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(observers) = &self.0 {
            let event = event();
            observers.iter().for_each(|o| o.see(&event));
        }
    }
}

/// The counters of one operator of one query, summed over its tasks.
#[derive(Debug, Default)]
pub struct Meter {
    rows: AtomicU64,
    nanos: AtomicU64,
    spilled: AtomicU64,
    passes: AtomicU64,
    peak: AtomicU64,
    note: std::sync::Mutex<Vec<String>>,
}

impl Meter {
    /// Adds rows that the operator put out.
    pub fn add_rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Relaxed);
    }

    /// Adds time spent inside the operator.
    pub fn add_nanos(&self, nanos: u64) {
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// Adds bytes written to scratch, before compression.
    pub fn add_spilled(&self, bytes: usize) {
        self.spilled.fetch_add(bytes as u64, Relaxed);
    }

    /// Notes that rows went to scratch for the `pass`-th time.
    pub fn see_pass(&self, pass: u32) {
        self.passes.fetch_max(pass.into(), Relaxed);
    }

    /// Notes that the operator's state has `bytes`; the largest is kept.
    pub fn see_memory(&self, bytes: usize) {
        self.peak.fetch_max(bytes as u64, Relaxed);
    }

    /// Notes a choice and why it was made; an equal note is kept once.
    pub fn note(&self, choice: impl Into<String>) {
        let choice = choice.into();
        let mut notes = self.note.lock().unwrap_or_else(|e| e.into_inner());
        if !notes.contains(&choice) {
            notes.push(choice);
        }
    }

    /// Rows put out so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Nanoseconds spent so far, summed over the workers.
    pub fn nanos(&self) -> u64 {
        self.nanos.load(Relaxed)
    }

    /// Bytes spilled so far.
    pub fn spilled(&self) -> u64 {
        self.spilled.load(Relaxed)
    }

    /// How often the same rows went to scratch at most.
    pub fn passes(&self) -> u64 {
        self.passes.load(Relaxed).max(u64::from(self.spilled() > 0))
    }

    /// The largest state seen, in bytes.
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    /// The choices noted so far.
    pub fn notes(&self) -> Vec<String> {
        self.note.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}
