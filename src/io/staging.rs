//! Directories that appear under their name only when they are complete.
//!
//! 1. Files go to a hidden directory beside the target: `.out.partita-<process>-<number>`. Its owner holds a lock on it, so
//!    that whoever comes next to write beside it can tell that an owner is dead, and sweeps what it left.
//! 2. [`Staging::complete`] gives it the target's name by one rename. A directory that has files already is refused, or
//!    exchanged for the new one (and then removed), or keeps its files: then each new file is moved into it.
//!
//! Limit: moving files into a directory that is there is not one step; but it begins when all of them are complete.

use super::Output;
use super::target::linked;
use super::url::must_be_path;
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What becomes of files that are in the target already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// They are an error.
    #[default]
    Refused,
    /// They go away.
    Replaced,
    /// They stay, but for those whose names come again.
    Kept,
    /// They stay; a name that comes again is an error.
    Added,
}

/// A directory in the making, whose files appear together. Dropped before `complete`, it leaves nothing behind.
pub trait Stage: Send {
    /// A new file in it; its bytes are counted. `relative` may begin with directories.
    ///
    /// # Errors
    /// It cannot be made.
    fn file(&self, relative: &Path) -> Result<(Box<dyn Output>, Arc<AtomicU64>)>;

    /// Whether a file of that name was begun.
    fn has(&self, relative: &Path) -> bool;

    /// The directory appears.
    ///
    /// # Errors
    /// What naming it meets.
    fn complete(&mut self) -> Result<()>;
}

/// A directory of the file system. Dropped before `complete`, it leaves nothing behind.
pub struct Staging {
    target: PathBuf,
    directory: PathBuf,
    existing: Existing,
    /// Locked while the owner lives.
    _lock: Option<File>,
    done: bool,
}

/// Bytes that are gathered before a file is written; there may be an open file for each piece of the input.
pub const STAGED_BUFFER: usize = 64 << 10;

/// The mark of our hidden directories.
const MARK: &str = ".partita-";

impl Staging {
    /// Begins the directory that shall appear as `target`.
    ///
    /// # Errors
    /// `target` is a file, links in a circle, or holds files where they are refused; its parent does not exist or cannot be written.
    pub fn begin(target: &Path, existing: Existing) -> Result<Staging> {
        must_be_path(target)?;
        // What a link names becomes the directory, and the link stays.
        let target = linked(target)?;
        let target = target.as_path();
        let name = target.file_name().ok_or_else(|| {
            Error::query(format!("{} is no name for a directory of output", target.display()))
                .advise("name a directory that can be made: out/sales")
        })?;
        if target.is_file() {
            return Err(Error::query(format!("{} is a file, where a directory would be written", target.display())));
        }
        if existing == Existing::Refused && !is_empty(target)? {
            return Err(not_empty(target));
        }
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let prefix = format!(".{}{MARK}", name.to_string_lossy());
        sweep(parent, &prefix);
        let (directory, lock) = claim(parent, &prefix).map_err(|e| Error::io(target.display(), e))?;
        Ok(Staging { target: target.to_path_buf(), directory, existing, _lock: lock, done: false })
    }

    /// The new directory takes the old one's name in one step, where the system can do that.
    fn replace(&self) -> io::Result<()> {
        if exchange(&self.directory, &self.target)? {
            return Ok(());
        }
        let old = self.directory.with_extension("old");
        fs::rename(&self.target, &old)?;
        fs::rename(&self.directory, &self.target)?;
        fs::remove_dir_all(&old)
    }

    /// Moves every file below `relative` into the target.
    fn merge(&self, relative: &Path, replaces: bool) -> io::Result<()> {
        fs::create_dir_all(self.target.join(relative))?;
        for entry in fs::read_dir(self.directory.join(relative))? {
            let entry = entry?;
            let inner = relative.join(entry.file_name());
            let to = self.target.join(&inner);
            if entry.file_type()?.is_dir() {
                self.merge(&inner, replaces)?;
            } else if !replaces && to.exists() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there", to.display())));
            } else {
                fs::rename(entry.path(), to)?;
            }
        }
        Ok(())
    }
}

