//! What is in a list, and lists with more or fewer elements.

use super::super::args::{Args, Column, bools, primitives, some};
use super::super::row::{Gives, Row};
use super::{Keys, pick, pick_from};
use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::Result;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "list_contains",
        "list, element",
        Gives::Bool,
        contains,
        "Whether an element is in the list.",
        "list_contains([1, 2], 2) --> true",
    )
    .also(&["list_has", "array_contains", "array_has"]),
    Row::new(
        "list_position",
        "list, element, int?",
        Gives::By(int32),
        position,
        "The place of an element; null where it is not.",
        "list_position([10, 20], 20) --> 2",
    )
    .also(&["list_indexof", "array_position", "array_indexof"]),
    Row::new(
        "list_append",
        "list, element",
        Gives::Same(0),
        append,
        "The list and one more element.",
        "list_append([1], 2) --> [1, 2]",
    )
    .also(&["array_append", "array_push_back"]),
    Row::new(
        "list_prepend",
        "element, list | list, element",
        Gives::By(list_type),
        prepend,
        "An element and then the list.",
        "list_prepend(0, [1]) --> [0, 1]",
    )
    .also(&["array_prepend"]),
    Row::new(
        "array_push_front",
        "list, element",
        Gives::Same(0),
        prepend,
        "An element and then the list.",
        "array_push_front([1], 0) --> [0, 1]",
    ),
    Row::new(
        "list_concat",
        "list, like..",
        Gives::Same(0),
        concat_lists,
        "One list after another; nulls are left out.",
        "list_concat([1], [2, 3]) --> [1, 2, 3]",
    )
    .also(&["list_cat", "array_concat", "array_cat"]),
    Row::new(
        "list_resize",
        "list, int, element?",
        Gives::Same(0),
        resize,
        "So many elements: more are cut off, missing ones are null or the third.",
        "list_resize([1], 3, 9) --> [1, 9, 9]",
    )
    .also(&["array_resize"]),
    Row::new(
        "list_reverse",
        "list",
        Gives::Same(0),
        reverse,
        "The elements backwards.",
        "list_reverse([1, 2]) --> [2, 1]",
    )
    .also(&["array_reverse"]),
    Row::new(
        "array_pop_back",
        "list",
        Gives::Same(0),
        pop_back,
        "The list without its last element.",
        "array_pop_back([1, 2]) --> [1]",
    ),
    Row::new(
        "array_pop_front",
        "list",
        Gives::Same(0),
        pop_front,
        "The list without its first element.",
        "array_pop_front([1, 2]) --> [2]",
    ),
    Row::new(
        "list_where",
        "list, bools",
        Gives::Same(0),
        where_true,
        "The elements at whose places the second list is true.",
        "list_where([1, 2, 3], [true, false, true]) --> [1, 3]",
    )
    .also(&["array_where"]),
    Row::new(
        "list_select",
        "list, ints",
        Gives::Same(0),
        select,
        "The elements at these places.",
        "list_select([10, 20, 30], [3, 1]) --> [30, 10]",
    )
    .also(&["array_select"]),
    Row::new(
        "flatten",
        "list",
        Gives::By(flat),
        flatten,
        "One list of the elements of lists.",
        "flatten([[1], [2, 3]]) --> [1, 2, 3]",
    ),
];

fn int32(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Int32)
}

fn list_type(types: &[DataType]) -> Result<DataType> {
    let found = types.iter().rev().find(|t| super::super::row::element(t).is_some());
    Ok(found.cloned().unwrap_or(DataType::Null))
}

fn flat(types: &[DataType]) -> Result<DataType> {
    let inner = types.first().and_then(super::super::row::element).unwrap_or(&DataType::Null);
    let item = super::super::row::element(inner).cloned().unwrap_or(DataType::Null);
    Ok(super::super::row::list_of(item))
}

/// Finds the value of a row among places of elements of `list`.
fn find<'a, I: Iterator<Item = usize>>(
    list: &Column<arrow::array::ListArray>,
    value: &'a Column<ArrayRef>,
) -> Result<impl Fn(usize, I) -> Option<usize> + use<'a, I>> {
    let values = list.array.values();
    let keys = Keys::new(&[values, &value.array])?;
    let base = values.len();
    Ok(move |row: usize, mut places: I| {
        let wanted = match value.at(row) {
            Some(at) => keys.any(base + at),
            None => keys.null.row(),
        };
        places.find(|i| keys.any(*i) == wanted)
    })
}

pub(in super::super) fn contains(args: &Args) -> Result<ArrayRef> {
    let (list, value) = (args.list(0)?, args.any(1)?);
    let find = find(&list, &value)?;
    bools(args, |row| {
        some!(value.at(row));
        let span = some!(list.span(row));
        Ok(Some(find(row, span).is_some()))
    })
}

fn position(args: &Args) -> Result<ArrayRef> {
    let (list, value, begin) = (args.list(0)?, args.any(1)?, args.int_or(2, 1)?);
    let find = find(&list, &value)?;
    primitives::<Int32Type>(args, |row| {
        let (span, begin) = (some!(list.span(row)), some!(begin.get(row)));
        let skipped = usize::try_from(begin.saturating_sub(1)).unwrap_or(0);
        let found = find(row, span.clone().skip(skipped));
        Ok(found.and_then(|at| i32::try_from(at - span.start + 1).ok()))
    })
}

