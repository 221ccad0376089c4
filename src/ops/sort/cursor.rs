//! Reads several runs as one, in order.
//!
//! A tree of losers: each inner node keeps the run that lost there, so that after the winner's next row only the nodes on
//! its way to the root are compared. The first 16 bytes of each run's current key are kept beside the tree; keys are
//! compared whole only where these are equal.
//!
//! ```text
//!            winner
//!          loser of 0..4
//!     loser of 0,1   loser of 2,3
//!       run 0 run 1    run 2 run 3
//! ```

use super::run::{MemoryRun, Run, ScratchRun};
use super::{no_memory, row};
use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use crate::store::{STREAM_HEAD, StreamReader};
use std::cmp::Ordering;
use std::sync::Arc;

/// The rows whose keys begin with at least `from` and with less than `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u128,
    /// `None`: to the end.
    pub(super) to: Option<u128>,
}

impl Range {
    /// Everything.
    pub(super) const ALL: Range = Range { from: 0, to: None };
}

/// A run that is read.
enum Held {
    /// Others read it too.
    Shared { _run: Arc<Run> },
    /// Nobody reads it again: its space is free as far as it was read.
    Owned(Box<ScratchRun>),
}

/// The place in one run.
enum Place {
    Memory { run: Arc<Run>, at: usize, end: usize },
    Scratch { held: Held, reader: StreamReader, page: Option<Page>, used: usize, at: usize, freed: u64 },
}

struct Cursor {
    place: Place,
    to: Option<u128>,
    ended: bool,
}

/// What all cursors of a merge use.
struct Means {
    memory: Memory,
    owner: Arc<Reservation>,
    /// For blocks on their way out of compression.
    spare: Page,
}

/// Space is given back in pieces of so many bytes.
const FREE: u64 = 1 << 20;

fn memory(run: &Run) -> Option<&MemoryRun> {
    match run {
        Run::Memory(run) => Some(run),
        Run::Scratch(_) => None,
    }
}

impl Cursor {
    fn over(run: Arc<Run>, range: Range) -> Result<Self> {
        let (from, to) = (range.from, range.to);
        let reader = match &*run {
            Run::Memory(rows) => {
                let (at, end) = (rows.before(from), to.map_or(rows.rows(), |to| rows.before(to)));
                return Ok(Cursor { place: Place::Memory { run, at, end }, to, ended: false });
            }
            Run::Scratch(run) => {
                // Rows that begin with `from` may be before the first mark that does.
                let first = run.marks.partition_point(|mark| mark.head() < from).saturating_sub(1);
                run.stream.reader(run.marks.get(first).map_or(0, |mark| mark.place))?
            }
        };
        Ok(Self::scratch(Held::Shared { _run: run }, reader, to))
    }

    fn of(run: Run) -> Result<Self> {
        match run {
            Run::Scratch(run) => {
                let reader = run.stream.reader(0)?;
                Ok(Self::scratch(Held::Owned(Box::new(run)), reader, None))
            }
            Run::Memory(_) => Self::over(Arc::new(run), Range::ALL),
        }
    }

    fn scratch(held: Held, reader: StreamReader, to: Option<u128>) -> Self {
        Cursor { place: Place::Scratch { held, reader, page: None, used: 0, at: 0, freed: 0 }, to, ended: false }
    }

    #[inline(always)]
    fn row(&self) -> &[u8] {
        if self.ended {
            return &[];
        }
        match &self.place {
            Place::Memory { run, at, .. } => memory(run).and_then(|run| run.row(*at)).unwrap_or_default(),
            Place::Scratch { page, at, .. } => page.as_ref().and_then(|p| row::at(p, *at)).unwrap_or_default(),
        }
    }

    /// Goes to the first row.
    fn begin(&mut self, from: u128, means: &mut Means) -> Result<()> {
        if let Place::Memory { at, end, .. } = &self.place {
            self.ended = at >= end;
            return Ok(());
        }
        self.read(means)?;
        while !self.ended && row::head(self.row()) < from {
            self.advance(means)?;
        }
        Ok(())
    }

    /// Goes to the next row.
    #[inline(always)]
    fn advance(&mut self, means: &mut Means) -> Result<()> {
        let bytes = self.row().len();
        match &mut self.place {
            Place::Memory { at, end, .. } => {
                *at += 1;
                self.ended = at >= end;
                return Ok(());
            }
            Place::Scratch { used, at, .. } => {
                *at += bytes;
                if at >= used {
                    return self.read(means);
                }
            }
        }
        self.see_end();
        Ok(())
    }

