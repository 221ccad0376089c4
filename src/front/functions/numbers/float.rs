//! Functions of floats: roots, logarithms, powers, trigonometry.

use super::super::args::{Args, bools, floats, some};
use super::super::row::{Gives, Row};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

/// A row of a function of one float.
macro_rules! one {
    ($name:literal, $f:expr, $doc:literal, $example:literal) => {
        Row::new($name, "float", Gives::Float, |args| map(args, $f), $doc, $example)
    };
}

pub(in super::super) const ROWS: &[Row] = &[
    one!("sqrt", f64::sqrt, "The square root; NaN of a negative number.", "sqrt(4) --> 2.0"),
    one!("cbrt", f64::cbrt, "The cube root.", "cbrt(27) --> 3.0"),
    one!("exp", f64::exp, "e to this power.", "exp(0) --> 1.0"),
    one!("ln", f64::ln, "The natural logarithm.", "ln(1) --> 0.0"),
    one!("log2", f64::log2, "The logarithm to base 2.", "log2(8) --> 3.0"),
    one!("log10", f64::log10, "The logarithm to base 10.", "log10(1000) --> 3.0"),
    Row::new(
        "log",
        "float, float?",
        Gives::Float,
        log,
        "The logarithm to base 10, or of the second to the base of the first.",
        "log(2, 8) --> 3.0",
    ),
    Row::new(
        "power",
        "float, float",
        Gives::Float,
        power,
        "The first to the power of the second.",
        "pow(2, 3) --> 8.0",
    )
    .also(&["pow"]),
    one!("sin", f64::sin, "The sine.", "sin(0) --> 0.0"),
    one!("cos", f64::cos, "The cosine.", "cos(0) --> 1.0"),
    one!("tan", f64::tan, "The tangent.", "tan(0) --> 0.0"),
    one!("cot", |x| 1.0 / x.tan(), "The cotangent.", "cot(1) --> 0.6420926159343306"),
    one!("asin", f64::asin, "The arcsine.", "asin(1) --> 1.5707963267948966"),
    one!("acos", f64::acos, "The arccosine.", "acos(1) --> 0.0"),
    one!("atan", f64::atan, "The arctangent.", "atan(0) --> 0.0"),
    Row::new(
        "atan2",
        "float, float",
        Gives::Float,
        atan2,
        "The angle of the point (second, first).",
        "atan2(0, 1) --> 0.0",
    ),
    one!("sinh", f64::sinh, "The hyperbolic sine.", "sinh(0) --> 0.0"),
    one!("cosh", f64::cosh, "The hyperbolic cosine.", "cosh(0) --> 1.0"),
    one!("tanh", f64::tanh, "The hyperbolic tangent.", "tanh(0) --> 0.0"),
    one!("asinh", f64::asinh, "The inverse hyperbolic sine.", "asinh(0) --> 0.0"),
    one!("acosh", f64::acosh, "The inverse hyperbolic cosine.", "acosh(1) --> 0.0"),
    one!("atanh", f64::atanh, "The inverse hyperbolic tangent.", "atanh(0) --> 0.0"),
    one!("degrees", f64::to_degrees, "Radians as degrees.", "degrees(0) --> 0.0"),
    one!("radians", f64::to_radians, "Degrees as radians.", "radians(180) --> 3.141592653589793"),
    one!("gamma", gamma, "The gamma function.", "gamma(5) --> 24.0"),
    one!("lgamma", lgamma, "The logarithm of the gamma function.", "lgamma(1) --> 0.0"),
    Row::new(
        "nextafter",
        "float, float",
        Gives::Float,
        next_after,
        "The next float in the direction of the second.",
        "nextafter(1, 2) --> 1.0000000000000002",
    ),
    Row::new(
        "fmod",
        "float, float",
        Gives::Float,
        fmod,
        "The remainder of a division of floats, with the sign of the divisor.",
        "fmod(7.5, 2) --> 1.5",
    ),
    Row::new(
        "fdiv",
        "float, float",
        Gives::Float,
        fdiv,
        "The whole part of a division of floats, rounded down.",
        "fdiv(7, 2) --> 3.0",
    ),
    Row::new("isnan", "float", Gives::Bool, is_nan, "Whether it is not a number.", "isnan('nan'::DOUBLE) --> true"),
    Row::new(
        "isinf",
        "float | timestamp",
        Gives::Bool,
        is_inf,
        "Whether it is infinite.",
        "isinf('inf'::DOUBLE) --> true",
    ),
    Row::new(
        "isfinite",
        "float | timestamp",
        Gives::Bool,
        is_finite,
        "Whether it is a number and not infinite.",
        "isfinite(1.5) --> true",
    ),
    Row::new("signbit", "float", Gives::Bool, sign_bit, "Whether the sign is negative.", "signbit(-1.0) --> true"),
    Row::new("pi", "", Gives::Float, pi, "π.", "pi() --> 3.141592653589793"),
];

