//! Quantiles. What lies between two integers is a float, between two dates a timestamp.

use super::declared::{Row, is_number, list, row};
use arrow::datatypes::{DataType, TimeUnit};

/// The functions.
pub(super) const TABLE: &[Row] = &[
    CONTINUOUS,
    DISCRETE,
    MEDIAN,
    row(&["approx_quantile"], approximate),
    Row { names: &["approx_percentile_cont"], types: approximate, within_group: true },
];

pub(super) const CONTINUOUS: Row =
    Row { names: &["quantile_cont", "percentile_cont"], types: continuous, within_group: true };
pub(super) const DISCRETE: Row =
    Row { names: &["quantile_disc", "quantile", "percentile_disc"], types: discrete, within_group: true };
pub(super) const MEDIAN: Row = row(&["median"], median);

/// The type of what lies between two values.
fn between(value: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match value {
        // A HUGEINT: what lies between two of them is no integer.
        T::Decimal128(38, 0) => T::Float64,
        T::Float32 | T::Float64 | T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) => value.clone(),
        T::Date32 | T::Date64 => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(..) | T::Time64(_) | T::Duration(_) => value.clone(),
        number if is_number(number) => T::Float64,
        _ => return None,
    })
}

/// One share, or a list of them.
fn of(value: DataType, share: &DataType) -> Option<(Vec<DataType>, DataType)> {
    match share {
        share if is_number(share) => Some((vec![value.clone(), DataType::Float64], value)),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if is_number(item.data_type()) =>
        {
            let result = list(&value);
            Some((vec![value, list(&DataType::Float64)], result))
        }
        _ => None,
    }
}

fn continuous(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let [value, share] = types else { return None };
    of(between(value)?, share)
}

fn discrete(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let [value, share] = types else { return None };
    of(value.clone(), share)
}

fn median(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let [value] = types else { return None };
    // Between two intervals there is one, which nothing computes yet.
    let value = between(value).or_else(|| (!matches!(value, DataType::Interval(_))).then(|| value.clone()))?;
    Some((vec![value.clone()], value))
}

/// Of the type of its values; how exact an approximation must be does not matter to one that is exact.
fn approximate(types: &[DataType]) -> Option<(Vec<DataType>, DataType)> {
    let (value, share, rest) = match types {
        [value, share] => (value, share, &[][..]),
        [value, share, _] => (value, share, &[DataType::Int64][..]),
        _ => return None,
    };
    let value = if value.is_null() { DataType::Float64 } else { value.clone() };
    let (mut types, result) = of(value, share).filter(|(types, _)| between(&types[0]).is_some())?;
    types.extend(rest.iter().cloned());
    Some((types, result))
}
