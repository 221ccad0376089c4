//! A window that slides over the bytes of a file, so that a reader sees whole records in one contiguous buffer.
//!
//! ```text
//! file    ....|======================================|.....     a range, or everything, decompressed
//! buffer        [ done | records to come | padding ]
//!               0     pos              filled
//! ```
//!
//! 1. The reader takes records from `pos` on and calls `advance`.
//! 2. When what is left may not suffice, `refill` moves it to the front and reads on behind it.
//! 3. Arrays may keep views into the buffer ([`Window::buffer`]); then `refill` leaves that buffer to them and goes on in
//!    another. Otherwise the same memory is used again and again, small enough to stay in the cache.

use super::compress::{Compression, open_stream};
use super::paths::FileRef;
use super::pipe::PipeReader;
use super::read::InputFile;
use crate::error::{Error, Place, Result};
use arrow::buffer::Buffer;
use std::io::Read;
use std::sync::{Arc, Mutex};

/// Bytes behind the filled part that may be loaded (not used) without a check of bounds.
pub const PADDING: usize = 64;

/// Bytes read beyond the end of a range at a time, to complete its last record.
const OVERSHOOT: usize = 16 << 10;

/// The largest buffer that waits for its next use: what one long record needed is given back.
const SPARE: usize = 4 << 20;

/// Buffers that wait for their next use, shared by the readers of one scan.
#[derive(Clone, Default)]
pub struct Spares(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spares {
    /// Lets go of all buffers that wait.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }

    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).pop().unwrap_or_default()
    }

    fn give(&self, buffer: Vec<u8>) {
        let mut spares = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if spares.len() < 8 && buffer.len() <= SPARE {
            spares.push(buffer);
        }
    }
}

enum Source {
    Range { input: InputFile, next: u64 },
    Stream { name: Arc<str>, from: Box<dyn Read + Send> },
}

/// See the head of this file.
pub struct Window {
    source: Source,
    spares: Spares,
    buffer: Buffer,
    filled: usize,
    pos: usize,
    /// The offset in the file of the buffer's first byte.
    base: u64,
    /// The offset in the file where reading ahead stops: bytes beyond are read only to complete a record.
    soft_end: u64,
    ended: bool,
}

impl Window {
    /// A window over an uncompressed file from `range.start` on; it reads ahead up to `range.end`.
    ///
    /// # Errors
    /// The file cannot be opened, or has changed.
    pub fn range(file: &FileRef, range: std::ops::Range<u64>, spares: Spares) -> Result<Self> {
        let source = match &file.pipe {
            Some(pipe) => {
                let from = Box::new(PipeReader::new(pipe, range.start));
                Source::Stream { name: file.path.clone(), from }
            }
            None => Source::Range { input: InputFile::open(file)?, next: range.start },
        };
        Ok(Self::new(source, range, spares))
    }

    /// A window over all decompressed bytes of a file, in UTF-8.
    ///
    /// # Errors
    /// The file cannot be opened, or has changed.
    pub fn stream(file: &FileRef, kind: Compression, spares: Spares) -> Result<Self> {
        let source = Source::Stream { name: file.path.clone(), from: open_stream(file, kind)? };
        Ok(Self::new(source, 0..u64::MAX, spares))
    }

    /// A window over all of a file, compressed or not.
    ///
    /// # Errors
    /// As above.
    pub fn whole(file: &FileRef, spares: Spares) -> Result<Self> {
        match Compression::of_file(file)? {
            Compression::None => Self::range(file, 0..file.end(), spares),
            kind => Self::stream(file, kind, spares),
        }
    }

    fn new(source: Source, range: std::ops::Range<u64>, spares: Spares) -> Self {
        let buffer = Buffer::from_vec(spares.take());
        Window { source, spares, buffer, filled: 0, pos: 0, base: range.start, soft_end: range.end, ended: false }
    }

    /// The buffer with its padding; what counts is `pos()..filled()`.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Where the bytes to come begin in the buffer.
    pub fn pos(&self) -> usize {
        self.pos
    }

    /// Where they end.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The bytes to come that are here.
    pub fn rest(&self) -> &[u8] {
        self.buffer.get(self.pos..self.filled).unwrap_or_default()
    }

    /// The offset in the (decompressed) file of a place in the buffer.
    pub fn offset(&self, pos: usize) -> u64 {
        self.base + pos as u64
    }

