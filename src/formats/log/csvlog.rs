//! PostgreSQL's `csvlog`: CSV without a header, in an order of columns that grows with the versions. CSV's own reader reads it.

use super::cursor::Cursor;
use super::layout::{Field, Value};
use super::messages::is_level;
use super::times::iso;
use crate::error::{Error, Result};
use crate::formats::TableDef;

/// The columns of the newest version; older ones have the first 23 (up to 12) or 24 (13).
const COLUMNS: [&str; 26] = [
    "timestamp",
    "user_name",
    "database_name",
    "pid",
    "connection_from",
    "session_id",
    "session_line_num",
    "command_tag",
    "session_start_time",
    "virtual_transaction_id",
    "transaction_id",
    "level",
    "sql_state_code",
    "message",
    "detail",
    "hint",
    "internal_query",
    "internal_query_pos",
    "context",
    "query",
    "query_pos",
    "location",
    "application_name",
    "backend_type",
    "leader_pid",
    "query_id",
];

/// The column of the level.
const LEVEL: usize = 11;

/// The fewest columns that a version has.
const FEWEST: usize = 23;

/// The fields, for people: their types are guessed.
pub(super) fn fields() -> Vec<Field> {
    COLUMNS.iter().map(|name| Field::new(name, Value::Text)).collect()
}

/// Whether a text is a level; debugging has five.
fn is_severity(text: &[u8]) -> bool {
    is_level(text) || text.starts_with(b"DEBUG")
}

/// Whether a file begins with such a record.
pub(super) fn is_csvlog(head: &[u8]) -> bool {
    columns(head).is_some()
}

/// How many columns the first record has, if it is one.
fn columns(head: &[u8]) -> Option<usize> {
    let moment = iso(head)?;
    let mut c = Cursor { text: head, at: moment.len };
    let mut count = 1;
    while c.eat(b',') {
        let value = if c.peek() == Some(b'"') { quoted(&mut c)? } else { bare(&mut c) };
        if count == LEVEL && !is_severity(head.get(value)?) {
            return None;
        }
        count += 1;
    }
    (FEWEST..=COLUMNS.len()).contains(&count).then_some(count)
}

/// What is between quotes; a doubled one is one of it.
fn quoted(c: &mut Cursor<'_>) -> Option<std::ops::Range<usize>> {
    c.expect(b'"')?;
    let begin = c.at;
    loop {
        let range = c.until(b'"')?;
        if !c.eat(b'"') {
            return Some(begin..range.end);
        }
    }
}

fn bare(c: &mut Cursor<'_>) -> std::ops::Range<usize> {
    let rest = c.rest();
    let len = memchr::memchr3(b',', b'\n', b'\r', rest).unwrap_or(rest.len());
    let range = c.at..c.at + len;
    c.at = range.end;
    range
}

/// The definition as CSV's reader wants it.
///
/// # Errors
/// The file does not begin with a record.
pub(super) fn as_csv(def: &TableDef, head: &[u8]) -> Result<TableDef> {
    let Some(count) = columns(head) else {
        return Err(Error::data("this is no csvlog of PostgreSQL").advise("its first line has 23 values or more"));
    };
    let mut def = def.clone();
    ["format", "unmatched", "invalid_utf8"].iter().for_each(|name| {
        def.options.remove(*name);
    });
    let names: Vec<&str> = COLUMNS.iter().take(count).copied().collect();
    let fixed = [("names", serde_json::Value::from(names).to_string()), ("header", "false".into())];
    let dialect = [("delimiter", ","), ("quote", "\""), ("escape", ""), ("comment", ""), ("skip", "0")];
    let dialect = dialect.map(|(name, value)| (name, value.to_string()));
    def.options.extend(fixed.into_iter().chain(dialect).map(|(name, value)| (name.to_string(), value)));
    Ok(def)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_tells() {
        let line = |more: &str| {
            format!(
                "2021-01-04 00:17:53.742 UTC,\"a\",\"b\",54,\"::1:42\",5ff2.36,6,\"SET\",2021-01-04 00:17:40 UTC,3/0,0,LOG,00000,\
                 \"duration: \"\"6\"\"\n ms, x\",,,,,,,,,\"psql\"{more}\n2021-"
            )
        };
        assert_eq!(columns(line("").as_bytes()), Some(23));
        assert_eq!(columns(line(",\"client backend\"").as_bytes()), Some(24));
        assert_eq!(columns(line(",\"x\",,0").as_bytes()), Some(26));
        assert_eq!(columns(line(",,,,").as_bytes()), None);
        assert_eq!(columns(line("").replace("LOG", "NOISE").as_bytes()), None);
        assert!(!is_csvlog(b"2021-01-04 00:17:53 UTC [1] LOG:  x\n") && !is_csvlog(b""));
        let def = as_csv(&TableDef::default(), line("").as_bytes()).unwrap();
        assert!(def.options["names"].ends_with("\"application_name\"]") && def.options["header"] == "false");
        assert!(as_csv(&TableDef::default(), b"x").is_err());
    }
}
