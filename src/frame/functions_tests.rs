//! Functions of the program: what they are given, what may go wrong with them, on both pools.

use super::Session;
use super::testing::{ask, ask_sorted, error, file, roomy, sessions, starved, try_ask};
use crate::front::custom::{Accumulate, ScalarFunction};
use crate::ops::supply::Supply;
use crate::{ErrorKind, Result};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use chrono::{Days, NaiveDate, NaiveDateTime};
use datafusion_common::ScalarValue;
use datafusion_expr::{col, lit};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

const NAMES: &str = "(VALUES ('a', 1), (NULL, 2), ('ccc', NULL)) AS t(s, n)";

#[test]
fn typed_functions_see_values_and_nulls() {
    let session = roomy();
    session.register_fn("long", |s: &str| s.len() as i64).unwrap();
    session.register_fn("Both", |s: Option<&str>, n: Option<i64>| s.is_some() && n.is_some()).unwrap();
    session.register_fn("told", |s: &str, n: Option<i64>| n.map(|n| format!("{s}{n}"))).unwrap();
    assert_eq!(ask(&session, &format!("SELECT long(s) FROM {NAMES}")), ["1", "-", "3"]);
    assert_eq!(ask(&session, &format!("SELECT BOTH(s, n) FROM {NAMES}")), ["true", "false", "false"]);
    assert_eq!(ask(&session, &format!("SELECT told(s, n) FROM {NAMES}")), ["a1", "-", "-"]);
    assert_eq!(ask(&session, "SELECT told('x', 3), long(NULL), both('', 0)"), ["x3|-|true"]);
    assert_eq!(ask(&session, &format!("SELECT s FROM {NAMES} WHERE long(s) > 2")), ["ccc"]);
}

#[test]
fn every_type_goes_in_and_out() {
    let session = roomy();
    session.register_fn("f1", |a: bool, b: i8, c: u64, d: f32| !a && b < 0 && c > 1 && d > 0.5).unwrap();
    assert_eq!(ask(&session, "SELECT f1(false, -1, 2, 0.75)"), ["true"]);
    session.register_fn("f2", |date: NaiveDate, days: u16| date.checked_add_days(Days::new(days.into()))).unwrap();
    assert_eq!(ask(&session, "SELECT f2(DATE '2024-02-28', 2), f2('2024-12-31', 1)"), ["2024-03-01|2025-01-01"]);
    session.register_fn("f3", |time: NaiveDateTime| time.date()).unwrap();
    assert_eq!(ask(&session, "SELECT f3(TIMESTAMP '2024-02-28 23:59:59.5')"), ["2024-02-28"]);
    session.register_fn("f4", |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>()).unwrap();
    assert_eq!(ask(&session, "SELECT f4('abc'::BLOB) = 'cba'::BLOB"), ["true"]);
    let text = error(&session, "SELECT f2('2024-02-28'::VARCHAR || '', 2)");
    assert!(text.contains("f2 takes (date, usmallint), not (varchar, bigint)"), "{text}");
    assert!(error(&session, "SELECT f2(DATE '2024-02-28')").contains("f2 takes"));
    assert!(error(&session, "SELECT f1(false, 300, 2, 0.5)").contains("300"), "what does not fit is no smaller number");
}

#[test]
fn columns_come_as_declared_and_are_taken_as_declared() {
    let session = roomy();
    let upper = |columns: &[ArrayRef], _| -> Result<ArrayRef> {
        let texts = columns[0].as_string::<i32>();
        Ok(Arc::new(texts.iter().map(|t| t.map(str::to_uppercase)).collect::<StringArray>()))
    };
    let f = session.register_scalar("loud", &[DataType::Utf8], DataType::Utf8, upper).unwrap();
    assert_eq!(ask(&session, &format!("SELECT loud(s), loud('x') FROM {NAMES}")), ["A|X", "-|X", "CCC|X"]);
    let frame = session.sql(&format!("SELECT * FROM {NAMES}")).unwrap();
    assert_eq!(frame.filter(f.call([col("s")]).eq(lit("CCC"))).unwrap().count().unwrap(), 1);
    let none = |_: &[ArrayRef], rows| -> Result<ArrayRef> { Ok(Arc::new(Int64Array::from(vec![7; rows]))) };
    session.register_scalar("seven", &[], DataType::Int64, none).unwrap();
    assert_eq!(ask(&session, &format!("SELECT seven() + n FROM {NAMES}")), ["8", "9", "-"]);
}

