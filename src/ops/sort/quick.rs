//! A sort that can be stopped. The standard library's sorts a slice in one go, which for a hundred million entries takes
//! seconds; so large slices are divided by pivots here, with looks at whether to stop on the way, until what is left is
//! small enough for the standard library.
//!
//! ```text
//! | .......................................... |   pivot: the median of a sample
//! | less than the pivot | p | not less         |   and again, until a piece has at most `at_once` entries
//! ```
//!
//! Entries that are equal to many others divide badly; after some bad divisions the standard library takes over.

use crate::error::Result;
use std::cmp::Ordering;

/// Entries looked at between two looks at whether to stop.
const LOOK: usize = 1 << 16;
/// Entries of which the median is the pivot.
const SAMPLE: usize = 65;
/// Bad divisions that are put up with.
const PATIENCE: u32 = 16;

/// How a slice is sorted.
pub(super) struct Quick<O, C> {
    /// The order; total.
    pub(super) order: O,
    /// Says whether to go on.
    pub(super) check: C,
    /// Entries that are sorted in one go.
    pub(super) at_once: usize,
}

/// A piece that is not sorted yet, and how many bad divisions led to it.
struct Piece<'a, T> {
    items: &'a mut [T],
    bad: u32,
}

impl<O, C> Quick<O, C> {
    /// Sorts `items`.
    ///
    /// # Errors
    /// What `check` says: then they are in any order.
    pub(super) fn sort<T: Copy>(&self, items: &mut [T]) -> Result<()>
    where
        O: Fn(&T, &T) -> Ordering,
        C: Fn() -> Result<()>,
    {
        let mut open = vec![Piece { items, bad: 0 }];
        while let Some(Piece { items, bad }) = open.pop() {
            (self.check)()?;
            if items.len() <= self.at_once.max(SAMPLE) || bad > PATIENCE {
                items.sort_unstable_by(&self.order);
                continue;
            }
            if bad == 0 && self.is_sorted(items)? {
                continue;
            }
            let at = self.divide(items)?;
            let bad = bad + u32::from(is_bad(at, items.len()));
            let (left, rest) = items.split_at_mut(at);
            open.push(Piece { items: left, bad });
            open.push(Piece { items: rest.get_mut(1..).unwrap_or_default(), bad });
        }
        Ok(())
    }

    /// Puts the `nth` entry in order at its place, smaller ones before it, the others behind it.
    ///
    /// # Errors
    /// What `check` says.
    pub(super) fn select<T: Copy>(&self, mut items: &mut [T], mut nth: usize) -> Result<()>
    where
        O: Fn(&T, &T) -> Ordering,
        C: Fn() -> Result<()>,
    {
        let mut bad = 0;
        while items.len() > self.at_once.max(SAMPLE) && bad <= PATIENCE {
            let at = self.divide(items)?;
            bad += u32::from(is_bad(at, items.len()));
            match nth.cmp(&at) {
                Ordering::Equal => return Ok(()),
                Ordering::Less => items = items.get_mut(..at).unwrap_or_default(),
                Ordering::Greater => {
                    nth -= at + 1;
                    items = items.get_mut(at + 1..).unwrap_or_default();
                }
            }
        }
        if nth < items.len() {
            items.select_nth_unstable_by(nth, &self.order);
        }
        Ok(())
    }

    /// Whether there is nothing to do. Entries in falling order are turned round.
    fn is_sorted<T: Copy>(&self, items: &mut [T]) -> Result<bool>
    where
        O: Fn(&T, &T) -> Ordering,
        C: Fn() -> Result<()>,
    {
        let falls = items.first().zip(items.get(1)).is_some_and(|(a, b)| (self.order)(a, b) == Ordering::Greater);
        for begin in (0..items.len()).step_by(LOOK) {
            (self.check)()?;
            let piece = items.get(begin..items.len().min(begin + LOOK + 1)).unwrap_or_default();
            let breaks = |pair: &[T; 2]| ((self.order)(&pair[0], &pair[1]) == Ordering::Greater) != falls;
            if piece.array_windows().any(breaks) {
                return Ok(false);
            }
        }
        if falls {
            items.reverse();
        }
        Ok(true)
    }

