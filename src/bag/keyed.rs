//! Groups of items with equal keys, of any size.
//!
//! Rows go through the external sort, by the hash of the key and then by its bytes; ties go by the input's order. So a group
//! is a run of neighbours, its items in the order in which they were, and whoever takes it reads it from scratch: a group may
//! be larger than memory. No range of the sort ends inside a group ([`SortOp::with_prefix`]), so each partition of the
//! result has whole groups, and there are as many partitions as the sort has ranges: more for more data.

use super::coding::{Item, decode};
use super::items::{Blocked, Chain, Items, Pulled, Pulse, item};
use super::node::{Laying, Node, Pipe};
use super::rows::{Form, RowReader, ranges_of, rows_of};
use super::{Bag, rows};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ops::Cx;
use crate::ops::sort::{SortKey, SortOp, SortSpec};
use crate::plan::sorted_into;
use arrow::compute::SortOptions;
use std::marker::PhantomData;
use std::sync::Arc;

/// First bytes of a sort key that have the hash: a byte that says it is not null, and eight.
const HASH_BYTES: usize = 9;

/// The sort of keyed rows, which puts out keys and items.
pub(super) fn sort_by_key(laying: &Laying, meter: &Arc<Meter>) -> Result<SortOp> {
    let ascending = |column| SortKey { column, options: SortOptions { descending: false, nulls_first: false } };
    let keys = Arc::new([ascending(2), ascending(0)]);
    let spec = SortSpec { input: Form::Keyed.schema(), columns: 2, keys, fetch: None };
    let limits = &laying.plan.limits;
    let op = SortOp::new(spec, &limits.tuning, limits.memory, limits.page(), limits.threads, meter.clone())?;
    Ok(op.with_prefix(HASH_BYTES))
}

/// The items of a bag by key: what [`Bag::groupby`] answers with. Say with [`map`](Self::map) what each group becomes.
pub struct Grouped<K, T> {
    bag: Bag<T>,
    key: Arc<dyn Fn(&T) -> K + Send + Sync>,
}

/// The items of one group, in the order in which they were in the bag, read as they are asked for. What is not read is
/// skipped.
pub struct Group<'a, T> {
    rows: &'a mut RowReader,
    key: &'a [u8],
    pulse: Pulse<'a>,
    /// The row in hand is the next item.
    ready: bool,
    ended: &'a mut bool,
    error: &'a mut Option<Error>,
    of: PhantomData<fn() -> T>,
}

impl<T: Item> Group<'_, T> {
    fn pull(&mut self) -> Result<Option<T>> {
        while !*self.ended && !self.ready {
            match self.rows.advance(&mut self.pulse)? {
                Pulled::Item(()) if self.rows.bytes(0) == Some(self.key) => self.ready = true,
                // The first row of the next group stays in hand.
                Pulled::Item(()) | Pulled::End => *self.ended = true,
                Pulled::Pause => {
                    self.pulse.cx.cancel.check()?;
                    self.pulse.fuel = super::items::FUEL;
                }
                Pulled::Blocked(_) => return Err(Error::internal("a sort that began cannot go on")),
            }
        }
        if !std::mem::take(&mut self.ready) {
            return Ok(None);
        }
        self.rows.bytes(1).map(decode).transpose()
    }
}

impl<T: Item> Iterator for Group<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.error.is_some() {
            return None;
        }
        self.pull().unwrap_or_else(|error| {
            *self.error = Some(error);
            None
        })
    }
}

struct Groups<K, T, F> {
    input: Arc<dyn Node<T>>,
    key: Arc<dyn Fn(&T) -> K + Send + Sync>,
    f: Arc<F>,
}

