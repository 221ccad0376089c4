//! Items at rest: encoded, in memory as far as a page goes and else in scratch; and what is made of them: a bag that does
//! not run again, other partitions, another order.

use super::Bag;
use super::coding::{Item, decode};
use super::items::{Blocked, Chain, Items, Pulled, Pulse, item, lock};
use super::node::{Laying, Node, Pipe};
use super::order::OrderKey;
use super::rows::{Form, ReadRow, RowBuilder, RowReader, SeeBatch, ranges_of, rows_of};
use super::sources::piece;
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::{Facts, Layout, Round};
use crate::ids::StageId;
use crate::ops::collect::CollectOp;
use crate::ops::sort::{SortKey, SortOp, SortSpec};
use crate::ops::{Cx, Pull, Source};
use crate::plan::{Outlet, sorted_into};
use arrow::compute::SortOptions;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The largest batch of items at rest: whoever reads from the middle of one decodes all of it.
const BATCH_BYTES: usize = 256 << 10;

/// Rows and bytes of each batch, by partition and number.
type Measured = Arc<Mutex<BTreeMap<(usize, u64), (usize, usize)>>>;

/// Items at rest. Cheap to clone.
#[derive(Clone)]
struct Rested {
    rows: Arc<CollectOp>,
    measured: Measured,
}

impl Rested {
    /// Lays the stages after which all items of `pipe` rest.
    fn lay<T: Item>(laying: &mut Laying, pipe: Pipe<T>) -> (Rested, StageId) {
        let measured = Measured::default();
        let seen = measured.clone();
        let see = move |partition, number, rows, bytes| {
            lock(&seen).insert((partition, number), (rows, bytes));
        };
        let see: Arc<SeeBatch> = Arc::new(see);
        let limits = &laying.plan.limits;
        let (page, batch_bytes) = (limits.page(), limits.tuning.batch_bytes);
        let most = BATCH_BYTES.min(batch_bytes);
        let add = move |rows: &mut RowBuilder, item: T, _: &Cx| {
            rows.plain(&item)?;
            rows.most(most);
            Ok(())
        };
        let pipe = rows_of(pipe, Form::Plain, batch_bytes, Arc::new(add), Some(see));
        let rows = Arc::new(CollectOp::new(Form::Plain.schema(), 0, None));
        let (stage, _) = laying.plan.close(pipe, Outlet::new(rows.clone(), "rest", 2 * page));
        (Rested { rows, measured }, stage)
    }

    fn items(&self) -> u64 {
        lock(&self.measured).values().map(|(rows, _)| *rows as u64).sum()
    }

    fn bytes(&self) -> u64 {
        lock(&self.measured).values().map(|(_, bytes)| *bytes as u64).sum()
    }

    /// Partitions that were not empty.
    fn partitions(&self) -> usize {
        let measured = lock(&self.measured);
        let mut partitions: Vec<usize> = measured.keys().map(|(partition, _)| *partition).collect();
        partitions.dedup();
        partitions.len()
    }

    /// The `index`-th of `count` pieces of equal numbers of items.
    fn open<T: Item>(&self, count: usize, index: usize) -> Chain<T> {
        let range = piece(self.items(), count, index);
        let (mut batch, mut first) = (0, 0);
        for (rows, _) in lock(&self.measured).values() {
            if first + *rows as u64 > range.start {
                break;
            }
            (batch, first) = (batch + 1, first + *rows as u64);
        }
        let source = Replay { rows: self.rows.clone(), next: batch };
        Box::new(Slice {
            rows: RowReader::new(Box::new(source)),
            skip: range.start - first,
            left: range.end - range.start,
            of: std::marker::PhantomData::<fn() -> T>,
        })
    }
}

/// Batches at rest from one on.
struct Replay {
    rows: Arc<CollectOp>,
    next: usize,
}

impl Source for Replay {
    fn next(&mut self, _cx: &Cx) -> Result<Pull> {
        let rows = self.rows.result().ok_or_else(|| Error::internal("items are read before they rest"))?;
        let Some(data) = rows.batch(self.next)? else { return Ok(Pull::End) };
        self.next += 1;
        Ok(Pull::Batch(Batch::new(data, Position::default())))
    }
}

/// Some items at rest, one after the other.
struct Slice<T> {
    rows: RowReader,
    skip: u64,
    left: u64,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: Item> Items<T> for Slice<T> {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        while self.left > 0 {
            item!(self.rows.advance(pulse));
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            self.left -= 1;
            let bytes = self.rows.bytes(0).ok_or_else(|| Error::internal("an item at rest is null"))?;
            return decode(bytes).map(Pulled::Item);
        }
        Ok(Pulled::End)
    }
}

/// A bag that rests already.
struct Persisted {
    rested: Rested,
    partitions: usize,
}

impl<T: Item> Node<T> for Persisted {
    fn lay(&self, _laying: &mut Laying) -> Result<Pipe<T>> {
        let (rested, count) = (self.rested.clone(), self.partitions);
        let open = move |index: usize, _: &Cx| Ok(rested.open(count, index));
        Ok(Pipe { in_flight: 2 * BATCH_BYTES, ..Pipe::of("persisted", self.partitions, open) })
    }
}

/// How many partitions there shall be.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Number(usize),
    Bytes(u64),
}

