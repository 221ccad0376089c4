//! What programs write for people: a moment, a level, who says it, and a message that may go on over more lines.
//!
//! ```text
//! 2024-02-29 12:30:15,123 [main] ERROR com.example.Store - cannot open      Java: Logback, Log4j
//! java.io.IOException: no such file                                         } joined to the record above
//!     at com.example.Store.open(Store.java:17)                              }
//! 2024-02-29 12:30:15.123  INFO 4711 --- [  main] c.example.Store : opened  Spring Boot
//! 2024-02-29 12:30:15,123 - store.disk - WARNING - disk is full             Python
//! [2024-02-29T12:30:15,123][WARN ][o.e.n.Node] [n1] disk is full            Elasticsearch, Logstash
//! 2024-02-29 12:30:15.123 CET [4711] me@db LOG:  checkpoint starting        PostgreSQL
//! [1] 2019/02/06 07:19:40.624334 [INF] Server is ready                      NATS
//! 98738:M 30 May 12:23:52.442 * Saving the final snapshot                   Redis: signs are levels
//! 2024-02-29T12:30:15.123+0000 I NETWORK  [conn1] end connection            MongoDB: letters are
//! I0229 12:30:15.123456    4711 server.go:17] started                       glog, Kubernetes
//! I, [2024-02-29T12:30:15.123456 #4711]  INFO -- store: opened              Ruby
//! [2024-02-29T12:30:15.123+0000][4711][gc,heap] Using G1                    Java's virtual machine
//! 2024-02-29T12:30:15.123456789Z stderr F opened                            containers: the stream is the logger
//! ```
//!
//! A line that begins with a moment (or a number in brackets, a level, a process, and then a moment) begins a record; every
//! other line belongs to the record before it. What stands between moment and level: a number is `pid`, a text in brackets `thread`, other
//! words are `logger`. Behind the level, `[logger]`, `logger - `, `logger : ` and `logger: ` are taken off the message, the last
//! only where the word looks like a name: with a point, a `_` or `:` within, or a small letter first. Where no level is found
//! within five words, all behind the moment is the message.

use super::cursor::{Cursor, NONE, Out, trimmed};
use super::layout::{Field, Fit, Value};
use super::times::{Moment, moment};
use arrow::datatypes::DataType;
use std::ops::Range;

const TIMESTAMP: usize = 0;
const LEVEL: usize = 1;
const LOGGER: usize = 2;
const THREAD: usize = 3;
const PID: usize = 4;
const MESSAGE: usize = 5;

/// Words that are levels, in small letters.
const LEVELS: [&[u8]; 39] = [
    b"trace",
    b"trc",
    b"debug",
    b"dbg",
    b"verbose",
    b"vrb",
    b"fine",
    b"finer",
    b"finest",
    b"config",
    b"info",
    b"inf",
    b"information",
    b"notice",
    b"note",
    b"log",
    b"hint",
    b"detail",
    b"statement",
    b"location",
    b"context",
    b"system",
    b"warn",
    b"wrn",
    b"warning",
    b"error",
    b"err",
    b"severe",
    b"critical",
    b"crit",
    b"fatal",
    b"ftl",
    b"panic",
    b"alert",
    b"emerg",
    b"emergency",
    b"failure",
    b"audit",
    b"deprecation",
];

/// Words that are looked at for a level.
const AHEAD: usize = 5;

/// The fields; `time` is what becomes of moments.
pub(super) fn fields(time: Value) -> Vec<Field> {
    vec![
        Field::new("timestamp", time),
        Field::new("level", Value::Text),
        Field::new("logger", Value::Text),
        Field::new("thread", Value::Text),
        Field::new("pid", Value::Typed(DataType::Int64)),
        Field::new("message", Value::Text),
    ]
}

/// How a record begins.
struct Head {
    moment: Moment,
    begin: usize,
    /// A number in brackets before it.
    pid: Option<Range<usize>>,
    /// A level before it.
    level: Option<Range<usize>>,
    style: Style,
    /// What comes behind it.
    next: usize,
}

/// What a beginning says of the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Nothing.
    Plain,
    /// A day and a month, and a sign for a level perhaps.
    Signs,
    /// A process and a place in brackets follow.
    Glog,
}

/// Whether a line begins a record.
pub(super) fn is_head(line: &[u8], anchor: i64) -> bool {
    head(line, anchor).is_some()
}

