//! The arguments of a call as typed columns, and results row by row.
//!
//! A column gives `None` for null; a function answers `None` for null. Most functions are then one closure:
//!
//! ```text
//! let (text, n) = (args.text(0)?, args.int(1)?);
//! texts(args, |row| Ok(Some(left(some!(text.get(row)), some!(n.get(row))))))
//! ```

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, BooleanBuilder, ListArray, ListBuilder,
    PrimitiveArray, PrimitiveBuilder, StringViewArray, StringViewBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;
use std::sync::Arc;

/// The value, or null for the row.
macro_rules! some {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}
pub(super) use some;

/// What a function is called with.
pub(in crate::front) struct Args<'a> {
    name: &'static str,
    columns: Vec<(ArrayRef, bool)>,
    /// How many rows the answer has.
    pub rows: usize,
    /// The type of the answer.
    pub gives: &'a DataType,
}

/// An argument's values; a constant is the same in every row.
pub(super) struct Column<A> {
    pub array: A,
    constant: bool,
}

impl<A: Array> Column<A> {
    /// Where the value of a row is, unless it is null.
    pub(super) fn at(&self, row: usize) -> Option<usize> {
        let at = if self.constant { 0 } else { row };
        // A column of nulls has no bits that say so.
        let there = self.array.is_valid(at) && !matches!(self.array.data_type(), DataType::Null);
        there.then_some(at)
    }
}

impl Column<StringViewArray> {
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl Column<BinaryArray> {
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl Column<BooleanArray> {
    pub(super) fn get(&self, row: usize) -> Option<bool> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl<T: ArrowPrimitiveType> Column<PrimitiveArray<T>> {
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        self.at(row).map(|at| self.array.value(at))
    }
}

impl Column<ListArray> {
    pub(super) fn get(&self, row: usize) -> Option<ArrayRef> {
        self.at(row).map(|at| self.array.value(at))
    }

    /// The elements of a row among the values of all rows.
    pub(super) fn span(&self, row: usize) -> Option<std::ops::Range<usize>> {
        let at = self.at(row)?;
        let offsets = self.array.value_offsets();
        let bound = |i: usize| offsets.get(i).and_then(|o| usize::try_from(*o).ok());
        Some(bound(at)?..bound(at + 1)?)
    }
}

impl<'a> Args<'a> {
    pub(super) fn new(
        name: &'static str,
        args: &[ColumnarValue],
        rows: usize,
        gives: &'a DataType,
    ) -> Result<Args<'a>> {
        let columns = args.iter().map(|a| match a {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => Ok((value.to_array()?, true)),
        });
        Ok(Args { name, columns: columns.collect::<Result<_>>()?, rows, gives })
    }

    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The function's name, for errors.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether there is an argument at this place.
    pub(super) fn has(&self, at: usize) -> bool {
        at < self.columns.len()
    }

    /// The type of an argument.
    pub(super) fn type_of(&self, at: usize) -> &DataType {
        self.columns.get(at).map_or(&DataType::Null, |(array, _)| array.data_type())
    }

    /// An argument of any type.
    pub(super) fn any(&self, at: usize) -> Result<Column<ArrayRef>> {
        match self.columns.get(at) {
            Some((array, constant)) => Ok(Column { array: Arc::clone(array), constant: *constant }),
            None => exec_err!("{} wants more than {at} arguments", self.name),
        }
    }

    /// An argument with a value for each row.
    pub(super) fn full(&self, at: usize) -> Result<ArrayRef> {
        let column = self.any(at)?;
        if !column.constant {
            return Ok(column.array);
        }
        let zeros = arrow::array::UInt32Array::from(vec![0; self.rows]);
        Ok(arrow::compute::take(&column.array, &zeros, None)?)
    }

    fn typed<A: Array + Clone + 'static>(&self, at: usize, wanted: &DataType) -> Result<Column<A>> {
        let Column { array, constant } = self.any(at)?;
        let array = if array.data_type() == wanted { array } else { cast(&array, wanted)? };
        match array.as_any().downcast_ref::<A>() {
            Some(typed) => Ok(Column { array: typed.clone(), constant }),
            None => exec_err!("{}: argument {} is of type {}", self.name, at + 1, array.data_type()),
        }
    }

    pub(super) fn text(&self, at: usize) -> Result<Column<StringViewArray>> {
        self.typed(at, &DataType::Utf8View)
    }

    pub(super) fn int(&self, at: usize) -> Result<Column<PrimitiveArray<Int64Type>>> {
        self.typed(at, &DataType::Int64)
    }

    pub(super) fn float(&self, at: usize) -> Result<Column<PrimitiveArray<Float64Type>>> {
        self.typed(at, &DataType::Float64)
    }

    pub(super) fn bool(&self, at: usize) -> Result<Column<BooleanArray>> {
        self.typed(at, &DataType::Boolean)
    }

    pub(super) fn date(&self, at: usize) -> Result<Column<PrimitiveArray<Date32Type>>> {
        self.typed(at, &DataType::Date32)
    }

