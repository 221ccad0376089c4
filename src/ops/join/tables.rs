//! Tables of all partitions that are in memory, and the stage that makes them.

use super::Shared;
use super::table::{Directory, Room, Table};
use crate::error::Result;
use crate::ops::hash::radix;
use crate::ops::{Cx, Step, Task};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

/// The tables of a build side, by partition; a partition without a table is joined later.
pub(super) struct Tables {
    bits: u32,
    parts: Vec<OnceLock<Table>>,
}

impl Tables {
    /// No tables yet, of `parts` partitions (a power of two).
    pub fn new(parts: usize) -> Self {
        Tables { bits: parts.ilog2(), parts: (0..parts).map(|_| OnceLock::new()).collect() }
    }

    /// A table without rows.
    pub fn empty() -> Self {
        Self::one(Table::default())
    }

    /// The table of one partition, whatever the hash.
    pub fn one(table: Table) -> Self {
        Tables { bits: 0, parts: vec![OnceLock::from(table)] }
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether every partition has a table.
    pub fn are_whole(&self) -> bool {
        self.parts.iter().all(|part| part.get().is_some())
    }

    /// The partition of a hash.
    #[inline(always)]
    pub fn partition(&self, hash: u64) -> usize {
        radix(hash, 0, self.bits)
    }

    /// The table of a partition.
    #[inline(always)]
    pub fn get(&self, partition: usize) -> Option<&Table> {
        self.parts.get(partition)?.get()
    }

    /// The directories of all partitions, for a loop.
    pub fn directories(&self) -> Vec<Directory<'_>> {
        self.parts.iter().map(|part| part.get().map_or(Directory::EMPTY, Table::directory)).collect()
    }

    /// The rows of all partitions, for a loop.
    pub fn bytes(&self) -> Vec<&[u8]> {
        self.parts.iter().map(|part| part.get().map_or(&[][..], Table::bytes)).collect()
    }

    /// Rows of a partition's table, counted only as some or none.
    pub fn rows(&self, partition: usize) -> u64 {
        self.get(partition).map_or(0, |table| u64::from(!table.bytes().is_empty()))
    }
}

/// The stage.
pub(super) struct MakeTables(pub Arc<Shared>);

/// A task of it: takes partitions from one queue.
pub(super) struct Making(pub Arc<Shared>);

impl Task for Making {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        let shared = &self.0;
        cx.cancel.check()?;
        let i = shared.next_table.fetch_add(1, Relaxed);
        let mut rest = shared.lock();
        let tables = rest.tables.get_or_insert_with(|| Arc::new(Tables::empty())).clone();
        let Some(slot) = tables.parts.get(i) else { return Ok(Step::Done) };
        let resident = rest.resident;
        let Some(part) = rest.build.get_mut(i).filter(|_| i < resident) else {
            if rest.build.is_empty() {
                let _ = slot.set(Table::default());
            }
            return Ok(Step::More);
        };
        // Memory was asked back since: the partition is joined later.
        if part.spilled() > 0 {
            return Ok(Step::More);
        }
        let part = std::mem::take(part);
        let owner = rest.tables_reservation.clone();
        drop(rest);
        let Some(owner) = owner else { return Ok(Step::More) };
        if part.rows() == 0 {
            let _ = slot.set(Table::default());
            return Ok(Step::More);
        }
        match Room::new(part.bytes(), part.rows(), shared.plan.flags(), &cx.memory, &owner) {
            Some(room) => {
                let _ = slot.set(room.fill(part.into_chunks(), &shared.plan, &cx.cancel)?);
                shared.meter.see_memory(owner.held());
            }
            // It is joined later.
            None => {
                if let Some(place) = shared.lock().build.get_mut(i) {
                    *place = part;
                }
            }
        }
        Ok(Step::More)
    }
}
