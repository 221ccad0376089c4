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
//! 4. When the last of those arrays is gone, their buffer waits with the [`Spares`] for its next use: fresh memory is
//!    cleared by the kernel, page by page, which costs more than reading into it.

use super::compress::{Compression, open_stream};
use super::paths::FileRef;
use super::pipe::PipeReader;
use super::read::InputFile;
use crate::error::{Error, Place, Result};
use arrow::buffer::Buffer;
use bytes::Bytes;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Bytes behind the filled part that may be loaded (not used) without a check of bounds.
pub const PADDING: usize = 64;

/// Bytes read beyond the end of a range at a time, to complete its last record.
const OVERSHOOT: usize = 16 << 10;

/// The largest buffer that waits for its next use: what one long record needed is given back.
const SPARE: usize = 4 << 20;

/// Buffers that wait for their next use, shared by the readers of one scan.
#[derive(Clone, Default)]
pub struct Spares(Arc<Waiting>);

type Waiting = Mutex<Vec<Vec<u8>>>;

impl Spares {
    /// Lets go of all buffers that wait.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Arc<Region> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Arc::new(Region { bytes, spares: Arc::downgrade(&self.0) })
    }
}

/// A window's memory. It goes back to its scan's spares, unless the scan has ended.
struct Region {
    bytes: Vec<u8>,
    spares: Weak<Waiting>,
}

impl Drop for Region {
    fn drop(&mut self) {
        let Some(spares) = self.spares.upgrade() else { return };
        let mut spares = spares.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < 8 && !self.bytes.is_empty() && self.bytes.len() <= SPARE {
            spares.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// A region that arrays have views into.
struct Lent(Arc<Region>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
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
    region: Arc<Region>,
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
        let region = spares.take();
        Window { source, spares, region, filled: 0, pos: 0, base: range.start, soft_end: range.end, ended: false }
    }

    /// The buffer with its padding; what counts is `pos()..filled()`.
    pub fn bytes(&self) -> &[u8] {
        &self.region.bytes
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
        self.region.bytes.get(self.pos..self.filled).unwrap_or_default()
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
        Buffer::from(Bytes::from_owner(Lent(self.region.clone())))
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
        let rest = self.pos..self.filled;
        match Arc::get_mut(&mut self.region) {
            Some(own) if own.bytes.len() > SPARE && own.bytes.len() / 8 > need => {
                own.bytes = own.bytes.get(rest).unwrap_or_default().to_vec();
            }
            Some(own) => own.bytes.copy_within(rest, 0),
            None => self.leave_region(rest, need),
        }
        if let Some(own) = Arc::get_mut(&mut self.region).filter(|own| own.bytes.len() < need) {
            own.bytes.resize(need, 0);
        }
        self.base += self.pos as u64;
        (self.pos, self.filled) = (0, here);
    }

    /// Goes on in other memory, with what is in `rest` of that which arrays look at.
    fn leave_region(&mut self, rest: std::ops::Range<usize>, need: usize) {
        let mut fresh = self.spares.take();
        if let Some(own) = Arc::get_mut(&mut fresh) {
            own.bytes.resize(own.bytes.len().max(need), 0);
            let from = self.region.bytes.get(rest).unwrap_or_default();
            if let Some(to) = own.bytes.get_mut(..from.len()) {
                to.copy_from_slice(from);
            }
        }
        self.region = fresh;
    }

    fn read(&mut self, more: usize) -> Result<bool> {
        let region = Arc::get_mut(&mut self.region).ok_or_else(|| Error::internal("the window's buffer is shared"))?;
        let into = region.bytes.get_mut(self.filled..self.filled + more).unwrap_or_default();
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

    #[test]
    fn what_arrays_let_go_of_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, vec![7; 1000]).unwrap();
        let file = FileRef::of(&path).unwrap();
        let spares = Spares::default();
        let waiting = |spares: &Spares| spares.0.lock().unwrap().len();
        let mut window = Window::range(&file, 0..1000, spares.clone()).unwrap();
        window.refill(100).unwrap();
        let view = window.buffer();
        let place = view.as_ptr();
        window.advance_to(50);
        window.refill(100).unwrap();
        assert_ne!(window.bytes().as_ptr(), place, "what is looked at is not written over");
        assert_eq!((waiting(&spares), view.as_slice()[..100].to_vec()), (0, vec![7; 100]));
        drop(view);
        assert_eq!(waiting(&spares), 1);
        let other = Window::range(&file, 0..1000, spares.clone()).unwrap();
        assert_eq!(other.bytes().as_ptr(), place);
        let late = window.buffer();
        drop((window, other));
        assert_eq!(waiting(&spares), 1);
        drop(spares);
        drop(late); // nobody waits for it any more
    }
}