/// The values of all lists and single elements, one column after another, and where each column begins.
fn together(columns: &[&ArrayRef]) -> Result<(ArrayRef, Vec<usize>)> {
    let arrays: Vec<&dyn Array> = columns.iter().map(|c| c.as_ref()).collect();
    let mut begin = 0;
    let begins = columns.iter().map(|c| {
        begin += c.len();
        begin - c.len()
    });
    let begins = begins.collect();
    Ok((concat(&arrays)?, begins))
}

/// A list with an element at its end or its beginning. A null list is an empty one.
fn with_element(args: &Args, list_at: usize, element_at: usize, front: bool) -> Result<ArrayRef> {
    let (list, value) = (args.list(list_at)?, args.any(element_at)?);
    let base = list.array.values().len();
    let (values, _) = together(&[list.array.values(), &value.array])?;
    pick_from(args, &values, |row, out| {
        let one = value.at(row).map(|at| base + at);
        if front {
            out.push(one);
        }
        out.extend(list.span(row).into_iter().flatten().map(Some));
        if !front {
            out.push(one);
        }
        Ok(Some(()))
    })
}

fn append(args: &Args) -> Result<ArrayRef> {
    with_element(args, 0, 1, false)
}

fn prepend(args: &Args) -> Result<ArrayRef> {
    // The element comes first, unless only the first argument is a list.
    let gives_second = args.type_of(1) == args.gives && args.name() != "array_push_front";
    match gives_second {
        true => with_element(args, 1, 0, true),
        false => with_element(args, 0, 1, true),
    }
}

pub(in super::super) fn concat_lists(args: &Args) -> Result<ArrayRef> {
    let lists = (0..args.len()).map(|at| args.list(at)).collect::<Result<Vec<_>>>()?;
    let columns: Vec<&ArrayRef> = lists.iter().map(|l| l.array.values()).collect();
    let (values, begins) = together(&columns)?;
    pick_from(args, &values, |row, out| {
        let mut any = None;
        for (list, begin) in lists.iter().zip(&begins) {
            if let Some(span) = list.span(row) {
                any = Some(());
                out.extend(span.map(|i| Some(begin + i)));
            }
        }
        Ok(any)
    })
}

fn resize(args: &Args) -> Result<ArrayRef> {
    let (list, size) = (args.list(0)?, args.int(1)?);
    let filler = if args.has(2) { Some(args.any(2)?) } else { None };
    let base = list.array.values().len();
    let values = match &filler {
        Some(filler) => together(&[list.array.values(), &filler.array])?.0,
        None => std::sync::Arc::clone(list.array.values()),
    };
    pick_from(args, &values, |row, out| {
        let span = some!(list.span(row));
        let size = usize::try_from(some!(size.get(row))).unwrap_or(0);
        super::super::text::slices::check_size(args.name(), 8, size)?;
        let missing = filler.as_ref().and_then(|f| f.at(row)).map(|at| base + at);
        let kept = span.map(Some).chain(std::iter::repeat(missing)).take(size);
        out.extend(kept);
        Ok(Some(()))
    })
}

fn reverse(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    pick(args, &list, |row, out| {
        out.extend(some!(list.span(row)).rev().map(Some));
        Ok(Some(()))
    })
}

fn pop_back(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    pick(args, &list, |row, out| {
        let span = some!(list.span(row));
        out.extend((span.start..span.end.saturating_sub(1).max(span.start)).map(Some));
        Ok(Some(()))
    })
}

fn pop_front(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    pick(args, &list, |row, out| {
        out.extend(some!(list.span(row)).skip(1).map(Some));
        Ok(Some(()))
    })
}

fn where_true(args: &Args) -> Result<ArrayRef> {
    let (list, mask) = (args.list(0)?, args.list(1)?);
    let marks = arrow::compute::cast(mask.array.values(), &DataType::Boolean)?;
    let marks = arrow::array::AsArray::as_boolean(&marks);
    pick(args, &list, |row, out| {
        let (span, mask) = (some!(list.span(row)), some!(mask.span(row)));
        let kept = span.map(Some).chain(std::iter::repeat(None)).zip(mask);
        out.extend(kept.filter(|(_, m)| marks.is_valid(*m) && marks.value(*m)).map(|(at, _)| at));
        Ok(Some(()))
    })
}

fn select(args: &Args) -> Result<ArrayRef> {
    let (list, places) = (args.list(0)?, args.list(1)?);
    let numbers = arrow::compute::cast(places.array.values(), &DataType::Int64)?;
    let numbers = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&numbers);
    pick(args, &list, |row, out| {
        let (span, places) = (some!(list.span(row)), some!(places.span(row)));
        for at in places {
            let wanted = numbers.is_valid(at).then(|| numbers.value(at));
            let found = wanted.and_then(|w| super::super::text::slices::place(w, span.len()));
            out.push(found.map(|f| span.start + f));
        }
        Ok(Some(()))
    })
}

fn flatten(args: &Args) -> Result<ArrayRef> {
    let outer = args.list(0)?;
    if outer.array.values().data_type() == &DataType::Null {
        return pick(args, &outer, |row, _| Ok(outer.span(row).map(|_| ())));
    }
    // Lists of every kind inside.
    let inner = arrow::compute::cast(outer.array.values(), args.gives)?;
    let inner = Column::all(arrow::array::AsArray::as_list::<i32>(&inner).clone());
    pick(args, &inner, |row, out| {
        for at in some!(outer.span(row)) {
            out.extend(inner.span(at).into_iter().flatten().map(Some));
        }
        Ok(Some(()))
    })
}
