//! ORDER BY with a small LIMIT: each worker keeps the best rows that it has seen.
//!
//! Life of a row:
//! 1. Its key is encoded with its batch's ([`KeyEncoder`]); if it is not better than the worst of the worker's best k
//!    rows, that was all.
//! 2. The rows that are left are copied out of their batch, and wait with their keys.
//! 3. When twice k rows wait (and at least a batch), the best k are selected, copied together, and the worst of them is
//!    what rows must beat from now on.
//! 4. At the end the workers' rows are put together and sorted; one task reads them.
//!
//! Ties go by input position, which is a part of the key.
//!
//! Memory: what waits is charged, and selected early when it grows beyond a few MiB; k rows must fit, which `plan` sees
//! to as far as it knows their width. For a larger k it takes the sort.

use super::sort::{KeyEncoder, SortKey};
use super::{Cx, Flow, Pull, Sink, SinkOp, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::graph::{PartSize, Sizes};
use crate::memory::Reservation;
use crate::store::{compact_batch, kept_bytes};
use arrow::array::UInt32Array;
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes of what waits that a worker does not select early for.
const LARGE: usize = 1 << 20;

/// Bytes that a worker's state holds at least, with pages of `page` bytes.
pub fn floor(page: usize) -> usize {
    4 * page
}

/// The first `fetch` rows in an order. Cheap to clone: a sink, and the source that reads what it kept.
#[derive(Clone)]
pub struct TopKOp(Arc<Shared>);

struct Shared {
    input: SchemaRef,
    /// How many of the input's columns are put out.
    columns: usize,
    keys: Arc<[SortKey]>,
    fetch: usize,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    best: Candidates,
    reservation: Option<Arc<Reservation>>,
}

impl TopKOp {
    /// Keeps the first `fetch` rows of `input` by `keys`, and of these the first `columns` columns.
    ///
    /// # Errors
    /// `Unsupported`, for keys of a type that has no order.
    pub fn new(input: SchemaRef, columns: usize, keys: Arc<[SortKey]>, fetch: usize) -> Result<Self> {
        KeyEncoder::new(&keys, &input)?;
        Ok(TopKOp(Arc::new(Shared { input, columns, keys, fetch, rest: Mutex::default() })))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A row that may be among the best.
#[derive(Clone, Copy)]
struct Candidate {
    /// Where its key begins.
    key: usize,
    bytes: usize,
    batch: usize,
    row: usize,
}

/// Rows that may be among the best, with their keys.
#[derive(Default)]
struct Candidates {
    keys: Vec<u8>,
    rows: Vec<Candidate>,
    batches: Vec<RecordBatch>,
    /// Bytes that the batches keep.
    held: usize,
    /// The key that a row must beat, once there are enough rows.
    bar: Option<Vec<u8>>,
}

impl Candidates {
    /// The rows of the encoded batch that are better than the bar.
    fn survivors(&self, encoder: &KeyEncoder, rows: usize) -> Vec<u32> {
        let Some(bar) = &self.bar else { return (0..rows as u32).collect() };
        let (key, position) = bar.split_at(bar.len().saturating_sub(super::sort::POSITION));
        let beats = |row: &u32| match encoder.key(*row as usize).cmp(key) {
            std::cmp::Ordering::Equal => encoder.position(*row as usize).as_slice() < position,
            order => order.is_lt(),
        };
        (0..rows as u32).filter(beats).collect()
    }

    fn add(&mut self, data: RecordBatch, encoder: &KeyEncoder, from: &[u32]) {
        for (row, index) in from.iter().enumerate() {
            let begin = self.keys.len();
            self.keys.extend_from_slice(encoder.key(*index as usize));
            self.keys.extend_from_slice(&encoder.position(*index as usize));
            let bytes = self.keys.len() - begin;
            self.rows.push(Candidate { key: begin, bytes, batch: self.batches.len(), row });
        }
        self.held += kept_bytes(&data);
        self.batches.push(data);
    }

    fn bytes(&self) -> usize {
        self.held + self.keys.len() + self.rows.len() * size_of::<Candidate>()
    }

    fn key(&self, row: &Candidate) -> &[u8] {
        self.keys.get(row.key..row.key + row.bytes).unwrap_or_default()
    }

    /// Drops all but the best `fetch` rows, and sorts these.
    fn select(&mut self, fetch: usize) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        if let Some(last) = fetch.checked_sub(1).filter(|last| *last + 1 < rows.len()) {
            rows.select_nth_unstable_by(last, |a, b| self.key(a).cmp(self.key(b)));
        }
        rows.truncate(fetch);
        rows.sort_unstable_by(|a, b| self.key(a).cmp(self.key(b)));
        let bar = rows.last().filter(|_| rows.len() == fetch).map(|row| self.key(row).to_vec());
        let Some(data) = self.gather(&rows)? else { return Ok(()) };
        let mut kept = Candidates { held: kept_bytes(&data), batches: vec![data], bar, ..Candidates::default() };
        kept.keys.reserve_exact(rows.iter().map(|r| r.bytes).sum());
        for (i, row) in rows.iter().enumerate() {
            kept.rows.push(Candidate { key: kept.keys.len(), bytes: row.bytes, batch: 0, row: i });
            kept.keys.extend_from_slice(self.key(row));
        }
        *self = kept;
        Ok(())
    }

    fn gather(&self, rows: &[Candidate]) -> Result<Option<RecordBatch>> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let places: Vec<(usize, usize)> = rows.iter().map(|r| (r.batch, r.row)).collect();
        Ok(Some(compact_batch(&interleave_record_batch(&batches, &places)?)?))
    }

    fn append(&mut self, other: Candidates) {
        let (key, batch) = (self.keys.len(), self.batches.len());
        self.keys.extend_from_slice(&other.keys);
        self.rows.extend(other.rows.iter().map(|r| Candidate { key: r.key + key, batch: r.batch + batch, ..*r }));
        self.batches.extend(other.batches);
        self.held += other.held;
    }
}

impl SinkOp for TopKOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        let mut rest = self.0.lock();
        if rest.reservation.is_none() {
            rest.reservation = Some(cx.memory.budget.require("top-k at rest", 0, false)?);
        }
        drop(rest);
        Ok(Box::new(TopK {
            encoder: KeyEncoder::new(&self.0.keys, &self.0.input)?,
            reservation: cx.memory.budget.require("top-k", floor(cx.memory.pool.page_bytes()), false)?,
            charged: 0,
            best: Candidates::default(),
            selected: 0,
            shared: self.0.clone(),
        }))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        let mut rest = self.0.lock();
        rest.best.select(self.0.fetch)?;
        let size = PartSize { rows: rest.best.rows.len() as u64, bytes: rest.best.bytes() as u64, spilled: 0 };
        Ok(Sizes { parts: vec![size] })
    }
}

