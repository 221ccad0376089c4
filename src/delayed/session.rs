//! What a session does with futures: starts them, waits for them, gathers their results.

use super::args::Args;
use super::function::DelayedFn;
use super::future::{Future, start, when_ended};
use super::invoke::Invoke;
use super::node::Node;
use super::outcome::{Inferred, Outcome};
use super::plan::Plan;
use super::task::Running;
use super::{Delayed, delayed};
use crate::error::Result;
use crate::frame::Session;
use crate::run::Engine;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long somebody who waits for a place sleeps at most before looking again.
const NAP: Duration = Duration::from_millis(50);

/// For what [`Session::wait`] waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All have ended.
    All,
    /// One has ended.
    First,
    /// One has failed, or all have ended.
    Failure,
}

impl Session {
    /// Calls a function while the program goes on. Arguments are what they are for [`DelayedFn::call`], futures among them. Where
    /// as many futures as [`Tuning::future_queue`](crate::config::Tuning::future_queue) have not ended, it waits for one of them
    /// (not inside of a task, where it never waits).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let two = session.submit(|n: i64| n + 1, 1i64);
    /// let six = session.submit(|a: i64, b: i64| a * b, (&two, 3i64));
    /// assert_eq!(six.result()?, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F, A, Ways, Meaning>(
        &self,
        function: F,
        arguments: A,
    ) -> Future<<F::Output as Outcome<Inferred, Meaning>>::Value>
    where
        A: Args,
        F: Invoke<A::Loaded, Ways>,
        F::Output: Outcome<Inferred, Meaning>,
    {
        self.start(&delayed(function).call(arguments))
    }

    /// The same, or `None` where it would have to wait for a place.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::config::Tuning;
    /// use partita::prelude::*;
    ///
    /// let tuning = Tuning { future_queue: 1, ..Tuning::default() };
    /// let session = Session::builder().memory("64MiB")?.tuning(tuning).build()?;
    /// let (sender, receiver) = std::sync::mpsc::channel::<i64>();
    /// let receiver = std::sync::Mutex::new(receiver);
    /// let first = session.submit(move || receiver.lock().unwrap().recv(), ());
    /// assert!(session.try_submit(|n: i64| n, 1i64).is_none());
    /// sender.send(7).unwrap();
    /// assert_eq!(first.result()?, 7);
    /// assert_eq!(session.try_submit(|n: i64| n, 1i64).unwrap().result()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit<F, A, Ways, Meaning>(
        &self,
        function: F,
        arguments: A,
    ) -> Option<Future<<F::Output as Outcome<Inferred, Meaning>>::Value>>
    where
        A: Args,
        F: Invoke<A::Loaded, Ways>,
        F::Output: Outcome<Inferred, Meaning>,
    {
        self.try_start(&delayed(function).call(arguments))
    }

    /// A future for each item: the function is called with each. Waits for places as [`submit`](Self::submit) does.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let squares = session.map(|n: i64| n * n, 0..1000i64);
    /// let sum = session.submit(|squares: &[i64]| squares.iter().sum::<i64>(), &squares);
    /// assert_eq!(sum.result()?, 332_833_500);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<F, A, Ways, Meaning>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
    ) -> Vec<Future<<F::Output as Outcome<Inferred, Meaning>>::Value>>
    where
        A: Args,
        F: Invoke<A::Loaded, Ways>,
        F::Output: Outcome<Inferred, Meaning>,
    {
        let function: DelayedFn<F> = delayed(function);
        items.into_iter().map(|item| self.start(&function.call(item))).collect()
    }

    /// Runs a call that may have a name, retries, a priority, and all that it needs, while the program goes on. Its priority is
    /// that of its query: before other futures, and before queries of frames and bags if it is above 0.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let fetch = delayed(|n: i64| n * 10).name("fetch").retries(3).priority(1);
    /// let add = delayed(|a: i64, b: i64| a + b);
    /// let sum = session.start(&add.call((fetch.call(1i64), fetch.call(2i64))));
    /// assert_eq!(sum.result()?, 30);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<T: Send + Sync + 'static>(&self, call: &Delayed<T>) -> Future<T> {
        let (engine, gate) = (self.engine(), self.futures());
        let lent = engine.is_lent();
        while !gate.try_enter() {
            match (engine.is_inside(), lent) {
                // Whoever waits here may be what the others wait for.
                (true, _) => {
                    gate.enter_anyway();
                    break;
                }
                (false, true) => engine.help(),
                (false, false) => gate.wait_for(NAP),
            }
        }
        self.entered(&call.node)
    }

    /// The same, or `None` where it would have to wait for a place.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let call = delayed(|n: i64| n + 1).retries(1).call(1i64);
    /// assert_eq!(session.try_start(&call).map(|future| future.result()).transpose()?, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_start<T: Send + Sync + 'static>(&self, call: &Delayed<T>) -> Option<Future<T>> {
        self.futures().try_enter().then(|| self.entered(&call.node))
    }

    fn entered<T>(&self, node: &Arc<Node>) -> Future<T> {
        let engine = self.engine();
        let plan = Plan::of(std::slice::from_ref(node));
        let running = Running::new(plan, engine.shelf(), &engine.memory().budget);
        start(self, self.futures(), node, running)
    }

    /// The results of all futures, in their order.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let lengths = session.map(|word: &str| word.len(), ["to", "be", "or", "not"]);
    /// assert_eq!(session.gather(&lengths)?, [2, 2, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error of the first one, in their order, that has failed; the others go on.
    pub fn gather<T: Clone + Send + Sync + 'static>(&self, futures: &[Future<T>]) -> Result<Vec<T>> {
        futures.iter().map(Future::result).collect()
    }

    /// Waits for futures, at most so long; those that have ended, and those that have not.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::delayed::Until;
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let futures = session.map(|n: i64| n, 0..10i64);
    /// let (ended, pending) = session.wait(&futures, Until::All, None);
    /// assert_eq!((ended.len(), pending.len()), (10, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait<T>(
        &self,
        futures: &[Future<T>],
        until: Until,
        most: Option<Duration>,
    ) -> (Vec<Future<T>>, Vec<Future<T>>) {
        let limit = most.and_then(|most| Instant::now().checked_add(most));
        let mut coming = self.as_completed(futures.to_vec());
        let mut ended = Vec::new();
        while let Some(future) = coming.next_until(limit) {
            let failed = future.error().is_some();
            ended.push(future);
            if until == Until::First || (until == Until::Failure && failed) {
                break;
            }
        }
        while let Some(future) = coming.ready() {
            ended.push(future);
        }
        (ended, coming.rest())
    }

    /// The futures in the order in which they end, each as soon as it has.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut sum = 0;
    /// for future in session.as_completed(session.map(|n: i64| n * 2, 0..100i64)) {
    ///     sum += future.result()?;
    /// }
    /// assert_eq!(sum, 9900);
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_completed<T>(&self, futures: impl IntoIterator<Item = Future<T>>) -> AsCompleted<T> {
        let futures: Vec<Option<Future<T>>> = futures.into_iter().map(Some).collect();
        let queue = Arc::<Queue>::default();
        for (number, future) in futures.iter().enumerate() {
            let (queue, Some(future)) = (queue.clone(), future) else { continue };
            when_ended(future, move || queue.push(number));
        }
        let left = futures.len();
        AsCompleted { futures, queue, left, engine: self.engine().clone() }
    }
}

