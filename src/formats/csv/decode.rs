//! Fields of one column to an array: straight into the array's buffer, one loop for each type.

use super::lexicon::Lexicon;
use super::rows::{Rows, unquote};
use super::structure::Marks;
use crate::formats::text::base_type;
use crate::formats::values::{
    TextBuilder, is_plain, nulls_at, parse_date, parse_decimal, parse_float, parse_int, parse_plain_float,
    parse_plain_int, parse_timestamp,
};
use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, PrimitiveArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use std::cell::RefCell;
use std::sync::Arc;

/// Why a column could not be decoded.
#[derive(Debug)]
pub(super) enum Bad {
    /// The value of this row is not of the column's type.
    Misfit(usize),
    /// In this row, text follows a closing quote.
    Quote(usize),
    /// Anything else.
    Other(crate::error::Error),
}

/// How a column is read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its place in the table.
    pub(super) index: usize,
    /// Its type as parsed (see [`base_type`]).
    pub(super) data_type: DataType,
    /// Its type in the table.
    pub(super) wanted: DataType,
    /// Whether the type was guessed.
    pub(super) guessed: bool,
    /// Whether an empty field is an empty text.
    pub(super) keeps_empty: bool,
}

impl Column {
    pub(super) fn new(index: usize, wanted: &DataType, guessed: bool) -> crate::error::Result<Self> {
        Ok(Column { index, data_type: base_type(wanted)?, wanted: wanted.clone(), guessed, keeps_empty: false })
    }

    /// Whether its values are text.
    pub(super) fn is_text(&self) -> bool {
        self.data_type == DataType::Utf8View
    }
}

/// What decoding needs beside the rows.
pub(super) struct Decoder<'a> {
    pub(super) rows: &'a Rows<'a>,
    /// The buffer that the rows are in, for views.
    pub(super) buffer: &'a Buffer,
    pub(super) marks: &'a Marks,
    pub(super) lexicon: &'a Lexicon,
    /// Whether text behind a closing quote is part of the field.
    pub(super) loose: bool,
    /// Where values that cannot be read are noted, and made null; `None`: the first one is an error.
    pub(super) met: Option<&'a RefCell<Vec<Bad>>>,
    /// Rows whose text is not to be read: it is no UTF-8.
    pub(super) unread: &'a [usize],
}

