//! States to values.

use super::cells::{bytes, floats};
use super::input::Order;
use super::pick::Encoding;
use super::plan::Regression;
use super::state::{Kind, Part, wide};
use crate::error::{Error, Result};
use crate::ops::rows::views;
use arrow::array::{Array, ArrayData, ArrayRef, BooleanArray, Float64Array, Int64Array, UInt64Array, make_array};
use arrow::array::{Decimal256Array, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Float64Type, i256};
use std::sync::Arc;

/// How an aggregate's value is made of its parts, which are named by number.
#[derive(Clone, Debug)]
pub(super) enum Finish {
    /// Rows.
    Count(usize),
    /// A sum.
    Sum(usize),
    /// A sum divided by a count; decimals have `scale` digits after the point.
    Avg { sum: usize, count: usize, scale: i8 },
    /// The smallest or largest.
    Extreme(usize),
    /// The variance, or its root.
    Variance { moments: usize, sample: bool, root: bool },
    /// Pearson's correlation.
    Corr(usize),
    /// The covariance.
    Covariance { comoments: usize, sample: bool },
    /// Whether all are true (`any` is false), or any is.
    Bools { part: usize, any: bool },
    /// Bits.
    Bits(usize),
    /// A product.
    Product(usize),
    /// Of a sum of logarithms.
    GeometricMean { sum: usize, count: usize },
    /// The kurtosis.
    Kurtosis { moments: usize, sample: bool },
    /// The skewness.
    Skewness(usize),
    /// The standard error of the mean.
    StandardError(usize),
    /// Something of a regression of the first value of pairs on the second.
    Regression { comoments: usize, what: Regression },
    /// Of a sum of counts times their logarithms.
    Entropy { logs: usize, count: usize },
    /// The value of a pick.
    Pick { part: usize, encoding: Encoding },
}

impl Finish {
    /// The values of `rows`, which have type `output`.
    ///
    /// # Errors
    /// `Query`, for a value that does not fit its type.
    pub(super) fn values(&self, parts: &[Part], rows: &[&[u8]], output: &DataType) -> Result<ArrayRef> {
        let array: ArrayRef = match self {
            Finish::Count(part) => {
                let at = parts[*part].at;
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| i64::from_le_bytes(*bytes(r, at)))))
            }
            Finish::Sum(part) => return sums(&parts[*part], rows, output),
            Finish::Avg { sum, count, scale } => return averages(&parts[*sum], &parts[*count], *scale, rows, output),
            Finish::Extreme(part) => return extremes(&parts[*part], rows, output),
            Finish::Variance { moments, sample, root } => optional_floats(rows, |row| {
                let [count, _, m2] = floats(bytes::<24>(row, parts[*moments].at).as_chunks().0);
                let divisor = if *sample { count - 1.0 } else { count };
                let variance = (count > 0.0 && divisor > 0.0).then(|| m2 / divisor);
                if *root { variance.map(f64::sqrt) } else { variance }
            }),
            Finish::Covariance { comoments, sample } => optional_floats(rows, |row| {
                let [count, _, _, _, _, co] = floats(bytes::<48>(row, parts[*comoments].at).as_chunks().0);
                let divisor = if *sample { count - 1.0 } else { count };
                (count > 0.0 && divisor > 0.0).then(|| co / divisor)
            }),
            Finish::Corr(part) => optional_floats(rows, |row| {
                let [count, mx, my, x, y, co] = floats(bytes::<48>(row, parts[*part].at).as_chunks().0);
                if count > 0.0 && (mx.is_nan() || my.is_nan()) {
                    return Some(f64::NAN);
                }
                (count >= 2.0 && x != 0.0 && y != 0.0).then(|| co / x.sqrt() / y.sqrt())
            }),
            Finish::Bools { part, any } => {
                let flag = parts[*part].flag;
                Arc::new(BooleanArray::from_iter(rows.iter().map(|row| match (row[flag], any) {
                    (0, _) => None,
                    (seen, true) => Some(seen & 2 != 0),
                    (seen, false) => Some(seen & 1 == 0),
                })))
            }
            Finish::Product(part) => optional_floats(rows, |row| {
                let part = &parts[*part];
                (row[part.flag] == 1).then(|| f64::from_le_bytes(*bytes(row, part.at)))
            }),
            Finish::GeometricMean { sum, count } => optional_floats(rows, |row| {
                let count = u64::from_le_bytes(*bytes(row, parts[*count].at));
                (count > 0).then(|| (compensated(&parts[*sum], row) / count as f64).exp())
            }),
            Finish::Kurtosis { moments, sample } => optional_floats(rows, |row| {
                kurtosis(floats(bytes::<40>(row, parts[*moments].at).as_chunks().0), *sample)
            }),
            Finish::Skewness(part) => {
                optional_floats(rows, |row| skewness(floats(bytes::<40>(row, parts[*part].at).as_chunks().0)))
            }
            Finish::StandardError(part) => optional_floats(rows, |row| {
                let [count, _, m2] = floats(bytes::<24>(row, parts[*part].at).as_chunks().0);
                (count > 0.0).then(|| (m2 / count).sqrt() / count.sqrt())
            }),
            Finish::Regression { comoments, what } => optional_floats(rows, |row| {
                regression(*what, floats(bytes::<48>(row, parts[*comoments].at).as_chunks().0))
            }),
            Finish::Entropy { logs, count } => optional_floats(rows, |row| {
                let total = (i128::from_le_bytes(*bytes(row, parts[*count].at)) >> 1) as f64;
                Some(if total > 0.0 { (total.log2() - compensated(&parts[*logs], row) / total).max(0.0) } else { 0.0 })
            }),
            Finish::Pick { part, encoding } => {
                let states: Vec<_> = rows.iter().map(|row| super::text::value(row, parts[*part].at)).collect();
                encoding.values(&states)?
            }
            Finish::Bits(part) => {
                let part = &parts[*part];
                return fixed(output, rows, part.flag, |row| *bytes::<8>(row, part.at));
            }
        };
        if array.data_type() == output { Ok(array) } else { exact_cast(&array, output) }
    }
}

