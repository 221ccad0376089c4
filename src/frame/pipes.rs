//! What is read of pipes is kept in scratch, so that a query can start over: up to a quarter of what scratch may hold, for
//! the rest is there for operators that spill.

use crate::error::{Error, Result};
use crate::io::{Keep, KeptBlock};
use crate::memory::{Budget, Reservation};
use crate::store::{BlockRef, Scratch, SpillWriter};
use std::sync::{Arc, Mutex, PoisonError};

/// See the head of this file.
pub(super) struct InScratch {
    scratch: Scratch,
    budget: Budget,
    kept: Mutex<Option<Writing>>,
}

struct Writing {
    writer: SpillWriter,
    bytes: u64,
    /// For the writer's buffer.
    _reservation: Arc<Reservation>,
}

impl InScratch {
    pub(super) fn new(scratch: Scratch, budget: Budget) -> Self {
        InScratch { scratch, budget, kept: Mutex::default() }
    }
}

impl Keep for InScratch {
    fn keep(&self, block: &[u8]) -> Result<Box<dyn KeptBlock>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let writing = match &mut *kept {
            Some(writing) => writing,
            none => {
                let floor = self.scratch.fixed_bytes().per_writer + 2 * block.len();
                let reservation = self.budget.require("pipe", floor, false)?;
                none.insert(Writing { writer: self.scratch.writer(), bytes: 0, _reservation: reservation })
            }
        };
        if writing.bytes + block.len() as u64 > self.scratch.stats().limit / 4 {
            return Err(Error::resources("a pipe is longer than a quarter of what scratch may hold"));
        }
        let block = writing.writer.write(block)?;
        writing.bytes += block.len() as u64;
        Ok(Box::new(Block(block)))
    }
}

struct Block(BlockRef);

impl KeptBlock for Block {
    fn read(&self) -> Result<Vec<u8>> {
        self.0.to_vec()
    }
}
