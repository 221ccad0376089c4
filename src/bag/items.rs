//! The items of one partition, one after the other: what a task pulls.
//!
//! Each step of a bag wraps the one before it, so that a partition is one chain and an item goes through all closures
//! before the next is read: nothing is gathered, and when a closure panics the item in hand is known ([`Origin`]).
//!
//! A chain can stop between any two items: sources burn the step's fuel and say [`Pulled::Pause`] when it is used up, and a
//! filter that keeps nothing passes that on. What can only go forward in one go (a closure that is given an iterator) reads
//! through [`Partition`], which looks at the cancel flag at each pause instead.

use crate::error::{Error, Place, Result};
use crate::ids::Token;
use crate::ops::{Cx, Starved};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Fuel of one step, in bytes of input.
pub(super) const FUEL: usize = 1 << 20;
/// What an item costs at least.
const ITEM: usize = 64;

/// Where an item came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) file: Option<Arc<str>>,
    /// From 1; 0 where it is not known.
    pub(super) line: u64,
    pub(super) byte: u64,
    /// Counts the items of the partition, from 1.
    pub(super) item: u64,
}

impl Origin {
    pub(super) fn place(&self) -> Place {
        let known = self.file.is_some();
        Place {
            file: self.file.clone(),
            line: (self.line > 0).then_some(self.line),
            byte: known.then_some(self.byte),
            ..Place::default()
        }
    }
}

/// One step of a task, as the chain sees it.
pub(super) struct Pulse<'a> {
    pub(super) cx: &'a Cx,
    pub(super) fuel: usize,
    pub(super) origin: &'a mut Origin,
}

impl<'a> Pulse<'a> {
    pub(super) fn new(cx: &'a Cx, origin: &'a mut Origin) -> Self {
        Pulse { cx, fuel: FUEL, origin }
    }

    /// An item of `bytes` is on its way.
    #[inline]
    pub(super) fn burn(&mut self, bytes: usize) {
        self.fuel = self.fuel.saturating_sub(bytes.max(ITEM));
    }

    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.fuel == 0
    }
}

/// Why a chain cannot go on now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blocked {
    Starved(Starved),
    Wait(Token),
}

/// What a chain has.
pub(super) enum Pulled<T> {
    Item(T),
    /// Nothing yet, but there is more: the step has worked enough.
    Pause,
    Blocked(Blocked),
    End,
}

/// The item of a pull; whatever else it is goes to the caller.
macro_rules! item {
    ($pull:expr) => {
        match $pull? {
            $crate::bag::items::Pulled::Item(item) => item,
            $crate::bag::items::Pulled::Pause => return Ok($crate::bag::items::Pulled::Pause),
            $crate::bag::items::Pulled::Blocked(why) => return Ok($crate::bag::items::Pulled::Blocked(why)),
            $crate::bag::items::Pulled::End => return Ok($crate::bag::items::Pulled::End),
        }
    };
}
pub(super) use item;

/// The items of one partition.
pub(super) trait Items<T>: Send {
    /// Does what may have to wait before the first item; afterwards `next` is never blocked, unless it opens something else.
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>>;

    /// The next item.
    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>>;
}

/// A chain of any kind.
pub(super) type Chain<T> = Box<dyn Items<T>>;

/// Items of an iterator.
pub(super) struct Iterated<I>(pub(super) I);

impl<I: Iterator + Send> Items<I::Item> for Iterated<I> {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<I::Item>> {
        if pulse.is_spent() {
            return Ok(Pulled::Pause);
        }
        pulse.burn(0);
        pulse.origin.item += 1;
        Ok(self.0.next().map_or(Pulled::End, Pulled::Item))
    }
}

/// The items of a partition as an iterator, for closures that take all of it.
///
/// What goes wrong below ends the iteration; whoever made the closure's result sees the error afterwards, and the query
/// fails with it.
pub struct Partition<T> {
    items: Chain<T>,
    cx: Cx,
    state: Arc<Mutex<Reading>>,
}

/// What a partition that is read as an iterator shares with its chain.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) error: Option<Error>,
    pub(super) origin: Origin,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Partition<T> {
    /// `items` have begun.
    pub(super) fn new(items: Chain<T>, cx: &Cx) -> (Self, Arc<Mutex<Reading>>) {
        let state = Arc::<Mutex<Reading>>::default();
        (Partition { items, cx: cx.clone(), state: state.clone() }, state)
    }

    fn pull(&mut self) -> Result<Option<T>> {
        let mut reading = lock(&self.state);
        if reading.error.is_some() {
            return Ok(None);
        }
        loop {
            let mut pulse = Pulse::new(&self.cx, &mut reading.origin);
            match self.items.next(&mut pulse)? {
                Pulled::Item(item) => return Ok(Some(item)),
                Pulled::End => return Ok(None),
                Pulled::Pause => self.cx.cancel.check()?,
                Pulled::Blocked(_) => return Err(blocked()),
            }
        }
    }
}

fn blocked() -> Error {
    Error::resources("memory ran out while a function was reading a whole partition")
        .advise("call persist() before the step that reads partitions, raise --memory or lower --threads")
}

impl<T> Iterator for Partition<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.pull() {
            Ok(item) => item,
            Err(error) => {
                lock(&self.state).error.get_or_insert(error);
                None
            }
        }
    }
}
