//! The extended log format of the W3C: IIS, CloudFront. `#Fields:` names the fields of the lines below it.
//!
//! ```text
//! #Fields: date time cs-method cs-uri-stem sc-status cs(User-Agent)
//! 2018-01-01 08:09:10 GET / 200 Mozilla/5.0+(Windows)
//! ```
//!
//! Columns are called as the fields, in lower case, with `_` for what is no letter or digit: `cs_uri_stem`, `cs_user_agent`.
//! Quotes around a value may hold blanks. Where `date` and `time` stand side by side, `timestamp` is both, in UTC. `-` is
//! null. Values stay as they are written: IIS writes `+` for a blank, CloudFront `%20`.
//!
//! Directives may change within a file. Where a sample shows that, or all of the file was looked at, the file is read from its
//! beginning, in one piece; a change that was not seen is a misfit.

use super::cursor::Out;
use super::layout::{Field, Fit, Value};
use crate::formats::values::Kind;
use arrow::datatypes::DataType;
use memchr::memmem;
use std::ops::Range;

const FIELDS: &[u8] = b"#Fields:";

/// The directives of a file.
pub(super) struct W3c {
    versions: Vec<Version>,
    /// Whether there is a field of both date and time: the first.
    timestamp: bool,
}

/// One directive.
#[derive(Clone)]
struct Version {
    /// The directive's text.
    text: Vec<u8>,
    /// For each value of a line, its field.
    fields: Vec<usize>,
    /// Which value is a date before a time.
    date: Option<usize>,
}

/// What the samples show.
#[derive(Default)]
pub(super) struct Draft {
    versions: Vec<Version>,
    names: Vec<(String, Kind)>,
    current: usize,
}

/// The fields that a directive names; `None` where a line is none.
fn directive(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(FIELDS).map(<[u8]>::trim_ascii)
}

/// How a column is called.
fn column_name(field: &[u8]) -> String {
    let mut name = String::new();
    for c in String::from_utf8_lossy(field).chars() {
        match c.is_alphanumeric() {
            true => name.extend(c.to_lowercase()),
            false if !name.ends_with('_') => name.push('_'),
            false => {}
        }
    }
    name.trim_matches('_').to_string()
}

/// The values of a line: between tabs where there are any, else between blanks, where quotes may be around one.
fn values(line: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let separator = if memchr::memchr(b'\t', line).is_some() { b'\t' } else { b' ' };
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let begin = next?;
        let rest = line.get(begin..).unwrap_or_default();
        let quoted = if separator == b' ' { quoted(rest) } else { None };
        let len = quoted.unwrap_or_else(|| memchr::memchr(separator, rest).unwrap_or(rest.len()));
        let end = begin + len;
        next = (end < line.len()).then_some(end + 1);
        let inside = usize::from(quoted.is_some());
        Some(begin + inside..end - inside)
    })
}

/// How long the quoted value is at the beginning, its quotes included: the last one stands before a blank or the end.
fn quoted(text: &[u8]) -> Option<usize> {
    let inside = text.strip_prefix(b"\"")?;
    let ends = |at: &usize| matches!(inside.get(at + 1), None | Some(b' '));
    memchr::memchr_iter(b'"', inside).find(ends).map(|at| at + 2)
}

impl Draft {
    pub(super) fn add(&mut self, line: &[u8]) {
        if let Some(text) = directive(line) {
            self.directive(text);
        }
        let Some(version) = self.versions.get(self.current).filter(|_| !line.starts_with(b"#")) else { return };
        if values(line).count() != version.fields.len() {
            return;
        }
        for (range, field) in values(line).zip(&version.fields) {
            let value = line.get(range).unwrap_or_default();
            if let Some((_, kind)) = self.names.get_mut(*field).filter(|_| !matches!(value, b"-" | b"")) {
                *kind = kind.join(Kind::of(value));
            }
        }
    }

    fn directive(&mut self, text: &[u8]) {
        if let Some(known) = self.versions.iter().position(|v| v.text == text) {
            self.current = known;
            return;
        }
        let words = text.split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty());
        let names: Vec<String> = words.map(column_name).collect();
        let mut fields: Vec<usize> = Vec::new();
        for name in &names {
            // A name that is there twice gets a number.
            let mut own = name.clone();
            let mut n = 1;
            while self.names.iter().position(|(k, _)| *k == own).is_some_and(|at| fields.contains(&at)) {
                n += 1;
                own = format!("{name}_{n}");
            }
            let known = self.names.iter().position(|(k, _)| *k == own);
            fields.push(known.unwrap_or_else(|| {
                self.names.push((own, Kind::Null));
                self.names.len() - 1
            }));
        }
        let pair = names.iter().zip(names.iter().skip(1));
        let date = pair.into_iter().position(|(a, b)| a == "date" && b == "time");
        self.versions.push(Version { text: text.to_vec(), fields, date });
        self.current = self.versions.len() - 1;
    }

    /// Whether a directive was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    pub(super) fn finish(self) -> (Vec<Field>, W3c) {
        let timestamp =
            self.versions.iter().all(|v| v.date.is_some()) && self.names.iter().all(|(n, _)| n != "timestamp");
        let mut fields = Vec::new();
        if timestamp {
            fields.push(Field::new("timestamp", Value::Utc));
        }
        for (name, kind) in &self.names {
            let value = match kind.data_type() {
                DataType::Utf8View => Value::Text,
                other => Value::Guessed(other),
            };
            fields.push(Field { name: name.clone(), guessed: value != Value::Text, value });
        }
        let shift = usize::from(timestamp);
        let moved = |v: Version| Version { fields: v.fields.iter().map(|f| f + shift).collect(), ..v };
        (fields, W3c { versions: self.versions.into_iter().map(moved).collect(), timestamp })
    }
}

