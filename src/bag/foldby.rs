//! Folds by key: each key becomes one value, of any number of keys.
//!
//! Life of an item:
//!
//! 1. Its worker adds it to the value of its key in a table, within a fixed share of the budget. What a value takes is
//!    measured by encoding it, when it has been added to 1, 2, 4, 8 .. times.
//! 2. When the table has its share, and when the partition ends, its values go into the external sort as rows of key and
//!    encoded value. So values of a key meet in the order of the partitions, and a fold that minds the order gives the same
//!    answer in every run. Folds that do not (counts, sums) keep their tables from partition to partition.
//! 3. Behind the sort, values of equal keys are neighbours, and are merged as they are read.
//!
//! ```text
//! items -> table -> (key, value) rows -> worker's sort --+
//! items -> table -> (key, value) rows -> worker's sort --+--> combine -> passes -> merge: one value a key
//! ```

use super::Bag;
use super::coding::{Item, decode, encode, encode_key};
use super::items::{Blocked, Chain, Items, Pulled, Pulse, lock};
use super::keyed::sort_by_key;
use super::node::{Laying, Node, Partitions, Pipe};
use super::rows::{Form, RowBuilder, RowReader, hash, ranges_of};
use super::task::{Drawn, Opening, Taken};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::{Fixed, Sizes, WithFloor};
use crate::memory::{InFlight, Reservation};
use crate::ops::sort::SortOp;
use crate::ops::{Cx, Flow, Sink, SinkOp, Step, Task, Work};
use crate::plan::{self, merged};
use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, IntoIter};
use std::sync::{Arc, Mutex};

/// What an entry of a table takes beside its key and its value.
const ENTRY: usize = 96;

/// Appends the canonical bytes of an item's key.
pub(super) type WriteKey<T> = dyn Fn(&T, &mut Vec<u8>) -> Result<()> + Send + Sync;

/// How items become a value.
pub(super) struct FoldBy<T, A> {
    /// The key of an item.
    pub(super) key: Box<WriteKey<T>>,
    /// The value before the first item.
    pub(super) init: Box<dyn Fn() -> A + Send + Sync>,
    /// Adds an item, which stands at that position.
    pub(super) add: Box<dyn Fn(A, T, Position) -> Result<A> + Send + Sync>,
    /// Merges the second value, of later items, into the first.
    pub(super) merge: Box<dyn Fn(A, A) -> Result<A> + Send + Sync>,
    /// Whether the order in which values are merged does not matter.
    pub(super) commutes: bool,
}

/// The node of a fold by key.
struct Folded<T, A> {
    input: Arc<dyn Node<T>>,
    how: Arc<FoldBy<T, A>>,
}

impl<T: Send + 'static> Bag<T> {
    /// A bag of keys and values.
    pub(super) fn fold_keys<K: Item, A: Item>(&self, how: FoldBy<T, A>) -> Bag<(K, A)> {
        self.then(Folded { input: self.node.clone(), how: Arc::new(how) })
    }

    /// A value for each key: `init`, to which `add` adds the items one after the other; where the items of a key are in
    /// several partitions, `merge` merges their values, those of earlier partitions first. `init` begins the value of each
    /// partition, so it should change nothing: 0 for sums, an empty list for lists.
    ///
    /// The order of keys is that of a hash of them. Any number of keys is folded within the budget; a value must fit in
    /// memory.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let sums = Bag::range(&session, 0..100, 7).foldby(|n| n % 2 == 0, 0, |sum, n| sum + n, |a, b| a + b);
    /// let mut sums = sums.collect()?;
    /// sums.sort();
    /// assert_eq!(sums, [(false, 2500), (true, 2450)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn foldby<K: Item, A: Item + Clone + Sync>(
        &self,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
        init: A,
        add: impl Fn(A, T) -> A + Send + Sync + 'static,
        merge: impl Fn(A, A) -> A + Send + Sync + 'static,
    ) -> Bag<(K, A)> {
        self.fold_keys(FoldBy {
            key: Box::new(move |item, bytes| encode_key(&key(item), bytes)),
            init: Box::new(move || init.clone()),
            add: Box::new(move |value, item, _| Ok(add(value, item))),
            merge: Box::new(move |a, b| Ok(merge(a, b))),
            commutes: false,
        })
    }
}

