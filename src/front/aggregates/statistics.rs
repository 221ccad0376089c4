//! Functions of numbers, and counts.

use super::declared::{Row, is_number, row};
use arrow::datatypes::DataType;

/// The functions.
pub(super) const TABLE: &[Row] = &[
    PRODUCTS,
    SHAPES,
    row(&["fsum", "kahan_sum", "sumkahan", "favg"], float),
    row(&["entropy"], entropy),
    row(&["count_if", "countif"], count_if),
    row(&["approx_count_distinct", "approx_distinct"], count),
];

pub(super) const PRODUCTS: Row = row(&["product", "geomean", "geometric_mean"], float);
pub(super) const SHAPES: Row = row(&["kurtosis", "kurtosis_pop", "skewness", "sem", "mad"], float);

fn float(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    match types {
        [value] if is_number(value) => Some((vec![DataType::Float64], DataType::Float64)),
        _ => None,
    }
}

fn entropy(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    (types.len() == 1).then(|| (types.to_vec(), DataType::Float64))
}

fn count_if(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    match types {
        [value] if *value == DataType::Boolean || is_number(value) => Some((vec![DataType::Boolean], DataType::Int64)),
        _ => None,
    }
}

fn count(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    (types.len() == 1).then(|| (types.to_vec(), DataType::Int64))
}