    #[inline(always)]
    fn see_end(&mut self) {
        if let Some(to) = self.to {
            self.ended = row::head(self.row()) >= to;
        }
    }

    /// Reads the next block.
    #[cold]
    fn read(&mut self, means: &mut Means) -> Result<()> {
        let Place::Scratch { held, reader, page, used, at, freed } = &mut self.place else { return Ok(()) };
        let len = reader.next_len();
        if let Held::Owned(run) = held
            && (len == 0 || reader.place() - *freed >= FREE)
        {
            *freed = reader.place();
            run.stream.free_before(*freed);
        }
        if len == 0 {
            (*page, self.ended) = (None, true);
            return Ok(());
        }
        let needed = len + STREAM_HEAD;
        if page.as_ref().is_none_or(|page| page.len() < needed) {
            *page = None;
            let (pool, owner) = (&means.memory.pool, &means.owner);
            *page = if needed <= pool.page_bytes() { pool.page(owner) } else { pool.region(needed, owner) };
        }
        let to = page.as_mut().ok_or_else(no_memory)?;
        reader.read(to, &mut means.spare)?;
        (*used, *at) = (len, 0);
        if row::at(to, 0).is_none() {
            return Err(Error::internal("a block of a sort holds no row"));
        }
        self.see_end();
        Ok(())
    }
}

/// Several runs in one order.
pub(super) struct Merged {
    cursors: Vec<Cursor>,
    heads: Vec<u128>,
    losers: Vec<usize>,
    winner: usize,
    means: Means,
}

impl Merged {
    /// The rows of `runs` in `range`; each run has a block open, charged to `owner`.
    ///
    /// # Errors
    /// What reading scratch meets.
    pub(super) fn over(runs: &[Arc<Run>], range: Range, memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        let cursors = runs.iter().map(|run| Cursor::over(run.clone(), range)).collect::<Result<_>>()?;
        Self::new(cursors, range.from, memory, owner)
    }

    /// All rows of `runs`, which nobody reads again.
    ///
    /// # Errors
    /// What reading scratch meets.
    pub(super) fn of(runs: Vec<Run>, memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        Self::new(runs.into_iter().map(Cursor::of).collect::<Result<_>>()?, 0, memory, owner)
    }

    fn new(mut cursors: Vec<Cursor>, from: u128, memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        let spare = memory.page(owner).ok_or_else(no_memory)?;
        let mut means = Means { memory: memory.clone(), owner: owner.clone(), spare };
        for cursor in &mut cursors {
            cursor.begin(from, &mut means)?;
        }
        cursors.retain(|cursor| !cursor.ended);
        let heads = cursors.iter().map(|c| row::head(c.row())).collect();
        let losers = vec![usize::MAX; cursors.len()];
        let mut merged = Merged { cursors, heads, losers, winner: 0, means };
        (0..merged.cursors.len()).rev().for_each(|run| merged.play(run));
        Ok(merged)
    }

    /// The smallest row.
    #[inline(always)]
    pub(super) fn row(&self) -> Option<&[u8]> {
        self.cursors.get(self.winner).filter(|c| !c.ended).map(Cursor::row)
    }

    /// Goes on to the row after the smallest.
    ///
    /// # Errors
    /// What reading scratch meets.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> Result<()> {
        let run = self.winner;
        if let Some(cursor) = self.cursors.get_mut(run) {
            cursor.advance(&mut self.means)?;
            self.heads[run] = row::head(cursor.row());
            self.play(run);
        }
        Ok(())
    }

    /// Plays the games of `run` from its leaf to the root. A place that nobody played for yet wins every game.
    #[inline(always)]
    fn play(&mut self, run: usize) {
        let (mut winner, mut node) = (run, (run + self.losers.len()) / 2);
        while node > 0 {
            let other = self.losers[node];
            if other == usize::MAX || winner != usize::MAX && self.is_less(other, winner) {
                (self.losers[node], winner) = (winner, other);
            }
            node /= 2;
        }
        self.winner = winner;
    }

    #[inline(always)]
    fn is_less(&self, one: usize, other: usize) -> bool {
        match self.heads[one].cmp(&self.heads[other]) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => self.is_less_whole(one, other),
        }
    }

    fn is_less_whole(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.cursors[one], &self.cursors[other]);
        match (one.ended, other.ended) {
            (false, false) => row::key(one.row()) < row::key(other.row()),
            (ended, _) => !ended,
        }
    }
}