/// Whether a line begins a record with a level.
pub(super) fn has_level(line: &[u8], anchor: i64) -> bool {
    let mut spans = [NONE; MESSAGE + 1];
    let mut out = Out { base: 0, spans: &mut spans, state: &mut 0 };
    take(line, &mut out, None, anchor) == Fit::Yes && out.is_set(LEVEL)
}

/// The moment in which a record begins.
pub(super) fn moment_of(line: &[u8], anchor: i64) -> Option<Moment> {
    head(line, anchor).map(|h| h.moment)
}

fn head(line: &[u8], anchor: i64) -> Option<Head> {
    let mut c = Cursor::new(line);
    let (mut pid, mut level) = (None, None);
    if !matches!(line.first()?, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'[') {
        return None;
    }
    if let Some((moment, begin)) = timed(&mut c, anchor) {
        let rest = line.get(begin..).unwrap_or_default();
        let style = if matches!(rest, [_, b' ', ..] | [_, _, b' ', ..]) { Style::Signs } else { Style::Plain };
        return Some(Head { moment, begin, pid, level, style, next: c.at });
    }
    if let Some(head) = lettered(line, anchor).or_else(|| process_first(line, anchor)) {
        return Some(head);
    }
    if c.peek() == Some(b'[') {
        let range = trimmed(line, c.bracketed()?);
        let text = line.get(range.clone())?;
        match (is_number(text), is_level(text)) {
            (true, _) => pid = Some(range),
            (_, true) => level = Some(range),
            _ => return None,
        }
    } else {
        let word = c.word()?;
        let end = word.end - usize::from(line.get(word.end - 1) == Some(&b':'));
        if !is_level(line.get(word.start..end)?) {
            return None;
        }
        level = Some(word.start..end);
    }
    c.blanks();
    let (moment, begin) = timed(&mut c, anchor)?;
    let style = if pid.is_some() { Style::Signs } else { Style::Plain };
    Some(Head { moment, begin, pid, level, style, next: c.at })
}

/// `I0229 12:30:15.123456` (glog), `I, [2024-02-29T12:30:15.123456 #4711] ` (Ruby).
fn lettered(line: &[u8], anchor: i64) -> Option<Head> {
    match line {
        [b'I' | b'W' | b'E' | b'F' | b'D', b'0' | b'1', ..] => {
            let mut c = Cursor { text: line, at: 1 };
            let (moment, begin) = timed(&mut c, anchor)?;
            Some(Head { moment, begin, pid: None, level: Some(0..1), style: Style::Glog, next: c.at })
        }
        [b'I' | b'W' | b'E' | b'F' | b'D' | b'A', b',', b' ', b'[', ..] => {
            let mut c = Cursor { text: line, at: 4 };
            let moment = moment(c.rest(), anchor)?;
            c.at += moment.len;
            c.eat_all(b" #").then_some(())?;
            let pid = Some(c.until(b']')?).filter(|p| is_number(line.get(p.clone()).unwrap_or_default()));
            Some(Head { moment, begin: 4, pid, level: None, style: Style::Plain, next: c.at })
        }
        _ => None,
    }
}

/// `98738:M 30 May 12:23:52.442` (Redis).
fn process_first(line: &[u8], anchor: i64) -> Option<Head> {
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    let [b':', b'A'..=b'Z', b' ', ..] = line.get(digits..)? else { return None };
    let mut c = Cursor { text: line, at: digits + 3 };
    let (moment, begin) = timed(&mut c, anchor)?;
    let pid = is_number(line.get(..digits)?).then_some(0..digits);
    Some(Head { moment, begin, pid, level: None, style: Style::Signs, next: c.at })
}

/// A moment here, in brackets or not, and where it begins. It must not go on as a word.
fn timed(c: &mut Cursor<'_>, anchor: i64) -> Option<(Moment, usize)> {
    let mut ahead = *c;
    let open = ahead.eat(b'[');
    let found = moment(ahead.rest(), anchor)?;
    let begin = ahead.at;
    ahead.at += found.len;
    match ahead.peek() {
        Some(b']') if open => ahead.at += 1,
        Some(b) if b.is_ascii_alphanumeric() => return None,
        _ if open => ahead.at = begin + found.len,
        _ => {}
    }
    *c = ahead;
    Some((found, begin))
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit)
}

