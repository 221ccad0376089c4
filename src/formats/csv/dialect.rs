//! How a file of separated values is written: what separates, what quotes, whether a header comes first.
//!
//! What the options say is taken; the rest is guessed from the head of the first file ([`sniff`]), always the same way, so
//! that a scan finds the dialect that the inspection found.

use super::footer::end_without;
use super::lexicon::Lexicon;
use super::options::{Said, Sampled};
use super::rows::Shape;
use super::sniff::{Texts, behind_lines, fields, sniff};
use super::structure::{Broken, Marks, Piece, Structure, Tail};
use crate::error::{Error, Place, Result};
use crate::formats::text::{ENCODING, shorten, unique};
use crate::formats::{FileRef, TableDef, sample};

/// Bytes of the head that the dialect is told from.
const HEAD: usize = 256 << 10;

/// What inspection noticed that the head does not show: an option, and its value.
pub(super) const LOOSE: (&str, &str) = ("strict_mode", "false");

/// And this one: files are not cut, since quotes are wrong somewhere.
pub(super) const WHOLE: (&str, &str) = ("parallel", "false");

/// And this one: quotes have no meaning.
pub(super) const BARE: (&str, &str) = ("quote", "");

/// How the files of a table are written.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    /// The bytes that make the structure.
    pub(super) marks: Marks,
    /// What texts mean.
    pub(super) lexicon: Lexicon,
    /// Whether the first record of each file names the columns.
    pub(super) header: bool,
    /// Lines before everything else, to be skipped.
    pub(super) skip: usize,
    /// The columns.
    pub(super) names: Vec<String>,
    /// Whether the names come from the header.
    pub(super) named_by_header: bool,
    /// Whether the first line ends with `\r\n`.
    pub(super) crlf: bool,
    /// What was said beside that.
    pub(super) said: Said,
}

impl Dialect {
    /// Tells the dialect.
    ///
    /// # Errors
    /// Options that do not exist or do not fit the file; a file that is empty, or not text.
    pub(super) fn of(def: &TableDef, files: &[FileRef]) -> Result<Dialect> {
        let said = Said::of(&def.options)?;
        let Some(file) = files.iter().find(|f| !f.is_empty()).or(files.first()) else {
            return Err(Error::query("no files are named"));
        };
        let head = sample::head(file, HEAD)?;
        let place = || Place { file: Some(file.path.clone()), ..Place::default() };
        guess(def, said, file, head.bytes(), head.last).map_err(|e| e.at(place()))
    }

    /// Whether a `\r` before the newline belongs to it.
    pub(super) fn trim_cr(&self) -> bool {
        self.marks.newline == b'\n'
    }

    /// What every row should look like.
    pub(super) fn shape(&self) -> Shape {
        let (columns, trim_cr) = (self.names.len(), self.trim_cr());
        Shape { columns, trim_cr, ragged: self.said.ragged, marks: self.marks }
    }

    /// Whether quotes stand only where they should, as nobody said.
    pub(super) fn is_strict_by_guess(&self) -> bool {
        self.said.strict.is_none() && !self.marks.loose && self.marks.quote.is_some()
    }

    /// Whether what is broken is none, if the file has quotes where they should not stand: a new start will tell.
    pub(super) fn may_be_loose(&self, broken: Broken) -> bool {
        matches!(broken, Broken::StrayQuote(_)) && self.is_strict_by_guess()
    }

    /// Whether what is broken is none, if quotes have no meaning in the file: a new start will tell.
    fn may_be_bare(&self, broken: Broken) -> bool {
        let told = self.said.quote.is_some() || self.said.strict.is_some() || self.is_full();
        matches!(broken, Broken::Swallowed(..)) && !told
    }

    /// Whether what is broken is perhaps none.
    pub(super) fn may_be_otherwise(&self, broken: Broken) -> bool {
        self.may_be_loose(broken) || self.may_be_bare(broken)
    }

    /// The dialect in which quotes have no meaning, if nobody said that they have one.
    pub(super) fn bare(&self) -> Option<Dialect> {
        let told = self.said.quote.is_some() || self.said.escape.is_some() || self.said.strict.is_some();
        let usual = self.marks.escape.is_none() && self.said.ragged.is_even();
        (!told && usual).then(|| {
            let mut bare = self.clone();
            bare.settle(|found| found == BARE);
            bare
        })
    }

    /// Takes what all the data told; `found` knows which of it.
    pub(super) fn settle(&mut self, found: impl Fn((&str, &str)) -> bool) {
        if found(LOOSE) {
            self.loosen();
        }
        if found(BARE) {
            (self.marks.quote, self.marks.spaced) = (None, false);
        }
    }

