//! Integers of up to 38 digits, as decimal(38, s) values.

/// An integer with an optional sign, of at most 38 digits behind leading zeros.
pub(in crate::formats) fn parse_decimal(text: &[u8], scale: usize) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|b| *b == b'.');
    let (whole, fraction) = digits.split_at(point.unwrap_or(digits.len()));
    let fraction = fraction.get(1..).unwrap_or_default();
    let cut = fraction.get(scale..).unwrap_or_default();
    if whole.len() + fraction.len() == 0 || cut.iter().any(|b| *b != b'0') {
        return None;
    }
    let mut value: i128 = 0;
    let kept = fraction.iter().chain(std::iter::repeat(&b'0')).take(scale);
    for b in whole.iter().chain(kept) {
        let digit = b.checked_sub(b'0').filter(|d| *d <= 9)?;
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    let fits = value < 10i128.pow(38);
    fits.then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_38_digits() {
        let nines = "9".repeat(38);
        assert_eq!(parse_decimal(nines.as_bytes(), 0), Some(10i128.pow(38) - 1));
        assert_eq!(parse_decimal(format!("-000{nines}").as_bytes(), 0), Some(1 - 10i128.pow(38)));
        assert_eq!(parse_decimal(format!("1{nines}").as_bytes(), 0), None);
        assert_eq!(parse_decimal(b"-12.5", 2), Some(-1250));
        assert_eq!(parse_decimal(b"12.500", 1), Some(125));
        for bad in ["", "-", ".", "1.25", "1e3", "1.2.3", " 1"] {
            assert_eq!(parse_decimal(bad.as_bytes(), 1), None, "{bad}");
        }
    }
}
