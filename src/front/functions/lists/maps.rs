//! Maps: values by key, maps joined and made of entries.

use super::super::args::{Args, Column, bools, some};
use super::super::cast::convert;
use super::super::row::{Gives, Row, element, list_of};
use super::{Keys, pick_from};
use arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result, exec_err, plan_err};
use std::ops::Range;
use std::sync::Arc;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "map_extract",
        "map, any",
        Gives::By(values_type),
        extract,
        "A list of the value of a key; empty where it is not there.",
        "map_extract(MAP {'a': 1}, 'a') --> [1]",
    )
    .also(&["element_at"]),
    Row::new(
        "map_extract_value",
        "map, any",
        Gives::By(value_type),
        extract_value,
        "The value of a key; null where it is not there.",
        "map_extract_value(MAP {'a': 1}, 'z') --> NULL",
    ),
    Row::new(
        "map_contains",
        "map, any",
        Gives::Bool,
        contains,
        "Whether a key is there.",
        "map_contains(MAP {'a': 1}, 'a') --> true",
    ),
    Row::new(
        "map_contains_value",
        "map, any",
        Gives::Bool,
        contains_value,
        "Whether a value is there.",
        "map_contains_value(MAP {'a': 1}, 1) --> true",
    ),
    Row::new(
        "map_contains_entry",
        "map, any, any",
        Gives::Bool,
        contains_entry,
        "Whether a key has a value.",
        "map_contains_entry(MAP {'a': 1}, 'a', 1) --> true",
    ),
    Row::new(
        "map_concat",
        "map, map..",
        Gives::Same(0),
        join,
        "One map of the entries of all; the last one of a key counts.",
        "map_concat(MAP {'a': 1}, MAP {'a': 2, 'b': 3}) --> {a=2, b=3}",
    ),
    Row::new(
        "map_from_entries",
        "list",
        Gives::By(entries_map),
        from_entries,
        "A map of a list of structs of a key and a value.",
        "map_from_entries([{'k': 'a', 'v': 1}]) --> {a=1}",
    ),
];

/// The types of keys and values.
fn entry(t: Option<&DataType>) -> Result<(&DataType, &DataType)> {
    if let Some(DataType::Map(entries, _)) = t
        && let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = fields.as_ref()
    {
        return Ok((key.data_type(), value.data_type()));
    }
    plan_err!("a map is wanted")
}

fn value_type(types: &[DataType]) -> Result<DataType> {
    Ok(entry(types.first())?.1.clone())
}

fn values_type(types: &[DataType]) -> Result<DataType> {
    Ok(list_of(value_type(types)?))
}

/// A map argument.
fn map_of(args: &Args, at: usize) -> Result<Column<MapArray>> {
    args.any(at)?.try_map(|array| match array.as_map_opt() {
        Some(map) => Ok(map.clone()),
        None => exec_err!("{}: argument {} is no map", args.name(), at + 1),
    })
}

impl Column<MapArray> {
    /// Where a row's entries are.
    fn span(&self, row: usize) -> Option<Range<usize>> {
        let at = self.at(row)?;
        let bound = |i: usize| self.array.value_offsets().get(i).and_then(|o| usize::try_from(*o).ok());
        Some(bound(at)?..bound(at + 1)?)
    }
}

/// Where the value of a row, cast to the type of `among`, is found in it.
fn finder<'a>(
    args: &'a Args,
    among: &ArrayRef,
    value_at: usize,
) -> Result<impl Fn(usize, Range<usize>) -> Option<usize> + use<'a>> {
    let wanted = args.any(value_at)?.try_map(|array| convert(&array, among.data_type(), true))?;
    let keys = Keys::new(&[among, &wanted.array])?;
    let base = among.len();
    Ok(move |row: usize, mut span: Range<usize>| {
        let key = keys.get(base + wanted.at(row)?)?;
        span.find(|i| keys.any(*i) == key)
    })
}

fn extract(args: &Args) -> Result<ArrayRef> {
    let map = map_of(args, 0)?;
    let find = finder(args, map.array.keys(), 1)?;
    pick_from(args, map.array.values(), |row, out| {
        if let Some(span) = map.span(row) {
            out.extend(find(row, span).map(Some));
        }
        Ok(Some(()))
    })
}

fn extract_value(args: &Args) -> Result<ArrayRef> {
    let map = map_of(args, 0)?;
    let find = finder(args, map.array.keys(), 1)?;
    let places: UInt64Array =
        (0..args.rows).map(|row| map.span(row).and_then(|span| find(row, span)).map(|p| p as u64)).collect();
    Ok(take(map.array.values(), &places, None)?)
}