pub(super) fn is_level(text: &[u8]) -> bool {
    (3..=11).contains(&text.len()) && LEVELS.iter().any(|l| l.eq_ignore_ascii_case(text))
}

pub(super) fn take(record: &[u8], out: &mut Out<'_>, zoned: Option<bool>, anchor: i64) -> Fit {
    let first = memchr::memchr(b'\n', record).unwrap_or(record.len());
    let line = record.get(..first).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(head) = head(line, anchor) else { return Fit::No };
    if zoned.is_some_and(|z| z != head.moment.zoned) {
        return Fit::Misfit("some moments have a zone, and some have none");
    }
    out.set(TIMESTAMP, head.begin..head.begin + head.moment.len);
    if let Some(pid) = head.pid {
        out.set(PID, pid);
    }
    let mut c = Cursor { text: line, at: head.next };
    match head.level {
        Some(level) => {
            out.set(LEVEL, level);
            if head.style != Style::Glog || !place(&mut c, out) {
                behind_separators(&mut c);
                behind_level(&mut c, out);
            }
        }
        None if sign(&mut c, head.style, out) || letter(&mut c, out) || stream(&mut c, out) => {}
        None => {
            behind_separators(&mut c);
            match level(&mut c, out) {
                true => behind_level(&mut c, out),
                false => tags(&mut c, out),
            }
        }
    }
    let message = c.at..trimmed(record, 0..record.len()).end.max(c.at);
    out.set(MESSAGE, message);
    Fit::Yes
}

/// A sign that is a level (Redis): `.`, `*` and `#`, and `-` where no dash is meant.
fn sign(c: &mut Cursor<'_>, style: Style, out: &mut Out<'_>) -> bool {
    let mut ahead = *c;
    ahead.blanks();
    let is_sign = match ahead.rest() {
        [b'.' | b'*' | b'#', b' ', ..] => true,
        [b'-', b' ', ..] => style == Style::Signs,
        _ => false,
    };
    if is_sign {
        out.set(LEVEL, ahead.at..ahead.at + 1);
        ahead.at += 1;
        ahead.blanks();
        *c = ahead;
    }
    is_sign
}

/// `I NETWORK  [conn1] ` (MongoDB).
fn letter(c: &mut Cursor<'_>, out: &mut Out<'_>) -> bool {
    let mut ahead = *c;
    ahead.blanks();
    let mut found = || {
        let level = ahead.word()?;
        let [b'F' | b'E' | b'W' | b'I' | b'D', rest @ ..] = c.text.get(level.clone())? else { return None };
        let is_level = rest.len() <= 1 && rest.iter().all(|b| (b'1'..=b'5').contains(b));
        ahead.blanks();
        let component = ahead.word()?;
        let name = c.text.get(component.clone())?;
        let is_component = name == b"-" || name.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
        ahead.blanks();
        let thread = ahead.bracketed()?;
        (is_level && is_component).then_some((level, component, thread))
    };
    let Some((level, component, thread)) = found() else { return false };
    ahead.blanks();
    out.set(LEVEL, level);
    out.set_dash(LOGGER, c.text, component);
    out.set(THREAD, thread);
    *c = ahead;
    true
}

/// `stderr F ` (what runs containers).
fn stream(c: &mut Cursor<'_>, out: &mut Out<'_>) -> bool {
    let mut ahead = *c;
    ahead.blanks();
    let begin = ahead.at;
    let is_stream = ahead.eat_all(b"stdout ") || ahead.eat_all(b"stderr ");
    if !is_stream || !matches!(ahead.rest(), [b'F' | b'P', b' ', ..] | [b'F' | b'P']) {
        return false;
    }
    out.set(LOGGER, begin..ahead.at - 1);
    ahead.at += 1;
    ahead.eat(b' ');
    *c = ahead;
    true
}

/// `4711 server.go:17] ` (glog).
fn place(c: &mut Cursor<'_>, out: &mut Out<'_>) -> bool {
    let mut ahead = *c;
    ahead.blanks();
    let Some(process) = ahead.word().filter(|w| is_number(c.text.get(w.clone()).unwrap_or_default())) else {
        return false;
    };
    ahead.blanks();
    let Some(place) = ahead.until(b']') else { return false };
    out.set(PID, process);
    out.set(LOGGER, place);
    ahead.blanks();
    *c = ahead;
    true
}

