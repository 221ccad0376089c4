//! Pieces of documents.

use super::super::args::{Args, bools, some, text_lists, texts};
use super::super::row::{Gives, Row, element, list_of};
use super::path::{Children, Path, Step, children, minified, plain};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "json_extract",
        "text, text | text, int | text, texts",
        Gives::ByValues(found),
        extract,
        "The piece of JSON at a path, or a list of pieces for a path with `*` and for a list of paths.",
        "json_extract('{\"a\": {\"b\": [1, 2]}}', '$.a.b[0]') --> 1",
    )
    .also(&["json_extract_path"]),
    Row::new(
        "json_extract_string",
        "text, text | text, int | text, texts",
        Gives::ByValues(found),
        extract_string,
        "As json_extract; texts without their quotes.",
        "json_extract_string('{\"a\": \"x\"}', '$.a') --> x",
    )
    .also(&["json_extract_path_text"]),
    Row::new(
        "json_value",
        "text, text | text, int",
        Gives::Text,
        value,
        "The value at a path as text, if it is neither an object nor an array.",
        "json_value('{\"a\": 1}', '$.a') --> 1",
    ),
    Row::new(
        "json_exists",
        "text, text | text, int",
        Gives::Bool,
        exists,
        "Whether there is something at a path.",
        "json_exists('{\"a\": null}', '$.a') --> true",
    ),
];

/// A text, or a list where a path leads to several places.
fn found(types: &[DataType], values: &[Option<&ScalarValue>]) -> Result<DataType> {
    if types.get(1).and_then(element).is_some() {
        return Ok(list_of(DataType::Utf8View));
    }
    let many = match values.get(1).copied().flatten().and_then(|v| v.try_as_str().flatten()) {
        Some(text) => Path::parse(text)?.is_many(),
        None => false,
    };
    Ok(if many { list_of(DataType::Utf8View) } else { DataType::Utf8View })
}

/// The path of each row.
pub(super) struct Paths {
    column: super::super::args::Column<arrow::array::StringViewArray>,
    index: bool,
    last: Option<(String, Path)>,
}

impl Paths {
    pub(super) fn new(args: &Args, at: usize) -> Result<Paths> {
        let index = args.type_of(at).is_integer();
        Ok(Paths { column: super::super::cast::texts_of(args, at)?, index, last: None })
    }

    pub(super) fn get(&mut self, row: usize) -> Result<Option<&Path>> {
        let text = some!(self.column.get(row));
        if self.last.as_ref().is_none_or(|(t, _)| t != text) {
            let path = match self.index {
                true => Path(vec![Step::Index(text.parse().unwrap_or(i64::MAX))]),
                false => Path::parse(text)?,
            };
            self.last = Some((text.to_string(), path));
        }
        Ok(self.last.as_ref().map(|(_, path)| path))
    }
}

fn pieces(args: &Args, show: fn(&str) -> Option<String>) -> Result<ArrayRef> {
    let doc = args.text(0)?;
    if element(args.type_of(1)).is_some() {
        let lists = args.list(1)?;
        return text_lists(args, |row| {
            let (doc, paths) = (some!(doc.get(row)), some!(lists.get(row)));
            let paths = arrow::compute::cast(&paths, &DataType::Utf8View)?;
            let one = |path: Option<&str>| Ok(Path::parse(some!(path))?.first(doc).and_then(show));
            Ok(Some(paths.as_string_view().iter().map(one).collect::<Result<_>>()?))
        });
    }
    let mut paths = Paths::new(args, 1)?;
    match args.gives {
        DataType::List(_) => text_lists(args, |row| {
            let doc = some!(doc.get(row));
            let path = some!(paths.get(row)?);
            Ok(Some(path.all(doc).into_iter().map(show).collect()))
        }),
        _ => texts(args, |row| {
            let doc = some!(doc.get(row));
            Ok(some!(paths.get(row)?).first(doc).and_then(show))
        }),
    }
}

fn extract(args: &Args) -> Result<ArrayRef> {
    pieces(args, minified)
}

fn extract_string(args: &Args) -> Result<ArrayRef> {
    pieces(args, plain)
}

fn value(args: &Args) -> Result<ArrayRef> {
    let (doc, mut paths) = (args.text(0)?, Paths::new(args, 1)?);
    texts(args, |row| {
        let doc = some!(doc.get(row));
        let found = some!(some!(paths.get(row)?).first(doc));
        Ok(if children(found).is_some() { None } else { plain(found) })
    })
}

fn exists(args: &Args) -> Result<ArrayRef> {
    let (doc, mut paths) = (args.text(0)?, Paths::new(args, 1)?);
    bools(args, |row| {
        let doc = some!(doc.get(row));
        Ok(Some(some!(paths.get(row)?).first(doc).is_some()))
    })
}

/// How many values are inside.
pub(super) fn size(children: &Children) -> usize {
    match children {
        Children::Object(pairs) => pairs.len(),
        Children::Array(items) => items.len(),
    }
}
