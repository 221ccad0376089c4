//! Bags: parallel lists of items that are no rows. Lines, JSON records, anything that is `Send`.
//!
//! A [`Bag<T>`] is lazy and partitioned, and runs on the engine of frames: the same graph, scheduler, pool, budget, pages
//! and scratch. There is no second engine here, only typed tasks where a frame has batches:
//!
//! 1. Sources ([`sources`], [`text`] and its [`lines`]) say how many partitions there are and how one is opened: as a chain
//!    of typed items ([`items`]). `map`, `filter`, `flat_map` and their like wrap the chain ([`each`]): all closures of
//!    a bag run in one pass over a partition, one item at a time, so that nothing is gathered between them and nothing is
//!    boxed.
//! 2. Running a bag lays its steps ([`node`]) into stages of one graph. A stage drains partitions ([`task`]): a task is
//!    resumable, pulls for at most 1 MiB of input a step, and passes on why it waits or starves.
//! 3. What is drained goes into a tree of values ([`reduce`]), to whoever iterates ([`deliver`]), or into files ([`write`]).
//!    Rows of frames become items and items rows in [`frames`].
//! 4. What must be gathered by key, in order, or at rest becomes rows of two columns, the canonical bytes of the key and the
//!    encoded item ([`coding`], [`rows`]), and goes through the operators that frames have: the external sort
//!    ([`keyed`]), the hash join ([`join`]), rows at rest ([`rest`]). So a group, a key, a join of any size spills under the
//!    budget, ties go by the input's order, and the answer does not depend on threads, budget or partitions.
//! 5. Folds by key ([`foldby`]) first fold what they can in a table of each worker, within its share of the budget; a few items
//!    are taken together ([`together`]), so that nobody waits for memory for each.
//! 6. Items that cannot be read are met by [`faults`]; a panicking closure ends the query with an error that names the item.
//!
//! Items by key come out in the order of a hash of the key, which is the same in every process and version; the number of
//! partitions follows the size of the data. Closures may run more than once for an item (a bag that is used twice, a second
//! pass), from several threads at a time.
//!
//! What rests or travels must be `Serialize + DeserializeOwned` ([`Item`]), and the compiler says so; only what is in hand is
//! decoded. Values of reductions, items on their way to a reader, and the few items of `topk` and `sample` are Rust values in
//! the allocator: few at any time, but the budget does not see what they point to.
//!
//! 7. Programs of jq run on the JSON of items ([`jq`], [`json`]); what arrives while a bag runs comes through [`stream`],
//!    cut by [`records`].

pub mod aggregates;
mod avro;
mod charged;
pub(crate) mod coding;
mod columns;
mod decoder;
mod deliver;
mod each;
mod faults;
mod foldby;
mod foreign;
mod frames;
mod hash;
mod items;
mod join;
mod jq;
mod json;
mod keyed;
mod lines;
mod logs;
mod node;
mod order;
mod records;
mod reduce;
mod reductions;
mod rest;
mod rows;
mod sample;
mod several;
mod sources;
mod starmap;
mod statistics;
mod stream;
mod table;
mod take;
mod task;
mod text;
mod together;
mod write;

#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;

pub use crate::rejects::Reject;
pub use aggregates::Aggregate;
pub use coding::Item;
pub use columns::{JqColumns, JqRows};
pub use deliver::BagIter;
pub use each::Key;
pub use faults::BadItems;
pub(crate) use foreign::{Left, OpenLeft};
pub use items::Partition;
pub use jq::Jq;
pub use json::Json;
pub use keyed::{Group, Grouped};
pub use order::OrderKey;
pub use records::Records;
pub use statistics::{Histogram, Number};
pub use stream::Sender;
pub use text::{InvalidUtf8, TextOptions};

use crate::error::Result;
use crate::frame::Session;
use faults::Faults;
use node::{Laying, Node};
use std::fmt;
use std::sync::Arc;

/// A lazy, partitioned list of items. Cheap to clone; its verbs make new bags, and those that answer with values run it.
///
/// Functions that are given to verbs run on several threads at a time, and may run more than once for an item: in every run,
/// and where a bag is used twice in one. [`persist`](Self::persist) keeps the items instead.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let words = Bag::from_iter(&session, ["to be", "or not", "to be"], 2)
///     .flat_map(|line| line.split_whitespace().map(str::to_string));
/// let mut counts = words.frequencies().collect()?;
/// counts.sort();
/// assert_eq!(counts, [("be", 2), ("not", 1), ("or", 1), ("to", 2)].map(|(w, n)| (w.to_string(), n)));
/// # Ok(())
/// # }
/// ```
pub struct Bag<T> {
    session: Session,
    node: Arc<dyn Node<T>>,
    split_every: usize,
}

/// Values that a reduction merges at one time.
const SPLIT_EVERY: usize = 8;

impl<T> Clone for Bag<T> {
    fn clone(&self) -> Self {
        Bag { session: self.session.clone(), node: self.node.clone(), split_every: self.split_every }
    }
}

impl<T> fmt::Debug for Bag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bag<{}>", std::any::type_name::<T>())
    }
}

impl<T: Send + 'static> Bag<T> {
    fn new(session: &Session, node: impl Node<T> + 'static) -> Self {
        Bag { session: session.clone(), node: Arc::new(node), split_every: SPLIT_EVERY }
    }

    /// A bag of the same session made by another node.
    fn then<U: Send + 'static>(&self, node: impl Node<U> + 'static) -> Bag<U> {
        Bag { split_every: self.split_every, ..Bag::new(&self.session, node) }
    }

    /// How many values of partitions a reduction merges at one time; 8 if nothing is said.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..12, 12).split_every(5).sum()?, Some(66));
    /// # Ok(())
    /// # }
    /// ```
    pub fn split_every(&self, values: usize) -> Bag<T> {
        Bag { split_every: values, ..self.clone() }
    }

    /// The session it belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn laying(&self) -> Laying {
        Laying { plan: self.session.lowering(), faults: Faults::default() }
    }

    /// Runs a graph to its end.
    fn run(&self, laying: Laying) -> Result<()> {
        self.session.submit_stages(laying.plan.stages, Box::new(|_| {})).wait()
    }
}
