//! A file read at positions: no shared cursor, nothing allocated beyond the file's real length.

use super::fault;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::FileRef;
use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Bytes read ahead for a page header: most take less than 100.
const HEADER_BYTES: usize = 512;

/// An open file. Cheap to clone; the clones share one descriptor.
#[derive(Clone)]
pub(in crate::formats) struct Source(Arc<Open>);

struct Open {
    file: File,
    len: u64,
}

impl Source {
    /// Opens `file` and checks that it is still the one that was inspected.
    pub(in crate::formats) fn open(file: &FileRef) -> Result<Source> {
        let path = &file.path;
        let open = File::open(path.as_ref()).map_err(|e| Error::io(path, e))?;
        let meta = open.metadata().map_err(|e| Error::io(path, e))?;
        if meta.len() != file.size || modified(&meta).is_some_and(|time| time != file.modified) {
            let error = Error::new(ErrorKind::Data, "the file changed while it was read");
            return Err(error.advise("run the query again").at(fault::at(path)));
        }
        Ok(Source(Arc::new(Open { file: open, len: meta.len() })))
    }

    /// Bytes of the file.
    pub(in crate::formats) fn len(&self) -> u64 {
        self.0.len
    }

    /// Fills `buffer` from `start` as far as the file goes; returns the bytes read.
    pub(in crate::formats) fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match read_once(&self.0.file, rest, start + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
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
}

impl Source {
    /// A cursor at the file's begin.
    pub(in crate::formats) fn cursor(&self) -> Cursor {
        Cursor { source: self.clone(), at: 0 }
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
        let n = read_once(&self.source.0.file, buffer, self.at)?;
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
        Ok(BufReader::with_capacity(HEADER_BYTES, Cursor { source: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let missing =
            || ParquetError::EOF(format!("bytes {start}+{length} lie beyond the file's end at {}", self.0.len));
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.len) {
            return Err(missing());
        }
        let mut buffer = vec![0; length];
        if self.read_at(start, &mut buffer)? < length {
            return Err(missing());
        }
        Ok(buffer.into())
    }
}
