//! Separated values out, so that they read back to the same values: a null is an empty field, an empty text is `""`, a
//! text is quoted where it holds the delimiter, a quote or a newline, and where somebody who looks at the file could take it
//! for something else: a comment, a quote of another kind, a delimiter (in a table of one column), a null's name. Dates and
//! timestamps may have a format of their own; a timestamp with a zone is formatted in UTC.

use super::lexicon::MARKERS;
use super::structure::{MOST, Tail};
use crate::error::{Error, Place, Result};
use crate::formats::text::{RowWriter, TextAssembler, encoder_of, plain_value, shorten};
use crate::formats::{Assemble, Encode, Output, options};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;
use chrono::format::{Item, StrftimeItems};
use std::collections::BTreeMap;
use std::io::Write;

const OPTIONS: &[&str] = &[
    "delimiter",
    "delim",
    "sep",
    "separator",
    "header",
    "quote",
    "escape",
    "null",
    "nullstr",
    "force_quote",
    "dateformat",
    "timestampformat",
];

/// How values are written.
struct Fields {
    delimiter: Vec<u8>,
    /// What quotes, if anything does.
    quote: Option<u8>,
    /// What stands before a quote in a quoted text.
    escape: u8,
    /// Whether there is one column, in which no delimiter stands.
    single: bool,
    null: Vec<u8>,
    /// By column: whether it is always quoted.
    forced: Vec<bool>,
    dates: Option<Pattern>,
    timestamps: Option<Pattern>,
}

impl Fields {
    fn of(options: &BTreeMap<String, String>, schema: &SchemaRef) -> Result<Self> {
        options::known(options, "csv", OPTIONS)?;
        let byte = |name: &str| options.get(name).map(|text| options::byte(name, text)).transpose();
        let delimiter = match options::first(options, &["delimiter", "delim", "sep", "separator"]) {
            None => vec![b','],
            Some("\\t" | "tab") => vec![b'\t'],
            Some(text) if !text.contains(['\n', '\r']) && Tail::of(text.as_bytes()).is_some() => text.into(),
            Some(text) => {
                return Err(Error::query(format!(
                    "option delimiter: {text:?} is empty, longer than {MOST} bytes, or ends lines"
                )));
            }
        };
        let quote = match options.get("quote").map(String::as_str) {
            None => Some(b'"'),
            Some("") => None,
            Some(_) => byte("quote")?,
        };
        let escape = byte("escape")?.or(quote).unwrap_or(b'"');
        if quote.is_some_and(|quote| delimiter.contains(&quote) || delimiter.contains(&escape)) {
            return Err(Error::query("the delimiter is the quote or the escape too"));
        }
        let null = options::first(options, &["null", "nullstr"]).unwrap_or_default().as_bytes().to_vec();
        let pattern = |name: &str| options.get(name).map(|text| Pattern::new(name, text)).transpose();
        Ok(Fields {
            delimiter,
            quote,
            escape,
            single: schema.fields().len() == 1,
            null,
            forced: forced(options, schema)?,
            dates: pattern("dateformat")?,
            timestamps: pattern("timestampformat")?,
        })
    }

    /// Quotes what was written from `start` on, if it must be.
    ///
    /// # Errors
    /// It must be, and nothing quotes.
    fn quote(&self, start: usize, forced: bool, to: &mut Vec<u8>) -> Result<()> {
        let text = to.get(start..).unwrap_or_default();
        let Some(quote) = self.quote else { return self.check_bare(text) };
        if !forced && !self.is_cut_by(text, Some(quote)) && !self.may_mislead(text) {
            return Ok(());
        }
        let text = text.to_vec();
        to.truncate(start);
        to.push(quote);
        for b in text {
            if b == quote || b == self.escape {
                to.push(self.escape);
            }
            to.push(b);
        }
        to.push(quote);
        Ok(())
    }

    /// Whether something in a text ends fields or lines, or quotes.
    fn is_cut_by(&self, text: &[u8], quote: Option<u8>) -> bool {
        let single = if let [one] = self.delimiter.as_slice() { Some(*one) } else { None };
        let special = |b: &u8| {
            matches!(b, b'\n' | b'\r') || single == Some(*b) || quote.is_some_and(|q| *b == q || *b == self.escape)
        };
        // A delimiter of several bytes may begin at the end of the text.
        let wide = || memchr::memmem::find(&[text, &self.delimiter].concat(), &self.delimiter) != Some(text.len());
        text.iter().any(special) || (single.is_none() && wide())
    }

