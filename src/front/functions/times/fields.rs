//! The parts of dates and times: `date_part('year', d)`, `extract(dow FROM d)`, `month(d)`.

use super::super::args::{Args, floats, ints, some, texts};
use super::super::row::{Gives, Row};
use super::calendar::{DAY, SECOND, civil, days};
use super::{Moments, calendar};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, IntervalMonthDayNano};
use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion_common::{Result, ScalarValue, exec_err};

/// A row for each part that has a function of its own.
macro_rules! parts {
    ($($name:literal, $doc:literal, $example:literal;)*) => {
        pub(in super::super) const ROWS: &[Row] = &[
            Row::new("date_part", "text, part", Gives::ByValues(part_type), date_part, "A part of a date, a time or an interval.", "date_part('year', DATE '2020-05-06') --> 2020").also(&["datepart"]),
            Row::new("epoch", "part", Gives::Float, epoch, "Seconds since 1970, or of an interval.", "epoch(TIMESTAMP '1970-01-02') --> 86400.0"),
            Row::new("julian", "moment", Gives::Float, julian, "The Julian day.", "julian(DATE '2020-05-06') --> 2458976.0"),
            Row::new("last_day", "moment", Gives::Date, last_day, "The last day of the month.", "last_day(DATE '2020-02-05') --> 2020-02-29"),
            Row::new("monthname", "moment", Gives::Text, monthname, "The English name of the month.", "monthname(DATE '2020-02-05') --> February"),
            Row::new("dayname", "moment", Gives::Text, dayname, "The English name of the day.", "dayname(DATE '2020-02-05') --> Wednesday"),
            $(Row::new($name, "part", Gives::Int, own, $doc, $example),)*
        ];
    };
}

parts! {
    "year", "The year.", "year(DATE '2020-02-05') --> 2020";
    "month", "The month, from 1.", "month(DATE '2020-02-05') --> 2";
    "day", "The day of the month.", "day(DATE '2020-02-05') --> 5";
    "dayofmonth", "The day of the month.", "dayofmonth(DATE '2020-02-05') --> 5";
    "hour", "The hour.", "hour(TIMESTAMP '2020-02-05 10:11:12') --> 10";
    "minute", "The minute.", "minute(TIMESTAMP '2020-02-05 10:11:12') --> 11";
    "second", "The whole second.", "second(TIMESTAMP '2020-02-05 10:11:12.5') --> 12";
    "millisecond", "The second in milliseconds.", "millisecond(TIMESTAMP '2020-02-05 10:11:12.5') --> 12500";
    "microsecond", "The second in microseconds.", "microsecond(TIMESTAMP '2020-02-05 10:11:12.5') --> 12500000";
    "nanosecond", "The second in nanoseconds.", "nanosecond(TIMESTAMP '2020-02-05 10:11:12.5') --> 12500000000";
    "quarter", "The quarter, from 1.", "quarter(DATE '2020-02-05') --> 1";
    "week", "The week of ISO 8601.", "week(DATE '2020-02-05') --> 6";
    "weekofyear", "The week of ISO 8601.", "weekofyear(DATE '2020-02-05') --> 6";
    "yearweek", "The year and the week of ISO 8601.", "yearweek(DATE '2020-02-05') --> 202006";
    "isoyear", "The year of the week of ISO 8601.", "isoyear(DATE '2020-02-05') --> 2020";
    "dayofweek", "The day of the week, Sunday is 0.", "dayofweek(DATE '2020-02-05') --> 3";
    "weekday", "The day of the week, Sunday is 0.", "weekday(DATE '2020-02-05') --> 3";
    "isodow", "The day of the week, Monday is 1, Sunday is 7.", "isodow(DATE '2020-02-05') --> 3";
    "dayofyear", "The day of the year.", "dayofyear(DATE '2020-02-05') --> 36";
    "decade", "The year divided by 10.", "decade(DATE '2020-02-05') --> 202";
    "century", "The century.", "century(DATE '2020-02-05') --> 21";
    "millennium", "The millennium.", "millennium(DATE '2020-02-05') --> 3";
    "era", "1 after, 0 before the beginning of the count.", "era(DATE '2020-02-05') --> 1";
    "timezone", "Seconds that the zone is east of UTC.", "timezone(TIMESTAMPTZ '2020-01-01 00:00:00+00') --> 0";
    "timezone_hour", "The hours of the zone's offset.", "timezone_hour(TIMESTAMPTZ '2020-01-01 00:00:00+00') --> 0";
    "timezone_minute", "The minutes of the zone's offset.", "timezone_minute(TIMESTAMPTZ '2020-01-01 00:00:00+00') --> 0";
}

