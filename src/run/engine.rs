//! The engine of a session: the scheduler behind a lock, and what its actions become.

use super::job;
use super::latch::Latch;
use super::peak::Probe;
use super::pool::Pool;
use super::query::{Doing, OnEnd, Query, QueryHandle};
use crate::config::Tuning;
use crate::error::Error;
use crate::events::{Event, Events};
use crate::graph::Graph;
use crate::ids::{QueryId, ReservationId, TaskId};
use crate::memory::Memory;
use crate::ops::{Cx, Work};
use crate::sched::{Action, Scheduler, Signal, story};
use crate::store::{Scratch, Shelf};
use crate::wake::Wakers;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// Takes the lines of the session's story as they happen (see [`story`]). Called under the scheduler's lock: be quick.
pub type Recorder = Box<dyn FnMut(&str) + Send>;

/// What an engine is made of.
pub struct Setup {
    /// Tasks that run at one time; the pool should have as many threads.
    pub threads: usize,
    /// Where jobs run.
    pub pool: Arc<dyn Pool>,
    /// The session's budget and pages. What is free of it now is what floors may sum to.
    pub memory: Memory,
    /// The session's scratch.
    pub scratch: Scratch,
    /// The session's constants.
    pub tuning: Arc<Tuning>,
    /// Who listens.
    pub events: Events,
    /// Whether real memory corrects the account.
    pub probe: Probe,
    /// Who records the session's story.
    pub story: Option<Recorder>,
}

/// Runs the queries of one session. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(super) struct Inner {
    me: Weak<Inner>,
    core: Mutex<Core>,
    queries: Mutex<BTreeMap<QueryId, Arc<Query>>>,
    threads: usize,
    pool: Arc<dyn Pool>,
    pub memory: Memory,
    scratch: Scratch,
    /// Results that rest beyond their queries.
    pub shelf: Shelf,
    tuning: Arc<Tuning>,
    pub events: Events,
    pub probe: Probe,
}

struct Core {
    scheduler: Scheduler,
    story: Option<Recorder>,
    next: u32,
}

impl Engine {
    /// An engine without queries.
    pub fn new(setup: Setup) -> Self {
        let Setup { threads, pool, memory, scratch, tuning, events, probe, mut story } = setup;
        let scheduler = Scheduler::new(threads, memory.budget.free());
        if let Some(tell) = &mut story {
            tell(&story::header(&scheduler));
        }
        let threads = scheduler.threads();
        let core = Mutex::new(Core { scheduler, story, next: 0 });
        let queries = Mutex::default();
        let shelf = Shelf::new(&memory, &scratch);
        let make = |me: &Weak<Inner>| Inner {
            me: me.clone(),
            core,
            queries,
            threads,
            pool,
            memory,
            scratch,
            shelf,
            tuning,
            events,
            probe,
        };
        Engine(Arc::new_cyclic(make))
    }

    /// Runs `graph`; `work[i]` is what stage `i` does. Returns at once. When the query has ended and all its tasks and
    /// works are dropped, `on_end` is called on a pool thread with the first error, if there was one.
    ///
    /// A graph that breaks its rules ends the query with an error of kind `Internal`, without running anything.
    pub fn submit(&self, graph: Graph, work: Vec<Arc<dyn Work>>, on_end: OnEnd) -> QueryHandle {
        self.submit_at(0, graph, work, on_end)
    }

    /// The same, before all queries of lower priority.
    pub fn submit_at(&self, priority: i32, graph: Graph, work: Vec<Arc<dyn Work>>, on_end: OnEnd) -> QueryHandle {
        let wrong = graph.check().err().or_else(|| {
            let (stages, works) = (graph.stages.len(), work.len());
            (stages != works).then(|| Error::internal(format!("{works} works for {stages} stages")))
        });
        // What a later stage could never begin with is told before anything is read.
        let budget = &self.0.memory.budget;
        let wrong = wrong.or_else(|| graph.stages.iter().find_map(|s| budget.admit(&s.name, s.layout.floor()).err()));
        let stages = match wrong {
            None => graph.stages.iter().map(|s| s.after.clone()).collect(),
            Some(_) => Vec::new(),
        };
        let inner = &self.0;
        let query = inner.admit(graph, work, on_end);
        if let Some(error) = wrong {
            query.fail(error);
        }
        let id = query.id;
        inner.events.tell(|| Event::QueryStarted { query: id });
        inner.signal(Signal::Submit { query: id, priority, stages });
        QueryHandle { query, engine: self.clone() }
    }

