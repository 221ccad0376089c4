//! The items of a running bag, in order, for whoever iterates over them.
//!
//! A task gathers some items and leaves them with the queue under the number of its partition. Of the partition whose turn
//! it is a few parcels may wait, of every other one; a task that has left its parcel waits for its token. So what waits
//! for a slow reader is bounded by the number of running tasks, and a reader that goes away ends the query.

use super::Bag;
use super::items::lock;
use super::json::Json;
use super::task::{Taken, Taker, Takers};
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::ops::Cx;
use crate::run::QueryHandle;
use crate::wake::Waker;
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::vec::IntoIter;

/// Items of a parcel, at most.
const PARCEL: usize = 256;
/// Bytes of a parcel's items, at most, not counting what they point to.
const PARCEL_BYTES: usize = 64 << 10;
/// Parcels of the partition whose turn it is that may wait.
const PARCELS: usize = 4;

struct Queue<T> {
    state: Mutex<State<T>>,
    change: Condvar,
}

struct State<T> {
    partitions: BTreeMap<usize, Parcels<T>>,
    turn: usize,
    waiting: Vec<Waker>,
    /// The query has ended, so.
    ended: Option<Result<()>>,
    abandoned: bool,
}

struct Parcels<T> {
    parcels: VecDeque<Vec<T>>,
    ended: bool,
}

impl<T> State<T> {
    fn of(&mut self, partition: usize) -> &mut Parcels<T> {
        self.partitions.entry(partition).or_insert_with(|| Parcels { parcels: VecDeque::new(), ended: false })
    }

    /// Whether another parcel of the partition may come now. Only a parcel that is taken makes room.
    fn room(&mut self, partition: usize, cx: &Cx) -> Taken {
        let most = if partition == self.turn { PARCELS } else { 1 };
        if self.of(partition).parcels.len() < most {
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
            if let Some(parcel) = parcels.parcels.pop_front() {
                return Some(parcel);
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
    /// Bytes of the texts in the parcel.
    weight: usize,
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
        let parcel = std::mem::take(&mut self.parcel);
        self.weight = 0;
        let mut state = self.queue.lock();
        if state.abandoned {
            return Taken::Done;
        }
        let parcels = state.of(self.partition);
        if !parcel.is_empty() {
            parcels.parcels.push_back(parcel);
        }
        parcels.ended = ended;
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
        self.weight += weight(&item);
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
        let state = State { partitions: BTreeMap::new(), turn: 0, waiting: Vec::new(), ended: None, abandoned: false };
        let queue = Arc::new(Queue { state: Mutex::new(state), change: Condvar::new() });
        let mut laying = self.laying();
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
        self.queue.tell(state);
        self.handle.cancel();
    }
}
