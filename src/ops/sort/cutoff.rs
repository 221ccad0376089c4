//! Which rows need not be kept, where only the first ones are wanted: those behind a key up to which there are enough.
//!
//! Rows may be in many runs, none of which has enough. Each run tells the keys of some of its rows, evenly spread, and
//! how many rows it has up to each of them since the one before:
//!
//! ```text
//! run 0    . . . . . c . . . . . g            5 + 5 rows
//! run 1    . . . b . . . d                    3 + 3          8 wanted: up to d there are 5 + 3 + 3 rows
//! ```
//!
//! Of these keys the largest ones are forgotten as long as there are enough rows without them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A key that takes more bytes is not remembered.
const LONG: usize = 4096;
/// About so many keys are remembered.
const KEYS: usize = 32;

/// What is known of the order's beginning.
pub(super) struct Cutoff {
    limit: usize,
    /// How many rows there are up to a key since the one before, by key.
    keys: BTreeMap<Vec<u8>, usize>,
    rows: usize,
    bar: Option<Arc<[u8]>>,
}

impl Cutoff {
    /// Nothing is known; the first `limit` rows are wanted.
    pub(super) fn new(limit: usize) -> Self {
        Cutoff { limit: limit.max(1), keys: BTreeMap::new(), rows: 0, bar: None }
    }

    /// Of how many rows of a run one is told.
    pub(super) fn every(&self) -> usize {
        self.limit.div_ceil(KEYS)
    }

    /// A key: no row behind it is wanted.
    pub(super) fn bar(&self) -> Option<Arc<[u8]>> {
        self.bar.clone()
    }

    /// There are enough rows up to `key`.
    pub(super) fn at_most(&mut self, key: &[u8]) {
        if self.bar.as_ref().is_none_or(|bar| key < &bar[..]) {
            self.bar = Some(key.into());
        }
    }

    /// A run has `rows` rows up to `key` that were not told of before.
    pub(super) fn see(&mut self, key: &[u8], rows: usize) {
        if key.len() > LONG {
            return;
        }
        *self.keys.entry(key.to_vec()).or_default() += rows;
        self.rows += rows;
        while let Some(last) = self.keys.last_entry().filter(|last| self.rows - last.get() >= self.limit) {
            self.rows -= last.remove();
        }
        if self.rows >= self.limit
            && let Some((key, _)) = self.keys.last_key_value()
        {
            let key = key.clone();
            self.at_most(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_rows_of_several_runs_make_a_bar() {
        let mut cutoff = Cutoff::new(8);
        cutoff.see(b"c", 5);
        cutoff.see(b"g", 5);
        assert_eq!(cutoff.bar().as_deref(), Some(&b"g"[..]));
        cutoff.see(b"b", 3);
        assert_eq!(cutoff.bar().as_deref(), Some(&b"c"[..]), "3 up to b, 5 up to c");
        cutoff.see(b"d", 3);
        assert_eq!(cutoff.bar().as_deref(), Some(&b"c"[..]));
        cutoff.at_most(b"a");
        cutoff.at_most(b"z");
        assert_eq!(cutoff.bar().as_deref(), Some(&b"a"[..]));
    }

    /// Of any runs, no wanted row is behind the bar, and few keys are remembered.
    #[test]
    fn no_wanted_row_is_behind_the_bar() {
        let mut x = 7u64;
        for limit in [1, 10, 100, 1000] {
            let (mut cutoff, mut all) = (Cutoff::new(limit), Vec::new());
            for _ in 0..30 {
                let mut run: Vec<u64> = (0..200)
                    .map(|_| {
                        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        x >> 20
                    })
                    .collect();
                run.sort_unstable();
                let every = cutoff.every();
                run.iter().skip(every - 1).step_by(every).for_each(|key| cutoff.see(&key.to_be_bytes(), every));
                all.extend(run);
                all.sort_unstable();
                if let Some(bar) = cutoff.bar() {
                    assert!(all.len() >= limit && all[limit - 1].to_be_bytes()[..] <= bar[..]);
                }
            }
            assert!(cutoff.bar().is_some() && cutoff.keys.len() <= KEYS + 1);
        }
    }
}
