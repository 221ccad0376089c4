//! A batch's columns in the few shapes that states are updated from.

use super::pick::Encoding;
use crate::error::{Error, Result};
use crate::ops::rows::{canonical_f16, canonical_f32, canonical_f64, raw_values};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, IntervalUnit, UInt64Type, i256,
};
use arrow::record_batch::RecordBatch;
use arrow_row::Rows;

/// What a state wants to see of its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Only which rows count.
    Rows,
    /// Signed integers and what is stored as such.
    Int,
    /// Unsigned integers of 64 bits.
    Unsigned,
    /// Floats.
    Float,
    /// The logarithms of floats.
    Log,
    /// Counts as floats, each times its logarithm to base 2.
    CountLog,
    /// Two floats.
    Pair,
    /// Decimals of at most 38 digits.
    Wide,
    /// Decimals of more digits.
    Huge,
    /// Truth values.
    Bool,
    /// Words whose unsigned order is the order of values.
    Order(Order),
    /// Text or bytes.
    Text,
    /// All arguments as one string of bytes.
    Encoded {
        /// How.
        encoding: Encoding,
        /// Those of the arguments that must not be null.
        required: Vec<usize>,
    },
}

/// How values become words whose unsigned order is theirs, and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// Signed integers of so many bytes.
    Signed(usize),
    /// Unsigned integers of so many bytes.
    Unsigned(usize),
    /// Floats of so many bytes; NaN is the largest, -0.0 is less than 0.0.
    Float(usize),
    /// Days, then milliseconds.
    DayTime,
    /// Truth values.
    Bool,
    /// 16-byte signed integers.
    Wide,
    /// Months, then days, then nanoseconds.
    MonthDayNano,
    /// 32-byte signed integers.
    Huge,
}

/// The arguments of one or more aggregates, made once a batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InputPlan {
    pub(super) columns: Vec<usize>,
    pub(super) filter: Option<usize>,
    pub(super) shape: Shape,
}

/// Values of one batch.
pub(super) enum Values {
    None,
    Int(ScalarBuffer<i64>),
    Unsigned(ScalarBuffer<u64>),
    Float(ScalarBuffer<f64>),
    Pair(ScalarBuffer<f64>, ScalarBuffer<f64>),
    Wide(ScalarBuffer<i128>),
    Huge(ScalarBuffer<i256>),
    Bool(BooleanBuffer),
    Words(Vec<u64>),
    WideWords(Vec<u128>),
    Text(ArrayRef),
    Rows(Rows),
}

/// Values of one batch, and which of its rows count (all, if there is no mask).
pub(super) struct Input {
    pub(super) values: Values,
    pub(super) valid: Option<BooleanBuffer>,
}

impl InputPlan {
    /// The columns whose nulls make a row not count.
    fn never_null(&self) -> impl Iterator<Item = &usize> {
        let required = |place: &usize| match &self.shape {
            Shape::Encoded { required, .. } => required.contains(place),
            _ => true,
        };
        self.columns.iter().enumerate().filter(move |(place, _)| required(place)).map(|(_, column)| column)
    }

    /// Takes the arguments out of a batch.
    pub(super) fn prepare(&self, batch: &RecordBatch) -> Result<Input> {
        let column = |i: usize| {
            let all = batch.columns();
            all.get(i).ok_or_else(|| Error::internal(format!("an aggregate's column {i} is not in its input")))
        };
        let mut valid: Option<BooleanBuffer> = None;
        let mut mask = |more: BooleanBuffer| {
            valid = Some(match valid.take() {
                Some(before) => &before & &more,
                None => more,
            })
        };
        for i in self.never_null() {
            if let Some(nulls) = column(*i)?.logical_nulls().filter(|n| n.null_count() > 0) {
                mask(nulls.into_inner());
            }
        }
        if let Some(i) = self.filter {
            let filter = column(i)?.as_boolean_opt().ok_or_else(|| Error::internal("a FILTER is not a truth value"))?;
            mask(match filter.nulls() {
                Some(nulls) => filter.values() & nulls.inner(),
                None => filter.values().clone(),
            });
        }
        let columns = self.columns.iter().map(|i| column(*i)).collect::<Result<Vec<_>>>()?;
        let valid = valid.filter(|v| v.count_set_bits() < v.len());
        Ok(Input { values: values(&self.shape, &columns)?, valid })
    }
}

