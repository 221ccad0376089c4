//! Streams: blocks one after the other, read from front to back. What is known of a stream in memory does not grow with
//! it, however long it is.
//!
//! ```text
//! | length u32 | stored u32 | checksum u32 | check u32 | stored bytes | length ... | stored bytes | 0 0 0 check |
//! |<------ head of block 0 -------------------------->|              |<- head of block 1
//! ```
//!
//! The checksum is of the stored bytes, the check of the head itself: a head with a wrong bit could end the stream early.
//!
//! A reader knows the head of the block that comes next, so it reads that block and the head behind it in one go, and
//! tells the disk to fetch the one after while it is busy with this one. It may begin at any block whose place it knows.
//!
//! A writer fills a buffer, which an io thread writes while the writer fills another. A stream gives its space back when
//! it is dropped, or from the front as far as it was read.
//!
//! Next to [`SpillWriter`](super::SpillWriter): there every block is known by a reference of its own, in any order and
//! as long as somebody holds it; here only the stream is.

use super::buffers::Buffer;
use super::compress::{Facts, Policy};
use super::file::{Pending, Range, SpillFile};
use super::scratch::Scratch;
use super::spill::{checksum, decompress, most};
use crate::error::{Error, Result};
use crate::units::ByteSize;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Bytes before each block.
pub const STREAM_HEAD: usize = 16;
/// A write ends at a multiple of this, unless it is a stream's last.
const ALIGN: usize = 4096;

/// The head of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    len: u32,
    /// Bytes in the stream; fewer than `len` where the block is compressed.
    stored: u32,
    /// Of the stored bytes.
    sum: u32,
}

impl Head {
    fn bytes(self) -> [u8; STREAM_HEAD] {
        let mut bytes = [0; STREAM_HEAD];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip([self.len, self.stored, self.sum, self.check()]) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    /// The head in `bytes`; `None` where it is not as it was written.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut words = bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b));
        let head = Head { len: words.next()?, stored: words.next()?, sum: words.next()? };
        (words.next()? == head.check()).then_some(head)
    }

    /// A number in which each bit of the head counts.
    fn check(self) -> u32 {
        let both = u64::from(self.len) << 32 | u64::from(self.stored);
        let mixed = (both ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xFF51_AFD7_ED55_8CCD) ^ u64::from(self.sum);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        (mixed >> 32) as u32
    }
}

/// Writes streams, one after the other, into one file, which is made at the first write. Used by one thread at a time.
pub struct StreamWriter {
    scratch: Scratch,
    file: Option<Arc<SpillFile>>,
    policy: Policy,
    /// What is not on its way to the disk yet.
    buffer: Option<Buffer>,
    /// What the stream in the making has of the file.
    range: Option<Range>,
    len: u64,
}

impl StreamWriter {
    pub(super) fn new(scratch: Scratch) -> Self {
        let policy = Policy::new(scratch.inner().compression);
        StreamWriter { scratch, file: None, policy, buffer: None, range: None, len: 0 }
    }

