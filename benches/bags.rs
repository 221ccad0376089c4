//! Bags over logs and text, beside the same questions in SQL: the speeds that docs/bags.md promises.
//!
//! `PARTITA_LOGS='logs/*.jsonl' PARTITA_TEXT=words.txt cargo bench --bench bags -- [ROW]..`; a row whose files are not named is
//! left out. `PARTITA_THREADS` (2) and `PARTITA_MEMORY` (1GiB) are what sessions get; groupby and join get 64 MiB.
//!
//! The logs have records like `{"status": 500, "path": "/a", "bytes": 7, "user": {"id": "u1"}}`.

use partita::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::time::Instant;

#[derive(Deserialize)]
struct Request {
    status: u16,
    path: String,
}

#[derive(Deserialize)]
struct Traffic {
    bytes: i64,
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: String,
}

/// A row of the table: what it is called, the variable with its files, its memory where that is part of the question, and
/// what it does, which is a number to compare.
struct Row {
    name: &'static str,
    files: &'static str,
    memory: Option<&'static str>,
    run: fn(&Session, &str) -> Result<u64>,
}

const LOGS: &str = "PARTITA_LOGS";
const TEXT: &str = "PARTITA_TEXT";

const fn row(name: &'static str, files: &'static str, run: fn(&Session, &str) -> Result<u64>) -> Row {
    Row { name, files, memory: None, run }
}

const ROWS: &[Row] = &[
    row("sql: filter, count by path", LOGS, |session, logs| {
        sql(session, &format!("SELECT path, count(*) AS n FROM '{logs}' WHERE status >= 500 GROUP BY path"))
    }),
    row("typed: filter, frequencies", LOGS, |session, logs| {
        let requests = session.read_json_lines::<Request>(logs)?;
        requests.filter(|request| request.status >= 500).map(|request| request.path).frequencies().count()
    }),
    row("Value: filter, frequencies", LOGS, |session, logs| {
        let requests = session.read_json_lines::<Value>(logs)?;
        let failed = requests.filter(|request| request["status"].as_u64() >= Some(500));
        failed.map(|request| request["path"].as_str().unwrap_or_default().to_string()).frequencies().count()
    }),
    row("jq: select(.status >= 500) | .path", LOGS, |session, logs| {
        session.read_jq(logs, "select(.status >= 500) | .path", &TextOptions::default())?.count()
    }),
    row("jq: the same, in order", LOGS, |session, logs| {
        let paths = session.read_jq(logs, "select(.status >= 500) | .path", &TextOptions::default())?;
        let mut bytes = 0;
        for path in paths.iter()? {
            bytes += path?.as_str().len() as u64;
        }
        Ok(bytes)
    }),
    row("sql: count and sum by user", LOGS, |session, logs| {
        sql(session, &format!("SELECT \"user\".id, count(*) AS n, sum(bytes) AS s FROM '{logs}' GROUP BY 1"))
    }),
    row("foldby: count and sum by user", LOGS, |session, logs| {
        let traffic = session.read_json_lines::<Traffic>(logs)?;
        let add = |(n, sum): (u64, i64), one: Traffic| (n + 1, sum + one.bytes);
        traffic.foldby(|one| one.user.id.clone(), (0, 0), add, |a, b| (a.0 + b.0, a.1 + b.1)).count()
    }),
    row("aggregate_by: count and sum by user", LOGS, |session, logs| {
        let traffic = session.read_json_lines::<Traffic>(logs)?;
        let folds = (aggregates::count(), aggregates::sum(|one: &Traffic| one.bytes));
        traffic.aggregate_by(|one| one.user.id.clone(), folds).count()
    }),
    Row {
        memory: Some("64MiB"),
        ..row("groupby user, at 64 MiB", LOGS, |session, logs| {
            let traffic = session.read_json_lines::<Traffic>(logs)?.map(|one| (one.user.id, one.bytes));
            traffic.groupby(|one| one.0.clone()).map(|_, items| items.count()).count()
        })
    },
    Row {
        memory: Some("64MiB"),
        ..row("join with users, at 64 MiB", LOGS, |session, logs| {
            let traffic = session.read_json_lines::<Traffic>(logs)?.map(|one| (one.user.id, one.bytes));
            let users = traffic.map(|one| one.0).distinct();
            traffic.join(&users, |one| one.0.clone(), Clone::clone).count()
        })
    },
    row("text: count words", TEXT, |session, text| {
        let words = session.read_text(text)?.map(|line| line.split_whitespace().count() as i64);
        Ok(words.sum()?.unwrap_or(0) as u64)
    }),
    row("text: frequencies of words", TEXT, |session, text| {
        let words =
            session.read_text(text)?.flat_map(|line| line.split_whitespace().map(str::to_string).collect::<Vec<_>>());
        words.frequencies().count()
    }),
];

fn sql(session: &Session, text: &str) -> Result<u64> {
    Ok(session.sql(text)?.count()? as u64)
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let setting = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.into());
    let threads = setting("PARTITA_THREADS", "2").parse().unwrap_or(2);
    for row in ROWS {
        let Ok(files) = std::env::var(row.files) else { continue };
        if !wanted.is_empty() && !wanted.iter().any(|word| row.name.contains(word.as_str())) {
            continue;
        }
        let memory = row.memory.map_or_else(|| setting("PARTITA_MEMORY", "1GiB"), str::to_string);
        let session = Session::builder().memory(memory.as_str())?.threads(threads).build()?;
        let bytes: u64 = partita::io::resolve(std::slice::from_ref(&files))?.iter().map(|file| file.size).sum();
        let begun = Instant::now();
        let count = (row.run)(&session, &files)?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{:<38} {seconds:8.3} s {:8.1} MB/s  {count}", row.name, bytes as f64 / seconds / 1e6);
    }
    Ok(())
}
