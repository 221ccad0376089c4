//! What `SET` changes: how queries are bound. What decides how they run (memory, threads, scratch) is settled when the
//! session starts.

use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::io::Remote;

/// The settings of a session that change how queries are bound.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// Where nulls sort, in DataFusion's word.
    pub(super) null_order: &'static str,
    /// The zone of times that have one.
    pub(super) time_zone: Option<String>,
    /// Whether `/` divides whole numbers as such.
    pub(super) integer_division: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { null_order: "nulls_last", time_zone: None, integer_division: false }
    }
}

/// Settings by their names, other names behind the first.
const NAMES: &[&[&str]] = &[&["default_null_order", "null_order"], &["timezone", "time_zone"], &["integer_division"]];

/// What the session is started with, and the command's option for it.
const FIXED: &[(&str, &str)] = &[
    ("memory_limit", "--memory"),
    ("max_memory", "--memory"),
    ("threads", "--threads"),
    ("worker_threads", "--threads"),
    ("temp_directory", "--scratch"),
    ("max_temp_directory_size", "--scratch-limit"),
];

/// Names of UTC.
const UTC: &[&str] = &["UTC", "Etc/UTC", "GMT", "Zulu", "+00:00", "+00", "Z"];

/// Orders of nulls by DuckDB's words.
const NULL_ORDERS: &[(&str, &str)] = &[
    ("nulls_last", "nulls_last"),
    ("nulls last", "nulls_last"),
    ("last", "nulls_last"),
    ("nulls_first", "nulls_first"),
    ("nulls first", "nulls_first"),
    ("first", "nulls_first"),
    ("nulls_first_on_asc_last_on_desc", "nulls_min"),
    ("sqlite", "nulls_min"),
    ("mysql", "nulls_min"),
    ("nulls_last_on_asc_first_on_desc", "nulls_max"),
    ("postgres", "nulls_max"),
];

impl Settings {
    /// The settings after `SET name = value`, or `RESET name` without a value.
    ///
    /// # Errors
    /// `Unsupported`, for other settings; `Query`, for values that they cannot have.
    pub(super) fn with(&self, name: &str, value: Option<&str>) -> Result<Settings> {
        let known = NAMES.iter().find(|names| names.contains(&name)).and_then(|names| names.first());
        let mut changed = self.clone();
        let default = Settings::default();
        match (known.copied(), value) {
            (Some("default_null_order"), None) => changed.null_order = default.null_order,
            (Some("default_null_order"), Some(order)) => changed.null_order = null_order(order)?,
            (Some("timezone"), None) => changed.time_zone = default.time_zone,
            (Some("timezone"), Some(zone)) => changed.time_zone = Some(time_zone(zone)?),
            (Some("integer_division"), None) => changed.integer_division = default.integer_division,
            (Some("integer_division"), Some(on)) => changed.integer_division = truth(name, on)?,
            _ => return Err(unknown(name)),
        }
        Ok(changed)
    }

    /// A setting's value as text.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        match *NAMES.iter().find(|names| names.contains(&name))?.first()? {
            "default_null_order" => Some(self.null_order.to_uppercase()),
            "timezone" => Some(self.time_zone.clone().unwrap_or_else(|| "UTC".into())),
            _ => Some(self.integer_division.to_string()),
        }
    }
}

fn unknown(name: &str) -> Error {
    if let Some((_, option)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
        return Error::unsupported(format!("SET {name} while the session runs"))
            .advise(format!("it is settled at the start: {option}, or the builder of the session"));
    }
    let error = Error::unsupported(format!("the setting {name}"));
    let names = NAMES.iter().flat_map(|names| names.iter().copied()).chain(Remote::setting_names());
    match nearest(name, names) {
        Some(near) => error.advise(format!("did you mean {near}?")),
        None => error,
    }
}

fn null_order(order: &str) -> Result<&'static str> {
    let wanted = order.to_lowercase();
    NULL_ORDERS.iter().find(|(word, _)| *word == wanted).map(|(_, order)| *order).ok_or_else(|| {
        Error::query(format!("default_null_order cannot be {order}")).advise("NULLS_LAST or NULLS_FIRST")
    })
}

/// Times with a zone are shown in UTC, and cut into days and hours there, whatever is set: so nothing else can be set.
fn time_zone(zone: &str) -> Result<String> {
    match zone.parse::<arrow::array::timezone::Tz>() {
        Ok(_) if UTC.iter().any(|utc| utc.eq_ignore_ascii_case(zone)) => Ok("UTC".to_string()),
        Ok(_) => Err(Error::unsupported(format!("the time zone {zone} for a whole session"))
            .advise(format!("times are in UTC; say where another counts: t AT TIME ZONE '{zone}'"))),
        Err(_) => Err(Error::query(format!("no time zone \"{zone}\"")).advise("it is UTC")),
    }
}

fn truth(name: &str, value: &str) -> Result<bool> {
    match value.to_lowercase().as_str() {
        "true" | "on" | "1" | "yes" => Ok(true),
        "false" | "off" | "0" | "no" => Ok(false),
        _ => Err(Error::query(format!("{name} cannot be {value}")).advise("true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn settings_are_set_and_reset() {
        let start = Settings::default();
        let set = start.with("default_null_order", Some("NULLS FIRST")).unwrap();
        let set = set.with("integer_division", Some("on")).unwrap().with("timezone", Some("Etc/UTC")).unwrap();
        assert_eq!(set.get("null_order").as_deref(), Some("NULLS_FIRST"));
        assert!(set.integer_division && set.time_zone.as_deref() == Some("UTC"));
        let reset = ["null_order", "timezone", "integer_division"].iter().try_fold(set, |s, name| s.with(name, None));
        assert_eq!(reset.unwrap(), start);
    }

    #[test]
    fn others_are_refused_by_name() {
        for (name, value, kind, says) in [
            ("memory_limit", "1GB", ErrorKind::Unsupported, "--memory"),
            ("integer_divison", "1", ErrorKind::Unsupported, "integer_division"),
            ("timezone", "Mars/Base", ErrorKind::Query, "UTC"),
            ("timezone", "Europe/Berlin", ErrorKind::Unsupported, "AT TIME ZONE 'Europe/Berlin'"),
            ("integer_division", "maybe", ErrorKind::Query, "true or false"),
        ] {
            let error = Settings::default().with(name, Some(value)).unwrap_err();
            assert_eq!(error.kind(), kind, "{name}");
            assert!(error.advice().is_some_and(|a| a.contains(says)), "{name}: {error:?}");
        }
    }
}
