//! The states of aggregates: a few fixed-width kinds, each with a typed loop that updates it from a batch's values and
//! one that merges two of them.
//!
//! An aggregate is made of one or two parts (avg is a sum and a count); aggregates over the same arguments share parts.
//! All states are exact or compensated, so that neither order nor partitioning shows.
//!
//! Text parts keep their text in the row, behind the key, in a slot of some capacity; see `text`.

use super::cells::{Cells, Location, bytes, bytes_mut, floats};
use super::float::{add, merge_comoments, merge_moments, merge_moments4};
use super::input::{Input, Order, Values};
use super::one;
use crate::error::{Error, Result};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::i256;
use std::ops::Range;

/// What a part of a state is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// u64: rows.
    Count,
    /// i128: twice the sum of integers, plus one if any was seen. Cannot overflow.
    SumInt,
    /// 192 bits: u128 and i64, the latter doubled, plus one if any was seen. Sum of decimals, cannot overflow.
    SumWide,
    /// i256, and a flag. Sum of decimals of more than 38 digits.
    SumHuge,
    /// f64 high, f64 low, and a flag.
    SumFloat,
    /// A word (see [`Order`]), and a flag. The smallest, or the largest.
    Extreme { order: Order, most: bool },
    /// u32 offset of the slot in the row, u32 capacity, u32 length, u32 whether any was seen.
    Text { most: bool },
    /// f64 count, mean, sum of squared distances.
    Moments,
    /// f64 count, mean, sums of second, third and fourth powers of distances.
    Moments4,
    /// f64, and a flag.
    Product,
    /// f64 count, two means, two sums of squared distances, co-moment.
    Comoments,
    /// A flag: 1 for false seen, 2 for true seen.
    Bools,
    /// u64, and a flag.
    Bits(Bits),
}

/// Bitwise functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bits {
    And,
    Or,
    Xor,
}

/// A part of a state: its kind, its input and its places in a row.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) input: usize,
    /// Where its words are, from the row's first byte.
    pub(super) at: usize,
    /// Where its flag is, if it has one.
    pub(super) flag: usize,
}

impl Kind {
    /// Bytes of words.
    pub(super) fn width(self) -> usize {
        match self {
            Kind::Bools => 0,
            Kind::Count | Kind::Bits(_) | Kind::Product => 8,
            Kind::SumInt | Kind::SumFloat | Kind::Text { .. } => 16,
            Kind::SumWide | Kind::Moments => 24,
            Kind::SumHuge => 32,
            Kind::Moments4 => 40,
            Kind::Comoments => 48,
            Kind::Extreme { order, .. } => order.word_bytes(),
        }
    }

    /// Whether it also needs a byte for a flag.
    pub(super) fn has_flag(self) -> bool {
        matches!(
            self,
            Kind::SumHuge | Kind::SumFloat | Kind::Extreme { .. } | Kind::Bools | Kind::Bits(_) | Kind::Product
        )
    }

    /// Writes the state of no rows, whose bytes are zero already.
    pub(super) fn init(self, words: &mut [u8]) {
        if self == Kind::Bits(Bits::And) {
            words.fill(0xFF);
        }
        if self == Kind::Product {
            words.copy_from_slice(&1f64.to_le_bytes());
        }
    }
}

/// Calls `f` with every row of `range` that counts, and its location. It is called in one place, so that it becomes a part of
/// the loop.
#[inline(always)]
fn each(range: Range<usize>, at: &[Location], valid: Option<&BooleanBuffer>, mut f: impl FnMut(usize, Location)) {
    for (i, at) in range.zip(at) {
        if valid.is_none_or(|valid| valid.value(i)) {
            f(i, *at);
        }
    }
}

