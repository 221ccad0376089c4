//! How a file of separated values is written: what separates, what quotes, whether a header comes first.
//!
//! What the options say is taken; the rest is guessed from the head of the first file, always the same way, so that a
//! scan finds the dialect that the inspection found.

use super::rows::unquote;
use super::structure::{Marks, Piece, Structure};
use crate::error::{Error, Place, Result};
use crate::formats::values::Kind;
use crate::formats::{FileRef, TableDef, options, sample};

/// Bytes of the head that the dialect is told from.
const HEAD: usize = 256 << 10;

/// Rows of the head that it is told from.
const HEAD_ROWS: usize = 200;

/// Every option there is.
const OPTIONS: &[&str] = &[
    "delimiter",
    "delim",
    "sep",
    "header",
    "quote",
    "escape",
    "names",
    "types",
    "nulls",
    "null",
    "skip",
    "all_text",
    "infer",
    "on_error",
    "ignore_errors",
    "store_rejects",
];

/// How the files of a table are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dialect {
    /// The bytes that make the structure.
    pub(super) marks: Marks,
    /// Whether the first record of each file names the columns.
    pub(super) header: bool,
    /// Lines before everything else, to be skipped.
    pub(super) skip: usize,
    /// Texts that are null beside the empty one.
    pub(super) nulls: Vec<Vec<u8>>,
    /// The columns.
    pub(super) names: Vec<String>,
    /// Whether the names come from the header.
    pub(super) named_by_header: bool,
}

impl Dialect {
    /// Tells the dialect.
    ///
    /// # Errors
    /// Options that do not exist or do not fit the file; a file that is empty, or not text.
    pub(super) fn of(def: &TableDef, files: &[FileRef]) -> Result<Dialect> {
        options::known_for_reading(&def.options, "csv", OPTIONS)?;
        let Some(file) = files.iter().find(|f| f.size > 0).or(files.first()) else {
            return Err(Error::query("no files are named"));
        };
        let head = sample::head(file, HEAD)?;
        let place = || Place { file: Some(file.path.clone()), ..Place::default() };
        guess(def, file, head.bytes(), head.last).map_err(|e| e.at(place()))
    }

    /// Whether a `\r` before the newline belongs to it.
    pub(super) fn trim_cr(&self) -> bool {
        self.marks.newline == b'\n'
    }
}

/// The bytes behind a byte order mark.
///
/// # Errors
/// The text is UTF-16.
pub(super) fn behind_mark(bytes: &[u8]) -> Result<usize> {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => Ok(3),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            Err(Error::data("the text is UTF-16").advise("convert the file with iconv -f UTF-16 -t UTF-8 first"))
        }
        _ => Ok(0),
    }
}

/// The bytes behind the mark and `skip` lines.
pub(super) fn behind_skipped(bytes: &[u8], skip: usize, newline: u8) -> Result<usize> {
    let start = behind_mark(bytes)?;
    if skip == 0 {
        return Ok(start);
    }
    let rest = bytes.get(start..).unwrap_or_default();
    Ok(memchr::memchr_iter(newline, rest).nth(skip - 1).map_or(bytes.len(), |at| start + at + 1))
}

fn guess(def: &TableDef, file: &FileRef, head: &[u8], last: bool) -> Result<Dialect> {
    let option = |names: &[&str]| options::first(&def.options, names);
    let skip = match option(&["skip"]) {
        Some(text) => text.parse().map_err(|_| Error::query(format!("option skip: {text:?} is not a number")))?,
        None => 0,
    };
    let newline = if !head.contains(&b'\n') && head.contains(&b'\r') { b'\r' } else { b'\n' };
    let quote = match option(&["quote"]) {
        Some("") => None,
        Some(text) => Some(options::byte("quote", text)?),
        None => Some(b'"'),
    };
    let escape = option(&["escape"]).filter(|e| !e.is_empty()).map(|e| options::byte("escape", e)).transpose()?;
    let escape = escape.filter(|e| Some(*e) != quote);
    let mut marks = Marks { quote, escape, delimiter: b',', newline };
    let start = behind_skipped(head, skip, newline)?;
    let text = head.get(start..).unwrap_or_default();
    marks.delimiter = match option(&["delimiter", "delim", "sep"]) {
        Some(text) => options::byte("delimiter", text)?,
        None => delimiter(text, last, &marks, &file.path),
    };
    let table = parse(text, last, &marks)?;
    let wanted = option(&["header"]).filter(|h| *h != "auto").map(|h| options::boolean("header", h)).transpose()?;
    let given = option(&["names"]).map(|n| options::list("names", n)).transpose()?;
    let header = wanted.unwrap_or_else(|| is_header(&table, given.as_deref()));
    let names = names(&table, header, given.as_deref(), def)?;
    let nulls = option(&["nulls", "null"]).map(|n| options::list("nulls", n)).transpose()?.unwrap_or_default();
    let nulls = nulls.into_iter().filter(|n| !n.is_empty()).map(String::into_bytes).collect();
    Ok(Dialect { marks, header, skip, nulls, names, named_by_header: header && given.is_none() })
}

