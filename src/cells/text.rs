//! Values as people read them, in DuckDB's spelling.

use super::numbers::{push_decimal, push_digits, push_f32, push_f64, push_int, push_scaled};
use super::times::{push_date, push_duration, push_interval, push_time, push_timestamp};
use super::{Cells, Column, Digits};

const NULL: &[u8] = b"NULL";

impl Column<'_> {
    /// Whether the text of every value is made of digits, signs, points and letters only, so that it never needs quotes.
    pub fn is_plain(&self) -> bool {
        use Cells as C;
        !matches!(
            self.cells,
            C::Text(_)
                | C::Bytes(_)
                | C::List(..)
                | C::Map(..)
                | C::Struct(_)
                | C::Dictionary(..)
                | C::Rendered(_)
                | C::Null
        )
    }

    /// The value where it is text in the column, so that it need not be copied.
    pub fn as_text(&self, row: usize) -> Option<&str> {
        match &self.cells {
            Cells::Text(texts) => Some(texts.get(row)),
            _ => None,
        }
    }

    /// Appends a value. Nulls inside of nested values are `NULL`; a null itself is the caller's to write.
    pub fn text(&self, row: usize, out: &mut Vec<u8>) {
        match &self.cells {
            Cells::Null => {}
            Cells::Bool(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Cells::I8(values) => push_int(values[row].into(), out),
            Cells::I16(values) => push_int(values[row].into(), out),
            Cells::I32(values) => push_int(values[row].into(), out),
            Cells::I64(values) => push_int(values[row], out),
            Cells::U8(values) => push_digits(values[row].into(), out),
            Cells::U16(values) => push_digits(values[row].into(), out),
            Cells::U32(values) => push_digits(values[row].into(), out),
            Cells::U64(values) => push_digits(values[row], out),
            Cells::F16(array) => push_f32(array.value(row).to_f32(), out),
            Cells::F32(values) => push_f32(values[row], out),
            Cells::F64(values) => push_f64(values[row], out),
            Cells::Decimal(digits, scale) => digits.push(row, *scale, out),
            Cells::Text(texts) => out.extend_from_slice(texts.get(row).as_bytes()),
            Cells::Bytes(blobs) => push_blob(blobs.get(row), out),
            Cells::Dictionary(keys, values) => match keys.get(row) {
                Some(key) => values.text(*key, out),
                None => out.extend_from_slice(NULL),
            },
            Cells::Rendered(texts) => out.extend_from_slice(texts[row].as_bytes()),
            Cells::List(spans, values) => {
                out.push(b'[');
                for (i, element) in spans.of(row).enumerate() {
                    separate(i, out);
                    values.inner_text(element, out);
                }
                out.push(b']');
            }
            Cells::Map(offsets, keys, values) => {
                out.push(b'{');
                for (i, entry) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
                    separate(i, out);
                    keys.inner_text(entry, out);
                    out.push(b'=');
                    values.inner_text(entry, out);
                }
                out.push(b'}');
            }
            Cells::Struct(fields) => {
                out.push(b'{');
                for (i, (name, values)) in fields.iter().enumerate() {
                    separate(i, out);
                    push_single_quoted(name, out);
                    out.extend_from_slice(b": ");
                    values.inner_text(row, out);
                }
                out.push(b'}');
            }
            _ => self.time_text(row, out),
        }
    }

    fn time_text(&self, row: usize, out: &mut Vec<u8>) {
        match &self.cells {
            Cells::Date(days) => push_date(days[row].into(), out),
            Cells::DateMillis(millis) => push_date(millis[row].div_euclid(86_400_000), out),
            Cells::Time32(values, per_second) => push_time(values[row].unsigned_abs().into(), *per_second, out),
            Cells::Time64(values, per_second) => push_time(values[row].unsigned_abs(), *per_second, out),
            Cells::Timestamp(values, per_second, zone) => push_timestamp(values[row], *per_second, zone.as_ref(), out),
            Cells::Duration(values, per_second) => push_duration(values[row], *per_second, out),
            Cells::Months(array) => push_interval(array.value(row).into(), 0, 0, 1, out),
            Cells::DaysMillis(array) => {
                let value = array.value(row);
                push_interval(0, value.days.into(), value.milliseconds.into(), 1_000, out);
            }
            Cells::MonthsDaysNanos(array) => {
                let value = array.value(row);
                push_interval(value.months.into(), value.days.into(), value.nanoseconds, 1_000_000_000, out);
            }
            _ => {}
        }
    }

    /// A value inside of a nested value: nulls are said, text is quoted where it could be mistaken.
    fn inner_text(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(NULL);
        }
        match self.as_text(row) {
            Some(text) if is_ambiguous(text) => push_single_quoted(text, out),
            _ => self.text(row, out),
        }
    }
}

impl Digits<'_> {
    pub(super) fn push(&self, row: usize, scale: i8, out: &mut Vec<u8>) {
        match self {
            Digits::Of32(values) => push_decimal(values[row].into(), scale, out),
            Digits::Of64(values) => push_decimal(values[row].into(), scale, out),
            Digits::Of128(values) => push_decimal(values[row], scale, out),
            Digits::Of256(array) => push_scaled(&array.value(row).to_string(), scale, out),
        }
    }
}

fn separate(i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.extend_from_slice(b", ");
    }
}

fn is_ambiguous(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.starts_with(' ')
        || text.ends_with(' ')
        || text.bytes().any(|b| b"{}[]()'\"\\,:=".contains(&b))
}

fn push_single_quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'\'');
    for b in text.bytes() {
        if b == b'\'' || b == b'\\' {
            out.push(b'\\');
        }
        out.push(b);
    }
    out.push(b'\'');
}

/// Printable ASCII as it is, everything else as `\xAB`.
fn push_blob(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for b in bytes {
        if (b' '..=b'~').contains(b) && !b"\\'\"".contains(b) {
            out.push(*b);
        } else {
            out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        }
    }
}
