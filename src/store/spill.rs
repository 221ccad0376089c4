//! Writers that gather blocks into segments, and the references with which blocks are read back.
//!
//! A segment is what goes to disk in one write. Its state changes once, from `Gathering` to `OnDisk` or `Lost`; the
//! write itself holds the state's lock for reading only, so blocks stay readable while they are written.

use super::buffers::Buffer;
use super::compress::{Facts, Policy};
use super::file::{Pending, Range, SpillFile};
use super::scratch::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::units::ByteSize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;
use std::{fmt, mem};
use twox_hash::XxHash64;

/// What goes to disk in one write.
struct Segment(RwLock<State>);

enum State {
    /// Blocks are in memory: more are appended, or they wait for their write, or are being written.
    Gathering(Buffer),
    /// Blocks are in a file.
    OnDisk(Range),
    /// The write failed.
    Lost(Error),
}

impl Segment {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        let old = mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), state);
        // A buffer goes back to its pool outside the lock.
        drop(old);
    }
}

/// Appends blocks to one file, which is made at the first write. Used by one thread at a time.
///
/// When it is dropped, blocks that are still referred to go to disk, so that they do not stay in memory.
pub struct SpillWriter {
    scratch: Scratch,
    file: Option<Arc<SpillFile>>,
    gather: Option<Arc<Segment>>,
    policy: Policy,
}

impl SpillWriter {
    pub(super) fn new(scratch: Scratch) -> Self {
        let policy = Policy::new(scratch.inner().compression);
        SpillWriter { scratch, file: None, gather: None, policy }
    }

    /// Appends a block; it may be read at once, by any thread.
    ///
    /// # Errors
    /// `Resources` where the disk or the limit of scratch is full, `Io` where a write failed: this one, or an earlier
    /// one that was still under way.
    pub fn write(&mut self, block: &[u8]) -> Result<BlockRef> {
        self.check()?;
        let len = u32::try_from(block.len()).map_err(|_| {
            Error::resources(format!("a block of {} is more than scratch takes (4 GiB)", ByteSize(block.len())))
        })?;
        if block.len() > self.scratch.inner().buffers.capacity() {
            return self.write_large(block, len);
        }
        let compress = self.policy.compress_next() && most(block.len()) <= self.scratch.inner().buffers.capacity();
        let need = if compress { most(block.len()) } else { block.len() };
        let segment = self.gather(need)?;
        let (block, filled) = self.append(&segment, block, len, compress)?;
        drop(segment);
        if filled >= self.scratch.inner().write_bytes {
            self.flush()?;
        }
        Ok(block)
    }