fn values(shape: &Shape, columns: &[&ArrayRef]) -> Result<Values> {
    let floats = |i: usize| {
        Ok::<_, Error>(as_type(columns[i], &DataType::Float64)?.as_primitive::<Float64Type>().values().clone())
    };
    Ok(match shape {
        Shape::Rows => Values::None,
        Shape::Int => Values::Int(signed(columns[0])?),
        Shape::Unsigned => {
            Values::Unsigned(as_type(columns[0], &DataType::UInt64)?.as_primitive::<UInt64Type>().values().clone())
        }
        Shape::Float => Values::Float(floats(0)?),
        Shape::Log => Values::Float(floats(0)?.iter().map(|x| x.ln()).collect()),
        Shape::CountLog => {
            Values::Float(floats(0)?.iter().map(|n| if *n > 0.0 { n * n.log2() } else { 0.0 }).collect())
        }
        Shape::Pair => Values::Pair(floats(0)?, floats(1)?),
        Shape::Wide => {
            let to = match columns[0].data_type() {
                DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => DataType::Decimal128(38, *scale),
                other => other.clone(),
            };
            Values::Wide(as_type(columns[0], &to)?.as_primitive::<Decimal128Type>().values().clone())
        }
        Shape::Huge => Values::Huge(columns[0].as_primitive::<Decimal256Type>().values().clone()),
        Shape::Bool => Values::Bool(columns[0].as_boolean().values().clone()),
        Shape::Text => Values::Text(match columns[0].data_type() {
            DataType::Utf8View | DataType::BinaryView => columns[0].clone(),
            DataType::Utf8 | DataType::LargeUtf8 => cast(columns[0], &DataType::Utf8View)?,
            _ => cast(columns[0], &DataType::BinaryView)?,
        }),
        Shape::Order(order) => order.words(columns[0]),
        Shape::Encoded { encoding, .. } => Values::Rows(encoding.rows(columns)?),
    })
}

fn as_type(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if column.data_type() == to { Ok(column.clone()) } else { Ok(cast(column, to)?) }
}

/// 64-bit values as they are stored, narrower integers widened.
fn signed(column: &ArrayRef) -> Result<ScalarBuffer<i64>> {
    use DataType as T;
    match column.data_type() {
        T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32 | T::Boolean => {
            Ok(cast(column, &T::Int64)?.as_primitive::<Int64Type>().values().clone())
        }
        _ => {
            let data = column.to_data();
            Ok(ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len()))
        }
    }
}

const SIGN: u64 = 1 << 63;

impl Order {
    /// The order of a type that min and max know, but for text.
    pub(super) fn of(data_type: &DataType) -> Option<Order> {
        use DataType as T;
        Some(match data_type {
            T::Boolean => Order::Bool,
            T::Int8 => Order::Signed(1),
            T::Int16 => Order::Signed(2),
            T::Int32 | T::Date32 | T::Time32(_) | T::Decimal32(..) => Order::Signed(4),
            T::Interval(IntervalUnit::YearMonth) => Order::Signed(4),
            T::Int64 | T::Date64 | T::Time64(_) | T::Decimal64(..) | T::Timestamp(..) | T::Duration(_) => {
                Order::Signed(8)
            }
            T::UInt8 => Order::Unsigned(1),
            T::UInt16 => Order::Unsigned(2),
            T::UInt32 => Order::Unsigned(4),
            T::UInt64 => Order::Unsigned(8),
            T::Float16 => Order::Float(2),
            T::Float32 => Order::Float(4),
            T::Float64 => Order::Float(8),
            T::Interval(IntervalUnit::DayTime) => Order::DayTime,
            T::Decimal128(..) => Order::Wide,
            T::Interval(IntervalUnit::MonthDayNano) => Order::MonthDayNano,
            T::Decimal256(..) => Order::Huge,
            _ => return None,
        })
    }

    /// Bytes of a word.
    pub(super) fn word_bytes(self) -> usize {
        match self {
            Order::Wide | Order::MonthDayNano => 16,
            Order::Huge => 32,
            _ => 8,
        }
    }