/// The value of a sum of floats.
fn compensated(part: &Part, row: &[u8]) -> f64 {
    let [high, low] = floats(bytes::<16>(row, part.at).as_chunks().0);
    high + low
}

/// As DuckDB has it: of a sample from four values on, of a population from two; not of equal values.
fn kurtosis([n, _, m2, _, m4]: [f64; 5], sample: bool) -> Option<f64> {
    if n < if sample { 4.0 } else { 2.0 } || m2 == 0.0 {
        return None;
    }
    let ratio = m4 / n / (m2 / n).powi(2);
    match sample {
        true => Some((n - 1.0) * ((n + 1.0) * ratio - 3.0 * (n - 1.0)) / ((n - 2.0) * (n - 3.0))),
        false => Some(ratio - 3.0),
    }
}

/// Of a sample, from three values on; not of equal values.
fn skewness([n, _, m2, m3, _]: [f64; 5]) -> Option<f64> {
    if n < 3.0 || m2 == 0.0 {
        return None;
    }
    Some((n * (n - 1.0)).sqrt() / (n - 2.0) * (m3 / n) / (m2 / n).powf(1.5))
}

fn regression(what: Regression, [n, y, x, yy, xx, xy]: [f64; 6]) -> Option<f64> {
    let any = n > 0.0;
    let line = any && xx != 0.0;
    match what {
        Regression::Count => Some(n),
        Regression::AvgY => any.then_some(y),
        Regression::AvgX => any.then_some(x),
        Regression::Syy => any.then_some(yy),
        Regression::Sxx => any.then_some(xx),
        Regression::Sxy => any.then_some(xy),
        Regression::Slope => line.then(|| xy / xx),
        Regression::Intercept => line.then(|| y - xy / xx * x),
        Regression::R2 => line.then(|| if yy == 0.0 { 1.0 } else { xy * xy / (xx * yy) }),
    }
}

fn exact_cast(array: &ArrayRef, output: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, output, &CastOptions { safe: false, ..Default::default() })?)
}

fn optional_floats(rows: &[&[u8]], f: impl Fn(&[u8]) -> Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(rows.iter().map(|row| f(row))))
}

fn overflow(output: &DataType) -> Error {
    Error::query(format!("arithmetic overflow: a sum does not fit {output}"))
        .advise("cast the argument to a decimal or a float")
}

