//! Options of a format, by name: what a user wrote, checked against the names that exist.
//!
//! A format has a table of [`Row`]s: its parser asks for the values by the rows' names ([`Given`]), and docs/formats.md
//! prints the same table, so that neither knows an option that the other does not.

use crate::error::{Error, Result};
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;

/// One option of a format.
pub(super) struct Row {
    /// Its name, then what others call it.
    pub(super) names: &'static [&'static str],
    /// What it takes.
    pub(super) takes: &'static str,
    /// What it does, and what happens without it.
    pub(super) does: &'static str,
}

/// Options of all files of text: how bytes become text. [`Table::open`](super::Table::open) asks them.
pub(super) static TEXT: &[Row] = &[
    Row {
        names: &["encoding"],
        takes: "a name, `auto`",
        does: "The encoding of the text: `utf-8`, `utf-16`, `latin1`, `windows-1252`, `shift_jis` and every other one that \
               browsers know. Found: UTF-8, and UTF-16 with or without a mark. Bytes that are no text are an error.",
    },
    Row {
        names: &["compression"],
        takes: "`none`, `gzip`, `zstd`, `bzip2`, `xz`, `lz4`, `snappy`, `auto`",
        does: "How files are packed. Found by their first bytes, whatever their names.",
    },
];

/// The options that were given, each of them known and given once.
pub(super) struct Given<'a> {
    options: &'a BTreeMap<String, String>,
    rows: &'static [Row],
}

impl<'a> Given<'a> {
    /// Checks the options of a table over files.
    ///
    /// # Errors
    /// An option that does not exist, with the nearest name that does; one that is given under two names.
    pub(super) fn reading(options: &'a BTreeMap<String, String>, format: &str, rows: &'static [Row]) -> Result<Self> {
        let names: Vec<&str> = rows.iter().flat_map(|row| row.names).copied().collect();
        known_for_reading(options, format, &names)?;
        for row in rows {
            let mut given = row.names.iter().filter(|name| options.contains_key(**name));
            if let (Some(a), Some(b)) = (given.next(), given.next()) {
                return Err(Error::query(format!("the options {a} and {b} are the same one")));
            }
        }
        Ok(Given { options, rows })
    }

    /// The value of the option `name`, under whichever of its names.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let row = self.rows.iter().find(|row| row.names.first() == Some(&name));
        debug_assert!(row.is_some(), "{name} is in no row");
        first(self.options, row?.names)
    }

    /// A yes or no.
    ///
    /// # Errors
    /// Anything else.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.get(name).map(|text| boolean(name, text)).transpose()
    }

    /// A whole number from `least` on.
    ///
    /// # Errors
    /// Anything else.
    pub(super) fn number(&self, name: &str, least: i64) -> Result<Option<i64>> {
        let parse = |text: &str| match text.parse() {
            Ok(number) if number >= least => Ok(number),
            _ => Err(Error::query(format!("option {name}: {text:?} is not a number from {least} on"))),
        };
        self.get(name).map(parse).transpose()
    }

    /// A list of texts, or one.
    ///
    /// # Errors
    /// Anything else.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<String>>> {
        self.get(name).map(|text| list(name, text)).transpose()
    }
}

/// Checks that every option has a name that the format knows.
///
/// # Errors
/// An option that does not exist, with the nearest name that does.
pub(super) fn known(options: &BTreeMap<String, String>, format: &str, names: &[&str]) -> Result<()> {
    for name in options.keys() {
        if !names.contains(&name.as_str()) {
            let nearest = names.iter().min_by_key(|n| distance(n.as_bytes(), name.as_bytes())).unwrap_or(&"");
            let error = Error::query(format!("{format} has no option {name:?}"));
            return Err(error.advise(format!("did you mean {nearest:?}? There are: {}", names.join(", "))));
        }
    }
    Ok(())
}

/// As [`known`], for reading text: there are those of any file of text, and of any table over files, too.
///
/// # Errors
/// As `known`.
pub(super) fn known_for_reading(options: &BTreeMap<String, String>, format: &str, names: &[&str]) -> Result<()> {
    let text = TEXT.iter().flat_map(|row| row.names);
    let all: Vec<&str> = names.iter().chain(&super::many::options::NAMES).chain(text).copied().collect();
    known(options, format, &all)
}

