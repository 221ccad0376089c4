//! The buffers in which writes are gathered: all of one size, outside the allocator, a few kept for reuse.

use crate::error::{Error, Result};
use crate::units::ByteSize;
use memmap2::MmapMut;
use std::sync::{Arc, Mutex};

/// Free buffers that stay mapped.
pub(super) const KEPT: usize = 2;

/// Hands out buffers of `capacity` bytes.
pub(super) struct Buffers {
    capacity: usize,
    free: Mutex<Vec<MmapMut>>,
}

impl Buffers {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Buffers { capacity, free: Mutex::default() })
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn buffer(self: &Arc<Self>) -> Result<Buffer> {
        let kept = self.free.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let map = kept.map_or_else(|| MmapMut::map_anon(self.capacity), Ok).map_err(|e| {
            Error::resources(format!("no memory for a buffer of {} for scratch", ByteSize(self.capacity))).because(e)
        })?;
        Ok(Buffer { map: Some(map), filled: 0, pool: self.clone() })
    }
}

/// Bytes that wait for a write. Goes back to its pool on drop.
pub(super) struct Buffer {
    /// `None` only while dropping.
    map: Option<MmapMut>,
    filled: usize,
    pool: Arc<Buffers>,
}

impl Buffer {
    /// What is filled.
    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_deref().and_then(|map| map.get(..self.filled)).unwrap_or_default()
    }

    /// What is not filled yet.
    pub(super) fn spare(&mut self) -> &mut [u8] {
        self.map.as_deref_mut().and_then(|map| map.get_mut(self.filled..)).unwrap_or_default()
    }

    /// Declares the next `bytes` filled.
    pub(super) fn fill(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.pool.capacity);
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(map) = self.map.take() else { return };
        let mut free = self.pool.free.lock().unwrap_or_else(|e| e.into_inner());
        if free.len() < KEPT {
            free.push(map);
        }
    }
}
