//! Values of one type as an array.

use super::kind::Kind;
use super::value::{Name, Value};
use crate::error::{Error, Result};
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, ListArray, MapArray,
    NullArray, StringViewArray, StructArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field, Fields};
use std::sync::Arc;

/// Digits of the widest decimal.
const DIGITS: u8 = 38;

/// The values of each field of some structs.
pub(super) fn fields(fields: &[(Name, Kind)], rows: &[&Value]) -> Result<Vec<ArrayRef>> {
    let column = |(i, (name, kind)): (usize, &(Name, Kind))| {
        let values: Vec<&Value> = rows.iter().map(|row| field(row, i, name)).collect();
        array(kind, &values)
    };
    fields.iter().enumerate().map(column).collect()
}

/// The field of a struct, most likely the `i`-th; null where it has none.
fn field<'a>(row: &'a Value, i: usize, name: &Name) -> &'a Value {
    let Value::Struct(fields) = row else { return &Value::Null };
    let expected = fields.get(i).filter(|(known, _)| known == name);
    expected.or_else(|| fields.iter().find(|(known, _)| known == name)).map_or(&Value::Null, |(_, value)| value)
}

fn array(kind: &Kind, values: &[&Value]) -> Result<ArrayRef> {
    Ok(match kind {
        Kind::Null => Arc::new(NullArray::new(values.len())),
        Kind::Bool => Arc::new(BooleanArray::from_iter(values.iter().map(|v| match v {
            Value::Bool(b) => Some(*b),
            _ => None,
        }))),
        Kind::Int(least, most) => integers(*least, *most, values)?,
        Kind::Float => Arc::new(Float64Array::from_iter(values.iter().map(|v| match v {
            Value::Float(x) => Some(*x),
            // Exact, as the kind knows.
            Value::Int(n) => Some(*n as f64),
            _ => None,
        }))),
        Kind::Text => Arc::new(StringViewArray::from_iter(values.iter().map(|v| match v {
            Value::Text(text) => Some(text),
            _ => None,
        }))),
        Kind::Bytes => Arc::new(BinaryViewArray::from_iter(values.iter().map(|v| match v {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }))),
        Kind::List(item) => {
            let lists: Vec<&[Value]> =
                values.iter().map(|v| if let Value::List(l) = v { l } else { &[][..] }).collect();
            let items: Vec<&Value> = lists.iter().flat_map(|list| list.iter()).collect();
            let items = array(item, &items)?;
            let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            Arc::new(ListArray::try_new(field, offsets(lists.iter().map(|l| l.len()))?, items, nulls(values))?)
        }
        Kind::Struct(kinds) => {
            let columns = fields(kinds, values)?;
            let names = kinds.iter().zip(&columns);
            let named: Fields =
                names.map(|((name, _), c)| Field::new(name.as_ref(), c.data_type().clone(), true)).collect();
            Arc::new(StructArray::try_new_with_length(named, columns, nulls(values), values.len())?)
        }
        Kind::Map(key, item) => map(key, item, values)?,
    })
}

fn nulls(values: &[&Value]) -> Option<NullBuffer> {
    let valid: NullBuffer = values.iter().map(|v| **v != Value::Null).collect::<Vec<_>>().into();
    Some(valid).filter(|n| n.null_count() > 0)
}

fn offsets(lengths: impl Iterator<Item = usize>) -> Result<OffsetBuffer<i32>> {
    let (mut offsets, mut at) = (vec![0i32], 0usize);
    for length in lengths {
        at += length;
        offsets.push(i32::try_from(at).map_err(|_| Error::resources("lists of more than 2147483647 values"))?);
    }
    Ok(OffsetBuffer::new(offsets.into()))
}

fn map(key: &Kind, item: &Kind, values: &[&Value]) -> Result<ArrayRef> {
    let maps: Vec<&[(Value, Value)]> = values.iter().map(|v| if let Value::Map(m) = v { m } else { &[][..] }).collect();
    let entries = || maps.iter().flat_map(|map| map.iter());
    let keys = array(key, &entries().map(|(k, _)| k).collect::<Vec<_>>())?;
    let items = array(item, &entries().map(|(_, v)| v).collect::<Vec<_>>())?;
    let fields = Fields::from(vec![
        Field::new("key", keys.data_type().clone(), false),
        Field::new("value", items.data_type().clone(), true),
    ]);
    let entries = StructArray::try_new(fields.clone(), vec![keys, items], None)?;
    let field = Arc::new(Field::new_struct("entries", fields, false));
    let ends = offsets(maps.iter().map(|m| m.len()))?;
    Ok(Arc::new(MapArray::try_new(field, ends, entries, nulls(values), false)?))
}

/// As wide as they must be.
fn integers(least: i128, most: i128, values: &[&Value]) -> Result<ArrayRef> {
    fn all<T: TryFrom<i128>>(values: &[&Value]) -> impl Iterator<Item = Option<T>> {
        values.iter().map(|v| if let Value::Int(n) = v { T::try_from(*n).ok() } else { None })
    }
    let fits = |low: i128, high: i128| low <= least && most <= high;
    if fits(i64::MIN.into(), i64::MAX.into()) {
        return Ok(Arc::new(Int64Array::from_iter(all::<i64>(values))));
    }
    if fits(0, u64::MAX.into()) {
        return Ok(Arc::new(UInt64Array::from_iter(all::<u64>(values))));
    }
    let wide = Decimal128Array::from_iter(all::<i128>(values)).with_precision_and_scale(DIGITS, 0)?;
    wide.validate_decimal_precision(DIGITS)?;
    Ok(Arc::new(wide))
}
