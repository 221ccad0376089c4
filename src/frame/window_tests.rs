//! Windows in SQL and in frames: what people write, and what is refused.

use crate::prelude::*;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The rows as text, in order.
fn rows(frame: &Frame) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for batch in frame.collect()? {
        let options = FormatOptions::new().with_null("-");
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        found.extend((0..batch.num_rows()).map(|i| {
            let cells: Vec<String> = columns.iter().map(|c| c.value(i).to_string()).collect();
            cells.join(" ")
        }));
    }
    Ok(found)
}

/// Asks over a small table `t`, named by a CTE.
fn ask(sql: &str) -> Result<Vec<String>> {
    let session = Session::builder().memory("64MiB")?.threads(2).build()?;
    let table = "t AS (SELECT * FROM (VALUES (1, 'a', 5, DATE '2024-01-01'), (2, 'b', 3, DATE '2024-01-02'), \
                 (3, 'a', NULL, DATE '2024-01-05'), (4, 'a', 7, DATE '2024-01-05'), (5, 'b', 3, DATE '2024-01-09')) v(id, k, x, d))";
    let query = match sql.strip_prefix("WITH ") {
        Some(rest) => format!("WITH {table}, {rest}"),
        None => format!("WITH {table} {sql}"),
    };
    rows(&session.sql(&query)?)
}

