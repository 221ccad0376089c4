//! Options that any table over files has, whatever its format.

use crate::error::{Error, Result};
use crate::formats::text::type_named;
use crate::formats::{TableDef, options};
use arrow::datatypes::DataType;

/// Every one of them.
pub(in crate::formats) const NAMES: [&str; 6] =
    ["hive_partitioning", "hive_types", "hive_types_autocast", "union_by_name", "filename", "file_row_number"];

/// What they say.
#[derive(Debug)]
pub(super) struct TableOptions {
    /// Whether the directories' `key=value` are columns; `None`: where all files have the same keys.
    pub(super) hive: Option<bool>,
    /// Declared types of keys.
    pub(super) hive_types: Vec<(String, DataType)>,
    /// Whether the types of the other keys are guessed.
    pub(super) autocast: bool,
    /// Whether files may have different columns.
    pub(super) by_name: bool,
    /// The name of the column of paths.
    pub(super) filename: Option<String>,
    /// The name of the column that numbers the rows of each file.
    pub(super) row_number: Option<String>,
}

impl TableOptions {
    /// Takes them out of `def`: what is left is the format's.
    ///
    /// # Errors
    /// Values that they cannot have.
    pub(super) fn take(def: &mut TableDef) -> Result<TableOptions> {
        let mut take = |name: &str| def.options.remove(name);
        let hive_types = take("hive_types").map(|text| types(&text)).transpose()?.unwrap_or_default();
        let hive = match take("hive_partitioning").as_deref() {
            None | Some("auto") => (!hive_types.is_empty()).then_some(true),
            Some(text) => Some(options::boolean("hive_partitioning", text)?),
        };
        if hive == Some(false) && !hive_types.is_empty() {
            return Err(Error::query("hive_types are given, but hive_partitioning is false"));
        }
        let mut flag = |name: &str, default: bool| -> Result<bool> {
            take(name).map_or(Ok(default), |text| options::boolean(name, &text))
        };
        let (autocast, by_name) = (flag("hive_types_autocast", true)?, flag("union_by_name", false)?);
        let (filename, row_number) = (take("filename"), take("file_row_number"));
        Ok(TableOptions {
            hive,
            hive_types,
            autocast,
            by_name,
            filename: name_or_flag(filename, "filename"),
            row_number: name_or_flag(row_number, "file_row_number"),
        })
    }
}

/// `true` is the usual name; anything that is no yes or no is a name.
fn name_or_flag(text: Option<String>, usual: &str) -> Option<String> {
    let text = text?;
    match options::boolean(usual, &text) {
        Ok(true) => Some(usual.to_string()),
        Ok(false) => None,
        Err(_) => Some(text),
    }
}

fn types(text: &str) -> Result<Vec<(String, DataType)>> {
    let pairs = options::map("hive_types", text)?;
    pairs.into_iter().map(|(name, of)| Ok((name, type_named(&of)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_taken_and_the_rest_is_left() {
        let pairs = [("filename", "true"), ("header", "false"), ("file_row_number", "n"), ("union_by_name", "1")];
        let options = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut def = TableDef { options, ..TableDef::default() };
        let taken = TableOptions::take(&mut def).unwrap();
        assert_eq!((taken.filename.as_deref(), taken.row_number.as_deref()), (Some("filename"), Some("n")));
        assert!(taken.by_name && taken.autocast && taken.hive.is_none());
        assert_eq!(def.options.keys().collect::<Vec<_>>(), ["header"]);
    }
}
