//! Frames below each other and beside each other.

use super::join::beside;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::front::extra::{Extra, Kind};
use crate::ops::expr::from_datafusion;
use datafusion_common::Result as PlanResult;
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::Union;
use std::sync::Arc;

/// The rows of all frames, one after the other; columns by position, under the names of the first.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let session = Session::builder().build()?;
/// let part = |n: i64| session.sql(&format!("SELECT {n} AS n"));
/// assert_eq!(concat([part(1)?, part(2)?, part(3)?])?.lines()?, ["1", "2", "3"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Query` without a frame, and where columns do not fit.
pub fn concat(frames: impl IntoIterator<Item = Frame>) -> Result<Frame> {
    stacked(frames, Union::try_new_with_loose_types)
}

/// The rows of all frames, one after the other; columns by name: one that a frame does not have is null there.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let session = Session::builder().build()?;
/// let frames = [session.sql("SELECT 1 AS a, 2 AS b")?, session.sql("SELECT 3 AS b, 4 AS c")?];
/// assert_eq!(concat_by_name(frames)?.lines()?, ["1|2|", "|3|4"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Query` without a frame, and where types have nothing in common.
pub fn concat_by_name(frames: impl IntoIterator<Item = Frame>) -> Result<Frame> {
    stacked(frames, Union::try_new_by_name)
}

fn stacked(
    frames: impl IntoIterator<Item = Frame>,
    union: impl Fn(Vec<Arc<LogicalPlan>>) -> PlanResult<Union>,
) -> Result<Frame> {
    let mut frames = frames.into_iter().peekable();
    let Some(session) = frames.peek().map(|f| f.session.clone()) else {
        return Err(Error::query("no frame to put together"));
    };
    let mut plans: Vec<Arc<LogicalPlan>> = frames.map(|f| Arc::new(f.plan)).collect();
    let plan = match (plans.len(), plans.pop()) {
        (1, Some(only)) => Arc::unwrap_or_clone(only),
        (_, last) => {
            plans.extend(last);
            LogicalPlan::Union(union(plans).map_err(from_datafusion)?)
        }
    };
    Ok(Frame::new(session, plan))
}

impl Frame {
    /// The n-th row of this frame beside the n-th of `other`; nulls where one has fewer. A name of `other` that is taken
    /// gets `_right` behind.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// let (three, two) = (session.sql("FROM range(3) t(n)")?, session.sql("FROM range(2) t(n)")?);
    /// assert_eq!(three.hstack(two)?.lines()?, ["0|0", "1|1", "2|"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn hstack(self, other: Frame) -> Result<Frame> {
        let number = self.session.0.front.number();
        self.then(|left| {
            beside(left, other.plan, number, |left, right| Extra::plan(Kind::Positional, vec![left, right], Vec::new()))
        })
    }
}
