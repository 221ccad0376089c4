//! Hashes of key columns, batch by batch: a typed loop for each column.
//!
//! Partitioning by hash, tables and filters all use these 64 bits:
//!
//! ```text
//! 63                                            0
//! | radix partition, level by level ->  ... <- slot of a table |
//! ```
//!
//! Values that are equal in SQL's sense of GROUP BY (nulls, -0.0 and 0.0, all NaNs) have equal hashes, and a text has
//! the same hash in every representation. Two columns hash equally only if their types have the same width in bytes, so
//! both sides of a join are cast to one type first. The seed and the mask come from [`Tuning`]; the numbers are no
//! defence against chosen keys beyond the seed.
//!
//! Folded multiplication is foldhash's (the two halves of a 128-bit product, xor-ed).

use crate::config::Tuning;
use crate::error::Result;
use crate::ops::rows::{
    Canonical, Cell, canonical_f16, canonical_f32, canonical_f64, converter, has_nulls, raw_values,
};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::StringViewType;
use arrow::datatypes::{BinaryViewType, ByteArrayType, ByteViewType, DataType, GenericBinaryType, GenericStringType};
use arrow_row::RowConverter;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};

/// Hashes rows of key columns. One a worker.
pub struct KeyHasher {
    seed: u64,
    mask: u64,
    cells: Vec<(Cell, Option<RowConverter>)>,
    text: FixedState,
}

/// The radix partition of a hash at a level of recursion: `bits` bits of it, after the `used` highest bits.
#[inline(always)]
pub fn radix(hash: u64, used: u32, bits: u32) -> usize {
    if bits == 0 { 0 } else { (hash.wrapping_shl(used) >> (64 - bits)) as usize }
}

const NULL: u64 = 0x452821e638d01377;
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
/// Texts of at most so many bytes are hashed as their views.
const SHORT: usize = 12;
/// Texts of at most so many bytes are hashed as four words.
const MIDDLE: usize = 32;
/// Rows among which longer texts are noted at one time.
const NOTED: usize = 64;

/// The two halves of the product of `x` and `y`, xor-ed.
#[inline(always)]
fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn word<const N: usize>(value: [u8; N]) -> u64 {
    let mut word = [0; 8];
    word[..N].copy_from_slice(&value);
    u64::from_le_bytes(word)
}

impl KeyHasher {
    /// A hasher for keys of these types.
    ///
    /// # Errors
    /// `Unsupported`, for a type that cannot be compared.
    pub fn new(types: &[DataType], tuning: &Tuning) -> Result<Self> {
        let cells = types.iter().map(|data_type| match Cell::of(data_type) {
            Cell::Opaque => Ok((Cell::Opaque, Some(converter(data_type)?))),
            cell => Ok((cell, None)),
        });
        Ok(KeyHasher {
            seed: tuning.hash_seed,
            mask: tuning.hash_mask,
            cells: cells.collect::<Result<_>>()?,
            text: FixedState::with_seed(tuning.hash_seed),
        })
    }

    /// Replaces `out` by the hashes of the `rows` rows of `columns`.
    ///
    /// # Errors
    /// `Internal`, for columns of other types than the hasher was made for.
    pub fn hash(&self, columns: &[ArrayRef], rows: usize, out: &mut Vec<u64>) -> Result<()> {
        out.clear();
        out.resize(rows, self.seed);
        for ((cell, converter), column) in self.cells.iter().zip(columns) {
            match (cell, converter) {
                (Cell::Bool, _) => {
                    let values = column.as_boolean();
                    let values = (0..rows).map(|r| values.is_valid(r).then(|| values.value(r)));
                    mix(values, out, |h, v| fold(h ^ u64::from(v), FACTOR));
                }
                (Cell::Fixed(width, canonical), _) => fixed(column, *width, *canonical, out),
                (Cell::Opaque, Some(converter)) => {
                    let cells = converter.convert_columns(std::slice::from_ref(column))?;
                    let cells = (0..rows).map(|r| column.is_valid(r).then(|| cells.row(r)));
                    mix(cells, out, |h, v| self.bytes(h, v.as_ref()));
                }
                _ => self.text(column, out),
            }
        }
        if self.mask != u64::MAX {
            out.iter_mut().for_each(|h| *h &= self.mask);
        }
        Ok(())
    }

    fn text(&self, column: &ArrayRef, out: &mut [u64]) {
        match column.data_type() {
            DataType::Utf8View => self.views::<StringViewType>(column, out),
            DataType::BinaryView => self.views::<BinaryViewType>(column, out),
            DataType::Utf8 => self.offsets::<GenericStringType<i32>>(column, out),
            DataType::LargeUtf8 => self.offsets::<GenericStringType<i64>>(column, out),
            DataType::Binary => self.offsets::<GenericBinaryType<i32>>(column, out),
            _ => self.offsets::<GenericBinaryType<i64>>(column, out),
        }
    }

