//! Bags that become a value, and bags of values that are counted by themselves.

use super::Bag;
use super::coding::{Item, encode_key};
use super::foldby::FoldBy;
use super::items::Partition;
use super::reduce::Fold;
use crate::batch::Position;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The order of two items.
///
/// # Errors
/// `Query`, where they have none: a NaN is no least number.
pub(super) fn order<T: PartialOrd>(a: &T, b: &T) -> Result<Ordering> {
    a.partial_cmp(b).ok_or_else(|| {
        Error::query("two items cannot be compared; one of them may be NaN")
            .advise("filter them out, or map them first")
    })
}

/// An item that was seen at a position: of equal keys the first is kept.
#[derive(Serialize, Deserialize)]
struct Seen<T> {
    split: u64,
    row: u64,
    item: T,
}

/// The `k` greatest by key, in the making: up to twice as many, so that they are sifted seldom.
struct Best<K, T> {
    k: usize,
    items: Vec<(K, T)>,
}

impl<K: PartialOrd, T> Best<K, T> {
    fn add(&mut self, key: K, item: T) -> Result<()> {
        // What cannot be compared even with itself has no place.
        order(&key, &key)?;
        self.items.push((key, item));
        if self.items.len() >= self.k.saturating_mul(2).max(64) { self.sift() } else { Ok(()) }
    }

    /// Keeps the greatest; of equal ones the first.
    fn sift(&mut self) -> Result<()> {
        let mut wrong = None;
        self.items.sort_by(|a, b| {
            order(&b.0, &a.0).unwrap_or_else(|error| {
                wrong.get_or_insert(error);
                Ordering::Equal
            })
        });
        self.items.truncate(self.k);
        wrong.map_or(Ok(()), Err)
    }
}

impl<T: Send + 'static> Bag<T> {
    /// How many items there are.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..10, 3).filter(|n| *n > 6).count()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn count(&self) -> Result<u64> {
        Ok(self.aggregate(super::aggregates::count())?.unwrap_or(0))
    }

    /// One value of all items: `init`, to which `add` adds the items of a partition one after the other; the values of
    /// partitions are merged by `merge`, in order, as a tree. `init` begins every partition that has items, so it should
    /// change nothing. `None` for a bag without items.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let text = Bag::from_iter(&session, ['a', 'b', 'c'], 2).fold(
    ///     String::new(),
    ///     |mut text, letter| {
    ///         text.push(letter);
    ///         text
    ///     },
    ///     |a, b| a + &b,
    /// )?;
    /// assert_eq!(text.as_deref(), Some("abc"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn fold<A: Clone + Send + Sync + 'static>(
        &self,
        init: A,
        add: impl Fn(A, T) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    ) -> Result<Option<A>> {
        let folded = self.fold_into(Fold {
            init: Box::new(move |_| Some(init.clone())),
            add: Box::new(move |value: &mut Option<A>, item| {
                *value = value.take().map(|value| add(value, item));
                Ok(false)
            }),
            merge: Box::new(move |a: Option<A>, b: Option<A>| {
                Ok(match (a, b) {
                    (Some(a), Some(b)) => Some(merge(a, b)),
                    (a, b) => a.or(b),
                })
            }),
        })?;
        Ok(folded.flatten())
    }

    /// All items merged into one, in order, as a tree; `None` for a bag without items.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 1..6, 2).reduce(|a, b| a * b)?, Some(120));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn reduce(&self, merge: impl Fn(T, T) -> T + Send + Sync + 'static) -> Result<Option<T>> {
        let merge = std::sync::Arc::new(merge);
        let add = merge.clone();
        let folded = self.fold_into(Fold {
            init: Box::new(|_| None),
            add: Box::new(move |value: &mut Option<T>, item| {
                *value = Some(match value.take() {
                    Some(value) => add(value, item),
                    None => item,
                });
                Ok(false)
            }),
            merge: Box::new(move |a: Option<T>, b: Option<T>| {
                Ok(match (a, b) {
                    (Some(a), Some(b)) => Some(merge(a, b)),
                    (a, b) => a.or(b),
                })
            }),
        })?;
        Ok(folded.flatten())
    }

    /// One value of all items: what `partition` makes of each partition, read as an iterator, merged in order as a tree.
    /// `None` for a bag without partitions.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let most = Bag::range(&session, 0..10, 3).reduction(|items| items.count(), |a, b| a.max(b))?;
    /// assert_eq!(most, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn reduction<A: Send + 'static>(
        &self,
        partition: impl Fn(Partition<T>) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    ) -> Result<Option<A>> {
        self.whole("reduction", move |_, items| [partition(items)]).reduce(merge)
    }

    /// The least item; `None` for a bag without items. Items that have no order, as NaN, are an error.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::from_iter(&session, [2.5, 1.5], 3).min()?, Some(1.5));
    /// assert!(Bag::from_iter(&session, [2.5, f64::NAN], 3).min().is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn min(&self) -> Result<Option<T>>
    where
        T: PartialOrd,
    {
        self.extreme(Ordering::Less)
    }

    /// The greatest item; `None` for a bag without items. Items that have no order, as NaN, are an error.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..10, 3).max()?, Some(9));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn max(&self) -> Result<Option<T>>
    where
        T: PartialOrd,
    {
        self.extreme(Ordering::Greater)
    }

    fn extreme(&self, wanted: Ordering) -> Result<Option<T>>
    where
        T: PartialOrd,
    {
        let better = move |value: &Option<T>, item: &T| match value {
            Some(value) => order(item, value).map(|order| order == wanted),
            None => order(item, item).map(|_| true),
        };
        let folded = self.fold_into(Fold {
            init: Box::new(|_| None),
            add: Box::new(move |value: &mut Option<T>, item| {
                if better(value, &item)? {
                    *value = Some(item);
                }
                Ok(false)
            }),
            merge: Box::new(move |a: Option<T>, b: Option<T>| {
                Ok(match (a, b) {
                    (Some(a), Some(b)) => Some(if order(&b, &a)? == wanted { b } else { a }),
                    (a, b) => a.or(b),
                })
            }),
        })?;
        Ok(folded.flatten())
    }

    /// Whether `test` is true of any item. Reads no further than it must.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert!(Bag::range(&session, 0..i64::MAX, 9).any(|n| *n == 3)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn any(&self, test: impl Fn(&T) -> bool + Send + Sync + 'static) -> Result<bool> {
        let found = self.fold_into(Fold {
            init: Box::new(|_| false),
            add: Box::new(move |found: &mut bool, item| {
                *found |= test(&item);
                Ok(*found)
            }),
            merge: Box::new(|a, b| Ok(a || b)),
        })?;
        Ok(found.unwrap_or(false))
    }

    /// Whether `test` is true of all items; so it is of none. Reads no further than it must.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert!(!Bag::range(&session, 0..i64::MAX, 9).all(|n| *n < 3)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn all(&self, test: impl Fn(&T) -> bool + Send + Sync + 'static) -> Result<bool> {
        self.any(move |item| !test(item)).map(|found| !found)
    }

    /// The `k` greatest items, greatest first; of equal ones the first in the bag.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..10, 3).topk(2)?, [9, 8]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; items that have no order, as NaN.
    pub fn topk(&self, k: usize) -> Result<Vec<T>>
    where
        T: PartialOrd + Clone,
    {
        self.topk_by(k, T::clone)
    }

    /// The `k` items with the greatest keys, greatest first; of equal ones the first in the bag.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..10, 3).topk_by(2, |n| -n)?, [0, 1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; keys that have no order, as NaN.
    pub fn topk_by<K: PartialOrd + Send + 'static>(
        &self,
        k: usize,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Result<Vec<T>> {
        let best = self.fold_into(Fold {
            init: Box::new(move |_| Best { k, items: Vec::new() }),
            add: Box::new(move |best: &mut Best<K, T>, item| best.add(key(&item), item).map(|()| false)),
            merge: Box::new(|mut a: Best<K, T>, b: Best<K, T>| {
                a.items.extend(b.items);
                a.sift()?;
                Ok(a)
            }),
        })?;
        let Some(mut best) = best else { return Ok(Vec::new()) };
        best.sift()?;
        Ok(best.items.into_iter().map(|(_, item)| item).collect())
    }

    /// Calls `f` with the number of each partition and its items as an iterator.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let seen = Arc::new(AtomicU64::new(0));
    /// let count = seen.clone();
    /// Bag::range(&session, 0..10, 3).for_each_partition(move |_, items| {
    ///     count.fetch_add(items.count() as u64, Ordering::Relaxed);
    /// })?;
    /// assert_eq!(seen.load(Ordering::Relaxed), 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn for_each_partition(&self, f: impl Fn(usize, Partition<T>) + Send + Sync + 'static) -> Result<()> {
        self.whole("for_each_partition", move |index, items| {
            f(index, items);
            [(); 0]
        })
        .count()
        .map(|_| ())
    }
}

