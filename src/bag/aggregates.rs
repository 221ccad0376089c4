//! Several reductions at once, of a whole bag or by key.

use super::coding::{Item, encode_key};
use super::foldby::FoldBy;
use super::reduce::Fold;
use super::statistics::{Moments, Number, Sum};
use super::{Bag, reductions};
use crate::error::Result;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

/// A reduction whose values can be merged in any order, and can rest. Tuples of aggregates are aggregates.
pub trait Aggregate<T>: Send + Sync + 'static {
    /// A value in the making.
    type State: Item;
    /// What it becomes.
    type Out: Send + 'static;

    /// Before the first item.
    fn start(&self) -> Self::State;

    /// Adds an item.
    ///
    /// # Errors
    /// An item that cannot be added.
    fn add(&self, state: &mut Self::State, item: &T) -> Result<()>;

    /// Adds another value.
    ///
    /// # Errors
    /// Values that cannot be merged.
    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()>;

    /// What the value becomes.
    ///
    /// # Errors
    /// A value that cannot become anything.
    fn finish(&self, state: Self::State) -> Result<Self::Out>;
}

/// How many items there are.
pub struct Count;

/// How many items there are, as `u64`.
pub fn count() -> Count {
    Count
}

impl<T: 'static> Aggregate<T> for Count {
    type State = u64;
    type Out = u64;

    fn start(&self) -> u64 {
        0
    }
    fn add(&self, state: &mut u64, _item: &T) -> Result<()> {
        *state += 1;
        Ok(())
    }
    fn merge(&self, state: &mut u64, other: u64) -> Result<()> {
        *state += other;
        Ok(())
    }
    fn finish(&self, state: u64) -> Result<u64> {
        Ok(state)
    }
}

/// The sum of numbers of items.
pub struct Summed<F, N>(F, PhantomData<fn() -> N>);

/// The sum of the numbers that `number` takes out of items: exact for integers, compensated for floats.
pub fn sum<T, N: Number, F: Fn(&T) -> N + Send + Sync + 'static>(number: F) -> Summed<F, N> {
    Summed(number, PhantomData)
}

impl<T: 'static, N: Number, F: Fn(&T) -> N + Send + Sync + 'static> Aggregate<T> for Summed<F, N> {
    type State = N::Sum;
    type Out = N::Total;

    fn start(&self) -> N::Sum {
        N::Sum::default()
    }
    fn add(&self, state: &mut N::Sum, item: &T) -> Result<()> {
        state.add((self.0)(item))
    }
    fn merge(&self, state: &mut N::Sum, other: N::Sum) -> Result<()> {
        state.merge(&other)
    }
    fn finish(&self, state: N::Sum) -> Result<N::Total> {
        Ok(state.total())
    }
}

/// The mean of numbers of items.
pub struct Mean<F, N>(F, PhantomData<fn() -> N>);

/// The mean of the numbers that `number` takes out of items.
pub fn mean<T, N: Number, F: Fn(&T) -> N + Send + Sync + 'static>(number: F) -> Mean<F, N> {
    Mean(number, PhantomData)
}

impl<T: 'static, N: Number, F: Fn(&T) -> N + Send + Sync + 'static> Aggregate<T> for Mean<F, N> {
    type State = (N::Sum, u64);
    type Out = f64;

    fn start(&self) -> (N::Sum, u64) {
        (N::Sum::default(), 0)
    }
    fn add(&self, state: &mut (N::Sum, u64), item: &T) -> Result<()> {
        state.1 += 1;
        state.0.add((self.0)(item))
    }
    fn merge(&self, state: &mut (N::Sum, u64), other: (N::Sum, u64)) -> Result<()> {
        state.1 += other.1;
        state.0.merge(&other.0)
    }
    fn finish(&self, state: (N::Sum, u64)) -> Result<f64> {
        Ok(state.0.float() / state.1 as f64)
    }
}

/// The variance of numbers of items.
pub struct Variance<F, N> {
    number: F,
    ddof: u64,
    root: bool,
    of: PhantomData<fn() -> N>,
}

/// The variance of the numbers that `number` takes out of items, divided by their number less `ddof`; `None` where there are
/// not more than that.
pub fn var<T, N: Number, F: Fn(&T) -> N + Send + Sync + 'static>(number: F, ddof: u64) -> Variance<F, N> {
    Variance { number, ddof, root: false, of: PhantomData }
}

/// The square root of the variance.
pub fn std<T, N: Number, F: Fn(&T) -> N + Send + Sync + 'static>(number: F, ddof: u64) -> Variance<F, N> {
    Variance { number, ddof, root: true, of: PhantomData }
}

impl<T: 'static, N: Number, F: Fn(&T) -> N + Send + Sync + 'static> Aggregate<T> for Variance<F, N> {
    type State = Moments;
    type Out = Option<f64>;

    fn start(&self) -> Moments {
        Moments::default()
    }
    fn add(&self, state: &mut Moments, item: &T) -> Result<()> {
        state.add((self.number)(item).float());
        Ok(())
    }
    fn merge(&self, state: &mut Moments, other: Moments) -> Result<()> {
        state.merge(&other);
        Ok(())
    }
    fn finish(&self, state: Moments) -> Result<Option<f64>> {
        let variance = state.variance(self.ddof);
        Ok(if self.root { variance.map(f64::sqrt) } else { variance })
    }
}

