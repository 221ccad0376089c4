//! The largest and the smallest of several values, and what depends on a value being there.

use super::super::args::Args;
use super::super::lists::Keys;
use super::super::row::{Gives, Row};
use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::{concat, take};
use datafusion_common::Result;
use std::cmp::Ordering;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "greatest",
        "any, like..",
        Gives::Same(0),
        greatest,
        "The largest value; nulls do not count.",
        "greatest(1, NULL, 3) --> 3",
    ),
    Row::new(
        "least",
        "any, like..",
        Gives::Same(0),
        least,
        "The smallest value; nulls do not count.",
        "least('b', 'a') --> a",
    ),
    Row::new(
        "constant_or_null",
        "any, any..",
        Gives::Same(0),
        constant_or_null,
        "The first value, unless one of the others is null.",
        "constant_or_null(1, NULL) --> NULL",
    ),
];

fn choose(args: &Args, wanted: Ordering) -> Result<ArrayRef> {
    let columns = (0..args.len()).map(|at| args.any(at)).collect::<Result<Vec<_>>>()?;
    let arrays: Vec<&ArrayRef> = columns.iter().map(|c| &c.array).collect();
    let keys = Keys::new(&arrays)?;
    let mut places: Vec<Option<u64>> = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let (mut best, mut begin): (Option<usize>, usize) = (None, 0);
        for column in &columns {
            let here = column.at(row).map(|at| begin + at);
            begin += column.array.len();
            let Some(here) = here.filter(|h| keys.get(*h).is_some()) else { continue };
            if best.is_none_or(|b| keys.any(here).cmp(&keys.any(b)) == wanted) {
                best = Some(here);
            }
        }
        places.push(best.map(|b| b as u64));
    }
    let all: Vec<&dyn Array> = columns.iter().map(|c| c.array.as_ref()).collect();
    Ok(take(&concat(&all)?, &UInt64Array::from(places), None)?)
}

fn greatest(args: &Args) -> Result<ArrayRef> {
    choose(args, Ordering::Greater)
}

fn least(args: &Args) -> Result<ArrayRef> {
    choose(args, Ordering::Less)
}

fn constant_or_null(args: &Args) -> Result<ArrayRef> {
    let others = (1..args.len()).map(|at| args.any(at)).collect::<Result<Vec<_>>>()?;
    let first = args.any(0)?;
    let place = |row: usize| first.at(row).filter(|_| others.iter().all(|o| o.at(row).is_some())).map(|at| at as u64);
    let places: UInt64Array = (0..args.rows).map(place).collect();
    Ok(take(&first.array, &places, None)?)
}
