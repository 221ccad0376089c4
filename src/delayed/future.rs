//! Results that come: calls that run while the program goes on.
//!
//! # Life of a future
//!
//! 1. [`Session::submit`] waits for a place among the futures that have not ended, lays the call's plan, and hangs it on the
//!    futures that it needs. When the last of those has ended, the plan is submitted to the engine as a query of its own.
//! 2. The query ends: its result, at rest in the session, or its error is kept, whoever waits is woken, and the futures that need
//!    it go on. An error becomes the error of those that need it.
//! 3. The last [`Future`] of a result that is dropped frees it; one whose query still runs is cancelled, since nobody could see
//!    its result any more. A future that is an argument of another counts as held.

use super::args::Results;
use super::node::{Kind, Node};
use super::task::Running;
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::plan::Stages;
use crate::run::{Engine, Gate, Latch, QueryHandle};
use crate::store::{Payload, Shelved};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A result at rest, or a value.
type Rested = (Option<Shelved>, Option<Payload>);

/// Hears that a future has ended, and says who is to hear what follows from that.
type Listener = Box<dyn FnOnce() -> Told + Send>;

/// Who is told next: in a list, so that a long chain of ends does not recurse.
struct Told(Vec<Listener>);

impl Told {
    fn go_on(self) {
        let mut left = self.0;
        while let Some(tell) = left.pop() {
            left.append(&mut tell().0);
        }
    }
}

enum State {
    /// It needs futures that have not ended.
    Waiting,
    Running(QueryHandle),
    Ended(Result<Rested>),
}

/// What all that know of one future share.
pub(super) struct Core {
    name: Arc<str>,
    state: Mutex<State>,
    /// What it will run, until it does.
    plan: Mutex<Option<Arc<Running>>>,
    listeners: Mutex<Vec<Listener>>,
    latch: Latch,
    gate: Arc<Gate>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Keeps how it ended, and tells everybody; the first end counts.
    fn end(&self, result: Result<Rested>) {
        self.ended(result).go_on();
    }

    /// The same, where the caller tells them.
    fn ended(&self, result: Result<Rested>) -> Told {
        {
            let mut state = lock(&self.state);
            if matches!(*state, State::Ended(_)) {
                return Told(Vec::new());
            }
            *state = State::Ended(result);
        }
        self.gate.leave();
        self.latch.set();
        // What it needs is not held for its sake any more.
        let plan = lock(&self.plan).take();
        drop(plan);
        Told(std::mem::take(&mut *lock(&self.listeners)))
    }

    /// Calls `tell` when it has ended: now, if it has.
    fn when_ended(&self, tell: Listener) {
        {
            let state = lock(&self.state);
            if !matches!(*state, State::Ended(_)) {
                return lock(&self.listeners).push(tell);
            }
        }
        tell().go_on();
    }

    fn cancel(&self) {
        let running = match &*lock(&self.state) {
            State::Running(query) => Some(query.clone()),
            State::Waiting => None,
            State::Ended(_) => return,
        };
        match running {
            Some(query) => query.cancel(),
            None => self.end(Err(Error::cancelled())),
        }
    }

    /// Nobody can ask for the result any more.
    fn forget(&self) {
        let mut state = lock(&self.state);
        if let State::Ended(result) = &mut *state {
            let result = std::mem::replace(result, Err(Error::cancelled()));
            drop(state);
            drop(result);
        }
    }

    /// How it ended.
    fn outcome(&self) -> Option<Result<Rested>> {
        match &*lock(&self.state) {
            State::Ended(result) => Some(result.clone()),
            _ => None,
        }
    }
}

/// Holds a future: dropped with the last who could ask for its result.
pub(super) struct Handle(pub(super) Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.cancel();
        self.0.forget();
    }
}

impl Handle {
    /// Waits for its end; its error is this one's.
    pub(super) fn wait(&self, engine: &Engine) -> Result<()> {
        wait_until(engine, &self.0.latch, None);
        self.rested().map(|_| ())
    }

