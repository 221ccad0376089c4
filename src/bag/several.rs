//! Steps that look at more than one partition, or at more than one bag, without gathering items.

use super::items::{Blocked, Chain, Items, Pulled, Pulse, item, lock};
use super::node::{Counted, Laying, Node, Pipe, in_turn, meet};
use super::task::{Taken, Taker, Takers};
use super::{Bag, sources};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Sizes;
use crate::ops::{Cx, Starved};
use crate::sched::NOBODY;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Items of one side that meet all of the other at one time.
const BLOCK: usize = 1024;

/// Partitions read one after the other, as one.
pub(super) struct InTurn<T> {
    input: Counted<T>,
    next: usize,
    end: usize,
    open: Option<Chain<T>>,
    begun: bool,
}

impl<T> InTurn<T> {
    pub(super) fn new(input: Counted<T>, next: usize, end: usize) -> Self {
        InTurn { input, next, end, open: None, begun: false }
    }

    /// Opens partitions until one has begun; `None` if there is one, or none is left.
    fn ready(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        if self.open.is_none() && self.next < self.end {
            self.open = match self.input.partitions.open(self.next, pulse.cx) {
                Ok(open) => Some(open),
                // It has left nothing behind, and is opened when there is memory.
                Err(error) if error.kind() == ErrorKind::Resources => {
                    let bytes = pulse.cx.memory.pool.page_bytes();
                    return Ok(Some(Blocked::Starved(Starved { reservation: NOBODY, bytes })));
                }
                Err(error) => return Err(error),
            };
            (self.next, self.begun) = (self.next + 1, false);
        }
        let Some(open) = self.open.as_mut().filter(|_| !self.begun) else { return Ok(None) };
        let blocked = open.begin(pulse)?;
        self.begun = blocked.is_none();
        Ok(blocked)
    }
}

impl<T> Items<T> for InTurn<T> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.ready(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        loop {
            match &mut self.open {
                Some(open) if self.begun => match open.next(pulse)? {
                    Pulled::End => self.open = None,
                    other => return Ok(other),
                },
                _ => {
                    if let Some(why) = self.ready(pulse)? {
                        return Ok(Pulled::Blocked(why));
                    }
                    if self.open.is_none() {
                        return Ok(Pulled::End);
                    }
                }
            }
        }
    }
}

/// Fewer partitions, of neighbours.
struct Fewer<T> {
    input: Arc<dyn Node<T>>,
    partitions: usize,
}

impl<T: Send + 'static> Node<T> for Fewer<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        Ok(fewer(self.input.lay(laying)?, "coalesce", self.partitions))
    }
}

/// Neighbouring partitions as one, so that there are `most`.
pub(super) fn fewer<T: Send + 'static>(pipe: Pipe<T>, name: &str, most: usize) -> Pipe<T> {
    pipe.regroup(name, Box::new(move |count| count.min(most)), |input| {
        Arc::new(move |index: usize, _: &Cx| -> Result<Chain<T>> {
            let count = input.count()?;
            let range = sources::piece(count as u64, count.min(most), index);
            Ok(Box::new(InTurn::new(input.clone(), range.start as usize, range.end as usize)))
        })
    })
}

/// All partitions as one.
pub(super) fn as_one<T: Send + 'static>(pipe: Pipe<T>) -> Pipe<T> {
    pipe.regroup("in turn", Box::new(|_| 1), |input| {
        Arc::new(move |_: usize, _: &Cx| -> Result<Chain<T>> {
            let end = input.count()?;
            Ok(Box::new(InTurn::new(input.clone(), 0, end)))
        })
    })
}

/// Bags one after the other.
struct Concat<T>(Vec<Arc<dyn Node<T>>>);

impl<T: Send + 'static> Node<T> for Concat<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let pipes = self.0.iter().map(|node| node.lay(laying)).collect::<Result<Vec<_>>>()?;
        Ok(in_turn("concat", pipes))
    }
}

/// Items of two bags in pairs.
struct Zip<A, B>(Arc<dyn Node<A>>, Arc<dyn Node<B>>);

