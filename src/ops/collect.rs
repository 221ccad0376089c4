//! Keeps rows in the input's order until somebody reads them: a limit in the middle of a query, a stored table, the
//! answer of a scalar subquery.
//!
//! Batches are encoded and go to scratch as soon as a worker has a page full of them; so any number of rows rests in a
//! bounded amount of memory, and what fits in the last page never leaves it. The list of batches is charged as it grows.

use super::{Cx, Flow, Pull, Sink, SinkOp, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::graph::{Facts, Layout, PartSize, Round, Sizes};
use crate::memory::Reservation;
use crate::store::{BlockRef, Scratch, SpillWriter, compact_batch, encode_batch, kept_bytes, read_batch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Rows at rest, in order. Cheap to clone.
#[derive(Clone)]
pub struct Collected {
    /// The names and types.
    pub schema: SchemaRef,
    parts: Arc<Vec<Kept>>,
    /// How many rows.
    pub rows: u64,
    /// Who holds the lists.
    lists: Vec<Arc<Reservation>>,
}

/// Bytes that a batch takes in the list.
const ENTRY: usize = 128;

#[derive(Clone)]
enum Kept {
    Resident(RecordBatch),
    Spilled(BlockRef),
}

impl Collected {
    /// One batch that is there already.
    pub fn resident(batch: RecordBatch) -> Self {
        let (schema, rows) = (batch.schema(), batch.num_rows() as u64);
        Collected { schema, parts: Arc::new(vec![Kept::Resident(batch)]), rows, lists: Vec::new() }
    }

    /// The same rows under other names.
    pub fn with_schema(self, schema: SchemaRef) -> Self {
        Collected { schema, ..self }
    }

    /// These rows, then those of `more`, which has the same columns.
    pub fn then(&self, more: &Collected) -> Self {
        let parts = self.parts.iter().chain(more.parts.iter()).cloned().collect();
        let lists = self.lists.iter().chain(&more.lists).cloned().collect();
        Collected { schema: self.schema.clone(), parts: Arc::new(parts), rows: self.rows + more.rows, lists }
    }

    /// No rows of these columns.
    pub fn emptied(&self) -> Self {
        Collected { schema: self.schema.clone(), parts: Arc::default(), rows: 0, lists: Vec::new() }
    }

    /// How many batches.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The `index`-th batch.
    pub fn batch(&self, index: usize) -> Result<Option<RecordBatch>> {
        match self.parts.get(index) {
            None => Ok(None),
            Some(Kept::Resident(batch)) => Ok(Some(batch.clone())),
            Some(Kept::Spilled(block)) => read_batch(block, &self.schema).map(Some),
        }
    }
}

/// Rows at rest that become more: small batches are put together, and all but the last ones go to scratch.
pub struct Growing {
    schema: SchemaRef,
    parts: Vec<Kept>,
    /// Batches that are not yet worth a part of their own.
    small: Vec<RecordBatch>,
    small_bytes: usize,
    writer: SpillWriter,
    page_bytes: usize,
    batch_rows: usize,
    /// How many rows.
    pub rows: u64,
}

impl Growing {
    /// No rows yet; at most a page of `page_bytes` stays out of `scratch`.
    pub fn new(schema: SchemaRef, scratch: &Scratch, page_bytes: usize, batch_rows: usize) -> Self {
        let (parts, small, writer) = (Vec::new(), Vec::new(), scratch.writer());
        Growing { schema, parts, small, small_bytes: 0, writer, page_bytes, batch_rows, rows: 0 }
    }

    /// Adds rows behind those that are here.
    ///
    /// # Errors
    /// As scratch.
    pub fn add(&mut self, more: &Collected) -> Result<()> {
        for part in more.parts.iter() {
            match part {
                Kept::Spilled(_) => {
                    self.settle()?;
                    self.parts.push(part.clone());
                }
                Kept::Resident(batch) => {
                    self.small_bytes += kept_bytes(batch);
                    self.small.push(batch.clone());
                    let rows: usize = self.small.iter().map(RecordBatch::num_rows).sum();
                    if self.small_bytes > self.page_bytes || rows >= self.batch_rows {
                        self.settle()?;
                    }
                }
            }
        }
        self.rows += more.rows;
        Ok(())
    }

    /// Writes small batches as one.
    fn settle(&mut self) -> Result<()> {
        if let Some(batch) = self.last()? {
            let mut encoded = Vec::new();
            encode_batch(&batch, &mut encoded)?;
            self.parts.push(Kept::Spilled(self.writer.write(&encoded)?));
        }
        (self.small, self.small_bytes) = (Vec::new(), 0);
        Ok(())
    }

    fn last(&self) -> Result<Option<RecordBatch>> {
        match self.small.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(compact_batch(one)?)),
            many => Ok(Some(compact_batch(&concat_batches(&many[0].schema(), many)?)?)),
        }
    }

    /// The rows that are here now.
    ///
    /// # Errors
    /// `Internal`, for batches of different types.
    pub fn rows(&self) -> Result<Collected> {
        let last = self.last()?.map(Kept::Resident);
        let parts = self.parts.iter().cloned().chain(last).collect();
        Ok(Collected { schema: self.schema.clone(), parts: Arc::new(parts), rows: self.rows, lists: Vec::new() })
    }
}