impl Part {
    /// Updates the states at `rows` (of the batch's rows `range`, in that order).
    ///
    /// # Errors
    /// `Query`, where a sum of decimals of more than 38 digits overflows.
    pub(super) fn update(
        &self,
        input: &Input,
        range: Range<usize>,
        rows: &[Location],
        cells: &mut Cells<'_>,
    ) -> Result<()> {
        let (at, flag) = (self.at, self.flag);
        let valid = input.valid.as_ref();
        if valid.is_some_and(|v| v.count_set_bits() == 0) {
            return Ok(());
        }
        if let Some(row) = one::group(rows)
            && self.update_one(input, range.clone(), row, cells)
        {
            return Ok(());
        }
        match (self.kind, &input.values) {
            (Kind::Count, _) => each(range, rows, valid, |_, row| {
                let state = cells.bytes_mut(row, at);
                *state = (u64::from_le_bytes(*state) + 1).to_le_bytes();
            }),
            (Kind::SumInt, Values::Int(v)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut(row, at);
                *state = ((i128::from_le_bytes(*state) + 2 * i128::from(v[i])) | 1).to_le_bytes();
            }),
            (Kind::SumInt, Values::Unsigned(v)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut(row, at);
                *state = ((i128::from_le_bytes(*state) + 2 * i128::from(v[i])) | 1).to_le_bytes();
            }),
            (Kind::SumWide, Values::Wide(v)) => each(range, rows, valid, |i, row| {
                let (low, high) = (v[i] as u128, (v[i] >> 127) as i64);
                add_wide(cells.bytes_mut(row, at), low, high * 2 + 1);
            }),
            (Kind::SumHuge, Values::Huge(v)) => {
                let mut fits = true;
                each(range, rows, valid, |i, row| {
                    fits &= add_huge(cells.bytes_mut(row, at), v[i]);
                    cells.bytes_mut::<1>(row, flag)[0] = 1;
                });
                return if fits { Ok(()) } else { Err(overflow()) };
            }
            (Kind::SumFloat, Values::Float(v)) => each(range, rows, valid, |i, row| {
                let row = cells.row_mut(row);
                add_float(bytes_mut(row, at), v[i], 0.0);
                row[flag] = 1;
            }),
            (Kind::Extreme { most, .. }, Values::Words(v)) => {
                each(range, rows, valid, self.keep(most, cells, u64::from_le_bytes, |i| v[i].to_le_bytes()))
            }
            (Kind::Extreme { most, .. }, Values::WideWords(v)) => {
                each(range, rows, valid, self.keep(most, cells, u128::from_le_bytes, |i| v[i].to_le_bytes()))
            }
            (Kind::Extreme { most, .. }, Values::Huge(v)) => {
                each(range, rows, valid, self.keep(most, cells, i256::from_le_bytes, |i| v[i].to_le_bytes()))
            }
            (Kind::Moments, Values::Float(v)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut::<24>(row, at);
                let [count, mean, m2] = floats(state.as_chunks().0);
                let delta = v[i] - mean;
                let mean = mean + delta / (count + 1.0);
                put(state, [count + 1.0, mean, m2 + delta * (v[i] - mean)]);
            }),
            (Kind::Moments4, Values::Float(v)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut::<40>(row, at);
                let merged = merge_moments4(floats(state.as_chunks().0), [1.0, v[i], 0.0, 0.0, 0.0]);
                put(state, merged);
            }),
            (Kind::Product, Values::Float(v)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut(row, at);
                *state = (f64::from_le_bytes(*state) * v[i]).to_le_bytes();
                cells.bytes_mut::<1>(row, flag)[0] = 1;
            }),
            (Kind::Comoments, Values::Pair(x, y)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut::<48>(row, at);
                let [count, mean_x, mean_y, m2_x, m2_y, co] = floats(state.as_chunks().0);
                let (count, dx, dy) = (count + 1.0, x[i] - mean_x, y[i] - mean_y);
                let (mean_x, mean_y) = (mean_x + dx / count, mean_y + dy / count);
                let (rx, ry) = (x[i] - mean_x, y[i] - mean_y);
                put(state, [count, mean_x, mean_y, m2_x + dx * rx, m2_y + dy * ry, co + dx * ry]);
            }),
            (Kind::Bools, Values::Bool(v)) => each(range, rows, valid, |i, row| {
                cells.bytes_mut::<1>(row, flag)[0] |= 1 << u8::from(v.value(i));
            }),
            (Kind::Bits(bits), Values::Int(v)) => each(range, rows, valid, |i, row| {
                let state = cells.bytes_mut(row, at);
                *state = bits.of(u64::from_le_bytes(*state), v[i] as u64).to_le_bytes();
                cells.bytes_mut::<1>(row, flag)[0] = 1;
            }),
            (Kind::Text { .. }, _) => {}
            _ => return Err(Error::internal("an aggregate's input has another shape than its state")),
        }
        Ok(())
    }

    /// Merges the states of the rows at `offsets` of `from` into those at `rows`.
    ///
    /// # Errors
    /// `Query`, where a sum of decimals of more than 38 digits overflows.
    pub(super) fn merge(&self, from: &[u8], offsets: &[u32], rows: &[Location], cells: &mut Cells<'_>) -> Result<()> {
        let (at, flag) = (self.at, self.flag);
        let pairs = offsets.iter().map(|o| *o as usize).zip(rows.iter().copied());
        match self.kind {
            Kind::Count => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut(row, at);
                let sum = u64::from_le_bytes(*state) + u64::from_le_bytes(*bytes(from, o + at));
                *state = sum.to_le_bytes();
            }),
            Kind::SumInt => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut(row, at);
                let (a, b) = (i128::from_le_bytes(*state), i128::from_le_bytes(*bytes(from, o + at)));
                *state = (((a & !1) + (b & !1)) | ((a | b) & 1)).to_le_bytes();
            }),
            Kind::SumWide => pairs.for_each(|(o, row)| {
                let (low, high) = wide(bytes(from, o + at));
                if high & 1 == 1 {
                    add_wide(cells.bytes_mut(row, at), low, high);
                }
            }),
            Kind::SumHuge => {
                let mut fits = true;
                pairs.for_each(|(o, row)| {
                    fits &= add_huge(cells.bytes_mut(row, at), i256::from_le_bytes(*bytes(from, o + at)));
                    cells.bytes_mut::<1>(row, flag)[0] |= from[o + flag];
                });
                return if fits { Ok(()) } else { Err(overflow()) };
            }
            Kind::SumFloat => pairs.for_each(|(o, row)| {
                let [high, low] = floats(bytes::<16>(from, o + at).as_chunks().0);
                if from[o + flag] == 1 {
                    add_float(cells.bytes_mut(row, at), high, low);
                    cells.bytes_mut::<1>(row, flag)[0] = 1;
                }
            }),
            Kind::Extreme { order, most } => {
                let seen = pairs.filter(|(o, _)| from[o + flag] == 1);
                match order.word_bytes() {
                    8 => seen.for_each(|(o, row)| self.extreme(cells, row, from, o, most, u64::from_le_bytes)),
                    16 => seen.for_each(|(o, row)| self.extreme(cells, row, from, o, most, u128::from_le_bytes)),
                    _ => seen.for_each(|(o, row)| self.extreme(cells, row, from, o, most, i256::from_le_bytes)),
                }
            }
            Kind::Moments => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut::<24>(row, at);
                let other = floats(bytes::<24>(from, o + at).as_chunks().0);
                let merged = merge_moments(floats(state.as_chunks().0), other);
                put(state, merged);
            }),
            Kind::Moments4 => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut::<40>(row, at);
                let other = floats(bytes::<40>(from, o + at).as_chunks().0);
                let merged = merge_moments4(floats(state.as_chunks().0), other);
                put(state, merged);
            }),
            Kind::Product => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut(row, at);
                *state = (f64::from_le_bytes(*state) * f64::from_le_bytes(*bytes(from, o + at))).to_le_bytes();
                cells.bytes_mut::<1>(row, flag)[0] |= from[o + flag];
            }),
            Kind::Comoments => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut::<48>(row, at);
                let other = floats(bytes::<48>(from, o + at).as_chunks().0);
                let merged = merge_comoments(floats(state.as_chunks().0), other);
                put(state, merged);
            }),
            Kind::Bools => pairs.for_each(|(o, row)| cells.bytes_mut::<1>(row, flag)[0] |= from[o + flag]),
            Kind::Bits(bits) => pairs.for_each(|(o, row)| {
                let state = cells.bytes_mut(row, at);
                *state = bits.of(u64::from_le_bytes(*state), u64::from_le_bytes(*bytes(from, o + at))).to_le_bytes();
                cells.bytes_mut::<1>(row, flag)[0] |= from[o + flag];
            }),
            Kind::Text { .. } => {}
        }
        Ok(())
    }

    /// Keeps the smallest or the largest of the state and the value of a row of the batch.
    #[inline(always)]
    fn keep<const N: usize, T: Ord>(
        &self,
        most: bool,
        cells: &mut Cells<'_>,
        word: impl Fn([u8; N]) -> T,
        value: impl Fn(usize) -> [u8; N],
    ) -> impl FnMut(usize, Location) {
        let (at, flag) = (self.at, self.flag);
        move |i, row| {
            let row = cells.row_mut(row);
            let (seen, value) = (row[flag] == 1, value(i));
            let state = bytes_mut::<N>(row, at);
            // Few rows change it: what is only read stays shared in the cache, and no store is in the way of the next row.
            if !seen || (word(value) > word(*state)) == most {
                *state = value;
                row[flag] = 1;
            }
        }
    }

    #[inline(always)]
    fn extreme<const N: usize, T: Ord>(
        &self,
        cells: &mut Cells<'_>,
        row: Location,
        from: &[u8],
        offset: usize,
        most: bool,
        word: impl Fn([u8; N]) -> T,
    ) {
        let seen = std::mem::replace(&mut cells.bytes_mut::<1>(row, self.flag)[0], 1) == 1;
        let state = cells.bytes_mut::<N>(row, self.at);
        let other = bytes::<N>(from, offset + self.at);
        if !seen || (word(*other) > word(*state)) == most {
            *state = *other;
        }
    }
}

