//! Differences of times: `date_diff` counts the borders of a part between two times, `date_sub` the whole parts, `age`
//! says years, months and days.

use super::super::args::{Args, ints, primitives, some};
use super::super::row::{Gives, Row};
use super::Moments;
use super::calendar::{DAY, SECOND, civil, date, days, months};
use super::fields::Part;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType};
use chrono::{Datelike, NaiveDate};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "date_diff",
        "text, moment, moment | text, time, time",
        Gives::Int,
        date_diff,
        "How many borders of the part lie between two times.",
        "date_diff('month', DATE '2020-01-31', DATE '2020-02-01') --> 1",
    )
    .also(&["datediff"]),
    Row::new(
        "date_sub",
        "text, moment, moment | text, time, time",
        Gives::Int,
        date_sub,
        "How many whole parts lie between two times.",
        "date_sub('month', DATE '2020-01-31', DATE '2020-02-29') --> 1",
    )
    .also(&["datesub"]),
    Row::new(
        "age",
        "moment, moment?",
        Gives::Interval,
        age,
        "The first less the second (or today less the first) in years, months, days and time.",
        "age(TIMESTAMP '2001-04-10', TIMESTAMP '1957-06-13') --> 43 years 9 months 27 days",
    ),
];

/// Microseconds of one of a part that always has the same length.
fn fixed(part: Part) -> Option<i64> {
    Some(match part {
        Part::Microsecond => 1,
        Part::Millisecond => 1_000,
        Part::Second | Part::Epoch => SECOND,
        Part::Minute => 60 * SECOND,
        Part::Hour => 3_600 * SECOND,
        Part::Day | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear | Part::Julian => DAY,
        _ => return None,
    })
}

/// Months of one of a part that is made of months.
fn in_months(part: Part) -> Option<i64> {
    Some(match part {
        Part::Month => 1,
        Part::Quarter => 3,
        Part::Year => 12,
        Part::Decade => 120,
        Part::Century => 1_200,
        Part::Millennium => 12_000,
        _ => return None,
    })
}

fn borders(part: Part, from: i64, to: i64) -> Option<i64> {
    if part == Part::Nanosecond {
        return to.checked_sub(from)?.checked_mul(1_000);
    }
    if let Some(unit) = fixed(part) {
        return Some(to.div_euclid(unit) - from.div_euclid(unit));
    }
    let (a, b) = (civil(from)?.date(), civil(to)?.date());
    if let Some(unit) = in_months(part) {
        return Some(months(b).div_euclid(unit) - months(a).div_euclid(unit));
    }
    match part {
        // DuckDB counts whole weeks of days, not Mondays.
        Part::Week | Part::YearWeek => Some((to.div_euclid(DAY) - from.div_euclid(DAY)) / 7),
        Part::IsoYear => Some(i64::from(b.iso_week().year()) - i64::from(a.iso_week().year())),
        Part::Era => Some(i64::from(b.year() > 0) - i64::from(a.year() > 0)),
        _ => None,
    }
}

/// Whole months from one time to a later one.
fn whole_months(from: i64, to: i64) -> Option<i64> {
    if from > to {
        return whole_months(to, from).map(|m| -m);
    }
    let (a, b) = (civil(from)?, civil(to)?);
    let all = months(b.date()) - months(a.date());
    let (x, y) = ((a.day(), from.rem_euclid(DAY)), (b.day(), to.rem_euclid(DAY)));
    // The last day of a shorter month completes a month that began later in its own.
    let last = b.date().succ_opt().is_none_or(|next| next.month() != b.month());
    let complete = y >= x || (last && b.day() < a.day() && y.1 >= x.1);
    Some(if complete { all } else { all - 1 })
}

fn wholes(part: Part, from: i64, to: i64) -> Option<i64> {
    if let Some(unit) = fixed(part) {
        return Some(to.checked_sub(from)? / unit);
    }
    if let Some(unit) = in_months(part) {
        return Some(whole_months(from, to)? / unit);
    }
    match part {
        Part::Nanosecond => to.checked_sub(from)?.checked_mul(1_000),
        Part::Week | Part::YearWeek => Some(to.checked_sub(from)? / (7 * DAY)),
        Part::IsoYear => Some(whole_months(from, to)? / 12),
        _ => None,
    }
}

fn count(args: &Args, f: fn(Part, i64, i64) -> Option<i64>) -> Result<ArrayRef> {
    let name = args.text(0)?;
    let done = |part: Part, from: i64, to: i64| match f(part, from, to) {
        Some(n) => Ok(Some(n)),
        None => exec_err!("{} has no count of {part:?} for these times", args.name()),
    };
    if matches!(args.type_of(1), DataType::Time64(_)) {
        let (from, to) = (args.time(1)?, args.time(2)?);
        return ints(args, |row| done(Part::named(some!(name.get(row)))?, some!(from.get(row)), some!(to.get(row))));
    }
    let (from, to) = (Moments::new(args, 1)?, Moments::new(args, 2)?);
    ints(args, |row| done(Part::named(some!(name.get(row)))?, some!(from.get(row)), some!(to.get(row))))
}

fn date_diff(args: &Args) -> Result<ArrayRef> {
    count(args, borders)
}

fn date_sub(args: &Args) -> Result<ArrayRef> {
    count(args, wholes)
}

/// Years, months and days as people say them: of the days of the earlier time's month where days are borrowed.
pub(super) fn between(later: i64, earlier: i64) -> Option<IntervalMonthDayNano> {
    if later < earlier {
        let v = between(earlier, later)?;
        return Some(IntervalMonthDayNano::new(-v.months, -v.days, -v.nanoseconds));
    }
    let (a, b) = (date(earlier.div_euclid(DAY))?, date(later.div_euclid(DAY))?);
    let mut time = later.rem_euclid(DAY) - earlier.rem_euclid(DAY);
    let mut whole = months(b) - months(a);
    let mut left = i64::from(b.day()) - i64::from(a.day());
    if time < 0 {
        time += DAY;
        left -= 1;
    }
    if left < 0 {
        left += days_of_month(a)?;
        whole -= 1;
    }
    Some(IntervalMonthDayNano::new(i32::try_from(whole).ok()?, i32::try_from(left).ok()?, time * 1_000))
}

fn days_of_month(at: NaiveDate) -> Option<i64> {
    let first = super::calendar::month_begin(months(at))?;
    Some(days(super::calendar::month_begin(months(at) + 1)?) - days(first))
}

fn age(args: &Args) -> Result<ArrayRef> {
    let first = Moments::new(args, 0)?;
    let second = if args.has(1) { Some(Moments::new(args, 1)?) } else { None };
    let today = chrono::Utc::now().timestamp_micros().div_euclid(DAY) * DAY;
    primitives::<IntervalMonthDayNanoType>(args, |row| {
        let (later, earlier) = match &second {
            Some(second) => (some!(first.get(row)), some!(second.get(row))),
            None => (today, some!(first.get(row))),
        };
        Ok(between(later, earlier))
    })
}
