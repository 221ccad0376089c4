//! `date_trunc('month', t)`: the beginning of a part.

use super::super::args::{Args, primitives, some};
use super::super::row::{Gives, Row, STAMP};
use super::Moments;
use super::calendar::{DAY, SECOND, civil, days, midnight, month_begin, months};
use super::fields::Part;
use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use chrono::{Datelike, NaiveDate};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[Row::new(
    "date_trunc",
    "text, moment | text, interval | text, time",
    Gives::By(truncated),
    date_trunc,
    "The beginning of the part in which the time lies.",
    "date_trunc('month', TIMESTAMP '2020-05-06 01:02:03') --> 2020-05-01 00:00:00",
)
.also(&["datetrunc"])];

fn truncated(types: &[DataType]) -> Result<DataType> {
    Ok(match types.get(1) {
        Some(DataType::Timestamp(_, Some(zone))) => {
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some(zone.clone()))
        }
        Some(t @ (DataType::Interval(_) | DataType::Time64(_))) => t.clone(),
        _ => STAMP,
    })
}

/// The beginning of the part, in microseconds.
pub(super) fn begin(micros: i64, part: Part) -> Option<i64> {
    let below = |unit: i64| micros.checked_sub(micros.rem_euclid(unit));
    let date = || civil(micros).map(|c| c.date());
    let year = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).and_then(midnight);
    match part {
        Part::Nanosecond | Part::Microsecond => Some(micros),
        Part::Millisecond => below(1_000),
        Part::Second | Part::Epoch => below(SECOND),
        Part::Minute => below(60 * SECOND),
        Part::Hour => below(3_600 * SECOND),
        Part::Day | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear | Part::Julian => below(DAY),
        Part::Week | Part::YearWeek => {
            let date = date()?;
            days(date).checked_sub(date.weekday().num_days_from_monday().into())?.checked_mul(DAY)
        }
        Part::Month => midnight(month_begin(months(date()?))?),
        Part::Quarter => {
            let months = months(date()?);
            midnight(month_begin(months - months.rem_euclid(3))?)
        }
        Part::Year => year(date()?.year()),
        Part::IsoYear => {
            let first = NaiveDate::from_isoywd_opt(date()?.iso_week().year(), 1, chrono::Weekday::Mon)?;
            midnight(first)
        }
        Part::Decade => year(date()?.year().div_euclid(10) * 10),
        Part::Century => year(date()?.year().div_euclid(100) * 100),
        Part::Millennium => year(date()?.year().div_euclid(1000) * 1000),
        Part::Era | Part::Zone | Part::ZoneHour | Part::ZoneMinute => None,
    }
}

fn of_interval(v: IntervalMonthDayNano, part: Part) -> Option<IntervalMonthDayNano> {
    let months = |unit: i32| Some(IntervalMonthDayNano::new(v.months / unit * unit, 0, 0));
    let nanos = |unit: i64| Some(IntervalMonthDayNano::new(v.months, v.days, v.nanoseconds / unit * unit));
    match part {
        Part::Millennium => months(12_000),
        Part::Century => months(1_200),
        Part::Decade => months(120),
        Part::Year | Part::IsoYear => months(12),
        Part::Quarter => months(3),
        Part::Month => months(1),
        Part::Week | Part::YearWeek => Some(IntervalMonthDayNano::new(v.months, v.days / 7 * 7, 0)),
        Part::Day => Some(IntervalMonthDayNano::new(v.months, v.days, 0)),
        Part::Hour => nanos(3_600_000_000_000),
        Part::Minute => nanos(60_000_000_000),
        Part::Second => nanos(1_000_000_000),
        Part::Millisecond => nanos(1_000_000),
        Part::Microsecond => nanos(1_000),
        Part::Nanosecond => Some(v),
        _ => None,
    }
}

fn refuse<T>(part: Part) -> Result<T> {
    exec_err!("a time cannot be cut off at {part:?}")
}

fn date_trunc(args: &Args) -> Result<ArrayRef> {
    let name = args.text(0)?;
    if matches!(args.type_of(1), DataType::Interval(_)) {
        let interval = args.interval(1)?;
        return primitives::<IntervalMonthDayNanoType>(args, |row| {
            let (part, value) = (Part::named(some!(name.get(row)))?, some!(interval.get(row)));
            match of_interval(value, part) {
                Some(v) => Ok(Some(v)),
                None => refuse(part),
            }
        });
    }
    if matches!(args.type_of(1), DataType::Time64(_)) {
        let time = args.time(1)?;
        return primitives::<Time64MicrosecondType>(args, |row| {
            let (part, value) = (Part::named(some!(name.get(row)))?, some!(time.get(row)));
            match part {
                Part::Hour | Part::Minute | Part::Second | Part::Millisecond | Part::Microsecond => {
                    Ok(begin(value, part))
                }
                _ => refuse(part),
            }
        });
    }
    let moments = Moments::new(args, 1)?;
    primitives::<TimestampMicrosecondType>(args, |row| {
        let (part, local) = (Part::named(some!(name.get(row)))?, some!(moments.get(row)));
        match begin(local, part) {
            Some(begin) => Ok(moments.back(begin)),
            None => refuse(part),
        }
    })
}
