//! Subqueries in the condition of an outer join that look at one side alone: `t LEFT JOIN u ON t.a = u.a AND EXISTS (..
//! u.b ..)`.
//!
//! No rule plans a subquery in a join's condition. One over the side that is filled with nulls leaves rows of that side
//! out before they are joined, so it is a filter of that side:
//!
//! ```text
//! left join on t.a = u.a and EXISTS(u.b)        left join on t.a = u.a
//!   t                                     ->      t
//!   u                                             filter EXISTS(u.b)
//!                                                   u
//! ```
//!
//! Limits: in a condition over both sides, or over the side that is kept, the subquery stays, and is refused.

use super::decorrelate::subquery_of;
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::logical_plan::{Filter, Join};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, JoinType, LogicalPlan};
use std::sync::Arc;

/// Makes filters of such conditions, in the whole plan.
pub(super) fn to_filters(plan: LogicalPlan) -> Result<LogicalPlan> {
    walk::plan_up(plan, &mut |node| match node {
        LogicalPlan::Join(mut join) => Ok(match moved(&mut join)? {
            true => Transformed::yes(LogicalPlan::Join(join)),
            false => Transformed::no(LogicalPlan::Join(join)),
        }),
        other => Ok(Transformed::no(other)),
    })
    .data()
}

fn moved(join: &mut Join) -> Result<bool> {
    let side = match join.join_type {
        JoinType::Left => &mut join.right,
        JoinType::Right => &mut join.left,
        _ => return Ok(false),
    };
    let Some(condition) = join.filter.clone() else { return Ok(false) };
    let (mut here, mut rest) = (Vec::new(), Vec::new());
    for part in split_conjunction_owned(condition) {
        match asks_only(&part, side.schema())? {
            true => here.push(part),
            false => rest.push(part),
        }
    }
    let Some(filter) = conjunction(here) else { return Ok(false) };
    *side = Arc::new(LogicalPlan::Filter(Filter::try_new(filter, Arc::clone(side))?));
    join.filter = conjunction(rest);
    Ok(true)
}

/// Whether a condition has a subquery, and it and the condition name columns of `schema` alone.
fn asks_only(condition: &Expr, schema: &DFSchema) -> Result<bool> {
    let (mut asks, mut only) = (false, true);
    walk::look_at_parts(condition, &mut |part| {
        match part {
            Expr::Column(column) => only &= schema.has_column(column),
            Expr::OuterReferenceColumn(..) => only = false,
            _ => {}
        }
        if let Some(subquery) = subquery_of(part) {
            asks = true;
            for outer in &subquery.outer_ref_columns {
                only &= matches!(outer, Expr::OuterReferenceColumn(_, column) if schema.has_column(column));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(asks && only)
}
