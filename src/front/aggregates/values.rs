//! Functions that give back values that are there: the ones that are first, most often, all of them.

use super::declared::{Row, list, row};
use arrow::datatypes::{DataType, Field};
use datafusion_expr::type_coercion::binary::type_union_resolution;
use std::sync::Arc;

/// The functions.
pub(super) const TABLE: &[Row] = &[
    BY,
    row(&["arg_min_null", "arg_max_null"], by_null),
    MODE,
    row(&["histogram"], histogram),
    row(&["approx_top_k"], top),
    row(&["string_agg", "group_concat", "listagg"], joined),
];

pub(super) const BY: Row = row(&["arg_min", "argmin", "min_by", "arg_max", "argmax", "max_by"], by);
pub(super) const MODE: Row = Row { names: &["mode"], types: mode, within_group: true };

fn by(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    match types {
        [value, key] => Some((vec![value.clone(), key.clone()], value.clone())),
        [value, key, n] if n.is_integer() => Some((vec![value.clone(), key.clone(), DataType::Int64], list(value))),
        _ => None,
    }
}

fn by_null(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    by(types).filter(|_| types.len() == 2)
}

/// WITHIN GROUP puts what it orders by in front.
fn mode(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    match types {
        [value] => Some((types.to_vec(), value.clone())),
        [_, value] => Some((types.to_vec(), value.clone())),
        _ => None,
    }
}

fn histogram(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let (value, types) = match types {
        [value] => (value.clone(), types.to_vec()),
        [value, DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)] => {
            let value = type_union_resolution(&[value.clone(), item.data_type().clone()])?;
            (value.clone(), vec![value.clone(), list(&value)])
        }
        _ => return None,
    };
    let (key, count) = (Field::new("key", value, false), Field::new("value", DataType::UInt64, true));
    let entries = Field::new("entries", DataType::Struct(vec![key, count].into()), false);
    Some((types, DataType::Map(Arc::new(entries), false)))
}

fn top(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    match types {
        [value, n] if n.is_integer() => Some((vec![value.clone(), DataType::Int64], list(value))),
        _ => None,
    }
}

/// The value stays what it is, since it may be ordered by; it becomes a text when it is joined.
fn joined(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let text = |t: &DataType| !t.is_nested() || t.is_null();
    match types {
        [value] if text(value) => Some((types.to_vec(), DataType::Utf8View)),
        [value, separator] if text(value) && text(separator) => {
            Some((vec![value.clone(), DataType::Utf8View], DataType::Utf8View))
        }
        _ => None,
    }
}
