//! SQL cases of other projects, with the answers that two engines agree on or that the project's own tests expect.
//!
//! `cargo test --test conformance` runs the sample in testdata/conformance, roomy and starved: each of its cases must pass.
//! `cargo test --test conformance -- --ignored --nocapture` runs the whole collection beside the repository (or the
//! directories that `CASES_DIR` names, separated by `:`) and prints what passed, what failed, and why; docs/conformance.md
//! holds the numbers. `CASES_TAG=portable` and `CASES_FILTER=text of an id` choose; `CASES_OUT=FILE` lists every failure.

#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/compare.rs"]
mod compare;

use case::Case;
use compare::Row;
use partita::{Outcome, Session, cells};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long a case may run, where many do: the rest should have its turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// The rows of the last query of `case`, as the command would print them.
fn rows(session: &Session, case: &Case) -> partita::Result<Vec<Row>> {
    for (name, path) in &case.tables {
        session.register_file(name, path)?;
    }
    let mut found = Vec::new();
    for statement in session.statements(&case.sql)? {
        if let Outcome::Rows(batches) = session.run(&statement)? {
            found.clear();
            for batch in batches {
                append(&batch?, &mut found)?;
            }
        }
    }
    Ok(found)
}

fn append(batch: &arrow::array::RecordBatch, rows: &mut Vec<Row>) -> partita::Result<()> {
    let columns = batch.columns().iter().map(|c| cells::Column::new(c.as_ref())).collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        let cell = |column: &cells::Column<'_>| {
            let mut bytes = Vec::new();
            column.text(row, &mut bytes);
            (!column.is_null(row)).then(|| String::from_utf8_lossy(&bytes).into_owned())
        };
        rows.push(columns.iter().map(cell).collect());
    }
    Ok(())
}

/// What is wrong with the answer to `case`: a cause that many cases may share. A case leaves nothing behind.
fn wrong(session: &Session, case: &Case) -> Option<String> {
    let known: Vec<String> = tables(session);
    let answer = catch_unwind(AssertUnwindSafe(|| rows(session, case)));
    for name in tables(session).iter().filter(|name| !known.contains(name)) {
        let _ = session.execute(&format!("DROP TABLE IF EXISTS \"{name}\""));
    }
    match answer {
        Ok(Ok(rows)) => compare::difference(case, &rows),
        Ok(Err(error)) => Some(cause(error.message())),
        Err(_) => Some("panic".to_string()),
    }
}

fn tables(session: &Session) -> Vec<String> {
    let show = Case {
        id: String::new(),
        sql: "SHOW TABLES".into(),
        tables: Vec::new(),
        types: Vec::new(),
        sort: String::new(),
        expected: Vec::new(),
        tags: Vec::new(),
        is_slt: false,
    };
    rows(session, &show).unwrap().into_iter().filter_map(|mut row| row.remove(0)).collect()
}

/// The first line of a message, without what differs from case to case.
fn cause(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    let mut plain = String::new();
    let mut quoted = None;
    for c in line.chars() {
        match quoted {
            Some(q) if c == q => quoted = None,
            Some(_) => continue,
            None if c == '"' => quoted = Some(c),
            None if c.is_ascii_digit() => {
                if !plain.ends_with('#') {
                    plain.push('#');
                }
                continue;
            }
            None => {}
        }
        plain.push(c);
    }
    plain.chars().take(100).collect()
}

fn session(memory: &str) -> Session {
    Session::builder().memory(memory).unwrap().threads(2).build().unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Each case of the sample passes, whatever the budget.
#[test]
fn the_sample_passes() {
    for memory in ["1GiB", "64MiB"] {
        let session = session(memory);
        for folder in ["duckdb", "datafusion"] {
            let cases = case::read(&root().join("testdata/conformance").join(folder));
            assert!(cases.len() > 50, "{folder} has lost its cases");
            let failed: Vec<String> = cases
                .iter()
                .filter_map(|case| Some(format!("{}: {}\n{}", case.id, wrong(&session, case)?, case.sql)))
                .collect();
            assert!(failed.is_empty(), "{} failed at {memory}:\n{}", failed.len(), failed.join("\n\n"));
        }
    }
}

/// Runs everything and prints how it went. Nothing is asserted: docs/conformance.md is where the numbers are.
#[test]
#[ignore = "long; prints numbers"]
fn the_collection() {
    let directories = directories();
    if directories.is_empty() {
        eprintln!("skipped: there are no cases in ../shared/testdata/sql, and CASES_DIR names none");
    }
    let mut out = String::new();
    for directory in directories {
        report(&directory, &mut out);
    }
    if let Some(path) = std::env::var_os("CASES_OUT") {
        std::fs::write(path, out).unwrap();
    }
}

fn directories() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("CASES_DIR") {
        return std::env::split_paths(&named).collect();
    }
    let all = root().join("../shared/testdata/sql");
    let folders = ["sqlite", "duckdb", "datafusion", "risinglight"].map(|name| all.join(name));
    folders.into_iter().filter(|f| f.join("cases.jsonl").is_file()).collect()
}

fn report(directory: &Path, out: &mut String) {
    let chosen = |name: &str| std::env::var(name).unwrap_or_default();
    let (tag, filter) = (chosen("CASES_TAG"), chosen("CASES_FILTER"));
    let wanted = |case: &Case| (tag.is_empty() || case.tags.contains(&tag)) && case.id.contains(&filter);
    let cases: Arc<Vec<Case>> = Arc::new(case::read(directory).into_iter().filter(wanted).collect());
    let failures = run_all(&cases);
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for cause in failures.values() {
        *causes.entry(cause).or_default() += 1;
    }
    println!("{}: {} passed, {} failed", directory.display(), cases.len() - failures.len(), failures.len());
    for tag in ["portable", "std"] {
        let tagged: Vec<&Case> = cases.iter().filter(|c| c.tags.iter().any(|t| t == tag)).collect();
        let failed = tagged.iter().filter(|c| failures.contains_key(&c.id)).count();
        println!("  {tag}: {} passed, {failed} failed", tagged.len() - failed);
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    causes.iter().take(60).for_each(|(cause, count)| println!("  {count:5} {cause}"));
    for case in cases.iter() {
        if let Some(cause) = failures.get(&case.id) {
            let line = serde_json::json!({"id": case.id, "cause": cause, "tags": case.tags, "sql": case.sql});
            let _ = writeln!(out, "{line}");
        }
    }
}

/// What is wrong with each case that fails. A case that never ends is left to itself, with its session and thread.
fn run_all(cases: &Arc<Vec<Case>>) -> BTreeMap<String, String> {
    let mut failures = BTreeMap::new();
    let mut next = 0;
    while next < cases.len() {
        let session = session("512MiB");
        if cases.iter().any(|case| case.is_slt) {
            session.execute("SET integer_division = true").unwrap();
        }
        let told = run_from(next, cases, &session);
        for case in cases.iter().skip(next) {
            next += 1;
            match told.recv_timeout(PATIENCE) {
                Ok(None) => {}
                Ok(Some(cause)) => drop(failures.insert(case.id.clone(), cause)),
                Err(_) => {
                    failures.insert(case.id.clone(), "no answer in time".to_string());
                    session.cancel_all();
                    break;
                }
            }
        }
    }
    failures
}

fn run_from(first: usize, cases: &Arc<Vec<Case>>, session: &Session) -> mpsc::Receiver<Option<String>> {
    let (tell, told) = mpsc::channel();
    let (cases, session) = (cases.clone(), session.clone());
    let work = move || {
        for case in cases.iter().skip(first) {
            if tell.send(wrong(&session, case)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap();
    told
}
