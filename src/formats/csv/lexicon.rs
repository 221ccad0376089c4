//! What texts mean: how numbers and dates are written in a file, and which texts are null.

use crate::error::{Error, Result};
use crate::formats::values::{Kind, parse_bool};
use chrono::format::{Item, Parsed, StrftimeItems, parse};
use std::sync::Arc;

/// Texts that mean null where a column is not of text: nobody writes a number, date or truth like that.
pub(super) const MARKERS: &[&[u8]] = &[b"NULL", b"null", b"NA", b"N/A", b"n/a", b"#N/A", b"<NA>", b"\\N"];

/// The longest number with separators.
const LONGEST: usize = 128;

/// See the head of this file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexicon {
    pub(super) decimal: u8,
    pub(super) thousands: Option<u8>,
    pub(super) dates: Option<Pattern>,
    pub(super) timestamps: Option<Pattern>,
    /// Texts that are null beside the empty one.
    pub(super) nulls: Vec<Vec<u8>>,
    /// Whether they are null in quotes, too.
    pub(super) quoted_nulls: bool,
    /// Whether nothing in quotes is null.
    pub(super) quoted_empty: bool,
    /// Whether the usual markers are null, in columns of guessed types other than text.
    pub(super) markers: bool,
    /// Texts that are true, and that are false, beside `true` and `false`.
    pub(super) truths: [Vec<Vec<u8>>; 2],
}

impl Default for Lexicon {
    fn default() -> Self {
        Lexicon {
            decimal: b'.',
            thousands: None,
            dates: None,
            timestamps: None,
            nulls: Vec::new(),
            quoted_nulls: true,
            quoted_empty: false,
            markers: true,
            truths: Default::default(),
        }
    }
}

