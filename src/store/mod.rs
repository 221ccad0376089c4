//! Data at rest: blocks in scratch, and queues of batches that wait their turn.
//!
//! Life of a block: an operator gives a full page (or many) to its [`SpillWriter`]; the writer compresses it if that
//! pays, adds a checksum and gathers blocks until a write is at least 1 MiB; an io thread appends the write to an
//! unlinked file; the operator keeps the [`BlockRef`]; later [`BlockRef::read`] brings it back, checked.

mod scratch;

pub use scratch::{BlockRef, Scratch, SpillWriter};
