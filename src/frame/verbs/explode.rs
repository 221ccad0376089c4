//! Lists become rows.

use super::columns::{found_all, only};
use crate::error::Result;
use crate::frame::Frame;
use datafusion_common::{Column, NullHandling, Result as PlanResult, UnnestOptions};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_functions_nested::make_array::make_array;

impl Frame {
    /// A row for each element of the lists in these columns, which are as long as each other (a shorter one is filled up
    /// with nulls). A row whose list is null or empty stays, with a null.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let lists = Session::builder().build()?.sql("FROM (VALUES (1, [10, 20]), (2, []), (3, NULL)) t(n, l)")?;
    /// assert_eq!(lists.explode(&["l"])?.lines()?, ["1|10", "1|20", "2|", "3|"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, and for columns that hold no lists.
    pub fn explode(self, names: &[&str]) -> Result<Frame> {
        self.then(|plan| {
            let lists = match names {
                [] => return Ok(plan),
                names => found_all(plan.schema(), names)?,
            };
            opened(plan, lists, NullHandling::PreserveAndExpandEmpty)
        })
    }
}

fn opened(plan: LogicalPlan, lists: Vec<Column>, nulls: NullHandling) -> PlanResult<LogicalPlan> {
    let options = UnnestOptions::new().with_null_handling(nulls);
    LogicalPlanBuilder::from(plan).unnest_columns_with_options(lists, options)?.build()
}

/// The columns `stay`, beside each n-th expression of the `lists`, which are named: as many rows for each as these are long.
pub(super) fn turned(plan: LogicalPlan, stay: Vec<Expr>, lists: Vec<(String, Vec<Expr>)>) -> PlanResult<LogicalPlan> {
    let names: Vec<Column> = lists.iter().map(|(name, _)| Column::new_unqualified(name)).collect();
    let arrays = lists.into_iter().map(|(name, items)| make_array(items).alias(name));
    let all: Vec<Expr> = stay.into_iter().chain(arrays).collect();
    let made = opened(LogicalPlanBuilder::from(plan).project(all)?.build()?, names, NullHandling::Drop)?;
    let columns = made.schema().columns();
    only(made, columns)
}