#[test]
fn a_volatile_function_runs_once_a_row() {
    for session in sessions() {
        let next = Arc::new(AtomicI64::new(0));
        let count = next.clone();
        session.register_volatile_fn("next", move || count.fetch_add(1, Relaxed)).unwrap();
        let rows = ask_sorted(&session, "SELECT count(DISTINCT next()) FROM range(5000)");
        assert_eq!((rows, next.load(Relaxed)), (vec!["5000".to_string()], 5000));
        let one = next.clone();
        let pure = ScalarFunction::new(&[DataType::Int64], DataType::Int64, move |columns, _| {
            one.fetch_add(1, Relaxed);
            Ok(columns[0].clone())
        });
        session.register_scalar_function("pure", pure).unwrap();
        let before = next.load(Relaxed);
        assert_eq!(ask(&session, "SELECT sum(pure(1)) FROM range(5000)"), ["5000"]);
        assert!(next.load(Relaxed) - before < 10, "constants are computed beforehand");
    }
}

#[test]
fn what_goes_wrong_names_the_function() {
    for session in sessions() {
        session.register_fn("bad", |n: i64| if n == 700 { panic!("no {n}") } else { n }).unwrap();
        let wrong = |sql: &str| try_ask(&session, sql).unwrap_err();
        let e = wrong("SELECT bad(n) FROM range(1000) AS t(n)");
        assert_eq!((e.kind(), e.message()), (ErrorKind::Internal, "the function bad panicked: no 700"));
        let e = wrong("SELECT n FROM range(1000) AS t(n) WHERE bad(n) > 5 GROUP BY n");
        assert_eq!(e.message(), "the function bad panicked: no 700");
        assert_eq!(wrong("SELECT bad(700)").message(), "the function bad panicked: no 700", "a constant");
        session.register_fn("bad", |n: i64| n.checked_mul(i64::MAX).ok_or("too large")).unwrap();
        assert_eq!(wrong("SELECT bad(n) FROM range(3) AS t(n)").message(), "the function bad: too large");
        let short = |_: &[ArrayRef], _| -> Result<ArrayRef> { Ok(Arc::new(Int64Array::from(vec![1; 3]))) };
        session.register_scalar("short", &[DataType::Int64], DataType::Int64, short).unwrap();
        let e = wrong("SELECT short(n) FROM range(1000) AS t(n)");
        assert!(e.message().starts_with("the function short returned 3 values for "), "{e}");
        session.register_scalar("short", &[DataType::Int64], DataType::Utf8, short).unwrap();
        let e = wrong("SELECT short(n) FROM range(1000) AS t(n)");
        assert_eq!(e.message(), "the function short returned bigint, but declared varchar");
        assert_eq!(ask(&session, "SELECT count(*) FROM range(10)"), ["10"], "the session goes on");
    }
}

/// Readers apply filters early: what a function says there is not taken for a broken file.
#[test]
fn functions_fail_as_themselves_in_readers() {
    for (ending, write) in [(".csv", "csv"), (".jsonl", "jsonl"), (".parquet", "parquet")] {
        let (_file, path) = file(ending, "");
        for session in sessions() {
            session.register_fn("bad", |n: i64| if n == 700 { panic!("no {n}") } else { n }).unwrap();
            session.register_fn("worse", |n: i64| if n == 700 { Err("no more") } else { Ok(n) }).unwrap();
            session.execute(&format!("COPY (SELECT n FROM range(1000) AS t(n)) TO '{path}' (FORMAT {write})")).unwrap();
            let wrong = |f: &str| try_ask(&session, &format!("SELECT n FROM '{path}' WHERE {f}(n) > 998")).unwrap_err();
            let e = wrong("bad");
            assert_eq!((e.kind(), e.message()), (ErrorKind::Internal, "the function bad panicked: no 700"), "{path}");
            let e = wrong("worse");
            assert_eq!((e.kind(), e.message()), (ErrorKind::Query, "the function worse: no more"), "{path}");
            session.register_fn("bad", |n: i64| n).unwrap();
            assert_eq!(ask(&session, &format!("SELECT n FROM '{path}' WHERE bad(n) > 998")), ["999"]);
        }
    }
}

#[test]
fn names_are_checked() {
    let session = roomy();
    let say = |name: &str| session.register_fn(name, |x: i64| x).map(drop).map_err(|e| e.to_string());
    for name in ["", "1a", "a b", "a\"b"] {
        assert!(say(name).unwrap_err().contains("cannot be the name"), "{name}");
    }
    for name in ["sum", "Upper", "read_csv", "list_transform", "row_number", "list"] {
        assert!(say(name).unwrap_err().contains("is built in"), "{name}");
    }
    say("Ünder_1").unwrap();
    session.execute("SET default_null_order = 'nulls_first'").unwrap();
    assert_eq!(ask(&session, "SELECT ünder_1(5)"), ["5"], "a setting keeps the program's functions");
    let text = error(&session, "SELECT nder_1(5)");
    assert!(text.contains("ünder_1"), "{text}");
}

