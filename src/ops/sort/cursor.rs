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

use super::run::{Block, MemoryRun, Run};
use super::{no_memory, row};
use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use std::cmp::Ordering;
use std::sync::Arc;

/// The rows whose keys begin with at least `from` and with less than `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u128,
    /// `None`: to the end.
    pub(super) to: Option<u128>,
}

/// Blocks of a run.
enum Blocks {
    /// Of a run that others read too.
    Shared(Arc<Run>, usize),
    /// Of a run that nobody reads again: its blocks are free when they are read.
    Owned(std::vec::IntoIter<Block>),
}

/// The place in one run.
enum Place {
    Memory { run: Arc<Run>, at: usize, end: usize },
    Scratch { blocks: Blocks, page: Option<Page>, used: usize, at: usize },
}

struct Cursor {
    place: Place,
    to: Option<u128>,
    ended: bool,
}

impl Blocks {
    fn next(&mut self) -> Option<crate::store::BlockRef> {
        match self {
            Blocks::Owned(blocks) => blocks.next().map(|b| b.block),
            Blocks::Shared(run, at) => match &**run {
                Run::Scratch(run) => {
                    let block = run.blocks.get(*at)?.block.clone();
                    *at += 1;
                    Some(block)
                }
                Run::Memory(_) => None,
            },
        }
    }
}

fn memory(run: &Run) -> Option<&MemoryRun> {
    match run {
        Run::Memory(run) => Some(run),
        Run::Scratch(_) => None,
    }
}

impl Cursor {
    fn over(run: Arc<Run>, range: Range) -> Self {
        let place = match &*run {
            Run::Memory(rows) => {
                let (at, end) = (rows.before(range.from), range.to.map_or(rows.rows(), |to| rows.before(to)));
                Place::Memory { run, at, end }
            }
            Run::Scratch(blocks) => {
                // Rows that begin with `from` may be at the end of the block before the first that does.
                let first = blocks.blocks.partition_point(|b| b.head < range.from).saturating_sub(1);
                Place::Scratch { blocks: Blocks::Shared(run, first), page: None, used: 0, at: 0 }
            }
        };
        Cursor { place, to: range.to, ended: false }
    }

    fn of(run: Run) -> Self {
        let place = match run {
            Run::Scratch(run) => {
                Place::Scratch { blocks: Blocks::Owned(run.blocks.into_iter()), page: None, used: 0, at: 0 }
            }
            Run::Memory(ref rows) => {
                let end = rows.rows();
                Place::Memory { run: Arc::new(run), at: 0, end }
            }
        };
        Cursor { place, to: None, ended: false }
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
    fn begin(&mut self, from: u128, memory: &Memory, owner: &Arc<Reservation>) -> Result<()> {
        if let Place::Memory { at, end, .. } = &self.place {
            self.ended = at >= end;
            return Ok(());
        }
        self.read(memory, owner)?;
        while !self.ended && row::head(self.row()) < from {
            self.advance(memory, owner)?;
        }
        Ok(())
    }

    /// Goes to the next row.
    #[inline(always)]
    fn advance(&mut self, memory: &Memory, owner: &Arc<Reservation>) -> Result<()> {
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
                    return self.read(memory, owner);
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
    fn read(&mut self, memory: &Memory, owner: &Arc<Reservation>) -> Result<()> {
        let Place::Scratch { blocks, page, used, at } = &mut self.place else { return Ok(()) };
        let Some(block) = blocks.next() else {
            (*page, self.ended) = (None, true);
            return Ok(());
        };
        let fits = page.as_ref().is_some_and(|p| p.len() >= block.len());
        if !fits {
            *page = None;
            let small = block.len() <= memory.pool.page_bytes();
            *page = if small { memory.page(owner) } else { memory.pool.region(block.len(), owner) };
        }
        let to = page.as_mut().ok_or_else(no_memory)?;
        block.read(to)?;
        (*used, *at) = (block.len(), 0);
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
    memory: Memory,
    owner: Arc<Reservation>,
}

impl Merged {
    /// The rows of `runs` in `range`; each run has a block open, charged to `owner`.
    ///
    /// # Errors
    /// What reading scratch meets.
    pub(super) fn over(runs: &[Arc<Run>], range: Range, memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        Self::new(runs.iter().map(|run| Cursor::over(run.clone(), range)).collect(), range.from, memory, owner)
    }

    /// All rows of `runs`, which nobody reads again.
    ///
    /// # Errors
    /// What reading scratch meets.
    pub(super) fn of(runs: Vec<Run>, memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        Self::new(runs.into_iter().map(Cursor::of).collect(), 0, memory, owner)
    }

    fn new(mut cursors: Vec<Cursor>, from: u128, memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        for cursor in &mut cursors {
            cursor.begin(from, memory, owner)?;
        }
        cursors.retain(|cursor| !cursor.ended);
        let heads = cursors.iter().map(|c| row::head(c.row())).collect();
        let losers = vec![usize::MAX; cursors.len()];
        let mut merged = Merged { cursors, heads, losers, winner: 0, memory: memory.clone(), owner: owner.clone() };
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
            cursor.advance(&self.memory, &self.owner)?;
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
