//! Sessions for tests of whole queries: with much and with little memory, on both pools; answers as lines of text.

use super::Session;
use crate::config::Tuning;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io::Write;

/// Constants with which a few thousand rows spill.
pub(super) fn small() -> Tuning {
    Tuning {
        page_bytes: Some(4096),
        radix_bits: Some(2),
        preaggregate_slots: 64,
        batch_rows: 100,
        batch_bytes: 1 << 14,
        split_bytes: 1 << 14,
        merge_fan_in: 4,
        scratch_write_bytes: 4096,
        ..Tuning::default()
    }
}

/// A session with much memory.
pub(super) fn roomy() -> Session {
    Session::builder().memory("256MiB").unwrap().threads(2).inline(true).build().unwrap()
}

/// A session in which a few thousand rows spill.
pub(super) fn starved(inline: bool) -> Session {
    Session::builder().memory("8MiB").unwrap().threads(2).inline(inline).tuning(small()).build().unwrap()
}

/// All of them.
pub(super) fn sessions() -> [Session; 3] {
    [roomy(), starved(true), starved(false)]
}

/// The rows of a query, values separated by `|`, nulls as `-`.
pub(super) fn ask(session: &Session, sql: &str) -> Vec<String> {
    try_ask(session, sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

pub(super) fn try_ask(session: &Session, sql: &str) -> crate::Result<Vec<String>> {
    let options = FormatOptions::default().with_null("-");
    let mut lines = Vec::new();
    for batch in session.sql(sql)?.batches()? {
        let batch = batch?;
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        lines.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|")),
        );
    }
    Ok(lines)
}

/// The same, sorted as text.
pub(super) fn ask_sorted(session: &Session, sql: &str) -> Vec<String> {
    let mut lines = ask(session, sql);
    lines.sort();
    lines
}

/// What a query that fails says.
pub(super) fn error(session: &Session, sql: &str) -> String {
    match try_ask(session, sql) {
        Ok(rows) => panic!("{sql} has {} rows", rows.len()),
        Err(e) => e.to_string(),
    }
}

/// A file with this text, whose name ends so.
pub(super) fn file(ending: &str, text: &str) -> (tempfile::NamedTempFile, String) {
    let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_string();
    (file, path)
}

/// Numbers from a seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }
}
