//! Rounding. Integers stay integers, decimals keep what digits are asked for, floats stay floats.

use super::super::args::{Args, some};
use super::super::row::{Gives, Row};
use arrow::array::{ArrayRef, AsArray, PrimitiveBuilder};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err};
use std::sync::Arc;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "round",
        "number, int?",
        Gives::ByValues(rounded),
        round,
        "To so many digits behind the point; halves away from zero.",
        "round(1.25, 1) --> 1.3",
    ),
    Row::new(
        "round_even",
        "number, int?",
        Gives::ByValues(rounded),
        round_even,
        "To so many digits behind the point; halves to the even digit.",
        "round_even(2.5, 0) --> 2.0",
    )
    .also(&["roundbankers"]),
    Row::new(
        "trunc",
        "number, int?",
        Gives::ByValues(rounded),
        trunc,
        "Cut off behind so many digits.",
        "trunc(-1.9) --> -1.0",
    ),
    Row::new("ceil", "number", Gives::By(whole), ceil, "The next whole number above.", "ceil(1.2) --> 2.0")
        .also(&["ceiling"]),
    Row::new("floor", "number", Gives::By(whole), floor, "The next whole number below.", "floor(-1.2) --> -2.0"),
    Row::new("even", "float", Gives::Float, even, "The next even number away from zero.", "even(2.1) --> 4.0"),
];

/// A way to round.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    HalfAway,
    HalfEven,
    Cut,
    Up,
    Down,
}

impl Way {
    fn float(self, x: f64) -> f64 {
        match self {
            Way::HalfAway => x.round(),
            Way::HalfEven => x.round_ties_even(),
            Way::Cut => x.trunc(),
            Way::Up => x.ceil(),
            Way::Down => x.floor(),
        }
    }

    /// `x` as a multiple of `unit`, divided by it.
    fn integer(self, x: i128, unit: i128) -> i128 {
        let (q, r) = (x / unit, x % unit);
        let twice = r.unsigned_abs().saturating_mul(2).cmp(&unit.unsigned_abs());
        let away = match self {
            Way::HalfAway => twice.is_ge(),
            Way::HalfEven => twice.is_gt() || (twice.is_eq() && q % 2 != 0),
            Way::Cut => false,
            Way::Up => r > 0,
            Way::Down => r < 0,
        };
        if away && r != 0 { q + x.signum() } else { q }
    }
}

/// The type of a rounded number. A decimal keeps as many digits as the constant says, or none.
fn rounded(types: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    let digits = match (types.len(), values.get(1).copied().flatten()) {
        (0 | 1, _) => Some(0),
        (_, Some(ScalarValue::Int64(Some(digits)))) => Some(*digits),
        _ => None,
    };
    Ok(match types.first() {
        Some(DataType::Decimal128(precision, scale)) => {
            let kept = digits.map_or(*scale, |d| i8::try_from(d.clamp(0, (*scale).into())).unwrap_or(*scale));
            // Rounding up may need one digit more.
            let cut = u8::try_from(*scale - kept).unwrap_or(0);
            let whole = if cut > 0 { precision.saturating_sub(cut) + 1 } else { *precision };
            DataType::Decimal128(whole.clamp(1, 38).max(u8::try_from(kept).unwrap_or(0)), kept)
        }
        Some(other) => other.clone(),
        None => DataType::Null,
    })
}

fn whole(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(t) if t.is_integer() => Ok(DataType::Float64),
        _ => rounded(types, &[]),
    }
}

fn round(args: &Args) -> Result<ArrayRef> {
    shorten(args, Way::HalfAway)
}

fn round_even(args: &Args) -> Result<ArrayRef> {
    shorten(args, Way::HalfEven)
}

fn trunc(args: &Args) -> Result<ArrayRef> {
    shorten(args, Way::Cut)
}

fn ceil(args: &Args) -> Result<ArrayRef> {
    shorten(args, Way::Up)
}

fn floor(args: &Args) -> Result<ArrayRef> {
    shorten(args, Way::Down)
}

