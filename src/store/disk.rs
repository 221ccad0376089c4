//! What scratch asks of a disk: a seam of a few calls, so that tests can break each of them.

use std::fs::File;
use std::io;
use std::path::Path;

/// The calls that scratch makes. As in the operating system, a read or a write may move fewer bytes than asked.
pub trait Disk: Send + Sync {
    /// Makes a file without a name in `dir`: it is gone when it is closed, also by a kill.
    fn create(&self, dir: &Path) -> io::Result<File>;

    /// Writes some of `bytes` at offset `at`; returns how many.
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Reads some bytes from offset `at`; returns how many, 0 at the end of the file.
    fn read_at(&self, file: &File, into: &mut [u8], at: u64) -> io::Result<usize>;

    /// Gives `len` bytes from offset `at` back to the file system, without changing the file's length.
    fn punch(&self, file: &File, at: u64, len: u64) -> io::Result<()>;

    /// Bytes that are free in the file system of `dir`.
    fn free(&self, dir: &Path) -> io::Result<u64>;

    /// Whether files in `dir` are in memory (tmpfs, ramfs), not on a disk.
    fn is_memory(&self, _dir: &Path) -> bool {
        false
    }

    /// Says that `len` bytes from offset `at` are read soon: they may come into the system's cache meanwhile.
    fn ahead(&self, _file: &File, _at: u64, _len: u64) {}
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, dir: &Path) -> io::Result<File> {
        // O_TMPFILE on Linux; elsewhere a file that is unlinked as soon as it is open.
        tempfile::tempfile_in(dir)
    }

    #[cfg(unix)]
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(file, bytes, at)
    }

    #[cfg(windows)]
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(file, bytes, at)
    }

    #[cfg(unix)]
    fn read_at(&self, file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(file, into, at)
    }

    #[cfg(windows)]
    fn read_at(&self, file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(file, into, at)
    }

    #[cfg(target_os = "linux")]
    fn punch(&self, file: &File, at: u64, len: u64) -> io::Result<()> {
        use rustix::fs::FallocateFlags;
        Ok(rustix::fs::fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, len)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn punch(&self, _file: &File, _at: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    fn free(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    #[cfg(not(unix))]
    fn free(&self, _dir: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    #[cfg(target_os = "linux")]
    fn is_memory(&self, dir: &Path) -> bool {
        // From linux/magic.h.
        const TMPFS: u64 = 0x0102_1994;
        const RAMFS: u64 = 0x8584_58f6;
        // The type is a signed word of the machine's size: the number is in its lower half.
        rustix::fs::statfs(dir).is_ok_and(|stat| [TMPFS, RAMFS].contains(&(stat.f_type as u64 & 0xffff_ffff)))
    }

    #[cfg(target_os = "linux")]
    fn ahead(&self, file: &File, at: u64, len: u64) {
        // Advice: a system that does not take it reads later.
        let _ = rustix::fs::fadvise(file, at, std::num::NonZeroU64::new(len), rustix::fs::Advice::WillNeed);
    }
}
