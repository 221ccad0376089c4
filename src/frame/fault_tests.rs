//! Whole queries under faults: whichever operation of the disk breaks and whichever memory is refused, the answer is right
//! or the error is clear, and nothing is left (see [`faulted`](super::faulted)).

use super::faulted::{Case, break_everywhere};
use super::{Session, testing};
use std::fmt::Write;

/// CSV: a row's number, many keys, a giant one among few, a number with ties, text.
fn rows() -> String {
    let mut text = String::from("id,k,g,x,s\n");
    for id in 0..700u64 {
        let h = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let g = if id % 10 < 7 { 0 } else { id % 30 };
        writeln!(text, "{id},{},{g},{},text number {:0>30} of many", h % 250, h % 700, h % 650).unwrap();
    }
    text
}

/// How many places of each fault are tried.
const PLACES: u64 = 10;

fn check(cases: Vec<Case>) {
    check_on(true, cases);
}

fn check_on(inline: bool, cases: Vec<Case>) {
    let (_file, path) = testing::file(".csv", &rows());
    let prepare = |session: &Session| session.register_file("t", &path);
    let spilling = cases.iter().filter(|case| case.spills).count() as u64;
    let met = break_everywhere(cases, PLACES, inline, &prepare);
    assert!(met.starved.is_empty(), "{:#?}", met.starved);
    assert!(met.faults >= spilling * PLACES * 3 && met.answers < met.faults, "{met:?}");
}

#[test]
fn aggregates() {
    check(vec![
        Case::rows("SELECT k, count(*), sum(id), avg(x), min(s), max(s) FROM t GROUP BY k"),
        Case::rows("SELECT DISTINCT s, x FROM t"),
        Case::rows("SELECT k, g, count(*), max(s) FROM t GROUP BY CUBE (k, g)"),
    ]);
}

/// One group is most of the rows.
#[test]
fn holistic_aggregates() {
    check(vec![
        Case::rows("SELECT g, median(id), quantile_cont(x, 0.3) FROM t GROUP BY g"),
        Case::rows("SELECT g, quantile_disc(s, 0.7) FROM t GROUP BY g").must_fit(),
        Case::rows("SELECT g, mode(s), count(DISTINCT s), sum(DISTINCT x) FROM t GROUP BY g"),
        Case::rows(
            "SELECT g, md5(string_agg(s, ',' ORDER BY x, id)), array_agg(id ORDER BY id DESC) FROM t GROUP BY g",
        )
        .must_fit(),
        Case::rows("SELECT g, first(s ORDER BY x, id), arg_max(s, id), histogram(x) FROM t GROUP BY g").must_fit(),
    ]);
}

#[test]
fn joins() {
    let sums = "count(*), sum(a.id), sum(b.id), min(a.s), max(b.s)";
    let outer = |kind: &str| {
        format!(
            "SELECT {sums} FROM (SELECT * FROM t WHERE x < 500) a {kind} JOIN (SELECT * FROM t WHERE x > 200) b ON a.k = b.k"
        )
    };
    check(vec![
        Case::rows("SELECT a.id, a.s, b.s FROM t a JOIN t b ON a.id = b.id"),
        Case::rows(&outer("LEFT")),
        Case::rows(&outer("RIGHT")),
        Case::rows(&outer("FULL")),
    ]);
}

#[test]
fn joins_that_only_ask() {
    check(vec![
        Case::rows("SELECT id, s FROM t WHERE s IN (SELECT s FROM t WHERE x > 300)"),
        Case::rows("SELECT id, s FROM t WHERE s NOT IN (SELECT s FROM t WHERE x > 300)"),
        Case::rows("SELECT id, s FROM t a WHERE NOT EXISTS (SELECT 1 FROM t b WHERE a.s = b.s AND b.x > 300)"),
    ]);
}

#[test]
fn joins_with_a_giant_key_or_without_keys() {
    check(vec![
        Case::rows("SELECT count(*), sum(a.id * b.id), max(a.s) FROM t a JOIN t b ON a.g = b.g WHERE a.id < 50"),
        Case::rows(
            "SELECT count(*), sum(a.id * b.id), max(b.s) FROM (FROM t WHERE id < 150) a JOIN t b ON a.x < b.x AND b.x < a.x + 9 AND a.s <> b.s",
        ),
        Case::rows("SELECT a.id, b.id, b.s FROM t a ASOF JOIN t b ON a.g = b.g AND a.x >= b.x"),
        Case::rows("SELECT count(*), sum(a.id), max(b.s) FROM t a, t b WHERE a.id < 20"),
    ]);
}

#[test]
fn sorts() {
    check(vec![
        Case::ordered("SELECT id, s FROM t ORDER BY s DESC, id"),
        Case::ordered("SELECT x, id, s FROM t ORDER BY x, id LIMIT 500 OFFSET 100"),
        Case::ordered("SELECT x, id FROM t ORDER BY x, id LIMIT 5").streams(),
        Case::ordered("SELECT * FROM t").streams(),
        Case::ordered("SELECT * FROM (SELECT * FROM t LIMIT 600) POSITIONAL JOIN (SELECT s AS z FROM t LIMIT 700)"),
    ]);
}

