//! Folds by key: each key becomes one value, of any number of keys.
//!
//! Life of an item:
//!
//! 1. Its worker adds it to the value of its key in a [`table`](super::table), which always has a share of the budget and
//!    grows while the budget allows it.
//! 2. When the table may not grow, or its memory is asked back, its values go into the external sort as rows of key and
//!    encoded value. A fold that minds the order folds runs of neighbouring partitions, as many as threads need to be busy,
//!    and empties its table when a run ends: so values of a key meet in the order of the partitions, and the answer is the
//!    same each time. Folds that do not (counts, sums) keep their tables from partition to partition.
//! 3. Behind the sort, values of equal keys are neighbours, and are merged as they are read.
//!
//! ```text
//! items -> table -> (key, value) rows -> worker's sort --+
//! items -> table -> (key, value) rows -> worker's sort --+--> combine -> passes -> merge: one value a key
//! ```

use super::Bag;
use super::coding::{Item, decode, encode_key};
use super::hash::hash;
use super::items::{Blocked, Chain, Items, Origin, Pulled, Pulse, lock};
use super::keyed::sort_by_key;
use super::node::{Laying, Node, Partitions, Pipe};
use super::rows::{Form, RowBuilder, RowReader, ranges_of};
use super::several::fewer;
use super::table::{Leaving, Table};
use super::task::{Drawn, Opening, Taken};
use super::together::Together;
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::{Fixed, Sizes, WithFloor};
use crate::memory::{InFlight, Reservation};
use crate::ops::sort::SortOp;
use crate::ops::{Cx, Flow, Sink, SinkOp, Step, Task, Work};
use crate::plan::{self, merged};
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Arc, Mutex};

/// Runs of partitions that a thread folds, where the order matters: more of them keep threads busy to the end, fewer make
/// fewer rows for the sort.
const RUNS: usize = 2;

/// Bytes of a table that surely is in the cache of a core.
const CACHE: usize = 256 << 10;
/// Bytes of keys that came together which are kept for the next ones.
const KEYS: usize = 64 << 10;

/// Appends the canonical bytes of an item's key.
pub(super) type WriteKey<T> = dyn Fn(&T, &mut Vec<u8>) -> Result<()> + Send + Sync;

/// Adds an item to a value.
pub(super) type Add<T, A> = dyn Fn(&mut Option<A>, T, Position) -> Result<()> + Send + Sync;

/// How items become a value.
pub(super) struct FoldBy<T, A> {
    /// The key of an item.
    pub(super) key: Box<WriteKey<T>>,
    /// The value before the first item.
    pub(super) init: Box<dyn Fn() -> A + Send + Sync>,
    /// Adds an item, which stands at that position, to a value that is there.
    pub(super) add: Box<Add<T, A>>,
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
    /// several partitions, `merge` merges their values, those of earlier partitions first. A value may be begun with `init`
    /// as often as there are partitions, so it should change nothing: 0 for sums, an empty list for lists.
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
            add: Box::new(move |value, item, _| {
                *value = value.take().map(|value| add(value, item));
                Ok(())
            }),
            merge: Box::new(move |a, b| Ok(merge(a, b))),
            commutes: false,
        })
    }
}