    /// Appends a block that is not empty; the answer is its place in the stream. One of more than `compressible` bytes is
    /// stored as it is.
    ///
    /// # Errors
    /// `Resources` where the disk or the limit of scratch is full, `Io` where a write failed: this one, or an earlier
    /// one that was still under way.
    pub fn write(&mut self, block: &[u8], compressible: usize) -> Result<u64> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())?;
        let at = self.len;
        let len = u32::try_from(block.len()).ok().filter(|len| *len > 0).ok_or_else(|| {
            Error::resources(format!("a block of {} is none that scratch takes (4 GiB)", ByteSize(block.len())))
        })?;
        let room = STREAM_HEAD + most(block.len());
        let fits = block.len() <= compressible && room + ALIGN <= self.scratch.inner().buffers.capacity();
        let stored = match fits && self.policy.compress_next() {
            true => self.compressed(block, len, room)?,
            false => None,
        };
        if stored.is_none() {
            let head = Head { len, stored: len, sum: checksum(block) };
            self.append(&head.bytes())?;
            self.append(block)?;
        }
        self.scratch.inner().space.see_write(block.len(), stored.unwrap_or(block.len()));
        Ok(at)
    }

    /// Ends the stream; the next write begins another one.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(&mut self) -> Result<Stream> {
        self.append(&Head::default().bytes())?;
        self.flush(true)?;
        self.buffer = None;
        let len = std::mem::take(&mut self.len);
        let range = self.range.take().ok_or_else(|| Error::internal("a stream without bytes"))?;
        Ok(Stream { range, len })
    }

    /// Appends the block with its head, if it gets smaller.
    fn compressed(&mut self, block: &[u8], len: u32, room: usize) -> Result<Option<usize>> {
        if self.buffer()?.spare().len() < room {
            self.flush(false)?;
        }
        let buffer = self.buffer()?;
        let Some((head, into)) = buffer.spare().split_at_mut_checked(STREAM_HEAD) else { return Ok(None) };
        let begin = Instant::now();
        let Ok(stored) = lz4_flex::block::compress_into(block, into) else { return Ok(None) };
        let nanos = begin.elapsed().as_nanos() as f64;
        let smaller = stored < block.len();
        if smaller {
            let sum = checksum(into.get(..stored).unwrap_or_default());
            head.copy_from_slice(&Head { len, stored: u32::try_from(stored).unwrap_or(len), sum }.bytes());
            buffer.fill(STREAM_HEAD + stored);
            self.len += (STREAM_HEAD + stored) as u64;
        }
        let (bytes, inner) = (block.len() as f64, self.scratch.inner());
        self.policy.learn(Facts {
            ratio: stored as f64 / bytes,
            compress: nanos / bytes,
            write: inner.write_cost(),
            scarce: inner.space.is_scarce(),
        });
        Ok(smaller.then_some(stored))
    }

    fn buffer(&mut self) -> Result<&mut Buffer> {
        let buffer = match self.buffer.take() {
            Some(buffer) => buffer,
            None => self.scratch.inner().buffers.buffer()?,
        };
        Ok(self.buffer.insert(buffer))
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            let buffer = self.buffer()?;
            let spare = buffer.spare();
            let take = spare.len().min(bytes.len());
            let (now, later) = bytes.split_at(take);
            if let Some(to) = spare.get_mut(..take) {
                to.copy_from_slice(now);
            }
            buffer.fill(take);
            bytes = later;
            if buffer.spare().is_empty() {
                self.flush(false)?;
            }
        }
        Ok(())
    }

    /// Sends what is buffered to the disk: all of it, or whole multiples of [`ALIGN`].
    fn flush(&mut self, all: bool) -> Result<()> {
        let Some(buffer) = self.buffer.take() else { return Ok(()) };
        let filled = buffer.filled();
        let write = if all { filled } else { filled / ALIGN * ALIGN };
        if filled > write {
            let mut next = self.scratch.inner().buffers.buffer()?;
            let rest = buffer.bytes().get(write..).unwrap_or_default();
            if let Some(to) = next.spare().get_mut(..rest.len()) {
                to.copy_from_slice(rest);
            }
            next.fill(rest.len());
            self.buffer = Some(next);
        }
        if write == 0 {
            return Ok(());
        }
        let file = self.file()?;
        let range = file.claim(write)?;
        let at = range.at();
        match &mut self.range {
            Some(before) => {
                if !before.join(range) {
                    return Err(Error::internal("a stream's file has another writer"));
                }
            }
            None => self.range = Some(range),
        }
        let job = WriteBehind { buffer, write, at, pending: file.pend(), file };
        let job = self.scratch.inner().threads.try_submit(Box::new(move || job.run()));
        job.or_else(|job| {
            job();
            self.file.as_ref().map_or(Ok(()), |file| file.check())
        })
    }

    fn file(&mut self) -> Result<Arc<SpillFile>> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.file.insert(SpillFile::create(&self.scratch)?).clone()),
        }
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        if let (Some(file), Some(_)) = (&self.file, &self.range) {
            // A write that is under way must not come after its space was given back.
            file.wait_idle();
        }
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter").field("has_file", &self.file.is_some()).finish_non_exhaustive()
    }
}

