//! Outputs that appear under their name only when they are complete.
//!
//! 1. The bytes go to a file without a name in the target's directory (`O_TMPFILE`), so that even a killed process
//!    leaves nothing behind. Where the file system lacks that, to a hidden temporary name.
//! 2. `complete` links the file to its name; a file that has the name already is replaced by a rename, and hands on its
//!    mode and owner. A name that [leads](super::target) to a device or a FIFO is written in place.
//!
//! The data is not forced to the disk: after a loss of power, what the file system promises holds.

use super::target::Target;
use super::url::must_be_path;
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that gather before they are written.
const BUFFER: usize = 1 << 18;

/// Where bytes go: a file that appears when complete, or a stream. Dropped without `complete`, it leaves nothing behind.
pub trait Output: Write + Send {
    /// All was written: the output appears under its name.
    ///
    /// # Errors
    /// The last bytes could not be written, or the file not named.
    fn complete(self: Box<Self>) -> Result<()>;

    /// Nothing may be written for a while: what is kept in memory only to write more is given up.
    ///
    /// # Errors
    /// What had to be written before that could not be.
    fn rest(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A file that appears under its name when complete, in place of one that had the name.
pub struct AtomicFile {
    file: BufWriter<File>,
    target: PathBuf,
    /// The temporary name, where files without one are not supported.
    temporary: Option<PathBuf>,
}

impl AtomicFile {
    /// Begins the file that shall appear as `target`; opens it, where it is no file but a device or a FIFO.
    ///
    /// # Errors
    /// The directory does not exist or cannot be written, or `target` is a directory or protected.
    pub fn create(target: &Path) -> Result<Box<dyn Output>> {
        must_be_path(target)?;
        if target.is_dir() {
            return Err(Error::query(format!("{} is a directory", target.display())));
        }
        let found = match Target::of(target)? {
            Target::Stream(stream) => {
                let to = BufWriter::with_capacity(BUFFER, stream);
                return Ok(Box::new(InPlace { to, name: target.to_path_buf() }));
            }
            Target::File(path) => path,
        };
        let target = found.as_path();
        let within = directory(target);
        if !within.exists() {
            let message = format!("{}: there is no directory {}", target.display(), within.display());
            return Err(Error::new(ErrorKind::Io, message).advise("make it first, or check the path"));
        }
        Ok(Box::new(Self::begin(target, true)?))
    }

    fn begin(target: &Path, unnamed: bool) -> Result<AtomicFile> {
        let file = if unnamed { unnamed_file(directory(target)) } else { None };
        let (file, temporary) = match file {
            Some(file) => (file, None),
            None => {
                let name = temporary_name(target);
                let made = File::options().write(true).create_new(true).open(&name);
                (made.map_err(|e| Error::io(target.display(), e))?, Some(name))
            }
        };
        Ok(AtomicFile { file: BufWriter::with_capacity(BUFFER, file), target: target.to_path_buf(), temporary })
    }

    fn appear(&mut self) -> io::Result<()> {
        self.file.flush()?;
        inherit(self.file.get_ref(), &self.target);
        let name = match self.temporary.clone() {
            Some(name) => name,
            None if link(self.file.get_ref(), &self.target)? => return Ok(()),
            None => {
                let name = temporary_name(&self.target);
                link(self.file.get_ref(), &name)?;
                self.temporary = Some(name.clone());
                name
            }
        };
        fs::rename(&name, &self.target)?;
        self.temporary = None;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for AtomicFile {
    fn complete(mut self: Box<Self>) -> Result<()> {
        self.appear().map_err(|e| Error::io(self.target.display(), e))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(name) = &self.temporary {
            let _ = fs::remove_file(name);
        }
    }
}

fn directory(target: &Path) -> &Path {
    target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A hidden name beside the target that no other writer has.
fn temporary_name(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    directory(target).join(format!(".{name}.{}-{unique:x}", std::process::id()))
}

/// Takes on the mode and the owner of the file that has the name, as far as the system lets.
#[cfg(unix)]
fn inherit(file: &File, name: &Path) {
    use std::os::unix::fs::MetadataExt;
    if let Ok(old) = fs::metadata(name) {
        // A file with the user's own defaults is better than none: so errors are let go.
        let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
        let _ = file.set_permissions(old.permissions());
    }
}

#[cfg(not(unix))]
fn inherit(_file: &File, _name: &Path) {}

#[cfg(target_os = "linux")]
fn unnamed_file(directory: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::from_raw_mode(0o666)).ok().map(File::from)
}

#[cfg(not(target_os = "linux"))]
fn unnamed_file(_directory: &Path) -> Option<File> {
    None
}

/// Gives an unnamed file a name; false where another file has it.
#[cfg(target_os = "linux")]
fn link(file: &File, name: &Path) -> io::Result<bool> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let here = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, here.as_str(), CWD, name, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _name: &Path) -> io::Result<bool> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// A device or a FIFO, which gets the bytes as they come.
struct InPlace {
    to: BufWriter<File>,
    name: PathBuf,
}

impl Write for InPlace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Output for InPlace {
    fn complete(mut self: Box<Self>) -> Result<()> {
        self.to.flush().map_err(|e| Error::io(self.name.display(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let within = dir.path().join("no/such");
        let e = AtomicFile::create(&within.join("x.csv")).err().unwrap();
        assert!(e.message().contains(&format!("there is no directory {}", within.display())), "{e}");
        assert_eq!(e.kind(), ErrorKind::Io);
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn appears_when_complete_and_replaces() {
        for unnamed in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.csv");
            for text in ["one", "two"] {
                let before = fs::read_to_string(&path).ok();
                let mut out = Box::new(AtomicFile::begin(&path, unnamed).unwrap());
                out.write_all(text.as_bytes()).unwrap();
                out.flush().unwrap();
                assert_eq!(fs::read_to_string(&path).ok(), before);
                out.complete().unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
            }
            let mut dropped = AtomicFile::begin(&path, unnamed).unwrap();
            dropped.write_all(b"three").unwrap();
            drop(dropped);
            assert_eq!(fs::read_to_string(&path).unwrap(), "two");
            assert_eq!(names(dir.path()), ["a.csv"], "unnamed: {unnamed}");
        }
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(AtomicFile::create(&dir.path().join("no/a.csv")).is_err());
        assert!(AtomicFile::create(dir.path()).is_err());
    }
}