fn shorten(args: &Args, way: Way) -> Result<ArrayRef> {
    match args.type_of(0) {
        DataType::Decimal128(_, scale) => decimals(args, way, *scale),
        t if t.is_integer() && args.gives.is_integer() && t != &DataType::UInt64 => integers(args, way),
        _ => floats(args, way),
    }
}

/// Ten to a power, or nothing where that is beyond 38 digits.
fn tens(power: i64) -> Option<i128> {
    u32::try_from(power).ok().and_then(|p| 10i128.checked_pow(p))
}

fn integers(args: &Args, way: Way) -> Result<ArrayRef> {
    let (x, digits) = (args.int(0)?, args.int_or(1, 0)?);
    let mut out = PrimitiveBuilder::<Int64Type>::with_capacity(args.rows);
    for row in 0..args.rows {
        let (Some(x), Some(digits)) = (x.get(row), digits.get(row)) else {
            out.append_null();
            continue;
        };
        let made = match digits {
            0.. => Some(x),
            _ => match tens(digits.saturating_neg()) {
                Some(unit) => i64::try_from(way.integer(x.into(), unit) * unit).ok(),
                None => Some(0),
            },
        };
        match made {
            Some(made) => out.append_value(made),
            None => return exec_err!("overflow in {}({x}, {digits})", args.name()),
        }
    }
    let made: ArrayRef = Arc::new(out.finish());
    let options = arrow::compute::CastOptions { safe: false, ..Default::default() };
    Ok(arrow::compute::cast_with_options(&made, args.gives, &options)?)
}

fn decimals(args: &Args, way: Way, scale: i8) -> Result<ArrayRef> {
    let x = args.any(0)?;
    let values = x.array.as_primitive::<Decimal128Type>();
    let digits = args.int_or(1, 0)?;
    let DataType::Decimal128(precision, kept) = args.gives else {
        return exec_err!("{} of a decimal gives a decimal", args.name());
    };
    let mut out = PrimitiveBuilder::<Decimal128Type>::with_capacity(args.rows);
    for row in 0..args.rows {
        let (Some(at), Some(digits)) = (x.at(row), digits.get(row)) else {
            out.append_null();
            continue;
        };
        let (x, digits) = (values.value(at), digits.min(scale.into()));
        let cut = tens(i64::from(scale).saturating_sub(digits));
        // In units of the last digit that is kept by the value, then of the type.
        let made = cut
            .map_or(Some(0), |unit| way.integer(x, unit).checked_mul(tens(i64::from(*kept).saturating_sub(digits))?));
        match made {
            Some(made) => out.append_value(made),
            None => return exec_err!("overflow in {}", args.name()),
        }
    }
    let made = out.finish().with_precision_and_scale(*precision, *kept)?;
    made.validate_decimal_precision(*precision)?;
    Ok(Arc::new(made))
}

fn floats(args: &Args, way: Way) -> Result<ArrayRef> {
    let (x, digits) = (args.float(0)?, args.int_or(1, 0)?);
    let mut out = PrimitiveBuilder::<Float64Type>::with_capacity(args.rows);
    for row in 0..args.rows {
        let value = x.get(row).zip(digits.get(row));
        out.append_option(value.map(|(x, digits)| float(x, digits, way)));
    }
    debug_assert!(Float64Type::DATA_TYPE.is_floating());
    Ok(cast(&(Arc::new(out.finish()) as ArrayRef), args.gives)?)
}

fn float(x: f64, digits: i64, way: Way) -> f64 {
    if digits == 0 {
        return way.float(x);
    }
    let unit = 10f64.powi(i32::try_from(digits.unsigned_abs()).unwrap_or(i32::MAX));
    let made = if digits > 0 { way.float(x * unit) / unit } else { way.float(x / unit) * unit };
    match made.is_finite() {
        true => made,
        // So many digits that nothing changes; so few that nothing is left.
        false => {
            if digits > 0 {
                x
            } else {
                0.0
            }
        }
    }
}

fn even(args: &Args) -> Result<ArrayRef> {
    let x = args.float(0)?;
    super::super::args::floats(args, |row| {
        let x = some!(x.get(row));
        let up = (x.abs() / 2.0).ceil() * 2.0;
        Ok(Some(up.copysign(x)))
    })
}
