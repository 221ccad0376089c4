//! The keys of the batch that is being absorbed: their hashes, and their encoded rows.
//!
//! A key that is one column of text is found by its views, without being encoded: most rows of a batch meet a group that is
//! there. Only when one does not are the keys of the batch encoded, all at once.

use super::plan::Plan;
use crate::config::Tuning;
use crate::error::Result;
use crate::ops::hash::KeyHasher;
use crate::ops::rows::{EncodedRows, RowEncoder};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, StringViewType};

/// Where the row of a group has the head of its key, and its cells.
#[derive(Clone, Copy)]
pub(super) struct KeyAt {
    pub(super) head: usize,
    pub(super) cells: usize,
}

/// Keys of one batch after the other. One a worker.
pub(super) struct Keys {
    encoder: RowEncoder,
    hasher: KeyHasher,
    columns: Vec<ArrayRef>,
    rows: usize,
    hashes: Vec<u64>,
    encoded: EncodedRows,
    /// Whether the keys of this batch are encoded.
    ready: bool,
    texts: Option<Texts>,
}

impl Keys {
    pub(super) fn new(plan: &Plan, tuning: &Tuning) -> Result<Self> {
        Ok(Keys {
            encoder: RowEncoder::new(&plan.key)?,
            hasher: KeyHasher::new(plan.key.types(), tuning)?,
            columns: Vec::new(),
            rows: 0,
            hashes: Vec::new(),
            encoded: EncodedRows::default(),
            ready: false,
            texts: None,
        })
    }

    /// Takes the keys of the next batch.
    ///
    /// # Errors
    /// `Resources`, for keys of 2 GiB.
    pub(super) fn take(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<()> {
        self.hasher.hash(&columns, rows, &mut self.hashes)?;
        self.texts = match columns.as_slice() {
            [column] => Texts::of(column),
            _ => None,
        };
        (self.columns, self.rows, self.ready) = (columns, rows, false);
        if self.texts.is_none() { self.encode() } else { Ok(()) }
    }

    /// Lets go of the batch.
    pub(super) fn clear(&mut self) {
        self.columns.clear();
        self.texts = None;
    }

    /// Encodes the keys, unless they are.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(super) fn encode(&mut self) -> Result<()> {
        if !self.ready {
            self.encoder.encode(&self.columns, self.rows, &mut self.encoded)?;
            self.ready = true;
        }
        Ok(())
    }

    pub(super) fn are_encoded(&self) -> bool {
        self.ready
    }

    /// Whether rows are compared by [`text`](Self::text).
    pub(super) fn are_texts(&self) -> bool {
        self.texts.is_some()
    }

