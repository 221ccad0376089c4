//! Objects to arrays: one walk over the text, values straight into typed builders.

use super::cursor::{MAX_DEPTH, Malformed, Text};
use super::shape::is_json;
use crate::error::{Error, Result};
use crate::formats::text::{base_type, narrow};
use crate::formats::values::{
    TextBuilder, load16, nulls_at, parse_date, parse_decimal, parse_float, parse_int, parse_plain_float,
    parse_timestamp,
};
use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Why an object could not be taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bad {
    /// It is no JSON, from this place on.
    Malformed(usize),
    /// The value at this place is not of its column's type.
    Misfit(usize),
    /// Nor is this one, but a wider type of its kind would hold it and what is in the column.
    Narrow(usize),
    /// The key at this place is not in the schema.
    Key(usize),
    /// The key at this place is there already.
    Twice(usize),
}

impl From<Malformed> for Bad {
    fn from(m: Malformed) -> Self {
        Bad::Malformed(m.0)
    }
}

type Taken = Result<usize, Bad>;

/// Builds one column.
pub(super) struct Column {
    /// Where nulls are.
    nulls: Vec<usize>,
    len: usize,
    values: Values,
    /// The type in the schema.
    wanted: DataType,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Int(Vec<i64>, RangeInclusive<i64>),
    /// Those that are guessed round no integer.
    Float(Vec<f64>, bool),
    Decimal(Vec<i128>, RangeInclusive<i128>, u8, i8),
    Date(Vec<i32>),
    Timestamp(Vec<i64>, Option<Arc<str>>),
    Text(TextBuilder, Lenience),
    List(Vec<i32>, FieldRef, Box<Column>),
    Struct(Fields, Object),
}

/// What a text column does with values that are no strings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lenience {
    /// They do not fit.
    Strings,
    /// They are taken as the text of their JSON: the column was declared as text.
    Both,
    /// All values, strings too, are taken as the text of their JSON.
    Json,
}

/// The keys of an object and the columns of those that are wanted.
pub(super) struct Object {
    keys: Vec<Key>,
    pub(super) columns: Vec<Column>,
    /// Whether a key that is not in the schema is an error.
    strict: bool,
    rows: usize,
    /// The key whose value is being taken.
    current: Option<usize>,
    /// Whether rows are values of any kind, which are the only column.
    single: bool,
    /// Columns of values that are not of their types, and their places: such values are null. `None`: they do not fit.
    nulled: Option<Vec<(usize, usize)>>,
}

struct Key {
    /// The key with its quotes and colon: `"id":`.
    written: Vec<u8>,
    /// Its first bytes as a number, and which bits of 16 bytes of text they are: most keys are found by one comparison.
    head: u128,
    mask: u128,
    name: String,
    /// Its column, if it is wanted.
    column: Option<usize>,
    /// Whether its type was guessed.
    guessed: bool,
}

impl Key {
    /// Whether it is written at `at`. Behind the text there are zeros, which no key has.
    #[inline(always)]
    fn is_at(&self, text: Text<'_>, at: usize) -> bool {
        let begins = (load16(text.bytes, at) ^ self.head) & self.mask == 0;
        begins && (self.written.len() <= 16 || text.bytes.get(at..).is_some_and(|rest| rest.starts_with(&self.written)))
    }
}

impl Object {
    /// All keys of `fields`; columns for those that `wanted` numbers, in that order.
    pub(super) fn new(
        fields: &Fields,
        wanted: &[usize],
        strict: bool,
        guessed: &dyn Fn(usize) -> bool,
    ) -> Result<Self> {
        let key = |(place, f): (usize, &FieldRef)| {
            let written = format!("{}:", serde_json::Value::from(f.name().as_str())).into_bytes();
            let unused = 16 - written.len().min(16);
            Key {
                head: load16(&written, 0),
                mask: u128::MAX >> (8 * unused),
                written,
                name: f.name().clone(),
                column: wanted.iter().position(|w| *w == place),
                guessed: guessed(place),
            }
        };
        let column = |place: &usize| match fields.get(*place) {
            Some(f) => Column::new(f, guessed(*place)),
            None => Err(Error::internal("no such column")),
        };
        let columns = wanted.iter().map(column).collect::<Result<_>>()?;
        let keys = fields.iter().enumerate().map(key).collect();
        Ok(Object { keys, columns, strict, rows: 0, current: None, single: false, nulled: None })
    }

