//! The options of `read_json`: one table of them, and what they say.

use super::cursor::MAX_DEPTH;
use crate::error::{Error, Result};
use crate::formats::faults::{self, OnError};
use crate::formats::text::Declared;
use crate::formats::{TableDef, options};
use crate::io::Compression;
use std::collections::BTreeMap;

/// Every option, and what it does.
pub(super) const OPTIONS: &[(&str, &str)] = &[
    (
        "format",
        "`auto`, `newline_delimited`, `array` (one array of records) or `unstructured` (one value after the other)",
    ),
    (
        "records",
        "where the records are: `auto`, `true` (they are objects), `false` (each value is one column, `json`), or a path: `data.items`",
    ),
    ("columns", "all columns that are read, with their types: `{'a': 'int'}`"),
    ("types", "types of some columns: `{'a': 'int'}`, or a list"),
    ("all_text", "all columns are text"),
    ("infer", "`sample`, or `full`: types come from all the data"),
    ("sample_size", "records that types are guessed from, at most; -1 is all of them, as `infer => 'full'`"),
    ("maximum_depth", "values nested deeper are text of JSON; -1 is no limit"),
    (
        "maximum_object_size",
        "the longest record in bytes; an eighth of the memory limit if nothing is said, a quarter at most",
    ),
    ("compression", "`auto`, or what the files must be: `none`, `gzip`, `zstd`"),
    ("on_error", "`fail`, `null` or `reject`"),
    ("ignore_errors", "true is `on_error => 'reject'`"),
    ("store_rejects", "the same"),
];

/// How records are separated, as far as the options say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Auto,
    /// One a line.
    Lines,
    /// The elements of one array.
    Array,
    /// One after the other.
    Unstructured,
}

/// What a record is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Records {
    /// An object, whose keys are columns; where there are only other values, they are one column.
    #[default]
    Auto,
    /// An object.
    Objects,
    /// Any value, which is one column.
    Values,
    /// What is behind these keys; of an array, its elements.
    At(Vec<String>),
}

/// What the options say.
#[derive(Clone, Debug)]
pub(super) struct JsonOptions {
    pub(super) form: Form,
    pub(super) records: Records,
    pub(super) declared: Declared,
    /// The columns, where all of them are declared.
    pub(super) columns: Option<Vec<String>>,
    pub(super) all_text: bool,
    pub(super) full: bool,
    /// Records that are sampled, at most.
    pub(super) sample: u64,
    /// Levels of values that are columns, lists and structs.
    pub(super) depth: usize,
    /// The longest record in bytes, where that is said.
    pub(super) longest: Option<usize>,
    pub(super) on_error: OnError,
    /// What the files must be packed with, if it is said.
    pub(super) packed: Option<Compression>,
}

impl JsonOptions {
    /// Reads them.
    ///
    /// # Errors
    /// Options that do not exist, values that they cannot have.
    pub(super) fn of(def: &TableDef) -> Result<JsonOptions> {
        let names: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
        debug_assert!(faults::NAMES.iter().all(|name| names.contains(name)));
        options::known_for_reading(&def.options, "json", &names)?;
        let get = |name: &str| def.options.get(name).map(String::as_str);
        let columns = get("columns").map(|text| options::map("columns", text)).transpose()?;
        let sample = number(&def.options, "sample_size", 1)?;
        let full = match get("infer") {
            None => sample == Some(None),
            Some("sample") => false,
            Some("full") => true,
            Some(other) => return Err(Error::query(format!("option infer: {other:?} is neither 'sample' nor 'full'"))),
        };
        Ok(JsonOptions {
            form: form(get("format"))?,
            records: records(get("records")),
            declared: Declared::of(def)?,
            columns: columns.map(|pairs| pairs.into_iter().map(|(name, _)| name).collect()),
            all_text: get("all_text").map(|t| options::boolean("all_text", t)).transpose()?.unwrap_or(false),
            full,
            sample: sample.flatten().unwrap_or(u64::MAX),
            depth: number(&def.options, "maximum_depth", 1)?.flatten().map_or(MAX_DEPTH, |n| n as usize),
            longest: number(&def.options, "maximum_object_size", 1)?.flatten().and_then(|n| usize::try_from(n).ok()),
            on_error: OnError::of(&def.options)?,
            packed: packed(get("compression"))?,
        })
    }
}

/// A number of at least `least`; -1 is no limit.
fn number(options: &BTreeMap<String, String>, name: &str, least: u64) -> Result<Option<Option<u64>>> {
    let Some(text) = options.get(name) else { return Ok(None) };
    if text.trim() == "-1" {
        return Ok(Some(None));
    }
    match text.trim().parse::<u64>() {
        Ok(n) if n >= least => Ok(Some(Some(n))),
        _ => Err(Error::query(format!("option {name}: {text:?} is neither a number from {least} on nor -1"))),
    }
}

fn form(text: Option<&str>) -> Result<Form> {
    Ok(match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("auto") => Form::Auto,
        Some("newline_delimited" | "nd" | "ndjson" | "jsonl" | "lines") => Form::Lines,
        Some("array") => Form::Array,
        Some("unstructured") => Form::Unstructured,
        Some(other) => {
            return Err(Error::query(format!("option format: there is no {other:?}"))
                .advise("there are: auto, newline_delimited, array, unstructured"));
        }
    })
}

fn packed(text: Option<&str>) -> Result<Option<Compression>> {
    Ok(match text.map(str::to_ascii_lowercase).as_deref() {
        None | Some("auto" | "auto_detect") => None,
        Some("none" | "uncompressed") => Some(Compression::None),
        Some("gzip" | "gz") => Some(Compression::Gzip),
        Some("zstd" | "zst") => Some(Compression::Zstd),
        Some(other) => return Err(Error::query(format!("option compression: there is no {other:?} for JSON"))),
    })
}

fn records(text: Option<&str>) -> Records {
    match text {
        None => Records::Auto,
        Some(word) => match word.to_ascii_lowercase().as_str() {
            "auto" => Records::Auto,
            "true" => Records::Objects,
            "false" => Records::Values,
            _ => Records::At(word.trim_start_matches("$.").split('.').map(str::to_string).collect()),
        },
    }
}
