//! What the writers of text share: pieces of text appended in order, and values as texts.

use crate::error::{Error, ErrorKind, Result};
use crate::formats::values::civil;
use crate::formats::{Assemble, Encode, Output, Piece};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Date64Type, Float32Type, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io::Write;

/// Writes rows as text.
pub(in crate::formats) trait RowWriter: Send {
    /// Appends the rows of a batch.
    fn rows(&self, batch: &RecordBatch, to: &mut Vec<u8>) -> Result<()>;
}

/// An encoder whose pieces are the text of `writer`.
pub(in crate::formats) fn encoder_of(writer: impl RowWriter + 'static) -> Box<dyn Encode> {
    Box::new(TextEncoder { writer, bytes: Vec::new(), rows: 0 })
}

struct TextEncoder<W> {
    writer: W,
    bytes: Vec<u8>,
    rows: usize,
}

impl<W: RowWriter> Encode for TextEncoder<W> {
    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows += rows.num_rows();
        self.writer.rows(rows, &mut self.bytes)
    }

    /// Twice the text: growing copies it.
    fn held(&self) -> usize {
        2 * self.bytes.capacity()
    }

    fn piece(&mut self) -> Result<Piece> {
        Ok(Piece { bytes: std::mem::take(&mut self.bytes), rows: std::mem::take(&mut self.rows), meta: None, held: 0 })
    }
}

/// Appends texts between a beginning and an end.
pub(in crate::formats) struct TextAssembler {
    to: Box<dyn Output>,
    end: &'static [u8],
    /// Bytes at the end of the text that separate it from more, and are left out at the end.
    separator: usize,
    held: Vec<u8>,
    written: u64,
}

impl TextAssembler {
    pub(in crate::formats) fn new(
        to: Box<dyn Output>,
        begin: &[u8],
        end: &'static [u8],
        separator: usize,
    ) -> Result<Self> {
        let mut assembler = TextAssembler { to, end, separator, held: Vec::new(), written: 0 };
        assembler.write(begin)?;
        Ok(assembler)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.to.write_all(bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::BrokenPipe => Error::new(ErrorKind::Io, "nobody reads the output").because(e),
            _ => Error::io("the output", e),
        })?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

impl Assemble for TextAssembler {
    fn append(&mut self, piece: Piece) -> Result<()> {
        if piece.bytes.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        self.write(&held)?;
        let (text, separator) = piece.bytes.split_at(piece.bytes.len().saturating_sub(self.separator));
        self.held = separator.to_vec();
        self.write(text)
    }

    fn rest(&mut self) -> Result<()> {
        self.to.rest()
    }

    fn finish(mut self: Box<Self>) -> Result<u64> {
        let end = self.end;
        self.write(end)?;
        self.to.complete()?;
        Ok(self.written)
    }
}

/// Appends a value as text reads it back: dates and timestamps as ISO 8601, floats with the fewest digits that read back
/// to them, nested values as JSON. `None` for a null.
pub(in crate::formats) fn plain_value(column: &dyn Array, row: usize, to: &mut Vec<u8>) -> Result<Option<()>> {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return Ok(None);
    }
    match column.data_type() {
        DataType::Utf8View => to.extend_from_slice(column.as_string_view().value(row).as_bytes()),
        DataType::Utf8 => to.extend_from_slice(column.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => to.extend_from_slice(column.as_string::<i64>().value(row).as_bytes()),
        DataType::Int64 => show(to, column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => float(to, column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => float(to, column.as_primitive::<Float32Type>().value(row)),
        DataType::Date32 => date(to, i64::from(column.as_primitive::<Date32Type>().value(row))),
        DataType::Date64 => date(to, column.as_primitive::<Date64Type>().value(row).div_euclid(86_400_000)),
        t if t.is_nested() => json_value(column, row, to)?,
        _ => formatted(column, row, to)?,
    }
    Ok(Some(()))
}

fn show(to: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(to, "{value}"); // a Vec takes everything
}

/// Debug's form is the shortest that reads back, with a point or an exponent, so that it reads back as a float.
fn float(to: &mut Vec<u8>, value: impl std::fmt::Debug) {
    let _ = write!(to, "{value:?}");
}

fn date(to: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil(days);
    let _ = write!(to, "{year:04}-{month:02}-{day:02}");
}

fn formatted(column: &dyn Array, row: usize, to: &mut Vec<u8>) -> Result<()> {
    let formatter = ArrayFormatter::try_new(column, &FormatOptions::new())?;
    let _ = write!(to, "{}", formatter.value(row));
    Ok(())
}

/// Appends a value as JSON. Numbers that JSON has no word for (NaN, infinities) are null.
///
/// # Errors
/// A type that JSON cannot hold.
pub(in crate::formats) fn json_value(column: &dyn Array, row: usize, to: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) {
        to.extend_from_slice(b"null");
        return Ok(());
    }
    match column.data_type() {
        DataType::List(_) => items(column.as_list::<i32>().value(row).as_ref(), to),
        DataType::LargeList(_) => items(column.as_list::<i64>().value(row).as_ref(), to),
        DataType::FixedSizeList(..) => items(column.as_fixed_size_list().value(row).as_ref(), to),
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let pairs = fields.iter().zip(columns).map(|(f, c)| (f.name().as_str(), c.as_ref()));
            object(pairs, row, to)
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            to.push(b'{');
            for i in 0..entries.len() {
                if i > 0 {
                    to.push(b',');
                }
                let mut key = Vec::new();
                plain_value(keys.as_ref(), i, &mut key)?;
                string(&key, to);
                to.push(b':');
                json_value(values.as_ref(), i, to)?;
            }
            to.push(b'}');
            Ok(())
        }
        DataType::Boolean | DataType::Decimal128(..) | DataType::Decimal256(..) => formatted(column, row, to),
        DataType::Null => {
            to.extend_from_slice(b"null");
            Ok(())
        }
        t if t.is_integer() => formatted(column, row, to),
        t if t.is_floating() => {
            let start = to.len();
            plain_value(column, row, to)?;
            if !to.last().is_some_and(u8::is_ascii_digit) {
                to.truncate(start);
                to.extend_from_slice(b"null");
            }
            Ok(())
        }
        _ => {
            let mut text = Vec::new();
            plain_value(column, row, &mut text)?;
            string(&text, to);
            Ok(())
        }
    }
}

fn items(values: &dyn Array, to: &mut Vec<u8>) -> Result<()> {
    to.push(b'[');
    for i in 0..values.len() {
        if i > 0 {
            to.push(b',');
        }
        json_value(values, i, to)?;
    }
    to.push(b']');
    Ok(())
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a dyn Array)>, row: usize, to: &mut Vec<u8>) -> Result<()> {
    to.push(b'{');
    for (i, (name, column)) in pairs.enumerate() {
        if i > 0 {
            to.push(b',');
        }
        string(name.as_bytes(), to);
        to.push(b':');
        json_value(column, row, to)?;
    }
    to.push(b'}');
    Ok(())
}

/// Appends a text in quotes, escaped.
fn string(text: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    for b in text {
        match b {
            b'"' | b'\\' => to.extend_from_slice(&[b'\\', *b]),
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\t' => to.extend_from_slice(b"\\t"),
            0..0x20 => {
                let _ = write!(to, "\\u{b:04x}");
            }
            _ => to.push(*b),
        }
    }
    to.push(b'"');
}