    /// The most anonymous memory that the process was seen to have, in bytes; 0 where the probe is off.
    pub fn peak(&self) -> usize {
        self.0.probe.peak()
    }

    /// The session's budget and pages.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Where results rest that outlive their queries.
    pub fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    /// Tasks that run at one time.
    pub fn threads(&self) -> usize {
        self.0.threads
    }

    /// Asks every query to stop.
    pub fn cancel_all(&self) {
        let queries = self.0.queries();
        queries.iter().for_each(|query| self.cancel(query));
    }

    /// Whether the calling thread must run jobs while it waits, since nobody else does.
    pub fn is_lent(&self) -> bool {
        self.0.pool.must_help()
    }

    /// Whether the calling thread is inside a job of the pool.
    pub fn is_inside(&self) -> bool {
        self.0.pool.is_inside()
    }

    /// Runs what is to do, where nobody else would.
    pub fn run_down(&self) {
        self.0.pool.run_down();
    }

    /// Runs a job of the pool, or sleeps a moment if there is none. Inside a task, another task may run meanwhile.
    pub fn help(&self) {
        let inner = &self.0;
        let inside = inner.pool.is_inside();
        if inside {
            inner.signal(Signal::Lent);
        }
        inner.pool.help();
        if inside {
            inner.signal(Signal::Returned);
        }
    }

    pub(super) fn cancel(&self, query: &Arc<Query>) {
        self.0.fail(query, Error::cancelled());
        query.tell_cancelled();
    }

    pub(super) fn wait(&self, latch: &Latch) {
        let inner = &self.0;
        if latch.is_set() || !inner.pool.is_inside() {
            return inner.pool.wait(latch);
        }
        // The task that this thread is in runs nothing while it waits: another one may.
        inner.signal(Signal::Lent);
        inner.pool.wait(latch);
        inner.signal(Signal::Returned);
    }
}