    /// Microseconds since 1970, of a date or a timestamp; those of an instant are UTC's.
    pub(super) fn stamp(&self, at: usize) -> Result<Column<PrimitiveArray<TimestampMicrosecondType>>> {
        let wanted = match self.type_of(at) {
            DataType::Timestamp(_, zone) => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone.clone()),
            _ => super::row::STAMP,
        };
        self.typed(at, &wanted)
    }

    pub(super) fn time(&self, at: usize) -> Result<Column<PrimitiveArray<Time64MicrosecondType>>> {
        self.typed(at, &DataType::Time64(arrow::datatypes::TimeUnit::Microsecond))
    }

    pub(super) fn interval(&self, at: usize) -> Result<Column<PrimitiveArray<IntervalMonthDayNanoType>>> {
        self.typed(at, &DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano))
    }

    pub(super) fn blob(&self, at: usize) -> Result<Column<BinaryArray>> {
        self.typed(at, &DataType::Binary)
    }

    pub(super) fn list(&self, at: usize) -> Result<Column<ListArray>> {
        let Column { array, constant } = self.any(at)?;
        let wanted = super::row::list_of(super::row::element(array.data_type()).cloned().unwrap_or(DataType::Null));
        let array = match array.data_type() {
            DataType::List(_) => array,
            _ => cast(&array, &wanted)?,
        };
        match array.as_list_opt::<i32>() {
            Some(list) => Ok(Column { array: list.clone(), constant }),
            None => exec_err!("{}: argument {} is no list", self.name, at + 1),
        }
    }

    /// The argument, or this where it was left out.
    pub(super) fn text_or(&self, at: usize, value: &str) -> Result<Column<StringViewArray>> {
        match self.has(at) {
            true => self.text(at),
            false => Ok(Column { array: StringViewArray::from(vec![value]), constant: true }),
        }
    }

    /// The argument, or this where it was left out.
    pub(super) fn int_or(&self, at: usize, value: i64) -> Result<Column<PrimitiveArray<Int64Type>>> {
        match self.has(at) {
            true => self.int(at),
            false => Ok(Column { array: PrimitiveArray::from(vec![value]), constant: true }),
        }
    }

    /// The argument, or this where it was left out.
    pub(super) fn bool_or(&self, at: usize, value: bool) -> Result<Column<BooleanArray>> {
        match self.has(at) {
            true => self.bool(at),
            false => Ok(Column { array: BooleanArray::from(vec![value]), constant: true }),
        }
    }
}

/// A text for each row.
pub(super) fn texts<S: AsRef<str>>(args: &Args, mut f: impl FnMut(usize) -> Result<Option<S>>) -> Result<ArrayRef> {
    let mut out = StringViewBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        out.append_option(f(row)?);
    }
    Ok(Arc::new(out.finish()))
}

/// A primitive value for each row, of the type that the call gives.
pub(super) fn primitives<T: ArrowPrimitiveType>(
    args: &Args,
    mut f: impl FnMut(usize) -> Result<Option<T::Native>>,
) -> Result<ArrayRef> {
    let mut out = PrimitiveBuilder::<T>::with_capacity(args.rows);
    for row in 0..args.rows {
        out.append_option(f(row)?);
    }
    Ok(Arc::new(out.finish().with_data_type(args.gives.clone())))
}

/// An integer for each row.
pub(super) fn ints(args: &Args, f: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    primitives::<Int64Type>(args, f)
}

/// A float for each row.
pub(super) fn floats(args: &Args, f: impl FnMut(usize) -> Result<Option<f64>>) -> Result<ArrayRef> {
    primitives::<Float64Type>(args, f)
}

/// A truth for each row.
pub(super) fn bools(args: &Args, mut f: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
    let mut out = BooleanBuilder::with_capacity(args.rows);
    for row in 0..args.rows {
        out.append_option(f(row)?);
    }
    Ok(Arc::new(out.finish()))
}

/// Bytes for each row.
pub(super) fn blobs(args: &Args, mut f: impl FnMut(usize) -> Result<Option<Vec<u8>>>) -> Result<ArrayRef> {
    let mut out = arrow::array::BinaryBuilder::new();
    for row in 0..args.rows {
        out.append_option(f(row)?);
    }
    Ok(Arc::new(out.finish()))
}

/// A list of texts for each row.
pub(super) fn text_lists(
    args: &Args,
    mut f: impl FnMut(usize) -> Result<Option<Vec<Option<String>>>>,
) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringViewBuilder::new());
    for row in 0..args.rows {
        match f(row)? {
            Some(items) => {
                items.iter().for_each(|item| out.values().append_option(item.as_deref()));
                out.append(true);
            }
            None => out.append(false),
        }
    }
    Ok(Arc::new(out.finish()))
}

impl<A> Column<A> {
    /// The column with other values for the same rows.
    pub(super) fn try_map<B>(self, f: impl FnOnce(A) -> Result<B>) -> Result<Column<B>> {
        Ok(Column { array: f(self.array)?, constant: self.constant })
    }
}

impl<A> Column<A> {
    /// A column with a value for each row.
    pub(super) fn all(array: A) -> Column<A> {
        Column { array, constant: false }
    }
}

impl<'a> Args<'a> {
    /// The same arguments for an answer of another type.
    pub(super) fn giving<'b>(&self, gives: &'b DataType) -> Args<'b> {
        Args { name: self.name, columns: self.columns.clone(), rows: self.rows, gives }
    }
}
