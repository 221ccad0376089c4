//! `to_char(t, 'YYYY-MM-DD')`: times as text, after PostgreSQL's patterns, or after those of `strftime` where there is a `%`.
//!
//! Limits: numbers; the words that PostgreSQL has beside those of [`WORDS`] are refused. Names come without the blanks that
//! PostgreSQL adds, as if `FM` stood before them.

use super::super::args::{Args, some, texts};
use super::super::row::{Gives, Row};
use super::Moments;
use super::calendar::civil;
use super::pattern::{Piece, pieces};
use super::strftime::shown;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[Row::new(
    "to_char",
    "moment, text | time, text",
    Gives::Text,
    to_char,
    "A date or a timestamp written after PostgreSQL's patterns, or after those of strftime.",
    "to_char(DATE '2020-01-05', 'DD.MM.YYYY') --> 05.01.2020",
)
.also(&["date_format"])];

/// Words of patterns and the directives of `strftime` that they are; longer ones before their beginnings.
const WORDS: [(&str, char); 24] = [
    ("YYYY", 'Y'),
    ("IYYY", 'G'),
    ("HH24", 'H'),
    ("HH12", 'I'),
    ("MONTH", 'B'),
    ("A.M.", 'p'),
    ("P.M.", 'p'),
    ("DDD", 'j'),
    ("DAY", 'A'),
    ("MON", 'b'),
    ("YY", 'y'),
    ("MM", 'm'),
    ("DD", 'd'),
    ("DY", 'a'),
    ("HH", 'I'),
    ("MI", 'M'),
    ("MS", 'g'),
    ("SS", 'S'),
    ("US", 'f'),
    ("IW", 'V'),
    ("ID", 'u'),
    ("AM", 'p'),
    ("PM", 'p'),
    ("OF", 'z'),
];

/// How a word is written.
#[derive(Clone, Copy, PartialEq)]
enum Letters {
    AsTheyAre,
    Upper,
    Lower,
}

type Pieces = Vec<(Piece, Letters)>;

fn to_char(args: &Args) -> Result<ArrayRef> {
    let pattern = args.text(1)?;
    // A time is one of the first day.
    let (moments, time) = match args.type_of(0) {
        DataType::Time32(_) | DataType::Time64(_) => (None, Some(args.time(0)?)),
        _ => (Some(Moments::new(args, 0)?), None),
    };
    let micros = |row| match (&moments, &time) {
        (Some(moments), _) => moments.get(row),
        (_, time) => time.as_ref()?.get(row),
    };
    let zoned = matches!(args.type_of(0), DataType::Timestamp(_, Some(_)));
    let mut last: Option<(String, Pieces)> = None;
    texts(args, |row| {
        let (micros, pattern) = (some!(micros(row)), some!(pattern.get(row)));
        if last.as_ref().is_none_or(|(p, _)| p != pattern) {
            last = Some((pattern.to_string(), parsed(pattern)?));
        }
        let time = some!(civil(micros));
        let offset = moments.as_ref().and_then(|moments| moments.offset(row)).unwrap_or(0);
        let mut made = String::new();
        for (piece, letters) in last.iter().flat_map(|(_, pieces)| pieces) {
            let text = match piece {
                Piece::Text(text) => text.clone(),
                Piece::Directive(letter, short) => shown(time, offset, zoned, *letter, *short),
            };
            match letters {
                Letters::AsTheyAre => made.push_str(&text),
                Letters::Upper => made.push_str(&text.to_uppercase()),
                Letters::Lower => made.push_str(&text.to_lowercase()),
            }
        }
        Ok(Some(made))
    })
}

fn parsed(pattern: &str) -> Result<Pieces> {
    if pattern.contains('%') {
        return Ok(pieces(pattern)?.into_iter().map(|piece| (piece, Letters::AsTheyAre)).collect());
    }
    let mut made = Vec::new();
    let mut rest = pattern;
    let mut short = false;
    while let Some(c) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
            made.push((Piece::Text(text.to_string()), Letters::AsTheyAre));
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("FM") {
            (short, rest) = (true, behind);
        } else if let Some((word, letter)) = WORDS.iter().find(|(word, _)| begins(rest, word)) {
            let (written, behind) = rest.split_at(word.len());
            made.push((Piece::Directive(*letter, std::mem::take(&mut short)), letters(written, *letter)));
            rest = behind;
        } else if c.is_alphanumeric() {
            return exec_err!(
                "to_char has no word for {rest:?} in {pattern:?}; text stands in double quotes, and strftime has other patterns"
            );
        } else {
            made.push((Piece::Text(c.to_string()), Letters::AsTheyAre));
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(made)
}

fn begins(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// `MONTH` is written large, `month` small, `Month` as it is. Other words are numbers.
fn letters(word: &str, letter: char) -> Letters {
    let name = "aAbBp".contains(letter);
    match word.chars().nth(1) {
        Some(second) if name && second.is_lowercase() && word.starts_with(|c: char| c.is_lowercase()) => Letters::Lower,
        Some(second) if name && second.is_uppercase() => Letters::Upper,
        _ if letter == 'p' && word.starts_with(|c: char| c.is_lowercase()) => Letters::Lower,
        _ => Letters::AsTheyAre,
    }
}
