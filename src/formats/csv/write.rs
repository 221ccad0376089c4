//! Separated values out, so that they read back to the same values: a null is an empty field, an empty text is `""`, a
//! text is quoted where it holds the delimiter, a quote or a newline. Dates and timestamps may have a format of their own;
//! a timestamp with a zone is formatted in UTC.

use crate::error::{Error, Result};
use crate::formats::text::{RowWriter, TextAssembler, encoder_of, plain_value};
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
    delimiter: u8,
    quote: u8,
    /// What stands before a quote in a quoted text.
    escape: u8,
    null: Vec<u8>,
    /// By column: whether it is always quoted.
    forced: Vec<bool>,
    dates: Option<Pattern>,
    timestamps: Option<Pattern>,
}

impl Fields {
    fn of(options: &BTreeMap<String, String>, schema: &SchemaRef) -> Result<Self> {
        options::known(options, "csv", OPTIONS)?;
        let byte = |names: &[&str], default| {
            options::first(options, names).map_or(Ok(default), |text| options::byte(names.first().unwrap_or(&""), text))
        };
        let (delimiter, quote) = (byte(&["delimiter", "delim", "sep"], b',')?, byte(&["quote"], b'"')?);
        let escape = byte(&["escape"], quote)?;
        if delimiter == quote || delimiter == escape {
            return Err(Error::query("the delimiter is the quote or the escape too"));
        }
        let null = options::first(options, &["null", "nullstr"]).unwrap_or_default().as_bytes().to_vec();
        let pattern = |name: &str| options.get(name).map(|text| Pattern::new(name, text)).transpose();
        Ok(Fields {
            delimiter,
            quote,
            escape,
            null,
            forced: forced(options, schema)?,
            dates: pattern("dateformat")?,
            timestamps: pattern("timestampformat")?,
        })
    }

    /// Quotes what was written from `start` on, if it must be.
    fn quote(&self, start: usize, forced: bool, to: &mut Vec<u8>) {
        let text = to.get(start..).unwrap_or_default();
        let special =
            |b: &u8| *b == self.delimiter || *b == self.quote || *b == self.escape || matches!(b, b'\n' | b'\r');
        let blank = matches!((text.first(), text.last()), (Some(b' ' | b'\t'), _) | (_, Some(b' ' | b'\t')));
        if !forced && !text.is_empty() && !blank && !text.iter().any(special) && text != self.null {
            return;
        }
        let text = text.to_vec();
        to.truncate(start);
        to.push(self.quote);
        for b in text {
            if b == self.quote || b == self.escape {
                to.push(self.escape);
            }
            to.push(b);
        }
        to.push(self.quote);
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
                    to.push(self.delimiter);
                }
                let start = to.len();
                match self.value(column.as_ref(), row, to)? {
                    None => to.extend_from_slice(&self.null),
                    Some(()) => self.quote(start, self.forced.get(c) == Some(&true), to),
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
                header.push(fields.delimiter);
            }
            let start = header.len();
            header.extend_from_slice(field.name().as_bytes());
            fields.quote(start, false, &mut header);
        }
        header.push(b'\n');
    }
    Ok(Box::new(TextAssembler::new(to, &header, b"", 0)?))
}
