//! How many different values a column has, guessed from a sample.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Counts the values of a sample.
pub(in crate::formats) struct Distinct {
    seen: HashMap<u64, u32>,
    state: RandomState,
    rows: u64,
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct { seen: HashMap::new(), state: RandomState::new(), rows: 0 }
    }
}

impl Distinct {
    pub(in crate::formats) fn add(&mut self, value: &[u8]) {
        self.rows += 1;
        *self.seen.entry(self.state.hash_one(value)).or_default() += 1;
    }

    /// The guess for all of `rows` rows: values seen once count for as many as the square root of the sampling rate says
    /// (Charikar et al. 2000, GEE).
    pub(in crate::formats) fn guess(&self, rows: u64) -> Option<u64> {
        if self.rows == 0 {
            return None;
        }
        let once = self.seen.values().filter(|n| **n == 1).count() as f64;
        let often = self.seen.len() as f64 - once;
        let rate = (rows as f64 / self.rows as f64).max(1.0);
        let all_once = once as u64 == self.rows;
        let guess = if all_once { rows as f64 } else { often + once * rate.sqrt() };
        Some((guess as u64).clamp(1, rows.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_categories_and_nothing() {
        let mut key = Distinct::default();
        let mut category = Distinct::default();
        for i in 0..1000u32 {
            key.add(&i.to_le_bytes());
            category.add(&(i % 7).to_le_bytes());
        }
        assert_eq!((key.guess(1_000_000), category.guess(1_000_000)), (Some(1_000_000), Some(7)));
        assert_eq!(Distinct::default().guess(10), None);
    }
}
