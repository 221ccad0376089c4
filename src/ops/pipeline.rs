//! The loop that drives one pipeline: source, transforms, sink.
//!
//! ```text
//!   level 0      level 1        level 2
//!   source  -->  transform  --> transform -->  sink
//! ```
//!
//! `level` is the deepest place that may still hold rows. Each turn pulls there: rows go one place down (the level
//! grows), emptiness goes one place up. So nothing is buffered between operators, an operator may yield many batches for
//! one (a join), and the task can stop between any two turns: for memory, for a token, for a cancel.
//!
//! Local transforms and sinks outlive the task: they rest in [`TransformSlots`] and [`SinkSlots`] between tasks, at most one
//! a worker, until the pipeline ends.

use super::{Cx, Flow, Pull, Sink, SinkOp, Source, SourceOp, Starved, Step, Task, Transform, TransformOp, Work};
use crate::batch::Position;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Meter;
use crate::graph::Sizes;
use crate::memory::InFlight;
use crate::sched::NOBODY;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked while holding a slot took the query down with it; the list itself is whole.
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// The local copies of one transform that no task is using.
pub struct TransformSlots {
    op: Arc<dyn TransformOp>,
    idle: Mutex<Vec<Box<dyn Transform>>>,
    /// Counts what the transform does.
    pub meter: Arc<Meter>,
}

impl TransformSlots {
    /// No copies yet.
    pub fn new(op: Arc<dyn TransformOp>, meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(TransformSlots { op, idle: Mutex::default(), meter })
    }

    fn take(&self, cx: &Cx) -> Result<Box<dyn Transform>> {
        let idle = lock(&self.idle).pop();
        idle.map_or_else(|| self.op.local(cx), Ok)
    }

    fn put(&self, transform: Box<dyn Transform>) {
        lock(&self.idle).push(transform);
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for transform in lock(&self.idle).iter_mut().filter(|t| t.reservation().is_some()) {
            if given < bytes {
                given += transform.spill(bytes - given, cx)?;
            }
        }
        Ok(given)
    }

    /// Ends every local copy. Called when no task of the pipeline is left.
    pub fn finish(&self, cx: &Cx) -> Result<()> {
        let idle = std::mem::take(&mut *lock(&self.idle));
        idle.into_iter().try_for_each(|transform| transform.finish(cx))
    }
}

/// The local states of one sink that no task is using.
pub struct SinkSlots {
    op: Arc<dyn SinkOp>,
    idle: Mutex<Vec<Box<dyn Sink>>>,
    sizes: Mutex<Sizes>,
    /// Counts what the sink does.
    pub meter: Arc<Meter>,
}

impl SinkSlots {
    /// No states yet.
    pub fn new(op: Arc<dyn SinkOp>, meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(SinkSlots { op, idle: Mutex::default(), sizes: Mutex::default(), meter })
    }

    fn take(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        let idle = lock(&self.idle).pop();
        idle.map_or_else(|| self.op.local(cx), Ok)
    }

    fn put(&self, sink: Box<dyn Sink>) {
        lock(&self.idle).push(sink);
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for sink in lock(&self.idle).iter_mut() {
            if given < bytes {
                given += sink.spill(bytes - given, cx)?;
            }
        }
        if given < bytes {
            given += self.op.spill(bytes - given, cx)?;
        }
        Ok(given)
    }

    fn finish(&self, cx: &Cx) -> Result<()> {
        let idle = std::mem::take(&mut *lock(&self.idle));
        idle.into_iter().try_for_each(|sink| sink.finish(cx))?;
        *lock(&self.sizes) = self.op.finish(cx)?;
        Ok(())
    }
}

/// Numbers the pieces of a pipeline's input over all its feeds, in order.
///
/// A feed whose number of tasks is not known when it begins is followed only by feeds that wait for it, so the number
/// at which a feed begins is known when its first task opens.
#[derive(Default)]
pub struct Ordinals {
    before: Option<Arc<Ordinals>>,
    base: OnceLock<u64>,
    opened: AtomicU64,
}

impl Ordinals {
    /// Numbers that follow those of `before`.
    pub fn after(before: Option<Arc<Ordinals>>) -> Arc<Self> {
        Arc::new(Ordinals { before, ..Ordinals::default() })
    }

    /// Numbers that begin at `base`: for feeds whose predecessors' tasks are counted at plan time.
    pub fn from(base: u64) -> Arc<Self> {
        let ordinals = Ordinals::default();
        let _ = ordinals.base.set(base);
        Arc::new(ordinals)
    }

    fn split(&self, index: usize) -> u64 {
        self.opened.fetch_max(index as u64 + 1, Relaxed);
        self.base() + index as u64
    }

