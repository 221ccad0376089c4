//! One batch of the probe side against tables: pairs, batch by batch, and then the rows that come out alone.
//!
//! Life of a batch:
//! 1. `start`: for each row the head of its chain, or 0.
//! 2. `pull`: chains are walked from where they were left (`walk`), until there is a batch of pairs; the residual
//!    condition thins them out; what met is noted on both sides.
//! 3. When all chains were walked, rows come out alone by what was noted.

use super::Shared;
use super::plan::{Alone, Compare, From, Plan};
use super::table::{Table, row_at};
use super::tables::Tables;
use super::walk::{self, Pairs, Search, Walk};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::ops::rows::{EncodedRows, RowDecoder, RowEncoder, raw_values};
use crate::ops::{Cx, Pull};
use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A worker's way of probing. Keeps buffers between batches.
pub(super) struct Prober {
    shared: Arc<Shared>,
    decoder: RowDecoder,
    encoder: RowEncoder,
    compare: Compare,
    /// Keys of the batch: one of both is filled.
    keys: EncodedRows,
    words: Vec<u64>,
    batch: Option<Batch>,
    tables: Arc<Tables>,
    hashes: Vec<u64>,
    heads: Vec<u64>,
    walk: Walk,
    walking: bool,
    /// Whether rows come out alone after this batch's walk.
    last: bool,
    /// Of each row of the batch: whether it met another.
    matched: Vec<bool>,
    pairs: Pairs,
    empty_build: bool,
}

/// A batch to probe.
pub(super) struct Probed {
    /// Its rows.
    pub batch: Batch,
    /// Their hashes.
    pub hashes: Vec<u64>,
    /// Whether no other part of the build side will be probed with them.
    pub last: bool,
    /// What is known already of which rows met another.
    pub matched: Option<Vec<bool>>,
}

impl Prober {
    pub fn new(shared: Arc<Shared>) -> Result<Self> {
        let plan = &shared.plan;
        let empty_build = shared.lock().rows == 0 && !shared.null_key.load(Relaxed);
        Ok(Prober {
            decoder: RowDecoder::new(&plan.build.layout)?,
            encoder: RowEncoder::new(&plan.key)?,
            compare: plan.compare(),
            keys: EncodedRows::default(),
            words: Vec::new(),
            batch: None,
            tables: Arc::new(Tables::empty()),
            hashes: Vec::new(),
            heads: Vec::new(),
            walk: Walk::default(),
            walking: false,
            last: true,
            matched: Vec::new(),
            pairs: Pairs::default(),
            empty_build,
            shared,
        })
    }

    /// Whether a batch is being probed.
    pub fn is_busy(&self) -> bool {
        self.batch.is_some()
    }

    /// Lets the tables go.
    pub fn forget(&mut self) {
        self.tables = Arc::new(Tables::empty());
    }

