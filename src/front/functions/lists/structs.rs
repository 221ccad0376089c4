//! Structs: their fields read, added, replaced.
//!
//! `struct_insert(s, a := 1)` comes here as `struct_insert(s, 'a', 1)`: see [syntax](super::super::syntax).

use super::super::args::{Args, text_lists};
use super::super::row::{Gives, Row};
use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use std::sync::Arc;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "struct_extract",
        "struct, text | struct, int",
        Gives::ByValues(extracted),
        extract,
        "The field of this name, or at this place.",
        "struct_extract({'a': 1}, 'a') --> 1",
    )
    .also(&["struct_extract_at"]),
    Row::new(
        "struct_insert",
        "struct, any..",
        Gives::ByValues(inserted),
        insert,
        "The struct with more fields.",
        "struct_insert({'a': 1}, b := 2) --> {'a': 1, 'b': 2}",
    ),
    Row::new(
        "struct_update",
        "struct, any..",
        Gives::ByValues(inserted),
        insert,
        "The struct with other values of fields, or more fields.",
        "struct_update({'a': 1}, a := 2) --> {'a': 2}",
    ),
    Row::new(
        "struct_concat",
        "struct, struct..",
        Gives::By(joined),
        concat,
        "One struct of the fields of all.",
        "struct_concat({'a': 1}, {'b': 2}) --> {'a': 1, 'b': 2}",
    ),
    Row::new(
        "struct_keys",
        "struct",
        Gives::Texts,
        keys,
        "The names of the fields.",
        "struct_keys({'a': 1, 'b': 2}) --> [a, b]",
    ),
];

fn fields(t: Option<&DataType>) -> Result<&[FieldRef]> {
    match t {
        Some(DataType::Struct(fields)) => Ok(fields),
        _ => plan_err!("a struct is wanted"),
    }
}

/// The place of the field that a constant names.
fn place(fields: &[FieldRef], value: Option<&ScalarValue>) -> Result<usize> {
    let by_name = |name: &str| {
        let exact = fields.iter().position(|f| f.name() == name);
        exact.or_else(|| fields.iter().position(|f| f.name().eq_ignore_ascii_case(name)))
    };
    let found = match value {
        Some(ScalarValue::Int64(Some(at))) => usize::try_from(*at - 1).ok().filter(|at| *at < fields.len()),
        Some(value) => value.try_as_str().flatten().and_then(by_name),
        None => return plan_err!("the field of a struct must be named by a constant"),
    };
    match (found, value) {
        (Some(at), _) => Ok(at),
        (None, value) => {
            let names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
            let value = value.map(ScalarValue::to_string).unwrap_or_default();
            plan_err!("the struct has no field {value}: {}", names.join(", "))
        }
    }
}

fn extracted(types: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    let fields = fields(types.first())?;
    let at = place(fields, values.get(1).copied().flatten())?;
    Ok(fields.get(at).map_or(DataType::Null, |f| f.data_type().clone()))
}

fn structure(args: &Args, at: usize) -> Result<StructArray> {
    let array = args.full(at)?;
    match array.as_struct_opt() {
        Some(found) => Ok(found.clone()),
        None => exec_err!("{}: argument {} is no struct", args.name(), at + 1),
    }
}

fn extract(args: &Args) -> Result<ArrayRef> {
    let from = structure(args, 0)?;
    let name = ScalarValue::try_from_array(&args.any(1)?.array, 0)?;
    let at = place(from.fields(), Some(&name))?;
    let Some(column) = from.columns().get(at) else { return exec_err!("no field {name}") };
    // A null struct has null fields.
    let nulls = NullBuffer::union(from.nulls(), column.nulls());
    match column.data_type() {
        DataType::Null => Ok(Arc::clone(column)),
        _ => Ok(arrow::array::make_array(column.to_data().into_builder().nulls(nulls).build()?)),
    }
}

/// Fields by name, in their order; a later one of the same name takes the place of the earlier.
fn put<T>(all: &mut Vec<(String, T)>, name: &str, value: T) {
    match all.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        Some((_, old)) => *old = value,
        None => all.push((name.to_string(), value)),
    }
}

fn inserted(types: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    let mut all: Vec<(String, DataType)> =
        fields(types.first())?.iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
    for (i, t) in types.iter().enumerate().skip(2).step_by(2) {
        match values.get(i - 1).copied().flatten().and_then(|v| v.try_as_str().flatten()) {
            Some(name) => put(&mut all, name, t.clone()),
            None => return plan_err!("fields are named: struct_insert(s, name := value)"),
        }
    }
    if types.len() < 3 || types.len().is_multiple_of(2) {
        return plan_err!("fields are named: struct_insert(s, name := value)");
    }
    Ok(DataType::Struct(all.into_iter().map(|(name, t)| Field::new(name, t, true)).collect()))
}

fn insert(args: &Args) -> Result<ArrayRef> {
    let from = structure(args, 0)?;
    let names = from.fields().iter().map(|f| f.name().clone());
    let mut all: Vec<(String, ArrayRef)> = names.zip(from.columns().iter().cloned()).collect();
    for at in (2..args.len()).step_by(2) {
        let name = args.text(at - 1)?;
        put(&mut all, name.get(0).unwrap_or_default(), args.full(at)?);
    }
    build(args, all, None)
}

fn build(args: &Args, all: Vec<(String, ArrayRef)>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = args.gives else { return exec_err!("{} gives a struct", args.name()) };
    let columns = all.into_iter().map(|(_, column)| column).collect();
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?))
}

fn joined(types: &[DataType]) -> Result<DataType> {
    let mut all: Vec<FieldRef> = Vec::new();
    for t in types {
        for field in fields(Some(t))? {
            if all.iter().any(|f| f.name().eq_ignore_ascii_case(field.name())) {
                return plan_err!("two structs have a field {:?}", field.name());
            }
            all.push(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
    }
    Ok(DataType::Struct(all.into()))
}

fn concat(args: &Args) -> Result<ArrayRef> {
    let mut all = Vec::new();
    for at in 0..args.len() {
        let from = structure(args, at)?;
        all.extend(from.fields().iter().map(|f| f.name().clone()).zip(from.columns().iter().cloned()));
    }
    build(args, all, None)
}

fn keys(args: &Args) -> Result<ArrayRef> {
    let from = args.any(0)?;
    let names: Vec<Option<String>> = fields(Some(args.type_of(0)))?.iter().map(|f| Some(f.name().clone())).collect();
    text_lists(args, |row| Ok(from.at(row).map(|_| names.clone())))
}
