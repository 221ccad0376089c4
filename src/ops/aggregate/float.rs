//! Sums of floats in double-double arithmetic: the exact sum is `high + low`, off by about 2^-100 of the largest
//! partial sum, so that the order of rows does not show. (Dekker 1971, Knuth's two-sum.)

/// `high + low + x`, normalised. Once a sum is infinite or NaN it is an ordinary float sum.
#[inline(always)]
pub(crate) fn add(high: f64, low: f64, x: f64) -> (f64, f64) {
    let sum = high + x;
    if !sum.is_finite() {
        return (sum, 0.0);
    }
    let back = sum - high;
    let error = (high - (sum - back)) + (x - back);
    let low = low + error;
    let high = sum + low;
    (high, low - (high - sum))
}

/// Mean and sum of squared distances of `a` and `b` together (Chan, Golub, LeVeque 1979): `[count, mean, m2]`.
#[inline(always)]
pub(crate) fn merge_moments(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    if a[0] == 0.0 || b[0] == 0.0 {
        return if a[0] == 0.0 { b } else { a };
    }
    let count = a[0] + b[0];
    let delta = b[1] - a[1];
    [count, a[1] + delta * (b[0] / count), a[2] + b[2] + delta * delta * (a[0] * b[0] / count)]
}

/// As [`merge_moments`] for pairs: `[count, mean x, mean y, m2 x, m2 y, co-moment]`.
#[inline(always)]
pub(crate) fn merge_comoments(a: [f64; 6], b: [f64; 6]) -> [f64; 6] {
    if a[0] == 0.0 || b[0] == 0.0 {
        return if a[0] == 0.0 { b } else { a };
    }
    let count = a[0] + b[0];
    let (dx, dy, weight) = (b[1] - a[1], b[2] - a[2], a[0] * b[0] / count);
    let share = b[0] / count;
    [
        count,
        a[1] + dx * share,
        a[2] + dy * share,
        a[3] + b[3] + dx * dx * weight,
        a[4] + b[4] + dy * dy * weight,
        a[5] + b[5] + dx * dy * weight,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let (mut high, mut low) = (0.0, 0.0);
        for x in [1e16, 1.0, 1.0, -1e16, 1e-3] {
            (high, low) = add(high, low, x);
        }
        assert_eq!(high, 2.001);
        assert_eq!(add(1.0, 0.0, f64::INFINITY), (f64::INFINITY, 0.0));
        assert!(add(f64::INFINITY, 0.0, f64::NEG_INFINITY).0.is_nan());
    }
}
