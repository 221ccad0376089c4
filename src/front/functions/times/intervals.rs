//! Intervals made of numbers.

use super::super::args::{Args, floats, primitives, some};
use super::super::row::{Gives, Row};
use arrow::array::ArrayRef;
use arrow::datatypes::{Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType};
use datafusion_common::{Result, exec_err};

/// A row for each unit: months, days, nanoseconds of one.
macro_rules! units {
    ($($name:literal, $kind:literal, $months:literal, $days:literal, $nanos:literal, $example:literal;)*) => {
        pub(in super::super) const ROWS: &[Row] = &[
            $(Row::new($name, $kind, Gives::Interval, |args| units(args, $months, $days, $nanos), "An interval of so many.", $example),)*
            Row::new("interval_multiply", "interval, float", Gives::Interval, multiply, "An interval so many times.", "INTERVAL 1 DAY * 3 --> 3 days"),
            Row::new("interval_divide", "interval, float", Gives::Interval, divide, "A part of an interval.", "INTERVAL 1 MONTH / 2 --> 15 days"),
            Row::new("normalized_interval", "interval", Gives::Interval, normalized, "Days of 24 hours, months of 30 days.", "normalized_interval(INTERVAL '400 days 25 hours') --> 1 year 1 month 11 days 01:00:00"),
            Row::new("interval_seconds", "interval", Gives::Float, seconds, "The length with days of 24 hours and months of 30 days.", "interval_seconds(INTERVAL 1 DAY) --> 86400.0"),
            Row::new("interval_months", "interval", Gives::Int, |args| part(args, |v| v.months.into()), "The months of an interval, years included.", "interval_months(INTERVAL 14 MONTH) --> 14"),
            Row::new("interval_days", "interval", Gives::Int, |args| part(args, |v| v.days.into()), "The days of an interval, without its months and hours.", "interval_days(INTERVAL '1 month 3 days') --> 3"),
            Row::new("interval_microseconds", "interval", Gives::Int, |args| part(args, |v| v.nanoseconds / 1_000), "The time of an interval, without its months and days.", "interval_microseconds(INTERVAL '1 day 00:00:01') --> 1000000"),
        ];
    };
}

units! {
    "to_millennia", "int", 12_000, 0, 0, "to_millennia(1) --> 1000 years";
    "to_centuries", "int", 1_200, 0, 0, "to_centuries(1) --> 100 years";
    "to_decades", "int", 120, 0, 0, "to_decades(1) --> 10 years";
    "to_years", "int", 12, 0, 0, "to_years(2) --> 2 years";
    "to_quarters", "int", 3, 0, 0, "to_quarters(1) --> 3 months";
    "to_months", "int", 1, 0, 0, "to_months(14) --> 1 year 2 months";
    "to_weeks", "int", 0, 7, 0, "to_weeks(2) --> 14 days";
    "to_days", "int", 0, 1, 0, "to_days(3) --> 3 days";
    "to_hours", "int", 0, 0, 3_600_000_000_000, "to_hours(5) --> 05:00:00";
    "to_minutes", "int", 0, 0, 60_000_000_000, "to_minutes(90) --> 01:30:00";
    "to_seconds", "float", 0, 0, 1_000_000_000, "to_seconds(1.5) --> 00:00:01.5";
    "to_milliseconds", "float", 0, 0, 1_000_000, "to_milliseconds(1500) --> 00:00:01.5";
    "to_microseconds", "int", 0, 0, 1_000, "to_microseconds(5) --> 00:00:00.000005";
}

/// The interval; where a number is beyond its type, an error.
fn made(months: i128, days: i128, nanos: i128) -> Result<Option<IntervalMonthDayNano>> {
    match (i32::try_from(months), i32::try_from(days), i64::try_from(nanos)) {
        (Ok(m), Ok(d), Ok(n)) => Ok(Some(IntervalMonthDayNano::new(m, d, n))),
        _ => exec_err!("overflow: an interval has at most 2^31 months and days, and 292 years of time"),
    }
}

fn units(args: &Args, months: i128, days: i128, nanos: i128) -> Result<ArrayRef> {
    if args.type_of(0).is_floating() {
        let n = args.float(0)?;
        // Time alone comes in fractions, to the microsecond.
        return primitives::<IntervalMonthDayNanoType>(args, |row| {
            let micros = (some!(n.get(row)) * (nanos as f64) / 1_000.0).round();
            if !micros.is_finite() || micros.abs() > 9e15 {
                return exec_err!("overflow in {}", args.name());
            }
            made(0, 0, micros as i128 * 1_000)
        });
    }
    let n = args.int(0)?;
    primitives::<IntervalMonthDayNanoType>(args, |row| {
        let n = i128::from(some!(n.get(row)));
        made(months * n, days * n, nanos * n)
    })
}

/// Fractions of months become days, those of days time.
fn scaled(args: &Args, factor: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let (interval, number) = (args.interval(0)?, args.float(1)?);
    primitives::<IntervalMonthDayNanoType>(args, |row| {
        let (v, by) = (some!(interval.get(row)), factor(some!(number.get(row))));
        if !by.is_finite() {
            return Ok(None);
        }
        let months = f64::from(v.months) * by;
        let days = f64::from(v.days) * by + months.fract() * 30.0;
        let nanos = v.nanoseconds as f64 * by + days.fract() * 86_400e9;
        made(months.trunc() as i128, days.trunc() as i128, (nanos / 1_000.0).round() as i128 * 1_000)
    })
}

fn multiply(args: &Args) -> Result<ArrayRef> {
    scaled(args, |n| n)
}

fn divide(args: &Args) -> Result<ArrayRef> {
    scaled(args, |n| 1.0 / n)
}

const DAY: i128 = 86_400_000_000_000;

fn normalized(args: &Args) -> Result<ArrayRef> {
    let interval = args.interval(0)?;
    primitives::<IntervalMonthDayNanoType>(args, |row| {
        let v = some!(interval.get(row));
        let nanos = i128::from(v.nanoseconds);
        let days = i128::from(v.days) + nanos / DAY;
        made(i128::from(v.months) + days / 30, days % 30, nanos % DAY)
    })
}

fn seconds(args: &Args) -> Result<ArrayRef> {
    let interval = args.interval(0)?;
    floats(args, |row| {
        let v = some!(interval.get(row));
        let days = i128::from(v.months) * 30 + i128::from(v.days);
        // Equal lengths are one number, however they are written.
        Ok(Some((days * 86_400_000_000_000 + i128::from(v.nanoseconds)) as f64 / 1e9))
    })
}

fn part(args: &Args, of: impl Fn(IntervalMonthDayNano) -> i64) -> Result<ArrayRef> {
    let interval = args.interval(0)?;
    primitives::<Int64Type>(args, |row| Ok(interval.get(row).map(&of)))
}
