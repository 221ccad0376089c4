//! Zeek's own format: the header gives names and types, so that nothing is guessed.
//!
//! ```text
//! #separator \x09
//! #set_separator  ,
//! #empty_field  (empty)
//! #unset_field  -
//! #fields  ts  uid  id.orig_p  names
//! #types  time  string  port  set[string]
//! 1521911885.713879  CiB1v  58444  a,b
//! ```
//!
//! `time` is a timestamp in UTC, `interval` and `double` floats, `count`, `int` and `port` integers, `bool` a boolean, sets and
//! vectors lists, everything else text, in which `\x09` is a tab. What is unset is null. A header that comes again with the same
//! fields is skipped, one with others an error.

use super::cursor::Out;
use super::layout::{Field, Fit, Value};
use crate::error::{Error, Result};
use arrow::datatypes::DataType;

/// A header.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Zeek {
    separator: u8,
    empty: Vec<u8>,
    unset: Vec<u8>,
    /// The texts of the lines with names and types.
    names: Vec<u8>,
    types: Vec<u8>,
    columns: usize,
}

/// Whether a text begins as the format does.
pub(super) fn is_zeek(head: &[u8]) -> bool {
    head.starts_with(b"#separator ")
}

/// The fields that a header names.
///
/// # Errors
/// A header that is not complete, or has a separator of items that is no comma.
pub(super) fn header(head: &[u8]) -> Result<(Vec<Field>, Zeek)> {
    let broken = |what: &str| Error::data(format!("Zeek's header has no {what}"));
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().and_then(|line| line.strip_prefix(b"#separator ")).ok_or_else(|| broken("#separator"))?;
    let separator = match unescape(first).as_slice() {
        [one] if one.is_ascii() => *one,
        _ => return Err(Error::unsupported("a separator of Zeek that is not one ASCII character")),
    };
    let mut zeek = Zeek {
        separator,
        empty: b"(empty)".to_vec(),
        unset: b"-".to_vec(),
        names: Vec::new(),
        types: Vec::new(),
        columns: 0,
    };
    for line in lines.take_while(|line| line.starts_with(b"#")) {
        let Some(at) = memchr::memchr(separator, line) else { continue };
        let (key, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
        match key {
            b"#set_separator" if value != b"," => {
                return Err(Error::unsupported("a set_separator of Zeek that is no comma"));
            }
            b"#empty_field" => zeek.empty = value.to_vec(),
            b"#unset_field" => zeek.unset = value.to_vec(),
            b"#fields" => zeek.names = value.to_vec(),
            b"#types" => zeek.types = value.to_vec(),
            _ => {}
        }
    }
    let names = zeek.names.split(|b| *b == separator);
    let types: Vec<&[u8]> = zeek.types.split(|b| *b == separator).collect();
    if zeek.names.is_empty() || zeek.types.is_empty() || names.clone().count() != types.len() {
        return Err(broken("#fields and #types that go together"));
    }
    zeek.columns = types.len();
    let field = |(name, of): (&[u8], &&[u8])| Field::new(&String::from_utf8_lossy(name), value_of(of));
    Ok((names.zip(&types).map(field).collect(), zeek))
}

fn value_of(of: &[u8]) -> Value {
    match of {
        b"time" => Value::Epoch,
        b"interval" | b"double" => Value::Typed(DataType::Float64),
        b"count" | b"int" | b"port" => Value::Typed(DataType::Int64),
        b"bool" => Value::Letter,
        _ => match inner(of) {
            Some(item) => Value::List(Box::new(value_of(item))),
            None => Value::Escaped,
        },
    }
}

/// The type of the items of a set or vector.
fn inner(of: &[u8]) -> Option<&[u8]> {
    let items = of.strip_prefix(b"set[").or_else(|| of.strip_prefix(b"vector["))?;
    items.strip_suffix(b"]")
}

impl Zeek {
    pub(super) fn take(&self, line: &[u8], out: &mut Out<'_>) -> Fit {
        if line.starts_with(b"#") {
            return self.comment(line);
        }
        let (mut begin, mut taken) = (0, 0);
        for end in memchr::memchr_iter(self.separator, line).chain(std::iter::once(line.len())) {
            let text = line.get(begin..end).unwrap_or_default();
            if text == self.empty {
                out.set(taken, begin..begin);
            } else if text != self.unset {
                out.set(taken, begin..end);
            }
            (begin, taken) = (end + 1, taken + 1);
        }
        if taken == self.columns { Fit::Yes } else { Fit::No }
    }

    fn comment(&self, line: &[u8]) -> Fit {
        let other = |key: &[u8], own: &[u8]| {
            line.strip_prefix(key).is_some_and(|rest| rest.get(1..).unwrap_or_default() != own)
        };
        match other(b"#fields", &self.names) || other(b"#types", &self.types) {
            true => Fit::Misfit("Zeek's header changes here"),
            false => Fit::Skip,
        }
    }
}

/// Text without escapes: `\x09` is the byte, two backslashes are one, any other stays.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, more @ ..] = rest {
        rest = match (first, more) {
            (b'\\', [b'x', high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                plain.push(digit(*high) << 4 | digit(*low));
                behind
            }
            (b'\\', [b'\\', behind @ ..]) => {
                plain.push(b'\\');
                behind
            }
            _ => {
                plain.push(*first);
                more
            }
        };
    }
    plain
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex.to_ascii_lowercase() - b'a' + 10) & 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    #[test]
    fn a_header_and_its_lines() {
        let head = b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tx\n\
                     #fields\tts\tid.orig_p\tok\tnames\ts\n#types\ttime\tport\tbool\tset[string]\tstring\n1.5\t2\tT\ta\tb\n";
        let (fields, zeek) = header(head).unwrap();
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["ts", "id.orig_p", "ok", "names", "s"]);
        assert_eq!(fields[3].value, Value::List(Box::new(Value::Escaped)));
        let of = |line: &str| taken(&fields, |out| zeek.take(line.as_bytes(), out) == Fit::Yes, line.as_bytes());
        assert_eq!(of("1.5\t-\tT\t(empty)\tx").unwrap().len(), 4);
        assert!(of("1.5\t-\tT\t(empty)").is_none() && of("#close\tx").is_none());
        let mut spans = vec![super::super::cursor::NONE; 5];
        let mut out = Out { base: 0, spans: &mut spans, state: &mut 0 };
        assert!(matches!(zeek.take(b"#fields\tother", &mut out), Fit::Misfit(_)));
        assert_eq!(zeek.take(b"#types\ttime\tport\tbool\tset[string]\tstring", &mut out), Fit::Skip);
        assert!(header(b"#separator \\x09\n#fields\ta\n").is_err() && header(b"").is_err());
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(br"a\x09b\\c\d\x"), b"a\tb\\c\\d\\x");
    }
}
