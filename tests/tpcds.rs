//! TPC-DS: the 99 queries over a small scale, against DuckDB's answers.
//!
//! Data, queries and answers are in the testdata of the project (`PARTITA_TPCDS` names another directory with the same
//! folders). Where they are absent, the test says so and passes. Rows are compared without regard to their order: most
//! queries sort by columns that repeat.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use partita::Session;
use std::path::{Path, PathBuf};

/// Queries that do not pass yet, and why. Only ever make this shorter.
const NOT_YET: &[(u32, &str)] = &[];

fn directory() -> Option<PathBuf> {
    let otherwise = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata/bench/tpcds");
    let dir = std::env::var_os("PARTITA_TPCDS").map_or(otherwise, PathBuf::from);
    if !dir.is_dir() {
        eprintln!("skipped: PARTITA_TPCDS names no directory");
        return None;
    }
    Some(dir)
}

fn session(dir: &Path) -> Session {
    let session = Session::builder().memory("1GiB").unwrap().threads(2).build().unwrap();
    for entry in std::fs::read_dir(dir.join("data_sf0.01")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        session.register_file(&name, path.to_str().unwrap()).unwrap();
    }
    session
}

/// The rows of the last statement, as texts.
fn ask(session: &Session, sql: &str) -> partita::Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in session.sql(sql.trim().trim_end_matches(';'))?.batches()? {
        let batch = batch?;
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|r| columns.iter().map(|c| c.value(r).to_string()).collect()));
    }
    Ok(rows)
}

fn answers(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b'|').flexible(true).from_path(path).unwrap();
    reader.records().map(|r| r.unwrap().iter().map(str::to_string).collect()).collect()
}

/// Equal, but for the rounding of floats.
fn same(expected: &str, found: &str) -> bool {
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 0.0051 + 1e-6 * a.abs().max(b.abs()),
        _ => expected.trim_end() == found.trim_end(),
    }
}

/// In an order in which rows that differ by the rounding of floats stay together.
fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let key = |cell: &String| cell.parse::<f64>().map_or_else(|_| cell.clone(), |x| format!("{:.0}", x * 10.0));
    rows.sort_by_cached_key(|row| row.iter().map(key).collect::<Vec<_>>());
    rows
}

fn difference(expected: Vec<Vec<String>>, found: Vec<Vec<String>>) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} rows instead of {}", found.len(), expected.len()));
    }
    let same_row =
        |(a, b): &(&Vec<String>, &Vec<String>)| a.len() == b.len() && a.iter().zip(*b).all(|(a, b)| same(a, b));
    let (expected, found) = (sorted(expected), sorted(found));
    let at = expected.iter().zip(&found).position(|pair| !same_row(&pair))?;
    Some(format!("row {at} is {:?} instead of {:?}", found[at], expected[at]))
}

#[test]
fn answers_agree_with_duckdb() {
    let Some(dir) = directory() else { return };
    let session = session(&dir);
    let only: Option<u32> = std::env::var("PARTITA_QUERY").ok().and_then(|q| q.parse().ok());
    let (mut passed, mut failed) = (0, Vec::new());
    for query in (1..=99).filter(|q| only.is_none_or(|o| o == *q)) {
        let sql = std::fs::read_to_string(dir.join(format!("queries/{query:02}.sql"))).unwrap();
        let expected = answers(&dir.join(format!("answers_sf0.01/{query:02}.csv")));
        let wrong = match ask(&session, &sql) {
            Ok(found) => difference(expected, found),
            Err(error) => Some(error.to_string()),
        };
        match (wrong, NOT_YET.iter().find(|(number, _)| *number == query)) {
            (None, None) => passed += 1,
            (None, Some(_)) => {
                passed += 1;
                eprintln!("query {query} passes now: take it off the list");
            }
            (Some(wrong), Some((_, why))) => eprintln!("query {query} does not pass yet ({why}): {wrong}"),
            (Some(wrong), None) => failed.push(format!("query {query}: {wrong}")),
        }
    }
    eprintln!("{passed} passed, {} failed, {} not yet", failed.len(), NOT_YET.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
