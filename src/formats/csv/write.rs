//! Separated values out, so that they read back to the same values: a null is an empty field, an empty text is `""`, a
//! text is quoted where it holds the delimiter, a quote or a newline.

use crate::error::{Error, Result};
use crate::formats::text::{RowWriter, TextAssembler, encoder_of, plain_value};
use crate::formats::{Assemble, Encode, Output, options};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;

const OPTIONS: &[&str] = &["delimiter", "delim", "sep", "header", "quote", "null"];

/// How values are written.
struct Fields {
    delimiter: u8,
    quote: u8,
    null: Vec<u8>,
}

impl Fields {
    fn of(options: &BTreeMap<String, String>) -> Result<Self> {
        options::known(options, "csv", OPTIONS)?;
        let byte = |names: &[&str], default| {
            options::first(options, names).map_or(Ok(default), |text| options::byte(names.first().unwrap_or(&""), text))
        };
        let (delimiter, quote) = (byte(&["delimiter", "delim", "sep"], b',')?, byte(&["quote"], b'"')?);
        if delimiter == quote {
            return Err(Error::query("the delimiter and the quote are the same"));
        }
        let null = options::first(options, &["null"]).unwrap_or_default().as_bytes().to_vec();
        Ok(Fields { delimiter, quote, null })
    }

    /// Quotes what was written from `start` on, if it must be.
    fn quote(&self, start: usize, to: &mut Vec<u8>) {
        let text = to.get(start..).unwrap_or_default();
        let special = |b: &u8| *b == self.delimiter || *b == self.quote || matches!(b, b'\n' | b'\r');
        let blank = matches!((text.first(), text.last()), (Some(b' ' | b'\t'), _) | (_, Some(b' ' | b'\t')));
        if !text.is_empty() && !blank && !text.iter().any(special) && text != self.null {
            return;
        }
        let text = text.to_vec();
        to.truncate(start);
        to.push(self.quote);
        for b in text {
            if b == self.quote {
                to.push(b);
            }
            to.push(b);
        }
        to.push(self.quote);
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
                match plain_value(column.as_ref(), row, to)? {
                    None => to.extend_from_slice(&self.null),
                    Some(()) => self.quote(start, to),
                }
            }
            to.push(b'\n');
        }
        Ok(())
    }
}

pub(super) fn encoder(_schema: &SchemaRef, options: &BTreeMap<String, String>) -> Result<Box<dyn Encode>> {
    Ok(encoder_of(Fields::of(options)?))
}

pub(super) fn assembler(
    schema: &SchemaRef,
    options: &BTreeMap<String, String>,
    to: Box<dyn Output>,
) -> Result<Box<dyn Assemble>> {
    let fields = Fields::of(options)?;
    let mut header = Vec::new();
    if options.get("header").map_or(Ok(true), |h| options::boolean("header", h))? {
        for (c, field) in schema.fields().iter().enumerate() {
            if c > 0 {
                header.push(fields.delimiter);
            }
            let start = header.len();
            header.extend_from_slice(field.name().as_bytes());
            fields.quote(start, &mut header);
        }
        header.push(b'\n');
    }
    Ok(Box::new(TextAssembler::new(to, &header, b"", 0)?))
}