/// A number as the parsers know it.
pub(super) struct Number {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Number {
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Lexicon {
    /// Whether numbers are written as programs write them.
    pub(super) fn is_plain(&self) -> bool {
        self.decimal == b'.' && self.thousands.is_none()
    }

    /// A number with a point for a point and without separators of thousands; `None` for what is no number of these.
    pub(super) fn number(&self, text: &[u8]) -> Option<Number> {
        let mut number = Number { bytes: [0; LONGEST], len: 0 };
        let whole = text.iter().position(|b| *b == self.decimal || matches!(b, b'e' | b'E')).unwrap_or(text.len());
        let (mut groups, mut digits) = (0, 0);
        for (i, b) in text.iter().enumerate() {
            let wanted = match *b {
                b if Some(b) == self.thousands && i < whole => {
                    // Groups of three, but for the first one.
                    if digits == 0 || digits > 3 || (groups > 0 && digits != 3) {
                        return None;
                    }
                    (groups, digits) = (groups + 1, 0);
                    continue;
                }
                b if b == self.decimal => b'.',
                b'.' => return None,
                b => b,
            };
            digits += usize::from(i < whole && b.is_ascii_digit());
            *number.bytes.get_mut(number.len)? = wanted;
            number.len += 1;
        }
        (groups == 0 || digits == 3).then_some(number)
    }

    /// The narrowest kind of a text that is not null. Blanks around what is no text do not count.
    pub(super) fn kind(&self, text: &[u8]) -> Kind {
        let text = text.trim_ascii();
        if let Some(dates) = &self.dates
            && dates.date(text).is_some()
        {
            return Kind::Date;
        }
        if let Some(timestamps) = &self.timestamps
            && let Some((_, with_offset)) = timestamps.timestamp(text)
        {
            return if with_offset { Kind::TimestampTz } else { Kind::Timestamp };
        }
        if self.is_truth(text).is_some() {
            return Kind::Bool;
        }
        let kind = match self.is_plain() {
            true => Kind::of(text),
            false => self.kind_of_number(text).unwrap_or_else(|| match Kind::of_number(text) {
                Some(_) => Kind::Text,
                None => Kind::of(text),
            }),
        };
        match kind {
            Kind::Date if self.dates.is_some() => Kind::Text,
            Kind::Timestamp | Kind::TimestampTz if self.timestamps.is_some() => Kind::Text,
            other => other,
        }
    }

    fn kind_of_number(&self, text: &[u8]) -> Option<Kind> {
        let number = self.number(text)?;
        Kind::of_number(number.text())
    }

    /// What a text means that was said to be a truth.
    fn is_truth(&self, text: &[u8]) -> Option<bool> {
        let [yes, no] = &self.truths;
        let among = |list: &[Vec<u8>]| list.iter().any(|t| t == text);
        if among(yes) { Some(true) } else { among(no).then_some(false) }
    }

    /// A truth: those that were said, `true` and `false`, and where the type was declared what SQL takes for them.
    pub(super) fn truth(&self, text: &[u8], declared: bool) -> Option<bool> {
        let said = self.is_truth(text).or_else(|| parse_bool(text));
        said.or_else(|| if declared { declared_truth(text) } else { None })
    }

    /// Whether a text, as it stands in the file, is null in all columns.
    pub(super) fn is_null(&self, text: &[u8]) -> bool {
        self.nulls.iter().any(|n| n == text)
    }

    /// The same of what was in quotes.
    pub(super) fn is_quoted_null(&self, value: &[u8]) -> bool {
        self.quoted_nulls && (self.is_null(value) || (value.is_empty() && self.quoted_empty))
    }

    /// Whether an unquoted text is null where it is no value.
    pub(super) fn is_marker(&self, text: &[u8]) -> bool {
        self.markers && MARKERS.contains(&text)
    }
}

/// The texts that casts take for truths, in any case.
fn declared_truth(text: &[u8]) -> Option<bool> {
    match text.to_ascii_lowercase().as_slice() {
        b"true" | b"t" | b"yes" | b"y" | b"1" => Some(true),
        b"false" | b"f" | b"no" | b"n" | b"0" => Some(false),
        _ => None,
    }
}

/// A format of dates or timestamps, as `strptime` has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    /// As it was given.
    pub(super) text: String,
    items: Arc<[Item<'static>]>,
}

impl Pattern {
    pub(super) fn new(name: &str, text: &str) -> Result<Self> {
        // DuckDB's %f is microseconds, %g milliseconds, %n nanoseconds.
        let ours = text.replace("%f", "%6f").replace("%g", "%3f").replace("%n", "%9f");
        let items = StrftimeItems::new(&ours).parse_to_owned().ok().filter(|items| !items.is_empty());
        match items {
            Some(items) => Ok(Pattern { text: text.to_string(), items: items.into() }),
            None => {
                Err(Error::query(format!("option {name}: {text:?} is no format")).advise("as in '%d/%m/%Y %H:%M:%S'"))
            }
        }
    }

    fn parsed(&self, text: &[u8]) -> Option<Parsed> {
        // A year of two digits is none of the first century.
        let century = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
        if self.text.contains("%Y") && !text.windows(4).any(century) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        Some(parsed)
    }

    /// Days since 1970.
    pub(super) fn date(&self, text: &[u8]) -> Option<i32> {
        let date = self.parsed(text)?.to_naive_date().ok()?;
        i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).ok()
    }

