//! Spans of fields to arrays: one loop for each type, text without a copy.

use super::cursor::{NONE, Span};
use super::layout::{Form, Layout, Value};
use super::times::{epoch, iso, moment};
use super::zeek::unescape;
use crate::formats::values::{
    TextBuilder, is_plain, parse_bool, parse_date, parse_decimal, parse_float, parse_int, parse_plain_float,
    parse_plain_int, parse_timestamp,
};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, ListArray, PrimitiveArray, StringViewArray, UInt32Array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field as ArrowField, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use std::sync::Arc;

/// Why a column could not be decoded.
#[derive(Debug)]
pub(super) enum Bad {
    /// The value of this row is not of the column's type.
    Misfit(usize),
    /// The text of this row is not UTF-8.
    Utf8(usize),
    /// Anything else.
    Other(crate::error::Error),
}

impl From<crate::error::Error> for Bad {
    fn from(e: crate::error::Error) -> Self {
        Bad::Other(e)
    }
}

/// How bytes that may be no UTF-8 become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Utf8 {
    /// All of them were checked.
    Checked,
    /// Each text is checked; one that is none is an error.
    Fail,
    /// Each text is checked; what is wrong in it is replaced.
    Replace,
}

/// Records that were taken, as a table of spans.
pub(super) struct Records<'a> {
    pub(super) bytes: &'a [u8],
    /// For views.
    pub(super) buffer: &'a Buffer,
    pub(super) spans: &'a [Span],
    /// Fields of a record.
    pub(super) width: usize,
    /// Where each record begins and ends.
    pub(super) extents: &'a [Span],
    /// The offset in the file of the buffer's first byte.
    pub(super) base: u64,
    pub(super) path: &'a str,
    pub(super) utf8: Utf8,
    pub(super) anchor: i64,
}

/// Which records are decoded.
pub(super) type Pick<'a> = Option<&'a [u32]>;

