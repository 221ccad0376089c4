//! Scratch: where pages go that do not fit in memory.
//!
//! # Life of a block
//!
//! 1. [`SpillWriter::write`](super::SpillWriter) takes it, compresses it where that pays, notes a checksum in the
//!    [`BlockRef`](super::BlockRef), and appends it to the writer's gather buffer.
//! 2. When the buffer holds a write's worth (1 MiB), a range of the writer's file is claimed from the account of disk
//!    space, and the write goes to an io thread. If the queue of writes is full, the caller writes it itself.
//! 3. Reading finds the block in the buffer until it is on disk, and in the file afterwards.
//! 4. When the last reference to the blocks of one write is dropped, its range is punched out of the file and the
//!    account shrinks. When the writer and all blocks are gone, the file is closed, and with it gone.
//!
//! ```text
//! writer --gather--> segment (1 MiB, in memory) --io thread--> range of an unlinked file
//!                       ^  ^
//!                 BlockRef BlockRef: which segment, where in it, how long, checksum
//! ```
//!
//! # Memory
//!
//! A gather buffer holds a quarter more than one write. There is at most one for each writer that was written to since
//! its last write, one for each thread that reads, and for the session the writes in flight plus a few free buffers:
//! see [`Scratch::fixed_bytes`]. Blocks that are larger than a buffer are written at once, from the caller's memory.
//!
//! # Failures
//!
//! A failed write is told by the next write, flush or sync of its writer, and by every read of a block that was in it.
//! A full disk and a reached limit are `Resources`, with sizes and advice.
//!
//! # Not here
//!
//! Scratch is for one process's life: nothing is found again after a crash, since nothing is left. A failed disk is not
//! replaced by another directory.

use super::buffers::{Buffers, KEPT};
use super::compress::Compression;
use super::disk::{Disk, RealDisk};
use super::space::{ScratchStats, Space};
use super::spill::SpillWriter;
use super::stream::StreamWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::io::threads::IoThreads;
use crate::units::MIB;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What a user or a test may choose.
#[derive(Clone, Debug)]
pub struct ScratchOptions {
    /// Directories, used round robin by writers; empty means the system's temporary directory.
    pub dirs: Vec<PathBuf>,
    /// The most disk space taken at one time, in bytes; `None` means 90 % of what is free at the start.
    pub limit: Option<u64>,
    /// Bytes gathered before a write.
    pub write_bytes: usize,
    /// Writes that wait or run on io threads at one time, over all writers.
    pub writes_in_flight: usize,
    /// Which blocks are compressed.
    pub compression: Compression,
}

impl Default for ScratchOptions {
    fn default() -> Self {
        let (dirs, compression) = Default::default();
        ScratchOptions { dirs, limit: None, write_bytes: MIB, writes_in_flight: 4, compression }
    }
}

/// The most that scratch holds in memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScratchMemory {
    /// Of each writer that has blocks to write.
    pub per_writer: usize,
    /// Of each thread that is reading a block.
    pub per_reader: usize,
    /// Of the session: writes in flight and free buffers.
    pub per_session: usize,
}

/// Where pages go that do not fit in memory. One a session; cheap to clone.
#[derive(Clone)]
pub struct Scratch(Arc<Inner>);

pub(super) struct Inner {
    dirs: Vec<Arc<Path>>,
    next_dir: AtomicUsize,
    pub(super) write_bytes: usize,
    writes_in_flight: usize,
    pub(super) compression: Compression,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) space: Space,
    pub(super) buffers: Arc<Buffers>,
    pub(super) threads: IoThreads,
    /// What writing takes, in nanoseconds for 1024 bytes, smoothed; starts at that of a disk of 500 MB/s.
    pace: AtomicU64,
}

impl Scratch {
    /// Scratch in `dirs` (round robin), holding at most `limit` bytes; see [`ScratchOptions`].
    ///
    /// # Errors
    /// A directory that does not exist or cannot be written.
    pub fn new(dirs: Vec<PathBuf>, limit: Option<u64>, write_bytes: usize) -> Result<Self> {
        Self::with_disk(ScratchOptions { dirs, limit, write_bytes, ..Default::default() }, Arc::new(RealDisk))
    }