    /// Rows are values of any kind: each is taken as a whole, into the only column.
    pub(super) fn of_values(self) -> Self {
        Object { single: true, ..self }
    }

    /// Values that are not of their column's declared type are null.
    pub(super) fn with_nulls(self) -> Self {
        Object { nulled: Some(Vec::new()), ..self }
    }

    /// The values that were made null since this was asked last: the names of their columns, and their places.
    pub(super) fn nulled(&mut self) -> Vec<(String, usize)> {
        let nulled = self.nulled.as_mut().map(std::mem::take).unwrap_or_default();
        let named = |(key, at): (usize, usize)| self.keys.get(key).map(|k| (k.name.clone(), at));
        nulled.into_iter().filter_map(named).collect()
    }

    /// Forgets what was taken of an object that turned out to be broken.
    pub(super) fn undo(&mut self) {
        let rows = self.rows;
        self.truncate(rows);
        self.current = None;
    }

    /// Forgets the record that was taken last.
    pub(super) fn drop_last(&mut self) {
        self.truncate(self.rows.saturating_sub(1));
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
    }

    /// Takes a value of any kind.
    fn take_value(&mut self, text: Text<'_>, at: usize) -> Taken {
        self.current = Some(0);
        let end = match self.keys.first().and_then(|key| key.column) {
            Some(column) => self.wanted(0, column, text, at, at, 0)?,
            None => text.skip(at)?,
        };
        self.current = None;
        self.rows += 1;
        Ok(end)
    }

    /// Takes the value at `at` of the key of this number into its column.
    #[inline(always)]
    fn wanted(&mut self, key: usize, column: usize, text: Text<'_>, key_at: usize, at: usize, depth: usize) -> Taken {
        let rows = self.rows;
        match self.columns.get_mut(column) {
            Some(column) if column.len == rows => match column.take(text, at, depth) {
                Err(Bad::Misfit(place) | Bad::Narrow(place)) if self.nulled.is_some() => {
                    self.make_null(key, text, at, place)
                }
                taken => taken,
            },
            _ => Err(Bad::Twice(key_at)),
        }
    }

    #[cold]
    fn make_null(&mut self, key: usize, text: Text<'_>, at: usize, place: usize) -> Taken {
        let end = text.skip(at)?;
        let rows = self.rows;
        let column = self.keys.get(key).and_then(|k| k.column).and_then(|c| self.columns.get_mut(c));
        if let (Some(column), Some(nulled)) = (column, &mut self.nulled) {
            column.truncate(rows);
            column.null();
            nulled.push((key, place));
        }
        Ok(end)
    }

    /// Takes the object at `at`.
    pub(super) fn take(&mut self, text: Text<'_>, at: usize, depth: usize) -> Taken {
        if self.single {
            return self.take_value(text, at);
        }
        let mut at = text.space(text.expect(at, b'{')?);
        let mut next = 0; // the key that is expected
        let mut filled = 0;
        if text.at(at) != b'}' {
            loop {
                let key_at = at;
                let (key, value_at) = self.key(text, at, next)?;
                at = match (key, key.and_then(|k| self.keys.get(k)?.column)) {
                    (Some(k), Some(column)) => {
                        filled += 1;
                        self.current = key;
                        let end = self.wanted(k, column, text, key_at, value_at, depth + 1)?;
                        self.current = None;
                        end
                    }
                    (None, _) if self.strict => return Err(Bad::Key(key_at)),
                    _ => text.skip(value_at)?,
                };
                next = key.map_or(next, |k| k + 1);
                at = text.space(at);
                match text.at(at) {
                    b',' => at = text.space(at + 1),
                    b'}' => break,
                    _ => return Err(Bad::Malformed(at)),
                }
            }
        }
        self.rows += 1;
        if filled < self.columns.len() {
            self.fill();
        }
        Ok(at + 1)
    }

    /// Takes the row at `at`, whose values stand one behind the other, one for each column.
    pub(super) fn take_row(&mut self, text: Text<'_>, mut at: usize) -> Taken {
        if self.columns.is_empty() {
            return Err(Bad::Malformed(at));
        }
        for column in &mut self.columns {
            at = text.space(column.take(text, at, 1)?);
        }
        self.rows += 1;
        Ok(at)
    }

