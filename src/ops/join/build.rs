//! The end of the build side's pipeline: rows into pages, by radix partition.
//!
//! A worker begins with one partition and divides its rows when they are more than a few MiB, so that a small build side
//! takes a few pages; at the end either all workers have divided or none.
//!
//! Memory: the floor is an open page a partition and the rows kept before the division. All else can be given back, from
//! the partition with the highest number down. Workers share the number from which partitions are in scratch, so that
//! those below stay whole. A row larger than a page has a region of its own, or goes to scratch at once.

use super::Shared;
use super::pages::Open;
use super::plan::{Plan, word};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::ops::hash::{KeyHasher, radix};
use crate::ops::rows::{Chunk, EncodedRows, RowEncoder, RowPages, Rows};
use crate::ops::{Cx, Flow, Sink, Starved};
use crate::store::SpillWriter;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes that a worker holds at least.
pub(super) fn floor(plan: &Plan, page_bytes: usize) -> usize {
    ((1 << plan.join.bits) + undivided_pages(plan) + 2) * page_bytes
}

/// Pages that are filled before rows are divided.
fn undivided_pages(plan: &Plan) -> usize {
    ((1 << plan.join.bits) / 4).max(1)
}

/// A worker's rows of the build side.
pub(super) struct Build {
    shared: Arc<Shared>,
    reservation: Arc<Reservation>,
    encoder: RowEncoder,
    hasher: KeyHasher,
    /// The batch that is being taken, from row `at` on.
    rows: EncodedRows,
    hashes: Vec<u64>,
    at: usize,
    /// log2 of the number of partitions: 0 until rows are divided.
    bits: u32,
    open: Vec<Option<Open>>,
    sealed: Vec<RowPages>,
    writer: Option<SpillWriter>,
    null_key: bool,
}

