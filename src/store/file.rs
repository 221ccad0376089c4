//! One writer's file, and the ranges of it that writes claim and give back.

use super::scratch::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::units::ByteSize;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Instant;

/// Ranges begin at multiples of this: file systems give back whole blocks only.
const BLOCK: u64 = 4096;

/// An unlinked file to which ranges are appended.
pub(super) struct SpillFile {
    scratch: Scratch,
    file: File,
    dir: Arc<Path>,
    tail: AtomicU64,
    /// Space that could not be punched out: it is free when the file closes.
    stuck: AtomicU64,
    /// Writes that wait or run.
    pending: Mutex<usize>,
    idle: Condvar,
    /// The first write that failed.
    failed: OnceLock<Error>,
}

impl SpillFile {
    pub(super) fn create(scratch: &Scratch) -> Result<Arc<Self>> {
        let (file, dir) = scratch.inner().create()?;
        let (tail, stuck, pending, idle) = Default::default();
        Ok(Arc::new(SpillFile {
            scratch: scratch.clone(),
            file,
            dir,
            tail,
            stuck,
            pending,
            idle,
            failed: OnceLock::new(),
        }))
    }

    /// Claims room for `bytes` at the end.
    pub(super) fn claim(self: &Arc<Self>, bytes: usize) -> Result<Range> {
        let room = (bytes as u64).next_multiple_of(BLOCK);
        if !self.scratch.inner().space.take(room) {
            return Err(self.over_limit(room));
        }
        Ok(Range { file: self.clone(), at: self.tail.fetch_add(room, Relaxed), room })
    }

