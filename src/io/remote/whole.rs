//! A file of a server that knows no ranges: its bytes come once, in order, and are kept as those of a pipe are.

use super::Remote;
use super::errors::{explained, slow};
use super::object::short;
use super::options::Patience;
use super::runtime::Ticket;
use super::stores::At;
use crate::error::{Place, Result};
use crate::wake::Cancel;
use bytes::Bytes;
use object_store::{GetOptions, GetResultPayload};
use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Bytes that are asked for at a time.
const BLOCK: usize = 256 << 10;

/// The bytes of an answer.
type Payload = Arc<Mutex<GetResultPayload>>;

/// The bytes of a file, in order.
pub(super) struct Body {
    remote: Remote,
    name: Arc<str>,
    payload: Payload,
    /// Bytes that the server promised and that did not come yet.
    left: u64,
    here: Bytes,
    next: Option<Ticket<Bytes>>,
}

impl Body {
    /// Asks for the file.
    ///
    /// # Errors
    /// As of a first look.
    pub(super) fn open(remote: &Remote, at: At, name: &Arc<str>) -> Result<Body> {
        let (patience, shown) = (remote.patience(), name.clone());
        let asked = remote.begin(async move {
            let got = tokio::time::timeout(patience.timeout, at.store.get_opts(&at.location, GetOptions::default()));
            let got = got.await.map_err(|_| slow())?.map_err(|e| explained(&shown, e))?;
            Ok((got.meta.size, Arc::new(Mutex::new(got.payload))))
        })?;
        let (left, payload) = asked.wait(&Cancel::default())?;
        Ok(Body { remote: remote.clone(), name: name.clone(), payload, left, here: Bytes::new(), next: None })
    }

    fn ask(&self) -> Result<Ticket<Bytes>> {
        let (payload, name, patience) = (self.payload.clone(), self.name.clone(), self.remote.patience());
        self.remote.begin(async move { block(&payload, &name, patience).await })
    }

    /// Waits for the next bytes, and asks for those behind them; none at the end.
    fn go_on(&mut self) -> Result<()> {
        let ticket = match self.next.take() {
            Some(ticket) => ticket,
            None => self.ask()?,
        };
        self.here = match ticket.wait(&Cancel::default()) {
            Ok(bytes) => bytes,
            Err(e) => {
                // Who comes next waits for the same bytes, where they still come.
                self.next = Some(ticket);
                return Err(e);
            }
        };
        let came = self.here.len() as u64;
        if came == 0 && self.left > 0 {
            let place = Place { file: Some(self.name.clone()), ..Place::default() };
            return Err(short(self.left, 0).at(place));
        }
        self.left = self.left.saturating_sub(came);
        if came > 0 {
            self.next = Some(self.ask()?);
        }
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.here.is_empty() && !into.is_empty() {
            self.go_on().map_err(io::Error::other)?;
        }
        let some = self.here.split_to(self.here.len().min(into.len()));
        if let Some(to) = into.get_mut(..some.len()) {
            to.copy_from_slice(&some);
        }
        Ok(some.len())
    }
}

/// Some of the bytes to come; none at the end.
async fn block(payload: &Payload, name: &Arc<str>, patience: Patience) -> Result<Bytes> {
    let mut made = Vec::new();
    while made.len() < BLOCK {
        let next = tokio::time::timeout(patience.timeout, poll_fn(|cx| poll(payload, cx)));
        match next.await.map_err(|_| slow())? {
            Some(bytes) => made.extend_from_slice(&bytes.map_err(|e| explained(name, e))?),
            None => break,
        }
    }
    Ok(made.into())
}

fn poll(payload: &Payload, cx: &mut Context<'_>) -> Poll<Option<object_store::Result<Bytes>>> {
    match &mut *payload.lock().unwrap_or_else(PoisonError::into_inner) {
        GetResultPayload::Stream(bytes) => bytes.as_mut().poll_next(cx),
        // A file of the file system, which none of our stores gives.
        #[allow(unreachable_patterns)]
        _ => Poll::Ready(None),
    }
}
