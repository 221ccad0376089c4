//! Moments as logs write them.
//!
//! ```text
//! 2024-02-29T12:30:15.123Z   2024/02/29 12:30:15,123 +01:00   2024.02.29 12:30:15 CEST     iso
//! 29/Feb/2024:12:30:15 +0100                                                               clf
//! Thu Feb 29 12:30:15.123456 2024                                                          ctime
//! Feb 29 12:30:15     29 Feb 12:30:15.123     29 Feb 2024 12:30:15.123                     day and month
//! 240229 12:30:15     240229  9:30:15                                                      short: year, month, day
//! 0229 12:30:15.123456                                                                     glog: month, day
//! ```
//!
//! A moment without a year is the latest one that is not more than a day after the file's time of modification. What a
//! fraction has beyond microseconds is cut off. A zone is `Z`, an offset, or one of [`ZONES`].

use crate::formats::values::day_number;

/// A moment at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds since 1970, of UTC where the text has a zone.
    pub(super) micros: i64,
    /// Whether the text has a zone.
    pub(super) zoned: bool,
    /// Bytes of the text that it takes.
    pub(super) len: usize,
}

/// Names of zones that mean one offset wherever they are written, in minutes east of UTC.
const ZONES: [(&str, i64); 17] = [
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const DAY: i64 = 86_400_000_000;

/// A moment in any of the forms, at the beginning of `text`. `anchor` is the file's time of modification in microseconds.
pub(super) fn moment(text: &[u8], anchor: i64) -> Option<Moment> {
    match text {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/' | b'.', ..] => iso(text),
        [b'0'..=b'9', b'0'..=b'9', b'/', ..] => clf(text),
        [_, _, _, b'0'..=b'9', b' ', ..] => glog(text, anchor),
        [_, _, _, b'0'..=b'9', _, b'0'..=b'9', b' ', ..] => short(text),
        [b'0'..=b'9', ..] => day_first(text, anchor),
        [b'A'..=b'Z', _, _, b' ', b'A'..=b'Z', ..] => ctime(text),
        [b'A'..=b'Z', ..] => bsd(text, anchor),
        _ => None,
    }
}

/// `29/Feb/2024:12:30:15 +0100`.
pub(super) fn clf(text: &[u8]) -> Option<Moment> {
    let mut c = Clock::new(text);
    let day = c.number(2)?;
    c.eat(b'/')?;
    let month = c.month()?;
    c.eat(b'/')?;
    let year = c.number(4)?;
    c.eat(b':')?;
    let time = c.time()?;
    c.eat(b' ')?;
    let offset = c.offset()?;
    c.moment(day_number(year, month, day)?, time, Some(offset))
}

/// `2024-02-29T12:30:15.123Z`, with slashes or points too, a blank instead of the `T`, and many a zone.
pub(super) fn iso(text: &[u8]) -> Option<Moment> {
    let mut c = Clock::new(text);
    let year = c.number(4)?;
    let separator = c.next().filter(|b| matches!(b, b'-' | b'/' | b'.'))?;
    let month = c.number(2)?;
    c.eat(separator)?;
    let day = c.number(2)?;
    c.next().filter(|b| matches!(b, b'T' | b't' | b' ' | b'\t' | b'_'))?;
    let time = c.time()?;
    let zone = c.zone();
    c.moment(day_number(year, month, day)?, time, zone)
}

/// `Thu Feb 29 12:30:15.123456 2024`.
pub(super) fn ctime(text: &[u8]) -> Option<Moment> {
    let mut c = Clock::new(text);
    let name = c.name()?;
    DAYS.iter().find(|d| **d == name)?;
    c.eat(b' ')?;
    let month = c.month()?;
    c.eat(b' ')?;
    let day = c.day()?;
    c.eat(b' ')?;
    let time = c.time()?;
    c.eat(b' ')?;
    let year = c.number(4)?;
    c.moment(day_number(year, month, day)?, time, None)
}

/// `Feb 29 12:30:15`; a year between the day and the time, as some devices have it, is taken too.
pub(super) fn bsd(text: &[u8], anchor: i64) -> Option<Moment> {
    let mut c = Clock::new(text);
    let month = c.month()?;
    c.eat(b' ')?;
    let day = c.day()?;
    c.eat(b' ')?;
    c.yearless(month, day, anchor)
}

/// `29 Feb 2024 12:30:15.123`, or without the year.
fn day_first(text: &[u8], anchor: i64) -> Option<Moment> {
    let mut c = Clock::new(text);
    let day = c.day()?;
    c.eat(b' ')?;
    let month = c.month()?;
    c.eat(b' ')?;
    c.yearless(month, day, anchor)
}

/// `240229 12:30:15`, as MySQL wrote it; the hour may have a blank for its first digit.
fn short(text: &[u8]) -> Option<Moment> {
    let mut c = Clock::new(text);
    let (year, month, day) = (c.number(2)?, c.number(2)?, c.number(2)?);
    c.eat(b' ')?;
    let hour = c.day()?;
    let time = c.time_behind(hour)?;
    let year = if year < 70 { 2000 + year } else { 1900 + year };
    c.moment(day_number(year, month, day)?, time, None)
}

/// `0229 12:30:15.123456`, as glog and Kubernetes write it.
fn glog(text: &[u8], anchor: i64) -> Option<Moment> {
    let mut c = Clock::new(text);
    let (month, day) = (c.number(2)?, c.number(2)?);
    c.eat(b' ')?;
    let time = c.time()?;
    c.of_some_year(month, day, time, anchor)
}

/// Microseconds of `1521911885.713879` seconds since 1970; digits behind the sixth are cut off.
pub(super) fn epoch(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let seconds = crate::formats::values::parse_int(text, 0, point).filter(|s| *s >= 0)?;
    let mut micros = 0;
    if let Some([first, digits @ ..]) = text.get(point..) {
        if *first != b'.' || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let six = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
        micros = six.fold(0, |n, b| n * 10 + i64::from(b - b'0'));
    }
    let all = seconds.checked_mul(1_000_000)?.checked_add(micros)?;
    Some(if negative { -all } else { all })
}

/// Walks over a moment.
struct Clock<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Clock<'a> {
    fn new(text: &'a [u8]) -> Self {
        Clock { text, at: 0 }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.text.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let mut value = 0;
        for byte in self.text.get(self.at..self.at + digits)? {
            value = value * 10 + i64::from(byte.checked_sub(b'0').filter(|d| *d <= 9)?);
        }
        self.at += digits;
        Some(value)
    }

    /// A day of one or two digits, the former with a blank before it or not.
    fn day(&mut self) -> Option<i64> {
        let padded = self.eat(b' ').is_some();
        match self.text.get(self.at + 1) {
            Some(b'0'..=b'9') if !padded => self.number(2),
            _ => self.number(1),
        }
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        let name = self.text.get(self.at..self.at + 3)?;
        self.at += 3;
        Some(name)
    }

    fn month(&mut self) -> Option<i64> {
        let name = self.name()?;
        MONTHS.iter().position(|m| **m == name).map(|m| m as i64 + 1)
    }

    /// Microseconds of a time of day, with a fraction or not.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        self.time_behind(hour)
    }

    fn time_behind(&mut self, hour: i64) -> Option<i64> {
        self.eat(b':')?;
        let minute = self.number(2)?;
        let mut second = 0;
        let mut micros = 0;
        if self.eat(b':').is_some() {
            second = self.number(2)?;
            micros = self.fraction();
        }
        let fits = hour <= 23 && minute <= 59 && second <= 60;
        fits.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
    }

    /// Microseconds of a point or comma and digits; 0 where there are none.
    fn fraction(&mut self) -> i64 {
        let Some([b'.' | b',', rest @ ..]) = self.text.get(self.at..) else { return 0 };
        let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if len == 0 {
            return 0;
        }
        self.at += 1 + len;
        let digits = rest.iter().take(len).chain(std::iter::repeat(&b'0')).take(6);
        digits.fold(0, |n, b| n * 10 + i64::from(b - b'0'))
    }

    /// Minutes east of UTC: `Z`, `+01`, `+0100`, `+01:00`.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.next()? {
            b'Z' | b'z' => return Some(0),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let hours = self.number(2)?;
        let before = self.at;
        let _ = self.eat(b':');
        let minutes = self.number(2).unwrap_or_else(|| {
            self.at = before;
            0
        });
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
    }

    /// The zone behind a time, if there is one, with or without a blank before it.
    fn zone(&mut self) -> Option<i64> {
        let before = self.at;
        let blank = self.eat(b' ').is_some();
        let found = match self.text.get(self.at) {
            Some(b'+' | b'-') if self.is_offset() => self.offset(),
            Some(b'Z' | b'z') if !blank && !self.goes_on(1) => self.offset(),
            Some(b'A'..=b'Z') if blank => self.named_zone(),
            _ => None,
        };
        if found.is_none() {
            self.at = before;
        }
        found
    }

    /// Whether a sign is that of an offset, not a dash: at least two digits, and no more than an offset has.
    fn is_offset(&self) -> bool {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        matches!(digits, 2 | 4)
    }

    /// Whether a word goes on `behind` bytes from here.
    fn goes_on(&self, behind: usize) -> bool {
        self.text.get(self.at + behind).is_some_and(u8::is_ascii_alphanumeric)
    }

    fn named_zone(&mut self) -> Option<i64> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is = |(name, _): &&(&str, i64)| rest.starts_with(name.as_bytes()) && !self.goes_on(name.len());
        let (name, minutes) = ZONES.iter().find(is)?;
        self.at += name.len();
        Some(*minutes)
    }

    /// The rest of a moment that may lack its year.
    fn yearless(&mut self, month: i64, day: i64, anchor: i64) -> Option<Moment> {
        let (before, year) = (self.at, self.number(4));
        if let Some(year) = year.filter(|_| self.eat(b' ').is_some()) {
            let time = self.time()?;
            return self.moment(day_number(year, month, day)?, time, None);
        }
        self.at = before;
        let time = self.time()?;
        self.of_some_year(month, day, time, anchor)
    }

    /// The latest such moment that is not more than a day after `anchor`.
    fn of_some_year(&self, month: i64, day: i64, time: i64, anchor: i64) -> Option<Moment> {
        let (this, ..) = crate::formats::values::civil(anchor.div_euclid(DAY));
        // Eight years back there was a 29 February.
        let days = (this - 8..=this + 1).rev().filter_map(|year| day_number(year, month, day));
        let day = days.into_iter().find(|days| days * DAY + time <= anchor.saturating_add(DAY))?;
        self.moment(day, time, None)
    }

    fn moment(&self, days: i64, time: i64, offset: Option<i64>) -> Option<Moment> {
        let micros = days * DAY + time - offset.unwrap_or(0) * 60_000_000;
        Some(Moment { micros, zoned: offset.is_some(), len: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate};

    fn micros(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[test]
    fn every_form() {
        let anchor = micros("2024-03-01T00:00:00Z");
        for (text, same, zoned) in [
            ("2024-02-29T12:30:15.123Z", "2024-02-29T12:30:15.123Z", true),
            ("2024/02/29 12:30:15,123 +01:00", "2024-02-29T11:30:15.123Z", true),
            ("2024-02-29 12:30:15.123456789+0530", "2024-02-29T07:00:15.123456Z", true),
            ("2024.02.29 12:30:15 CEST", "2024-02-29T10:30:15Z", true),
            ("2024-02-29 12:30:15", "2024-02-29T12:30:15Z", false),
            ("29/Feb/2024:12:30:15 -0100", "2024-02-29T13:30:15Z", true),
            ("Thu Feb 29 12:30:15.5 2024", "2024-02-29T12:30:15.5Z", false),
            ("Feb 29 12:30:15", "2024-02-29T12:30:15Z", false),
            ("Mar  1 12:30:15", "2024-03-01T12:30:15Z", false),
            ("Mar  3 12:30:15", "2023-03-03T12:30:15Z", false),
            ("Feb  3 2020 12:30:15", "2020-02-03T12:30:15Z", false),
            ("29 Feb 12:30:15.457", "2024-02-29T12:30:15.457Z", false),
            ("29 Feb 2020 12:30:15.457", "2020-02-29T12:30:15.457Z", false),
            ("240229 12:30:15", "2024-02-29T12:30:15Z", false),
            ("991231  9:30:15", "1999-12-31T09:30:15Z", false),
            ("0229 12:30:15.123456", "2024-02-29T12:30:15.123456Z", false),
            ("1231 23:30:15", "2023-12-31T23:30:15Z", false),
        ] {
            let want = Moment { micros: micros(same), zoned, len: text.len() };
            assert_eq!(moment(text.as_bytes(), anchor), Some(want), "{text}");
            let longer = format!("{text} - message");
            assert_eq!(moment(longer.as_bytes(), anchor), Some(want), "{longer}");
        }
        for bad in ["2024-02-30 12:30:15", "2024-02-29", "29/Feb/2024", "Feb 30 12:30:15", "Foo 29 12:30:15", "12", ""]
        {
            assert_eq!(moment(bad.as_bytes(), anchor), None, "{bad}");
        }
    }

    #[test]
    fn the_year_is_the_files() {
        let at = |text: &str, anchor: &str| moment(text.as_bytes(), micros(anchor)).map(|m| m.micros);
        assert_eq!(at("Dec 31 23:59:59", "2024-01-01T00:00:10Z"), Some(micros("2023-12-31T23:59:59Z")));
        assert_eq!(at("Jan  1 00:30:00", "2023-12-31T23:40:00Z"), Some(micros("2024-01-01T00:30:00Z")));
        assert_eq!(at("Feb 29 00:00:00", "2023-12-31T00:00:00Z"), Some(micros("2020-02-29T00:00:00Z")));
    }

    #[test]
    fn clf_as_chrono_reads_it() {
        let day = |n| NaiveDate::from_ymd_opt(1969, 12, 20).unwrap() + chrono::Days::new(n);
        for n in (0..30_000).step_by(37) {
            let text = format!("{}:{:02}:15:59 +0230", day(n).format("%d/%b/%Y"), n % 24);
            let chrono = DateTime::parse_from_str(&text, "%d/%b/%Y:%H:%M:%S %z").unwrap().timestamp_micros();
            assert_eq!(clf(text.as_bytes()).map(|m| m.micros), Some(chrono), "{text}");
        }
    }

    #[test]
    fn seconds_since_1970() {
        assert_eq!(epoch(b"1521911885.713879"), Some(1_521_911_885_713_879));
        assert_eq!(epoch(b"0.0000019"), Some(1));
        assert_eq!(epoch(b"-1.5"), Some(-1_500_000));
        assert_eq!(epoch(b"12"), Some(12_000_000));
        for bad in ["", ".", "1.", "1.x", "x", "1.5e3", "99999999999999999999", "--1"] {
            assert_eq!(epoch(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[0-9A-Za-z:/., +-]{0,40}", anchor in -1i64 << 50..1i64 << 50) {
            let found = moment(text.as_bytes(), anchor);
            assert!(found.is_none_or(|m| m.len <= text.len()));
            epoch(text.as_bytes());
        }
    }
}
