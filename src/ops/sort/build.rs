//! The first phase: a worker gathers rows; what does not fit becomes runs in scratch.
//!
//! Life of a row: its key is encoded with its batch's; where only the first rows are wanted, and it is known that it comes
//! after enough others, that was all. Its columns are encoded, and it is copied into the worker's pages. When a page is
//! refused, or memory is asked back, all of the worker's rows are sorted and written as one run. Where only the first rows
//! are wanted, the others are dropped when twice as many have come, or when that is enough to go on.
//!
//! Memory: the floor is a few pages of rows with their index, and the page in which blocks of a run are gathered, which is
//! held from the beginning; a batch's rows on their way into pages are announced as in flight. A worker that holds no more
//! than its floor cannot be asked by others: when a page is refused a second time it writes its rows by itself. A row for
//! which there is no memory though nothing else is held is a run of its own.

use super::keys::KeyEncoder;
use super::lease::{Lent, writes};
use super::row;
use super::run::{Draft, MemoryRun, Run, RunWriter};
use super::{Shared, no_memory};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::memory::{InFlight, Page, Reservation};
use crate::ops::rows::{EncodedRows, RowEncoder};
use crate::ops::{Cx, Flow, Sink, Starved};
use crate::store::StreamWriter;
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use std::sync::Arc;

/// A worker's state of the first phase.
pub(super) struct Build {
    shared: Arc<Shared>,
    keys: KeyEncoder,
    encoder: RowEncoder,
    /// The columns of those rows of the batch that are wanted, from row `at` on.
    payload: EncodedRows,
    /// Which rows of the batch these are; all, if `None`.
    wanted: Option<Vec<u32>>,
    at: usize,
    run: MemoryRun,
    spare: Page,
    writer: StreamWriter,
    /// Whether the last growth was refused.
    refused: bool,
    lent: Lent,
    _rows: InFlight,
}

impl Build {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let budget = &cx.memory.budget;
        let reservation = budget.require("sort", shared.share.floor, true)?;
        let _rows = budget.in_flight("a sort's rows", ROWS * cx.tuning.batch_bytes)?;
        let _writes = budget.in_flight("a sort's writes", writes(cx))?;
        Ok(Build {
            keys: KeyEncoder::new(&shared.keys, &shared.input)?,
            encoder: RowEncoder::new(&shared.layout)?,
            payload: EncodedRows::default(),
            wanted: None,
            at: 0,
            run: MemoryRun::new(&reservation),
            spare: cx.memory.page(&reservation).ok_or_else(no_memory)?,
            writer: cx.scratch.streams(),
            refused: false,
            lent: Lent { reservation, _writes },
            _rows,
            shared,
        })
    }

    fn reservation(&self) -> &Arc<Reservation> {
        &self.lent.reservation
    }

    /// Which rows of the batch may be among those that are wanted; `None` where all are.
    fn sift(&self, rows: usize) -> Option<Vec<u32>> {
        let bar = self.shared.cutoff()?.bar()?;
        let wanted: Vec<u32> = (0..rows as u32).filter(|row| self.keys.is_before(*row as usize, &bar)).collect();
        (wanted.len() < rows).then_some(wanted)
    }

    fn absorb(&mut self, cx: &Cx) -> Result<Flow> {
        while self.at < self.payload.len() {
            let row = self.wanted.as_ref().map_or(self.at, |rows| rows.get(self.at).map_or(0, |row| *row as usize));
            let (key, place, payload) = (self.keys.key(row), self.keys.position(row), self.payload.row(self.at));
            let bytes = row::bytes(key.len() + place.bytes().len(), payload.len());
            if bytes >= 1 << 31 {
                return Err(Error::resources("a row to be sorted has more than 2 GiB"));
            }
            let alone = self.run.rows() == 0;
            if let Some(to) = self.run.room(bytes, &cx.memory) {
                row::write(to, key, place.bytes(), payload);
                self.at += 1;
            } else if alone {
                self.write_through(row, bytes, cx)?;
                self.at += 1;
            } else if self.drop_some(cx)? {
                continue;
            } else if self.refused && self.reservation().held() <= self.reservation().floor() {
                self.spill(0, cx)?;
            } else {
                self.refused = true;
                let bytes = bytes.max(cx.memory.pool.page_bytes());
                return Ok(Flow::Starved(Starved { reservation: self.reservation().id(), bytes }));
            }
        }
        self.refused = false;
        Ok(Flow::Ready)
    }

    /// A row for which there is no memory is a run of its own.
    fn write_through(&mut self, row: usize, bytes: usize, cx: &Cx) -> Result<()> {
        let mut whole = vec![0; bytes];
        let place = self.keys.position(row);
        row::write(&mut whole, self.keys.key(row), place.bytes(), self.payload.row(self.at));
        let mut out = RunWriter { page: &mut self.spare, writer: &mut self.writer, draft: &mut Draft::default() };
        out.push(&whole)?;
        self.shared.add(Run::Scratch(out.finish(&self.shared.lists(cx)?)?));
        self.shared.meter.add_spilled(bytes);
        Ok(())
    }

    /// Drops rows that are not wanted, where they are a good part; says whether it did.
    fn drop_some(&mut self, cx: &Cx) -> Result<bool> {
        let limit = self.shared.limit;
        if self.run.rows() <= limit.saturating_add(limit / 4) {
            return Ok(false);
        }
        let Some(bar) = self.run.keep(limit, &cx.cancel)? else { return Ok(false) };
        self.shared.cutoff().into_iter().for_each(|mut cutoff| cutoff.at_most(&bar));
        Ok(true)
    }
}

