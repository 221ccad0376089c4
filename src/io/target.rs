//! Where the name of an output leads: to a file, which is replaced as a whole, or to what takes bytes as they come.
//!
//! - Links are followed: what a link names is written, and the link stays.
//! - Devices and FIFOs are written in place: nothing may ever take their names. A FIFO waits for its reader.
//! - `/dev/stdout` and `/dev/stderr` are what this process has, whatever stands behind them.

use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Links that are followed from one name, as the system does.
const MOST_LINKS: usize = 40;

/// What takes the bytes of an output.
#[derive(Debug)]
pub(super) enum Target {
    /// A file of this name, which may be there already.
    File(PathBuf),
    /// Something that cannot be replaced.
    Stream(File),
}

impl Target {
    /// Where `name` leads.
    ///
    /// # Errors
    /// A device that cannot be opened, a file that may not be written, links in a circle.
    pub(super) fn of(name: &Path) -> Result<Target> {
        let failed = |e| Error::io(name.display(), e);
        if let Some(own) = own_stream(name) {
            return own.map(Target::Stream).map_err(failed);
        }
        match fs::metadata(name) {
            Ok(meta) if meta.is_file() => may_write(name).map_err(failed)?,
            Ok(meta) if !meta.is_dir() => {
                return File::options().write(true).open(name).map(Target::Stream).map_err(failed);
            }
            // What is not there is made; whoever makes it finds out what else is wrong.
            _ => {}
        }
        Ok(Target::File(linked(name)?))
    }
}

/// The name behind links, whether something is there or not.
///
/// # Errors
/// Links in a circle.
pub(super) fn linked(name: &Path) -> Result<PathBuf> {
    let mut found = name.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&found) else { return Ok(found) };
        found = found.parent().map_or(next.clone(), |within| within.join(next));
    }
    Err(Error::new(ErrorKind::Io, format!("{}: links lead on and on", name.display())))
}

/// Standard output or standard error of this process, if that is what `name` means.
#[cfg(unix)]
fn own_stream(name: &Path) -> Option<io::Result<File>> {
    use std::os::fd::AsFd;
    let own = match name.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => io::stdout().as_fd().try_clone_to_owned(),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => io::stderr().as_fd().try_clone_to_owned(),
        _ => return None,
    };
    Some(own.map(File::from))
}

#[cfg(not(unix))]
fn own_stream(_name: &Path) -> Option<io::Result<File>> {
    None
}

/// Refuses a file that is protected from being written: taking its name would get around that.
#[cfg(unix)]
fn may_write(name: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(name, rustix::fs::Access::WRITE_OK)?)
}

#[cfg(not(unix))]
fn may_write(name: &Path) -> io::Result<()> {
    match fs::metadata(name)?.permissions().readonly() {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::io::AtomicFile;
    use std::io::{Read, Write};
    use std::os::unix::fs::{FileTypeExt, symlink};

    fn write(name: &Path, text: &str) -> Result<()> {
        let mut out = AtomicFile::create(name)?;
        out.write_all(text.as_bytes()).map_err(|e| Error::io(name.display(), e))?;
        out.complete()
    }

    fn is_link(name: &Path) -> bool {
        fs::symlink_metadata(name).unwrap().is_symlink()
    }

    #[test]
    fn a_device_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        // By links, so that a mistake here takes the link's name and not the device's.
        let (null, full) = (dir.path().join("null"), dir.path().join("full"));
        symlink("/dev/null", &null).unwrap();
        symlink("/dev/full", &full).unwrap();
        write(&null, "gone").unwrap();
        assert!(is_link(&null) && fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let e = write(&full, "a").unwrap_err();
        assert!(e.to_string().contains("full: No space left"), "{e}");
        assert!(is_link(&full));
    }

    #[test]
    fn a_fifo_is_written_as_it_is_read() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || {
                let mut text = String::new();
                File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        write(&fifo, "through it").unwrap();
        assert_eq!(reader.join().unwrap(), "through it");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_link_stays_and_what_it_names_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (there, link, far) = (dir.path().join("there"), dir.path().join("link"), dir.path().join("far"));
        symlink("there", &link).unwrap();
        symlink("link", &far).unwrap();
        for text in ["not there before", "there before"] {
            write(&far, text).unwrap();
            assert!(is_link(&far) && is_link(&link));
            assert_eq!(fs::read_to_string(&there).unwrap(), text);
        }
        let around = dir.path().join("around");
        symlink("around", &around).unwrap();
        let e = write(&around, "x").unwrap_err();
        assert!(e.to_string().contains("around: links lead on and on") && is_link(&around), "{e}");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        write(&file, "new").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn own_streams_are_found_by_name() {
        for name in ["/dev/stdout", "/dev/fd/2"] {
            assert!(matches!(Target::of(Path::new(name)).unwrap(), Target::Stream(_)));
        }
    }
}
