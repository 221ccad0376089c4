//! Numbers as text: integers and decimals digit by digit, floats in their shortest form that reads back the same.

use std::io::Write;

/// Appends an integer.
pub fn push_int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    push_digits(value.unsigned_abs(), out);
}

/// Appends the decimal digits of `value`.
pub fn push_digits(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `value` with at least `width` digits, zeros first.
pub fn push_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    push_digits(value, out);
    let missing = width.saturating_sub(out.len() - begin);
    out.splice(begin..begin, std::iter::repeat_n(b'0', missing));
}

/// Appends a float as DuckDB does: `1.0`, `0.1`, `1e+16`, `1e-05`, `nan`, `-inf`; digits up to 1e16 and down to 1e-4.
pub fn push_f64(value: f64, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = match is_short(value) {
        true => write!(out, "{value:?}"),
        false => write!(out, "{value:e}"),
    };
    finish_float(value, out);
}

/// As [`push_f64`], with the shortest digits of the narrower type.
pub fn push_f32(value: f32, out: &mut Vec<u8>) {
    let _ = match is_short(value.into()) {
        true => write!(out, "{value:?}"),
        false => write!(out, "{value:e}"),
    };
    finish_float(value.into(), out);
}

/// Whether a float is written without an exponent.
fn is_short(value: f64) -> bool {
    value == 0.0 || (1e-4..1e16).contains(&value.abs())
}

/// Gives the exponent that was just written a sign and two digits; not-a-number has small letters.
fn finish_float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        let kept = out.len().saturating_sub(3);
        out.truncate(kept);
        return out.extend_from_slice(b"nan");
    }
    if is_short(value) || value.is_infinite() {
        return;
    }
    let Some(e) = out.iter().rposition(|b| *b == b'e') else { return };
    let exponent = out.split_off(e + 1);
    let (sign, digits) = match exponent.split_first() {
        Some((b'-', digits)) => (b'-', digits),
        _ => (b'+', exponent.as_slice()),
    };
    out.push(sign);
    if digits.len() < 2 {
        out.push(b'0');
    }
    out.extend_from_slice(digits);
}

/// Appends a decimal of `unscaled` / 10^`scale`, with all `scale` digits after the point.
pub fn push_decimal(unscaled: i128, scale: i8, out: &mut Vec<u8>) {
    if let (Ok(value), 0) = (i64::try_from(unscaled), scale) {
        return push_int(value, out);
    }
    push_scaled(&unscaled.to_string(), scale, out);
}

/// As [`push_decimal`], from the digits of the unscaled value.
pub fn push_scaled(unscaled: &str, scale: i8, out: &mut Vec<u8>) {
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
    out.extend_from_slice(sign.as_bytes());
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        out.extend_from_slice(digits.as_bytes());
        if digits != "0" {
            out.extend(std::iter::repeat_n(b'0', places));
        }
        return;
    }
    match digits.len().checked_sub(places) {
        Some(whole) if whole > 0 => {
            out.extend_from_slice(&digits.as_bytes()[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits.as_bytes()[whole..]);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', places - digits.len()));
            out.extend_from_slice(digits.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_read_as_the_standard_library_writes_them() {
        for value in [0, 7, -7, 10, 1234567890, i64::MAX, i64::MIN] {
            assert_eq!(shown(|out| push_int(value, out)), value.to_string());
        }
        assert_eq!(shown(|out| push_digits(u64::MAX, out)), u64::MAX.to_string());
        assert_eq!(shown(|out| push_padded(7, 3, out)), "007");
        assert_eq!(shown(|out| push_padded(1234, 3, out)), "1234");
    }

    #[test]
    fn decimals_keep_their_places() {
        let cases = [
            (12345, 2, "123.45"),
            (-12345, 2, "-123.45"),
            (5, 2, "0.05"),
            (-5, 1, "-0.5"),
            (0, 3, "0.000"),
            (42, 0, "42"),
            (42, -2, "4200"),
            (0, -2, "0"),
            (100, 2, "1.00"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ];
        for (unscaled, scale, text) in cases {
            assert_eq!(shown(|out| push_decimal(unscaled, scale, out)), text);
        }
    }

    #[test]
    fn floats_are_shortest() {
        for (value, text) in [(1.0, "1.0"), (1.5, "1.5"), (0.1, "0.1"), (1e300, "1e+300"), (-0.0, "-0.0")] {
            assert_eq!(shown(|out| push_f64(value, out)), text);
        }
        for (value, text) in [(1e15, "1000000000000000.0"), (1e16, "1e+16"), (1e-4, "0.0001"), (-1.5e-5, "-1.5e-05")] {
            assert_eq!(shown(|out| push_f64(value, out)), text);
        }
        assert_eq!(shown(|out| push_f64(f64::NAN, out)), "nan");
        assert_eq!(shown(|out| push_f64(f64::NEG_INFINITY, out)), "-inf");
        assert_eq!(shown(|out| push_f32(3.4e38, out)), "3.4e+38");
        assert_eq!(shown(|out| push_f32(0.1, out)), "0.1");
    }
}
