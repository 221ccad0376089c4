//! The values of a column, ready to be written as text or as JSON.
//!
//! Life of a cell: a printer makes one [`Column`] for each column of a batch, which looks at the type once; then, row by
//! row, `text` or `json` appends the value's bytes to the printer's buffer. No allocation per cell, no dynamic dispatch:
//! one match on a closed enum that is the same for a whole column.
//!
//! ```text
//! Int64Array [1, null] --Column::new--> Column { nulls, cells: I64(&[1, 0]) } --text(0)--> b"1"
//! ```
//!
//! Text is what DuckDB prints: `1.0`, `2020-01-01 00:00:00`, `{'a': 1, 'b': [1, 2]}`. Types that are rare in results
//! (unions, run-end encoding) go through arrow's own formatter, a batch at a time.

mod json;
mod numbers;
mod text;
mod times;

pub use json::quoted;

use crate::error::{Error, Result};
use arrow::array::timezone::Tz;
use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::datatypes::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A column of one batch.
pub struct Column<'a> {
    nulls: Option<NullBuffer>,
    cells: Cells<'a>,
}

/// Its values, by how they are written.
enum Cells<'a> {
    Null,
    Bool(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F16(&'a Float16Array),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Decimal(Digits<'a>, i8),
    /// Days since 1970.
    Date(&'a [i32]),
    /// Milliseconds since 1970, of which the day is shown.
    DateMillis(&'a [i64]),
    /// Parts of a second since midnight: (values, parts per second).
    Time32(&'a [i32], i64),
    Time64(&'a [i64], i64),
    /// Parts of a second since 1970: (values, parts per second, where).
    Timestamp(&'a [i64], i64, Option<Zone>),
    /// Parts of a second: (values, parts per second).
    Duration(&'a [i64], i64),
    Months(&'a IntervalYearMonthArray),
    DaysMillis(&'a IntervalDayTimeArray),
    MonthsDaysNanos(&'a IntervalMonthDayNanoArray),
    Text(Texts<'a>),
    Bytes(Blobs<'a>),
    List(Spans<'a>, Box<Column<'a>>),
    Map(&'a [i32], Box<Column<'a>>, Box<Column<'a>>),
    Struct(Vec<(&'a str, Column<'a>)>),
    Dictionary(Vec<usize>, Box<Column<'a>>),
    Rendered(Vec<String>),
}

/// Unscaled values of decimals.
enum Digits<'a> {
    Of32(&'a [i32]),
    Of64(&'a [i64]),
    Of128(&'a [i128]),
    Of256(&'a Decimal256Array),
}

/// The zone of a timestamp. Zones that this build does not know are shown in UTC.
type Zone = Tz;

enum Texts<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

enum Blobs<'a> {
    Small(&'a BinaryArray),
    Large(&'a LargeBinaryArray),
    View(&'a BinaryViewArray),
    Fixed(&'a FixedSizeBinaryArray),
}

/// Where the elements of each list are.
enum Spans<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
    SmallView(&'a [i32], &'a [i32]),
    LargeView(&'a [i64], &'a [i64]),
    Fixed(usize),
}

impl<'a> Column<'a> {
    /// Looks at `array` once.
    ///
    /// # Errors
    /// A value of a rare type that arrow cannot show.
    pub fn new(array: &'a dyn Array) -> Result<Self> {
        Ok(Column { nulls: array.logical_nulls(), cells: cells(array)? })
    }

    /// The columns of a batch.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn all(batch: &'a RecordBatch) -> Result<Vec<Self>> {
        batch.columns().iter().map(|array| Column::new(array)).collect()
    }

    /// Whether the value is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }
}

fn cells(array: &dyn Array) -> Result<Cells<'_>> {
    use DataType as T;
    Ok(match array.data_type() {
        T::Null => Cells::Null,
        T::Boolean => Cells::Bool(array.as_boolean()),
        T::Int8 => Cells::I8(array.as_primitive::<Int8Type>().values()),
        T::Int16 => Cells::I16(array.as_primitive::<Int16Type>().values()),
        T::Int32 => Cells::I32(array.as_primitive::<Int32Type>().values()),
        T::Int64 => Cells::I64(array.as_primitive::<Int64Type>().values()),
        T::UInt8 => Cells::U8(array.as_primitive::<UInt8Type>().values()),
        T::UInt16 => Cells::U16(array.as_primitive::<UInt16Type>().values()),
        T::UInt32 => Cells::U32(array.as_primitive::<UInt32Type>().values()),
        T::UInt64 => Cells::U64(array.as_primitive::<UInt64Type>().values()),
        T::Float16 => Cells::F16(array.as_primitive()),
        T::Float32 => Cells::F32(array.as_primitive::<Float32Type>().values()),
        T::Float64 => Cells::F64(array.as_primitive::<Float64Type>().values()),
        T::Decimal32(_, s) => Cells::Decimal(Digits::Of32(array.as_primitive::<Decimal32Type>().values()), *s),
        T::Decimal64(_, s) => Cells::Decimal(Digits::Of64(array.as_primitive::<Decimal64Type>().values()), *s),
        T::Decimal128(_, s) => Cells::Decimal(Digits::Of128(array.as_primitive::<Decimal128Type>().values()), *s),
        T::Decimal256(_, s) => Cells::Decimal(Digits::Of256(array.as_primitive()), *s),
        T::Date32 | T::Date64 | T::Time32(_) | T::Time64(_) | T::Timestamp(_, _) | T::Duration(_) | T::Interval(_) => {
            time_cells(array)
        }
        T::Utf8 => Cells::Text(Texts::Small(array.as_string())),
        T::LargeUtf8 => Cells::Text(Texts::Large(array.as_string())),
        T::Utf8View => Cells::Text(Texts::View(array.as_string_view())),
        T::Binary => Cells::Bytes(Blobs::Small(array.as_binary())),
        T::LargeBinary => Cells::Bytes(Blobs::Large(array.as_binary())),
        T::BinaryView => Cells::Bytes(Blobs::View(array.as_binary_view())),
        T::FixedSizeBinary(_) => Cells::Bytes(Blobs::Fixed(array.as_fixed_size_binary())),
        _ => return nested_cells(array),
    })
}

fn nested_cells(array: &dyn Array) -> Result<Cells<'_>> {
    use DataType as T;
    let boxed = |values| Column::new(values).map(Box::new);
    Ok(match array.data_type() {
        T::List(_) => {
            let list = array.as_list::<i32>();
            Cells::List(Spans::Small(list.value_offsets()), boxed(list.values())?)
        }
        T::LargeList(_) => {
            let list = array.as_list::<i64>();
            Cells::List(Spans::Large(list.value_offsets()), boxed(list.values())?)
        }
        T::ListView(_) => {
            let list = array.as_list_view::<i32>();
            Cells::List(Spans::SmallView(list.offsets(), list.sizes()), boxed(list.values())?)
        }
        T::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            Cells::List(Spans::LargeView(list.offsets(), list.sizes()), boxed(list.values())?)
        }
        T::FixedSizeList(_, size) => {
            let size = usize::try_from(*size).map_err(|_| Error::internal("a list of negative size"))?;
            Cells::List(Spans::Fixed(size), boxed(array.as_fixed_size_list().values())?)
        }
        T::Map(_, _) => {
            let map = array.as_map();
            Cells::Map(map.value_offsets(), boxed(map.keys())?, boxed(map.values())?)
        }
        T::Struct(fields) => {
            let columns = array.as_struct().columns();
            let named = fields.iter().zip(columns).map(|(f, c)| Ok((f.name().as_str(), Column::new(c)?)));
            Cells::Struct(named.collect::<Result<_>>()?)
        }
        T::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let keys = if dictionary.values().is_empty() { Vec::new() } else { dictionary.normalized_keys() };
            Cells::Dictionary(keys, boxed(dictionary.values())?)
        }
        _ => rendered(array)?,
    })
}

fn time_cells(array: &dyn Array) -> Cells<'_> {
    use DataType as T;
    match array.data_type() {
        T::Date32 => Cells::Date(array.as_primitive::<Date32Type>().values()),
        T::Date64 => Cells::DateMillis(array.as_primitive::<Date64Type>().values()),
        T::Time32(TimeUnit::Second) => Cells::Time32(array.as_primitive::<Time32SecondType>().values(), 1),
        T::Time32(_) => Cells::Time32(array.as_primitive::<Time32MillisecondType>().values(), 1_000),
        T::Time64(TimeUnit::Microsecond) => {
            Cells::Time64(array.as_primitive::<Time64MicrosecondType>().values(), 1_000_000)
        }
        T::Time64(_) => Cells::Time64(array.as_primitive::<Time64NanosecondType>().values(), 1_000_000_000),
        T::Timestamp(unit, zone) => {
            let values = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
            };
            let utc = || "+00:00".parse().ok();
            let zone = zone.as_deref().and_then(|zone| zone.parse::<Tz>().ok().or_else(utc));
            Cells::Timestamp(values, parts_per_second(*unit), zone)
        }
        T::Duration(unit) => {
            let values = match unit {
                TimeUnit::Second => array.as_primitive::<DurationSecondType>().values(),
                TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().values(),
                TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().values(),
                TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().values(),
            };
            Cells::Duration(values, parts_per_second(*unit))
        }
        T::Interval(IntervalUnit::YearMonth) => Cells::Months(array.as_primitive()),
        T::Interval(IntervalUnit::DayTime) => Cells::DaysMillis(array.as_primitive()),
        _ => Cells::MonthsDaysNanos(array.as_primitive()),
    }
}

fn parts_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

fn rendered(array: &dyn Array) -> Result<Cells<'_>> {
    let options = FormatOptions::new().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let texts = (0..array.len()).map(|row| Ok(formatter.value(row).try_to_string()?));
    Ok(Cells::Rendered(texts.collect::<Result<_>>()?))
}

impl Spans<'_> {
    /// The elements of one list. Offsets are checked by arrow when the array is made, so they fit.
    fn of(&self, row: usize) -> std::ops::Range<usize> {
        match self {
            Spans::Small(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Spans::Large(offsets) => offsets[row] as usize..offsets[row + 1] as usize,
            Spans::SmallView(offsets, sizes) => offsets[row] as usize..(offsets[row] + sizes[row]) as usize,
            Spans::LargeView(offsets, sizes) => offsets[row] as usize..(offsets[row] + sizes[row]) as usize,
            Spans::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

impl<'a> Texts<'a> {
    fn get(&self, row: usize) -> &'a str {
        match self {
            Texts::Small(array) => array.value(row),
            Texts::Large(array) => array.value(row),
            Texts::View(array) => array.value(row),
        }
    }
}

impl<'a> Blobs<'a> {
    fn get(&self, row: usize) -> &'a [u8] {
        match self {
            Blobs::Small(array) => array.value(row),
            Blobs::Large(array) => array.value(row),
            Blobs::View(array) => array.value(row),
            Blobs::Fixed(array) => array.value(row),
        }
    }
}
