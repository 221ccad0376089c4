//! Functions that are called later: graphs of calls, futures, graphs by hand. Everything that is neither rows nor a list.
//!
//! It runs on the engine of frames and bags: the same graph, scheduler, pool, budget and scratch. There is no second engine here,
//! only a stage whose tasks need one another.
//!
//! # Life of a call
//!
//! 1. [`delayed`] wraps a function; [`DelayedFn::call`] makes a [`Delayed`]: a node ([`node`]) with the function, its options, and
//!    the nodes that its arguments ([`args`]) stand for. Nothing runs. How a parameter is taken (by value, by reference, as a slice:
//!    [`invoke`]) and what a return value means ([`outcome`]) is found by the compiler.
//! 2. Whoever asks for results ([`compute_all`], [`Session::submit`](crate::Session::submit), [`GraphBuilder::get`]) lays a plan
//!    ([`plan`]): only what is needed, each node once, in depth-first order. A plan is one stage of a graph, whose layout says what
//!    its tasks need of one another (a [web](crate::graph::Web)); the scheduler starts a task when all it needs are done, the highest
//!    priority first, then the one begun deepest, and starts it again as often as it may.
//! 3. A task ([`task`]) borrows its arguments, calls the function, and puts the result on the session's
//!    [shelf](crate::store::Shelf), where it is counted, and goes to scratch when the budget needs that. A result is freed when the
//!    last call that needs it has run; that call gets it by value without a clone.
//! 4. A function that fails or panics ends the query, or, of a future ([`future`]), that future and those that need it. The error
//!    names the task and where it hangs in the graph.
//!
//! Results must be `Serialize + DeserializeOwned`, and the compiler says so; others are [pinned](DelayedFn::pinned).
//!
//! # Known limits
//!
//! What a function needs while it runs is what [`memory`](DelayedFn::memory) says of it; its result is measured when it is made.
//! The nodes themselves are the program's memory, outside of the budget. A running function is not interrupted: a cancel is seen
//! between tasks.

pub mod args;
mod bags;
mod builder;
mod coding;
mod compute;
mod frames;
mod function;
mod future;
pub mod invoke;
mod node;
pub mod outcome;
mod plan;
mod session;
mod show;
mod task;
#[cfg(test)]
mod tests;

pub use args::Arg;
pub use builder::{GraphBuilder, TaskOptions};
pub use compute::{compute_all, persist_all};
pub use function::DelayedFn;
pub use future::{Future, Status};
pub use session::{AsCompleted, Until};

use node::{Kind, Node};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A call that has not run: its result, once somebody asks. Made by [`DelayedFn::call`]. Cheap to clone; clones are the same call,
/// and it runs once however many need it.
pub struct Delayed<T> {
    node: Arc<Node>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        Delayed::of(self.node.clone())
    }
}

impl<T> fmt::Debug for Delayed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delayed<{}>({})", std::any::type_name::<T>(), self.node.options.name)
    }
}

impl<T> Delayed<T> {
    fn of(node: Arc<Node>) -> Self {
        Delayed { node, of: PhantomData }
    }

    /// What its task is called.
    ///
    /// ```
    /// use partita::prelude::*;
    ///
    /// assert_eq!(delayed(|n: i64| n + 1).name("inc").call(1i64).name(), "inc");
    /// ```
    pub fn name(&self) -> &str {
        &self.node.options.name
    }
}

/// A function whose calls run later.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let inc = delayed(|x: i64| x + 1);
/// let add = delayed(|x: i64, y: i64| x + y);
/// let (x, y) = (inc.call(1i64), inc.call(2i64));
/// let z = add.call((&x, &y));
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// assert_eq!(z.compute(&session)?, 5);
/// # Ok(())
/// # }
/// ```
pub fn delayed<F>(function: F) -> DelayedFn<F> {
    DelayedFn::new(function)
}

/// A value as an argument: it is there already, and shared by all that need it.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::delayed::value;
/// use partita::prelude::*;
/// use std::collections::BTreeMap;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let prices = value(BTreeMap::from([("tea".to_string(), 3i64), ("milk".to_string(), 2)]));
/// let price = delayed(|prices: &BTreeMap<String, i64>, what: String| prices.get(&what).copied().unwrap_or(0));
/// assert_eq!(price.call((&prices, "milk")).compute(&session)?, 2);
/// # Ok(())
/// # }
/// ```
pub fn value<T: Send + Sync + 'static>(value: T) -> Delayed<T> {
    Delayed::of(Node::given("value", Kind::Value(Arc::new(value))))
}