/// The first rows as texts. A row that the head cuts off is left out.
fn parse(text: &[u8], last: bool, marks: &Marks) -> Result<Vec<Vec<Vec<u8>>>> {
    let (bytes, found) = scanned(text, last, marks);
    let quote = marks.quote.unwrap_or(0);
    let mut rows = Vec::new();
    let mut before = 0;
    for end in &found.row_ends {
        let spans = found.spans.get(before as usize..=*end as usize).unwrap_or_default();
        before = *end;
        let field = |w: &[u32]| match w {
            [a, b] => {
                let text = bytes.get(*a as usize..(*b as usize).saturating_sub(1)).unwrap_or_default();
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                let value = if marks.quote.is_some() { unquote(text, quote, marks.escape) } else { None };
                value.map_or(text.to_vec(), |v| v.into_owned())
            }
            _ => Vec::new(),
        };
        let row: Vec<Vec<u8>> = spans.windows(2).map(field).collect();
        if !(row.len() == 1 && row.iter().all(Vec::is_empty)) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn scanned(text: &[u8], last: bool, marks: &Marks) -> (Vec<u8>, Structure) {
    let mut bytes = text.to_vec();
    bytes.resize(text.len() + 64, 0);
    let (end, mut found) = (text.len(), Structure::default());
    let piece = Piece { start: 0, end, stop: end, last, max_rows: HEAD_ROWS, rows_only: false };
    // What is broken is told by the reader, with its place; until there, rows are rows.
    let _ = found.scan(&bytes, marks, piece);
    (bytes, found)
}

/// The delimiter that cuts most rows alike: all rows into the same number of fields, two or more; else most rows.
fn delimiter(text: &[u8], last: bool, marks: &Marks, path: &str) -> u8 {
    let (_, plain) = crate::io::Compression::of_name(path);
    let usual = if plain.ends_with(".tsv") || plain.ends_with(".tab") { b'\t' } else { b',' };
    let mut best = (0.0, usual);
    for candidate in [usual, b',', b';', b'|', b'\t'] {
        let score = score(text, last, &Marks { delimiter: candidate, ..*marks });
        if score > best.0 {
            best = (score, candidate);
        }
    }
    best.1
}

/// The share of rows with as many fields as the first row, plus a little for many fields; 0 for one field.
fn score(text: &[u8], last: bool, marks: &Marks) -> f64 {
    let (bytes, found) = scanned(text, last, marks);
    let mut before = 0;
    let mut counts = Vec::new();
    for (r, end) in found.row_ends.iter().enumerate() {
        if !super::rows::is_blank(&bytes, found.row_start(r), found.row_end(r)) {
            counts.push(end - before);
        }
        before = *end;
    }
    let Some(first) = counts.first().copied().filter(|n| *n > 1) else { return 0.0 };
    let alike = counts.iter().filter(|n| **n == first).count() as f64 / counts.len() as f64;
    if alike < 0.5 { 0.0 } else { alike + f64::from(first.min(1000)) * 1e-5 }
}

/// Whether the first row names columns: all its fields are texts, different, not empty, and it is alone, or given as
/// names, or the rows below are not all like it. Where every field of every row is text, the first row is a header.
fn is_header(rows: &[Vec<Vec<u8>>], given: Option<&[String]>) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    if let Some(names) = given {
        let same = first.len() == names.len() && first.iter().zip(names).all(|(a, b)| a == b.as_bytes());
        return same || (mostly_text(first) && differs(first, rest));
    }
    let unique = first.iter().enumerate().all(|(i, f)| !first.iter().take(i).any(|g| g == f));
    let all_text = first.iter().all(|f| !f.is_empty() && Kind::of(f) == Kind::Text);
    (all_text && unique) || (mostly_text(first) && differs(first, rest))
}

fn mostly_text(first: &[Vec<u8>]) -> bool {
    first.iter().all(|f| f.is_empty() || Kind::of(f) == Kind::Text)
}

/// Whether a column is text only in the first row.
fn differs(first: &[Vec<u8>], rest: &[Vec<Vec<u8>>]) -> bool {
    (0..first.len()).any(|c| {
        let kinds = rest.iter().filter_map(|row| row.get(c)).filter(|f| !f.is_empty()).map(|f| Kind::of(f));
        let kind = kinds.fold(Kind::Null, Kind::join);
        first.get(c).is_some_and(|f| !f.is_empty()) && !matches!(kind, Kind::Null | Kind::Text)
    })
}

fn names(rows: &[Vec<Vec<u8>>], header: bool, given: Option<&[String]>, def: &TableDef) -> Result<Vec<String>> {
    let columns = match (rows.first(), given, &def.schema) {
        (Some(first), ..) => first.len(),
        (None, Some(names), _) => names.len(),
        (None, None, Some(schema)) => schema.fields().len(),
        _ => return Err(Error::data("the file is empty, so its columns are not known").advise("give their names")),
    };
    if let Some(names) = given {
        return match names.len() == columns {
            true => Ok(unique(names.to_vec())),
            false => Err(Error::query(format!("{} names are given for {columns} columns", names.len()))),
        };
    }
    if let (Some(first), true) = (rows.first(), header) {
        return Ok(header_names(first));
    }
    let of_schema = def.schema.as_ref().filter(|s| s.fields().len() == columns);
    Ok(match of_schema {
        Some(schema) => schema.fields().iter().map(|f| f.name().clone()).collect(),
        None => (0..columns).map(|c| format!("column{c}")).collect(),
    })
}

/// The names of a header: empty ones are numbered, equal ones too.
pub(super) fn header_names(fields: &[Vec<u8>]) -> Vec<String> {
    let name = |(c, f): (usize, &Vec<u8>)| match f.is_empty() {
        true => format!("column{c}"),
        false => String::from_utf8_lossy(f).into_owned(),
    };
    unique(fields.iter().enumerate().map(name).collect())
}

/// The fields of the first record in `text`.
pub(super) fn first_record(text: &[u8], last: bool, marks: &Marks) -> Result<Vec<Vec<u8>>> {
    Ok(parse(text, last, marks)?.into_iter().next().unwrap_or_default())
}

fn unique(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    for name in &mut names {
        let plain = name.clone();
        let mut n = 0;
        while !seen.insert(name.clone()) {
            n += 1;
            *name = format!("{plain}_{n}");
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn of(text: &str, options: &[(&str, &str)]) -> Dialect {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let options: BTreeMap<_, _> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let def = TableDef { options, ..TableDef::default() };
        Dialect::of(&def, &[FileRef::of(&path).unwrap()]).unwrap()
    }

    #[test]
    fn delimiters() {
        let cases: [(&str, u8, usize); 8] = [
            ("a,b\n1,2\n", b',', 2),
            ("a;b\n1,5;2,5\n3,5;4,5\n", b';', 2),
            ("a|b|c\n1|2|3\n", b'|', 3),
            ("a\tb\nx y\tz\n", b'\t', 2),
            ("Stationx;76.7\nStationy;-3.0\n", b';', 2),
            ("c0\nv0\na;b\n", b',', 1),
            ("a,b\n\"x;y;z\",1\n\"x;y;z\",2\n", b',', 2),
            ("\u{feff}a,b\r\n1,2\r\n", b',', 2),
        ];
        for (text, delimiter, columns) in cases {
            let d = of(text, &[]);
            assert_eq!((d.marks.delimiter, d.names.len()), (delimiter, columns), "{text:?}");
        }
    }

    #[test]
    fn headers() {
        let names = |text: &str, o: &[(&str, &str)]| {
            let d = of(text, o);
            (d.header, d.names.join(" "))
        };
        assert_eq!(names("a,b\n1,2\n", &[]), (true, "a b".into()));
        assert_eq!(names("1,2\n3,4\n", &[]), (false, "column0 column1".into()));
        assert_eq!(names("x;76.7\ny;-3.0\n", &[]), (false, "column0 column1".into()));
        assert_eq!(names("name,city\nann,rome\n", &[]), (true, "name city".into()));
        assert_eq!(names("name,city\nann,rome\n", &[("header", "false")]), (false, "column0 column1".into()));
        assert_eq!(names("a,a,\n1,2,3\n", &[]), (true, "a a_1 column2".into()));
        assert_eq!(names("ann,1\nbob,2\n", &[("names", "[\"who\",\"n\"]")]), (false, "who n".into()));
        assert_eq!(names("# x\n# y\na,b\n1,2\n", &[("skip", "2")]), (true, "a b".into()));
        assert_eq!(names("\u{feff}a,b\n1,2\n", &[]), (true, "a b".into()));
        assert_eq!(names("a,b\r1,2\r", &[]), (true, "a b".into()));
    }
}
