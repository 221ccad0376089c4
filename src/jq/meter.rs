//! What a program may use for one item: steps, bytes, stack.
//!
//! jaq is a tree of iterators that somebody else wrote: it cannot be asked to stop. But all that it does goes through our
//! values ([`value`](super::value)) and our context ([`library`](super::library)), and these count here, by thread. When a
//! limit is reached, or the query is cancelled, the count unwinds the thread with a payload of its own (no panic hook runs),
//! which [`limited`] catches: an endless program ends within a thousand steps of being cancelled, wherever it is.
//!
//! The count of bytes is of the texts and containers that live now; what the boxes of iterators take is bounded by the
//! steps and the stack.

use crate::error::{Error, Result};
use crate::ops::Cancel;
use crate::units::ByteSize;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Stack that must be left for what does not ask: drops, and the bottom of recursions.
const RED_ZONE: usize = 256 << 10;
/// The stack of a program that needs more than its thread has.
const MORE_STACK: usize = 32 << 20;
/// Steps between two looks at the cancel flag.
const LOOK: u64 = 1 << 10;

/// What a program may use for one item.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Bytes of all values that it holds at one time, and of its outputs.
    pub(crate) bytes: usize,
    /// Steps: values made and functions called, about.
    pub(crate) steps: u64,
}

/// Steps for an item of no length, and more for each byte of one.
const STEPS: u64 = 1 << 22;
const STEPS_A_BYTE: u64 = 64;

impl Limits {
    /// The limit for items of a query that has `bytes` for each.
    pub(crate) fn of(bytes: usize) -> Self {
        Limits { bytes, steps: STEPS }
    }

    /// For an item of so many bytes.
    pub(super) fn for_item(&self, bytes: usize) -> Self {
        Limits { steps: self.steps.saturating_add(STEPS_A_BYTE.saturating_mul(bytes as u64)), ..self.clone() }
    }
}

/// Why a program was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Cancelled,
    Bytes,
    Steps,
    Stack,
    Depth,
}

struct Meter {
    live: Cell<usize>,
    most: Cell<usize>,
    steps: Cell<u64>,
    most_steps: Cell<u64>,
    cancel: RefCell<Option<Cancel>>,
}

thread_local! {
    /// Of the program that runs on this thread; between programs there are no values.
    static METER: Meter = const {
        Meter {
            live: Cell::new(0),
            most: Cell::new(usize::MAX),
            steps: Cell::new(0),
            most_steps: Cell::new(u64::MAX),
            cancel: RefCell::new(None),
        }
    };
}

fn stop(why: Why) -> ! {
    resume_unwind(Box::new(why))
}

/// A step was made.
#[inline]
pub(super) fn tick() {
    METER.with(|m| {
        let steps = m.steps.get() + 1;
        m.steps.set(steps);
        if steps.is_multiple_of(LOOK) {
            look(m, steps);
        }
    });
}

#[cold]
fn look(m: &Meter, steps: u64) {
    if m.cancel.borrow().as_ref().is_some_and(Cancel::is_cancelled) {
        stop(Why::Cancelled);
    }
    if steps > m.most_steps.get() {
        stop(Why::Steps);
    }
}

/// A step that goes deeper.
#[inline]
pub(super) fn enter() {
    tick();
    if stacker::remaining_stack().is_some_and(|left| left < RED_ZONE) {
        stop(Why::Stack);
    }
}

/// A value is too deep.
pub(super) fn too_deep() -> ! {
    stop(Why::Depth)
}

/// Whether a value that weighs so much could be written; if not, it is not made.
pub(super) fn admit(weight: u64) {
    // Parts of a value may be shared: what it weighs in full may be more than what it takes.
    METER.with(|m| {
        if weight > (m.most.get() as u64).saturating_mul(16) {
            stop(Why::Bytes);
        }
    });
}

/// Bytes of a value, counted until this is dropped.
#[derive(Debug)]
pub(super) struct Held(usize);

impl Held {
    /// Counts `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        let mut held = Held(0);
        held.grow(bytes);
        held
    }

    /// Counts more.
    pub(super) fn grow(&mut self, bytes: usize) {
        METER.with(|m| {
            let live = m.live.get().saturating_add(bytes);
            if live > m.most.get() {
                stop(Why::Bytes);
            }
            m.live.set(live);
        });
        self.0 += bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A thread that ends has no meter any more, and nobody to tell.
        let _ = METER.try_with(|m| m.live.set(m.live.get().saturating_sub(self.0)));
    }
}

/// Whether there is stack enough for what only goes as deep as an item is nested.
#[inline]
pub(super) fn has_stack() -> bool {
    stacker::remaining_stack().is_none_or(|left| left > 2 * RED_ZONE)
}

