//! Aggregates as expressions of frames: the functions of these tables, by name. What DataFusion has under other rules of
//! types (a median of integers is a float here) takes its place in the prelude.

use super::declared::{Row, function};
use super::{quantiles, statistics, values};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Expr, lit};

fn call(name: &'static str, row: Row, args: Vec<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(function(name, row), args, false, None, Vec::new(), None))
}

/// The value in the middle, or the average of the two there; exact. Of integers a float.
pub fn median(expr: Expr) -> Expr {
    call("median", quantiles::MEDIAN, vec![expr])
}

/// The value below which a share of the values lies (0.5 is the [`median`]), interpolated between the two nearest; exact.
pub fn quantile(expr: Expr, share: f64) -> Expr {
    call("quantile_cont", quantiles::CONTINUOUS, vec![expr, lit(share)])
}

/// As [`quantile`], but always a value that is there.
pub fn quantile_disc(expr: Expr, share: f64) -> Expr {
    call("quantile_disc", quantiles::DISCRETE, vec![expr, lit(share)])
}

/// The value that is there most often; of several, the one that comes first.
pub fn mode(expr: Expr) -> Expr {
    call("mode", values::MODE, vec![expr])
}

/// `expr` of the row where `by` is smallest.
pub fn arg_min(expr: Expr, by: Expr) -> Expr {
    call("arg_min", values::BY, vec![expr, by])
}

/// `expr` of the row where `by` is largest.
pub fn arg_max(expr: Expr, by: Expr) -> Expr {
    call("arg_max", values::BY, vec![expr, by])
}

/// The product of the values, a float.
pub fn product(expr: Expr) -> Expr {
    call("product", statistics::PRODUCTS, vec![expr])
}

/// How lopsided the values are, as of a sample.
pub fn skewness(expr: Expr) -> Expr {
    call("skewness", statistics::SHAPES, vec![expr])
}

/// How heavy the tails are, as of a sample, above those of a normal distribution.
pub fn kurtosis(expr: Expr) -> Expr {
    call("kurtosis", statistics::SHAPES, vec![expr])
}

/// The standard error of the average.
pub fn sem(expr: Expr) -> Expr {
    call("sem", statistics::SHAPES, vec![expr])
}