impl Bits {
    #[inline(always)]
    fn of(self, a: u64, b: u64) -> u64 {
        match self {
            Bits::And => a & b,
            Bits::Or => a | b,
            Bits::Xor => a ^ b,
        }
    }
}

fn overflow() -> Error {
    Error::query("arithmetic overflow: a sum has more than 76 digits")
}

/// The words of a [`Kind::SumWide`].
#[inline(always)]
pub(super) fn wide(state: &[u8; 24]) -> (u128, i64) {
    (u128::from_le_bytes(*bytes(state, 0)), i64::from_le_bytes(*bytes(state, 16)))
}

/// Adds (low, high / 2); the lowest bit of `high` says that there is a value.
#[inline(always)]
fn add_wide(state: &mut [u8; 24], low: u128, high: i64) {
    let (l, h) = wide(state);
    let (sum, carry) = l.overflowing_add(low);
    let h = ((h & !1) + (high & !1) + 2 * i64::from(carry)) | 1;
    state[..16].copy_from_slice(&sum.to_le_bytes());
    state[16..].copy_from_slice(&h.to_le_bytes());
}

#[inline(always)]
fn add_huge(state: &mut [u8; 32], value: i256) -> bool {
    let sum = i256::from_le_bytes(*state).checked_add(value);
    *state = sum.unwrap_or(value).to_le_bytes();
    sum.is_some()
}

#[inline(always)]
pub(super) fn add_float(state: &mut [u8; 16], high: f64, low: f64) {
    let [h, l] = floats(state.as_chunks().0);
    let (h, l) = add(h, l, high);
    let (h, l) = if low == 0.0 { (h, l) } else { add(h, l, low) };
    put(state, [h, l]);
}

#[inline(always)]
fn put<const N: usize>(state: &mut [u8], values: [f64; N]) {
    for (to, value) in state.as_chunks_mut::<8>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}