    /// A view of at most 12 bytes is the text itself and its length: two words. The longer ones are noted, and come after
    /// them: where lengths vary from row to row, the processor cannot guess which is which.
    fn views<T: ByteViewType>(&self, column: &ArrayRef, out: &mut [u64])
    where
        T::Native: AsRef<[u8]>,
    {
        let array = column.as_byte_view::<T>();
        if has_nulls(column) {
            return mix(array.iter(), out, |h, v| self.bytes(h, v.as_ref()));
        }
        for (n, (hashes, views)) in out.chunks_mut(NOTED).zip(array.views().chunks(NOTED)).enumerate() {
            let (mut noted, mut count) = ([0u8; NOTED], 0);
            for (k, (hash, view)) in hashes.iter_mut().zip(views).enumerate() {
                let is_long = *view as u32 as usize > SHORT;
                noted[count % NOTED] = k as u8;
                count += usize::from(is_long);
                let kept = 0u64.wrapping_sub(u64::from(is_long));
                *hash = *hash & kept | short(*hash, *view) & !kept;
            }
            for k in noted.iter().take(count).map(|k| usize::from(*k)) {
                let value: &[u8] = array.value(n * NOTED + k).as_ref();
                hashes[k] = self.long(hashes[k], value);
            }
        }
    }

    fn offsets<T: ByteArrayType>(&self, column: &ArrayRef, out: &mut [u64])
    where
        T::Native: AsRef<[u8]>,
    {
        mix(column.as_bytes::<T>().iter(), out, |h, v| self.bytes(h, v.as_ref()));
    }

    fn bytes(&self, hash: u64, value: &[u8]) -> u64 {
        if value.len() > SHORT {
            return self.long(hash, value);
        }
        let mut view = [0; 16];
        view[0] = value.len() as u8;
        view[4..4 + value.len()].copy_from_slice(value);
        short(hash, u128::from_le_bytes(view))
    }

