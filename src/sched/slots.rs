//! Tasks in progress: a short list (at most `threads` a query), searched by walking it, with counts of each state.

use super::UNOPENED;
use crate::ids::{QueryId, ReservationId, TaskId, Token};
use crate::memory::Claim;

/// What a task in progress is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A job of the pool has it.
    Running,
    /// It goes on as soon as a thread is free.
    Roused,
    /// It goes on when the token is ready.
    Waiting(Token),
    /// It goes on when memory was found.
    Starved,
}

/// A task in progress.
pub(super) struct Slot {
    pub query: QueryId,
    pub task: TaskId,
    /// Its stage's number in the query.
    pub stage: usize,
    pub floor: usize,
    pub state: State,
    /// What it knows of its lack of memory, once it starved.
    pub hunger: Option<Box<Hunger>>,
}

impl Slot {
    /// It could not even be opened: it holds nothing, and waits until others hold less.
    pub fn is_unopened(&self) -> bool {
        self.state == State::Starved && self.hunger.as_ref().is_some_and(|h| h.reservation == UNOPENED)
    }
}

/// A starved task's search for memory.
pub(super) struct Hunger {
    pub reservation: ReservationId,
    pub bytes: usize,
    pub claims: Vec<Claim>,
    /// Who was asked since memory was last freed.
    pub tried: Vec<ReservationId>,
    /// Whose `Gave` is due.
    pub asked: Option<ReservationId>,
    /// Whether it went on once more when nobody was left to ask.
    pub last_chance: bool,
    /// The epoch that `tried` belongs to.
    pub epoch: u64,
    /// How often the driver looked for memory that nobody is known to hold.
    pub looks: u32,
}

impl Hunger {
    /// Bytes that all holders had together.
    pub fn held(&self) -> usize {
        self.claims.iter().map(|c| c.held).sum()
    }
}

/// All tasks in progress, in the order in which they started.
#[derive(Default)]
pub(super) struct Slots {
    list: Vec<Slot>,
    running: usize,
    roused: usize,
    starved: usize,
    waiting: usize,
}

impl Slots {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Tasks that hold something.
    pub fn opened(&self) -> impl Iterator<Item = &Slot> {
        self.list.iter().filter(|s| !s.is_unopened())
    }

    /// Whether a task waits until it can be opened.
    pub fn has_unopened(&self) -> bool {
        self.starved > 0 && self.list.iter().any(Slot::is_unopened)
    }

    pub fn running(&self) -> usize {
        self.running
    }

    pub fn roused(&self) -> usize {
        self.roused
    }

    pub fn starved(&self) -> usize {
        self.starved
    }

    /// Bytes of floors in progress, of tasks that hold them.
    pub fn floors(&self) -> usize {
        self.opened().map(|s| s.floor).sum()
    }

    pub fn get(&self, at: usize) -> &Slot {
        &self.list[at]
    }

    pub fn hunger(&mut self, at: usize) -> Option<&mut Hunger> {
        self.list[at].hunger.as_deref_mut()
    }

    pub fn set_hunger(&mut self, at: usize, hunger: Hunger) {
        self.list[at].hunger = Some(Box::new(hunger));
    }

    pub fn find(&self, query: QueryId, task: TaskId) -> Option<usize> {
        self.list.iter().position(|s| s.task == task && s.query == query)
    }

    /// The first slot at or after `from` for which `wanted` holds.
    pub fn seek(&self, from: usize, wanted: impl Fn(&Slot) -> bool) -> Option<usize> {
        self.list.get(from..)?.iter().position(wanted).map(|n| n + from)
    }

    /// The roused task to go on first: of the oldest query the lowest number.
    pub fn first_roused(&self) -> Option<usize> {
        let roused = self.list.iter().enumerate().filter(|(_, s)| s.state == State::Roused);
        roused.min_by_key(|(_, s)| (s.query, s.task)).map(|(i, _)| i)
    }

    /// The starved task that matters least: of the youngest query the highest number.
    pub fn last_starved(&self) -> Option<usize> {
        let starved = self.list.iter().enumerate().filter(|(_, s)| s.state == State::Starved);
        starved.max_by_key(|(_, s)| (s.query, s.task)).map(|(i, _)| i)
    }

    pub fn push(&mut self, slot: Slot) {
        *self.count(slot.state) += 1;
        self.list.push(slot);
    }

    pub fn remove(&mut self, at: usize) -> Slot {
        let slot = self.list.remove(at);
        *self.count(slot.state) -= 1;
        slot
    }

    pub fn set(&mut self, at: usize, state: State) {
        let before = std::mem::replace(&mut self.list[at].state, state);
        *self.count(before) -= 1;
        *self.count(state) += 1;
    }

    fn count(&mut self, state: State) -> &mut usize {
        match state {
            State::Running => &mut self.running,
            State::Roused => &mut self.roused,
            State::Starved => &mut self.starved,
            State::Waiting(_) => &mut self.waiting,
        }
    }

    /// How many tasks wait for a token.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}
