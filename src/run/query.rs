//! One query while it runs: its works, its parked tasks, its first error; and the handle that its owner has.

use super::engine::Engine;
use super::latch::Latch;
use crate::error::{Error, ErrorKind, Place, Result};
use crate::graph::{Graph, Stage};
use crate::guard::drop_guarded;
use crate::ids::{QueryId, StageId, TaskId};
use crate::ops::{Cx, Starved, Task, Work};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// Called once when a query has ended and all it had is dropped. It runs on a pool thread.
pub type OnEnd = Box<dyn FnOnce(Result<()>) + Send>;

/// Called when a query is asked to stop, which may be long before it has ended. It must not block.
pub type OnCancel = Box<dyn FnOnce(Error) + Send>;

/// A choice that a layout made, for `EXPLAIN ANALYZE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Which stage.
    pub stage: StageId,
    /// In which round.
    pub round: u32,
    /// How many tasks it got.
    pub tasks: usize,
    /// Why.
    pub why: String,
}

/// A task in progress.
pub(super) struct Doing {
    pub id: TaskId,
    pub stage: StageId,
    pub round: u32,
    pub index: usize,
    pub floor: usize,
    /// How often it is started again, should it fail.
    pub retries: u32,
    /// `None` before it was opened.
    pub task: Option<Box<dyn Task>>,
    /// What it was refused, if that is why it is parked.
    pub starved: Option<Starved>,
    /// Why it could not be opened, if that is why it is parked.
    pub refused: Option<Error>,
}

pub(super) struct Query {
    pub id: QueryId,
    pub stages: Vec<Stage>,
    pub cx: Cx,
    works: RwLock<Vec<Arc<dyn Work>>>,
    parked: Mutex<Vec<Doing>>,
    outcome: Mutex<Outcome>,
    chosen: Mutex<Vec<Chosen>>,
    jobs: Mutex<Jobs>,
    on_end: Mutex<Option<OnEnd>>,
    on_cancel: Mutex<Vec<OnCancel>>,
    ended: Latch,
}

#[derive(Default)]
struct Outcome {
    error: Option<Error>,
    /// The query has ended: later errors do not count.
    sealed: bool,
}