impl Decoder<'_> {
    /// The values of a column in all rows, or in the rows `pick`.
    pub(super) fn column(&self, column: &Column, pick: Option<&[u32]>) -> Result<ArrayRef, Bad> {
        match pick {
            None => self.typed(column, 0..self.rows.len()),
            Some(rows) => self.typed(column, rows.iter().map(|r| *r as usize)),
        }
    }

    fn typed(&self, column: &Column, rows: impl ExactSizeIterator<Item = usize>) -> Result<ArrayRef, Bad> {
        let plain = self.lexicon.is_plain();
        match &column.data_type {
            // What is guessed loses nothing.
            DataType::Int64 if plain && column.guessed => {
                Ok(Arc::new(self.primitive::<Int64Type>(column, rows, parse_plain_int)?))
            }
            DataType::Float64 if plain && column.guessed => {
                // A closure, not the function's name: it becomes a part of the loop.
                let parse = |b: &[u8], at, end| parse_plain_float(b, at, end);
                Ok(Arc::new(self.primitive::<Float64Type>(column, rows, parse)?))
            }
            DataType::Int64 => {
                let own = if column.guessed { parse_plain_int } else { parse_int };
                let parse = |b: &[u8], at, end| self.number(b, at, end, |n| own(n, 0, n.len()));
                Ok(Arc::new(self.primitive::<Int64Type>(column, rows, parse)?))
            }
            DataType::Float64 => {
                let own = if column.guessed { parse_plain_float } else { parse_float };
                let parse = |b: &[u8], at, end| self.number(b, at, end, |n| own(n, 0, n.len()));
                Ok(Arc::new(self.primitive::<Float64Type>(column, rows, parse)?))
            }
            DataType::Date32 => match &self.lexicon.dates {
                None => Ok(Arc::new(self.primitive::<Date32Type>(column, rows, parse_date)?)),
                Some(dates) => {
                    let parse = |b: &[u8], at, end| dates.date(b.get(at..end)?);
                    Ok(Arc::new(self.primitive::<Date32Type>(column, rows, parse)?))
                }
            },
            DataType::Timestamp(_, zone) => {
                let with_offset = zone.is_some();
                let array = match &self.lexicon.timestamps {
                    None => {
                        let parse = |b: &[u8], at, end| timestamp(b, at, end, with_offset);
                        self.primitive::<TimestampMicrosecondType>(column, rows, parse)?
                    }
                    Some(pattern) => {
                        let own = |b: &[u8], at, end| pattern.timestamp(b.get(at..end)?).filter(|t| t.1 == with_offset);
                        let parse = |b: &[u8], at, end| Some(own(b, at, end)?.0);
                        self.primitive::<TimestampMicrosecondType>(column, rows, parse)?
                    }
                };
                Ok(Arc::new(array.with_timezone_opt(zone.clone())))
            }
            DataType::Decimal128(precision, scale) => {
                let (limit, digits) = (10i128.pow(u32::from(*precision).min(38)), *scale as usize);
                let fits = |b: &[u8]| match column.guessed && !is_plain(b, 0, b.len()) {
                    true => None,
                    false => parse_decimal(b, digits).filter(|v| v.abs() < limit),
                };
                let parse = |b: &[u8], at: usize, end: usize| self.number(b, at, end, fits);
                let array = self.primitive::<Decimal128Type>(column, rows, parse)?;
                let array = array.with_precision_and_scale(*precision, *scale);
                Ok(Arc::new(array.map_err(|e| Bad::Other(e.into()))?))
            }
            DataType::Boolean => self.boolean(column, rows),
            _ => self.text(column, rows),
        }
    }

    /// A number as it is written in this file.
    fn number<V>(&self, bytes: &[u8], at: usize, end: usize, parse: impl Fn(&[u8]) -> Option<V>) -> Option<V> {
        let text = bytes.get(at..end)?;
        match self.lexicon.is_plain() {
            true => parse(text),
            false => parse(self.lexicon.number(text)?.text()),
        }
    }

    #[inline(always)]
    fn primitive<T: ArrowPrimitiveType>(
        &self,
        column: &Column,
        rows: impl ExactSizeIterator<Item = usize>,
        parse: impl Fn(&[u8], usize, usize) -> Option<T::Native>,
    ) -> Result<PrimitiveArray<T>, Bad> {
        let bytes = self.rows.bytes;
        let mut values = vec![T::Native::default(); rows.len()];
        let mut nulls = Vec::new();
        for (i, (row, slot)) in rows.zip(values.iter_mut()).enumerate() {
            let (at, end) = self.rows.field(row, column.index);
            let plain = if self.lexicon.nulls.is_empty() && at < end { parse(bytes, at, end) } else { None };
            match plain {
                Some(value) => *slot = value,
                None => match self.unusual(row, column, &parse)? {
                    Some(value) => *slot = value,
                    None => nulls.push(i),
                },
            }
        }
        let nulls = nulls_at(&nulls, values.len());
        Ok(PrimitiveArray::new(values.into(), nulls))
    }

    /// A field that is empty, quoted, between blanks, perhaps a null's name, or no value of the type at all.
    #[inline(never)]
    fn unusual<V>(
        &self,
        row: usize,
        column: &Column,
        parse: &impl Fn(&[u8], usize, usize) -> Option<V>,
    ) -> Result<Option<V>, Bad> {
        let text = self.rows.text(row, column.index);
        if text.is_empty() || self.lexicon.is_null(text) {
            return Ok(None);
        }
        let Some(value) = unquote(text, self.marks, self.loose) else {
            return self.meet(Bad::Quote(row)).map(|()| None);
        };
        if value.is_empty() || (text.first() == self.marks.quote.as_ref() && self.lexicon.is_quoted_null(&value)) {
            return Ok(None);
        }
        let value = value.trim_ascii();
        match parse(value, 0, value.len()) {
            None if column.guessed && self.lexicon.is_marker(text) => Ok(None),
            Some(value) => Ok(Some(value)),
            None => self.meet(Bad::Misfit(row)).map(|()| None),
        }
    }

    /// Notes a value that cannot be read, or fails with it.
    fn meet(&self, bad: Bad) -> Result<(), Bad> {
        match self.met {
            Some(met) => {
                met.borrow_mut().push(bad);
                Ok(())
            }
            None => Err(bad),
        }
    }

    fn boolean(&self, column: &Column, rows: impl ExactSizeIterator<Item = usize>) -> Result<ArrayRef, Bad> {
        let declared = !column.guessed;
        let parse = |bytes: &[u8], at: usize, end: usize| self.lexicon.truth(bytes.get(at..end)?, declared);
        let mut values = BooleanBufferBuilder::new(rows.len());
        let mut nulls = Vec::new();
        for row in rows {
            let value = self.unusual(row, column, &parse)?;
            if value.is_none() {
                nulls.push(values.len());
            }
            values.append(value.unwrap_or(false));
        }
        let nulls = nulls_at(&nulls, values.len());
        Ok(Arc::new(BooleanArray::new(values.finish(), nulls)))
    }

    fn text(&self, column: &Column, rows: impl ExactSizeIterator<Item = usize>) -> Result<ArrayRef, Bad> {
        let nulls = !(self.lexicon.nulls.is_empty() || column.keeps_empty);
        let mut values = TextBuilder::with_capacity(rows.len());
        if nulls || self.marks.escape.is_some() || !self.unread.is_empty() {
            for row in rows {
                self.any_text(&mut values, column, row)?;
            }
        } else {
            self.plain_texts(&mut values, column, rows)?;
        }
        values.finish(self.buffer.clone()).map_err(Bad::Other)
    }

    /// Texts where only what is quoted or empty is not as it stands. Compiled apart: there is little else in this loop.
    #[inline(never)]
    fn plain_texts(
        &self,
        values: &mut TextBuilder,
        column: &Column,
        rows: impl Iterator<Item = usize>,
    ) -> Result<(), Bad> {
        let (from, bytes, quote) = (self.rows, self.rows.bytes, self.marks.quote);
        for row in rows {
            let (at, end) = from.field(row, column.index);
            match at < end && bytes.get(at).copied() != quote {
                true => values.view(bytes, at, end),
                false => self.any_text(values, column, row)?,
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn any_text(&self, values: &mut TextBuilder, column: &Column, row: usize) -> Result<(), Bad> {
        let bytes = self.rows.bytes;
        let nulls = !(self.lexicon.nulls.is_empty() || column.keeps_empty);
        let in_quotes = (nulls || self.lexicon.quoted_empty) && !column.keeps_empty;
        let (at, end) = self.rows.field(row, column.index);
        let first = bytes.get(at).copied();
        if !self.unread.is_empty() && self.unread.binary_search(&row).is_ok() {
            values.null();
        } else if at >= end {
            if column.keeps_empty { values.view(bytes, at, at) } else { values.null() }
        } else if nulls && self.lexicon.is_null(self.rows.text(row, column.index)) {
            values.null();
        } else if first == self.marks.quote || self.marks.escape.is_some() {
            self.quoted(values, row, (at, end), in_quotes && first == self.marks.quote)?;
        } else {
            values.view(bytes, at, end);
        }
        Ok(())
    }

    fn quoted(&self, values: &mut TextBuilder, row: usize, (at, end): (usize, usize), nulls: bool) -> Result<(), Bad> {
        let text = self.rows.bytes.get(at..end).unwrap_or_default();
        let Some(value) = unquote(text, self.marks, self.loose) else {
            values.null();
            return self.meet(Bad::Quote(row));
        };
        match value {
            value if nulls && self.lexicon.is_quoted_null(&value) => values.null(),
            std::borrow::Cow::Borrowed(inner) if inner.len() + 2 == text.len() => {
                values.view(self.rows.bytes, at + 1, end - 1);
            }
            std::borrow::Cow::Borrowed(_) => values.view(self.rows.bytes, at, end),
            std::borrow::Cow::Owned(value) => values.copy(|to| to.extend_from_slice(&value)),
        }
        Ok(())
    }
}

/// A timestamp; a date is its midnight. One with an offset is not one without, and the other way round.
#[inline(always)]
fn timestamp(bytes: &[u8], at: usize, end: usize, with_offset: bool) -> Option<i64> {
    if end - at == 10 && !with_offset {
        return Some(i64::from(parse_date(bytes, at, end)?) * 86_400_000_000);
    }
    parse_timestamp(bytes, at, end).filter(|(_, offset)| *offset == with_offset).map(|(micros, _)| micros)
}
