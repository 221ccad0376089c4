//! Values as JSON. Integers and decimals keep all their digits; what JSON has no number for (NaN, infinities) is null;
//! everything else is a string of its text.

use super::numbers::{push_f32, push_f64};
use super::{Cells, Column};

const NULL: &[u8] = b"null";

impl Column<'_> {
    /// Appends a value, or `null`.
    pub fn json(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(NULL);
        }
        match &self.cells {
            Cells::Null => out.extend_from_slice(NULL),
            Cells::F16(array) => push_finite(array.value(row).to_f64(), |out| self.text(row, out), out),
            Cells::F32(values) => push_finite(values[row].into(), |out| push_f32(values[row], out), out),
            Cells::F64(values) => push_finite(values[row], |out| push_f64(values[row], out), out),
            Cells::Text(texts) => quoted(texts.get(row), out),
            Cells::Dictionary(keys, values) => match keys.get(row) {
                Some(key) => values.json(*key, out),
                None => out.extend_from_slice(NULL),
            },
            Cells::List(spans, values) => {
                out.push(b'[');
                for (i, element) in spans.of(row).enumerate() {
                    separate(i, out);
                    values.json(element, out);
                }
                out.push(b']');
            }
            Cells::Map(offsets, keys, values) => {
                out.push(b'{');
                for (i, entry) in (offsets[row] as usize..offsets[row + 1] as usize).enumerate() {
                    separate(i, out);
                    keys.json_text(entry, out);
                    out.push(b':');
                    values.json(entry, out);
                }
                out.push(b'}');
            }
            Cells::Struct(fields) => {
                out.push(b'{');
                for (i, (name, values)) in fields.iter().enumerate() {
                    separate(i, out);
                    quoted(name, out);
                    out.push(b':');
                    values.json(row, out);
                }
                out.push(b'}');
            }
            _ if self.is_number() => self.text(row, out),
            _ => self.json_text(row, out),
        }
    }

    fn is_number(&self) -> bool {
        use Cells as C;
        matches!(
            self.cells,
            C::Bool(_)
                | C::I8(_)
                | C::I16(_)
                | C::I32(_)
                | C::I64(_)
                | C::U8(_)
                | C::U16(_)
                | C::U32(_)
                | C::U64(_)
                | C::Decimal(..)
        )
    }

    /// The value's text as a JSON string.
    fn json_text(&self, row: usize, out: &mut Vec<u8>) {
        if let Some(text) = self.as_text(row) {
            return quoted(text, out);
        }
        let mut text = Vec::new();
        self.text(row, &mut text);
        quoted(&String::from_utf8_lossy(&text), out);
    }
}

fn push_finite(value: f64, push: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    if value.is_finite() { push(out) } else { out.extend_from_slice(NULL) }
}

fn separate(i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.push(b',');
    }
}

/// Appends `text` as a JSON string.
pub fn quoted(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut begin = 0;
    for (i, b) in bytes.iter().enumerate() {
        let short = match b {
            b'"' | b'\\' => *b,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[begin..i]);
        begin = i + 1;
        if short == 0 {
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&bytes[begin..]);
    out.push(b'"');
}