    /// Whether a text alone could be taken for something else.
    fn may_mislead(&self, text: &[u8]) -> bool {
        let (Some(first), Some(last)) = (text.first(), text.last()) else { return true };
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let cuts = |b: &u8| matches!(b, b',' | b';' | b'|' | b'\t');
        let named = matches!(first, b'N' | b'n' | b'<' | b'\\') && MARKERS.contains(&text);
        blank(first)
            || blank(last)
            || matches!(first, b'#' | b'\'')
            || text == self.null
            || named
            || (self.single && text.iter().any(cuts))
    }

    fn check_bare(&self, text: &[u8]) -> Result<()> {
        if !self.is_cut_by(text, None) {
            return Ok(());
        }
        let error = Error::data("a value holds the delimiter or a newline, and nothing quotes");
        let place = Place { text: Some(shorten(text)), ..Place::default() };
        Err(error.at(place).advise("set quote => '\"', or another delimiter"))
    }

    fn value(&self, column: &dyn Array, row: usize, to: &mut Vec<u8>) -> Result<Option<()>> {
        let pattern = match column.data_type() {
            DataType::Date32 | DataType::Date64 => &self.dates,
            DataType::Timestamp(..) => &self.timestamps,
            _ => &None,
        };
        match pattern {
            Some(pattern) if column.is_valid(row) => pattern.write(column, row, to).map(Some),
            _ => plain_value(column, row, to),
        }
    }
}

/// Columns that are quoted whatever they hold: a list of names, or `*`.
fn forced(options: &BTreeMap<String, String>, schema: &SchemaRef) -> Result<Vec<bool>> {
    let names =
        options.get("force_quote").map(|text| options::list("force_quote", text)).transpose()?.unwrap_or_default();
    if let Some(unknown) = names.iter().find(|n| *n != "*" && schema.index_of(n).is_err()) {
        return Err(Error::query(format!("option force_quote: there is no column {unknown:?}")));
    }
    Ok(schema.fields().iter().map(|f| names.iter().any(|n| n == "*" || n == f.name())).collect())
}

/// A format of dates or timestamps, as `strftime` has them.
struct Pattern(String);

impl Pattern {
    fn new(name: &str, text: &str) -> Result<Self> {
        // DuckDB's %f is microseconds, %g milliseconds, %n nanoseconds.
        let text = text.replace("%f", "%6f").replace("%g", "%3f").replace("%n", "%9f");
        match StrftimeItems::new(&text).any(|item| matches!(item, Item::Error)) {
            true => {
                Err(Error::query(format!("option {name}: {text:?} is no format")).advise("as in '%d/%m/%Y %H:%M:%S'"))
            }
            false => Ok(Pattern(text)),
        }
    }

    fn write(&self, column: &dyn Array, row: usize, to: &mut Vec<u8>) -> Result<()> {
        let micros = cast(&column.slice(row, 1), &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let time = micros.as_primitive::<TimestampMicrosecondType>().value(0);
        let time =
            DateTime::from_timestamp_micros(time).ok_or_else(|| Error::data("a time beyond what can be formatted"))?;
        write!(to, "{}", time.naive_utc().format(&self.0))
            .map_err(|_| Error::query(format!("the format {:?} does not fit {}", self.0, column.data_type())))
    }
}

impl RowWriter for Fields {
    fn rows(&self, batch: &RecordBatch, to: &mut Vec<u8>) -> Result<()> {
        for row in 0..batch.num_rows() {
            for (c, column) in batch.columns().iter().enumerate() {
                if c > 0 {
                    to.extend_from_slice(&self.delimiter);
                }
                let start = to.len();
                match self.value(column.as_ref(), row, to)? {
                    None => to.extend_from_slice(&self.null),
                    Some(()) => self.quote(start, self.forced.get(c) == Some(&true), to)?,
                }
            }
            to.push(b'\n');
        }
        Ok(())
    }
}

pub(super) fn encoder(schema: &SchemaRef, options: &BTreeMap<String, String>) -> Result<Box<dyn Encode>> {
    Ok(encoder_of(Fields::of(options, schema)?))
}

pub(super) fn assembler(
    schema: &SchemaRef,
    options: &BTreeMap<String, String>,
    to: Box<dyn Output>,
) -> Result<Box<dyn Assemble>> {
    let fields = Fields::of(options, schema)?;
    let mut header = Vec::new();
    if options.get("header").map_or(Ok(true), |h| options::boolean("header", h))? {
        for (c, field) in schema.fields().iter().enumerate() {
            if c > 0 {
                header.extend_from_slice(&fields.delimiter);
            }
            let start = header.len();
            header.extend_from_slice(field.name().as_bytes());
            fields.quote(start, false, &mut header)?;
        }
        header.push(b'\n');
    }
    Ok(Box::new(TextAssembler::new(to, &header, b"", 0)?))
}