/// Batches' worth of rows on their way: encoded keys and columns.
pub(super) const ROWS: usize = 2;

impl Sink for Build {
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        let columns = batch.data.columns().get(..self.shared.layout.types().len());
        let columns = columns.ok_or_else(|| Error::internal("a sort's input lacks columns"))?;
        self.keys.encode(&batch)?;
        self.wanted = self.sift(batch.rows());
        match &self.wanted {
            Some(rows) => {
                let indices = UInt32Array::from(rows.clone());
                let wanted = columns.iter().map(|column| take(column, &indices, None));
                let wanted = wanted.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
                self.encoder.encode(&wanted, rows.len(), &mut self.payload)?;
            }
            None => self.encoder.encode(columns, batch.rows(), &mut self.payload)?,
        }
        self.at = 0;
        self.resume(cx)
    }

    fn resume(&mut self, cx: &Cx) -> Result<Flow> {
        let flow = self.absorb(cx)?;
        self.shared.meter.see_memory(self.reservation().held());
        if self.run.rows() >= self.shared.limit.saturating_mul(2).max(cx.tuning.batch_rows) {
            self.drop_some(cx)?;
        }
        Ok(flow)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.lent.reservation)
    }

    /// Writes all rows as a run: half a run would make twice as many.
    fn spill(&mut self, _bytes: usize, cx: &Cx) -> Result<usize> {
        let held = self.run.held();
        if self.run.rows() == 0 || self.drop_some(cx)? && self.run.held() < held {
            return Ok(held - self.run.held());
        }
        let lists = self.shared.lists(cx)?;
        let run = self.shared.write(&mut self.run, &mut self.spare, &mut self.writer, &lists, &cx.cancel)?;
        self.shared.add(run);
        self.run = MemoryRun::new(&self.lent.reservation);
        self.refused = false;
        Ok(held)
    }

    /// Leaves the rows in memory, if the floor of merging is free beside them, and the floor.
    fn finish(mut self: Box<Self>, cx: &Cx) -> Result<()> {
        self.drop_some(cx)?;
        let held = self.run.held().min(self.reservation().floor());
        if self.run.rows() > 0 && cx.memory.budget.free() < held {
            self.spill(0, cx)?;
        }
        let holder = self.shared.holder(cx)?;
        let Build { shared, mut run, lent, writer, spare, .. } = *self;
        if run.rows() > 0 {
            run.hand_over(&holder);
            shared.add(Run::Memory(run));
        }
        drop(spare);
        lent.reservation.hold_fast();
        shared.give_writer(writer);
        shared.lock().lent.push(lent);
        Ok(())
    }
}
