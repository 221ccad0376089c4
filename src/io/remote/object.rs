//! One file of a store: what it was when it was found, and requests for ranges of it.
//!
//! Each answer tells the ETag, the size and the time of what it is of; where that is not what was found, the file changed.
//! An answer that breaks off or does not come in time is asked for again; what the server refuses is not, but for what it
//! says of itself (5xx, too many requests), which the crate tries again.

use super::errors::{changed, explained, slow};
use super::options::Patience;
use super::runtime::Ticket;
use super::stores::At;
use super::{Remote, errors};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::wake::Cancel;
use bytes::Bytes;
use object_store::{GetOptions, GetRange, ObjectMeta};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The first wait before a broken answer is asked for again; then twice that, and so on.
const PAUSE: Duration = Duration::from_millis(100);

/// What an object was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    etag: Option<String>,
    modified: i64,
}

impl Stamp {
    pub(super) fn of(meta: &ObjectMeta) -> Stamp {
        Stamp { size: meta.size, etag: meta.e_tag.clone(), modified: meta.last_modified.timestamp() }
    }

    /// Whether an answer is of the same object.
    pub(super) fn is_of(&self, meta: &ObjectMeta) -> bool {
        let other = Stamp::of(meta);
        let same = match (&self.etag, &other.etag) {
            (Some(a), Some(b)) => a == b,
            _ => self.modified == other.modified,
        };
        same && self.size == other.size
    }

    /// The tag that a server compares itself: weak ones are equal to none.
    fn strong(&self) -> Option<String> {
        self.etag.clone().filter(|tag| !tag.starts_with("W/"))
    }

    /// The time of modification in nanoseconds since 1970.
    pub(super) fn modified(&self) -> i128 {
        i128::from(self.modified) * 1_000_000_000
    }
}

/// See the head of this file.
pub(super) struct Object {
    pub(super) remote: Remote,
    /// Nobody else's.
    pub(super) id: u64,
    /// As it may be shown.
    pub(super) name: Arc<str>,
    /// As the user wrote it, or as a listing would be written.
    pub(super) url: String,
    pub(super) at: At,
    pub(super) stamp: Stamp,
    /// Under which settings it was found.
    pub(super) settings: u64,
}

impl Object {
    /// Begins to read a range, which lies inside.
    pub(super) fn begin(&self, range: Range<u64>) -> Result<Ticket<Bytes>> {
        let (at, stamp, name) = (self.at.clone(), self.stamp.clone(), self.name.clone());
        let patience = self.remote.patience();
        self.remote.begin(async move { read(&at, range, &stamp, &name, patience).await })
    }

    /// Waits for a range.
    pub(super) fn wait(&self, ticket: &Ticket<Bytes>, stop: &Cancel) -> Result<Bytes> {
        ticket.wait(stop)
    }

    /// Whether it surely is as it was, and would be found so again.
    ///
    /// # Errors
    /// `Cancelled`: whoever asks must not go on to look for what it is now.
    pub(super) fn is_unchanged(&self) -> Result<bool> {
        if self.settings != self.remote.settings() {
            return Ok(false);
        }
        match self.remote.look(&self.at, &self.name, 1) {
            Ok(Looked::Ranges(meta, _)) => Ok(self.stamp.is_of(&meta)),
            Ok(Looked::Whole) => Ok(false),
            Err(e) if e.kind() == ErrorKind::Cancelled => Err(e),
            Err(_) => Ok(false),
        }
    }
}

/// What a first look at an address gave.
#[derive(Clone)]
pub(super) enum Looked {
    /// It is read by ranges; and its first bytes.
    Ranges(ObjectMeta, Bytes),
    /// The server knows no ranges.
    Whole,
}

/// Looks at an object: what it is, and its first `bytes` bytes.
pub(super) async fn look(at: &At, name: &Arc<str>, bytes: u64, patience: Patience) -> Result<Looked> {
    let options = GetOptions { range: Some(GetRange::Bounded(0..bytes)), ..GetOptions::default() };
    match attempts(at, &options, patience).await {
        Ok((meta, bytes)) => Ok(Looked::Ranges(meta, bytes)),
        Err(Failed::Store(e)) if errors::knows_no_ranges(&e) => Ok(Looked::Whole),
        // There is no first byte.
        Err(Failed::Store(e)) if errors::status(&e) == Some(416) => {
            let head = GetOptions { head: true, ..GetOptions::default() };
            let (meta, _) = attempts(at, &head, patience).await.map_err(|f| f.error(name))?;
            match meta.size {
                0 => Ok(Looked::Ranges(meta, Bytes::new())),
                _ => Err(explained(name, e)),
            }
        }
        Err(failed) => Err(failed.error(name)),
    }
}

async fn read(at: &At, range: Range<u64>, stamp: &Stamp, name: &Arc<str>, patience: Patience) -> Result<Bytes> {
    let wanted = range.end - range.start;
    let range = Some(GetRange::Bounded(range));
    let options = GetOptions { range, if_match: stamp.strong(), ..GetOptions::default() };
    let place = || Place { file: Some(name.clone()), ..Place::default() };
    let (meta, bytes) = attempts(at, &options, patience).await.map_err(|f| f.error(name))?;
    if !stamp.is_of(&meta) {
        return Err(changed().at(place()));
    }
    match bytes.len() as u64 == wanted {
        true => Ok(bytes),
        false => Err(short(wanted, bytes.len() as u64).at(place())),
    }
}

/// An answer that has fewer bytes than it promises.
pub(super) fn short(wanted: u64, came: u64) -> Error {
    Error::new(ErrorKind::Io, format!("the server sent {came} bytes where it promised {wanted}"))
        .advise("try again later")
}

/// Why there is no answer.
enum Failed {
    Store(object_store::Error),
    /// It broke off.
    Broken(object_store::Error),
    Short(Error),
    Slow,
}

impl Failed {
    fn error(self, name: &Arc<str>) -> Error {
        let place = || Place { file: Some(name.clone()), ..Place::default() };
        match self {
            Failed::Store(e) | Failed::Broken(e) => explained(name, e),
            Failed::Short(e) => e.at(place()),
            Failed::Slow => slow().at(place()),
        }
    }
}

/// A whole answer, asked for again where it breaks off.
async fn attempts(at: &At, options: &GetOptions, patience: Patience) -> Result<(ObjectMeta, Bytes), Failed> {
    let mut tries = 0;
    loop {
        let failed = match tokio::time::timeout(patience.timeout, attempt(at, options)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failed)) => failed,
            Err(_) => Failed::Slow,
        };
        if matches!(failed, Failed::Store(_)) || tries >= patience.retries.min(TRIES) {
            return Err(failed);
        }
        tokio::time::sleep(PAUSE * (1 << tries)).await;
        tries += 1;
    }
}

/// Answers that broke off are asked for so often again.
const TRIES: u32 = 2;

/// One answer.
async fn attempt(at: &At, options: &GetOptions) -> Result<(ObjectMeta, Bytes), Failed> {
    let got = at.store.get_opts(&at.location, options.clone()).await.map_err(Failed::Store)?;
    let (meta, promised) = (got.meta.clone(), got.range.end - got.range.start);
    if options.head {
        return Ok((meta, Bytes::new()));
    }
    let bytes = got.bytes().await.map_err(Failed::Broken)?;
    match bytes.len() as u64 == promised {
        true => Ok((meta, bytes)),
        false => Err(Failed::Short(short(promised, bytes.len() as u64))),
    }
}
