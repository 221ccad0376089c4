//! Aggregates over the elements of one list: `list_sum(l)`, `list_aggregate(l, 'sum')`. Nulls do not count.

use super::super::args::{Args, Column, bools, floats, ints, primitives, some, texts};
use super::super::row::{Gives, Row, element};
use super::{Keys, pick_one};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use std::collections::HashMap;
use std::ops::Range;

/// A row for each aggregate that has a name of its own.
macro_rules! rows {
    ($($name:literal, $doc:literal, $example:literal;)*) => {
        pub(in super::super) const ROWS: &[Row] = &[
            Row::new("list_aggregate", "list, text, any..", Gives::ByValues(named_type), named, "What an aggregate makes of the elements.", "list_aggregate([1, 2], 'sum') --> 3").also(&["list_aggr", "array_aggregate", "array_aggr", "aggregate"]),
            $(Row::new(concat!("list_", $name), "list, text?", Gives::ByValues(own_type::<{ index($name) }>), run, $doc, $example).also(&[concat!("array_", $name)]),)*
        ];
    };
}

/// The names, so that a row can say its own in a type.
const NAMES: [&str; 26] = [
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "product",
    "median",
    "mode",
    "first",
    "last",
    "any_value",
    "string_agg",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
    "bit_xor",
    "stddev_pop",
    "stddev_samp",
    "stddev",
    "var_pop",
    "var_samp",
    "variance",
    "sem",
    "entropy",
    "approx_count_distinct",
];

