//! The options of logs.

use crate::error::{Error, Result};
use crate::formats::faults::{self, OnError};
use crate::formats::{TableDef, options};

/// Their names.
const NAMES: &[&str] = &["format", "types", "infer", "unmatched", "invalid_utf8"];

/// What they say.
#[derive(Clone, Debug, Default)]
pub(super) struct LogOptions {
    /// A name or a pattern; `None` finds out.
    pub(super) format: Option<String>,
    /// Whether all of a file is looked at for keys and types.
    pub(super) full: bool,
    /// The column of lines that do not match, where they are rows.
    pub(super) unmatched: Option<String>,
    /// Whether a line that does not match is an error.
    pub(super) fail: bool,
    /// Whether bytes that are no UTF-8 are replaced.
    pub(super) replace: bool,
}

impl LogOptions {
    /// # Errors
    /// Options that do not exist, values that they cannot have.
    pub(super) fn of(def: &TableDef) -> Result<LogOptions> {
        let names: Vec<&str> = NAMES.iter().chain(&faults::NAMES).copied().collect();
        options::known_for_reading(&def.options, "log", &names)?;
        if def.schema.is_some() {
            return Err(Error::unsupported("a declared schema for log files").advise("set types => {'column': 'type'}"));
        }
        let unmatched = match def.options.get("unmatched").map(String::as_str) {
            None | Some("skip") => None,
            Some("include") => Some("unmatched".to_string()),
            Some(other) => return Err(one_of("unmatched", other, "'skip' or 'include'")),
        };
        let said = faults::NAMES.iter().any(|name| def.options.contains_key(*name));
        let fail = match OnError::of(&def.options)? {
            _ if !said => false,
            OnError::Fail => true,
            OnError::Reject => false,
            OnError::Null => return Err(one_of("on_error", "null", "'reject' or 'fail'")),
        };
        if fail && unmatched.is_some() {
            return Err(Error::query("unmatched => 'include' and on_error => 'fail' do not go together"));
        }
        let full = match def.options.get("infer").map(String::as_str) {
            None | Some("sample") => false,
            Some("full") => true,
            Some(other) => return Err(one_of("infer", other, "'sample' or 'full'")),
        };
        let format = def.options.get("format").filter(|f| f.as_str() != "auto").cloned();
        Ok(LogOptions { format, full, unmatched, fail, replace: replaces(def)? })
    }
}

/// Whether bytes that are no UTF-8 are replaced.
///
/// # Errors
/// Neither yes nor no.
pub(super) fn replaces(def: &TableDef) -> Result<bool> {
    match def.options.get("invalid_utf8").map(String::as_str) {
        None | Some("fail") => Ok(false),
        Some("replace") => Ok(true),
        Some(other) => Err(one_of("invalid_utf8", other, "'fail' or 'replace'")),
    }
}

fn one_of(name: &str, value: &str, values: &str) -> Error {
    Error::query(format!("option {name}: {value:?} is not {values}"))
}
