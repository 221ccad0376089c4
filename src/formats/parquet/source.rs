//! A file read at positions: no shared cursor, nothing allocated beyond the file's real length.
//!
//! Of a file in a store, what will be read is [announced](Source::announce), so that nothing else comes over the network.
//! The pages there are not measured before they are decoded: the claim of each header is checked when it is read.

use super::{fault, pages};
use crate::error::{Error, ErrorKind, Result};
use crate::formats::FileRef;
use crate::io::Pieces;
use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

/// Bytes read ahead for a page header: most take less than 100.
const HEADER_BYTES: usize = 512;

/// An open file. Cheap to clone; the clones share one descriptor.
#[derive(Clone)]
pub(in crate::formats) struct Source(Arc<Open>);

struct Open {
    from: From,
    len: u64,
}

enum From {
    File(File),
    Remote(Box<Remote>),
}

/// A file in a store.
struct Remote {
    pieces: Pieces,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    chunks: Vec<Chunk>,
    /// What went wrong first: decoders tell only its text.
    failed: Option<Error>,
}

/// A column chunk that was announced.
#[derive(Clone)]
struct Chunk {
    range: Range<u64>,
    column: String,
    /// The most that a page of it may claim.
    most: usize,
    /// Whether its pages are read by their index, each with its header.
    indexed: bool,
}

impl Remote {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.pieces.read(range).map_err(|e| self.fail(e))
    }

    fn fail(&self, error: Error) -> io::Error {
        self.lock().failed.get_or_insert_with(|| error.clone());
        io::Error::other(error)
    }

    /// A header at `at` must not claim more than its chunk can hold.
    fn check(&self, at: u64, bytes: &[u8], indexed: bool) -> io::Result<()> {
        let chunk = self.lock().chunks.iter().find(|c| c.range.contains(&at) && c.indexed == indexed).cloned();
        let Some((chunk, claim)) = chunk.zip(pages::claim(bytes)) else { return Ok(()) };
        match claim > chunk.most {
            true => Err(self.fail(pages::too_large(claim, chunk.column, at))),
            false => Ok(()),
        }
    }
}

impl Source {
    /// Opens `file` and checks that it is still the one that was inspected.
    pub(in crate::formats) fn open(file: &FileRef) -> Result<Source> {
        let path = &file.path;
        if let Some(remote) = &file.remote {
            let remote = Remote { pieces: remote.pieces(), state: Mutex::default() };
            let len = remote.pieces.size();
            return Ok(Source(Arc::new(Open { from: From::Remote(Box::new(remote)), len })));
        }
        let open = File::open(path.as_ref()).map_err(|e| Error::io(path, e))?;
        let meta = open.metadata().map_err(|e| Error::io(path, e))?;
        if meta.len() != file.size || modified(&meta).is_some_and(|time| time != file.modified) {
            let error = Error::new(ErrorKind::Data, "the file changed while it was read");
            return Err(error.advise("run the query again").at(fault::at(path)));
        }
        Ok(Source(Arc::new(Open { from: From::File(open), len: meta.len() })))
    }

    /// Bytes of the file.
    pub(in crate::formats) fn len(&self) -> u64 {
        self.0.len
    }

    /// Whether it is in a store, so that reads here and there cost much.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.0.from, From::Remote(_))
    }

    /// From now on these chunks are read, with or without an index of their pages.
    ///
    /// # Errors
    /// What requests meet.
    pub(super) fn announce<'a>(
        &self,
        chunks: impl Iterator<Item = &'a ColumnChunkMetaData>,
        indexed: bool,
    ) -> Result<()> {
        let From::Remote(remote) = &self.0.from else { return Ok(()) };
        let chunk = |chunk: &ColumnChunkMetaData| {
            let (start, length) = chunk.byte_range();
            let (column, most) = (chunk.column_path().string(), pages::most_of(chunk));
            Chunk { range: start..start.saturating_add(length), column, most, indexed }
        };
        let chunks: Vec<Chunk> = chunks.map(chunk).collect();
        let ranges = chunks.iter().map(|chunk| chunk.range.clone()).collect();
        remote.lock().chunks = chunks;
        remote.pieces.announce(ranges)
    }

    /// The error that decoding met, or what made it fail.
    pub(in crate::formats) fn cause(&self, met: Error) -> Error {
        match &self.0.from {
            From::Remote(remote) => remote.lock().failed.clone().unwrap_or(met),
            From::File(_) => met,
        }
    }

    /// Fills `buffer` from `start` as far as the file goes; returns the bytes read.
    pub(in crate::formats) fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.read_once(rest, start + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn read_once(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let remote = match &self.0.from {
            From::File(file) => return read_once(file, buffer, at),
            From::Remote(remote) => remote,
        };
        let end = at.saturating_add(buffer.len() as u64).min(self.0.len);
        let bytes = remote.read(at..end.max(at))?;
        if let Some(to) = buffer.get_mut(..bytes.len()) {
            to.copy_from_slice(&bytes);
        }
        Ok(bytes.len())
    }
}

/// A file's time of modification in nanoseconds since 1970, where the system knows it.
pub(in crate::formats) fn modified(meta: &std::fs::Metadata) -> Option<i128> {
    let time = meta.modified().ok()?;
    Some(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    })
}

#[cfg(unix)]
fn read_once(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_once(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// A cursor of its own on a source.
pub(in crate::formats) struct Cursor {
    source: Source,
    at: u64,
    /// Where a page's header is read, until it was.
    header: Option<u64>,
}

impl Source {
    /// A cursor at the file's begin.
    pub(in crate::formats) fn cursor(&self) -> Cursor {
        Cursor { source: self.clone(), at: 0, header: None }
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.0.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a position before the file's begin"))?;
        Ok(self.at)
    }
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_once(buffer, self.at)?;
        if let (Some(at), From::Remote(remote)) = (self.header.take(), &self.source.0.from) {
            remote.check(at, buffer.get(..n).unwrap_or_default(), false)?;
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.len
    }
}

impl ChunkReader for Source {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let cursor = Cursor { source: self.clone(), at: start, header: Some(start) };
        Ok(BufReader::with_capacity(HEADER_BYTES, cursor))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let missing =
            || ParquetError::EOF(format!("bytes {start}+{length} lie beyond the file's end at {}", self.0.len));
        let end = start.checked_add(length as u64).filter(|end| *end <= self.0.len).ok_or_else(missing)?;
        if let From::Remote(remote) = &self.0.from {
            let bytes = remote.read(start..end)?;
            remote.check(start, &bytes, true)?;
            // What is decoded may point into it: a page must not keep a whole piece.
            return Ok(Bytes::copy_from_slice(&bytes));
        }
        let mut buffer = vec![0; length];
        if self.read_at(start, &mut buffer)? < length {
            return Err(missing());
        }
        Ok(buffer.into())
    }
}