    fn base(&self) -> u64 {
        *self.base.get_or_init(|| self.before.as_ref().map_or(0, |b| b.end()))
    }

    /// The number after the last.
    pub fn end(&self) -> u64 {
        self.base() + self.opened.load(Relaxed)
    }
}

/// One input of a pipeline with the transforms that its rows pass: the work of a stage.
pub struct Feed {
    /// Where rows come from.
    pub source: Arc<dyn SourceOp>,
    /// Counts what the source does.
    pub meter: Arc<Meter>,
    /// What happens to them.
    pub transforms: Vec<Arc<TransformSlots>>,
    /// Where they end; shared by all feeds of the pipeline.
    pub sink: Arc<SinkSlots>,
    /// How the pieces are numbered.
    pub ordinals: Arc<Ordinals>,
    /// Bytes that a task has in flight outside of reservations: buffers of its reader, batches.
    pub in_flight: usize,
}

impl Feed {
    /// A local copy of all that rows go through. Where one is refused, those that were taken go back: they may have rows of
    /// tasks before.
    fn take(&self, cx: &Cx) -> Result<(Vec<Local>, Box<dyn Sink>)> {
        let mut transforms: Vec<Local> = Vec::with_capacity(self.transforms.len());
        let taken = self.transforms.iter().try_for_each(|slots| {
            transforms.push(Local { it: slots.take(cx)?, slots: slots.clone() });
            Ok(())
        });
        let sink = taken.and_then(|()| self.sink.take(cx));
        if sink.is_err() {
            transforms.drain(..).for_each(|local| local.slots.put(local.it));
        }
        Ok((transforms, sink?))
    }
}

impl Work for Feed {
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        let in_flight = cx.memory.budget.in_flight("a task", self.in_flight)?;
        let (transforms, sink) = self.take(cx)?;
        Ok(Box::new(PipelineTask {
            source: Opening {
                op: self.source.clone(),
                round,
                index,
                open: None,
                refused: None,
                meter: self.meter.clone(),
            },
            transforms,
            sink: Some(sink),
            slots: self.sink.clone(),
            split: self.ordinals.split(index),
            level: 0,
            sink_is_ready: true,
            phase: Phase::Begin,
            _in_flight: in_flight,
        }))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = self.source.spill(bytes, cx)?;
        for slots in &self.transforms {
            if given < bytes {
                given += slots.spill(bytes - given, cx)?;
            }
        }
        if given < bytes {
            given += self.sink.spill(bytes - given, cx)?;
        }
        Ok(given)
    }
}

struct Local {
    it: Box<dyn Transform>,
    slots: Arc<TransformSlots>,
}

/// A source that is opened only when somebody wants its rows.
struct Opening {
    op: Arc<dyn SourceOp>,
    round: u32,
    index: usize,
    open: Option<Box<dyn Source>>,
    /// Why it did not open the last time: its floors were refused.
    refused: Option<Error>,
    meter: Arc<Meter>,
}

impl Opening {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        if let Some(source) = &mut self.open {
            return source.next(cx);
        }
        match self.op.open(self.round, self.index, cx) {
            Ok(source) => (self.open, self.refused) = (Some(source), None),
            // Others may hold more than their floors just now: they are asked, and it is opened again.
            Err(error) if error.kind() == ErrorKind::Resources => {
                self.refused = Some(error);
                let bytes = cx.memory.pool.page_bytes();
                return Ok(Pull::Starved(Starved { reservation: NOBODY, bytes }));
            }
            Err(error) => return Err(error),
        }
        Ok(Pull::Empty)
    }
}

enum Phase {
    Begin,
    Running,
    Ending,
    Ended,
}

struct PipelineTask {
    source: Opening,
    transforms: Vec<Local>,
    /// `None` once it was put back.
    sink: Option<Box<dyn Sink>>,
    slots: Arc<SinkSlots>,
    split: u64,
    /// The deepest place that may hold rows: 0 is the source, n the n-th transform.
    level: usize,
    sink_is_ready: bool,
    phase: Phase,
    _in_flight: InFlight,
}

/// Counts the time and the rows of one call.
fn metered<T>(meter: &Meter, call: impl FnOnce() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    let result = call();
    meter.add_nanos(begun.elapsed().as_nanos() as u64);
    result
}

