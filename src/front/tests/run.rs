//! Values: constants folded by the rules, expressions evaluated, against what SQL says.

use super::front;
use crate::error::Result;
use crate::front::Bound;
use crate::ops::expr::{Compiled, Scope};
use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion_common::DFSchema;
use datafusion_expr::LogicalPlan;
use std::sync::Arc;

/// The only row of a SELECT without FROM, as text.
fn value(sql: &str) -> Result<String> {
    let front = front();
    let statement = front.parse(sql)?.remove(0);
    let Bound::Query(planned) = front.bind(&statement)? else { panic!("{sql} is no query") };
    let LogicalPlan::Projection(p) = &planned.optimized else { panic!("{sql} is {}", planned.optimized) };
    assert!(matches!(&*p.input, LogicalPlan::EmptyRelation(_)), "{sql}");
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(arrow::datatypes::Schema::empty()), vec![], &options)?;
    let scope = Scope::new(front.options(), Vec::new());
    let cells = p.expr.iter().map(|e| {
        let array = Compiled::new(e, &DFSchema::empty(), &scope)?.eval(&row)?;
        Ok(if array.is_null(0) { "null".to_string() } else { array_value_to_string(&array, 0)? })
    });
    Ok(cells.collect::<Result<Vec<_>>>()?.join("|"))
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
        "select -9223372036854775808 / -1",
        "select abs(-9223372036854775808)",
        "select 300::tinyint",
        "select 1e30::bigint",
        "select 1 / 0",
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
        ("select 3 - 5, 3 * 5, -(3), 7 / 2, -7 % 4", "-2|15|-3|3|-3"),
        ("select 0.1 + 0.2, 1e308 * 10", "0.30000000000000004|inf"),
        ("select null + 1, 1 - null, -null::int", "null|null|null"),
        ("select case when false then 9223372036854775807 + 1 else 5 end", "5"),
        ("select coalesce(1, 9223372036854775807 + 1)", "1"),
        ("select date '2024-01-31' + interval 1 month", "2024-02-29"),
        ("select 1_000 + 1", "1001"),
    ] {
        assert_eq!(value(sql).unwrap(), wanted, "{sql}");
    }
}

#[test]
fn json_arrows() {
    for (sql, wanted) in [
        (r#"select '{"a": {"b": [1, "x", null]}}' -> 'a' -> 'b'"#, r#"[1, "x", null]"#),
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
