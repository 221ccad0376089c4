//! The value of a group's n-th row.

use super::Folding;
use super::pieces::Pieces;
use crate::error::Result;
use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use std::ops::Range;

/// Values that are being looked for.
pub(super) struct Nth {
    n: u64,
    /// Rows of the current group so far.
    seen: u64,
    found: Pieces,
    /// For each closed group, which of those found is its.
    places: Vec<Option<u32>>,
    place: Option<u32>,
}

impl Nth {
    pub(super) fn new(argument: DataType, n: u64) -> Self {
        Nth { n, seen: 0, found: Pieces::new(argument), places: Vec::new(), place: None }
    }
}

impl Folding for Nth {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let left = self.n.checked_sub(self.seen).and_then(|n| usize::try_from(n).ok());
        self.seen += range.len() as u64;
        if let (Some(left), Some(values)) = (left.filter(|l| *l < range.len()), arguments.first()) {
            self.place = Some(self.found.len() as u32);
            let at = range.start + left;
            self.found.add(values, at..at + 1)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.seen = 0;
        self.places.push(self.place.take());
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let places = UInt32Array::from(std::mem::take(&mut self.places));
        Ok(take(&self.found.take()?, &places, None)?)
    }

    fn held(&self) -> usize {
        self.found.held() + 8 * self.places.len()
    }
}