impl Cut {
    fn count(self, rested: &Rested) -> usize {
        match self {
            Cut::Number(number) => number,
            Cut::Bytes(bytes) => usize::try_from(rested.bytes().div_ceil(bytes.max(1))).unwrap_or(usize::MAX).max(1),
        }
    }
}

/// The rule of partitions that are cut when everything rests: the number follows from what the stage before measured.
struct CutLayout(Cut, Rested);

impl fmt::Debug for CutLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Layout for CutLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let tasks = if facts.round == 0 { self.0.count(&self.1) } else { 0 };
        Round { tasks, ..Round::default() }
    }
}

struct Repartitioned<T> {
    input: Arc<dyn Node<T>>,
    cut: Cut,
}

impl<T: Item> Node<T> for Repartitioned<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let input = self.input.lay(laying)?;
        let name = format!("{}, repartition", input.name);
        let (rested, stage) = Rested::lay(laying, input);
        let cut = self.cut;
        let layout = Arc::new(CutLayout(cut, rested.clone()));
        let open = move |index: usize, _: &Cx| Ok(rested.open(cut.count(&rested), index));
        let tasks = if let Cut::Number(number) = cut { Some(number) } else { None };
        let pipe = Pipe::of(name, 0, open);
        Ok(Pipe { layout, tasks, after: vec![stage], in_flight: 2 * BATCH_BYTES, ..pipe })
    }
}

/// Appends the bytes that an item is sorted by.
type Order<T> = dyn Fn(&T, &mut Vec<u8>) + Send + Sync;

struct Sorted<T> {
    input: Arc<dyn Node<T>>,
    order: Arc<Order<T>>,
}

impl<T: Item> Node<T> for Sorted<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let input = self.input.lay(laying)?;
        let order = self.order.clone();
        let add = move |rows: &mut RowBuilder, item: T, _: &Cx| rows.ordered(|out| order(&item, out), &item);
        let limits = laying.plan.limits.clone();
        let rows = rows_of(input, Form::Ordered, limits.tuning.batch_bytes, Arc::new(add), None);
        let key = SortKey { column: 1, options: SortOptions { descending: false, nulls_first: false } };
        let spec = SortSpec { input: Form::Ordered.schema(), columns: 1, keys: Arc::new([key]), fetch: None };
        let meter = Arc::new(Meter::default());
        let page = limits.page();
        let sort = SortOp::new(spec, &limits.tuning, limits.memory, page, limits.threads, meter.clone())?;
        let sorted = sorted_into(&mut laying.plan, rows, sort.clone(), "sort", "by a function".into(), meter);
        let read: Arc<ReadRow<T>> =
            Arc::new(|row: &RowReader| decode(row.bytes(0).ok_or_else(|| Error::internal("a sorted item is null"))?));
        ranges_of(sorted, sort, move |source| Box::new(super::rows::Decoding::new(source, &read)))
    }
}

impl<T: Item> Bag<T> {
    /// So many items, from one on.
    pub(super) fn slice(&self, first: u64, n: usize) -> Result<Vec<T>> {
        let numbered = self
            .enumerate()
            .mapped("slice", move |(number, item)| Ok((number >= first && number - first < n as u64).then_some(item)));
        numbered.collect()
    }

    /// Runs the bag now; the result holds its items at rest, in memory as far as a page of each worker goes and else in
    /// scratch, and does not run again what made them.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let squares = Bag::range(&session, 0..1000, 4).map(|n| n * n).persist()?;
    /// assert_eq!((squares.count()?, squares.max()?), (1000, Some(998_001)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn persist(&self) -> Result<Bag<T>> {
        let mut laying = self.laying();
        let pipe = self.node.lay(&mut laying)?;
        let (rested, _) = Rested::lay(&mut laying, pipe);
        self.run(laying)?;
        let partitions = rested.partitions();
        Ok(self.then(Persisted { rested, partitions }))
    }

    /// The same items, in order, in exactly so many partitions of about equal numbers of items. All of them rest on the way.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sizes = Bag::range(&session, 0..10, 1).repartition(3).map_partitions(|items| [items.count()]);
    /// assert_eq!(sizes.collect()?, [3, 3, 4]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn repartition(&self, partitions: usize) -> Bag<T> {
        self.then(Repartitioned { input: self.node.clone(), cut: Cut::Number(partitions.max(1)) })
    }

    /// The same items, in order, in as many partitions as are needed for each to have about `bytes` encoded bytes.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sizes = Bag::range(&session, 0..1000, 1).repartition_bytes(1000).map_partitions(|items| [items.count()]);
    /// assert!(sizes.count()? > 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn repartition_bytes(&self, bytes: u64) -> Bag<T> {
        self.then(Repartitioned { input: self.node.clone(), cut: Cut::Bytes(bytes) })
    }

    /// The items in the order of a key, by the external sort: any number of items within the budget. Items of equal keys stay
    /// in the order of the bag.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::cmp::Reverse;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let words = Bag::from_iter(&session, ["fig", "plum", "kiwi", "pear"].map(String::from), 2);
    /// let sorted = words.sorted_by(|word| (Reverse(word.len()), word.clone()));
    /// assert_eq!(sorted.collect()?, ["kiwi", "pear", "plum", "fig"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn sorted_by<K: OrderKey>(&self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Bag<T> {
        let order = move |item: &T, out: &mut Vec<u8>| key(item).write(out);
        self.then(Sorted { input: self.node.clone(), order: Arc::new(order) })
    }
}
