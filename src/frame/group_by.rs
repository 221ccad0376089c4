//! `frame.group_by(keys).agg(aggregates)`.

use super::lazy::{Frame, IntoExprs};
use crate::error::Result;
use datafusion_expr::utils::find_aggregate_exprs;
use datafusion_expr::{Expr, LogicalPlanBuilder};

/// A frame with keys, waiting for its aggregates.
pub struct GroupBy {
    pub(super) frame: Frame,
    pub(super) keys: Vec<Expr>,
}

impl GroupBy {
    /// One row for each different combination of the keys, with the aggregates over its rows, or expressions of them as
    /// `sum(a) / sum(b)`. The order of the rows is unspecified. Nulls are one group.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// let sums = session
    ///     .sql("SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t(k, v)")?
    ///     .group_by([col("k")])
    ///     .agg([sum(col("v")).alias("total")])?;
    /// assert_eq!(sums.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and types that an aggregate does not take.
    pub fn agg(self, aggregates: impl IntoExprs) -> Result<Frame> {
        let GroupBy { frame, keys } = self;
        let exprs = aggregates.into_exprs();
        frame.knowing(keys.iter().chain(&exprs))?.then(|plan| match exprs.iter().all(is_call) {
            true => LogicalPlanBuilder::from(plan).aggregate(keys, exprs)?.build(),
            false => {
                let made = LogicalPlanBuilder::from(plan).aggregate(keys, find_aggregate_exprs(&exprs))?.build()?;
                let calls = find_aggregate_exprs(&exprs).len();
                let mut columns = made.schema().columns();
                columns.truncate(columns.len().saturating_sub(calls));
                let all = columns.into_iter().map(Expr::Column).chain(exprs);
                LogicalPlanBuilder::from(made).project(all.collect::<Vec<_>>())?.build()
            }
        })
    }
}

/// A call of an aggregate and nothing more.
fn is_call(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(_) => true,
        Expr::Alias(alias) => is_call(&alias.expr),
        _ => false,
    }
}
