//! Files behind http(s) and in S3-compatible stores, read by ranges.
//!
//! Life of a name:
//!
//! 1. [`Remote::find`] makes files of it: an address is looked at (one request, which tells the size and whether the server
//!    knows ranges, and brings the first bytes); a glob or a directory of a bucket is listed ([`list`]).
//! 2. A reader asks for bytes at a place. Text comes in blocks that all readers of the session share, ahead of who reads
//!    in order ([`blocks`]); a file of columns in the pieces that its reader announces ([`pieces`]).
//! 3. Each is a request for a range ([`object`]), made by a runtime on a thread of its own ([`runtime`]). Who needs it
//!    waits, but no longer than until the query is cancelled.
//! 4. Each answer must be of the file that was found. Else it changed, which is an error.
//!
//! A server that knows no ranges is read from front to back, once a session, as a pipe is ([`whole`]).
//!
//! Memory: a scan reserves `lease` bytes for each open reader; a few blocks more are for who only looks, and are
//! [accounted](Remote::account) for as they come.
//!
//! What is written goes to a store in parts, and appears when it is complete ([`upload`]).
//!
//! Limits: a reader waits on its worker's thread, and so does a writer. Names of other stores (`gs://`, `az://`) are refused.

mod blocks;
mod errors;
mod list;
mod object;
mod options;
mod pieces;
mod runtime;
mod stores;
mod upload;
mod whole;

pub use pieces::Pieces;

use self::blocks::{AHEAD, Blocks, Sizes};
use self::list::Search;
use self::object::{Looked, Object, Stamp};
use self::options::{Options, Patience};
use self::runtime::{Runtime, Stops, Ticket};
use self::stores::{At, Stores};
use self::upload::{Told, Upload, Uploads};
use super::encoding::Coding;
use super::paths::FileRef;
use super::pipe::Pipes;
use super::url::{path_of, scheme, shown};
use super::{Existing, Output, Stage};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::wake::Cancel;
use bytes::Bytes;
use object_store::ObjectMeta;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Schemes of buckets.
const BUCKETS: [&str; 3] = ["s3", "s3a", "s3n"];
/// Endings of files of columns, whose first bytes are of no use.
const COLUMNS: [&str; 7] = [".parquet", ".pq", ".parq", ".arrow", ".feather", ".ipc", ".arrows"];

/// What a session reaches over the network. Cheap to clone; nothing starts before the first name.
#[derive(Clone, Default)]
pub struct Remote(Arc<Reach>);