fn contains(args: &Args) -> Result<ArrayRef> {
    let map = map_of(args, 0)?;
    let find = finder(args, map.array.keys(), 1)?;
    bools(args, |row| Ok(Some(find(row, some!(map.span(row))).is_some())))
}

fn contains_value(args: &Args) -> Result<ArrayRef> {
    let map = map_of(args, 0)?;
    let find = finder(args, map.array.values(), 1)?;
    bools(args, |row| Ok(Some(find(row, some!(map.span(row))).is_some())))
}

fn contains_entry(args: &Args) -> Result<ArrayRef> {
    let map = map_of(args, 0)?;
    let key = finder(args, map.array.keys(), 1)?;
    let value = finder(args, map.array.values(), 2)?;
    bools(args, |row| {
        let Some(at) = key(row, some!(map.span(row))) else { return Ok(Some(false)) };
        Ok(Some(value(row, at..at + 1).is_some()))
    })
}

/// Maps of entries taken from `keys` and `values`, each row's places given; null where there are none.
fn build(args: &Args, keys: &ArrayRef, values: &ArrayRef, rows: Vec<Option<Vec<usize>>>) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = args.gives else { return exec_err!("{} gives a map", args.name()) };
    let DataType::Struct(fields) = entries.data_type() else { return exec_err!("{} gives a map", args.name()) };
    let places: UInt64Array = rows.iter().flatten().flatten().map(|p| Some(*p as u64)).collect();
    let columns = fields.iter().zip([keys, values]);
    let columns = columns.map(|(f, c)| convert(&take(c, &places, None)?, f.data_type(), false));
    let inner = StructArray::try_new(fields.clone(), columns.collect::<Result<_>>()?, None)?;
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|r| r.as_ref().map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, inner, Some(nulls), *sorted)?))
}

fn join(args: &Args) -> Result<ArrayRef> {
    let maps = (0..args.len()).map(|at| map_of(args, at)).collect::<Result<Vec<_>>>()?;
    let (key_type, value_type) = entry(Some(args.gives))?;
    let same = |column: &ArrayRef, t: &DataType| convert(column, t, false);
    let keys = maps.iter().map(|m| same(m.array.keys(), key_type)).collect::<Result<Vec<_>>>()?;
    let values = maps.iter().map(|m| same(m.array.values(), value_type)).collect::<Result<Vec<_>>>()?;
    let all = |columns: &[ArrayRef]| concat(&columns.iter().map(|c| c.as_ref()).collect::<Vec<&dyn Array>>());
    let (all_keys, all_values) = (all(&keys)?, all(&values)?);
    let compared = Keys::new(&[&all_keys])?;
    let mut rows = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let (mut found, mut begin, mut any): (Vec<usize>, usize, bool) = (Vec::new(), 0, false);
        for map in &maps {
            any |= map.span(row).is_some();
            for at in map.span(row).into_iter().flatten().map(|i| begin + i) {
                match found.iter_mut().find(|f| compared.any(**f) == compared.any(at)) {
                    Some(old) => *old = at,
                    None => found.push(at),
                }
            }
            begin += map.array.keys().len();
        }
        rows.push(any.then_some(found));
    }
    build(args, &all_keys, &all_values, rows)
}

fn entries_map(types: &[DataType]) -> Result<DataType> {
    let fields = match types.first().and_then(element) {
        Some(DataType::Struct(fields)) if fields.len() == 2 => fields,
        _ => return plan_err!("map_from_entries takes a list of structs of a key and a value"),
    };
    let [key, value] = fields.as_ref() else { return plan_err!("a key and a value") };
    let fields = Fields::from(vec![
        Field::new("key", key.data_type().clone(), false),
        Field::new("value", value.data_type().clone(), true),
    ]);
    Ok(DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false))
}

fn from_entries(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    let Some(entries) = list.array.values().as_struct_opt() else { return exec_err!("no list of structs") };
    let [keys, values] = entries.columns() else { return exec_err!("a key and a value are wanted") };
    let compared = Keys::new(&[keys])?;
    let mut rows = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let Some(span) = list.span(row) else {
            rows.push(None);
            continue;
        };
        let mut seen = std::collections::HashSet::new();
        for at in span.clone() {
            match compared.get(at) {
                None => return exec_err!("a key of a map is null"),
                Some(key) if !seen.insert(key) => return exec_err!("a key of a map is there twice"),
                Some(_) => {}
            }
        }
        rows.push(Some(span.collect()));
    }
    build(args, keys, values, rows)
}
