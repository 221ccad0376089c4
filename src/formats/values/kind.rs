//! Guesses: what a text may be, and what two guesses have in common.
//!
//! ```text
//!                      text
//!       ________________|_______________________
//!      |      |         |           |           |
//!      |   float64      |       timestamp       |
//!      |      |         |           |           |
//!    bool  decimal    (list,      date      timestamp
//!      |      |       struct)       |       with offset
//!      |    int64       |           |           |
//!      |______|_________|___________|___________|
//!                       |
//!                      null
//! ```
//!
//! Nothing of a number is lost on the way up. Integers that a float64 would round (`9007199254740993`) are apart from those
//! that it holds: what they have in common with fractions is text. Numbers with zeros or a plus before them (`007`,
//! `+49123`) are text, since they are keys, postal codes, telephone numbers.

use super::plain::survives_as_float;
use super::{is_plain, parse_bool, parse_date, parse_decimal, parse_plain_float, parse_plain_int, parse_timestamp};
use arrow::datatypes::{DataType, TimeUnit};

/// What the values of a column may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::formats) enum Kind {
    /// Nothing was seen.
    #[default]
    Null,
    Bool,
    /// An integer of 64 bits that a float64 holds.
    Int,
    /// One that it does not.
    Long,
    /// An integer of up to 38 digits that a float64 holds.
    Decimal,
    /// One that it does not.
    Huge,
    Float,
    Date,
    /// Without an offset.
    Timestamp,
    /// With an offset.
    TimestampTz,
    Text,
}

impl Kind {
    /// The narrowest kind of a text.
    pub(in crate::formats) fn of(text: &[u8]) -> Kind {
        let end = text.len();
        if let Some(kind) = Kind::of_number(text) {
            kind
        } else if parse_bool(text).is_some() {
            Kind::Bool
        } else if parse_date(text, 0, end).is_some() {
            Kind::Date
        } else {
            match parse_timestamp(text, 0, end) {
                Some((_, true)) => Kind::TimestampTz,
                Some((_, false)) => Kind::Timestamp,
                None => Kind::Text,
            }
        }
    }

    /// The narrowest kind of a number.
    pub(in crate::formats) fn of_number(text: &[u8]) -> Option<Kind> {
        if is_short_int(text) {
            return Some(Kind::Int);
        }
        let end = text.len();
        let exact = || survives_as_float(text);
        if parse_plain_int(text, 0, end).is_some() {
            return Some(if exact() { Kind::Int } else { Kind::Long });
        }
        if !text.contains(&b'.') && is_plain(text, 0, end) && parse_decimal(text, 0).is_some() {
            return Some(if exact() { Kind::Decimal } else { Kind::Huge });
        }
        parse_plain_float(text, 0, end).map(|_| Kind::Float)
    }

    /// The narrowest kind that holds both.
    pub(in crate::formats) fn join(self, other: Kind) -> Kind {
        use Kind::*;
        let (low, high) = if self <= other { (self, other) } else { (other, self) };
        match (low, high) {
            (a, b) if a == b => a,
            (Null, b) => b,
            (Int, Long) => Long,
            (Int, Decimal) => Decimal,
            (Long, Decimal) | (Int | Long | Decimal, Huge) => Huge,
            (Int | Decimal, Float) => Float,
            (Date, Timestamp) => Timestamp,
            _ => Text,
        }
    }

    /// The kind whose columns have this type.
    pub(in crate::formats) fn of_type(data_type: &DataType) -> Option<Kind> {
        let all = [Kind::Bool, Kind::Int, Kind::Decimal, Kind::Float, Kind::Date, Kind::Timestamp, Kind::TimestampTz];
        all.into_iter().find(|kind| kind.data_type() == *data_type)
    }

    /// The column's type; nothing seen means text.
    pub(in crate::formats) fn data_type(self) -> DataType {
        match self {
            Kind::Bool => DataType::Boolean,
            Kind::Int | Kind::Long => DataType::Int64,
            Kind::Decimal | Kind::Huge => DataType::Decimal128(38, 0),
            Kind::Float => DataType::Float64,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Null | Kind::Text => DataType::Utf8View,
        }
    }
}

/// Whether it is an integer that every float and every form of a number keeps: few digits, the first of which is no zero.
fn is_short_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    matches!(digits.first(), Some(b'1'..=b'9')) && digits.len() <= 15 && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_kind() {
        let cases = [
            ("1", Kind::Int),
            ("-9223372036854775807", Kind::Long),
            ("9007199254740992", Kind::Int),
            ("9007199254740993", Kind::Long),
            ("9223372036854775809", Kind::Huge),
            ("12345678901234567000", Kind::Decimal),
            ("100000000000000000000", Kind::Decimal),
            ("99999999999999999999999999999999999999999", Kind::Text),
            ("10000000000000000000000000000000000000000", Kind::Float),
            ("007", Kind::Text),
            ("-07", Kind::Text),
            ("00", Kind::Text),
            ("07.5", Kind::Text),
            ("+7", Kind::Text),
            ("+7.5", Kind::Text),
            ("0", Kind::Int),
            ("-0", Kind::Int),
            ("0.5", Kind::Float),
            ("-.5", Kind::Float),
            ("0e1", Kind::Float),
            ("1.5", Kind::Float),
            ("1e3", Kind::Float),
            ("nan", Kind::Float),
            ("true", Kind::Bool),
            ("2024-01-01", Kind::Date),
            ("2024-01-01 10:00", Kind::Timestamp),
            ("2024-01-01T10:00:00Z", Kind::TimestampTz),
            ("x", Kind::Text),
            (" 1", Kind::Text),
        ];
        for (text, kind) in cases {
            assert_eq!(Kind::of(text.as_bytes()), kind, "{text}");
        }
    }

    #[test]
    fn join_is_a_lattice() {
        use Kind::*;
        let all = [Null, Bool, Int, Long, Decimal, Huge, Float, Date, Timestamp, TimestampTz, Text];
        for a in all {
            assert_eq!((a.join(a), a.join(Null), a.join(Text)), (a, a, Text));
            for b in all {
                assert_eq!(a.join(b), b.join(a));
                for c in all {
                    assert_eq!(a.join(b).join(c), a.join(b.join(c)), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }
}