/// The numbers of futures that have ended.
#[derive(Default)]
struct Queue {
    ended: Mutex<VecDeque<usize>>,
    more: Condvar,
}

impl Queue {
    fn push(&self, number: usize) {
        self.lock().push_back(number);
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Futures in the order in which they end: see [`Session::as_completed`].
pub struct AsCompleted<T> {
    futures: Vec<Option<Future<T>>>,
    queue: Arc<Queue>,
    left: usize,
    engine: Engine,
}

impl<T> AsCompleted<T> {
    /// How many have not been handed out.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut coming = session.as_completed(session.map(|n: i64| n, 0..3i64));
    /// coming.next();
    /// assert_eq!(coming.left(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn left(&self) -> usize {
        self.left
    }

    /// One that has ended already.
    fn ready(&mut self) -> Option<Future<T>> {
        let number = self.queue.lock().pop_front()?;
        self.left -= 1;
        self.futures.get_mut(number).and_then(Option::take)
    }

    /// The next one, where it ends in so much time.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::time::Duration;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut coming = session.as_completed(session.map(|n: i64| n, 0..2i64));
    /// assert!(coming.next_within(Duration::from_secs(60)).is_some());
    /// assert_eq!(coming.left(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_within(&mut self, most: Duration) -> Option<Future<T>> {
        self.next_until(Instant::now().checked_add(most))
    }

    fn next_until(&mut self, until: Option<Instant>) -> Option<Future<T>> {
        let lent = self.engine.is_lent();
        while self.left > 0 {
            if let Some(future) = self.ready() {
                return Some(future);
            }
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return None;
            }
            if lent {
                self.engine.help();
                continue;
            }
            let queue = self.queue.lock();
            if queue.is_empty() {
                let most = until.map_or(NAP, |until| until - now);
                drop(self.queue.more.wait_timeout(queue, most));
            }
        }
        None
    }

    /// Those that have not ended.
    fn rest(self) -> Vec<Future<T>> {
        self.futures.into_iter().flatten().collect()
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Future<T>;

    fn next(&mut self) -> Option<Future<T>> {
        self.next_until(None)
    }
}
