//! The rows of a pass between their coming and the last look at them.
//!
//! Rows have numbers, from 0 through all partitions. A few batches are open, as they came; more are encoded in pages, and
//! where a page is refused, in scratch. Whoever reads gets a whole batch back ([`Piece`]); a few that were decoded are
//! kept, since windows read at few places: ahead, at the row, behind.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::memory::{Page, Reservation};
use crate::ops::{Cancel, Cx};
use crate::store::{BlockRef, SpillWriter, compact_batch, decode_batch, encode_batch, read_batch};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::collections::VecDeque;
use std::sync::Arc;

/// Batches at the end of the tape that stay as they came.
pub(super) const OPEN: usize = 3;
/// Decoded batches that are kept.
pub(super) const CACHE: usize = 3;

/// A batch of the tape.
#[derive(Clone)]
pub(super) struct Piece {
    /// The number of its first row.
    pub(super) first: u64,
    pub(super) data: RecordBatch,
}

impl Piece {
    /// The number of the row after its last.
    pub(super) fn end(&self) -> u64 {
        self.first + self.data.num_rows() as u64
    }

    pub(super) fn has(&self, row: u64) -> bool {
        self.first <= row && row < self.end()
    }

    /// The place of a row inside.
    pub(super) fn index(&self, row: u64) -> usize {
        row.saturating_sub(self.first) as usize
    }

    /// A column of it.
    pub(super) fn column(&self, column: usize) -> Result<&arrow::array::ArrayRef> {
        let found = self.data.columns().get(column);
        found.ok_or_else(|| Error::internal(format!("a window has no column {column}")))
    }
}

struct Entry {
    first: u64,
    rows: usize,
    held: Held,
}

enum Held {
    Open(RecordBatch),
    /// Encoded: so many bytes of the page.
    Page(Page, usize),
    Scratch(BlockRef),
}

/// Batches in order.
pub(super) struct Tape {
    schema: SchemaRef,
    entries: VecDeque<Entry>,
    end: u64,
    /// Decoded ones, the one that was read last in front.
    read: VecDeque<Piece>,
    /// For pages; what it holds may be asked back.
    reservation: Arc<Reservation>,
    writer: Option<SpillWriter>,
    encoded: Vec<u8>,
    cancel: Cancel,
    meter: Arc<Meter>,
}

impl Tape {
    pub(super) fn new(schema: SchemaRef, meter: Arc<Meter>, cx: &Cx) -> Result<Self> {
        Ok(Tape {
            schema,
            entries: VecDeque::new(),
            end: 0,
            read: VecDeque::new(),
            reservation: cx.memory.budget.require("window", 0, true)?,
            writer: None,
            encoded: Vec::new(),
            cancel: cx.cancel.clone(),
            meter,
        })
    }

    /// The number that the next row to come will have.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn reservation(&self) -> &Arc<Reservation> {
        &self.reservation
    }

    /// Appends rows. The one that was open longest goes to a page.
    pub(super) fn push(&mut self, data: RecordBatch, cx: &Cx) -> Result<()> {
        let rows = data.num_rows();
        self.entries.push_back(Entry { first: self.end, rows, held: Held::Open(data) });
        self.end += rows as u64;
        if let Some(at) = self.entries.len().checked_sub(OPEN + 1) {
            self.close(at, cx)?;
        }
        Ok(())
    }

    /// Encodes the entry at `at`, unless it is already.
    fn close(&mut self, at: usize, cx: &Cx) -> Result<()> {
        let Some(entry) = self.entries.get_mut(at) else { return Ok(()) };
        let Held::Open(data) = &entry.held else { return Ok(()) };
        self.encoded.clear();
        encode_batch(&compact_batch(data)?, &mut self.encoded)?;
        let bytes = self.encoded.len();
        entry.held = match cx.memory.pool.region(bytes, &self.reservation) {
            Some(mut page) => {
                page[..bytes].copy_from_slice(&self.encoded);
                Held::Page(page, bytes)
            }
            None => {
                self.meter.add_spilled(bytes);
                Held::Scratch(self.writer.get_or_insert_with(|| cx.scratch.writer()).write(&self.encoded)?)
            }
        };
        self.meter.see_memory(self.reservation.held());
        Ok(())
    }

    /// The batch with a row.
    pub(super) fn piece(&mut self, row: u64) -> Result<Piece> {
        if let Some(at) = self.read.iter().position(|p| p.has(row)) {
            let piece = self.read.remove(at).ok_or_else(|| Error::internal("a piece is gone"))?;
            self.read.push_front(piece.clone());
            return Ok(piece);
        }
        self.cancel.check()?;
        let at = self.entries.partition_point(|e| e.first + e.rows as u64 <= row);
        let Some(entry) = self.entries.get(at).filter(|e| e.first <= row) else {
            return Err(Error::internal(format!("a window looks at row {row}, which is not on its tape")));
        };
        let data = match &entry.held {
            Held::Open(data) => return Ok(Piece { first: entry.first, data: data.clone() }),
            Held::Page(page, bytes) => {
                let bytes = page.get(..*bytes).unwrap_or_default();
                decode_batch(&Buffer::from(bytes), &self.schema)?
            }
            Held::Scratch(block) => read_batch(block, &self.schema)?,
        };
        let piece = Piece { first: entry.first, data };
        self.read.truncate(CACHE - 1);
        self.read.push_front(piece.clone());
        Ok(piece)
    }

    /// Forgets batches whose rows are all before `row`.
    pub(super) fn release(&mut self, row: u64) {
        while self.entries.front().is_some_and(|e| e.first + e.rows as u64 <= row) {
            self.entries.pop_front();
        }
        self.read.retain(|p| p.end() > row);
    }

    /// Writes pages to scratch, those that are read last first; returns the bytes given back.
    pub(super) fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for entry in self.entries.iter_mut().rev() {
            if given >= bytes {
                break;
            }
            if let Held::Page(page, used) = &entry.held {
                let (held, used) = (page.len(), *used);
                let writer = self.writer.get_or_insert_with(|| cx.scratch.writer());
                let block = writer.write(page.get(..used).unwrap_or_default())?;
                self.meter.add_spilled(used);
                entry.held = Held::Scratch(block);
                given += held;
            }
        }
        Ok(given)
    }
}

/// A place that only goes forward, with the batch that it is in.
#[derive(Default)]
pub(super) struct Cursor {
    piece: Option<Piece>,
}

impl Cursor {
    /// The batch with `row`.
    pub(super) fn at(&mut self, row: u64, tape: &mut Tape) -> Result<&Piece> {
        match &mut self.piece {
            Some(piece) if piece.has(row) => {}
            place => *place = Some(tape.piece(row)?),
        }
        self.piece.as_ref().ok_or_else(|| Error::internal("a cursor without a batch"))
    }

    /// Lets go of the batch.
    pub(super) fn rest(&mut self) {
        self.piece = None;
    }
}
