//! Numbers that lose nothing when they are read as such: what is guessed to be a number is printed as it was written, but
//! for zeros behind the point. What is declared to be one is read as [`parse_int`] and
//! [`parse_float`](super::parse_float) read it.

use super::float::{any, plain_pointed, simple};
use super::parse_int;

/// Digits that any float64 holds as an integer.
const HELD: usize = 15;

/// Whether neither a plus nor zeros lead.
#[inline(always)]
pub(in crate::formats) fn is_plain(bytes: &[u8], at: usize, end: usize) -> bool {
    // Without a branch: signs cannot be guessed by the processor.
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let digits = at + usize::from(byte(at) == b'-');
    let leads = (byte(digits) == b'0') & (digits + 1 < end) & byte(digits + 1).is_ascii_digit();
    (byte(at) != b'+') & !leads
}

/// An integer as it would be printed.
#[inline(always)]
pub(in crate::formats) fn parse_plain_int(bytes: &[u8], at: usize, end: usize) -> Option<i64> {
    if is_plain(bytes, at, end) { parse_int(bytes, at, end) } else { None }
}

/// A number that a float64 holds, if it is an integer, and rounds at most, if it is none.
#[inline(always)]
pub(in crate::formats) fn parse_plain_float(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    let value = plain_pointed(bytes, at, end);
    if value.is_some() { value } else { other_float(bytes, at, end) }
}

/// The same for what is not so short, or has no point, apart from the loops over rows.
#[inline(never)]
fn other_float(bytes: &[u8], at: usize, end: usize) -> Option<f64> {
    if !is_plain(bytes, at, end) {
        return None;
    }
    // Of what is simple, integers have at most 15 digits.
    simple(bytes, at, end).or_else(|| {
        let text = bytes.get(at..end)?;
        any(text).filter(|_| survives_as_float(text))
    })
}

/// Whether a text that is an integer, if it is one, is printed alike as a float64: `12345678901234567000` is, though the
/// float64 is not exactly that, since programs that know nothing else write it so.
pub(super) fn survives_as_float(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.len() <= HELD || !digits.iter().all(u8::is_ascii_digit) {
        return true;
    }
    any(digits).is_some_and(|value| value.to_string().as_bytes() == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_no_number() {
        let int = |text: &str| parse_plain_int(text.as_bytes(), 0, text.len());
        let float = |text: &str| parse_plain_float(text.as_bytes(), 0, text.len());
        let long = 9_007_199_254_740_993;
        assert_eq!((int("0"), int("-0"), int("10"), int("9007199254740993")), (Some(0), Some(0), Some(10), Some(long)));
        assert_eq!((int("00"), int("01"), int("-01"), int("+1"), int("")), (None, None, None, None, None));
        let held = 9_007_199_254_740_992.0;
        assert_eq!((float("9007199254740992"), float("9007199254740993")), (Some(held), None));
        assert_eq!((float("-9007199254740993"), float("9007199254740993.0")), (None, Some(held)));
        assert_eq!((float("01.5"), float("+1.5"), float("-0.5"), float("1e+5")), (None, None, Some(-0.5), Some(1e5)));
        assert_eq!((float("0"), float("nan").map(f64::is_nan)), (Some(0.0), Some(true)));
        assert_eq!(float("12345678901234567000"), Some(12_345_678_901_234_567_000.0));
        assert_eq!(parse_plain_int(b"50", 0, 1), Some(5));
        assert_eq!(parse_plain_int(b"00", 0, 1), Some(0), "the next byte is not of it");
    }

    proptest::proptest! {
        #[test]
        fn floats_are_read_alike_in_all_ways(text in "-?[0-9]{0,6}[.]?[0-9.+e-]{0,4}") {
            let inside = format!("9{text}0.");
            let (at, end) = (1, 1 + text.len());
            let expected = other_float(text.as_bytes(), 0, text.len()).map(f64::to_bits);
            assert_eq!(parse_plain_float(inside.as_bytes(), at, end).map(f64::to_bits), expected);
            assert_eq!(parse_plain_float(text.as_bytes(), 0, text.len()).map(f64::to_bits), expected);
        }

        #[test]
        fn guessed_integers_are_printed_as_they_were(n: i64, shift in 0u32..64) {
            let text = (n >> shift).to_string();
            assert_eq!(parse_plain_int(text.as_bytes(), 0, text.len()), Some(n >> shift));
            if let Some(float) = parse_plain_float(text.as_bytes(), 0, text.len()) {
                assert_eq!(float.to_string(), text);
            }
        }
    }
}
