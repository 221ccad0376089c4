//! Writes rows to one file, in the input's order, encoded by all workers side by side.
//!
//! 1. A worker's encoder takes batches until it holds as much as it may, or its piece of the input ends.
//! 2. The encoded piece goes to the [`Sequencer`]. If it is its turn it is appended to the file.
//! 3. If it is ahead of its turn its bytes wait in scratch, and whoever ends the turn before appends them.
//!
//! Memory: what encoders take is announced as in flight when a worker begins. An encoder that holds pieces together until
//! they are large (Parquet) puts them into scratch itself. What the output keeps in memory until its end is held in its
//! name.
//!
//! The file appears under its name when the last piece is appended; a query that fails leaves nothing.

use super::{Cx, Flow, Sink, SinkOp};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::formats::{Assemble, Encode, Piece, Shelf, Shelved};
use crate::graph::{PartSize, Sizes};
use crate::memory::{InFlight, Reservation};
use crate::store::{BlockRef, SpillWriter};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Makes an encoder for one worker.
pub type MakeEncoder = dyn Fn() -> Result<Box<dyn Encode>> + Send + Sync;

/// A sink into one output.
pub struct WriteOp {
    make_encoder: Box<MakeEncoder>,
    /// Bytes that an encoder holds before it must end its piece.
    held: usize,
    /// Bytes that a worker takes.
    floor: usize,
    sequencer: Arc<Mutex<Sequencer>>,
}

/// Appends pieces in the order of the input.
struct Sequencer {
    /// `None` once the output is complete.
    output: Option<Box<dyn Assemble>>,
    turn: u64,
    /// What waits: by piece of the input, then by number within it. `None` marks the end of the piece.
    waiting: BTreeMap<(u64, u64), Option<Waiting>>,
    rows: u64,
    bytes: u64,
    /// Who holds what the output keeps in memory until its end.
    footer: Option<Arc<Reservation>>,
}

struct Waiting {
    block: BlockRef,
    rows: usize,
    meta: Option<Box<dyn Any + Send>>,
}

impl WriteOp {
    /// A sink that ends in `output`; encoders hold at most `held` bytes, and take at most `floor` with all that they need.
    pub fn new(make_encoder: Box<MakeEncoder>, output: Box<dyn Assemble>, held: usize, floor: usize) -> Self {
        let output = Some(output);
        let sequencer = Sequencer { output, turn: 0, waiting: BTreeMap::new(), rows: 0, bytes: 0, footer: None };
        WriteOp { make_encoder, held, floor, sequencer: Arc::new(Mutex::new(sequencer)) }
    }

    /// Rows and bytes written.
    pub fn written(&self) -> (u64, u64) {
        let sequencer = lock(&self.sequencer);
        (sequencer.rows, sequencer.bytes)
    }
}

fn lock(sequencer: &Mutex<Sequencer>) -> MutexGuard<'_, Sequencer> {
    sequencer.lock().unwrap_or_else(|e| e.into_inner())
}

impl SinkOp for WriteOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        let _in_flight = cx
            .memory
            .budget
            .in_flight("the encoder of an output", self.floor + 2 * cx.scratch.fixed_bytes().per_writer)?;
        lock(&self.sequencer).hold_footer(cx);
        let mut encoder = (self.make_encoder)()?;
        encoder.shelve(Arc::new(Aside(Mutex::new(cx.scratch.writer()))))?;
        Ok(Box::new(Write {
            _in_flight,
            encoder,
            held: self.held,
            sequencer: self.sequencer.clone(),
            scratch: cx.scratch.writer(),
            split: 0,
            sequence: 0,
            rows: 0,
        }))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        let mut sequencer = lock(&self.sequencer);
        sequencer.advance()?;
        if !sequencer.waiting.is_empty() {
            return Err(Error::internal("pieces of the output without a turn"));
        }
        if let Some(output) = sequencer.output.take() {
            sequencer.bytes = output.finish()?;
        }
        sequencer.footer = None;
        let part = PartSize { rows: sequencer.rows, bytes: sequencer.bytes, spilled: 0 };
        Ok(Sizes { parts: vec![part] })
    }
}

impl Sequencer {
    fn hold_footer(&mut self, cx: &Cx) {
        if self.footer.is_none() {
            self.footer = cx.memory.budget.reserve("the footer of an output", 0, false);
        }
    }

    fn append(&mut self, piece: Piece) -> Result<()> {
        self.rows += piece.rows as u64;
        let output = self.output.as_mut().ok_or_else(|| Error::internal("a piece after the end of the output"))?;
        output.append(piece)?;
        if let Some(footer) = &self.footer {
            // It cannot be given back, and it is there already.
            footer.grow_anyway(output.held().saturating_sub(footer.held()));
        }
        Ok(())
    }

    /// Appends whatever has its turn now.
    fn advance(&mut self) -> Result<()> {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 != self.turn {
                break;
            }
            match entry.remove() {
                None => self.turn += 1,
                Some(waiting) => {
                    let mut bytes = vec![0; waiting.block.len()];
                    waiting.block.read(&mut bytes)?;
                    self.append(Piece { bytes, rows: waiting.rows, meta: waiting.meta })?;
                }
            }
        }
        Ok(())
    }
}

/// Scratch as an encoder's shelf.
#[derive(Debug)]
struct Aside(Mutex<SpillWriter>);

impl Shelf for Aside {
    fn put(&self, bytes: &[u8]) -> Result<Box<dyn Shelved>> {
        let mut writer = self.0.lock().unwrap_or_else(|e| e.into_inner());
        Ok(Box::new(Block(writer.write(bytes)?)))
    }
}

struct Block(BlockRef);

impl Shelved for Block {
    fn take(self: Box<Self>) -> Result<Vec<u8>> {
        self.0.to_vec()
    }
}

struct Write {
    _in_flight: InFlight,
    encoder: Box<dyn Encode>,
    held: usize,
    sequencer: Arc<Mutex<Sequencer>>,
    scratch: SpillWriter,
    split: u64,
    sequence: u64,
    /// Rows in the encoder.
    rows: usize,
}

impl Write {
    fn end_piece(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let piece = self.encoder.piece()?;
        let key = (self.split, self.sequence);
        self.sequence += 1;
        let mut sequencer = lock(&self.sequencer);
        if sequencer.turn == self.split {
            sequencer.advance()?;
            return sequencer.append(piece);
        }
        drop(sequencer);
        let block = self.scratch.write(&piece.bytes)?;
        let waiting = Waiting { block, rows: piece.rows, meta: piece.meta };
        lock(&self.sequencer).waiting.insert(key, Some(waiting));
        Ok(())
    }
}

impl Sink for Write {
    fn begin(&mut self, split: u64, _cx: &Cx) -> Result<()> {
        (self.split, self.sequence) = (split, 0);
        Ok(())
    }

    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<Flow> {
        self.encoder.push(&batch.data)?;
        self.rows += batch.rows();
        if self.encoder.held() >= self.held {
            self.end_piece()?;
        }
        Ok(Flow::Ready)
    }

    fn end(&mut self, _cx: &Cx) -> Result<Flow> {
        self.end_piece()?;
        let mut sequencer = lock(&self.sequencer);
        sequencer.waiting.insert((self.split, u64::MAX), None);
        sequencer.advance()?;
        Ok(Flow::Ready)
    }

    fn finish(self: Box<Self>, _cx: &Cx) -> Result<()> {
        Ok(())
    }
}
