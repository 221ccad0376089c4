//! Numbers and truths out of text; integers out of fractions.
//!
//! Text may have spaces around, `_` between digits, an exponent; integers and decimals are rounded, halves away from
//! zero. Floats become integers with halves to the even one, as the processor does it (and DuckDB).

use super::{misfit, parse_each, plain};
use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, PrimitiveBuilder, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion_common::{Result, not_impl_err};
use std::sync::Arc;

/// Calls a function of one of the integer types.
macro_rules! for_integer {
    ($type:expr, $f:ident ( $($arg:expr),* )) => {
        match $type {
            DataType::Int8 => $f::<Int8Type>($($arg),*),
            DataType::Int16 => $f::<Int16Type>($($arg),*),
            DataType::Int32 => $f::<Int32Type>($($arg),*),
            DataType::Int64 => $f::<Int64Type>($($arg),*),
            DataType::UInt8 => $f::<UInt8Type>($($arg),*),
            DataType::UInt16 => $f::<UInt16Type>($($arg),*),
            DataType::UInt32 => $f::<UInt32Type>($($arg),*),
            DataType::UInt64 => $f::<UInt64Type>($($arg),*),
            other => not_impl_err!("a cast to {other}"),
        }
    };
}

pub(super) fn from_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    match to {
        DataType::Boolean => {
            let mut out = BooleanBuilder::with_capacity(text.len());
            parse_each(text, to, lenient, parse_bool, |v| out.append_option(v))?;
            Ok(Arc::new(out.finish()))
        }
        DataType::Float32 => primitive::<Float32Type>(text, to, lenient, parse_float::<f32>),
        DataType::Float64 => primitive::<Float64Type>(text, to, lenient, parse_float::<f64>),
        DataType::Decimal128(precision, scale) => {
            let most = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
            let parse = |t: &str| parse_scaled(t, (*scale).into()).filter(|v| v.unsigned_abs() < most.unsigned_abs());
            primitive::<Decimal128Type>(text, to, lenient, parse)
        }
        _ if to.is_integer() => for_integer!(to, integers(text, to, lenient)),
        _ => plain(&(Arc::new(text.clone()) as ArrayRef), to, lenient),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    text: &StringViewArray,
    to: &DataType,
    lenient: bool,
    parse: impl FnMut(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let mut out = PrimitiveBuilder::<T>::with_capacity(text.len());
    parse_each(text, to, lenient, parse, |v| out.append_option(v))?;
    Ok(Arc::new(out.finish().with_data_type(to.clone())))
}

fn integers<T: ArrowPrimitiveType>(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    primitive::<T>(text, to, lenient, |t| T::Native::try_from(parse_scaled(t, 0)?).ok())
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" => Some(true),
        "false" | "f" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

fn parse_float<F: std::str::FromStr>(text: &str) -> Option<F> {
    let text = text.trim();
    text.parse().ok().or_else(|| without_underscores(text)?.parse().ok())
}

/// The digits of `1_000`; a `_` stands between digits only.
fn without_underscores(text: &str) -> Option<String> {
    let digit = |b: Option<&u8>| b.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let mut places = text.match_indices('_').map(|(at, _)| at).peekable();
    places.peek()?;
    places
        .all(|at| digit(at.checked_sub(1).and_then(|b| bytes.get(b))) && digit(bytes.get(at + 1)))
        .then(|| text.replace('_', ""))
}

/// The number times 10^`scale`, rounded.
pub(super) fn parse_scaled(text: &str, scale: i32) -> Option<i128> {
    let text = text.trim();
    let plain = without_underscores(text);
    let text = plain.as_deref().unwrap_or(text);
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let value = i128::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']))?;
        let value = value.checked_mul(10i128.checked_pow(u32::try_from(scale).ok()?)?)?;
        return Some(if negative { -value } else { value });
    }
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if !all.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // How many of the digits count; behind them zeros are added.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let value = rounded(&all, kept)?;
    Some(if negative { -value } else { value })
}

fn rounded(digits: &[u8], kept: i64) -> Option<i128> {
    let mut value: i128 = 0;
    for at in 0..kept.max(0) {
        let digit = usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |d| d - b'0');
        if value == 0 && digit == 0 && at > 10_000 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    let next = usize::try_from(kept).ok().and_then(|at| digits.get(at));
    let up = next.is_some_and(|d| *d >= b'5');
    value.checked_add(i128::from(up))
}

/// Floats out of doubles: what is too large for one is not infinite.
pub(super) fn to_float(array: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let mut out = PrimitiveBuilder::<Float32Type>::with_capacity(array.len());
    for value in array.as_primitive::<Float64Type>() {
        match value.map(|v| (v, v as f32)) {
            Some((v, float)) if float.is_infinite() && v.is_finite() => match lenient {
                true => out.append_null(),
                false => return Err(misfit(&v.to_string(), to)),
            },
            value => out.append_option(value.map(|(_, float)| float)),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Integers out of floats and decimals.
pub(super) fn to_integer(array: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    if array.data_type().is_floating() {
        let floats = cast(array, &DataType::Float64)?;
        let whole = |v: f64| {
            let v = v.round_ties_even();
            // Every integer type is inside of these; beyond 2^127 nothing fits.
            (v.abs() < 1.7e38).then_some(v as i128)
        };
        let values = floats.as_primitive::<Float64Type>().iter().map(|v| v.map(|v| (whole(v), v.to_string())));
        return for_integer!(to, fit(values, to, lenient));
    }
    let (DataType::Decimal128(_, scale), Some(decimals)) = (array.data_type(), array.as_primitive_opt()) else {
        return plain(array, to, lenient);
    };
    let decimals: &arrow::array::PrimitiveArray<Decimal128Type> = decimals;
    let unit = u32::try_from(*scale).ok().and_then(|s| 10i128.checked_pow(s)).unwrap_or(1);
    let whole = |v: i128| {
        let (q, r) = (v / unit, v % unit);
        if r.unsigned_abs() * 2 >= unit.unsigned_abs() && r != 0 { q + v.signum() } else { q }
    };
    let text = |row: usize| decimals.value_as_string(row);
    let values = decimals.iter().enumerate().map(|(row, v)| v.map(|v| (Some(whole(v)), text(row))));
    for_integer!(to, fit(values, to, lenient))
}

fn fit<T: ArrowPrimitiveType>(
    values: impl Iterator<Item = Option<(Option<i128>, String)>>,
    to: &DataType,
    lenient: bool,
) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    let mut out = PrimitiveBuilder::<T>::new();
    for value in values {
        let made = value.map(|(v, text)| (v.and_then(|v| T::Native::try_from(v).ok()), text));
        match made {
            Some((Some(v), _)) => out.append_value(v),
            Some((None, text)) if !lenient => return Err(misfit(&text, to)),
            _ => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_nothing_else_is_taken() {
        for (text, scale, wanted) in [
            ("2.5", 0, 3),
            ("-2.5", 0, -3),
            ("2.4999", 0, 2),
            ("1e3", 0, 1000),
            ("15e-1", 0, 2),
            (" 42 ", 0, 42),
            ("1_000", 0, 1000),
            ("0x1F", 0, 31),
            ("1.005", 2, 101),
            (".5", 1, 5),
            ("5.", 0, 5),
            ("0.0001", 0, 0),
        ] {
            assert_eq!(parse_scaled(text, scale), Some(wanted), "{text}");
        }
        for text in ["", "-", ".", "abc", "1e", "1__0", "_1", "1_", "--1", "1 2", "0x", "1e999999999", "1,5"] {
            assert_eq!(parse_scaled(text, 0), None, "{text}");
        }
        assert_eq!(parse_scaled("1e-999999999", 0), Some(0));
    }
}
