//! The pass itself: sorted rows in, rows with windows out, a batch at a time. See the module's head.

use super::aggregate;
use super::frame::{Framer, Frames};
use super::general::General;
use super::keys::Marker;
use super::levels::{Levels, Rows};
use super::rank::Ranks;
use super::tape::{Piece, Tape};
use super::value::Values;
use super::{Edge, Exclude, Frame, Function, Need, Shared};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::ops::{Cx, Pull, Source};
use arrow::array::ArrayRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a window is evaluated for: the rows of a batch, with their frames (none, where the function sees no frame).
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) rows: &'a Rows,
    pub(super) frames: &'a Frames,
}

/// One window function, going forward over the tape.
pub(super) trait Evaluator: Send {
    /// A value for each row.
    fn evaluate(&mut self, at: At<'_>, tape: &mut Tape) -> Result<ArrayRef>;

    /// The first row that it will look at when the rows from `next` on are evaluated.
    fn keeps(&self, next: u64) -> u64;

    /// How far ahead it must see, besides its frame.
    fn need(&self) -> Need;

    /// Whether it sees a frame.
    fn sees_frames(&self) -> bool {
        false
    }

    /// Whether it may look at any row of the partition.
    fn keeps_partition(&self) -> bool {
        false
    }

    /// Rows have come that will be in the frame of the row put out next, if frames end with the partition: from `start` to
    /// `end`. An aggregate adds them now, while they are at hand.
    fn arrive(&mut self, _start: u64, _end: u64, _tape: &mut Tape) -> Result<()> {
        Ok(())
    }

    /// Takes part in the budget.
    fn reserve(&mut self, _cx: &Cx) -> Result<()> {
        Ok(())
    }
}

impl Shared {
    /// New evaluators, one a window.
    pub(super) fn evaluators(&self) -> Result<Vec<Box<dyn Evaluator>>> {
        (0..self.spec.windows.len()).map(|i| self.evaluator(i)).collect()
    }

    fn evaluator(&self, index: usize) -> Result<Box<dyn Evaluator>> {
        let window = self.spec.windows.get(index).ok_or_else(|| Error::internal("no such window"))?;
        let output = self.output_type(index)?;
        if let Some(ranks) = Ranks::of(self, window, output) {
            return Ok(Box::new(ranks));
        }
        if let Some(values) = Values::of(self, window, output)? {
            return Ok(Box::new(values));
        }
        match &window.function {
            Function::Aggregate { kind, arguments, filter } => {
                let types = arguments.iter().map(|c| self.data_type(*c).cloned()).collect::<Result<Vec<_>>>()?;
                aggregate::evaluator(*kind, &types, arguments, *filter, window, output)
            }
            Function::General { aggregate, arguments, filter } => {
                Ok(Box::new(General::new(aggregate, arguments, *filter, window, output)))
            }
            other => Err(Error::internal(format!("nobody evaluates {other:?}"))),
        }
    }
}

/// A window with what it needs.
struct Running {
    evaluator: Box<dyn Evaluator>,
    /// Its place among the framers.
    framer: Option<usize>,
    need: Need,
    partition: usize,
    peers: usize,
    /// Whether all rows to the partition's end are in all its frames.
    to_the_end: bool,
}

/// The source of one pass.
pub(super) struct Windows {
    shared: Arc<Shared>,
    sorted: Box<dyn Source>,
    /// Whether all sorted rows have come.
    ended: bool,
    marker: Marker,
    levels: Levels,
    tape: Tape,
    framers: Vec<Framer>,
    windows: Vec<Running>,
    /// Of batches that are not put out yet, the number of their first rows.
    waiting: VecDeque<u64>,
}

impl Windows {
    pub(super) fn new(shared: Arc<Shared>, sorted: Box<dyn Source>, cx: &Cx) -> Result<Self> {
        let mut framers: Vec<Framer> = Vec::new();
        let mut kinds: Vec<(Frame, usize, usize)> = Vec::new();
        let mut windows = Vec::with_capacity(shared.spec.windows.len());
        for (window, mut evaluator) in shared.spec.windows.iter().zip(shared.evaluators()?) {
            evaluator.reserve(cx)?;
            let (partition, peers) = (shared.level(window.partition), shared.level(window.peers));
            let mut need = evaluator.need();
            let mut framer = None;
            if evaluator.sees_frames() {
                let kind = (window.frame, partition, peers);
                let at = kinds.iter().position(|k| *k == kind);
                let at =
                    at.map_or_else(|| Framer::new(&shared, window).map(|f| framers.push(f)).map(|()| kinds.len()), Ok)?;
                if at == kinds.len() {
                    kinds.push(kind);
                }
                need = need.max(framers.get(at).map_or(Need::Nothing, Framer::need));
                framer = Some(at);
            }
            let to_the_end =
                framer.is_some() && window.frame.end == Edge::Unbounded && window.frame.exclude == Exclude::Nothing;
            windows.push(Running { evaluator, framer, need, partition, peers, to_the_end });
        }
        Ok(Windows {
            marker: Marker::new(&shared)?,
            levels: Levels::new(&shared),
            tape: Tape::new(shared.tape.clone(), shared.meter.clone(), cx)?,
            ended: false,
            waiting: VecDeque::new(),
            framers,
            windows,
            sorted,
            shared,
        })
    }