#[derive(Default)]
struct Reach {
    options: Mutex<Options>,
    /// How often settings were changed.
    settings: AtomicU64,
    sizes: OnceLock<Sizes>,
    runtime: Mutex<Option<Arc<Runtime>>>,
    stores: Mutex<Stores>,
    blocks: Blocks,
    stops: Stops,
    /// Makes those who hear of what is held outside of scans.
    accounts: OnceLock<Box<dyn Fn() -> Told + Send + Sync>>,
    /// The number of the next object.
    next: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a name is of a bucket.
fn is_bucket(name: &str) -> bool {
    scheme(name).is_some_and(|s| BUCKETS.contains(&s.to_ascii_lowercase().as_str()))
}

/// The bucket and the key of `s3://bucket/key`.
fn bucket_and_key(name: &str) -> Result<(&str, &str)> {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    match bucket.is_empty() {
        true => {
            let place = Place { file: Some(name.into()), ..Place::default() };
            Err(Error::query("no bucket is named").advise("s3://bucket/dir/file.csv").at(place))
        }
        false => Ok((bucket, key)),
    }
}

fn no_target(name: &str) -> Error {
    let kind = scheme(name).unwrap_or_default();
    let error = Error::unsupported(format!("{kind}:// as the target of such an output"));
    error
        .advise("files go to s3:// (with s3_endpoint for other stores of that kind) and https://, directories to s3://")
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl Remote {
    /// Sizes for a session: readers read `split` bytes at a time of a budget of `memory`.
    pub fn fit(&self, memory: usize, split: usize) {
        let block = ((memory / 512) as u64).next_power_of_two().clamp(64 << 10, 1 << 20);
        self.fit_blocks(block, split);
    }

    /// As [`fit`](Self::fit), with blocks of so many bytes.
    pub fn fit_blocks(&self, block: u64, split: usize) {
        let block = block.max(1);
        let lease = (split as u64).div_ceil(block) * block + (AHEAD + 1) * block;
        // Who came first has said it.
        let _ = self.0.sizes.set(Sizes { block, lease });
    }

    /// Each of the `accounts` hears how many bytes somebody holds that no scan has reserved, each time that this changes.
    pub fn account(&self, accounts: impl Fn() -> Told + Send + Sync + 'static) {
        self.0.blocks.tell(accounts());
        let _ = self.0.accounts.set(Box::new(accounts));
    }

    /// Somebody who hears of what is held.
    fn told(&self) -> Told {
        self.0.accounts.get().map_or_else(|| Box::new(|_| {}) as Told, |make| make())
    }

    /// Begins a file that shall appear under `name`.
    ///
    /// # Errors
    /// A name that is none of a file, or of a kind that is not known.
    pub fn create(&self, name: &str) -> Result<Box<dyn Output>> {
        let (at, in_parts) = match is_bucket(name) {
            true => {
                let (bucket, key) = bucket_and_key(name)?;
                if key.is_empty() || key.ends_with('/') {
                    let place = Place { file: Some(name.into()), ..Place::default() };
                    return Err(Error::query("the name of a directory, where a file would be written").at(place));
                }
                (lock(&self.0.stores).key(bucket, key, &lock(&self.0.options)), true)
            }
            false if super::url::is_web(name) => (lock(&self.0.stores).address(name, &lock(&self.0.options)), false),
            false => return Err(no_target(name)),
        };
        let shown: Arc<str> = shown(name).into();
        let at = at.map_err(|e| e.at(Place { file: Some(shown.clone()), ..Place::default() }))?;
        Ok(Box::new(Upload::new(self, at, shown, in_parts)))
    }

    /// Begins a directory of a bucket, whose files appear together.
    ///
    /// # Errors
    /// It has files already; a name of another kind.
    pub fn stage(&self, name: &str, existing: Existing) -> Result<Box<dyn Stage>> {
        if !is_bucket(name) {
            return Err(no_target(name));
        }
        let (bucket, key) = bucket_and_key(name)?;
        let store = lock(&self.0.stores).bucket(bucket, &lock(&self.0.options))?;
        Ok(Box::new(Uploads::new(self, store, name, key, existing)?))
    }

    /// Whether there is such a setting.
    pub fn has_setting(name: &str) -> bool {
        Options::has(name)
    }

    /// The names of the settings.
    pub fn setting_names() -> impl Iterator<Item = &'static str> {
        Options::names()
    }

    /// Changes a setting, from the next file on; `None` for its default.
    ///
    /// # Errors
    /// `Query`, for a value that it cannot have.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<()> {
        lock(&self.0.options).set(name, value)?;
        *lock(&self.0.stores) = Stores::default();
        self.0.settings.fetch_add(1, Relaxed);
        Ok(())
    }

    /// A setting as it may be shown.
    pub fn setting(&self, name: &str) -> Option<String> {
        lock(&self.0.options).shown(name)
    }

    /// Everybody who waits for the network stops doing so.
    pub fn stop(&self) {
        self.0.stops.stop();
    }

