//! Any other aggregate: DataFusion's accumulators.
//!
//! A frame that begins with the partition keeps its accumulator and only adds rows; what it holds is charged. Any other frame
//! is computed anew from the tape, unless it is the one of the row before: slow, but right for every aggregate.

use super::feed::counting;
use super::frame::Parts;
use super::source::{At, Evaluator};
use super::tape::Tape;
use super::{Edge, Exclude, Need, Window};
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::ops::Cx;
use crate::ops::expr::from_datafusion;
use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::Accumulator;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use std::sync::Arc;

/// An aggregate over the frames of a window.
pub(super) struct General {
    aggregate: Arc<AggregateFunctionExpr>,
    arguments: Vec<usize>,
    filter: Option<usize>,
    /// Whether frames begin with the partition, and have no hole.
    running: bool,
    output: DataType,
    state: Option<Box<dyn Accumulator>>,
    /// The rows that the state is of.
    done: Parts,
    /// The value of these rows.
    value: Option<ScalarValue>,
    /// For what the accumulator holds.
    reservation: Option<Arc<Reservation>>,
    charged: usize,
}

impl General {
    pub(super) fn new(
        aggregate: &Arc<AggregateFunctionExpr>,
        arguments: &[usize],
        filter: Option<usize>,
        window: &Window,
        output: &DataType,
    ) -> Self {
        General {
            aggregate: aggregate.clone(),
            arguments: arguments.to_vec(),
            filter,
            running: window.frame.start == Edge::Unbounded && window.frame.exclude == Exclude::Nothing,
            output: output.clone(),
            state: None,
            done: Parts { left: (0, 0), here: None, right: (0, 0) },
            value: None,
            reservation: None,
            charged: 0,
        }
    }

    /// The value of a frame.
    fn value(&mut self, parts: Parts, tape: &mut Tape) -> Result<ScalarValue> {
        if parts != self.done || self.state.is_none() {
            self.compute(parts, tape)?;
        }
        if let Some(value) = &self.value {
            return Ok(value.clone());
        }
        let state = self.state.as_mut().ok_or_else(|| Error::internal("an aggregate without its state"))?;
        let value = state.evaluate().map_err(from_datafusion)?;
        Ok(self.value.insert(value).clone())
    }

    /// Makes the state that of the rows of a frame.
    fn compute(&mut self, parts: Parts, tape: &mut Tape) -> Result<()> {
        let whole = |p: &Parts| p.here.is_none() && p.right.0 == p.right.1;
        let begun = self.done.left.0 == parts.left.0 && self.done.left.1 <= parts.left.1;
        let goes_on = self.running && self.state.is_some() && begun && whole(&self.done) && whole(&parts);
        let from = if goes_on { self.done.left.1 } else { parts.left.0 };
        if !goes_on {
            self.state = Some(self.aggregate.create_accumulator().map_err(from_datafusion)?);
        }
        self.value = None;
        self.add(from, parts.left.1, tape)?;
        if let Some(row) = parts.here {
            self.add(row, row + 1, tape)?;
        }
        self.add(parts.right.0, parts.right.1, tape)?;
        self.done = parts;
        self.charge()
    }

    /// Adds the rows from `at` to `end`.
    fn add(&mut self, mut at: u64, end: u64, tape: &mut Tape) -> Result<()> {
        while at < end {
            let piece = tape.piece(at)?;
            let to = piece.end().min(end);
            let (from, rows) = (piece.index(at), (to - at) as usize);
            let slice = |c: &usize| Ok(piece.column(*c)?.slice(from, rows));
            let mut columns = self.arguments.iter().map(slice).collect::<Result<Vec<ArrayRef>>>()?;
            if let Some(mask) = self.filter {
                let mask = piece.column(mask)?.slice(from, rows);
                if let Some(mask) = counting(&[], Some(&mask))? {
                    let mask = BooleanArray::new(mask, None);
                    columns = columns.iter().map(|c| Ok(filter(c, &mask)?)).collect::<Result<_>>()?;
                }
            }
            let state = self.state.as_mut().ok_or_else(|| Error::internal("an aggregate without its state"))?;
            state.update_batch(&columns).map_err(from_datafusion)?;
            at = to;
        }
        Ok(())
    }

    /// Accounts for what the state holds.
    fn charge(&mut self) -> Result<()> {
        let Some(reservation) = &self.reservation else { return Ok(()) };
        let held = self.state.as_ref().map_or(0, |s| s.size());
        if held > self.charged && !reservation.try_grow(held - self.charged) {
            let name = self.aggregate.name();
            return Err(Error::resources(format!("{name} over a window holds more values than the memory budget has"))
                .advise("raise --memory"));
        }
        reservation.shrink(self.charged.saturating_sub(held));
        self.charged = held;
        Ok(())
    }
}

impl Evaluator for General {
    fn sees_frames(&self) -> bool {
        true
    }

    fn need(&self) -> Need {
        Need::Nothing
    }

    fn reserve(&mut self, cx: &Cx) -> Result<()> {
        // A few values are never too many.
        self.reservation = Some(cx.memory.budget.require("window: values", cx.memory.pool.page_bytes(), false)?);
        Ok(())
    }

    fn arrive(&mut self, start: u64, end: u64, tape: &mut Tape) -> Result<()> {
        match self.running {
            true => self.compute(Parts { left: (start, end), here: None, right: (end, end) }, tape),
            false => Ok(()),
        }
    }

    fn evaluate(&mut self, at: At<'_>, tape: &mut Tape) -> Result<ArrayRef> {
        let mut values = Vec::with_capacity(at.rows.len());
        for parts in at.frames.parts() {
            values.push(self.value(parts, tape)?);
        }
        if values.is_empty() {
            return Ok(new_null_array(&self.output, 0));
        }
        let values = ScalarValue::iter_to_array(values).map_err(from_datafusion)?;
        if values.data_type() == &self.output {
            Ok(values)
        } else {
            super::aggregate::exact_cast(&values, &self.output)
        }
    }

    fn keeps(&self, next: u64) -> u64 {
        if self.running { self.done.left.1.min(next) } else { self.done.left.0.min(next) }
    }
}
