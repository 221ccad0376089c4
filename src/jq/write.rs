//! JSON text out of values, compact, as jq writes it.
//!
//! Text of the input that goes out is written anew, too: without spaces, each key once, each text with as few escapes as it
//! needs. So what a program puts out does not depend on how it was run.

use super::access::float;
use super::meter::{Held, enter};
use super::scan::{Fields, Kind};
use super::value::{Val, charged};
use crate::formats::json_text::Text;
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
        Kind::Array | Kind::Object => nested(json, out),
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

/// Appends an array or an object of the input: one pass that copies what may stay as it is in long pieces.
fn nested(json: &[u8], out: &mut Vec<u8>) {
    enter();
    let has_escapes = memchr::memchr2(b'\\', 0x7F, json).is_some();
    let text = Text { bytes: json };
    let (open, keys) = (Vec::with_capacity(FEW), Vec::with_capacity(FEW));
    Anew { text, has_escapes, out, copied: 0, open, keys }.run();
}

/// A value of the input while it is written anew.
struct Anew<'a, 'o> {
    text: Text<'a>,
    /// Whether texts may have to be written otherwise.
    has_escapes: bool,
    out: &'o mut Vec<u8>,
    /// What stands before this is written.
    copied: usize,
    open: Vec<Open>,
    /// The keys of the objects that are open, with their quotes.
    keys: Vec<&'a [u8]>,
}

/// An array or an object that has begun.
struct Open {
    at: usize,
    /// What was written, and up to where, when it began.
    out: usize,
    copied: usize,
    /// The place of its first key.
    keys: usize,
}

impl<'a> Anew<'a, '_> {
    fn run(mut self) {
        let mut at = 0;
        while at < self.text.bytes.len() {
            at = match self.text.at(at) {
                b'"' => self.text_at(at),
                b'{' | b'[' => {
                    let (out, copied, keys) = (self.out.len(), self.copied, self.keys.len());
                    self.open.push(Open { at, out, copied, keys });
                    at + 1
                }
                b'}' | b']' => self.close(at + 1),
                b' ' | b'\t' | b'\n' | b'\r' => {
                    self.copy(at);
                    self.copied = self.text.space(at);
                    self.copied
                }
                b'-' => self.minus(at),
                _ => at + 1,
            };
        }
        self.copy(at);
    }

    /// Copies what stands before `at`.
    fn copy(&mut self, at: usize) {
        self.out.extend_from_slice(self.text.bytes.get(self.copied..at).unwrap_or_default());
        self.copied = at;
    }

    /// Behind the text that begins at `at`.
    fn text_at(&mut self, at: usize) -> usize {
        let end = self.text.string_end(at + 1).map_or(self.text.bytes.len(), |(end, _)| end + 1);
        let quoted = self.text.bytes.get(at..end).unwrap_or_default();
        if self.text.at(self.text.space(end)) == b':' {
            self.keys.push(quoted);
        }
        if self.has_escapes && memchr::memchr2(b'\\', 0x7F, quoted).is_some() {
            self.copy(at);
            text(&super::scan::content(quoted), self.out);
            self.copied = end;
        }
        end
    }

    /// Behind a minus, which an integer's zero does not keep.
    fn minus(&mut self, at: usize) -> usize {
        let in_exponent = at > 0 && matches!(self.text.at(at - 1), b'e' | b'E');
        let goes_on = matches!(self.text.at(at + 2), b'0'..=b'9' | b'.' | b'e' | b'E');
        if self.text.at(at + 1) == b'0' && !in_exponent && !goes_on {
            self.copy(at);
            self.copied = at + 1;
        }
        at + 1
    }

    /// An array or object ends before `end`. With a key that is there twice it is written once more, as a value.
    fn close(&mut self, end: usize) -> usize {
        let Some(Open { at, out, copied, keys }) = self.open.pop() else { return end };
        if have_twins(self.keys.get(keys..).unwrap_or_default()) {
            self.out.truncate(out);
            self.copied = copied;
            self.copy(at);
            value(&super::read::value_of(self.text.bytes.get(at..end).unwrap_or_default()), self.out);
            self.copied = end;
        }
        self.keys.truncate(keys);
        end
    }
}

/// More keys than this are sorted to find those that are there twice.
const FEW: usize = 16;