    /// Of more than 12 bytes. Four words cover 8 to 32 bytes, whatever their number is.
    fn long(&self, hash: u64, value: &[u8]) -> u64 {
        let last = value.len() - 8;
        if value.len() <= MIDDLE {
            let word = |at: usize| value[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            let inner = last.min(8);
            let first = fold(word(0) ^ hash, word(inner) ^ FACTOR);
            let all = fold(word(last - inner) ^ first, word(last) ^ NULL);
            return fold(all ^ value.len() as u64, FACTOR);
        }
        let mut hasher = self.text.build_hasher();
        hasher.write(value);
        fold(hash ^ hasher.finish(), FACTOR)
    }
}

#[inline(always)]
fn short(hash: u64, view: u128) -> u64 {
    fold(fold(hash ^ view as u64, FACTOR) ^ (view >> 64) as u64, FACTOR)
}

#[inline(always)]
fn mix<T>(values: impl Iterator<Item = Option<T>>, out: &mut [u64], f: impl Fn(u64, T) -> u64) {
    for (hash, value) in out.iter_mut().zip(values) {
        *hash = match value {
            Some(value) => f(*hash, value),
            None => fold(*hash ^ NULL, FACTOR),
        };
    }
}

fn fixed(column: &ArrayRef, width: usize, canonical: Canonical, out: &mut [u64]) {
    fn each<const N: usize>(column: &ArrayRef, raw: &[u8], out: &mut [u64], f: impl Fn(u64, [u8; N]) -> u64) {
        let values = raw.as_chunks::<N>().0;
        if has_nulls(column) {
            let valid = |r| column.is_valid(r);
            mix(values.iter().enumerate().map(|(r, v)| valid(r).then_some(*v)), out, f);
        } else {
            for (hash, value) in out.iter_mut().zip(values) {
                *hash = f(*hash, *value);
            }
        }
    }
    let one = |h: u64, w: u64| fold(h ^ w, FACTOR);
    let data = column.to_data();
    let raw = raw_values(&data, width);
    match (width, canonical) {
        (1, _) => each::<1>(column, raw, out, |h, v| one(h, word(v))),
        (2, Canonical::F16) => each::<2>(column, raw, out, |h, v| one(h, word(canonical_f16(v)))),
        (2, _) => each::<2>(column, raw, out, |h, v| one(h, word(v))),
        (4, Canonical::F32) => each::<4>(column, raw, out, |h, v| one(h, word(canonical_f32(v)))),
        (4, _) => each::<4>(column, raw, out, |h, v| one(h, word(v))),
        (8, Canonical::F64) => each::<8>(column, raw, out, |h, v| one(h, word(canonical_f64(v)))),
        (8, _) => each::<8>(column, raw, out, |h, v| one(h, word(v))),
        (16, _) => each::<16>(column, raw, out, |h, v| words(h, &v)),
        _ => each::<32>(column, raw, out, |h, v| words(h, &v)),
    }
}

#[inline(always)]
fn words(hash: u64, value: &[u8]) -> u64 {
    value.as_chunks::<8>().0.iter().fold(hash, |h, w| fold(h ^ u64::from_le_bytes(*w), FACTOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray, StringViewArray, StructArray};
    use std::collections::HashSet;
    use std::sync::Arc;

    fn hashes(columns: &[ArrayRef]) -> Vec<u64> {
        let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
        let mut out = vec![7; 3];
        KeyHasher::new(&types, &Tuning::default()).unwrap().hash(columns, columns[0].len(), &mut out).unwrap();
        out
    }

    #[test]
    fn equal_values_have_equal_hashes() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(0.0),
            Some(-0.0),
            Some(f64::NAN),
            Some(f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 5)),
            None,
            None,
        ]));
        let h = hashes(&[floats]);
        assert!(h[0] == h[1] && h[2] == h[3] && h[4] == h[5] && h[0] != h[2] && h[0] != h[4]);
        let texts =
            vec![Some(""), Some("a"), None, Some("twelve bytes"), Some("thirteen byte"), Some("a longer one, yes")];
        let views: ArrayRef = Arc::new(StringViewArray::from(texts.clone()));
        let plain: ArrayRef = Arc::new(StringArray::from(texts));
        assert_eq!(hashes(std::slice::from_ref(&views)), hashes(&[plain]));
        assert_eq!(hashes(&[views]).iter().collect::<HashSet<_>>().len(), 6);
    }

    #[test]
    fn every_byte_of_a_text_counts() {
        for length in 0..80 {
            let text: Vec<u8> = (0..length).map(|i| b'a' + i % 26).collect();
            let mut texts = vec![text.clone()];
            texts.extend((0..text.len()).map(|at| {
                let mut other = text.clone();
                other[at] ^= 1;
                other
            }));
            let texts: Vec<&str> = texts.iter().map(|t| std::str::from_utf8(t).unwrap()).collect();
            let views: ArrayRef = Arc::new(StringViewArray::from(texts.clone()));
            let with_null: ArrayRef = Arc::new(StringViewArray::from_iter(texts.iter().map(Some).chain([None])));
            let plain: ArrayRef = Arc::new(StringArray::from(texts.clone()));
            let h = hashes(&[views]);
            assert_eq!(h.iter().collect::<HashSet<_>>().len(), texts.len(), "{length}");
            assert!(h == hashes(&[plain]) && h == hashes(&[with_null])[..h.len()], "{length}");
        }
    }

    #[test]
    fn texts_are_spread() {
        for width in [4, 12, 13, 16, 24, 32, 40] {
            let texts = (0..1 << 16).map(|i| format!("{i:0width$}"));
            let h = hashes(&[Arc::new(StringViewArray::from_iter_values(texts)) as ArrayRef]);
            assert_eq!(h.iter().collect::<HashSet<_>>().len(), h.len(), "{width}");
            for places in [|h: u64| radix(h, 0, 8), |h: u64| radix(h, 8, 8), |h: u64| (h & 255) as usize] {
                let mut counts = [0; 256];
                h.iter().for_each(|h| counts[places(*h)] += 1);
                assert!(counts.iter().all(|c| (128..384).contains(c)), "{width}: {counts:?}");
            }
        }
    }

    #[test]
    fn slices_hash_as_their_values() {
        let all: ArrayRef = Arc::new(Int64Array::from((0..100).map(|i| (i % 7 != 0).then_some(i)).collect::<Vec<_>>()));
        assert_eq!(hashes(&[all.slice(13, 50)]), hashes(&[all])[13..63]);
    }

    #[test]
    fn nested_values_hash() {
        let fields = vec![arrow::datatypes::Field::new("a", DataType::Int64, true)];
        let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
        let nested: ArrayRef = Arc::new(StructArray::new(fields.into(), vec![inner], None));
        let h = hashes(&[nested]);
        assert!(h[0] == h[2] && h[0] != h[1]);
    }

    /// Keys as they come in practice must fill partitions and slots evenly.
    #[test]
    fn high_and_low_bits_are_spread() {
        let shapes: [fn(i64) -> i64; 5] =
            [|i| i, |i| i * 1000, |i| i << 32, |i| i << 45, |i| (i as f64).to_bits() as i64];
        for (n, shape) in shapes.iter().enumerate() {
            let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1 << 16).map(shape)));
            let h = hashes(&[keys]);
            for places in [|h: u64| radix(h, 0, 8), |h: u64| radix(h, 8, 8), |h: u64| (h & 255) as usize] {
                let mut counts = [0; 256];
                h.iter().for_each(|h| counts[places(*h)] += 1);
                let most = counts.iter().max().unwrap();
                assert!(*most < 256 * 3 / 2, "shape {n}: a place of 256 holds {most} of 65536");
            }
        }
    }
}
