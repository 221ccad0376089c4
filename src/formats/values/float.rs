//! Floating-point numbers, correctly rounded.
//!
//! A number of at most 15 digits with at most 22 of them behind the point is an integer below 2^53 over a power of ten
//! that a float64 holds exactly, so one division rounds correctly (Clinger 1990). The rest is for `fast_float2`.

use super::int::{digits, digits8, joined};
use super::load::load8;

const TENS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
const INTEGER_TENS: [u64; 16] = {
    let mut tens = [1; 16];
    let mut i = 1;
    while i < 16 {
        tens[i] = tens[i - 1] * 10;
        i += 1;
    }
    tens
};

/// A number in `at..end`: digits, point, exponent, or `nan`, `inf`, `infinity` in any case.
#[inline(always)]
pub(in crate::formats) fn parse_float(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    let value = pointed(bytes, at, end);
    if value.is_some() { value } else { other(bytes, at, end) }
}

/// The same for what [`pointed`] does not know, apart from the loops over rows.
#[inline(never)]
fn other(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    simple(bytes, at, end).or_else(|| any(bytes.get(at..end)?))
}

/// Numbers of at most 8 bytes with a point between their digits, by one load; `None` says nothing.
#[inline(always)]
pub(super) fn pointed(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    let len = end.checked_sub(at).filter(|len| (1..=8).contains(len))?;
    let x = load8(bytes, at);
    let negative = x as u8 == b'-';
    let value = short(x >> (8 * u32::from(negative)), len - usize::from(negative))?;
    Some(signed(negative, value))
}

/// As [`pointed`], for numbers in front of whose point no digit could be left out.
#[inline(always)]
pub(super) fn plain_pointed(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    let len = end.checked_sub(at).filter(|len| (1..=8).contains(len))?;
    let x = load8(bytes, at);
    let negative = x as u8 == b'-';
    let x = x >> (8 * u32::from(negative));
    // A zero, and no point behind it.
    if x as u8 == b'0' && (x >> 8) as u8 != b'.' {
        return None;
    }
    Some(signed(negative, short(x, len - usize::from(negative))?))
}

/// Numbers of few digits without an exponent, fast; `None` says nothing.
#[inline(always)]
pub(super) fn simple(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    let negative = *bytes.get(at)? == b'-';
    let at = at + usize::from(negative);
    let len = end.checked_sub(at).filter(|len| (1..=16).contains(len))?;
    let short = if len <= 8 { short(load8(bytes, at), len) } else { None };
    let value = if short.is_some() { short } else { longer(bytes, at, len) };
    value.map(|value| signed(negative, value))
}

/// The same for what [`short`] does not know, apart from the loops over rows, which would grow beyond what is compiled well.
#[inline(never)]
fn longer(bytes: &[u8], at: usize, len: usize) -> Option<f64> {
    let point = point(bytes, at, len);
    let behind = len.saturating_sub(point + 1);
    let whole = if point == 0 { 0 } else { digits(bytes, at, at + point)? };
    let value = match point < len {
        true => {
            if behind == 0 || point == 0 {
                return None; // ".5" and "5." take the slow way
            }
            let fraction = fraction(bytes, at + point + 1, behind)?;
            (whole * INTEGER_TENS.get(behind)? + fraction) as f64 / TENS.get(behind)?
        }
        false if len <= 15 => whole as f64,
        false => return None,
    };
    Some(value)
}

/// The value, negated where `negative` says so: a bit is set, since signs cannot be guessed.
#[inline(always)]
fn signed(negative: bool, value: f64) -> f64 {
    f64::from_bits(value.to_bits() | u64::from(negative) << 63)
}

/// A number of `len` (at most 8) bytes in `x` with a point between its digits: those behind it move up to those before, and
/// all are read at one time.
#[inline(always)]
fn short(x: u64, len: usize) -> Option<f64> {
    let point = first_point(x);
    if point == 0 || point + 1 >= len {
        return None;
    }
    let before = (1u64 << (8 * point)) - 1;
    let value = joined(x & before | x >> 8 & !before, len - 1)?;
    Some(value as f64 / TENS.get(len - point - 1)?)
}

#[inline(always)]
fn fraction(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    if len <= 8 { digits8(bytes, at, len) } else { digits(bytes, at, at + len) }
}

/// The place of the first point among `len` bytes, or `len`.
#[inline(always)]
fn point(bytes: &[u8], at: usize, len: usize) -> usize {
    let first = first_point(load8(bytes, at));
    let place = if first < 8 { first } else { 8 + first_point(load8(bytes, at + 8)) };
    place.min(len)
}

#[inline(always)]
fn first_point(x: u64) -> usize {
    let x = x ^ 0x2E2E_2E2E_2E2E_2E2E;
    let zero = x.wrapping_sub(0x0101_0101_0101_0101) & !x & 0x8080_8080_8080_8080;
    zero.trailing_zeros() as usize / 8
}

/// Any number.
#[cold]
pub(super) fn any(text: &[u8]) -> Option<f64> {
    fast_float2::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) {
        let inside = format!("9{text}9.,1.7777777777");
        let ours = parse_float(inside.as_bytes(), 1, 1 + text.len());
        let std = text.parse::<f64>().ok();
        assert_eq!(ours.map(f64::to_bits), std.map(f64::to_bits), "{text}: {ours:?} {std:?}");
        assert_eq!(parse_float(text.as_bytes(), 0, text.len()).map(f64::to_bits), std.map(f64::to_bits), "{text}");
    }

    #[test]
    fn agrees_with_std() {
        for text in ["", "-", ".", "-.", "0", "-0", "-0.0", "1.", ".5", "-.5", "1e5", "1e400", "1e-400", "1.5e", "e5"] {
            both(text);
        }
        for text in ["0.1", "72.959592", "-30.6", "9007199254740993", "123456789012345.6", "0.000000000000001", "1.2.3"]
        {
            both(text);
        }
        for text in ["999999999999999", "9999999999999999", "1.00000000000000011", "12345678.12345678", "1 2", "1,2"] {
            both(text);
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_std_on_any_number(x: f64) {
            both(&x.to_string());
            both(&format!("{x:e}"));
        }

        #[test]
        fn agrees_with_std_on_short_numbers(n in -10_000_000i64..10_000_000, digits in 0usize..9) {
            both(&format!("{:.digits$}", n as f64 / 1000.0));
        }

        #[test]
        fn agrees_with_std_on_any_text(text in "[0-9.+e-]{0,20}") {
            both(&text);
        }
    }
}
