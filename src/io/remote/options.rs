//! How stores are reached: what is set in the session, else what the environment says, as AWS tools read it.

use crate::error::{Error, Result};
use crate::io::url::HIDDEN;
use std::collections::BTreeMap;
use std::time::Duration;

/// Settings, and whether their values are kept to ourselves.
const SETTINGS: &[(&str, bool)] = &[
    ("s3_endpoint", false),
    ("s3_region", false),
    ("s3_access_key_id", true),
    ("s3_secret_access_key", true),
    ("s3_session_token", true),
    ("s3_url_style", false),
    ("s3_use_ssl", false),
    ("http_timeout", false),
    ("http_retries", false),
];

/// What was set.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Options {
    set: BTreeMap<&'static str, String>,
}

/// How long a request is waited for, and how often it is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) retries: u32,
}

impl Options {
    /// Whether there is such a setting.
    pub(super) fn has(name: &str) -> bool {
        SETTINGS.iter().any(|(known, _)| *known == name)
    }

    /// The names of the settings.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        SETTINGS.iter().map(|(name, _)| *name)
    }

    /// Changes a setting; `None` forgets it.
    ///
    /// # Errors
    /// `Query`, for a value that it cannot have.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let Some((name, _)) = SETTINGS.iter().find(|(known, _)| *known == name) else { return Ok(()) };
        match value {
            Some(value) => {
                check(name, value)?;
                self.set.insert(name, value.to_string());
            }
            None => drop(self.set.remove(name)),
        }
        Ok(())
    }

    /// A setting as it may be shown; empty where it was not set.
    pub(super) fn shown(&self, name: &str) -> Option<String> {
        let (name, hidden) = SETTINGS.iter().find(|(known, _)| *known == name)?;
        Some(match self.get(name) {
            Some(_) if *hidden => HIDDEN.to_string(),
            Some(value) => value.to_string(),
            None => String::new(),
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    pub(super) fn patience(&self) -> Patience {
        let number = |name: &str, usual: u64| self.get(name).and_then(|v| v.parse().ok()).unwrap_or(usual);
        let retries = u32::try_from(number("http_retries", 4)).unwrap_or(u32::MAX);
        Patience { timeout: Duration::from_secs(number("http_timeout", 30)), retries }
    }

    /// The endpoint, with its scheme, where one was set.
    pub(super) fn endpoint(&self) -> Option<String> {
        let endpoint = self.get("s3_endpoint").filter(|e| !e.is_empty())?;
        let plain = self.get("s3_use_ssl").is_some_and(|v| v.eq_ignore_ascii_case("false"));
        Some(match (endpoint.contains("://"), plain) {
            (true, _) => endpoint.to_string(),
            (false, true) => format!("http://{endpoint}"),
            (false, false) => format!("https://{endpoint}"),
        })
    }
}

fn check(name: &str, value: &str) -> Result<()> {
    let wrong = |what: &str| Err(Error::query(format!("{name} cannot be {value}")).advise(what));
    match name {
        "http_timeout" if !value.parse().is_ok_and(|n: u64| (1..=86_400).contains(&n)) => wrong("a number of seconds"),
        "http_retries" if !value.parse().is_ok_and(|n: u64| n <= 100) => wrong("a number up to 100"),
        "s3_url_style" if !matches!(value, "path" | "vhost") => wrong("path, or vhost"),
        "s3_use_ssl" if !matches!(value.to_lowercase().as_str(), "true" | "false") => wrong("true or false"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_set_and_not_shown() {
        let mut options = Options::default();
        options.set("s3_secret_access_key", Some("quiet")).unwrap();
        options.set("s3_endpoint", Some("localhost:9000")).unwrap();
        assert_eq!(options.shown("s3_secret_access_key").as_deref(), Some(HIDDEN));
        assert_eq!(options.get("s3_secret_access_key"), Some("quiet"));
        assert_eq!(options.endpoint().as_deref(), Some("https://localhost:9000"));
        options.set("s3_use_ssl", Some("false")).unwrap();
        assert_eq!(options.endpoint().as_deref(), Some("http://localhost:9000"));
        options.set("s3_secret_access_key", None).unwrap();
        assert_eq!(options.shown("s3_secret_access_key").as_deref(), Some(""));
        assert_eq!((options.shown("threads"), Options::has("threads")), (None, false));
    }

    #[test]
    fn wrong_values_are_refused() {
        let mut options = Options::default();
        for (name, value) in [
            ("http_timeout", "0"),
            ("http_timeout", "soon"),
            ("http_retries", "-1"),
            ("s3_url_style", "x"),
            ("s3_use_ssl", "1"),
        ] {
            assert!(options.set(name, Some(value)).is_err(), "{name} {value}");
        }
        options.set("http_timeout", Some("2")).unwrap();
        assert_eq!(options.patience().timeout, Duration::from_secs(2));
    }
}
