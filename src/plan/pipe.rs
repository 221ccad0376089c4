//! A pipeline that is being laid: where its rows come from, what happens to them, not yet where they end.
//!
//! A breaker (aggregate, sort, the build side of a join, the result) closes it: each feed becomes a stage, and one more
//! stage, the exchange, combines the workers' states when all feeds have ended.

use crate::events::Meter;
use crate::graph::{Fixed, Graph, Layout, WithFloor};
use crate::ids::StageId;
use crate::ops::pipeline::{Feed, Finish, Ordinals, SinkSlots, TransformSlots};
use crate::ops::{SinkOp, SourceOp, TransformOp, Work};
use std::sync::Arc;

/// A node of the physical plan, for people.
#[derive(Clone)]
pub struct Described {
    /// The operator: `aggregate`.
    pub name: String,
    /// Its parameters, short.
    pub detail: String,
    /// What it did.
    pub meter: Arc<Meter>,
    /// Where its rows come from.
    pub inputs: Vec<Described>,
}

impl Described {
    /// An operator over `inputs`.
    pub fn new(name: &str, detail: impl Into<String>, meter: Arc<Meter>, inputs: Vec<Described>) -> Self {
        Described { name: name.into(), detail: detail.into(), meter, inputs }
    }
}

/// One input of a pipeline.
pub struct Inlet {
    /// For people: `scan lineitem`.
    pub name: String,
    /// Where rows come from.
    pub source: Arc<dyn SourceOp>,
    /// Counts what the source does.
    pub meter: Arc<Meter>,
    /// How many tasks, each with which floor.
    pub layout: Arc<dyn Layout>,
    /// The number of tasks, where it is known before anything runs.
    pub tasks: Option<usize>,
    /// Bytes that a task has in flight outside of reservations: buffers of its reader, batches.
    pub in_flight: usize,
    /// What it waits for.
    pub after: Vec<StageId>,
    /// What happens to its rows.
    pub transforms: Vec<Arc<TransformSlots>>,
    /// Transforms of the inlets before it which left rows for it: it waits until those inlets have ended and these
    /// transforms were finished.
    pub settles: Vec<Arc<TransformSlots>>,
}

/// Where a pipeline ends.
pub struct Outlet {
    /// What takes the rows.
    pub op: Arc<dyn SinkOp>,
    /// For people: `aggregate`.
    pub name: &'static str,
    /// Its parameters, short.
    pub detail: String,
    /// Bytes that one worker's state holds at least.
    pub floor: usize,
    /// Counts what it does.
    pub meter: Arc<Meter>,
}

impl Outlet {
    /// An end without details to show.
    pub fn new(op: Arc<dyn SinkOp>, name: &'static str, floor: usize) -> Self {
        Outlet { op, name, detail: String::new(), floor, meter: Arc::default() }
    }
}

/// A pipeline without an end.
pub struct Pipe {
    /// Its inputs, in order.
    pub inlets: Vec<Inlet>,
    /// The last operator.
    pub top: Described,
    /// Bytes that the transforms of one task hold at least.
    pub floor: usize,
}

/// The stages laid so far.
#[derive(Default)]
pub struct Stages {
    /// What waits for what.
    pub graph: Graph,
    /// What each stage does.
    pub work: Vec<Arc<dyn Work>>,
}

impl Stages {
    /// Adds a stage.
    pub fn add(&mut self, name: String, after: Vec<StageId>, layout: Arc<dyn Layout>, work: Arc<dyn Work>) -> StageId {
        self.work.push(work);
        self.graph.add(name, after, layout)
    }
}

impl Pipe {
    /// A pipeline that begins at `inlet`.
    pub fn from(inlet: Inlet, top: Described) -> Self {
        Pipe { inlets: vec![inlet], top, floor: 0 }
    }

    /// Adds a transform to every inlet.
    pub fn push(&mut self, op: Arc<dyn TransformOp>, name: &str, detail: impl Into<String>) -> Arc<TransformSlots> {
        let meter = Arc::new(Meter::default());
        let slots = TransformSlots::new(op, meter.clone());
        self.inlets.iter_mut().for_each(|inlet| inlet.transforms.push(slots.clone()));
        let below = self.top.clone();
        self.top = Described::new(name, detail, meter, vec![below]);
        slots
    }

    /// Makes every inlet wait for `stage`.
    pub fn wait_for(&mut self, stage: StageId) {
        for inlet in self.inlets.iter_mut().filter(|inlet| !inlet.after.contains(&stage)) {
            inlet.after.push(stage);
        }
    }

    /// Lays the stages of the inlets that are there now, all ending in `sink`. Returns the stages.
    fn lay_feeds(&mut self, stages: &mut Stages, sink: &Arc<SinkSlots>, sink_floor: usize) -> Vec<StageId> {
        let mut laid: Vec<StageId> = Vec::new();
        let mut ordinals: Option<Arc<Ordinals>> = None;
        let mut counted = Some(0);
        for inlet in self.inlets.drain(..) {
            let mut after = inlet.after;
            if !inlet.settles.is_empty() {
                let work = Arc::new(Finish { transforms: inlet.settles, sink: None });
                let layout = Arc::new(Fixed { tasks: 1, floor: 0 });
                after.push(stages.add(format!("{}: settle", inlet.name), laid.clone(), layout, work));
            }
            let numbers = match (counted, laid.last()) {
                (Some(base), _) => Ordinals::from(base),
                (None, before) => {
                    after.extend(before.filter(|s| !after.contains(s)));
                    Ordinals::after(ordinals.clone())
                }
            };
            counted = counted.zip(inlet.tasks).map(|(a, b)| a + b as u64);
            ordinals = Some(numbers.clone());
            let feed = Feed {
                source: inlet.source,
                meter: inlet.meter,
                transforms: inlet.transforms,
                sink: sink.clone(),
                ordinals: numbers,
                in_flight: inlet.in_flight,
            };
            let layout = Arc::new(WithFloor { inner: inlet.layout, more: inlet.in_flight + self.floor + sink_floor });
            laid.push(stages.add(inlet.name, after, layout, Arc::new(feed)));
        }
        laid
    }

    /// Ends the pipeline. Returns the stage after which the result of the sink is whole, and the sink as the plan shows
    /// it.
    pub fn close(mut self, stages: &mut Stages, outlet: Outlet) -> (StageId, Described) {
        let Outlet { op, name, detail, floor, meter } = outlet;
        let sink = SinkSlots::new(op, meter.clone());
        let described = Described::new(name, detail, meter, vec![self.top.clone()]);
        let feeds = self.lay_feeds(stages, &sink, floor);
        let work = Arc::new(Finish { transforms: Vec::new(), sink: Some(sink) });
        let finish = stages.add(format!("{name}: combine"), feeds, Arc::new(Fixed { tasks: 1, floor: 0 }), work);
        (finish, described)
    }
}