impl<K, T, U, F> Node<U> for Groups<K, T, F>
where
    K: Item,
    T: Item,
    U: Send + 'static,
    F: Fn(K, &mut Group<'_, T>) -> U + Send + Sync + 'static,
{
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<U>> {
        let input = self.input.lay(laying)?;
        let key = self.key.clone();
        let add = move |rows: &mut rows::RowBuilder, item: T, cx: &Cx| rows.keyed(&key(&item), &item, &cx.tuning);
        let batch_bytes = laying.plan.limits.tuning.batch_bytes;
        let rows = rows_of(input, Form::Keyed, batch_bytes, Arc::new(add), None);
        let meter = Arc::new(Meter::default());
        let sort = sort_by_key(laying, &meter)?;
        let sorted = sorted_into(&mut laying.plan, rows, sort.clone(), "group", "by key".into(), meter);
        let f = self.f.clone();
        ranges_of(sorted, sort, move |source| -> Chain<U> {
            Box::new(InGroups {
                rows: RowReader::new(source),
                key: Vec::new(),
                state: State::Fetch,
                f: f.clone(),
                of: PhantomData::<fn() -> (K, T)>,
            })
        })
    }
}

/// Where the chain of groups stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next row is fetched, which begins a group.
    Fetch,
    /// The row in hand begins a group.
    Begin,
    /// Rows of the last group are skipped.
    Skip,
}

struct InGroups<K, T, F> {
    rows: RowReader,
    /// The bytes of the last group's key.
    key: Vec<u8>,
    state: State,
    f: Arc<F>,
    of: PhantomData<fn() -> (K, T)>,
}

impl<K, T, U, F> Items<U> for InGroups<K, T, F>
where
    K: Item,
    T: Item,
    F: Fn(K, &mut Group<'_, T>) -> U + Send + Sync,
{
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.rows.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<U>> {
        while self.state != State::Begin {
            item!(self.rows.advance(pulse));
            if self.state == State::Fetch || self.rows.bytes(0) != Some(&self.key) {
                self.state = State::Begin;
            }
        }
        let missing = || Error::internal("a group without a key");
        self.key.clear();
        self.key.extend_from_slice(self.rows.bytes(0).ok_or_else(missing)?);
        let key = decode(&self.key)?;
        let (mut ended, mut error) = (false, None);
        let mut group = Group {
            rows: &mut self.rows,
            key: &self.key,
            pulse: Pulse::new(pulse.cx, pulse.origin),
            ready: true,
            ended: &mut ended,
            error: &mut error,
            of: PhantomData,
        };
        let made = (self.f)(key, &mut group);
        if let Some(error) = error {
            return Err(error);
        }
        pulse.burn(0);
        // The group that ended has the first row of the next one in hand, or the end.
        self.state = if ended { State::Begin } else { State::Skip };
        if ended && self.rows.bytes(0) == Some(&self.key) {
            self.state = State::Fetch;
        }
        Ok(Pulled::Item(made))
    }
}

impl<K: Item, T: Item> Grouped<K, T> {
    /// What a function makes of each key and its items. It may stop reading at any item.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sums = Bag::range(&session, 0..10, 3).groupby(|n| n % 3).map(|key, items| (key, items.sum::<i64>()));
    /// let mut sums = sums.collect()?;
    /// sums.sort();
    /// assert_eq!(sums, [(0, 18), (1, 12), (2, 15)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<U: Send + 'static>(&self, f: impl Fn(K, &mut Group<'_, T>) -> U + Send + Sync + 'static) -> Bag<U> {
        self.bag.then(Groups { input: self.bag.node.clone(), key: self.key.clone(), f: Arc::new(f) })
    }

    /// Each key with all its items in a list, which must fit in memory.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut lists = Bag::range(&session, 0..4, 3).groupby(|n| n % 2 == 0).lists().collect()?;
    /// lists.sort();
    /// assert_eq!(lists, [(false, vec![1, 3]), (true, vec![0, 2])]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lists(&self) -> Bag<(K, Vec<T>)> {
        self.map(|key, items| (key, items.collect()))
    }
}

impl<T: Item> Bag<T> {
    /// Groups of items whose keys are equal, each read as an iterator over scratch: a group may be larger than memory. The
    /// items of a group are in the order of the bag; the order of groups is that of a hash of their keys.
    ///
    /// Where groups only become a value by adding one item after the other, [`foldby`](Self::foldby) is much faster.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let words = Bag::from_iter(&session, ["pear", "fig", "plum"].map(String::from), 2);
    /// let first = words.groupby(|word| word.chars().next()).map(|_, words| words.next());
    /// assert_eq!(first.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn groupby<K: Item>(&self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Grouped<K, T> {
        Grouped { bag: self.clone(), key: Arc::new(key) }
    }
}