impl<T: Item> Bag<T> {
    /// How often each item occurs. Any number of different items is counted within the budget; the result is partitioned, in
    /// the order of a hash of the items.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let counts = Bag::range(&session, 0..10, 3).map(|n| n % 3).frequencies();
    /// assert_eq!(counts.topk_by(1, |(_, count)| *count)?, [(0, 4)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn frequencies(&self) -> Bag<(T, u64)> {
        self.fold_keys(FoldBy {
            key: Box::new(|item: &T, bytes| encode_key(item, bytes)),
            init: Box::new(|| 0u64),
            add: Box::new(|count, _, _| {
                *count = count.map(|count| count + 1);
                Ok(())
            }),
            merge: Box::new(|a, b| Ok(a + b)),
            commutes: true,
        })
    }

    /// Each different item once, in the order of a hash.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..10, 3).map(|n| n % 3).distinct().count()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn distinct(&self) -> Bag<T> {
        self.frequencies().map(|(item, _)| item)
    }

    /// The first item of each key, in the order of a hash of the keys.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut first = Bag::range(&session, 5..50, 7).distinct_by(|n| n % 3).collect()?;
    /// first.sort();
    /// assert_eq!(first, [5, 6, 7]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn distinct_by<K: Item>(&self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Bag<T> {
        let earlier = |a: Option<Seen<T>>, b: Option<Seen<T>>| match (a, b) {
            (Some(a), Some(b)) => Some(if (b.split, b.row) < (a.split, a.row) { b } else { a }),
            (a, b) => a.or(b),
        };
        let firsts = self.fold_keys::<K, Option<Seen<T>>>(FoldBy {
            key: Box::new(move |item, bytes| encode_key(&key(item), bytes)),
            init: Box::new(|| None),
            add: Box::new(move |seen, item, Position { split, row }| {
                *seen = seen.take().map(|seen| earlier(seen, Some(Seen { split, row, item })));
                Ok(())
            }),
            merge: Box::new(move |a, b| Ok(earlier(a, b))),
            commutes: true,
        });
        firsts.mapped("first", |(_, seen)| Ok(seen.map(|seen| seen.item)))
    }
}