    /// Columns whose key was missing get a null.
    fn fill(&mut self) {
        let rows = self.rows;
        self.columns.iter_mut().filter(|c| c.len < rows).for_each(Column::null);
    }

    /// The number of the key at `at`, if it is in the schema, and the place of its value.
    #[inline(always)]
    fn key(&self, text: Text<'_>, at: usize, next: usize) -> Result<(Option<usize>, usize), Bad> {
        match self.keys.get(next) {
            Some(key) if key.is_at(text, at) => Ok((Some(next), text.space(at + key.written.len()))),
            _ => self.other_key(text, at, next),
        }
    }

    fn other_key(&self, text: Text<'_>, at: usize, next: usize) -> Result<(Option<usize>, usize), Bad> {
        let start = text.expect(at, b'"')?;
        let (end, escaped) = text.string_end(start)?;
        let value = text.space(text.expect(text.space(end + 1), b':')?);
        let raw = text.bytes.get(start..end).unwrap_or_default();
        let mut copy = Vec::new();
        let name = match escaped {
            true => {
                text.unescape(start, end, &mut copy)?;
                copy.as_slice()
            }
            false => raw,
        };
        // Keys tend to come in one order: look behind the expected one first.
        let (before, behind) = self.keys.split_at(next.min(self.keys.len()));
        let found = behind.iter().position(|k| k.name.as_bytes() == name).map(|p| p + before.len());
        Ok((found.or_else(|| before.iter().position(|k| k.name.as_bytes() == name)), value))
    }

    fn null(&mut self) {
        self.rows += 1;
        self.fill();
    }

    /// The columns, which share `buffer`; the object is empty again.
    pub(super) fn finish(&mut self, buffer: &Buffer) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        self.columns.iter_mut().map(|c| c.finish(buffer)).collect()
    }

    /// The name of the column that was being built when something went wrong.
    pub(super) fn unfinished(&self) -> Option<&str> {
        self.current.and_then(|k| self.keys.get(k)).map(|k| k.name.as_str())
    }

    /// Whether the type of that column was guessed.
    pub(super) fn was_guessed(&self) -> bool {
        self.current.and_then(|k| self.keys.get(k)).is_some_and(|k| k.guessed)
    }
}

impl Column {
    /// A column for the values of `field`; `guessed` says that its type was.
    pub(super) fn new(field: &Field, guessed: bool) -> Result<Self> {
        let values = match field.data_type() {
            DataType::List(item) => Values::List(vec![0], item.clone(), Box::new(Column::new(item, guessed)?)),
            DataType::Struct(fields) => {
                let all: Vec<usize> = (0..fields.len()).collect();
                Values::Struct(fields.clone(), Object::new(fields, &all, guessed, &|_| guessed)?)
            }
            other => Values::of(other, is_json(field), guessed)?,
        };
        Ok(Column { nulls: Vec::new(), len: 0, values, wanted: field.data_type().clone() })
    }

    /// Takes the value at `at`.
    #[inline(always)]
    fn take(&mut self, text: Text<'_>, at: usize, depth: usize) -> Taken {
        let first = text.at(at);
        if first == b'n' {
            let end = text.word_end(at)?;
            self.null();
            return Ok(end);
        }
        let end = match &mut self.values {
            Values::Text(b, lenience) => take_text(b, *lenience, text, at)?,
            Values::Int(list, range) => {
                let end = number(text, at)?;
                let value = parse_int(text.bytes, at, end).filter(|value| range.contains(value));
                list.push(value.ok_or(Bad::Narrow(at))?);
                end
            }
            Values::Float(list, guessed) => {
                let end = number(text, at)?;
                let value = match guessed {
                    true => parse_plain_float(text.bytes, at, end),
                    false => parse_float(text.bytes, at, end),
                };
                list.push(value.ok_or(Bad::Misfit(at))?);
                end
            }
            _ => self.take_other(text, at, depth)?,
        };
        self.len += 1;
        Ok(end)
    }

