//! The items of a running bag, in order, for whoever iterates over them.
//!
//! A task gathers some items and leaves them with the queue under the number of its partition. Of the partition whose turn
//! it is a few parcels may wait, of every other one; and more of each, while there is room for all of them in a part of the
//! budget: so partitions that are ahead of their turn go on, and threads need not wait for one another. A task that has left
//! as much waits for its token. So what waits for a slow reader is bounded, and a reader that goes away ends the query.

use super::Bag;
use super::items::lock;
use super::json::Json;
use super::task::{Taken, Taker, Takers};
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::memory::{Budget, Reservation};
use crate::ops::Cx;
use crate::run::QueryHandle;
use crate::wake::Waker;
use std::any::{Any, TypeId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::vec::IntoIter;

/// Items of a parcel, at most.
const PARCEL: usize = 256;
/// Bytes of a parcel's items, at most, not counting what they point to.
const PARCEL_BYTES: usize = 64 << 10;
/// Parcels of the partition whose turn it is that may wait in any case.
const PARCELS: usize = 4;
/// Parcels of a partition that may wait while there is room, if it is known what items take.
const AHEAD: usize = 64;
/// The part of the budget that all parcels may be that wait, and the most that it is.
const PART: usize = 32;
const MOST: usize = 16 << 20;

struct Queue<T> {
    state: Mutex<State<T>>,
    change: Condvar,
}

struct State<T> {
    partitions: BTreeMap<usize, Parcels<T>>,
    turn: usize,
    store: Store,
    waiting: Vec<Waker>,
    /// The query has ended, so.
    ended: Option<Result<()>>,
    abandoned: bool,
}

struct Parcels<T> {
    parcels: VecDeque<Parcel<T>>,
    ended: bool,
}

/// Items, and what they take.
struct Parcel<T> {
    items: Vec<T>,
    bytes: usize,
}

/// The memory of the parcels that wait.
struct Store {
    /// `None` where nobody counts.
    held: Option<Arc<Reservation>>,
    bytes: usize,
    most: usize,
}

impl Store {
    fn new(budget: Option<&Budget>) -> Store {
        let held = budget.and_then(|budget| budget.reserve("items for a reader", 0, false));
        let most = held.as_ref().map_or(0, |held| (held.budget().limit() / PART).min(MOST));
        Store { held, bytes: 0, most }
    }

    /// A parcel has come, whether there was room or not.
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.held.iter().for_each(|held| held.grow_anyway(bytes));
    }

    fn remove(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.held.iter().for_each(|held| held.shrink(bytes));
    }

    /// Whether there is room for one more parcel.
    fn has_room(&self) -> bool {
        let Some(held) = self.held.as_ref().filter(|_| self.bytes + PARCEL_BYTES <= self.most) else { return false };
        let grown = held.try_grow(PARCEL_BYTES);
        if grown {
            held.shrink(PARCEL_BYTES);
        }
        grown
    }
}

impl<T> State<T> {
    fn of(&mut self, partition: usize) -> &mut Parcels<T> {
        self.partitions.entry(partition).or_insert_with(|| Parcels { parcels: VecDeque::new(), ended: false })
    }

    /// Whether another parcel of the partition may come now. Only a parcel that is taken makes room.
    fn room(&mut self, partition: usize, cx: &Cx) -> Taken {
        let least = if partition == self.turn { PARCELS } else { 1 };
        let waiting = self.of(partition).parcels.len();
        if waiting < least || (waiting < AHEAD && self.store.has_room()) {
            return Taken::More;
        }
        let waker = cx.wakers.ticket();
        let token = waker.token();
        self.waiting.push(waker);
        Taken::Wait(token)
    }

    /// The next parcel in turn.
    fn next(&mut self) -> Option<Vec<T>> {
        loop {
            let parcels = self.partitions.get_mut(&self.turn)?;
            if let Some(Parcel { items, bytes }) = parcels.parcels.pop_front() {
                self.store.remove(bytes);
                return Some(items);
            }
            if !parcels.ended {
                return None;
            }
            self.partitions.remove(&self.turn);
            self.turn += 1;
        }
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    fn tell(&self, mut state: MutexGuard<'_, State<T>>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.change.notify_all();
        waiting.iter().for_each(Waker::wake);
    }
}

struct Delivery<T>(Arc<Queue<T>>);

impl<T: Send + 'static> Takers<T> for Delivery<T> {
    fn taker(&self, index: usize, _cx: &Cx) -> Result<Box<dyn Taker<T>>> {
        let most = (PARCEL_BYTES / size_of::<T>().max(1)).clamp(1, PARCEL);
        Ok(Box::new(Deliver { queue: self.0.clone(), partition: index, parcel: Vec::new(), most, weight: 0 }))
    }
}