    /// Scratch on `disk`, which may break on purpose.
    ///
    /// # Errors
    /// A directory that does not exist or cannot be written.
    pub fn with_disk(options: ScratchOptions, disk: Arc<dyn Disk>) -> Result<Self> {
        let ScratchOptions { mut dirs, limit, write_bytes, writes_in_flight, compression } = options;
        if dirs.is_empty() {
            dirs.push(std::env::temp_dir());
        }
        for dir in &dirs {
            RealDisk.create(dir).map_err(|e| cannot_write(dir, e))?;
        }
        let limit = limit.unwrap_or_else(|| free_in(&dirs, &*disk) / 10 * 9);
        let write_bytes = write_bytes.max(1);
        Ok(Scratch(Arc::new(Inner {
            dirs: dirs.into_iter().map(Arc::from).collect(),
            next_dir: AtomicUsize::new(0),
            write_bytes,
            writes_in_flight,
            compression,
            disk,
            space: Space::new(limit),
            buffers: Buffers::new((write_bytes + write_bytes / 4).next_multiple_of(4096)),
            threads: IoThreads::new("partita-scratch", 1, writes_in_flight),
            pace: AtomicU64::new(2048),
        })))
    }

    /// A writer with a file of its own, made at the first write.
    pub fn writer(&self) -> SpillWriter {
        SpillWriter::new(self.clone())
    }

    /// A writer of streams with a file of its own, made at the first write.
    pub fn streams(&self) -> StreamWriter {
        StreamWriter::new(self.clone())
    }

    /// Notes that rows are written for the `pass`-th time.
    pub fn see_pass(&self, pass: u32) {
        self.0.space.see_pass(pass);
    }

    /// The directories that are in memory (tmpfs, ramfs): what goes there is in RAM still.
    pub fn in_memory(&self) -> Vec<PathBuf> {
        let dirs = self.0.dirs.iter().filter(|dir| self.0.disk.is_memory(dir));
        dirs.map(|dir| dir.to_path_buf()).collect()
    }

    /// Disk space taken now, in bytes.
    pub fn used(&self) -> u64 {
        self.stats().used
    }

    /// What went through scratch so far.
    pub fn stats(&self) -> ScratchStats {
        self.0.space.stats()
    }

    /// The most that scratch holds in memory; a plan takes it off the top of the budget.
    pub fn fixed_bytes(&self) -> ScratchMemory {
        let one = self.0.buffers.capacity();
        ScratchMemory { per_writer: one, per_reader: one, per_session: one * (self.0.writes_in_flight + KEPT) }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// A new file, in the directory whose turn it is.
    pub(super) fn create(&self) -> Result<(File, Arc<Path>)> {
        let turn = self.next_dir.fetch_add(1, Relaxed) % self.dirs.len().max(1);
        let dir = self.dirs.get(turn).ok_or_else(|| Error::internal("scratch has no directory"))?;
        let file = self.disk.create(dir).map_err(|e| cannot_write(dir, e))?;
        Ok((file, dir.clone()))
    }

    /// Nanoseconds that writing a byte takes.
    pub(super) fn write_cost(&self) -> f64 {
        self.pace.load(Relaxed) as f64 / 1024.0
    }

    /// A write of `bytes` took `nanos`. Two writers at a time may lose one measurement: it is an average anyway.
    pub(super) fn see_write_time(&self, bytes: usize, nanos: u64) {
        let now = nanos.saturating_mul(1024) / (bytes as u64).max(1);
        let before = self.pace.load(Relaxed);
        self.pace.store((before / 8 * 7).saturating_add(now / 8).max(1), Relaxed);
    }
}

fn cannot_write(dir: &Path, error: std::io::Error) -> Error {
    let text = error.to_string();
    let error = Error::io(format!("scratch directory {}", dir.display()), error);
    if error.kind() == ErrorKind::Resources {
        return match error.advice() {
            Some(_) => error,
            None => error.advise("free space there, or point --scratch to a larger disk"),
        };
    }
    // That a directory is not there is no fault of the query or its data.
    Error::new(ErrorKind::Io, format!("scratch directory {} cannot be written: {text}", dir.display()))
        .because(error)
        .advise("point --scratch to a directory that exists and can be written")
}

/// Free bytes of all file systems that `dirs` are on, each counted once.
fn free_in(dirs: &[PathBuf], disk: &dyn Disk) -> u64 {
    let mut seen = Vec::new();
    let mut sum = 0u64;
    for dir in dirs {
        let device = device(dir);
        if device.is_none() || !seen.contains(&device) {
            sum = sum.saturating_add(disk.free(dir).unwrap_or(0));
            seen.push(device);
        }
    }
    sum
}

#[cfg(unix)]
fn device(dir: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(dir).ok().map(|m| m.dev())
}

#[cfg(not(unix))]
fn device(_dir: &Path) -> Option<u64> {
    None
}
