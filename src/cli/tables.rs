//! Tables that the command line names: `-t NAME=PATH`, and each data file of a directory for `-d DIR`.

use partita::formats::FORMATS;
use partita::frame::Session;
use partita::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Endings of compressed files.
const COMPRESSED: &[&str] = &["gz", "zst", "zstd"];

/// Makes the files in `dir` that hold a known format tables of `session`, each named by its stem.
///
/// # Errors
/// A directory that cannot be read, two files with one stem, a file that cannot be opened as a table.
pub fn register_directory(session: &Session, dir: &Path) -> Result<()> {
    let known: Vec<&str> = FORMATS.iter().flat_map(|f| f.endings()).copied().collect();
    for (name, path) in named_files(dir, &known)? {
        session.register_file(&name, &path)?;
    }
    Ok(())
}

/// The files in `dir` with one of the `known` endings, by their stems.
fn named_files(dir: &Path, known: &[&str]) -> Result<BTreeMap<String, String>> {
    let failed = |e| Error::io(dir.display(), e);
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| stem(name, known));
        let (Some(name), Some(text)) = (name, path.to_str()) else { continue };
        if !path.is_file() {
            continue;
        }
        if let Some(other) = files.insert(name.to_string(), text.to_string()) {
            let message = format!("{other} and {text} would both be the table {name:?}");
            return Err(Error::new(ErrorKind::Usage, message).advise("name one of them with -t NAME=PATH instead"));
        }
    }
    Ok(files)
}

/// `sales` for `sales.csv` and `sales.csv.gz`; `None` for files that hold no known format.
fn stem<'a>(name: &'a str, known: &[&str]) -> Option<&'a str> {
    let is_in = |list: &[&str], ending: &str| list.iter().any(|e| e.eq_ignore_ascii_case(ending));
    let plain = name.rsplit_once('.').filter(|(_, ending)| is_in(COMPRESSED, ending)).map_or(name, |(stem, _)| stem);
    let (stem, ending) = plain.rsplit_once('.')?;
    (!stem.is_empty() && is_in(known, ending)).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_has_no_endings() {
        let known = ["csv", "jsonl"];
        assert_eq!(stem("sales.csv", &known), Some("sales"));
        assert_eq!(stem("sales.2024.CSV.gz", &known), Some("sales.2024"));
        for other in ["README.md", "sales", ".csv", "x.gz", ".hidden"] {
            assert_eq!(stem(other, &known), None, "{other}");
        }
    }

    #[test]
    fn one_name_is_one_table() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv.gz", "notes.txt"] {
            std::fs::write(dir.path().join(name), "x\n1\n").unwrap();
        }
        let files = named_files(dir.path(), &["csv"]).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a", "b"]);
        std::fs::write(dir.path().join("a.csv.gz"), "").unwrap();
        assert_eq!(named_files(dir.path(), &["csv"]).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(named_files(Path::new("/no/such"), &[]).unwrap_err().kind(), ErrorKind::Query);
    }
}
