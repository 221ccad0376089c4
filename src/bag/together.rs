//! Items taken several at a time, each with the place that it came from: who looks something up for each of them need not
//! wait for memory each time.
//!
//! Items that are taken together are alive together, so they are few, and all of what they were read from is small. What a
//! function makes of an item is not seen here: who has no use for several says so.

use super::items::{FUEL, Origin, Pulse};
use super::task::{Drawn, Opening, Taken};
use crate::error::Result;
use crate::ops::Cx;
use std::sync::Arc;

/// Most items that are taken together.
const MANY: usize = 16;
/// Bytes that they were read from, about.
const BYTES: usize = 32 << 10;

/// Where an item of a file came from.
#[derive(Clone, Copy)]
struct Mark {
    line: u64,
    byte: u64,
    item: u64,
}

impl Mark {
    #[inline(always)]
    fn of(origin: &Origin) -> Mark {
        Mark { line: origin.line, byte: origin.byte, item: origin.item }
    }

    #[inline(always)]
    fn go(self, origin: &mut Origin) {
        (origin.line, origin.byte, origin.item) = (self.line, self.byte, self.item);
    }
}

/// See the head of this file.
pub(super) struct Together<T> {
    items: Vec<(T, Mark)>,
    /// The file of all of them.
    file: Option<Arc<str>>,
    /// What the step had before the first of them.
    fuel: usize,
}

/// Takes what came together; the place in hand is to be that of the item in hand.
pub(super) type Each<'a, T> = dyn FnMut(&mut Together<T>, &mut Origin) -> Result<Taken> + 'a;

impl<T> Together<T> {
    pub(super) fn new() -> Self {
        Together { items: Vec::new(), file: None, fuel: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Each item, with its place in hand.
    #[inline(always)]
    pub(super) fn see(&self, origin: &mut Origin, mut f: impl FnMut(&T) -> Result<()>) -> Result<()> {
        self.items.iter().try_for_each(|(item, mark)| {
            mark.go(origin);
            f(item)
        })
    }

    /// The same, and the items go.
    #[inline(always)]
    pub(super) fn take(&mut self, origin: &mut Origin, mut f: impl FnMut(T) -> Result<()>) -> Result<()> {
        self.items.drain(..).try_for_each(|(item, mark)| {
            mark.go(origin);
            f(item)
        })
    }

    /// Another item; calls `each` where that makes enough.
    #[inline(always)]
    fn push(&mut self, item: T, most: usize, pulse: &mut Pulse<'_>, each: &mut Each<'_, T>) -> Result<Taken> {
        if self.file.as_ref().map(Arc::as_ptr) != pulse.origin.file.as_ref().map(Arc::as_ptr) {
            self.flush(pulse.origin, each)?;
            self.file.clone_from(&pulse.origin.file);
        }
        self.items.push((item, Mark::of(pulse.origin)));
        if self.items.len() < most && self.fuel.saturating_sub(pulse.fuel) < BYTES {
            return Ok(Taken::More);
        }
        self.fuel = pulse.fuel;
        self.flush(pulse.origin, each)
    }

    /// Calls `each` with what is here. Afterwards the place in hand is what it was; after an error it is the item's.
    fn flush(&mut self, origin: &mut Origin, each: &mut Each<'_, T>) -> Result<Taken> {
        if self.items.is_empty() {
            return Ok(Taken::More);
        }
        let here = Mark::of(origin);
        std::mem::swap(&mut origin.file, &mut self.file);
        let taken = each(self, origin).inspect_err(|_| self.items.clear())?;
        std::mem::swap(&mut origin.file, &mut self.file);
        here.go(origin);
        Ok(taken)
    }
}

impl<T> Opening<T> {
    /// As [`pull`](Self::pull), with several items at a time where `many` says that this is of use.
    pub(super) fn pull_together(
        &mut self,
        cx: &Cx,
        many: bool,
        together: &mut Together<T>,
        each: &mut Each<'_, T>,
    ) -> Result<Drawn> {
        let most = if many { MANY } else { 1 };
        together.fuel = FUEL;
        self.guarded(|opening| {
            let drawn = opening.pull_unguarded(cx, &mut |item, pulse| together.push(item, most, pulse, each));
            // What a step took does not outlive it; what is wrong with it came before what is wrong behind it.
            together.flush(&mut opening.origin, each)?;
            drawn
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::items::{Chain, Iterated};
    use crate::config::Tuning;
    use crate::error::Error;
    use crate::memory::{Budget, Memory, PagePool};
    use crate::ops::Cancel;
    use crate::store::Scratch;
    use crate::wake::Wakers;

    fn cx() -> Cx {
        Cx {
            tuning: Arc::new(Tuning::default()),
            memory: Memory { budget: Budget::new(64 << 20), pool: PagePool::new(1 << 16) },
            scratch: Scratch::new(vec![], None, 0).unwrap(),
            wakers: Wakers::deaf(),
            cancel: Cancel::default(),
            threads: 2,
        }
    }

    /// Sizes of what comes together, for items that burn so many bytes.
    fn sizes(items: usize, many: bool) -> (Vec<usize>, Vec<usize>) {
        let open = move |_: usize, _: &Cx| -> Result<Chain<usize>> { Ok(Box::new(Iterated(0..items))) };
        let (mut opening, mut together) = (Opening::new(Arc::new(open), 0), Together::new());
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        loop {
            let drawn = opening.pull_together(&cx(), many, &mut together, &mut |some, origin| {
                sizes.push(some.items.len());
                some.take(origin, |item| {
                    all.push(item);
                    Ok(())
                })?;
                Ok(Taken::More)
            });
            if let Drawn::End = drawn.unwrap() {
                return (sizes, all);
            }
        }
    }

    #[test]
    fn all_items_come_in_order_many_at_a_time() {
        assert_eq!(sizes(35, true), (vec![16, 16, 3], (0..35).collect()));
        assert_eq!(sizes(3, false), (vec![1, 1, 1], (0..3).collect()));
        assert_eq!(sizes(0, true), (vec![], vec![]));
    }

    #[test]
    fn an_error_names_the_item_in_hand() {
        let open = |_: usize, _: &Cx| -> Result<Chain<u64>> { Ok(Box::new(Iterated(1..9u64))) };
        for wrong in [1, 5, 8] {
            let (mut opening, mut together) = (Opening::new(Arc::new(open), 3), Together::new());
            let mut pull = || {
                opening.pull_together(&cx(), true, &mut together, &mut |some, origin| {
                    some.see(origin, |item| {
                        assert!(*item != wrong, "no {item}");
                        Ok(())
                    })?;
                    Err(Error::data("not seen"))
                })
            };
            assert!(matches!(pull(), Ok(Drawn::More)));
            let error = pull().err().unwrap();
            assert!(error.message().contains(&format!("item {wrong} of partition 3: no {wrong}")), "{error}");
        }
    }
}
