//! How speed falls when memory does: aggregate, join, sort and window with a budget of 2, 1, 1/2, 1/8 and 1/32 of what
//! their state takes.
//!
//! `cargo bench --bench budgets [-- ROWS] [--only NAME]`
//!
//! The state is what the account saw at most where memory is no matter. There should be no cliff: nothing is written while
//! all fits, and then as much as does not fit. Each answer must be the same as the first.

use partita::Session;
use std::time::Instant;

/// A query over `{n}` rows; its only row is the same whatever the budget.
const QUERIES: &[(&str, &str)] = &[
    (
        "aggregate",
        "SELECT count(*), sum(n), max(s) FROM (SELECT range * 7919 % ({n} // 2) AS k, count(*) AS n, sum(range) AS s \
         FROM range({n}) GROUP BY k)",
    ),
    (
        "join",
        "SELECT count(*), sum(a.v + b.v) FROM (SELECT range * 7919 % {n} AS k, range AS v FROM range({n})) AS a \
         JOIN (SELECT range * 104729 % {n} AS k, range AS v FROM range({n})) AS b ON a.k = b.k",
    ),
    (
        "sort",
        "SELECT count(*), sum(v) FROM (SELECT range * 7919 % {n} AS k, range AS v, 'a text of some length' AS t \
         FROM range({n}) ORDER BY k, v LIMIT 1000000000000)",
    ),
    (
        "window",
        "SELECT count(*), sum(r), sum(l) FROM (SELECT row_number() OVER w AS r, lag(v) OVER w AS l \
         FROM (SELECT range * 7919 % 1000 AS g, range AS v FROM range({n})) WINDOW w AS (PARTITION BY g ORDER BY v DESC))",
    ),
];

/// Budgets as parts of the state: numerator, denominator.
const PARTS: &[(usize, usize)] = &[(2, 1), (1, 1), (1, 2), (1, 8), (1, 32)];

/// What a run gave and took.
struct Run {
    answer: String,
    seconds: f64,
    peak: usize,
    spilled: u64,
}

fn run(sql: &str, memory: usize) -> partita::Result<Run> {
    let session = Session::builder().memory(memory)?.build()?;
    let begun = Instant::now();
    let answer = session.sql(sql)?.lines()?.join("\n");
    let stats = session.stats();
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Run { answer, seconds, peak: stats.peak_account, spilled: stats.scratch_written })
}

fn main() -> partita::Result<()> {
    let (mut rows, mut only) = (20_000_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--only" => only = arguments.next(),
            number => rows = number.parse().unwrap_or(rows),
        }
    }
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    println!(
        "{:<12}{:>8}{:>12}{:>10}{:>10}{:>14}",
        "query", "of state", "budget MiB", "seconds", "times", "spilled MiB"
    );
    for (name, sql) in QUERIES {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let sql = sql.replace("{n}", &rows.to_string());
        let roomy = run(&sql, 16 << 30)?;
        println!(
            "{name:<12}{:>8}{:>12.0}{:>10.2}{:>10.2}{:>14.0}",
            "all",
            mib(roomy.peak as u64),
            roomy.seconds,
            1.0,
            0.0
        );
        for (part, of) in PARTS {
            let (memory, share) = (roomy.peak / of * part, format!("{part}/{of}"));
            match run(&sql, memory) {
                Ok(run) => {
                    assert_eq!(run.answer, roomy.answer, "{name} with {memory} bytes");
                    let (budget, times, spilled) = (mib(memory as u64), run.seconds / roomy.seconds, mib(run.spilled));
                    println!("{name:<12}{share:>8}{budget:>12.0}{:>10.2}{times:>10.2}{spilled:>14.0}", run.seconds);
                }
                Err(error) => println!("{name:<12}{share:>8}{:>12.0}  {}", mib(memory as u64), error.message()),
            }
        }
    }
    Ok(())
}