/// Whether a key is there twice.
fn have_twins(keys: &[&[u8]]) -> bool {
    // With escapes two spellings may be one key.
    if keys.len() > FEW || keys.iter().any(|key| memchr::memchr(b'\\', key).is_some()) {
        return many_twins(keys.iter().copied());
    }
    keys.iter().enumerate().any(|(at, key)| keys.iter().take(at).any(|before| before == key))
}

/// Whether an object of the input has a key twice.
pub(super) fn has_twins(json: &[u8]) -> bool {
    let mut keys = [&[][..]; FEW];
    let mut count = 0;
    for (key, _) in Fields::new(json) {
        let Some(place) = keys.get_mut(count) else { return many_twins(Fields::new(json).map(|(key, _)| key)) };
        *place = key;
        count += 1;
    }
    have_twins(keys.get(..count).unwrap_or_default())
}

fn many_twins<'a>(keys: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut keys: Vec<_> = keys.map(super::scan::content).collect();
    keys.sort_unstable();
    keys.windows(2).any(|w| w.first() == w.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a value, which has each key once, and no spaces.
    fn slowly(json: &str) -> String {
        let mut out = Vec::new();
        value(&super::super::read::value_of(json.as_bytes()), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn anew(json: &str) -> String {
        let mut out = b"before".to_vec();
        raw(json.as_bytes(), &mut out);
        String::from_utf8(out).unwrap().split_off(6)
    }

    #[test]
    fn what_is_copied_is_what_a_value_writes() {
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\" : {n}")).collect();
        let (many, twice) = (format!("{{{}}}", many.join(", ")), format!("{{{}, \"k7\":0}}", many.join(", ")));
        for json in [
            "[ ]",
            "{ }",
            "[1 , -0,-0.0, [-0], 1e-0, 2E-0,{\"a\":-0}]",
            r#"{"a" : {"b":1, "c" : [ {"x":1,"x": 2 }, "}" ]} , "d":"\u0041\u000a\/\u007f"}"#,
            r#"{"a":1,"b":{"a":1},"a":{"z":[1, 2],"z":3}}"#,
            r#"{"a":1,"\u0061":2}"#,
            "[\"a:\", \"b\", {\"\u{7f}\":\"\u{7f}\"}]",
            &many,
            &twice,
        ] {
            assert_eq!(anew(json), slowly(json), "{json}");
        }
    }

    proptest::proptest! {
        #[test]
        fn random_json_too(text in "[{\\[]([{}\\[\\]:,\"a0eE \\\\n.-]|\"a\":|\"a\",|\\],|\\},|-0|1e-0){0,14}") {
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                assert_eq!(anew(&text), slowly(&text), "{text}");
            }
        }

        #[test]
        fn random_values_too(seed in 0u64..u64::MAX) {
            let json = made(&mut seed.clone(), 4);
            assert_eq!(anew(&json), slowly(&json), "{json}");
        }
    }

    /// JSON by chance, with spaces, escapes and keys that are there twice.
    fn made(seed: &mut u64, depth: u32) -> String {
        let mut next = |n: u64| {
            *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (*seed >> 33) % n
        };
        let space = [" ", "", "", "\n\t"][next(4) as usize];
        let (kind, count) = (next(if depth == 0 { 4 } else { 8 }), next(4));
        let key = ["\"a\"", "\"b\"", "\"\\u0061\"", "\"long key\""];
        match kind {
            0 => ["null", "true", "false"][next(3) as usize].to_string(),
            1 => ["-0", "0", "-0.0", "1e-0", "1.50", "-12345678901234567890123", "1E+2"][next(7) as usize].to_string(),
            2 | 3 => ["\"\"", "\"x:{}\"", "\"\\n\\/\"", "\"\u{7f}é\""][next(4) as usize].to_string(),
            4 | 5 => {
                let items: Vec<String> = (0..count).map(|_| made(seed, depth - 1)).collect();
                format!("[{space}{}{space}]", items.join(&format!("{space},")))
            }
            _ => {
                let keys: Vec<&str> = (0..count).map(|_| key[next(4) as usize]).collect();
                let fields: Vec<String> =
                    keys.iter().map(|key| format!("{key}{space}:{space}{}", made(seed, depth - 1))).collect();
                format!("{{{space}{}{space}}}", fields.join(&format!("{space},")))
            }
        }
    }
}