impl<T: Send + 'static, K: Item, A: Item> Node<(K, A)> for Folded<T, A> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<(K, A)>> {
        let input = self.input.lay(laying)?;
        let meter = Arc::new(Meter::default());
        let sort = Arc::new(sort_by_key(laying, &meter)?);
        let limits = laying.plan.limits.clone();
        // All tables together have a sixteenth of the budget.
        let table = (limits.memory / 16 / limits.threads.max(1)).clamp(limits.page(), 64 << 20);
        let floor = input.in_flight + table + sort.floor(&limits.tuning) + 2 * limits.tuning.batch_bytes;
        let folding = Arc::new(Folding {
            partitions: input.partitions,
            how: self.how.clone(),
            sort: sort.clone(),
            table,
            in_flight: input.in_flight + 2 * limits.tuning.batch_bytes,
            idle: Mutex::default(),
        });
        let layout = Arc::new(WithFloor { inner: input.layout, more: floor });
        let fed = laying.plan.stages.add(input.name.clone(), input.after, layout, Arc::new(Feeding(folding.clone())));
        let one = Arc::new(Fixed { tasks: 1, floor: 0 });
        let work = Arc::new(Combining(folding));
        let combined = laying.plan.stages.add("fold by key: combine".into(), vec![fed], one, work);
        let below = plan::Described::new("fold by key", input.name, meter, Vec::new());
        let sorted = merged(&mut laying.plan, sort.clone(), combined, below);
        let how = self.how.clone();
        ranges_of(sorted, (*sort).clone(), move |source| -> Chain<(K, A)> {
            Box::new(Merging {
                rows: RowReader::new(source),
                how: how.clone(),
                key: Vec::new(),
                value: None,
                ended: false,
            })
        })
    }
}

/// What all workers share.
struct Folding<T, A> {
    partitions: Arc<dyn Partitions<T>>,
    how: Arc<FoldBy<T, A>>,
    sort: Arc<SortOp>,
    /// Bytes of a worker's table.
    table: usize,
    in_flight: usize,
    idle: Mutex<Vec<Worker<A>>>,
}

/// A key of a table, as its bytes, with its value.
struct Slot<A> {
    hash: u64,
    key: Box<[u8]>,
    /// `None` only while an item is added.
    value: Option<A>,
    bytes: usize,
    adds: u32,
}

type Table<A> = HashTable<Slot<A>>;

/// What a worker keeps from task to task.
struct Worker<A> {
    table: Table<A>,
    /// Bytes of the table.
    bytes: usize,
    /// Values on their way into the sort.
    leaving: Option<IntoIter<Slot<A>>>,
    rows: RowBuilder,
    sink: Box<dyn Sink>,
    sink_is_ready: bool,
    /// Rows that went into the sort.
    row: u64,
    key: Vec<u8>,
    measure: Vec<u8>,
    _held: Arc<Reservation>,
}

impl<A: Item> Worker<A> {
    fn new<T>(shared: &Folding<T, A>, cx: &Cx) -> Result<Self> {
        let held = cx.memory.budget.require("a table of folds by key", shared.table, false)?;
        held.grow_anyway(shared.table);
        Ok(Worker {
            table: Table::new(),
            bytes: 0,
            leaving: None,
            rows: RowBuilder::new(Form::Keyed),
            sink: shared.sort.local(cx)?,
            sink_is_ready: true,
            row: 0,
            key: Vec::new(),
            measure: Vec::new(),
            _held: held,
        })
    }