    /// Whether all is there that the batch needs.
    fn is_ready(&self, piece: &Piece) -> bool {
        let (end, tape) = (piece.end(), self.tape.end());
        self.ended
            || self.windows.iter().all(|w| match w.need {
                Need::Nothing => true,
                Need::Rows(n) => end.saturating_add(n) <= tape || self.levels.begins_from(w.partition, end),
                Need::Peers => self.levels.begins_from(w.peers, end),
                Need::Partition => self.levels.begins_from(w.partition, end),
            })
    }

    fn take(&mut self, batch: &RecordBatch, cx: &Cx) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let piece = Piece { first: self.tape.end(), data: self.marker.complete(batch)? };
        self.levels.see(&piece)?;
        self.waiting.push_back(piece.first);
        self.tape.push(piece.data, cx)
    }

    /// Shows new rows to those who want all of the partition.
    fn show(&mut self, next: &Piece) -> Result<()> {
        let end = self.tape.end();
        for window in self.windows.iter_mut().filter(|w| w.to_the_end) {
            let (start, end) = self.levels.current(window.partition, next, end)?;
            window.evaluator.arrive(start, end, &mut self.tape)?;
        }
        Ok(())
    }

    fn put_out(&mut self, piece: Piece) -> Result<Batch> {
        self.waiting.pop_front();
        let (first, next) = (piece.first, piece.end());
        let rows = self.levels.place(piece, self.tape.end())?;
        let mut frames = Vec::with_capacity(self.framers.len());
        for framer in &mut self.framers {
            frames.push(framer.place(&rows, &mut self.tape)?);
        }
        let none = Frames::default();
        let mut columns = rows.piece.data.columns().get(..self.shared.spec.columns).unwrap_or_default().to_vec();
        for window in &mut self.windows {
            let frames = window.framer.and_then(|f| frames.get(f)).unwrap_or(&none);
            columns.push(window.evaluator.evaluate(At { rows: &rows, frames }, &mut self.tape)?);
        }
        self.release(&rows, next)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let data = RecordBatch::try_new_with_options(self.shared.spec.output.clone(), columns, &options)?;
        Ok(Batch::new(data, Position { split: 0, row: first }))
    }

    /// Lets go of what nobody will look at again.
    fn release(&mut self, rows: &Rows, next: u64) -> Result<()> {
        let mut keep = self.framers.iter().map(|f| f.keeps(next)).min().unwrap_or(next).min(next);
        for window in &self.windows {
            let kept = match window.evaluator.keeps_partition() {
                true => rows.level(window.partition)?.starts.last().copied().unwrap_or(next),
                false => window.evaluator.keeps(next),
            };
            keep = keep.min(kept);
        }
        self.tape.release(keep);
        Ok(())
    }
}

impl Source for Windows {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        cx.cancel.check()?;
        let mut next = None;
        if let Some(first) = self.waiting.front().copied() {
            let piece = self.tape.piece(first)?;
            if self.is_ready(&piece) {
                return Ok(Pull::Batch(self.put_out(piece)?));
            }
            next = Some(piece);
        } else if self.ended {
            return Ok(Pull::End);
        }
        match self.sorted.next(cx)? {
            Pull::Batch(batch) => {
                self.take(&batch.data, cx)?;
                if let Some(next) = next {
                    self.show(&next)?;
                }
                Ok(Pull::Empty)
            }
            Pull::End => {
                self.ended = true;
                Ok(Pull::Empty)
            }
            other => Ok(other),
        }
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        Some(self.tape.reservation())
    }

    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.tape.spill(bytes, cx)
    }
}
