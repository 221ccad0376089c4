//! Integers, eight digits at a time.
//!
//! ```text
//! "1234"      load 8 bytes (little-endian: the first digit lowest)     1 2 3 4 , x y z
//! shift left by 8 - 4 bytes, fill with zeros digits                    0 0 0 0 1 2 3 4
//! neighbours are joined in three multiplications                       ab -> abcd -> abcdefgh
//! ```

use super::load::load8;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The value of the `len` (1 to 8) digits at `at`; `None` where one of them is no digit.
#[inline(always)]
pub(super) fn digits8(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    joined(load8(bytes, at), len)
}

/// The value of the `len` (1 to 8) digits in `x`, the first one lowest; `None` where one of them is no digit.
#[inline(always)]
pub(super) fn joined(x: u64, len: usize) -> Option<u64> {
    let shift = (64 - 8 * len as u32) & 63;
    let filler = if shift == 0 { 0 } else { ZEROS >> (64 - shift) };
    let x = ((x << shift) | filler) ^ ZEROS;
    // A digit is now 0..=9: adding 0x76 must not reach the high bit, which must not be set either.
    if (x.wrapping_add(0x7676_7676_7676_7676) | x) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let x = x.wrapping_mul(10).wrapping_add(x >> 8) & 0x00FF_00FF_00FF_00FF;
    let x = x.wrapping_mul(100).wrapping_add(x >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(x.wrapping_mul(10_000).wrapping_add(x >> 32) & 0xFFFF_FFFF)
}

/// The value of the digits in `at..end`, at most 19 of them: no overflow is possible.
#[inline(always)]
pub(super) fn digits(bytes: &[u8], at: usize, end: usize) -> Option<u64> {
    let len = end.wrapping_sub(at);
    match len {
        1..=8 => digits8(bytes, at, len),
        9..=16 => {
            let high = digits8(bytes, at, len - 8)?;
            Some(high * 100_000_000 + digits8(bytes, end - 8, 8)?)
        }
        17..=19 => {
            let high = digits8(bytes, at, len - 16)?;
            let middle = digits8(bytes, end - 16, 8)?;
            Some((high * 100_000_000 + middle) * 100_000_000 + digits8(bytes, end - 8, 8)?)
        }
        _ => None,
    }
}

/// An integer with an optional sign in `at..end`.
#[inline(always)]
pub(in crate::formats) fn parse_int(bytes: &[u8], at: usize, end: usize) -> Option<i64> {
    let first = *bytes.get(at)?;
    let (negative, at) = (first == b'-', at + usize::from(first == b'-' || first == b'+'));
    let Some(magnitude) = digits(bytes, at, end) else { return parse_long(bytes, at, end, negative) };
    match negative {
        false => i64::try_from(magnitude).ok(),
        true => 0i64.checked_sub_unsigned(magnitude),
    }
}

/// More than 19 digits fit only when zeros lead.
#[cold]
fn parse_long(bytes: &[u8], at: usize, end: usize, negative: bool) -> Option<i64> {
    let text = bytes.get(at..end).filter(|t| t.len() > 19)?;
    let zeros = text.iter().take_while(|b| **b == b'0').count().min(text.len() - 1);
    let magnitude = digits(bytes, at + zeros, end)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) {
        let inside = format!("9{text}9,77777777777777777777777");
        let ours = parse_int(inside.as_bytes(), 1, 1 + text.len());
        assert_eq!(ours, text.parse::<i64>().ok(), "{text}");
        assert_eq!(parse_int(text.as_bytes(), 0, text.len()), ours, "{text} at the end of the buffer");
    }

    #[test]
    fn agrees_with_std() {
        for text in ["", "-", "+", "+-1", "0", "-0", "00000000000000000000000012", "9223372036854775807"] {
            both(text);
        }
        for text in
            ["9223372036854775808", "-9223372036854775808", "-9223372036854775809", "99999999999999999999", "+5"]
        {
            both(text);
        }
        for text in ["1 ", " 1", "1.0", "1e3", "12a45678", "/2345678", "1234567:", "1\u{e9}", "--1", "1-"] {
            both(text);
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_std_on_any_number(n: i64, shift in 0u32..64) {
            both(&(n >> shift).to_string());
        }

        #[test]
        fn agrees_with_std_on_any_text(text in "[0-9+:/a -]{0,22}") {
            both(&text);
        }
    }
}
