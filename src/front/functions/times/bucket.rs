//! `time_bucket('15 minutes', t)`: the beginning of the interval of a series in which a time lies.
//!
//! Series of months begin at 2000-01-01, others at Monday, 2000-01-03, unless an origin or an offset is given.

use super::super::args::{Args, primitives, some};
use super::super::row::{Gives, Row, STAMP};
use super::Moments;
use super::calendar::{DAY, add, civil, midnight, month_begin, months};
use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[Row::new(
    "time_bucket",
    "interval, moment, interval? | interval, moment, moment | interval, moment, text",
    Gives::By(bucketed),
    time_bucket,
    "The beginning of the interval in which a time lies; an offset or an origin may be given.",
    "time_bucket(INTERVAL '15 minutes', TIMESTAMP '2020-01-01 10:20:00') --> 2020-01-01 10:15:00",
)];

/// 2000-01-01 and 2000-01-03.
const MONTHS_ORIGIN: i64 = 10_957 * DAY;
const DAYS_ORIGIN: i64 = 10_959 * DAY;

fn bucketed(types: &[DataType]) -> Result<DataType> {
    Ok(match types.get(1) {
        Some(t @ DataType::Date32) => t.clone(),
        Some(DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => STAMP,
    })
}

/// The beginning, for an interval of months or of time.
fn begin(width: IntervalMonthDayNano, at: i64, origin: Option<i64>) -> Result<Option<i64>> {
    if width.months > 0 && width.days == 0 && width.nanoseconds == 0 {
        let origin = some!(civil(origin.unwrap_or(MONTHS_ORIGIN)));
        let (at, base) = (some!(civil(at)), months(origin.date()));
        let past = (months(at.date()) - base).div_euclid(width.months.into()) * i64::from(width.months);
        let day = some!(month_begin(base + past));
        return Ok(midnight(day));
    }
    let micros = i64::from(width.days).checked_mul(DAY).and_then(|d| d.checked_add(width.nanoseconds / 1_000));
    match micros {
        Some(micros) if micros > 0 && width.months == 0 => {
            let origin = origin.unwrap_or(DAYS_ORIGIN);
            let past = some!(at.checked_sub(origin));
            Ok(at.checked_sub(past.rem_euclid(micros)))
        }
        _ => exec_err!("a bucket is of months, or of days and time, and longer than nothing"),
    }
}

fn time_bucket(args: &Args) -> Result<ArrayRef> {
    let (width, moments) = (args.interval(0)?, Moments::new(args, 1)?);
    let offset = match args.type_of(2) {
        DataType::Interval(_) => Some(args.interval(2)?),
        _ => None,
    };
    let origin = match args.type_of(2) {
        DataType::Date32 | DataType::Timestamp(..) => Some(Moments::new(args, 2)?),
        _ => None,
    };
    let zone = if super::super::row::is_text(args.type_of(2)) { Some(args.text(2)?) } else { None };
    let stamps = DataType::Timestamp(TimeUnit::Microsecond, None);
    let wide = args.giving(&stamps);
    let made = primitives::<TimestampMicrosecondType>(&wide, |row| {
        let (width, at) = (some!(width.get(row)), some!(moments.get(row)));
        if let Some(zone) = &zone {
            return in_zone(width, some!(moments.instant(row)), some!(zone.get(row)));
        }
        if let Some(origin) = &origin {
            let begin = some!(begin(width, at, Some(some!(origin.get(row))))?);
            return Ok(moments.back(begin));
        }
        let Some(offset) = &offset else { return Ok(moments.back(some!(begin(width, at, None)?))) };
        let offset = some!(offset.get(row));
        let back = IntervalMonthDayNano::new(-offset.months, -offset.days, -offset.nanoseconds);
        let begin = some!(begin(width, some!(add(at, back)), None)?);
        Ok(moments.back(some!(add(begin, offset))))
    })?;
    let made = cast(&made, args.gives)?;
    Ok(made)
}

/// The bucket of what clocks show in a zone.
fn in_zone(width: IntervalMonthDayNano, at: i64, zone: &str) -> Result<Option<i64>> {
    let zone = super::zone_of(zone)?;
    let local = some!(super::zones::to_local(&zone, at));
    let begin = some!(begin(width, local, None)?);
    Ok(super::zones::to_instant(&zone, begin))
}
