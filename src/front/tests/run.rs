//! Values: constants folded by the rules, expressions evaluated, against what SQL says.

use super::front;
use crate::cells::Column;
use crate::error::Result;
use crate::front::{Bound, Front};
use crate::ops::expr::{Compiled, Scope};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion_common::DFSchema;
use datafusion_expr::LogicalPlan;
use std::sync::Arc;

/// The only row of a SELECT without FROM, as text.
fn value(sql: &str) -> Result<String> {
    value_in(&front(), sql)
}

/// As `value`, in a session.
pub(in crate::front) fn value_in(front: &Front, sql: &str) -> Result<String> {
    let statement = front.parse(sql)?.remove(0);
    let Bound::Query(planned) = front.bind(&statement)? else { panic!("{sql} is no query") };
    let rows = run(&planned.optimized, &Scope::new(front.options(), Vec::new()))?;
    let text = |a: &ArrayRef| {
        let cells = Column::new(a)?;
        let mut out = Vec::new();
        cells.text(0, &mut out);
        Ok(if cells.is_null(0) { "null".to_string() } else { String::from_utf8_lossy(&out).into_owned() })
    };
    Ok(rows.columns().iter().map(text).collect::<Result<Vec<_>>>()?.join("|"))
}

/// Runs a plan of projections over one row.
fn run(plan: &LogicalPlan, scope: &Scope) -> Result<RecordBatch> {
    let (exprs, input, schema) = match plan {
        LogicalPlan::Projection(p) => (&p.expr, run(&p.input, scope)?, p.input.schema().clone()),
        LogicalPlan::Values(v) => (&v.values[0], one_row(), Arc::new(DFSchema::empty())),
        LogicalPlan::SubqueryAlias(a) => return run(&a.input, scope),
        LogicalPlan::EmptyRelation(_) => return Ok(one_row()),
        other => panic!("cannot run {other}"),
    };
    let columns = exprs.iter().map(|e| Compiled::new(e, &schema, scope)?.eval(&input)).collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_from_iter(columns.into_iter().enumerate().map(|(i, c)| (i.to_string(), c)))?)
}

fn one_row() -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap()
}

#[test]
fn nothing_wraps() {
    for sql in [
        "select 9223372036854775807 + 1",
        "select -9223372036854775808 - 1",
        "select 4611686018427387904 * 2",
        "select -(-9223372036854775808)",
        "select - x from (select -9223372036854775808 as x)",
        "select 2147483647::int + 1::int",
        "select 127::tinyint + 1::tinyint",
        "select 0::int unsigned - 1::int unsigned",
        "select x + x from (select 9223372036854775807 as x)",
        "select x * x from (values (9223372036854775807)) v(x)",
        "select -9223372036854775808 // -1",
        "select abs(-9223372036854775808)",
        "select 300::tinyint",
        "select 1e30::bigint",
        "select 1 // 0",
        "select 1 % 0",
        "select '99999999999999999999'::bigint",
    ] {
        let got = value(sql);
        assert!(matches!(&got, Err(e) if e.kind() == crate::ErrorKind::Query), "{sql}: {got:?}");
    }
}

#[test]
fn what_does_not_wrap_is_right() {
    for (sql, wanted) in [
        ("select 9223372036854775806 + 1", "9223372036854775807"),
        ("select -9223372036854775808", "-9223372036854775808"),
        ("select -9223372036854775807 - 1", "-9223372036854775808"),
        ("select 3 - 5, 3 * 5, -(3), 7 / 2, 7 // 2, -7 % 4", "-2|15|-3|3.5|3|-3"),
        ("select 0.1 + 0.2, 1e308 * 10", "0.30000000000000004|inf"),
        ("select null + 1, 1 - null, -null::int", "null|null|null"),
        ("select case when false then 9223372036854775807 + 1 else 5 end", "5"),
        ("select coalesce(1, 9223372036854775807 + 1)", "1"),
        ("select date '2024-01-31' + interval 1 month", "2024-02-29 00:00:00"),
        ("select 1_000 + 1", "1001"),
    ] {
        assert_eq!(value(sql).unwrap(), wanted, "{sql}");
    }
}

#[test]
fn json_arrows() {
    for (sql, wanted) in [
        (r#"select '{"a": {"b": [1, "x", null]}}' -> 'a' -> 'b'"#, r#"[1,"x",null]"#),
        (r#"select '{"a": {"b": [1, "x", null]}}' -> 'a' -> 'b' ->> 1"#, "x"),
        (r#"select '{"a": "x\ny"}' ->> 'a' = e'x\ny'"#, "true"),
        (r#"select '{"a": "x"}' -> 'a'"#, r#""x""#),
        (r#"select '[1, 2]' -> -1, '[1, 2]' -> -3, '[1, 2]' -> 2"#, "2|null|null"),
        (r#"select '{"a": null}' -> 'a', '{"a": null}' ->> 'a'"#, "null|null"),
        (r#"select 'no json' -> 'a', '{"a": 1' -> 'a', '[1]' -> 'a', null -> 'a'"#, "null|null|null|null"),
        (r#"select json_get_str('{"a": {"b": true}}', 'a', 'b')"#, "true"),
        (r#"select ('{"a": 5}' ->> 'a')::int + 1"#, "6"),
    ] {
        assert_eq!(value(sql).unwrap(), wanted, "{sql}");
    }
}

#[test]
fn names_of_other_houses() {
    for (sql, wanted) in [
        ("select len('abc'), list_transform([1, 2], x -> x * 2)", "3|[2, 4]"),
        ("select regexp_matches('abc', 'b')", "true"),
        ("select 'a' || 'b' = 'ab'", "true"),
    ] {
        assert_eq!(value(sql).unwrap(), wanted, "{sql}");
    }
}

#[test]
fn other_names_are_listed() {
    let names = front().functions();
    for name in ["sum", "len", "list_transform", "row_number", "json_get", "approx_count_distinct", "mean"] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
}
