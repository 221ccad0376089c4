//! What was found of a file, for people: `sniff_csv('x')`, and the notes of DESCRIBE.

use super::dialect::Dialect;
use super::lexicon::MARKERS;
use crate::error::Result;
use crate::formats::{Table, TableDef};
use crate::io::Pipes;
use crate::memory::Budget;
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;

/// How the files of a table are read: what was said, and what was found.
#[derive(Clone, Debug)]
pub struct Sniffed {
    /// What separates fields.
    pub delimiter: String,
    /// What quotes them; empty for nothing.
    pub quote: String,
    /// What stands before a quote in a quoted field; empty where nothing quotes.
    pub escape: String,
    /// What ends lines, escaped: `\n`, `\r\n`, `\r`.
    pub new_line: String,
    /// What begins comments; empty for nothing.
    pub comment: String,
    /// Lines above the header or the first row.
    pub skip: u64,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Names and types of the columns.
    pub columns: SchemaRef,
    /// The format of dates, where one was given.
    pub date_format: Option<String>,
    /// The format of timestamps, where one was given.
    pub timestamp_format: Option<String>,
    /// `.` or `,`.
    pub decimal: String,
    /// Texts that are null: everywhere, or where a column is not of text.
    pub nulls: Vec<String>,
    /// Whether quotes stand only where they should.
    pub strict: bool,
    /// Whether blanks before fields are not of them.
    pub spaced: bool,
    /// The options that were given.
    pub given: BTreeMap<String, String>,
}

/// Tells how the files of `def` would be read.
///
/// # Errors
/// As [`Table::open`].
pub fn sniff_csv(def: &TableDef) -> Result<Sniffed> {
    sniff_csv_with(def, &Pipes::default(), None)
}

/// As [`sniff_csv`], where paths may be pipes or addresses, and what long records take is accounted to `budget`.
///
/// # Errors
/// As [`Table::open`].
pub fn sniff_csv_with(def: &TableDef, pipes: &Pipes, budget: Option<&Budget>) -> Result<Sniffed> {
    let def = TableDef { format: Some("csv".into()), ..def.clone() };
    let table = Table::open_with(def, pipes, budget)?;
    sniffed(&table)
}

fn sniffed(table: &Table) -> Result<Sniffed> {
    let mut dialect = Dialect::of(&table.def, &table.files)?;
    dialect.settle(|(name, value)| table.stats.settled.get(name).is_some_and(|text| text == value));
    let mark = |byte: Option<u8>| byte.map(|b| char::from(b).to_string()).unwrap_or_default();
    let marks = &dialect.marks;
    let pattern = |p: &Option<super::lexicon::Pattern>| p.as_ref().map(|p| p.text.clone());
    let markers = || MARKERS.iter().map(|m| String::from_utf8_lossy(m).into_owned()).collect();
    Ok(Sniffed {
        delimiter: String::from_utf8_lossy(&marks.delimits()).into_owned(),
        quote: mark(marks.quote),
        escape: mark(marks.escape.or(marks.quote)),
        new_line: if marks.newline == b'\r' {
            r"\r"
        } else if dialect.crlf {
            r"\r\n"
        } else {
            r"\n"
        }
        .into(),
        comment: mark(marks.comment),
        skip: dialect.skip as u64,
        header: dialect.header,
        columns: table.schema.clone(),
        date_format: pattern(&dialect.lexicon.dates),
        timestamp_format: pattern(&dialect.lexicon.timestamps),
        decimal: char::from(dialect.lexicon.decimal).to_string(),
        nulls: match &dialect.said.nulls {
            Some(nulls) => nulls.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect(),
            None => markers(),
        },
        strict: !marks.loose,
        spaced: marks.spaced,
        given: table.def.options.clone(),
    })
}

/// In words: `delimiter ';', quote '"', header, 2 lines skipped`.
pub(super) fn notes(table: &Table) -> Result<String> {
    let found = sniffed(table)?;
    let quoted = |name: &str, text: &str| match text {
        "" => format!("no {name}"),
        "\t" => format!("{name} tab"),
        text => format!("{name} '{text}'"),
    };
    let mut notes = vec![quoted("delimiter", &found.delimiter), quoted("quote", &found.quote)];
    if found.escape != found.quote {
        notes.push(quoted("escape", &found.escape));
    }
    if !found.comment.is_empty() {
        notes.push(quoted("comment", &found.comment));
    }
    notes.push(if found.header { "header" } else { "no header" }.into());
    if found.skip > 0 {
        notes.push(format!("{} lines skipped", found.skip));
    }
    if found.decimal == "," {
        notes.push("decimal ','".into());
    }
    if let Some(format) = &found.date_format {
        notes.push(format!("dates as {format}"));
    }
    if !found.strict {
        notes.push("quotes anywhere".into());
    }
    if found.spaced {
        notes.push("blanks before fields are not of them".into());
    }
    Ok(notes.join(", "))
}
