//! From a bag to a graph: each step of a bag lays itself on what its input laid.
//!
//! A [`Pipe`] is an open end: partitions that can be pulled once the stages before them have ended. Steps that look at one
//! item, or at one partition, wrap the partitions of their input and lay no stage; steps that need all items (by key, in
//! order, at rest) close the pipe into stages of the engine and open another.

use super::faults::Faults;
use super::items::Chain;
use crate::error::{Error, Result};
use crate::graph::{Facts, Fixed, Layout, Round, Sizes};
use crate::ids::StageId;
use crate::ops::Cx;
use crate::plan::Lowering;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A step of a bag: what its items are made by.
pub(super) trait Node<T>: Send + Sync {
    /// Lays the stages that must run before, and answers with the partitions.
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>>;
}

/// A graph in the making.
pub(super) struct Laying {
    /// The stages so far, and what planning may know.
    pub(super) plan: Lowering,
    /// What becomes of items that cannot be read.
    pub(super) faults: Faults,
}

/// Partitions at run time.
pub(super) trait Partitions<T>: Send + Sync {
    /// The items of a partition. An error of kind `Resources` has left nothing behind: it is tried again.
    fn open(&self, index: usize, cx: &Cx) -> Result<Chain<T>>;
}

impl<T, F: Fn(usize, &Cx) -> Result<Chain<T>> + Send + Sync> Partitions<T> for F {
    fn open(&self, index: usize, cx: &Cx) -> Result<Chain<T>> {
        self(index, cx)
    }
}

/// An open end of a graph.
pub(super) struct Pipe<T> {
    /// For people: `read logs/*.gz`.
    pub(super) name: String,
    pub(super) partitions: Arc<dyn Partitions<T>>,
    /// How many partitions there are, in one round.
    pub(super) layout: Arc<dyn Layout>,
    /// The same, where it is known before anything runs.
    pub(super) tasks: Option<usize>,
    /// What the layout looks at, and what must have ended before a partition is opened.
    pub(super) after: Vec<StageId>,
    /// Bytes that an open partition has in flight.
    pub(super) in_flight: usize,
}

impl<T> Pipe<T> {
    /// `tasks` partitions that wait for nothing.
    pub(super) fn of(name: impl Into<String>, tasks: usize, partitions: impl Partitions<T> + 'static) -> Self {
        Pipe {
            name: name.into(),
            partitions: Arc::new(partitions),
            layout: Arc::new(Fixed { tasks, floor: 0 }),
            tasks: Some(tasks),
            after: Vec::new(),
            in_flight: 0,
        }
    }

    /// The same partitions under another description.
    pub(super) fn with<U>(self, name: &str, partitions: impl Partitions<U> + 'static) -> Pipe<U> {
        Pipe {
            name: format!("{}, {name}", self.name),
            partitions: Arc::new(partitions),
            layout: self.layout,
            tasks: self.tasks,
            after: self.after,
            in_flight: self.in_flight,
        }
    }

    /// Other partitions that are made of all of these: as many as `count` makes of their number.
    pub(super) fn regroup<U>(
        self,
        name: &str,
        count: Counting,
        make: impl FnOnce(Counted<T>) -> Arc<dyn Partitions<U>>,
    ) -> Pipe<U> {
        let known = Arc::<OnceLock<usize>>::default();
        let counted = Counted { partitions: self.partitions, count: known.clone() };
        Pipe {
            name: format!("{}, {name}", self.name),
            partitions: make(counted),
            tasks: self.tasks.map(&count),
            layout: Arc::new(Regrouped {
                parts: vec![(self.layout, self.after.len(), known)],
                count: Many::One(count),
            }),
            after: self.after,
            in_flight: self.in_flight,
        }
    }
}

/// A number of partitions made of another.
pub(super) type Counting = Box<dyn Fn(usize) -> usize + Send + Sync>;

/// Partitions whose number is known when one of the pipe's is opened.
pub(super) struct Counted<T> {
    pub(super) partitions: Arc<dyn Partitions<T>>,
    count: Arc<OnceLock<usize>>,
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        Counted { partitions: self.partitions.clone(), count: self.count.clone() }
    }
}

