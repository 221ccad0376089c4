//! `key=value`: logfmt, and lists of pairs with other separators, behind a moment and some words or not.
//!
//! ```text
//! level=info msg="started \"x\"" took=1.5                                        logfmt: pairs and nothing else
//! [2018-12-10T06:45:16.802Z] I santad: action=EXEC|decision=ALLOW|path=/a b      kv, between |
//! 2024-01-01 12:00:00 user=John Smith action=login                               kv, between blanks
//! ```
//!
//! Between blanks a value without quotes goes on to the blank before the next `key=`. What is behind `=` and empty is null;
//! empty quotes are an empty text. A record that has a key twice is not of the format.

use super::cursor::{Cursor, Out, trimmed};
use super::layout::{Field, Fit, Value};
use super::times::{Moment, moment};
use crate::formats::values::Kind;
use arrow::datatypes::DataType;
use std::collections::HashMap;
use std::ops::Range;

/// What separates pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// Blanks, and nothing else is in the record.
    Logfmt,
    /// Blanks.
    Blank,
    /// A byte.
    Byte(u8),
}

/// Separators that are tried, in this order.
pub(super) const SEPARATORS: [Separator; 6] = [
    Separator::Byte(b'|'),
    Separator::Byte(b'\t'),
    Separator::Byte(b';'),
    Separator::Byte(b','),
    Separator::Byte(b'&'),
    Separator::Blank,
];

/// Calls `pair` with key and value of each pair; answers with the place of the first one.
pub(super) fn each(
    record: &[u8],
    separator: Separator,
    mut pair: impl FnMut(Range<usize>, Option<Range<usize>>),
) -> Option<usize> {
    let first = match separator {
        Separator::Logfmt => trimmed(record, 0..record.len()).start,
        _ => first_key(record, separator)?,
    };
    let mut c = Cursor { text: record, at: first };
    loop {
        let key = key(&mut c)?;
        let value = value(&mut c, separator)?;
        pair(key, value);
        match separator {
            Separator::Byte(byte) => {
                c.blanks();
                if c.is_done() {
                    return Some(first);
                }
                c.expect(byte)?;
                c.blanks();
            }
            _ => c.blanks(),
        }
        if c.is_done() {
            return Some(first);
        }
    }
}

/// Where the first key begins.
fn first_key(record: &[u8], separator: Separator) -> Option<usize> {
    let equal =
        memchr::memchr_iter(b'=', record).find(|at| *at > 0 && record.get(at - 1).is_some_and(|b| is_key(*b)))?;
    let before = record.get(..equal)?;
    let begin = before.iter().rposition(|b| !is_key(*b)).map_or(0, |at| at + 1);
    let last = begin.checked_sub(1).and_then(|at| record.get(at));
    let fits = match (last, separator) {
        (None | Some(b' ' | b'\t'), _) => true,
        (Some(byte), Separator::Byte(own)) => *byte == own,
        _ => false,
    };
    fits.then_some(begin)
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'@' | b':' | b'$')
}

fn key(c: &mut Cursor<'_>) -> Option<Range<usize>> {
    let rest = c.rest();
    let len = rest.iter().position(|b| !is_key(*b) && *b < 0x80)?;
    let range = c.at..c.at + len;
    c.at = range.end;
    c.expect(b'=')?;
    (len > 0).then_some(range)
}

/// The value here; `Some(None)` is null.
fn value(c: &mut Cursor<'_>, separator: Separator) -> Option<Option<Range<usize>>> {
    if c.peek() == Some(b'"') {
        let mut ahead = *c;
        let range = ahead.quoted()?;
        let ends = match (ahead.peek(), separator) {
            (None | Some(b' ' | b'\t'), _) => true,
            (Some(byte), Separator::Byte(own)) => byte == own,
            _ => false,
        };
        if ends {
            *c = ahead;
            return Some(Some(range));
        }
        if separator == Separator::Logfmt {
            return None;
        }
    }
    let rest = c.rest();
    let len = match separator {
        Separator::Logfmt => memchr::memchr2(b' ', b'\t', rest).unwrap_or(rest.len()),
        Separator::Byte(byte) => memchr::memchr(byte, rest).unwrap_or(rest.len()),
        Separator::Blank => before_next_key(rest),
    };
    let range = trimmed(c.text, c.at..c.at + len);
    c.at += len;
    Some((!range.is_empty()).then_some(range))
}

/// Up to the blank before the next `key=`.
fn before_next_key(rest: &[u8]) -> usize {
    for equal in memchr::memchr_iter(b'=', rest) {
        let before = rest.get(..equal).unwrap_or_default();
        if let Some(at) = before.iter().rposition(|b| !is_key(*b))
            && at + 1 < equal
            && matches!(before.get(at), Some(b' ' | b'\t'))
        {
            return at;
        }
    }
    rest.len()
}

