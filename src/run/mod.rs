//! Runs graphs: the engine of a session brings the scheduler's actions to a pool of threads.
//!
//! # The life of a query
//!
//! 1. [`Engine::submit`] takes a graph and one piece of work a stage, and signals `Submit`.
//! 2. Whoever has a signal (a finished task, a waker on an io thread, a caller who cancels) locks the scheduler, lets it
//!    hear, unlocks, and performs the actions that it answered. There is no driver thread. Performing never blocks, takes
//!    no lock of an operator and delivers no signal itself: what could is spawned as a job, so nothing recurses.
//! 3. `Start` and `Resume` become jobs that step one task until it waits, starves or ends ([`Task::step`]); `Lay` becomes
//!    a job that asks the stage's layout; `Spill` posts the request and becomes a job that asks states at rest.
//! 4. `Finish`: tasks and works are dropped, then `on_end` is called, then [`QueryHandle::wait`] returns.
//!
//! Two threads may perform the actions of two signals in either order. That is harmless: the actions of one query that
//! do not commute are a `Resume` and an `Abort`, and a task that is gone when it should be resumed counts as failed.
//!
//! The first error of a query is kept; a panic in a step is an error of kind `Internal` that names the stage and the task.
//! A cancel is seen between steps.
//!
//! [`Task::step`]: crate::ops::Task::step

mod engine;
mod gate;
mod inline;
mod job;
mod latch;
mod peak;
mod pool;
mod query;

#[cfg(test)]
mod tests;

pub use engine::{Engine, Recorder, Setup};
pub use gate::Gate;
pub use inline::InlinePool;
pub use latch::Latch;
pub use peak::{Probe, Trim};
pub use pool::{Job, Pool, RayonPool};
pub use query::{Chosen, OnCancel, OnEnd, QueryHandle};
