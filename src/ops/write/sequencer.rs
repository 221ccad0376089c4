//! Appends pieces in the order of the input, whoever encoded them.
//!
//! What is ahead of its turn waits: encoded bytes in scratch, with what the format must know of them; a file that another
//! worker began, whose partition may go on in the next piece of the input. Both are in the account while they wait.

use crate::error::{Error, Result};
use crate::formats::{Assemble, Directory, OpenFile, Piece};
use crate::memory::{Budget, Reservation};
use crate::store::BlockRef;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where pieces go.
pub(super) enum Target {
    /// All to one file.
    File(Box<dyn Assemble>),
    /// Each to a file of its partition.
    Files(Directory),
}

impl Target {
    fn append(&mut self, partition: &Arc<str>, piece: Piece) -> Result<()> {
        match self {
            Target::File(file) => file.append(piece),
            Target::Files(directory) => directory.append(partition, piece),
        }
    }

    fn go_on(&mut self, file: OpenFile) -> Result<()> {
        match self {
            Target::File(_) => Err(Error::internal("a file of a directory for an output that has none")),
            Target::Files(directory) => directory.go_on(file),
        }
    }

    fn held(&self) -> usize {
        match self {
            Target::File(file) => file.held(),
            Target::Files(directory) => directory.held(),
        }
    }

    fn finish(self) -> Result<u64> {
        match self {
            Target::File(file) => file.finish(),
            Target::Files(directory) => directory.finish(),
        }
    }
}

/// What an output keeps in memory until its end, in the account: it cannot be given back, and is there already.
#[derive(Default)]
pub(super) struct Footer(Option<Arc<Reservation>>);

impl Footer {
    pub(super) fn new(budget: &Budget) -> Footer {
        Footer(budget.reserve("the footer of an output", 0, false))
    }

    pub(super) fn set(&self, bytes: usize) {
        if let Some(held) = &self.0 {
            held.grow_anyway(bytes.saturating_sub(held.held()));
            held.shrink(held.held().saturating_sub(bytes));
        }
    }
}

/// What waits for its turn.
pub(super) enum Waiting {
    /// A piece whose bytes are in scratch.
    Piece { partition: Arc<str>, block: BlockRef, rows: usize, meta: Option<Box<dyn Any + Send>>, held: usize },
    /// A file that its worker began.
    File(OpenFile),
    /// The piece of the input ends.
    End,
}

impl Waiting {
    fn held(&self) -> usize {
        let held = match self {
            Waiting::Piece { held, .. } => *held,
            Waiting::File(file) => file.held(),
            Waiting::End => 0,
        };
        held + size_of::<Waiting>()
    }
}

/// The output, and what waits for it.
pub(super) struct Sequencer {
    /// `None` once the output is complete.
    target: Option<Target>,
    turn: u64,
    /// By piece of the input, then by number within it.
    waiting: BTreeMap<(u64, u64), Waiting>,
    /// Bytes of memory of what waits.
    waits: usize,
    /// Rows that were written.
    pub(super) rows: u64,
    /// Bytes of the output, once it has its name.
    pub(super) bytes: Option<u64>,
    footer: Option<Footer>,
}

impl Sequencer {
    pub(super) fn new(target: Target) -> Self {
        let waiting = BTreeMap::new();
        Sequencer { target: Some(target), turn: 0, waiting, waits: 0, rows: 0, bytes: None, footer: None }
    }

    /// From now on what is kept in memory is in the account.
    pub(super) fn account(&mut self, budget: &Budget) {
        self.footer.get_or_insert_with(|| Footer::new(budget));
    }

    /// The directory of files, for a worker who writes files of its own.
    pub(super) fn directory(&self) -> Option<Directory> {
        match &self.target {
            Some(Target::Files(directory)) => Some(directory.another()),
            _ => None,
        }
    }

    /// Whether it is the turn of that piece of the input.
    pub(super) fn is_turn(&self, split: u64) -> bool {
        self.turn == split
    }

    /// Appends a piece that has its turn, after all that waited for the same turn.
    pub(super) fn append(&mut self, partition: &Arc<str>, piece: Piece) -> Result<()> {
        self.advance()?;
        self.append_next(partition, piece)?;
        self.see_held();
        Ok(())
    }

    fn append_next(&mut self, partition: &Arc<str>, piece: Piece) -> Result<()> {
        self.rows += piece.rows as u64;
        self.target()?.append(partition, piece)
    }

    fn target(&mut self) -> Result<&mut Target> {
        self.target.as_mut().ok_or_else(|| Error::internal("a piece after the end of the output"))
    }

    /// Keeps what has no turn yet: number `sequence` of the piece `split` of the input.
    pub(super) fn wait(&mut self, split: u64, sequence: u64, waiting: Waiting) {
        self.waits += waiting.held();
        self.waiting.insert((split, sequence), waiting);
        self.see_held();
    }

    /// Appends whatever has its turn now.
    pub(super) fn advance(&mut self) -> Result<()> {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 != self.turn {
                break;
            }
            let waiting = entry.remove();
            self.waits = self.waits.saturating_sub(waiting.held());
            match waiting {
                Waiting::End => self.turn += 1,
                Waiting::File(file) => self.target()?.go_on(file)?,
                Waiting::Piece { partition, block, rows, meta, held } => {
                    self.append_next(&partition, Piece { bytes: block.to_vec()?, rows, meta, held })?;
                }
            }
        }
        self.see_held();
        Ok(())
    }

    fn see_held(&self) {
        if let Some(footer) = &self.footer {
            footer.set(self.waits + self.target.as_ref().map_or(0, Target::held));
        }
    }

    /// Completes the output.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.advance()?;
        if !self.waiting.is_empty() {
            return Err(Error::internal("pieces of the output without a turn"));
        }
        if let Some(target) = self.target.take() {
            self.bytes = Some(target.finish()?);
        }
        self.footer = None;
        Ok(())
    }

    /// How many things wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