/// The keys of a file, and where their values go.
pub(super) struct Pairs {
    separator: Separator,
    /// Fields before those of the keys: the moment, the words before the pairs.
    timestamp: Option<(usize, Option<bool>)>,
    prefix: Option<usize>,
    first: usize,
    keys: Vec<Vec<u8>>,
    places: HashMap<Vec<u8>, usize>,
}

impl Pairs {
    pub(super) fn take(&self, record: &[u8], out: &mut Out<'_>, anchor: i64) -> Fit {
        let mut filling = Filling { pairs: self, out, next: 0, extra: false, twice: false };
        let Some(first) = each(record, self.separator, |key, value| filling.pair(record, key, value)) else {
            return Fit::No;
        };
        let (extra, twice) = (filling.extra, filling.twice);
        if twice {
            return Fit::No;
        }
        match self.before(record, first, out, anchor) {
            Fit::Yes if extra => Fit::Extra,
            fit => fit,
        }
    }

    /// The moment and the words before the first pair.
    fn before(&self, record: &[u8], first: usize, out: &mut Out<'_>, anchor: i64) -> Fit {
        let words = trimmed(record, 0..first);
        if words.is_empty() {
            return Fit::Yes;
        }
        let mut rest = words.clone();
        if let (Some((field, zoned)), Some((begin, moment))) = (self.timestamp, moment_in(record, &words, anchor)) {
            if zoned.is_some_and(|z| z != moment.zoned) {
                return Fit::Misfit("some moments have a zone, and some have none");
            }
            out.set(field, begin..begin + moment.len);
            rest = trimmed(record, behind_moment(record, begin + moment.len)..words.end.max(begin + moment.len));
        }
        match (self.prefix, rest.is_empty()) {
            (_, true) => Fit::Yes,
            (Some(field), false) => {
                out.set(field, rest);
                Fit::Yes
            }
            (None, false) => Fit::Misfit("words before the pairs"),
        }
    }

    /// Whether `name` is one of the keys, and the number of its field.
    pub(super) fn place(&self, name: &[u8], next: usize) -> Option<usize> {
        match self.keys.get(next) {
            Some(key) if key == name => Some(next),
            _ => self.places.get(name).copied(),
        }
    }

    /// The number of the field of the first key.
    pub(super) fn first(&self) -> usize {
        self.first
    }
}

struct Filling<'a, 'b> {
    pairs: &'a Pairs,
    out: &'a mut Out<'b>,
    next: usize,
    extra: bool,
    twice: bool,
}

impl Filling<'_, '_> {
    fn pair(&mut self, record: &[u8], key: Range<usize>, value: Option<Range<usize>>) {
        let name = record.get(key).unwrap_or_default();
        let Some(place) = self.pairs.place(name, self.next) else {
            self.extra = true;
            return;
        };
        self.next = place + 1;
        let field = self.pairs.first + place;
        self.twice |= self.out.is_set(field);
        if let Some(value) = value {
            self.out.set(field, value);
        }
    }
}

/// A moment at the beginning of `words`, in brackets or not, and where it begins.
fn moment_in(record: &[u8], words: &Range<usize>, anchor: i64) -> Option<(usize, Moment)> {
    let begin = words.start + usize::from(record.get(words.start) == Some(&b'['));
    let found = moment(record.get(begin..words.end)?, anchor)?;
    Some((begin, found))
}

fn behind_moment(record: &[u8], at: usize) -> usize {
    at + usize::from(matches!(record.get(at), Some(b']' | b',' | b'|')))
}

/// What the samples show of pairs.
pub(super) struct Draft {
    separator: Separator,
    keys: Vec<(Vec<u8>, Kind)>,
    places: HashMap<Vec<u8>, usize>,
    zoned: bool,
    local: bool,
    prefix: bool,
}

impl Draft {
    pub(super) fn new(separator: Separator) -> Draft {
        Draft { separator, keys: Vec::new(), places: HashMap::new(), zoned: false, local: false, prefix: false }
    }

