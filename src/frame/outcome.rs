//! What a statement leaves.

use super::Batches;

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
    /// The most that scratch held at one time.
    pub scratch_peak: u64,
    /// Queries that started over because a value contradicted a guessed type.
    pub restarts: u64,
    /// Rows that could not be read and were left out, where `on_error` asked for that.
    pub rejected: u64,
    /// Values that could not be read and are null instead.
    pub nulled: u64,
}