/// The first of several names that is set.
pub(super) fn first<'a>(options: &'a BTreeMap<String, String>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|n| options.get(*n)).map(String::as_str)
}

/// # Errors
/// A text that is no yes or no.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(Error::query(format!("option {name}: {text:?} is neither true nor false"))),
    }
}

/// A list written as JSON, or one value as it stands.
///
/// # Errors
/// It begins like a list and is none of strings.
pub(super) fn list(name: &str, text: &str) -> Result<Vec<String>> {
    if !text.trim_start().starts_with('[') {
        return Ok(vec![text.to_string()]);
    }
    let values: Vec<serde_json::Value> = serde_json::from_str(text)
        .map_err(|e| Error::query(format!("option {name}: not a list of texts")).because(e))?;
    let text = |v: serde_json::Value| match v {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        other => Err(Error::query(format!("option {name}: {other} is no text"))),
    };
    values.into_iter().map(text).collect()
}

/// A map of texts written as JSON, in its order.
///
/// # Errors
/// It is none.
pub(super) fn map(name: &str, text: &str) -> Result<Vec<(String, String)>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let pairs = json.deserialize_map(Pairs).and_then(|pairs| json.end().map(|()| pairs));
    let pairs = pairs.map_err(|e| Error::query(format!("option {name}: not a map of texts")).because(e))?;
    let text = |v: serde_json::Value| v.as_str().map(str::to_string).unwrap_or_else(|| v.to_string());
    Ok(pairs.into_iter().map(|(k, v)| (k, text(v))).collect())
}

/// The pairs of a JSON object, in their order.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, serde_json::Value)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// One byte: a character, `\t` or `tab`.
///
/// # Errors
/// Anything longer, or not ASCII.
pub(super) fn byte(name: &str, text: &str) -> Result<u8> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [b] if b.is_ascii() && !matches!(b, b'\n' | b'\r') => Ok(*b),
            _ => Err(Error::query(format!("option {name}: {text:?} is not one ASCII character"))),
        },
    }
}

/// The distance of two names in insertions, deletions and substitutions (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = (above + 1).min(left + 1).min(diagonal + usize::from(x != y));
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_options_name_the_nearest() {
        let options = BTreeMap::from([("delimeter".to_string(), ",".to_string())]);
        let e = known(&options, "csv", &["header", "delimiter", "quote"]).unwrap_err();
        assert!(e.advice().unwrap().contains("\"delimiter\""), "{e}");
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
    }

    #[test]
    fn rows_know_all_names_and_one_value() {
        static ROWS: &[Row] = &[Row { names: &["delimiter", "sep"], takes: "", does: "" }];
        let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
        };
        let options = given(&[("sep", ";"), ("filename", "true")]);
        assert_eq!(Given::reading(&options, "csv", ROWS).unwrap().get("delimiter"), Some(";"));
        let twice = given(&[("sep", ";"), ("delimiter", ";")]);
        assert!(Given::reading(&twice, "csv", ROWS).err().unwrap().message().contains("the same"));
        assert!(
            Given::reading(&given(&[("sepp", ";")]), "csv", ROWS).err().unwrap().advice().unwrap().contains("\"sep\"")
        );
    }

    #[test]
    fn lists_maps_and_bytes() {
        assert_eq!(list("nulls", "NA").unwrap(), ["NA"]);
        assert_eq!(list("nulls", "[\"NA\", \"\"]").unwrap(), ["NA", ""]);
        let pairs = [("b".to_string(), "text".to_string()), ("a".into(), "1".into())];
        assert_eq!(map("types", "{\"b\": \"text\", \"a\": 1}").unwrap(), pairs);
        assert!(map("types", "{\"b\": 1} x").is_err() && map("types", "[1]").is_err());
        assert_eq!(byte("delimiter", "tab").unwrap(), b'\t');
        assert!(byte("delimiter", "||").is_err() && byte("delimiter", "\n").is_err() && list("x", "[1").is_err());
        assert!(boolean("header", "maybe").is_err());
    }
}