    /// Starts the write of what was gathered, without waiting for it; frees the writer's buffer.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flush(&mut self) -> Result<()> {
        self.check()?;
        let Some(segment) = self.gather.take() else { return Ok(()) };
        if Arc::strong_count(&segment) == 1 {
            return Ok(()); // Nobody refers to its blocks any more, and nobody can from now on.
        }
        let filled = match &*segment.state() {
            State::Gathering(buffer) => buffer.filled(),
            _ => return Ok(()),
        };
        let claimed = self.file().and_then(|file| file.claim(filled));
        match claimed {
            Ok(range) => self.hand_over(segment, range),
            Err(e) => {
                segment.set(State::Lost(e.clone()));
                Err(e)
            }
        }
    }

    /// Writes what was gathered and waits until everything is in the file.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn sync(&mut self) -> Result<()> {
        let flushed = self.flush();
        if let Some(file) = &self.file {
            file.wait_idle();
        }
        flushed.and_then(|_| self.check())
    }

    fn check(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }

    fn file(&mut self) -> Result<Arc<SpillFile>> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.file.insert(SpillFile::create(&self.scratch)?).clone()),
        }
    }

    /// The segment that gathers, with room for `need` bytes.
    fn gather(&mut self, need: usize) -> Result<Arc<Segment>> {
        if let Some(segment) = &self.gather {
            let filled = match &*segment.state() {
                State::Gathering(buffer) => buffer.filled(),
                _ => usize::MAX,
            };
            if filled.saturating_add(need) <= self.scratch.inner().buffers.capacity() {
                return Ok(segment.clone());
            }
            self.flush()?;
        }
        let buffer = self.scratch.inner().buffers.buffer()?;
        Ok(self.gather.insert(Arc::new(Segment(RwLock::new(State::Gathering(buffer))))).clone())
    }

    fn append(&mut self, segment: &Arc<Segment>, block: &[u8], len: u32, compress: bool) -> Result<(BlockRef, usize)> {
        let mut state = segment.0.write().unwrap_or_else(PoisonError::into_inner);
        let State::Gathering(buffer) = &mut *state else {
            return Err(Error::internal("a segment of scratch was written while it gathered"));
        };
        let start = u32::try_from(buffer.filled()).map_err(|_| Error::internal("a segment of scratch is too long"))?;
        let stored = if compress { self.compress(block, buffer.spare()) } else { None };
        let stored = match stored {
            Some(stored) => stored,
            None => copy(block, buffer.spare())?,
        };
        let sum = checksum(buffer.spare().get(..stored).unwrap_or_default());
        buffer.fill(stored);
        self.scratch.inner().space.see_write(block.len(), stored);
        let stored = u32::try_from(stored).unwrap_or(len);
        Ok((BlockRef { segment: segment.clone(), start, stored, len, sum }, buffer.filled()))
    }

    /// Compresses `block` to the beginning of `into`; `None` where it does not get smaller.
    fn compress(&mut self, block: &[u8], into: &mut [u8]) -> Option<usize> {
        let begin = Instant::now();
        let stored = lz4_flex::block::compress_into(block, into).ok()?;
        let bytes = block.len().max(1) as f64;
        let inner = self.scratch.inner();
        self.policy.learn(Facts {
            ratio: stored as f64 / bytes,
            compress: begin.elapsed().as_nanos() as f64 / bytes,
            write: inner.write_cost(),
            scarce: inner.space.is_scarce(),
        });
        (stored < block.len()).then_some(stored)
    }

    /// Writes a block that is larger than a buffer at once, as it is.
    fn write_large(&mut self, block: &[u8], len: u32) -> Result<BlockRef> {
        let range = self.file()?.claim(block.len())?;
        range.write(block).inspect_err(|e| range.file().fail(e))?;
        self.scratch.inner().space.see_write(block.len(), block.len());
        let segment = Arc::new(Segment(RwLock::new(State::OnDisk(range))));
        Ok(BlockRef { segment, start: 0, stored: len, len, sum: checksum(block) })
    }

    /// Gives the write to an io thread, or makes it here where too many are under way.
    fn hand_over(&self, segment: Arc<Segment>, range: Range) -> Result<()> {
        let write = WriteBehind { segment, pending: range.file().pend(), range };
        let job = self.scratch.inner().threads.try_submit(Box::new(move || write.run()));
        job.or_else(|job| {
            job();
            self.check()
        })
    }
}

impl Drop for SpillWriter {
    fn drop(&mut self) {
        // A failure stays with the blocks that it hit: whoever reads them sees it.
        let _ = self.flush();
    }
}

impl fmt::Debug for SpillWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillWriter").field("has_file", &self.file.is_some()).finish()
    }
}

/// A write on its way to the disk.
struct WriteBehind {
    segment: Arc<Segment>,
    range: Range,
    pending: Pending,
}

impl WriteBehind {
    fn run(self) {
        let WriteBehind { segment, range, pending } = self;
        if Arc::strong_count(&segment) > 1 {
            let written = match &*segment.state() {
                State::Gathering(buffer) => range.write(buffer.bytes()),
                _ => Ok(()),
            };
            segment.set(match written {
                Ok(()) => State::OnDisk(range),
                Err(e) => {
                    range.file().fail(&e);
                    State::Lost(e)
                }
            });
        } else {
            drop(range);
        }
        // Who waits for the write may let go of its blocks and look at the space: this thread holds none by then.
        drop(segment);
        drop(pending);
    }
}

