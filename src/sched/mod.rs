//! The scheduler: a value that hears signals and answers with actions. No thread, clock, file or lock in here.
//!
//! It knows stages, tasks, who waits for what, and how much memory floors take; it does not know what a task does. Every
//! task start, retry, spill and stage choice is one of its actions, so a recorded list of signals replays to the same
//! actions (see [`story`]).
//!
//! # The life of a stage
//!
//! 1. All stages that it waits for have ended: `Lay`. The driver asks its layout and answers `Laid`.
//! 2. Tasks start in the order of their index, between stages in the static order of the graph (depth first from the
//!    result), between queries the one of the highest priority first, of these the oldest. A task starts when a thread is
//!    free, its query has fewer than `threads` tasks in progress, and the floors in progress leave room for its own.
//! 3. The round's last task is `Done`: `Lay` again, one round later. A round of no tasks ends the stage.
//! 4. The last stage has ended: `Finish`.
//!
//! A stage may be a web ([`Web`]): its tasks need one another. Then a task can start when all it needs are done, of several
//! that could the one with the highest priority, then the smallest number; one that fails is started again as often as it
//! may be, and only then ends its query.
//!
//! A task that waits keeps its place in its query, so that what it holds stays bounded and the lowest index, which an
//! ordered queue waits for, is always in progress. It does not keep a thread, nor a place of another query: a query whose
//! reader has paused does not stop the query which that reader runs meanwhile.
//!
//! # When memory is refused
//!
//! A starved task asks for a victim ([`victim`]). A victim at rest is asked with `Spill` and answered by `Gave`; a victim
//! that starves itself (the asking task above all) is asked with `Ask` and resumed, since its own next step honours
//! that. Freed memory (`Gave` or `Freed` of more than nothing, a task that ended) resumes every starved task.
//!
//! ```text
//! Starved --victim--> Spill ... Gave 0 -> the next victim          nobody left, others run: wait for them
//!              \----> Ask + Resume                                 nobody left, nobody runs: everybody who was asked
//!                                                                    goes on once; then `Spill` of nobody's memory:
//!                                                                    the driver looks what the process really has;
//!                                                                    then `Starve` fails the youngest
//! ```
//!
//! A task that was refused as it was opened ([`UNOPENED`]) holds nothing, and its floor does not count: queries that have
//! begun start their tasks beside it, and so end; queries that have not begun wait behind it.
//!
//! Why this ends: between two events that free memory (call it an epoch) a starved task asks each reservation at most
//! once, has one last chance and one look at real memory (of a bounded number), so an epoch has a bounded number of
//! resumes. An epoch ends only when a task has ended, which happens once a task, or when bytes were freed, that is: written
//! to scratch or handed on, which an operator does a bounded number of times a row. A change of the sum that all holders
//! have counts the same, for holders that free without saying so.
//!
//! # Known limits
//!
//! A query whose first task's floor does not fit beside what other queries hold waits for them, also when they are
//! paused by their reader. A query behind it waits too, or it could wait forever.

mod query;
mod scheduler;
mod slots;
pub mod story;
mod victim;
mod web;

#[cfg(test)]
mod simulation;

pub use scheduler::Scheduler;
pub use victim::{Choice, victim};

use crate::graph::Web;
use crate::ids::{QueryId, ReservationId, StageId, TaskId, Token};
use crate::memory::Claim;
use std::sync::Arc;

/// The name of no reservation: what starves when a part of a task cannot be opened, because others hold more than their
/// floors; and who is asked for what the process has outside of all reservations.
pub const NOBODY: ReservationId = ReservationId(u32::MAX);

/// In whose name a task starves that could not be opened at all, and so holds nothing.
pub const UNOPENED: ReservationId = ReservationId(u32::MAX - 1);

/// Something that happened and that the scheduler must know.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A query arrives: for each stage, the stages it waits for. Its last stage is its result.
    Submit {
        /// Which query.
        query: QueryId,
        /// Its tasks come before those of all queries of lower priority.
        priority: i32,
        /// `after` of each stage.
        stages: Vec<Vec<StageId>>,
    },
    /// The layout of a stage answered: so many tasks with such a floor each (0 tasks end the stage).
    Laid {
        /// Of which query.
        query: QueryId,
        /// Which stage.
        stage: StageId,
        /// How many tasks.
        tasks: usize,
        /// The floor of each, in bytes.
        floor: usize,
        /// What they need of one another, and their own floors.
        web: Option<Arc<Web>>,
    },
    /// A task has finished.
    Done {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// A task has failed; the driver keeps the error, if the task was not to be started again.
    Failed {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// A task cannot go on until `token` is ready.
    Waiting {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
        /// What it waits for.
        token: Token,
    },
    /// What `token` stands for is ready. May come before the `Waiting` that names it.
    Ready {
        /// Of which query.
        query: QueryId,
        /// Which token.
        token: Token,
    },
    /// A task was refused memory and waits for it.
    Starved {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
        /// Which reservation wanted to grow; [`UNOPENED`] when the task's floor itself was refused as it was opened.
        reservation: ReservationId,
        /// By how many bytes.
        bytes: usize,
        /// Every reservation of the session at that moment.
        claims: Vec<Claim>,
    },
    /// The process has more memory than the budget says.
    Over {
        /// By how many bytes.
        bytes: usize,
        /// Every reservation of the session at that moment.
        claims: Vec<Claim>,
    },
    /// A running task gave memory back that it was asked for, and goes on.
    Freed {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
        /// How many bytes.
        bytes: usize,
    },
    /// A pool thread inside a task waits for another query and runs jobs meanwhile: one more task may run.
    Lent,
    /// That thread has what it waited for.
    Returned,
    /// Somebody gave memory back after an `Action::Spill` (perhaps 0 bytes).
    Gave {
        /// Whose memory it was.
        reservation: ReservationId,
        /// How many bytes.
        bytes: usize,
    },
    /// Somebody wants the query to end.
    Cancel {
        /// Which query.
        query: QueryId,
    },
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask the stage's layout for its next round and answer with `Laid`.
    Lay {
        /// Of which query.
        query: QueryId,
        /// Which stage.
        stage: StageId,
        /// How often it was laid out before.
        round: u32,
    },
    /// Open a task and run it.
    Start {
        /// Of which query.
        query: QueryId,
        /// Its number.
        task: TaskId,
        /// Its stage.
        stage: StageId,
        /// The stage's round.
        round: u32,
        /// Its place in the round.
        index: usize,
        /// Its floor, in bytes.
        floor: usize,
        /// How often it is started again, should it fail.
        retries: u32,
    },
    /// Go on with a task that waited or starved. It may come before what the task waits for is ready: it then waits
    /// again.
    Resume {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// Ask a holder to give memory back; its task goes on with the next action, and honours it in its next step.
    Ask {
        /// For the sake of which query.
        query: QueryId,
        /// Whose.
        reservation: ReservationId,
        /// How many bytes.
        bytes: usize,
    },
    /// Ask a holder to give memory back, and answer with `Gave` once states that no task is using were asked too.
    Spill {
        /// For the sake of which query.
        query: QueryId,
        /// Whose.
        reservation: ReservationId,
        /// How many bytes.
        bytes: usize,
    },
    /// A task that starves cannot be helped: nobody has anything to give. It fails for lack of memory.
    Starve {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// Stop the query: set its flag, drop its waiting tasks.
    Abort {
        /// Which query.
        query: QueryId,
    },
    /// The query has ended; nothing of it runs any more.
    Finish {
        /// Which query.
        query: QueryId,
    },
}
