//! `strftime(t, '%Y-%m-%d')`: times as text.

use super::super::args::{Args, some, texts};
use super::super::row::{Gives, Row, is_text};
use super::Moments;
use super::calendar::civil;
use super::pattern::{Piece, pieces};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType};
use chrono::{Datelike, NaiveDateTime, Timelike};
use datafusion_common::Result;

pub(in super::super) const ROWS: &[Row] = &[Row::new(
    "strftime",
    "moment, text | text, moment",
    Gives::Text,
    strftime,
    "A date or a timestamp written after a pattern.",
    "strftime(DATE '2020-01-05', '%d.%m.%Y') --> 05.01.2020",
)];

fn strftime(args: &Args) -> Result<ArrayRef> {
    let swapped = is_text(args.type_of(0)) && !is_text(args.type_of(1));
    let (at, pattern) = if swapped { (1, 0) } else { (0, 1) };
    let (moments, pattern) = (Moments::new(args, at)?, args.text(pattern)?);
    let zoned = matches!(args.type_of(at), DataType::Timestamp(_, Some(_)));
    // What is finer than microseconds.
    let fine = match args.type_of(at) {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(args.any(at)?),
        _ => None,
    };
    let mut last: Option<(String, Vec<Piece>)> = None;
    texts(args, |row| {
        let (micros, pattern) = (some!(moments.get(row)), some!(pattern.get(row)));
        if last.as_ref().is_none_or(|(p, _)| p != pattern) {
            last = Some((pattern.to_string(), pieces(pattern)?));
        }
        let mut time = some!(civil(micros));
        if let Some(fine) = &fine
            && let Some(at) = fine.at(row)
        {
            let nanos = fine.array.as_primitive::<TimestampNanosecondType>().value(at).rem_euclid(1_000_000_000);
            time = u32::try_from(nanos).ok().and_then(|n| time.with_nanosecond(n)).unwrap_or(time);
        }
        let offset = moments.offset(row).unwrap_or(0);
        let mut made = String::new();
        for piece in last.iter().flat_map(|(_, pieces)| pieces) {
            match piece {
                Piece::Text(text) => made.push_str(text),
                Piece::Directive(letter, short) => made.push_str(&shown(time, offset, zoned, *letter, *short)),
            }
        }
        Ok(Some(made))
    })
}

/// What a directive is of a time.
pub(super) fn shown(time: NaiveDateTime, offset: i64, zoned: bool, letter: char, short: bool) -> String {
    let number = |n: u32, width: usize| if short { n.to_string() } else { format!("{n:0width$}") };
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let week = |first: u32| (time.ordinal0() + 7 - first) / 7;
    match letter {
        'a' => time.format("%a").to_string(),
        'A' => time.format("%A").to_string(),
        'b' | 'h' => time.format("%b").to_string(),
        'B' => time.format("%B").to_string(),
        'w' => time.weekday().num_days_from_sunday().to_string(),
        'u' => time.weekday().number_from_monday().to_string(),
        'd' => number(time.day(), 2),
        'm' => number(time.month(), 2),
        'y' => number(time.year().rem_euclid(100).unsigned_abs(), 2),
        'Y' => {
            if time.year() >= 0 {
                format!("{:04}", time.year())
            } else {
                time.year().to_string()
            }
        }
        'G' => format!("{:04}", time.iso_week().year()),
        'V' => number(time.iso_week().week(), 2),
        'U' => number(week(time.weekday().num_days_from_sunday()), 2),
        'W' => number(week(time.weekday().num_days_from_monday()), 2),
        'H' => number(time.hour(), 2),
        'I' => number(hour, 2),
        'p' => if time.hour() < 12 { "AM" } else { "PM" }.to_string(),
        'M' => number(time.minute(), 2),
        'S' => number(time.second(), 2),
        'f' => format!("{:06}", time.nanosecond() / 1_000),
        'g' => format!("{:03}", time.nanosecond() / 1_000_000),
        'n' => format!("{:09}", time.nanosecond()),
        'j' => number(time.ordinal(), 3),
        'z' => {
            let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
            let minutes = size / 60 % 60;
            if minutes == 0 {
                format!("{sign}{:02}", size / 3_600)
            } else {
                format!("{sign}{:02}:{minutes:02}", size / 3_600)
            }
        }
        'Z' => {
            if zoned {
                "UTC".to_string()
            } else {
                String::new()
            }
        }
        _ => String::new(),
    }
}
