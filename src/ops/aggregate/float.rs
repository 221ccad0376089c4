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

/// The sum of `count` values, `high + low`, or `None` where it leaves the finite numbers: four sums side by side, none of
/// which waits for another, as one that is normalised at each step does. Errors of single steps are exact (two-sum) and
/// add up in `low`; for a batch they are off by less than 2^-80 of the largest partial sum.
pub(super) fn sum(count: usize, value: impl Fn(usize) -> f64) -> Option<(f64, f64)> {
    let (mut high, mut low) = ([0.0; 4], [0.0; 4]);
    let mut step = |lane: usize, x: f64| {
        let sum = high[lane] + x;
        let back = sum - high[lane];
        low[lane] += (high[lane] - (sum - back)) + (x - back);
        high[lane] = sum;
    };
    for i in (0..count / 4).map(|quad| 4 * quad) {
        (0..4).for_each(|lane| step(lane, value(i + lane)));
    }
    (count / 4 * 4..count).for_each(|i| step(0, value(i)));
    let all = high.into_iter().zip(low).fold((0.0, 0.0), |(h, l), (high, low)| {
        let (h, l) = add(h, l, high);
        add(h, l, low)
    });
    all.0.is_finite().then_some(all)
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

/// As [`merge_moments`] up to the fourth power (Pebay 2008): `[count, mean, m2, m3, m4]`.
#[inline(always)]
pub(super) fn merge_moments4(a: [f64; 5], b: [f64; 5]) -> [f64; 5] {
    if a[0] == 0.0 || b[0] == 0.0 {
        return if a[0] == 0.0 { b } else { a };
    }
    let ([na, ma, a2, a3, a4], [nb, mb, b2, b3, b4]) = (a, b);
    let (n, d) = (na + nb, mb - ma);
    let (pa, pb, dd) = (na / n, nb / n, d * d);
    let m2 = a2 + b2 + dd * na * pb;
    let m3 = a3 + b3 + d * dd * na * pb * (pa - pb) + 3.0 * d * (pa * b2 - pb * a2);
    let m4 = a4
        + b4
        + dd * dd * na * pb * (pa * pa - pa * pb + pb * pb)
        + 6.0 * dd * (pa * pa * b2 + pb * pb * a2)
        + 4.0 * d * (pa * b3 - pb * a3);
    [n, ma + d * pb, m2, m3, m4]
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
    fn four_moments_are_the_sums_of_powers() {
        let list = [3.0, -1.5, 8.25, 0.0, 3.0, 17.0, -2.0];
        let one = |x: &f64| [1.0, *x, 0.0, 0.0, 0.0];
        let fold = |list: &[f64]| list.iter().map(one).fold([0.0; 5], merge_moments4);
        let mean = list.iter().sum::<f64>() / 7.0;
        let power = |p: i32| list.iter().map(|x| (x - mean).powi(p)).sum::<f64>();
        let expected = [7.0, mean, power(2), power(3), power(4)];
        for got in [fold(&list), merge_moments4(fold(&list[..3]), fold(&list[3..]))] {
            assert!(got.iter().zip(expected).all(|(g, e)| (g - e).abs() <= 1e-12 * e.abs()), "{got:?} {expected:?}");
        }
    }

    #[test]
    fn many_at_once_are_as_one_after_the_other() {
        let list: Vec<f64> =
            (0..1003).map(|i: i32| f64::from(i * 7919 % 1000 - 500) * 10f64.powi(i % 31 - 15)).collect();
        for count in [0, 1, 3, 4, 5, 1003] {
            let one = list[..count].iter().fold((0.0, 0.0), |(h, l), x| add(h, l, *x));
            assert_eq!(sum(count, |i| list[i]).map(|(high, low)| high + low), Some(one.0 + one.1), "{count}");
        }
        assert_eq!(sum(5, |i| [1.0, f64::MAX, f64::MAX, 1.0, f64::MAX][i]), None);
        assert_eq!(sum(2, |i| [f64::NAN, 1.0][i]), None);
    }

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