    /// Divides at least two entries by a pivot; returns its place.
    fn divide<T: Copy>(&self, items: &mut [T]) -> Result<usize>
    where
        O: Fn(&T, &T) -> Ordering,
        C: Fn() -> Result<()>,
    {
        let middle = self.pivot(items);
        items.swap(0, middle);
        let Some((pivot, rest)) = items.split_first_mut() else { return Ok(0) };
        let (pivot, mut left) = (*pivot, 0);
        for begin in (0..rest.len()).step_by(LOOK) {
            (self.check)()?;
            for at in begin..rest.len().min(begin + LOOK) {
                // What is before `left` is less, what is between `left` and `at` is not. No branch depends on the order.
                let less = (self.order)(&rest[at], &pivot) == Ordering::Less;
                rest.swap(left, at);
                left += usize::from(less);
            }
        }
        items.swap(0, left);
        Ok(left)
    }

    /// The place of the median of a sample.
    fn pivot<T: Copy>(&self, items: &[T]) -> usize
    where
        O: Fn(&T, &T) -> Ordering,
    {
        let step = items.len() / SAMPLE;
        // Not quite even, so that a period in the input does not decide.
        let mut sample: Vec<(T, usize)> = (0..SAMPLE)
            .map(|i| i * step + (i * 7919) % step.max(1))
            .filter_map(|at| Some((*items.get(at)?, at)))
            .collect();
        sample.sort_unstable_by(|a, b| (self.order)(&a.0, &b.0));
        sample.get(sample.len() / 2).map_or(0, |(_, at)| *at)
    }
}

/// Whether a division at `at` of `len` entries was hardly one.
fn is_bad(at: usize, len: usize) -> bool {
    at.min(len - at) < len / 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::cell::Cell;

    type Order = fn(&u64, &u64) -> Ordering;

    fn quick<C: Fn() -> Result<()>>(check: C) -> Quick<Order, C> {
        Quick { order: u64::cmp, check, at_once: 70 }
    }

    fn inputs(len: u64) -> Vec<Vec<u64>> {
        let mixed = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        vec![
            (0..len).map(mixed).collect(),
            (0..len).collect(),
            (0..len).rev().collect(),
            vec![7; len as usize],
            (0..len).map(|n| mixed(n) % 3).collect(),
            (0..len).map(|n| n % 100).collect(),
            (0..len).map(|n| if n == len / 2 { 0 } else { n }).collect(),
        ]
    }

    #[test]
    fn sorts_as_the_standard_library_does() {
        for len in [0, 1, 2, 65, 66, 71, 1000, 200_000] {
            for mut items in inputs(len) {
                let mut wanted = items.clone();
                wanted.sort_unstable();
                quick(|| Ok(())).sort(&mut items).unwrap();
                assert!(items == wanted, "{len}");
            }
        }
    }

    #[test]
    fn selects_any_place() {
        for len in [1, 66, 1000, 100_000] {
            for items in inputs(len) {
                let mut wanted = items.clone();
                wanted.sort_unstable();
                for nth in [0, len as usize / 3, len as usize - 1] {
                    let mut items = items.clone();
                    quick(|| Ok(())).select(&mut items, nth).unwrap();
                    assert_eq!(items[nth], wanted[nth]);
                    assert!(
                        items[..nth].iter().all(|x| *x <= wanted[nth])
                            && items[nth..].iter().all(|x| *x >= wanted[nth])
                    );
                }
            }
        }
    }

    /// Whenever it is told to stop, it does so at once.
    #[test]
    fn stops_when_it_is_told_to() {
        let items = inputs(200_000).swap_remove(0);
        let looks = Cell::new(0u32);
        let count = || {
            looks.set(looks.get() + 1);
            Ok(())
        };
        quick(count).sort(&mut items.clone()).unwrap();
        let all = looks.get();
        assert!(all > 1000, "{all} looks");
        for most in [0, 1, 2, all / 2, all - 1] {
            looks.set(0);
            let stop = || {
                looks.set(looks.get() + 1);
                if looks.get() > most { Err(Error::cancelled()) } else { Ok(()) }
            };
            quick(stop).sort(&mut items.clone()).unwrap_err();
            assert_eq!(looks.get(), most + 1);
        }
    }
}
