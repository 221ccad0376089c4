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

use super::{parse_bool, parse_date, parse_decimal, parse_float, parse_int, parse_timestamp};
use arrow::datatypes::{DataType, TimeUnit};

/// What the values of a column may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::formats) enum Kind {
    /// Nothing was seen.
    #[default]
    Null,
    Bool,
    Int,
    /// An integer of up to 38 digits.
    Decimal,
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
        let kinds: [(Kind, bool); 3] = [
            (Kind::Int, parse_int(text, 0, end).is_some()),
            (Kind::Bool, parse_bool(text).is_some()),
            (Kind::Date, parse_date(text, 0, end).is_some()),
        ];
        if let Some((kind, _)) = kinds.iter().find(|(_, yes)| *yes) {
            return *kind;
        }
        if let Some((_, with_offset)) = parse_timestamp(text, 0, end) {
            return if with_offset { Kind::TimestampTz } else { Kind::Timestamp };
        }
        if parse_decimal(text, 0).is_some() && !text.contains(&b'.') {
            return Kind::Decimal;
        }
        if parse_float(text, 0, end).is_some() { Kind::Float } else { Kind::Text }
    }

    /// The narrowest kind that holds both.
    pub(in crate::formats) fn join(self, other: Kind) -> Kind {
        use Kind::*;
        let (low, high) = if self <= other { (self, other) } else { (other, self) };
        match (low, high) {
            (a, b) if a == b => a,
            (Null, b) => b,
            (Int, Decimal) => Decimal,
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
            Kind::Int => DataType::Int64,
            Kind::Decimal => DataType::Decimal128(38, 0),
            Kind::Float => DataType::Float64,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Null | Kind::Text => DataType::Utf8View,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_kind() {
        let cases = [
            ("1", Kind::Int),
            ("-9223372036854775808", Kind::Int),
            ("9223372036854775808", Kind::Decimal),
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
        let all = [Null, Bool, Int, Decimal, Float, Date, Timestamp, TimestampTz, Text];
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