    /// Whether text behind a closing quote is part of the field.
    pub(super) fn joins_behind_quotes(&self) -> bool {
        self.said.strict != Some(true)
    }

    /// Quotes may stand anywhere.
    pub(super) fn loosen(&mut self) {
        self.marks.loose = true;
    }

    /// The names that a header makes.
    ///
    /// # Errors
    /// They are no UTF-8.
    pub(super) fn named(&self, header: &Texts) -> Result<Vec<String>> {
        header_names(header, self.width(header), &self.said)
    }

    /// How many columns a header has.
    pub(super) fn width(&self, header: &Texts) -> usize {
        header.len().max(self.padded())
    }

    fn padded(&self) -> usize {
        if self.said.ragged.is_even() { 0 } else { self.names.len() }
    }

    /// Whether all rows are read before types are told.
    pub(super) fn is_full(&self) -> bool {
        self.said.sampled == Sampled::All
    }
}

/// How many bytes a byte order mark takes.
pub(super) fn behind_mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 }
}

/// The bytes behind the mark and `skip` lines.
pub(super) fn behind_skipped(bytes: &[u8], skip: usize, newline: u8) -> usize {
    let start = behind_mark(bytes);
    start + behind_lines(bytes.get(start..).unwrap_or_default(), skip, newline)
}

fn guess(def: &TableDef, mut said: Said, file: &FileRef, head: &[u8], last: bool) -> Result<Dialect> {
    let mut text = head.get(behind_mark(head)..).unwrap_or_default();
    if last {
        let newline = said.newline.unwrap_or_else(|| super::sniff::newline(text));
        text = text.get(..end_without(text, &said, newline)).unwrap_or_default();
    }
    if let Some(delimiter) = told_delimiter(text).filter(|_| said.delimiter.is_none() && said.skip.is_none()) {
        (said.delimiter, said.skip) = (Some((delimiter, Tail::default())), Some(1));
    }
    let (_, plain) = crate::io::Compression::of_name(&file.path);
    let usual = if plain.ends_with(".tsv") || plain.ends_with(".tab") { b'\t' } else { b',' };
    let found = sniff(text, last, &said, usual);
    let names = names(found.first.as_ref(), found.columns, found.header, &said, def)?;
    let lexicon = Lexicon {
        decimal: found.decimal,
        thousands: said.thousands,
        dates: found.dates.clone(),
        timestamps: said.timestamps.clone(),
        markers: said.nulls.is_none(),
        nulls: said.nulls.clone().unwrap_or_default(),
        quoted_nulls: said.quoted_nulls.unwrap_or(true),
        quoted_empty: said.quoted_nulls == Some(true),
        truths: said.truths.clone(),
    };
    let named_by_header = found.header && said.names.is_none();
    let crlf = memchr::memchr(b'\n', text).is_some_and(|at| text.get(..at).is_some_and(|t| t.ends_with(b"\r")));
    let (marks, header, skip) = (found.marks, found.header, found.skip);
    Ok(Dialect { marks, lexicon, header, skip, names, named_by_header, crlf, said })
}

/// The delimiter that a first line `sep=;` tells, as spreadsheets write and read it.
fn told_delimiter(text: &[u8]) -> Option<u8> {
    let line = text.split(|b| matches!(b, b'\n' | b'\r')).next()?;
    let line = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    match line.split_at_checked(4)? {
        (word, [delimiter]) if word.eq_ignore_ascii_case(b"sep=") => Some(*delimiter),
        _ => None,
    }
}

fn names(first: Option<&Texts>, found: usize, header: bool, said: &Said, def: &TableDef) -> Result<Vec<String>> {
    let given = said.names.as_deref().unwrap_or_default();
    let columns = match (first, &def.schema) {
        (Some(_), _) if said.ragged.is_even() || header => found,
        (Some(_), _) => found.max(given.len()),
        (None, _) if said.names.is_some() => given.len(),
        (None, Some(schema)) => schema.fields().len(),
        _ => return Err(Error::data("the file is empty, so its columns are not known").advise("give their names")),
    };
    if let Some(twice) = given.iter().enumerate().find(|(i, name)| given.iter().take(*i).any(|n| n == *name)) {
        return Err(Error::query(format!("the name {:?} is given twice", twice.1)));
    }
    if given.len() > columns {
        let error = Error::query(format!("{} names are given for {columns} columns", given.len()));
        return Err(error.advise("or are rows shorter? Then say ragged => 'pad'"));
    }
    let of_schema = def.schema.as_ref().filter(|s| s.fields().len() == columns);
    let own = match (first, of_schema) {
        (Some(first), _) if header && said.names.is_none() => return header_names(first, columns, said),
        (_, Some(schema)) => schema.fields().iter().map(|f| f.name().clone()).collect(),
        _ => (0..columns).map(|c| numbered(c, columns)).collect::<Vec<_>>(),
    };
    Ok(unique(given.iter().cloned().chain(own.into_iter().skip(given.len())).collect()))
}

