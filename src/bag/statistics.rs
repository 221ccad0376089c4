//! Numbers: exact sums, compensated floats, variances that can be merged, histograms, exact quantiles.

use super::Bag;
use super::coding::Item;
use super::reduce::Fold;
use crate::error::{Error, Result};
use crate::ops::aggregate::float;
use serde::{Deserialize, Serialize};

/// A number that can be summed. Integers are summed exactly, as `i128`; floats with compensation, as `f64`.
pub trait Number: Copy + Send + Sync + 'static {
    /// What a sum is.
    type Total: Copy + Send + std::fmt::Debug + PartialEq + 'static;
    /// A sum in the making.
    type Sum: Sum<Self, Total = Self::Total>;

    /// The nearest float.
    fn float(self) -> f64;
}

/// A sum in the making.
pub trait Sum<N>: Item + Copy + Default + Sync {
    /// What it becomes.
    type Total;

    /// Adds a number.
    ///
    /// # Errors
    /// `Query`, where the sum leaves 128 bits.
    fn add(&mut self, n: N) -> Result<()>;

    /// Adds another sum.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    fn merge(&mut self, other: &Self) -> Result<()>;

    /// The sum.
    fn total(&self) -> Self::Total;

    /// The nearest float.
    fn float(&self) -> f64;
}

/// A sum of integers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Exact(i128);

impl<N: Into<i128>> Sum<N> for Exact {
    type Total = i128;

    fn add(&mut self, n: N) -> Result<()> {
        let sum = self.0.checked_add(n.into());
        self.0 = sum.ok_or_else(|| Error::query("the sum leaves the range of 128-bit integers"))?;
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        Sum::<i128>::add(self, other.0)
    }

    fn total(&self) -> i128 {
        self.0
    }

    fn float(&self) -> f64 {
        self.0 as f64
    }
}

/// A sum of floats and what rounding lost of it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Compensated {
    high: f64,
    low: f64,
}

impl Compensated {
    fn push(&mut self, x: f64) {
        (self.high, self.low) = float::add(self.high, self.low, x);
    }
}

impl<N: Into<f64>> Sum<N> for Compensated {
    type Total = f64;

    fn add(&mut self, n: N) -> Result<()> {
        self.push(n.into());
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.push(other.high);
        self.push(other.low);
        Ok(())
    }

    fn total(&self) -> f64 {
        self.high + self.low
    }

    fn float(&self) -> f64 {
        self.high + self.low
    }
}

macro_rules! integers {
    ($($t:ty)*) => {
        $(impl Number for $t {
            type Total = i128;
            type Sum = Exact;
            fn float(self) -> f64 {
                self as f64
            }
        })*
    };
}
integers! { i8 i16 i32 i64 i128 u8 u16 u32 u64 }

macro_rules! floats {
    ($($t:ty)*) => {
        $(impl Number for $t {
            type Total = f64;
            type Sum = Compensated;
            fn float(self) -> f64 {
                self.into()
            }
        })*
    };
}
floats! { f32 f64 }

/// Number, mean and sum of squared deviations, as Welford and Chan merge them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, x: f64) {
        self.count += 1;
        let delta = x - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (x - self.mean);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let parts = |m: &Self| [m.count as f64, m.mean, m.squares];
        let [_, mean, squares] = float::merge_moments(parts(self), parts(other));
        *self = Moments { count: self.count + other.count, mean, squares };
    }

    /// The variance; `None` where there are not more items than `ddof`.
    pub(super) fn variance(&self, ddof: u64) -> Option<f64> {
        let n = self.count.checked_sub(ddof).filter(|n| *n > 0)?;
        Some(self.squares / n as f64)
    }
}

/// How many numbers lie in which bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The bounds of bins, ascending: a bin has its lower bound, the last one its upper bound, too.
    pub bounds: Vec<f64>,
    /// Numbers in each bin: one fewer than bounds.
    pub counts: Vec<u64>,
    /// Numbers below the first bound.
    pub below: u64,
    /// Numbers above the last bound.
    pub above: u64,
    /// Numbers that are none (NaN).
    pub nan: u64,
}

impl Histogram {
    fn add(&mut self, x: f64) {
        let (first, last) = (self.bounds.first().copied(), self.bounds.last().copied());
        if x.is_nan() {
            self.nan += 1;
        } else if first.is_none_or(|first| x < first) {
            self.below += 1;
        } else if last.is_none_or(|last| x > last) {
            self.above += 1;
        } else {
            let bin = self.bounds.partition_point(|bound| *bound <= x).saturating_sub(1);
            let bin = bin.min(self.counts.len().saturating_sub(1));
            if let Some(count) = self.counts.get_mut(bin) {
                *count += 1;
            }
        }
    }

    fn merge(mut self, other: &Histogram) -> Histogram {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.below += other.below;
        self.above += other.above;
        self.nan += other.nan;
        self
    }
}