    fn add<T>(&mut self, how: &FoldBy<T, A>, item: T, position: Position, cx: &Cx) -> Result<()> {
        self.key.clear();
        (how.key)(&item, &mut self.key)?;
        let hash = hash(&self.key, &cx.tuning);
        let key = self.key.as_slice();
        let entry = match self.table.entry(hash, |slot| slot.hash == hash && *slot.key == *key, |slot| slot.hash) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.bytes += key.len() + ENTRY + size_of::<A>();
                let slot = Slot { hash, key: key.into(), value: Some((how.init)()), bytes: 0, adds: 0 };
                entry.insert(slot).into_mut()
            }
        };
        let before = entry.value.take().ok_or_else(|| Error::internal("a value of a fold was lost"))?;
        let after = (how.add)(before, item, position)?;
        entry.adds = entry.adds.saturating_add(1);
        if entry.adds.is_power_of_two() {
            self.measure.clear();
            encode(&after, &mut self.measure)?;
            self.bytes = self.bytes + self.measure.len() - entry.bytes;
            entry.bytes = self.measure.len();
        }
        entry.value = Some(after);
        Ok(())
    }

    /// Begins to move the table into the sort.
    fn leave(&mut self) {
        self.bytes = 0;
        self.leaving = Some(std::mem::take(&mut self.table).into_iter());
    }

    /// Moves a batch of values into the sort; `None` when all are in.
    fn move_on(&mut self, split: u64, cx: &Cx) -> Result<Option<Flow>> {
        let Some(leaving) = &mut self.leaving else { return Ok(None) };
        for slot in leaving.by_ref() {
            let value = slot.value.ok_or_else(|| Error::internal("a value of a fold was lost"))?;
            self.rows.under(&slot.key, slot.hash, &value)?;
            if self.rows.is_full(&cx.tuning) {
                break;
            }
        }
        if self.rows.rows == 0 {
            self.leaving = None;
            return Ok(None);
        }
        let data = self.rows.finish()?;
        let position = Position { split, row: self.row };
        self.row += data.num_rows() as u64;
        self.sink.push(Batch::new(data, position), cx).map(Some)
    }

    /// Gives back what was asked for.
    fn answer(&mut self, cx: &Cx) -> Result<Option<usize>> {
        let wanted = self.sink.reservation().map_or(0, |r| r.take_wanted());
        if wanted == 0 { Ok(None) } else { self.sink.spill(wanted, cx).map(Some) }
    }

    /// Goes on with rows that the sort could not take, and with values that leave; `None` when nothing is under way.
    fn go_on(&mut self, split: u64, cx: &Cx) -> Result<Option<Step>> {
        if let Some(given) = self.answer(cx)? {
            return Ok(Some(Step::Gave(given)));
        }
        let flow = match self.sink_is_ready {
            false => Some(self.sink.resume(cx)?),
            true => self.move_on(split, cx)?,
        };
        self.sink_is_ready = matches!(flow, None | Some(Flow::Ready));
        Ok(flow.map(|flow| match flow {
            Flow::Ready => Step::More,
            Flow::Starved(starved) => Step::Starved(starved),
            Flow::Wait(token) => Step::Wait(token),
        }))
    }
}

struct Feeding<T, A>(Arc<Folding<T, A>>);

impl<T: Send + 'static, A: Item> Work for Feeding<T, A> {
    fn open(&self, _round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        let shared = self.0.clone();
        let in_flight = cx.memory.budget.in_flight("a partition of a bag", shared.in_flight)?;
        let idle = lock(&shared.idle).pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::new(&shared, cx)?,
        };
        worker.sink.begin(index as u64, cx)?;
        Ok(Box::new(FoldTask {
            opening: Opening::new(shared.partitions.clone(), index),
            partition: index as u64,
            worker: Some(worker),
            shared,
            items: 0,
            ended: false,
            _in_flight: in_flight,
        }))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for worker in lock(&self.0.idle).iter_mut() {
            if given < bytes {
                given += worker.sink.spill(bytes - given, cx)?;
            }
        }
        if given < bytes {
            given += SinkOp::spill(&*self.0.sort, bytes - given, cx)?;
        }
        Ok(given)
    }
}

struct FoldTask<T, A> {
    shared: Arc<Folding<T, A>>,
    opening: Opening<T>,
    partition: u64,
    /// `None` once it was put back.
    worker: Option<Worker<A>>,
    /// Items that were added.
    items: u64,
    ended: bool,
    _in_flight: InFlight,
}

