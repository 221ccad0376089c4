//! Lists of floats as vectors.

use super::super::args::{Args, floats, some};
use super::super::row::{Gives, Row};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "list_distance",
        "floats, floats",
        Gives::Float,
        distance,
        "The Euclidean distance.",
        "list_distance([1.0, 2], [4, 6]) --> 5.0",
    )
    .also(&["array_distance", "<->"]),
    Row::new(
        "list_inner_product",
        "floats, floats",
        Gives::Float,
        inner,
        "The inner product.",
        "list_inner_product([1.0, 2], [2, 4]) --> 10.0",
    )
    .also(&["list_dot_product", "array_inner_product", "array_dot_product", "inner_product", "dot_product"]),
    Row::new(
        "list_negative_inner_product",
        "floats, floats",
        Gives::Float,
        negative_inner,
        "The inner product, negated.",
        "list_negative_inner_product([1.0], [2]) --> -2.0",
    )
    .also(&["list_negative_dot_product", "array_negative_inner_product", "array_negative_dot_product"]),
    Row::new(
        "list_cosine_similarity",
        "floats, floats",
        Gives::Float,
        cosine,
        "The cosine of the angle between them.",
        "list_cosine_similarity([1.0, 0], [1, 0]) --> 1.0",
    )
    .also(&["array_cosine_similarity"]),
    Row::new(
        "list_cosine_distance",
        "floats, floats",
        Gives::Float,
        cosine_distance,
        "One less the cosine of the angle between them.",
        "list_cosine_distance([1.0, 0], [0, 1]) --> 1.0",
    )
    .also(&["array_cosine_distance", "cosine_distance"]),
];

fn pairs(args: &Args, f: impl Fn(&[(f64, f64)]) -> f64) -> Result<ArrayRef> {
    let (left, right) = (args.list(0)?, args.list(1)?);
    let numbers = |list: &ArrayRef| cast(list, &DataType::Float64);
    let (a, b) = (numbers(left.array.values())?, numbers(right.array.values())?);
    let (a, b) = (a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>());
    let mut pairs = Vec::new();
    floats(args, |row| {
        let (x, y) = (some!(left.span(row)), some!(right.span(row)));
        if x.len() != y.len() {
            return exec_err!("{} wants lists of one length, not {} and {}", args.name(), x.len(), y.len());
        }
        pairs.clear();
        for (i, j) in x.zip(y) {
            if a.is_null(i) || b.is_null(j) {
                return exec_err!("{} takes no null elements", args.name());
            }
            pairs.push((a.value(i), b.value(j)));
        }
        // Of nothing there is no angle.
        Ok((!pairs.is_empty() || !args.name().contains("cosine")).then(|| f(&pairs)))
    })
}

fn dot(pairs: &[(f64, f64)]) -> f64 {
    pairs.iter().map(|(x, y)| x * y).sum()
}

fn distance(args: &Args) -> Result<ArrayRef> {
    pairs(args, |p| p.iter().map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt())
}

fn inner(args: &Args) -> Result<ArrayRef> {
    pairs(args, dot)
}

fn negative_inner(args: &Args) -> Result<ArrayRef> {
    pairs(args, |p| -dot(p))
}

fn similarity(pairs: &[(f64, f64)]) -> f64 {
    let square = |f: fn(&(f64, f64)) -> f64| pairs.iter().map(|p| f(p) * f(p)).sum::<f64>();
    (dot(pairs) / (square(|p| p.0) * square(|p| p.1)).sqrt()).clamp(-1.0, 1.0)
}

fn cosine(args: &Args) -> Result<ArrayRef> {
    pairs(args, similarity)
}

fn cosine_distance(args: &Args) -> Result<ArrayRef> {
    pairs(args, |p| 1.0 - similarity(p))
}