impl Records<'_> {
    /// Calls `row` for each of them.
    #[inline]
    fn each(&self, pick: Pick<'_>, mut row: impl FnMut(usize) -> Result<(), Bad>) -> Result<(), Bad> {
        match pick {
            None => (0..self.extents.len()).try_for_each(row),
            Some(picked) => picked.iter().try_for_each(|at| row(*at as usize)),
        }
    }

    fn len(&self, pick: Pick<'_>) -> usize {
        pick.map_or(self.extents.len(), <[u32]>::len)
    }

    pub(super) fn span(&self, row: usize, field: usize) -> Span {
        self.spans.get(row * self.width + field).copied().unwrap_or(NONE)
    }

    pub(super) fn text(&self, (begin, end): Span) -> &[u8] {
        self.bytes.get(begin as usize..end as usize).unwrap_or_default()
    }

    /// The column of a field.
    ///
    /// # Errors
    /// The row of a value that is not of the type.
    pub(super) fn column(&self, field: usize, value: &Value, pick: Pick<'_>) -> Result<ArrayRef, Bad> {
        match value {
            Value::Text | Value::Quoted | Value::Escaped => self.texts(field, value, pick),
            Value::Offset => {
                let mut offsets = Vec::with_capacity(self.len(pick));
                self.each(pick, |row| {
                    let begin = self.extents.get(row).map_or(0, |(begin, _)| u64::from(*begin));
                    offsets.push((self.base + begin) as i64);
                    Ok(())
                })?;
                Ok(Arc::new(Int64Array::from(offsets)))
            }
            Value::File => {
                let path = StringViewArray::from_iter_values([self.path]);
                let rows = UInt32Array::from_value(0, self.len(pick));
                arrow::compute::take(&path, &rows, None).map_err(|e| Bad::Other(e.into()))
            }
            Value::List(item) => self.lists(field, item, pick),
            Value::Letter => self.booleans(field, pick, letter),
            Value::Typed(_) => self.typed(field, &value.parsed_type(), pick),
            Value::Guessed(_) => self.guessed(field, &value.parsed_type(), pick),
            Value::Facility => self.primitives::<Int64Type>(field, pick, |t| priority(t).map(|p| p / 8)),
            Value::Severity => self.primitives::<Int64Type>(field, pick, |t| priority(t).map(|p| p % 8)),
            Value::Time(_) | Value::Utc | Value::Epoch | Value::EpochMicros => {
                let zone = matches!(value.data_type(), DataType::Timestamp(_, Some(_))).then(|| Arc::from("UTC"));
                self.timestamps(field, pick, zone, |text| time(value, text, self.anchor))
            }
        }
    }

    fn guessed(&self, field: usize, of: &DataType, pick: Pick<'_>) -> Result<ArrayRef, Bad> {
        match of {
            DataType::Int64 => self.primitives::<Int64Type>(field, pick, |t| parse_plain_int(t, 0, t.len())),
            DataType::Float64 => self.primitives::<Float64Type>(field, pick, |t| parse_plain_float(t, 0, t.len())),
            DataType::Decimal128(..) => {
                self.each(pick, |row| match self.span(row, field) {
                    span if span == NONE || guessed(of, self.text(span)) => Ok(()),
                    _ => Err(Bad::Misfit(row)),
                })?;
                self.typed(field, of, pick)
            }
            other => self.typed(field, other, pick),
        }
    }

    fn typed(&self, field: usize, of: &DataType, pick: Pick<'_>) -> Result<ArrayRef, Bad> {
        match of {
            DataType::Int64 => self.primitives::<Int64Type>(field, pick, |t| parse_int(t, 0, t.len())),
            DataType::Float64 => self.primitives::<Float64Type>(field, pick, |t| parse_float(t, 0, t.len())),
            DataType::Date32 => self.primitives::<Date32Type>(field, pick, |t| parse_date(t, 0, t.len())),
            DataType::Boolean => self.booleans(field, pick, parse_bool),
            DataType::Decimal128(precision, scale) => {
                let (digits, limit) = ((*scale).max(0) as usize, 10i128.pow(u32::from(*precision).min(38)));
                let parse = |t: &[u8]| parse_decimal(t, digits).filter(|v| v.abs() < limit);
                let array = self.primitive_array::<Decimal128Type>(field, pick, parse)?;
                let array = array.with_precision_and_scale(*precision, *scale);
                Ok(Arc::new(array.map_err(|e| Bad::Other(e.into()))?))
            }
            DataType::Timestamp(_, zone) => {
                self.timestamps(field, pick, zone.clone(), |t| typed_time(t, zone.is_some()))
            }
            DataType::Utf8View => self.texts(field, &Value::Text, pick),
            other => Err(Bad::Other(crate::Error::unsupported(format!("reading text as {other}")))),
        }
    }

    fn primitive_array<T: ArrowPrimitiveType>(
        &self,
        field: usize,
        pick: Pick<'_>,
        parse: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> Result<PrimitiveArray<T>, Bad> {
        let mut values = Vec::with_capacity(self.len(pick));
        let mut nulls = Vec::new();
        self.each(pick, |row| {
            let span = self.span(row, field);
            if span == NONE {
                nulls.push(values.len());
                values.push(T::Native::default());
            } else {
                values.push(parse(self.text(span)).ok_or(Bad::Misfit(row))?);
            }
            Ok(())
        })?;
        let nulls = crate::formats::values::nulls_at(&nulls, values.len());
        Ok(PrimitiveArray::new(values.into(), nulls))
    }

    fn primitives<T: ArrowPrimitiveType>(
        &self,
        field: usize,
        pick: Pick<'_>,
        parse: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> Result<ArrayRef, Bad> {
        Ok(Arc::new(self.primitive_array::<T>(field, pick, parse)?))
    }

    fn timestamps(
        &self,
        field: usize,
        pick: Pick<'_>,
        zone: Option<Arc<str>>,
        parse: impl Fn(&[u8]) -> Option<i64>,
    ) -> Result<ArrayRef, Bad> {
        let array = self.primitive_array::<TimestampMicrosecondType>(field, pick, parse)?;
        Ok(Arc::new(array.with_timezone_opt(zone)))
    }

    fn booleans(&self, field: usize, pick: Pick<'_>, parse: impl Fn(&[u8]) -> Option<bool>) -> Result<ArrayRef, Bad> {
        let mut values = Vec::with_capacity(self.len(pick));
        self.each(pick, |row| {
            values.push(match self.span(row, field) {
                NONE => None,
                span => Some(parse(self.text(span)).ok_or(Bad::Misfit(row))?),
            });
            Ok(())
        })?;
        Ok(Arc::new(BooleanArray::from(values)))
    }

    fn texts(&self, field: usize, value: &Value, pick: Pick<'_>) -> Result<ArrayRef, Bad> {
        let mut builder = TextBuilder::with_capacity(self.len(pick));
        self.each(pick, |row| match self.span(row, field) {
            NONE => {
                builder.null();
                Ok(())
            }
            span => self.add_text(&mut builder, value, span, row),
        })?;
        Ok(builder.finish(self.buffer.clone())?)
    }

    fn add_text(&self, builder: &mut TextBuilder, value: &Value, span: Span, row: usize) -> Result<(), Bad> {
        let text = self.text(span);
        if self.utf8 != Utf8::Checked && std::str::from_utf8(text).is_err() {
            if self.utf8 == Utf8::Fail {
                return Err(Bad::Utf8(row));
            }
            let replaced = String::from_utf8_lossy(text).into_owned();
            builder.copy(|to| to.extend_from_slice(replaced.as_bytes()));
            return Ok(());
        }
        let escaped = match value {
            Value::Quoted => super::pairs::is_quoted(self.bytes, span.0 as usize),
            Value::Escaped => true,
            _ => false,
        };
        if !escaped || memchr::memchr(b'\\', text).is_none() {
            builder.view(self.bytes, span.0 as usize, span.1 as usize);
            return Ok(());
        }
        let plain = if *value == Value::Escaped { unescape(text) } else { unquote(text) };
        // Escapes may make bytes that are no text: then they stay as they are written.
        match std::str::from_utf8(&plain) {
            Ok(plain) => builder.copy(|to| to.extend_from_slice(plain.as_bytes())),
            Err(_) => builder.view(self.bytes, span.0 as usize, span.1 as usize),
        }
        Ok(())
    }

    /// Lists, their items between commas; an item `-` is null.
    fn lists(&self, field: usize, item: &Value, pick: Pick<'_>) -> Result<ArrayRef, Bad> {
        let (mut spans, mut owners) = (Vec::new(), Vec::new());
        let (mut offsets, mut valid) = (vec![0i32], Vec::new());
        self.each(pick, |row| {
            let span = self.span(row, field);
            valid.push(span != NONE);
            if span != NONE && span.0 < span.1 {
                let mut begin = span.0;
                let commas = memchr::memchr_iter(b',', self.text(span)).map(|at| span.0 + at as u32);
                for end in commas.chain(std::iter::once(span.1)) {
                    spans.push(if self.text((begin, end)) == b"-" { NONE } else { (begin, end) });
                    owners.push(row);
                    begin = end + 1;
                }
            }
            offsets.push(i32::try_from(spans.len()).map_err(|_| Bad::Misfit(row))?);
            Ok(())
        })?;
        let inner = Records { spans: &spans, width: 1, extents: &spans, ..*self };
        let values = inner.column(0, item, None).map_err(|bad| match bad {
            Bad::Misfit(at) => Bad::Misfit(owners.get(at).copied().unwrap_or(0)),
            Bad::Utf8(at) => Bad::Utf8(owners.get(at).copied().unwrap_or(0)),
            other => other,
        })?;
        let of = Arc::new(ArrowField::new("item", item.data_type(), true));
        let list = ListArray::try_new(of, OffsetBuffer::new(offsets.into()), values, Some(NullBuffer::from(valid)));
        Ok(Arc::new(list.map_err(|e| Bad::Other(e.into()))?))
    }
}

fn letter(text: &[u8]) -> Option<bool> {
    match text {
        b"T" => Some(true),
        b"F" => Some(false),
        _ => None,
    }
}

fn priority(text: &[u8]) -> Option<i64> {
    parse_int(text, 0, text.len())
}

/// Microseconds of a moment, all of the text.
fn time(value: &Value, text: &[u8], anchor: i64) -> Option<i64> {
    match value {
        Value::Epoch => epoch(text),
        Value::EpochMicros => parse_int(text, 0, text.len()),
        Value::Utc => iso(text).filter(|m| m.len == text.len() && !m.zoned).map(|m| m.micros),
        Value::Time(zoned) => {
            moment(text, anchor).filter(|m| m.len == text.len() && m.zoned == *zoned).map(|m| m.micros)
        }
        _ => None,
    }
}

/// A timestamp as all text formats read it; without an offset in the column's type, a date is its midnight.
fn typed_time(text: &[u8], with_offset: bool) -> Option<i64> {
    if text.len() == 10 && !with_offset {
        return Some(i64::from(parse_date(text, 0, text.len())?) * 86_400_000_000);
    }
    parse_timestamp(text, 0, text.len()).filter(|(_, offset)| *offset == with_offset).map(|(micros, _)| micros)
}

/// Text without the backslashes of quotes: `\n`, `\r` and `\t` are what they are everywhere, any other byte is itself.
fn unquote(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(next)) => {
                bytes.next();
                plain.push(match next {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
            }
            _ => plain.push(*byte),
        }
    }
    plain
}

