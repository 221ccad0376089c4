//! What one column's cell looks like in a row.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayData, ArrayRef};
use arrow::datatypes::{DataType, IntervalUnit};
use arrow_row::{RowConverter, SortField};

/// How a column is stored in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// One byte, 0 or 1.
    Bool,
    /// So many bytes, as in the array's values: 1, 2, 4, 8, 16 or 32.
    Fixed(usize, Canonical),
    /// Offset and length of text or bytes.
    Bytes,
    /// Offset and length of the value's bytes in the format of `arrow-row`.
    Opaque,
}

/// Which values have several representations that must become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canonical {
    /// Equal values have equal bytes already.
    Already,
    /// Half-precision floats.
    F16,
    /// Single-precision floats.
    F32,
    /// Double-precision floats.
    F64,
}

impl Cell {
    /// How values of `data_type` are stored.
    pub(crate) fn of(data_type: &DataType) -> Cell {
        use DataType as T;
        match data_type {
            T::Boolean => Cell::Bool,
            T::Float16 => Cell::Fixed(2, Canonical::F16),
            T::Float32 => Cell::Fixed(4, Canonical::F32),
            T::Float64 => Cell::Fixed(8, Canonical::F64),
            T::Int8 | T::UInt8 => Cell::Fixed(1, Canonical::Already),
            T::Int16 | T::UInt16 => Cell::Fixed(2, Canonical::Already),
            T::Int32 | T::UInt32 | T::Date32 | T::Time32(_) | T::Decimal32(..) => Cell::Fixed(4, Canonical::Already),
            T::Interval(IntervalUnit::YearMonth) => Cell::Fixed(4, Canonical::Already),
            T::Int64 | T::UInt64 | T::Date64 | T::Time64(_) | T::Decimal64(..) => Cell::Fixed(8, Canonical::Already),
            T::Timestamp(..) | T::Duration(_) | T::Interval(IntervalUnit::DayTime) => {
                Cell::Fixed(8, Canonical::Already)
            }
            T::Decimal128(..) | T::Interval(IntervalUnit::MonthDayNano) => Cell::Fixed(16, Canonical::Already),
            T::Decimal256(..) => Cell::Fixed(32, Canonical::Already),
            T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView => Cell::Bytes,
            _ => Cell::Opaque,
        }
    }

    /// Bytes in the fixed part of a row.
    pub(crate) fn width(self) -> usize {
        match self {
            Cell::Bool => 1,
            Cell::Fixed(width, _) => width,
            Cell::Bytes | Cell::Opaque => 8,
        }
    }

    /// Whether the cell also has bytes behind the fixed part.
    pub(crate) fn is_var(self) -> bool {
        matches!(self, Cell::Bytes | Cell::Opaque)
    }
}

/// A converter for one column of a type that has no cell of its own.
///
/// # Errors
/// `Unsupported`, for a type that cannot be compared.
pub(crate) fn converter(data_type: &DataType) -> Result<RowConverter> {
    RowConverter::new(vec![SortField::new(data_type.clone())])
        .map_err(|_| Error::unsupported(format!("values of type {data_type} cannot be keys")))
}

/// The bytes of a fixed-width array's values; `width` bytes each, the array's offset applied.
pub(crate) fn raw_values(data: &ArrayData, width: usize) -> &[u8] {
    let from = data.offset() * width;
    &data.buffers()[0].as_slice()[from..from + data.len() * width]
}

/// Whether any value of `array` is null, by its own null buffer.
pub(crate) fn has_nulls(array: &ArrayRef) -> bool {
    array.null_count() > 0
}
