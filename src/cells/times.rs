//! Dates, times, timestamps and intervals as text, for every value that their types can hold.

use super::Zone;
use super::numbers::{push_int, push_padded};
use arrow::datatypes::TimestampSecondType;
use arrow::temporal_conversions::as_datetime;
use chrono::{Offset, TimeZone};

const DAY_SECONDS: i64 = 86_400;

/// Appends `2020-01-31`; years before 1 as `0044-03-15 (BC)`, those after 9999 with more digits.
pub fn push_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    let shown = if year > 0 { year } else { 1 - year };
    push_padded(shown.unsigned_abs(), 4, out);
    out.push(b'-');
    push_padded(month, 2, out);
    out.push(b'-');
    push_padded(day, 2, out);
    if year <= 0 {
        out.extend_from_slice(b" (BC)");
    }
}

/// Year, month and day of a number of days since 1970 in the proleptic Gregorian calendar (Hinnant's `civil_from_days`:
/// eras of 400 years, years that begin in March).
fn civil(days: i64) -> (i64, u64, u64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

/// Appends `04:05:06`, then the fraction as far as it is not zero.
pub fn push_time(parts: u64, per_second: i64, out: &mut Vec<u8>) {
    let per_second = per_second.unsigned_abs();
    let (seconds, fraction) = (parts / per_second, parts % per_second);
    push_padded(seconds / 3_600, 2, out);
    out.push(b':');
    push_padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    push_padded(seconds % 60, 2, out);
    if fraction != 0 {
        out.push(b'.');
        push_padded(fraction, per_second.ilog10() as usize, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Appends `2020-01-31 04:05:06.5`, and where there is a zone the local time and its offset from UTC: `+01`, `+05:30`.
pub fn push_timestamp(parts: i64, per_second: i64, zone: Option<&Zone>, out: &mut Vec<u8>) {
    let shift = zone.map(|zone| offset(parts.div_euclid(per_second), zone));
    // Seconds and the fraction apart: the sum with an offset could exceed the type's range.
    let seconds = parts.div_euclid(per_second).saturating_add(shift.unwrap_or(0));
    let fraction = parts.rem_euclid(per_second);
    push_date(seconds.div_euclid(DAY_SECONDS), out);
    out.push(b' ');
    let of_day = seconds.rem_euclid(DAY_SECONDS) * per_second + fraction;
    push_time(of_day.unsigned_abs(), per_second, out);
    if let Some(shift) = shift {
        out.push(if shift < 0 { b'-' } else { b'+' });
        push_padded(shift.unsigned_abs() / 3_600, 2, out);
        if shift % 3_600 != 0 {
            out.push(b':');
            push_padded(shift.unsigned_abs() / 60 % 60, 2, out);
        }
    }
}

/// Seconds that the zone is ahead of UTC; 0 for instants that the calendar library does not reach.
fn offset(seconds: i64, zone: &Zone) -> i64 {
    let instant = as_datetime::<TimestampSecondType>(seconds);
    instant.map_or(0, |utc| i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()))
}

/// Appends `1 year 2 months 3 days 04:05:06`; parts that are zero are left out, nothing at all is `00:00:00`.
pub fn push_interval(months: i64, days: i64, parts: i64, per_second: i64, out: &mut Vec<u8>) {
    let begin = out.len();
    for (count, unit) in [(months / 12, "year"), (months % 12, "month"), (days, "day")] {
        if count != 0 {
            if out.len() > begin {
                out.push(b' ');
            }
            push_int(count, out);
            out.push(b' ');
            out.extend_from_slice(unit.as_bytes());
            if count.unsigned_abs() != 1 {
                out.push(b's');
            }
        }
    }
    if parts != 0 || out.len() == begin {
        if out.len() > begin {
            out.push(b' ');
        }
        if parts < 0 {
            out.push(b'-');
        }
        push_time(parts.unsigned_abs(), per_second, out);
    }
}

/// Appends a duration as an interval of days and a time.
pub fn push_duration(parts: i64, per_second: i64, out: &mut Vec<u8>) {
    let day = DAY_SECONDS * per_second;
    push_interval(0, parts / day, parts % day, per_second, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_agree_with_the_calendar_library() {
        let mut days = -150_000i64;
        while days < 150_000 {
            let text = chrono::DateTime::from_timestamp(days * DAY_SECONDS, 0).unwrap().format("%Y-%m-%d").to_string();
            assert_eq!(shown(|out| push_date(days, out)), text);
            days += 37;
        }
        assert_eq!(shown(|out| push_date(i64::from(i32::MAX), out)), "5881580-07-11");
        assert_eq!(shown(|out| push_date(i64::from(i32::MIN), out)), "5877642-06-23 (BC)");
    }

    #[test]
    fn timestamps_trim_their_fraction() {
        let shown = |parts, per| shown(|out| push_timestamp(parts, per, None, out));
        assert_eq!(shown(0, 1), "1970-01-01 00:00:00");
        assert_eq!(shown(-1, 1_000_000), "1969-12-31 23:59:59.999999");
        assert_eq!(shown(1_577_836_800_500_000, 1_000_000), "2020-01-01 00:00:00.5");
        assert_eq!(shown(i64::MIN, 1_000_000_000), "1677-09-21 00:12:43.145224192");
        // The far ends of the type must not panic.
        assert!(shown(i64::MAX, 1).len() > 10 && shown(i64::MIN, 1).contains("(BC)"));
    }

    #[test]
    fn zones_show_local_time_and_offset() {
        let shown = |zone: &str| {
            let zone: Zone = zone.parse().unwrap();
            shown(|out| push_timestamp(1_577_836_800, 1, Some(&zone), out))
        };
        assert_eq!(shown("+00:00"), "2020-01-01 00:00:00+00");
        assert_eq!(shown("+01:00"), "2020-01-01 01:00:00+01");
        assert_eq!(shown("-05:30"), "2019-12-31 18:30:00-05:30");
    }

    #[test]
    fn intervals_say_their_units() {
        let shown = |m, d, n| shown(|out| push_interval(m, d, n, 1_000_000_000, out));
        assert_eq!(shown(14, 3, 14_706_000_000_000), "1 year 2 months 3 days 04:05:06");
        assert_eq!(shown(0, -1, 0), "-1 day");
        assert_eq!(shown(0, 0, 0), "00:00:00");
        assert_eq!(shown(0, 0, -1_500_000_000), "-00:00:01.5");
        assert_eq!(
            {
                let mut out = Vec::new();
                push_duration(90_000, 1, &mut out);
                String::from_utf8(out).unwrap()
            },
            "1 day 01:00:00"
        );
    }
}
