//! Exact functions of integers, which fail where they would wrap.

use super::super::args::{Args, ints, primitives, some};
use super::super::row::{Gives, Row};
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Decimal128Type, Int8Type};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new("abs", "number", Gives::Same(0), abs, "The number without its sign.", "abs(-5) --> 5"),
    Row::new("sign", "number", Gives::By(tiny), sign, "-1, 0 or 1.", "sign(-5) --> -1").also(&["signum"]),
    Row::new("gcd", "int, int", Gives::Int, gcd, "The greatest common divisor.", "gcd(12, 18) --> 6")
        .also(&["greatest_common_divisor"]),
    Row::new("lcm", "int, int", Gives::Int, lcm, "The least common multiple.", "lcm(4, 6) --> 12")
        .also(&["least_common_multiple"]),
    Row::new(
        "factorial",
        "int",
        Gives::Huge,
        factorial,
        "The product of the numbers up to this one.",
        "factorial(5) --> 120",
    ),
    Row::new(
        "mod",
        "number, like",
        Gives::Same(0),
        modulo,
        "The remainder of a division, with the sign of the dividend.",
        "mod(7, 3) --> 1",
    ),
    Row::new("add", "number, like", Gives::Same(0), add, "The sum.", "add(1, 2) --> 3"),
    Row::new("subtract", "number, like", Gives::Same(0), subtract, "The difference.", "subtract(5, 3) --> 2"),
    Row::new("multiply", "number, like", Gives::Same(0), multiply, "The product.", "multiply(2, 3) --> 6"),
    Row::new("divide", "number, like", Gives::Same(0), divide, "The whole part of a quotient.", "divide(7, 2) --> 3"),
];

fn tiny(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Int8)
}

fn abs(args: &Args) -> Result<ArrayRef> {
    let x = args.full(0)?;
    if x.data_type().is_unsigned_integer() {
        return Ok(x);
    }
    let negated = match numeric::neg(&x) {
        Ok(negated) => negated,
        Err(_) => return exec_err!("overflow in abs: the smallest number has no positive one"),
    };
    let zero = arrow::compute::cast(&arrow::array::Int8Array::from(vec![0]), x.data_type())?;
    let negative = arrow::compute::kernels::cmp::lt(&x, &arrow::array::Scalar::new(zero))?;
    let made = arrow::compute::kernels::zip::zip(&negative, &negated, &x)?;
    match args.gives {
        // -0.0 is not less than 0.
        DataType::Float64 => {
            let floats = made.as_primitive::<arrow::datatypes::Float64Type>();
            Ok(std::sync::Arc::new(floats.unary::<_, arrow::datatypes::Float64Type>(f64::abs)))
        }
        _ => Ok(made),
    }
}

fn sign(args: &Args) -> Result<ArrayRef> {
    let x = args.float(0)?;
    primitives::<Int8Type>(args, |row| {
        let x = some!(x.get(row));
        Ok(Some(if x > 0.0 { 1 } else { -i8::from(x < 0.0) }))
    })
}

fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}

fn gcd(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.int(0)?, args.int(1)?);
    ints(args, |row| {
        let (a, b) = (some!(a.get(row)), some!(b.get(row)));
        match i64::try_from(common(a.unsigned_abs(), b.unsigned_abs())) {
            Ok(found) => Ok(Some(found)),
            Err(_) => exec_err!("overflow in gcd({a}, {b})"),
        }
    })
}

fn lcm(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.int(0)?, args.int(1)?);
    ints(args, |row| {
        let (a, b) = (some!(a.get(row)), some!(b.get(row)));
        if a == 0 || b == 0 {
            return Ok(Some(0));
        }
        let part = a.unsigned_abs() / common(a.unsigned_abs(), b.unsigned_abs());
        match part.checked_mul(b.unsigned_abs()).and_then(|m| i64::try_from(m).ok()) {
            Some(found) => Ok(Some(found)),
            None => exec_err!("overflow in lcm({a}, {b})"),
        }
    })
}

fn factorial(args: &Args) -> Result<ArrayRef> {
    let n = args.int(0)?;
    primitives::<Decimal128Type>(args, |row| {
        let n = some!(n.get(row));
        if n < 0 {
            return exec_err!("the factorial of a negative number is not defined");
        }
        let product = (1..=i128::from(n).min(100)).try_fold(1i128, i128::checked_mul);
        match product.filter(|p| *p < 10i128.pow(38) && n <= 100) {
            Some(product) => Ok(Some(product)),
            None => exec_err!("overflow in factorial({n})"),
        }
    })
}

type Kernel = fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> Result<ArrayRef, arrow::error::ArrowError>;

fn kernel(args: &Args, f: Kernel) -> Result<ArrayRef> {
    let made = f(&args.full(0)?, &args.full(1)?)?;
    Ok(if made.data_type() == args.gives { made } else { arrow::compute::cast(&made, args.gives)? })
}

fn modulo(args: &Args) -> Result<ArrayRef> {
    kernel(args, numeric::rem)
}

fn add(args: &Args) -> Result<ArrayRef> {
    kernel(args, numeric::add)
}

fn subtract(args: &Args) -> Result<ArrayRef> {
    kernel(args, numeric::sub)
}

fn multiply(args: &Args) -> Result<ArrayRef> {
    kernel(args, numeric::mul)
}

fn divide(args: &Args) -> Result<ArrayRef> {
    kernel(args, numeric::div)
}
