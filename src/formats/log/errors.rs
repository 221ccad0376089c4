//! Errors of web servers.
//!
//! ```text
//! [Wed Oct 11 14:32:52.123456 2000] [core:error] [pid 35708:tid 4328636416] [client 10.0.0.1:1234] message    Apache
//! [Wed Oct 11 14:32:52 2000] [error] [client 10.0.0.1] message                                                before 2.4
//! 2020/01/01 12:00:00 [error] 1234#5678: *90 message, client: 10.0.0.1, server: x, request: "..", host: ".."  nginx
//! ```

use super::cursor::{Cursor, Out, trimmed};
use super::layout::{Field, Value};
use super::times::{ctime, iso};
use arrow::datatypes::DataType;
use memchr::memmem;
use std::ops::Range;

pub(super) fn apache_fields() -> Vec<Field> {
    vec![
        Field::new("timestamp", Value::Time(false)),
        Field::new("module", Value::Text),
        Field::new("level", Value::Text),
        Field::new("pid", Value::Typed(DataType::Int64)),
        Field::new("tid", Value::Typed(DataType::Int64)),
        Field::new("client", Value::Text),
        Field::new("message", Value::Text),
    ]
}

pub(super) fn apache(line: &[u8], out: &mut Out<'_>) -> Option<()> {
    let mut c = Cursor::new(line);
    let time = c.bracketed()?;
    ctime(line.get(time.clone())?).filter(|m| m.len == time.len())?;
    out.set(0, time);
    c.blanks();
    let level = c.bracketed()?;
    let text = line.get(level.clone())?;
    match memchr::memchr(b':', text) {
        Some(at) => {
            out.set_dash(1, line, level.start..level.start + at);
            out.set(2, level.start + at + 1..level.end);
        }
        None => out.set(2, level),
    }
    c.blanks();
    if c.rest().starts_with(b"[pid ") {
        let process = c.bracketed()?;
        process_of(line, process, out)?;
        c.blanks();
    }
    if c.rest().starts_with(b"[client ") {
        let client = c.bracketed()?;
        out.set(5, client.start + b"client ".len()..client.end);
        c.blanks();
    }
    let message = c.tail();
    out.set(6, message);
    Some(())
}

/// `pid 35708:tid 4328636416`, or the former alone.
fn process_of(line: &[u8], range: Range<usize>, out: &mut Out<'_>) -> Option<()> {
    let begin = range.start + b"pid ".len();
    let text = line.get(begin..range.end)?;
    match memmem::find(text, b":tid ") {
        Some(at) => {
            out.set(3, begin..begin + at);
            out.set(4, begin + at + b":tid ".len()..range.end);
        }
        None => out.set(3, begin..range.end),
    }
    Some(())
}

pub(super) fn nginx_fields() -> Vec<Field> {
    let integer = || Value::Typed(DataType::Int64);
    vec![
        Field::new("timestamp", Value::Time(false)),
        Field::new("level", Value::Text),
        Field::new("pid", integer()),
        Field::new("tid", integer()),
        Field::new("connection", integer()),
        Field::new("message", Value::Text),
        Field::new("client", Value::Text),
        Field::new("server", Value::Text),
        Field::new("request", Value::Text),
        Field::new("upstream", Value::Text),
        Field::new("host", Value::Text),
        Field::new("referrer", Value::Text),
    ]
}

const MESSAGE: usize = 5;
/// What nginx writes behind a message, in this order, and the fields that they are.
const DETAILS: [(&[u8], usize); 6] = [
    (b", client: ", 6),
    (b", server: ", 7),
    (b", request: ", 8),
    (b", upstream: ", 9),
    (b", host: ", 10),
    (b", referrer: ", 11),
];

pub(super) fn nginx(line: &[u8], out: &mut Out<'_>) -> Option<()> {
    let moment = iso(line).filter(|m| !m.zoned && line.get(4) == Some(&b'/'))?;
    out.set(0, 0..moment.len);
    let mut c = Cursor { text: line, at: moment.len };
    c.expect(b' ')?;
    let level = c.bracketed()?;
    out.set(1, level);
    c.expect(b' ')?;
    let pid = c.until(b'#')?;
    out.set(2, pid);
    let tid = c.until(b':')?;
    out.set(3, tid);
    c.blanks();
    if c.eat(b'*') {
        let connection = c.word()?;
        out.set(4, connection);
        c.blanks();
    }
    let begin = c.at;
    let end = details(line, begin, out);
    out.set(MESSAGE, begin..end);
    Some(())
}

/// Sets what stands behind the message; answers with the message's end.
fn details(line: &[u8], begin: usize, out: &mut Out<'_>) -> usize {
    let mut found: [Option<(usize, usize, usize)>; 6] = [None; 6];
    let mut from = begin;
    for (slot, (word, field)) in found.iter_mut().zip(DETAILS) {
        if let Some(at) = line.get(from..).and_then(|rest| memmem::find(rest, word)) {
            *slot = Some((from + at, from + at + word.len(), field));
            from += at + word.len();
        }
        // Without a client there is nothing else.
        if field == 6 && slot.is_none() {
            return line.len();
        }
    }
    let mut end = line.len();
    for (start, value, field) in found.into_iter().rev().flatten() {
        let range = trimmed(line, value..end);
        let quoted =
            line.get(range.clone()).is_some_and(|t| t.len() >= 2 && t.starts_with(b"\"") && t.ends_with(b"\""));
        out.set_dash(field, line, if quoted { range.start + 1..range.end - 1 } else { range });
        end = start;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    #[test]
    fn apache_old_and_new() {
        let line = b"[Wed Oct 11 14:32:52.123456 2000] [core:error] [pid 35708:tid 43286] [client 10.0.0.1:80] AH1: no";
        let got = taken(&apache_fields(), |out| apache(line, out).is_some(), line).unwrap();
        let texts: Vec<&str> = got.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(
            texts,
            ["Wed Oct 11 14:32:52.123456 2000", "core", "error", "35708", "43286", "10.0.0.1:80", "AH1: no"]
        );
        let line = b"[Wed Oct 11 14:32:52 2000] [error] File does not exist: /x";
        let got = taken(&apache_fields(), |out| apache(line, out).is_some(), line).unwrap();
        assert_eq!(got[1..], [("level", "error"), ("message", "File does not exist: /x")].map(own));
    }

    fn own((k, v): (&str, &str)) -> (String, String) {
        (k.to_string(), v.to_string())
    }

    #[test]
    fn nginx_with_and_without_details() {
        let line = br#"2020/01/01 12:00:00 [error] 12#34: *90 open() "/x, host: y" failed (2: No), client: 10.0.0.1, server: , request: "GET / HTTP/1.1", host: "h:80""#;
        let got = taken(&nginx_fields(), |out| nginx(line, out).is_some(), line).unwrap();
        let want = [
            ("timestamp", "2020/01/01 12:00:00"),
            ("level", "error"),
            ("pid", "12"),
            ("tid", "34"),
            ("connection", "90"),
            ("message", r#"open() "/x, host: y" failed (2: No)"#),
            ("client", "10.0.0.1"),
            ("request", "GET / HTTP/1.1"),
            ("host", "h:80"),
        ];
        assert_eq!(got, want.map(own));
        let line = b"2020/01/01 12:00:00 [notice] 12#34: signal, host: 1";
        let got = taken(&nginx_fields(), |out| nginx(line, out).is_some(), line).unwrap();
        assert_eq!(got.last(), Some(&own(("message", "signal, host: 1"))));
    }
}
