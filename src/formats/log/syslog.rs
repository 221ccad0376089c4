//! Syslog, as RFC 3164 and RFC 5424 say it and as daemons write it to files.
//!
//! ```text
//! <34>Oct 11 22:14:15 host app[123]: message                     3164; in files without the priority
//! 2024-02-29T12:30:15.123456+01:00 host app[123]: message        rsyslog
//! <34>1 2024-02-29T12:30:15.123Z host app 123 ID47 [x@1 a="b"] message          5424
//! ```
//!
//! A file of 3164 may have lines of 5424 among its own. What begins as rsyslog writes must have a host that is no level, and
//! a program; else it is a message of another kind.

use super::cursor::{Cursor, Out};
use super::layout::{Field, Fit, Value};
use super::messages::is_level;
use super::times::{Moment, bsd, iso};
use arrow::datatypes::DataType;
use std::ops::Range;

const PRIORITY: usize = 0;
const FACILITY: usize = 1;
const SEVERITY: usize = 2;
const TIMESTAMP: usize = 3;
const HOST: usize = 4;
const APP: usize = 5;
const PID: usize = 6;
const MESSAGE: usize = 7;

/// The fields of both; `time` is what becomes of moments.
pub(super) fn fields(time: Value) -> Vec<Field> {
    vec![
        Field::new("priority", Value::Typed(DataType::Int64)),
        Field::new("facility", Value::Facility),
        Field::new("severity", Value::Severity),
        Field::new("timestamp", time),
        Field::new("host", Value::Text),
        Field::new("app", Value::Text),
        Field::new("pid", Value::Text),
        Field::new("message", Value::Text),
    ]
}

pub(super) fn fields_5424() -> Vec<Field> {
    let mut fields = fields(Value::Time(true));
    fields.push(Field::new("message_id", Value::Text));
    fields.push(Field::new("structured_data", Value::Text));
    fields
}

/// The moment of a line of 3164, for finding out whether there are zones.
pub(super) fn moment_of(line: &[u8], anchor: i64) -> Option<Moment> {
    let mut c = Cursor::new(line);
    let found = priority(&mut c)?;
    head(c.rest(), anchor).or_else(|| {
        found?;
        version(&mut c)?;
        iso(c.rest())
    })
}

fn head(text: &[u8], anchor: i64) -> Option<Moment> {
    match text.first()? {
        b'0'..=b'9' => iso(text).filter(|_| text.get(10) == Some(&b'T')),
        _ => bsd(text, anchor),
    }
}

/// The digits between `<` and `>`, if any; `None` where they are no priority.
fn priority(c: &mut Cursor<'_>) -> Option<Option<Range<usize>>> {
    if !c.eat(b'<') {
        return Some(None);
    }
    let range = c.until(b'>')?;
    let text = c.text.get(range.clone())?;
    let value = crate::formats::values::parse_int(text, 0, text.len())?;
    ((0..=191).contains(&value) && range.len() <= 3).then_some(Some(range))
}

fn set_priority(range: Option<Range<usize>>, out: &mut Out<'_>) {
    if let Some(range) = range {
        out.set(PRIORITY, range.clone());
        out.set(FACILITY, range.clone());
        out.set(SEVERITY, range);
    }
}

pub(super) fn take(line: &[u8], out: &mut Out<'_>, zoned: Option<bool>, anchor: i64) -> Fit {
    match take_3164(line, out, anchor).or_else(|| take_5424_among(line, out)) {
        Some(moment) if zoned.is_some_and(|z| z != moment.zoned) => {
            Fit::Misfit("some moments have a zone, and some have none")
        }
        found => found.map(|_| ()).into(),
    }
}

/// A line of 5424 among those of 3164, as relays write them: what these have no field for stays before the message.
fn take_5424_among(line: &[u8], out: &mut Out<'_>) -> Option<Moment> {
    let mut c = Cursor::new(line);
    set_priority(Some(priority(&mut c)??), out);
    version(&mut c)?;
    let time = c.until(b' ')?;
    let moment = iso(line.get(time.clone())?).filter(|m| m.zoned && m.len == time.len())?;
    out.set(TIMESTAMP, time);
    for field in [HOST, APP, PID] {
        let word = c.until(b' ')?;
        out.set_dash(field, line, word);
    }
    let message = c.tail();
    out.set(MESSAGE, message);
    Some(moment)
}