    /// The files that a name stands for.
    ///
    /// # Errors
    /// There are none, they cannot be read, or the name is of a kind that is not known.
    pub fn find(&self, name: &str, pipes: &Pipes) -> Result<Vec<FileRef>> {
        let kind = scheme(name).unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "http" | "https" => self.address(name, pipes).map(|file| vec![file]),
            _ if is_bucket(name) => self.keys(name),
            "file" => Err(Error::unsupported("file:// in front of a path").advise("name the path alone")),
            other => Err(Error::unsupported(format!("{other}:// as a source"))
                .advise("there are https://, http:// and s3:// (with s3_endpoint for other stores of that kind)")),
        }
    }

    fn address(&self, url: &str, pipes: &Pipes) -> Result<FileRef> {
        let name: Arc<str> = shown(url).into();
        let place = || Place { file: Some(name.clone()), ..Place::default() };
        let path = path_of(url).split_once("://").map_or("", |(_, rest)| rest);
        let path = path.find('/').and_then(|at| path.get(at..)).unwrap_or_default();
        if path.contains(['*', '{']) {
            let error = Error::unsupported("a glob over http: servers do not list their files");
            return Err(error.advise("name the files in a list: read_csv(['https://..', 'https://..'])").at(place()));
        }
        if let Some(known) = pipes.whole(url) {
            return Ok(FileRef { path: name, ..known });
        }
        let at = lock(&self.0.stores).address(url, &lock(&self.0.options)).map_err(|e| e.at(place()))?;
        let block = self.sizes().block;
        let first = if COLUMNS.iter().any(|e| path.to_ascii_lowercase().ends_with(e)) { 1 } else { block };
        match self.look(&at, &name, first)? {
            Looked::Ranges(meta, bytes) => {
                let file = self.file(url.to_string(), name, at, &meta);
                self.keep_first(&file, bytes, first == block);
                Ok(file)
            }
            Looked::Whole => {
                let body = whole::Body::open(self, at, &name)?;
                let pipe = pipes.keep_whole(url, Box::new(body)).map_err(|e| e.at(place()))?;
                Ok(FileRef { path: name, ..pipe })
            }
        }
    }

    /// What came with the first look need not come again.
    fn keep_first(&self, file: &FileRef, bytes: Bytes, is_block: bool) {
        if let Some(file) = file.remote.as_ref().filter(|_| is_block && !bytes.is_empty()) {
            self.0.blocks.put(&file.object, 0, bytes, self.sizes());
        }
    }

    fn keys(&self, name: &str) -> Result<Vec<FileRef>> {
        let place = || Place { file: Some(name.into()), ..Place::default() };
        let scheme = name.split_once("://").map_or("s3", |(scheme, _)| scheme);
        let (bucket, key) = bucket_and_key(name)?;
        let is_pattern = list::is_pattern(key);
        if !is_pattern && !key.is_empty() && !key.ends_with('/') {
            let at = lock(&self.0.stores).key(bucket, key, &lock(&self.0.options)).map_err(|e| e.at(place()))?;
            let block = self.sizes().block;
            let first = if COLUMNS.iter().any(|e| key.to_ascii_lowercase().ends_with(e)) { 1 } else { block };
            match self.look(&at, &name.into(), first) {
                Ok(Looked::Ranges(meta, bytes)) => {
                    let file = self.file(name.to_string(), name.into(), at, &meta);
                    self.keep_first(&file, bytes, first == block);
                    return Ok(vec![file]);
                }
                Ok(Looked::Whole) => {
                    let error = Error::unsupported("a store that answers no ranges");
                    return Err(error.advise("download the file first").at(place()));
                }
                // Perhaps a directory.
                Err(e) if e.kind() == ErrorKind::Query => {}
                Err(e) => return Err(e),
            }
        }
        let store = lock(&self.0.stores).bucket(bucket, &lock(&self.0.options)).map_err(|e| e.at(place()))?;
        let search = match is_pattern {
            true => Search::pattern(key).map_err(|e| e.at(place()))?,
            false => Search::directory(key),
        };
        let listed = self.begin(list::list(store.clone(), search, name.into()))?;
        let listed = listed.wait(&Cancel::default())?;
        if listed.is_empty() {
            return Err(list::nothing(name, is_pattern));
        }
        let found = listed.iter().map(|meta| {
            let url = format!("{scheme}://{bucket}/{}", meta.location);
            let at = At { store: store.clone(), location: meta.location.clone() };
            self.file(url.clone(), url.into(), at, meta)
        });
        Ok(found.collect())
    }

    fn file(&self, url: String, name: Arc<str>, at: At, meta: &ObjectMeta) -> FileRef {
        let stamp = Stamp::of(meta);
        let (size, modified, path) = (stamp.size, stamp.modified(), name.clone());
        let (id, settings) = (self.0.next.fetch_add(1, Relaxed), self.settings());
        let object = Object { remote: self.clone(), id, name, url, at, stamp, settings };
        let remote = RemoteFile { object: Arc::new(object), stop: Cancel::default(), scan: None };
        FileRef { path, size, modified, pipe: None, remote: Some(remote), coding: Coding::default() }
    }

    fn look(&self, at: &At, name: &Arc<str>, bytes: u64) -> Result<Looked> {
        let (at, name, patience) = (at.clone(), name.clone(), self.patience());
        let looked = self.begin(async move { object::look(&at, &name, bytes, patience).await })?;
        looked.wait(&Cancel::default())
    }

    fn begin<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<Ticket<T>> {
        self.begin_within(work, &self.0.stops)
    }

    /// Begins a request, which only `stops` stop.
    fn begin_within<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
        stops: &Stops,
    ) -> Result<Ticket<T>> {
        let runtime = {
            let mut runtime = lock(&self.0.runtime);
            match &*runtime {
                Some(running) => running.clone(),
                None => runtime.insert(Arc::new(Runtime::start()?)).clone(),
            }
        };
        Ok(runtime.begin(work, stops))
    }

    fn patience(&self) -> Patience {
        lock(&self.0.options).patience()
    }

    fn settings(&self) -> u64 {
        self.0.settings.load(Relaxed)
    }

    fn blocks(&self) -> &Blocks {
        &self.0.blocks
    }

    fn sizes(&self) -> Sizes {
        *self.0.sizes.get_or_init(Sizes::default)
    }
}

/// A file of a store, as it was when it was found.
#[derive(Clone)]
pub struct RemoteFile {
    object: Arc<Object>,
    /// Who reads it stops then.
    stop: Cancel,
    /// The scan that has reserved memory for its readers.
    scan: Option<Arc<Held>>,
}