    /// The first failure of a write, if there was one.
    pub(super) fn check(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |e| Err(e.clone()))
    }

    pub(super) fn fail(&self, error: &Error) {
        let _ = self.failed.set(error.clone());
    }

    /// Counts a write that waits or runs, until the answer is dropped.
    pub(super) fn pend(self: &Arc<Self>) -> Pending {
        *self.pending.lock().unwrap_or_else(|e| e.into_inner()) += 1;
        Pending(self.clone())
    }

    /// Waits until no write waits or runs.
    pub(super) fn wait_idle(&self) {
        let mut pending = self.pending.lock().unwrap_or_else(|e| e.into_inner());
        while *pending > 0 {
            pending = self.idle.wait(pending).unwrap_or_else(|e| e.into_inner());
        }
    }

    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Writes all of `bytes` at `at`.
    pub(super) fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        let begin = Instant::now();
        self.write_all(bytes, at).map_err(|e| self.write_error(bytes.len(), e))?;
        let nanos = begin.elapsed().as_nanos().min(u64::MAX.into()) as u64;
        self.scratch.inner().see_write_time(bytes.len(), nanos);
        Ok(())
    }

    fn write_all(&self, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.scratch.inner().disk.write_at(&self.file, bytes, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    at += n as u64;
                    bytes = bytes.get(n..).unwrap_or_default();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Fills `into` from `at`.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> Result<()> {
        self.read_all(at, into).map_err(|e| {
            let what = match e.kind() {
                io::ErrorKind::UnexpectedEof => "the file is shorter than what was written to it".into(),
                _ => e.to_string(),
            };
            let dir = self.dir.display();
            Error::new(ErrorKind::Io, format!("reading back from scratch directory {dir} failed: {what}"))
                .because(e)
                .advise("point --scratch to another disk")
        })
    }

    fn read_all(&self, mut at: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            match self.scratch.inner().disk.read_at(&self.file, into, at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    at += n as u64;
                    into = into.get_mut(n..).unwrap_or_default();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Tells the disk that these bytes are read soon.
    pub(super) fn ahead(&self, at: u64, len: u64) {
        self.scratch.inner().disk.ahead(&self.file, at, len);
    }

    /// The error for a block at `at` that is not what was written.
    pub(super) fn corrupt(&self, at: u64, len: usize) -> Error {
        Error::new(
            ErrorKind::Io,
            format!(
                "a block of {} read back from scratch directory {} (byte {at} of its file) is corrupted: its checksum differs from what was written",
                ByteSize(len),
                self.dir.display(),
            ),
        )
        .advise("check that disk and the machine's memory, and point --scratch to another disk")
    }

    fn over_limit(&self, room: u64) -> Error {
        let stats = self.scratch.stats();
        Error::resources(format!(
            "scratch is full: it holds {} of at most {}, and {} more must be written",
            size(stats.used),
            size(stats.limit),
            size(room)
        ))
        .advise(format!("raise --scratch-limit{}, or point --scratch to a larger disk", self.free_text()))
    }

    fn free_text(&self) -> String {
        let free = self.scratch.inner().disk.free(&self.dir);
        free.map_or_else(|_| String::new(), |free| format!(" ({} is free in {})", size(free), self.dir.display()))
    }

    fn write_error(&self, bytes: usize, error: io::Error) -> Error {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let (dir, used) = (self.dir.display(), size(self.scratch.used()));
        if full {
            let message = format!(
                "the disk of scratch directory {dir} is full: writing {} failed, scratch holds {used}",
                ByteSize(bytes)
            );
            let advice = format!("free space there, or point --scratch to a larger disk{}", self.free_text());
            return Error::resources(message).because(error).advise(advice);
        }
        let message = format!("writing {} to scratch directory {dir} failed: {error}", ByteSize(bytes));
        Error::new(ErrorKind::Io, message).because(error).advise("point --scratch to another disk")
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.scratch.inner().space.give(*self.stuck.get_mut());
    }
}

/// One write that waits or runs.
pub(super) struct Pending(Arc<SpillFile>);

impl Drop for Pending {
    fn drop(&mut self) {
        *self.0.pending.lock().unwrap_or_else(|e| e.into_inner()) -= 1;
        self.0.idle.notify_all();
    }
}

/// A piece of a file. Dropping it gives its space back.
pub(super) struct Range {
    file: Arc<SpillFile>,
    at: u64,
    room: u64,
}

impl Range {
    pub(super) fn file(&self) -> &Arc<SpillFile> {
        &self.file
    }

    /// Where it begins in the file.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Where it ends in the file.
    pub(super) fn end(&self) -> u64 {
        self.at + self.room
    }

    /// Writes `bytes`, all of them, at the range's beginning.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        self.file.write(bytes, self.at)
    }

    /// Fills `into` from `start` bytes after the range's beginning.
    pub(super) fn read(&self, start: u32, into: &mut [u8]) -> Result<()> {
        self.file.read(self.at + u64::from(start), into)
    }

    /// Tells the disk that `len` bytes are read soon, from `start` bytes after the range's beginning on.
    pub(super) fn ahead(&self, start: u32, len: u32) {
        self.file.ahead(self.at + u64::from(start), u64::from(len));
    }

    /// The error for a block that is not what was written.
    pub(super) fn corrupt(&self, start: u32, len: usize) -> Error {
        self.file.corrupt(self.at + u64::from(start), len)
    }

    /// Takes the range in that follows this one; `false` where it does not follow.
    pub(super) fn join(&mut self, next: Range) -> bool {
        let follows = Arc::ptr_eq(&self.file, &next.file) && next.at == self.at + self.room;
        if follows {
            self.room += next.room;
            let mut next = next;
            next.room = 0;
        }
        follows
    }

    /// Gives the space before `at` in the file back, whole blocks of it.
    pub(super) fn give_before(&mut self, at: u64) {
        let len = at.saturating_sub(self.at).min(self.room) / BLOCK * BLOCK;
        if len > 0 {
            let front = Range { file: self.file.clone(), at: self.at, room: len };
            self.at += len;
            self.room -= len;
            drop(front);
        }
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        if self.room == 0 {
            return;
        }
        let inner = self.file.scratch.inner();
        // The last one needs no hole: the file is about to close.
        let last = Arc::strong_count(&self.file) == 1;
        if last || inner.disk.punch(&self.file.file, self.at, self.room).is_ok() {
            inner.space.give(self.room);
        } else {
            self.file.stuck.fetch_add(self.room, Relaxed);
        }
    }
}

fn size(bytes: u64) -> ByteSize {
    ByteSize(usize::try_from(bytes).unwrap_or(usize::MAX))
}