/// Batches by the piece of the input that they came from.
type Pieces = BTreeMap<(u64, u64), (usize, Kept)>;

/// Collects at most `fetch` rows after the first `skip`.
pub struct CollectOp {
    schema: SchemaRef,
    skip: usize,
    fetch: Option<usize>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Who holds the list of batches; made when the first worker begins.
    list: Mutex<Option<Arc<Reservation>>>,
    pieces: Mutex<Pieces>,
    /// Rows by piece, and whether the piece has ended: what a limit needs to know to stop early.
    progress: Mutex<BTreeMap<u64, (u64, bool)>>,
    result: Mutex<Option<Collected>>,
}

impl CollectOp {
    /// Nothing yet. `skip` and `fetch` are SQL's OFFSET and LIMIT, in rows.
    pub fn new(schema: SchemaRef, skip: usize, fetch: Option<usize>) -> Self {
        CollectOp { schema, skip, fetch, shared: Arc::default() }
    }

    /// What was collected; `None` before the end.
    pub fn result(&self) -> Option<Collected> {
        self.shared.result.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    fn list(&self, cx: &Cx) -> Result<Arc<Reservation>> {
        let mut list = self.shared.list.lock().unwrap_or_else(|e| e.into_inner());
        match &*list {
            Some(list) => Ok(list.clone()),
            None => Ok(list.insert(cx.memory.budget.require("a list of batches", 0, false)?).clone()),
        }
    }

    fn enough(&self) -> Option<u64> {
        self.fetch.map(|n| (n as u64).saturating_add(self.skip as u64))
    }
}

impl SinkOp for CollectOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Collect {
            list: self.list(cx)?,
            shared: self.shared.clone(),
            enough: self.enough(),
            writer: cx.scratch.writer(),
            encoded: Vec::new(),
            resident: 0,
            split: 0,
            sequence: 0,
            rows: 0,
            pieces: Pieces::new(),
        }))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        let pieces = std::mem::take(&mut *self.shared.pieces.lock().unwrap_or_else(|e| e.into_inner()));
        let (mut skip, mut left) = (self.skip, self.fetch.unwrap_or(usize::MAX));
        let mut parts = Vec::with_capacity(pieces.len());
        let mut rows = 0;
        for (_, (count, kept)) in pieces {
            let begin = skip.min(count);
            let take = (count - begin).min(left);
            skip -= begin;
            left -= take;
            if take == count {
                parts.push(kept);
            } else if take > 0 {
                let (schema, one) = (self.schema.clone(), Arc::new(vec![kept]));
                let whole = Collected { schema, parts: one, rows: 0, lists: Vec::new() };
                if let Some(batch) = whole.batch(0)? {
                    parts.push(Kept::Resident(batch.slice(begin, take)));
                }
            }
            rows += take as u64;
        }
        let lists = self.shared.list.lock().unwrap_or_else(|e| e.into_inner()).iter().cloned().collect();
        let collected = Collected { schema: self.schema.clone(), parts: Arc::new(parts), rows, lists };
        *self.shared.result.lock().unwrap_or_else(|e| e.into_inner()) = Some(collected);
        Ok(Sizes { parts: vec![PartSize { rows, ..PartSize::default() }] })
    }
}

struct Collect {
    list: Arc<Reservation>,
    shared: Arc<Shared>,
    enough: Option<u64>,
    writer: SpillWriter,
    encoded: Vec<u8>,
    resident: usize,
    split: u64,
    sequence: u64,
    rows: u64,
    pieces: Pieces,
}

