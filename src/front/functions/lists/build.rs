//! Lists made of numbers and of other lists: `range`, `generate_series`, `list_zip`.

use super::super::args::{Args, Column};
use super::super::row::{Gives, Row, STAMP, element, list_of};
use super::super::times::Moments;
use super::pick_from;
use arrow::array::{
    Array, ArrayBuilder, ArrayRef, Int64Builder, ListArray, ListBuilder, PrimitiveBuilder, StructArray,
};
use arrow::datatypes::{DataType, Field, TimestampMicrosecondType};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "range",
        "int, int?, int? | moment, moment, interval",
        Gives::By(series),
        range,
        "Numbers (or times) from a beginning (0) to an end, which is left out.",
        "range(1, 10, 3) --> [1, 4, 7]",
    ),
    Row::new(
        "generate_series",
        "int, int?, int? | moment, moment, interval",
        Gives::By(series),
        inclusive,
        "Numbers (or times) from a beginning (0) to an end, which is included.",
        "generate_series(1, 3) --> [1, 2, 3]",
    ),
    Row::new(
        "list_value",
        "like..",
        Gives::By(list_of_first),
        value,
        "A list of the arguments.",
        "list_value(1, 2) --> [1, 2]",
    )
    .also(&["list_pack", "unpivot_list", "array_value"]),
    Row::new(
        "list_zip",
        "list, any..",
        Gives::By(zipped),
        zip,
        "A list of structs of the elements at each place; a last argument of true cuts off at the shortest.",
        "list_zip([1, 2], ['a', 'b']) --> [{'c0': 1, 'c1': a}, {'c0': 2, 'c1': b}]",
    )
    .also(&["array_zip", "arrays_zip"]),
];

/// Most elements of one series.
const MOST: usize = 1 << 27;

fn series(types: &[DataType]) -> Result<DataType> {
    Ok(list_of(match types.first() {
        Some(DataType::Timestamp(_, Some(zone))) => {
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some(zone.clone()))
        }
        Some(DataType::Int64) | None => DataType::Int64,
        _ => STAMP,
    }))
}

fn list_of_first(types: &[DataType]) -> Result<DataType> {
    Ok(list_of(types.first().cloned().unwrap_or(DataType::Null)))
}

fn range(args: &Args) -> Result<ArrayRef> {
    steps(args, false)
}

fn inclusive(args: &Args) -> Result<ArrayRef> {
    steps(args, true)
}

fn steps(args: &Args, include: bool) -> Result<ArrayRef> {
    if !args.type_of(0).is_integer() {
        return times(args, include);
    }
    let (begin, end) = match args.has(1) {
        true => (args.int(0)?, args.int(1)?),
        false => (args.int_or(9, 0)?, args.int(0)?),
    };
    let step = args.int_or(2, 1)?;
    let mut out = ListBuilder::new(Int64Builder::new());
    for row in 0..args.rows {
        let (Some(begin), Some(end), Some(step)) = (begin.get(row), end.get(row), step.get(row)) else {
            out.append(false);
            continue;
        };
        let mut at = Some(begin);
        while let Some(value) = at.filter(|v| inside(*v, end, step, include)) {
            out.values().append_value(value);
            if out.values().len() > MOST {
                return exec_err!("{} would make more than {MOST} numbers", args.name());
            }
            at = value.checked_add(step);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

fn inside(value: i64, end: i64, step: i64, include: bool) -> bool {
    match step.signum() {
        0 => false,
        1 => value < end || (include && value == end),
        _ => value > end || (include && value == end),
    }
}

fn times(args: &Args, include: bool) -> Result<ArrayRef> {
    let (begin, end, step) = (Moments::new(args, 0)?, Moments::new(args, 1)?, args.interval(2)?);
    let item = element(args.gives).cloned().unwrap_or(STAMP);
    let mut out = ListBuilder::new(PrimitiveBuilder::<TimestampMicrosecondType>::new().with_data_type(item));
    for row in 0..args.rows {
        let (Some(first), Some(end), Some(step)) = (begin.get(row), end.get(row), step.get(row)) else {
            out.append(false);
            continue;
        };
        let direction = [i64::from(step.months), i64::from(step.days), step.nanoseconds];
        let up = direction.iter().all(|d| *d >= 0);
        if direction.iter().all(|d| *d == 0) || (!up && direction.iter().any(|d| *d > 0)) {
            return exec_err!("the step of a series of times must be all forward or all backward");
        }
        let mut at = Some(first);
        while let Some(value) = at.filter(|v| inside(*v, end, if up { 1 } else { -1 }, include)) {
            out.values().append_option(begin.back(value));
            if out.values().len() > MOST {
                return exec_err!("{} would make more than {MOST} times", args.name());
            }
            at = super::super::times::calendar::add(value, step).filter(|next| *next != value);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

fn value(args: &Args) -> Result<ArrayRef> {
    let columns = (0..args.len()).map(|at| args.any(at)).collect::<Result<Vec<_>>>()?;
    let arrays: Vec<&dyn Array> = columns.iter().map(|c| c.array.as_ref()).collect();
    if arrays.is_empty() {
        let one = arrow::array::new_null_array(&DataType::Null, 1);
        return pick_from(args, &one, |_, _| Ok(Some(())));
    }
    let all = arrow::compute::concat(&arrays)?;
    pick_from(args, &all, |row, out| {
        let mut begin = 0;
        for column in &columns {
            out.push(column.at(row).map(|at| begin + at));
            begin += column.array.len();
        }
        Ok(Some(()))
    })
}

fn zipped(types: &[DataType]) -> Result<DataType> {
    let lists = types.iter().filter_map(element).enumerate();
    let field = |(i, t): (usize, &DataType)| Field::new(format!("c{i}"), t.clone(), true);
    Ok(list_of(DataType::Struct(lists.map(field).collect())))
}

fn zip(args: &Args) -> Result<ArrayRef> {
    let lists: Vec<usize> = (0..args.len()).filter(|at| element(args.type_of(*at)).is_some()).collect();
    let cut = match lists.len() + 1 == args.len() {
        true => Some(args.bool(args.len() - 1)?),
        false if lists.len() == args.len() => None,
        false => return exec_err!("list_zip takes lists, and whether to cut off at the shortest"),
    };
    let columns = lists.iter().map(|at| args.list(*at)).collect::<Result<Vec<_>>>()?;
    let mut places: Vec<Vec<Option<u64>>> = vec![Vec::new(); columns.len()];
    let mut lengths = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let spans: Vec<_> = columns.iter().map(|c: &Column<ListArray>| c.span(row).unwrap_or(0..0)).collect();
        let sizes = spans.iter().map(|s| s.len());
        let short = cut.as_ref().and_then(|c| c.get(row)).unwrap_or(false);
        let length = if short { sizes.min() } else { sizes.max() }.unwrap_or(0);
        for (span, places) in spans.iter().zip(&mut places) {
            let found = span.clone().map(|i| Some(i as u64)).chain(std::iter::repeat(None));
            places.extend(found.take(length));
        }
        lengths.push(length);
    }
    let DataType::List(field) = args.gives else { return exec_err!("list_zip gives a list") };
    let DataType::Struct(fields) = field.data_type() else { return exec_err!("list_zip gives structs") };
    let taken = columns
        .iter()
        .zip(places)
        .map(|(c, p)| Ok(arrow::compute::take(c.array.values(), &arrow::array::UInt64Array::from(p), None)?));
    let inner = StructArray::try_new(fields.clone(), taken.collect::<Result<_>>()?, None)?;
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, Arc::new(inner), None)?))
}
