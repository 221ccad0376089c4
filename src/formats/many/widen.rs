//! The narrowest type that holds the values of two columns, and casting to it: `union_by_name`.
//!
//! The rule is that of inference ([`Kind`](crate::formats::values)): integers widen to decimals and floats, dates to
//! timestamps, and what has nothing in common is text. Structs have the fields of both, lists the items of both.

use crate::cells::Column;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewBuilder, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use std::sync::Arc;

/// What holds both.
pub(super) fn join(a: &DataType, b: &DataType) -> DataType {
    use DataType::*;
    match (a, b) {
        _ if a == b => a.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (List(a), List(b)) => List(Arc::new(joined_field(a, b))),
        (Struct(a), Struct(b)) => Struct(joined_fields(a, b)),
        (Date32, Timestamp(unit, None)) | (Timestamp(unit, None), Date32) => Timestamp(*unit, None),
        (Timestamp(a, zone), Timestamp(b, other)) if zone == other => Timestamp(finer(*a, *b), zone.clone()),
        _ if a.is_numeric() && b.is_numeric() => number(a, b),
        _ => Utf8View,
    }
}

fn joined_field(a: &FieldRef, b: &FieldRef) -> Field {
    Field::new(a.name(), join(a.data_type(), b.data_type()), true)
}

fn joined_fields(a: &Fields, b: &Fields) -> Fields {
    let of_a = a.iter().map(|field| match b.find(field.name()) {
        Some((_, other)) => joined_field(field, other),
        None => field.as_ref().clone().with_nullable(true),
    });
    let only_b = b.iter().filter(|field| a.find(field.name()).is_none());
    of_a.chain(only_b.map(|field| field.as_ref().clone().with_nullable(true))).collect()
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    let rank = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    if rank(&a) >= rank(&b) { a } else { b }
}

/// Digits before and behind the point that a type of exact numbers may have.
fn digits(of: &DataType) -> Option<(u8, u8)> {
    Some(match of {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
            let scale = u8::try_from(*s).ok()?;
            (p.saturating_sub(scale), scale)
        }
        _ => return None,
    })
}

fn number(a: &DataType, b: &DataType) -> DataType {
    let (Some((whole_a, scale_a)), Some((whole_b, scale_b))) = (digits(a), digits(b)) else {
        let single = |t: &DataType| matches!(t, DataType::Float16 | DataType::Float32);
        return if single(a) && single(b) { DataType::Float32 } else { DataType::Float64 };
    };
    if a.is_integer() && b.is_integer() {
        return integer(a, b);
    }
    let (whole, scale) = (whole_a.max(whole_b), scale_a.max(scale_b));
    match whole + scale {
        precision @ ..=38 => DataType::Decimal128(precision, scale as i8),
        _ => DataType::Float64,
    }
}

/// The narrowest integers; unsigned ones of 64 bits beside signed ones are decimals.
fn integer(a: &DataType, b: &DataType) -> DataType {
    use DataType::*;
    let bits = |t: &DataType| t.primitive_width().unwrap_or(8);
    let (wide, narrow) = if bits(a) >= bits(b) { (a, b) } else { (b, a) };
    if wide.is_signed_integer() == narrow.is_signed_integer() {
        return wide.clone();
    }
    // A signed one that is wider than the unsigned one holds both; else one of twice the width does.
    let unsigned = if a.is_unsigned_integer() { bits(a) } else { bits(b) };
    match (wide.is_signed_integer() && bits(wide) > unsigned, unsigned) {
        (true, _) => wide.clone(),
        (false, 1) => Int16,
        (false, 2) => Int32,
        (false, 4) => Int64,
        _ => Decimal128(20, 0),
    }
}

/// The values of `array` in the wider type.
///
/// # Errors
/// A value that does not fit; types that [`join`] does not lead to.
pub(super) fn widened(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (own, to) if own == to => Ok(array.clone()),
        (DataType::Null, to) => Ok(new_null_array(to, array.len())),
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = widened(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => structs(array.as_struct(), fields),
        (_, DataType::Utf8View) => text(array),
        (own, to) => {
            let strict = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, to, &strict)
                .map_err(|e| Error::data(format!("a value of type {own} does not fit {to}")).because(e))
        }
    }
}

fn structs(array: &StructArray, fields: &Fields) -> Result<ArrayRef> {
    let column = |field: &FieldRef| match array.column_by_name(field.name()) {
        Some(column) => widened(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), array.len())),
    };
    let columns = fields.iter().map(column).collect::<Result<_>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len())?))
}

fn text(array: &ArrayRef) -> Result<ArrayRef> {
    let cells = Column::new(array.as_ref())?;
    let mut made = StringViewBuilder::with_capacity(array.len());
    let mut buffer = Vec::new();
    for row in 0..array.len() {
        buffer.clear();
        cells.text(row, &mut buffer);
        made.append_option((!cells.is_null(row)).then(|| String::from_utf8_lossy(&buffer)));
    }
    Ok(Arc::new(made.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::*;
    use arrow::array::{BooleanArray, Int32Array};

    #[test]
    fn a_lattice_of_plain_types() {
        let micros = |zone: Option<&str>| Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        let all = [
            Null,
            Boolean,
            Int8,
            Int16,
            Int32,
            Int64,
            UInt8,
            UInt16,
            UInt32,
            Decimal128(12, 2),
            Float32,
            Float64,
            Date32,
            micros(None),
            micros(Some("UTC")),
            Utf8View,
        ];
        for a in &all {
            assert_eq!((join(a, a), join(a, &Null), join(a, &Utf8View)), (a.clone(), a.clone(), Utf8View));
            for b in &all {
                assert_eq!(join(a, b), join(b, a), "{a} {b}");
            }
        }
        let cases = [
            (Int32, Int64, Int64),
            (UInt32, Int32, Int64),
            (UInt64, Int8, Decimal128(20, 0)),
            (UInt8, Int32, Int32),
            (Int32, Decimal128(12, 2), Decimal128(12, 2)),
            (Int64, Decimal128(12, 2), Decimal128(21, 2)),
            (Int64, Float32, Float64),
            (Date32, micros(None), micros(None)),
            (Boolean, Int64, Utf8View),
        ];
        for (a, b, wanted) in cases {
            assert_eq!(join(&a, &b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn values_are_kept() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let floats = widened(&ints, &Float64).unwrap();
        assert_eq!((floats.as_primitive::<arrow::datatypes::Float64Type>().value(0), floats.is_null(1)), (1.0, true));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        assert_eq!(widened(&flags, &Utf8View).unwrap().as_string_view().value(1), "false");
        let a = Struct(vec![Field::new("x", Int32, true)].into());
        let b = Struct(vec![Field::new("y", Utf8View, true), Field::new("x", Int64, true)].into());
        let both = join(&a, &b);
        let Struct(fields) = &both else { panic!("{both}") };
        let one: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(Field::new("x", Int32, true)), ints)]));
        let wide = widened(&one, &both).unwrap();
        assert_eq!((fields.len(), wide.as_struct().column(1).null_count(), wide.data_type()), (2, 2, &both));
    }
}
