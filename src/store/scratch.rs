//! Scratch files. (Interface; see the module's head.)

use crate::error::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Where pages go that do not fit in memory. One a session; cheap to clone.
#[derive(Clone)]
pub struct Scratch(Arc<Inner>);

#[derive(Default)]
struct Inner {
    used: AtomicU64,
}

impl Scratch {
    /// Scratch in `dirs` (round robin), holding at most `limit` bytes.
    ///
    /// # Errors
    /// A directory that does not exist or cannot be written.
    pub fn new(_dirs: Vec<PathBuf>, _limit: Option<u64>, _write_bytes: usize) -> Result<Self> {
        Ok(Scratch(Arc::new(Inner::default())))
    }

    /// A writer with a file of its own, made at the first write.
    pub fn writer(&self) -> SpillWriter {
        SpillWriter { scratch: self.clone() }
    }

    /// Bytes in scratch now.
    pub fn used(&self) -> u64 {
        self.0.used.load(Relaxed)
    }
}

/// Appends blocks to one file. Used by one thread at a time.
pub struct SpillWriter {
    scratch: Scratch,
}

impl SpillWriter {
    /// Appends a block; it may be read at once.
    pub fn write(&mut self, block: &[u8]) -> Result<BlockRef> {
        self.scratch.0.used.fetch_add(block.len() as u64, Relaxed);
        Ok(BlockRef { bytes: block.into() })
    }
}

/// A block in scratch. Its space is free again when the last reference is dropped.
#[derive(Clone)]
pub struct BlockRef {
    bytes: Arc<[u8]>,
}

impl BlockRef {
    /// The block's length in memory, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads the block into the first `len()` bytes of `into`.
    pub fn read(&self, into: &mut [u8]) -> Result<()> {
        let into = into.get_mut(..self.len()).ok_or_else(|| Error::internal("a buffer is too small for its block"))?;
        into.copy_from_slice(&self.bytes);
        Ok(())
    }
}