fn map(args: &Args, f: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let x = args.float(0)?;
    floats(args, |row| Ok(Some(f(some!(x.get(row))))))
}

fn two(args: &Args, f: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (x, y) = (args.float(0)?, args.float(1)?);
    floats(args, |row| Ok(Some(f(some!(x.get(row)), some!(y.get(row))))))
}

fn log(args: &Args) -> Result<ArrayRef> {
    match args.has(1) {
        true => two(args, |base, x| {
            if base == 2.0 {
                x.log2()
            } else if base == 10.0 {
                x.log10()
            } else {
                x.ln() / base.ln()
            }
        }),
        false => map(args, f64::log10),
    }
}

fn power(args: &Args) -> Result<ArrayRef> {
    two(args, f64::powf)
}

fn atan2(args: &Args) -> Result<ArrayRef> {
    two(args, f64::atan2)
}

fn fmod(args: &Args) -> Result<ArrayRef> {
    two(args, |x, y| {
        let r = x % y;
        if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
    })
}

fn fdiv(args: &Args) -> Result<ArrayRef> {
    two(args, |x, y| (x / y).floor())
}

fn next_after(args: &Args) -> Result<ArrayRef> {
    two(args, |x, y| match x.partial_cmp(&y) {
        Some(std::cmp::Ordering::Less) => x.next_up(),
        Some(std::cmp::Ordering::Greater) => x.next_down(),
        Some(std::cmp::Ordering::Equal) => y,
        None => f64::NAN,
    })
}

/// Lanczos's approximation, with Godfrey's coefficients for g = 7.
fn log_gamma_of_positive(x: f64) -> f64 {
    const C: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + 7.5;
    let series = C.iter().zip(1u8..).fold(0.999_999_999_999_809_9, |sum, (c, i)| sum + c / (x + f64::from(i)));
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

fn lgamma(x: f64) -> f64 {
    if x == 1.0 || x == 2.0 {
        return 0.0;
    }
    if x <= 0.0 && x == x.floor() {
        return f64::INFINITY;
    }
    if x == x.floor() && x <= 171.0 {
        return gamma(x).ln();
    }
    match x < 0.5 {
        // The reflection formula.
        true => (std::f64::consts::PI / (std::f64::consts::PI * x).sin().abs()).ln() - log_gamma_of_positive(1.0 - x),
        false => log_gamma_of_positive(x),
    }
}

fn gamma(x: f64) -> f64 {
    if x == x.floor() && (1.0..=171.0).contains(&x) {
        return (1..x as u32).fold(1.0, |product, i| product * f64::from(i));
    }
    if x == 0.0 {
        return f64::INFINITY.copysign(x);
    }
    if x < 0.0 && x == x.floor() {
        return f64::NAN;
    }
    let size = lgamma(x).exp();
    let negative = x < 0.0 && (x.floor() as i64) % 2 != 0;
    if negative { -size } else { size }
}

fn test(args: &Args, f: impl Fn(f64) -> bool) -> Result<ArrayRef> {
    if !args.type_of(0).is_numeric() {
        // Dates and times are never infinite here.
        let x = args.any(0)?;
        return bools(args, |row| Ok(x.at(row).map(|_| f(0.0))));
    }
    let x = args.float(0)?;
    bools(args, |row| Ok(Some(f(some!(x.get(row))))))
}

fn is_nan(args: &Args) -> Result<ArrayRef> {
    test(args, f64::is_nan)
}

fn is_inf(args: &Args) -> Result<ArrayRef> {
    test(args, f64::is_infinite)
}

fn is_finite(args: &Args) -> Result<ArrayRef> {
    test(args, f64::is_finite)
}

fn sign_bit(args: &Args) -> Result<ArrayRef> {
    test(args, f64::is_sign_negative)
}

fn pi(args: &Args) -> Result<ArrayRef> {
    if args.len() > 0 {
        return exec_err!("pi takes no arguments");
    }
    floats(args, |_| Ok(Some(std::f64::consts::PI)))
}
