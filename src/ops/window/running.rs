//! The state of a frame that begins with the partition: rows are only added.

use super::feed::{Arguments, Feed};
use super::state::State;
use super::tape::Tape;
use crate::error::Result;

/// A frame's state.
pub(super) struct Running<S: State> {
    feed: Feed<S::Item>,
    start: u64,
    end: u64,
    state: S,
}

impl<S: State> Running<S> {
    pub(super) fn new(arguments: Arguments<S::Item>) -> Self {
        Running { feed: Feed::new(arguments), start: 0, end: 0, state: S::EMPTY }
    }

    /// The first row that it will look at again.
    pub(super) fn keeps(&self, next: u64) -> u64 {
        self.end.min(next)
    }

    /// The state of the rows from `start`, where the partition begins, to `end`.
    pub(super) fn state(&mut self, start: u64, end: u64, tape: &mut Tape) -> Result<S> {
        if start != self.start {
            (self.start, self.end, self.state) = (start, start, S::EMPTY);
        }
        while self.end < end {
            let to = self.feed.load(self.end, tape)?.min(end);
            let state = &mut self.state;
            self.feed.each(self.end, to, |item| state.add(item));
            self.end = to;
        }
        Ok(self.state)
    }
}
