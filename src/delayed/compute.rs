//! Runs delayed calls and answers with their results.

use super::Delayed;
use super::args::{Answers, Inputs};
use super::node::{Kind, Node};
use super::plan::Plan;
use super::task::Running;
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::plan::Stages;
use std::sync::Arc;

/// Runs what the nodes need, after the futures among that.
pub(super) fn run(session: &Session, nodes: &[Arc<Node>]) -> Result<Arc<Running>> {
    let engine = session.engine();
    let running = Running::new(Plan::of(nodes), engine.shelf(), &engine.memory().budget);
    running.futures().try_for_each(|future| future.wait(engine))?;
    let mut stages = Stages::default();
    if running.lay(&mut stages).is_some() {
        session.submit_stages(stages, Box::new(|_| {})).wait()?;
    }
    Ok(running)
}

/// The values of several calls, in one run: what they share is computed once. They are given as arguments are: a tuple, or a
/// list, whose values come as a tuple or a list.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let double = delayed(|n: i64| n * 2);
/// let (two, four) = (double.call(1i64), double.call(2i64));
/// assert_eq!(compute_all(&session, (&two, vec![&two, &four]))?, (2, vec![2, 4]));
/// assert_eq!(compute_all(&session, [two, four])?, [2, 4]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Delayed::compute`].
pub fn compute_all<A: Answers>(session: &Session, wanted: A) -> Result<A::Values> {
    let mut inputs = Inputs(Vec::new());
    let shapes = wanted.lay(&mut inputs);
    let running = run(session, &inputs.0)?;
    Ok(A::values(A::read(&shapes, &mut running.answers()?)?))
}

/// The same calls, run now in one run: see [`Delayed::persist`].
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let square = delayed(|n: u64| n * n);
/// let squares = persist_all(&session, &[square.call(3u64), square.call(4u64)])?;
/// assert_eq!(compute_all(&session, &squares)?, [9, 16]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Delayed::compute`].
pub fn persist_all<T: Send + Sync + 'static>(session: &Session, calls: &[Delayed<T>]) -> Result<Vec<Delayed<T>>> {
    let nodes: Vec<Arc<Node>> = calls.iter().map(|call| call.node.clone()).collect();
    let roots = run(session, &nodes)?.roots()?;
    let rested = roots.into_iter().zip(&nodes).map(|((shelved, value), node)| {
        let kind = match (shelved, value) {
            (Some(shelved), _) => Kind::Rested(shelved),
            (None, Some(value)) => Kind::Value(value),
            (None, None) => return Err(Error::internal("a result is not there")),
        };
        Ok(Delayed::of(Node::given(&node.options.name, kind)))
    });
    rested.collect()
}

impl<T: Send + Sync + 'static> Delayed<T> {
    /// Runs the call and all that it needs, each once, and answers with its result. Results on the way rest within the budget of
    /// the session, in scratch where they must, and are freed when the last call that needs them has run; the answer is the
    /// program's.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let parse = delayed(|text: &str| text.parse::<i64>()).name("parse");
    /// let add = delayed(|a: i64, b: i64| a + b);
    /// assert_eq!(add.call((parse.call("40"), 2i64)).compute(&session)?, 42);
    ///
    /// let error = add.call((parse.call("forty"), 2i64)).compute(&session).unwrap_err();
    /// assert_eq!(error.message(), "the task parse: invalid digit found in string");
    /// assert_eq!(error.place().task.as_deref(), Some("parse #0 -> closure in main #1"));
    /// assert!(std::error::Error::source(&error).unwrap().is::<std::num::ParseIntError>());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first task that fails or panics ends the run, with an error that names it and has its error as the cause. `Resources`,
    /// where the results that are needed at one time do not fit.
    pub fn compute(&self, session: &Session) -> Result<T>
    where
        T: Clone,
    {
        compute_all(session, self)
    }

    /// Runs the call now; what is returned has the result, at rest in the session, and does not run again.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let table = delayed(|n: usize| (0..n as i64).collect::<Vec<_>>()).call(1000usize).persist(&session)?;
    /// let sum = delayed(|numbers: &[i64]| numbers.iter().sum::<i64>());
    /// assert_eq!(sum.call(&table).compute(&session)?, 499_500);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn persist(&self, session: &Session) -> Result<Delayed<T>> {
        let persisted = persist_all(session, std::slice::from_ref(self))?;
        persisted.into_iter().next().ok_or_else(|| Error::internal("a result is not there"))
    }
}