/// A part of a date or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Part {
    Era,
    Millennium,
    Century,
    Decade,
    IsoYear,
    Year,
    Quarter,
    Month,
    YearWeek,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
    Julian,
    Zone,
    ZoneHour,
    ZoneMinute,
}

impl Part {
    /// The part of this name.
    pub(in super::super) fn named(name: &str) -> Result<Part> {
        Ok(match name.trim_matches(['\'', '"']).to_ascii_lowercase().as_str() {
            "era" => Part::Era,
            "millennium" | "millennia" | "mil" | "millenium" => Part::Millennium,
            "century" | "centuries" | "cent" | "c" => Part::Century,
            "decade" | "decades" | "dec" | "decs" => Part::Decade,
            "isoyear" => Part::IsoYear,
            "year" | "years" | "yr" | "yrs" | "y" => Part::Year,
            "quarter" | "quarters" => Part::Quarter,
            "month" | "months" | "mon" | "mons" => Part::Month,
            "yearweek" => Part::YearWeek,
            "week" | "weeks" | "w" | "weekofyear" => Part::Week,
            "day" | "days" | "d" | "dayofmonth" => Part::Day,
            "dow" | "dayofweek" | "weekday" => Part::DayOfWeek,
            "isodow" => Part::IsoDayOfWeek,
            "doy" | "dayofyear" => Part::DayOfYear,
            "hour" | "hours" | "hr" | "hrs" | "h" => Part::Hour,
            "minute" | "minutes" | "min" | "mins" | "m" => Part::Minute,
            "second" | "seconds" | "sec" | "secs" | "s" => Part::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => Part::Millisecond,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => Part::Microsecond,
            "nanosecond" | "nanoseconds" | "ns" => Part::Nanosecond,
            "epoch" => Part::Epoch,
            "julian" => Part::Julian,
            "timezone" => Part::Zone,
            "timezone_hour" => Part::ZoneHour,
            "timezone_minute" => Part::ZoneMinute,
            other => return exec_err!("no part of a date or a time is called {other:?}"),
        })
    }

    fn is_float(self) -> bool {
        matches!(self, Part::Epoch | Part::Julian)
    }

    fn data_type(self) -> DataType {
        if self.is_float() { DataType::Float64 } else { DataType::Int64 }
    }
}

/// What parts are taken of.
enum Source {
    Moments(Moments),
    Times(super::super::args::Column<arrow::array::PrimitiveArray<arrow::datatypes::Time64MicrosecondType>>),
    Intervals(super::super::args::Column<arrow::array::PrimitiveArray<arrow::datatypes::IntervalMonthDayNanoType>>),
}

impl Source {
    fn new(args: &Args, at: usize) -> Result<Source> {
        Ok(match args.type_of(at) {
            DataType::Time32(_) | DataType::Time64(_) => Source::Times(args.time(at)?),
            DataType::Interval(_) | DataType::Duration(_) => Source::Intervals(args.interval(at)?),
            _ => Source::Moments(Moments::new(args, at)?),
        })
    }

