//! Types of results.

use super::*;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use std::collections::BTreeSet;

fn returns(name: &str, types: &[DataType]) -> Option<DataType> {
    let all = functions();
    let f = all.iter().find(|f| f.name() == name).unwrap();
    let field = |t: &DataType| Arc::new(arrow::datatypes::Field::new("x", t.clone(), true));
    let fields: Vec<_> = types.iter().map(field).collect();
    let fields = datafusion_expr::type_coercion::functions::fields_with_udf(&fields, f.as_ref()).ok()?;
    let types: Vec<DataType> = fields.iter().map(|f| f.data_type().clone()).collect();
    f.return_type(&types).ok()
}

fn list(of: DataType) -> DataType {
    declared::list(&of)
}

#[test]
fn every_name_is_there_once() {
    let all = functions();
    let names: BTreeSet<&str> = all.iter().map(|f| f.name()).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn results_have_the_types_that_duckdb_gives_them() {
    use DataType::*;
    let decimal = Decimal128(10, 2);
    let shares = list(Decimal128(3, 2));
    let timestamp = Timestamp(TimeUnit::Microsecond, None);
    let cases: [(&str, &[DataType], Option<DataType>); 21] = [
        ("sum", &[Boolean], Some(Int64)),
        ("sum", &[Int32], Some(Int64)),
        ("sum", &[Utf8View], None),
        ("min", &[Utf8View], Some(Utf8View)),
        ("max", &[Date32, Int64], Some(list(Date32))),
        ("arg_max", &[Utf8View, Float64], Some(Utf8View)),
        ("arg_max", &[Utf8View, Float64, Int32], Some(list(Utf8View))),
        ("arg_max", &[Utf8View], None),
        ("median", &[Int32], Some(Float64)),
        ("median", std::slice::from_ref(&decimal), Some(decimal.clone())),
        ("median", &[Date32], Some(timestamp.clone())),
        ("median", &[Utf8View], Some(Utf8View)),
        ("median", &[Interval(IntervalUnit::MonthDayNano)], None),
        ("quantile_cont", &[Int64, Decimal128(2, 1)], Some(Float64)),
        ("quantile_cont", &[Date32, shares.clone()], Some(list(timestamp))),
        ("quantile_cont", &[Utf8View, Float64], None),
        ("quantile_disc", &[Utf8View, shares], Some(list(Utf8View))),
        ("approx_quantile", &[Int32, Float64], Some(Int32)),
        ("string_agg", &[Int64], Some(Utf8View)),
        ("count_if", &[Int64], Some(Int64)),
        ("kurtosis", std::slice::from_ref(&decimal), Some(Float64)),
    ];
    for (name, types, expected) in cases {
        assert_eq!(returns(name, types), expected, "{name}({types:?})");
    }
}