impl Value {
    /// Whether a text is a value.
    fn takes(&self, text: &[u8], anchor: i64) -> bool {
        match self {
            _ if self.takes_all() => true,
            Value::Letter => letter(text).is_some(),
            Value::Facility | Value::Severity => priority(text).is_some(),
            Value::List(item) => {
                text.is_empty() || text.split(|b| *b == b',').all(|i| i == b"-" || item.takes(i, anchor))
            }
            Value::Typed(_) => typed(&self.parsed_type(), text),
            Value::Guessed(_) => guessed(&self.parsed_type(), text),
            _ => time(self, text, anchor).is_some(),
        }
    }
}

fn guessed(of: &DataType, text: &[u8]) -> bool {
    let end = text.len();
    match of {
        DataType::Int64 => parse_plain_int(text, 0, end).is_some(),
        DataType::Float64 => parse_plain_float(text, 0, end).is_some(),
        DataType::Decimal128(..) => is_plain(text, 0, end) && typed(of, text),
        other => typed(other, text),
    }
}

fn typed(of: &DataType, text: &[u8]) -> bool {
    match of {
        DataType::Int64 => parse_int(text, 0, text.len()).is_some(),
        DataType::Float64 => parse_float(text, 0, text.len()).is_some(),
        DataType::Date32 => parse_date(text, 0, text.len()).is_some(),
        DataType::Boolean => parse_bool(text).is_some(),
        DataType::Decimal128(precision, scale) => {
            let limit = 10i128.pow(u32::from(*precision).min(38));
            parse_decimal(text, (*scale).max(0) as usize).is_some_and(|v| v.abs() < limit)
        }
        DataType::Timestamp(_, zone) => typed_time(text, zone.is_some()).is_some(),
        _ => true,
    }
}