impl Collect {
    /// Whether the pieces up to this one have all the rows that are wanted.
    fn reached(&self, enough: u64) -> bool {
        let progress = self.shared.progress.lock().unwrap_or_else(|e| e.into_inner());
        let mut sum = 0;
        for (next, (split, (rows, ended))) in (0..).zip(progress.iter()) {
            if *split != next || *split > self.split {
                break;
            }
            sum += rows;
            if sum >= enough {
                return true;
            }
            if !ended {
                break;
            }
        }
        false
    }

    fn report(&self, ended: bool) {
        if self.enough.is_some() {
            let mut progress = self.shared.progress.lock().unwrap_or_else(|e| e.into_inner());
            progress.insert(self.split, (self.rows, ended));
        }
    }
}

impl Sink for Collect {
    fn begin(&mut self, split: u64, _cx: &Cx) -> Result<()> {
        (self.split, self.sequence, self.rows) = (split, 0, 0);
        self.report(false);
        Ok(())
    }

    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        let bytes = kept_bytes(&batch.data);
        let kept = if self.resident + bytes <= cx.memory.pool.page_bytes() {
            self.resident += bytes;
            Kept::Resident(compact_batch(&batch.data)?)
        } else {
            self.encoded.clear();
            encode_batch(&compact_batch(&batch.data)?, &mut self.encoded)?;
            Kept::Spilled(self.writer.write(&self.encoded)?)
        };
        self.list.grow_anyway(ENTRY);
        self.pieces.insert((self.split, self.sequence), (batch.rows(), kept));
        self.sequence += 1;
        self.rows += batch.rows() as u64;
        self.report(false);
        Ok(Flow::Ready)
    }

    fn end(&mut self, _cx: &Cx) -> Result<Flow> {
        self.report(true);
        Ok(Flow::Ready)
    }

    fn is_done(&self) -> bool {
        self.enough.is_some_and(|enough| self.rows >= enough || self.reached(enough))
    }

    fn finish(mut self: Box<Self>, _cx: &Cx) -> Result<()> {
        self.shared.pieces.lock().unwrap_or_else(|e| e.into_inner()).append(&mut self.pieces);
        Ok(())
    }
}

/// Yields rows at rest, in order, cut into pieces, a task each.
pub struct PiecesOp {
    /// The sink that collected them.
    pub rows: Arc<CollectOp>,
}

/// A piece has at least so many rows,
const PIECE: u64 = 1 << 17;
/// and there are not more pieces than this.
const PIECES: u64 = 64;

fn pieces(rows: u64) -> usize {
    (rows / PIECE).clamp(1, PIECES) as usize
}

/// The rule of the stage that reads pieces.
pub fn piece_layout() -> impl Layout {
    PieceLayout
}

#[derive(Debug)]
struct PieceLayout;

impl Layout for PieceLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let rows = facts.sizes.first().map_or(0, Sizes::rows);
        Round { tasks: if facts.round == 0 { pieces(rows) } else { 0 }, ..Round::default() }
    }
}

impl SourceOp for PiecesOp {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let rows = self.rows.result();
        let (batches, count) = rows.as_ref().map_or((0, 1), |r| (r.len(), pieces(r.rows)));
        let (next, end) = (batches * index / count, batches * (index + 1) / count);
        Ok(Box::new(Replay { rows, next, end, row: 0 }))
    }
}

/// Yields rows at rest, in order, as one task.
pub struct CollectedOp {
    /// The sink that collected them.
    pub from: From,
}

/// Where collected rows are found when the source opens.
pub enum From {
    /// Collected earlier by the same query.
    Sink(Arc<CollectOp>),
    /// A stored table.
    Stored(Collected),
}

impl SourceOp for CollectedOp {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let rows = match &self.from {
            From::Sink(sink) => sink.result(),
            From::Stored(rows) => Some(rows.clone()),
        };
        Ok(Box::new(Replay { rows, next: 0, end: usize::MAX, row: 0 }))
    }
}

struct Replay {
    rows: Option<Collected>,
    next: usize,
    /// The batch before which it ends.
    end: usize,
    row: u64,
}

impl Source for Replay {
    fn next(&mut self, _cx: &Cx) -> Result<Pull> {
        let Some(rows) = self.rows.as_ref().filter(|_| self.next < self.end) else { return Ok(Pull::End) };
        let Some(data) = rows.batch(self.next)? else { return Ok(Pull::End) };
        let position = Position { split: 0, row: self.row };
        self.next += 1;
        self.row += data.num_rows() as u64;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}
