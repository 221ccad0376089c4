//! Bytes out of text: ASCII stands for itself, `\xAB` for any byte.

use super::super::text::bytes::nibble;
use super::parse_each;
use arrow::array::{Array, ArrayRef, BinaryBuilder, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use std::sync::Arc;

pub(super) fn from_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let mut out = BinaryBuilder::with_capacity(text.len(), 0);
    parse_each(text, to, lenient, parse, |v| out.append_option(v))?;
    Ok(cast(&(Arc::new(out.finish()) as ArrayRef), to)?)
}

fn parse(text: &str) -> Option<Vec<u8>> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Some(made),
            [b'\\', b'x', a, b, rest @ ..] => {
                made.push(nibble(*a)? << 4 | nibble(*b)?);
                rest
            }
            [b'\\', ..] => return None,
            [byte, rest @ ..] if byte.is_ascii() => {
                made.push(*byte);
                rest
            }
            _ => return None,
        };
    }
}
