//! SQL as people type it at DuckDB, run to its end: each line is a query, and its rows as DuckDB gives them.

use super::{Outcome, Session};
use crate::error::{ErrorKind, Result};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};

fn session() -> Session {
    Session::builder().memory("64MiB").unwrap().inline(true).build().unwrap()
}

/// The rows of the last statement: values with `|` between them, rows with `;`.
fn rows(session: &Session, sql: &str) -> Result<String> {
    let mut lines = Vec::new();
    for statement in session.statements(sql)? {
        let Outcome::Rows(batches) = session.run(&statement)? else { continue };
        lines.clear();
        for batch in batches {
            let batch = batch?;
            let options = FormatOptions::new().with_null("null");
            let columns: Vec<_> =
                batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
            lines.extend(
                (0..batch.num_rows())
                    .map(|row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|")),
            );
        }
    }
    Ok(lines.join(";"))
}

fn hold(cases: &[(&str, &str)]) {
    let session = session();
    session.execute("CREATE TABLE t AS FROM (VALUES (1, 'x', 2), (1, 'y', 3), (2, 'x', 5)) AS t(a, b, c)").unwrap();
    for (sql, wanted) in cases {
        match rows(&session, sql) {
            Ok(found) => assert_eq!(found, *wanted, "{sql}"),
            Err(error) => panic!("{sql}: {error} {:?}", error.advice()),
        }
    }
}

fn refuse(cases: &[(&str, ErrorKind, &str)]) {
    let session = session();
    session.execute("CREATE TABLE t(a INT NOT NULL, b VARCHAR DEFAULT 'none')").unwrap();
    for (sql, kind, says) in cases {
        let error = match rows(&session, sql) {
            Ok(found) => panic!("{sql}: {found}"),
            Err(error) => error,
        };
        let said = format!("{error} {}", error.advice().unwrap_or_default());
        assert_eq!(error.kind(), *kind, "{sql}: {said}");
        assert!(said.contains(says), "{sql}: {said}");
    }
}

#[test]
fn stars() {
    hold(&[
        ("SELECT * EXCLUDE (b) FROM t LIMIT 1", "1|2"),
        ("SELECT * REPLACE (c * 10 AS c) FROM t LIMIT 1", "1|x|20"),
        ("SELECT x FROM (SELECT * RENAME (a AS x) FROM t) LIMIT 1", "1"),
        ("SELECT t.* EXCLUDE (a, b) FROM t LIMIT 1", "2"),
        ("SELECT COLUMNS('^[ac]$') + 1 FROM t LIMIT 1", "2|3"),
        ("SELECT min(COLUMNS(*)) FROM t", "1|x|2"),
        ("SELECT COLUMNS(* EXCLUDE (b)) FROM t LIMIT 1", "1|2"),
        ("SELECT COLUMNS(['c', 'a']) FROM t LIMIT 1", "2|1"),
        ("SELECT COLUMNS(n -> n > 'a') FROM t LIMIT 1", "x|2"),
        ("SELECT COLUMNS(lambda n: n > 'a') FROM t LIMIT 1", "x|2"),
        ("SELECT * LIKE 'a%' FROM t LIMIT 1", "1"),
        ("SELECT coalesce(*COLUMNS('a|c')) FROM t LIMIT 1", "1"),
        ("SELECT count(*) FROM t WHERE COLUMNS('a|c') > 1", "1"),
        ("SELECT s.* FROM (SELECT {'x': 1, 'y': 'z'} AS s)", "1|z"),
    ]);
    refuse(&[
        ("SELECT COLUMNS('nothing') FROM t", ErrorKind::Query, "no column fits"),
        ("SELECT * RENAME (q AS x) FROM t", ErrorKind::Query, "\"q\""),
    ]);
}

#[test]
fn queries_begin_as_they_like() {
    hold(&[
        ("FROM t LIMIT 1", "1|x|2"),
        ("FROM t SELECT a WHERE c > 2", "1;2"),
        ("FROM t WHERE c > 2 ORDER BY c DESC LIMIT 1", "2|x|5"),
        ("WITH u AS (FROM t WHERE a = 1) FROM u ORDER BY c", "1|x|2;1|y|3"),
        ("SELECT * FROM (FROM t WHERE a = 2)", "2|x|5"),
        ("VALUES (1, 'a'), (2, 'b')", "1|a;2|b"),
    ]);
}

#[test]
fn aliases_are_used_again() {
    hold(&[
        ("SELECT a + 1 AS n, n * 2 AS m FROM t WHERE n > 1 ORDER BY m, c LIMIT 1", "2|4"),
        ("SELECT a AS k, sum(c) AS s FROM t GROUP BY k HAVING s > 4 ORDER BY k", "1|5;2|5"),
        // A column goes before an alias.
        ("SELECT a + 100 AS c FROM t WHERE c = 5", "102"),
        ("SELECT b, sum(c) FROM t GROUP BY ALL ORDER BY ALL", "x|7;y|3"),
        ("SELECT a + 1, sum(c) FROM t GROUP BY 1 ORDER BY 1", "2|5;3|5"),
        ("SELECT count(*) FROM t HAVING count(*) > 2", "3"),
        ("(SELECT a FROM t WHERE c = 2) UNION ALL SELECT 0 ORDER BY ALL", "0;1"),
    ]);
    refuse(&[("SELECT a AS x, (SELECT max(y) FROM t) FROM t", ErrorKind::Query, "\"y\"")]);
}

#[test]
fn operators() {
    hold(&[
        ("SELECT 7 / 2, 7 // 2, 7.5 // 2, -7 // 2, 1 / 0", "3.5|3|3.75|-3|inf"),
        ("SELECT 2 ** 3, 2 ^ 3, 2 + 3 ^ 2, -2 ^ 2, 2 ^ 3 ^ 2", "8.0|8.0|11.0|4.0|64.0"),
        ("SELECT 'abc' GLOB 'a*', 'abc' GLOB '?b', 'abc' ^@ 'ab', 'abc' !~~ 'a%'", "true|false|true|false"),
        ("SELECT 1 IS DISTINCT FROM NULL AND false, NULL IS NOT DISTINCT FROM NULL", "false|true"),
        ("SELECT 5 IN [1, 5], 5 NOT IN [1], 1 == 1", "true|true|true"),
        ("SELECT [x + 1 FOR x IN [1, 2, 3] IF x > 1], [1, 2, 3][2:3], [1, 2, 3][1]", "[3, 4]|[2, 3]|1"),
        ("SELECT 'a' || 1 + 2", "a3"),
        ("SELECT list_transform([1, 2], lambda x: x / 2)", "[0.5, 1.0]"),
        ("SET integer_division = true; SELECT 7 / 2", "3"),
        ("RESET integer_division; SELECT 7 / 2", "3.5"),
    ]);
    refuse(&[("SELECT 1 // 0", ErrorKind::Query, "zero"), ("SELECT 'a' GLOB b FROM t", ErrorKind::Query, "constant")]);
}

#[test]
fn limits_and_samples() {
    hold(&[
        ("SELECT c FROM t ORDER BY c LIMIT 67%", "2;3"),
        ("SELECT c FROM t ORDER BY c LIMIT (SELECT min(a) FROM t) OFFSET 1", "3"),
        ("SELECT c FROM t ORDER BY c FETCH FIRST 2 ROWS ONLY", "2;3"),
        ("SELECT count(a) FROM (FROM t USING SAMPLE 2)", "2"),
        ("SELECT count(a) FROM t TABLESAMPLE reservoir(2 ROWS)", "2"),
        ("SELECT count(*) FROM t TABLESAMPLE 100%", "3"),
        ("SELECT count(*) FROM t TABLESAMPLE reservoir(2 ROWS) REPEATABLE (7)", "2"),
        ("SELECT count(*) FROM t TABLESAMPLE (0 PERCENT)", "0"),
        ("SELECT count(*), count(DISTINCT n) FROM (SELECT t.c AS n FROM t USING SAMPLE reservoir(67%))", "2|2"),
    ]);
    refuse(&[
        ("FROM t TABLESAMPLE 110%", ErrorKind::Query, "100"),
        ("FROM t LIMIT 101%", ErrorKind::Query, "percent"),
        ("CREATE VIEW v AS FROM t LIMIT 10%", ErrorKind::Unsupported, "view"),
    ]);
}

#[test]
fn values_become_columns() {
    hold(&[
        ("SELECT * FROM (PIVOT t ON b USING sum(c)) ORDER BY a", "1|2|3;2|5|null"),
        ("PIVOT t ON b USING sum(c) AS s, count(*) AS n GROUP BY a ORDER BY a", "1|2|1|3|1;2|5|1|null|0"),
        ("PIVOT t ON b IN ('y', 'z') USING sum(c) GROUP BY a ORDER BY a", "1|3|null;2|null|null"),
        ("PIVOT t ON a, b USING sum(c)", "2|3|5|null"),
        ("SELECT a, first FROM t PIVOT (sum(c) FOR b IN ('x' AS first)) ORDER BY a", "1|2;2|5"),
    ]);
    refuse(&[
        ("CREATE VIEW v AS PIVOT t ON b", ErrorKind::Unsupported, "view"),
        ("PIVOT t ON nothing", ErrorKind::Query, "nothing"),
    ]);
}

#[test]
fn summaries() {
    hold(&[
        (
            "SELECT column_name, min, max, approx_unique, avg, q50, count, null_percentage FROM (SUMMARIZE t)",
            "a|1|2|2|1.3333333333333333|1.0|3|0.0;b|x|y|2|null|null|3|0.0;c|2|5|3|3.3333333333333335|3.0|3|0.0",
        ),
        ("SELECT column_type FROM (SUMMARIZE SELECT 1 AS one)", "bigint"),
    ]);
}

#[test]
fn joins_keep_their_keys() {
    hold(&[
        ("SELECT a FROM t SEMI JOIN (VALUES (2)) AS u(k) ON t.a = u.k", "2"),
        ("SELECT c FROM t ANTI JOIN (VALUES (1)) AS u(a) USING (a)", "5"),
        ("SELECT a, y FROM t NATURAL FULL JOIN (VALUES (9, 'z')) AS u(a, y) WHERE a > 1 ORDER BY a", "2|null;9|z"),
        (
            "SELECT * FROM (VALUES (1, 2)) AS l(k, v) FULL JOIN (VALUES (3, 4)) AS r(k, w) USING (k) ORDER BY k",
            "1|2|null;3|null|4",
        ),
        // A star shows the left table's key, at its place, whatever the names of the tables are.
        (
            "SELECT * FROM (VALUES (1, 2), (3, 4)) AS l(v, k) LEFT JOIN (VALUES (2, 5)) AS a(k, w) USING (k) ORDER BY v",
            "1|2|5;3|4|null",
        ),
        (
            "SELECT * EXCLUDE (v) FROM (VALUES (1, 2), (3, 4)) AS l(v, k) LEFT JOIN (VALUES (2, 5)) AS a(k, w) USING (k) \
             ORDER BY k",
            "2|5;4|null",
        ),
        (
            "SELECT * FROM (VALUES (1, 2)) AS l(v, k) FULL JOIN (VALUES (6, 5)) AS a(k, w) USING (k) ORDER BY k",
            "1|2|null;null|6|5",
        ),
        (
            "SELECT * FROM (VALUES (1, 2)) AS z(v, k) JOIN (VALUES (2, 5)) AS y(k, w) USING (k) \
             JOIN (VALUES (2, 7)) AS x(k, u) USING (k)",
            "1|2|5|7",
        ),
    ]);
}

#[test]
fn nulls_in_not_in() {
    hold(&[
        ("SELECT count(*) FROM t WHERE a > 5 OR a NOT IN (SELECT NULL::BIGINT)", "0"),
        ("SELECT count(*) FROM t WHERE a > 5 OR a NOT IN (SELECT 1)", "1"),
        ("SELECT count(*) FROM t WHERE a > 5 OR a NOT IN (SELECT 1 WHERE false)", "3"),
        ("SELECT count(*) FROM t WHERE a > 5 OR NULL NOT IN (SELECT 1)", "0"),
        ("SELECT count(*) FROM t WHERE a > 5 OR NOT (a IN (SELECT NULL::BIGINT UNION ALL SELECT 7))", "0"),
        ("SELECT count(*) FROM t WHERE a NOT IN (SELECT NULL::BIGINT)", "0"),
        ("SELECT count(*) FROM t WHERE NOT (a IN (SELECT NULL::BIGINT))", "0"),
        ("SELECT count(*) FROM t WHERE (a IN (SELECT NULL::BIGINT)) IS NULL", "3"),
        ("SELECT count(*) FROM t WHERE a > 5 OR a IN (SELECT 2 UNION ALL SELECT 7)", "1"),
    ]);
}

#[test]
fn subqueries_in_a_select_list() {
    hold(&[
        ("SELECT a IN (SELECT 1), a NOT IN (SELECT 1) FROM t ORDER BY c", "true|false;true|false;false|true"),
        ("SELECT a IN (SELECT NULL::BIGINT), a IN (SELECT 1 WHERE false) FROM t LIMIT 1", "null|false"),
        ("SELECT CASE WHEN a IN (SELECT 2) THEN 'two' ELSE 'other' END FROM t ORDER BY c", "other;other;two"),
        (
            "SELECT EXISTS (SELECT 1 FROM t AS u WHERE u.c = t.c + 1), NOT EXISTS (SELECT 1) FROM t ORDER BY c",
            "true|false;false|false;false|false",
        ),
        (
            "SELECT c = ANY (SELECT 2), c > ALL (SELECT a FROM t), c < ANY (SELECT 3) FROM t ORDER BY c",
            "true|false|true;false|true|false;false|true|false",
        ),
        (
            "SELECT c FROM t WHERE c >= ALL (SELECT c FROM t) OR c <> ALL (SELECT 2 UNION ALL SELECT 5) ORDER BY c",
            "3;5",
        ),
        ("SELECT (SELECT max(c) FROM t AS u WHERE u.a = t.a), (SELECT 7) FROM t ORDER BY c", "3|7;3|7;5|7"),
        ("SELECT {'a': {'b': 5}}.a.b, [{'a': 6}][1].a", "5|6"),
        ("SELECT x, b FROM t AS u(x) ORDER BY c LIMIT 1", "1|x"),
        ("SELECT [1, 2, 3][:2], [1, 2, 3][2:], [1, 2].list_transform(x -> x + 1)", "[1, 2]|[2, 3]|[2, 3]"),
        ("WITH v AS MATERIALIZED (VALUES (1, 'a')) SELECT col1, col0 FROM v", "a|1"),
        ("SELECT DATE '2020-01-31' + INTERVAL (1) DAY", "2020-02-01T00:00:00"),
    ]);
}

#[test]
fn macros() {
    hold(&[
        ("CREATE MACRO plus(x, y := 5) AS x + y; SELECT plus(1), plus(1, y := 2), plus(1, 3)", "6|3|4"),
        ("CREATE OR REPLACE FUNCTION twice(x) AS plus(x, x) * 1; SELECT twice(c) FROM t LIMIT 1", "4"),
        ("CREATE MACRO above(low) AS TABLE SELECT c FROM t WHERE c > low; FROM above(2) ORDER BY c", "3;5"),
        ("CREATE MACRO most(k) AS (SELECT max(c) FROM t WHERE a = k); SELECT most(1), most(2)", "3|5"),
        ("DROP MACRO IF EXISTS nothing; DROP MACRO twice; SELECT 1", "1"),
    ]);
    refuse(&[
        ("CREATE MACRO f(x) AS x; SELECT f()", ErrorKind::Query, "value for x"),
        ("CREATE MACRO g(x) AS x; SELECT g(1, 2)", ErrorKind::Query, "g(x)"),
        ("CREATE MACRO h(x) AS h(x + 1); SELECT h(1)", ErrorKind::Query, "call itself"),
        ("CREATE MACRO k(x) AS x; CREATE MACRO k(x) AS x", ErrorKind::Query, "already"),
    ]);
}

#[test]
fn parameters() {
    hold(&[
        ("PREPARE p AS SELECT c FROM t WHERE a = $1 AND c > $2 ORDER BY c; EXECUTE p(1, 2)", "3"),
        ("EXECUTE p(2, 0)", "5"),
        ("PREPARE q AS SELECT ? + ?; EXECUTE q(40, 2)", "42"),
        ("DEALLOCATE q; SELECT 1", "1"),
    ]);
    refuse(&[
        ("SELECT ?", ErrorKind::Query, "not provided a value"),
        ("EXECUTE nothing(1)", ErrorKind::Query, "no prepared statement"),
        ("PREPARE p AS SELECT $1; EXECUTE p(1, 2)", ErrorKind::Query, "parameter 2"),
        ("PREPARE p AS SELECT $1; EXECUTE p", ErrorKind::Query, "no value"),
    ]);
    let frame = session().sql_with("SELECT $n + 1", &[("n", 41i64.into())]).unwrap();
    assert_eq!(frame.count().unwrap(), 1);
    let missing = session().sql_with("SELECT $name", &[("nam", 1i64.into())]);
    assert!(missing.is_err_and(|e| e.advice().is_some_and(|a| a.contains("nam?"))));
}

#[test]
fn tables_are_filled() {
    let made = "CREATE OR REPLACE TABLE d(a INT NOT NULL, b VARCHAR DEFAULT 'none', c DOUBLE);";
    let case = |rest: &str| format!("{made} {rest}; FROM d ORDER BY a");
    let cases = [
        ("INSERT INTO d VALUES (1, 'x', 2), (2, DEFAULT, 3)", "1|x|2.0;2|none|3.0"),
        ("INSERT INTO d(c, a) VALUES (5, 1)", "1|none|5.0"),
        ("INSERT INTO d BY NAME SELECT c, a FROM t WHERE a = 2", "2|none|5.0"),
        ("INSERT INTO d FROM t WHERE a = 2; INSERT INTO d(a) VALUES (1)", "1|none|null;2|x|5.0"),
        ("INSERT INTO d(a) SELECT 1; TRUNCATE d", ""),
        ("INSERT INTO d(a) SELECT 1; TRUNCATE d; INSERT INTO d(a) VALUES (3)", "3|none|null"),
    ];
    let cases: Vec<(String, &str)> = cases.iter().map(|(rest, rows)| (case(rest), *rows)).collect();
    hold(&cases.iter().map(|(sql, rows)| (sql.as_str(), *rows)).collect::<Vec<_>>());
    hold(&[
        ("CREATE TABLE n AS FROM t; ALTER TABLE n RENAME TO m; SELECT count(*) FROM m", "3"),
        ("CREATE TEMP TABLE w AS SELECT 1 AS one; DROP TABLE w; DROP TABLE IF EXISTS w; SELECT 1", "1"),
        ("CREATE VIEW v(x) AS SELECT a FROM t; SELECT sum(x) FROM v", "4"),
        ("CREATE TABLE k(a INT PRIMARY KEY); INSERT INTO k VALUES (2), (1); FROM k ORDER BY a LIMIT 1", "1"),
        ("CREATE OR REPLACE VIEW v AS SELECT a + 1 AS n, n * 2 AS m FROM t; SELECT max(m) FROM v", "6"),
    ]);
    refuse(&[
        ("INSERT INTO t VALUES (1)", ErrorKind::Query, "2 are wanted"),
        ("INSERT INTO t(a, a) VALUES (1, 2)", ErrorKind::Query, "twice"),
        ("INSERT INTO t(q) VALUES (1)", ErrorKind::Query, "\"q\""),
        ("INSERT INTO t VALUES (NULL, 'x')", ErrorKind::Query, "NOT NULL"),
        ("INSERT INTO t(b) VALUES ('x')", ErrorKind::Query, "NOT NULL"),
        ("INSERT INTO t VALUES ('no number', 'x')", ErrorKind::Query, "no number"),
        ("INSERT INTO nothing VALUES (1)", ErrorKind::Query, "nothing"),
        ("INSERT OR REPLACE INTO t VALUES (1, 'x')", ErrorKind::Unsupported, "OR REPLACE"),
        ("INSERT INTO t VALUES (1, 'x') RETURNING a", ErrorKind::Unsupported, "RETURNING"),
        ("CREATE TABLE u(a INT CHECK (a > 0))", ErrorKind::Unsupported, "CHECK"),
        ("UPDATE t SET a = 1 FROM u", ErrorKind::Unsupported, "UPDATE .. FROM"),
        ("DELETE FROM t USING u", ErrorKind::Unsupported, "DELETE .. USING"),
        ("TABLE t LIMIT 1", ErrorKind::Unsupported, "TABLE"),
        ("BEGIN TRANSACTION", ErrorKind::Unsupported, "transactions"),
        ("ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)", ErrorKind::Unsupported, "ADD CONSTRAINT"),
        ("SET memory_limit = '1GB'", ErrorKind::Unsupported, "--memory"),
        ("PRAGMA database_list", ErrorKind::Unsupported, "PRAGMA database_list"),
    ]);
}

#[test]
fn tables_are_described() {
    hold(&[
        ("DESCRIBE t", "a|bigint;b|varchar;c|bigint"),
        ("DESCRIBE SELECT 1.5 AS x", "x|double"),
        ("SHOW TABLES", "t"),
        ("SHOW ALL TABLES", "t|table|a, b, c|bigint, varchar, bigint"),
        ("SHOW t", "a|bigint;b|varchar;c|bigint"),
        (
            "CREATE TABLE d(a INT NOT NULL, b VARCHAR DEFAULT 'x'); PRAGMA table_info('d')",
            "0|a|integer|true|null;1|b|varchar|false|'x'",
        ),
    ]);
}

#[test]
fn a_database_goes_out_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out").display().to_string();
    let session = session();
    session
        .execute("CREATE TABLE d(a INT NOT NULL, b VARCHAR DEFAULT 'none'); INSERT INTO d(a) VALUES (1), (2)")
        .unwrap();
    session.execute("CREATE VIEW z_view AS SELECT a FROM d; CREATE VIEW a_view AS FROM z_view WHERE a > 1").unwrap();
    session.execute(&format!("EXPORT DATABASE '{path}'")).unwrap();
    let other = self::session();
    other.execute(&format!("IMPORT DATABASE '{path}'; INSERT INTO d(a) VALUES (3)")).unwrap();
    assert_eq!(rows(&other, "FROM d ORDER BY a").unwrap(), "1|none;2|none;3|none");
    assert_eq!(rows(&other, "FROM a_view ORDER BY a").unwrap(), "2;3");
    let file = directory.path().join("rows.csv").display().to_string();
    let sql = format!("COPY d TO '{file}'; TRUNCATE d; COPY d FROM '{file}'; SELECT sum(a), min(b) FROM d");
    assert_eq!(rows(&other, &sql).unwrap(), "6|none");
}

