//! Where results go: standard output, or a file that appears under its name when it is complete.

use partita::io::Output;
use partita::{Error, Result, Session};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes that gather before they are written.
const BUFFER: usize = 64 << 10;

/// Why no more can be written.
#[derive(Debug)]
pub enum Stop {
    /// The reader of our output had enough: not an error.
    Closed,
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// Takes the bytes of results.
pub struct Target {
    to: To,
    buffer: Vec<u8>,
}

enum To {
    Stream(Box<dyn Write>),
    File { file: Box<dyn Output>, path: PathBuf },
}

impl Target {
    /// Bytes go to a stream.
    pub fn stream(to: impl Write + 'static) -> Self {
        Target { to: To::Stream(Box::new(to)), buffer: Vec::new() }
    }

    /// Bytes go to a file that appears as `path` when complete, packed as its name says.
    ///
    /// # Errors
    /// As [`Session::create`].
    pub fn file(session: &Session, path: &Path) -> Result<Self> {
        let file = session.create(path)?;
        Ok(Target { to: To::File { file, path: path.to_path_buf() }, buffer: Vec::new() })
    }

    /// Where a printer appends.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes what has gathered, if it is enough.
    ///
    /// # Errors
    /// The reader is gone, or writing failed.
    pub fn pass(&mut self) -> Result<(), Stop> {
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes what has gathered.
    ///
    /// # Errors
    /// The reader is gone, or writing failed.
    pub fn flush(&mut self) -> Result<(), Stop> {
        let written = match &mut self.to {
            To::Stream(stream) => stream.write_all(&self.buffer).and_then(|()| stream.flush()),
            To::File { file, .. } => file.write_all(&self.buffer),
        };
        self.buffer.clear();
        // A result of one large batch must not keep its memory for the rest of the session.
        self.buffer.shrink_to(4 * BUFFER);
        written.map_err(|e| self.stop(e))
    }

    /// Everything was written: the file appears.
    ///
    /// # Errors
    /// As `flush`; the file cannot take its name.
    pub fn complete(mut self) -> Result<(), Stop> {
        self.flush()?;
        match self.to {
            To::Stream(_) => Ok(()),
            To::File { file, .. } => Ok(file.complete()?),
        }
    }

    fn stop(&self, error: io::Error) -> Stop {
        match &self.to {
            To::Stream(_) if error.kind() == io::ErrorKind::BrokenPipe => Stop::Closed,
            To::Stream(_) => Stop::Failed(Error::io("standard output", error)),
            To::File { path, .. } => Stop::Failed(Error::io(path.display(), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        std::fs::write(&path, "old").unwrap();
        let session = Session::builder().build().unwrap();
        let mut target = Target::file(&session, &path).unwrap();
        target.buffer().extend_from_slice(b"new");
        target.flush().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        target.complete().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        drop(Target::file(&session, &path).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
        assert!(Target::file(&session, &dir.path().join("no/such/out.csv")).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"\xff.csv"));
            Target::file(&session, &odd).unwrap().complete().unwrap();
            assert!(odd.exists(), "a name that is no UTF-8 stays what it is");
        }
    }

    struct Full(io::ErrorKind);
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let write = |kind| {
            let mut target = Target::stream(Full(kind));
            target.buffer().push(b'x');
            target.flush()
        };
        assert!(matches!(write(io::ErrorKind::BrokenPipe), Err(Stop::Closed)));
        assert!(matches!(write(io::ErrorKind::StorageFull), Err(Stop::Failed(_))));
    }
}
