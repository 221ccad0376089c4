//! `strptime('05.01.2020', '%d.%m.%Y')`: times out of text after a pattern, or the first of a list of patterns that fits.
//!
//! With `%z` or `%Z` in the pattern the answer is an instant.
//!
//! A date is what its month and day say; without them, what its day of the year says; without that, what its week and
//! weekday say (`%G %V`, `%Y %U`, `%Y %W`; without a weekday the first day of the week). A year has four digits, and up to
//! six where what follows is no number.

use super::super::args::{Args, some};
use super::super::row::{Gives, Row, STAMP, is_text, stamp_utc};
use super::calendar::{DAY, SECOND, days};
use super::pattern::{Piece, pieces};
use super::weeks::Weeks;
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{NaiveDate, Weekday};
use datafusion_common::{Result, ScalarValue, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "strptime",
        "text, text | text, texts",
        Gives::ByValues(parsed_type),
        strptime,
        "The timestamp that a text writes after a pattern (or one of several).",
        "strptime('05.01.2020', '%d.%m.%Y') --> 2020-01-05 00:00:00",
    ),
    Row::new(
        "try_strptime",
        "text, text | text, texts",
        Gives::ByValues(parsed_type),
        try_strptime,
        "As strptime; null where no pattern fits.",
        "try_strptime('x', '%Y') --> NULL",
    ),
];

fn parsed_type(_: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    let pattern = values.get(1).copied().flatten().map(ScalarValue::to_string).unwrap_or_default();
    Ok(if pattern.contains("%z") || pattern.contains("%Z") { stamp_utc() } else { STAMP })
}

fn strptime(args: &Args) -> Result<ArrayRef> {
    parse_all(args, false)
}

fn try_strptime(args: &Args) -> Result<ArrayRef> {
    parse_all(args, true)
}

fn parse_all(args: &Args, lenient: bool) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let one = if is_text(args.type_of(1)) { Some(args.text(1)?) } else { None };
    let many = if one.is_none() { Some(args.list(1)?) } else { None };
    let mut last: Option<(Vec<String>, Vec<Vec<Piece>>)> = None;
    super::super::args::primitives::<TimestampMicrosecondType>(args, |row| {
        let text = some!(text.get(row));
        let patterns: Vec<String> = match (&one, &many) {
            (Some(one), _) => vec![some!(one.get(row)).to_string()],
            (_, Some(many)) => {
                let list = arrow::compute::cast(&some!(many.get(row)), &DataType::Utf8View)?;
                list.as_string_view().iter().flatten().map(str::to_string).collect()
            }
            _ => Vec::new(),
        };
        if last.as_ref().is_none_or(|(p, _)| *p != patterns) {
            let made = patterns.iter().map(|p| pieces(p)).collect::<Result<_>>()?;
            last = Some((patterns.clone(), made));
        }
        let found = last.iter().flat_map(|(_, all)| all).find_map(|pieces| Parsed::of(text, pieces)?.micros());
        match found {
            Some(micros) => Ok(Some(micros)),
            None if lenient => Ok(None),
            None => exec_err!("{text:?} is not written as {}; try_strptime gives NULL", patterns.join(" or ")),
        }
    })
}

/// What a text says of a time.
#[derive(Debug)]
struct Parsed {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    of_year: Option<u32>,
    week: Option<(Weeks, u32)>,
    iso_year: Option<i32>,
    weekday: Option<Weekday>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    micros: u32,
    offset: i64,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn number(text: &str, most: usize) -> Option<(u32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    Some((text.get(..end)?.parse().ok()?, text.get(end..)?))
}

/// The place of the name with which the text begins (its first three letters, or all of it).
fn named<'a>(text: &'a str, names: &[&str], long: bool) -> Option<(u32, &'a str)> {
    names.iter().zip(0u32..).find_map(|(name, at)| {
        let length = if long { name.len() } else { 3 };
        let head = text.get(..length)?;
        let fits = head.eq_ignore_ascii_case(name.get(..length)?);
        fits.then(|| text.get(length..).map(|rest| (at, rest)))?
    })
}

impl Parsed {
    fn of(text: &str, pieces: &[Piece]) -> Option<Parsed> {
        let mut made = Parsed {
            year: None,
            month: None,
            day: None,
            of_year: None,
            week: None,
            iso_year: None,
            weekday: None,
            hour: 0,
            afternoon: None,
            minute: 0,
            second: 0,
            micros: 0,
            offset: 0,
        };
        let mut rest = text.trim_start();
        for (at, piece) in pieces.iter().enumerate() {
            rest = match piece {
                Piece::Text(wanted) => same(rest, wanted)?,
                Piece::Directive(letter, _) => {
                    let alone = !matches!(pieces.get(at + 1), Some(Piece::Directive(..)));
                    made.take(rest, *letter, if alone { 6 } else { 4 })?
                }
            };
        }
        rest.trim().is_empty().then_some(made)
    }