impl<A: Send + 'static, B: Send + 'static> Node<(A, B)> for Zip<A, B> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<(A, B)>> {
        let (left, right) = (as_one(self.0.lay(laying)?), as_one(self.1.lay(laying)?));
        Ok(meet(
            "zip",
            left,
            right,
            |_| 1,
            |left, right| {
                Arc::new(move |index: usize, cx: &Cx| -> Result<Chain<(A, B)>> {
                    // What is counted is asked for by those who are made of it.
                    let chains = (left.partitions.open(index, cx)?, right.partitions.open(index, cx)?);
                    Ok(Box::new(Zipped { left: chains.0, right: chains.1, waiting: None, pairs: 0 }))
                })
            },
        ))
    }
}

struct Zipped<A, B> {
    left: Chain<A>,
    right: Chain<B>,
    /// The left item whose partner has not come yet.
    waiting: Option<A>,
    pairs: u64,
}

impl<A: Send, B: Send> Items<(A, B)> for Zipped<A, B> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        match self.left.begin(pulse)? {
            None => self.right.begin(pulse),
            blocked => Ok(blocked),
        }
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<(A, B)>> {
        let left = match self.waiting.take() {
            Some(left) => left,
            None => match self.left.next(pulse)? {
                Pulled::Item(left) => left,
                Pulled::Pause => return Ok(Pulled::Pause),
                Pulled::Blocked(why) => return Ok(Pulled::Blocked(why)),
                Pulled::End => {
                    return match self.right.next(pulse)? {
                        Pulled::Item(_) => Err(self.uneven("second")),
                        Pulled::Pause => Ok(Pulled::Pause),
                        Pulled::Blocked(why) => Ok(Pulled::Blocked(why)),
                        Pulled::End => Ok(Pulled::End),
                    };
                }
            },
        };
        match self.right.next(pulse) {
            Ok(Pulled::Item(right)) => {
                self.pairs += 1;
                Ok(Pulled::Item((left, right)))
            }
            Ok(Pulled::End) => Err(self.uneven("first")),
            other => {
                self.waiting = Some(left);
                other.map(pass)
            }
        }
    }
}

/// What is no item is the same for every kind of item.
fn pass<T, U>(pulled: Pulled<T>) -> Pulled<U> {
    match pulled {
        Pulled::Item(_) | Pulled::End => Pulled::End,
        Pulled::Pause => Pulled::Pause,
        Pulled::Blocked(why) => Pulled::Blocked(why),
    }
}

impl<A, B> Zipped<A, B> {
    fn uneven(&self, longer: &str) -> Error {
        Error::query(format!(
            "bags of different lengths are zipped: the {longer} one has more than {} items",
            self.pairs
        ))
    }
}

/// Every item of one bag with every item of another.
struct Product<A, B>(Arc<dyn Node<A>>, Arc<dyn Node<B>>);

impl<A, B> Node<(A, B)> for Product<A, B>
where
    A: Clone + Send + 'static,
    B: Clone + Send + 'static,
{
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<(A, B)>> {
        let (left, right) = (self.0.lay(laying)?, self.1.lay(laying)?);
        Ok(meet(
            "product",
            left,
            right,
            |counts| counts.iter().product(),
            |left, right| {
                Arc::new(move |index: usize, cx: &Cx| -> Result<Chain<(A, B)>> {
                    let many = right.count()?.max(1);
                    let items = left.partitions.open(index / many, cx)?;
                    let (block, partner) = (Vec::new(), None);
                    let (right, other) = (right.clone(), index % many);
                    Ok(Box::new(Crossed {
                        items,
                        block,
                        whole: false,
                        ended: false,
                        right,
                        other,
                        open: None,
                        partner,
                        at: 0,
                    }))
                })
            },
        ))
    }
}

/// A block of the left items meets all right ones, then the next block.
struct Crossed<A, B> {
    items: Chain<A>,
    block: Vec<A>,
    /// Whether the block is all that it will be.
    whole: bool,
    /// Whether no left item is to come.
    ended: bool,
    right: Counted<B>,
    other: usize,
    open: Option<Chain<B>>,
    partner: Option<B>,
    /// The next one in the block that meets the partner.
    at: usize,
}

