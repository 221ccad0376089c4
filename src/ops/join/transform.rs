//! The probe, inside the pipeline of the probe side: looks rows up, and keeps those whose partition has no table.
//!
//! Kept rows are encoded into the open page of their partition; full pages go to scratch. A worker's reservation has a
//! page for each partition without a table as its floor (see `resident`), so a page is never refused.

use super::Shared;
use super::pages::Open;
use super::prober::{Probed, Prober};
use super::tables::Tables;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::ops::hash::KeyHasher;
use crate::ops::rows::{Chunk, EncodedRows, RowEncoder, RowPages};
use crate::ops::{Cx, Pull, Transform};
use crate::store::SpillWriter;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{take, take_record_batch};
use std::sync::Arc;

/// A worker's probe.
pub(super) struct Probe {
    shared: Arc<Shared>,
    tables: Arc<Tables>,
    /// Whether no row has to wait.
    whole: bool,
    hasher: KeyHasher,
    prober: Prober,
    waiting: Waiting,
}

/// Rows that wait for their partition.
struct Waiting {
    reservation: Arc<Reservation>,
    encoder: RowEncoder,
    rows: EncodedRows,
    open: Vec<Option<Open>>,
    parts: Vec<RowPages>,
    writer: Option<SpillWriter>,
}

impl Probe {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let plan = &shared.plan;
        let tables = shared.tables();
        let missing = (0..tables.len()).filter(|t| tables.get(*t).is_none()).count();
        let waiting = Waiting {
            reservation: shared.room(missing, cx)?,
            encoder: RowEncoder::new(&plan.probe.layout)?,
            rows: EncodedRows::default(),
            open: (0..tables.len()).map(|_| None).collect(),
            parts: (0..tables.len()).map(|_| RowPages::default()).collect(),
            writer: None,
        };
        Ok(Probe {
            whole: tables.are_whole(),
            tables,
            hasher: KeyHasher::new(plan.key_types(), &cx.tuning)?,
            prober: Prober::new(shared.clone())?,
            waiting,
            shared,
        })
    }

    /// Keeps rows whose partition has no table; returns the others with their hashes.
    fn divert(&mut self, batch: Batch, hashes: Vec<u64>, keys: &[ArrayRef], cx: &Cx) -> Result<(Batch, Vec<u64>)> {
        let nulls = !self.shared.plan.join.null_equals_null;
        let meets_nobody = |r: usize| nulls && keys.iter().any(|k| k.is_null(r));
        let waits = |r: usize| self.tables.get(self.tables.partition(hashes[r])).is_none() && !meets_nobody(r);
        let (late, now): (Vec<u32>, Vec<u32>) = (0..batch.rows() as u32).partition(|r| waits(*r as usize));
        if late.is_empty() {
            return Ok((batch, hashes));
        }
        let part = |rows: &[u32]| rows.iter().map(|r| hashes[*r as usize]).collect::<Vec<u64>>();
        let (late_hashes, now_hashes) = (part(&late), part(&now));
        self.keep(&batch, &UInt32Array::from(late), &late_hashes, cx)?;
        let rest = take_record_batch(&batch.data, &UInt32Array::from(now))?;
        Ok((batch.with(rest), now_hashes))
    }

    fn keep(&mut self, batch: &Batch, late: &UInt32Array, hashes: &[u64], cx: &Cx) -> Result<()> {
        let side = &self.shared.plan.probe;
        let columns = side.columns_of(&batch.data)?;
        let columns = columns.iter().map(|c| Ok(take(c, late, None)?)).collect::<Result<Vec<_>>>()?;
        self.waiting.encoder.encode(&columns, late.len(), &mut self.waiting.rows)?;
        let spilled = self.waiting.add(hashes, &self.tables, side.prefix(), cx)?;
        self.shared.meter.add_spilled(spilled);
        Ok(())
    }
}

impl Waiting {
    /// Appends the encoded rows to their partitions; returns the bytes that went to scratch.
    fn add(&mut self, hashes: &[u64], tables: &Tables, prefix: usize, cx: &Cx) -> Result<usize> {
        let (page_bytes, mut spilled, mut i) = (cx.memory.pool.page_bytes(), 0, 0);
        while let Some(hash) = hashes.get(i) {
            let (row, partition) = (self.rows.row(i), tables.partition(*hash));
            if self.open[partition].as_mut().is_some_and(|open| open.append(row, prefix, *hash)) {
                i += 1;
                continue;
            }
            let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
            if row.len() > page_bytes {
                let mut row = row.to_vec();
                row[prefix..prefix + 8].copy_from_slice(&hash.to_le_bytes());
                self.parts[partition].push(Chunk::Spilled(writer.write(&row)?, 1));
                spilled += row.len();
                i += 1;
            } else if let Some(open) = &mut self.open[partition] {
                spilled += open.used;
                self.parts[partition].push(open.write(writer)?);
            } else if let Some(page) = cx.memory.page(&self.reservation) {
                self.open[partition] = Some(Open::new(page));
            } else {
                return Err(Error::resources("the operating system refused memory that the budget has"));
            }
        }
        Ok(spilled)
    }
}

impl Transform for Probe {
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<()> {
        let plan = &self.shared.plan;
        let keys = plan.join.probe.keys.iter().map(|c| batch.data.columns().get(*c).cloned());
        let keys: Option<Vec<ArrayRef>> = keys.collect();
        let keys = keys.ok_or_else(|| Error::internal("a join's key is not in its input"))?;
        let mut hashes = self.prober.take_hashes();
        self.hasher.hash(&keys, batch.rows(), &mut hashes)?;
        let (batch, hashes) = if self.whole { (batch, hashes) } else { self.divert(batch, hashes, &keys, cx)? };
        if batch.rows() == 0 {
            return Ok(());
        }
        self.prober.start(Probed { batch, hashes, last: true, matched: None }, &self.tables)
    }

    fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        self.prober.pull(cx)
    }

    fn finish(mut self: Box<Self>, _cx: &Cx) -> Result<()> {
        let waiting = &mut self.waiting;
        for (open, part) in waiting.open.iter_mut().zip(&mut waiting.parts) {
            if let Some(open) = open.take() {
                part.push(open.close());
            }
        }
        self.shared.add(std::mem::take(&mut waiting.parts), waiting.writer.take(), |rest| &mut rest.probe);
        Ok(())
    }
}