impl<T: Send, A: Item> Task for FoldTask<T, A> {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        let Some(worker) = &mut self.worker else { return Ok(Step::Done) };
        if let Some(step) = worker.go_on(self.partition, cx)? {
            return Ok(step);
        }
        let how = &*self.shared.how;
        if self.ended {
            lock(&self.shared.idle).extend(self.worker.take());
            return Ok(Step::Done);
        }
        let (partition, most) = (self.partition, self.shared.table);
        let items = &mut self.items;
        let drawn = self.opening.pull(cx, &mut |item| {
            *items += 1;
            worker.add(how, item, Position { split: partition, row: *items }, cx)?;
            Ok(if worker.bytes >= most { Taken::Enough } else { Taken::More })
        })?;
        match drawn {
            Drawn::Wait(token) => return Ok(Step::Wait(token)),
            Drawn::Starved(starved) => return Ok(Step::Starved(starved)),
            Drawn::More | Drawn::Pause => {}
            Drawn::End => self.ended = true,
        }
        if worker.bytes >= most || (self.ended && !how.commutes) {
            worker.leave();
        }
        Ok(Step::More)
    }

    fn refused(&mut self) -> Option<Error> {
        self.opening.refused()
    }
}

/// The exchange: what is left in tables goes into the sort, and the workers' rows are put together.
struct Combining<T, A>(Arc<Folding<T, A>>);

impl<T: Send + 'static, A: Item> Work for Combining<T, A> {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Task>> {
        Ok(Box::new(CombineTask { shared: self.0.clone(), worker: None, begun: 0 }))
    }

    fn sizes(&self) -> Sizes {
        self.0.sort.sizes()
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        SinkOp::spill(&*self.0.sort, bytes, cx)
    }
}

struct CombineTask<T, A> {
    shared: Arc<Folding<T, A>>,
    worker: Option<Worker<A>>,
    /// Workers that have begun to leave.
    begun: u64,
}

impl<T: Send, A: Item> Task for CombineTask<T, A> {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        let split = u64::MAX - self.begun;
        if let Some(worker) = &mut self.worker {
            if let Some(step) = worker.go_on(split, cx)? {
                return Ok(step);
            }
            let Some(Worker { sink, .. }) = self.worker.take() else { return Ok(Step::More) };
            sink.finish(cx)?;
            return Ok(Step::More);
        }
        let Some(mut worker) = lock(&self.shared.idle).pop() else {
            self.shared.sort.finish(cx)?;
            return Ok(Step::Done);
        };
        self.begun += 1;
        worker.sink.begin(u64::MAX - self.begun, cx)?;
        worker.leave();
        self.worker = Some(worker);
        Ok(Step::More)
    }
}

/// Neighbours with equal keys become one.
struct Merging<T, A> {
    rows: RowReader,
    how: Arc<FoldBy<T, A>>,
    /// The key in the making, and its value.
    key: Vec<u8>,
    value: Option<A>,
    ended: bool,
}

impl<T: Send, A: Item> Merging<T, A> {
    fn out<K: Item>(&mut self) -> Result<Option<(K, A)>> {
        self.value.take().map(|value| Ok((decode(&self.key)?, value))).transpose()
    }
}

impl<T: Send, K: Item, A: Item> Items<(K, A)> for Merging<T, A> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.rows.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<(K, A)>> {
        loop {
            if self.ended {
                return Ok(self.out()?.map_or(Pulled::End, Pulled::Item));
            }
            match self.rows.advance(pulse)? {
                Pulled::Item(()) => {}
                Pulled::Pause => return Ok(Pulled::Pause),
                Pulled::Blocked(why) => return Ok(Pulled::Blocked(why)),
                Pulled::End => {
                    self.ended = true;
                    continue;
                }
            }
            let row = self.rows.bytes(0).zip(self.rows.bytes(1));
            let (key, value) = row.ok_or_else(|| Error::internal("a fold by key without a key"))?;
            let value: A = decode(value)?;
            match self.value.take() {
                Some(before) if self.key == key => self.value = Some((self.how.merge)(before, value)?),
                before => {
                    self.value = before;
                    let out = self.out()?;
                    self.key.clear();
                    self.key.extend_from_slice(self.rows.bytes(0).unwrap_or_default());
                    self.value = Some(value);
                    if let Some(out) = out {
                        return Ok(Pulled::Item(out));
                    }
                }
            }
        }
    }
}