    /// What follows in `text` what a directive takes of it. A year has at most `year_digits`.
    fn take<'a>(&mut self, text: &'a str, letter: char, year_digits: usize) -> Option<&'a str> {
        let mut put = |to: fn(&mut Parsed) -> &mut u32, most: usize, range: std::ops::RangeInclusive<u32>| {
            let (n, rest) = number(text, most)?;
            *to(self) = n;
            range.contains(&n).then_some(rest)
        };
        match letter {
            'd' => put(|p| p.day.get_or_insert_default(), 2, 1..=31),
            'm' => put(|p| p.month.get_or_insert_default(), 2, 1..=12),
            'H' => put(|p| &mut p.hour, 2, 0..=23),
            'I' => put(|p| &mut p.hour, 2, 1..=12),
            'M' => put(|p| &mut p.minute, 2, 0..=59),
            'S' => put(|p| &mut p.second, 2, 0..=59),
            'Y' | 'G' => {
                let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
                let (year, rest) = number(digits, year_digits)?;
                let year = Some(i32::try_from(year).ok()? * sign);
                *(if letter == 'Y' { &mut self.year } else { &mut self.iso_year }) = year;
                Some(rest)
            }
            'y' => {
                let (year, rest) = number(text, 2)?;
                let year = i32::try_from(year).ok()?;
                self.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                Some(rest)
            }
            'j' => {
                let (day, rest) = number(text, 3)?;
                self.of_year = Some(day);
                Some(rest)
            }
            'b' | 'h' | 'B' => {
                let (at, rest) = named(text, &MONTHS, letter == 'B')?;
                self.month = Some(at + 1);
                Some(rest)
            }
            'a' | 'A' => {
                let (at, rest) = named(text, &DAYS, letter == 'A')?;
                self.weekday = Weekday::try_from(u8::try_from(at).ok()?).ok();
                Some(rest)
            }
            'w' | 'u' => {
                let (day, rest) = number(text, 1)?;
                let day = if letter == 'w' { (day + 6) % 7 } else { day.checked_sub(1)? };
                self.weekday = Some(Weekday::try_from(u8::try_from(day).ok()?).ok()?);
                Some(rest)
            }
            'U' | 'W' | 'V' => {
                let (week, rest) = number(text, 2)?;
                self.week = Some((Weeks::of(letter), week));
                Some(rest)
            }
            'p' => {
                let (head, rest) = (text.get(..2)?, text.get(2..)?);
                self.afternoon = Some(match head.to_ascii_uppercase().as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                Some(rest)
            }
            'f' | 'g' | 'n' => self.fraction(
                text,
                if letter == 'n' {
                    9
                } else if letter == 'g' {
                    3
                } else {
                    6
                },
            ),
            'z' => self.zone(text),
            'Z' => {
                let end = text.find(|c: char| !(c.is_alphanumeric() || "/_+-".contains(c))).unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                if !matches!(name, "" | "UTC" | "Z" | "GMT") {
                    return None;
                }
                Some(rest)
            }
            _ => None,
        }
    }

    fn fraction<'a>(&mut self, text: &'a str, most: usize) -> Option<&'a str> {
        let end = text.bytes().take(9).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at(end.min(most.max(6)));
        if digits.is_empty() {
            return None;
        }
        let kept = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
        self.micros = kept.fold(0, |n, b| n * 10 + u32::from(b - b'0'));
        Some(rest)
    }

    fn zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(rest) = text.strip_prefix(['Z', 'z']) {
            return Some(rest);
        }
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let (hours, rest) = number(rest, 2)?;
        let minutes = rest.strip_prefix(':').unwrap_or(rest);
        let (minutes, rest) =
            if minutes.starts_with(|c: char| c.is_ascii_digit()) { number(minutes, 2)? } else { (0, rest) };
        self.offset = sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60);
        Some(rest)
    }

    fn date(&self) -> Option<NaiveDate> {
        let year = self.year.unwrap_or(1900);
        if self.month.is_some() || self.day.is_some() {
            return NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1));
        }
        if let Some(day) = self.of_year {
            return NaiveDate::from_yo_opt(year, day);
        }
        match (self.week, self.iso_year) {
            (Some((Weeks::Iso, week)), Some(year)) => Weeks::Iso.day(year, week, self.weekday),
            (None, None) => NaiveDate::from_yo_opt(year, 1),
            // A week of one count and a year of the other are no date.
            (Some((Weeks::Iso, _)), None) | (_, Some(_)) => None,
            (Some((weeks, week)), None) => weeks.day(year, week, self.weekday),
        }
    }

    fn micros(&self) -> Option<i64> {
        let date = self.date()?;
        let hour = match self.afternoon {
            Some(true) => self.hour % 12 + 12,
            Some(false) => self.hour % 12,
            None => self.hour,
        };
        let seconds = i64::from(hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second) - self.offset;
        days(date).checked_mul(DAY)?.checked_add(seconds * SECOND + i64::from(self.micros))
    }
}

/// What follows the wanted text; a space stands for any space.
fn same<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = text;
    for c in wanted.chars() {
        rest = match c.is_whitespace() {
            true => rest.trim_start(),
            false => rest.strip_prefix(c)?,
        };
    }
    Some(rest)
}
