//! Writes rows to files, in the input's order, encoded by all workers side by side.
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
//!
//! An output of many files is the same: pieces end where the file does. Where every worker has files of its own
//! ([`Way::Apart`]), nothing waits for its turn. Of files by [partition](super::partitions) only those wait that a
//! neighbour may have rows for, two of each piece of the input, so that thousands of partitions are no thousands of pieces
//! that wait:
//!
//! ```text
//!   pieces of the input   | k=1 k=2 k=3 | k=3 k=4 k=5 | k=5 k=6 ..
//!   in turn                 k=1           k=3           k=5          the first one goes where its neighbour was
//!   in a file of one's own      k=2           k=4           k=6 ..   written when it comes, and closed
//!   handed over                     k=3           k=5                the last one: in its turn, still open
//! ```

mod sequencer;
#[cfg(test)]
mod tests;

use super::partitions::Partitions;
use super::{Cx, Flow, Sink, SinkOp};
use crate::batch::Batch;
use crate::error::{ErrorKind, Result};
use crate::formats::{Assemble, Directory, Encode, Piece, Shelf, Shelved};
use crate::graph::{PartSize, Sizes};
use crate::memory::InFlight;
use crate::store::{BlockRef, SpillWriter};
use arrow::array::RecordBatch;
use sequencer::{Footer, Sequencer, Target, Waiting};
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
    /// What an encoder has of a file before its piece ends, so that files can be of about that size.
    piece_bytes: usize,
    partitions: Option<Arc<Partitions>>,
    way: Way,
    sequencer: Arc<Mutex<Sequencer>>,
}

/// Who writes into a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// All, in turn.
    Together,
    /// Each worker has files of its own.
    Apart,
}

impl WriteOp {
    /// A sink that ends in `output`; encoders hold at most `held` bytes, and take at most `floor` with all that they need.
    pub fn new(make_encoder: Box<MakeEncoder>, output: Box<dyn Assemble>, held: usize, floor: usize) -> Self {
        let sequencer = Arc::new(Mutex::new(Sequencer::new(Target::File(output))));
        WriteOp { make_encoder, held, floor, piece_bytes: usize::MAX, partitions: None, way: Way::Together, sequencer }
    }

    /// A sink into `directory`, in files of about `file_bytes` bytes at most.
    pub fn into_directory(
        make_encoder: Box<MakeEncoder>,
        directory: Directory,
        partitions: Option<Partitions>,
        way: Way,
        (held, floor, file_bytes): (usize, usize, Option<usize>),
    ) -> Self {
        let sequencer = Arc::new(Mutex::new(Sequencer::new(Target::Files(directory))));
        let partitions = partitions.map(Arc::new);
        let piece_bytes = file_bytes.unwrap_or(usize::MAX);
        WriteOp { make_encoder, held, floor, piece_bytes, partitions, way, sequencer }
    }

    /// What came of running it. Whoever cancels when the output has its name already comes too late.
    ///
    /// # Errors
    /// Those of `ran`, where there is no output.
    pub fn outcome<T>(&self, ran: Result<T>) -> Result<u64> {
        match ran {
            Err(error) if error.kind() != ErrorKind::Cancelled || lock(&self.sequencer).bytes.is_none() => Err(error),
            _ => Ok(self.written().0),
        }
    }

