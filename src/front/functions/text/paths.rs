//! Names of files taken apart. The third kind of argument says which characters separate: `system`, `both_slash`,
//! `forward_slash`, `backslash`.

use super::super::args::{Args, some, text_lists, texts};
use super::super::row::{Gives, Row};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "parse_filename",
        "text, bool?, text? | text, text",
        Gives::Text,
        filename,
        "The last part of a path; without its extension if that is true.",
        "parse_filename('a/b/c.txt', true) --> c",
    ),
    Row::new(
        "parse_dirname",
        "text, text?",
        Gives::Text,
        dirname,
        "The first part of a path.",
        "parse_dirname('a/b/c.txt') --> a",
    ),
    Row::new(
        "parse_dirpath",
        "text, text?",
        Gives::Text,
        dirpath,
        "The path without its last part.",
        "parse_dirpath('a/b/c.txt') --> a/b",
    ),
    Row::new(
        "parse_path",
        "text, text?",
        Gives::Texts,
        parts,
        "All parts of a path.",
        "parse_path('a/b/c.txt') --> [a, b, c.txt]",
    ),
];

fn separators(name: &str) -> Result<&'static [char]> {
    Ok(match name {
        "system" | "forward_slash" => &['/'],
        "backslash" => &['\\'],
        "both_slash" => &['/', '\\'],
        other => {
            return exec_err!("no kind of separator {other:?}: system, both_slash, forward_slash, backslash");
        }
    })
}

fn filename(args: &Args) -> Result<ArrayRef> {
    let path = args.text(0)?;
    let only_kind = super::super::row::is_text(args.type_of(1)) && args.has(1);
    let cut = if only_kind { args.bool_or(9, false)? } else { args.bool_or(1, false)? };
    let kind = args.text_or(if only_kind { 1 } else { 2 }, "both_slash")?;
    texts(args, |row| {
        let (path, cut) = (some!(path.get(row)), some!(cut.get(row)));
        let name = path.rsplit(separators(some!(kind.get(row)))?).next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        Ok(Some(if cut { stem } else { name }))
    })
}

fn dirname(args: &Args) -> Result<ArrayRef> {
    let (path, kind) = (args.text(0)?, args.text_or(1, "both_slash")?);
    texts(args, |row| {
        let path = some!(path.get(row));
        let first = path.find(separators(some!(kind.get(row)))?);
        Ok(Some(match first {
            Some(0) => path.get(..1).unwrap_or_default(),
            Some(at) => path.get(..at).unwrap_or_default(),
            None => "",
        }))
    })
}

fn dirpath(args: &Args) -> Result<ArrayRef> {
    let (path, kind) = (args.text(0)?, args.text_or(1, "both_slash")?);
    texts(args, |row| {
        let path = some!(path.get(row));
        let last = path.rfind(separators(some!(kind.get(row)))?);
        Ok(Some(last.and_then(|at| path.get(..at)).unwrap_or_default()))
    })
}

fn parts(args: &Args) -> Result<ArrayRef> {
    let (path, kind) = (args.text(0)?, args.text_or(1, "both_slash")?);
    text_lists(args, |row| {
        let path = some!(path.get(row));
        let separators = separators(some!(kind.get(row)))?;
        let root = path.chars().next().filter(|c| separators.contains(c)).map(String::from);
        let parts = path.split(separators).filter(|p| !p.is_empty()).map(str::to_string);
        Ok(Some(root.into_iter().chain(parts).map(Some).collect()))
    })
}