/// The version of 5424.
fn version(c: &mut Cursor<'_>) -> Option<()> {
    let version = c.until(b' ')?;
    matches!(c.text.get(version)?, [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9']).then_some(())
}

fn take_3164(line: &[u8], out: &mut Out<'_>, anchor: i64) -> Option<Moment> {
    let mut c = Cursor::new(line);
    set_priority(priority(&mut c)?, out);
    let moment = head(c.rest(), anchor)?;
    out.set(TIMESTAMP, c.at..c.at + moment.len);
    c.at += moment.len;
    let is_iso = line.get(c.at - moment.len).is_some_and(u8::is_ascii_digit);
    c.expect(b' ')?;
    let host = c.word()?;
    let name = line.get(host.clone())?;
    let is_host =
        !is_level(name) && name.iter().all(|b| b.is_ascii_alphanumeric() || b".:_-%".contains(b) || *b >= 0x80);
    // A host that is left out: the next word is the program's.
    match line.get(host.clone())?.last() {
        Some(b':') => c.at = host.start,
        _ => {
            out.set(HOST, host);
            c.blanks();
        }
    }
    let has_tag = tag(line, &mut c, out);
    if is_iso && !(has_tag && is_host) {
        return None;
    }
    let message = c.tail();
    out.set(MESSAGE, message);
    Some(moment)
}

/// Takes `app[123]: ` or `app: `; answers whether there is one.
fn tag(line: &[u8], c: &mut Cursor<'_>, out: &mut Out<'_>) -> bool {
    let mut ahead = *c;
    let Some(word) = ahead.until(b':') else { return false };
    let text = line.get(word.clone()).unwrap_or_default();
    let (app, pid) = match memchr::memchr(b'[', text) {
        Some(at) if text.ends_with(b"]") => (at, Some(word.start + at + 1..word.end - 1)),
        _ => (text.len(), None),
    };
    let name = text.get(..app).unwrap_or_default();
    // The names of kernel and macOS programs may have a few blanks; a sentence is no name.
    let blanks = name.iter().filter(|b| **b == b' ').count();
    if name.is_empty() || blanks > usize::from(pid.is_some()) * 3 || name.len() > 64 {
        return false;
    }
    out.set(APP, word.start..word.start + app);
    if let Some(pid) = pid {
        out.set_dash(PID, line, pid);
    }
    ahead.blanks();
    *c = ahead;
    true
}

pub(super) fn take_5424(line: &[u8], out: &mut Out<'_>) -> Option<()> {
    let mut c = Cursor::new(line);
    let found = priority(&mut c)??;
    set_priority(Some(found), out);
    version(&mut c)?;
    let time = c.until(b' ')?;
    let text = line.get(time.clone())?;
    if text != b"-" {
        iso(text).filter(|m| m.zoned && m.len == text.len())?;
        out.set(TIMESTAMP, time);
    }
    // Some write nothing for what they do not have.
    for field in [HOST, APP, PID, MESSAGE + 1] {
        let word = c.until(b' ')?;
        out.set_dash(field, line, word);
    }
    let data = structured(&mut c)?;
    out.set_dash(MESSAGE + 2, line, data);
    if c.is_done() {
        return Some(());
    }
    c.expect(b' ')?;
    c.eat_all(&[0xEF, 0xBB, 0xBF]);
    let message = c.tail();
    out.set(MESSAGE, message);
    Some(())
}

/// `-`, or elements in brackets, whose values are quoted.
fn structured(c: &mut Cursor<'_>) -> Option<Range<usize>> {
    let begin = c.at;
    if c.eat(b'-') {
        return Some(begin..c.at);
    }
    while c.eat(b'[') {
        loop {
            let at = memchr::memchr2(b'"', b']', c.rest())?;
            c.at += at;
            if c.eat(b']') {
                break;
            }
            c.quoted()?;
        }
    }
    (c.at > begin).then_some(begin..c.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    fn of(line: &str) -> Option<Vec<(String, String)>> {
        let take = |out: &mut Out<'_>| take(line.as_bytes(), out, None, 0) == Fit::Yes;
        taken(&fields(Value::Time(false)), take, line.as_bytes())
    }

    fn texts(found: Option<Vec<(String, String)>>) -> Vec<String> {
        found.unwrap().into_iter().map(|(_, v)| v).collect()
    }

    #[test]
    fn rfc_3164_and_files() {
        assert_eq!(
            texts(of("<34>Oct 11 22:14:15 host su[12]: 'su root' failed: no")),
            ["34", "34", "34", "Oct 11 22:14:15", "host", "su", "12", "'su root' failed: no"]
        );
        assert_eq!(
            texts(of("Oct  1 22:14:15 host kernel: [1.5] x: y")),
            ["Oct  1 22:14:15", "host", "kernel", "[1.5] x: y"]
        );
        assert_eq!(
            texts(of("Oct  1 22:14:15 host last message repeated: 2 times")),
            ["Oct  1 22:14:15", "host", "last message repeated: 2 times"]
        );
        assert_eq!(texts(of("2024-02-29T12:30:15.1+01:00 host a.b/c: x"))[1..], ["host", "a.b/c", "x"]);
        assert!(of("2024-02-29T12:30:15Z INFO a.b: x").is_none() && of("2024-02-29T12:30:15Z host x").is_none());
        assert!(of("<999>Oct 11 22:14:15 host su: x").is_none() && of("Oct 32 22:14:15 host su: x").is_none());
        let line = b"2024-02-29T12:30:15Z host a: x";
        let mut spans = vec![super::super::cursor::NONE; 8];
        let fit = take(line, &mut Out { base: 0, spans: &mut spans, state: &mut 0 }, Some(false), 0);
        assert!(matches!(fit, Fit::Misfit(_)));
    }

    #[test]
    fn lines_of_5424_among_those_of_3164() {
        assert_eq!(
            texts(of(r#"<34>1 2024-01-01T10:00:00.5Z host app 123 ID47 [ex@1 k="v"] hello"#)),
            ["34", "34", "34", "2024-01-01T10:00:00.5Z", "host", "app", "123", r#"ID47 [ex@1 k="v"] hello"#]
        );
        assert_eq!(texts(of("<34>1 2024-01-01T10:00:00Z - - - - - x"))[3..], ["2024-01-01T10:00:00Z", "- - x"]);
        for bad in
            ["1 2024-01-01T10:00:00Z h a - - - x", "<34>1 2024-01-01 h a - - - x", "<34>1 2024-01-01T10:00:00Z h"]
        {
            assert!(of(bad).is_none(), "{bad}");
        }
        let moment = moment_of(b"<34>1 2024-01-01T10:00:00+01:00 h a - - - x", 0).unwrap();
        assert!(moment.zoned && moment.len == 25);
    }

    #[test]
    fn rfc_5424() {
        let of = |line: &str| taken(&fields_5424(), |out| take_5424(line.as_bytes(), out).is_some(), line.as_bytes());
        let got = texts(of(r#"<165>1 2003-10-11T22:14:15.003Z h app 12 ID47 [e@1 a="x\"]" b="2"][f] the message"#));
        assert_eq!(
            got[3..],
            ["2003-10-11T22:14:15.003Z", "h", "app", "12", "the message", "ID47", r#"[e@1 a="x\"]" b="2"][f]"#]
        );
        assert_eq!(texts(of("<1>1 - - - - - -")), ["1", "1", "1"]);
        assert_eq!(texts(of("<1>1 - h a 12  - [{x}]"))[3..], ["h", "a", "12", "[{x}]"]);
        for bad in ["<1>1 2003-10-11T22:14:15 h a - - - m", "1 - - - - - -", "<1>1 - h a - - [x", "<1>1 - h a - - x"] {
            assert!(of(bad).is_none(), "{bad}");
        }
    }
}
