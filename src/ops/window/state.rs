//! States of aggregates that have a fixed width: rows are added, and the states of two neighbouring ranges of rows become
//! that of both. All but products are exact or compensated, so that neither order nor grouping shows.

use crate::ops::aggregate::float::{add, merge_comoments, merge_moments};
use arrow::array::ArrowNativeTypeOp;
use arrow::datatypes::{ArrowNativeType, i256};

/// The state of a range of rows.
pub(super) trait State: Copy + Send + 'static {
    /// A row's argument.
    type Item: Copy + Send;
    /// The state of no rows.
    const EMPTY: Self;

    /// Adds a row.
    fn add(&mut self, item: Self::Item);

    /// Adds the rows of another range.
    fn merge(&mut self, other: &Self);
}

/// Rows.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) i64);

impl State for Count {
    type Item = ();
    const EMPTY: Self = Count(0);

    fn add(&mut self, (): ()) {
        self.0 += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }
}

/// A sum of integers of at most 64 bits, and their number: it cannot overflow.
#[derive(Clone, Copy)]
pub(super) struct SumInt(pub(super) i128, pub(super) u64);

impl State for SumInt {
    type Item = i128;
    const EMPTY: Self = SumInt(0, 0);

    fn add(&mut self, item: i128) {
        (self.0, self.1) = (self.0 + item, self.1 + 1);
    }

    fn merge(&mut self, other: &Self) {
        (self.0, self.1) = (self.0 + other.0, self.1 + other.1);
    }
}

/// A sum of decimals, and their number; `None` is one that overflowed.
#[derive(Clone, Copy)]
pub(super) struct SumWide(pub(super) Option<i256>, pub(super) u64);

impl State for SumWide {
    type Item = i256;
    const EMPTY: Self = SumWide(Some(i256::ZERO), 0);

    fn add(&mut self, item: i256) {
        (self.0, self.1) = (self.0.and_then(|sum| sum.checked_add(item)), self.1 + 1);
    }

    fn merge(&mut self, other: &Self) {
        let sum = self.0.zip(other.0).and_then(|(a, b)| a.checked_add(b));
        (self.0, self.1) = (sum, self.1 + other.1);
    }
}

/// A sum of floats in double-double arithmetic, and their number.
#[derive(Clone, Copy)]
pub(super) struct SumFloat {
    high: f64,
    low: f64,
    pub(super) rows: u64,
}

impl SumFloat {
    pub(super) fn value(&self) -> f64 {
        self.high + self.low
    }
}

impl State for SumFloat {
    type Item = f64;
    const EMPTY: Self = SumFloat { high: 0.0, low: 0.0, rows: 0 };

    fn add(&mut self, item: f64) {
        (self.high, self.low) = add(self.high, self.low, item);
        self.rows += 1;
    }

    fn merge(&mut self, other: &Self) {
        if other.rows == 0 {
            return;
        }
        (self.high, self.low) = add(self.high, self.low, other.high);
        if other.low != 0.0 {
            (self.high, self.low) = add(self.high, self.low, other.low);
        }
        self.rows += other.rows;
    }
}

/// A product of floats, and their number.
#[derive(Clone, Copy)]
pub(super) struct Product(pub(super) f64, pub(super) u64);

impl State for Product {
    type Item = f64;
    const EMPTY: Self = Product(1.0, 0);

    fn add(&mut self, item: f64) {
        (self.0, self.1) = (self.0 * item, self.1 + 1);
    }

    fn merge(&mut self, other: &Self) {
        (self.0, self.1) = (self.0 * other.0, self.1 + other.1);
    }
}

/// The smallest value, or the largest.
#[derive(Clone, Copy)]
pub(super) struct Extreme<N, const MOST: bool>(pub(super) Option<N>);

impl<N: ArrowNativeTypeOp + ArrowNativeType, const MOST: bool> State for Extreme<N, MOST> {
    type Item = N;
    const EMPTY: Self = Extreme(None);

    fn add(&mut self, item: N) {
        self.0 = Some(match self.0 {
            Some(best) if MOST && item.is_le(best) => best,
            Some(best) if !MOST && item.is_ge(best) => best,
            _ => item,
        });
    }

    fn merge(&mut self, other: &Self) {
        if let Some(item) = other.0 {
            self.add(item);
        }
    }
}

/// Count, mean, sum of squared distances.
#[derive(Clone, Copy)]
pub(super) struct Moments(pub(super) [f64; 3]);

impl State for Moments {
    type Item = f64;
    const EMPTY: Self = Moments([0.0; 3]);

    fn add(&mut self, item: f64) {
        let [count, mean, m2] = self.0;
        let delta = item - mean;
        let mean = mean + delta / (count + 1.0);
        self.0 = [count + 1.0, mean, m2 + delta * (item - mean)];
    }

    fn merge(&mut self, other: &Self) {
        self.0 = merge_moments(self.0, other.0);
    }
}

/// Count, two means, two sums of squared distances, co-moment.
#[derive(Clone, Copy)]
pub(super) struct Comoments(pub(super) [f64; 6]);

impl State for Comoments {
    type Item = (f64, f64);
    const EMPTY: Self = Comoments([0.0; 6]);

    fn add(&mut self, (x, y): (f64, f64)) {
        let [count, mean_x, mean_y, m2_x, m2_y, co] = self.0;
        let (count, dx, dy) = (count + 1.0, x - mean_x, y - mean_y);
        let (mean_x, mean_y) = (mean_x + dx / count, mean_y + dy / count);
        let (rx, ry) = (x - mean_x, y - mean_y);
        self.0 = [count, mean_x, mean_y, m2_x + dx * rx, m2_y + dy * ry, co + dx * ry];
    }

    fn merge(&mut self, other: &Self) {
        self.0 = merge_comoments(self.0, other.0);
    }
}

/// Whether false and whether true was seen.
#[derive(Clone, Copy)]
pub(super) struct Bools {
    pub(super) no: bool,
    pub(super) yes: bool,
}

impl State for Bools {
    type Item = bool;
    const EMPTY: Self = Bools { no: false, yes: false };

    fn add(&mut self, item: bool) {
        *if item { &mut self.yes } else { &mut self.no } = true;
    }

    fn merge(&mut self, other: &Self) {
        (self.no, self.yes) = (self.no || other.no, self.yes || other.yes);
    }
}

/// Bits of all, of any, of an odd number of values.
#[derive(Clone, Copy)]
pub(super) struct Bits {
    pub(super) and: u64,
    pub(super) or: u64,
    pub(super) xor: u64,
    pub(super) any: bool,
}

impl State for Bits {
    type Item = u64;
    const EMPTY: Self = Bits { and: u64::MAX, or: 0, xor: 0, any: false };

    fn add(&mut self, item: u64) {
        *self = Bits { and: self.and & item, or: self.or | item, xor: self.xor ^ item, any: true };
    }

    fn merge(&mut self, other: &Self) {
        let (and, or, xor) = (self.and & other.and, self.or | other.or, self.xor ^ other.xor);
        *self = Bits { and, or, xor, any: self.any || other.any };
    }
}