/// Rows that are inserted rest in scratch like any others, but for a page.
#[test]
fn inserted_rows_spill() {
    let session = session();
    let ten = "FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS v(d)";
    let number = "x.d * 100 + y.d * 10 + z.d";
    let text = |i: usize| format!("md5('{i}' || CAST({number} AS VARCHAR))");
    let texts = (0..8).map(text).collect::<Vec<_>>().join(" || ");
    let thousand = format!("SELECT {number} AS n, {texts} AS s FROM ten AS x, ten AS y, ten AS z");
    session.execute(&format!("CREATE TABLE ten AS {ten}; CREATE TABLE big AS {thousand}")).unwrap();
    for _ in 0..9 {
        session.execute(&format!("INSERT INTO big {thousand}")).unwrap();
    }
    assert_eq!(rows(&session, "SELECT count(*), min(n), max(n) FROM big").unwrap(), "10000|0|999");
    assert!(session.stats().scratch_written > 256 << 10, "{:?}", session.stats());
}

/// A batch of many computed columns is no larger than others, though each of its cells is small.
#[test]
fn many_computed_columns_come_in_pieces() {
    let tuning = crate::config::Tuning { batch_bytes: 1 << 14, ..Default::default() };
    let session = Session::builder().threads(1).tuning(tuning).build().unwrap();
    let columns: Vec<String> = (0..64).map(|i| format!("range + {i} AS c{i}")).collect();
    let frame = session.sql(&format!("SELECT {} FROM range(5000)", columns.join(", "))).unwrap();
    let batches = frame.batches().unwrap().collect::<crate::Result<Vec<_>>>().unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= (1 << 14) / (64 * 8)));
    let values = batches.iter().flat_map(|b| b.column(63).as_primitive::<Int64Type>().values().to_vec());
    assert!(values.eq(63..5063));
}
