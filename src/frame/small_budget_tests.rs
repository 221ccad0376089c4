//! Budgets that may be too small, for every kind of operator: the right answer, or a refusal before anything is spilled
//! that says how much is needed; never a failure in the middle.
//!
//! `BUDGETS=all` asks with many budgets, not only with some.

use super::{Session, testing};
use crate::error::ErrorKind;
use std::fmt::Write;

/// A query of each kind of operator over a table `t`.
const QUERIES: &[&str] = &[
    "SELECT count(*), sum(x) FROM t WHERE s LIKE '%7%'",
    "SELECT k, count(*), sum(id), max(s) FROM t GROUP BY k",
    "SELECT k, g, count(*) FROM t GROUP BY ROLLUP (k, g)",
    "SELECT g, median(x), count(DISTINCT k), mode(x) FROM t GROUP BY g",
    "SELECT DISTINCT s FROM t",
    "SELECT id, s FROM t ORDER BY s DESC, id",
    "SELECT id, s FROM t ORDER BY x, id LIMIT 3000",
    "SELECT a.id, b.s FROM t a JOIN t b ON a.k = b.id",
    "SELECT a.id, b.s FROM t a FULL JOIN t b ON a.id = b.k WHERE a.x < 300 OR b.x < 300",
    "SELECT count(*) FROM t WHERE s NOT IN (SELECT s FROM t WHERE x > 900)",
    "SELECT count(*), max(a.id + b.id) FROM t a JOIN (FROM t WHERE id < 20) b ON a.x < b.x",
    "SELECT a.id, b.id FROM t a ASOF JOIN t b ON a.g = b.g AND a.x > b.x WHERE a.id < 5000",
    "SELECT id, lag(s) OVER (ORDER BY x, id), sum(x) OVER (PARTITION BY g ORDER BY id) FROM t",
    "SELECT id, max(s) OVER (PARTITION BY g ORDER BY x, id ROWS BETWEEN 50 PRECEDING AND 50 FOLLOWING) FROM t",
    "SELECT s FROM t EXCEPT SELECT s FROM t WHERE x > 500",
    "SELECT k FROM t INTERSECT ALL SELECT id FROM t",
    "SELECT id FROM t UNION ALL SELECT k FROM t",
    "WITH c AS MATERIALIZED (SELECT k, max(s) AS m FROM t GROUP BY k) SELECT a.k, b.m FROM c a JOIN c b ON a.k = b.k + 2",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE n < 40) SELECT n, count(*) FROM r JOIN t ON n = g GROUP BY n",
    "SELECT a.id, a.s, b.k FROM t a POSITIONAL JOIN t b",
    "SELECT g, sum(n) FROM (SELECT g, k, count(*) AS n FROM t GROUP BY g, k) GROUP BY g ORDER BY g",
    "SELECT id, unnest([s, s || 'x']) FROM t",
];

fn rows(count: u64) -> String {
    let mut text = String::from("id,k,g,x,s\n");
    for id in 0..count {
        let h = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        writeln!(text, "{id},{},{},{},the text {h:0>40} of many", h % count / 2 * 2, h % 50, h % 1000).unwrap();
    }
    text
}

/// Asks in a session of its own; `None` where it is refused.
fn ask(path: &str, sql: &str, memory: usize, inline: bool) -> Option<Vec<String>> {
    let builder = Session::builder().memory(memory).unwrap().threads(2).inline(inline);
    let session = match builder.build() {
        Ok(session) => session,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Resources, "a session of {memory} bytes: {error}");
            return None;
        }
    };
    session.register_file("t", path).unwrap();
    let answer = testing::try_ask(&session, sql);
    match answer {
        Ok(mut lines) => {
            lines.sort();
            Some(lines)
        }
        Err(error) => {
            let what = format!("{sql} with {memory} bytes, inline {inline}: {error}");
            assert!(error.kind() == ErrorKind::Resources && error.advice().is_some(), "{what}");
            assert!(error.to_string().contains("needs at least"), "{what}");
            assert_eq!(session.stats().scratch_written, 0, "{what}");
            None
        }
    }
}

#[test]
fn a_budget_suffices_or_is_refused_at_once() {
    let all = std::env::var("BUDGETS").is_ok_and(|which| which == "all");
    let only = std::env::var("BUDGETS_QUERY").ok().and_then(|n| n.parse::<usize>().ok());
    let (count, steps): (u64, &[usize]) =
        if all { (40_000, &[]) } else { (4_000, &[1 << 20, 3 << 20, 9 << 20, 30 << 20]) };
    let (_file, path) = testing::file(".csv", &rows(count));
    let mut faults = Vec::new();
    for (number, sql) in QUERIES.iter().enumerate().filter(|(number, _)| only.is_none_or(|only| only == *number)) {
        let wanted = ask(&path, sql, 256 << 20, true).unwrap();
        assert!(!wanted.is_empty(), "{sql}");
        let (mut memory, mut answered) = (1 << 20, [false; 2]);
        let mut budgets = Vec::new();
        while memory <= 64 << 20 {
            budgets.push(memory);
            memory += (memory / 8).min(2 << 20) & !4095;
        }
        for memory in if steps.is_empty() { &budgets } else { steps } {
            for inline in [true, false] {
                let asked = || ask(&path, sql, *memory, inline);
                match std::panic::catch_unwind(asked) {
                    Ok(Some(lines)) => {
                        answered[usize::from(inline)] = true;
                        if lines != wanted {
                            faults.push(format!("{number}: {memory} inline {inline}: a wrong answer"));
                        }
                    }
                    Ok(None) if answered[usize::from(inline)] => {
                        faults.push(format!("{number}: {memory} inline {inline}: refused, but less suffices"));
                    }
                    Ok(None) => {}
                    Err(why) => faults.push(why.downcast_ref::<String>().cloned().unwrap_or_default()),
                }
            }
        }
        if !answered.iter().all(|a| *a) {
            faults.push(format!("{number}: {sql} is never answered"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
