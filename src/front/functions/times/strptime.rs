//! `strptime('05.01.2020', '%d.%m.%Y')`: times out of text after a pattern, or the first of a list of patterns that fits.
//!
//! With `%z` or `%Z` in the pattern the answer is an instant.

use super::super::args::{Args, some};
use super::super::row::{Gives, Row, STAMP, is_text, stamp_utc};
use super::calendar::{DAY, SECOND, days};
use super::pattern::{Piece, pieces};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::NaiveDate;
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
    month: u32,
    day: u32,
    of_year: Option<u32>,
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
            month: 1,
            day: 1,
            of_year: None,
            hour: 0,
            afternoon: None,
            minute: 0,
            second: 0,
            micros: 0,
            offset: 0,
        };
        let mut rest = text;
        for piece in pieces {
            rest = match piece {
                Piece::Text(wanted) => same(rest, wanted)?,
                Piece::Directive(letter, _) => made.take(rest, *letter)?,
            };
        }
        rest.trim().is_empty().then_some(made)
    }

    fn take<'a>(&mut self, text: &'a str, letter: char) -> Option<&'a str> {
        let mut put = |to: fn(&mut Parsed) -> &mut u32, most: usize, range: std::ops::RangeInclusive<u32>| {
            let (n, rest) = number(text, most)?;
            *to(self) = n;
            range.contains(&n).then_some(rest)
        };
        match letter {
            'd' => put(|p| &mut p.day, 2, 1..=31),
            'm' => put(|p| &mut p.month, 2, 1..=12),
            'H' => put(|p| &mut p.hour, 2, 0..=23),
            'I' => put(|p| &mut p.hour, 2, 1..=12),
            'M' => put(|p| &mut p.minute, 2, 0..=59),
            'S' => put(|p| &mut p.second, 2, 0..=59),
            'Y' => {
                let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
                let (year, rest) = number(digits, 6)?;
                self.year = Some(i32::try_from(year).ok()? * sign);
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
                self.month = at + 1;
                Some(rest)
            }
            'a' | 'A' => named(text, &DAYS, letter == 'A').map(|(_, rest)| rest),
            'w' | 'u' => number(text, 1).map(|(_, rest)| rest),
            'U' | 'W' | 'V' => number(text, 2).map(|(_, rest)| rest),
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

    fn micros(&self) -> Option<i64> {
        let year = self.year.unwrap_or(1900);
        let date = match self.of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => NaiveDate::from_ymd_opt(year, self.month, self.day)?,
        };
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
