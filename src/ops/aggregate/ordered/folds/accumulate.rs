//! One of DataFusion's accumulators, a new one for each group.

use super::Folding;
use crate::error::Result;
use crate::ops::expr::from_datafusion;
use arrow::array::{ArrayRef, new_empty_array};
use datafusion_common::ScalarValue;
use datafusion_expr::Accumulator;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use std::ops::Range;
use std::sync::Arc;

/// Values that are being accumulated.
pub(super) struct Accumulate {
    function: Arc<AggregateFunctionExpr>,
    /// Of the current group, once it has rows.
    current: Option<Box<dyn Accumulator>>,
    values: Vec<ScalarValue>,
    held: usize,
}

impl Accumulate {
    pub(super) fn new(function: Arc<AggregateFunctionExpr>) -> Self {
        Accumulate { function, current: None, values: Vec::new(), held: 0 }
    }

    fn current(&mut self) -> Result<&mut Box<dyn Accumulator>> {
        let made = match self.current.take() {
            Some(current) => current,
            None => self.function.create_accumulator().map_err(from_datafusion)?,
        };
        Ok(self.current.insert(made))
    }
}

impl Folding for Accumulate {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let pieces: Vec<ArrayRef> = arguments.iter().map(|a| a.slice(range.start, range.len())).collect();
        self.current()?.update_batch(&pieces).map_err(from_datafusion)
    }

    fn close(&mut self) -> Result<()> {
        let value = self.current()?.evaluate().map_err(from_datafusion)?;
        self.current = None;
        self.held += value.size();
        self.values.push(value);
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        self.held = 0;
        let values = std::mem::take(&mut self.values);
        if values.is_empty() {
            return Ok(new_empty_array(self.function.field().data_type()));
        }
        ScalarValue::iter_to_array(values).map_err(from_datafusion)
    }

    fn held(&self) -> usize {
        self.held + self.current.as_ref().map_or(0, |c| c.size())
    }
}