impl W3c {
    /// Whether the directives change within the file.
    pub(super) fn varies(&self) -> bool {
        self.versions.len() > 1
    }

    pub(super) fn take(&self, line: &[u8], out: &mut Out<'_>) -> Fit {
        if line.starts_with(b"#") {
            return self.comment(line, out);
        }
        let Some(version) = self.versions.get(*out.state) else { return Fit::No };
        let mut taken = 0;
        for (nth, range) in values(line).enumerate() {
            let Some(field) = version.fields.get(nth) else { return Fit::No };
            if self.timestamp && version.date == Some(nth) {
                if line.get(range.end) == Some(&b'"') {
                    return Fit::No; // a moment is one text only where nothing but a blank is between its parts
                }
                let time = line.get(range.end + 1..).unwrap_or_default();
                let len = memchr::memchr2(b' ', b'\t', time).unwrap_or(time.len());
                out.set(0, range.start..(range.end + 1 + len).min(line.len()));
            }
            out.set_dash(*field, line, range);
            taken = nth + 1;
        }
        if taken == version.fields.len() { Fit::Yes } else { Fit::No }
    }

    fn comment(&self, line: &[u8], out: &mut Out<'_>) -> Fit {
        let Some(text) = directive(line) else { return Fit::Skip };
        match self.versions.iter().position(|v| v.text == text) {
            Some(known) => {
                *out.state = known;
                Fit::Skip
            }
            None => Fit::Misfit("#Fields changes here"),
        }
    }
}

/// Whether a text has the directive.
pub(super) fn is_w3c(head: &[u8]) -> bool {
    head.starts_with(b"#") && (head.starts_with(FIELDS) || memmem::find(head, b"\n#Fields:").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    #[test]
    fn quotes_may_hold_blanks() {
        for (line, want) in [
            ("a b", &["a", "b"][..]),
            ("1 \"Mozilla 5.0 (X)\" 3", &["1", "Mozilla 5.0 (X)", "3"]),
            ("\"\" \"-\" \"a\"", &["", "-", "a"]),
            ("\"a\"b c\" d", &["a\"b c", "d"]),
            ("\"open a", &["\"open", "a"]),
            ("a\" \"b", &["a\"", "\"b"]),
            ("\" a", &["\"", "a"]),
            ("a  ", &["a", "", ""]),
            ("\"a b\" ", &["a b", ""]),
            ("\"a\t\"b c\"", &["\"a", "\"b c\""]),
            ("", &[""]),
        ] {
            let found: Vec<&str> = values(line.as_bytes()).map(|range| &line[range]).collect();
            assert_eq!(found, want, "{line}");
        }
    }

    #[test]
    fn iis_and_a_directive_that_changes() {
        let text = "#Software: x\n#Fields: date time cs-method cs(User-Agent) sc-status\n\
                    2018-01-01 08:09:10 GET a+b 200\n2018-01-01 08:09:11 GET - -\n\
                    #Fields: date time sc-status s-ip\n2018-01-01 08:09:12 404 ::1\nbad line\n";
        let mut draft = Draft::default();
        text.lines().for_each(|line| draft.add(line.as_bytes()));
        let (fields, w3c) = draft.finish();
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["timestamp", "date", "time", "cs_method", "cs_user_agent", "sc_status", "s_ip"]);
        assert_eq!(fields[5].value, Value::Guessed(DataType::Int64));
        assert!(w3c.varies());
        let mut state = 0;
        let mut rows = Vec::new();
        for line in text.lines() {
            let take = |out: &mut Out<'_>| {
                *out.state = state;
                let fit = w3c.take(line.as_bytes(), out);
                state = *out.state;
                fit == Fit::Yes
            };
            rows.extend(taken(&fields, take, line.as_bytes()));
        }
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0][0].1, "2018-01-01 08:09:10");
        assert_eq!(rows[1].len(), 4);
        assert_eq!(rows[2].last().unwrap(), &("s_ip".to_string(), "::1".to_string()));
    }
}
