//! Byte ranges of a file that must not change while it is read, here or in a store.

use super::paths::{FileRef, modified};
use super::remote::RemoteReader;
use crate::error::{Error, Place, Result};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// An open file. Reads are positioned, so that threads may share it.
#[derive(Debug)]
pub struct InputFile {
    from: From,
    as_found: FileRef,
}

#[derive(Debug)]
enum From {
    File(File),
    /// Each of its answers is checked.
    Remote(RemoteReader),
}

impl InputFile {
    /// Opens a file that was found before.
    ///
    /// # Errors
    /// It is gone, cannot be read, is not as it was, or is a pipe.
    pub fn open(as_found: &FileRef) -> Result<Self> {
        if as_found.pipe.is_some() {
            let message = format!("{} is a pipe, of which no ranges can be read", as_found.path);
            return Err(Error::unsupported(message).advise("write it to a file first"));
        }
        let from = match &as_found.remote {
            Some(remote) => From::Remote(remote.reader()),
            None => From::File(File::open(Path::new(&*as_found.path)).map_err(|e| Error::io(&as_found.path, e))?),
        };
        let input = InputFile { from, as_found: as_found.clone() };
        input.check()?;
        Ok(input)
    }

    /// # Errors
    /// The file has changed since it was found.
    pub fn check(&self) -> Result<()> {
        let From::File(file) = &self.from else { return Ok(()) };
        let meta = file.metadata().map_err(|e| Error::io(&self.as_found.path, e))?;
        if meta.len() != self.as_found.size || modified(&meta) != self.as_found.modified {
            return Err(self.changed());
        }
        Ok(())
    }

    fn changed(&self) -> Error {
        let place = Place { file: Some(self.name().clone()), ..Place::default() };
        Error::data("the file changed while it was read").at(place).advise("run the query again when it is complete")
    }

    /// The path, as the user would write it.
    pub fn name(&self) -> &Arc<str> {
        &self.as_found.path
    }

    /// The size, in bytes.
    pub fn size(&self) -> u64 {
        self.as_found.size
    }

    /// Fills `into` from `offset` on, up to the file's end; returns the bytes read.
    ///
    /// # Errors
    /// The file cannot be read, or is shorter than it was.
    pub fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let left = usize::try_from(self.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let file = match &self.from {
            From::File(file) => file,
            From::Remote(remote) => {
                remote.read_at(into.get_mut(..wanted).unwrap_or_default(), offset)?;
                return Ok(wanted);
            }
        };
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..wanted).filter(|r| !r.is_empty()) {
            match positioned(file, rest, offset + done as u64) {
                Ok(0) => return Err(self.changed()),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io(self.name(), e)),
            }
        }
        Ok(done)
    }
}

#[cfg(unix)]
fn positioned(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
fn positioned(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}

/// All of a file in order, for decompressors.
pub(super) struct Sequential {
    pub(super) input: InputFile,
    pub(super) at: u64,
}

impl io::Read for Sequential {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read_at(into, self.at).map_err(io::Error::other)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_and_notices_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"0123456789").unwrap();
        let found = FileRef::of(&path).unwrap();
        let input = InputFile::open(&found).unwrap();
        let mut into = [0; 4];
        assert_eq!((input.read_at(&mut into, 3).unwrap(), &into), (4, b"3456"));
        assert_eq!((input.read_at(&mut into, 8).unwrap(), &into[..2]), (2, &b"89"[..]));
        assert_eq!(input.read_at(&mut into, 99).unwrap(), 0);
        std::fs::write(&path, b"012").unwrap();
        assert!(input.read_at(&mut into, 3).is_err() && input.check().is_err());
        assert!(InputFile::open(&found).is_err());
    }
}
