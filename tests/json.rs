//! JSON of others, which is looked for beside the repository, or in the directory `SHARED_TESTDATA`: what parsers must
//! accept and refuse, real exports counted against serde_json, and what broke another engine.

use partita::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The files in a directory of the test data.
fn files(name: &str) -> Vec<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let dir = std::env::var("SHARED_TESTDATA").map_or_else(|_| beside(), PathBuf::from).join(name);
    let Ok(entries) = std::fs::read_dir(&dir) else {
        eprintln!("skipped: {} is not there", dir.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn session() -> Session {
    Session::builder().memory("256MiB").unwrap().threads(2).build().unwrap()
}

fn rows(session: &Session, sql: &str) -> Result<usize> {
    let (mut batches, mut rows) = (session.sql(sql)?.batches()?, 0);
    while let Some(batch) = batches.next() {
        match batch {
            Ok(batch) => rows += batch.num_rows(),
            // A key that no sample showed: all rows come again, with one column more.
            Err(error) if batches.start_over(&error)? => rows = 0,
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

/// Two of the files that must be accepted have a key twice, which would drop a value: as a row that is an error, as text
/// of JSON nothing is dropped.
#[test]
fn json_test_suite() {
    let session = session();
    let mut seen = [0; 3];
    for path in files("json/JSONTestSuite/test_parsing") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let read = |options: &str| rows(&session, &format!("FROM read_json('{}'{options})", path.display()));
        let (guessed, whole) = (read(""), read(", records => 'false', types => {'json': 'text'}"));
        match name.as_bytes()[0] {
            b'y' => {
                assert!(whole.is_ok(), "{name}: {}", whole.unwrap_err());
                assert!(guessed.is_ok() || name.contains("duplicated_key"), "{name}: {}", guessed.unwrap_err());
                seen[0] += 1;
            }
            b'n' => {
                assert!(guessed.is_err() && whole.is_err(), "{name} is read: {guessed:?}, {whole:?}");
                seen[1] += 1;
            }
            _ => seen[2] += 1,
        }
    }
    eprintln!("{} accepted, {} refused, {} either", seen[0], seen[1], seen[2]);
}

/// As many records as serde_json reads, and as many values under each key that all engines see alike.
#[test]
fn exports_are_counted_as_serde_counts() {
    let session = session();
    for path in files("json/mongodb").into_iter().chain(files("json/gharchive")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let records: Vec<Value> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let from = format!("read_json('{}')", path.display());
        assert_eq!(rows(&session, &format!("FROM {from}")).unwrap(), records.len(), "{}", path.display());
        let keys: std::collections::BTreeSet<&String> =
            records.iter().flat_map(|r| r.as_object().unwrap().keys()).collect();
        let counts: Vec<String> = keys.iter().map(|key| format!("count(\"{}\")", key.replace('"', "\"\""))).collect();
        let got = session.sql(&format!("SELECT {} FROM {from}", counts.join(", "))).unwrap().lines().unwrap();
        // A value whose column is text of JSON is there even if it is null.
        let present =
            |key: &&String| records.iter().filter(|r| r.get(key.as_str()).is_some_and(|v| !v.is_null())).count();
        let want: Vec<String> = keys.iter().map(|key| present(key).to_string()).collect();
        assert_eq!(got, [want.join("|")], "{}: {keys:?}", path.display());
        eprintln!("{}: {} records of {} keys", path.display(), records.len(), keys.len());
    }
}

/// Events by type, and how many commits were pushed, against serde_json.
#[test]
fn answers_over_nested_events() {
    let session = session();
    for path in files("json/gharchive") {
        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut by_type = std::collections::BTreeMap::new();
        let mut logins = std::collections::BTreeSet::new();
        for event in &events {
            *by_type.entry(event["type"].as_str().unwrap()).or_insert(0) += 1;
            logins.insert(event["actor"]["login"].as_str().unwrap());
        }
        let want: Vec<String> = by_type.iter().map(|(name, n)| format!("{name}|{n}")).collect();
        let from = format!("read_json('{}')", path.display());
        let sql = format!("SELECT \"type\", count(*) FROM {from} GROUP BY \"type\" ORDER BY 1");
        assert_eq!(session.sql(&sql).unwrap().lines().unwrap(), want);
        let sql = format!("SELECT count(DISTINCT actor.login) FROM {from}");
        assert_eq!(session.sql(&sql).unwrap().lines().unwrap(), [logins.len().to_string()]);
    }
}

/// Whatever these hold, as any format they are rows or an error.
#[test]
fn what_broke_others_is_an_error_at_most() {
    let session = session();
    let mut seen = (0, 0);
    for path in files("fuzz/duckdb-ossfuzz") {
        for function in ["read_json", "read_csv", "read_parquet"] {
            for options in ["", ", on_error => 'reject'"] {
                match rows(&session, &format!("FROM {function}('{}'{options})", path.display())) {
                    Ok(_) => seen.0 += 1,
                    Err(error) => {
                        assert_ne!(error.kind(), ErrorKind::Internal, "{}: {error}", path.display());
                        seen.1 += 1;
                    }
                }
            }
        }
    }
    eprintln!("{} were read, {} were errors", seen.0, seen.1);
}