impl<A: Clone + Send, B: Clone + Send> Items<(A, B)> for Crossed<A, B> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        if self.open.is_none() {
            self.open = Some(self.right.partitions.open(self.other, pulse.cx)?);
        }
        match self.items.begin(pulse)? {
            None => self.open.as_mut().map_or(Ok(None), |open| open.begin(pulse)),
            blocked => Ok(blocked),
        }
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<(A, B)>> {
        loop {
            if !self.whole {
                match if self.ended { Pulled::End } else { self.items.next(pulse)? } {
                    Pulled::Item(item) => self.block.push(item),
                    Pulled::End => (self.ended, self.whole) = (true, true),
                    other => return Ok(pass(other)),
                }
                self.whole |= self.block.len() >= BLOCK;
                continue;
            }
            if self.block.is_empty() {
                return Ok(Pulled::End);
            }
            if let (Some(partner), Some(item)) = (&self.partner, self.block.get(self.at)) {
                if pulse.is_spent() {
                    return Ok(Pulled::Pause);
                }
                pulse.burn(0);
                self.at += 1;
                return Ok(Pulled::Item((item.clone(), partner.clone())));
            }
            (self.partner, self.at) = (None, 0);
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let open = self.open.insert(self.right.partitions.open(self.other, pulse.cx)?);
                    if let Some(why) = open.begin(pulse)? {
                        return Ok(Pulled::Blocked(why));
                    }
                    open
                }
            };
            match open.next(pulse)? {
                Pulled::Item(partner) => self.partner = Some(partner),
                Pulled::End => {
                    self.open = None;
                    self.block.clear();
                    if self.ended {
                        return Ok(Pulled::End);
                    }
                    self.whole = false;
                }
                other => return Ok(pass(other)),
            }
        }
    }
}

/// A value that goes along all items in order.
struct Accumulate<T, A, F> {
    input: Arc<dyn Node<T>>,
    first: A,
    f: Arc<F>,
}

impl<T, A, F> Node<A> for Accumulate<T, A, F>
where
    T: Send + 'static,
    A: Clone + Send + Sync + 'static,
    F: Fn(&A, T) -> A + Send + Sync + 'static,
{
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<A>> {
        let pipe = as_one(self.input.lay(laying)?);
        let (input, first, f) = (pipe.partitions.clone(), self.first.clone(), self.f.clone());
        Ok(pipe.with("accumulate", move |index: usize, cx: &Cx| -> Result<Chain<A>> {
            Ok(Box::new(Accumulated { input: input.open(index, cx)?, value: first.clone(), f: f.clone() }))
        }))
    }
}

struct Accumulated<T, A, F> {
    input: Chain<T>,
    value: A,
    f: Arc<F>,
}

impl<T, A: Clone + Send, F: Fn(&A, T) -> A + Send + Sync> Items<A> for Accumulated<T, A, F> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<A>> {
        self.value = (self.f)(&self.value, item!(self.input.next(pulse)));
        Ok(Pulled::Item(self.value.clone()))
    }
}

/// Items with their numbers: first all partitions are counted, then they are read once more.
struct Enumerate<T>(Arc<dyn Node<T>>);

/// Items of each partition.
type Counts = Arc<Mutex<BTreeMap<usize, u64>>>;

struct Counting {
    counts: Counts,
    partition: usize,
    items: u64,
}

struct CountAll(Counts);

impl<T: Send + 'static> Takers<T> for CountAll {
    fn taker(&self, partition: usize, _cx: &Cx) -> Result<Box<dyn Taker<T>>> {
        Ok(Box::new(Counting { counts: self.0.clone(), partition, items: 0 }))
    }

    fn sizes(&self) -> Sizes {
        Sizes::default()
    }
}

impl<T> Taker<T> for Counting {
    fn take(&mut self, _item: T, _cx: &Cx) -> Result<Taken> {
        self.items += 1;
        Ok(Taken::More)
    }

    fn end(&mut self, _cx: &Cx) -> Result<Taken> {
        lock(&self.counts).insert(self.partition, self.items);
        Ok(Taken::Done)
    }
}