/// The exact sum of a row, `None` if there was no value.
fn exact(part: &Part, row: &[u8]) -> Option<i256> {
    match part.kind {
        Kind::SumInt => {
            let state = i128::from_le_bytes(*bytes(row, part.at));
            (state & 1 == 1).then(|| i256::from_i128(state >> 1))
        }
        Kind::SumWide => {
            let (low, high) = wide(bytes(row, part.at));
            (high & 1 == 1).then(|| i256::from_parts(low, i128::from(high >> 1)))
        }
        _ => (row[part.flag] == 1).then(|| i256::from_le_bytes(*bytes(row, part.at))),
    }
}

fn sums(part: &Part, rows: &[&[u8]], output: &DataType) -> Result<ArrayRef> {
    if part.kind == Kind::SumFloat {
        let values = optional_floats(rows, |row| {
            let [high, low] = floats(bytes::<16>(row, part.at).as_chunks().0);
            (row[part.flag] == 1).then_some(high + low)
        });
        return if output == &DataType::Float64 { Ok(values) } else { Ok(cast(&values, output)?) };
    }
    if part.kind == Kind::SumInt && !output.is_decimal() && *output != DataType::Float64 {
        return int_sums(part.at, rows, output);
    }
    exacts(rows.iter().map(|row| Ok(exact(part, row))), output)
}

fn int_sums(at: usize, rows: &[&[u8]], output: &DataType) -> Result<ArrayRef> {
    let sums = rows.iter().map(|row| i128::from_le_bytes(*bytes(row, at))).map(|s| (s & 1 == 1).then_some(s >> 1));
    let fit = |fits: bool| if fits { Ok(()) } else { Err(overflow(output)) };
    let mut fits = true;
    let array: ArrayRef = if *output == DataType::UInt64 {
        Arc::new(UInt64Array::from_iter(sums.map(|s| {
            s.map(|s| {
                u64::try_from(s).unwrap_or_else(|_| {
                    fits = false;
                    0
                })
            })
        })))
    } else {
        Arc::new(Int64Array::from_iter(sums.map(|s| {
            s.map(|s| {
                i64::try_from(s).unwrap_or_else(|_| {
                    fits = false;
                    0
                })
            })
        })))
    };
    fit(fits)?;
    if array.data_type() == output { Ok(array) } else { exact_cast(&array, output) }
}

/// Exact values as `output`: a decimal, an integer or a float.
fn exacts(values: impl Iterator<Item = Result<Option<i256>>>, output: &DataType) -> Result<ArrayRef> {
    let values = values.collect::<Result<Vec<_>>>()?;
    match output {
        DataType::Decimal128(precision, scale) => {
            let narrow = values.iter().map(|v| v.map(|v| v.to_i128().ok_or_else(|| overflow(output))).transpose());
            decimals::<Decimal128Type>(narrow.collect::<Result<_>>()?, *precision, *scale, output)
        }
        DataType::Decimal256(precision, scale) => decimals::<Decimal256Type>(values, *precision, *scale, output),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            let array = Decimal256Array::from_iter(values).with_precision_and_scale(76, *scale)?;
            exact_cast(&(Arc::new(array) as ArrayRef), output).map_err(|_| overflow(output))
        }
        DataType::Float64 => {
            let float = |v: i256| v.to_i128().map_or(f64::NAN, |v| v as f64);
            Ok(Arc::new(PrimitiveArray::<Float64Type>::from_iter(values.into_iter().map(|v| v.map(float)))))
        }
        _ => {
            let narrow = |v: i256| v.to_i128().and_then(|v| i64::try_from(v).ok()).ok_or_else(|| overflow(output));
            let values = values.into_iter().map(|v| v.map(narrow).transpose()).collect::<Result<Vec<_>>>()?;
            let array: ArrayRef = Arc::new(Int64Array::from(values));
            exact_cast(&array, output)
        }
    }
}

fn decimals<T>(values: Vec<Option<T::Native>>, precision: u8, scale: i8, output: &DataType) -> Result<ArrayRef>
where
    T: arrow::datatypes::DecimalType + ArrowPrimitiveType,
    PrimitiveArray<T>: From<Vec<Option<T::Native>>>,
{
    let array = PrimitiveArray::<T>::from(values).with_precision_and_scale(precision, scale)?;
    array.validate_decimal_precision(precision).map_err(|_| overflow(output))?;
    Ok(Arc::new(array))
}