impl Build {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let plan = &shared.plan;
        let floor = floor(plan, cx.memory.pool.page_bytes());
        Ok(Build {
            reservation: cx.memory.budget.require("join build", floor, true)?,
            encoder: RowEncoder::new(&plan.build.layout)?,
            hasher: KeyHasher::new(plan.key_types(), &cx.tuning)?,
            rows: EncodedRows::default(),
            hashes: Vec::new(),
            at: 0,
            bits: 0,
            open: (0..1).map(|_| None).collect(),
            sealed: (0..1).map(|_| RowPages::default()).collect(),
            writer: None,
            null_key: false,
            shared,
        })
    }

    fn absorb(&mut self, cx: &Cx) -> Result<Flow> {
        let shared = self.shared.clone();
        let plan = &shared.plan;
        let (prefix, drops, nulls) = (plan.build.prefix(), plan.drops_nulls(), !plan.join.null_equals_null);
        while self.at < self.rows.len() {
            let row = self.rows.row(self.at);
            let null = nulls && plan.build.has_null_key(row);
            self.null_key |= null;
            if null && drops {
                self.at += 1;
                continue;
            }
            let hash = self.hashes[self.at];
            let partition = radix(hash, 0, self.bits);
            if self.open[partition].as_mut().is_some_and(|open| open.append(row, prefix, hash)) {
                self.at += 1;
                continue;
            }
            let length = row.len();
            if self.bits == 0 && plan.join.bits > 0 && self.is_large(length, cx) {
                self.divide(cx)?;
            } else if length > cx.memory.pool.page_bytes() {
                self.large(partition, cx)?;
            } else if let Some(flow) = self.new_page(partition, cx)? {
                return Ok(flow);
            }
        }
        Ok(Flow::Ready)
    }

    /// Whether the rows so far and one of `length` bytes are more than one partition should have.
    fn is_large(&self, length: usize, cx: &Cx) -> bool {
        let page = cx.memory.pool.page_bytes();
        let most = (cx.tuning.broadcast_bytes / cx.threads.max(1)).min(undivided_pages(&self.shared.plan) * page);
        self.sealed[0].held() + page.max(length) + self.open[0].as_ref().map_or(0, |_| page) > most.max(page)
    }

    /// Divides the rows so far into partitions. The floor has room for it.
    fn divide(&mut self, cx: &Cx) -> Result<()> {
        let plan_bits = self.shared.plan.join.bits;
        self.shared.divided.store(true, Relaxed);
        self.bits = plan_bits;
        let mut old = std::mem::take(&mut self.sealed).into_iter().flat_map(RowPages::into_chunks).collect::<Vec<_>>();
        old.extend(std::mem::take(&mut self.open).into_iter().flatten().map(Open::close));
        self.open.resize_with(1 << plan_bits, || None);
        self.sealed.resize_with(1 << plan_bits, RowPages::default);
        let mut buffer = Vec::new();
        for chunk in old {
            self.scatter(chunk, &mut buffer, cx)?;
        }
        Ok(())
    }

    fn scatter(&mut self, chunk: Chunk, buffer: &mut Vec<u8>, cx: &Cx) -> Result<()> {
        let shared = self.shared.clone();
        let prefix = shared.plan.build.prefix();
        let partition = |row: &[u8]| radix(word(row, prefix), 0, shared.plan.join.bits);
        let bytes = match &chunk {
            Chunk::Resident(page, used, _) => &page[..*used],
            Chunk::Spilled(block, _) => {
                buffer.resize(block.len(), 0);
                block.read(buffer)?;
                &buffer[..]
            }
        };
        if bytes.len() > cx.memory.pool.page_bytes() {
            let to = partition(bytes);
            self.sealed[to].push(chunk);
            return Ok(());
        }
        for (_, row) in Rows::new(bytes, 0) {
            let to = partition(row);
            while !self.open[to].as_mut().is_some_and(|open| open.append(row, prefix, word(row, prefix))) {
                if self.new_page(to, cx)?.is_some() {
                    return Err(Error::internal("a floor that does not suffice to divide rows"));
                }
            }
        }
        Ok(())
    }

    /// Gives the partition an empty open page.
    fn new_page(&mut self, partition: usize, cx: &Cx) -> Result<Option<Flow>> {
        if let Some(open) = &mut self.open[partition]
            && partition >= self.shared.spilled_from.load(Relaxed)
        {
            let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
            self.shared.meter.add_spilled(open.used);
            self.sealed[partition].push(open.write(writer)?);
            return Ok(None);
        }
        // A full page is open no longer, so that it can be spilled to make room for the next one.
        if let Some(full) = self.open[partition].take() {
            self.sealed[partition].push(full.close());
        }
        let Some(page) = cx.memory.page(&self.reservation) else {
            let bytes = cx.memory.pool.page_bytes();
            return Ok(Some(Flow::Starved(Starved { reservation: self.reservation.id(), bytes })));
        };
        self.open[partition] = Some(Open::new(page));
        Ok(None)
    }

    /// The row at `at` is larger than a page.
    fn large(&mut self, partition: usize, cx: &Cx) -> Result<()> {
        let (row, prefix) = (self.rows.row(self.at), self.shared.plan.build.prefix());
        let hash = self.hashes[self.at].to_le_bytes();
        let fits = partition < self.shared.spilled_from.load(Relaxed);
        let region = if fits { cx.memory.pool.region(row.len(), &self.reservation) } else { None };
        let chunk = match region {
            Some(mut region) => {
                region[..row.len()].copy_from_slice(row);
                region[prefix..prefix + 8].copy_from_slice(&hash);
                Chunk::Resident(region, row.len(), 1)
            }
            None => {
                let mut row = row.to_vec();
                row[prefix..prefix + 8].copy_from_slice(&hash);
                self.shared.meter.add_spilled(row.len());
                Chunk::Spilled(self.writer.get_or_insert_with(|| cx.scratch.writer()).write(&row)?, 1)
            }
        };
        self.sealed[partition].push(chunk);
        self.at += 1;
        Ok(())
    }

    /// Writes out full pages of partitions that are in scratch, and then puts further partitions there.
    fn spill_sealed(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let mut given = 0;
        for partition in (0..self.sealed.len()).rev() {
            if given >= bytes {
                break;
            }
            if self.sealed[partition].held() > 0 {
                self.shared.spilled_from.fetch_min(partition, Relaxed);
                given += self.sealed[partition].spill(usize::MAX, writer, &cx.cancel)?;
            }
        }
        self.shared.meter.add_spilled(given);
        Ok(given)
    }
}

impl Sink for Build {
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        let plan = &self.shared.plan;
        let columns = plan.build.columns_of(&batch.data)?;
        self.encoder.encode(&columns, batch.rows(), &mut self.rows)?;
        self.hasher.hash(&columns[..plan.join.build.keys.len()], batch.rows(), &mut self.hashes)?;
        self.at = 0;
        self.resume(cx)
    }

    fn resume(&mut self, cx: &Cx) -> Result<Flow> {
        let flow = self.absorb(cx)?;
        if flow == Flow::Ready {
            self.shared.meter.see_memory(self.reservation.held());
        }
        Ok(flow)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.reservation)
    }

    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        if self.bits == 0 && self.shared.plan.join.bits > 0 {
            return Ok(0); // All of it is in the floor.
        }
        self.spill_sealed(bytes, cx)
    }

    fn finish(mut self: Box<Self>, cx: &Cx) -> Result<()> {
        if self.bits == 0 && self.shared.divided.load(Relaxed) {
            self.divide(cx)?;
        }
        for (open, sealed) in self.open.iter_mut().zip(&mut self.sealed) {
            if let Some(open) = open.take() {
                sealed.push(open.close());
            }
        }
        if self.null_key {
            self.shared.null_key.store(true, Relaxed);
        }
        self.shared.add(std::mem::take(&mut self.sealed), self.writer.take(), |rest| &mut rest.build);
        Ok(())
    }
}