/// The least or greatest of values of items.
pub struct Extreme<F, V> {
    value: F,
    wanted: Ordering,
    of: PhantomData<fn() -> V>,
}

/// The least of the values that `value` takes out of items; the first of equal ones.
pub fn min<T, V: PartialOrd + Item, F: Fn(&T) -> V + Send + Sync + 'static>(value: F) -> Extreme<F, V> {
    Extreme { value, wanted: Ordering::Less, of: PhantomData }
}

/// The greatest of the values that `value` takes out of items.
pub fn max<T, V: PartialOrd + Item, F: Fn(&T) -> V + Send + Sync + 'static>(value: F) -> Extreme<F, V> {
    Extreme { value, wanted: Ordering::Greater, of: PhantomData }
}

impl<T: 'static, V: PartialOrd + Item, F: Fn(&T) -> V + Send + Sync + 'static> Aggregate<T> for Extreme<F, V> {
    type State = Option<V>;
    type Out = Option<V>;

    fn start(&self) -> Option<V> {
        None
    }
    fn add(&self, state: &mut Option<V>, item: &T) -> Result<()> {
        self.merge_value(state, (self.value)(item))
    }
    fn merge(&self, state: &mut Option<V>, other: Option<V>) -> Result<()> {
        other.map_or(Ok(()), |other| self.merge_value(state, other))
    }
    fn finish(&self, state: Option<V>) -> Result<Option<V>> {
        Ok(state)
    }
}

impl<F, V: PartialOrd> Extreme<F, V> {
    fn merge_value(&self, state: &mut Option<V>, other: V) -> Result<()> {
        let better = match state {
            None => true,
            Some(before) => reductions::order(&other, before)? == self.wanted,
        };
        if better {
            *state = Some(other);
        }
        Ok(())
    }
}

macro_rules! tuples {
    ($($name:ident $place:tt)*) => {
        impl<T: 'static, $($name: Aggregate<T>),*> Aggregate<T> for ($($name,)*) {
            type State = ($($name::State,)*);
            type Out = ($($name::Out,)*);

            fn start(&self) -> Self::State {
                ($(self.$place.start(),)*)
            }
            fn add(&self, state: &mut Self::State, item: &T) -> Result<()> {
                $(self.$place.add(&mut state.$place, item)?;)*
                Ok(())
            }
            fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
                $(self.$place.merge(&mut state.$place, other.$place)?;)*
                Ok(())
            }
            fn finish(&self, state: Self::State) -> Result<Self::Out> {
                Ok(($(self.$place.finish(state.$place)?,)*))
            }
        }
    };
}
tuples! { A 0 B 1 }
tuples! { A 0 B 1 C 2 }
tuples! { A 0 B 1 C 2 D 3 }
tuples! { A 0 B 1 C 2 D 3 E 4 }
tuples! { A 0 B 1 C 2 D 3 E 4 F 5 }

impl<T: Send + 'static> Bag<T> {
    /// Several reductions of the whole bag in one run; `None` for a bag without items.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let words = Bag::from_iter(&session, ["a", "bcd"], 2);
    /// let lengths = words.aggregate((aggregates::count(), aggregates::mean(|word: &&str| word.len() as u64)))?;
    /// assert_eq!(lengths, Some((2, 2.0)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn aggregate<G: Aggregate<T>>(&self, aggregate: G) -> Result<Option<G::Out>> {
        let aggregate = Arc::new(aggregate);
        let (init, add, merge) = (aggregate.clone(), aggregate.clone(), aggregate.clone());
        let state = self.fold_into(Fold {
            init: Box::new(move |_| init.start()),
            add: Box::new(move |state, item: T| add.add(state, &item).map(|()| false)),
            merge: Box::new(move |mut a, b| {
                merge.merge(&mut a, b)?;
                Ok(a)
            }),
        })?;
        state.map(|state| aggregate.finish(state)).transpose()
    }

    /// Several reductions for each key, in one run, of any number of keys. The order of keys is that of a hash of them.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let numbers = Bag::range(&session, 0..10, 3);
    /// let wanted = (aggregates::count(), aggregates::sum(|n: &i64| *n), aggregates::max(|n: &i64| *n));
    /// let mut rows = numbers.aggregate_by(|n| n % 2 == 0, wanted).collect()?;
    /// rows.sort();
    /// assert_eq!(rows, [(false, (5, 25, Some(9))), (true, (5, 20, Some(8)))]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn aggregate_by<K: Item, G: Aggregate<T>>(
        &self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
        aggregate: G,
    ) -> Bag<(K, G::Out)> {
        let aggregate = Arc::new(aggregate);
        let (init, add, merge) = (aggregate.clone(), aggregate.clone(), aggregate.clone());
        let folded = self.fold_keys::<K, G::State>(FoldBy {
            key: Box::new(move |item, bytes| encode_key(&key(item), bytes)),
            init: Box::new(move || init.start()),
            add: Box::new(move |state, item, _| state.as_mut().map_or(Ok(()), |state| add.add(state, &item))),
            merge: Box::new(move |mut a, b| {
                merge.merge(&mut a, b)?;
                Ok(a)
            }),
            commutes: true,
        });
        folded.mapped("finish", move |(key, state)| Ok(Some((key, aggregate.finish(state)?))))
    }
}