/// A block in scratch. Its space is free again when no reference to it, and to those written together with it, is left.
///
/// Small (24 bytes) and cheap to clone: there may be very many.
#[derive(Clone)]
pub struct BlockRef {
    segment: Arc<Segment>,
    start: u32,
    /// Bytes in the segment; fewer than `len` where it is compressed.
    stored: u32,
    len: u32,
    /// Of the stored bytes.
    sum: u32,
}

impl BlockRef {
    /// The block's length in memory, in bytes.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that it takes on disk.
    pub fn stored_len(&self) -> usize {
        self.stored as usize
    }

    /// Reads the block into the first `len()` bytes of `into`; more than one thread may.
    ///
    /// # Errors
    /// `Io` where the disk fails or gives back other bytes than were written; the error of the write where that failed;
    /// `Internal` where `into` is too short.
    pub fn read(&self, into: &mut [u8]) -> Result<()> {
        let Some(into) = into.get_mut(..self.len()) else {
            return Err(Error::internal(format!("a block of {} is read into less", ByteSize(self.len()))));
        };
        match &*self.segment.state() {
            State::Gathering(buffer) => self.read_memory(buffer, into),
            State::OnDisk(range) if self.stored == self.len => self.read_raw(range, into),
            State::OnDisk(range) => self.read_compressed(range, into),
            State::Lost(e) => Err(e.clone()),
        }
    }

    /// Says that the block is read soon: it may come into the system's cache meanwhile.
    pub fn ahead(&self) {
        if let State::OnDisk(range) = &*self.segment.state() {
            range.ahead(self.start, self.stored);
        }
    }

    /// Reads the block into memory of its own.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let mut into = vec![0; self.len()];
        self.read(&mut into)?;
        Ok(into)
    }

    fn read_memory(&self, buffer: &Buffer, into: &mut [u8]) -> Result<()> {
        let bytes = buffer.bytes().get(self.start as usize..).and_then(|b| b.get(..self.stored_len()));
        let bytes = bytes.ok_or_else(|| Error::internal("a block of scratch lies outside its segment"))?;
        if self.stored == self.len {
            into.copy_from_slice(bytes);
            return Ok(());
        }
        decompress(bytes, into)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a compressed block changed while it was in memory"))
    }

    fn read_raw(&self, range: &Range, into: &mut [u8]) -> Result<()> {
        range.read(self.start, into)?;
        self.verify(range, into)
    }

    fn read_compressed(&self, range: &Range, into: &mut [u8]) -> Result<()> {
        let mut buffer = range.file().scratch().inner().buffers.buffer()?;
        let corrupt = || range.corrupt(self.start, self.stored_len());
        let bytes = buffer.spare().get_mut(..self.stored_len()).ok_or_else(corrupt)?;
        range.read(self.start, bytes)?;
        self.verify(range, bytes)?;
        decompress(bytes, into).ok_or_else(corrupt)
    }

    fn verify(&self, range: &Range, stored: &[u8]) -> Result<()> {
        if checksum(stored) != self.sum {
            return Err(range.corrupt(self.start, stored.len()));
        }
        range.file().scratch().inner().space.see_read(self.len());
        Ok(())
    }
}

impl fmt::Debug for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block of {} bytes ({} stored)", self.len, self.stored)
    }
}

/// The most that a block of `len` bytes takes when compressed.
pub(super) fn most(len: usize) -> usize {
    lz4_flex::block::get_maximum_output_size(len)
}

fn copy(block: &[u8], into: &mut [u8]) -> Result<usize> {
    let into = into.get_mut(..block.len()).ok_or_else(|| Error::internal("a segment of scratch is too short"))?;
    into.copy_from_slice(block);
    Ok(block.len())
}

pub(super) fn decompress(bytes: &[u8], into: &mut [u8]) -> Option<()> {
    let len = into.len();
    (lz4_flex::block::decompress_into(bytes, into).ok()? == len).then_some(())
}

/// The lower half of xxHash64.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    XxHash64::oneshot(0, bytes) as u32
}
