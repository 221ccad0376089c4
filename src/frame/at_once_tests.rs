//! Several queries at once in one session that is too small for all of them: right answers, whatever the others do, also
//! where some are dropped in the middle and where the disk breaks.
//!
//! `AT_ONCE=100` asks a hundred times as often as usual.

use super::faulted::tiny;
use super::testing::{self, Random, try_ask};
use super::{Session, SessionBuilder};
use crate::error::ErrorKind;
use crate::store::{Fault, FaultyDisk};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Of different kinds; each one would like to have all the memory.
const QUERIES: [&str; 6] = [
    "SELECT k, count(*), max(s) FROM t GROUP BY k",
    "SELECT id, s FROM t ORDER BY s DESC, id",
    "SELECT a.id, a.s, b.s FROM t a JOIN t b ON a.k = b.id",
    "SELECT id, lag(s) OVER (PARTITION BY g ORDER BY x, id), sum(x) OVER (ORDER BY id) FROM t",
    "SELECT DISTINCT s FROM t WHERE s NOT IN (SELECT s FROM t WHERE x > 900)",
    "SELECT g, median(x), count(DISTINCT s) FROM t GROUP BY g",
];

fn csv(count: u64) -> (tempfile::NamedTempFile, String) {
    let mut text = String::from("id,k,g,x,s\n");
    for id in 0..count {
        let h = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        writeln!(text, "{id},{},{},{},the text {h:0>60} of many", h % count / 2 * 2, h % 9, h % 1000).unwrap();
    }
    testing::file(".csv", &text)
}

/// Ends the test run when nothing is answered for long.
struct Watch(Arc<(AtomicU64, AtomicBool)>);

impl Watch {
    fn begin(what: String) -> Watch {
        let moves = Arc::new((AtomicU64::new(0), AtomicBool::new(false)));
        let seen = moves.clone();
        std::thread::spawn(move || {
            let (mut before, mut since) = (0, Instant::now());
            while !seen.1.load(Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                let now = seen.0.load(Relaxed);
                if now != before {
                    (before, since) = (now, Instant::now());
                } else if since.elapsed() > Duration::from_secs(180) {
                    eprintln!("{what} hangs after {now} queries");
                    std::process::abort();
                }
            }
        });
        Watch(moves)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.1.store(true, Relaxed);
    }
}

/// How often each of four threads asks.
fn times() -> u64 {
    4 * std::env::var("AT_ONCE").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Asks from four threads; with `spills`, scratch must be used; some of the answers are dropped after their first rows. With
/// `breaks` the disk breaks now and then, and an answer may be an error that says so.
fn ask_at_once(builder: SessionBuilder, rows: u64, spills: bool, breaks: bool) {
    let disk = Arc::new(FaultyDisk::new(Fault::None, 0, 5));
    let session = builder.threads(2).disk(disk.clone()).build().unwrap();
    let (_file, path) = csv(rows);
    session.register_file("t", &path).unwrap();
    let roomy = testing::roomy();
    roomy.register_file("t", &path).unwrap();
    let wanted = QUERIES.map(|sql| testing::ask_sorted(&roomy, sql));
    let free = session.engine().memory().budget.free();
    let watch = Watch::begin(format!("with {free} bytes"));
    let (answers, broken) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (session, wanted, disk, watch) = (&session, &wanted, &disk, &watch);
            let (answers, broken) = (&answers, &broken);
            scope.spawn(move || {
                let mut random = Random(0x9E37_79B9 + thread * 7919);
                for _ in 0..times() {
                    let which = random.below(QUERIES.len() as u64) as usize;
                    if breaks && random.below(3) == 0 {
                        let fault = [Fault::Broken, Fault::Full, Fault::Flip, Fault::Short][random.below(4) as usize];
                        disk.arm(fault, random.below(200));
                    }
                    watch.0.0.fetch_add(1, Relaxed);
                    if random.below(4) == 0 {
                        let mut batches = session.sql(QUERIES[which]).unwrap().batches().unwrap();
                        std::thread::sleep(Duration::from_millis(random.below(60)));
                        if random.below(2) == 0 {
                            drop(batches.next());
                        }
                        continue;
                    }
                    match try_ask(session, QUERIES[which]) {
                        Ok(mut lines) => {
                            lines.sort();
                            assert!(lines == wanted[which], "{}: a wrong answer", QUERIES[which]);
                            answers.fetch_add(1, Relaxed);
                        }
                        Err(error) => {
                            let says = error.to_string().contains("scratch") && error.kind() != ErrorKind::Internal;
                            assert!(breaks && says, "{}: {error}", QUERIES[which]);
                            broken.fetch_add(1, Relaxed);
                        }
                    }
                }
            });
        }
    });
    disk.arm(Fault::None, 0);
    assert!(answers.load(Relaxed) > 0, "{broken:?} errors and no answer");
    assert!(!spills || session.stats().scratch_written > 0, "nothing spills");
    nothing_is_left(&session, free);
    for (sql, wanted) in QUERIES.iter().zip(&wanted) {
        assert!(testing::ask_sorted(&session, sql) == *wanted, "{sql}, when all is over");
    }
}

/// Queries that were dropped may be about to end.
fn nothing_is_left(session: &Session, free: usize) {
    let budget = &session.engine().memory().budget;
    let is_clean = || budget.claims().is_empty() && budget.free() == free && session.0.scratch.used() == 0;
    for _ in 0..50_000 {
        if is_clean() {
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let held: Vec<_> = budget.claims().iter().filter_map(|c| budget.find(c.id)).map(|r| format!("{r:?}")).collect();
    panic!("{held:?} left, {} of {free} free, {} of scratch", budget.free(), session.0.scratch.used());
}

#[test]
fn four_at_once_in_a_small_session() {
    for memory in ["64MiB", "16MiB"] {
        ask_at_once(Session::builder().memory(memory).unwrap().tuning(testing::small()), 3000, false, false);
    }
}

#[test]
fn four_at_once_in_hardly_any_memory() {
    ask_at_once(Session::builder().memory("3MiB").unwrap().tuning(tiny()), 3000, true, false);
}

#[test]
fn four_at_once_while_the_disk_breaks() {
    ask_at_once(Session::builder().memory("4MiB").unwrap().tuning(tiny()), 3000, true, true);
}

/// With the constants of every day, and rows that need them. Under 24 MiB the two windows need most of it when their turn
/// comes, while others hold their floors.
#[test]
#[ignore = "long: -- --ignored at_once"]
fn four_at_once_with_more_rows() {
    for (memory, breaks) in [("64MiB", false), ("64MiB", true), ("24MiB", false), ("24MiB", true)] {
        ask_at_once(Session::builder().memory(memory).unwrap(), 300_000, true, breaks);
    }
}

#[test]
fn a_stage_is_not_refused_for_what_an_earlier_one_keeps() {
    let (_file, path) = csv(100_000);
    let lines = [64, 24].map(|mib: usize| {
        let session = Session::builder().memory(mib << 20).unwrap().threads(2).build().unwrap();
        session.register_file("t", &path).unwrap();
        testing::ask_sorted(&session, QUERIES[3])
    });
    assert!(lines[0] == lines[1]);
}
