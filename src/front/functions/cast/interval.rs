//! Intervals out of text: `1 year 2 months`, `3 days 04:05:06.5`, `90 minutes`, `1 day ago`.

use super::parse_each;
use arrow::array::{Array, ArrayRef, PrimitiveBuilder, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType};
use datafusion_common::Result;
use std::sync::Arc;

pub(super) fn from_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let mut out = PrimitiveBuilder::<IntervalMonthDayNanoType>::with_capacity(text.len());
    parse_each(text, to, lenient, parse, |v| out.append_option(v))?;
    Ok(cast(&(Arc::new(out.finish()) as ArrayRef), to)?)
}

const NANOS: i128 = 1_000_000_000;

/// One, in numbers with 18 digits behind the point.
const ONE: i128 = 1_000_000_000_000_000_000;

/// So many times `nanos`, rounded to microseconds, halves to the even one.
fn micros(scaled: i128, nanos: i128) -> Option<i128> {
    let size = (scaled / ONE).checked_mul(nanos)?;
    let part = scaled % ONE;
    // Of a fraction less than one: the unit in microseconds stays below 2^64.
    let (whole, rest) = match nanos {
        0 => (0, 0),
        1_000 => (part / ONE, part % ONE),
        _ => (part.checked_mul(nanos / 1_000)? / ONE, part.checked_mul(nanos / 1_000)? % ONE),
    };
    let twice = rest.abs() * 2;
    let up = twice > ONE || (twice == ONE && whole % 2 != 0);
    Some(size + (whole + if up { rest.signum() } else { 0 }) * 1_000)
}

/// Months, days and nanoseconds of one of a unit.
fn unit(name: &str) -> Option<(i128, i128, i128)> {
    Some(match name {
        "millennium" | "millennia" | "mil" | "mils" => (12_000, 0, 0),
        "century" | "centuries" | "cent" | "c" => (1_200, 0, 0),
        "decade" | "decades" | "dec" | "decs" => (120, 0, 0),
        "year" | "years" | "yr" | "yrs" | "y" => (12, 0, 0),
        "quarter" | "quarters" => (3, 0, 0),
        "month" | "months" | "mon" | "mons" => (1, 0, 0),
        "week" | "weeks" | "w" => (0, 7, 0),
        "day" | "days" | "d" | "dayofmonth" => (0, 1, 0),
        "hour" | "hours" | "hr" | "hrs" | "h" => (0, 0, 3_600 * NANOS),
        "minute" | "minutes" | "min" | "mins" | "m" => (0, 0, 60 * NANOS),
        "second" | "seconds" | "sec" | "secs" | "s" => (0, 0, NANOS),
        "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" => (0, 0, 1_000_000),
        "microsecond" | "microseconds" | "usec" | "usecs" | "us" => (0, 0, 1_000),
        _ => return None,
    })
}

/// The interval that a text names.
pub(in super::super) fn parse(text: &str) -> Option<IntervalMonthDayNano> {
    let (mut months, mut days, mut nanos) = (0i128, 0i128, 0i128);
    let lower = text.trim().to_ascii_lowercase();
    let (body, ago) = lower.strip_suffix("ago").map_or((lower.as_str(), false), |body| (body, true));
    let mut words = apart(body.trim_start_matches('@')).into_iter();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        if word.contains(':') {
            nanos += time(&word)?;
            continue;
        }
        let scaled = super::number::parse_scaled(&word, 18)?;
        let (m, d, n) = unit(&words.next()?)?;
        // Parts of years are rounded to months; what is left of months goes to days, and of days to the time.
        let all_months = scaled.checked_mul(m)?;
        let (whole, left) = match m {
            0 | 1 => (all_months / ONE, all_months % ONE),
            _ => ((all_months + all_months.signum() * ONE / 2) / ONE, 0),
        };
        months += whole;
        let all_days = scaled.checked_mul(d)? + left * 30;
        days += all_days / ONE;
        nanos += micros(scaled, n)? + micros(all_days % ONE, 86_400 * NANOS)?;
    }
    let sign = if ago { -1 } else { 1 };
    let made = IntervalMonthDayNano::new(
        i32::try_from(months * sign).ok()?,
        i32::try_from(days * sign).ok()?,
        i64::try_from(nanos * sign).ok()?,
    );
    any.then_some(made)
}

/// Words; numbers and units need no space between.
fn apart(text: &str) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (number, unit) = word.split_at(end);
        made.extend([number, unit].iter().filter(|p| !p.is_empty()).map(|p| p.to_string()));
    }
    made
}

/// Nanoseconds of `[-]h:m[:s[.f]]`.
fn time(word: &str) -> Option<i128> {
    let (sign, word) = word.strip_prefix('-').map_or((1, word), |rest| (-1, rest));
    let mut parts = word.split(':');
    let hours: i128 = parts.next()?.parse::<u32>().ok()?.into();
    let minutes: i128 = parts.next()?.parse::<u32>().ok()?.into();
    let seconds = parts.next().map_or(Some(0), |s| super::number::parse_scaled(s, 9))?;
    (parts.next().is_none() && minutes < 60 && (0..60 * NANOS).contains(&seconds))
        .then_some(sign * ((hours * 60 + minutes) * 60 * NANOS + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_sums_of_units() {
        let of = |m, d, n| Some(IntervalMonthDayNano::new(m, d, n));
        assert_eq!(parse("1 year 2 months"), of(14, 0, 0));
        assert_eq!(parse("1 day 02:03:04.5"), of(0, 1, 7_384_500_000_000));
        assert_eq!(parse("-3 hours -20 minutes"), of(0, 0, -12_000_000_000_000));
        assert_eq!(parse("1.5 days"), of(0, 1, 43_200_000_000_000));
        assert_eq!(parse("2 weeks ago"), of(0, -14, 0));
        assert_eq!(parse("5d"), of(0, 5, 0));
        for bad in ["", "1", "day", "1 moon", "1:60", "x day", "1 day 2"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
