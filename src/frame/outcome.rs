//! What a statement leaves.

use super::Batches;
use crate::units::ByteSize;

/// What a statement leaves.
pub enum Outcome {
    /// Rows to read.
    Rows(Batches),
    /// Nothing to read; a sentence for people.
    Done(String),
}

/// What a session used so far. Sizes in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// The limit.
    pub budget: usize,
    /// The most that was accounted for at one time.
    pub peak_account: usize,
    /// The most anonymous memory that the process really had, as far as the probe saw.
    pub peak_anonymous: usize,
    /// Written to scratch, before compression.
    pub scratch_written: u64,
    /// Written to scratch, after compression.
    pub scratch_compressed: u64,
    /// Read from scratch, before decompression.
    pub scratch_read: u64,
    /// How often the same rows were written to scratch at most: 1 where nothing had to be divided or merged again.
    pub scratch_passes: u64,
    /// The most that scratch held at one time.
    pub scratch_peak: u64,
    /// Queries that started over because a value contradicted a guessed type.
    pub restarts: u64,
    /// Rows that could not be read and were left out, where `on_error` asked for that.
    pub rejected: u64,
    /// Values that could not be read and are null instead.
    pub nulled: u64,
}

impl SessionStats {
    /// What `EXPLAIN ANALYZE` says of memory and scratch: the budget, the session's peaks, and what was spilled since `before`.
    pub(super) fn since(&self, before: &SessionStats) -> String {
        let size = |bytes: u64| ByteSize(usize::try_from(bytes).unwrap_or(usize::MAX));
        let written = |stats: &SessionStats| stats.scratch_written;
        let mut text =
            format!("memory: budget {}, peak {} by account", ByteSize(self.budget), ByteSize(self.peak_account));
        if self.peak_anonymous > 0 {
            text.push_str(&format!(", {} real", ByteSize(self.peak_anonymous)));
        }
        let spilled = written(self) - written(before);
        if spilled > 0 {
            let stored = self.scratch_compressed - before.scratch_compressed;
            let read = self.scratch_read - before.scratch_read;
            text.push_str(&format!(
                "\nscratch: spilled {} ({} on disk), read {}",
                size(spilled),
                size(stored),
                size(read)
            ));
            text.push_str(&format!(
                ", at most {} at one time, {} passes",
                size(self.scratch_peak),
                self.scratch_passes
            ));
        }
        text.push('\n');
        text
    }
}