impl<N: Number> Bag<N> {
    /// The sum; `None` for a bag without items. Integers are summed exactly, floats with compensation.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::from_iter(&session, [i64::MAX, 1], 2).sum()?, Some(1 << 63));
    /// assert_eq!(Bag::from_iter(&session, [0.1; 10], 2).sum()?, Some(1.0));
    /// assert_eq!(Bag::range(&session, 0..0, 3).sum()?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Query`, where the sum leaves 128 bits.
    pub fn sum(&self) -> Result<Option<N::Total>> {
        self.aggregate(super::aggregates::sum(|n: &N| *n))
    }

    /// The mean; `None` for a bag without items.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..15, 4).mean()?, Some(7.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    pub fn mean(&self) -> Result<Option<f64>> {
        self.aggregate(super::aggregates::mean(|n: &N| *n))
    }

    /// The variance, divided by the number of items less `ddof`; `None` where there are not more items than that.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 1..5, 4).var(0)?, Some(1.25));
    /// assert_eq!(Bag::range(&session, 1..2, 4).var(1)?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn var(&self, ddof: u64) -> Result<Option<f64>> {
        Ok(self.aggregate(super::aggregates::var(|n: &N| *n, ddof))?.flatten())
    }

    /// The square root of the [variance](Self::var).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::from_iter(&session, [2.0, 6.0], 1).std(0)?, Some(2.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn std(&self, ddof: u64) -> Result<Option<f64>> {
        Ok(self.var(ddof)?.map(f64::sqrt))
    }

    /// How many numbers lie between which of `bounds`, which must ascend.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let histogram = Bag::range(&session, 0..101, 3).histogram(&[0.0, 10.0, 50.0])?;
    /// assert_eq!((histogram.counts, histogram.above), (vec![10, 41], 50));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Usage`, for bounds that do not ascend.
    pub fn histogram(&self, bounds: &[f64]) -> Result<Histogram> {
        if bounds.len() < 2 || !bounds.is_sorted_by(|a, b| a < b) {
            return Err(Error::new(crate::ErrorKind::Usage, "a histogram needs two bounds at least, which ascend"));
        }
        let counts = vec![0; bounds.len() - 1];
        let empty = Histogram { bounds: bounds.to_vec(), counts, below: 0, above: 0, nan: 0 };
        let first = empty.clone();
        let made = self.fold_into(Fold {
            init: Box::new(move |_| first.clone()),
            add: Box::new(|histogram: &mut Histogram, n: N| {
                histogram.add(n.float());
                Ok(false)
            }),
            merge: Box::new(|a: Histogram, b: Histogram| Ok(a.merge(&b))),
        })?;
        Ok(made.unwrap_or(empty))
    }

    /// The exact quantile `q` (0 to 1) of the numbers, between two of them in proportion; `None` for a bag without items. The
    /// numbers are sorted, within the budget. A NaN is greater than every number.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..101, 3).quantile(0.99)?, Some(99.0));
    /// assert_eq!(Bag::from_iter(&session, [1.0, 2.0], 2).quantile(0.5)?, Some(1.5));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Usage`, for a `q` that is not from 0 to 1.
    pub fn quantile(&self, q: f64) -> Result<Option<f64>> {
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::new(crate::ErrorKind::Usage, format!("a quantile lies between 0 and 1, not at {q}")));
        }
        let sorted = self.map(|n| n.float()).sorted_by(|x| *x).persist()?;
        let Some(last) = sorted.count()?.checked_sub(1) else { return Ok(None) };
        let at = q * last as f64;
        let first = at.floor() as u64;
        let mut near = sorted.slice(first, 2)?.into_iter();
        let Some(low) = near.next() else { return Ok(None) };
        let part = at - at.floor();
        let high = near.next().filter(|_| part > 0.0);
        Ok(Some(high.map_or(low, |high| low + (high - low) * part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_merge() {
        let numbers: Vec<f64> = (0..1000).map(|i| 1e6 + f64::from(i * 7919 % 1000)).collect();
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 999.0;
        for cut in [0, 1, 500, 1000] {
            let mut parts = [Moments::default(); 2];
            numbers.iter().enumerate().for_each(|(i, x)| parts[usize::from(i >= cut)].add(*x));
            let [mut all, rest] = parts;
            all.merge(&rest);
            assert!((all.variance(1).unwrap() - variance).abs() < 1e-9 * variance);
        }
        assert_eq!(Moments::default().variance(0), None);
    }

    #[test]
    fn sums_keep_what_rounding_loses() {
        let mut sum = Compensated::default();
        [1e100, 1.0, -1e100, 1.0].iter().for_each(|x| sum.push(*x));
        assert_eq!(Sum::<f64>::total(&sum), 2.0);
        let mut sum = Compensated::default();
        [f64::INFINITY, 1.0].iter().for_each(|x| sum.push(*x));
        assert_eq!(Sum::<f64>::total(&sum), f64::INFINITY);
    }
}