/// Decimals are cut off towards zero, as DataFusion does.
fn averages(sum: &Part, count: &Part, scale: i8, rows: &[&[u8]], output: &DataType) -> Result<ArrayRef> {
    let count = |row: &[u8]| u64::from_le_bytes(*bytes(row, count.at));
    match (sum.kind, output) {
        (Kind::SumFloat, _) => {
            let values = optional_floats(rows, |row| {
                let [high, low] = floats(bytes::<16>(row, sum.at).as_chunks().0);
                (count(row) > 0).then(|| (high + low) / count(row) as f64)
            });
            if output == &DataType::Float64 { Ok(values) } else { Ok(cast(&values, output)?) }
        }
        (Kind::SumInt, DataType::Float64) => Ok(optional_floats(rows, |row| {
            let sum = i128::from_le_bytes(*bytes(row, sum.at)) >> 1;
            (count(row) > 0).then(|| sum as f64 / count(row) as f64)
        })),
        _ => {
            let to = match output {
                DataType::Decimal32(_, s) | DataType::Decimal64(_, s) => *s,
                DataType::Decimal128(_, s) | DataType::Decimal256(_, s) => *s,
                _ => scale,
            };
            let digits = u32::try_from(i32::from(to) - i32::from(scale))
                .map_err(|_| Error::internal("an average has fewer digits than its argument"))?;
            let factor = i256::from_i128(10).checked_pow(digits).ok_or_else(|| overflow(output))?;
            let values = rows.iter().map(|row| {
                let Some(sum) = exact(sum, row) else { return Ok(None) };
                let scaled = sum.checked_mul(factor).ok_or_else(|| overflow(output))?;
                Ok(scaled.checked_div(i256::from_i128(i128::from(count(row)))))
            });
            exacts(values, output)
        }
    }
}

fn extremes(part: &Part, rows: &[&[u8]], output: &DataType) -> Result<ArrayRef> {
    let (at, flag) = (part.at, part.flag);
    match part.kind {
        Kind::Text { .. } => texts(at, rows, output),
        Kind::Extreme { order: Order::Bool, .. } => {
            Ok(Arc::new(BooleanArray::from_iter(rows.iter().map(|row| (row[flag] == 1).then(|| row[at] == 1)))))
        }
        Kind::Extreme { order, .. } => match order.word_bytes() {
            8 => fixed(output, rows, flag, |row| order.value(u64::from_le_bytes(*bytes(row, at))).to_le_bytes()),
            16 => fixed(output, rows, flag, |row| order.wide_value(u128::from_le_bytes(*bytes(row, at))).to_le_bytes()),
            _ => fixed(output, rows, flag, |row| *bytes::<32>(row, at)),
        },
        _ => Err(Error::internal("min and max have no such state")),
    }
}

/// Values of a fixed-width type whose bytes are the first ones of what `value` says; null where the flag is 0.
fn fixed<const N: usize>(
    output: &DataType,
    rows: &[&[u8]],
    flag: usize,
    value: impl Fn(&[u8]) -> [u8; N],
) -> Result<ArrayRef> {
    let width = output.primitive_width().ok_or_else(|| Error::internal(format!("{output} has no fixed width")))?;
    let mut values = arrow::buffer::MutableBuffer::from_len_zeroed(rows.len() * width);
    for (to, row) in values.as_slice_mut().chunks_exact_mut(width).zip(rows) {
        if row[flag] == 1 {
            to.copy_from_slice(&value(row)[..width]);
        }
    }
    let nulls = seen(rows, |row| row[flag] == 1);
    let data = ArrayData::builder(output.clone()).len(rows.len()).add_buffer(Buffer::from(values)).nulls(nulls);
    Ok(make_array(data.build()?))
}

fn seen(rows: &[&[u8]], f: impl Fn(&[u8]) -> bool) -> Option<NullBuffer> {
    let valid = BooleanBuffer::collect_bool(rows.len(), |i| f(rows[i]));
    Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0)
}

fn texts(at: usize, rows: &[&[u8]], output: &DataType) -> Result<ArrayRef> {
    let text = !matches!(output, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    let array = views(
        rows.iter().map(|row| super::text::value(row, at).unwrap_or_default()),
        seen(rows, |row| super::text::value(row, at).is_some()),
        text,
    )?;
    if array.data_type() == output { Ok(array) } else { Ok(cast(&array, output)?) }
}
