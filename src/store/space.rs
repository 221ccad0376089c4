//! How much scratch holds, how much it may hold, and what went through it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What went through scratch, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScratchStats {
    /// Blocks given to writers.
    pub written: u64,
    /// What those blocks took after compression.
    pub stored: u64,
    /// Blocks read back from disk, after decompression; those still in memory are not counted.
    pub read: u64,
    /// Disk space taken now.
    pub used: u64,
    /// How often the same rows were written at most.
    pub passes: u64,
    /// The most disk space taken at one time.
    pub peak: u64,
    /// The most that may be taken.
    pub limit: u64,
}

/// The account of disk space of one session.
#[derive(Debug)]
pub(super) struct Space {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    written: AtomicU64,
    stored: AtomicU64,
    read: AtomicU64,
    passes: AtomicU64,
}

impl Space {
    pub(super) fn new(limit: u64) -> Self {
        let (used, peak, written, stored, read, passes) = Default::default();
        Space { limit, used, peak, written, stored, read, passes }
    }

    /// Takes `bytes`, or says no.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let grown = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Relaxed, Relaxed, grown) {
            Ok(before) => {
                self.peak.fetch_max(before + bytes, Relaxed);
                true
            }
            Err(_) => false,
        }
    }

    pub(super) fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// Whether more than half is taken: then bytes are dearer than time.
    pub(super) fn is_scarce(&self) -> bool {
        self.used.load(Relaxed) > self.limit / 2
    }

    pub(super) fn see_write(&self, raw: usize, stored: usize) {
        self.written.fetch_add(raw as u64, Relaxed);
        self.stored.fetch_add(stored as u64, Relaxed);
    }

    pub(super) fn see_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn see_pass(&self, pass: u32) {
        self.passes.fetch_max(pass.into(), Relaxed);
    }

    pub(super) fn stats(&self) -> ScratchStats {
        ScratchStats {
            written: self.written.load(Relaxed),
            stored: self.stored.load(Relaxed),
            read: self.read.load(Relaxed),
            passes: self.passes.load(Relaxed).max(u64::from(self.written.load(Relaxed) > 0)),
            used: self.used.load(Relaxed),
            peak: self.peak.load(Relaxed),
            limit: self.limit,
        }
    }
}
