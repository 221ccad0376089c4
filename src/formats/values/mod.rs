//! Text to values and back: the parsers and the guesses that the text formats share.
//!
//! A parser takes a whole buffer and the place of the text in it, so that it can load 8 bytes at once even where the text
//! is shorter; it answers `None` where the text is not of its type. It never wraps, rounds integers, or skips anything.

mod date;
mod decimal;
mod float;
mod int;
mod kind;
mod load;
mod plain;
mod view;

pub(super) use date::{civil, day_number, parse_date, parse_timestamp};
pub(super) use decimal::parse_decimal;
pub(super) use float::parse_float;
pub(super) use int::parse_int;
pub(super) use kind::Kind;
pub(super) use load::{load8, load16};
pub(super) use plain::{is_plain, parse_plain_float, parse_plain_int};
pub(super) use view::{TextBuilder, nulls_at};

/// `true` and `false`, in lower, upper or title case.
pub(super) fn parse_bool(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"True" | b"TRUE" => Some(true),
        b"false" | b"False" | b"FALSE" => Some(false),
        _ => None,
    }
}
