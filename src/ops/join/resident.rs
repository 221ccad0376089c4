//! Which partitions of a build side become tables before the probe begins. Pure.
//!
//! Each partition is a table in memory, or has a page for each worker of the probe, in which rows wait before they go to
//! scratch. With fewer pages than partitions rows that go round the partitions would go to scratch nearly one by one,
//! so the pages are counted, and committed, before the tables.
//!
//! ```text
//! |<------------------------------- available ------------------------------>|<-- beside -->|
//! | tables of partitions 0 .. n  | a page a worker for each of n .. partitions | readers, sinks
//! ```

use super::table::table_bytes;
use crate::ops::rows::RowPages;
use crate::units::MIB;

/// What the choice depends on.
pub(super) struct Facts {
    /// Bytes for tables and for the pages of the probe.
    pub available: usize,
    /// Bytes of the pages that a partition without a table needs.
    pub room: usize,
    /// Whether tables have flags.
    pub flags: bool,
}

/// Of `free` bytes, those that one of `joins` joins may take. For what reads and takes the rows stay an eighth, at least 32
/// MiB (but at most a quarter), and at least what is known to be in flight with the same again for sinks, and the least with
/// which a task can probe.
pub(super) fn available(free: usize, (in_flight, least): (usize, usize), joins: usize) -> usize {
    let known = in_flight.saturating_mul(2).saturating_add(least);
    let beside = (free / 8).max((free / 4).min(32 * MIB)).max(known);
    free.saturating_sub(beside) / joins.max(1)
}

/// How many partitions, from the first on, become tables. Those that are in scratch, and all behind them, do not.
pub(super) fn resident(parts: &[RowPages], facts: &Facts) -> usize {
    let (mut tables, mut resident) = (0, 0);
    for (i, part) in parts.iter().enumerate().take_while(|(_, part)| part.spilled() == 0) {
        tables += table_bytes(part.bytes(), part.rows(), facts.flags);
        if tables + (parts.len() - i - 1) * facts.room <= facts.available {
            resident = i + 1;
        }
    }
    resident
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    /// Partitions of one row of 4 KiB each.
    fn parts(count: usize) -> Vec<RowPages> {
        let memory = Memory::new(MIB, 4096);
        let owner = memory.budget.reserve("test", 0, true).unwrap();
        let mut row = vec![0; 4096];
        row[..4].copy_from_slice(&4096_u32.to_le_bytes());
        let one = |_| {
            let mut pages = RowPages::default();
            pages.append(&row, &memory, &owner).unwrap();
            pages
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn pages_of_the_probe_count_beside_tables() {
        let table = table_bytes(4096, 1, false);
        let choose = |available, room| resident(&parts(8), &Facts { available, room, flags: false });
        assert_eq!(choose(8 * table, 1), 8);
        assert_eq!(choose(8 * table - 1, 1), 7);
        assert_eq!(choose(4 * table + 4 * 100, 100), 4);
        assert_eq!(choose(4 * table + 4 * 100 - 1, 100), 3);
        assert_eq!(choose(0, 1), 0);
        // Where a page is more than a table, all tables may fit although some would not.
        assert_eq!(choose(8 * table, 10 * table), 8);
    }

    #[test]
    fn some_stays_for_others() {
        assert_eq!(available(1024 * MIB, (MIB, MIB), 1), 896 * MIB);
        assert_eq!(available(200 * MIB, (0, 0), 2), 84 * MIB);
        assert_eq!(available(40 * MIB, (MIB, 0), 1), 30 * MIB);
        assert_eq!(available(40 * MIB, (8 * MIB, 0), 1), 24 * MIB);
        assert_eq!(available(40 * MIB, (8 * MIB, 5 * MIB), 1), 19 * MIB, "a task that probes has its floor");
        assert_eq!((available(MIB, (MIB, 0), 1), available(0, (0, 0), 0)), (0, 0));
    }
}
