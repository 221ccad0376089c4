//! The values of the array that rows come from, as bytes that compare as they do. A fold sees the same array for many
//! groups: it is converted once.

use crate::error::Result;
use crate::ops::sort::canonical;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, Rows, SortField};
use std::sync::Arc;

/// Converts arrays of one type; keeps the last one.
pub(super) struct Comparable {
    converter: RowConverter,
    last: Option<(ArrayRef, Rows)>,
}

impl Comparable {
    /// # Errors
    /// `Unsupported`, for a type without an order.
    pub(super) fn new(data_type: DataType) -> Result<Self> {
        Ok(Comparable { converter: RowConverter::new(vec![SortField::new(data_type)])?, last: None })
    }

    /// The values of `array`, by row.
    ///
    /// # Errors
    /// An array of another type.
    pub(super) fn rows(&mut self, array: &ArrayRef) -> Result<&Rows> {
        let rows = match self.last.take() {
            Some(last) if Arc::ptr_eq(&last.0, array) => last,
            _ => (array.clone(), self.converter.convert_columns(&[canonical(array)])?),
        };
        Ok(&self.last.insert(rows).1)
    }
}
