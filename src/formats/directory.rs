//! An output of many files in one directory, which appears when all are complete.
//!
//! Life of a piece: rows come partition after partition ([`hive`](super::hive) directories; without partitions there is one,
//! the directory itself). A piece of another partition than the last one, or one that comes when the open file is large
//! enough, ends that file and begins the next: one file is open at a time, however many there are. Who has no more rows for
//! the open file may leave it to another writer, who goes on with it.

use super::{Assemble, Piece};
use crate::error::Result;
use crate::io::{Output, STAGED_BUFFER, Stage};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Begins the contents of a file.
pub type BeginFile = dyn Fn(Box<dyn Output>) -> Result<Box<dyn Assemble>> + Send + Sync;

/// How the files are called: `data_{i}` or `part_{uuid}`, then a dot and the ending.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// With `{i}` for the file's number in its directory, or `{uuid}`; without either, the number comes behind it.
    pub pattern: String,
    /// `parquet`, `csv.gz`.
    pub ending: String,
}

/// One of those who write into a directory: the only one, or one of several workers.
pub struct Directory {
    shared: Arc<Shared>,
    /// A file of so many bytes ends; `None` is never.
    file_bytes: Option<u64>,
    open: Option<OpenFile>,
}

struct Shared {
    staging: Mutex<Box<dyn Stage>>,
    naming: Naming,
    begin: Box<BeginFile>,
    files: AtomicU64,
    bytes: AtomicU64,
    /// Whether a directory without rows gets a file without rows.
    never_empty: bool,
}

/// A file that is not ended yet.
pub struct OpenFile {
    partition: Arc<str>,
    file: Box<dyn Assemble>,
    bytes: Arc<AtomicU64>,
}

impl Directory {
    /// Begins the contents of a directory. `never_empty` says that one file is written even without rows.
    pub fn create(
        staging: Box<dyn Stage>,
        naming: Naming,
        file_bytes: Option<u64>,
        never_empty: bool,
        begin: Box<BeginFile>,
    ) -> Directory {
        let staging = Mutex::new(staging);
        let (files, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let shared = Arc::new(Shared { staging, naming, begin, files, bytes, never_empty });
        Directory { shared, file_bytes, open: None }
    }

    /// Another one who writes into it, files of its own.
    pub fn another(&self) -> Directory {
        Directory { shared: self.shared.clone(), file_bytes: self.file_bytes, open: None }
    }

    /// Ends the open file.
    ///
    /// # Errors
    /// What writing its end meets.
    pub fn close(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            self.shared.bytes.fetch_add(open.file.finish()?, Relaxed);
        }
        Ok(())
    }

    /// Gives the open file away. It may wait long, and with many others: its packer is given up, and who goes on with it
    /// begins another member of the same file.
    ///
    /// # Errors
    /// What writing the end of a member meets.
    pub fn leave(&mut self) -> Result<Option<OpenFile>> {
        let mut left = self.open.take();
        left.as_mut().map_or(Ok(()), |open| open.file.rest())?;
        Ok(left)
    }

    /// Ends the open file, and goes on with one that another writer left.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn go_on(&mut self, file: OpenFile) -> Result<()> {
        self.close()?;
        self.open = Some(file);
        Ok(())
    }

    /// Appends a piece, all of whose rows are of one partition (the empty text, where there are none).
    ///
    /// # Errors
    /// What writing meets.
    pub fn append(&mut self, partition: &Arc<str>, piece: Piece) -> Result<()> {
        self.file_of(partition)?.as_mut().append(piece)
    }

    /// Bytes that it keeps in memory until the open file is complete.
    pub fn held(&self) -> usize {
        self.open.as_ref().map_or(0, OpenFile::held)
    }

    /// Completes the output: it appears under its name. Returns its size in bytes.
    ///
    /// # Errors
    /// What writing and naming meet.
    pub fn finish(mut self) -> Result<u64> {
        self.close()?;
        if self.shared.never_empty && self.shared.files.load(Relaxed) == 0 {
            self.open = Some(self.shared.begin_file(&"".into())?);
            self.close()?;
        }
        self.shared.staging().complete()?;
        Ok(self.shared.bytes.load(Relaxed))
    }

    fn is_full(&self, open: &OpenFile) -> bool {
        self.file_bytes.is_some_and(|most| open.bytes.load(Relaxed) >= most)
    }

    /// The file that a piece of `partition` goes to.
    fn file_of(&mut self, partition: &Arc<str>) -> Result<&mut Box<dyn Assemble>> {
        let goes_on = self.open.as_ref().is_some_and(|open| open.partition == *partition && !self.is_full(open));
        if !goes_on {
            self.close()?;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => self.shared.begin_file(partition)?,
        };
        Ok(&mut self.open.insert(open).file)
    }
}

impl OpenFile {
    /// Bytes that are kept in memory until it is complete.
    pub fn held(&self) -> usize {
        self.file.held() + STAGED_BUFFER
    }
}

impl Shared {
    fn staging(&self) -> MutexGuard<'_, Box<dyn Stage>> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_file(&self, partition: &Arc<str>) -> Result<OpenFile> {
        let (output, bytes) = {
            let staging = self.staging();
            let mut number = 0;
            let mut path = self.naming.path(partition, number);
            while staging.has(&path) {
                number += 1;
                path = self.naming.path(partition, number);
            }
            staging.file(&path)?
        };
        self.files.fetch_add(1, Relaxed);
        Ok(OpenFile { partition: partition.clone(), file: (self.begin)(output)?, bytes })
    }
}

impl Naming {
    fn path(&self, partition: &str, number: u64) -> PathBuf {
        let pattern = &self.pattern;
        let named = match pattern.contains("{i}") || pattern.contains("{uuid}") {
            true => pattern.replace("{i}", &number.to_string()).replace("{uuid}", &uuid()),
            false => format!("{pattern}{number}"),
        };
        Path::new(partition).join(format!("{named}.{}", self.ending))
    }
}

/// A random UUID, version 4.
fn uuid() -> String {
    let random = || RandomState::new().hash_one(std::time::Instant::now());
    let (high, low) = (random() & !0xf000 | 0x4000, random() & !(3 << 62) | 2 << 62);
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |pattern: &str| Naming { pattern: pattern.into(), ending: "csv".into() }.path("k=1", 7);
        assert_eq!(name("data_{i}"), Path::new("k=1/data_7.csv"));
        assert_eq!(name("x"), Path::new("k=1/x7.csv"));
        let uuid = name("{uuid}").display().to_string();
        let dashes: Vec<usize> = uuid.match_indices('-').map(|(at, _)| at - 4).collect();
        assert_eq!((uuid.len(), dashes.as_slice(), uuid.as_bytes()[18]), (44, &[8, 13, 18, 23][..], b'4'), "{uuid}");
        assert_ne!(name("{uuid}"), name("{uuid}"));
    }
}
