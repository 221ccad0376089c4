//! From what the user wrote to files: a path, a directory (all its data files), a glob, or an address (see `remote`).
//!
//! A path that exists is taken literally, even if it looks like a glob. Hidden files (and those whose names begin with
//! `_`, where other engines keep their markers) are no data, unless they are named. Files come in the order of their
//! names.

use super::encoding::Coding;
use super::pipe::{Pipe, Pipes};
use super::remote::RemoteFile;
use super::url::scheme;
use crate::error::{Error, Result};
use globset::{GlobBuilder, GlobMatcher};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file as it was when it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRef {
    /// The path as the user would write it.
    pub path: Arc<str>,
    /// Its size in bytes.
    pub size: u64,
    /// Its time of modification, in nanoseconds since 1970: a file that changes while it is read is an error.
    pub modified: i128,
    /// The pipe, where it is one: then size and time are 0, and it can only be read in order.
    pub pipe: Option<Arc<Pipe>>,
    /// What it is in its store, where it is behind http(s) or in a bucket.
    pub remote: Option<RemoteFile>,
    /// How its bytes become text, as far as it was said.
    pub coding: Coding,
}

impl FileRef {
    /// The file at `path`.
    ///
    /// # Errors
    /// It does not exist, cannot be seen, or is no regular file.
    pub fn of(path: &Path) -> Result<Self> {
        let meta = fs::metadata(path).map_err(|e| Error::io(path.display(), e))?;
        if !meta.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(Error::unsupported(message).advise("write it to a file first"));
        }
        let (size, modified) = (meta.len(), modified(&meta));
        let path = path.to_string_lossy().into();
        Ok(FileRef { path, size, modified, pipe: None, remote: None, coding: Coding::default() })
    }

    /// The name that finds it: the path as it may be shown, or an address with all that it holds.
    pub fn named(&self) -> &str {
        self.remote.as_ref().map_or(&self.path, |remote| remote.url())
    }

    /// Whether it surely holds nothing.
    pub fn is_empty(&self) -> bool {
        self.size == 0 && self.pipe.is_none()
    }

    /// Where its bytes end at most.
    pub fn end(&self) -> u64 {
        if self.pipe.is_some() { u64::MAX } else { self.size }
    }
}

/// The time of modification in nanoseconds since 1970; 0 where the system does not tell.
pub(super) fn modified(meta: &Metadata) -> i128 {
    let Ok(time) = meta.modified() else { return 0 };
    match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(d) => d.as_nanos() as i128,
        Err(e) => -(e.duration().as_nanos() as i128),
    }
}

/// The files that `paths` name: files, directories, or globs with `*`, `**`, `?`, `[..]` and `{a,b}`.
///
/// # Errors
/// `Query` for a path that does not exist, a directory without data files, a glob that matches nothing or is malformed.
pub fn resolve(paths: &[String]) -> Result<Vec<FileRef>> {
    resolve_with(paths, &Pipes::default())
}

/// As [`resolve`], and standard input (`-`), FIFOs and the like, as `pipes` knows them.
///
/// # Errors
/// As `resolve`.
pub fn resolve_with(paths: &[String], pipes: &Pipes) -> Result<Vec<FileRef>> {
    if paths.is_empty() {
        return Err(Error::query("no files are named"));
    }
    let mut files = Vec::new();
    for path in paths {
        match pipes.named(path) {
            Some(pipe) => files.push(pipe),
            None if scheme(path).is_some() => files.extend(pipes.remote().find(path, pipes)?),
            None => files.extend(resolve_one(path)?),
        }
    }
    Ok(files)
}

fn resolve_one(text: &str) -> Result<Vec<FileRef>> {
    let path = Path::new(text);
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let mut found = Vec::new();
            walk(path, HIDDEN, &mut |p| found.push(p.to_path_buf()))?;
            refs(found, || Error::query(format!("the directory {text} holds no data files")))
        }
        Ok(_) => Ok(vec![FileRef::of(path)?]),
        Err(_) if text.contains(['*', '?', '[', '{']) => glob(text),
        Err(e) => Err(Error::io(text, e)),
    }
}

/// The files that a glob matches (or the one that a path names), which may be none.
///
/// # Errors
/// `Query`, for a malformed one; what a store says.
pub fn matching(text: &str, pipes: &Pipes) -> Result<Vec<Arc<str>>> {
    if scheme(text).is_some() {
        return Ok(pipes.remote().find(text, pipes)?.into_iter().map(|file| file.path).collect());
    }
    let mut found = match fs::metadata(text) {
        Ok(meta) if meta.is_file() => vec![PathBuf::from(text)],
        Ok(_) => Vec::new(),
        Err(_) => matched(text)?,
    };
    found.sort();
    Ok(found.iter().map(|path| path.to_string_lossy().into()).collect())
}