/// The names of a header, without the blanks around them: empty ones are numbered, equal ones too.
///
/// # Errors
/// They are no UTF-8, and that is an error.
fn header_names(fields: &Texts, columns: usize, said: &Said) -> Result<Vec<String>> {
    let name = |c: usize| -> Result<String> {
        let text = fields.get(c).map(|f| f.trim_ascii()).unwrap_or_default();
        match std::str::from_utf8(text) {
            Ok("") => Ok(numbered(c, columns)),
            Ok(name) if said.normalize => Ok(normalized(name, || numbered(c, columns))),
            Ok(name) => Ok(name.to_string()),
            Err(_) if said.lenient => Ok(String::from_utf8_lossy(text).into_owned()),
            Err(_) => {
                let place = Place { text: Some(shorten(text)), ..Place::default() };
                Err(Error::data("the name of a column is not UTF-8").at(place).advise(ENCODING))
            }
        }
    };
    Ok(unique((0..columns).map(name).collect::<Result<_>>()?))
}

/// The name of a column that has none: as many digits as the last one's.
fn numbered(column: usize, columns: usize) -> String {
    let width = columns.saturating_sub(1).max(column).to_string().len();
    format!("column{column:0width$}")
}

/// A name of lower-case letters, digits and `_`, which does not begin with a digit.
fn normalized(name: &str, none: impl FnOnce() -> String) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = name.trim().chars().map(plain).collect();
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => none(),
        Some('0'..='9') => format!("_{name}"),
        Some(_) => name.to_string(),
    }
}

/// The fields of the first record in `text`.
pub(super) fn first_record(text: &[u8], marks: &Marks) -> Texts {
    let mut bytes = text.to_vec();
    bytes.resize(text.len() + 64, 0);
    let (end, mut found) = (text.len(), Structure::default());
    let piece = Piece { start: 0, end, stop: end, last: true, max_rows: 1, rows_only: false };
    // What is broken is told by the reader, with its place.
    let _ = found.scan(&bytes, marks, piece);
    fields(&bytes, &found, 0, marks)
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
    fn names_of_columns() {
        let names = |text: &str, o: &[(&str, &str)]| {
            let d = of(text, o);
            (d.header, d.names.join(" "))
        };
        assert_eq!(names("1,2\n3,4\n", &[]), (false, "column0 column1".into()));
        assert_eq!(names("name,city\nann,rome\n", &[("header", "false")]), (false, "column0 column1".into()));
        assert_eq!(names("a,a,\n1,2,3\n", &[]), (true, "a a_1 column2".into()));
        assert_eq!(names("ann,1\nbob,2\n", &[("names", "[\"who\",\"n\"]")]), (false, "who n".into()));
        assert_eq!(names("ann,1\nbob,2\n", &[("names", "who")]), (false, "who column1".into()));
        assert_eq!(names("a,b\n1,2\n", &[("names", "[\"x\",\"y\"]"), ("header", "true")]), (true, "x y".into()));
        assert_eq!(names("1,2\n1,2,3\n", &[("null_padding", "true")]), (false, "column0 column1 column2".into()));
        assert_eq!(names("a,b\n1\n1,2\n", &[("null_padding", "true")]), (true, "a b".into()));
        let normal = [("normalize_names", "true")];
        assert_eq!(names("A b,É,2x, c-d \n1,2,3,4\n", &normal), (true, "a_b column1 _2x c_d".into()));
        assert_eq!(names("\u{feff}a,b\n1,2\n", &[]), (true, "a b".into()));
        assert_eq!(names("1,2,3,4,5,6,7,8,9,10,x\n", &[("header", "false")]).1.split(' ').next(), Some("column00"));
        assert_eq!(names(" a , b\n1,2\n", &[]), (true, "a b".into()));
        for told in ["sep=;\na;b,c\n1;2,3\n", "\u{feff}\"sep=;\"\r\na;b,c\r\n1;2,3\r\n", "SEP=;\na;b,c\n"] {
            assert_eq!(names(told, &[("header", "true")]), (true, "a b,c".into()), "{told}");
        }
        assert_eq!(names("sep=,\n1,2\n", &[("delimiter", ","), ("header", "true")]).1, "sep= column1");
        assert_eq!(names("sep=ab\n1\n", &[("header", "true")]).1, "sep=ab");
        let columns = [("columns", "{\"z\": \"int\", \"a\": \"text\"}")];
        assert_eq!(names("1,2\n", &columns), (false, "z a".into()));
    }
}
