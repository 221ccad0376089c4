//! The budget of a program that links Partita: its own anonymous memory, seen every millisecond, grows by no more than the
//! budget of its session, with the system's allocator and without the command's probe.
//!
//! Each case runs in a process of its own, which is this test once more; `LIBRARY_ROWS` says how much there is to do.
#![cfg(target_os = "linux")]

use partita::prelude::*;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const BUDGET: u64 = 64 << 20;

type Case = (&'static str, fn(&Session, i64) -> Result<u64>);

/// What is done with some rows; the answer is the same whatever the memory.
const CASES: &[Case] = &[
    ("frame: aggregate", |session, rows| {
        count(session, rows, "SELECT k, count(*) AS n, max(s) AS m FROM t GROUP BY k")
    }),
    ("frame: sort", |session, rows| count(session, rows, "SELECT * FROM t ORDER BY s")),
    ("frame: join", |session, rows| count(session, rows, "SELECT a.s AS a, b.s AS b FROM t a JOIN t b ON a.k = b.id")),
    ("frame: window", |session, rows| count(session, rows, "SELECT *, lag(s) OVER (ORDER BY k, id) AS l FROM t")),
    ("frame: 100 columns", |session, rows| {
        let columns: Vec<String> = (0..98).map(|i| format!("id + {i} AS c{i}")).collect();
        count(session, rows / 8, &format!("SELECT {}, s FROM t ORDER BY s", columns.join(", ")))
    }),
    ("frame: large cells", |session, rows| {
        count(session, rows / 1000, "SELECT id, repeat(s, 4000) AS l FROM t ORDER BY id DESC")
    }),
    ("frame: ten joins", |session, rows| {
        let joins: Vec<String> = (0..10).map(|i| format!("JOIN t AS t{i} ON t.k = t{i}.id")).collect();
        let query = format!("SELECT t.s, t9.s AS last FROM t {}", joins.join(" "));
        count(session, rows / 4, &query)
    }),
    ("four queries at once", |session, rows| {
        let queries = [
            "SELECT k, count(*) AS n, max(s) AS m FROM t GROUP BY k",
            "SELECT * FROM t ORDER BY s",
            "SELECT a.s AS a, b.s AS b FROM t a JOIN t b ON a.k = b.id",
            "SELECT DISTINCT s FROM t",
        ];
        let counts = std::thread::scope(|scope| {
            let threads = queries.map(|query| scope.spawn(move || count(session, rows / 4, query)));
            threads.map(|thread| thread.join().expect("a query panicked"))
        });
        counts.into_iter().sum()
    }),
    ("bag: groupby", |session, rows| {
        items(session, rows).groupby(|i| i.0).map(|key, items| (key, items.count())).count()
    }),
    ("bag: foldby", |session, rows| {
        items(session, rows).foldby(|i| i.0, 0u64, |n, item| n + item.1.len() as u64, |a, b| a + b).count()
    }),
    ("bag: join", |session, rows| {
        items(session, rows).join(&items(session, rows), |l| l.0, |r| r.0).map(|(l, r)| l.1.len() + r.1.len()).count()
    }),
    ("bag: sort", |session, rows| items(session, rows).sorted_by(|i| i.1.clone()).count()),
    ("bag: distinct", |session, rows| items(session, rows).map(|i| i.1).distinct().count()),
];

/// Rows of a query over `t`: a number, a key that two rows have, a text.
fn count(session: &Session, rows: i64, query: &str) -> Result<u64> {
    let table = format!(
        "WITH t AS (SELECT range AS id, (range * 7919 % {rows}) // 2 * 2 AS k, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS s \
         FROM range({rows})) {query}"
    );
    let mut counted = 0;
    for batch in session.sql(&table)?.batches()? {
        counted += batch?.num_rows() as u64;
    }
    Ok(counted)
}

fn items(session: &Session, rows: i64) -> Bag<(i64, String)> {
    Bag::range(session, 0..rows, 20).map(move |n| (n * 7919 % rows / 2, format!("the text of item {n:0>60}")))
}

/// Anonymous memory of this process, in bytes.
fn anonymous() -> u64 {
    partita::memory::anonymous_bytes().unwrap_or(0) as u64
}

/// Runs one case and says by how much this process grew at most.
fn measure(name: &str, rows: i64) {
    let (_, case) = CASES.iter().find(|(known, _)| *known == name).unwrap();
    let session = Session::builder().memory(BUDGET as usize).unwrap().threads(2).build().unwrap();
    session.execute("SELECT 1").unwrap();
    let (peak, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let before = anonymous();
    let watch = std::thread::spawn({
        let (peak, ended) = (peak.clone(), ended.clone());
        move || {
            while !ended.load(Relaxed) {
                peak.fetch_max(anonymous(), Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let answer = case(&session, rows).unwrap_or_else(|e| panic!("{name}: {e}"));
    ended.store(true, Relaxed);
    watch.join().unwrap();
    let stats = session.stats();
    println!(
        "grew {} answer {answer} account {} spilled {}",
        peak.load(Relaxed).saturating_sub(before),
        stats.peak_account,
        stats.scratch_written
    );
}

/// What a case may grow by. The allocator of a program keeps what it likes, and nothing watches it: a sixteenth more is
/// allowed. The bound is to be tightened, never widened.
const MOST: u64 = BUDGET + BUDGET / 16;

#[test]
fn a_program_grows_by_no_more_than_its_sessions_budget() {
    let rows = std::env::var("LIBRARY_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(600_000);
    if let Ok(name) = std::env::var("LIBRARY_CASE") {
        return measure(&name, rows);
    }
    let (mut wrong, only) = (Vec::new(), std::env::var("LIBRARY_ONLY").ok());
    for (name, _) in CASES.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)) {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "a_program_grows_by_no_more_than_its_sessions_budget", "--nocapture"]);
        let output = child.env("LIBRARY_CASE", name).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = said.lines().find_map(|line| line.split_once("grew ")).map(|(_, told)| told.to_string());
        let grew = told.as_deref().and_then(|told| told.split_whitespace().next()?.parse::<u64>().ok());
        eprintln!("{name:<24}{:>8.1} MiB  {}", grew.unwrap_or(0) as f64 / (1 << 20) as f64, told.unwrap_or_default());
        match grew {
            None => wrong.push(format!("{name}: {said}{}", String::from_utf8_lossy(&output.stderr))),
            Some(grew) if grew > MOST => wrong.push(format!("{name} grew by {grew} bytes")),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