impl Layout {
    /// Fields whose values are looked at before a record is taken for one: those with a type that is not guessed, but for
    /// moments, which most forms look at themselves.
    pub(super) fn checked(&self) -> Vec<usize> {
        let own = !matches!(self.form, Form::Pattern(_));
        let wants = |value: &Value| !(value.takes_all() || own && matches!(value, Value::Time(_)));
        let wanted = self.fields.iter().enumerate().filter(|(_, f)| !f.guessed && wants(&f.value));
        wanted.map(|(place, _)| place).collect()
    }

    /// Whether the values of `fields` are of their types.
    #[inline]
    pub(super) fn are_sound(&self, fields: &[usize], bytes: &[u8], spans: &[Span]) -> bool {
        fields.iter().all(|place| match (self.fields.get(*place), spans.get(*place)) {
            (Some(field), Some(span)) if *span != NONE => {
                let text = bytes.get(span.0 as usize..span.1 as usize).unwrap_or_default();
                field.value.takes(text, self.anchor)
            }
            _ => true,
        })
    }

    /// As above, for all of them.
    pub(super) fn is_sound(&self, bytes: &[u8], spans: &[Span]) -> bool {
        self.are_sound(&self.checked(), bytes, spans)
    }

    /// Whether spans may cut a character: then every text is checked by itself.
    pub(super) fn cuts_anywhere(&self) -> bool {
        matches!(self.form, Form::Pattern(_) | Form::Journal(_))
    }
}
