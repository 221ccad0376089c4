//! The scheduler: a value that hears signals and answers with actions. No thread, clock, file or lock in here.
//!
//! It knows stages, tasks, who waits for what, and how much memory floors take; it does not know what a task does. Every
//! task start, retry, spill and stage choice is one of its actions, so a recorded list of signals replays to the same
//! actions (see `story`).

use crate::ids::{QueryId, ReservationId, StageId, TaskId, Token};
use crate::memory::Claim;

/// Something that happened and that the scheduler must know.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A query arrives: for each stage, the stages it waits for. Its last stage is its result.
    Submit {
        /// Which query.
        query: QueryId,
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
    },
    /// A task has finished.
    Done {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// A task has failed; the driver keeps the error.
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
        /// Which reservation wanted to grow.
        reservation: ReservationId,
        /// By how many bytes.
        bytes: usize,
        /// Every reservation of the session at that moment.
        claims: Vec<Claim>,
    },
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
    },
    /// Go on with a task that waited.
    Resume {
        /// Of which query.
        query: QueryId,
        /// Which task.
        task: TaskId,
    },
    /// Ask a holder to give memory back, and answer with `Gave`.
    Spill {
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