/// The values of a group, in order, joined: what an oracle can check.
#[derive(Default)]
struct Gather(Vec<i64>);

impl Accumulate for Gather {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.0.extend(columns[0].as_primitive::<Int64Type>().iter().flatten());
        Ok(())
    }

    fn value(&self) -> Result<ScalarValue> {
        let text: Vec<String> = self.0.iter().map(i64::to_string).collect();
        Ok(ScalarValue::Utf8((!text.is_empty()).then(|| text.join(" "))))
    }

    fn held(&self) -> usize {
        8 * self.0.capacity()
    }
}

fn gather(session: &Session) {
    session.register_aggregate("gather", &[DataType::Int64], DataType::Utf8, Gather::default).unwrap();
}

#[test]
fn aggregates_agree_with_an_oracle_in_any_memory() {
    let rows = |n: i64| ((n * 7919) % 501, (n * 31) % 1009);
    let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    (0..20_000).map(rows).for_each(|(k, v)| groups.entry(k).or_default().push(v.to_string()));
    let mut wanted: Vec<String> = groups.iter().map(|(k, v)| format!("{k}|{}", v.join(" "))).collect();
    wanted.sort();
    for session in sessions() {
        gather(&session);
        let sql = "SELECT k, gather(v) FROM (SELECT (n * 7919) % 501 AS k, (n * 31) % 1009 AS v \
             FROM range(20000) AS t(n)) GROUP BY k";
        assert_eq!(ask_sorted(&session, sql), wanted);
    }
    let session = starved(true);
    gather(&session);
    ask(&session, "SELECT n % 501, gather(n) FROM range(500000) AS t(n) GROUP BY 1");
    assert!(session.stats().scratch_written > 0, "these rows do not fit");
}

#[test]
fn aggregates_have_the_forms_of_others() {
    let session = roomy();
    gather(&session);
    let table = "(VALUES ('a', 3), ('a', 1), ('b', 2), ('a', 3), ('b', NULL)) AS t(k, v)";
    let ask = |what: &str| ask(&session, &format!("SELECT {what} FROM {table}"));
    assert_eq!(ask("gather(v)"), ["3 1 2 3"]);
    assert_eq!(ask("gather(v ORDER BY v), sum(v)"), ["1 2 3 3|9"]);
    assert_eq!(ask("gather(DISTINCT v)"), ["1 2 3"]);
    assert_eq!(ask("gather(v) FILTER (WHERE k = 'a')"), ["3 1 3"]);
    assert_eq!(ask_sorted(&session, &format!("SELECT k, gather(v) FROM {table} GROUP BY k")), ["a|3 1 3", "b|2"]);
    assert_eq!(super::testing::ask(&session, "SELECT gather(n) FROM range(0) AS t(n)"), ["-"], "no rows");
    let running = "SELECT gather(n) OVER (ORDER BY n ROWS 1 PRECEDING), gather(n) OVER (ORDER BY n) \
         FROM range(3) AS t(n) ORDER BY n";
    assert_eq!(super::testing::ask(&session, running), ["0|0", "0 1|0 1", "1 2|0 1 2"]);
}

#[test]
fn folds_take_rows_one_by_one() {
    for session in sessions() {
        let longest = |state: &mut Option<String>, text: &str, n: Option<i64>| {
            let text = format!("{text}{}", n.unwrap_or(-1));
            if state.as_ref().is_none_or(|s| s.len() < text.len()) {
                *state = Some(text);
            }
        };
        session.register_fold("longest", || None, longest, |state: &Option<String>| state.clone()).unwrap();
        let sql = format!("SELECT longest(s, n), longest(NULL, n) FROM {NAMES}");
        assert_eq!(ask(&session, &sql), ["ccc-1|-"]);
        session.register_fold("plus", || 0i64, |sum: &mut i64, n: i64| *sum += n, |sum| *sum).unwrap();
        let sql = "SELECT count(*), bool_and(s - p = 0) FROM \
             (SELECT n % 1000 AS k, sum(n) AS s, plus(n) AS p FROM range(30000) AS t(n) GROUP BY k)";
        assert_eq!(ask(&session, sql), ["1000|true"]);
        let fail = |_: &mut (), n: i64| assert!(n < 10, "too many");
        session.register_fold("fail", || (), fail, |_: &()| 1i64).unwrap();
        let text = error(&session, "SELECT fail(n) FROM range(50) AS t(n)");
        assert!(text.starts_with("the aggregate fail panicked: too many"), "{text}");
    }
}

