//! The last phase: one range of the order, of all runs, becomes batches.
//!
//! Rows are copied out of the blocks that they come in, so that a block is free when its last row is out; a batch's worth
//! of them is decoded at one time.

use super::cursor::{Merged, Range};
use super::lease::Lease;
use super::{Shared, row};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::{Page, Reservation};
use crate::ops::rows::{RowDecoder, row_bytes};
use crate::ops::{Cx, Pull, Source, Starved};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// The source of one task.
pub(super) struct Merge {
    shared: Arc<Shared>,
    index: usize,
    /// In whose name memory is asked for, before there is a reservation with a floor.
    asking: Arc<Reservation>,
    /// `None` before the first row is wanted.
    rows: Option<Merged>,
    /// Rows that are put out next, one after the other.
    out: Option<Page>,
    /// What these hold; it goes back after they are gone.
    lease: Option<Lease>,
    decoder: RowDecoder,
    put: usize,
}

impl Merge {
    pub(super) fn new(shared: Arc<Shared>, index: usize, cx: &Cx) -> Result<Self> {
        Ok(Merge {
            asking: shared.lists(cx)?,
            decoder: RowDecoder::new(&shared.layout)?,
            rows: None,
            lease: None,
            out: None,
            put: 0,
            index,
            shared,
        })
    }

    /// Opens the runs, or says what that lacks.
    fn begin(&mut self, cx: &Cx) -> Result<Option<Starved>> {
        let (runs, largest) = self.shared.count();
        let floor = self.shared.share.merge_floor(runs, largest);
        let Some(lease) = Lease::take(&self.shared, floor, cx)? else {
            return Ok(Some(Starved { reservation: self.asking.id(), bytes: floor }));
        };
        let (runs, ranges) = self.shared.open(cx.tuning.batch_rows);
        let (runs, range) = match ranges.get(self.index) {
            Some(range) => (runs, *range),
            None => (Vec::new(), Range::ALL),
        };
        let reservation = &lease.reservation;
        self.out = cx.memory.pool.region(self.shared.share.batch + largest, reservation);
        self.rows = Some(Merged::over(&runs, range, &cx.memory, reservation)?);
        self.shared.meter.see_memory(reservation.held());
        self.lease = Some(lease);
        Ok(None)
    }

    /// Copies a batch's worth of rows; how many, and their bytes.
    fn gather(&mut self, cx: &Cx) -> Result<(usize, usize)> {
        let (Some(merged), Some(out)) = (&mut self.rows, &mut self.out) else { return Ok((0, 0)) };
        let most = cx.tuning.batch_rows.max(1).min(self.shared.limit.saturating_sub(self.put));
        let (mut rows, mut used) = (0, 0);
        while rows < most
            && let Some(row) = merged.row()
        {
            let payload = row::payload(row);
            if rows > 0 && used + payload.len() > self.shared.share.batch {
                break;
            }
            let to = out.get_mut(used..used + payload.len());
            to.ok_or_else(|| Error::internal("a row of a sort is larger than its block"))?.copy_from_slice(payload);
            used += payload.len();
            merged.advance()?;
            rows += 1;
        }
        Ok((rows, used))
    }

    fn batch(&self, count: usize, used: usize) -> Result<RecordBatch> {
        let mut rows: Vec<&[u8]> = Vec::with_capacity(count);
        let mut rest = self.out.as_ref().and_then(|out| out.get(..used)).unwrap_or_default();
        while let Some((row, behind)) = rest.split_at_checked(row_bytes(rest).max(1)) {
            rows.push(row);
            rest = behind;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.shared.output.clone(), self.decoder.decode(&rows)?, &options)?)
    }
}

impl Source for Merge {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        cx.cancel.check()?;
        if self.rows.is_none()
            && let Some(starved) = self.begin(cx)?
        {
            return Ok(Pull::Starved(starved));
        }
        let (rows, used) = self.gather(cx)?;
        if rows == 0 {
            return Ok(Pull::End);
        }
        let position = Position { split: 0, row: self.put as u64 };
        self.put += rows;
        Ok(Pull::Batch(Batch::new(self.batch(rows, used)?, position)))
    }
}
