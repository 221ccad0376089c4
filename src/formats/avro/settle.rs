//! Avro's types as ours: text and bytes become views, enums text, times microseconds, and a union of several types what its
//! values have in common.
//!
//! A union of numbers is the widest of them. A union of anything else is the text of its values' JSON, as where the values
//! of a JSON file have nothing in common.

use crate::error::{Error, Result};
use crate::formats::text::json_value;
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, NullArray, StringViewBuilder, StructArray, UnionArray,
};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use std::sync::Arc;

/// The type in which we hold values of `own`.
pub(super) fn settled(own: &DataType) -> DataType {
    match own {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Dictionary(_, value) => settled(value),
        DataType::Time32(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::List(item) => DataType::List(settled_field(item)),
        DataType::Map(entries, sorted) => DataType::Map(settled_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(settled_fields(fields)),
        DataType::Union(branches, _) => common(branches.iter().map(|(_, field)| field)),
        other => other.clone(),
    }
}

fn settled_field(field: &FieldRef) -> FieldRef {
    let nullable = field.is_nullable() || matches!(field.data_type(), DataType::Union(..));
    Arc::new(Field::new(field.name(), settled(field.data_type()), nullable))
}

/// The fields without what the crate notes beside them.
pub(super) fn settled_fields(fields: &Fields) -> Fields {
    fields.iter().map(settled_field).collect()
}

/// What the values of a union have in common.
fn common<'a>(branches: impl Iterator<Item = &'a FieldRef>) -> DataType {
    let kinds: Vec<DataType> = branches.map(|f| settled(f.data_type())).filter(|t| *t != DataType::Null).collect();
    match kinds.as_slice() {
        [] => DataType::Null,
        [only] => only.clone(),
        kinds if kinds.iter().all(DataType::is_integer) => DataType::Int64,
        kinds if kinds.iter().all(|t| t.is_integer() || t.is_floating()) => DataType::Float64,
        _ => DataType::Utf8View,
    }
}

/// The values as type `to`, which is `settled` of theirs.
///
/// # Errors
/// Values that the type cannot hold.
pub(super) fn settle(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(array.clone()),
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = settle(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => Ok(Arc::new(structs(array.as_struct(), fields)?)),
        (DataType::Map(_, sorted), DataType::Map(entries, _)) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(Error::internal("a map whose entries are no structs"));
            };
            let map = array.as_map();
            let inside = structs(map.entries(), fields)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, inside, nulls, *sorted)?))
        }
        (DataType::Union(..), to) => union(array.as_union(), to),
        (_, to) => Ok(cast(array, to)?),
    }
}

fn structs(from: &StructArray, fields: &Fields) -> Result<StructArray> {
    let pairs = from.columns().iter().zip(fields);
    let columns = pairs.map(|(column, field)| settle(column, field.data_type())).collect::<Result<Vec<_>>>()?;
    Ok(match columns.is_empty() {
        true => StructArray::new_empty_fields(from.len(), from.nulls().cloned()),
        false => StructArray::try_new(fields.clone(), columns, from.nulls().cloned())?,
    })
}

fn union(array: &UnionArray, to: &DataType) -> Result<ArrayRef> {
    let DataType::Union(branches, _) = array.data_type() else {
        return Err(Error::internal("a union that is none"));
    };
    let (mut places, mut children) = ([usize::MAX; 128], Vec::new());
    for (id, field) in branches.iter() {
        if let Some(place) = usize::try_from(id).ok().and_then(|id| places.get_mut(id)) {
            *place = children.len();
        }
        children.push(settle(array.child(id), &settled(field.data_type()))?);
    }
    let place = |row: usize| {
        let child = usize::try_from(array.type_id(row)).ok().and_then(|id| places.get(id)).copied();
        (child.unwrap_or(usize::MAX), array.value_offset(row))
    };
    let known = children.iter().filter(|child| *child.data_type() != DataType::Null).count();
    if *to == DataType::Utf8View && known > 1 {
        return texts(array.len(), &children, place);
    }
    let children = children.iter().map(|child| as_type(child, to)).collect::<Result<Vec<_>>>()?;
    let refs: Vec<&dyn Array> = children.iter().map(AsRef::as_ref).collect();
    let places: Vec<(usize, usize)> = (0..array.len()).map(place).collect();
    if places.iter().any(|(child, _)| *child >= refs.len()) {
        return Err(Error::data("the file is corrupt: a value of a union is of none of its types"));
    }
    Ok(match refs.is_empty() {
        true => Arc::new(NullArray::new(array.len())),
        false => interleave(&refs, &places)?,
    })
}

fn as_type(child: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match child.data_type() {
        from if from == to => Ok(child.clone()),
        DataType::Null => Ok(arrow::array::new_null_array(to, child.len())),
        _ => Ok(cast(child, to)?),
    }
}

/// The values of a union as the text of their JSON.
fn texts(rows: usize, children: &[ArrayRef], place: impl Fn(usize) -> (usize, usize)) -> Result<ArrayRef> {
    let (mut texts, mut text) = (StringViewBuilder::with_capacity(rows), Vec::new());
    for row in 0..rows {
        let (child, at) = place(row);
        let child =
            children.get(child).ok_or_else(|| Error::data("the file is corrupt: a union of none of its types"))?;
        if child.data_type() == &DataType::Null || child.is_null(at) {
            texts.append_null();
            continue;
        }
        text.clear();
        json_value(child.as_ref(), at, &mut text)?;
        texts.try_append_value(String::from_utf8_lossy(&text))?;
    }
    Ok(Arc::new(texts.finish()))
}