/// `[4711][gc,heap] ` where there is no level (Java's virtual machine).
fn tags(c: &mut Cursor<'_>, out: &mut Out<'_>) {
    let mut ahead = *c;
    let Some(process) = ahead.bracketed().filter(|p| is_number(c.text.get(p.clone()).unwrap_or_default())) else {
        return;
    };
    let Some(tags) = ahead.bracketed().map(|t| trimmed(c.text, t)) else { return };
    if is_tags(c.text.get(tags.clone()).unwrap_or_default()) {
        out.set(PID, process);
        out.set(LOGGER, tags);
        ahead.blanks();
        *c = ahead;
    }
}

/// Goes behind blanks, and dashes, bars and colons that stand between words.
fn behind_separators(c: &mut Cursor<'_>) {
    c.blanks();
    while matches!(c.rest(), [b'-' | b'|' | b':' | b',', b' ', ..]) {
        c.at += 1;
        c.blanks();
    }
}

/// A word or a text in brackets.
struct Token {
    range: Range<usize>,
    bracketed: bool,
    /// What a word ends with that is not of it.
    behind: Option<u8>,
    next: usize,
}

fn token(c: &Cursor<'_>) -> Option<Token> {
    let mut c = *c;
    if c.peek() == Some(b'[') {
        let begin = c.at;
        let range = trimmed(c.text, c.bracketed()?);
        if c.peek() != Some(b'@') {
            return Some(Token { range, bracketed: true, behind: None, next: c.at });
        }
        // PostgreSQL's `[unknown]@[unknown]` is a word.
        let word = begin..c.word()?.end;
        return Some(Token { next: word.end, range: word, bracketed: false, behind: None });
    }
    let word = c.word()?;
    // A bracket may stand against the word.
    let text = c.text.get(word.clone())?;
    let end = memchr::memchr(b'[', text).filter(|at| *at > 0).map_or(word.end, |at| word.start + at);
    let last = c.text.get(end.checked_sub(1)?).copied().filter(|b| matches!(b, b':' | b',') && end - word.start > 1);
    let range = word.start..end - usize::from(last.is_some());
    Some(Token { range, bracketed: false, behind: last, next: end })
}

/// Looks for the level, and sets what stands before it. Answers whether there is one; else nothing is set.
fn level(c: &mut Cursor<'_>, out: &mut Out<'_>) -> bool {
    let (mut pid, mut thread, mut logger) = (None, None, None::<Range<usize>>);
    let mut ahead = *c;
    for _ in 0..AHEAD {
        let Some(token) = token(&ahead) else { return false };
        let text = c.text.get(token.range.clone()).unwrap_or_default();
        let slash = memchr::memchr(b'/', text).filter(|at| is_level(text.get(..*at).unwrap_or_default()));
        let shouted = token.bracketed || logger.is_none() || text.iter().all(u8::is_ascii_uppercase);
        let dashed = matches!(ahead.text.get(token.next..), Some([b' ', b'-', b' ', ..]));
        if is_level(text) && (shouted || dashed || token.behind == Some(b':')) {
            out.set(LEVEL, token.range);
            c.at = token.next;
            set(out, PID, pid);
            set(out, THREAD, thread);
            set(out, LOGGER, logger);
            return true;
        }
        if let Some(at) = slash.filter(|_| !token.bracketed) {
            out.set(LEVEL, token.range.start..token.range.start + at);
            out.set(LOGGER, token.range.start + at + 1..token.range.end);
            set(out, PID, pid);
            c.at = token.next;
            return true;
        }
        match token.bracketed {
            _ if pid.is_none() && pid_digits(text) > 0 => {
                pid = Some(token.range.start..token.range.start + pid_digits(text));
            }
            true if thread.is_none() => thread = Some(token.range),
            true => return false,
            false if token.behind == Some(b':') => return false,
            false => logger = Some(logger.map_or(token.range.start, |l| l.start)..token.range.end),
        }
        ahead.at = token.next;
        behind_separators(&mut ahead);
    }
    false
}

fn set(out: &mut Out<'_>, field: usize, range: Option<Range<usize>>) {
    if let Some(range) = range {
        out.set(field, range);
    }
}