    fn take_other(&mut self, text: Text<'_>, at: usize, depth: usize) -> Taken {
        if depth > MAX_DEPTH {
            return Err(Bad::Malformed(at));
        }
        let first = text.at(at);
        match &mut self.values {
            Values::Bool(bits) if matches!(first, b't' | b'f') => {
                bits.append(first == b't');
                Ok(text.word_end(at)?)
            }
            Values::Decimal(list, range, _, scale) => {
                let end = number(text, at)?;
                let digits = text.bytes.get(at..end).unwrap_or_default();
                let value = parse_decimal(digits, (*scale).max(0) as usize).filter(|v| range.contains(v));
                list.push(value.ok_or(Bad::Narrow(at))?);
                Ok(end)
            }
            Values::Date(list) if first == b'"' => {
                let (end, _) = text.string_end(at + 1)?;
                let wider = |()| match parse_timestamp(text.bytes, at + 1, end) {
                    Some((_, false)) => Bad::Narrow(at),
                    _ => Bad::Misfit(at),
                };
                list.push(parse_date(text.bytes, at + 1, end).ok_or(()).map_err(wider)?);
                Ok(end + 1)
            }
            Values::Timestamp(list, zone) if first == b'"' => {
                let (end, _) = text.string_end(at + 1)?;
                list.push(timestamp(text.bytes, at + 1, end, zone.is_some()).ok_or(Bad::Misfit(at))?);
                Ok(end + 1)
            }
            Values::Struct(_, object) if first == b'{' => object.take(text, at, depth),
            Values::List(offsets, _, item) if first == b'[' => take_list(offsets, item, text, at, depth),
            _ => {
                text.skip(at)?;
                Err(Bad::Misfit(at))
            }
        }
    }

    fn null(&mut self) {
        self.nulls.push(self.len);
        self.len += 1;
        match &mut self.values {
            Values::Bool(bits) => bits.append(false),
            Values::Int(list, _) => list.push(0),
            Values::Float(list, _) => list.push(0.0),
            Values::Decimal(list, ..) => list.push(0),
            Values::Date(list) => list.push(0),
            Values::Timestamp(list, _) => list.push(0),
            Values::Text(b, _) => b.null(),
            Values::List(offsets, ..) => offsets.push(offsets.last().copied().unwrap_or(0)),
            Values::Struct(_, object) => object.null(),
        }
    }

    /// The first `len` values.
    fn truncate(&mut self, len: usize) {
        if self.len < len {
            return;
        }
        self.len = len;
        while self.nulls.last().is_some_and(|at| *at >= len) {
            self.nulls.pop();
        }
        match &mut self.values {
            Values::Bool(bits) => bits.truncate(len),
            Values::Int(list, _) => list.truncate(len),
            Values::Float(list, _) => list.truncate(len),
            Values::Decimal(list, ..) => list.truncate(len),
            Values::Date(list) => list.truncate(len),
            Values::Timestamp(list, _) => list.truncate(len),
            Values::Text(b, _) => b.truncate(len),
            Values::List(offsets, _, item) => {
                offsets.truncate(len + 1);
                item.truncate(offsets.last().and_then(|n| usize::try_from(*n).ok()).unwrap_or(0));
            }
            Values::Struct(_, object) => object.truncate(len),
        }
    }

    /// The column, its views into `buffer`; the builder is empty again.
    fn finish(&mut self, buffer: &Buffer) -> Result<ArrayRef> {
        let len = std::mem::take(&mut self.len);
        let nulls = nulls_at(&std::mem::take(&mut self.nulls), len);
        let array: ArrayRef = match &mut self.values {
            Values::Bool(bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Values::Int(list, _) => Arc::new(Int64Array::new(take_all(list).into(), nulls)),
            Values::Float(list, _) => Arc::new(Float64Array::new(take_all(list).into(), nulls)),
            Values::Decimal(list, _, precision, scale) => {
                let array = Decimal128Array::new(take_all(list).into(), nulls);
                Arc::new(array.with_precision_and_scale(*precision, *scale)?)
            }
            Values::Date(list) => Arc::new(Date32Array::new(take_all(list).into(), nulls)),
            Values::Timestamp(list, zone) => {
                let array = TimestampMicrosecondArray::new(take_all(list).into(), nulls);
                Arc::new(array.with_timezone_opt(zone.clone()))
            }
            Values::Text(b, _) => {
                // The nulls are the builder's own, the same ones.
                let next = TextBuilder::with_capacity(len);
                std::mem::replace(b, next).finish(buffer.clone())?
            }
            Values::List(offsets, item, values) => {
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                Arc::new(ListArray::try_new(item.clone(), offsets, values.finish(buffer)?, nulls)?)
            }
            Values::Struct(fields, object) => {
                let columns = object.finish(buffer)?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, len)?)
            }
        };
        narrow(array, &self.wanted)
    }
}

