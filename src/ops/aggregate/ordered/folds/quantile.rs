//! Discrete quantiles of values of any type that has an order: all of a group's values are kept until it is closed.

use super::Folding;
use super::list::Lists;
use super::pieces::Pieces;
use crate::error::Result;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use std::ops::Range;
use std::sync::Arc;

/// Quantiles that are being found.
pub(super) struct Quantile {
    shares: Arc<[f64]>,
    /// Of the current group.
    values: Pieces,
    found: Found,
}

enum Found {
    Lists(Lists),
    /// The values, and for each closed group which is its.
    Values(Pieces, Vec<Option<u32>>),
}

impl Quantile {
    /// `list` is the type of the result, if that is a list.
    pub(super) fn new(argument: DataType, shares: Arc<[f64]>, list: Option<&DataType>) -> Result<Self> {
        let found = match list {
            Some(list) => Found::Lists(Lists::new(super::item(list)?)),
            None => Found::Values(Pieces::new(argument.clone()), Vec::new()),
        };
        Ok(Quantile { shares, values: Pieces::new(argument), found })
    }
}

/// The place of a discrete quantile among `n > 0` values.
fn place(share: f64, n: usize) -> u32 {
    let above = (n as f64 - share.clamp(0.0, 1.0) * n as f64).floor() as usize;
    (n.saturating_sub(above).max(1) - 1) as u32
}

impl Folding for Quantile {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        match arguments.first() {
            Some(values) if !range.is_empty() => self.values.add(values, range),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<()> {
        let values = self.values.take()?;
        let any = !values.is_empty();
        let places = UInt32Array::from_iter_values(self.shares.iter().filter(|_| any).map(|s| place(*s, values.len())));
        let picked = take(&values, &places, None)?;
        match &mut self.found {
            Found::Lists(lists) => {
                lists.values.add(&picked, 0..picked.len())?;
                lists.close();
            }
            Found::Values(found, places) => {
                places.push((!picked.is_empty()).then_some(found.len() as u32));
                found.add(&picked, 0..picked.len().min(1))?;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        match &mut self.found {
            Found::Lists(lists) => lists.take(),
            Found::Values(found, places) => Ok(take(&found.take()?, &UInt32Array::from(std::mem::take(places)), None)?),
        }
    }

    fn held(&self) -> usize {
        let found = match &self.found {
            Found::Lists(lists) => lists.held(),
            Found::Values(found, places) => found.held() + 8 * places.len(),
        };
        self.values.held() + found
    }
}
