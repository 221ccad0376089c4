//! Options of a format, by name: what a user wrote, checked against the names that exist.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

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

/// As [`known`], for reading: there are those of any table over files too.
///
/// # Errors
/// As `known`.
pub(super) fn known_for_reading(options: &BTreeMap<String, String>, format: &str, names: &[&str]) -> Result<()> {
    let all: Vec<&str> = names.iter().chain(&super::many::options::NAMES).copied().collect();
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
    serde_json::from_str(text).map_err(|e| Error::query(format!("option {name}: not a list of texts")).because(e))
}

/// A map of texts written as JSON.
///
/// # Errors
/// It is none.
pub(super) fn map(name: &str, text: &str) -> Result<Vec<(String, String)>> {
    let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|e| Error::query(format!("option {name}: not a map of texts")).because(e))?;
    let text = |v: serde_json::Value| v.as_str().map(str::to_string).unwrap_or_else(|| v.to_string());
    Ok(map.into_iter().map(|(k, v)| (k, text(v))).collect())
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
    fn lists_maps_and_bytes() {
        assert_eq!(list("nulls", "NA").unwrap(), ["NA"]);
        assert_eq!(list("nulls", "[\"NA\", \"\"]").unwrap(), ["NA", ""]);
        assert_eq!(map("types", "{\"a\": \"text\"}").unwrap(), [("a".into(), "text".into())]);
        assert_eq!(byte("delimiter", "tab").unwrap(), b'\t');
        assert!(byte("delimiter", "||").is_err() && byte("delimiter", "\n").is_err() && list("x", "[1").is_err());
        assert!(boolean("header", "maybe").is_err());
    }
}