    /// Takes a record.
    pub(super) fn add(&mut self, record: &[u8], anchor: i64) {
        let mut found = Vec::new();
        let Some(first) = each(record, self.separator, |key, value| found.push((key, value))) else { return };
        for (key, value) in found {
            let value = value.map(|range| record.get(range).unwrap_or_default());
            self.value(record.get(key).unwrap_or_default(), value);
        }
        let words = trimmed(record, 0..first);
        let mut rest = words.clone();
        if let Some((begin, moment)) = moment_in(record, &words, anchor) {
            self.zoned |= moment.zoned;
            self.local |= !moment.zoned;
            rest = trimmed(record, behind_moment(record, begin + moment.len)..words.end.max(begin + moment.len));
        }
        self.prefix |= !rest.is_empty();
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Takes a value of a key.
    pub(super) fn value(&mut self, key: &[u8], value: Option<&[u8]>) {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None => {
                self.keys.push((key.to_vec(), Kind::Null));
                self.places.insert(key.to_vec(), self.keys.len() - 1);
                self.keys.len() - 1
            }
        };
        if let (Some((_, kind)), Some(value)) = (self.keys.get_mut(place), value)
            && *kind != Kind::Text
        {
            *kind = kind.join(Kind::of(value));
        }
    }

    /// The fields, behind those of `before`.
    pub(super) fn finish(self, before: Vec<Field>) -> (Vec<Field>, Pairs) {
        let mut fields = before;
        let clock = match (self.zoned, self.local) {
            (false, false) => None,
            (true, true) => Some((Value::Text, None)),
            (zoned, _) => Some((Value::Time(zoned), Some(zoned))),
        };
        let timestamp = clock.map(|(value, zoned)| {
            let own = Field::new(&self.free("timestamp"), value);
            fields.push(own);
            (fields.len() - 1, zoned)
        });
        let prefix = self.prefix.then(|| {
            fields.push(Field::new(&self.free("prefix"), Value::Text));
            fields.len() - 1
        });
        let first = fields.len();
        for (key, kind) in &self.keys {
            let value = match kind.data_type() {
                DataType::Utf8View => Value::Quoted,
                other => Value::Guessed(other),
            };
            let guessed = value != Value::Quoted;
            fields.push(Field { name: String::from_utf8_lossy(key).into_owned(), value, guessed });
        }
        let keys = self.keys.into_iter().map(|(key, _)| key).collect();
        (fields, Pairs { separator: self.separator, timestamp, prefix, first, keys, places: self.places })
    }

    /// A name that is no key.
    fn free(&self, name: &str) -> String {
        let mut name = name.to_string();
        while self.places.contains_key(name.as_bytes()) {
            name.insert(0, '_');
        }
        name
    }
}

/// How many pairs a record has; 0 where it is none.
pub(super) fn count(record: &[u8], separator: Separator) -> usize {
    let mut pairs = 0;
    each(record, separator, |_, _| pairs += 1).map_or(0, |_| pairs)
}

/// Whether a span is the inner of quotes.
pub(super) fn is_quoted(bytes: &[u8], begin: usize) -> bool {
    begin.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    fn all(lines: &[&str], separator: Separator) -> Vec<Option<Vec<(String, String)>>> {
        let mut draft = Draft::new(separator);
        lines.iter().for_each(|line| draft.add(line.as_bytes(), 0));
        let (fields, pairs) = draft.finish(Vec::new());
        let of = |line: &&str| taken(&fields, |out| pairs.take(line.as_bytes(), out, 0) == Fit::Yes, line.as_bytes());
        lines.iter().map(of).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn logfmt() {
        let got = all(
            &[
                r#"level=info msg="a \"b\" c" took=1.5 x="" y="#,
                "took=2 level=warn",
                "no pairs here",
                "a=1 a=2",
                r#"a="x"#,
            ],
            Separator::Logfmt,
        );
        assert_eq!(got[0], pairs(&[("level", "info"), ("msg", r#"a \"b\" c"#), ("took", "1.5"), ("x", "")]));
        assert_eq!(got[1], pairs(&[("level", "warn"), ("took", "2")]));
        assert_eq!(&got[2..], [None, None, None]);
    }

    #[test]
    fn other_separators_and_what_stands_before() {
        let got = all(&["[2018-12-10T06:45:16.802Z] I santad: action=EXEC|path=/a b|x="], Separator::Byte(b'|'));
        let want =
            [("timestamp", "2018-12-10T06:45:16.802Z"), ("prefix", "I santad:"), ("action", "EXEC"), ("path", "/a b")];
        assert_eq!(got[0], pairs(&want));
        let got = all(&["2024-01-01 12:00:00 user=John Smith action=login q=a=b"], Separator::Blank);
        let want = [("timestamp", "2024-01-01 12:00:00"), ("user", "John Smith"), ("action", "login"), ("q", "a=b")];
        assert_eq!(got[0], pairs(&want));
        let got = all(&[r#"a=1, b="x, y", c=z"#], Separator::Byte(b','));
        assert_eq!(got[0], pairs(&[("a", "1"), ("b", "x, y"), ("c", "z")]));
    }
}
