//! Quantiles of one group that does not fit into memory: digit by digit, from histograms.
//!
//! A pass over all rows counts, for each place that is sought, the values that begin with the digits found so far by
//! their next digit; the place is in the first digit at which the count exceeds it. Words of 64 bits need six passes.

use super::Wanted;
use super::pick::word;
use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use std::sync::Arc;

const DIGIT: u32 = 12;

/// Bytes of histograms for so many quantiles: two places each.
pub(super) fn bytes(quantiles: usize) -> usize {
    quantiles * 2 * (8 << DIGIT)
}

/// A place that is sought among the values of a part.
struct Target {
    part: usize,
    /// Bits of a word.
    bits: u32,
    /// Values before it among those that begin with `found`.
    rank: u64,
    found: u128,
    done: u32,
    counts: Page,
}

/// The places of one group's quantiles.
pub(super) struct Giant {
    /// Two for each quantile that has values, and the weight of the second.
    targets: Vec<Option<([Target; 2], f64)>>,
}

impl Giant {
    /// Nothing is found yet. `counts` has the number of values of each part.
    ///
    /// # Errors
    /// `Resources`, where the operating system refuses what the floor has.
    pub(super) fn new(wanted: &[Wanted], counts: &[u64], memory: &Memory, owner: &Arc<Reservation>) -> Result<Self> {
        let target = |w: &Wanted, rank: u64| {
            let counts = memory.pool.region(8 << DIGIT, owner);
            let counts = counts.ok_or_else(|| Error::resources("no memory for the histogram of a quantile"))?;
            let bits = w.order.word_bytes() as u32 * 8;
            Ok::<_, Error>(Target { part: w.part, bits, rank, found: 0, done: 0, counts })
        };
        let targets = wanted.iter().map(|w| match counts.get(w.part) {
            None | Some(0) => Ok(None),
            Some(n) => {
                let (low, high, weight) = w.rank.places(*n);
                Ok(Some(([target(w, low)?, target(w, high)?], weight)))
            }
        });
        Ok(Giant { targets: targets.collect::<Result<_>>()? })
    }

    /// Counts the values of a row: `value` has a part's word, if it is not null.
    pub(super) fn see(&mut self, value: impl Fn(usize) -> Option<u128>) {
        for target in self.targets.iter_mut().flatten().flat_map(|(pair, _)| pair) {
            if let Some(word) = value(target.part) {
                target.see(word);
            }
        }
    }

    /// Ends a pass; `true`: everything is found.
    pub(super) fn pass(&mut self) -> bool {
        let mut all = true;
        for target in self.targets.iter_mut().flatten().flat_map(|(pair, _)| pair) {
            target.pass();
            all &= target.done == target.bits;
        }
        all
    }

    /// The words that each quantile lies between, and the weight of the second.
    pub(super) fn found(&self) -> Vec<Option<(u128, u128, f64)>> {
        let words = |([low, high], weight): &([Target; 2], f64)| (low.found, high.found, *weight);
        self.targets.iter().map(|t| t.as_ref().map(words)).collect()
    }
}

impl Target {
    fn step(&self) -> u32 {
        DIGIT.min(self.bits - self.done)
    }

    fn see(&mut self, value: u128) {
        let left = self.bits - self.done;
        if left == 0 || value.checked_shr(left).unwrap_or(0) != self.found {
            return;
        }
        let step = self.step();
        let digit = (value >> (left - step)) as usize & ((1 << step) - 1);
        if let Some(count) = self.counts.as_chunks_mut::<8>().0.get_mut(digit) {
            *count = (u64::from_le_bytes(*count) + 1).to_le_bytes();
        }
    }

    fn pass(&mut self) {
        let step = self.step();
        if step == 0 {
            return;
        }
        let mut digit = 0;
        for count in self.counts.as_chunks::<8>().0.iter().take((1 << step) - 1) {
            let count = u64::from_le_bytes(*count);
            if self.rank < count {
                break;
            }
            self.rank -= count;
            digit += 1;
        }
        self.found = self.found.checked_shl(step).unwrap_or(0) | digit;
        self.done += step;
        self.counts.fill(0);
    }
}

/// The word of `N` bytes, lowest first.
pub(super) fn stored<const N: usize>(bytes: &[u8; N]) -> u128 {
    let mut bytes = *bytes;
    bytes.reverse();
    word(&bytes)
}
