//! Requests to web servers: `common` and `combined`, as Apache and nginx write them, with the virtual host before or without,
//! and with more fields behind.
//!
//! ```text
//! [vhost ]ip ident user [29/Feb/2024:12:30:15 +0100] "GET /a HTTP/1.1" 200 512[ "referer" "user agent"[ extra]]
//! ```

use super::cursor::{Cursor, Out};
use super::layout::{Field, Value};
use super::times::clf;
use arrow::datatypes::DataType;
use std::ops::Range;

const VHOST: usize = 0;
const IP: usize = 1;
const IDENT: usize = 2;
const USER: usize = 3;
const TIMESTAMP: usize = 4;
/// The method, the path and the protocol follow.
const REQUEST: usize = 5;
const STATUS: usize = 9;
const BYTES: usize = 10;
const REFERER: usize = 11;
const USER_AGENT: usize = 12;
const EXTRA: usize = 13;

pub(super) fn fields() -> Vec<Field> {
    let integer = || Value::Typed(DataType::Int64);
    vec![
        Field::new("vhost", Value::Text),
        Field::new("ip", Value::Text),
        Field::new("ident", Value::Text),
        Field::new("user", Value::Text),
        Field::new("timestamp", Value::Time(true)),
        Field::new("request", Value::Text),
        Field::new("method", Value::Text),
        Field::new("path", Value::Text),
        Field::new("protocol", Value::Text),
        Field::new("status", integer()),
        Field::new("bytes", integer()),
        Field::new("referer", Value::Text),
        Field::new("user_agent", Value::Text),
        Field::new("extra", Value::Text),
    ]
}

pub(super) fn take(line: &[u8], out: &mut Out<'_>) -> Option<()> {
    let mut c = Cursor::new(line);
    let who = c.until(b'[')?;
    client(line, who, out)?;
    let time = c.until(b']')?;
    clf(line.get(time.clone())?).filter(|m| m.len == time.len())?;
    out.set(TIMESTAMP, time);
    c.expect(b' ')?;
    let request = c.quoted()?;
    request_line(line, request, out, REQUEST);
    c.expect(b' ')?;
    let status = c.word()?;
    out.set_dash(STATUS, line, status);
    c.expect(b' ')?;
    let bytes = c.word()?;
    out.set_dash(BYTES, line, bytes);
    c.blanks();
    if c.is_done() {
        return Some(());
    }
    if c.peek() == Some(b'"') {
        let referer = c.quoted()?;
        out.set_dash(REFERER, line, referer);
        c.blanks();
        if c.peek() == Some(b'"') {
            let agent = c.quoted()?;
            out.set_dash(USER_AGENT, line, agent);
        }
        c.blanks();
    }
    if !c.is_done() {
        let extra = c.tail();
        out.set(EXTRA, extra);
    }
    Some(())
}

/// The fields of what Apache's mod_ssl writes.
pub(super) fn ssl_fields() -> Vec<Field> {
    let mut fields = vec![
        Field::new("timestamp", Value::Time(true)),
        Field::new("ip", Value::Text),
        Field::new("ssl_protocol", Value::Text),
        Field::new("ssl_cipher", Value::Text),
    ];
    let names = ["request", "method", "path", "protocol"];
    fields.extend(names.map(|name| Field::new(name, Value::Text)));
    fields.push(Field::new("bytes", Value::Typed(DataType::Int64)));
    fields
}

/// `[10/Aug/2018:09:45:56 +0200] 10.0.0.1 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 "GET /a HTTP/1.1" 1375`.
pub(super) fn take_ssl(line: &[u8], out: &mut Out<'_>) -> Option<()> {
    let mut c = Cursor::new(line);
    c.expect(b'[')?;
    let time = c.until(b']')?;
    clf(line.get(time.clone())?).filter(|m| m.len == time.len())?;
    out.set(0, time);
    for field in 1..4 {
        c.expect(b' ')?;
        let word = c.word()?;
        out.set_dash(field, line, word);
    }
    c.expect(b' ')?;
    let request = c.quoted()?;
    request_line(line, request, out, 4);
    c.expect(b' ')?;
    let bytes = c.word()?;
    out.set_dash(8, line, bytes);
    c.is_done().then_some(())
}

