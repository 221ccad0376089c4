//! Files that are written to stores: they appear under their names when they are complete.
//!
//! Life of an output to a bucket:
//!
//! 1. Bytes gather until there is a part. The first one begins an upload of several parts, of which nobody sees anything; one
//!    part is on its way while the next is gathered. Parts grow with their number, since a store takes only so many.
//! 2. `complete` sends the rest and asks the store to make the object of its parts. A small output is one request.
//! 3. Dropped before that, the upload is aborted, and the store forgets its parts.
//!
//! The files of a directory ([`Uploads`]) are all uploaded before the first one appears. That is not one step, but it begins
//! when all of them are there.
//!
//! What is gathered and on its way is told to the session's account. A server of the web takes a file only as a whole (`PUT`),
//! so that all of it is gathered, up to a limit.

use super::errors::{explained, slow};
use super::list::{self, Search};
use super::runtime::{Stops, Ticket};
use super::stores::At;
use super::{Remote, lock};
use crate::error::{Error, Place, Result};
use crate::io::{Existing, Output, Stage};
use crate::units::ByteSize;
use crate::wake::Cancel;
use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload};
use std::collections::BTreeSet;
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes of the first parts: the least that stores take.
const PART: usize = 5 << 20;
/// After so many parts they are larger.
const STEP: u64 = 500;
/// The most parts of an upload.
const MOST_PARTS: u64 = 10_000;
/// How long the store has to forget an upload.
const FORGETTING: Duration = Duration::from_secs(3);
/// The most blocks of what is put as a whole: an eighth of the budget, at most 64 MiB.
const MOST_WHOLE: u64 = 64;

/// Hears how many bytes are held.
pub(super) type Told = Box<dyn Fn(usize) + Send + Sync>;

/// An upload of several parts.
type Parts = Arc<tokio::sync::Mutex<Box<dyn MultipartUpload>>>;

/// Uploads that are complete but for their last request, with the names of their files.
type Pending = Arc<Mutex<Vec<(Arc<str>, Parts)>>>;

/// Begins a request for the file `name`, which is waited for no longer than the settings say.
fn ask<T: Clone + Send + 'static>(
    remote: &Remote,
    name: &Arc<str>,
    work: impl Future<Output = object_store::Result<T>> + Send + 'static,
) -> Result<Ticket<T>> {
    let (name, patience) = (name.clone(), remote.patience());
    remote.begin(async move {
        match tokio::time::timeout(patience.timeout, work).await {
            Ok(answer) => answer.map_err(|e| explained(&name, e)),
            Err(_) => Err(slow().at(Place { file: Some(name), ..Place::default() })),
        }
    })
}

/// Bytes of the part of this number, from 0.
fn part_bytes(number: u64) -> usize {
    PART.saturating_mul(usize::try_from(1 + number / STEP).unwrap_or(usize::MAX))
}

/// A file of a store in the making.
pub(super) struct Upload {
    remote: Remote,
    at: At,
    /// As it may be shown.
    name: Arc<str>,
    /// Whether the store takes it in parts.
    in_parts: bool,
    gathered: Vec<u8>,
    /// Parts that were begun.
    number: u64,
    parts: Option<Parts>,
    on_way: Option<(Ticket<()>, usize)>,
    told: Told,
    /// Where the upload waits for others, if it is one of several.
    pending: Option<Pending>,
    /// All its bytes.
    bytes: Arc<AtomicU64>,
}

impl Upload {
    pub(super) fn new(remote: &Remote, at: At, name: Arc<str>, in_parts: bool) -> Upload {
        let (gathered, told) = (Vec::new(), remote.told());
        let (parts, on_way, pending, bytes) = (None, None, None, Arc::default());
        Upload { remote: remote.clone(), at, name, in_parts, gathered, number: 0, parts, on_way, told, pending, bytes }
    }

    fn place(&self) -> Place {
        Place { file: Some(self.name.clone()), ..Place::default() }
    }

