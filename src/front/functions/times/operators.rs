//! What `+` and `-` mean between dates, times and numbers: see [planner](super::super::planner).

use super::super::args::{Args, ints, primitives, some};
use super::super::row::{Gives, Row};
use super::Moments;
use super::calendar::{DAY, add};
use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "days_between",
        "date, date",
        Gives::Int,
        days_between,
        "The days from the second date to the first.",
        "DATE '2020-01-10' - DATE '2020-01-01' --> 9",
    ),
    Row::new(
        "add_days",
        "date, int",
        Gives::Date,
        add_days,
        "The date so many days later.",
        "DATE '2020-01-01' + 5 --> 2020-01-06",
    ),
    Row::new(
        "time_between",
        "moment, moment",
        Gives::Interval,
        time_between,
        "The time from the second to the first, in days and time.",
        "TIMESTAMP '2020-03-01' - TIMESTAMP '2020-01-01' --> 60 days",
    ),
    Row::new(
        "date_add",
        "moment, interval | time, interval",
        Gives::By(sum),
        date_add,
        "The time an interval later.",
        "date_add(DATE '2020-01-31', INTERVAL 1 MONTH) --> 2020-02-29 00:00:00",
    ),
    Row::new(
        "date_with_time",
        "date, time",
        Gives::Stamp,
        with_time,
        "A date and a time of day.",
        "DATE '2020-01-01' + TIME '10:00:00' --> 2020-01-01 10:00:00",
    ),
];

fn sum(types: &[DataType]) -> Result<DataType> {
    Ok(match types.first() {
        Some(DataType::Timestamp(_, zone)) => {
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone.clone())
        }
        Some(t @ DataType::Time64(_)) => t.clone(),
        _ => super::super::row::STAMP,
    })
}

fn days_between(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.date(0)?, args.date(1)?);
    ints(args, |row| Ok(Some(i64::from(some!(a.get(row))) - i64::from(some!(b.get(row))))))
}

fn add_days(args: &Args) -> Result<ArrayRef> {
    let (date, days) = (args.date(0)?, args.int(1)?);
    primitives::<Date32Type>(args, |row| {
        let (date, days) = (some!(date.get(row)), some!(days.get(row)));
        match i64::from(date).checked_add(days).and_then(|d| i32::try_from(d).ok()) {
            Some(made) => Ok(Some(made)),
            None => exec_err!("overflow: a date {days} days later"),
        }
    })
}

fn time_between(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (Moments::new(args, 0)?, Moments::new(args, 1)?);
    primitives::<IntervalMonthDayNanoType>(args, |row| {
        let Some(micros) = some!(a.instant(row)).checked_sub(some!(b.instant(row))) else {
            return exec_err!("overflow: the time between two timestamps");
        };
        let days = i32::try_from(micros / DAY).ok();
        Ok(days.map(|days| IntervalMonthDayNano::new(0, days, micros % DAY * 1_000)))
    })
}

fn date_add(args: &Args) -> Result<ArrayRef> {
    let interval = args.interval(1)?;
    if matches!(args.gives, DataType::Time64(_)) {
        let time = args.time(0)?;
        return primitives::<Time64MicrosecondType>(args, |row| {
            let (time, by) = (some!(time.get(row)), some!(interval.get(row)));
            Ok(Some((time + by.nanoseconds / 1_000 % DAY).rem_euclid(DAY)))
        });
    }
    let moments = Moments::new(args, 0)?;
    primitives::<TimestampMicrosecondType>(args, |row| {
        match add(some!(moments.get(row)), some!(interval.get(row))).and_then(|local| moments.back(local)) {
            Some(made) => Ok(Some(made)),
            None => exec_err!("overflow: a timestamp and an interval"),
        }
    })
}

fn with_time(args: &Args) -> Result<ArrayRef> {
    let (date, time) = (args.date(0)?, args.time(1)?);
    primitives::<TimestampMicrosecondType>(args, |row| {
        let (date, time) = (some!(date.get(row)), some!(time.get(row)));
        Ok(i64::from(date).checked_mul(DAY).and_then(|d| d.checked_add(time)))
    })
}
