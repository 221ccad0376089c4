//! How many tasks finish an aggregate.

use crate::graph::{Facts, Layout, Round};

/// As many tasks as there are threads and partitions with rows; they take partitions from one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateLayout {
    /// Bytes that each task needs at least.
    pub floor: usize,
    /// Whether there is only one group, which is there even without rows.
    pub one: bool,
}

impl Layout for AggregateLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        if facts.round > 0 {
            return Round::default();
        }
        let parts = facts.sizes.iter().flat_map(|s| &s.parts).filter(|p| p.rows > 0);
        let (count, rows) = parts.fold((0, 0), |(count, rows), p| (count + 1, rows + p.rows));
        let spilled: u64 = facts.sizes.iter().flat_map(|s| &s.parts).map(|p| p.spilled).sum();
        let tasks = match rows {
            _ if self.one => 1,
            rows if rows <= super::merge::SMALL => 1,
            _ => facts.threads.min(count).min(facts.share / self.floor.max(1)).max(1),
        };
        let why = format!("{tasks} tasks: {rows} partial groups in {count} partitions, {spilled} bytes in scratch");
        Round { tasks, floor: self.floor, why }
    }

    fn floor(&self) -> usize {
        self.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{PartSize, Sizes};

    fn tasks(rows: u64, share: usize, round: u32) -> usize {
        let sizes = [Sizes { parts: vec![PartSize { rows, bytes: rows * 48, spilled: 0 }; 16] }];
        let facts = Facts { sizes: &sizes, round, share, threads: 4 };
        AggregateLayout { floor: 1000, one: false }.next(&facts).tasks
    }

    #[test]
    fn as_many_as_threads_and_memory_allow() {
        assert_eq!(tasks(1 << 20, 1 << 20, 0), 4);
        assert_eq!(tasks(1 << 20, 2500, 0), 2);
        assert_eq!(tasks(10, 1 << 20, 0), 1);
        assert_eq!(tasks(0, 0, 0), 1);
        assert_eq!(tasks(1 << 20, 1 << 20, 1), 0, "there is only one round");
    }
}
