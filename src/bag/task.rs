//! Tasks over the partitions of a bag: pulls the items of one partition into a [`Taker`], a step at a time.

use super::items::{Blocked, Chain, Origin, Pulled, Pulse};
use super::node::{Laying, Partitions, Pipe};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Layout, Sizes, WithFloor};
use crate::guard::guarded;
use crate::ids::{StageId, Token};
use crate::memory::InFlight;
use crate::ops::{Cx, Starved, Step, Task, Work};
use crate::sched::NOBODY;
use std::sync::Arc;

/// Items that one step takes at most.
const ITEMS: usize = 1 << 14;

/// Whether whoever takes items wants more.
pub(super) enum Taken {
    More,
    /// Not in this step.
    Enough,
    /// The item was taken; the next one when the token is ready.
    Wait(Token),
    /// No further item of this partition can have an effect.
    Done,
}

/// What becomes of the items of one partition.
pub(super) trait Taker<T>: Send {
    /// Whether there is room for more: asked before each step, since a task that waits may be stepped too early.
    fn room(&mut self, _cx: &Cx) -> Result<Taken> {
        Ok(Taken::More)
    }

    fn take(&mut self, item: T, cx: &Cx) -> Result<Taken>;

    /// The chain paused, and nothing may come for a while.
    fn pause(&mut self, _cx: &Cx) -> Result<Taken> {
        Ok(Taken::More)
    }

    /// There are no more. Called again after a `Wait`.
    fn end(&mut self, cx: &Cx) -> Result<Taken>;
}

/// Makes the taker of a partition; told the partition's number.
pub(super) trait Takers<T>: Send + Sync {
    fn taker(&self, index: usize, cx: &Cx) -> Result<Box<dyn Taker<T>>>;

    /// What was measured so far.
    fn sizes(&self) -> Sizes {
        Sizes::default()
    }
}

impl Laying {
    /// Lays the stage that brings every partition of `pipe` to its taker.
    pub(super) fn drain<T: Send + 'static>(&mut self, pipe: Pipe<T>, takers: Arc<dyn Takers<T>>) -> StageId {
        let rule = pipe.layout.clone();
        self.drain_by(pipe, takers, rule, Box::new(|_| 0))
    }

    /// The same by a rule that gives a few partitions a round: `first` is the number of the first one of a round.
    pub(super) fn drain_by<T: Send + 'static>(
        &mut self,
        pipe: Pipe<T>,
        takers: Arc<dyn Takers<T>>,
        rule: Arc<dyn Layout>,
        first: First,
    ) -> StageId {
        let layout = Arc::new(WithFloor { inner: rule, more: pipe.in_flight });
        let work = Draining { partitions: pipe.partitions, takers, in_flight: pipe.in_flight, first };
        self.plan.stages.add(pipe.name, pipe.after, layout, Arc::new(work))
    }
}

/// The number of the first partition of a round.
pub(super) type First = Box<dyn Fn(u32) -> usize + Send + Sync>;

/// The work of a stage that drains partitions.
struct Draining<T> {
    partitions: Arc<dyn Partitions<T>>,
    takers: Arc<dyn Takers<T>>,
    in_flight: usize,
    first: First,
}

impl<T: Send + 'static> Work for Draining<T> {
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        let in_flight = cx.memory.budget.in_flight("a partition of a bag", self.in_flight)?;
        let partition = (self.first)(round) + index;
        Ok(Box::new(ItemTask {
            partition,
            opening: Opening::new(self.partitions.clone(), partition),
            taker: self.takers.taker(partition, cx)?,
            ending: false,
            _in_flight: in_flight,
        }))
    }

    fn sizes(&self) -> Sizes {
        self.takers.sizes()
    }
}

/// A partition that is opened when its first item is wanted, and again while its floor is refused.
pub(super) struct Opening<T> {
    partitions: Arc<dyn Partitions<T>>,
    partition: usize,
    items: Option<Chain<T>>,
    begun: bool,
    pub(super) origin: Origin,
    refused: Option<Error>,
}

impl<T> Opening<T> {
    pub(super) fn new(partitions: Arc<dyn Partitions<T>>, partition: usize) -> Self {
        Opening { partitions, partition, items: None, begun: false, origin: Origin::default(), refused: None }
    }

    /// Calls `each` with items until it is done, the step's fuel is burnt, or there are no more.
    ///
    /// A panic of the user's functions is an error that names the item.
    pub(super) fn pull(&mut self, cx: &Cx, each: &mut dyn FnMut(T) -> Result<Taken>) -> Result<Drawn> {
        self.guarded(|opening| opening.pull_unguarded(cx, &mut |item, _| each(item)))
    }

