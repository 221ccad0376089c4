//! Rust functions over single values as scalar functions: `|x: i64, unit: &str| x * 2`.
//!
//! The types of arguments and result are read off the function's own type. An argument that is no `Option` is never null:
//! for a row with a null there the function is not called, and the result is null, as SQL's own functions have it.
//!
//! How a closure's type is read: `F: Fn(A) -> R` says what `A` is, and `for<'a> Fn(A::Value<'a>) -> R` is how it is
//! called, with text that is borrowed from the column.

use super::ScalarFunction;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, PrimitiveArray, PrimitiveBuilder};
use arrow::array::{BinaryViewArray, BinaryViewBuilder, StringViewArray, StringViewBuilder};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use chrono::{NaiveDate, NaiveDateTime};
use std::fmt::Display;
use std::sync::Arc;

/// A type of arguments of a [`TypedFunction`].
pub trait Argument {
    /// The same with the lifetime of a column.
    type Value<'a>;
    /// The column that it comes from.
    type Column: Array;
    /// Whether it can be null.
    const NULLS: bool = false;

    /// The column's type.
    fn data_type() -> DataType;

    /// A column of that type.
    fn column(array: &ArrayRef) -> Option<Self::Column>;

    /// The value of a row, which is not null unless `NULLS`. `None`, if it has no form in Rust.
    fn value(column: &Self::Column, row: usize) -> Option<Self::Value<'_>>;
}

/// A type of results of a [`TypedFunction`].
pub trait Returned: Sized {
    /// Gathers a column of results.
    type Builder;

    /// The column's type.
    fn data_type() -> DataType;

    /// A builder of a column.
    fn builder(rows: usize) -> Self::Builder;

    /// Adds a value, or null.
    ///
    /// # Errors
    /// What the value says, if it is an error.
    fn add(value: Option<Self>, to: &mut Self::Builder) -> Result<()>;

    /// The column.
    fn finish(builder: Self::Builder) -> ArrayRef;
}

/// A Rust function of up to six arguments that can be called from queries. `Shape` is its own type.
pub trait TypedFunction<Shape>: Send + Sync + 'static {
    /// As a function over columns.
    fn over_columns(self) -> ScalarFunction;
}

