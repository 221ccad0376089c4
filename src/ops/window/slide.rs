//! The state of a frame both of whose ends go forward, without ever taking a row out of a state.
//!
//! ```text
//!     start         mid                                      end
//!       |  front     |  closed   |  closed   |  open          |
//!       |  <- <- <-  |           |           | -> -> ->       |
//! ```
//!
//! - `open` is the state of the rows from the last border of a batch to the end; at the border it becomes a closed one.
//! - `front` has a state for each row before `mid`: that of the rows from it to `mid`. When the start reaches `mid`, it is made
//!   anew of the next closed range (or of the open one), backwards.
//! - The state of the frame is front, merged with the closed ones, merged with the open one.
//!
//! Each row is added twice, whatever the frame's size; states are kept for the rows of one batch and one for each further
//! batch. It is the queue of two stacks (Tangwongsan, Hirzel, Schneider 2015), cut at batches so that it need not be as
//! long as the frame.

use super::feed::{Arguments, Feed};
use super::state::State;
use super::tape::Tape;
use crate::error::Result;
use std::collections::VecDeque;

/// A frame's state.
pub(super) struct Slide<S: State> {
    /// Arguments at the end, and at the start.
    ahead: Feed<S::Item>,
    behind: Feed<S::Item>,
    start: u64,
    /// The states of rows from `front_from` on.
    front: Vec<S>,
    front_from: u64,
    mid: u64,
    /// Each with its end.
    closed: VecDeque<(u64, S)>,
    /// All closed ones together.
    middle: S,
    open: S,
    end: u64,
}

impl<S: State> Slide<S> {
    pub(super) fn new(arguments: Arguments<S::Item>) -> Self {
        Slide {
            ahead: Feed::new(arguments.clone()),
            behind: Feed::new(arguments),
            start: 0,
            front: Vec::new(),
            front_from: 0,
            mid: 0,
            closed: VecDeque::new(),
            middle: S::EMPTY,
            open: S::EMPTY,
            end: 0,
        }
    }

    /// The first row that it will look at again.
    pub(super) fn keeps(&self, next: u64) -> u64 {
        self.mid.min(next)
    }

    /// Adds rows of the partition that begins at `start`, whose frames go to its end.
    pub(super) fn arrive(&mut self, start: u64, end: u64, tape: &mut Tape) -> Result<()> {
        if start >= self.end {
            self.begin(start);
        }
        self.extend(end, tape)
    }

    /// Adds the rows up to `end`.
    fn extend(&mut self, end: u64, tape: &mut Tape) -> Result<()> {
        while self.end < end {
            let border = self.ahead.load(self.end, tape)?;
            let to = border.min(end);
            let open = &mut self.open;
            self.ahead.each(self.end, to, |item| open.add(item));
            self.end = to;
            if to == border {
                self.closed.push_back((to, self.open));
                self.middle.merge(&self.open);
                self.open = S::EMPTY;
            }
        }
        Ok(())
    }

    /// The state of the rows from `start` to `end`; both are at least what they were before.
    pub(super) fn state(&mut self, start: u64, end: u64, tape: &mut Tape) -> Result<S> {
        if start >= self.end {
            self.begin(start);
        }
        self.extend(end, tape)?;
        self.start = start;
        if start >= end {
            return Ok(S::EMPTY);
        }
        if start >= self.mid {
            self.turn(tape)?;
        }
        let mut state = self.front.get((start - self.front_from) as usize).copied().unwrap_or(S::EMPTY);
        state.merge(&self.middle);
        state.merge(&self.open);
        Ok(state)
    }

    fn begin(&mut self, start: u64) {
        self.front.clear();
        self.closed.clear();
        (self.middle, self.open) = (S::EMPTY, S::EMPTY);
        (self.start, self.mid, self.front_from, self.end) = (start, start, start, start);
    }

    /// Makes the front anew: of the range that the start is in.
    fn turn(&mut self, tape: &mut Tape) -> Result<()> {
        let mut to = self.end;
        let mut is_open = true;
        while let Some((end, _)) = self.closed.pop_front() {
            if self.start < end {
                (to, is_open) = (end, false);
                break;
            }
        }
        if is_open {
            self.open = S::EMPTY;
        }
        self.middle = S::EMPTY;
        self.closed.iter().for_each(|(_, state)| self.middle.merge(state));
        self.behind.load(self.start, tape)?;
        let mut state = S::EMPTY;
        self.front.clear();
        self.front.resize((to - self.start) as usize, S::EMPTY);
        for (i, place) in self.front.iter_mut().enumerate().rev() {
            if let Some(item) = self.behind.item(self.start + i as u64) {
                state.add(item);
            }
            *place = state;
        }
        (self.front_from, self.mid) = (self.start, to);
        Ok(())
    }
}
