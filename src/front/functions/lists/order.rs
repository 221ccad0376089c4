//! Lists in order.

use super::super::args::{Args, Column, some};
use super::super::row::{Gives, Row};
use super::{Keys, pick};
use arrow::array::Int64Builder;
use arrow::array::{ArrayRef, ListArray, ListBuilder, StringViewArray};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "list_sort",
        "list, text?, text?",
        Gives::Same(0),
        sort,
        "The elements in order: `asc` or `desc`, `nulls first` or `nulls last`.",
        "list_sort([3, NULL, 1], 'desc') --> [3, 1, NULL]",
    )
    .also(&["array_sort"]),
    Row::new(
        "list_reverse_sort",
        "list, text?",
        Gives::Same(0),
        reverse_sort,
        "The largest element first.",
        "list_reverse_sort([1, 3]) --> [3, 1]",
    )
    .also(&["array_reverse_sort"]),
    Row::new(
        "list_grade_up",
        "list, text?, text?",
        Gives::Ints,
        grade,
        "The places of the elements in their order.",
        "list_grade_up([30, 10, 20]) --> [2, 3, 1]",
    )
    .also(&["array_grade_up", "grade_up"]),
];

/// Places of a row's elements in order.
struct Order {
    keys: Keys,
    descending: Column<StringViewArray>,
    nulls: Column<StringViewArray>,
}

impl Order {
    fn of(&self, list: &Column<ListArray>, row: usize) -> Result<Option<Vec<usize>>> {
        let mut places: Vec<usize> = some!(list.span(row)).collect();
        let descending = match some!(self.descending.get(row)).to_ascii_lowercase().as_str() {
            "asc" | "ascending" => false,
            "desc" | "descending" => true,
            other => return exec_err!("no order {other:?}: asc, desc"),
        };
        let first = match some!(self.nulls.get(row)).to_ascii_lowercase().as_str() {
            "nulls first" => true,
            "nulls last" => false,
            other => return exec_err!("no order of nulls {other:?}: nulls first, nulls last"),
        };
        places.sort_by(|a, b| match (self.keys.get(*a), self.keys.get(*b)) {
            (Some(a), Some(b)) if descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
            (None, None) => std::cmp::Ordering::Equal,
            (None, _) if first => std::cmp::Ordering::Less,
            (_, None) if !first => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        });
        Ok(Some(places))
    }
}

fn sorted(args: &Args, order: Order, list: &Column<ListArray>) -> Result<ArrayRef> {
    pick(args, list, |row, out| {
        out.extend(some!(order.of(list, row)?).into_iter().map(Some));
        Ok(Some(()))
    })
}

fn order(args: &Args, list: &Column<ListArray>) -> Result<Order> {
    let keys = Keys::new(&[list.array.values()])?;
    Ok(Order { keys, descending: args.text_or(1, "asc")?, nulls: args.text_or(2, "nulls last")? })
}

fn sort(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    sorted(args, order(args, &list)?, &list)
}

fn reverse_sort(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    let keys = Keys::new(&[list.array.values()])?;
    let order = Order { keys, descending: args.text_or(9, "desc")?, nulls: args.text_or(1, "nulls last")? };
    sorted(args, order, &list)
}

fn grade(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    let order = order(args, &list)?;
    let mut out = ListBuilder::new(Int64Builder::new());
    for row in 0..args.rows {
        let begin = list.span(row).map_or(0, |s| s.start);
        match order.of(&list, row)? {
            Some(places) => {
                places.iter().for_each(|p| out.values().append_value((p - begin + 1) as i64));
                out.append(true);
            }
            None => out.append(false),
        }
    }
    Ok(Arc::new(out.finish()))
}
