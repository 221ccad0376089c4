//! Bags of what arrives while they run: a pipe, a socket, the end of a growing log.
//!
//! Whoever has the items sends them in parcels from a thread of its own and waits while enough of them wait here; the bag's
//! one partition takes them. When there are none it first says that it pauses, so that whatever was gathered behind it goes
//! out, and then waits for its token: no thread of the pool waits for the outside.

use super::Bag;
use super::items::{Blocked, Chain, Items, Pulled, Pulse, lock};
use super::node::{Laying, Node, Pipe};
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::ops::Cx;
use crate::wake::Waker;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Parcels that may wait.
const PARCELS: usize = 4;

struct Queue<T> {
    state: Mutex<State<T>>,
    room: Condvar,
}

struct State<T> {
    parcels: VecDeque<Vec<T>>,
    /// Nobody sends any more, for this reason.
    ended: Option<Result<()>>,
    /// Nobody takes any more.
    left: bool,
    opened: bool,
    waiting: Vec<Waker>,
}

impl<T> Queue<T> {
    fn tell(&self) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        waiting.iter().for_each(Waker::wake);
    }
}

/// Sends items into a bag. Dropping it ends the bag.
pub struct Sender<T>(Arc<Queue<T>>);

impl<T> Sender<T> {
    /// Sends items, and waits while enough wait already; false, when nobody will take them.
    pub fn send(&self, items: Vec<T>) -> bool {
        let mut state = lock(&self.0.state);
        while state.parcels.len() >= PARCELS && !state.left {
            state = self.0.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.left {
            return false;
        }
        state.parcels.push_back(items);
        drop(state);
        self.0.tell();
        true
    }

    /// Ends the bag with an error.
    pub fn fail(&self, error: Error) {
        lock(&self.0.state).ended.get_or_insert(Err(error));
        self.0.tell();
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        lock(&self.0.state).ended.get_or_insert(Ok(()));
        self.0.tell();
    }
}

struct Arriving<T>(Arc<Queue<T>>);

impl<T: Send + 'static> Node<T> for Arriving<T> {
    fn lay(&self, _laying: &mut Laying) -> Result<Pipe<T>> {
        let queue = self.0.clone();
        let open = move |_: usize, _: &Cx| -> Result<Chain<T>> {
            if std::mem::replace(&mut lock(&queue.state).opened, true) {
                return Err(Error::query("what arrives can be read only once")
                    .advise("call persist() first, or write it into a file"));
            }
            Ok(Box::new(Taking { queue: queue.clone(), parcel: Vec::new().into_iter(), paused: false }))
        };
        Ok(Pipe::of("arriving items", 1, open))
    }
}

struct Taking<T> {
    queue: Arc<Queue<T>>,
    parcel: std::vec::IntoIter<T>,
    paused: bool,
}

impl<T: Send> Items<T> for Taking<T> {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        if pulse.is_spent() {
            return Ok(Pulled::Pause);
        }
        loop {
            if let Some(item) = self.parcel.next() {
                pulse.burn(0);
                pulse.origin.item += 1;
                self.paused = false;
                return Ok(Pulled::Item(item));
            }
            let mut state = lock(&self.queue.state);
            if let Some(parcel) = state.parcels.pop_front() {
                drop(state);
                self.queue.room.notify_all();
                self.parcel = parcel.into_iter();
                continue;
            }
            return match state.ended.clone() {
                Some(ended) => ended.map(|()| Pulled::End),
                None if !self.paused => {
                    self.paused = true;
                    Ok(Pulled::Pause)
                }
                None => {
                    let waker = pulse.cx.wakers.ticket();
                    let token = waker.token();
                    state.waiting.push(waker);
                    Ok(Pulled::Blocked(Blocked::Wait(token)))
                }
            };
        }
    }
}

impl<T> Drop for Taking<T> {
    fn drop(&mut self) {
        lock(&self.queue.state).left = true;
        self.queue.room.notify_all();
    }
}

impl<T: Send + 'static> Bag<T> {
    /// A bag of items that are sent while it runs, in one partition, which can be read once. Steps that look at one item
    /// pass on at once what has arrived.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (sender, numbers) = Bag::<i64>::arriving(&session);
    /// std::thread::spawn(move || (0..100).all(|n| sender.send(vec![n, n + 1])));
    /// assert_eq!(numbers.map(|n| n % 2).sum()?, Some(100));
    /// # Ok(())
    /// # }
    /// ```
    pub fn arriving(session: &Session) -> (Sender<T>, Bag<T>) {
        let (parcels, waiting) = (VecDeque::new(), Vec::new());
        let state = State { parcels, ended: None, left: false, opened: false, waiting };
        let queue = Arc::new(Queue { state: Mutex::new(state), room: Condvar::new() });
        (Sender(queue.clone()), Bag::new(session, Arriving(queue)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_is_there_before_more_comes() {
        for inline in [true, false] {
            let session = Session::builder().memory("64MiB").unwrap().threads(2).inline(inline).build().unwrap();
            let (sender, items) = Bag::<u32>::arriving(&session);
            let (told, hear) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                for n in 0..3 {
                    assert!(sender.send(vec![n]));
                    // Nothing more is sent before this was seen.
                    hear.recv().unwrap();
                }
            });
            for (n, item) in items.map(|n| n + 1).iter().unwrap().enumerate() {
                assert_eq!(item.unwrap(), n as u32 + 1);
                told.send(()).unwrap();
            }
        }
    }

    #[test]
    fn a_bag_that_wants_no_more_ends_the_sender() {
        let session = Session::builder().memory("64MiB").unwrap().threads(2).build().unwrap();
        let (sender, items) = Bag::<u32>::arriving(&session);
        let sent = std::thread::spawn(move || (0..).take_while(|n| sender.send(vec![*n])).count());
        assert_eq!(items.take(5).unwrap(), [0, 1, 2, 3, 4]);
        assert!(sent.join().unwrap() >= 5);
        assert!(items.count().unwrap_err().message().contains("only once"));
        let (sender, items) = Bag::<u32>::arriving(&session);
        sender.fail(Error::data("broken"));
        assert_eq!(items.count().unwrap_err().message(), "broken");
    }
}
