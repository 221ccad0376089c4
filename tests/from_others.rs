//! docs/from-dask.md, from-polars.md and from-duckdb.md: other engines' verbs beside ours.
//!
//! The pairs are in tests/from/; ours are compiled and run here, and give what the other engine gave
//! (tests/from/answers.jsonl), up to the order of rows where ours promises none, except where the pair says what differs. DuckDB's lines are also run
//! by our SQL as they are. The documents are written from the pairs: `UPDATE=1 cargo test --test from_others`.
//!
//! Answers are recorded with `PARTITA_PYTHON=python3 cargo test --test from_others -- --ignored`, by a Python that has
//! polars, dask and duckdb.

use partita::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

/// One verb of theirs and of ours.
pub struct Pair {
    theirs: &'static str,
    ours: &'static str,
    /// What differs, if something does.
    note: Option<&'static str>,
    run: fn(Frame, Frame, Frame, &Session) -> Result<Frame>,
}

/// A title and its pairs.
pub type Table = (&'static str, Vec<Pair>);

macro_rules! note {
    () => {
        None
    };
    ($note:literal) => {
        Some($note)
    };
}

/// `theirs => ours;` or `theirs => ours, "what differs";`
macro_rules! pairs {
    (($trips:ident, $cities:ident, $lists:ident, $session:ident)
        $($theirs:literal => $ours:expr $(, $note:literal)?;)*) => {
        vec![$(Pair {
            theirs: $theirs,
            ours: stringify!($ours),
            note: note!($($note)?),
            #[allow(unused_variables)]
            run: |$trips, $cities, $lists, $session| Ok($ours),
        }),*]
    };
}

#[path = "from/dask.rs"]
mod dask;
#[path = "from/duckdb.rs"]
mod duckdb;
#[path = "from/polars.rs"]
mod polars;

const ANSWERS: &str = "tests/from/answers.jsonl";

fn engines() -> [(&'static str, &'static str, Vec<Table>); 3] {
    [
        ("dask", "Dask", dask::sections()),
        ("polars", "Polars", polars::sections()),
        ("duckdb", "DuckDB", duckdb::sections()),
    ]
}

fn session() -> Session {
    let session = Session::builder().memory("64MiB").unwrap().threads(2).build().unwrap();
    for name in ["trips", "cities"] {
        session.register_file(name, &format!("testdata/{name}.csv")).unwrap();
    }
    let lists = "CREATE TABLE lists AS FROM (VALUES (1, [10, 20]), (2, []), (3, NULL)) t(n, l)";
    session.execute(lists).unwrap();
    session
}

fn ours(session: &Session, pair: &Pair) -> Result<Vec<String>> {
    let [trips, cities] = ["trips", "cities"].map(|name| session.read_csv(&format!("testdata/{name}.csv")).unwrap());
    (pair.run)(trips, cities, session.sql("FROM lists")?, session)?.lines()
}

/// Whether our line promises an order of rows: nothing in it makes groups, joins, or sorts for itself.
fn keeps_order(ours: &str) -> bool {
    let free =
        ["group_by", "join", "distinct", "over(", "ranked", "pivot", "rolling_by", "sample", "hstack", "value_counts"];
    !free.iter().any(|word| ours.contains(word))
}

/// Lines in one spelling: whole floats as integers, midnight as the day, floats to 12 digits; where their order means
/// nothing, in the order of text.
fn normal(lines: &[String], in_order: bool) -> Vec<String> {
    let rounded = |text: &str| text.parse::<f64>().map(|n| format!("{n:.12e}").parse::<f64>().unwrap_or(n));
    let cell = |cell: &str| match rounded(cell) {
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{}", number as i64),
        Ok(number) => number.to_string(),
        Err(_) => cell.trim_end_matches("T00:00:00").to_string(),
    };
    let mut lines: Vec<String> =
        lines.iter().map(|line| line.split('|').map(cell).collect::<Vec<_>>().join("|")).collect();
    if !in_order {
        lines.sort();
    }
    lines
}

fn recorded() -> BTreeMap<(String, String), Vec<String>> {
    let text = std::fs::read_to_string(ANSWERS).unwrap();
    let entry = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_string();
        let lines = value["lines"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_string()).collect();
        ((text("engine"), text("theirs")), lines)
    };
    text.lines().map(entry).collect()
}

#[test]
fn every_line_of_ours_runs_and_gives_their_answer() {
    let (session, recorded) = (session(), recorded());
    let mut wrong = Vec::new();
    for (engine, _, tables) in engines() {
        for pair in tables.iter().flat_map(|(_, pairs)| pairs) {
            let theirs = recorded.get(&(engine.to_string(), pair.theirs.to_string()));
            let Some(theirs) = theirs else {
                wrong.push(format!("{engine}: no answer is recorded for {}", pair.theirs));
                continue;
            };
            match ours(&session, pair) {
                Err(e) => wrong.push(format!("{engine}: {}: {e}", pair.ours)),
                Ok(lines)
                    if pair.note.is_none() && {
                        let in_order = keeps_order(pair.ours);
                        normal(&lines, in_order) != normal(theirs, in_order)
                    } =>
                {
                    wrong.push(format!("{engine}: {}\n  ours {lines:?}\n  theirs {theirs:?}", pair.ours));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_line_of_duckdb_is_our_sql_too() {
    let (session, recorded) = (session(), recorded());
    let mut wrong = Vec::new();
    for pair in duckdb::sections().iter().flat_map(|(_, pairs)| pairs).filter(|p| p.note.is_none()) {
        let theirs = &recorded[&("duckdb".to_string(), pair.theirs.to_string())];
        match session.sql(pair.theirs).and_then(|frame| frame.lines()) {
            Ok(lines) if normal(&lines, false) == normal(theirs, false) => {}
            other => wrong.push(format!("{}\n  ours {other:?}\n  theirs {theirs:?}", pair.theirs)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A cell of a table of Markdown.
fn code(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")");
    let tidy = one_line.replace(", }", " }").replace(" .", ".").replace("..Asof", " ..Asof").replace(",  ..", ", ..");
    format!("`{}`", tidy.replace('|', "\\|"))
}

fn document(engine: &str, name: &str, tables: &[Table]) -> String {
    let head = std::fs::read_to_string(format!("tests/from/{engine}.md")).unwrap();
    let mut text = head;
    for (title, pairs) in tables {
        text.push_str(&format!("\n## {title}\n\n| {name} | Partita | |\n|---|---|---|\n"));
        for pair in pairs {
            let note = pair.note.unwrap_or_default();
            text.push_str(&format!("| {} | {} | {note} |\n", code(pair.theirs), code(pair.ours)));
        }
    }
    text
}

#[test]
fn the_documents_are_these_pairs() {
    for (engine, name, tables) in engines() {
        let (path, text) = (format!("docs/from-{engine}.md"), document(engine, name, &tables));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{path} is not what tests/from says: UPDATE=1 cargo test --test from_others");
    }
}

#[test]
#[ignore = "records the answers of other engines: PARTITA_PYTHON names a Python that has them"]
fn record() {
    let Ok(python) = std::env::var("PARTITA_PYTHON") else {
        println!("PARTITA_PYTHON is not set");
        return;
    };
    let mut asked = String::new();
    for (engine, _, tables) in engines() {
        for pair in tables.iter().flat_map(|(_, pairs)| pairs) {
            asked.push_str(&serde_json::json!({"engine": engine, "theirs": pair.theirs}).to_string());
            asked.push('\n');
        }
    }
    let mut child =
        Command::new(python).arg("tests/from/record.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    std::fs::write(ANSWERS, output.stdout).unwrap();
}
