//! The graph of a query: stages, what each waits for, and the pure rule that says how many tasks a stage gets.
//!
//! A [`Graph`] is a value that can be printed, ordered and tested without running anything. `plan` makes it together
//! with one piece of work a stage (which the graph does not know); `sched` walks it.
//!
//! ```text
//! s0 scan lineitem        4 tasks   after -
//! s1 aggregate: combine   1 task    after s0
//! s2 aggregate: finish    laid out  after s1      how many partitions, once their sizes are known
//! ```
//!
//! The order of stages is static: depth first from the result, so that few parts are alive at one time. Tasks of one
//! stage start in the order of their index, which is the order of the input.

mod check;
mod order;
mod print;
mod web;

pub use order::depth_first;
pub use web::{Knot, Web};

use crate::ids::StageId;
use crate::wake::Cancel;
use std::fmt;
use std::sync::Arc;

/// The stages of one query; a stage's number is its place in the list, and it waits only for smaller numbers.
#[derive(Clone, Default)]
pub struct Graph {
    /// In order of making.
    pub stages: Vec<Stage>,
    /// What will stop the query that runs it: for whoever waits where the drive loop does not see it.
    pub cancel: Cancel,
}

/// Tasks between two exchanges.
#[derive(Clone)]
pub struct Stage {
    /// For people: `scan lineitem`.
    pub name: String,
    /// Stages that must have ended before this one is laid out.
    pub after: Vec<StageId>,
    /// How many tasks it gets, and how much memory each needs at least.
    pub layout: Arc<dyn Layout>,
}

/// The rule of one stage. Pure: the same facts give the same round.
pub trait Layout: Send + Sync + fmt::Debug {
    /// The tasks of the next round. A stage is laid out again after each round until it answers with no tasks.
    fn next(&self, facts: &Facts<'_>) -> Round;

    /// Bytes that each task needs at least, as far as that is known before anything was measured.
    fn floor(&self) -> usize {
        0
    }

    /// What the tasks of a round need of one another, where they do; the round has as many tasks, each with its own floor.
    fn web(&self) -> Option<Arc<Web>> {
        None
    }
}

/// What is known when a stage is laid out.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// What each stage in `after` measured, in that order; in later rounds, what the stage itself measured last.
    pub sizes: &'a [Sizes],
    /// How often the stage was laid out before.
    pub round: u32,
    /// Bytes that the tasks of this stage may hold together.
    pub share: usize,
    /// Worker threads.
    pub threads: usize,
}

/// The answer of a layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How many tasks; 0 ends the stage.
    pub tasks: usize,
    /// Bytes without which a task must not start.
    pub floor: usize,
    /// What was chosen and why, for `EXPLAIN ANALYZE`; may be empty.
    pub why: String,
}

/// What a stage measured: the sizes of what it left at rest, a partition each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// A partition each.
    pub parts: Vec<PartSize>,
}

/// One partition at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartSize {
    /// Rows (or items).
    pub rows: u64,
    /// Bytes when all of it is in memory.
    pub bytes: u64,
    /// Bytes of it that are in scratch.
    pub spilled: u64,
}

impl Sizes {
    /// Bytes of all partitions when in memory.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes).sum()
    }

    /// Rows of all partitions.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|p| p.rows).sum()
    }
}

/// A layout that is known before anything runs: one round of `tasks`.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// How many tasks.
    pub tasks: usize,
    /// Bytes without which a task must not start.
    pub floor: usize,
}

impl Layout for Fixed {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let tasks = if facts.round == 0 { self.tasks } else { 0 };
        Round { tasks, floor: self.floor, why: String::new() }
    }

    fn floor(&self) -> usize {
        self.floor
    }
}

/// Another layout's rounds, whose tasks need `more` bytes than it knows of: what is beside them in the same pipeline.
#[derive(Clone, Debug)]
pub struct WithFloor {
    /// The other layout.
    pub inner: Arc<dyn Layout>,
    /// Bytes.
    pub more: usize,
}

impl Layout for WithFloor {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let round = self.inner.next(facts);
        Round { floor: round.floor + self.more, ..round }
    }

    fn floor(&self) -> usize {
        self.inner.floor() + self.more
    }
}

impl Graph {
    /// Adds a stage and names it.
    pub fn add(&mut self, name: impl Into<String>, after: Vec<StageId>, layout: Arc<dyn Layout>) -> StageId {
        self.stages.push(Stage { name: name.into(), after, layout });
        StageId(self.stages.len() as u32 - 1)
    }
}