macro_rules! primitive {
    ($($rust:ty: $arrow:ty),*) => {$(
        impl Argument for $rust {
            type Value<'a> = $rust;
            type Column = PrimitiveArray<$arrow>;

            fn data_type() -> DataType {
                <$arrow as ArrowPrimitiveType>::DATA_TYPE
            }

            fn column(array: &ArrayRef) -> Option<Self::Column> {
                array.as_primitive_opt::<$arrow>().cloned()
            }

            fn value(column: &Self::Column, row: usize) -> Option<$rust> {
                Some(column.value(row))
            }
        }

        impl Returned for $rust {
            type Builder = PrimitiveBuilder<$arrow>;

            fn data_type() -> DataType {
                <$arrow as ArrowPrimitiveType>::DATA_TYPE
            }

            fn builder(rows: usize) -> Self::Builder {
                PrimitiveBuilder::with_capacity(rows)
            }

            fn add(value: Option<Self>, to: &mut Self::Builder) -> Result<()> {
                to.append_option(value);
                Ok(())
            }

            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

primitive!(
    i8: Int8Type, i16: Int16Type, i32: Int32Type, i64: Int64Type,
    u8: UInt8Type, u16: UInt16Type, u32: UInt32Type, u64: UInt64Type,
    f32: Float32Type, f64: Float64Type
);

impl Argument for bool {
    type Value<'a> = bool;
    type Column = BooleanArray;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn column(array: &ArrayRef) -> Option<BooleanArray> {
        array.as_boolean_opt().cloned()
    }

    fn value(column: &BooleanArray, row: usize) -> Option<bool> {
        Some(column.value(row))
    }
}

impl Returned for bool {
    type Builder = BooleanBuilder;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn builder(rows: usize) -> BooleanBuilder {
        BooleanBuilder::with_capacity(rows)
    }

    fn add(value: Option<Self>, to: &mut BooleanBuilder) -> Result<()> {
        to.append_option(value);
        Ok(())
    }

    fn finish(mut builder: BooleanBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

macro_rules! viewed {
    ($borrowed:ty, $owned:ty: $array:ty, $builder:ty, $data_type:expr, $cast:ident) => {
        impl<'s> Argument for &'s $borrowed {
            type Value<'a> = &'a $borrowed;
            type Column = $array;

            fn data_type() -> DataType {
                $data_type
            }

            fn column(array: &ArrayRef) -> Option<$array> {
                array.$cast().cloned()
            }

            fn value(column: &$array, row: usize) -> Option<&$borrowed> {
                Some(column.value(row))
            }
        }

        impl Returned for $owned {
            type Builder = $builder;

            fn data_type() -> DataType {
                $data_type
            }

            fn builder(rows: usize) -> $builder {
                <$builder>::with_capacity(rows)
            }

            fn add(value: Option<Self>, to: &mut $builder) -> Result<()> {
                to.append_option(value);
                Ok(())
            }

            fn finish(mut builder: $builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    };
}

viewed!(str, String: StringViewArray, StringViewBuilder, DataType::Utf8View, as_string_view_opt);
viewed!([u8], Vec<u8>: BinaryViewArray, BinaryViewBuilder, DataType::BinaryView, as_binary_view_opt);

macro_rules! temporal {
    ($rust:ty: $arrow:ty, $data_type:expr, $from:expr, $to:expr) => {
        impl Argument for $rust {
            type Value<'a> = $rust;
            type Column = PrimitiveArray<$arrow>;

            fn data_type() -> DataType {
                $data_type
            }

            fn column(array: &ArrayRef) -> Option<Self::Column> {
                array.as_primitive_opt::<$arrow>().cloned()
            }

            fn value(column: &Self::Column, row: usize) -> Option<$rust> {
                $from(column.value(row))
            }
        }

        impl Returned for $rust {
            type Builder = PrimitiveBuilder<$arrow>;

            fn data_type() -> DataType {
                $data_type
            }

            fn builder(rows: usize) -> Self::Builder {
                PrimitiveBuilder::with_capacity(rows)
            }

            fn add(value: Option<Self>, to: &mut Self::Builder) -> Result<()> {
                to.append_option(value.map($to));
                Ok(())
            }

            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    };
}

temporal!(NaiveDate: Date32Type, DataType::Date32, |days| date32_to_datetime(days).map(|t| t.date()), |date| {
    Date32Type::from_naive_date(date)
});
temporal!(
    NaiveDateTime: TimestampMicrosecondType,
    TimestampMicrosecondType::DATA_TYPE,
    timestamp_us_to_datetime,
    |time: NaiveDateTime| time.and_utc().timestamp_micros()
);

impl<A: Argument> Argument for Option<A> {
    type Value<'a> = Option<A::Value<'a>>;
    type Column = A::Column;
    const NULLS: bool = true;

    fn data_type() -> DataType {
        A::data_type()
    }

    fn column(array: &ArrayRef) -> Option<Self::Column> {
        A::column(array)
    }

    fn value(column: &Self::Column, row: usize) -> Option<Self::Value<'_>> {
        if column.is_null(row) { Some(None) } else { A::value(column, row).map(Some) }
    }
}

impl<R: Returned> Returned for Option<R> {
    type Builder = R::Builder;

    fn data_type() -> DataType {
        R::data_type()
    }

    fn builder(rows: usize) -> Self::Builder {
        R::builder(rows)
    }

    fn add(value: Option<Self>, to: &mut Self::Builder) -> Result<()> {
        R::add(value.flatten(), to)
    }

    fn finish(builder: Self::Builder) -> ArrayRef {
        R::finish(builder)
    }
}

/// An error ends the query.
impl<R: Returned, E: Display> Returned for Result<R, E> {
    type Builder = R::Builder;

    fn data_type() -> DataType {
        R::data_type()
    }

    fn builder(rows: usize) -> Self::Builder {
        R::builder(rows)
    }

    fn add(value: Option<Self>, to: &mut Self::Builder) -> Result<()> {
        R::add(value.transpose().map_err(|e| Error::query(e.to_string()))?, to)
    }

    fn finish(builder: Self::Builder) -> ArrayRef {
        R::finish(builder)
    }
}

/// Whether the function is not called for a row: a null is no value of the argument.
pub(super) fn is_null<A: Argument>(column: &A::Column, row: usize) -> bool {
    !A::NULLS && column.is_null(row)
}

pub(super) fn column<A: Argument>(columns: &mut std::slice::Iter<'_, ArrayRef>) -> Result<A::Column> {
    let column = columns.next().and_then(A::column);
    column.ok_or_else(|| Error::internal(format!("an argument that is not {}", A::data_type())))
}

pub(super) fn value<A: Argument>(column: &A::Column, row: usize) -> Result<A::Value<'_>> {
    A::value(column, row).ok_or_else(|| Error::query("a date or a time that is beyond the calendar"))
}

macro_rules! function {
    ($($arg:ident $column:ident),*) => {
        impl<F, R, $($arg),*> TypedFunction<fn($($arg),*) -> R> for F
        where
            $($arg: Argument,)*
            R: Returned,
            F: Fn($($arg),*) -> R + for<'a> Fn($($arg::Value<'a>),*) -> R + Send + Sync + 'static,
        {
            fn over_columns(self) -> ScalarFunction {
                ScalarFunction::new(&[$($arg::data_type()),*], R::data_type(), move |columns, rows| {
                    let mut _columns = columns.iter();
                    $(let $column = column::<$arg>(&mut _columns)?;)*
                    let call = |_row: usize| -> Result<R> { Ok((self)($(value::<$arg>(&$column, _row)?),*)) };
                    let mut made = R::builder(rows);
                    for row in 0..rows {
                        let null = false $(|| is_null::<$arg>(&$column, row))*;
                        R::add(if null { None } else { Some(call(row)?) }, &mut made)?;
                    }
                    Ok(R::finish(made))
                })
            }
        }
    };
}

function!();
function!(A a);
function!(A a, B b);
function!(A a, B b, C c);
function!(A a, B b, C c, D d);
function!(A a, B b, C c, D d, E e);
function!(A a, B b, C c, D d, E e, G g);
