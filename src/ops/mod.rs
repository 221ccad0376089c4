//! Operators: what happens to rows. An operator does not know that there is a scheduler, and sees scratch only as a
//! place to append pages to.
//!
//! # Life of a batch
//!
//! 1. A [`Source`] yields it: a piece of a file, a partition of an aggregate, a range of a sort.
//! 2. Each [`Transform`] of the pipeline takes it (`push`) and yields batches (`pull`) until it has no more.
//! 3. A [`Sink`] takes it into the worker's local state.
//! 4. When the last task of the pipeline has ended, `finish` of the [`SinkOp`] combines the local states, and the next
//!    pipeline's source reads the result.
//!
//! `pipeline` drives 1 to 3 with one loop over a flat list: at any moment the deepest transform that still holds rows
//! goes on first, so nothing is buffered between operators and a step can stop anywhere.
//!
//! # Memory
//!
//! A local state holds a [`Reservation`] with a floor with which it can always finish. Above
//! the floor it grows page by page; when a page is refused it keeps what it has not absorbed and says
//! [`Flow::Starved`]. It is called again (`resume`) when the scheduler has found memory, or asked this very state to
//! `spill`. Nothing blocks, loops or fails for lack of memory above the floor.
//!
//! # Rules
//!
//! A `*Op` is made by `plan`, shared by all workers, and holds plan parameters plus what is shared while running; its
//! local things are made by `local`/`open`. No operator has a method that only planning needs.

pub mod aggregate;
pub mod asof;
pub mod attempt;
pub mod collect;
pub mod declared;
pub mod deliver;
pub mod expand;
pub mod expr;
pub mod filter;
pub mod hash;
pub mod join;
pub mod limit;
pub mod map;
pub mod partitions;
pub mod pipeline;
pub mod position;
pub mod positional;
pub mod project;
pub mod repeat;
pub mod rows;
pub mod scalar;
pub mod scan;
pub mod series;
pub mod sort;
pub mod spread;
pub mod supply;
pub mod tee;
pub mod unnest;
pub mod values;
pub mod window;
pub mod write;

pub use crate::wake::Cancel;

use crate::batch::Batch;
use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::graph::Sizes;
use crate::ids::{ReservationId, Token};
use crate::memory::{Memory, Reservation};
use crate::store::Scratch;
use crate::wake::Wakers;
use std::sync::Arc;

/// What every operator of a query may use. Cheap to clone.
#[derive(Clone)]
pub struct Cx {
    /// Sizes and constants.
    pub tuning: Arc<Tuning>,
    /// The session's budget and pages.
    pub memory: Memory,
    /// Where pages go that do not fit.
    pub scratch: Scratch,
    /// Tickets for waiting.
    pub wakers: Wakers,
    /// Whether to stop.
    pub cancel: Cancel,
    /// Worker threads of the session.
    pub threads: usize,
}

/// What a source or a transform has for its caller.
#[derive(Debug)]
pub enum Pull {
    /// Rows.
    Batch(Batch),
    /// Nothing now: a source made progress without rows; a transform needs another `push`.
    Empty,
    /// It cannot go on until somebody gives memory back.
    Starved(Starved),
    /// It cannot go on until the token is ready.
    Wait(Token),
    /// A source has no more.
    End,
}

/// Whether a sink can take more.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// It can take the next batch.
    Ready,
    /// It holds rows that it could not absorb; `resume` when memory was found.
    Starved(Starved),
    /// It cannot go on until the token is ready; `resume` then.
    Wait(Token),
}

/// Who needs how much more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starved {
    /// The reservation that was refused.
    pub reservation: ReservationId,
    /// Bytes refused.
    pub bytes: usize,
}

/// The beginning of a pipeline, shared by its tasks.
pub trait SourceOp: Send + Sync {
    /// The source of the `index`-th task of `round`. One that fails with `Resources` has left nothing behind: others are
    /// asked for memory, and it is called again.
    ///
    /// # Errors
    /// Whatever opening the input meets.
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Source>>;

    /// Gives back up to `bytes` of what rests here and no task is using; returns the bytes given.
    fn spill(&self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok(0)
    }
}

/// The source of one task.
pub trait Source: Send {
    /// The next rows. One call does at most one batch or 4 MiB of input worth of work.
    fn next(&mut self, cx: &Cx) -> Result<Pull>;

    /// What it holds, if it can give some back.
    fn reservation(&self) -> Option<&Arc<Reservation>> {
        None
    }

