//! JSON text out of values, compact, as jq writes it.
//!
//! Text of the input that goes out is written anew, too: without spaces, each key once, each text with as few escapes as it
//! needs. So what a program puts out does not depend on how it was run.

use super::access::float;
use super::meter::{Held, enter};
use super::scan::{Fields, Items, Kind};
use super::value::{Val, charged};
use bytes::Bytes;
use jaq_json::Num;
use std::fmt::Write;

/// The largest finite number: what infinity is written as, in jq too.
const HUGE: &str = "1.7976931348623157e+308";

/// The value as JSON.
pub(super) fn json_of(v: &Val) -> Bytes {
    // Counted before it is made.
    drop(Held::new(usize::try_from(v.weight()).unwrap_or(usize::MAX)));
    let mut out = Vec::new();
    value(v, &mut out);
    charged(out)
}

/// Appends a value.
pub(super) fn value(v: &Val, out: &mut Vec<u8>) {
    match v {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(n) => number(n, out),
        Val::Str(s) => text(s, out),
        Val::Arr(a) => {
            enter();
            out.push(b'[');
            for (i, item) in a.items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                value(item, out);
            }
            out.push(b']');
        }
        Val::Obj(o) => {
            enter();
            out.push(b'{');
            for (i, (key, field)) in o.fields.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                text(key, out);
                out.push(b':');
                value(field, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends a number. JSON has none for NaN, which becomes null, nor for infinity.
pub(super) fn number(n: &Num, out: &mut Vec<u8>) {
    match n {
        Num::Float(f) if f.is_nan() => out.extend_from_slice(b"null"),
        Num::Float(f) if f.is_infinite() => {
            if *f < 0.0 {
                out.push(b'-');
            }
            out.extend_from_slice(HUGE.as_bytes());
        }
        Num::Dec(text) if !float(n).is_finite() => out.extend_from_slice(text.as_bytes()),
        n => {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = write!(text, "{n}");
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Appends a text, quoted.
pub(super) fn text(content: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = content;
    while let Some(at) = rest.iter().position(|b| matches!(b, 0..=0x1F | b'"' | b'\\' | 0x7F)) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let special = rest.get(at).copied().unwrap_or_default();
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            other => out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
        }
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a value of the input, which is valid JSON without spaces around it.
pub(super) fn raw(json: &[u8], out: &mut Vec<u8>) {
    match Kind::of(json) {
        Kind::Text => raw_text(json, out),
        Kind::Array => {
            enter();
            out.push(b'[');
            for (i, item) in Items::new(json).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                raw(item, out);
            }
            out.push(b']');
        }
        Kind::Object => raw_object(json, out),
        // An integer's zero has no sign.
        Kind::Number if json == b"-0" => out.push(b'0'),
        _ => out.extend_from_slice(json),
    }
}

fn raw_text(json: &[u8], out: &mut Vec<u8>) {
    match memchr::memchr2(b'\\', 0x7F, json) {
        None => out.extend_from_slice(json),
        Some(_) => text(&super::scan::content(json), out),
    }
}

fn raw_object(json: &[u8], out: &mut Vec<u8>) {
    enter();
    let mut fields = Fields::new(json).peekable();
    if fields.peek().is_none() {
        return out.extend_from_slice(b"{}");
    }
    if has_twins(json) {
        return value(&super::read::value_of(json), out);
    }
    out.push(b'{');
    for (i, (key, field)) in fields.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        raw_text(key, out);
        out.push(b':');
        raw(field, out);
    }
    out.push(b'}');
}

/// Whether a key may be there twice.
pub(super) fn has_twins(json: &[u8]) -> bool {
    const FEW: usize = 16;
    let mut seen: Vec<&[u8]> = Vec::new();
    for (key, _) in Fields::new(json) {
        // With escapes two spellings may be one key.
        if seen.len() >= FEW || memchr::memchr(b'\\', key).is_some() {
            return many_twins(json);
        }
        if seen.contains(&key) {
            return true;
        }
        seen.push(key);
    }
    false
}

fn many_twins(json: &[u8]) -> bool {
    let mut keys: Vec<_> = Fields::new(json).map(|(key, _)| super::scan::content(key)).collect();
    keys.sort_unstable();
    keys.windows(2).any(|w| w.first() == w.last())
}