impl<T: Send + 'static, K: Item, A: Item> Node<(K, A)> for Folded<T, A> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<(K, A)>> {
        let mut input = self.input.lay(laying)?;
        let meter = Arc::new(Meter::default());
        let sort = Arc::new(sort_by_key(laying, &meter)?);
        let limits = laying.plan.limits.clone();
        let threads = limits.threads.max(1);
        if !self.how.commutes {
            input = fewer(input, "runs", RUNS * threads);
        }
        // All tables together have a sixteenth of the budget, and a quarter while nobody else wants it.
        let table = (limits.memory / 16 / threads).clamp(limits.page(), 64 << 20);
        let floor = input.in_flight + table + sort.floor(&limits.tuning) + 2 * limits.tuning.batch_bytes;
        let folding = Arc::new(Folding {
            partitions: input.partitions,
            how: self.how.clone(),
            sort: sort.clone(),
            table: (table, table.max(limits.memory / 4 / threads)),
            in_flight: input.in_flight + 2 * limits.tuning.batch_bytes,
            idle: Mutex::default(),
            combining: AtomicUsize::new(threads),
        });
        let layout = Arc::new(WithFloor { inner: input.layout, more: floor });
        let fed = laying.plan.stages.add(input.name.clone(), input.after, layout, Arc::new(Feeding(folding.clone())));
        let each = Arc::new(Fixed { tasks: threads, floor: 0 });
        let work = Arc::new(Combining(folding));
        let combined = laying.plan.stages.add("fold by key: combine".into(), vec![fed], each, work);
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
    /// Bytes of a worker's table: at least, at most.
    table: (usize, usize),
    in_flight: usize,
    idle: Mutex<Vec<Worker<A>>>,
    /// Tasks that combine and have not ended: the last one ends the sort.
    combining: AtomicUsize,
}

impl<T, A: Item> Folding<T, A> {
    /// Gives back up to `bytes` of what rests.
    fn give(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for worker in lock(&self.idle).iter_mut() {
            if given < bytes {
                given += worker.give(bytes - given, cx)?;
            }
        }
        if given < bytes {
            given += SinkOp::spill(&*self.sort, bytes - given, cx)?;
        }
        Ok(given)
    }
}

/// What a worker keeps from task to task.
struct Worker<A> {
    table: Table<A>,
    room: Room,
    /// Values on their way into the sort.
    leaving: Option<Leaving<A>>,
    rows: RowBuilder,
    sink: Box<dyn Sink>,
    sink_is_ready: bool,
    /// Rows that went into the sort.
    row: u64,
    keys: Keys,
}

/// The keys of items that came together: their hashes, and where their bytes end.
#[derive(Default)]
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<(u64, usize)>,
}

impl Keys {
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEYS);
        self.ends.clear();
    }

    /// The hash and the bytes of each.
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut begin = 0;
        self.ends.iter().map(move |(hash, end)| {
            let key = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            (*hash, key)
        })
    }
}

/// The memory of a worker's table: a floor, and what the budget gives beyond it, up to a limit, until it is asked back.
struct Room {
    held: Arc<Reservation>,
    /// Bytes that it always has, that it has now, that it may have.
    least: usize,
    now: usize,
    most: usize,
}

impl Room {
    fn new(least: usize, most: usize, cx: &Cx) -> Result<Self> {
        let held = cx.memory.budget.require("a table of folds by key", least, true)?;
        held.grow_anyway(least);
        Ok(Room { held, least, now: least, most })
    }

    /// Whether there is room for more than `bytes`; asks for some.
    fn is_more_than(&mut self, bytes: usize) -> bool {
        while self.now <= bytes {
            let more = self.least.min(self.most.saturating_sub(self.now));
            if more == 0 || !self.held.try_grow(more) {
                return false;
            }
            self.now += more;
        }
        true
    }

    /// Gives back what is not needed for `bytes`, and says how much that was.
    fn keep(&mut self, bytes: usize) -> usize {
        let given = self.now.saturating_sub(bytes.max(self.least));
        self.held.shrink(given);
        self.now -= given;
        given
    }

    /// Whether some of it is asked back that may be.
    fn is_asked_for(&self) -> bool {
        self.held.take_wanted() > 0 && self.now > self.least
    }
}

impl<A: Item> Worker<A> {
    fn new<T>(shared: &Folding<T, A>, cx: &Cx) -> Result<Self> {
        let (least, most) = shared.table;
        Ok(Worker {
            table: Table::new(),
            room: Room::new(least, most, cx)?,
            leaving: None,
            rows: RowBuilder::new(Form::Keyed),
            sink: shared.sort.local(cx)?,
            sink_is_ready: true,
            row: 0,
            keys: Keys::default(),
        })
    }