/// A buffer on its way to the disk. Whether it arrived, the file knows.
struct WriteBehind {
    buffer: Buffer,
    write: usize,
    at: u64,
    file: Arc<SpillFile>,
    pending: Pending,
}

impl WriteBehind {
    fn run(self) {
        let WriteBehind { buffer, write, at, file, pending } = self;
        let bytes = buffer.bytes().get(..write).unwrap_or_default();
        if let Err(e) = file.write(bytes, at) {
            file.fail(&e);
        }
        drop(buffer);
        drop(pending);
    }
}

/// Blocks at rest. Its space is free when it is dropped.
pub struct Stream {
    range: Range,
    len: u64,
}

impl Stream {
    /// Bytes of it on disk.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A reader from the block at `place` on.
    ///
    /// # Errors
    /// `Io` where a write of the stream failed, or reading does.
    pub fn reader(&self, place: u64) -> Result<StreamReader> {
        let file = self.range.file().clone();
        file.wait_idle();
        file.check()?;
        let begin = self.range.end().saturating_sub(self.len.next_multiple_of(ALIGN as u64));
        let mut reader = StreamReader { file, begin, at: place, next: Head::default() };
        let mut head = [0; STREAM_HEAD];
        reader.file.read(begin + place, &mut head)?;
        reader.next = Head::of(&head).ok_or_else(|| reader.corrupt(STREAM_HEAD))?;
        reader.at = place + STREAM_HEAD as u64;
        Ok(reader)
    }

    /// Gives the space of all blocks before `place` back: nobody reads them again.
    pub fn free_before(&mut self, place: u64) {
        let begin = self.range.end().saturating_sub(self.len.next_multiple_of(ALIGN as u64));
        self.range.give_before(begin + place);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.range.file().wait_idle();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream of {} bytes", self.len)
    }
}

/// Reads a stream from front to back. The stream must live as long.
pub struct StreamReader {
    file: Arc<SpillFile>,
    /// Where the stream begins in the file.
    begin: u64,
    /// The place of the bytes of the next block.
    at: u64,
    next: Head,
}

impl StreamReader {
    /// The error for `len` bytes at the reader's place that are not what was written.
    fn corrupt(&self, len: usize) -> Error {
        self.file.corrupt(self.begin + self.at, len)
    }

    /// The length of the next block, in bytes; 0 at the end.
    pub fn next_len(&self) -> usize {
        self.next.len as usize
    }

    /// The place of the next block.
    pub fn place(&self) -> u64 {
        self.at.saturating_sub(STREAM_HEAD as u64)
    }

    /// Reads the next block into the first bytes of `into`, which must have [`STREAM_HEAD`] bytes more; `spare`, of the
    /// same length, is needed for compressed ones.
    ///
    /// # Errors
    /// `Io` where the disk fails or gives back other bytes than were written; `Internal` where there is too little room.
    pub fn read(&mut self, into: &mut [u8], spare: &mut [u8]) -> Result<()> {
        let Head { len, stored, sum } = self.next;
        let (len, stored) = (len as usize, stored as usize);
        let corrupt = || self.corrupt(stored);
        let small = || Error::internal(format!("a block of {} is read into less", ByteSize(len)));
        let packed = stored < len;
        let raw = if packed { &mut *spare } else { &mut *into }.get_mut(..stored + STREAM_HEAD).ok_or_else(small)?;
        self.file.read(self.begin + self.at, raw)?;
        let (bytes, head) = raw.split_at(stored);
        if checksum(bytes) != sum {
            return Err(corrupt());
        }
        let next = Head::of(head).ok_or_else(corrupt)?;
        if packed {
            let bytes = spare.get(..stored).ok_or_else(small)?;
            decompress(bytes, into.get_mut(..len).ok_or_else(small)?).ok_or_else(corrupt)?;
        }
        self.file.scratch().inner().space.see_read(len);
        self.at += (stored + STREAM_HEAD) as u64;
        self.next = next;
        if next.len > 0 {
            self.file.ahead(self.begin + self.at, u64::from(next.stored) + STREAM_HEAD as u64);
        }
        Ok(())
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reader at byte {} of a stream", self.at)
    }
}