    /// Microseconds since 1970, and whether the text has an offset. A time that the format does not tell is midnight.
    pub(super) fn timestamp(&self, text: &[u8]) -> Option<(i64, bool)> {
        let parsed = self.parsed(text)?;
        if parsed.offset().is_some() {
            return Some((parsed.to_datetime().ok()?.timestamp_micros(), true));
        }
        let time = match parsed.hour_div_12().is_some() || parsed.hour_mod_12().is_some() {
            true => parsed.to_naive_time().ok()?,
            false => chrono::NaiveTime::MIN,
        };
        let at = match parsed.timestamp() {
            Some(_) => parsed.to_naive_datetime_with_offset(0).ok()?,
            None => parsed.to_naive_date().ok()?.and_time(time),
        };
        Some((at.and_utc().timestamp_micros(), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(decimal: u8, thousands: Option<u8>) -> Lexicon {
        Lexicon { decimal, thousands, ..Lexicon::default() }
    }

    #[test]
    fn numbers_with_commas_and_groups() {
        let german = with(b',', Some(b'.'));
        let number =
            |l: &Lexicon, text: &str| l.number(text.as_bytes()).map(|n| String::from_utf8(n.text().into()).unwrap());
        for (text, wanted) in [
            ("1,5", Some("1.5")),
            ("1.234,5", Some("1234.5")),
            ("-1.234.567", Some("-1234567")),
            ("12.34", None),
            ("1.2345", None),
            (".123", None),
            ("1..234", None),
            ("1234.567", None),
            ("1,5e3", Some("1.5e3")),
            ("1.234,567.8", None),
        ] {
            assert_eq!(number(&german, text).as_deref(), wanted, "{text}");
        }
        assert_eq!((german.kind(b" 1.234 "), german.kind(b"01,5")), (Kind::Int, Kind::Text));
        assert_eq!(german.kind(b"1,5"), Kind::Float);
        assert_eq!(with(b',', None).kind(b"1.5"), Kind::Text);
        assert_eq!(with(b'.', Some(b',')).kind(b"1,234.5"), Kind::Float);
        assert_eq!(with(b',', None).kind(b"2024-01-31"), Kind::Date);
    }

    #[test]
    fn patterns_of_time() {
        let p = |text| Pattern::new("x", text).unwrap();
        assert_eq!(p("%d/%m/%Y").date(b"02/01/1970"), Some(1));
        assert_eq!(p("%d/%m/%Y").date(b"31/02/1970"), None);
        assert_eq!((p("%d/%m/%Y").date(b"02/01/70"), p("%d/%m/%y").date(b"02/01/70")), (None, Some(1)));
        assert_eq!(p("%d.%m.%Y %H:%M").timestamp(b"01.01.1970 00:01"), Some((60_000_000, false)));
        assert_eq!(p("%d.%m.%Y").timestamp(b"02.01.1970"), Some((86_400_000_000, false)));
        assert_eq!(p("%Y-%m-%d %H:%M:%S.%g").timestamp(b"1970-01-01 00:00:00.250"), Some((250_000, false)));
        assert_eq!(p("%Y-%m-%d %H:%M %z").timestamp(b"1970-01-01 02:00 +0100"), Some((3_600_000_000, true)));
        assert!(Pattern::new("dateformat", "%Q").is_err() && Pattern::new("dateformat", "").is_err());
        let l = Lexicon { dates: Some(p("%d/%m/%Y")), ..Lexicon::default() };
        assert_eq!((l.kind(b"02/01/1970"), l.kind(b"1970-01-02")), (Kind::Date, Kind::Text));
    }

    #[test]
    fn truths() {
        let said = Lexicon { truths: [vec![b"ja".to_vec()], vec![b"0".to_vec()]], ..Lexicon::default() };
        assert_eq!((said.kind(b"ja"), said.kind(b"0"), said.kind(b"1")), (Kind::Bool, Kind::Bool, Kind::Int));
        assert_eq!(
            (said.truth(b"ja", false), said.truth(b"0", false), said.truth(b"yes", false)),
            (Some(true), Some(false), None)
        );
        assert_eq!(
            (said.truth(b"YES", true), said.truth(b"n", true), said.truth(b"2", true)),
            (Some(true), Some(false), None)
        );
        assert_eq!(Lexicon::default().kind(b"yes"), Kind::Text);
    }

    #[test]
    fn nulls_and_markers() {
        let l = Lexicon { nulls: vec![b"-".to_vec()], ..Lexicon::default() };
        assert!(l.is_null(b"-") && !l.is_null(b"NA") && l.is_marker(b"NA") && !l.is_marker(b"Na"));
        assert!(l.is_quoted_null(b"-") && !Lexicon { quoted_nulls: false, ..l.clone() }.is_quoted_null(b"-"));
        assert!(!Lexicon { markers: false, ..Lexicon::default() }.is_marker(b"NA"));
    }
}