    /// Adds items, the first of which stands at that position.
    fn add<T>(
        &mut self,
        how: &FoldBy<T, A>,
        items: &mut Together<T>,
        origin: &mut Origin,
        mut position: Position,
        cx: &Cx,
    ) -> Result<()> {
        let (keys, table) = (&mut self.keys, &mut self.table);
        keys.clear();
        items.see(origin, |item| {
            let begin = keys.bytes.len();
            (how.key)(item, &mut keys.bytes)?;
            let hash = hash(keys.bytes.get(begin..).unwrap_or_default(), &cx.tuning);
            keys.ends.push((hash, keys.bytes.len()));
            table.expect_place(hash);
            Ok(())
        })?;
        keys.ends.iter().for_each(|(hash, _)| table.expect_slot(*hash));
        let mut keys = keys.iter();
        items.take(origin, |item| {
            let (hash, key) = keys.next().ok_or_else(|| Error::internal("an item without a key"))?;
            table.add(hash, key, &how.init, |value| (how.add)(value, item, position))?;
            position.row += 1;
            Ok(())
        })
    }

    /// Begins to move the table into the sort.
    fn leave(&mut self) {
        if self.leaving.is_none() {
            self.leaving = Some(self.table.take());
        }
    }

    /// Moves a batch of values into the sort; `None` when all are in.
    fn move_on(&mut self, split: u64, cx: &Cx) -> Result<Option<Flow>> {
        let Some(leaving) = &mut self.leaving else { return Ok(None) };
        for slot in leaving.by_ref() {
            self.rows.under(slot.key(), hash(slot.key(), &cx.tuning), slot.value()?)?;
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

    /// Gives back what was asked for: of the sort now, of the table as its values leave.
    fn answer(&mut self, cx: &Cx) -> Result<Option<usize>> {
        if self.room.is_asked_for() {
            self.leave();
        }
        let wanted = self.sink.reservation().map_or(0, |r| r.take_wanted());
        if wanted == 0 { Ok(None) } else { self.sink.spill(wanted, cx).map(Some) }
    }

    /// Gives back what values had that left, and says how much that was.
    fn shrink(&mut self) -> usize {
        match &self.leaving {
            Some(leaving) => self.room.keep(leaving.bytes()),
            None if self.table.is_empty() => self.room.keep(0),
            None => 0,
        }
    }

    /// Goes on with rows that the sort could not take, or with values that leave; `None` when nothing is under way.
    fn flow(&mut self, split: u64, cx: &Cx) -> Result<Option<Flow>> {
        let flow = match self.sink_is_ready {
            false => Some(self.sink.resume(cx)?),
            true => self.move_on(split, cx)?,
        };
        self.sink_is_ready = matches!(flow, None | Some(Flow::Ready));
        Ok(flow)
    }

    /// The same as a step of a task.
    fn go_on(&mut self, split: u64, cx: &Cx) -> Result<Option<Step>> {
        if let Some(given) = self.answer(cx)? {
            return Ok(Some(Step::Gave(given)));
        }
        let flow = self.flow(split, cx)?;
        let given = self.shrink();
        Ok(match flow {
            Some(Flow::Starved(starved)) => Some(Step::Starved(starved)),
            Some(Flow::Wait(token)) => Some(Step::Wait(token)),
            Some(Flow::Ready) | None if given > 0 => Some(Step::Gave(given)),
            Some(Flow::Ready) => Some(Step::More),
            None => None,
        })
    }

    /// Bytes that it holds beyond what its table always has.
    fn held(&self) -> usize {
        self.room.now + self.sink.reservation().map_or(0, |r| r.held())
    }

    /// Gives back about `bytes` between two tasks, when nobody steps it.
    fn give(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let before = self.held();
        if self.room.now > self.room.least {
            self.leave();
            while let Some(flow) = self.flow(u64::MAX, cx)? {
                let stuck = match flow {
                    Flow::Ready => false,
                    Flow::Starved(_) => self.sink.spill(bytes, cx)? == 0,
                    Flow::Wait(_) => true,
                };
                if stuck {
                    break;
                }
            }
            self.shrink();
        }
        if before.saturating_sub(self.held()) < bytes {
            self.sink.spill(bytes, cx)?;
        }
        Ok(before.saturating_sub(self.held()))
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
        if let Err(error) = worker.sink.begin(index as u64, cx) {
            // It may have values of partitions before, and a task that is refused is opened again.
            lock(&shared.idle).push(worker);
            return Err(error);
        }
        Ok(Box::new(FoldTask {
            opening: Opening::new(shared.partitions.clone(), index),
            partition: index as u64,
            worker: Some(worker),
            shared,
            items: 0,
            together: Together::new(),
            ended: false,
            _in_flight: in_flight,
        }))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.give(bytes, cx)
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
    together: Together<T>,
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
        let (split, items) = (self.partition, &mut self.items);
        // What is in a cache is there at once.
        let many = worker.table.bytes() > CACHE;
        let drawn = self.opening.pull_together(cx, many, &mut self.together, &mut |some, origin| {
            let position = Position { split, row: *items + 1 };
            *items += some.len() as u64;
            worker.add(how, some, origin, position, cx)?;
            Ok(if worker.table.bytes() >= worker.room.now { Taken::Enough } else { Taken::More })
        })?;
        match drawn {
            Drawn::Wait(token) => return Ok(Step::Wait(token)),
            Drawn::Starved(starved) => return Ok(Step::Starved(starved)),
            Drawn::More | Drawn::Pause => {}
            Drawn::End => self.ended = true,
        }
        if !worker.room.is_more_than(worker.table.bytes()) || (self.ended && !how.commutes) {
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
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Task>> {
        // Behind all that came before.
        let split = u64::MAX - index as u64;
        Ok(Box::new(CombineTask { shared: self.0.clone(), worker: None, split }))
    }

    fn sizes(&self) -> Sizes {
        self.0.sort.sizes()
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.give(bytes, cx)
    }
}

struct CombineTask<T, A> {
    shared: Arc<Folding<T, A>>,
    worker: Option<Worker<A>>,
    split: u64,
}

impl<T: Send, A: Item> Task for CombineTask<T, A> {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        if let Some(worker) = &mut self.worker {
            if let Some(step) = worker.go_on(self.split, cx)? {
                return Ok(step);
            }
            let Some(Worker { sink, .. }) = self.worker.take() else { return Ok(Step::More) };
            sink.finish(cx)?;
            return Ok(Step::More);
        }
        let Some(mut worker) = lock(&self.shared.idle).pop() else {
            if self.shared.combining.fetch_sub(1, AcqRel) == 1 {
                self.shared.sort.finish(cx)?;
            }
            return Ok(Step::Done);
        };
        worker.sink.begin(self.split, cx)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Budget;

    #[test]
    fn a_table_has_room_while_nobody_wants_it() {
        let budget = Budget::new(100);
        let held = budget.require("table", 10, true).unwrap();
        held.grow_anyway(10);
        let mut room = Room { held, least: 10, now: 10, most: 45 };
        assert!(room.is_more_than(9) && room.now == 10);
        assert!(room.is_more_than(29) && room.now == 30, "it grows as it needs");
        assert!(!room.is_more_than(45) && room.now == 45, "not beyond its limit");
        assert_eq!((room.keep(20), room.now, budget.held()), (25, 20, 20));
        let other = budget.require("other", 75, false).unwrap();
        assert!(!room.is_more_than(25) && room.now == 20, "not beyond the budget");
        room.held.ask(3);
        assert!(room.is_asked_for() && !room.is_asked_for());
        assert_eq!((room.keep(0), room.now), (10, 10));
        room.held.ask(3);
        assert!(!room.is_asked_for(), "its floor is its own");
        drop(other);
        assert!(room.is_more_than(40));
    }
}
