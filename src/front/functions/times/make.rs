//! Dates and times made of numbers, and numbers of them.

use super::super::args::{Args, ints, primitives, some};
use super::super::row::{Gives, Row};
use super::Moments;
use super::calendar::{DAY, SECOND, midnight};
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use chrono::NaiveDate;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "make_date",
        "int | int, int, int",
        Gives::Date,
        make_date,
        "The date of a year, a month and a day, or of days since 1970.",
        "make_date(2020, 1, 5) --> 2020-01-05",
    ),
    Row::new(
        "make_time",
        "int, int, float",
        Gives::Time,
        make_time,
        "The time of an hour, a minute and seconds.",
        "make_time(10, 11, 12.5) --> 10:11:12.5",
    ),
    Row::new(
        "make_timestamp",
        "int | int, int, int, int, int, float",
        Gives::Stamp,
        make_timestamp,
        "The timestamp of a date and a time, or of microseconds since 1970.",
        "make_timestamp(2020, 1, 5, 10, 11, 12.5) --> 2020-01-05 10:11:12.5",
    ),
    Row::new(
        "make_timestamp_ms",
        "int",
        Gives::Stamp,
        from_millis,
        "The timestamp of milliseconds since 1970.",
        "make_timestamp_ms(1500) --> 1970-01-01 00:00:01.5",
    ),
    Row::new(
        "make_timestamp_ns",
        "int",
        Gives::By(nanos_type),
        from_nanos,
        "The timestamp of nanoseconds since 1970.",
        "make_timestamp_ns(1500000000) --> 1970-01-01 00:00:01.5",
    ),
    Row::new(
        "make_timestamptz",
        "int | int, int, int, int, int, float, text?",
        Gives::StampUtc,
        make_timestamp,
        "The instant of a date and a time in UTC, or of microseconds since 1970.",
        "make_timestamptz(2020, 1, 5, 10, 11, 12.5) --> 2020-01-05 10:11:12.5+00",
    ),
    Row::new(
        "to_timestamp",
        "float | moment",
        Gives::By(instant),
        to_timestamp,
        "The instant of seconds since 1970.",
        "to_timestamp(1.5) --> 1970-01-01 00:00:01.5+00",
    ),
    Row::new(
        "epoch_ms",
        "int | moment",
        Gives::By(millis_type),
        epoch_ms,
        "Milliseconds since 1970, or the timestamp of them.",
        "epoch_ms(TIMESTAMP '1970-01-01 00:00:01') --> 1000",
    ),
    Row::new(
        "epoch_us",
        "moment",
        Gives::Int,
        epoch_us,
        "Microseconds since 1970.",
        "epoch_us(TIMESTAMP '1970-01-01 00:00:01') --> 1000000",
    ),
    Row::new(
        "epoch_ns",
        "moment",
        Gives::Int,
        epoch_ns,
        "Nanoseconds since 1970.",
        "epoch_ns(TIMESTAMP '1970-01-01 00:00:01') --> 1000000000",
    ),
];

fn nanos_type(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Timestamp(TimeUnit::Nanosecond, None))
}

fn millis_type(types: &[DataType]) -> Result<DataType> {
    Ok(match types.first() {
        Some(DataType::Int64) => super::super::row::STAMP,
        _ => DataType::Int64,
    })
}

fn instant(types: &[DataType]) -> Result<DataType> {
    Ok(match types.first() {
        Some(t @ DataType::Timestamp(_, None)) => t.clone(),
        _ => super::super::row::stamp_utc(),
    })
}

/// Days since 1970.
fn day(year: i64, month: i64, day: i64) -> Result<i64> {
    let narrow = || Some((i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?));
    match narrow().and_then(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d)).and_then(midnight) {
        Some(micros) => Ok(micros / DAY),
        None => exec_err!("there is no date {year}-{month}-{day}"),
    }
}

/// Microseconds of a time of day.
fn time(hour: i64, minute: i64, seconds: f64) -> Result<i64> {
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&seconds);
    match fits {
        true => Ok((hour * 60 + minute) * 60 * SECOND + (seconds * 1e6).round() as i64),
        false => exec_err!("there is no time {hour}:{minute}:{seconds}"),
    }
}

