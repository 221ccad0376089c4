//! The columns that the directories of a table's files make: which, of which types, with which values.

use super::options::TableOptions;
use crate::error::{Error, Place, Result};
use crate::formats::values::{civil, parse_date, parse_int};
use crate::formats::{FileRef, hive};
use arrow::array::{ArrayRef, StringViewArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// A column with one value a file.
pub(super) struct Key {
    pub(super) name: String,
    /// The value of each file.
    pub(super) values: ArrayRef,
}

/// The columns, in the order of their names.
///
/// # Errors
/// Files with different keys where keys were asked for; values that are not of their declared types.
pub(super) fn keys(options: &TableOptions, files: &[FileRef]) -> Result<Vec<Key>> {
    if options.hive == Some(false) {
        return Ok(Vec::new());
    }
    let asked = options.hive == Some(true);
    let mut names: Vec<String> = Vec::new();
    let mut texts: Vec<Vec<Option<String>>> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let mut found = match hive::keys(&file.path) {
            Err(_) if !asked => return Ok(Vec::new()),
            found => found?,
        };
        found.sort();
        if index == 0 {
            names = found.iter().map(|(name, _)| name.clone()).collect();
            texts = vec![Vec::with_capacity(files.len()); names.len()];
        } else if found.iter().map(|(name, _)| name).ne(&names) {
            if asked {
                return Err(mismatch(files, file));
            }
            return Ok(Vec::new());
        }
        texts.iter_mut().zip(found).for_each(|(column, (_, text))| column.push(text));
    }
    if let Some((name, _)) = options.hive_types.iter().find(|(name, _)| !names.contains(name)) {
        return Err(Error::query(format!("hive_types: there is no key {name:?}"))
            .advise(format!("the keys are: {}", names.join(", "))));
    }
    let typed = names.into_iter().zip(texts).map(|(name, texts)| typed(options, name, &texts, files));
    typed.collect()
}

fn mismatch(files: &[FileRef], file: &FileRef) -> Error {
    let first = files.first().map_or("", |f| &f.path);
    Error::query(format!("the directories of {first} and {} name different columns", file.path))
        .advise("query files of one layout at a time, or set hive_partitioning => false")
}

fn typed(options: &TableOptions, name: String, texts: &[Option<String>], files: &[FileRef]) -> Result<Key> {
    let declared = options.hive_types.iter().find(|(n, _)| *n == name).map(|(_, t)| t.clone());
    let data_type = declared.unwrap_or_else(|| if options.autocast { guessed(texts) } else { DataType::Utf8View });
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let cast = |texts: &[Option<String>]| -> Result<ArrayRef> {
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter(texts.iter().map(Option::as_deref)));
        Ok(cast_with_options(&texts, &data_type, &strict)?)
    };
    match cast(texts) {
        Ok(values) => Ok(Key { name, values }),
        // Which one it was is looked for only now.
        Err(all) => {
            let one =
                texts.iter().zip(files).find_map(|(text, file)| Some((cast(std::slice::from_ref(text)).err()?, file)));
            let place =
                one.map(|(_, file)| Place { file: Some(file.path.clone()), column: Some(name), ..Place::default() });
            Err(all.at(place.unwrap_or_default()))
        }
    }
}

/// The narrowest of bigint and date in which all values are written as they would be printed, so that nothing is lost; else
/// text.
fn guessed(texts: &[Option<String>]) -> DataType {
    let mut known = texts.iter().flatten().peekable();
    if known.peek().is_none() {
        return DataType::Utf8View;
    }
    let known: Vec<&String> = known.collect();
    if known.iter().all(|t| is_integer(t)) {
        DataType::Int64
    } else if known.iter().all(|t| is_date(t)) {
        DataType::Date32
    } else {
        DataType::Utf8View
    }
}

fn is_integer(text: &str) -> bool {
    parse_int(text.as_bytes(), 0, text.len()).is_some_and(|n| n.to_string() == text)
}

fn is_date(text: &str) -> bool {
    parse_date(text.as_bytes(), 0, text.len()).is_some_and(|days| {
        let (year, month, day) = civil(i64::from(days));
        format!("{year:04}-{month:02}-{day:02}") == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_lose_nothing() {
        let of = |texts: &[Option<&str>]| guessed(&texts.iter().map(|t| t.map(str::to_string)).collect::<Vec<_>>());
        assert_eq!(of(&[Some("2024"), None, Some("-3")]), DataType::Int64);
        assert_eq!(of(&[Some("01"), Some("2")]), DataType::Utf8View);
        assert_eq!(of(&[Some("2024-01-02"), None]), DataType::Date32);
        assert_eq!(of(&[Some("2024-1-2")]), DataType::Utf8View);
        assert_eq!(of(&[Some("1"), Some("2024-01-02")]), DataType::Utf8View);
        assert_eq!(of(&[None]), DataType::Utf8View);
        assert_eq!(of(&[Some("")]), DataType::Utf8View);
    }
}