fn refs(mut found: Vec<PathBuf>, none: impl FnOnce() -> Error) -> Result<Vec<FileRef>> {
    if found.is_empty() {
        return Err(none());
    }
    found.sort();
    found.iter().map(|p| FileRef::of(p)).collect()
}

/// What a glob matches.
///
/// # Errors
/// `Query`, for a malformed one.
pub(super) fn matcher(text: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    let glob = glob.map_err(|e| Error::query(format!("the glob {text} is malformed: {}", e.kind())))?;
    Ok(glob.compile_matcher())
}

fn glob(text: &str) -> Result<Vec<FileRef>> {
    let none = || Error::query(format!("no file matches {text}")).advise("check the directory and the ending");
    refs(matched(text)?, none)
}

/// The files that a glob matches, in any order.
fn matched(text: &str) -> Result<Vec<PathBuf>> {
    let matcher = matcher(text)?;
    let base = base(text);
    let mut found = Vec::new();
    if base.as_os_str().is_empty() || base.is_dir() {
        // Who says how hidden names begin wants them.
        let below: Vec<&str> = text.split('/').skip_while(|part| !is_pattern(part)).collect();
        let hidden: Vec<char> = HIDDEN.iter().copied().filter(|c| !below.iter().any(|p| p.starts_with(*c))).collect();
        walk(&base, &hidden, &mut |p| keep(&matcher, p, &mut found))?;
    }
    Ok(found)
}

fn keep(matcher: &GlobMatcher, path: &Path, found: &mut Vec<PathBuf>) {
    if matcher.is_match(path) {
        found.push(path.to_path_buf());
    }
}

/// The directory above the first component that is a pattern.
fn base(text: &str) -> PathBuf {
    let path = Path::new(text);
    path.components().take_while(|c| !is_pattern(&c.as_os_str().to_string_lossy())).collect()
}

fn is_pattern(component: &str) -> bool {
    component.contains(['*', '?', '[', '{'])
}

/// How names begin that are nobody's data, unless somebody asks for them.
const HIDDEN: &[char] = &['.', '_'];

/// Calls `file` for each data file below `dir`, which may be empty for the working directory.
fn walk(dir: &Path, hidden: &[char], file: &mut dyn FnMut(&Path)) -> Result<()> {
    let shown = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    for entry in fs::read_dir(shown).map_err(|e| Error::io(shown.display(), e))? {
        let entry = entry.map_err(|e| Error::io(shown.display(), e))?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(hidden) {
            continue;
        }
        let path = dir.join(&name);
        let Ok(kind) = entry.file_type() else { continue };
        // A link to a directory is not followed: it may lead back.
        let is_file = kind.is_file() || (kind.is_symlink() && path.is_file());
        match kind.is_dir() {
            true => walk(&path, hidden, file)?,
            false if is_file => file(&path),
            false => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn names(dir: &Path, pattern: &str) -> Vec<String> {
        let all = resolve(&[dir.join(pattern).to_string_lossy().into_owned()]).unwrap();
        let strip = |f: FileRef| Path::new(&*f.path).strip_prefix(dir).unwrap().to_string_lossy().into_owned();
        all.into_iter().map(strip).collect()
    }

    #[test]
    fn files_directories_and_globs() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "c.json", "d/e.csv", "d/f/g.csv", ".hidden.csv", "_SUCCESS", "x[1].csv"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let dir = dir.path();
        assert_eq!(names(dir, "b.csv"), ["b.csv"]);
        assert_eq!(names(dir, "?.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names(dir, "*.{csv,json}"), ["a.csv", "b.csv", "c.json", "x[1].csv"]);
        assert_eq!(names(dir, "**/*.csv"), ["a.csv", "b.csv", "d/e.csv", "d/f/g.csv", "x[1].csv"]);
        assert_eq!(names(dir, "[ac].*"), ["a.csv", "c.json"]);
        assert_eq!(names(dir, "x[1].csv"), ["x[1].csv"]);
        assert_eq!(names(dir, "d"), ["d/e.csv", "d/f/g.csv"]);
        assert_eq!(
            (names(dir, "_S*"), names(dir, "**/.h*")),
            (vec!["_SUCCESS".to_string()], vec![".hidden.csv".into()])
        );
        for missing in ["z.csv", "*.parquet", "no/dir/*.csv", "a[.csv"] {
            let e = resolve(&[dir.join(missing).to_string_lossy().into_owned()]).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Query, "{missing}: {e}");
        }
    }
}