/// A scan that reads files of stores.
struct Held(Remote);

impl Held {
    fn begin(remote: Remote) -> Arc<Held> {
        remote.blocks().count_scan(1, remote.sizes());
        Arc::new(Held(remote))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.blocks().count_scan(-1, self.0.sizes());
    }
}

impl PartialEq for RemoteFile {
    fn eq(&self, other: &Self) -> bool {
        self.object.id == other.object.id
    }
}

impl fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteFile({})", self.object.name)
    }
}

impl RemoteFile {
    /// The name that finds it.
    pub fn url(&self) -> &str {
        &self.object.url
    }

    /// Whether it surely is as it was when it was found.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn is_unchanged(&self) -> Result<bool> {
        self.object.is_unchanged()
    }

    fn lease(&self) -> usize {
        usize::try_from(self.object.remote.sizes().lease).unwrap_or(usize::MAX)
    }

    /// The same files for one query: readers stop with `stop`, and each may hold so many bytes, which must be reserved.
    pub fn of_query(files: &[FileRef], stop: &Cancel) -> (Arc<[FileRef]>, usize) {
        let (mut scan, mut lease): (Option<Arc<Held>>, _) = (None, 0);
        let own = |file: &FileRef| {
            let mut file = file.clone();
            if let Some(own) = &mut file.remote {
                let remote = own.object.remote.clone();
                let held = scan.get_or_insert_with(|| Held::begin(remote));
                (own.stop, own.scan, lease) = (stop.clone(), Some(held.clone()), own.lease());
            }
            file
        };
        (files.iter().map(own).collect(), lease)
    }

    /// Reads it from place to place.
    pub(super) fn reader(&self) -> RemoteReader {
        self.object.remote.blocks().count_reader(1, self.object.remote.sizes());
        RemoteReader { file: self.clone(), last: AtomicU64::new(u64::MAX) }
    }

    /// Reads pieces of it that are announced.
    pub fn pieces(&self) -> Pieces {
        Pieces::new(self.clone(), self.object.remote.sizes().lease)
    }

    /// The end of the file, which readers share.
    fn tail(&self, index: u64, range: Range<u64>) -> Result<Ticket<Bytes>> {
        self.object.remote.blocks().get(self, index, range, self.object.remote.sizes())
    }
}

/// Reads a file from place to place, ahead where that is in order.
pub(super) struct RemoteReader {
    file: RemoteFile,
    /// The block that was read last.
    last: AtomicU64,
}

impl Drop for RemoteReader {
    fn drop(&mut self) {
        self.file.object.remote.blocks().count_reader(-1, self.file.object.remote.sizes());
    }
}

impl fmt::Debug for RemoteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl RemoteReader {
    /// Fills `into` from `offset` on; all of it lies in the file.
    pub(super) fn read_at(&self, into: &mut [u8], offset: u64) -> Result<()> {
        let object = &self.file.object;
        let (sizes, size) = (object.remote.sizes(), object.stamp.size);
        let blocks = object.remote.blocks();
        let end = offset.saturating_add(into.len() as u64).min(size);
        if offset >= end {
            return Ok(());
        }
        let (first, last) = (offset / sizes.block, (end - 1) / sizes.block);
        let range = |index: u64| blocks::place(index, sizes.block, size);
        // All that is needed is on the way before the first is waited for; and what comes next, where that is known.
        for index in first..=last {
            blocks.ahead(&self.file, index, range(index), sizes)?;
        }
        let before = self.last.swap(last, Relaxed);
        if before != u64::MAX && last > before && first <= before + 1 {
            for index in last + 1..=last + AHEAD {
                blocks.ahead(&self.file, index, range(index), sizes)?;
            }
        }
        for index in first..=last {
            let (place, ticket) = (range(index), blocks.get(&self.file, index, range(index), sizes)?);
            let bytes = object.wait(&ticket, &self.file.stop).inspect_err(|_| blocks.forget(object, index, sizes))?;
            copy(&bytes, &place, into, offset)?;
        }
        Ok(())
    }
}

/// Copies what a block has of a range that begins at `offset`.
fn copy(bytes: &Bytes, place: &Range<u64>, into: &mut [u8], offset: u64) -> Result<()> {
    let end = place.end.min(offset + into.len() as u64);
    let begin = place.start.max(offset);
    let index = |at: u64, base: u64| usize::try_from(at - base).unwrap_or(usize::MAX);
    let from = bytes.get(index(begin, place.start)..index(end, place.start));
    let to = into.get_mut(index(begin, offset)..index(end, offset));
    match (from, to) {
        (Some(from), Some(to)) => {
            to.copy_from_slice(from);
            Ok(())
        }
        _ => Err(Error::internal("a block that is shorter than it was asked for")),
    }
}