/// Digits of a number that stands alone, or before a dash and another one (PostgreSQL's `%p-%l`); 0 where there is none.
fn pid_digits(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let behind = text.get(digits..).unwrap_or_default();
    let alone = behind.is_empty() || behind.strip_prefix(b"-").is_some_and(is_number);
    if alone && digits <= 18 { digits } else { 0 }
}

/// Takes off what says who speaks.
fn behind_level(c: &mut Cursor<'_>, out: &mut Out<'_>) {
    // PostgreSQL: all that follows is the message.
    let colon = c.eat(b':') || c.at.checked_sub(1).and_then(|at| c.text.get(at)) == Some(&b':');
    if colon && c.rest().starts_with(b"  ") {
        c.blanks();
        return;
    }
    behind_separators(c);
    c.eat_all(b"-- ");
    behind_separators(c);
    spring(c, out);
    if c.peek() == Some(b'[') && !out.is_set(LOGGER) {
        let mut ahead = *c;
        let range = ahead.bracketed().map(|r| trimmed(c.text, r));
        let name = range.filter(|r| is_tags(c.text.get(r.clone()).unwrap_or_default()));
        if let Some(range) = name {
            out.set(LOGGER, range);
            *c = ahead;
            c.eat(b':');
            behind_separators(c);
        }
        return;
    }
    let Some(token) = token(c).filter(|t| !t.bracketed && !out.is_set(LOGGER)) else { return };
    let text = c.text.get(token.range.clone()).unwrap_or_default();
    let mut ahead = *c;
    ahead.at = token.next;
    ahead.blanks();
    let dashed = matches!(ahead.rest(), [b'-' | b':', b' ', ..] | [b'-' | b':']);
    let named = token.behind == Some(b':') && looks_like_a_name(text);
    if is_name(text) && (dashed || named) {
        out.set(LOGGER, token.range);
        if dashed {
            ahead.at += 1;
        }
        ahead.blanks();
        *c = ahead;
    }
}

/// `4711 --- [  main] `.
fn spring(c: &mut Cursor<'_>, out: &mut Out<'_>) {
    let mut ahead = *c;
    let Some(number) = ahead.word() else { return };
    ahead.blanks();
    if !is_number(c.text.get(number.clone()).unwrap_or_default()) || !ahead.eat_all(b"--- [") {
        return;
    }
    ahead.at -= 1;
    let Some(thread) = ahead.bracketed() else { return };
    out.set(PID, number);
    out.set(THREAD, trimmed(c.text, thread));
    ahead.blanks();
    *c = ahead;
}

/// Names between commas.
fn is_tags(text: &[u8]) -> bool {
    text.split(|b| *b == b',').all(is_name)
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"._$:/-#@".contains(b))
}

