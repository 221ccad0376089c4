//! Text columns whose values are views into the input's buffer.
//!
//! ```text
//! up to 12 bytes   | length u32 | the bytes, then zeros                      |
//! longer           | length u32 | first 4 bytes | buffer u32 | offset u32    |
//! ```
//!
//! Buffer 0 is the input's; what had to be unescaped is copied to buffer 1. The builder does not look at the text: that
//! it is UTF-8 was checked for the whole buffer at once.

use super::load::load16;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use std::sync::Arc;

/// The view of a text of at most 12 bytes, or of a longer one at `offset` of `buffer`.
#[inline(always)]
pub(in crate::formats) fn view_of(bytes: &[u8], at: usize, len: usize, buffer: u32, offset: usize) -> u128 {
    // Without a branch: where lengths vary from row to row, the processor cannot guess which are short.
    let (text, short) = (load16(bytes, at), len <= SHORT);
    let prefix = text as u32 & (kept(len.min(4)) as u32);
    let rest = (text >> 32) as u64 & kept(len.saturating_sub(4).min(8));
    let place = u64::from(buffer) | (offset as u64) << 32;
    len as u128 | u128::from(prefix) << 32 | u128::from(if short { rest } else { place }) << 64
}

/// Texts of at most so many bytes are in their views.
const SHORT: usize = 12;

/// The bits of the first `bytes` (at most 8) bytes of a word.
#[inline(always)]
fn kept(bytes: usize) -> u64 {
    u64::MAX.checked_shr(64 - 8 * bytes as u32).unwrap_or(0)
}

/// Builds a text column.
#[derive(Default)]
pub(in crate::formats) struct TextBuilder {
    views: Vec<u128>,
    /// Unescaped text.
    copies: Vec<u8>,
    /// Where nulls are, in order.
    nulls: Vec<usize>,
    /// Whether a view needs the input's buffer.
    shares: bool,
}

impl TextBuilder {
    pub(in crate::formats) fn with_capacity(rows: usize) -> Self {
        TextBuilder { views: Vec::with_capacity(rows), ..Self::default() }
    }

    /// The text in `at..end` of the input's buffer.
    #[inline(always)]
    pub(in crate::formats) fn view(&mut self, bytes: &[u8], at: usize, end: usize) {
        let len = end.saturating_sub(at);
        self.shares |= len > 12;
        self.views.push(view_of(bytes, at, len, 0, at));
    }

    /// A text that is not in the input as it stands: `write` appends it.
    pub(in crate::formats) fn copy(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.copies.len();
        write(&mut self.copies);
        self.views.push(view_of(&self.copies, at, self.copies.len() - at, 1, at));
    }

    #[inline(always)]
    pub(in crate::formats) fn null(&mut self) {
        self.nulls.push(self.views.len());
        self.views.push(0);
    }

    /// The first `rows` values.
    pub(in crate::formats) fn truncate(&mut self, rows: usize) {
        self.views.truncate(rows);
        while self.nulls.last().is_some_and(|at| *at >= rows) {
            self.nulls.pop();
        }
    }

    /// The column. All text must be UTF-8, which the caller has checked: what is in the input by validating it, what was
    /// copied because it was made of checked text.
    ///
    /// # Errors
    /// The buffers are longer than views can reach (4 GiB).
    pub(in crate::formats) fn finish(self, input: Buffer) -> Result<ArrayRef> {
        if input.len() > u32::MAX as usize || self.copies.len() > u32::MAX as usize {
            return Err(Error::unsupported("text buffers of more than 4 GiB"));
        }
        let rows = self.views.len();
        let nulls = nulls_at(&self.nulls, rows);
        // Where no view needs it, the input's buffer is free for its next use.
        let mut buffers = vec![if self.shares { input } else { Buffer::from_vec(Vec::<u8>::new()) }];
        if !self.copies.is_empty() {
            buffers.push(Buffer::from_vec(self.copies));
        }
        let views = ScalarBuffer::from(self.views);
        // SAFETY: every view was made by `view_of` from a range of one of the two buffers (or is the empty text), and
        // the caller has checked that the ranges are UTF-8.
        let array = unsafe { StringViewArray::new_unchecked(views, buffers, nulls) };
        Ok(Arc::new(array))
    }
}

/// The validity of `rows` values of which those at `nulls` are null.
pub(in crate::formats) fn nulls_at(nulls: &[usize], rows: usize) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = arrow::array::BooleanBufferBuilder::new(rows);
    valid.append_n(rows, true);
    nulls.iter().filter(|at| **at < rows).for_each(|at| valid.set_bit(*at, false));
    Some(NullBuffer::new(valid.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};

    #[test]
    fn views_copies_and_nulls() {
        let input = "short, a text of more than twelve bytes,twelve bytes,thirteen byte";
        let mut b = TextBuilder::with_capacity(4);
        let mut at = 0;
        for field in input.split(',') {
            b.view(input.as_bytes(), at, at + field.len());
            at += field.len() + 1;
        }
        b.null();
        b.copy(|to| to.extend_from_slice(b"copied"));
        b.copy(|to| to.extend_from_slice(b"copied and longer than a view"));
        b.view(input.as_bytes(), 3, 3);
        let array = b.finish(Buffer::from_slice_ref(input)).unwrap();
        array.to_data().validate_full().unwrap();
        let got: Vec<_> = array.as_string_view().iter().collect();
        let mut want: Vec<_> = input.split(',').map(Some).collect();
        want.extend([None, Some("copied"), Some("copied and longer than a view"), Some("")]);
        assert_eq!(got, want);
    }
}