struct TopK {
    shared: Arc<Shared>,
    encoder: KeyEncoder,
    reservation: Arc<Reservation>,
    charged: usize,
    best: Candidates,
    /// Bytes after the last selection.
    selected: usize,
}

impl TopK {
    fn charge(&mut self) {
        let bytes = self.best.bytes();
        self.reservation.grow_anyway(bytes.saturating_sub(self.charged));
        self.reservation.shrink(self.charged.saturating_sub(bytes));
        self.charged = bytes;
    }
}

impl Sink for TopK {
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        self.encoder.encode(&batch)?;
        let survivors = self.best.survivors(&self.encoder, batch.rows());
        if survivors.is_empty() {
            return Ok(Flow::Ready);
        }
        let columns: Vec<usize> = (0..self.shared.columns).collect();
        let data = batch.data.project(&columns)?;
        let data = take_record_batch(&data, &UInt32Array::from(survivors.clone()))?;
        self.best.add(compact_batch(&data)?, &self.encoder, &survivors);
        let fetch = self.shared.fetch;
        let many = self.best.rows.len() >= fetch.saturating_mul(2).max(cx.tuning.batch_rows);
        let large = self.best.rows.len() > fetch && self.best.bytes() > 2 * self.selected.max(LARGE);
        if many || large {
            self.best.select(fetch)?;
            self.selected = self.best.bytes();
        }
        self.charge();
        Ok(Flow::Ready)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.reservation)
    }

    fn finish(mut self: Box<Self>, _cx: &Cx) -> Result<()> {
        self.best.select(self.shared.fetch)?;
        let best = std::mem::take(&mut self.best);
        self.charge();
        let mut rest = self.shared.lock();
        if let Some(reservation) = &rest.reservation {
            reservation.grow_anyway(best.bytes());
        }
        rest.best.append(best);
        Ok(())
    }
}

impl SourceOp for TopKOp {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(Kept { batch: self.0.lock().best.batches.first().cloned(), at: 0 }))
    }
}

/// The rows, in order.
struct Kept {
    batch: Option<RecordBatch>,
    at: usize,
}

impl Source for Kept {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        let Some(batch) = &self.batch else { return Ok(Pull::End) };
        let rows = (batch.num_rows() - self.at).min(cx.tuning.batch_rows.max(1));
        if rows == 0 {
            return Ok(Pull::End);
        }
        let position = Position { split: 0, row: self.at as u64 };
        let data = batch.slice(self.at, rows);
        self.at += rows;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}