fn looks_like_a_name(text: &[u8]) -> bool {
    text.iter().any(|b| b"._:".contains(b)) || text.first().is_some_and(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    fn of(record: &str) -> Vec<(String, String)> {
        let fields = fields(Value::Time(false));
        let take = |out: &mut Out<'_>| take(record.as_bytes(), out, None, 0) == Fit::Yes;
        let mut got = taken(&fields, take, record.as_bytes()).unwrap();
        got.remove(0);
        got
    }

    #[test]
    fn who_says_what_how_loud() {
        for (record, want) in [
            (
                "2024-02-29 12:30:15,123 [main] ERROR com.example.Store - cannot open\nx: y\n\tat z",
                vec![
                    ("level", "ERROR"),
                    ("logger", "com.example.Store"),
                    ("thread", "main"),
                    ("message", "cannot open\nx: y\n\tat z"),
                ],
            ),
            (
                "2024-02-29 12:30:15.123  INFO 4711 --- [  main] c.example.Store : opened",
                vec![
                    ("level", "INFO"),
                    ("logger", "c.example.Store"),
                    ("thread", "main"),
                    ("pid", "4711"),
                    ("message", "opened"),
                ],
            ),
            (
                "2024-02-29 12:30:15,123 - store.disk - WARNING - disk is full",
                vec![("level", "WARNING"), ("logger", "store.disk"), ("message", "disk is full")],
            ),
            (
                "[2024-02-29T12:30:15,123][WARN ][o.e.n.Node     ] [n1] disk is full",
                vec![("level", "WARN"), ("logger", "o.e.n.Node"), ("message", "[n1] disk is full")],
            ),
            (
                "2024-02-29 12:30:15.123 CET [4711] me@db LOG:  checkpoint starting",
                vec![("level", "LOG"), ("logger", "me@db"), ("pid", "4711"), ("message", "checkpoint starting")],
            ),
            (
                "[1] 2019/02/06 07:19:40.624334 [INF] Server is ready",
                vec![("level", "INF"), ("pid", "1"), ("message", "Server is ready")],
            ),
            (
                "[2017-04-04 11:16:34 +0200] information/Notification: Sending 'x'",
                vec![("level", "information"), ("logger", "Notification"), ("message", "Sending 'x'")],
            ),
            ("2024-02-29 12:30:15 EST [12-3] LOG:  ready", vec![("level", "LOG"), ("pid", "12"), ("message", "ready")]),
            ("INFO 2024-02-29 12:30:15 ready", vec![("level", "INFO"), ("message", "ready")]),
            (
                "2024-02-29 12:30:15 UTC [12] LOG:  duration: 3 ms",
                vec![("level", "LOG"), ("pid", "12"), ("message", "duration: 3 ms")],
            ),
            (
                "98738:M 30 May 2024 12:23:52.442 * Saving",
                vec![("level", "*"), ("pid", "98738"), ("message", "Saving")],
            ),
            ("30 May 10:03:19 - Server started", vec![("level", "-"), ("message", "Server started")]),
            ("[2932] 31 May 04:32:08 # Warned", vec![("level", "#"), ("pid", "2932"), ("message", "Warned")]),
            ("2024-02-29 12:30:15 - no level", vec![("message", "no level")]),
            ("161209 14:18:50 [Note] Plugin off", vec![("level", "Note"), ("message", "Plugin off")]),
            (
                "2019-03-24T13:44:25.484123Z 0 [System] [MY-013169] [Server] starts",
                vec![("level", "System"), ("logger", "MY-013169"), ("pid", "0"), ("message", "[Server] starts")],
            ),
            (
                "2019-02-05T13:03:36.512+0000 I NETWORK  [conn1] received: x",
                vec![("level", "I"), ("logger", "NETWORK"), ("thread", "conn1"), ("message", "received: x")],
            ),
            (
                "2019-02-05T13:03:36.512+0000 D2 -        [main] y",
                vec![("level", "D2"), ("thread", "main"), ("message", "y")],
            ),
            ("2019-02-05T13:03:36.512+0000 I am here", vec![("message", "I am here")]),
            (
                "I0229 12:30:15.123456    4711 server.go:17] started: now",
                vec![("level", "I"), ("logger", "server.go:17"), ("pid", "4711"), ("message", "started: now")],
            ),
            (
                "I, [2024-02-29T12:30:15.123456 #4711]  INFO -- : opened",
                vec![("level", "INFO"), ("pid", "4711"), ("message", "opened")],
            ),
            (
                "W, [2024-02-29T12:30:15.123456 #4711]  WARN -- store: opened",
                vec![("level", "WARN"), ("logger", "store"), ("pid", "4711"), ("message", "opened")],
            ),
            (
                "[2018-06-13T07:44:22.647+0000][32376][gc,heap   ] Using it",
                vec![("logger", "gc,heap"), ("pid", "32376"), ("message", "Using it")],
            ),
            (
                "[2018-06-13T07:44:22.647+0000][info][gc,init] Using it",
                vec![("level", "info"), ("logger", "gc,init"), ("message", "Using it")],
            ),
            ("2024-02-29T12:30:15.123456789Z stderr F a b", vec![("logger", "stderr"), ("message", "a b")]),
            ("2024-02-29T12:30:15.123456789Z stderr Failed", vec![("message", "stderr Failed")]),
            ("2024-02-29 12:30:15 no level: here", vec![("message", "no level: here")]),
            ("2024-02-29 12:30:15 ERROR Failed: no", vec![("level", "ERROR"), ("message", "Failed: no")]),
            ("2024-02-29 12:30:15 ERROR a.b: no", vec![("level", "ERROR"), ("logger", "a.b"), ("message", "no")]),
            ("2024-02-29T12:30:15Z", vec![("message", "")]),
        ] {
            let want: Vec<_> = want.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(of(record), want, "{record}");
        }
        for line in
            ["\tat x", "Caused by: x", "", "Traceback (most recent call last):", "  File \"x\"", "[x] 1", "INFO x"]
        {
            assert!(!is_head(line.as_bytes(), 0), "{line}");
        }
    }
}