/// Jobs that are no tasks but use the query's works: they must be over before the query ends.
#[derive(Default)]
struct Jobs {
    running: usize,
    finish: bool,
    over: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Query {
    pub fn new(id: QueryId, graph: Graph, works: Vec<Arc<dyn Work>>, cx: Cx, on_end: OnEnd) -> Self {
        Query {
            id,
            stages: graph.stages,
            cx,
            works: RwLock::new(works),
            parked: Mutex::default(),
            outcome: Mutex::default(),
            chosen: Mutex::default(),
            jobs: Mutex::default(),
            on_end: Mutex::new(Some(on_end)),
            on_cancel: Mutex::default(),
            ended: Latch::default(),
        }
    }

    /// The work of a stage.
    ///
    /// # Errors
    /// `Internal`, when the query has ended: nobody should ask then.
    pub fn work(&self, stage: StageId) -> Result<Arc<dyn Work>> {
        let works = self.works.read().unwrap_or_else(|e| e.into_inner());
        works.get(stage.0 as usize).cloned().ok_or_else(|| Error::internal(format!("{stage} of {} is gone", self.id)))
    }

    /// The place of an error in a task.
    pub fn place(&self, stage: StageId, index: Option<usize>) -> Place {
        let name = self.stages.get(stage.0 as usize).map_or("?", |s| s.name.as_str());
        let task = index.map_or_else(|| name.to_string(), |index| format!("{name} #{index}"));
        Place { task: Some(task), ..Place::default() }
    }

    /// Keeps the error, if it is the first.
    pub fn fail(&self, error: Error) {
        let mut outcome = lock(&self.outcome);
        if !outcome.sealed && outcome.error.is_none() {
            outcome.error = Some(error);
        }
    }

    pub fn error(&self) -> Option<Error> {
        lock(&self.outcome).error.clone()
    }

    /// Somebody asked the query to stop: tells who wants to know.
    pub fn tell_cancelled(&self) {
        let listeners = std::mem::take(&mut *lock(&self.on_cancel));
        listeners.into_iter().for_each(|tell| tell(self.error().unwrap_or_else(Error::cancelled)));
    }

    pub fn park(&self, doing: Doing) {
        lock(&self.parked).push(doing);
    }

    pub fn unpark(&self, id: TaskId) -> Option<Doing> {
        let mut parked = lock(&self.parked);
        let at = parked.iter().position(|d| d.id == id)?;
        Some(parked.swap_remove(at))
    }

    /// Drops parked tasks: the query goes nowhere.
    pub fn drop_parked(&self) {
        let parked = std::mem::take(&mut *lock(&self.parked));
        for doing in parked {
            if let Err(error) = drop_guarded(doing.task) {
                self.fail(error.at(self.place(doing.stage, Some(doing.index))));
            }
        }
    }

    pub fn choose(&self, chosen: Chosen) {
        lock(&self.chosen).push(chosen);
    }

    /// A job that uses the works begins; false when the query is over.
    pub fn enter(&self) -> bool {
        let mut jobs = lock(&self.jobs);
        jobs.running += usize::from(!jobs.over);
        !jobs.over
    }

    /// That job has ended; true when it falls to the caller to end the query.
    pub fn leave(&self) -> bool {
        let mut jobs = lock(&self.jobs);
        jobs.running -= 1;
        jobs.may_end()
    }

    /// No task runs any more; true when it falls to the caller to end the query.
    pub fn finish(&self) -> bool {
        let mut jobs = lock(&self.jobs);
        jobs.finish = true;
        jobs.may_end()
    }

    /// Drops what the query has, tells its owner, and lets waiters go.
    pub fn end(&self, tell: impl FnOnce(Option<&Error>)) {
        self.drop_parked();
        let works = std::mem::take(&mut *self.works.write().unwrap_or_else(|e| e.into_inner()));
        for work in works {
            if let Err(error) = drop_guarded(work) {
                self.fail(error);
            }
        }
        let error = {
            let mut outcome = lock(&self.outcome);
            outcome.sealed = true;
            outcome.error.clone()
        };
        tell(error.as_ref());
        lock(&self.on_cancel).clear();
        let on_end = lock(&self.on_end).take();
        if let Some(on_end) = on_end {
            // Whoever listens has the error already; a listener that panics has nobody left to tell.
            let _ = crate::guard::guarded(|| {
                on_end(error.map_or(Ok(()), Err));
                Ok(())
            });
        }
        self.ended.set();
    }
}

impl Jobs {
    fn may_end(&mut self) -> bool {
        let may = self.finish && self.running == 0 && !self.over;
        self.over |= may;
        may
    }
}

/// A query that was submitted. Dropping the handle changes nothing.
#[derive(Clone)]
pub struct QueryHandle {
    pub(super) query: Arc<Query>,
    pub(super) engine: Engine,
}

impl QueryHandle {
    /// The query's name in its session.
    pub fn id(&self) -> QueryId {
        self.query.id
    }

    /// Asks the query to stop; it does so after the step that each of its tasks is in. An ended query stays as it is.
    pub fn cancel(&self) {
        self.engine.cancel(&self.query);
    }

    /// Calls `tell` as soon as somebody asks the query to stop, without waiting for its tasks; never, if it ends before.
    pub fn on_cancel(&self, tell: OnCancel) {
        lock(&self.query.on_cancel).push(tell);
        if self.error().is_some_and(|error| error.kind() == ErrorKind::Cancelled) {
            self.query.tell_cancelled();
        } else if self.is_done() {
            lock(&self.query.on_cancel).clear();
        }
    }

    /// Whether it has ended and `on_end` was called.
    pub fn is_done(&self) -> bool {
        self.query.ended.is_set()
    }

    /// The first error so far.
    pub fn error(&self) -> Option<Error> {
        self.query.error()
    }

    /// What its layouts chose so far, and why.
    pub fn chosen(&self) -> Vec<Chosen> {
        lock(&self.query.chosen).clone()
    }

    /// Waits for the end. On a pool thread other jobs run meanwhile, the query's own among them. Not for `on_end` of
    /// this query, which would wait for itself.
    ///
    /// # Errors
    /// The query's first error.
    pub fn wait(&self) -> Result<()> {
        self.engine.wait(&self.query.ended);
        self.error().map_or(Ok(()), Err)
    }
}
