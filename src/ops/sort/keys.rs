//! Sort keys as bytes whose order is the rows' order.
//!
//! ```text
//! | first key, as arrow-row writes it | second key | ... | split | row in the split |
//!                                                            each: | how many bytes | these, big endian |
//! ```
//!
//! Two keys are never equal, since no two rows have the same position: so any sort of them is stable, however rows were
//! spread over workers and runs. Floats are made canonical first: -0.0 is 0.0, and every NaN is the greatest value.
//! (Floats inside nested values keep their sign of zero.)

use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::ops::rows::{canonical_f16, canonical_f32, canonical_f64};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, SchemaRef};
use arrow_row::{RowConverter, Rows, SortField};
use std::cmp::Ordering;
use std::sync::Arc;

/// A position as the end of a key: few bytes for small numbers, in the numbers' order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    bytes: [u8; 18],
    len: usize,
}

impl Place {
    #[inline(always)]
    fn and(mut self, number: u64) -> Self {
        let skip = number.leading_zeros() as usize / 8;
        // Eight bytes are written whatever the number; those behind its end are zeros, and the next number goes over them.
        if let Some(to) = self.bytes.get_mut(self.len..self.len + 9) {
            to[0] = 8 - skip as u8;
            to[1..].copy_from_slice(&number.wrapping_shl(8 * skip as u32).to_be_bytes());
            self.len += 9 - skip;
        }
        self
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// One column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Which column of the input.
    pub column: usize,
    /// Ascending or descending, nulls first or last.
    pub options: SortOptions,
}

/// Makes the keys of batches. Keeps buffers between batches; one a worker.
pub struct KeyEncoder {
    keys: Arc<[SortKey]>,
    converter: RowConverter,
    rows: Rows,
    /// The split of the rows, as keys end in it.
    split: Place,
    first: u64,
}

impl KeyEncoder {
    /// An encoder for `keys` of batches of `schema`.
    ///
    /// # Errors
    /// `Unsupported`, for a type that has no order; `Internal`, for a column that is not there.
    pub fn new(keys: &Arc<[SortKey]>, schema: &SchemaRef) -> Result<Self> {
        let field = |key: &SortKey| match schema.fields().get(key.column) {
            Some(field) => Ok(SortField::new_with_options(field.data_type().clone(), key.options)),
            None => Err(Error::internal(format!("a sort's input has no column {}", key.column))),
        };
        let fields = keys.iter().map(field).collect::<Result<Vec<_>>>()?;
        let types: Vec<String> = fields.iter().map(|f| format!("{f:?}")).collect();
        let converter = RowConverter::new(fields)
            .map_err(|e| Error::unsupported(format!("rows cannot be sorted by {}: {e}", types.join(", "))))?;
        let rows = converter.empty_rows(0, 0);
        Ok(KeyEncoder { keys: keys.clone(), converter, rows, split: Place::default(), first: 0 })
    }

    /// Makes the keys of `batch` the ones that this encoder has.
    pub fn encode(&mut self, batch: &Batch) -> Result<()> {
        let column = |key: &SortKey| match batch.data.columns().get(key.column) {
            Some(column) => Ok(canonical(column)),
            None => Err(Error::internal(format!("a sort's input has no column {}", key.column))),
        };
        let columns = self.keys.iter().map(column).collect::<Result<Vec<_>>>()?;
        self.rows.clear();
        self.converter.append(&mut self.rows, &columns)?;
        let Position { split, row } = batch.position;
        (self.split, self.first) = (Place::default().and(split), row);
        Ok(())
    }

    /// The key of a row, without its position.
    #[inline(always)]
    pub fn key(&self, row: usize) -> &[u8] {
        self.rows.row(row).data()
    }

    /// The position of a row, as the end of its key.
    #[inline(always)]
    pub(super) fn position(&self, row: usize) -> Place {
        self.split.and(self.first.wrapping_add(row as u64))
    }

    /// Whether the row comes before the one that has the key `bar`.
    #[inline(always)]
    pub(super) fn is_before(&self, row: usize, bar: &[u8]) -> bool {
        let key = self.key(row);
        let (head, place) = bar.split_at(key.len().min(bar.len()));
        match key.cmp(head) {
            Ordering::Equal => self.position(row).bytes() < place,
            order => order.is_lt(),
        }
    }
}

/// The column with one zero and one NaN.
pub fn canonical(column: &ArrayRef) -> ArrayRef {
    fn map<T: ArrowPrimitiveType>(column: &ArrayRef, f: impl Fn(T::Native) -> T::Native) -> ArrayRef {
        Arc::new(column.as_primitive::<T>().unary::<_, T>(f))
    }
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    match column.data_type() {
        DataType::Float16 => map::<Float16Type>(column, |v| Half::from_le_bytes(canonical_f16(v.to_le_bytes()))),
        DataType::Float32 => map::<Float32Type>(column, |v| f32::from_le_bytes(canonical_f32(v.to_le_bytes()))),
        DataType::Float64 => map::<Float64Type>(column, |v| f64::from_le_bytes(canonical_f64(v.to_le_bytes()))),
        _ => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_order_of_numbers() {
        let numbers = [0, 1, 2, 255, 256, 257, 65_535, 65_536, 1 << 32, u64::MAX - 1, u64::MAX];
        let places: Vec<Vec<u8>> = numbers
            .iter()
            .flat_map(|split| numbers.map(|row| Place::default().and(*split).and(row).bytes().to_vec()))
            .collect();
        assert!(places.is_sorted() && places.windows(2).all(|w| w[0] != w[1]));
        assert_eq!(places[0], [0, 0], "zeros take no bytes");
        assert_eq!(places.last().unwrap().len(), 18);
    }
}