struct Deliver<T> {
    queue: Arc<Queue<T>>,
    partition: usize,
    parcel: Vec<T>,
    most: usize,
    /// Bytes of the items in the parcel, with the texts that they point to.
    weight: usize,
}

/// Whether what an item takes is known: then more of them may wait.
fn is_weighed<T: 'static>() -> bool {
    let weighed = [TypeId::of::<Json>(), TypeId::of::<String>(), TypeId::of::<Vec<u8>>()];
    !std::mem::needs_drop::<T>() || weighed.contains(&TypeId::of::<T>())
}

/// What an item takes beside itself, where that is known: texts may be long.
fn weight<T: 'static>(item: &T) -> usize {
    let item: &dyn Any = item;
    let json = item.downcast_ref::<Json>().map(|json| json.as_str().len());
    json.or_else(|| item.downcast_ref::<String>().map(String::len))
        .or_else(|| item.downcast_ref::<Vec<u8>>().map(Vec::len))
        .unwrap_or(0)
}

impl<T> Deliver<T> {
    /// Leaves the parcel, and waits where enough waits already.
    fn leave(&mut self, cx: &Cx, ended: bool) -> Taken {
        let (items, bytes) = (std::mem::take(&mut self.parcel), std::mem::take(&mut self.weight));
        let mut state = self.queue.lock();
        if state.abandoned {
            return Taken::Done;
        }
        if !items.is_empty() {
            state.store.add(bytes);
            state.of(self.partition).parcels.push_back(Parcel { items, bytes });
        }
        state.of(self.partition).ended = ended;
        let taken = if ended { Taken::Done } else { state.room(self.partition, cx) };
        drop(state);
        self.queue.change.notify_all();
        taken
    }
}

impl<T: Send + 'static> Taker<T> for Deliver<T> {
    fn room(&mut self, cx: &Cx) -> Result<Taken> {
        let mut state = self.queue.lock();
        Ok(if state.abandoned { Taken::Done } else { state.room(self.partition, cx) })
    }

    fn take(&mut self, item: T, cx: &Cx) -> Result<Taken> {
        self.weight += size_of::<T>() + weight(&item);
        self.parcel.push(item);
        match self.parcel.len() >= self.most || self.weight >= PARCEL_BYTES {
            true => Ok(self.leave(cx, false)),
            false => Ok(Taken::More),
        }
    }

    fn pause(&mut self, cx: &Cx) -> Result<Taken> {
        match self.parcel.is_empty() {
            true => Ok(Taken::More),
            false => Ok(self.leave(cx, false)),
        }
    }

    fn end(&mut self, cx: &Cx) -> Result<Taken> {
        self.leave(cx, true);
        Ok(Taken::Done)
    }
}

/// The items of a running bag, in the order of its partitions. Dropping it ends the query.
pub struct BagIter<T> {
    queue: Arc<Queue<T>>,
    parcel: IntoIter<T>,
    session: Session,
    handle: QueryHandle,
    over: bool,
}

impl<T: Send + 'static> Bag<T> {
    /// Runs the bag; its items are read as they come, in order, and never all held.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut sum = 0;
    /// for item in Bag::range(&session, 0..1000, 7).filter(|n| n % 3 == 0).iter()? {
    ///     sum += item?;
    /// }
    /// assert_eq!(sum, 166_833);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever laying the graph meets; what running meets comes with the items.
    pub fn iter(&self) -> Result<BagIter<T>> {
        let mut laying = self.laying();
        let store = Store::new(laying.plan.budget.as_ref().filter(|_| is_weighed::<T>()));
        let (partitions, waiting) = (BTreeMap::new(), Vec::new());
        let state = State { partitions, turn: 0, store, waiting, ended: None, abandoned: false };
        let queue = Arc::new(Queue { state: Mutex::new(state), change: Condvar::new() });
        let pipe = self.node.lay(&mut laying)?;
        laying.drain(pipe, Arc::new(Delivery(queue.clone())));
        let told = queue.clone();
        let end = move |result| {
            let mut state = told.lock();
            state.ended = Some(result);
            told.tell(state);
        };
        let handle = self.session.submit_stages(laying.plan.stages, Box::new(end));
        Ok(BagIter { queue, parcel: Vec::new().into_iter(), session: self.session.clone(), handle, over: false })
    }

    /// All items, in order, in memory (the caller's, outside the budget).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::from_iter(&session, ["a", "b"], 2).map(str::to_uppercase).collect()?, ["A", "B"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn collect(&self) -> Result<Vec<T>> {
        self.iter()?.collect()
    }
}