#[test]
fn what_people_write() {
    for (sql, wanted) in [
        ("SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) FROM t ORDER BY id", "1 1|2 1|3 2|4 3|5 2"),
        ("SELECT id, sum(x) OVER (PARTITION BY k ORDER BY id) FROM t ORDER BY id", "1 5|2 3|3 5|4 12|5 6"),
        (
            "SELECT id, rank() OVER w, dense_rank() OVER w FROM t WINDOW w AS (ORDER BY x) ORDER BY id",
            "1 3 2|2 1 1|3 5 4|4 4 3|5 1 1",
        ),
        ("SELECT id FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY id DESC) = 1 ORDER BY id", "4|5"),
        (
            "SELECT id, count(*) OVER (PARTITION BY k) AS n FROM t WHERE id > 1 QUALIFY n = 2 AND id <> 3 ORDER BY id",
            "2 2|4 2|5 2",
        ),
        (
            "SELECT k, sum(sum(x)) OVER (ORDER BY k), rank() OVER (ORDER BY count(*) DESC) FROM t GROUP BY k ORDER BY k",
            "a 12 1|b 18 2",
        ),
        ("SELECT id FROM t ORDER BY row_number() OVER (ORDER BY x DESC, id DESC)", "4|1|5|2|3"),
        (
            "SELECT id, lag(x, 1, 0) OVER (ORDER BY id), lead(x) OVER (ORDER BY id) FROM t ORDER BY id",
            "1 0 3|2 5 -|3 3 7|4 - 3|5 7 -",
        ),
        (
            "SELECT id, lag(x IGNORE NULLS) OVER (ORDER BY id), lag(x) IGNORE NULLS OVER (ORDER BY id) FROM t ORDER BY id",
            "1 - -|2 5 5|3 3 3|4 3 3|5 7 7",
        ),
        (
            "SELECT id, first(x) OVER (ORDER BY id), last(x) OVER (ORDER BY id) FROM t ORDER BY id",
            "1 5 5|2 5 3|3 5 -|4 5 7|5 5 3",
        ),
        (
            "SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN INTERVAL 3 DAY PRECEDING AND CURRENT ROW) FROM t ORDER BY id",
            "1 1|2 2|3 3|4 3|5 1",
        ),
        (
            "SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN INTERVAL '36 hours' PRECEDING AND CURRENT ROW) FROM t ORDER BY id",
            "1 1|2 2|3 2|4 2|5 1",
        ),
        (
            "SELECT id, sum(x) OVER (ORDER BY x RANGE BETWEEN 2 PRECEDING AND 1 + 1 FOLLOWING) FROM t ORDER BY id",
            "1 18|2 11|3 -|4 12|5 11",
        ),
        (
            "SELECT id, sum(id) OVER (ORDER BY k GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM t ORDER BY id",
            "1 7|2 13|3 5|4 4|5 10",
        ),
        (
            "SELECT id, sum(id) OVER (ORDER BY k RANGE UNBOUNDED PRECEDING EXCLUDE TIES) FROM t ORDER BY id",
            "1 1|2 10|3 3|4 4|5 13",
        ),
        (
            "SELECT id, sum(id) OVER (ORDER BY k ROWS UNBOUNDED PRECEDING EXCLUDE NO OTHERS) FROM t ORDER BY id",
            "1 1|2 10|3 4|4 8|5 15",
        ),
        (
            "SELECT id, sum(x) FILTER (WHERE x > 3) OVER (), count(DISTINCT x) OVER (PARTITION BY k) FROM t ORDER BY id",
            "1 12 2|2 12 1|3 12 2|4 12 2|5 12 1",
        ),
        (
            "SELECT id, sum(id) OVER (w ROWS 1 PRECEDING) FROM t WINDOW w AS (PARTITION BY k ORDER BY id) ORDER BY id",
            "1 1|2 2|3 4|4 7|5 7",
        ),
        ("SELECT id, rank() OVER (ORDER BY [id % 2, x]) FROM t ORDER BY id", "1 4|2 1|3 5|4 2|5 3"),
        ("SELECT id, sum(id) OVER (ORDER BY {'a': k, 'b': id}) FROM t ORDER BY id", "1 1|2 10|3 4|4 8|5 15"),
        ("SELECT id, max(id) OVER (GROUPS UNBOUNDED PRECEDING) FROM t ORDER BY id", "1 5|2 5|3 5|4 5|5 5"),
        ("SELECT sum(rn) FROM (SELECT row_number() OVER () AS rn, x FROM t) WHERE x IS NULL", "3"),
        (
            "SELECT id, sum(r) OVER (ORDER BY id) FROM (SELECT id, rank() OVER (ORDER BY k) AS r FROM t) ORDER BY id",
            "1 1|2 5|3 6|4 7|5 11",
        ),
        (
            "SELECT id, max(k) OVER (ORDER BY id ROWS 1 PRECEDING), min(d) OVER (PARTITION BY k) FROM t WHERE id < 3 ORDER BY id",
            "1 a 2024-01-01|2 b 2024-01-02",
        ),
    ] {
        let got = ask(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(got.join("|"), wanted, "{sql}");
    }
}

#[test]
fn what_is_refused() {
    for (sql, kind, says) in [
        ("SELECT sum(9223372036854775807) OVER () FROM t", ErrorKind::Query, "overflow"),
        ("SELECT sum(x) OVER (w ORDER BY id) FROM t WINDOW w AS (ORDER BY x)", ErrorKind::Query, "ORDER BY already"),
        ("SELECT ntile(0) OVER (ORDER BY id) FROM t", ErrorKind::Query, "buckets"),
        ("SELECT sum(x) OVER (ORDER BY id, k RANGE 1 PRECEDING) FROM t", ErrorKind::Query, "ORDER BY"),
        ("SELECT sum(x) OVER (ORDER BY k RANGE 1 PRECEDING) FROM t", ErrorKind::Unsupported, "RANGE"),
        ("SELECT sum(x) OVER (GROUPS 1 PRECEDING) FROM t", ErrorKind::Query, "ORDER BY"),
        (
            "SELECT nth_value(x, 2) IGNORE NULLS OVER (ORDER BY id ROWS 3 PRECEDING EXCLUDE TIES) FROM t",
            ErrorKind::Unsupported,
            "EXCLUDE",
        ),
    ] {
        let error = ask(sql).expect_err(sql);
        assert!(error.kind() == kind && error.to_string().contains(says), "{sql}: {error:?}");
    }
}

#[test]
fn frames_have_windows() -> Result<()> {
    let session = Session::builder().memory("64MiB")?.threads(2).build()?;
    let table = session.sql("SELECT * FROM (VALUES (1, 'a', 5), (2, 'b', 3), (3, 'a', 4)) AS t(id, k, x)")?;
    let total = over(sum(col("x")), [col("k")], [])?;
    let before = over(lag(col("x"), Some(1), None), [], [col("id").sort(true, false)])?;
    let frame = table
        .clone()
        .with_columns([(col("x") * lit(2) - total.clone()).alias("x"), before.clone().alias("before")])?
        .sort([col("id").sort(true, false)])?;
    assert_eq!(rows(&frame)?, ["1 a 1 -", "2 b 3 5", "3 a -1 3"]);
    let frame = table.clone().select([col("id"), total.alias("total"), before.alias("before")])?;
    let frame = frame.filter(col("before").is_not_null())?.sort([col("id").sort(true, false)])?;
    assert_eq!(rows(&frame)?, ["2 3 5", "3 9 3"]);
    assert_eq!(over(col("x"), [], []).unwrap_err().kind(), ErrorKind::Query);
    Ok(())
}

#[test]
fn one_sort_serves_windows_that_allow_it() {
    let session = Session::builder().memory("64MiB").unwrap().threads(1).build().unwrap();
    let explain = |windows: &str| {
        let sql = format!("SELECT {windows} FROM (VALUES (1, 'a', 5)) AS t(id, k, x)");
        let text = session.sql(&sql).unwrap().explain().unwrap();
        (text.matches("sort").count(), text.matches("window").count())
    };
    let apart = explain("rank() OVER (ORDER BY x), rank() OVER (ORDER BY k)");
    let together =
        explain("rank() OVER (PARTITION BY k ORDER BY x), sum(x) OVER (PARTITION BY k), rank() OVER (ORDER BY k)");
    let alone = explain("rank() OVER (PARTITION BY k ORDER BY x)");
    assert_eq!(together.0, alone.0);
    assert!(apart.0 > alone.0, "{apart:?} {alone:?}");
}