    /// The result, for another task.
    pub(super) fn rested(&self) -> Result<Rested> {
        match self.0.outcome() {
            Some(Ok(rested)) => Ok(rested),
            Some(Err(error)) => {
                let text = format!("the future {} has no result: {}", self.0.name, error.message());
                Err(Error::new(error.kind(), text).at(error.place().clone()).because(error))
            }
            None => Err(Error::internal("a future is used before it has ended")),
        }
    }
}

/// Waits until the latch is open, or the time has come; says whether it is open. Where nobody else runs tasks, this does.
pub(super) fn wait_until(engine: &Engine, latch: &Latch, until: Option<Instant>) -> bool {
    let lent = engine.is_lent();
    loop {
        let now = Instant::now();
        if latch.is_set() || until.is_some_and(|until| until <= now) {
            return latch.is_set();
        }
        match (lent, until) {
            (true, _) => engine.help(),
            (false, Some(until)) => latch.wait_for(until - now),
            (false, None) => latch.wait(),
        }
    }
}

/// A result that comes: made by [`Session::submit`] and its neighbours. Cheap to clone; the last clone that is dropped frees the
/// result, and cancels what has not ended.
pub struct Future<T> {
    pub(super) handle: Arc<Handle>,
    pub(super) session: Session,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Self {
        Future { handle: self.handle.clone(), session: self.session.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the future {} ({})", self.name(), self.status())
    }
}

/// What has become of a [`Future`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It runs, or will.
    Pending,
    /// It has a result.
    Finished,
    /// It has failed.
    Failed,
    /// Somebody asked it to stop.
    Cancelled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Pending => "pending",
            Status::Finished => "finished",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        })
    }
}

/// Starts a plan that has a place in the gate.
pub(super) fn start<T>(session: &Session, gate: &Arc<Gate>, node: &Node, running: Arc<Running>) -> Future<T> {
    let needed: Vec<Arc<Handle>> = running.futures().cloned().collect();
    let core = Arc::new(Core {
        name: node.options.name.clone(),
        state: Mutex::new(State::Waiting),
        plan: Mutex::new(Some(running)),
        listeners: Mutex::default(),
        latch: Latch::default(),
        gate: gate.clone(),
    });
    // One more for the beginning itself: it is over when all have been asked.
    let left = Arc::new(AtomicUsize::new(needed.len() + 1));
    let begin = {
        let (session, core, priority) = (session.clone(), core.clone(), node.options.priority);
        move || {
            let last = left.fetch_sub(1, AcqRel) == 1;
            if last { begin(&session, &core, priority) } else { Told(Vec::new()) }
        }
    };
    for future in needed {
        future.0.when_ended(Box::new(begin.clone()));
    }
    begin().go_on();
    Future { handle: Arc::new(Handle(core)), session: session.clone(), of: PhantomData }
}

/// All that the plan needs has ended: submits it. What failed among that is its end.
fn begin(session: &Session, core: &Arc<Core>, priority: i32) -> Told {
    let Some(running) = lock(&core.plan).take() else { return Told(Vec::new()) };
    if let Err(error) = running.futures().try_for_each(|future| future.rested().map(|_| ())) {
        return core.ended(Err(error));
    }
    let mut stages = Stages::default();
    running.lay(&mut stages);
    let told = core.clone();
    let end = move |result: Result<()>| {
        let rested = result.and_then(|()| running.root(0));
        // From now on only the future holds the result.
        drop(running);
        told.end(rested);
    };
    let mut state = lock(&core.state);
    if matches!(*state, State::Waiting) {
        *state = State::Running(session.submit_stages_at(priority, stages, Box::new(end)));
    }
    Told(Vec::new())
}

