//! The first phase: a worker gathers rows; what does not fit becomes runs in scratch.
//!
//! Life of a row: key and columns are encoded with its batch; it is copied into the worker's pages; when a page is refused,
//! or memory is asked back, all of the worker's rows are sorted and written as one run.
//!
//! Memory: the floor is a page of rows, a page's worth of index, and the page in which blocks of a run are gathered, which
//! is held from the beginning. A row for which there is no memory though nothing else is held is a run of its own.

use super::keys::KeyEncoder;
use super::row;
use super::run::{Draft, MemoryRun, Run, RunWriter};
use super::{Shared, no_memory};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::memory::{Page, Reservation};
use crate::ops::rows::{EncodedRows, RowEncoder};
use crate::ops::{Cx, Flow, Sink, Starved};
use crate::store::SpillWriter;
use std::sync::Arc;

/// Bytes that a worker needs at least, with pages of `page` bytes.
pub(super) fn floor(page: usize) -> usize {
    4 * page
}

/// A worker's state of the first phase.
pub(super) struct Build {
    shared: Arc<Shared>,
    reservation: Arc<Reservation>,
    keys: KeyEncoder,
    encoder: RowEncoder,
    /// The columns of the batch that is being absorbed, from row `at` on.
    payload: EncodedRows,
    at: usize,
    run: MemoryRun,
    spare: Page,
    writer: Option<SpillWriter>,
    runs: Vec<Run>,
}

impl Build {
    pub(super) fn new(shared: Arc<Shared>, cx: &Cx) -> Result<Self> {
        let reservation = cx.memory.budget.require("sort", floor(cx.memory.pool.page_bytes()), true)?;
        Ok(Build {
            keys: KeyEncoder::new(&shared.keys, &shared.input)?,
            encoder: RowEncoder::new(&shared.layout)?,
            payload: EncodedRows::default(),
            at: 0,
            run: MemoryRun::new(&reservation),
            spare: cx.memory.page(&reservation).ok_or_else(no_memory)?,
            writer: None,
            runs: Vec::new(),
            reservation,
            shared,
        })
    }

    fn absorb(&mut self, cx: &Cx) -> Result<Flow> {
        while self.at < self.payload.len() {
            let (key, payload) = (self.keys.key(self.at), self.payload.row(self.at));
            let bytes = row::bytes(key.len(), payload.len());
            if bytes >= 1 << 31 {
                return Err(Error::resources("a row to be sorted has more than 2 GiB"));
            }
            let alone = self.run.rows() == 0;
            match self.run.room(bytes, &cx.memory) {
                Some(to) => row::write(to, key, self.keys.position(self.at), payload),
                None if alone => self.write_through(bytes, cx)?,
                None => return Ok(Flow::Starved(Starved { reservation: self.reservation.id(), bytes })),
            }
            self.at += 1;
        }
        Ok(Flow::Ready)
    }

    /// A row for which there is no memory is a run of its own.
    fn write_through(&mut self, bytes: usize, cx: &Cx) -> Result<()> {
        let mut row = vec![0; bytes];
        row::write(&mut row, self.keys.key(self.at), self.keys.position(self.at), self.payload.row(self.at));
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let mut out = RunWriter { page: &mut self.spare, writer, draft: &mut Draft::default() };
        out.push(&row)?;
        self.runs.push(Run::Scratch(out.finish(&self.shared.lists(cx)?)?));
        self.shared.meter.add_spilled(bytes);
        Ok(())
    }
}

impl Sink for Build {
    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        let columns = batch.data.columns().get(..self.shared.layout.types().len());
        let columns = columns.ok_or_else(|| Error::internal("a sort's input lacks columns"))?;
        self.keys.encode(&batch)?;
        self.encoder.encode(columns, batch.rows(), &mut self.payload)?;
        self.at = 0;
        self.resume(cx)
    }

    fn resume(&mut self, cx: &Cx) -> Result<Flow> {
        let flow = self.absorb(cx)?;
        self.shared.meter.see_memory(self.reservation.held());
        Ok(flow)
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(&self.reservation)
    }

    /// Writes all rows as a run: half a run would make twice as many.
    fn spill(&mut self, _bytes: usize, cx: &Cx) -> Result<usize> {
        if self.run.rows() == 0 {
            return Ok(0);
        }
        let given = self.run.held();
        let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
        let run = self.run.write(self.shared.limit, &mut self.spare, writer, &self.shared.lists(cx)?)?;
        self.shared.meter.add_spilled(run.bytes as usize);
        self.runs.push(Run::Scratch(run));
        self.run = MemoryRun::new(&self.reservation);
        Ok(given)
    }

    fn finish(mut self: Box<Self>, cx: &Cx) -> Result<()> {
        if let Some(mut writer) = self.writer.take() {
            writer.flush()?;
        }
        let holder = self.shared.holder(cx)?;
        let mut run = std::mem::replace(&mut self.run, MemoryRun::new(&self.reservation));
        if run.rows() > 0 {
            run.hand_over(&holder);
            self.runs.push(Run::Memory(run));
        }
        self.shared.add(std::mem::take(&mut self.runs));
        Ok(())
    }
}
