//! Pipes: standard input (`-`, `/dev/stdin`), FIFOs, what a shell makes of `<(..)`. They are read once, in order, and yet
//! more than once by us: a sample is taken, the rows are read, and read again where the sample was wrong.
//!
//! Life of a byte: the reader that needs it first takes it from the pipe, in a block; the block is [kept](Keep) (in
//! scratch, for a session), so that whoever comes later reads the same. Where no more may be kept, all that was kept is
//! given up, and the pipe goes on streaming: what is behind its readers cannot be read again then, which is an error that
//! says so.
//!
//! A reader waits for the pipe on its thread. Of a pipe, at most two blocks are in memory, and one of each reader.

use super::encoding::Coding;
use super::paths::FileRef;
use super::remote::Remote;
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

/// Bytes of a block.
const BLOCK: usize = 256 << 10;

/// Where blocks of pipes are kept.
pub trait Keep: Send + Sync {
    /// Keeps a copy of a block.
    ///
    /// # Errors
    /// `Resources`, where no more may be kept; what writing meets.
    fn keep(&self, block: &[u8]) -> Result<Box<dyn KeptBlock>>;
}

/// A block that is kept.
pub trait KeptBlock: Send + Sync {
    /// Reads it.
    ///
    /// # Errors
    /// What reading meets.
    fn read(&self) -> Result<Vec<u8>>;
}

/// The pipes of a session, and what it reaches over the network. Cheap to clone; without somebody who keeps, there are no
/// pipes.
#[derive(Clone, Default)]
pub struct Pipes(Arc<Known>);

#[derive(Default)]
struct Known {
    keep: OnceLock<Arc<dyn Keep>>,
    by_name: Mutex<BTreeMap<String, (Identity, Arc<Pipe>)>>,
    remote: Remote,
}

/// What tells a pipe from another one that has its name later: device, number and birth, where the system knows them. Standard
/// input and what comes over the network have none.
type Identity = (u64, u64, Option<SystemTime>);

const UNCHANGING: Identity = (0, 0, None);

fn identity(path: &str) -> Identity {
    let Ok(meta) = std::fs::metadata(path) else { return UNCHANGING };
    #[cfg(unix)]
    let (device, number) = (std::os::unix::fs::MetadataExt::dev(&meta), std::os::unix::fs::MetadataExt::ino(&meta));
    #[cfg(not(unix))]
    let (device, number) = (0, 0);
    (device, number, meta.created().ok())
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipes")
    }
}

impl Pipes {
    /// From now on there are pipes, whose bytes are kept by `keep`.
    pub fn kept_by(&self, keep: Arc<dyn Keep>) {
        // Who came first keeps them.
        let _ = self.0.keep.set(keep);
    }

    /// What is reached over the network.
    pub fn remote(&self) -> &Remote {
        &self.0.remote
    }

    /// The file at `url`, if it was [kept](Self::keep_whole) before.
    #[cfg(feature = "remote")]
    pub(super) fn whole(&self, url: &str) -> Option<FileRef> {
        let known = self.0.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(url).map(|(_, pipe)| Pipe::file(pipe.clone(), url))
    }

    /// The file at `url`, whose bytes come once, in order, as a pipe.
    ///
    /// # Errors
    /// `Unsupported`, where nobody keeps.
    #[cfg(feature = "remote")]
    pub(super) fn keep_whole(&self, url: &str, from: Box<dyn Read + Send>) -> Result<FileRef> {
        let keep = self.0.keep.get().ok_or_else(|| {
            Error::unsupported("a server that answers no ranges, outside of a session")
                .advise("download the file first")
        })?;
        let pipe = Arc::new(Pipe::new(url, Origin::Open(from), keep.clone()));
        self.0
            .by_name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(url.to_string(), (UNCHANGING, pipe.clone()));
        Ok(Pipe::file(pipe, url))
    }

