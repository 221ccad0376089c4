//! Files that somebody may have meant: looked for when a name was wrong, to be named in the advice.

use super::files::{is_path, name_of};
use super::nearest::nearest;
use std::path::Path;

/// The most entries of a directory that are looked at.
const MOST: usize = 2000;

/// The path that is nearest to one that is not there, in the same directory.
pub(super) fn near_path(path: &str) -> Option<String> {
    let (directory, file) = match path.rsplit_once('/') {
        Some((directory, file)) => (format!("{directory}/"), file),
        None => (String::new(), path),
    };
    let looked_at = if directory.is_empty() { "." } else { directory.as_str() };
    let names = names_in(Path::new(looked_at));
    nearest(file, names.iter().map(String::as_str))
        .filter(|near| *near != file)
        .map(|near| format!("{directory}{near}"))
}

/// A file here that `FROM table` may have meant: `sales.csv` for `sales`.
pub(super) fn file_of(table: &str) -> Option<String> {
    let names = names_in(Path::new("."));
    names.into_iter().find(|name| is_path(name) && name_of(name) == table.to_lowercase())
}

/// The files in a directory, in order of their names; none where it cannot be read.
fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    let mut names: Vec<String> = entries.take(MOST).filter_map(name).filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_meant_is_found() {
        assert_eq!(near_path("testdata/slaes.csv").as_deref(), Some("testdata/sales.csv"));
        assert_eq!(near_path("Cargo.tmol").as_deref(), Some("Cargo.toml"));
        assert_eq!(near_path("testdata/nothing-like-it.csv"), None);
        assert_eq!(near_path("nowhere/sales.csv"), None);
        assert_eq!(file_of("nothing"), None);
    }
}