/// Runs a piece of a program within limits. It may be run twice: on the thread's stack, and where that does not suffice on a
/// larger one.
///
/// # Errors
/// What `f` fails with; `Resources`, where it needs more than the limits; `Cancelled`.
pub(super) fn limited<T>(limits: &Limits, cancel: Option<&Cancel>, mut f: impl FnMut() -> Result<T>) -> Result<T> {
    // A thread that has hardly any stack left is not asked first.
    let first = match stacker::remaining_stack() {
        Some(left) if left < 2 * RED_ZONE => Err(Why::Stack),
        _ => attempt(limits, cancel, &mut f),
    };
    match first {
        Err(Why::Stack) => match stacker::grow(MORE_STACK, || attempt(limits, cancel, &mut f)) {
            Ok(done) => done,
            Err(why) => Err(told(why, limits)),
        },
        Ok(done) => done,
        Err(why) => Err(told(why, limits)),
    }
}

/// Steps of a program whose functions hand filters on to themselves: each call leaves a filter within a filter, which nobody
/// counts, and which are dropped one within the other.
pub(super) const STEPS_OF_CLOSURES: u64 = 200_000;
/// The stack of programs that go deep where nobody asks.
const LARGE_STACK: usize = 256 << 20;

/// The same on a stack that suffices for what does not ask, of which little is touched else.
pub(super) fn limited_on_large_stack<T>(
    limits: &Limits,
    cancel: Option<&Cancel>,
    mut f: impl FnMut() -> Result<T>,
) -> Result<T> {
    let ran = stacker::grow(LARGE_STACK, || attempt(limits, cancel, &mut f));
    ran.unwrap_or_else(|why| Err(told(why, limits)))
}

fn attempt<T>(limits: &Limits, cancel: Option<&Cancel>, f: &mut impl FnMut() -> Result<T>) -> Result<Result<T>, Why> {
    METER.with(|m| {
        m.live.set(0);
        m.most.set(limits.bytes);
        m.steps.set(0);
        m.most_steps.set(limits.steps);
        m.cancel.replace(cancel.cloned());
    });
    let done = catch_unwind(AssertUnwindSafe(f));
    METER.with(|m| {
        m.most.set(usize::MAX);
        m.most_steps.set(u64::MAX);
        m.cancel.replace(None);
    });
    done.map_err(|payload| match payload.downcast::<Why>() {
        Ok(why) => *why,
        // Somebody else's panic goes on to whoever guards the task.
        Err(payload) => resume_unwind(payload),
    })
}

fn told(why: Why, limits: &Limits) -> Error {
    match why {
        Why::Cancelled => Error::cancelled(),
        Why::Bytes => {
            let message = format!("jq: the values of one item need more than {}", ByteSize(limits.bytes));
            Error::resources(message).advise("put out more and smaller values, or raise --memory")
        }
        Why::Steps => {
            Error::resources(format!("jq: the program made {} steps for one item without an end", limits.steps))
                .advise("a recursion or a loop in it may have no end")
        }
        Why::Stack => Error::resources("jq: the program calls itself too deeply")
            .advise("a recursion in it may have no end; as the last call of a function it needs no stack"),
        Why::Depth => Error::data("jq: a value is nested more than 512 levels deep"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn limits() -> Limits {
        Limits { bytes: 1000, steps: 5000 }
    }

    #[test]
    fn what_is_held_is_counted_until_it_is_dropped() {
        let held = limited(&limits(), None, || {
            for _ in 0..100 {
                drop(Held::new(900));
            }
            Ok(())
        });
        held.unwrap();
        let much = limited(&limits(), None, || Ok((Held::new(600), Held::new(600)).0.0));
        assert_eq!(much.unwrap_err().kind(), ErrorKind::Resources);
    }

    #[test]
    fn endless_loops_end() {
        let steps = || -> Result<()> {
            loop {
                tick();
            }
        };
        assert_eq!(limited(&limits(), None, steps).unwrap_err().kind(), ErrorKind::Resources);
        let cancel = Cancel::default();
        cancel.cancel();
        assert_eq!(limited(&limits(), Some(&cancel), steps).unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn endless_recursion_ends() {
        fn down(n: u64) -> u64 {
            enter();
            if std::hint::black_box(n) == u64::MAX { 0 } else { down(n + 1) + std::hint::black_box(n) }
        }
        let limits = Limits { bytes: 1000, steps: u64::MAX };
        let error = limited(&limits, None, || Ok(down(0))).unwrap_err();
        assert!(error.message().contains("too deeply"), "{error}");
    }
}