impl<T> Future<T> {
    /// What its task is called.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(session.start(&delayed(|| 1i64).name("one").call(())).name(), "one");
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        &self.handle.0.name
    }

    /// What has become of it.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::delayed::Status;
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let failing = session.submit(|text: &str| text.parse::<i64>(), "x");
    /// failing.wait(None);
    /// assert_eq!((failing.status(), failing.is_done()), (Status::Failed, true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(&self) -> Status {
        match self.handle.0.outcome() {
            None => Status::Pending,
            Some(Ok(_)) => Status::Finished,
            Some(Err(error)) if error.kind() == crate::ErrorKind::Cancelled => Status::Cancelled,
            Some(Err(_)) => Status::Failed,
        }
    }

    /// Whether it has ended, well or not.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let one = session.submit(|| 1i64, ());
    /// one.result()?;
    /// assert!(one.is_done());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_done(&self) -> bool {
        self.handle.0.latch.is_set()
    }

    /// Waits for its end, at most so long; says whether it has ended.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::time::Duration;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (sender, receiver) = std::sync::mpsc::channel::<i64>();
    /// let receiver = std::sync::Mutex::new(receiver);
    /// let future = session.submit(move || receiver.lock().unwrap().recv(), ());
    /// assert!(!future.wait(Some(Duration::from_millis(1))));
    /// sender.send(7).unwrap();
    /// assert!(future.wait(None));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&self, most: Option<Duration>) -> bool {
        let until = most.and_then(|most| Instant::now().checked_add(most));
        wait_until(self.session.engine(), &self.handle.0.latch, until)
    }

    /// The error, once it has failed or was cancelled.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let failing = session.submit(|text: &str| text.parse::<i64>(), "x");
    /// failing.wait(None);
    /// assert!(failing.error().unwrap().message().contains("invalid digit"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn error(&self) -> Option<Error> {
        self.handle.0.outcome().and_then(Result::err)
    }

    /// Asks it to stop, without waiting. A function that is running runs to its end, but its result is dropped; futures that need
    /// it fail.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.threads(1).build()?;
    /// let (sender, receiver) = std::sync::mpsc::channel::<i64>();
    /// let receiver = std::sync::Mutex::new(receiver);
    /// let first = session.submit(move || receiver.lock().unwrap().recv(), ());
    /// let second = session.submit(|n: i64| n + 1, &first);
    /// second.cancel();
    /// sender.send(7).unwrap();
    /// assert_eq!((first.result()?, second.result().unwrap_err().kind()), (7, ErrorKind::Cancelled));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) {
        self.handle.0.cancel();
    }

    /// Lets it run to its end although nobody holds it: for what it does, not for its result.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// session.submit(move |n: i64| sender.send(n).is_ok(), 7i64).detach();
    /// assert_eq!(receiver.recv(), Ok(7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(self) {
        let (core, handle) = (self.handle.0.clone(), self.handle.clone());
        core.when_ended(Box::new(move || {
            drop(handle);
            Told(Vec::new())
        }));
    }

    /// As a node of other calls.
    pub(super) fn node(&self) -> Arc<Node> {
        Node::given(self.name(), Kind::Future(self.handle.clone()))
    }
}

impl<T: Clone + Send + Sync + 'static> Future<T> {
    /// The result, once it is there. It stays with the future, and may be asked for again.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sum = session.submit(|a: i64, b: i64| a + b, (40i64, 2i64));
    /// assert_eq!((sum.result()?, sum.result()?), (42, 42));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Its task's error, which names the task and has what the function returned as its cause; `Cancelled`, where somebody asked
    /// it to stop.
    pub fn result(&self) -> Result<T> {
        self.wait(None);
        self.known()
    }

    /// The same, where it is there in so much time; else `None`, and it goes on.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::time::Duration;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let future = session.submit(|| 42i64, ());
    /// assert_eq!(future.result_within(Duration::from_secs(60))?, Some(42));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub fn result_within(&self, most: Duration) -> Result<Option<T>> {
        if self.wait(Some(most)) { self.known().map(Some) } else { Ok(None) }
    }

    fn known(&self) -> Result<T> {
        let outcome = self.handle.0.outcome().ok_or_else(|| Error::internal("a future has not ended"))?;
        let value = match outcome? {
            (_, Some(value)) => value,
            (Some(shelved), None) => shelved.out()?,
            (None, None) => return Err(Error::internal("a result is not there")),
        };
        let mut results = Results::new(vec![value]);
        let values = results.rest::<T>()?;
        values.into_iter().next().map(|value| value.take()).ok_or_else(|| Error::internal("a result is not there"))
    }
}

/// Calls `tell` when the future has ended.
pub(super) fn when_ended<T>(future: &Future<T>, tell: impl FnOnce() + Send + 'static) {
    future.handle.0.when_ended(Box::new(move || {
        tell();
        Told(Vec::new())
    }));
}