impl<T: Send + 'static> Node<(u64, T)> for Enumerate<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<(u64, T)>> {
        let counts = Counts::default();
        let first = self.0.lay(laying)?;
        let counted = laying.drain(first, Arc::new(CountAll(counts.clone())));
        let mut pipe = self.0.lay(laying)?;
        pipe.after.push(counted);
        let input = pipe.partitions.clone();
        Ok(pipe.with("enumerate", move |index: usize, cx: &Cx| -> Result<Chain<(u64, T)>> {
            let first = lock(&counts).range(..index).map(|(_, items)| items).sum();
            Ok(Box::new(Numbered { input: input.open(index, cx)?, next: first }))
        }))
    }
}

struct Numbered<T> {
    input: Chain<T>,
    next: u64,
}

impl<T> Items<(u64, T)> for Numbered<T> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<(u64, T)>> {
        let item = item!(self.input.next(pulse));
        self.next += 1;
        Ok(Pulled::Item((self.next - 1, item)))
    }
}

impl<T: Send + 'static> Bag<T> {
    /// The items of this bag, then those of `other`, in the partitions that they are in.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let both = Bag::range(&session, 0..2, 2).concat(&Bag::range(&session, 7..9, 1));
    /// assert_eq!(both.collect()?, [0, 1, 7, 8]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn concat(&self, other: &Bag<T>) -> Bag<T> {
        self.then(Concat(vec![self.node.clone(), other.node.clone()]))
    }

    /// The first item with the first of `other`, and so on, whatever partitions they are in. Bags of different lengths are an
    /// error. One task reads both bags; the result is one partition.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (letters, numbers) = (Bag::from_iter(&session, ['a', 'b', 'c'], 2), Bag::range(&session, 0..3, 3));
    /// assert_eq!(letters.zip(&numbers).collect()?, [('a', 0), ('b', 1), ('c', 2)]);
    /// assert!(letters.zip(&Bag::range(&session, 0..4, 3)).collect().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn zip<U: Send + 'static>(&self, other: &Bag<U>) -> Bag<(T, U)> {
        self.then(Zip(self.node.clone(), other.node.clone()))
    }

    /// Every item with every item of `other`; a partition for each pair of partitions. The order is unspecified.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let pairs = Bag::range(&session, 0..4, 2).product(&Bag::range(&session, 0..3, 3));
    /// assert_eq!(pairs.map(|(a, b)| a * b).sum()?, Some(18));
    /// # Ok(())
    /// # }
    /// ```
    pub fn product<U: Clone + Send + 'static>(&self, other: &Bag<U>) -> Bag<(T, U)>
    where
        T: Clone,
    {
        self.then(Product(self.node.clone(), other.node.clone()))
    }

    /// A value for each item: `f` of the value before, which is `first` at the beginning, and the item. One task goes along
    /// all items in order; the result is one partition.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sums = Bag::range(&session, 1..5, 3).accumulate(0, |sum, n| sum + n);
    /// assert_eq!(sums.collect()?, [1, 3, 6, 10]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn accumulate<A: Clone + Send + Sync + 'static>(
        &self,
        first: A,
        f: impl Fn(&A, T) -> A + Send + Sync + 'static,
    ) -> Bag<A> {
        self.then(Accumulate { input: self.node.clone(), first, f: Arc::new(f) })
    }

    /// Each item with its number in the bag, from 0. Partitions are counted first, so the bag runs twice.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let odd = Bag::range(&session, 0..6, 3).filter(|n| n % 2 == 1).enumerate();
    /// assert_eq!(odd.collect()?, [(0, 1), (1, 3), (2, 5)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enumerate(&self) -> Bag<(u64, T)> {
        self.then(Enumerate(self.node.clone()))
    }

    /// The same items in at most so many partitions (at least one), each of neighbours. Nothing is moved.
    /// [`repartition`](Self::repartition) makes more, too.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sums = Bag::range(&session, 0..10, 10).coalesce(2).map_partitions(|items| [items.sum::<i64>()]);
    /// assert_eq!(sums.collect()?, [10, 35]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn coalesce(&self, partitions: usize) -> Bag<T> {
        self.then(Fewer { input: self.node.clone(), partitions: partitions.max(1) })
    }
}
