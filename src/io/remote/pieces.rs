//! Pieces of a file of columns, as one reader wants them: nothing is read but what it asks for, or has announced.
//!
//! ```text
//! announced   [ chunk a ]      [ chunk b         ]          of a row group
//! pieces      [====|====]      [====|....|                  here, on the way
//! reads         ^                ^                          columns are decoded side by side
//! ```
//!
//! 1. The reader [announces](Pieces::announce) ranges that it will read, each from front to back: their first pieces are
//!    asked for together.
//! 2. A read waits for the pieces that it needs. Where one is more than half used, the next of its range is asked for.
//! 3. What is not announced (footers, indexes) is read as it is asked for; the end of a file as one piece, since a footer is
//!    read in three steps.
//!
//! What is here and on the way is at most `most` bytes, or what one read needs; the piece that was used longest ago goes
//! first.

use super::RemoteFile;
use super::runtime::Ticket;
use crate::error::{Error, Result};
use bytes::Bytes;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The end of a file that is read as one piece.
const TAIL: u64 = 64 << 10;
/// The least that is read of an announced range.
const LEAST: u64 = 64 << 10;
/// The most that is read of it at a time.
const MOST: u64 = 2 << 20;
/// The number under which the end of a file is among the session's blocks.
const TAIL_BLOCK: u64 = u64::MAX;

/// See the head of this file.
pub struct Pieces {
    file: RemoteFile,
    most: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    announced: Vec<Range<u64>>,
    step: u64,
    pieces: Vec<Piece>,
    clock: u64,
}

struct Piece {
    range: Range<u64>,
    ticket: Ticket<Bytes>,
    used: u64,
}

