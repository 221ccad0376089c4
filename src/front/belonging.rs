//! Aggregates that belong to an outer query.
//!
//! An aggregate whose arguments are all columns of an outer query is that query's, says SQL: in `SELECT (SELECT
//! sum(t.x) FROM u) FROM t` the sum is one over t. The planner would bind it where it stands, a sum over u for each row
//! of t: another answer. So it is refused, with what to write instead.

use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{Expr, LogicalPlan};

/// Checks that no subquery of `plan` holds an aggregate of an outer query.
///
/// # Errors
/// `Plan`, with the aggregate.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    walk::look_at_plans(plan, &mut |node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            for expr in &aggregate.aggr_expr {
                if is_outer(expr)? {
                    let expr = as_written(expr)?;
                    return plan_err!(
                        "{expr} in a subquery has only columns of the query outside, whose aggregate it would be: \
                         compute it there, in a query of its own, and name the result"
                    );
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// An expression whose outer columns are shown by their names alone.
fn as_written(expr: &Expr) -> Result<Expr> {
    let named = walk::expr_up(expr.clone(), &mut |part| {
        Ok(match part {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    })?;
    Ok(named.data)
}

/// Whether the arguments of an aggregate are columns of outer queries, and only those.
fn is_outer(aggregate: &Expr) -> Result<bool> {
    let (mut outer, mut inner) = (false, false);
    walk::look_at_parts(aggregate, &mut |part| {
        outer |= matches!(part, Expr::OuterReferenceColumn(..));
        inner |= matches!(part, Expr::Column(_));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(outer && !inner)
}
