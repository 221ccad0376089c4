//! The budget is real: the command's own memory, anonymous and shared, sampled every millisecond while it runs, stays within
//! `--memory`; and the system maps no more for it than that and 32 MiB (`RLIMIT_DATA`).
//!
//! Each row of [`rows`] is one query over generated CSV, run with each budget of [`BUDGETS`]; all answers must be the same.
//! `cargo bench --bench memory_table` does the same over 1 GiB, and writes the table of docs/memory.md. Linux only: elsewhere
//! the budget holds by account.
#![cfg(target_os = "linux")]

#[path = "memory/child.rs"]
mod child;
#[path = "memory/input.rs"]
mod input;
#[path = "memory/rows.rs"]
mod rows;

use child::{Run, Setting};
use std::fmt::Write as _;
use std::path::Path;

/// `--memory`, and the most bytes that it means; `None` is the default.
const BUDGETS: &[(Option<&str>, u64)] = &[(Some("64MiB"), 64 << 20), (Some("256MiB"), 256 << 20), (None, u64::MAX)];

fn check(file: &Path, scratch: &Path) {
    let mut table = format!("{:<16}{:>10}{:>12}{:>8}  answer\n", "query", "budget", "peak MiB", "s");
    let mut failed = Vec::new();
    let outputs = tempfile::tempdir().unwrap();
    for rows::Row { name, sql } in rows::rows() {
        let sql = sql.replace("{dir}", &outputs.path().to_string_lossy());
        let mut first: Option<String> = None;
        for (memory, most) in BUDGETS {
            let budget = memory.unwrap_or("default");
            let data_limit = memory.map(|_| most + (32 << 20));
            let Run { answer, peak, time } = child::run(&Setting { file, scratch, memory: *memory, data_limit }, &sql);
            let shown =
                answer.as_ref().map_or_else(|e| e.lines().next().unwrap_or("").to_string(), |a| a.trim().into());
            let (mib, seconds) = (peak as f64 / (1 << 20) as f64, time.as_secs_f64());
            writeln!(table, "{name:<16}{budget:>10}{mib:>12.1}{seconds:>8.1}  {shown}").unwrap();
            match answer {
                Err(error) => failed.push(format!("{name} with {budget}: {error}")),
                Ok(answer) => {
                    if *first.get_or_insert(answer.clone()) != answer {
                        failed.push(format!("{name} with {budget}: another answer"));
                    }
                }
            }
            if peak > *most {
                failed.push(format!("{name} with {budget}: {peak} bytes of its own memory"));
            }
        }
    }
    eprintln!("{table}");
    assert!(failed.is_empty(), "{}\n{table}", failed.join("\n"));
}

#[test]
fn memory_stays_within_the_budget() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    input::generate(&path, 128 << 20);
    check(&path, dir.path());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left in scratch");
}
