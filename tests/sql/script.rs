//! A script in sqllogictest's format: records, separated by blank lines.
//!
//! ```text
//! # a comment
//! statement ok
//! CREATE TABLE t AS SELECT 1 AS a
//!
//! statement error no column b
//! SELECT b FROM t
//!
//! query IT rowsort
//! SELECT a, 'x' FROM t
//! ----
//! 1<tab>x
//! ```
//!
//! Behind `query` stands a letter for each column, then `rowsort` where the order does not matter. Values are separated by
//! tabs; a null is `NULL`, an empty text `(empty)`. `__DIR__` is an empty directory that the script has for itself.

use std::fmt::Write;
use std::path::Path;

/// A script.
pub struct Script {
    pub records: Vec<Record>,
    /// Comments behind the last record.
    rest: String,
}

/// A statement, and what it must do.
pub struct Record {
    /// Comments and blank lines before it, as they stand.
    before: String,
    /// The first line, as it stands.
    head: String,
    /// Where it begins, from 1.
    pub line: usize,
    pub sql: String,
    pub want: Want,
}

/// What a statement must do.
pub enum Want {
    Ok,
    /// Fail with a message that contains this.
    Error(String),
    Rows {
        columns: usize,
        sort: Sort,
        expected: Vec<String>,
    },
}

/// Whether the order of rows matters.
#[derive(Clone, Copy)]
pub enum Sort {
    None,
    Rows,
}

impl Sort {
    /// The rows as lines, in order.
    pub fn put(self, rows: Vec<Vec<String>>) -> Vec<String> {
        let mut lines: Vec<String> = rows.into_iter().map(|row| row.join("\t")).collect();
        if let Sort::Rows = self {
            lines.sort();
        }
        lines
    }
}

impl Script {
    /// Reads a script; one that is no script ends the test.
    pub fn read(path: &Path) -> Script {
        let text = std::fs::read_to_string(path).unwrap();
        let mut lines = text.lines().enumerate().peekable();
        let (mut records, mut before) = (Vec::new(), String::new());
        while let Some((number, head)) = lines.next() {
            if head.is_empty() || head.starts_with('#') {
                writeln!(before, "{head}").unwrap();
                continue;
            }
            let mut block = Vec::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
                block.push(line.to_string());
            }
            let (sql, answer) = match block.iter().position(|line| line == "----") {
                Some(at) => (block[..at].join("\n"), block[at + 1..].to_vec()),
                None => (block.join("\n"), Vec::new()),
            };
            let want = want(head, answer).unwrap_or_else(|| panic!("{}:{}: {head}", path.display(), number + 1));
            let before = std::mem::take(&mut before);
            records.push(Record { before, head: head.to_string(), line: number + 1, sql, want });
        }
        Script { records, rest: before }
    }

    /// The script as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for record in &self.records {
            write!(out, "{}{}\n{}\n", record.before, record.head, record.sql).unwrap();
            if let Want::Rows { expected, .. } = &record.want {
                out.push_str("----\n");
                expected.iter().for_each(|line| writeln!(out, "{line}").unwrap());
            }
        }
        out + &self.rest
    }
}

fn want(head: &str, answer: Vec<String>) -> Option<Want> {
    if let Some(says) = head.strip_prefix("statement error") {
        return Some(Want::Error(says.trim().to_string()));
    }
    if head == "statement ok" {
        return Some(Want::Ok);
    }
    let mut words = head.strip_prefix("query ")?.split(' ');
    let columns = words.next()?.len();
    let (sort, expected) = match (words.next(), words.next()) {
        (None, None) => (Sort::None, answer),
        (Some("rowsort"), None) => {
            let mut sorted = answer;
            sorted.sort();
            (Sort::Rows, sorted)
        }
        _ => return None,
    };
    Some(Want::Rows { columns, sort, expected })
}
