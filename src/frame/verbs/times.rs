//! Groups by windows of time.

use super::rows::unqualified;
use crate::error::{Error, Result};
use crate::frame::{Frame, GroupBy, IntoExprs};
use crate::front::time_bucket;
use arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use arrow::datatypes::IntervalMonthDayNano;
use datafusion_common::{Column, NullHandling, ScalarValue, UnnestOptions};
use datafusion_expr::{Expr, Literal, LogicalPlanBuilder, lit};
use datafusion_functions_nested::make_array::make_array;

/// Windows of time that begin at regular times.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeWindows {
    /// From one beginning to the next.
    pub every: ScalarValue,
    /// How long a window is; `None` for `every`. Longer ones overlap: a row is in several.
    pub period: Option<ScalarValue>,
    /// By what all beginnings are moved.
    pub offset: Option<ScalarValue>,
}

impl TimeWindows {
    /// Windows without gap or overlap, as `"15m"`, `"1h"`, `"1d"` or `"1 month"` say. See [`interval`].
    ///
    /// # Errors
    /// `Query`, for what is no interval.
    pub fn every(text: &str) -> Result<Self> {
        Ok(TimeWindows { every: interval(text)?, period: None, offset: None })
    }
}

/// The units of short intervals: months, days, nanoseconds.
const UNITS: &[(&str, (i32, i32, i64))] = &[
    ("ns", (0, 0, 1)),
    ("us", (0, 0, 1_000)),
    ("ms", (0, 0, 1_000_000)),
    ("s", (0, 0, 1_000_000_000)),
    ("m", (0, 0, 60_000_000_000)),
    ("h", (0, 0, 3_600_000_000_000)),
    ("d", (0, 1, 0)),
    ("w", (0, 7, 0)),
    ("mo", (1, 0, 0)),
    ("q", (3, 0, 0)),
    ("y", (12, 0, 0)),
];

/// An interval: short as `"1h30m"` (ns, us, ms, s, m, h, d, w, mo, q, y), or in words as `"1 hour 30 minutes"`.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// assert_eq!(interval("1mo2d30s")?, interval("1 month 2 days 30 seconds")?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Query`, for what is no interval.
pub fn interval(text: &str) -> Result<ScalarValue> {
    let value = match short(text) {
        Some(value) => value,
        None => parse_interval_month_day_nano(text).map_err(|_| {
            Error::query(format!("\"{text}\" is no interval")).advise("such as 15m, 1h30m, 2d, 1mo, or 1 month 2 days")
        })?,
    };
    Ok(ScalarValue::IntervalMonthDayNano(Some(value)))
}

fn short(text: &str) -> Option<IntervalMonthDayNano> {
    let (mut rest, mut sum) = (text.trim(), IntervalMonthDayNano::new(0, 0, 0));
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, behind) = behind.split_at_checked(letters)?;
        let (_, (months, days, nanos)) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let number: i32 = number.parse().ok()?;
        sum.months = sum.months.checked_add(months.checked_mul(number)?)?;
        sum.days = sum.days.checked_add(days.checked_mul(number)?)?;
        sum.nanoseconds = sum.nanoseconds.checked_add(nanos.checked_mul(i64::from(number))?)?;
        (rest, parts) = (behind, parts + 1);
    }
    (parts > 0).then_some(sum)
}

/// The beginning of the window in which `time` lies.
pub(super) fn begin(time: Expr, windows: &TimeWindows) -> Result<Expr> {
    let args = [windows.every.clone().lit(), time];
    time_bucket(args.into_iter().chain(windows.offset.clone().map(|o| o.lit())).collect())
}

impl Frame {
    /// Groups by the windows of time in which `time` lies, and by `keys`. The column of the windows' beginnings has the name
    /// of `time`. A window without rows is no group; [`resample`](Self::resample) makes one of it.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let sum_of = || [sum(col("km")).alias("km")];
    /// let days = trips.clone().group_by_time(col("day"), TimeWindows::every("2d")?, [])?.agg(sum_of())?;
    /// let days = days.sort([col("day").sort(true, false)])?;
    /// assert_eq!(days.lines()?, ["2024-01-01|10", "2024-01-05|5"]);
    /// let sliding = TimeWindows { period: Some(interval("3d")?), ..TimeWindows::every("2d")? };
    /// let days = trips.group_by_time(col("day"), sliding, [])?.agg(sum_of())?.sort([col("day").sort(true, false)])?;
    /// assert_eq!(days.lines()?[1..], ["2024-01-01|10", "2024-01-03|5", "2024-01-05|5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and what is no time.
    pub fn group_by_time(self, time: Expr, windows: TimeWindows, keys: impl IntoExprs) -> Result<GroupBy> {
        let name = match &time {
            Expr::Column(column) => column.name.clone(),
            other => other.schema_name().to_string(),
        };
        let first = begin(time.clone(), &windows)?;
        let Some(period) = windows.period.clone() else {
            let keys = std::iter::once(first.alias(name)).chain(keys.into_exprs());
            return Ok(self.group_by(keys));
        };
        let often = overlap(&windows.every, &period)?;
        // The windows that began before and are still open.
        let starts = (0..often).map(|n| Ok(first.clone() - times(&windows.every, n)?.lit()));
        let starts = make_array(starts.collect::<Result<Vec<_>>>()?);
        const WINDOW: &str = "window of time";
        let opened = self.then(|plan| {
            let all: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
            let all = all.into_iter().chain([starts.alias(WINDOW)]).collect::<Vec<_>>();
            let options = UnnestOptions::new().with_null_handling(NullHandling::Drop);
            let made = LogicalPlanBuilder::from(plan).project(all)?;
            made.unnest_columns_with_options(vec![Column::new_unqualified(WINDOW)], options)?.build()
        })?;
        let window = unqualified(WINDOW);
        let opened = opened.filter(time.lt(window.clone() + lit(period)))?;
        Ok(opened.group_by(std::iter::once(window.alias(name)).chain(keys.into_exprs())))
    }
}

fn parts(value: &ScalarValue) -> Result<IntervalMonthDayNano> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(v)) => Ok(*v),
        other => Err(Error::query(format!("{other} is no interval"))),
    }
}

/// The interval so many times.
fn times(value: &ScalarValue, n: i32) -> Result<ScalarValue> {
    let too_long = || Error::query("windows of time that overlap too often");
    let v = parts(value)?;
    Ok(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(
        v.months.checked_mul(n).ok_or_else(too_long)?,
        v.days.checked_mul(n).ok_or_else(too_long)?,
        v.nanoseconds.checked_mul(i64::from(n)).ok_or_else(too_long)?,
    ))))
}

/// In how many windows a time may be.
fn overlap(every: &ScalarValue, period: &ScalarValue) -> Result<i32> {
    // Months are as short, or as long, as they may be.
    let length = |v: IntervalMonthDayNano, month: i128| {
        (i128::from(v.months) * month + i128::from(v.days)) * 86_400_000_000_000 + i128::from(v.nanoseconds)
    };
    let (every, period) = (length(parts(every)?, 28), length(parts(period)?, 31));
    if every <= 0 || period <= 0 {
        return Err(Error::query("a window of time is longer than nothing"));
    }
    match i32::try_from((period + every - 1) / every + 1) {
        Ok(n) if n <= 10_000 => Ok(n),
        _ => Err(Error::query("windows of time that overlap more than 10000 times")),
    }
}