    #[inline(always)]
    pub(super) fn hash(&self, index: usize) -> u64 {
        self.hashes[index]
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The encoded key of a row of the batch; they must be encoded.
    #[inline(always)]
    pub(super) fn row(&self, index: usize) -> &[u8] {
        self.encoded.row(index)
    }

    /// Whether the group at `row` has the key of a row of the batch, which is one text.
    #[inline(always)]
    pub(super) fn is_text_of(&self, at: KeyAt, row: &[u8], index: usize) -> bool {
        self.texts.as_ref().is_some_and(|texts| texts.is(row, at.cells, index))
    }

    /// Whether the group at `row` has the key of a row of the batch, of `WORDS` words of 8 bytes; or of any length, for 0.
    #[inline(always)]
    pub(super) fn is_row_of<const WORDS: usize>(&self, at: KeyAt, row: &[u8], index: usize) -> bool {
        let (key, KeyAt { head, cells }) = (self.row(index), at);
        if WORDS > 0 {
            let equal = |a: usize, b: usize| row[a..a + 8] == key[b..b + 8];
            return row[4..8] == key[4..8] && (0..WORDS).all(|w| equal(cells + 8 * w, 8 + 8 * w));
        }
        row[4..head] == key[4..head] && row.get(cells..cells + key.len() - head) == Some(&key[head..])
    }

    /// Whether a row of the batch has the key of the row before it, of `WORDS` words as in [`is_row_of`](Self::is_row_of).
    /// Where rows come in the order of their keys, most do.
    #[inline(always)]
    pub(super) fn repeats<const WORDS: usize>(&self, index: usize) -> bool {
        if self.hashes[index] != self.hashes[index - 1] {
            return false;
        }
        let (key, before) = (self.row(index), self.row(index - 1));
        if WORDS > 0 {
            return key[4..8 + 8 * WORDS] == before[4..8 + 8 * WORDS];
        }
        key[4..] == before[4..]
    }

    /// As [`repeats`](Self::repeats), for keys that are texts; false also for some that are the same.
    #[inline(always)]
    pub(super) fn repeats_text(&self, index: usize) -> bool {
        self.hashes[index] == self.hashes[index - 1]
            && self.texts.as_ref().is_some_and(|t| t.nulls.is_none() && t.views[index] == t.views[index - 1])
    }
}

/// A column of text or bytes, as views.
struct Texts {
    views: ScalarBuffer<u128>,
    buffers: Vec<Buffer>,
    nulls: Option<NullBuffer>,
}

/// Texts of at most so many bytes are in their views.
const SHORT: usize = 12;
/// Texts of at most so many bytes are compared by four words.
const MIDDLE: usize = 32;

/// Whether two texts are equal. Four words cover 8 to 32 bytes, whatever their number is: where lengths vary from row to row,
/// a comparison that asks for it first is guessed wrong by the processor.
#[inline(always)]
fn equal(a: &[u8], b: &[u8]) -> bool {
    let Some(last) = a.len().checked_sub(8).filter(|_| a.len() <= MIDDLE && a.len() == b.len()) else { return a == b };
    let inner = last.min(8);
    let places = [0, inner, last - inner, last];
    places.iter().fold(0, |other, at| other | word(a, *at) ^ word(b, *at)) == 0
}

#[inline(always)]
fn word(text: &[u8], at: usize) -> u64 {
    text.get(at..).and_then(|t| t.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
}

impl Texts {
    fn of(column: &ArrayRef) -> Option<Texts> {
        fn views<T: ByteViewType>(column: &ArrayRef) -> Texts {
            let array = column.as_byte_view::<T>();
            Texts {
                views: array.views().clone(),
                buffers: array.data_buffers().to_vec(),
                nulls: array.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
            }
        }
        match column.data_type() {
            DataType::Utf8View => Some(views::<StringViewType>(column)),
            DataType::BinaryView => Some(views::<BinaryViewType>(column)),
            _ => None,
        }
    }

    /// Whether the key of `row`, whose cells begin at `cells`, is the text at `index`: its null bit, its length, its bytes.
    #[inline(always)]
    fn is(&self, row: &[u8], cells: usize, index: usize) -> bool {
        let null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(index));
        let Some([_, length]) = row.get(cells..).and_then(|c| c.as_chunks::<4>().0.first_chunk()) else { return false };
        if null || row[4] & 1 != 0 {
            return null && row[4] & 1 != 0;
        }
        let view = self.views[index];
        if u32::from_le_bytes(*length) != view as u32 {
            return false;
        }
        let (length, text) = (view as u32 as usize, &row[cells + 8..]);
        if length > SHORT {
            let pair = text.get(..length).zip(self.bytes(view, length));
            return pair.is_some_and(|(a, b)| equal(a, b));
        }
        let short = view >> 32;
        match text.first_chunk::<16>() {
            Some(words) => (u128::from_le_bytes(*words) ^ short) & ((1u128 << (8 * length)) - 1) == 0,
            None => text.get(..length) == short.to_le_bytes().get(..length),
        }
    }

    /// The bytes of a view, as the format of Arrow has them.
    #[inline(always)]
    fn bytes(&self, view: u128, length: usize) -> Option<&[u8]> {
        let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
        self.buffers.get(buffer)?.as_slice().get(offset..offset + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_anywhere_are_not_equal() {
        for length in 0..=40 {
            let text: Vec<u8> = (0..length).map(|i| b'a' + i % 26).collect();
            assert!(equal(&text, &text.clone()), "{length}");
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x20;
                assert!(!equal(&text, &other), "{length}, byte {at}");
            }
        }
    }
}