    /// Rows and bytes written.
    pub fn written(&self) -> (u64, u64) {
        let sequencer = lock(&self.sequencer);
        (sequencer.rows, sequencer.bytes.unwrap_or(0))
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
        let has_own = self.way == Way::Apart || self.partitions.is_some();
        let own = {
            let mut sequencer = lock(&self.sequencer);
            sequencer.account(&cx.memory.budget);
            if has_own { sequencer.directory() } else { None }
        };
        let mut encoder = (self.make_encoder)()?;
        encoder.shelve(Arc::new(Aside(Mutex::new(cx.scratch.writer()))))?;
        Ok(Box::new(Write {
            _in_flight,
            encoder,
            held: self.held,
            piece_bytes: self.piece_bytes,
            partitions: self.partitions.clone(),
            partition: "".into(),
            way: self.way,
            own,
            is_first: true,
            footer: Footer::new(&cx.memory.budget),
            sequencer: self.sequencer.clone(),
            scratch: cx.scratch.writer(),
            split: 0,
            sequence: 0,
            rows: 0,
        }))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        let mut sequencer = lock(&self.sequencer);
        sequencer.finish()?;
        let part = PartSize { rows: sequencer.rows, bytes: sequencer.bytes.unwrap_or(0), spilled: 0 };
        Ok(Sizes { parts: vec![part] })
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
    piece_bytes: usize,
    partitions: Option<Arc<Partitions>>,
    /// That of the rows in the encoder.
    partition: Arc<str>,
    way: Way,
    /// Files of this worker's own.
    own: Option<Directory>,
    /// Whether the partition is the first one of its piece of the input.
    is_first: bool,
    /// What files of its own keep in memory.
    footer: Footer,
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
        match &mut self.own {
            Some(own) if self.way == Way::Apart || !self.is_first => {
                let rows = piece.rows as u64;
                own.append(&self.partition, piece)?;
                self.footer.set(own.held());
                lock(&self.sequencer).rows += rows;
                Ok(())
            }
            _ => self.append_in_turn(piece),
        }
    }

    fn append_in_turn(&mut self, piece: Piece) -> Result<()> {
        let mut sequencer = lock(&self.sequencer);
        if sequencer.is_turn(self.split) {
            return sequencer.append(&self.partition, piece);
        }
        drop(sequencer);
        let block = self.scratch.write(&piece.bytes)?;
        let Piece { rows, meta, held, .. } = piece;
        self.wait(Waiting::Piece { partition: self.partition.clone(), block, rows, meta, held });
        Ok(())
    }

    fn wait(&mut self, waiting: Waiting) {
        lock(&self.sequencer).wait(self.split, self.sequence, waiting);
        self.sequence += 1;
    }

    fn encode(&mut self, rows: &RecordBatch) -> Result<()> {
        self.encoder.push(rows)?;
        self.rows += rows.num_rows();
        if self.encoder.held() >= self.held || self.encoder.size() >= self.piece_bytes {
            self.end_piece()?;
        }
        Ok(())
    }

    /// Encodes the rows of one partition after the other.
    fn encode_partitions(&mut self, partitions: &Partitions, rows: &RecordBatch) -> Result<()> {
        let written = partitions.written(rows)?;
        for (range, partition) in partitions.cut(rows)? {
            if partition != self.partition {
                self.end_piece()?;
                self.is_first &= self.partition.is_empty();
                self.partition = partition;
            }
            self.encode(&written.slice(range.start, range.len()))?;
        }
        Ok(())
    }
}

impl Sink for Write {
    fn begin(&mut self, split: u64, _cx: &Cx) -> Result<()> {
        (self.split, self.sequence) = (split, 0);
        if self.partitions.is_some() {
            (self.partition, self.is_first) = ("".into(), true);
        }
        Ok(())
    }

    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<Flow> {
        match self.partitions.clone() {
            Some(partitions) => self.encode_partitions(&partitions, &batch.data)?,
            None => self.encode(&batch.data)?,
        }
        Ok(Flow::Ready)
    }

    fn end(&mut self, _cx: &Cx) -> Result<Flow> {
        if self.way == Way::Apart {
            return Ok(Flow::Ready);
        }
        self.end_piece()?;
        if let Some(file) = self.own.as_mut().map_or(Ok(None), Directory::leave)? {
            self.footer.set(0);
            self.wait(Waiting::File(file));
        }
        self.wait(Waiting::End);
        lock(&self.sequencer).advance()?;
        Ok(Flow::Ready)
    }

    fn finish(mut self: Box<Self>, _cx: &Cx) -> Result<()> {
        if self.way == Way::Apart {
            self.end_piece()?;
        }
        self.own.as_mut().map_or(Ok(()), Directory::close)
    }
}