impl Task for PipelineTask {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        let given = self.answer_requests(cx)?;
        if let Some(bytes) = given {
            return Ok(Step::Gave(bytes));
        }
        match self.phase {
            Phase::Begin => {
                let split = self.split;
                self.sink()?.begin(split, cx)?;
                self.phase = Phase::Running;
                Ok(Step::More)
            }
            Phase::Running => self.run(cx),
            Phase::Ending => {
                let flow = if self.sink_is_ready { self.sink()?.end(cx)? } else { self.sink()?.resume(cx)? };
                if let Some(step) = self.blocked(flow) {
                    return Ok(step);
                }
                self.put_back();
                self.phase = Phase::Ended;
                Ok(Step::Done)
            }
            Phase::Ended => Ok(Step::Done),
        }
    }

    fn refused(&mut self) -> Option<Error> {
        self.source.refused.take()
    }
}

impl PipelineTask {
    fn sink(&mut self) -> Result<&mut Box<dyn Sink>> {
        self.sink.as_mut().ok_or_else(|| Error::internal("a task that went on after its end"))
    }

    fn put_back(&mut self) {
        self.source.open = None;
        self.transforms.drain(..).for_each(|local| local.slots.put(local.it));
        if let Some(sink) = self.sink.take() {
            self.slots.put(sink);
        }
    }

    /// Spills where the scheduler asked for it; `None` if nobody was asked.
    fn answer_requests(&mut self, cx: &Cx) -> Result<Option<usize>> {
        let mut given = None;
        if let Some(sink) = &mut self.sink
            && let Some(wanted) = sink.reservation().map(|r| r.take_wanted()).filter(|w| *w > 0)
        {
            let bytes = sink.spill(wanted, cx)?;
            given = Some(given.unwrap_or(0) + bytes);
        }
        for local in &mut self.transforms {
            if let Some(wanted) = local.it.reservation().map(|r| r.take_wanted()).filter(|w| *w > 0) {
                let bytes = local.it.spill(wanted, cx)?;
                given = Some(given.unwrap_or(0) + bytes);
            }
        }
        if let Some(source) = &mut self.source.open
            && let Some(wanted) = source.reservation().map(|r| r.take_wanted()).filter(|w| *w > 0)
        {
            let bytes = source.spill(wanted, cx)?;
            given = Some(given.unwrap_or(0) + bytes);
        }
        Ok(given)
    }

    /// Turns until a batch has reached the sink or the source has done one piece of work.
    fn run(&mut self, cx: &Cx) -> Result<Step> {
        if !self.sink_is_ready {
            let meter = self.slots.meter.clone();
            let sink = self.sink()?;
            let flow = metered(&meter, || sink.resume(cx))?;
            if let Some(step) = self.blocked(flow) {
                return Ok(step);
            }
        }
        if self.is_done()? {
            self.phase = Phase::Ending;
            return Ok(Step::More);
        }
        loop {
            match self.pull(cx)? {
                Pull::Batch(batch) if batch.rows() == 0 => {}
                Pull::Batch(batch) => {
                    if let Some(local) = self.transforms.get_mut(self.level) {
                        metered(&local.slots.meter, || local.it.push(batch, cx))?;
                        self.level += 1;
                    } else {
                        let meter = self.slots.meter.clone();
                        let sink = self.sink()?;
                        let flow = metered(&meter, || sink.push(batch, cx))?;
                        return Ok(self.blocked(flow).unwrap_or(Step::More));
                    }
                }
                Pull::Empty if self.level == 0 => return Ok(Step::More),
                Pull::Empty => self.level -= 1,
                Pull::Starved(who) => return Ok(Step::Starved(who)),
                Pull::Wait(token) => return Ok(Step::Wait(token)),
                Pull::End => {
                    self.phase = Phase::Ending;
                    return Ok(Step::More);
                }
            }
        }
    }

    fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        let (meter, pull) = match self.level.checked_sub(1).and_then(|i| self.transforms.get_mut(i)) {
            Some(local) => (&local.slots.meter, metered(&local.slots.meter, || local.it.pull(cx))?),
            None => {
                let meter = self.source.meter.clone();
                let split = self.split;
                let pull = metered(&meter, || self.source.next(cx))?;
                (&self.source.meter, numbered(pull, split))
            }
        };
        if let Pull::Batch(batch) = &pull {
            meter.add_rows(batch.rows());
        }
        Ok(pull)
    }

    fn is_done(&mut self) -> Result<bool> {
        Ok(self.sink()?.is_done() || self.transforms.iter().any(|local| local.it.is_done()))
    }

    fn blocked(&mut self, flow: Flow) -> Option<Step> {
        self.sink_is_ready = flow == Flow::Ready;
        match flow {
            Flow::Ready => None,
            Flow::Starved(who) => Some(Step::Starved(who)),
            Flow::Wait(token) => Some(Step::Wait(token)),
        }
    }
}

/// Sources count rows; which piece of the query's input they read, only the task knows.
fn numbered(pull: Pull, split: u64) -> Pull {
    match pull {
        Pull::Batch(mut batch) => {
            batch.position = Position { split, row: batch.position.row };
            Pull::Batch(batch)
        }
        other => other,
    }
}