    fn words(self, column: &ArrayRef) -> Values {
        if self == Order::Bool {
            return Values::Words(column.as_boolean().values().iter().map(u64::from).collect());
        }
        let data = column.to_data();
        let each = |width: usize| raw_values(&data, width);
        match self {
            Order::Signed(1) => narrow(each(1), |v| i64::from(i8::from_le_bytes(v)) as u64 ^ SIGN),
            Order::Signed(2) => narrow(each(2), |v| i64::from(i16::from_le_bytes(v)) as u64 ^ SIGN),
            Order::Signed(4) => narrow(each(4), |v| i64::from(i32::from_le_bytes(v)) as u64 ^ SIGN),
            Order::Signed(_) => narrow(each(8), |v| u64::from_le_bytes(v) ^ SIGN),
            Order::Unsigned(1) => narrow(each(1), |v: [u8; 1]| u64::from(v[0])),
            Order::Unsigned(2) => narrow(each(2), |v| u64::from(u16::from_le_bytes(v))),
            Order::Unsigned(4) => narrow(each(4), |v| u64::from(u32::from_le_bytes(v))),
            Order::Unsigned(_) => narrow(each(8), u64::from_le_bytes),
            Order::Float(2) => narrow(each(2), |v| total(i64::from(i16::from_le_bytes(nan(v, canonical_f16))))),
            Order::Float(4) => narrow(each(4), |v| total(i64::from(i32::from_le_bytes(nan(v, canonical_f32))))),
            Order::Float(_) => narrow(each(8), |v| total(i64::from_le_bytes(nan(v, canonical_f64)))),
            Order::DayTime => narrow(each(8), |v| (u64::from_le_bytes(v) ^ DAY_TIME_SIGNS).rotate_left(32)),
            Order::Wide => wide(each(16), |v| u128::from_le_bytes(v) ^ 1 << 127),
            Order::MonthDayNano => wide(each(16), |v| months_first(u128::from_le_bytes(v) ^ MONTH_DAY_NANO_SIGNS)),
            Order::Huge | Order::Bool => {
                Values::Huge(ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len()))
            }
        }
    }

    /// The value's bytes, as arrays store them, of a word of at most 64 bits.
    pub(super) fn value(self, word: u64) -> u64 {
        match self {
            Order::Signed(_) => word ^ SIGN,
            Order::Float(_) => {
                let bits = (word ^ SIGN) as i64;
                (bits ^ (((bits >> 63) as u64) >> 1) as i64) as u64
            }
            Order::DayTime => word.rotate_left(32) ^ DAY_TIME_SIGNS,
            _ => word,
        }
    }

    /// The value's bytes of a word of 128 bits.
    pub(super) fn wide_value(self, word: u128) -> u128 {
        match self {
            Order::MonthDayNano => months_low(word) ^ MONTH_DAY_NANO_SIGNS,
            _ => word ^ 1 << 127,
        }
    }
}

/// Both halves are signed; days, which count more, are the lower half.
const DAY_TIME_SIGNS: u64 = 1 << 63 | 1 << 31;
/// Months in the lowest 32 bits, days in the next, nanoseconds in the upper half; all signed.
const MONTH_DAY_NANO_SIGNS: u128 = 1 << 127 | 1 << 63 | 1 << 31;

/// From storage to order: months above days above nanoseconds.
fn months_first(x: u128) -> u128 {
    let (nanos, months_days) = ((x >> 64) as u64, x as u64);
    u128::from(months_days.rotate_left(32)) << 64 | u128::from(nanos)
}

/// The inverse of [`months_first`].
fn months_low(x: u128) -> u128 {
    let (days_months, nanos) = ((x >> 64) as u64, x as u64);
    u128::from(nanos) << 64 | u128::from(days_months.rotate_left(32))
}

fn narrow<const N: usize>(raw: &[u8], f: impl Fn([u8; N]) -> u64) -> Values {
    Values::Words(raw.as_chunks::<N>().0.iter().map(|v| f(*v)).collect())
}

fn wide(raw: &[u8], f: impl Fn([u8; 16]) -> u128) -> Values {
    Values::WideWords(raw.as_chunks::<16>().0.iter().map(|v| f(*v)).collect())
}

/// Only NaN is made canonical: the sign of a zero is a part of the answer.
fn nan<const N: usize>(v: [u8; N], canonical: impl Fn([u8; N]) -> [u8; N]) -> [u8; N] {
    let c = canonical(v);
    if c.iter().all(|b| *b == 0) { v } else { c }
}

fn total(bits: i64) -> u64 {
    (bits ^ (((bits >> 63) as u64) >> 1) as i64) as u64 ^ SIGN
}