    /// The pipe that `path` names: the same one each time. `None` where it is none.
    pub(super) fn named(&self, path: &str) -> Option<FileRef> {
        let keep = self.0.keep.get()?;
        let is_input = matches!(path, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0");
        let regular = std::fs::metadata(path).map(|meta| meta.is_file() || meta.is_dir());
        match regular {
            _ if path == "-" => {}
            Ok(false) => {}
            _ => return None,
        }
        let mut known = self.0.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if is_input { "-" } else { path };
        let own = if is_input { UNCHANGING } else { identity(path) };
        let make = || {
            let from = if is_input { Origin::Input } else { Origin::Path(Path::new(path).into()) };
            (own, Arc::new(Pipe::new(path, from, keep.clone())))
        };
        let entry = known.entry(name.to_string()).or_insert_with(make);
        if entry.0 != own {
            *entry = make();
        }
        Some(Pipe::file(entry.1.clone(), path))
    }

    /// Whether the name of a pipe still means that one. What is none is no pipe's.
    pub fn is_current(&self, file: &FileRef) -> bool {
        let Some(pipe) = &file.pipe else { return false };
        if let Some(now) = self.named(&file.path) {
            return now.pipe.as_ref() == Some(pipe);
        }
        let known = self.0.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&*file.path).is_some_and(|(own, known)| *own == UNCHANGING && known == pipe)
    }
}

/// Where a pipe's bytes come from. It is opened when the first byte is needed.
enum Origin {
    Input,
    Path(Box<Path>),
    Open(Box<dyn Read + Send>),
}

impl Read for Origin {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Origin::Input => *self = Origin::Open(Box::new(io::stdin())),
            Origin::Path(path) => *self = Origin::Open(Box::new(File::open(path)?)),
            Origin::Open(_) => {}
        }
        match self {
            Origin::Open(from) => from.read(into),
            _ => Ok(0),
        }
    }
}

/// A pipe.
pub struct Pipe {
    name: String,
    keep: Arc<dyn Keep>,
    state: Mutex<State>,
}

struct State {
    from: Origin,
    ended: bool,
    /// The blocks before `block`, all of the same length; `None` where they were given up.
    kept: Option<Vec<Arc<dyn KeptBlock>>>,
    /// Where the last block begins.
    start: u64,
    /// The last block, as far as it is there.
    block: Vec<u8>,
}

impl PartialEq for Pipe {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipe({})", self.name)
    }
}

impl Pipe {
    /// The pipe as a file.
    fn file(pipe: Arc<Pipe>, path: &str) -> FileRef {
        let coding = Coding::default();
        FileRef { path: path.into(), size: 0, modified: 0, pipe: Some(pipe), remote: None, coding }
    }