const fn index(name: &str) -> usize {
    let mut at = 0;
    while at < NAMES.len() {
        if same(NAMES[at].as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("an aggregate of lists that NAMES does not know")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

rows! {
    "sum", "The sum.", "list_sum([1, 2, NULL]) --> 3";
    "avg", "The average.", "list_avg([1, 2]) --> 1.5";
    "min", "The smallest element.", "list_min([3, 1]) --> 1";
    "max", "The largest element.", "list_max(['a', 'b']) --> b";
    "count", "The number of elements that are not null.", "list_count([1, NULL]) --> 1";
    "product", "The product.", "list_product([2, 3]) --> 6.0";
    "median", "The middle element, or the average of the two.", "list_median([1, 2, 4]) --> 2.0";
    "mode", "The most frequent element.", "list_mode([1, 1, 2]) --> 1";
    "first", "The first element.", "list_first([1, 2]) --> 1";
    "last", "The last element.", "list_last([1, 2]) --> 2";
    "any_value", "The first element that is not null.", "list_any_value([NULL, 2]) --> 2";
    "string_agg", "The elements in one text, with a separator (a comma) between.", "list_string_agg(['a', 'b'], '-') --> a-b";
    "bool_and", "Whether all elements are true.", "list_bool_and([true, false]) --> false";
    "bool_or", "Whether one element is true.", "list_bool_or([true, false]) --> true";
    "bit_and", "The bits that all elements have.", "list_bit_and([3, 6]) --> 2";
    "bit_or", "The bits that one element has.", "list_bit_or([1, 2]) --> 3";
    "bit_xor", "The bits that an odd number of elements has.", "list_bit_xor([3, 6]) --> 5";
    "stddev_pop", "The standard deviation of a population.", "list_stddev_pop([1, 2]) --> 0.5";
    "stddev_samp", "The standard deviation of a sample.", "list_stddev_samp([1, 3]) --> 1.4142135623730951";
    "stddev", "The standard deviation of a sample.", "list_stddev([1, 3]) --> 1.4142135623730951";
    "var_pop", "The variance of a population.", "list_var_pop([1, 2]) --> 0.25";
    "var_samp", "The variance of a sample.", "list_var_samp([1, 3]) --> 2.0";
    "variance", "The variance of a sample.", "list_variance([1, 3]) --> 2.0";
    "sem", "The standard error of the mean.", "list_sem([1, 2]) --> 0.35355339059327373";
    "entropy", "The entropy in bits.", "list_entropy([1, 2]) --> 1.0";
    "approx_count_distinct", "The number of different elements (here exact).", "list_approx_count_distinct([1, 1]) --> 1";
}

fn own_type<const AT: usize>(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    result_type(NAMES.get(AT).copied().unwrap_or_default(), types)
}

fn named_type(types: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    match values.get(1).copied().flatten().and_then(|v| v.try_as_str().flatten()) {
        Some(name) => result_type(&name.to_lowercase(), types),
        None => plan_err!("the name of the aggregate must be a constant"),
    }
}

/// Names that mean another.
fn normal(name: &str) -> &str {
    match name {
        "mean" => "avg",
        "arbitrary" => "first",
        "group_concat" | "listagg" => "string_agg",
        "stddev" => "stddev_samp",
        "variance" => "var_samp",
        other => other,
    }
}

fn result_type(name: &str, types: &[DataType]) -> Result<DataType> {
    let item = types.first().and_then(element).unwrap_or(&DataType::Null);
    let numbers = item.is_numeric() || matches!(item, DataType::Null);
    Ok(match normal(name) {
        "min" | "max" | "mode" | "first" | "last" | "any_value" => item.clone(),
        "count" | "approx_count_distinct" => DataType::Int64,
        "entropy" => DataType::Float64,
        "string_agg" => DataType::Utf8View,
        "bool_and" | "bool_or" if matches!(item, DataType::Boolean | DataType::Null) => DataType::Boolean,
        "bit_and" | "bit_or" | "bit_xor" if item.is_integer() => item.clone(),
        "sum" if numbers && !item.is_floating() => match item {
            DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
            _ => DataType::Decimal128(38, 0),
        },
        "sum" | "avg" | "product" | "median" | "stddev_pop" | "stddev_samp" | "var_pop" | "var_samp" | "sem"
            if numbers =>
        {
            DataType::Float64
        }
        name if NAMES.contains(&name) => {
            return plan_err!("{name} does not take a list of {}", crate::front::types::name(item));
        }
        other => return plan_err!("no aggregate {other:?} of lists: {}", NAMES.join(", ")),
    })
}

fn run(args: &Args) -> Result<ArrayRef> {
    let name = args.name().trim_start_matches("list_");
    compute(args, normal(name), 1)
}

fn named(args: &Args) -> Result<ArrayRef> {
    let name = args.text(1)?;
    match name.get(0) {
        Some(name) => compute(args, normal(&name.to_lowercase()), 2),
        None => exec_err!("the name of the aggregate is null"),
    }
}

fn compute(args: &Args, name: &str, separator: usize) -> Result<ArrayRef> {
    let list = args.list(0)?;
    let valid = list.array.values().logical_nulls();
    let is_valid = |i: &usize| valid.as_ref().is_none_or(|n| n.is_valid(*i));
    match name {
        "first" => pick_one(args, &list, |row| Ok(some!(list.span(row)).next())),
        "last" => pick_one(args, &list, |row| Ok(some!(list.span(row)).next_back())),
        "any_value" => pick_one(args, &list, |row| Ok(some!(list.span(row)).find(is_valid))),
        "min" | "max" | "mode" => by_key(args, &list, name),
        "count" => ints(args, |row| Ok(Some(some!(list.span(row)).filter(is_valid).count() as i64))),
        "approx_count_distinct" => {
            let keys = Keys::new(&[list.array.values()])?;
            ints(args, |row| Ok(Some(frequencies(&keys, some!(list.span(row))).len() as i64)))
        }
        "entropy" => {
            let keys = Keys::new(&[list.array.values()])?;
            floats(args, |row| Ok(Some(entropy(&frequencies(&keys, some!(list.span(row)))))))
        }
        "string_agg" => {
            let (values, separator) =
                (super::super::cast::texts_in(list.array.values())?, args.text_or(separator, ",")?);
            texts(args, |row| {
                let found: Vec<&str> = some!(list.span(row)).filter_map(|i| values.get(i)).collect();
                let separator = some!(separator.get(row));
                Ok((!found.is_empty()).then(|| found.join(separator)))
            })
        }
        "bool_and" | "bool_or" => truths(args, &list, name == "bool_and"),
        "bit_and" | "bit_or" | "bit_xor" => integers(args, &list, name),
        "sum" if !matches!(args.gives, DataType::Float64) => exact_sum(args, &list),
        _ => {
            let values = cast(list.array.values(), &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            floats(args, |row| Ok(statistic(name, &numbers(values, some!(list.span(row))))))
        }
    }
}

fn by_key(args: &Args, list: &Column<ListArray>, name: &str) -> Result<ArrayRef> {
    let keys = Keys::new(&[list.array.values()])?;
    pick_one(args, list, |row| {
        let mut span = some!(list.span(row)).filter(|i| keys.get(*i).is_some());
        Ok(match name {
            // The first of equal ones, in all three.
            "min" => span.min_by(|a, b| keys.any(*a).cmp(&keys.any(*b))),
            "max" => span.rev().max_by(|a, b| keys.any(*a).cmp(&keys.any(*b))),
            _ => {
                let counts = frequencies(&keys, some!(list.span(row)));
                let most = counts.values().max().copied();
                span.find(|i| counts.get(&keys.any(*i)).copied() == most)
            }
        })
    })
}

fn frequencies(keys: &Keys, span: Range<usize>) -> HashMap<arrow_row::Row<'_>, usize> {
    let mut counts = HashMap::new();
    span.filter_map(|i| keys.get(i)).for_each(|k| *counts.entry(k).or_insert(0) += 1);
    counts
}

fn entropy(counts: &HashMap<arrow_row::Row<'_>, usize>) -> f64 {
    let total: usize = counts.values().sum();
    let share = |n: usize| n as f64 / total as f64;
    let mut counts: Vec<usize> = counts.values().copied().collect();
    counts.sort_unstable();
    counts.into_iter().map(|n| -share(n) * share(n).log2()).sum::<f64>() + 0.0
}

fn truths(args: &Args, list: &Column<ListArray>, all: bool) -> Result<ArrayRef> {
    let values = cast(list.array.values(), &DataType::Boolean)?;
    let values = values.as_boolean();
    bools(args, |row| {
        let mut found = some!(list.span(row)).filter(|i| values.is_valid(*i)).map(|i| values.value(i)).peekable();
        some!(found.peek());
        Ok(Some(if all { found.all(|v| v) } else { found.any(|v| v) }))
    })
}

fn integers(args: &Args, list: &Column<ListArray>, name: &str) -> Result<ArrayRef> {
    let values = cast(list.array.values(), &DataType::Int64)?;
    let values = values.as_primitive::<Int64Type>();
    let mut made = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let found = list.span(row).into_iter().flatten().filter(|i| values.is_valid(*i)).map(|i| values.value(i));
        made.push(found.reduce(|a, b| match name {
            "bit_and" => a & b,
            "bit_or" => a | b,
            _ => a ^ b,
        }));
    }
    Ok(cast(&(std::sync::Arc::new(PrimitiveArray::<Int64Type>::from(made)) as ArrayRef), args.gives)?)
}

fn exact_sum(args: &Args, list: &Column<ListArray>) -> Result<ArrayRef> {
    let values = cast(list.array.values(), args.gives)?;
    let values = values.as_primitive::<Decimal128Type>();
    primitives::<Decimal128Type>(args, |row| {
        let mut sum: Option<i128> = None;
        for i in some!(list.span(row)).filter(|i| values.is_valid(*i)) {
            sum = match sum.unwrap_or(0).checked_add(values.value(i)) {
                Some(sum) => Some(sum),
                None => return exec_err!("overflow in list_sum"),
            };
        }
        Ok(sum)
    })
}

fn numbers(values: &Float64Array, span: Range<usize>) -> Vec<f64> {
    span.filter(|i| values.is_valid(*i)).map(|i| values.value(i)).collect()
}

fn statistic(name: &str, values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares = || values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    let sample = || (values.len() > 1).then(|| squares() / (n - 1.0));
    match name {
        "sum" => Some(values.iter().sum()),
        "avg" => Some(mean),
        "product" => Some(values.iter().product()),
        "median" => Some(median(values.to_vec())),
        "var_pop" => Some(squares() / n),
        "stddev_pop" => Some((squares() / n).sqrt()),
        "var_samp" => sample(),
        "stddev_samp" => sample().map(f64::sqrt),
        "sem" => Some((squares() / n).sqrt() / n.sqrt()),
        _ => None,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { middle(half) } else { (middle(half.saturating_sub(1)) + middle(half)) / 2.0 }
}
