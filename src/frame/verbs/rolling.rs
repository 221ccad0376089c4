//! Aggregates of the rows around a row: so many of them, or as far as a distance of times or numbers reaches.

use super::running::{framed, only_if, rows_frame};
use crate::error::{Error, Result};
use crate::front::walk;
use crate::ops::expr::from_datafusion;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion_expr::{Expr, Literal, WindowFrame, WindowFrameBound, WindowFrameUnits, lit};
use datafusion_functions_aggregate::expr_fn::count;

const NANOS_A_DAY: i64 = 86_400_000_000_000;

/// A window of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// How many rows, the row itself among them.
    pub rows: u64,
    /// How many of them must have a value, for there to be a result; `None` for all.
    pub least: Option<u64>,
    /// Whether the row is in the middle, not the last. Of an even number, it is the first behind the middle.
    pub center: bool,
}

impl Rolling {
    /// The row and those before, all with values.
    pub fn rows(rows: u64) -> Self {
        Rolling { rows, least: None, center: false }
    }
}

/// The aggregates in `function` over a window of rows around each row, in the order of the rows or of
/// [`over`](super::super::over).
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let two = rolling(sum(col("km")), Rolling::rows(2))?.alias("two");
/// let some = rolling(max(col("km")), Rolling { least: Some(1), center: true, ..Rolling::rows(3) })?.alias("some");
/// assert_eq!(trips.select([two, some])?.lines()?, ["|5", "8|5", "7|5", "7|5", "|5"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Query`, where `function` has no aggregate, or the window no row.
pub fn rolling(function: Expr, window: Rolling) -> Result<Expr> {
    let Some(others) = window.rows.checked_sub(1) else {
        return Err(Error::query("a rolling window of 0 rows"));
    };
    let behind = if window.center { others / 2 } else { 0 };
    let frame = rows_frame(Some(others - behind), Some(behind));
    let least = window.least.unwrap_or(window.rows);
    each_aggregate(function, |aggregate, value| match least {
        0 => framed(aggregate, &frame),
        least => only_if(framed(count(value), &frame).gt_eq(lit(least as i64)), framed(aggregate, &frame)),
    })
}

/// The aggregates in `function` over the rows whose `by` is at most that of the row, and less than `reach` below it: with a
/// reach of three days, those of the last three days. Times reach in intervals ([`interval`](super::interval)), and count in
/// microseconds.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let week = rolling_by(sum(col("km")), col("day"), interval("2d")?)?.alias("km");
/// assert_eq!(trips.select([col("day"), week])?.lines()?[2..], ["2024-01-02|10", "2024-01-05|5", "2024-01-06|5"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Query`, where `function` has no aggregate, or `reach` is no positive number or interval.
pub fn rolling_by(function: Expr, by: Expr, reach: impl Literal) -> Result<Expr> {
    let Expr::Literal(reach, _) = reach.lit() else { return Err(Error::query("the reach of a window is a constant")) };
    let bound = WindowFrameBound::Preceding(just_below(&reach)?);
    let frame = WindowFrame::new_bounds(WindowFrameUnits::Range, bound, WindowFrameBound::CurrentRow);
    each_aggregate(function, |aggregate, _| match framed(aggregate, &frame) {
        Expr::WindowFunction(mut call) => {
            call.params.order_by = vec![by.clone().sort(true, false)];
            Expr::WindowFunction(call)
        }
        other => other,
    })
}

/// The largest distance that is less: frames of SQL include their ends.
fn just_below(reach: &ScalarValue) -> Result<ScalarValue> {
    let wrong = || Error::query(format!("a window that reaches {reach} far")).advise("a positive number or interval");
    Ok(match reach {
        ScalarValue::IntervalMonthDayNano(Some(v)) if v.months != 0 => {
            return Err(Error::unsupported("a rolling window of months").advise("days"));
        }
        ScalarValue::IntervalMonthDayNano(Some(v)) => {
            let whole = i64::from(v.days).checked_mul(NANOS_A_DAY).and_then(|days| days.checked_add(v.nanoseconds));
            let less = whole.and_then(|nanos| nanos.checked_sub(1000)).filter(|nanos| *nanos >= 0).ok_or_else(wrong)?;
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 0, less)))
        }
        ScalarValue::Float64(Some(v)) if *v > 0.0 => ScalarValue::Float64(Some(v.next_down())),
        other => match other.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(v))) if v > 0 => ScalarValue::Int64(Some(v - 1)),
            _ => return Err(wrong()),
        },
    })
}

/// `function` with what `make` makes of each aggregate and its first argument.
fn each_aggregate(function: Expr, make: impl Fn(Expr, Expr) -> Expr) -> Result<Expr> {
    let mut found = false;
    let made = walk::expr_down(function.clone(), &mut |expr| match &expr {
        Expr::AggregateFunction(call) => {
            found = true;
            let value = call.params.args.first().cloned().unwrap_or_else(|| lit(1i64));
            Ok(Transformed::new(make(expr, value), true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(expr)),
    });
    match found {
        true => Ok(made.map_err(from_datafusion)?.data),
        false => Err(Error::query(format!("{function} has no aggregate to roll"))),
    }
}
