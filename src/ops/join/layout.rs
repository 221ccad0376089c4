//! How many tasks the stages of a join get.

use crate::graph::{Facts, Layout, Round};

/// Rows that are not worth a second task.
const SMALL: u64 = 8192;

/// The stage that makes tables: as many tasks as threads and partitions with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablesLayout;

impl Layout for TablesLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        if facts.round > 0 {
            return Round::default();
        }
        let (count, rows, spilled) = measured(facts);
        let tasks = if rows <= SMALL { 1 } else { facts.threads.min(count).max(1) };
        Round { tasks, floor: 0, why: format!("{rows} rows in {count} partitions, {spilled} bytes in scratch") }
    }
}

/// The stage that joins what had to wait: none where nothing had to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferredLayout {
    /// Bytes that each task needs at least.
    pub floor: usize,
}

impl Layout for DeferredLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let (count, rows, spilled) = measured(facts);
        if facts.round > 0 || rows == 0 {
            return Round::default();
        }
        let tasks = facts.threads.min(count).min(facts.share / self.floor.max(1)).max(1);
        Round {
            tasks,
            floor: self.floor,
            why: format!("{rows} rows in {count} partitions, {spilled} bytes in scratch"),
        }
    }

    fn floor(&self) -> usize {
        self.floor
    }
}

/// Partitions with rows, rows, and bytes in scratch.
fn measured(facts: &Facts<'_>) -> (usize, u64, u64) {
    let parts = facts.sizes.iter().flat_map(|s| &s.parts).filter(|p| p.rows > 0);
    parts.fold((0, 0, 0), |(count, rows, spilled), p| (count + 1, rows + p.rows, spilled + p.spilled))
}
