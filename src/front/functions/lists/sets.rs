//! Lists as sets. Elements keep the order of their first occurrence; nulls are no elements.

use super::super::args::{Args, Column, bools, ints, some};
use super::super::row::{Gives, Row};
use super::{Keys, pick};
use arrow::array::{Array, ArrayRef, ListArray};
use datafusion_common::Result;
use std::collections::HashSet;
use std::ops::Range;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "list_distinct",
        "list",
        Gives::Same(0),
        distinct,
        "Each element once.",
        "list_distinct([1, 1, 2, NULL]) --> [1, 2]",
    )
    .also(&["array_distinct"]),
    Row::new(
        "list_unique",
        "list",
        Gives::Int,
        unique,
        "The number of different elements.",
        "list_unique([1, 1, NULL]) --> 1",
    )
    .also(&["array_unique"]),
    Row::new(
        "list_has_any",
        "list, like",
        Gives::Bool,
        has_any,
        "Whether the lists have a common element.",
        "list_has_any([1, 2], [2, 3]) --> true",
    )
    .also(&["array_has_any", "arrays_overlap"]),
    Row::new(
        "list_has_all",
        "list, like",
        Gives::Bool,
        has_all,
        "Whether the first list has all elements of the second.",
        "list_has_all([1, 2], [2]) --> true",
    )
    .also(&["array_has_all"]),
    Row::new(
        "list_intersect",
        "list, like",
        Gives::Same(0),
        intersect,
        "The elements that both lists have, each once.",
        "list_intersect([1, 2, 2], [2, 3]) --> [2]",
    )
    .also(&["array_intersect"]),
];

fn distinct(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    let keys = Keys::new(&[list.array.values()])?;
    pick(args, &list, |row, out| {
        let mut seen = HashSet::new();
        let span = some!(list.span(row));
        out.extend(span.filter(|i| keys.get(*i).is_some_and(|k| seen.insert(k))).map(Some));
        Ok(Some(()))
    })
}

fn unique(args: &Args) -> Result<ArrayRef> {
    let list = args.list(0)?;
    let keys = Keys::new(&[list.array.values()])?;
    ints(args, |row| {
        let all: HashSet<_> = some!(list.span(row)).filter_map(|i| keys.get(i)).collect();
        Ok(Some(all.len() as i64))
    })
}

/// Two lists whose elements are compared.
struct Two {
    left: Column<ListArray>,
    right: Column<ListArray>,
    keys: Keys,
}

impl Two {
    fn new(args: &Args) -> Result<Two> {
        let (left, right) = (args.list(0)?, args.list(1)?);
        let keys = Keys::new(&[left.array.values(), right.array.values()])?;
        Ok(Two { left, right, keys })
    }

    /// The places of a row's elements.
    fn spans(&self, row: usize) -> Option<(Range<usize>, Range<usize>)> {
        let base = self.left.array.values().len();
        let right = self.right.span(row)?;
        Some((self.left.span(row)?, base + right.start..base + right.end))
    }

    fn set(&self, span: Range<usize>) -> HashSet<arrow_row::Row<'_>> {
        span.filter_map(|i| self.keys.get(i)).collect()
    }
}

fn has_any(args: &Args) -> Result<ArrayRef> {
    let two = Two::new(args)?;
    bools(args, |row| {
        let (left, right) = some!(two.spans(row));
        Ok(Some(!two.set(left).is_disjoint(&two.set(right))))
    })
}

fn has_all(args: &Args) -> Result<ArrayRef> {
    let two = Two::new(args)?;
    bools(args, |row| {
        let (left, right) = some!(two.spans(row));
        Ok(Some(two.set(right).is_subset(&two.set(left))))
    })
}

fn intersect(args: &Args) -> Result<ArrayRef> {
    let two = Two::new(args)?;
    pick(args, &two.left, |row, out| {
        let (left, right) = some!(two.spans(row));
        let mut wanted = two.set(right);
        out.extend(left.filter(|i| two.keys.get(*i).is_some_and(|k| wanted.remove(&k))).map(Some));
        Ok(Some(()))
    })
}