impl<T> Counted<T> {
    pub(super) fn count(&self) -> Result<usize> {
        self.count.get().copied().ok_or_else(|| Error::internal("partitions are opened before they are counted"))
    }
}

/// Two pipes of different items that become one whose partitions are counted by `count`.
pub(super) fn meet<A, B, U>(
    name: &str,
    left: Pipe<A>,
    right: Pipe<B>,
    count: fn(&[usize]) -> usize,
    make: impl FnOnce(Counted<A>, Counted<B>) -> Arc<dyn Partitions<U>>,
) -> Pipe<U> {
    let (one, other) = (Arc::<OnceLock<usize>>::default(), Arc::<OnceLock<usize>>::default());
    let tasks = left.tasks.zip(right.tasks).map(|(l, r)| count(&[l, r]));
    let parts = vec![(left.layout, left.after.len(), one.clone()), (right.layout, right.after.len(), other.clone())];
    Pipe {
        name: format!("{} {name} {}", left.name, right.name),
        partitions: make(
            Counted { partitions: left.partitions, count: one },
            Counted { partitions: right.partitions, count: other },
        ),
        layout: Arc::new(Regrouped { parts, count: Many::Both(count) }),
        tasks,
        after: left.after.into_iter().chain(right.after).collect(),
        in_flight: left.in_flight + right.in_flight,
    }
}

/// The partitions of all pipes, one pipe after the other.
pub(super) fn in_turn<T: 'static>(name: &str, pipes: Vec<Pipe<T>>) -> Pipe<T> {
    let tasks = pipes.iter().map(|p| p.tasks).sum();
    let in_flight = pipes.iter().map(|p| p.in_flight).max().unwrap_or(0);
    let (mut parts, mut counted, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for pipe in pipes {
        let known = Arc::<OnceLock<usize>>::default();
        parts.push((pipe.layout, pipe.after.len(), known.clone()));
        counted.push(Counted { partitions: pipe.partitions, count: known });
        after.extend(pipe.after);
    }
    let open = move |index: usize, cx: &Cx| {
        let mut left = index;
        for pipe in &counted {
            let count = pipe.count()?;
            if left < count {
                return pipe.partitions.open(left, cx);
            }
            left -= count;
        }
        Err(Error::internal(format!("there is no partition {index}")))
    };
    let layout = Arc::new(Regrouped { parts, count: Many::Either(|counts| counts.iter().sum()) });
    Pipe { name: name.to_string(), partitions: Arc::new(open), layout, tasks, after, in_flight }
}

/// Layouts of pipes, each with the number of stages that it looks at, and where its answer is kept.
type Parts = Vec<(Arc<dyn Layout>, usize, Arc<OnceLock<usize>>)>;

enum Many {
    /// Of one pipe.
    One(Counting),
    /// Of several, of which one is read at a time.
    Either(fn(&[usize]) -> usize),
    /// Of several that are read together.
    Both(fn(&[usize]) -> usize),
}

/// The rule of partitions that are made of others: asks their rules, and keeps the answers for those who open them.
struct Regrouped {
    parts: Parts,
    count: Many,
}

impl fmt::Debug for Regrouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|(layout, ..)| layout)).finish()
    }
}

impl Layout for Regrouped {
    fn next(&self, facts: &Facts<'_>) -> Round {
        if facts.round > 0 {
            return Round::default();
        }
        let (mut counts, mut floor, mut from) = (Vec::new(), 0usize, 0);
        for (layout, stages, known) in &self.parts {
            let sizes: &[Sizes] = facts.sizes.get(from..from + stages).unwrap_or_default();
            let round = layout.next(&Facts { sizes, ..facts.clone() });
            counts.push(*known.get_or_init(|| round.tasks));
            floor = match self.count {
                Many::Both(_) => floor + round.floor,
                Many::One(_) | Many::Either(_) => round.floor.max(floor),
            };
            from += stages;
        }
        let tasks = match &self.count {
            Many::One(count) => counts.first().map_or(0, |n| count(*n)),
            Many::Either(count) | Many::Both(count) => count(&counts),
        };
        Round { tasks, floor, why: String::new() }
    }
}
