//! Globs and directories of a bucket, by listing it.
//!
//! The rules are those of the file system: a `*` stays within a part of the key, files and directories whose names begin
//! with `.` or `_` are no data unless they are named, and files come in the order of their names.

use super::errors::explained;
use crate::error::{Error, Result};
use crate::io::paths::matcher;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;

/// What of a key makes it a pattern.
const PATTERN: [char; 4] = ['*', '?', '[', '{'];

/// Whether a key is a pattern.
pub(super) fn is_pattern(key: &str) -> bool {
    key.contains(PATTERN)
}

/// What is looked for: the directory to list, how deep, and which keys.
pub(super) struct Search {
    directory: String,
    deep: bool,
    matcher: Option<globset::GlobMatcher>,
}

impl Search {
    /// All data files of a directory.
    pub(super) fn directory(key: &str) -> Search {
        Search { directory: key.trim_matches('/').to_string(), deep: true, matcher: None }
    }

    /// The keys that match a pattern.
    ///
    /// # Errors
    /// `Query`, for a malformed one.
    pub(super) fn pattern(key: &str) -> Result<Search> {
        let parts: Vec<&str> = key.split('/').collect();
        let plain = parts.iter().take_while(|part| !is_pattern(part)).count().min(parts.len().saturating_sub(1));
        let directory = parts.get(..plain).unwrap_or_default().join("/");
        // Braces may hold a slash.
        let deep = plain + 1 < parts.len() || key.contains("**") || key.contains('{');
        Ok(Search { directory, deep, matcher: Some(matcher(key)?) })
    }

    fn wants(&self, key: &str) -> bool {
        let below = key.strip_prefix(&*self.directory).unwrap_or(key);
        let hidden = below.split('/').any(|part| part.starts_with(['.', '_']));
        !hidden && !key.ends_with('/') && self.matcher.as_ref().is_none_or(|m| m.is_match(key))
    }
}

/// The objects that are found, in the order of their names.
pub(super) async fn list(store: Arc<dyn ObjectStore>, search: Search, name: Arc<str>) -> Result<Vec<ObjectMeta>> {
    let failed = |e| explained(&name, e);
    let prefix = match search.directory.is_empty() {
        true => None,
        false => Some(Path::parse(&search.directory).map_err(|e| failed(e.into()))?),
    };
    let mut found = Vec::new();
    if search.deep {
        let mut all = store.list(prefix.as_ref());
        while let Some(meta) = poll_fn(|cx| all.as_mut().poll_next(cx)).await {
            found.extend(Some(meta.map_err(failed)?).filter(|meta| search.wants(meta.location.as_ref())));
        }
    } else {
        let all = store.list_with_delimiter(prefix.as_ref()).await.map_err(failed)?;
        found.extend(all.objects.into_iter().filter(|meta| search.wants(meta.location.as_ref())));
    }
    found.sort_by_cached_key(|meta| PathBuf::from(meta.location.as_ref()));
    Ok(found)
}

/// What is said where nothing is found.
pub(super) fn nothing(name: &str, pattern: bool) -> Error {
    match pattern {
        true => Error::query(format!("no file matches {name}")).advise("check the directory and the ending"),
        false => Error::query(format!("there is no file {name} (status 404), and no directory with data files"))
            .advise("check the bucket and the key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(key: &str) -> Search {
        Search::pattern(key).unwrap()
    }

    #[test]
    fn a_search_begins_where_the_pattern_does() {
        for (key, directory, deep) in [
            ("a/b/*.csv", "a/b", false),
            ("*.csv", "", false),
            ("a/*/c.csv", "a", true),
            ("a/**/*.csv", "a", true),
            ("a/x{1,2}.csv", "a", true),
        ] {
            let search = search(key);
            assert_eq!((&*search.directory, search.deep), (directory, deep), "{key}");
        }
        assert!(Search::pattern("a/[").is_err());
    }

    #[test]
    fn hidden_keys_are_no_data() {
        let all = Search::directory("d/");
        assert!(all.wants("d/a.csv") && all.wants("d/e/a.csv"));
        assert!(!all.wants("d/_SUCCESS") && !all.wants("d/.a/b.csv") && !all.wants("d/e/"));
        let some = search("_d/?.csv");
        assert!(some.wants("_d/a.csv") && !some.wants("_d/ab.csv") && !some.wants("_d/x/a.csv"));
    }
}
