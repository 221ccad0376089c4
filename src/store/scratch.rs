//! Scratch files. (Interface; see the module's head.)

use crate::error::Result;
use std::path::PathBuf;
use std::sync::Arc;

/// Where pages go that do not fit in memory. One a session; cheap to clone.
#[derive(Clone)]
pub struct Scratch(Arc<Inner>);

struct Inner {}

impl Scratch {
    /// Scratch in `dirs` (round robin), holding at most `limit` bytes.
    ///
    /// # Errors
    /// A directory that does not exist or cannot be written.
    pub fn new(_dirs: Vec<PathBuf>, _limit: Option<u64>, _write_bytes: usize) -> Result<Self> {
        Ok(Scratch(Arc::new(Inner {})))
    }

    /// A writer with a file of its own, made at the first write.
    pub fn writer(&self) -> SpillWriter {
        SpillWriter { _scratch: self.clone() }
    }

    /// Bytes in scratch now.
    pub fn used(&self) -> u64 {
        let _ = &self.0;
        0
    }
}

/// Appends blocks to one file. Used by one thread at a time.
pub struct SpillWriter {
    _scratch: Scratch,
}

impl SpillWriter {
    /// Appends a block; it may be read at once.
    pub fn write(&mut self, _block: &[u8]) -> Result<BlockRef> {
        unimplemented!()
    }
}

/// A block in scratch. Its space is free again when the last reference is dropped.
#[derive(Clone)]
pub struct BlockRef {}

impl BlockRef {
    /// The block's length in memory, in bytes.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Reads the block into the first `len()` bytes of `into`.
    pub fn read(&self, _into: &mut [u8]) -> Result<()> {
        unimplemented!()
    }
}