    /// What `f` draws; its errors and panics name the item in hand.
    pub(super) fn guarded(&mut self, f: impl FnOnce(&mut Self) -> Result<Drawn>) -> Result<Drawn> {
        let drawn = guarded(|| f(self));
        drawn.map_err(|error| named(error, &self.origin, self.partition))
    }

    pub(super) fn pull_unguarded(&mut self, cx: &Cx, each: &mut TakeItem<'_, T>) -> Result<Drawn> {
        let Some(items) = &mut self.items else {
            return self.open(cx);
        };
        let mut pulse = Pulse::new(cx, &mut self.origin);
        if !self.begun {
            if let Some(why) = items.begin(&mut pulse)? {
                return Ok(why.into());
            }
            self.begun = true;
        }
        for _ in 0..ITEMS {
            match items.next(&mut pulse)? {
                Pulled::Item(item) => match each(item, &mut pulse)? {
                    Taken::More => {}
                    Taken::Enough => return Ok(Drawn::More),
                    Taken::Wait(token) => return Ok(Drawn::Wait(token)),
                    Taken::Done => return Ok(Drawn::End),
                },
                Pulled::Pause => return Ok(Drawn::Pause),
                Pulled::Blocked(why) => return Ok(why.into()),
                Pulled::End => {
                    // What the chain holds is given back before somebody else asks for it.
                    self.items = None;
                    return Ok(Drawn::End);
                }
            }
        }
        Ok(Drawn::More)
    }

    fn open(&mut self, cx: &Cx) -> Result<Drawn> {
        match self.partitions.open(self.partition, cx) {
            Ok(items) => (self.items, self.refused) = (Some(items), None),
            Err(error) if error.kind() == ErrorKind::Resources => {
                self.refused = Some(error);
                let bytes = cx.memory.pool.page_bytes();
                return Ok(Drawn::Starved(Starved { reservation: NOBODY, bytes }));
            }
            Err(error) => return Err(error),
        }
        Ok(Drawn::More)
    }

    /// Why it could not be opened the last time.
    pub(super) fn refused(&mut self) -> Option<Error> {
        self.refused.take()
    }
}

/// Takes an item, and may look at the step that it came with.
pub(super) type TakeItem<'a, T> = dyn FnMut(T, &mut Pulse<'_>) -> Result<Taken> + 'a;

/// How a pull ended.
pub(super) enum Drawn {
    /// There is more to do, now.
    More,
    /// The same; nothing may come for a while.
    Pause,
    Wait(Token),
    Starved(Starved),
    End,
}

impl From<Blocked> for Drawn {
    fn from(why: Blocked) -> Self {
        match why {
            Blocked::Starved(starved) => Drawn::Starved(starved),
            Blocked::Wait(token) => Drawn::Wait(token),
        }
    }
}

/// The error with the item that was in hand.
fn named(error: Error, origin: &Origin, partition: usize) -> Error {
    let Some(panic) = Some(error.message()).filter(|_| error.kind() == ErrorKind::Internal) else {
        return error.at(origin.place());
    };
    let Some(said) = panic.strip_prefix("panicked: ") else { return error };
    let item = origin.item;
    Error::internal(format!("a function panicked at item {item} of partition {partition}: {said}")).at(origin.place())
}

struct ItemTask<T> {
    partition: usize,
    opening: Opening<T>,
    taker: Box<dyn Taker<T>>,
    ending: bool,
    _in_flight: InFlight,
}

impl<T: Send> ItemTask<T> {
    fn end(&mut self, cx: &Cx) -> Result<Step> {
        self.ending = true;
        let ended = guarded(|| self.taker.end(cx)).map_err(|e| named(e, &self.opening.origin, self.partition))?;
        Ok(match ended {
            Taken::Wait(token) => Step::Wait(token),
            Taken::More | Taken::Enough | Taken::Done => Step::Done,
        })
    }
}

impl<T: Send> Task for ItemTask<T> {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        if self.ending {
            return self.end(cx);
        }
        match self.taker.room(cx)? {
            Taken::More | Taken::Enough => {}
            Taken::Wait(token) => return Ok(Step::Wait(token)),
            Taken::Done => return self.end(cx),
        }
        let taker = &mut self.taker;
        match self.opening.pull(cx, &mut |item| taker.take(item, cx))? {
            Drawn::More => Ok(Step::More),
            Drawn::Wait(token) => Ok(Step::Wait(token)),
            Drawn::Starved(starved) => Ok(Step::Starved(starved)),
            Drawn::End => self.end(cx),
            Drawn::Pause => match self.taker.pause(cx)? {
                Taken::More | Taken::Enough => Ok(Step::More),
                Taken::Wait(token) => Ok(Step::Wait(token)),
                Taken::Done => self.end(cx),
            },
        }
    }

    fn refused(&mut self) -> Option<Error> {
        self.opening.refused()
    }
}