    fn tell(&self) {
        let on_way = self.on_way.as_ref().map_or(0, |(_, bytes)| *bytes);
        (self.told)(self.gathered.capacity() + on_way);
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        self.bytes.fetch_add(rest.len() as u64, Relaxed);
        if !self.in_parts {
            let most = usize::try_from(MOST_WHOLE * self.remote.sizes().block).unwrap_or(usize::MAX);
            if self.gathered.len() + rest.len() > most {
                let what =
                    format!("an output of more than {} over http, which a server takes as a whole", ByteSize(most));
                let advice = "write it to a bucket, or to a file first; a larger memory limit allows up to 64 MiB";
                return Err(Error::unsupported(what).advise(advice).at(self.place()));
            }
            self.gathered.extend_from_slice(rest);
            self.tell();
            return Ok(());
        }
        while !rest.is_empty() {
            let size = part_bytes(self.number);
            if self.gathered.capacity() < size {
                self.gathered.reserve_exact(size - self.gathered.len());
                self.tell();
            }
            let (now, later) = rest.split_at(rest.len().min(size - self.gathered.len().min(size)));
            self.gathered.extend_from_slice(now);
            rest = later;
            if self.gathered.len() >= size {
                self.send()?;
            }
        }
        Ok(())
    }

    /// The upload, which is begun where it has not been.
    fn parts(&mut self) -> Result<Parts> {
        if let Some(parts) = &self.parts {
            return Ok(parts.clone());
        }
        let at = self.at.clone();
        let begun = ask(&self.remote, &self.name, async move {
            let upload = at.store.put_multipart_opts(&at.location, PutMultipartOptions::default()).await?;
            Ok(Arc::new(tokio::sync::Mutex::new(upload)))
        })?;
        let parts = begun.wait(&Cancel::default())?;
        Ok(self.parts.insert(parts).clone())
    }

    /// Sends what is gathered as a part, when the one before it has arrived.
    fn send(&mut self) -> Result<()> {
        self.arrive()?;
        if self.number >= MOST_PARTS {
            let error = Error::unsupported("an output of so many parts").advise("write several files: FILE_SIZE_BYTES");
            return Err(error.at(self.place()));
        }
        let (parts, bytes) = (self.parts()?, std::mem::take(&mut self.gathered));
        let (held, payload) = (bytes.capacity(), PutPayload::from(Bytes::from(bytes)));
        let sent = ask(&self.remote, &self.name, async move {
            let part = parts.lock().await.put_part(payload);
            part.await
        })?;
        self.number += 1;
        self.on_way = Some((sent, held));
        self.tell();
        Ok(())
    }

    /// Waits for the part that is on its way.
    fn arrive(&mut self) -> Result<()> {
        let arrived = match &self.on_way {
            Some((sent, _)) => sent.wait(&Cancel::default()),
            None => return Ok(()),
        };
        self.on_way = None;
        self.tell();
        arrived
    }

    fn finish(&mut self) -> Result<()> {
        if self.parts.is_none() && self.pending.is_none() {
            let (at, payload) = (self.at.clone(), PutPayload::from(Bytes::from(std::mem::take(&mut self.gathered))));
            let put = ask(&self.remote, &self.name, async move {
                at.store.put_opts(&at.location, payload, PutOptions::default()).await?;
                Ok(())
            })?;
            return put.wait(&Cancel::default());
        }
        if !self.gathered.is_empty() || self.number == 0 {
            self.send()?;
        }
        self.arrive()?;
        let Some(parts) = self.parts.clone() else { return Ok(()) };
        if let Some(pending) = &self.pending {
            lock(pending).push((self.name.clone(), parts));
        } else {
            let done = ask(&self.remote, &self.name, completed(parts))?;
            done.wait(&Cancel::default())?;
        }
        self.parts = None;
        Ok(())
    }
}

async fn completed(parts: Parts) -> object_store::Result<()> {
    parts.lock().await.complete().await?;
    Ok(())
}

