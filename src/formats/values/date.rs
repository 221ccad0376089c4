//! Dates and timestamps as ISO 8601 writes them: `2024-02-29`, `2024-02-29T12:30:15.123456+01:00`.

use super::int::digits8;

/// Days since 1970-01-01 of `YYYY-MM-DD` in `at..end`.
#[inline(always)]
pub(in crate::formats) fn parse_date(bytes: &[u8], at: usize, end: usize) -> Option<i32> {
    if end.wrapping_sub(at) != 10 || bytes.get(at + 4) != Some(&b'-') || bytes.get(at + 7) != Some(&b'-') {
        return None;
    }
    let year = digits8(bytes, at, 4)? as i32;
    let (month, day) = (digits8(bytes, at + 5, 2)? as u32, digits8(bytes, at + 8, 2)? as u32);
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return None;
    }
    Some(days(year, month, day))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` where there is no such day.
pub(in crate::formats) fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month) = (i32::try_from(year).ok()?, u32::try_from(month).ok().filter(|m| (1..=12).contains(m))?);
    let day = u32::try_from(day).ok().filter(|day| (1..=days_in(year, month)).contains(day))?;
    Some(i64::from(days(year, month, day)))
}

fn days_in(year: i32, month: u32) -> u32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, `days_from_civil`).
fn days(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month as i32 + 9) % 12) + 2) / 5 + day as i32 - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day of a number of days since 1970-01-01 (Hinnant, `civil_from_days`).
pub(in crate::formats) fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * march + 2) / 5 + 1) as u32;
    let month = if march < 10 { march + 3 } else { march - 9 } as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Microseconds since 1970 of a date with a time in `at..end`, and whether it names its offset from UTC (then the
/// microseconds are UTC's). `T` or a space before the time; seconds and their fraction are optional; more than six digits
/// of a fraction only when the rest are zeros.
pub(in crate::formats) fn parse_timestamp(bytes: &[u8], at: usize, end: usize) -> Option<(i64, bool)> {
    let date = i64::from(parse_date(bytes, at, at + 10)?);
    let text = bytes.get(at + 10..end)?;
    let [b'T' | b't' | b' ', rest @ ..] = text else { return None };
    let (hour, rest) = two(rest)?;
    let rest = rest.strip_prefix(b":")?;
    let (minute, mut rest) = two(rest)?;
    let (mut second, mut micros) = (0, 0);
    if let [b':', more @ ..] = rest {
        (second, rest) = two(more)?;
        if let [b'.' | b',', more @ ..] = rest {
            (micros, rest) = fraction(more)?;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = date * 86_400 + hour * 3600 + minute * 60 + second;
    let offset = offset(rest)?;
    Some(((seconds - offset.unwrap_or(0)) * 1_000_000 + micros, offset.is_some()))
}

fn two(text: &[u8]) -> Option<(i64, &[u8])> {
    let [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] = text else { return None };
    Some((i64::from(a - b'0') * 10 + i64::from(b - b'0'), rest))
}

/// Microseconds of the digits behind a point.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(len);
    let cut = digits.get(6..).unwrap_or_default();
    if len == 0 || cut.iter().any(|b| *b != b'0') {
        return None;
    }
    let kept = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
    Some((kept.fold(0, |n, b| n * 10 + i64::from(b - b'0')), rest))
}

/// Seconds east of UTC: nothing, `Z`, `+01`, `+0130` or `+01:30`, perhaps behind a space; or ` UTC`.
fn offset(text: &[u8]) -> Option<Option<i64>> {
    let behind = text.strip_prefix(b" ").filter(|rest| !rest.is_empty());
    let (sign, rest) = match behind.unwrap_or(text) {
        [] => return Some(None),
        [b'Z' | b'z'] | b"UTC" => return Some(Some(0)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two(rest)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        _ => two(rest.strip_prefix(b":").unwrap_or(rest))?,
    };
    (rest.is_empty() && hours <= 23 && minutes <= 59).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate, NaiveDateTime};

    fn date(text: &str) -> Option<i32> {
        parse_date(text.as_bytes(), 0, text.len())
    }

    fn timestamp(text: &str) -> Option<(i64, bool)> {
        parse_timestamp(text.as_bytes(), 0, text.len())
    }

    #[test]
    fn every_day_of_eight_centuries() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut day = NaiveDate::from_ymd_opt(1600, 1, 1).unwrap();
        while day < NaiveDate::from_ymd_opt(2400, 1, 1).unwrap() {
            let days = (day - epoch).num_days();
            assert_eq!(date(&day.to_string()), Some(days as i32));
            use chrono::Datelike;
            assert_eq!(civil(days), (i64::from(day.year()), day.month(), day.day()));
            day = day.succ_opt().unwrap();
        }
        for bad in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "2024-1-01", "20240-1-1", "2024-01-0a", ""]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn timestamps_as_chrono_reads_them() {
        for text in ["2024-02-29T12:30:15", "2024-02-29T12:30:15.5", "1969-12-31T23:59:59.999999"] {
            let chrono = text.parse::<NaiveDateTime>().unwrap().and_utc().timestamp_micros();
            assert_eq!(timestamp(text), Some((chrono, false)), "{text}");
        }
        for text in ["2024-02-29T12:30:15Z", "2024-02-29T12:30:15.123456+05:30", "0001-01-01T00:00:00-01:00"] {
            let chrono = DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
            assert_eq!(timestamp(text), Some((chrono, true)), "{text}");
        }
        assert_eq!(timestamp("2024-02-29 12:30"), timestamp("2024-02-29T12:30:00.000000000"));
        assert_eq!(timestamp("2024-02-29 12:30+01"), timestamp("2024-02-29T11:30:00Z"));
        assert_eq!(timestamp("2024-02-29 12:30:00 +0100"), timestamp("2024-02-29T11:30:00Z"));
        assert_eq!(timestamp("2024-02-29 11:30:00 UTC"), timestamp("2024-02-29T11:30:00Z"));
        for bad in
            ["2024-02-29", "2024-02-29T", "2024-02-29T24:00:00", "2024-02-29T12:30:15.", "2024-02-29T12:30:15.1234567"]
        {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
        for bad in [
            "2024-02-29T12:30:15 ",
            "2024-02-29T12:30:15  UTC",
            "2024-02-29T12:30:15 CET",
            "2024-02-29T12:60",
            "2024-02-29T1:30",
            "2024-02-29T12:30+25:00",
        ] {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
    }
}