impl Values {
    fn of(wanted: &DataType, json: bool, guessed: bool) -> Result<Self> {
        Ok(match &base_type(wanted)? {
            DataType::Boolean => Values::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int64 => Values::Int(Vec::new(), range_of(wanted)),
            DataType::Float64 => Values::Float(Vec::new(), guessed),
            DataType::Decimal128(precision, scale) => {
                let most = 10i128.pow(u32::from(*precision).min(38)) - 1;
                let range = if *wanted == DataType::UInt64 { 0..=i128::from(u64::MAX) } else { -most..=most };
                Values::Decimal(Vec::new(), range, *precision, *scale)
            }
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(_, zone) => Values::Timestamp(Vec::new(), zone.clone()),
            DataType::Utf8View if json => Values::Text(TextBuilder::default(), Lenience::Json),
            DataType::Utf8View if guessed => Values::Text(TextBuilder::default(), Lenience::Strings),
            DataType::Utf8View => Values::Text(TextBuilder::default(), Lenience::Both),
            other => return Err(Error::unsupported(format!("reading JSON as {other}"))),
        })
    }
}

/// The integers that a type holds.
fn range_of(integers: &DataType) -> RangeInclusive<i64> {
    match integers {
        DataType::Int8 => i8::MIN.into()..=i8::MAX.into(),
        DataType::Int16 => i16::MIN.into()..=i16::MAX.into(),
        DataType::Int32 => i32::MIN.into()..=i32::MAX.into(),
        DataType::UInt8 => 0..=u8::MAX.into(),
        DataType::UInt16 => 0..=u16::MAX.into(),
        DataType::UInt32 => 0..=u32::MAX.into(),
        _ => i64::MIN..=i64::MAX,
    }
}

/// The list, leaving an empty one of the same capacity.
fn take_all<T>(list: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(list.len());
    std::mem::replace(list, next)
}

/// Behind the number at `at`; another sound value is a misfit.
#[inline(always)]
fn number(text: Text<'_>, at: usize) -> Taken {
    match text.at(at) {
        b'-' | b'0'..=b'9' => Ok(text.number_end(at)?),
        _ => {
            text.skip(at)?;
            Err(Bad::Misfit(at))
        }
    }
}

#[inline(always)]
fn take_text(builder: &mut TextBuilder, lenience: Lenience, text: Text<'_>, at: usize) -> Taken {
    if text.at(at) != b'"' || lenience == Lenience::Json {
        let end = text.skip(at)?;
        if lenience == Lenience::Strings {
            return Err(Bad::Misfit(at));
        }
        builder.view(text.bytes, at, end);
        return Ok(end);
    }
    let (end, escaped) = text.string_end(at + 1)?;
    if !escaped {
        builder.view(text.bytes, at + 1, end);
        return Ok(end + 1);
    }
    let mut done = Ok(());
    builder.copy(|to| done = text.unescape(at + 1, end, to));
    done?;
    Ok(end + 1)
}

fn take_list(offsets: &mut Vec<i32>, item: &mut Column, text: Text<'_>, at: usize, depth: usize) -> Taken {
    let mut at = text.space(at + 1);
    let mut more = text.at(at) != b']';
    while more {
        at = text.space(item.take(text, at, depth + 1)?);
        match text.at(at) {
            b',' => at = text.space(at + 1),
            b']' => more = false,
            _ => return Err(Bad::Malformed(at)),
        }
    }
    offsets.push(i32::try_from(item.len).map_err(|_| Bad::Malformed(at))?);
    Ok(at + 1)
}

/// A timestamp; without an offset in the column's type, a date is its midnight.
fn timestamp(bytes: &[u8], at: usize, end: usize, with_offset: bool) -> Option<i64> {
    if end - at == 10 && !with_offset {
        return Some(i64::from(parse_date(bytes, at, end)?) * 86_400_000_000);
    }
    parse_timestamp(bytes, at, end).filter(|(_, offset)| *offset == with_offset).map(|(micros, _)| micros)
}
