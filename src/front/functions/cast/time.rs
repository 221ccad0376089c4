//! Dates and times out of text, more leniently than in files: `2020-1-5`, `2020/01/05`, `10:20`, offsets and names of
//! zones behind a time.

use super::parse_each;
use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, PrimitiveBuilder, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowTimestampType, DataType};
use arrow::datatypes::{
    Date32Type, Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use chrono::{Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone};
use datafusion_common::Result;
use std::sync::Arc;

pub(super) fn from_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    match to {
        DataType::Timestamp(TimeUnit::Second, _) => stamps::<TimestampSecondType>(text, to, lenient, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => stamps::<TimestampMillisecondType>(text, to, lenient, 1_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            stamps::<TimestampMicrosecondType>(text, to, lenient, 1_000_000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            stamps::<TimestampNanosecondType>(text, to, lenient, 1_000_000_000)
        }
        DataType::Date32 | DataType::Date64 => {
            let mut out = PrimitiveBuilder::<Date32Type>::with_capacity(text.len());
            parse_each(text, to, lenient, parse_date, |v| out.append_option(v))?;
            Ok(cast(&(Arc::new(out.finish()) as ArrayRef), to)?)
        }
        _ => {
            let mut out = PrimitiveBuilder::<Time64NanosecondType>::with_capacity(text.len());
            let parse = |t: &str| parse_time(t.trim()).filter(|(_, rest)| rest.is_empty()).map(|(nanos, _)| nanos);
            parse_each(text, to, lenient, parse, |v| out.append_option(v))?;
            Ok(cast(&(Arc::new(out.finish()) as ArrayRef), to)?)
        }
    }
}

fn stamps<T: ArrowTimestampType>(
    text: &StringViewArray,
    to: &DataType,
    lenient: bool,
    per_second: i64,
) -> Result<ArrayRef> {
    let zone = match to {
        DataType::Timestamp(_, Some(zone)) => zone.parse::<Tz>().ok(),
        _ => None,
    };
    let mut out = PrimitiveBuilder::<T>::with_capacity(text.len());
    let parse = |t: &str| {
        let (seconds, nanos) = parse_stamp(t, zone)?;
        seconds.checked_mul(per_second)?.checked_add(nanos / (1_000_000_000 / per_second))
    };
    parse_each(text, to, lenient, parse, |v| out.append_option(v))?;
    Ok(Arc::new(out.finish().with_data_type(to.clone())))
}

fn digits(text: &str, most: usize) -> Option<(i64, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    Some((text.get(..end)?.parse().ok()?, text.get(end..)?))
}

/// Days since 1970 of the date at the beginning, and what follows.
fn date_part(text: &str) -> Option<(NaiveDate, &str)> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (year, rest) = digits(rest, 7)?;
    let separator = rest.chars().next().filter(|c| "-/ \\".contains(*c))?;
    let (month, rest) = digits(rest.strip_prefix(separator)?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(separator)?, 2)?;
    let (year, rest) = match rest.strip_prefix(" (BC)") {
        Some(rest) if year > 0 => (1 - year, rest),
        Some(_) => return None,
        None => (sign * year, rest),
    };
    let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
    (!rest.starts_with(|c: char| c.is_ascii_digit())).then_some((date, rest))
}

/// Days since 1970.
pub(in super::super) fn parse_date(text: &str) -> Option<i32> {
    let text = text.trim();
    if text == "epoch" {
        return Some(0);
    }
    let (date, rest) = date_part(text)?;
    if !rest.is_empty() {
        // A time may follow, which does not count.
        parse_stamp(text, None)?;
    }
    Some(date.num_days_from_ce() - 719_163)
}

/// Nanoseconds of `h:m[:s[.f]]` at the beginning, and what follows.
fn parse_time(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2)?,
        None => (0, rest),
    };
    let (nanos, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, rest) = rest.split_at(end);
            let kept = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
            (kept.fold(0, |n, b| n * 10 + i64::from(b - b'0')), rest)
        }
        None => (0, rest),
    };
    let whole_day = hour == 24 && minute == 0 && second == 0 && nanos == 0;
    ((hour < 24 || whole_day) && minute < 60 && second < 60)
        .then_some((((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos, rest))
}

/// Seconds since 1970 and nanoseconds of a second. With a `zone` the time is an instant: what the text says of its zone
/// counts, else it is in that one. Without, an offset behind the time is left out, as DuckDB does.
pub(in super::super) fn parse_stamp(text: &str, zone: Option<Tz>) -> Option<(i64, i64)> {
    let text = text.trim();
    if text == "epoch" {
        return Some((0, 0));
    }
    let (date, rest) = date_part(text)?;
    let days = i64::from(date.num_days_from_ce()) - 719_163;
    let (nanos, rest) = match rest.strip_prefix(['T', ' ', 't']) {
        Some(rest) if !rest.trim().is_empty() => parse_time(rest.trim_start())?,
        _ => (0, rest),
    };
    let local = days.checked_mul(86_400)?.checked_add(nanos / 1_000_000_000)?;
    let said = zone_of(rest.trim(), local)?;
    let shift = match zone {
        Some(zone) => said.map_or_else(|| zone_shift(&zone, local), Some)?,
        None => 0,
    };
    Some((local.checked_sub(shift)?, nanos % 1_000_000_000))
}

/// Seconds east of UTC that a text says: nothing, `Z`, `+02`, `+05:30`, `UTC`, `Europe/Berlin`.
fn zone_of(text: &str, local: i64) -> Option<Option<i64>> {
    match text {
        "" => return Some(None),
        "Z" | "z" | "UTC" => return Some(Some(0)),
        _ => {}
    }
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        let zone = text.parse::<Tz>().ok()?;
        return zone_shift(&zone, local).map(Some);
    };
    let (hours, rest) = digits(rest, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, rest) } else { digits(rest, 2)? };
    let (seconds, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2)?,
        None => (0, rest),
    };
    let shift = hours * 3_600 + minutes * 60 + seconds;
    rest.is_empty().then_some(Some(if text.starts_with('-') { -shift } else { shift }))
}