    fn new(name: &str, from: Origin, keep: Arc<dyn Keep>) -> Pipe {
        let state = State { from, ended: false, kept: Some(Vec::new()), start: 0, block: Vec::new() };
        Pipe { name: name.to_string(), keep, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes from `at` on, of a block at most; none at the end.
    fn bytes(&self, at: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let mut state = self.lock();
        if at < state.start {
            let place = (at / BLOCK as u64) as usize;
            let kept = state.kept.as_ref().and_then(|kept| kept.get(place)).cloned();
            drop(state);
            let block = kept.ok_or_else(|| self.gone())?.read()?;
            into.extend_from_slice(block.get((at % BLOCK as u64) as usize..).unwrap_or_default());
            return Ok(());
        }
        while !state.ended && at >= state.start + state.block.len() as u64 {
            if state.block.len() >= BLOCK {
                self.put_away(&mut state)?;
            }
            self.more(&mut state)?;
        }
        let from = usize::try_from(at - state.start).unwrap_or(usize::MAX);
        into.extend_from_slice(state.block.get(from..).unwrap_or_default());
        Ok(())
    }

    /// What comes next is appended to the last block.
    fn more(&self, state: &mut State) -> Result<()> {
        let State { from, block, ended, .. } = state;
        let here = block.len();
        block.resize(BLOCK, 0);
        let read = loop {
            match from.read(block.get_mut(here..).unwrap_or_default()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        block.truncate(here + *read.as_ref().unwrap_or(&0));
        let read = read.map_err(|e| match e.downcast::<Error>() {
            Ok(own) => own,
            Err(e) => Error::new(ErrorKind::Io, format!("{}: {e}", self.name)).because(e),
        })?;
        *ended = read == 0;
        Ok(())
    }

    /// The last block is full: it is kept, and another one begins.
    fn put_away(&self, state: &mut State) -> Result<()> {
        if let Some(kept) = &mut state.kept {
            match self.keep.keep(&state.block) {
                Ok(block) => kept.push(block.into()),
                Err(e) if e.kind() == ErrorKind::Resources => state.kept = None,
                Err(e) => return Err(e),
            }
        }
        state.start += state.block.len() as u64;
        state.block.clear();
        Ok(())
    }

    fn gone(&self) -> Error {
        Error::resources(format!(
            "{} is a pipe that was read already, and is too long to be kept in scratch",
            self.name
        ))
        .advise("raise the limit of scratch, declare the types of its columns, or write it to a file first")
    }
}

/// Reads a pipe from some place on.
pub(super) struct PipeReader {
    pipe: Arc<Pipe>,
    at: u64,
    /// What is here, and how much of it was read.
    here: Vec<u8>,
    done: usize,
}

impl PipeReader {
    pub(super) fn new(pipe: &Arc<Pipe>, at: u64) -> Self {
        PipeReader { pipe: pipe.clone(), at, here: Vec::new(), done: 0 }
    }
}

impl Read for PipeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.done >= self.here.len() {
            self.pipe.bytes(self.at, &mut self.here).map_err(io::Error::other)?;
            (self.at, self.done) = (self.at + self.here.len() as u64, 0);
        }
        let rest = self.here.get(self.done..).unwrap_or_default();
        let len = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..len), rest.get(..len)) {
            to.copy_from_slice(from);
        }
        self.done += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Keeps so many blocks.
    struct Few(AtomicUsize);

    struct Copied(Vec<u8>);

    impl KeptBlock for Copied {
        fn read(&self) -> Result<Vec<u8>> {
            Ok(self.0.clone())
        }
    }

    impl Keep for Few {
        fn keep(&self, block: &[u8]) -> Result<Box<dyn KeptBlock>> {
            assert_eq!(block.len(), BLOCK);
            match self.0.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)) {
                Ok(_) => Ok(Box::new(Copied(block.to_vec()))),
                Err(_) => Err(Error::resources("full")),
            }
        }
    }

    /// A few bytes at a time, as pipes have them.
    struct Drops(io::Cursor<Vec<u8>>, usize);

    impl Read for Drops {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1 % 70_000 + 9_999;
            let len = self.1.min(into.len());
            self.0.read(&mut into[..len])
        }
    }

    fn pipe(data: &[u8], blocks: usize) -> Arc<Pipe> {
        let from = Origin::Open(Box::new(Drops(io::Cursor::new(data.to_vec()), 0)));
        Arc::new(Pipe::new("test", from, Arc::new(Few(AtomicUsize::new(blocks)))))
    }

    #[test]
    fn reads_the_same_again_and_again() {
        let data: Vec<u8> = (0..3 * BLOCK + 12_345).map(|i| (i / 7 % 251) as u8).collect();
        let pipe = pipe(&data, 100);
        let mut head = vec![0; BLOCK + 7];
        PipeReader::new(&pipe, 0).read_exact(&mut head).unwrap();
        assert!(head == data[..head.len()]);
        for at in [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 5, data.len(), data.len() + 9] {
            let mut all = Vec::new();
            PipeReader::new(&pipe, at as u64).read_to_end(&mut all).unwrap();
            assert!(all == data[at.min(data.len())..], "from {at}");
        }
        let (mut one, mut other) = (PipeReader::new(&pipe, 0), PipeReader::new(&pipe, 0));
        let (mut a, mut b) = ([0; 1000], [0; 1000]);
        one.read_exact(&mut a).unwrap();
        other.read_exact(&mut b).unwrap();
        assert!(a == b);
    }

    #[test]
    fn streams_on_where_no_more_is_kept() {
        let data: Vec<u8> = (0..5 * BLOCK).map(|i| (i % 253) as u8).collect();
        let pipe = pipe(&data, 2);
        let mut all = Vec::new();
        PipeReader::new(&pipe, 0).read_to_end(&mut all).unwrap();
        assert!(all == data);
        let again = PipeReader::new(&pipe, 0).read(&mut [0; 10]).unwrap_err();
        assert!(again.to_string().contains("too long to be kept"), "{again}");
        assert!(pipe.lock().kept.is_none() && pipe.lock().block.len() <= BLOCK);
    }

    #[test]
    fn only_where_somebody_keeps_there_are_pipes() {
        let pipes = Pipes::default();
        assert!(pipes.named("-").is_none());
        pipes.kept_by(Arc::new(Few(AtomicUsize::new(1))));
        assert!(pipes.named("-").is_some() && pipes.named("Cargo.toml").is_none() && pipes.named("no/such").is_none());
        #[cfg(unix)]
        assert_eq!(pipes.named("/dev/null").map(|f| f.pipe), pipes.named("/dev/null").map(|f| f.pipe));
    }
}