/// `[vhost ]ip ident user `; a user may have blanks in its name.
fn client(line: &[u8], who: Range<usize>, out: &mut Out<'_>) -> Option<()> {
    let text = line.get(..who.end)?;
    if text.last() != Some(&b' ') {
        return None;
    }
    let mut c = Cursor::new(text.get(..text.len() - 1)?);
    let mut word = || -> Option<Range<usize>> {
        let word = c.word()?;
        c.expect(b' ').or_else(|| c.is_done().then_some(()))?;
        Some(word)
    };
    let (first, second, third) = (word()?, word()?, word()?);
    let rest = c.tail();
    if rest.is_empty() {
        out.set_dash(IP, line, first);
        out.set_dash(IDENT, line, second);
        out.set_dash(USER, line, third);
        return Some(());
    }
    let ident = line.get(third.clone())?;
    if ident == b"-" && line.get(second.clone())? != b"-" {
        out.set_dash(VHOST, line, first);
        out.set_dash(IP, line, second);
        out.set_dash(USER, line, rest);
        return Some(());
    }
    out.set_dash(IP, line, first);
    out.set_dash(IDENT, line, second);
    out.set(USER, third.start..rest.end);
    Some(())
}

/// A request, and its method, path and protocol where it has them: the fields from `first` on.
fn request_line(line: &[u8], request: Range<usize>, out: &mut Out<'_>, first: usize) {
    out.set_dash(first, line, request.clone());
    let text = line.get(request.clone()).unwrap_or_default();
    let Some(method) = memchr::memchr(b' ', text) else { return };
    let is_method = method > 0 && text.iter().take(method).all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'));
    if !is_method {
        return;
    }
    let last = memchr::memrchr(b' ', text).unwrap_or(method);
    let has_protocol = last > method && text.get(last + 1..).is_some_and(|p| p.starts_with(b"HTTP/"));
    let path = method + 1..if has_protocol { last } else { text.len() };
    if path.is_empty() {
        return;
    }
    let from = request.start;
    out.set(first + 1, from..from + method);
    out.set(first + 2, from + path.start..from + path.end);
    if has_protocol {
        out.set(first + 3, from + last + 1..request.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    #[test]
    fn all_of_a_line() {
        let line = br#"10.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a b?q=\"x\" HTTP/1.0" 200 2326 "http://x/" "curl/7" "-" 0.5"#;
        let got = taken(&fields(), |out| take(line, out).is_some(), line).unwrap();
        let want = [
            ("ip", "10.0.0.1"),
            ("user", "frank"),
            ("timestamp", "10/Oct/2000:13:55:36 -0700"),
            ("request", r#"GET /a b?q=\"x\" HTTP/1.0"#),
            ("method", "GET"),
            ("path", r#"/a b?q=\"x\""#),
            ("protocol", "HTTP/1.0"),
            ("status", "200"),
            ("bytes", "2326"),
            ("referer", "http://x/"),
            ("user_agent", "curl/7"),
            ("extra", r#""-" 0.5"#),
        ];
        assert_eq!(got, want.map(|(k, v)| (k.to_string(), v.to_string())));
    }

    #[test]
    fn of_mod_ssl() {
        let of = |line: &str| taken(&ssl_fields(), |out| take_ssl(line.as_bytes(), out).is_some(), line.as_bytes());
        let got = of(r#"[10/Aug/2018:09:45:56 +0200] ::1 TLSv1.2 AES128-SHA "GET /a HTTP/1.1" -"#).unwrap();
        let texts: Vec<&str> = got.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(
            texts,
            ["10/Aug/2018:09:45:56 +0200", "::1", "TLSv1.2", "AES128-SHA", "GET /a HTTP/1.1", "GET", "/a", "HTTP/1.1"]
        );
        assert!(of(r#"[10/Aug/2018:09:45:56 +0200] ::1 TLSv1.2 AES128-SHA "GET /" 5 more"#).is_none());
    }

    #[test]
    fn what_may_be_missing() {
        let of = |line: &str| taken(&fields(), |out| take(line.as_bytes(), out).is_some(), line.as_bytes());
        let got = of(r#"::1 - - [26/Dec/2016:16:16:48 +0200] "-" 408 -"#).unwrap();
        assert_eq!(got.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["ip", "timestamp", "status"]);
        let got = of(r#"v.example:80 10.0.0.1 - - [26/Dec/2016:16:16:48 +0200] "GET / HTTP/1.1" 200 1"#).unwrap();
        assert_eq!(got[0], ("vhost".to_string(), "v.example:80".to_string()));
        let got = of(r#"10.0.0.1 - a b [26/Dec/2016:16:16:48 +0200] "\x16\x03" 400 1"#).unwrap();
        assert_eq!(got[1], ("user".to_string(), "a b".to_string()));
        assert!(got.iter().all(|(k, _)| k != "method"));
        for bad in [
            "",
            "::1 - - 26/Dec/2016",
            r#"::1 - - [26/Dec/2016:16:16:48] "-" 408 -"#,
            r#"::1 - [26/Dec/2016:16:16:48 +0200] "-" 408 -"#,
            r#"::1 - - [26/Dec/2016:16:16:48 +0200] "- 408 -"#,
            r#"::1 - - [26/Dec/2016:16:16:48 +0200] "-" 408"#,
        ] {
            assert!(of(bad).is_none(), "{bad}");
        }
    }
}
