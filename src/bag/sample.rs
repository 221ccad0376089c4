//! Random items. The same seed gives the same items of the same partitions, whatever the threads do.

use super::Bag;
use super::items::{Blocked, Chain, Items, Pulled, Pulse, item};
use super::reduce::Fold;
use crate::error::{Error, Result};

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    /// Numbers for one partition.
    fn of(seed: u64, partition: usize) -> Self {
        let mut random = Random(seed);
        Random(random.next() ^ (partition as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1, which is left out.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct Thinned<T> {
    input: Chain<T>,
    random: Random,
    probability: f64,
}

impl<T> Items<T> for Thinned<T> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        loop {
            let item = item!(self.input.next(pulse));
            if self.random.unit() < self.probability {
                return Ok(Pulled::Item(item));
            }
        }
    }
}

/// The items with the least random numbers: each set of `k` items is as likely as any other.
struct Least<T> {
    random: Random,
    items: Vec<(u64, T)>,
}

impl<T> Least<T> {
    fn sift(&mut self, k: usize) {
        self.items.sort_by_key(|(number, _)| *number);
        self.items.truncate(k);
    }
}

/// Some places, each of which has had every item with the same likelihood.
struct Places<T> {
    random: Random,
    seen: u64,
    places: Vec<T>,
}

impl<T: Clone> Places<T> {
    fn add(&mut self, item: T, k: usize) {
        self.seen += 1;
        if self.seen == 1 {
            self.places = vec![item; k];
            return;
        }
        // The item goes to each place with likelihood 1/seen: places in between are skipped in one go.
        let keep = (1.0 - 1.0 / self.seen as f64).ln();
        let mut at = 0.0;
        loop {
            at += ((1.0 - self.random.unit()).ln() / keep).floor();
            let Some(place) = self.places.get_mut(at as usize).filter(|_| at < k as f64) else { return };
            *place = item.clone();
            at += 1.0;
        }
    }

    fn merge(mut self, other: Places<T>) -> Self {
        let all = self.seen + other.seen;
        let share = other.seen as f64 / all as f64;
        for (place, from) in self.places.iter_mut().zip(other.places) {
            if self.random.unit() < share {
                *place = from;
            }
        }
        self.seen = all;
        self
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Each item with a likelihood of `probability`, independently.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let some = Bag::range(&session, 0..10_000, 3).random_sample(0.1, 17);
    /// assert!((800..1200).contains(&some.count()?));
    /// assert_eq!(some.collect()?, some.collect()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn random_sample(&self, probability: f64, seed: u64) -> Bag<T> {
        self.each("random_sample", move |input, index, _, _| {
            Box::new(Thinned { input, random: Random::of(seed, index), probability })
        })
    }

    /// `k` different items, each choice of them as likely as any other, in no order.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut three = Bag::range(&session, 0..3, 2).sample(3, 17)?;
    /// three.sort();
    /// assert_eq!(three, [0, 1, 2]);
    /// assert!(Bag::range(&session, 0..3, 2).sample(4, 17).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Query`, where the bag has fewer items.
    pub fn sample(&self, k: usize, seed: u64) -> Result<Vec<T>> {
        let made = self.fold_into(Fold {
            init: Box::new(move |partition| Least { random: Random::of(seed, partition), items: Vec::new() }),
            add: Box::new(move |least: &mut Least<T>, item| {
                let number = least.random.next();
                least.items.push((number, item));
                if least.items.len() >= k.saturating_mul(2).max(64) {
                    least.sift(k);
                }
                Ok(false)
            }),
            merge: Box::new(move |mut a: Least<T>, b: Least<T>| {
                a.items.extend(b.items);
                a.sift(k);
                Ok(a)
            }),
        })?;
        let items = made.map_or(Vec::new(), |mut least| {
            least.sift(k);
            least.items
        });
        match items.len() == k {
            true => Ok(items.into_iter().map(|(_, item)| item).collect()),
            false => Err(Error::query(format!("a sample of {k} items is more than the bag's {}", items.len()))
                .advise("choices() draws with replacement")),
        }
    }

    /// `k` items drawn with replacement: each draw is every item with the same likelihood.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..3, 2).choices(7, 17)?.len(), 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Query`, where the bag has no items.
    pub fn choices(&self, k: usize, seed: u64) -> Result<Vec<T>>
    where
        T: Clone,
    {
        let made = self.fold_into(Fold {
            init: Box::new(move |index| Places { random: Random::of(seed, index), seen: 0, places: Vec::new() }),
            add: Box::new(move |places: &mut Places<T>, item| {
                places.add(item, k);
                Ok(false)
            }),
            merge: Box::new(|a: Places<T>, b: Places<T>| Ok(a.merge(b))),
        })?;
        match made {
            Some(places) => Ok(places.places),
            None if k == 0 => Ok(Vec::new()),
            None => Err(Error::query("nothing can be drawn from a bag without items")),
        }
    }
}