struct Bad(u8);

impl Accumulate for Bad {
    fn update(&mut self, _: &[ArrayRef]) -> Result<()> {
        assert!(self.0 != 1, "update");
        Ok(())
    }

    fn value(&self) -> Result<ScalarValue> {
        match self.0 {
            2 => panic!("value"),
            3 => Ok(ScalarValue::from("text")),
            4 => Err(crate::Error::query("no value")),
            _ => Ok(ScalarValue::Null),
        }
    }
}

#[test]
fn bad_aggregates_are_errors() {
    for session in sessions() {
        for (kind, said) in [
            (1, "the aggregate bad panicked: update"),
            (2, "the aggregate bad panicked: value"),
            (3, "the aggregate bad returned varchar, but declared bigint"),
            (4, "the aggregate bad: no value"),
        ] {
            session.register_aggregate("bad", &[DataType::Int64], DataType::Int64, move || Bad(kind)).unwrap();
            assert!(error(&session, "SELECT bad(n) FROM range(5000) AS t(n) GROUP BY n % 7").starts_with(said));
        }
        session.register_aggregate("bad", &[DataType::Int64], DataType::Int64, || Bad(0)).unwrap();
        assert_eq!(ask(&session, "SELECT bad(n) FROM range(10) AS t(n)"), ["-"]);
    }
}

/// A state that says it is larger than the budget ends the query.
#[test]
fn a_state_beyond_the_budget_is_refused() {
    struct Huge;
    impl Accumulate for Huge {
        fn update(&mut self, _: &[ArrayRef]) -> Result<()> {
            Ok(())
        }
        fn value(&self) -> Result<ScalarValue> {
            Ok(ScalarValue::Int64(None))
        }
        fn held(&self) -> usize {
            1 << 40
        }
    }
    let session = starved(true);
    session.register_aggregate("huge", &[DataType::Int64], DataType::Int64, || Huge).unwrap();
    let error = try_ask(&session, "SELECT huge(n) FROM range(10) AS t(n)").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resources, "{error}");
}

fn numbers(session: &Session) {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    session
        .register_table_function("numbers", &[DataType::Int64, DataType::Int64], move |values| {
            let number = |i: usize| i64::try_from(values[i].clone()).map_err(|_| crate::Error::query("a null"));
            let (partitions, rows, schema) = (number(0)?, number(1)?, schema.clone());
            assert!(partitions < 99, "so many");
            let columns = schema.clone();
            Ok(Supply::new("numbers", schema, partitions as usize, move |p| {
                let columns = columns.clone();
                Ok((0..rows).map(move |i| {
                    assert!(i < 50, "so far");
                    let n = Int64Array::from(vec![p as i64 * rows + i; 3]);
                    Ok(RecordBatch::try_new(columns.clone(), vec![Arc::new(n)])?)
                }))
            }))
        })
        .unwrap();
}

#[test]
fn table_functions_make_rows_as_they_are_wanted() {
    for session in sessions() {
        numbers(&session);
        assert_eq!(ask(&session, "SELECT count(*), sum(n) FROM numbers(3, 10)"), ["90|1305"]);
        assert_eq!(ask(&session, "SELECT DISTINCT x.n FROM numbers(1, 2) AS x ORDER BY 1"), ["0", "1"]);
        assert_eq!(ask(&session, "SELECT m FROM Numbers(2 - 1, 1 + 1) AS x(m) LIMIT 4"), ["0", "0", "0", "1"]);
        assert_eq!(ask(&session, "SELECT n FROM numbers(1, 1000000) LIMIT 1"), ["0"], "not all of it");
        let sql = "SELECT count(*) FROM numbers(2, 20) a JOIN numbers(1, 20) b ON a.n = b.n";
        assert_eq!(ask(&session, sql), ["180"]);
        let wrong = |sql: &str| error(&session, sql);
        assert!(wrong("FROM numbers(3)").contains("numbers takes (bigint, bigint), not (bigint)"));
        assert!(wrong("FROM numbers(3, NULL)").contains("the table function numbers: a null"));
        assert!(wrong("FROM numbers(100, 1)").contains("the table function numbers panicked: so many"));
        assert!(wrong("FROM numbers(1, 60)").contains("numbers panicked: so far"));
        assert!(wrong("FROM range(3) AS t(x), numbers(1, t.x)").contains("takes constants"));
        assert!(wrong("FROM nummers(1, 2)").contains("did you mean numbers?"));
    }
}