fn make_date(args: &Args) -> Result<ArrayRef> {
    let first = args.int(0)?;
    if args.len() == 1 {
        return primitives::<Date32Type>(args, |row| match i32::try_from(some!(first.get(row))) {
            Ok(days) => Ok(Some(days)),
            Err(_) => exec_err!("so many days are beyond the calendar"),
        });
    }
    let (month, days) = (args.int(1)?, args.int(2)?);
    primitives::<Date32Type>(args, |row| {
        let made = day(some!(first.get(row)), some!(month.get(row)), some!(days.get(row)))?;
        Ok(i32::try_from(made).ok())
    })
}

fn make_time(args: &Args) -> Result<ArrayRef> {
    let (hour, minute, seconds) = (args.int(0)?, args.int(1)?, args.float(2)?);
    primitives::<Time64MicrosecondType>(args, |row| {
        Ok(Some(time(some!(hour.get(row)), some!(minute.get(row)), some!(seconds.get(row)))?))
    })
}

fn make_timestamp(args: &Args) -> Result<ArrayRef> {
    let first = args.int(0)?;
    if args.len() == 1 {
        return primitives::<TimestampMicrosecondType>(args, |row| Ok(first.get(row)));
    }
    let (month, days) = (args.int(1)?, args.int(2)?);
    let (hour, minute, seconds) = (args.int(3)?, args.int(4)?, args.float(5)?);
    let zone = args.text_or(6, "UTC")?;
    primitives::<TimestampMicrosecondType>(args, |row| {
        let date = day(some!(first.get(row)), some!(month.get(row)), some!(days.get(row)))?;
        let time = time(some!(hour.get(row)), some!(minute.get(row)), some!(seconds.get(row)))?;
        let local = date.checked_mul(DAY).and_then(|d| d.checked_add(time));
        match some!(zone.get(row)) {
            "UTC" => Ok(local),
            name => Ok(super::zones::to_instant(&super::zone_of(name)?, some!(local))),
        }
    })
}

fn scaled(args: &Args, factor: i64) -> Result<ArrayRef> {
    let n = args.int(0)?;
    primitives::<TimestampMicrosecondType>(args, |row| match some!(n.get(row)).checked_mul(factor) {
        Some(micros) => Ok(Some(micros)),
        None => exec_err!("overflow in {}", args.name()),
    })
}

fn from_millis(args: &Args) -> Result<ArrayRef> {
    scaled(args, 1_000)
}

fn from_nanos(args: &Args) -> Result<ArrayRef> {
    let n = args.int(0)?;
    primitives::<TimestampNanosecondType>(args, |row| Ok(n.get(row)))
}

fn to_timestamp(args: &Args) -> Result<ArrayRef> {
    if !args.type_of(0).is_numeric() {
        return Ok(cast(&args.full(0)?, args.gives)?);
    }
    let seconds = args.float(0)?;
    primitives::<TimestampMicrosecondType>(args, |row| {
        let micros = (some!(seconds.get(row)) * 1e6).round();
        match micros.abs() < 9.2e18 {
            true => Ok(Some(micros as i64)),
            false => exec_err!("so many seconds are beyond the calendar"),
        }
    })
}

fn epoch_ms(args: &Args) -> Result<ArrayRef> {
    if args.type_of(0).is_integer() {
        return scaled(args, 1_000);
    }
    let moments = Moments::new(args, 0)?;
    ints(args, |row| Ok(moments.instant(row).map(|m| m.div_euclid(1_000))))
}

fn epoch_us(args: &Args) -> Result<ArrayRef> {
    let moments = Moments::new(args, 0)?;
    ints(args, |row| Ok(moments.instant(row)))
}

fn epoch_ns(args: &Args) -> Result<ArrayRef> {
    if let DataType::Timestamp(TimeUnit::Nanosecond, _) = args.type_of(0) {
        let at = args.any(0)?;
        let values = at.array.as_primitive::<TimestampNanosecondType>();
        return ints(args, |row| Ok(at.at(row).map(|at| values.value(at))));
    }
    let moments = Moments::new(args, 0)?;
    ints(args, |row| match some!(moments.instant(row)).checked_mul(1_000) {
        Some(nanos) => Ok(Some(nanos)),
        None => exec_err!("overflow in epoch_ns"),
    })
}