    /// The place in the buffer of an offset in the file, at most `filled()`.
    pub fn place(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.filled)
    }

    /// Whether the file ends where the buffer ends.
    pub fn is_last(&self) -> bool {
        self.ended
    }

    /// The buffer, for arrays with views into it.
    pub fn buffer(&self) -> Buffer {
        self.buffer.clone()
    }

    /// Goes on behind `pos` (a place in the buffer).
    pub fn advance_to(&mut self, pos: usize) {
        self.pos = pos.min(self.filled);
    }

    /// Reads on until `want` bytes are to come, or the range ends. Returns whether anything was read.
    ///
    /// # Errors
    /// The file cannot be read, has changed, or its compressed data is broken.
    pub fn refill(&mut self, want: usize) -> Result<bool> {
        let here = self.filled - self.pos;
        let before_end = self.soft_end.saturating_sub(self.base + self.filled as u64);
        let more = want.saturating_sub(here).min(usize::try_from(before_end).unwrap_or(usize::MAX));
        if self.ended || more == 0 {
            return Ok(false);
        }
        self.make_room(here, more);
        self.read(more)
    }

    /// Reads on although the range may have ended, because a record has not: at least as much as is here already, so that
    /// a long record is read in few steps. Returns whether anything was read.
    ///
    /// # Errors
    /// As `refill`.
    pub fn overshoot(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let here = self.filled - self.pos;
        let more = OVERSHOOT.max(here);
        self.make_room(here, more);
        self.read(more)
    }

    fn make_room(&mut self, here: usize, more: usize) {
        let need = here + more + PADDING;
        let old = std::mem::replace(&mut self.buffer, Buffer::from_vec(Vec::<u8>::new()));
        let rest = self.pos..self.filled;
        let mut bytes = match old.into_vec::<u8>() {
            Ok(own) if own.len() > SPARE && own.len() / 8 > need => own.get(rest).unwrap_or_default().to_vec(),
            Ok(mut own) => {
                own.copy_within(rest, 0);
                own
            }
            Err(shared) => {
                let mut fresh = self.spares.take();
                fresh.resize(fresh.len().max(need), 0);
                if let (Some(to), Some(from)) = (fresh.get_mut(..here), shared.get(rest)) {
                    to.copy_from_slice(from);
                }
                fresh
            }
        };
        if bytes.len() < need {
            bytes.resize(need, 0);
        }
        self.base += self.pos as u64;
        (self.pos, self.filled) = (0, here);
        self.buffer = Buffer::from_vec(bytes);
    }

    fn read(&mut self, more: usize) -> Result<bool> {
        let buffer = std::mem::replace(&mut self.buffer, Buffer::from_vec(Vec::<u8>::new()));
        let mut bytes = buffer.into_vec::<u8>().map_err(|_| Error::internal("the window's buffer is shared"))?;
        let into = bytes.get_mut(self.filled..self.filled + more).unwrap_or_default();
        let read = match &mut self.source {
            Source::Range { input, next } => {
                let read = input.read_at(into, *next)?;
                *next += read as u64;
                self.ended = *next >= input.size();
                if self.ended {
                    input.check()?;
                }
                read
            }
            Source::Stream { name, from } => {
                let read = fill(&mut **from, into, name, self.base + self.filled as u64)?;
                self.ended = read < more;
                read
            }
        };
        self.filled += read;
        self.buffer = Buffer::from_vec(bytes);
        Ok(read > 0)
    }
}

/// Fills `into`, as far as there is something; `at` is its place in the file `name`.
pub(super) fn fill(from: &mut dyn Read, into: &mut [u8], name: &Arc<str>, at: u64) -> Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|r| !r.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            // What others of us said already, with its place.
            Err(e) if e.get_ref().is_some_and(|inner| inner.is::<Error>()) => {
                let said = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
                return Err(said.cloned().unwrap_or_else(|| Error::io(name, e)));
            }
            Err(e) => {
                let place = Place { file: Some(name.clone()), byte: Some(at + done as u64), ..Place::default() };
                // What went through the decompressor is not its own.
                if let Some(ours) = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                    return Err(ours.clone().at(place));
                }
                return Err(Error::data(format!("the compressed data is broken: {e}")).at(place).because(e));
            }
        }
    }
    Ok(done)
}

impl Drop for Window {
    fn drop(&mut self) {
        let buffer = std::mem::replace(&mut self.buffer, Buffer::from_vec(Vec::<u8>::new()));
        if let Ok(own) = buffer.into_vec::<u8>() {
            self.spares.give(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slides_and_leaves_shared_buffers_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let data: Vec<u8> = (0..100u8).collect();
        std::fs::write(&path, &data).unwrap();
        let file = FileRef::of(&path).unwrap();
        for share in [false, true] {
            let mut window = Window::range(&file, 10..50, Spares::default()).unwrap();
            let (mut seen, mut kept) = (Vec::new(), Vec::new());
            while window.refill(7).unwrap() || !window.rest().is_empty() || window.overshoot().unwrap() {
                let take = window.rest().len().min(3);
                seen.extend_from_slice(&window.rest()[..take]);
                if share {
                    kept.push((window.buffer().slice_with_length(window.pos(), take), seen.len() - take));
                }
                assert_eq!(window.offset(window.pos()), 10 + (seen.len() - take) as u64);
                window.advance_to(window.pos() + take);
            }
            assert_eq!(seen, &data[10..]);
            for (bytes, at) in kept {
                assert_eq!(bytes.as_slice(), &seen[at..at + bytes.len()]);
            }
        }
    }
}