/// The store forgets the parts of an upload, if it can be reached.
fn forget(remote: &Remote, parts: Parts) {
    let most = remote.patience().timeout.min(FORGETTING);
    let abort = async move {
        let abort = async { parts.lock().await.abort().await };
        // Nobody can do anything about it.
        let _ = tokio::time::timeout(most, abort).await;
        Ok(())
    };
    // Who cancels does not cancel this.
    if let Ok(aborted) = remote.begin_within(abort, &Stops::default()) {
        let _ = aborted.wait(&Cancel::default());
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Upload {
    fn complete(mut self: Box<Self>) -> Result<()> {
        self.finish()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.on_way = None;
        if let Some(parts) = self.parts.take() {
            forget(&self.remote, parts);
        }
        (self.told)(0);
    }
}

/// A directory of a bucket in the making.
pub(super) struct Uploads {
    remote: Remote,
    store: Arc<dyn ObjectStore>,
    /// `s3://bucket/dir`, and the key in it.
    name: String,
    key: String,
    existing: Existing,
    begun: Mutex<BTreeSet<PathBuf>>,
    pending: Pending,
}

impl Uploads {
    /// Begins it: there must be nothing, unless files may be added.
    pub(super) fn new(
        remote: &Remote,
        store: Arc<dyn ObjectStore>,
        name: &str,
        key: &str,
        existing: Existing,
    ) -> Result<Uploads> {
        let place = || Place { file: Some(name.into()), ..Place::default() };
        if existing == Existing::Replaced {
            let error = Error::unsupported("OVERWRITE of a directory of a bucket").at(place());
            return Err(error.advise("remove what is there first, or OVERWRITE_OR_IGNORE files of the same names"));
        }
        let (name, key) = (name.trim_end_matches('/').to_string(), key.trim_end_matches('/').to_string());
        let (begun, pending) = (Mutex::default(), Pending::default());
        let made = Uploads { remote: remote.clone(), store, name, key, existing, begun, pending };
        if made.existing == Existing::Refused && made.is_taken()? {
            return Err(Error::query(format!("the directory {} is not empty", made.name))
                .advise("OVERWRITE_OR_IGNORE replaces files of the same names, APPEND adds files"));
        }
        Ok(made)
    }

    fn is_taken(&self) -> Result<bool> {
        let search = Search::directory(&format!("{}/", self.key));
        let listed = self.remote.begin(list::list(self.store.clone(), search, self.name.as_str().into()))?;
        Ok(!listed.wait(&Cancel::default())?.is_empty())
    }
}

impl Stage for Uploads {
    fn file(&self, relative: &Path) -> Result<(Box<dyn Output>, Arc<AtomicU64>)> {
        let relative_key = relative.to_string_lossy().replace('\\', "/");
        let name: Arc<str> = format!("{}/{relative_key}", self.name).into();
        let key = match self.key.is_empty() {
            true => relative_key,
            false => format!("{}/{relative_key}", self.key),
        };
        let location = object_store::path::Path::parse(&key).map_err(|_| {
            let place = Place { file: Some(name.clone()), ..Place::default() };
            Error::query("a name with empty parts, or a relative one, is no key").at(place)
        })?;
        lock(&self.begun).insert(relative.to_path_buf());
        let mut upload = Upload::new(&self.remote, At { store: self.store.clone(), location }, name, true);
        upload.pending = Some(self.pending.clone());
        let bytes = upload.bytes.clone();
        Ok((Box::new(upload), bytes))
    }

    fn has(&self, relative: &Path) -> bool {
        lock(&self.begun).contains(relative)
    }

    fn complete(&mut self) -> Result<()> {
        let all = lock(&self.pending).len();
        for done in 0..all {
            let Some((name, parts)) = lock(&self.pending).pop() else { break };
            let finished = ask(&self.remote, &name, completed(parts.clone()))?;
            if let Err(error) = finished.wait(&Cancel::default()) {
                forget(&self.remote, parts);
                return Err(error.advise(format!("{done} of {all} files have appeared")));
            }
        }
        Ok(())
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *lock(&self.pending));
        left.into_iter().for_each(|(_, parts)| forget(&self.remote, parts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_their_number_suffices() {
        assert_eq!((part_bytes(0), part_bytes(499), part_bytes(500)), (PART, PART, 2 * PART));
        let all: u64 = (0..MOST_PARTS).map(|number| part_bytes(number) as u64).sum();
        assert!(all > 500 << 30, "{all}");
    }
}
