//! Reductions: each partition becomes one value, and values are merged as a tree.
//!
//! ```text
//! partitions   0 1 2 3 4 5 6 7   8 9 ...
//!               \\_____|______/    \\_        the first `split_every`, in order, then the next ones
//! level 1            0             1
//! ```
//!
//! The shape of the tree follows from the number of partitions alone, not from which of them ends first: so a merge that is
//! not associative in the last digit gives the same answer in every run. A group is merged by the task that completes it.
//! Partitions without items have no value.

use super::Bag;
use super::items::lock;
use super::task::{Taken, Taker, Takers};
use crate::error::Result;
use crate::guard::guarded;
use crate::ops::Cx;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Merges the second value into the first.
type Merge<A> = dyn Fn(A, A) -> Result<A> + Send + Sync;

/// Values that wait for their neighbours.
struct Tree<A> {
    split_every: u64,
    /// By level and place: a value, or that there is none.
    waiting: Mutex<BTreeMap<(u32, u64), Option<A>>>,
    merge: Box<Merge<A>>,
}

impl<A> Tree<A> {
    /// Takes the value of a partition, and merges the groups that it completes.
    fn add(&self, partition: u64, value: Option<A>) -> Result<()> {
        let (mut level, mut place, mut value) = (0, partition, value);
        loop {
            let group = place / self.split_every;
            let first = group.saturating_mul(self.split_every);
            let members = (level, first)..(level, first.saturating_add(self.split_every));
            let whole = {
                let mut waiting = lock(&self.waiting);
                waiting.insert((level, place), value);
                if (waiting.range(members.clone()).count() as u64) < self.split_every {
                    return Ok(());
                }
                let keys: Vec<_> = waiting.range(members).map(|(key, _)| *key).collect();
                keys.iter().filter_map(|key| waiting.remove(key)).collect::<Vec<_>>()
            };
            value = self.merged(whole.into_iter().flatten())?;
            (level, place) = (level + 1, group);
        }
    }

    fn merged(&self, mut values: impl Iterator<Item = A>) -> Result<Option<A>> {
        let Some(first) = values.next() else { return Ok(None) };
        values.try_fold(first, |all, one| (self.merge)(all, one)).map(Some)
    }

    /// All partitions are in: merges what is left, level by level.
    fn finish(&self) -> Result<Option<A>> {
        let mut waiting = std::mem::take(&mut *lock(&self.waiting));
        while let Some((level, _)) = waiting.keys().next().copied() {
            let above = waiting.split_off(&(level + 1, 0));
            let mut groups: BTreeMap<u64, Vec<Option<A>>> = BTreeMap::new();
            for ((_, place), value) in std::mem::replace(&mut waiting, above) {
                groups.entry(place / self.split_every).or_default().push(value);
            }
            if waiting.is_empty() && groups.len() <= 1 {
                let last = groups.into_values().flatten();
                return self.merged(last.flatten());
            }
            for (group, values) in groups {
                let value = self.merged(values.into_iter().flatten())?;
                waiting.insert((level + 1, group), value);
            }
        }
        Ok(None)
    }
}

/// Adds an item to a value; answers whether no more are needed, of any partition.
type Add<T, A> = dyn Fn(&mut A, T) -> Result<bool> + Send + Sync;

/// The value of a partition before its first item.
type Init<A> = dyn Fn(usize) -> A + Send + Sync;

/// How the items of a partition become a value.
pub(super) struct Fold<T, A> {
    /// The value before the first item.
    pub(super) init: Box<Init<A>>,
    /// Adds an item.
    pub(super) add: Box<Add<T, A>>,
    pub(super) merge: Box<Merge<A>>,
}

struct Folding<T, A> {
    init: Box<Init<A>>,
    add: Box<Add<T, A>>,
    tree: Tree<A>,
    /// What is known suffices.
    enough: AtomicBool,
}

struct Shared<T, A>(Arc<Folding<T, A>>);

impl<T: Send + 'static, A: Send + 'static> Takers<T> for Shared<T, A> {
    fn taker(&self, index: usize, _cx: &Cx) -> Result<Box<dyn Taker<T>>> {
        Ok(Box::new(One { shared: self.0.clone(), partition: index, value: None }))
    }
}

struct One<T, A> {
    shared: Arc<Folding<T, A>>,
    partition: usize,
    value: Option<A>,
}

impl<T: Send, A: Send> Taker<T> for One<T, A> {
    fn take(&mut self, item: T, cx: &Cx) -> Result<Taken> {
        let shared = &self.shared;
        let value = self.value.get_or_insert_with(|| (shared.init)(self.partition));
        if (shared.add)(value, item)? {
            shared.enough.store(true, Relaxed);
        }
        self.pause(cx)
    }

    fn pause(&mut self, _cx: &Cx) -> Result<Taken> {
        Ok(if self.shared.enough.load(Relaxed) { Taken::Done } else { Taken::More })
    }

    fn end(&mut self, _cx: &Cx) -> Result<Taken> {
        self.shared.tree.add(self.partition as u64, self.value.take())?;
        Ok(Taken::Done)
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Runs the bag into one value; `None` where there is no item.
    pub(super) fn fold_into<A: Send + 'static>(&self, fold: Fold<T, A>) -> Result<Option<A>> {
        let Fold { init, add, merge } = fold;
        let tree = Tree { split_every: self.split_every.max(2) as u64, waiting: Mutex::default(), merge };
        let folding = Arc::new(Folding { init, add, tree, enough: AtomicBool::new(false) });
        let mut laying = self.laying();
        let pipe = self.node.lay(&mut laying)?;
        laying.drain(pipe, Arc::new(Shared(folding.clone())));
        self.run(laying)?;
        guarded(|| folding.tree.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_the_tree_does_not_depend_on_who_comes_first() {
        let text = |n: u64| (!n.is_multiple_of(5)).then(|| n.to_string());
        for count in [0u64, 1, 2, 3, 7, 8, 9, 26, 27, 28, 100] {
            for split_every in [2, 3, 8] {
                let merge = |a: String, b: String| Ok(format!("({a} {b})"));
                let answers: Vec<Option<String>> = (0..4)
                    .map(|seed| {
                        let tree = Tree { split_every, waiting: Mutex::default(), merge: Box::new(merge) };
                        let mut order: Vec<u64> = (0..count).collect();
                        order.sort_by_key(|n| (n * 7919 + seed * 31) % 101 * seed);
                        order.into_iter().for_each(|n| tree.add(n, text(n)).unwrap());
                        tree.finish().unwrap()
                    })
                    .collect();
                assert!(answers.windows(2).all(|w| w[0] == w[1]), "{answers:?}");
                let plain = answers[0].as_ref().map(|a| a.replace(['(', ')'], ""));
                let all: Vec<String> = (0..count).filter_map(text).collect();
                assert_eq!(plain, (!all.is_empty()).then(|| all.join(" ")), "in order");
            }
        }
    }
}
