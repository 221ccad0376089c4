//! Requests run on a thread of their own, by a runtime that is started with the first of them; whoever needs an answer
//! holds a ticket for it, and waits on the own thread.
//!
//! A wait ends with the answer, when the query is cancelled, or when everything in the session is. A ticket that nobody
//! holds any more takes its request with it.

use crate::error::{Error, Result};
use crate::io::threads::IoThreads;
use crate::wake::Cancel;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// How often whoever waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(20);

/// The thread that makes requests.
pub(super) struct Runtime {
    handle: Handle,
    /// Dropped, it ends the runtime.
    _close: oneshot::Sender<()>,
    _thread: IoThreads,
}

impl Runtime {
    /// Starts it.
    pub(super) fn start() -> Result<Runtime> {
        let failed = |what: String| Error::resources(format!("the thread for requests does not start: {what}"));
        let (close, closed) = oneshot::channel();
        let (made, started) = channel();
        let thread = IoThreads::new("remote", 1, 1);
        let run = move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let _ = made.send(Ok(runtime.handle().clone()));
                let _ = runtime.block_on(closed);
                // A request that looks up a name on a thread of its own is left alone.
                runtime.shutdown_background();
            }
            Err(e) => drop(made.send(Err(e.to_string()))),
        };
        thread.try_submit(Box::new(run)).map_err(|_| failed("no thread".into()))?;
        let handle = started.recv().map_err(|e| failed(e.to_string()))?.map_err(failed)?;
        Ok(Runtime { handle, _close: close, _thread: thread })
    }

    /// Begins a request; a wait for it ends when `stops` stops it.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
        stops: &Stops,
    ) -> Ticket<T> {
        let (stops, since) = (stops.clone(), stops.count());
        let slot = Slot { answer: Mutex::new(None), came: Condvar::new(), request: OnceLock::new(), stops, since };
        let slot = Arc::new(slot);
        let request = self.handle.spawn(work);
        let _ = slot.request.set(request.abort_handle());
        let to = Arc::downgrade(&slot);
        self.handle.spawn(async move {
            let answer = request.await.unwrap_or_else(|e| Err(Error::internal(format!("a request ended: {e}"))));
            if let Some(slot) = to.upgrade() {
                *slot.lock() = Some(answer);
                slot.came.notify_all();
            }
        });
        Ticket(slot)
    }
}

/// An answer that comes, or is here.
pub(super) struct Ticket<T>(Arc<Slot<T>>);

struct Slot<T> {
    answer: Mutex<Option<Result<T>>>,
    came: Condvar,
    request: OnceLock<AbortHandle>,
    /// What ends waiting, and how often it had when the request began.
    stops: Stops,
    since: u64,
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, Option<Result<T>>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if let Some(request) = self.request.get() {
            request.abort();
        }
    }
}

impl<T> Clone for Ticket<T> {
    fn clone(&self) -> Self {
        Ticket(self.0.clone())
    }
}

impl<T: Clone> Ticket<T> {
    /// One whose answer is here.
    pub(super) fn ready(answer: T) -> Self {
        let (answer, stops, since) = (Mutex::new(Some(Ok(answer))), Stops::default(), 0);
        Ticket(Arc::new(Slot { answer, came: Condvar::new(), request: OnceLock::new(), stops, since }))
    }

    /// Whether the answer is here.
    pub(super) fn is_ready(&self) -> bool {
        self.0.lock().is_some()
    }

    /// Whether it is not here, and nobody can wait for it any more.
    pub(super) fn is_stopped(&self) -> bool {
        !self.is_ready() && self.0.stops.count() != self.0.since
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// Of the request; `Cancelled`, where `stop` or everything is cancelled meanwhile.
    pub(super) fn wait(&self, stop: &Cancel) -> Result<T> {
        let mut answer = self.0.lock();
        loop {
            if let Some(answer) = &*answer {
                return answer.clone();
            }
            stop.check()?;
            if self.0.stops.count() != self.0.since {
                return Err(Error::cancelled());
            }
            answer = self.0.came.wait_timeout(answer, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How often everything was asked to stop.
#[derive(Clone, Default)]
pub(super) struct Stops(Arc<AtomicU64>);

impl Stops {
    fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Every wait ends.
    pub(super) fn stop(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::future::pending;

    #[test]
    fn answers_errors_and_panics_come_back() {
        let runtime = Runtime::start().unwrap();
        let (stop, stops) = (Cancel::default(), Stops::default());
        assert_eq!(runtime.begin(async { Ok(7) }, &stops).wait(&stop).unwrap(), 7);
        let failed = runtime.begin::<i32>(async { Err(Error::data("torn")) }, &stops);
        assert_eq!(failed.wait(&stop).unwrap_err().message(), "torn");
        assert!(failed.is_ready() && failed.clone().wait(&stop).is_err());
        let panics = async { std::panic::resume_unwind(Box::new("on purpose")) };
        assert_eq!(runtime.begin::<i32>(panics, &stops).wait(&stop).unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_wait_ends_when_somebody_cancels() {
        let runtime = Runtime::start().unwrap();
        let (stop, stops) = (Cancel::default(), Stops::default());
        let never = runtime.begin::<i32>(pending(), &stops);
        let (one, all) = (stop.clone(), stops.clone());
        let kind = |waited: Result<i32>| waited.unwrap_err().kind();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| kind(never.wait(&stop)));
            let second = scope.spawn(|| kind(never.wait(&Cancel::default())));
            std::thread::sleep(Duration::from_millis(50));
            one.cancel();
            assert_eq!(first.join().unwrap(), ErrorKind::Cancelled);
            all.stop();
            assert_eq!(second.join().unwrap(), ErrorKind::Cancelled);
            assert!(never.is_stopped() && !runtime.begin::<i32>(pending(), &stops).is_stopped());
        });
    }

    #[test]
    fn a_ticket_that_nobody_holds_takes_its_request_along() {
        struct Told(std::sync::mpsc::Sender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let runtime = Runtime::start().unwrap();
        let (told, dropped) = channel();
        let told = Told(told);
        let request = async move {
            let _told = told;
            pending().await
        };
        let ticket = runtime.begin::<i32>(request, &Stops::default());
        drop(ticket);
        assert_eq!(dropped.recv(), Ok(()));
    }
}
