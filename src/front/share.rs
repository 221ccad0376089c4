//! A common table expression that is used twice is computed once.
//!
//! The binder copies the plan of a CTE to each place that names it; the copies share their parts. So before any rule
//! changes the plan, two aliases over the very same plan are two uses of one CTE, and each becomes a
//! [`Shared`](super::extra::Kind::Shared) node of the same number: a wall that no rule moves anything through, since
//! what one use does not want another may. `plan` computes the first and lets the others read its rows.
//!
//! A CTE of nothing but scans, filters and projections is cheaper to compute again; one that is volatile (`random()`)
//! must not be.

use super::extra::{Extra, Kind};
use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::SubqueryAlias;
use std::sync::Arc;

/// Where a plan is in memory: equal for the uses of one CTE.
type Place = *const LogicalPlan;

/// Marks every use of a CTE that is worth sharing, in subqueries too.
pub(super) fn mark(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut uses = Uses::default();
    uses.count(&plan)?;
    uses.0.retain(|u| u.count > 1 && u.worth);
    if uses.0.is_empty() {
        return Ok(plan);
    }
    // Top down, so that places are compared before anything below them is made anew.
    plan.transform_down_with_subqueries(|plan| match &plan {
        LogicalPlan::SubqueryAlias(alias) => match uses.number(&alias.input) {
            Some(number) => {
                let shared = Extra::plan(Kind::Shared(number), vec![alias.input.as_ref().clone()], Vec::new())?;
                let alias = SubqueryAlias::try_new(Arc::new(shared), alias.alias.clone())?;
                Ok(Transformed::yes(LogicalPlan::SubqueryAlias(alias)))
            }
            None => Ok(Transformed::no(plan)),
        },
        _ => Ok(Transformed::no(plan)),
    })
    .data()
}

/// A plan under an alias.
struct Use {
    place: Place,
    /// How often it is used.
    count: usize,
    /// Whether it is worth sharing.
    worth: bool,
}

/// The plans under aliases, in the order in which they are found.
#[derive(Default)]
struct Uses(Vec<Use>);

impl Uses {
    fn number(&self, plan: &Arc<LogicalPlan>) -> Option<usize> {
        self.0.iter().position(|u| u.place == Arc::as_ptr(plan))
    }

    fn count(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            let LogicalPlan::SubqueryAlias(alias) = node else { return Ok(TreeNodeRecursion::Continue) };
            if let Some(known) = self.number(&alias.input).and_then(|i| self.0.get_mut(i)) {
                // What is below is used by the first use alone.
                known.count += 1;
                return Ok(TreeNodeRecursion::Jump);
            }
            self.0.push(Use { place: Arc::as_ptr(&alias.input), count: 1, worth: is_worth(&alias.input)? });
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }
}

/// Whether computing `plan` twice costs much, or gives two answers. Not what depends on the row of an outer query.
pub(super) fn is_worth(plan: &LogicalPlan) -> Result<bool> {
    let mut worth = false;
    let mut correlated = false;
    plan.apply_with_subqueries(|node| {
        correlated |= node.contains_outer_reference();
        worth |= match node {
            LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::RecursiveQuery(_)
            | LogicalPlan::Extension(_) => true,
            other => other.expressions().iter().any(datafusion_expr::Expr::is_volatile),
        };
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(worth && !correlated)
}