impl Pieces {
    pub(super) fn new(file: RemoteFile, most: u64) -> Pieces {
        Pieces { file, most, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.file.object.stamp.size
    }

    /// From now on these ranges are read, each from front to back. What is here of others goes.
    ///
    /// # Errors
    /// Requests cannot be begun.
    pub fn announce(&self, mut ranges: Vec<Range<u64>>) -> Result<()> {
        let size = self.size();
        ranges.iter_mut().for_each(|r| *r = r.start.min(size)..r.end.min(size));
        ranges.retain(|r| r.start < r.end);
        ranges.sort_unstable_by_key(|r| r.start);
        let all: u64 = ranges.iter().map(|r| r.end - r.start).sum();
        let step = match all <= self.most {
            true => MOST,
            false => (self.most / 2 / (ranges.len() as u64).max(1)).clamp(LEAST, MOST),
        };
        if all <= self.most {
            ranges = together(ranges);
        }
        let mut state = self.lock();
        state.pieces.retain(|piece| ranges.iter().any(|r| r.start <= piece.range.start && piece.range.end <= r.end));
        (state.announced, state.step) = (ranges.clone(), step);
        for range in ranges {
            let mut at = range.start;
            // All of it, where all has room; else the first piece.
            while at < range.end {
                let piece = at..range.end.min(at + step);
                at = piece.end;
                if state.holding(piece.start).is_none() {
                    self.ask(&mut state, piece)?;
                }
                if all > self.most {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads `range`, which lies in the file.
    ///
    /// # Errors
    /// What requests meet; the query is cancelled.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start >= range.end {
            return Ok(Bytes::new());
        }
        let (first, bytes) = self.piece(&range, range.start)?;
        if range.end <= first.end {
            return slice(&bytes, &first, &range);
        }
        // It goes on in the next.
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut all = Vec::with_capacity(length.min(64 << 20));
        all.extend_from_slice(&slice(&bytes, &first, &(range.start..first.end))?);
        let mut at = first.end;
        while at < range.end {
            let (next, bytes) = self.piece(&range, at)?;
            let end = next.end.min(range.end);
            all.extend_from_slice(&slice(&bytes, &next, &(at..end))?);
            at = end;
        }
        Ok(all.into())
    }

    /// The piece that holds the byte `at`, of a read of `range`.
    fn piece(&self, range: &Range<u64>, at: u64) -> Result<(Range<u64>, Bytes)> {
        let (place, ticket, tail) = {
            let mut state = self.lock();
            state.clock += 1;
            if state.holding(at).is_none() {
                let size = self.size();
                let of = state.announced.iter().find(|r| r.contains(&at)).cloned();
                match of {
                    Some(of) => {
                        let end = of.end.min((at + state.step).max(range.end));
                        self.ask(&mut state, at..end)?;
                    }
                    None if at >= size.saturating_sub(TAIL) => {
                        let tail = size.saturating_sub(TAIL)..size;
                        let ticket = self.file.tail(TAIL_BLOCK, tail.clone())?;
                        let used = state.clock;
                        state.pieces.push(Piece { range: tail, ticket, used });
                    }
                    // Up to what is here already.
                    None => {
                        let here = state.pieces.iter().map(|p| p.range.start).filter(|start| *start > at).min();
                        let end = range.end.min(here.unwrap_or(u64::MAX));
                        self.ask(&mut state, at..end)?;
                    }
                }
            }
            let clock = state.clock;
            let lost = || Error::internal("a piece that was asked for is not there");
            let piece = state.holding(at).ok_or_else(lost)?;
            piece.used = clock;
            let (place, ticket) = (piece.range.clone(), piece.ticket.clone());
            self.go_on(&mut state, &place, at)?;
            let tail = place.end == self.size() && place.start == self.size().saturating_sub(TAIL);
            (place, ticket, tail)
        };
        match self.file.object.wait(&ticket, &self.file.stop) {
            Ok(bytes) => Ok((place, bytes)),
            Err(e) => {
                self.lock().pieces.retain(|piece| piece.range != place);
                if tail {
                    self.file.object.remote.blocks().forget(
                        &self.file.object,
                        TAIL_BLOCK,
                        self.file.object.remote.sizes(),
                    );
                }
                Err(e)
            }
        }
    }

    /// Asks for the piece behind `place`, when what is read at `at` is more than half of it.
    fn go_on(&self, state: &mut State, place: &Range<u64>, at: u64) -> Result<()> {
        let next = place.end;
        let half = place.start + (place.end - place.start) / 2;
        let of = state.announced.iter().find(|r| r.contains(&next) && r.contains(&place.start)).cloned();
        let Some(of) = of.filter(|_| at >= half && state.holding(next).is_none()) else { return Ok(()) };
        let piece = next..of.end.min(next + state.step);
        if state.held() + (piece.end - piece.start) <= self.most {
            self.ask(state, piece)?;
        }
        Ok(())
    }

    fn ask(&self, state: &mut State, range: Range<u64>) -> Result<()> {
        let bytes = range.end - range.start;
        while state.held() + bytes > self.most {
            let here = state.pieces.iter().enumerate().filter(|(_, piece)| piece.ticket.is_ready());
            let Some((oldest, _)) = here.min_by_key(|(_, piece)| piece.used) else { break };
            state.pieces.swap_remove(oldest);
        }
        let ticket = self.file.object.begin(range.clone())?;
        let used = state.clock;
        state.pieces.push(Piece { range, ticket, used });
        Ok(())
    }
}

impl State {
    fn holding(&mut self, at: u64) -> Option<&mut Piece> {
        self.pieces.iter_mut().find(|piece| piece.range.contains(&at))
    }

    fn held(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.range.end - piece.range.start).sum()
    }
}

/// Ranges that touch as one.
fn together(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut made: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match made.last_mut().filter(|last| last.end >= range.start) {
            Some(last) => last.end = last.end.max(range.end),
            None => made.push(range),
        }
    }
    made
}

fn slice(bytes: &Bytes, of: &Range<u64>, wanted: &Range<u64>) -> Result<Bytes> {
    let place = |at: u64| usize::try_from(at - of.start).unwrap_or(usize::MAX);
    let (from, to) = (place(wanted.start), place(wanted.end));
    if from > to || to > bytes.len() {
        return Err(Error::internal("a piece that is shorter than it was asked for"));
    }
    Ok(bytes.slice(from..to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        assert_eq!(together(vec![0..4, 4..8, 10..12, 11..15]), [0..8, 10..15]);
        assert!(together(Vec::new()).is_empty());
    }
}