impl Stage for Staging {
    fn file(&self, relative: &Path) -> Result<(Box<dyn Output>, Arc<AtomicU64>)> {
        let path = self.directory.join(relative);
        let shown = || self.target.join(relative).display().to_string();
        let make = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::options().write(true).create_new(true).open(&path)
        };
        let file = make().map_err(|e| Error::io(shown(), e))?;
        let bytes = Arc::new(AtomicU64::new(0));
        let staged =
            StagedFile { file: BufWriter::with_capacity(STAGED_BUFFER, file), bytes: bytes.clone(), name: shown() };
        Ok((Box::new(staged), bytes))
    }

    fn has(&self, relative: &Path) -> bool {
        self.directory.join(relative).exists()
    }

    fn complete(&mut self) -> Result<()> {
        let appeared = match is_empty(&self.target)? {
            true => fs::rename(&self.directory, &self.target),
            false => match self.existing {
                Existing::Refused => return Err(not_empty(&self.target)),
                Existing::Replaced => self.replace(),
                Existing::Kept => self.merge(Path::new(""), true),
                Existing::Added => self.merge(Path::new(""), false),
            },
        };
        appeared.map_err(|e| Error::io(self.target.display(), e))?;
        // What is left under the hidden name is what was replaced, or directories without files.
        let _ = fs::remove_dir_all(&self.directory);
        self.done = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

fn not_empty(target: &Path) -> Error {
    Error::query(format!("the directory {} is not empty", target.display()))
        .advise("OVERWRITE replaces it, OVERWRITE_OR_IGNORE replaces files of the same names, APPEND adds files")
}

/// Whether a directory is not there, or has nothing in it.
fn is_empty(path: &Path) -> Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(Error::io(path.display(), e)),
    }
}

/// A new hidden directory that is locked. Somebody who sweeps may catch it before its lock: then it is made again.
fn claim(parent: &Path, prefix: &str) -> io::Result<(PathBuf, Option<File>)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = NUMBER.fetch_add(1, Relaxed);
        let path = parent.join(format!("{prefix}{}-{now:x}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let Ok(lock) = File::open(&path) else { return Ok((path, None)) };
        match lock.try_lock() {
            Ok(()) if path.is_dir() => return Ok((path, Some(lock))),
            // A file system without locks: nobody can sweep it either.
            Err(fs::TryLockError::Error(_)) => return Ok((path, None)),
            _ => {}
        }
    }
}

/// Removes what dead owners left. Whoever cannot be asked is left alone.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(prefix)) {
        let Ok(lock) = File::open(entry.path()) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Exchanges two directories in one step; false where the system cannot.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_a: &Path, _b: &Path) -> io::Result<bool> {
    Ok(false)
}

/// A file of a directory in the making.
struct StagedFile {
    file: BufWriter<File>,
    bytes: Arc<AtomicU64>,
    name: String,
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.bytes.fetch_add(n as u64, Relaxed);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for StagedFile {
    fn complete(mut self: Box<Self>) -> Result<()> {
        self.file.flush().map_err(|e| Error::io(&self.name, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(staging: &Staging, name: &str, text: &str) {
        let (mut file, bytes) = staging.file(Path::new(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.complete().unwrap();
        assert_eq!(bytes.load(Relaxed), text.len() as u64);
    }

    fn files(dir: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut open = vec![dir.to_path_buf()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(&next).unwrap().map(|e| e.unwrap().path()) {
                match entry.is_dir() {
                    true => open.push(entry),
                    false => {
                        let name = entry.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                        found.push((name, fs::read_to_string(&entry).unwrap()));
                    }
                }
            }
        }
        found.sort();
        found
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let begun = Staging::begin(&out, Existing::Refused).unwrap();
        put(&begun, "k=1/a", "one");
        assert!(begun.has(Path::new("k=1/a")) && begun.file(Path::new("k=1/a")).is_err() && !out.exists());
        drop(begun);
        assert!(files(dir.path()).is_empty() && fs::read_dir(dir.path()).unwrap().next().is_none());
        let mut done = Staging::begin(&out, Existing::Refused).unwrap();
        put(&done, "k=1/a", "one");
        put(&done, "b", "two");
        done.complete().unwrap();
        drop(done);
        assert_eq!(files(dir.path()), pairs(&[("out/b", "two"), ("out/k=1/a", "one")]));
        assert!(
            Staging::begin(&out, Existing::Refused).is_err() && Staging::begin(&out.join("b"), Existing::Kept).is_err()
        );
    }

    #[test]
    fn what_is_there_is_replaced_kept_or_added_to() {
        for (existing, expected) in [
            (Existing::Replaced, Some(pairs(&[("a", "new"), ("d/c", "new")]))),
            (Existing::Kept, Some(pairs(&[("a", "new"), ("b", "old"), ("d/c", "new")]))),
            (Existing::Added, None),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            fs::create_dir(&out).unwrap();
            fs::write(out.join("a"), "old").unwrap();
            fs::write(out.join("b"), "old").unwrap();
            let mut staging = Staging::begin(&out, existing).unwrap();
            put(&staging, "a", "new");
            put(&staging, "d/c", "new");
            assert_eq!(staging.complete().is_ok(), expected.is_some());
            drop(staging);
            if let Some(expected) = expected {
                assert_eq!(files(&out), expected);
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{existing:?}");
        }
    }

    #[test]
    fn what_the_dead_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let left = dir.path().join(".out.partita-1-2-3");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("a"), "torn").unwrap();
        let living = Staging::begin(&out, Existing::Refused).unwrap();
        let other = Staging::begin(&out, Existing::Refused).unwrap();
        assert!(!left.exists() && living.directory.exists() && other.directory.exists());
    }
}
