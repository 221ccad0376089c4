//! The first items, from as many partitions as that needs.
//!
//! Partitions are opened in rounds, one in the first and then one for each thread, until there are items enough. So no more
//! of them are read than threads would have begun anyway, and a bag of a million files is not opened for its first line.

use super::Bag;
use super::items::lock;
use super::task::{Taken, Taker, Takers};
use crate::error::Result;
use crate::graph::{Facts, Layout, PartSize, Round, Sizes};
use crate::ops::Cx;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

/// The rule of rounds.
#[derive(Debug)]
struct Rounds {
    inner: Arc<dyn Layout>,
    /// How many partitions there are, once the first round asked.
    count: OnceLock<Round>,
    wanted: u64,
    threads: usize,
}

/// The number of the first partition of a round.
fn first(round: u32, threads: usize) -> usize {
    match round {
        0 => 0,
        n => 1 + (n as usize - 1) * threads,
    }
}

impl Layout for Rounds {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let all = self.count.get_or_init(|| self.inner.next(facts));
        let enough = facts.round > 0 && facts.sizes.iter().map(Sizes::rows).sum::<u64>() >= self.wanted;
        let begun = first(facts.round, self.threads);
        let most = if facts.round == 0 { 1 } else { self.threads };
        let tasks = if enough { 0 } else { all.tasks.saturating_sub(begun).min(most) };
        Round { tasks, ..all.clone() }
    }
}

/// Items by partition.
struct Gathered<T> {
    most: usize,
    items: Mutex<BTreeMap<usize, Vec<T>>>,
}

struct Gather<T>(Arc<Gathered<T>>);

impl<T: Send + 'static> Takers<T> for Gather<T> {
    fn taker(&self, partition: usize, _cx: &Cx) -> Result<Box<dyn Taker<T>>> {
        Ok(Box::new(Few { to: self.0.clone(), partition, items: Vec::new() }))
    }

    fn sizes(&self) -> Sizes {
        let rows = lock(&self.0.items).values().map(Vec::len).sum::<usize>() as u64;
        Sizes { parts: vec![PartSize { rows, ..PartSize::default() }] }
    }
}

struct Few<T> {
    to: Arc<Gathered<T>>,
    partition: usize,
    items: Vec<T>,
}

impl<T: Send> Taker<T> for Few<T> {
    fn take(&mut self, item: T, _cx: &Cx) -> Result<Taken> {
        self.items.push(item);
        Ok(if self.items.len() >= self.to.most { Taken::Done } else { Taken::More })
    }

    fn end(&mut self, _cx: &Cx) -> Result<Taken> {
        lock(&self.to.items).insert(self.partition, std::mem::take(&mut self.items));
        Ok(Taken::Done)
    }
}

impl<T: Send + 'static> Bag<T> {
    /// The first `n` items, read now, in memory; fewer, if the bag has no more. Reads only as many partitions as that needs.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..4, 4).take(3)?, [0, 1, 2]);
    /// assert_eq!(Bag::range(&session, 0..4, 4).take(9)?, [0, 1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets.
    pub fn take(&self, n: usize) -> Result<Vec<T>> {
        if n == 0 {
            return Ok(Vec::new());
        }
        let gathered = Arc::new(Gathered { most: n, items: Mutex::default() });
        let mut laying = self.laying();
        let pipe = self.node.lay(&mut laying)?;
        let threads = laying.plan.limits.threads.max(1);
        let (inner, count) = (pipe.layout.clone(), OnceLock::new());
        let rule = Arc::new(Rounds { inner, count, wanted: n as u64, threads });
        let takers = Arc::new(Gather(gathered.clone()));
        laying.drain_by(pipe, takers, rule, Box::new(move |round| first(round, threads)));
        self.run(laying)?;
        let items = std::mem::take(&mut *lock(&gathered.items));
        Ok(items.into_values().flatten().take(n).collect())
    }
}