#[test]
fn windows() {
    check(vec![
        Case::rows("SELECT id, rank() OVER (ORDER BY x), sum(id) OVER (ORDER BY x, id), count(s) OVER () FROM t"),
        Case::rows(
            "SELECT id, s, lag(s) OVER (PARTITION BY g ORDER BY id), max(s) OVER (PARTITION BY g), \
             ntile(7) OVER (PARTITION BY g ORDER BY x, id) FROM t",
        ),
        Case::rows(
            "SELECT id, min(s) OVER (PARTITION BY g ORDER BY x, id ROWS BETWEEN 100 PRECEDING AND 50 FOLLOWING), \
             last_value(s) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM t",
        ),
    ]);
}

#[test]
fn sets_and_shared_parts() {
    check(vec![
        Case::rows("SELECT s, x FROM t EXCEPT SELECT s, x FROM t WHERE x > 300"),
        Case::rows("SELECT k, g FROM t INTERSECT ALL SELECT k, g FROM t WHERE x > 100"),
        Case::rows("SELECT s FROM t WHERE x < 400 UNION SELECT s FROM t WHERE x > 200"),
        Case::rows(
            "WITH c AS MATERIALIZED (SELECT k, max(s) AS m, sum(id) AS n FROM t GROUP BY k) \
             SELECT a.k, a.m, b.n FROM c a JOIN c b ON a.k = b.k + 1",
        ),
        Case::rows(
            "WITH RECURSIVE r(n, s) AS (SELECT id, s FROM t WHERE id < 100 UNION \
             SELECT r.n + 100, t.s FROM r JOIN t ON t.id = r.n + 100) SELECT n, s FROM r",
        ),
        Case::rows("SELECT g, unnest(l) FROM (SELECT g, array_agg(s ORDER BY id) AS l FROM t GROUP BY g)")
            .streams()
            .must_fit(),
    ]);
}

/// Many threads, so that faults come at any moment of the others.
#[test]
fn workers_side_by_side() {
    check_on(
        false,
        vec![
            Case::rows("SELECT k, count(*), min(s) FROM t GROUP BY k"),
            Case::rows("SELECT a.id, a.s, b.s FROM t a JOIN t b ON a.id = b.id"),
            Case::ordered("SELECT id, s FROM t ORDER BY s DESC, id"),
        ],
    );
}

/// The directory goes while the session lives: what spills then says so.
#[test]
fn a_directory_that_went_away_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let session =
        Session::builder().memory("8MiB").unwrap().tuning(testing::small()).scratch(&scratch).build().unwrap();
    std::fs::remove_dir(&scratch).unwrap();
    let error = testing::error(&session, "SELECT range AS a, md5(range::VARCHAR) AS b FROM range(200000) ORDER BY b");
    assert!(error.contains(&*scratch.to_string_lossy()) && error.contains("point --scratch"), "{error}");
    assert_eq!(testing::ask(&session, "SELECT count(*) FROM range(1000)"), ["1000"], "what needs no scratch goes on");
}

#[test]
fn stored_tables() {
    let stored = |session: &Session| {
        let made = session.execute("CREATE OR REPLACE TABLE p AS SELECT k, s, id FROM t WHERE x < 600");
        let rows =
            made.and_then(|()| testing::try_ask(session, "SELECT k, max(s), count(*) FROM p GROUP BY k ORDER BY k"));
        session.execute("DROP TABLE IF EXISTS p")?;
        rows
    };
    check(vec![Case::of("a stored table", stored)]);
}

#[test]
#[ignore = "long: -- --ignored fault_tests::outputs"]
fn outputs() {
    let dir = tempfile::tempdir().unwrap();
    let writes = |copy: &str, reads: &str| {
        let out = dir.path().join("out");
        let copy = copy.replace("{out}", &out.to_string_lossy());
        let reads = reads.replace("{out}", &out.to_string_lossy());
        let write = move |session: &Session| {
            session.execute(&copy)?;
            // Reading it back is not what is tested: that needs no scratch.
            let rows = testing::try_ask(&testing::roomy(), &reads);
            match out.is_dir() {
                true => std::fs::remove_dir_all(&out).unwrap(),
                false => std::fs::remove_file(&out).unwrap(),
            }
            rows
        };
        Case { outputs: Some(dir.path()), ..Case::of("COPY", write) }
    };
    let copy = "COPY (SELECT t.*, id % 90 AS q FROM t, range(14)) TO '{out}'";
    let sums = "count(*), sum(id), sum(k), max(s), count(DISTINCT s)";
    check(vec![
        writes(&format!("{copy} (FORMAT csv, PARTITION_BY (q))"), &format!("SELECT {sums} FROM '{{out}}/*/*.csv'")),
        writes(
            &format!("{copy} (FORMAT parquet, PARTITION_BY (q))"),
            &format!("SELECT {sums} FROM '{{out}}/*/*.parquet'"),
        ),
        writes(
            "COPY (SELECT t.* FROM t, range(14) ORDER BY s, id) TO '{out}' (FORMAT parquet)",
            "SELECT id, s FROM read_parquet('{out}')",
        ),
        writes(
            "COPY (SELECT t.* FROM t, range(14) ORDER BY x, id) TO '{out}' (FORMAT csv, HEADER)",
            "SELECT id, s FROM read_csv('{out}')",
        ),
    ]);
}