    fn int(&self, row: usize, part: Part) -> Result<Option<i64>> {
        match self {
            Source::Moments(m) => {
                let (micros, shift) = (some!(m.get(row)), some!(m.offset(row)));
                match (civil(micros), part) {
                    (_, Part::Zone) => Ok(Some(shift)),
                    (_, Part::ZoneHour) => Ok(Some(shift / 3_600)),
                    (_, Part::ZoneMinute) => Ok(Some(shift / 60 % 60)),
                    (Some(civil), part) => Ok(Some(of_civil(civil, part))),
                    (None, _) => exec_err!("a timestamp is out of the calendar's range"),
                }
            }
            Source::Times(t) => of_time(some!(t.get(row)), part).map(Some),
            Source::Intervals(i) => of_interval(some!(i.get(row)), part).map(Some),
        }
    }

    fn float(&self, row: usize, part: Part) -> Result<Option<f64>> {
        let seconds = |micros: i64| micros as f64 / SECOND as f64;
        match (self, part) {
            (Source::Moments(m), Part::Epoch) => Ok(m.instant(row).map(seconds)),
            (Source::Moments(m), Part::Julian) => Ok(m.get(row).map(|micros| micros as f64 / DAY as f64 + 2_440_588.0)),
            (Source::Times(t), Part::Epoch) => Ok(t.get(row).map(seconds)),
            (Source::Intervals(i), Part::Epoch) => Ok(i.get(row).map(interval_seconds)),
            (source, part) => Ok(source.int(row, part)?.map(|v| v as f64)),
        }
    }
}

/// Twelve months are a year of 365.25 days, other months have 30.
fn interval_seconds(v: IntervalMonthDayNano) -> f64 {
    let years = f64::from(v.months / 12) * 365.25;
    (years + f64::from(v.months % 12) * 30.0 + f64::from(v.days)) * 86_400.0 + v.nanoseconds as f64 / 1e9
}

fn of_civil(at: NaiveDateTime, part: Part) -> i64 {
    let year = i64::from(at.year());
    let week = at.iso_week();
    match part {
        Part::Era => i64::from(year > 0),
        Part::Millennium => {
            if year > 0 {
                (year - 1) / 1000 + 1
            } else {
                year / 1000 - 1
            }
        }
        Part::Century => {
            if year > 0 {
                (year - 1) / 100 + 1
            } else {
                year / 100 - 1
            }
        }
        Part::Decade => year.div_euclid(10),
        Part::IsoYear => week.year().into(),
        Part::Year => year,
        Part::Quarter => i64::from(at.month0() / 3 + 1),
        Part::Month => at.month().into(),
        Part::YearWeek => i64::from(week.year()) * 100 + i64::from(week.week()) * if week.year() < 0 { -1 } else { 1 },
        Part::Week => week.week().into(),
        Part::Day => at.day().into(),
        Part::DayOfWeek => at.weekday().num_days_from_sunday().into(),
        Part::IsoDayOfWeek => at.weekday().number_from_monday().into(),
        Part::DayOfYear => at.ordinal().into(),
        Part::Hour => at.hour().into(),
        Part::Minute => at.minute().into(),
        Part::Second => at.second().into(),
        Part::Millisecond => i64::from(at.second()) * 1_000 + i64::from(at.nanosecond() / 1_000_000),
        Part::Microsecond => i64::from(at.second()) * 1_000_000 + i64::from(at.nanosecond() / 1_000),
        Part::Nanosecond => i64::from(at.second()) * 1_000_000_000 + i64::from(at.nanosecond()),
        Part::Epoch => at.and_utc().timestamp(),
        Part::Julian => days(at.date()) + 2_440_588,
        Part::Zone | Part::ZoneHour | Part::ZoneMinute => 0,
    }
}