/// Seconds that a zone is east of UTC at a local time. A time that is there twice is the earlier one; one that a clock
/// jumps over is read with the offset before the jump.
pub(in super::super) fn zone_shift(zone: &Tz, local: i64) -> Option<i64> {
    let at = |seconds: i64| chrono::DateTime::from_timestamp(seconds, 0).map(|d| d.naive_utc());
    let shift = |time: NaiveDateTime| zone.offset_from_local_datetime(&time).earliest();
    let before = || zone.offset_from_utc_datetime(&at(local - 86_400)?).into();
    let offset = shift(at(local)?).or_else(before)?;
    Some(offset.fix().local_minus_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_in_many_spellings() {
        assert_eq!(parse_date("2020-1-5"), parse_date(" 2020/01/05 "));
        assert_eq!(parse_date("1970-01-02 10:00:00"), Some(1));
        assert_eq!(parse_date("0044-03-15 (BC)"), Some(-735_160));
        for bad in ["", "2020", "20200105", "2020-02-30", "2020-1-5x", "2020-01-05 25:00", "infinity", "2020-1/5"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        let utc: Tz = "UTC".parse().unwrap();
        assert_eq!(parse_stamp("1970-01-01 01:00:00.5+01", Some(utc)), Some((0, 500_000_000)));
        assert_eq!(parse_stamp("1970-01-01 01:00:00+01", None), Some((3_600, 0)));
        assert_eq!(parse_stamp("1970-07-01T00:00:00 Europe/Berlin", Some(utc)), parse_stamp("1970-06-30 23:00", None));
        assert_eq!(parse_stamp("1970-01-01 00:00:00 Nowhere/Land", Some(utc)), None);
    }
}
