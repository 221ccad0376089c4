//! From bags to delayed calls, a call a partition, and back.

use super::node::Node;
use super::plan::Plan;
use super::task::Running;
use super::{Delayed, delayed};
use crate::bag::{Bag, Item, OpenLeft};
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::store::{Kept, Payload, Shelved};
use std::sync::Arc;

impl<T: Item + Sync + Clone> Bag<T> {
    /// A call for each partition, whose result is the list of its items. Where the partitions are known only when the bag runs, or
    /// something must run before any of them (a sort, a join, a group), it is one call for all items:
    /// [`persist`](Bag::persist) the bag first to have one each.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let parts = Bag::range(&session, 0..10, 3).map(|n| n * n).to_delayed()?;
    /// let largest = delayed(|items: &[i64]| items.iter().max().copied());
    /// let largest: Vec<_> = parts.iter().map(|part| largest.call(part)).collect();
    /// assert_eq!(compute_all(&session, &largest)?, [Some(4), Some(25), Some(81)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever laying the graph meets.
    pub fn to_delayed(&self) -> Result<Vec<Delayed<Vec<T>>>> {
        let Some(count) = self.independent()? else {
            let bag = self.clone();
            return Ok(vec![delayed(move || bag.collect()).name("bag").call(())]);
        };
        let part = |index: usize| {
            let bag = self.clone();
            delayed(move || bag.only(index)?.collect()).name(&format!("partition {index}")).call(())
        };
        Ok((0..count).map(part).collect())
    }

    /// A bag with a partition for each call, of the items that its result has. The calls are stages of the bag's own graph: what
    /// they share runs once a run of the bag.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let digits = delayed(|n: u32| n.to_string().chars().collect::<Vec<char>>());
    /// let bag = Bag::from_delayed(&session, &[digits.call(120u32), digits.call(34u32)]);
    /// assert_eq!(bag.filter(|digit| *digit != '0').count()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_delayed(session: &Session, calls: &[Delayed<Vec<T>>]) -> Bag<T> {
        let nodes: Vec<Arc<Node>> = calls.iter().map(|call| call.node.clone()).collect();
        let (count, engine) = (nodes.len(), session.engine().clone());
        let lay = move |stages: &mut crate::plan::Stages| {
            let running = Running::new(Plan::of(&nodes), engine.shelf(), &engine.memory().budget);
            running.futures().try_for_each(|future| future.wait(&engine))?;
            let stage = running.lay(stages);
            let open: OpenLeft<T> = Arc::new(move |index| items_of(&running, index));
            Ok((stage, open))
        };
        Bag::left_by(session, "delayed", count, Box::new(lay))
    }
}

/// The items of a result, which stays in memory while they are read.
fn items_of<T: Item + Sync + Clone>(running: &Running, index: usize) -> Result<crate::bag::Left<T>> {
    let (value, charged) = resident(running, index)?;
    let list = value.downcast::<Vec<T>>().map_err(|_| Error::internal("a partition of another type"))?;
    let items = (0..list.len()).filter_map(move |i| list.get(i).cloned());
    Ok(Box::new(items.inspect(move |_| {
        let _ = &charged;
    })))
}

/// The result of that number in memory, with what it is charged to.
pub(super) fn resident(running: &Running, index: usize) -> Result<(Payload, Option<Shelved>)> {
    match running.root(index)? {
        (shelved, Some(value)) => Ok((value, shelved)),
        (Some(shelved), None) => match shelved.borrow()? {
            Kept::Here(value) => Ok((value, Some(shelved))),
            Kept::Refused(bytes) => Err(Error::resources(format!(
                "a partition needs {} of memory, which are not free",
                crate::units::ByteSize(bytes)
            ))
            .advise("raise --memory, lower --threads, or make more and smaller partitions")),
        },
        (None, None) => Err(Error::internal("a result is not there")),
    }
}