fn of_time(micros: i64, part: Part) -> Result<i64> {
    let minute = micros % (60 * SECOND);
    Ok(match part {
        Part::Hour => micros / (3_600 * SECOND),
        Part::Minute => micros / (60 * SECOND) % 60,
        Part::Second => minute / SECOND,
        Part::Millisecond => minute / 1_000,
        Part::Microsecond => minute,
        Part::Nanosecond => minute * 1_000,
        Part::Epoch => micros / SECOND,
        Part::Zone | Part::ZoneHour | Part::ZoneMinute => 0,
        other => return exec_err!("a time has no part {other:?}"),
    })
}

fn of_interval(v: IntervalMonthDayNano, part: Part) -> Result<i64> {
    let (years, minute) = (i64::from(v.months / 12), v.nanoseconds % 60_000_000_000);
    Ok(match part {
        Part::Millennium => years / 1000,
        Part::Century => years / 100,
        Part::Decade => years / 10,
        Part::Year | Part::IsoYear => years,
        Part::Quarter => i64::from(v.months % 12 / 3 + 1),
        Part::Month => i64::from(v.months % 12),
        Part::Week => i64::from(v.days / 7),
        Part::Day => v.days.into(),
        Part::Hour => v.nanoseconds / 3_600_000_000_000,
        Part::Minute => v.nanoseconds / 60_000_000_000 % 60,
        Part::Second => minute / 1_000_000_000,
        Part::Millisecond => minute / 1_000_000,
        Part::Microsecond => minute / 1_000,
        Part::Nanosecond => minute,
        other => return exec_err!("an interval has no part {other:?}"),
    })
}

fn part_type(_: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    let value = values.first().copied().flatten();
    let name = value.and_then(|v| v.try_as_str().flatten());
    name.map_or(Ok(DataType::Int64), |n| Part::named(n).map(Part::data_type))
}

fn date_part(args: &Args) -> Result<ArrayRef> {
    let source = Source::new(args, 1)?;
    let name = args.text(0)?;
    let mut last: Option<(String, Part)> = None;
    let mut part = |row: usize| -> Result<Option<Part>> {
        let name = some!(name.get(row));
        if last.as_ref().is_none_or(|(n, _)| n != name) {
            last = Some((name.to_string(), Part::named(name)?));
        }
        Ok(last.as_ref().map(|(_, p)| *p))
    };
    match args.gives {
        DataType::Float64 => floats(args, |row| {
            let part = some!(part(row)?);
            source.float(row, part)
        }),
        _ => ints(args, |row| {
            let part = some!(part(row)?);
            if part.is_float() {
                return exec_err!("the part {part:?} must be a constant");
            }
            source.int(row, part)
        }),
    }
}

/// A function that is called as its part.
fn own(args: &Args) -> Result<ArrayRef> {
    let (source, part) = (Source::new(args, 0)?, Part::named(args.name())?);
    ints(args, |row| source.int(row, part))
}

fn epoch(args: &Args) -> Result<ArrayRef> {
    let source = Source::new(args, 0)?;
    floats(args, |row| source.float(row, Part::Epoch))
}

fn julian(args: &Args) -> Result<ArrayRef> {
    let source = Source::new(args, 0)?;
    floats(args, |row| source.float(row, Part::Julian))
}

fn last_day(args: &Args) -> Result<ArrayRef> {
    let moments = Moments::new(args, 0)?;
    super::super::args::primitives::<Date32Type>(args, |row| {
        let date = some!(civil(some!(moments.get(row)))).date();
        let next = calendar::month_begin(calendar::months(date) + 1);
        Ok(next.and_then(|n| i32::try_from(days(n) - 1).ok()))
    })
}

fn name(args: &Args, format: &str) -> Result<ArrayRef> {
    let moments = Moments::new(args, 0)?;
    texts(args, |row| Ok(Some(some!(civil(some!(moments.get(row)))).format(format).to_string())))
}

fn monthname(args: &Args) -> Result<ArrayRef> {
    name(args, "%B")
}

fn dayname(args: &Args) -> Result<ArrayRef> {
    name(args, "%A")
}