impl<T> BagIter<T> {
    /// Whether the next item, or the end, is there already, so that asking for it waits for nothing. Whoever gathers output
    /// passes it on before it waits.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (sender, items) = Bag::<i64>::arriving(&session);
    /// let mut items = items.iter()?;
    /// assert!(!items.is_ready());
    /// drop(sender);
    /// assert!(items.next().is_none() && items.is_ready());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_ready(&mut self) -> bool {
        if self.over || self.parcel.len() > 0 {
            return true;
        }
        let mut state = self.queue.lock();
        match state.next() {
            Some(parcel) => {
                self.queue.tell(state);
                self.parcel = parcel.into_iter();
                true
            }
            None => state.ended.is_some(),
        }
    }

    /// The next parcel; `None` at the end.
    fn wait(&mut self) -> Result<Option<Vec<T>>> {
        let lent = self.session.engine().is_lent();
        loop {
            let mut state = self.queue.lock();
            if let Some(parcel) = state.next() {
                self.queue.tell(state);
                return Ok(Some(parcel));
            }
            if let Some(ended) = state.ended.clone() {
                return match state.partitions.is_empty() {
                    true => ended.map(|_| None),
                    false => ended.and(Err(Error::internal("items of a bag without a turn"))),
                };
            }
            match lent {
                false => drop(self.queue.change.wait(state)),
                true => {
                    drop(state);
                    self.session.engine().help();
                }
            }
        }
    }
}

impl<T> Iterator for BagIter<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(item) = self.parcel.next() {
                return Some(Ok(item));
            }
            if self.over {
                return None;
            }
            match self.wait() {
                Ok(Some(parcel)) => self.parcel = parcel.into_iter(),
                Ok(None) => self.over = true,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<T> Drop for BagIter<T> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.abandoned = true;
        state.partitions.clear();
        state.store = Store::new(None);
        self.queue.tell(state);
        self.handle.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    #[test]
    fn parcels_have_a_part_of_the_budget() {
        let budget = Budget::new(64 << 20);
        let mut store = Store::new(Some(&budget));
        let most = 2 << 20;
        for _ in 0..most / PARCEL_BYTES {
            assert!(store.has_room());
            store.add(PARCEL_BYTES);
        }
        assert!(!store.has_room() && budget.held() == most);
        store.add(10);
        store.remove(10 + PARCEL_BYTES);
        assert!(store.has_room());
        let other = budget.require("other", (62 << 20) + PARCEL_BYTES, false).unwrap();
        assert!(!store.has_room(), "nothing is free");
        drop((store, other));
        assert_eq!(budget.held(), 0);
        assert!(!Store::new(None).has_room());
    }

    #[test]
    fn only_items_whose_bytes_are_known_go_ahead() {
        assert!(is_weighed::<u64>() && is_weighed::<Json>() && is_weighed::<String>() && is_weighed::<Vec<u8>>());
        assert!(!is_weighed::<Vec<String>>() && !is_weighed::<serde_json::Value>() && !is_weighed::<(u8, String)>());
    }

    #[test]
    fn partitions_ahead_of_their_turn_go_on() {
        let session = Session::builder().memory("64MiB").unwrap().threads(2).build().unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let seen = made.clone();
        let items = Bag::range(&session, 0..20_000, 4).map(move |n| {
            seen.fetch_add(1, Relaxed);
            n
        });
        let items = items.iter().unwrap();
        // Nobody reads. They are small enough to wait all.
        let begun = Instant::now();
        while made.load(Relaxed) < 20_000 {
            assert!(begun.elapsed() < Duration::from_secs(300), "{} were made", made.load(Relaxed));
            std::thread::yield_now();
        }
        assert_eq!(items.map(Result::unwrap).collect::<Vec<_>>(), (0..20_000).collect::<Vec<_>>());
    }
}
