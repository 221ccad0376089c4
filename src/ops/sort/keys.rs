//! Sort keys as bytes whose order is the rows' order.
//!
//! ```text
//! | first key, as arrow-row writes it | second key | ... | split, big endian | row in the split, big endian |
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
use std::sync::Arc;

/// Bytes of the position at the end of every key.
pub const POSITION: usize = 16;

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
    position: Position,
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
        Ok(KeyEncoder { keys: keys.clone(), converter, rows, position: Position::default() })
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
        self.position = batch.position;
        Ok(())
    }

    /// The key of a row, without its position.
    #[inline(always)]
    pub fn key(&self, row: usize) -> &[u8] {
        self.rows.row(row).data()
    }

    /// The position of a row, as the end of its key.
    #[inline(always)]
    pub fn position(&self, row: usize) -> [u8; POSITION] {
        let split = u128::from(self.position.split) << 64;
        (split | u128::from(self.position.row.wrapping_add(row as u64))).to_be_bytes()
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
