//! The calendar: microseconds since 1970 to dates and back, months added.

use arrow::datatypes::IntervalMonthDayNano;
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime};

pub(in super::super) const SECOND: i64 = 1_000_000;
pub(in super::super) const DAY: i64 = 86_400 * SECOND;

/// The date and the time of day.
pub(in super::super) fn civil(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|d| d.naive_utc())
}

/// Microseconds since 1970 of a midnight.
pub(in super::super) fn midnight(date: NaiveDate) -> Option<i64> {
    days(date).checked_mul(DAY)
}

/// Days since 1970.
pub(in super::super) fn days(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - 719_163
}

/// The date of a number of days since 1970.
pub(in super::super) fn date(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days.checked_add(719_163)?).ok()?)
}

/// Months first (a day that the month lacks becomes its last), then days, then the time.
pub(in super::super) fn add(micros: i64, interval: IntervalMonthDayNano) -> Option<i64> {
    let of_day = micros.rem_euclid(DAY);
    let mut day = date(micros.div_euclid(DAY))?;
    if interval.months != 0 {
        let months = Months::new(interval.months.unsigned_abs());
        day = if interval.months > 0 { day.checked_add_months(months)? } else { day.checked_sub_months(months)? };
    }
    let day = days(day).checked_add(interval.days.into())?;
    day.checked_mul(DAY)?.checked_add(of_day)?.checked_add(interval.nanoseconds / 1_000)
}

/// The months since the year 0.
pub(in super::super) fn months(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// The first day of a month since the year 0.
pub(in super::super) fn month_begin(months: i64) -> Option<NaiveDate> {
    let year = i32::try_from(months.div_euclid(12)).ok()?;
    NaiveDate::from_ymd_opt(year, u32::try_from(months.rem_euclid(12)).ok()? + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_at_their_end() {
        let at = |y, m, d| midnight(NaiveDate::from_ymd_opt(y, m, d).unwrap()).unwrap();
        let add = |from, m, d, n| add(from, IntervalMonthDayNano::new(m, d, n)).unwrap();
        assert_eq!(add(at(2020, 1, 31), 1, 0, 0), at(2020, 2, 29));
        assert_eq!(add(at(2020, 3, 31), -1, 1, 0), at(2020, 3, 1));
        assert_eq!(add(at(1969, 12, 31), 0, 0, 86_400_000_000_000), at(1970, 1, 1));
        assert_eq!(month_begin(months(NaiveDate::from_ymd_opt(-5, 7, 9).unwrap())), NaiveDate::from_ymd_opt(-5, 7, 1));
    }
}
