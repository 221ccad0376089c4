//! What could not be read and was left out, since whoever asked wanted the rest: rows and values of tables, items of bags.
//!
//! Life of a reject: a reader meets a row that is broken, leaves it out and tells the [`Rejects`] of its query, which
//! count all of them and keep the first thousand. The [`RejectLog`] of a session has those of its last queries, for
//! `FROM rejects()`. A query that starts over takes back what it told.

use crate::error::Place;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Rejects that are kept of a query or a bag.
const KEPT: usize = 1000;

/// Queries whose rejects are kept.
const QUERIES: usize = 4;

/// A row, a value or an item that could not be read or made.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Where it stands: file, line, byte, column, and its text, as far as they are known.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
}

/// The first thousand of a number of rejects.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<Reject>>);

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Vec<Reject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more of them are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().len() >= KEPT
    }

    /// Keeps another one, where there is room.
    pub(crate) fn add(&self, reject: Reject) {
        let mut kept = self.lock();
        if kept.len() < KEPT {
            kept.push(reject);
        }
    }

    /// Those that were kept, in the order in which they were met.
    pub(crate) fn list(&self) -> Vec<Reject> {
        self.lock().clone()
    }
}

/// What was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// A whole row.
    Row,
    /// One value, which is null instead.
    Value,
}

/// What one query leaves out. Cheap to clone.
#[derive(Clone, Default)]
pub struct Rejects(Arc<Query>);

#[derive(Default)]
struct Query {
    rows: AtomicU64,
    values: AtomicU64,
    kept: Kept,
    /// Whether the log has it already.
    logged: AtomicBool,
    log: Weak<Log>,
}

impl Rejects {
    /// Counts one more, and keeps what `reject` makes of it where there is room.
    pub fn add(&self, left: Left, reject: impl FnOnce() -> Reject) {
        let counter = if left == Left::Row { &self.0.rows } else { &self.0.values };
        counter.fetch_add(1, Relaxed);
        if !self.0.logged.swap(true, Relaxed)
            && let Some(log) = self.0.log.upgrade()
        {
            log.take(self);
        }
        if !self.0.kept.is_full() {
            self.0.kept.add(reject());
        }
    }

    /// Whether more of them are only counted.
    pub fn is_full(&self) -> bool {
        self.0.kept.is_full()
    }

    /// How many rows were left out so far.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Relaxed)
    }

    /// How many values were made null so far.
    pub fn values(&self) -> u64 {
        self.0.values.load(Relaxed)
    }

    /// Those that were kept, by file and byte.
    pub fn list(&self) -> Vec<Reject> {
        let mut list = self.0.kept.list();
        list.sort_by(|a, b| (&a.place.file, a.place.byte).cmp(&(&b.place.file, b.place.byte)));
        list
    }

    /// Takes back everything: the query starts over.
    pub fn withdraw(&self) {
        if let Some(log) = self.0.log.upgrade() {
            log.queries().retain(|query| !Arc::ptr_eq(&query.0, &self.0));
        }
    }
}

/// The rejects of a session's last queries. Cheap to clone.
#[derive(Clone, Default)]
pub struct RejectLog(Arc<Log>);

#[derive(Default)]
struct Log {
    queries: Mutex<VecDeque<Rejects>>,
    /// Rows and values of queries that were forgotten since.
    before: [AtomicU64; 2],
}

impl Log {
    fn queries(&self) -> MutexGuard<'_, VecDeque<Rejects>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, query: &Rejects) {
        let mut queries = self.queries();
        queries.push_back(query.clone());
        if queries.len() > QUERIES
            && let Some(oldest) = queries.pop_front()
        {
            let [rows, values] = &self.before;
            rows.fetch_add(oldest.rows(), Relaxed);
            values.fetch_add(oldest.values(), Relaxed);
        }
    }
}

impl RejectLog {
    /// For a query that begins; the log has it once it leaves something out.
    pub fn begin(&self) -> Rejects {
        Rejects(Arc::new(Query { log: Arc::downgrade(&self.0), ..Query::default() }))
    }

    /// Those that were kept of the last queries, the oldest query first.
    pub fn list(&self) -> Vec<Reject> {
        let queries: Vec<Rejects> = self.0.queries().iter().cloned().collect();
        queries.iter().flat_map(Rejects::list).collect()
    }

    /// How many rows all queries so far left out, and how many values they made null.
    pub fn counts(&self) -> (u64, u64) {
        let queries = self.0.queries();
        let [rows, values] = self.0.before.each_ref().map(|n| n.load(Relaxed));
        let now = queries.iter().map(|q| (q.rows(), q.values())).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (rows + now.0, values + now.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(byte: u64) -> Reject {
        let place = Place { file: Some("a".into()), byte: Some(byte), ..Place::default() };
        Reject { place, reason: "broken".into() }
    }

    #[test]
    fn counts_are_exact_and_lists_bounded() {
        let log = RejectLog::default();
        for query in 0..6 {
            let rejects = log.begin();
            (0..=KEPT as u64 + query).rev().for_each(|n| rejects.add(Left::Row, || reject(n)));
            rejects.add(Left::Value, || reject(0));
            assert_eq!((rejects.rows(), rejects.values()), (KEPT as u64 + query + 1, 1));
            assert!(rejects.is_full() && rejects.list().is_sorted_by_key(|r| r.place.byte));
        }
        assert_eq!(log.list().len(), QUERIES * KEPT);
        assert_eq!(log.counts(), ((0..6).map(|q| KEPT as u64 + q + 1).sum(), 6));
    }

    #[test]
    fn a_query_that_starts_over_counts_once() {
        let log = RejectLog::default();
        let first = log.begin();
        first.add(Left::Row, || reject(1));
        first.withdraw();
        let (second, silent) = (log.begin(), log.begin());
        second.add(Left::Row, || reject(1));
        silent.withdraw();
        assert_eq!((log.counts(), log.list().len()), ((1, 0), 1));
    }
}
