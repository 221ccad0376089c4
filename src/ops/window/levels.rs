//! For the rows that are put out next: where their partitions and groups of peers begin and end.

use super::Shared;
use super::tape::Piece;
use crate::error::{Error, Result};
use arrow::array::{AsArray, BooleanArray};
use std::collections::VecDeque;
use std::sync::Arc;

/// The groups of one level.
#[derive(Default)]
struct Track {
    /// For each batch on the tape, the first row that begins a group, if any does.
    begins: VecDeque<u64>,
    /// The last row on the tape that begins a group.
    last: u64,
    /// Where the group of the last row put out begins.
    start: u64,
    /// How many groups began up to there.
    ordinal: u64,
}

/// The groups of all levels.
pub(super) struct Levels {
    shared: Arc<Shared>,
    tracks: Vec<Track>,
}

/// For each row of a batch, the group of one level that it is in.
pub(super) struct Groups {
    /// Where it begins.
    pub(super) starts: Vec<u64>,
    /// Where it ends, as far as is known: the tape's end, if it goes on.
    pub(super) ends: Vec<u64>,
    /// Its number, from 1 through all partitions.
    pub(super) ordinals: Vec<u64>,
}

/// The rows that are put out next.
pub(super) struct Rows {
    pub(super) piece: Piece,
    /// By level.
    pub(super) groups: Vec<Groups>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.piece.data.num_rows()
    }

    pub(super) fn level(&self, level: usize) -> Result<&Groups> {
        self.groups.get(level).ok_or_else(|| Error::internal("a window without its level"))
    }
}

/// The marks of a level.
pub(super) fn marks(piece: &Piece, column: usize) -> Result<&BooleanArray> {
    let marks = piece.column(column)?.as_boolean_opt();
    marks.ok_or_else(|| Error::internal("marks of a window that are not truth values"))
}

impl Levels {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let tracks = shared.levels.iter().map(|_| Track::default()).collect();
        Levels { shared: shared.clone(), tracks }
    }

    /// Rows have come.
    pub(super) fn see(&mut self, piece: &Piece) -> Result<()> {
        for (level, track) in self.tracks.iter_mut().enumerate() {
            let marks = marks(piece, self.shared.mark(level))?.values();
            let mut set = marks.set_indices();
            if let Some(first) = set.next() {
                track.begins.push_back(piece.first + first as u64);
                track.last = piece.first + set.last().unwrap_or(first) as u64;
            }
        }
        Ok(())
    }

    /// Whether a group of the level begins at `row` or later.
    pub(super) fn begins_from(&self, level: usize, row: u64) -> bool {
        self.tracks.get(level).is_some_and(|t| t.last >= row)
    }

    /// The groups of the next rows; `end` is the tape's.
    pub(super) fn place(&mut self, piece: Piece, end: u64) -> Result<Rows> {
        let mut groups = Vec::with_capacity(self.tracks.len());
        for (level, track) in self.tracks.iter_mut().enumerate() {
            groups.push(track.place(marks(&piece, self.shared.mark(level))?, &piece, end));
        }
        Ok(Rows { piece, groups })
    }

    /// Where the group begins that the row `next`, the next to be put out, is in, and where it ends as far as is known.
    pub(super) fn current(&mut self, level: usize, next: &Piece, end: u64) -> Result<(u64, u64)> {
        let mark = marks(next, self.shared.mark(level))?;
        let track = self.tracks.get_mut(level).ok_or_else(|| Error::internal("a window without its level"))?;
        let begins = mark.values().iter().next().unwrap_or(false);
        let start = if begins { next.first } else { track.start };
        // The first group that begins in this batch after its first row, or in a later one.
        let inside = mark.values().set_indices().find(|i| *i > 0).map(|i| next.first + i as u64);
        let after = track.begins.iter().find(|b| **b >= next.end()).copied();
        Ok((start, inside.or(after).unwrap_or(end)))
    }
}

impl Track {
    fn place(&mut self, marks: &BooleanArray, piece: &Piece, end: u64) -> Groups {
        let rows = marks.len();
        let mut groups =
            Groups { starts: Vec::with_capacity(rows), ends: vec![0; rows], ordinals: Vec::with_capacity(rows) };
        for (row, begins) in (piece.first..).zip(marks.values().iter()) {
            if begins {
                self.start = row;
                self.ordinal += 1;
            }
            groups.starts.push(self.start);
            groups.ordinals.push(self.ordinal);
        }
        while self.begins.front().is_some_and(|b| *b < piece.end()) {
            self.begins.pop_front();
        }
        let mut next = self.begins.front().copied().unwrap_or(end);
        let (mut row, mut to) = (piece.end(), groups.ends.iter_mut().rev());
        for begins in (0..rows).rev().map(|i| marks.value(i)) {
            row -= 1;
            if let Some(to) = to.next() {
                *to = next;
            }
            if begins {
                next = row;
            }
        }
        groups
    }
}