    /// Gives back about `bytes`; returns the bytes given.
    fn spill(&mut self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok(0)
    }
}

/// A step in the middle of a pipeline, shared by its tasks.
pub trait TransformOp: Send + Sync {
    /// A worker's own copy. It is used by one task at a time, for many tasks.
    fn local(&self, cx: &Cx) -> Result<Box<dyn Transform>>;

    /// All local copies were finished: says what they left at rest, a partition each.
    fn sizes(&self) -> Sizes {
        Sizes::default()
    }
}

/// A worker's copy of a step in the middle of a pipeline.
pub trait Transform: Send {
    /// Takes rows. Called only when the last `pull` said `Empty`.
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<()>;

    /// Yields rows made of what was pushed, or `Empty` (never `End`).
    fn pull(&mut self, cx: &Cx) -> Result<Pull>;

    /// Whether no further rows of this task can have an effect (a limit that is reached).
    fn is_done(&self) -> bool {
        false
    }

    /// What it holds, if it can give some back.
    fn reservation(&self) -> Option<&Arc<Reservation>> {
        None
    }

    /// Gives back about `bytes`; returns the bytes given.
    fn spill(&mut self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok(0)
    }

    /// The pipeline's last task has ended: leaves what it keeps with the operator.
    fn finish(self: Box<Self>, _cx: &Cx) -> Result<()> {
        Ok(())
    }
}

/// The end of a pipeline, shared by its tasks.
pub trait SinkOp: Send + Sync {
    /// A worker's own state. It is used by one task at a time, for many tasks.
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>>;

    /// All tasks have ended and every local state was finished: says what is at rest, a partition each.
    fn finish(&self, cx: &Cx) -> Result<Sizes>;

    /// Gives back up to `bytes` of what rests here after `finish`; returns the bytes given.
    fn spill(&self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok(0)
    }
}

/// A worker's state at the end of a pipeline.
pub trait Sink: Send {
    /// A task begins that reads the piece `split` of the input (see [`Position`](crate::batch::Position)).
    fn begin(&mut self, _split: u64, _cx: &Cx) -> Result<()> {
        Ok(())
    }

    /// Takes rows. Called only when the last call said `Ready`.
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow>;

    /// Goes on with what it could not absorb.
    fn resume(&mut self, _cx: &Cx) -> Result<Flow> {
        Ok(Flow::Ready)
    }

    /// The task's input has ended. `resume` is called on until it says `Ready`.
    fn end(&mut self, _cx: &Cx) -> Result<Flow> {
        Ok(Flow::Ready)
    }

    /// Whether no further rows of this task can have an effect.
    fn is_done(&self) -> bool {
        false
    }

    /// What it holds, if it can give some back.
    fn reservation(&self) -> Option<&Arc<Reservation>> {
        None
    }

    /// Gives back about `bytes`; returns the bytes given.
    fn spill(&mut self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok(0)
    }

    /// The pipeline's last task has ended: leaves its state with the operator.
    fn finish(self: Box<Self>, cx: &Cx) -> Result<()>;
}

/// One worker's work on one split or partition. Resumable: it never blocks its thread.
pub trait Task: Send {
    /// Goes on for at most one batch or 4 MiB of input.
    fn step(&mut self, cx: &Cx) -> Result<Step>;

    /// What it was refused, if it starves in nobody's name: the error of a task that cannot be helped.
    fn refused(&mut self) -> Option<Error> {
        None
    }
}

/// How a step of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do, now.
    More,
    /// It gave back memory that was asked for: so many bytes. There is more to do, now.
    Gave(usize),
    /// It cannot go on until the token is ready. It may be stepped earlier, to give memory back: it then waits again.
    Wait(Token),
    /// It cannot go on until memory is found.
    Starved(Starved),
    /// It is finished.
    Done,
}

/// The work of one stage of a graph: what its tasks do.
pub trait Work: Send + Sync {
    /// Makes the `index`-th task of `round`. One that fails with `Resources` has left nothing behind: others are asked
    /// for memory, and it is called again.
    ///
    /// # Errors
    /// Whatever opening the input meets; the query fails with it.
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>>;

    /// What the stage left at rest, asked after each round.
    fn sizes(&self) -> Sizes {
        Sizes::default()
    }

    /// Gives back up to `bytes` from states of this stage that no task is using; returns the bytes given.
    fn spill(&self, _bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok(0)
    }
}
