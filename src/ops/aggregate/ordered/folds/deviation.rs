//! The median absolute deviation of a group's floats, which come in order and are kept until it is closed.

use super::Folding;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use std::ops::Range;

/// Deviations that are being found.
#[derive(Default)]
pub(super) struct Deviation {
    /// Of the current group, in order.
    values: Vec<f64>,
    found: Vec<Option<f64>>,
}

/// The middle of a list in order.
fn median(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    let (low, high) = (sorted.get(n.checked_sub(1)? / 2)?, sorted.get(n / 2)?);
    Some(low / 2.0 + high / 2.0)
}

impl Folding for Deviation {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let floats = arguments.first().and_then(|a| a.as_primitive_opt::<Float64Type>());
        let floats = floats.ok_or_else(|| Error::internal("a deviation is not of floats"))?;
        self.values.extend_from_slice(floats.values().get(range).unwrap_or_default());
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let mut values = std::mem::take(&mut self.values);
        let middle = median(&values);
        if let Some(middle) = middle {
            values.iter_mut().for_each(|v| *v = (*v - middle).abs());
            values.sort_unstable_by(f64::total_cmp);
        }
        self.found.push(median(&values));
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        Ok(std::sync::Arc::new(Float64Array::from(std::mem::take(&mut self.found))))
    }

    fn held(&self) -> usize {
        8 * self.values.capacity() + 16 * self.found.len()
    }
}
