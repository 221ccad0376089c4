//! Which values make a quantile, and what lies between two of them.

use super::super::input::Order;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float16Type};

/// Which value of a group's, in their order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rank {
    /// The middle one, or the average of the two middle ones.
    Median,
    /// The one at this share of the way (0 to 1) from the smallest to the largest, between two values by linear
    /// interpolation.
    Continuous(f64),
    /// The smallest one that at least this share (0 to 1) of all values are not above.
    Discrete(f64),
    /// As `Discrete`, counted from the largest value downwards.
    DiscreteFromTop(f64),
}

type Half = <Float16Type as ArrowPrimitiveType>::Native;

impl Rank {
    /// The two places among `n > 0` sorted values that count, and the weight of the second.
    pub(super) fn places(self, n: u64) -> (u64, u64, f64) {
        match self {
            Rank::Median => ((n - 1) / 2, n / 2, 0.5),
            Rank::Continuous(share) => {
                let place = share.clamp(0.0, 1.0) * (n - 1) as f64;
                let (low, high) = (place.floor() as u64, place.ceil() as u64);
                (low.min(n - 1), high.min(n - 1), place - place.floor())
            }
            Rank::Discrete(share) => {
                let place = discrete(share, n);
                (place, place, 0.0)
            }
            Rank::DiscreteFromTop(share) => {
                let place = n - 1 - discrete(share, n);
                (place, place, 0.0)
            }
        }
    }

    /// The bytes, as arrays store them, of what lies between the values of two words.
    pub(super) fn between(self, order: Order, low: u128, high: u128, weight: f64) -> u128 {
        let (a, b) = (value(order, low), value(order, high));
        if a == b {
            return a;
        }
        match order {
            Order::Float(8) => {
                let (a, b) = (f64::from_bits(a as u64), f64::from_bits(b as u64));
                u128::from(self.float(a, b, weight).to_bits())
            }
            Order::Float(4) => {
                let (a, b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
                u128::from((self.float(a.into(), b.into(), weight) as f32).to_bits())
            }
            Order::Float(_) => {
                let (a, b) = (Half::from_bits(a as u16), Half::from_bits(b as u16));
                u128::from(Half::from_f64(self.float(a.to_f64(), b.to_f64(), weight)).to_bits())
            }
            Order::Wide | Order::Unsigned(_) => self.integer(a as i128, b as i128, weight) as u128,
            _ => self.integer(i128::from(a as u64 as i64), i128::from(b as u64 as i64), weight) as u128,
        }
    }

    fn float(self, a: f64, b: f64, weight: f64) -> f64 {
        if self == Rank::Median {
            let sum = a + b;
            return if sum.is_infinite() && a.is_finite() && b.is_finite() { a / 2.0 + b / 2.0 } else { sum / 2.0 };
        }
        a + (b - a) * weight
    }

    /// The median is cut off towards zero, as the division of integers; other quantiles go to the nearest integer.
    fn integer(self, a: i128, b: i128, weight: f64) -> i128 {
        if self == Rank::Median {
            return match a.checked_add(b) {
                Some(sum) => sum / 2,
                None => a / 2 + b / 2 + (a % 2 + b % 2) / 2,
            };
        }
        let way = (b.saturating_sub(a) as f64 * weight).round() as i128;
        a.saturating_add(way).clamp(a, b)
    }
}

/// The place of a discrete quantile among `n > 0` values.
fn discrete(share: f64, n: u64) -> u64 {
    let above = (n as f64 - share.clamp(0.0, 1.0) * n as f64).floor() as u64;
    n.saturating_sub(above).max(1) - 1
}

fn value(order: Order, word: u128) -> u128 {
    if order.word_bytes() == 16 { order.wide_value(word) } else { u128::from(order.value(word as u64)) }
}

impl Rank {
    /// Whether quantiles of this kind are known for values of this type, which are words of at most 128 bits.
    pub fn is_of(self, data_type: &DataType) -> bool {
        use DataType as T;
        match self {
            _ if matches!(data_type, T::Decimal256(..) | T::Interval(_) | T::Boolean) => false,
            Rank::Median | Rank::Continuous(_) => {
                data_type.is_numeric() || matches!(data_type, T::Timestamp(..) | T::Duration(_) | T::Time64(_))
            }
            Rank::Discrete(_) | Rank::DiscreteFromTop(_) => Order::of(data_type).is_some(),
        }
    }
}

/// The words that a quantile of `values` lies between, and the weight of the second; the values change places.
pub(super) fn pick<const N: usize>(values: &mut [[u8; N]], rank: Rank) -> Option<(u128, u128, f64)> {
    if values.is_empty() {
        return None;
    }
    let (low, high, weight) = rank.places(values.len() as u64);
    let (_, a, above) = values.select_nth_unstable(low as usize);
    let b = if high == low { Some(&*a) } else { above.iter().min() };
    let b = b.map_or(word(a), word);
    Some((word(a), b, weight))
}

/// A word whose bytes are in the order of their weight, so that bytes compare as words do.
pub(super) fn word<const N: usize>(bytes: &[u8; N]) -> u128 {
    bytes.iter().fold(0, |word, byte| word << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_field() {
        assert_eq!(Rank::Median.places(1), (0, 0, 0.5));
        assert_eq!(Rank::Median.places(4), (1, 2, 0.5));
        assert_eq!(Rank::Median.places(5), (2, 2, 0.5));
        assert_eq!(Rank::Continuous(0.25).places(5), (1, 1, 0.0));
        assert_eq!(Rank::Continuous(1.0).places(7), (6, 6, 0.0));
        assert_eq!(Rank::Continuous(0.5).places(4), (1, 2, 0.5));
        let discrete = |share: f64, n| Rank::Discrete(share).places(n).0;
        assert_eq!([0.0, 0.25, 0.5, 0.75, 0.76, 1.0].map(|s| discrete(s, 4)), [0, 0, 1, 2, 3, 3]);
        assert_eq!(discrete(0.5, 5), 2);
        assert_eq!([0.25, 1.0].map(|s| Rank::DiscreteFromTop(s).places(4).0), [3, 0]);
    }

    #[test]
    fn nothing_overflows_between_two_values() {
        assert_eq!(Rank::Median.integer(i128::MAX, i128::MAX - 2, 0.5), i128::MAX - 1);
        assert_eq!(Rank::Median.integer(-3, 2, 0.5), 0);
        assert_eq!(Rank::Median.integer(-4, -3, 0.5), -3);
        assert_eq!(Rank::Median.float(f64::MAX, f64::MAX, 0.5), f64::MAX);
        assert_eq!(Rank::Continuous(0.9).integer(0, 10, 0.9), 9);
    }

    #[test]
    fn words_in_any_order() {
        let mut values: Vec<[u8; 8]> = [5u64, 1, 9, 7].iter().map(|v| v.to_be_bytes()).collect();
        assert_eq!(pick(&mut values, Rank::Median), Some((5, 7, 0.5)));
        assert_eq!(pick(&mut values, Rank::Continuous(1.0)), Some((9, 9, 0.0)));
        assert_eq!(pick::<8>(&mut [], Rank::Median), None);
    }
}
