//! Values of columns in the names of directories, as Hive writes them: `sales/year=2024/region=north%2Feast/x.csv`.
//!
//! Names and values are percent-encoded, but for letters, digits and `-_.~`. A null is `__HIVE_DEFAULT_PARTITION__`; a text
//! that reads so has its first byte encoded. So what is written here reads back equal, as text.

use crate::error::{Error, Result};
use std::fmt::Write;

/// How a null is written.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// A directory for rows whose column `name` is `value`.
pub fn directory(name: &str, value: Option<&str>) -> String {
    let value = match value {
        None => NULL.to_string(),
        Some(NULL) => NULL.replacen('_', "%5F", 1),
        Some(text) => encoded(text),
    };
    format!("{}={value}", encoded(name))
}

/// The columns that the directories of a file name, in the order of the path.
///
/// # Errors
/// A key that is there twice, an encoding that is no UTF-8.
pub fn keys(path: &str) -> Result<Vec<(String, Option<String>)>> {
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    let Some((directories, _)) = path.rsplit_once(['/', '\\']) else { return Ok(found) };
    for part in directories.split(['/', '\\']) {
        let Some((name, value)) = part.split_once('=').filter(|(name, _)| !name.is_empty()) else { continue };
        let name = decoded(name, path)?;
        let value = if value == NULL { None } else { Some(decoded(value, path)?) };
        if found.iter().any(|(known, _)| *known == name) {
            return Err(Error::data(format!("the directories of {path} name {name} twice"))
                .advise("hive_partitioning => false leaves them alone"));
        }
        found.push((name, value));
    }
    Ok(found)
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// What is no encoding stands for itself.
fn decoded(text: &str, path: &str) -> Result<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    String::from_utf8(out).map_err(|e| Error::data(format!("a directory of {path} is no UTF-8")).because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(pairs: &[(String, Option<String>)]) -> Vec<(String, Option<String>)> {
        let parts: Vec<String> = pairs.iter().map(|(k, v)| directory(k, v.as_deref())).collect();
        keys(&format!("/data/{}/file.csv", parts.join("/"))).unwrap()
    }

    #[test]
    fn nulls_blanks_and_marks() {
        let of = |k: &str, v: Option<&str>| (k.to_string(), v.map(str::to_string));
        let pairs = [
            of("a", None),
            of("b", Some("")),
            of("c", Some(NULL)),
            of("d=e/f", Some("x=y/z%41 \\ü")),
            of("n", Some("NULL")),
        ];
        assert_eq!(back(&pairs), pairs);
        assert_eq!(directory("a", Some("2024-01-02 10:00")), "a=2024-01-02%2010%3A00");
        assert_eq!(keys("x/y.csv").unwrap(), []);
        assert_eq!(keys("a=1/=2/b=100%/c.csv").unwrap(), [of("a", Some("1")), of("b", Some("100%"))]);
        assert!(keys("a=1/a=2/c.csv").is_err() && keys("a=%FF/c.csv").is_err());
    }

    proptest! {
        #[test]
        fn every_text_reads_back(name in ".{1,12}", value in proptest::option::of(".{0,24}")) {
            let pairs = [(name, value)];
            prop_assert_eq!(back(&pairs), pairs);
        }
    }
}
