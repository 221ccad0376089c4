//! Values picked out of batches, kept as pieces of their arrays.

use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use std::ops::Range;
use std::sync::Arc;

/// Few values do not keep all texts of a batch alive.
fn compact(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array.clone(),
    }
}

/// Values of one type, in the order of their coming.
pub(in super::super) struct Pieces {
    data_type: DataType,
    pieces: Vec<ArrayRef>,
    /// The array that values come from now, and which.
    source: Option<ArrayRef>,
    /// Bytes of one of its rows, about.
    row_bytes: usize,
    rows: Vec<u32>,
    len: usize,
    held: usize,
}

impl Pieces {
    /// No values yet.
    pub(in super::super) fn new(data_type: DataType) -> Self {
        Pieces { data_type, pieces: Vec::new(), source: None, row_bytes: 0, rows: Vec::new(), len: 0, held: 0 }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory that the values keep alive, about.
    pub(in super::super) fn held(&self) -> usize {
        self.held + (self.row_bytes + 4) * self.rows.len()
    }

    /// Adds the values of `array` in `range`.
    ///
    /// # Errors
    /// What picking values out of an array meets.
    pub(in super::super) fn add(&mut self, array: &ArrayRef, range: Range<usize>) -> Result<()> {
        if !self.source.as_ref().is_some_and(|s| Arc::ptr_eq(s, array)) {
            self.cut()?;
            self.row_bytes = array.get_buffer_memory_size() / array.len().max(1);
            self.source = Some(array.clone());
        }
        self.len += range.len();
        self.rows.extend(range.map(|i| i as u32));
        Ok(())
    }

    /// What comes from the array of now becomes a piece.
    fn cut(&mut self) -> Result<()> {
        let (Some(source), Some(first)) = (self.source.take(), self.rows.first().copied()) else { return Ok(()) };
        let rows = std::mem::take(&mut self.rows);
        let dense = rows.iter().zip(first..).all(|(row, i)| *row == i);
        let most = 2 * rows.len() >= source.len();
        let piece = match dense && most {
            true => source.slice(first as usize, rows.len()),
            false => compact(&take(&source, &UInt32Array::from(rows), None)?),
        };
        self.held += piece.get_buffer_memory_size();
        self.pieces.push(piece);
        Ok(())
    }

    /// All values; then there are none.
    pub(in super::super) fn take(&mut self) -> Result<ArrayRef> {
        self.cut()?;
        (self.len, self.held) = (0, 0);
        let pieces = std::mem::take(&mut self.pieces);
        Ok(match pieces.as_slice() {
            [] => new_empty_array(&self.data_type),
            [one] => one.clone(),
            many => concat(&many.iter().map(|p| p.as_ref()).collect::<Vec<_>>())?,
        })
    }
}