    /// The buffer of hashes, for the next batch.
    pub fn take_hashes(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.hashes)
    }

    /// Which rows of the last batch met another.
    pub fn matched(&self) -> &[bool] {
        &self.matched
    }

    /// Begins with a batch, whose rows are looked up in `tables`.
    pub fn start(&mut self, probed: Probed, tables: &Arc<Tables>) -> Result<()> {
        let shared = self.shared.clone();
        let plan = &shared.plan;
        let Probed { batch, hashes, last, matched } = probed;
        let keys = plan.join.probe.keys.iter().map(|c| batch.data.columns().get(*c).cloned());
        let keys: Option<Vec<ArrayRef>> = keys.collect();
        let keys = keys.ok_or_else(|| Error::internal("a join's key is not in its input"))?;
        self.hashes = hashes;
        self.tables = tables.clone();
        walk::heads(tables, &self.hashes, &mut self.heads);
        self.matched.clear();
        match matched {
            Some(matched) => self.matched = matched,
            None => self.matched.resize(batch.rows(), false),
        }
        if !plan.join.null_equals_null {
            self.leave_nulls(&keys);
        }
        self.prepare(&keys, batch.rows())?;
        self.walk.begin(&self.heads);
        (self.walking, self.last) = (true, last);
        self.batch = Some(batch);
        Ok(())
    }

    /// Rows with a null key meet nobody.
    fn leave_nulls(&mut self, keys: &[ArrayRef]) {
        let aware = self.shared.plan.join.null_aware && !self.empty_build;
        for key in keys.iter().filter(|k| k.null_count() > 0) {
            for (r, head) in self.heads.iter_mut().enumerate().filter(|(r, _)| key.is_null(*r)) {
                *head = 0;
                // Whether a null is in a list that is not empty is unknown: the row does not come out.
                self.matched[r] |= aware;
            }
        }
        if aware && self.shared.null_key.load(Relaxed) {
            self.matched.fill(true);
        }
    }

    /// Makes the batch's keys comparable.
    fn prepare(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        self.words.clear();
        match (self.compare, keys) {
            (Compare::Eight(_), [key]) => {
                let data = key.to_data();
                self.words.extend(raw_values(&data, 8).as_chunks::<8>().0.iter().map(|v| u64::from_le_bytes(*v)));
            }
            (Compare::Four(_), [key]) => {
                let data = key.to_data();
                let values = raw_values(&data, 4).as_chunks::<4>().0.iter();
                self.words.extend(values.map(|v| u64::from(u32::from_le_bytes(*v))));
            }
            _ => self.encoder.encode(keys, rows, &mut self.keys)?,
        }
        Ok(())
    }

    /// The next rows that come out of the batch; `Empty` when there are no more.
    pub fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        while let Some(batch) = &self.batch {
            if !self.walking {
                let alone = if self.last { self.alone(batch)? } else { None };
                self.batch = None;
                return Ok(alone.map_or(Pull::Empty, Pull::Batch));
            }
            cx.cancel.check()?;
            let batch = batch.clone();
            self.walk(cx);
            if self.pairs.rows.is_empty() {
                continue;
            }
            self.apply_residual(&batch)?;
            self.note();
            if self.shared.plan.join.kind.pairs && !self.pairs.rows.is_empty() {
                return Ok(Pull::Batch(self.out(&batch)?));
            }
        }
        Ok(Pull::Empty)
    }

    /// Collects the next pairs with equal keys.
    fn walk(&mut self, cx: &Cx) {
        let shared = self.shared.clone();
        let plan = &shared.plan;
        self.pairs.clear();
        let alone = !plan.join.kind.pairs && !plan.flags();
        let search = Search {
            tables: &self.tables,
            hashes: &self.hashes,
            matched: &self.matched,
            prefix: plan.build.prefix(),
            most: cx.tuning.batch_rows.max(1),
            most_bytes: plan.build.layout.constant_length().is_none().then_some(cx.tuning.batch_bytes),
            skip_matched: alone,
            first_only: alone && plan.join.residual.is_none(),
        };
        let (words, keys, pairs) = (&self.words, &self.keys, &mut self.pairs);
        self.walking = match self.compare {
            Compare::Eight(place) => self.walk.run::<8>(&search, pairs, place, |i, _, key| key == words[i]),
            Compare::Four(place) => self.walk.run::<4>(&search, pairs, place, |i, _, key| key == words[i]),
            Compare::Cells => self.walk.run::<0>(&search, pairs, 0, |i, row, _| plan.same(keys.row(i), row)),
        };
    }

    /// Keeps the pairs for which the residual condition is true.
    fn apply_residual(&mut self, batch: &Batch) -> Result<()> {
        let shared = self.shared.clone();
        let Some(residual) = &shared.plan.join.residual else { return Ok(()) };
        let seen = self.assemble(&residual.columns, &residual.schema, Some(&batch.data))?;
        let keep = residual.test.eval_filter(&seen)?;
        let keeps = |i: &usize| keep.is_valid(*i) && keep.value(*i);
        let mut kept = 0;
        for i in (0..self.pairs.rows.len()).filter(keeps) {
            self.pairs.rows[kept] = self.pairs.rows[i];
            self.pairs.links[kept] = self.pairs.links[i];
            kept += 1;
        }
        self.pairs.rows.truncate(kept);
        self.pairs.links.truncate(kept);
        Ok(())
    }

    /// Notes on both sides who met another.
    fn note(&mut self) {
        let plan = &self.shared.plan;
        if plan.join.kind.probe != Alone::No {
            self.pairs.rows.iter().for_each(|r| self.matched[*r as usize] = true);
        }
        if plan.flags() {
            for (row, link) in self.pairs.rows.iter().zip(&self.pairs.links) {
                if let Some(table) = self.tables.get(self.tables.partition(self.hashes[*row as usize])) {
                    table.flag(*link);
                }
            }
        }
    }

    fn out(&self, batch: &Batch) -> Result<Batch> {
        let join = &self.shared.plan.join;
        Ok(batch.with(self.assemble(&join.columns, &join.output, Some(&batch.data))?))
    }

    /// Columns of the pairs.
    fn assemble(&self, columns: &[From], schema: &SchemaRef, batch: Option<&RecordBatch>) -> Result<RecordBatch> {
        let (tables, hashes) = (&self.tables, &self.hashes);
        let needs_rows = columns.iter().any(|c| matches!(c, From::Build(_)));
        let row = |(row, link): (&u32, &u64)| {
            let table = tables.get(tables.partition(hashes[*row as usize]));
            table.map_or(&[][..], |t| row_at(t.bytes(), *link))
        };
        let rows: Vec<&[u8]> = match needs_rows {
            true => self.pairs.rows.iter().zip(&self.pairs.links).map(row).collect(),
            false => Vec::new(),
        };
        let all = batch.is_some_and(|b| b.num_rows() == self.pairs.rows.len())
            && self.pairs.rows.iter().enumerate().all(|(i, r)| i == *r as usize);
        let indices = (!all).then(|| UInt32Array::from(self.pairs.rows.clone()));
        let parts = Parts {
            plan: &self.shared.plan,
            decoder: &self.decoder,
            probe: batch,
            indices: indices.as_ref(),
            build: Some(&rows),
            mark: None,
            rows: self.pairs.rows.len(),
        };
        parts.assemble(columns, schema)
    }

    /// The rows of the batch that come out alone.
    fn alone(&self, batch: &Batch) -> Result<Option<Batch>> {
        let plan = &self.shared.plan;
        let wanted = match plan.join.kind.probe {
            Alone::No => return Ok(None),
            Alone::Matched => true,
            Alone::Unmatched => false,
            Alone::Marked => {
                let mark = Some(BooleanArray::from(self.matched.clone()));
                let parts = Parts {
                    plan,
                    decoder: &self.decoder,
                    probe: Some(&batch.data),
                    indices: None,
                    build: None,
                    mark,
                    rows: batch.rows(),
                };
                return Ok(Some(batch.with(parts.assemble(&plan.join.columns, &plan.join.output)?)));
            }
        };
        let rows = (0u32..).zip(&self.matched).filter(|(_, m)| **m == wanted).map(|(r, _)| r);
        let indices = UInt32Array::from(rows.collect::<Vec<_>>());
        if indices.is_empty() {
            return Ok(None);
        }
        let all = indices.len() == batch.rows();
        let parts = Parts {
            plan,
            decoder: &self.decoder,
            probe: Some(&batch.data),
            indices: (!all).then_some(&indices),
            build: None,
            mark: None,
            rows: indices.len(),
        };
        Ok(Some(batch.with(parts.assemble(&plan.join.columns, &plan.join.output)?)))
    }

    /// Rows of a table that come out alone, from an offset on, and the offset after them; `None` when there are no more.
    pub fn build_alone(&self, table: &Table, from: usize, cx: &Cx) -> Result<Option<(RecordBatch, usize)>> {
        let plan = &self.shared.plan;
        let kind = plan.join.kind.build;
        let (mut rows, mut flags, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut list = table.rows(from);
        let full = |rows: usize, bytes: usize| rows >= cx.tuning.batch_rows.max(1) || bytes >= cx.tuning.batch_bytes;
        while !full(rows.len(), bytes)
            && let Some((at, row)) = list.next()
        {
            let flagged = table.is_flagged(at);
            let comes = match kind {
                Alone::No => false,
                Alone::Matched => flagged,
                Alone::Unmatched => !flagged,
                Alone::Marked => true,
            };
            if comes {
                bytes += row.len();
                rows.push(row);
                flags.push(flagged);
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let parts = Parts {
            plan,
            decoder: &self.decoder,
            probe: None,
            indices: None,
            build: Some(&rows),
            mark: Some(BooleanArray::from(flags)),
            rows: rows.len(),
        };
        Ok(Some((parts.assemble(&plan.join.columns, &plan.join.output)?, list.offset())))
    }
}

/// What columns of a result are made of.
struct Parts<'a> {
    plan: &'a Plan,
    decoder: &'a RowDecoder,
    /// Rows of the probe side, or nulls; which of them, or all.
    probe: Option<&'a RecordBatch>,
    indices: Option<&'a UInt32Array>,
    /// Rows of the build side, or nulls.
    build: Option<&'a [&'a [u8]]>,
    mark: Option<BooleanArray>,
    rows: usize,
}

impl Parts<'_> {
    fn assemble(&self, columns: &[From], schema: &SchemaRef) -> Result<RecordBatch> {
        let nulls = |i: usize| new_null_array(schema.field(i).data_type(), self.rows);
        let column = |(i, from): (usize, &From)| match (from, self.probe, self.build) {
            (From::Probe(c), Some(batch), _) => match (batch.columns().get(*c), self.indices) {
                (Some(column), Some(indices)) => Ok(take(column, indices, None)?),
                (Some(column), None) => Ok(column.clone()),
                (None, _) => Err(Error::internal("a join's column is not in its input")),
            },
            (From::Build(c), _, Some(rows)) => self.decoder.column(self.plan.build.place(*c), rows),
            (From::Probe(_) | From::Build(_), ..) => Ok(nulls(i)),
            (From::Mark, ..) => Ok(self.mark.clone().map_or_else(|| nulls(i), |m| Arc::new(m) as ArrayRef)),
        };
        let columns = columns.iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }
}