impl Inner {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn admit(&self, graph: Graph, work: Vec<Arc<dyn Work>>, on_end: OnEnd) -> Arc<Query> {
        let id = {
            let mut core = self.core();
            core.next += 1;
            QueryId(core.next - 1)
        };
        let me = self.me.clone();
        let wakers = Wakers::new(Arc::new(move |token| {
            if let Some(engine) = me.upgrade() {
                engine.signal(Signal::Ready { query: id, token });
            }
        }));
        let cx = Cx {
            tuning: self.tuning.clone(),
            memory: self.memory.clone(),
            scratch: self.scratch.clone(),
            wakers,
            cancel: graph.cancel.clone(),
            threads: self.threads,
        };
        let query = Arc::new(Query::new(id, graph, work, cx, on_end));
        self.list().insert(id, query.clone());
        query
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<QueryId, Arc<Query>>> {
        self.queries.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// All queries that have not ended, in the order in which they came.
    pub fn queries(&self) -> Vec<Arc<Query>> {
        self.list().values().cloned().collect()
    }

    fn find(&self, id: QueryId) -> Option<Arc<Query>> {
        self.list().get(&id).cloned()
    }

    /// Lets the scheduler hear, and does what it answers. Never blocks, so any thread may call it; an operator may call
    /// it (by a waker) with its own locks held.
    pub fn signal(&self, signal: Signal) {
        let mut actions = Vec::new();
        self.core().hear(signal, &mut actions);
        for action in actions {
            self.perform(action);
        }
    }

    /// Whether a job may sleep a while.
    pub fn may_sleep(&self) -> bool {
        self.pool.may_sleep()
    }

    /// Keeps the query's first error and stops it.
    pub fn fail(&self, query: &Query, error: Error) {
        query.fail(error);
        query.cx.cancel.cancel();
        self.signal(Signal::Cancel { query: query.id });
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Lay { query, stage, round } => {
                self.side(query, move |engine, query| job::lay(engine, query, stage, round));
            }
            Action::Start { query, task, stage, round, index, floor, retries } => {
                self.events.tell(|| Event::TaskStarted { query, task });
                let doing =
                    Doing { id: task, stage, round, index, floor, retries, task: None, starved: None, refused: None };
                self.spawn(query, move |engine, query| job::run_task(engine, query, doing));
            }
            Action::Resume { query, task } => self.resume(query, task, job::run_task),
            Action::Starve { query, task } => self.resume(query, task, job::starve_task),
            Action::Ask { query, reservation, bytes } => self.ask(query, reservation, bytes),
            Action::Spill { query, reservation, bytes } => {
                self.ask(query, reservation, bytes);
                let Some(me) = self.me.upgrade() else { return };
                self.pool.spawn(Box::new(move || job::relieve(&me, reservation, bytes)));
            }
            Action::Abort { query } => {
                if let Some(query) = self.find(query) {
                    query.cx.cancel.cancel();
                }
                self.side(query, |_, query| query.drop_parked());
            }
            Action::Finish { query } => {
                if let Some(query) = self.find(query).filter(|q| q.finish()) {
                    self.end(query);
                }
            }
        }
    }

    /// Goes on with a parked task by `then`. One that an abort dropped meanwhile has failed.
    fn resume(&self, query: QueryId, task: TaskId, then: fn(&Inner, &Query, Doing)) {
        self.spawn(query, move |engine, query| match query.unpark(task) {
            Some(doing) => then(engine, query, doing),
            None => engine.signal(Signal::Failed { query: query.id, task }),
        });
    }

    fn ask(&self, query: QueryId, reservation: ReservationId, bytes: usize) {
        if let Some(holder) = self.memory.budget.find(reservation) {
            holder.ask(bytes);
            self.events.tell(|| Event::SpillAsked { query, bytes });
        }
    }

    /// A job of a task: the scheduler knows of it, so the query does not end before it.
    fn spawn(&self, query: QueryId, job: impl FnOnce(&Inner, &Query) + Send + 'static) {
        let (Some(me), Some(query)) = (self.me.upgrade(), self.find(query)) else { return };
        self.pool.spawn(Box::new(move || job(&me, &query)));
    }

    /// A job that the scheduler does not count: the query counts it itself.
    fn side(&self, query: QueryId, job: impl FnOnce(&Inner, &Arc<Query>) + Send + 'static) {
        let (Some(me), Some(query)) = (self.me.upgrade(), self.find(query)) else { return };
        if !query.enter() {
            return;
        }
        self.pool.spawn(Box::new(move || {
            job(&me, &query);
            me.leave(&query);
        }));
    }

    /// A job that used the query's works has ended.
    pub fn leave(&self, query: &Arc<Query>) {
        if query.leave() {
            self.end(query.clone());
        }
    }

    fn end(&self, query: Arc<Query>) {
        let Some(me) = self.me.upgrade() else { return };
        self.pool.spawn(Box::new(move || {
            me.list().remove(&query.id);
            let id = query.id;
            query.end(|error| {
                me.events.tell(|| Event::QueryEnded { query: id, error: error.map(|e| e.message().to_string()) })
            });
        }));
    }
}

impl Core {
    fn hear(&mut self, signal: Signal, actions: &mut Vec<Action>) {
        if let Some(tell) = &mut self.story {
            tell(&format!("> {signal}"));
        }
        self.scheduler.on(signal, actions);
        if let Some(tell) = &mut self.story {
            actions.iter().for_each(|action| tell(&format!("< {action}")));
        }
    }
}
