//! Every size and constant that decides when something spills, recurses or is split, as fields of one value.
//!
//! Tests shrink them, so that spilling, recursion and several passes happen on ten rows; nothing here is a constant of
//! tests only. Limits that a user sets (memory, threads, scratch) are in [`Settings`].

use crate::units::{KIB, MIB};
use std::path::PathBuf;

/// What a user sets.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The budget in bytes; `None` means 75 % of the smaller of the machine's memory and the cgroup's limit.
    pub memory: Option<usize>,
    /// Worker threads; `None` means one a core.
    pub threads: Option<usize>,
    /// Directories for scratch, used round robin; empty means the system's temporary directory.
    pub scratch: Vec<PathBuf>,
    /// The most that scratch may hold, in bytes; `None` means 90 % of what is free.
    pub scratch_limit: Option<u64>,
    /// Whether the real anonymous memory of the process corrects the account (the command's way).
    pub whole_process: bool,
    /// The constants below.
    pub tuning: Tuning,
}

/// The engine's constants. The defaults suit machines from 2 cores and 64 MiB upwards.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// Most bytes in a batch, where rows can be divided.
    pub batch_bytes: usize,
    /// Bytes of a page of growing state; `None` chooses 64 to 256 KiB from the budget.
    pub page_bytes: Option<usize>,
    /// The size of a split of a text file that readers aim at, in bytes.
    pub split_bytes: usize,
    /// log2 of the number of radix partitions of an exchange by hash, at each level of recursion; `None` chooses from
    /// the budget.
    pub radix_bits: Option<u32>,
    /// Slots of the small table that each worker pre-aggregates in; a power of two.
    pub preaggregate_slots: usize,
    /// By which factor that table may grow where all groups are likely to fit it then, and memory allows it.
    pub preaggregate_growth: usize,
    /// Most runs merged at once.
    pub merge_fan_in: usize,
    /// Bytes gathered before scratch is written; fewer under a small budget.
    pub scratch_write_bytes: usize,
    /// Seed of all hashes.
    pub hash_seed: u64,
    /// Every hash is and-ed with this; 0 makes all hashes equal.
    pub hash_mask: u64,
    /// A build side of at most this many bytes is not partitioned.
    pub broadcast_bytes: usize,
    /// Results waiting for a slow consumer, in bytes, before the query pauses.
    pub result_queue_bytes: usize,
    /// Futures of a session that have not ended, before one that is submitted waits.
    pub future_queue: usize,
    /// Deepest recursion of repartitioning before an operator falls back to its last resort.
    pub recursion_limit: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            batch_rows: 8192,
            batch_bytes: MIB,
            page_bytes: None,
            split_bytes: 8 * MIB,
            radix_bits: None,
            preaggregate_slots: 1 << 15,
            preaggregate_growth: 64,
            merge_fan_in: 256,
            scratch_write_bytes: MIB,
            hash_seed: 0x9E37_79B9_7F4A_7C15,
            hash_mask: u64::MAX,
            broadcast_bytes: 8 * MIB,
            result_queue_bytes: 2 * MIB,
            future_queue: 64,
            recursion_limit: 6,
        }
    }
}

impl Tuning {
    /// The same, where buffers that are not chosen by operators fit a budget of `limit` bytes: those of scratch are a few
    /// for each thread.
    pub fn for_budget(self, limit: usize) -> Self {
        let most = (limit / 256).max(64 * KIB);
        Tuning { scratch_write_bytes: self.scratch_write_bytes.min(most), ..self }
    }

    /// The page size for a budget of `limit` bytes.
    pub fn page_size(&self, limit: usize) -> usize {
        self.page_bytes.unwrap_or((limit / 1024).next_power_of_two().clamp(64 * KIB, 256 * KIB))
    }

    /// log2 of the number of radix partitions for a budget of `limit` bytes: a worker's open pages, one a partition,
    /// stay under a sixteenth of it.
    pub fn partition_bits(&self, limit: usize) -> u32 {
        self.radix_bits.unwrap_or_else(|| {
            let pages = (limit / 16 / self.page_size(limit)).max(1);
            pages.ilog2().clamp(4, 7)
        })
    }
}