/// The exchange at the end of a pipeline: one task that combines the local states.
pub struct Finish {
    /// Transforms that keep something for later (rows of spilled join partitions), in the order of the pipeline.
    pub transforms: Vec<Arc<TransformSlots>>,
    /// The sink, unless only transforms are ended.
    pub sink: Option<Arc<SinkSlots>>,
}

impl Work for Finish {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Task>> {
        Ok(Box::new(FinishTask { transforms: self.transforms.clone(), sink: self.sink.clone() }))
    }

    fn sizes(&self) -> Sizes {
        let sink = self.sink.as_ref().map_or_else(Sizes::default, |sink| lock(&sink.sizes).clone());
        let left = self.transforms.iter().map(|slots| slots.op.sizes());
        left.fold(sink, |mut all, one| {
            all.parts.extend(one.parts);
            all
        })
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.sink.as_ref().map_or(Ok(0), |sink| sink.spill(bytes, cx))
    }
}

struct FinishTask {
    transforms: Vec<Arc<TransformSlots>>,
    sink: Option<Arc<SinkSlots>>,
}

impl Task for FinishTask {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        self.transforms.iter().try_for_each(|slots| slots.finish(cx))?;
        if let Some(sink) = &self.sink {
            let meter = sink.meter.clone();
            metered(&meter, || sink.finish(cx))?;
        }
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::config::Tuning;
    use crate::memory::{Budget, Memory, PagePool};
    use crate::ops::Cancel;
    use crate::store::Scratch;
    use crate::wake::Wakers;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    fn cx() -> Cx {
        Cx {
            tuning: Arc::new(Tuning::default()),
            memory: Memory { budget: Budget::new(64 << 20), pool: PagePool::new(1 << 16) },
            scratch: Scratch::new(vec![], None, 0).unwrap(),
            wakers: Wakers::deaf(),
            cancel: Cancel::default(),
            threads: 2,
        }
    }

    /// All parts of a pipeline; counts the copies of its transform, and refuses sinks while it is told to.
    #[derive(Default)]
    struct Parts {
        made: AtomicUsize,
        refuses: AtomicBool,
    }

    struct Part;

    impl TransformOp for Parts {
        fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
            self.made.fetch_add(1, Relaxed);
            Ok(Box::new(Part))
        }
    }

    impl Transform for Part {
        fn push(&mut self, _batch: Batch, _cx: &Cx) -> Result<()> {
            Ok(())
        }

        fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
            Ok(Pull::Empty)
        }
    }

    impl SinkOp for Parts {
        fn local(&self, _cx: &Cx) -> Result<Box<dyn Sink>> {
            if self.refuses.load(Relaxed) { Err(Error::resources("no room")) } else { Ok(Box::new(Part)) }
        }

        fn finish(&self, _cx: &Cx) -> Result<Sizes> {
            Ok(Sizes::default())
        }
    }

    impl Sink for Part {
        fn push(&mut self, _batch: Batch, _cx: &Cx) -> Result<Flow> {
            Ok(Flow::Ready)
        }

        fn finish(self: Box<Self>, _cx: &Cx) -> Result<()> {
            Ok(())
        }
    }

    impl SourceOp for Parts {
        fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
            Err(Error::internal("nobody reads"))
        }
    }

    #[test]
    fn what_was_taken_goes_back_where_the_rest_is_refused() {
        let (cx, parts) = (cx(), Arc::new(Parts::default()));
        let meter = Arc::new(Meter::default());
        let slots = TransformSlots::new(parts.clone(), meter.clone());
        let feed = Feed {
            source: parts.clone(),
            meter: meter.clone(),
            transforms: vec![slots.clone()],
            sink: SinkSlots::new(parts.clone(), meter),
            ordinals: Ordinals::after(None),
            in_flight: 0,
        };
        // A task ends: its transform, which may keep rows, is back already, its sink is not yet.
        let (mut transforms, _sink) = feed.take(&cx).unwrap();
        transforms.drain(..).for_each(|local| local.slots.put(local.it));
        parts.refuses.store(true, Relaxed);
        for _ in 0..3 {
            assert_eq!(Work::open(&feed, 0, 0, &cx).err().unwrap().kind(), ErrorKind::Resources);
            assert_eq!(lock(&slots.idle).len(), 1, "the transform is not lost");
        }
        parts.refuses.store(false, Relaxed);
        assert!(Work::open(&feed, 0, 0, &cx).is_ok());
        assert_eq!(parts.made.load(Relaxed), 1, "it is the same one");
    }
}
