//! Subqueries in the condition of a join: `t LEFT JOIN u ON t.a = u.a AND EXISTS (.. u.b ..)`.
//!
//! No rule plans a subquery in a join's condition. In an inner join it is a filter above. One over the side that is filled
//! with nulls leaves rows of that side out before they are joined, so it is a filter of that side:
//!
//! ```text
//! left join on t.a = u.a and EXISTS(u.b)        left join on t.a = u.a
//!   t                                     ->      t
//!   u                                             filter EXISTS(u.b)
//!                                                   u
//! ```
//!
//! One over both sides, or over the side that is kept, is a filter of the pairs; rows find their pairs again by their
//! numbers:
//!
//! ```text
//! full join on EXISTS(t.a, u.b)        full join on number of u
//!   t                            ->      left join on number of t
//!   u                                      t, numbered (computed once)
//!                                          filter EXISTS(t.a, u.b)
//!                                            cross join of both, numbered
//!                                        u, numbered (computed once)
//! ```
//!
//! Limits: not where a side depends on the row of an outer query.

use super::decorrelate::subquery_of;
use super::extra::{Extra, Kind};
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::expr::{WindowFunction, WindowFunctionDefinition};
use datafusion_expr::logical_plan::{Filter, Join};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};
use datafusion_functions_window::row_number::row_number_udwf;
use std::sync::Arc;

/// Makes filters of such conditions, in the whole plan.
pub(super) fn to_filters(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut made = 0;
    walk::plan_up(plan, &mut |node| match node {
        LogicalPlan::Join(mut join) => {
            let changed = moved(&mut join)?;
            if let Some(plan) = paired(&join, &mut made)? {
                return Ok(Transformed::yes(plan));
            }
            Ok(Transformed::new_transformed(LogicalPlan::Join(join), changed))
        }
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

/// Numbers of shared plans that are made here begin here.
const FIRST_SHARED: usize = 1 << 21;

/// The join over the pairs for which its condition holds, if that has a subquery.
fn paired(join: &Join, made: &mut usize) -> Result<Option<LogicalPlan>> {
    let Some(condition) = &join.filter else { return Ok(None) };
    if !has_subquery(condition)? {
        return Ok(None);
    }
    let both = |left: &LogicalPlan, right: LogicalPlan| -> Result<LogicalPlan> {
        let (here, there): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
        let pairs = LogicalPlanBuilder::from(left.clone());
        let pairs = match here.is_empty() {
            true => pairs.cross_join(right)?,
            false => pairs.join_with_expr_keys(right, JoinType::Inner, (here, there), None)?,
        };
        pairs.filter(condition.clone())?.build()
    };
    if join.join_type == JoinType::Inner {
        return both(&join.left, join.right.as_ref().clone()).map(Some);
    }
    let outer = matches!(join.join_type, JoinType::Left | JoinType::Right | JoinType::Full);
    if !outer || depends(&join.left)? || depends(&join.right)? {
        return Ok(None);
    }
    let (left, here) = numbered(&join.left, made)?;
    let (right, there) = numbered(&join.right, made)?;
    let of_pair = |name: &Column| Column::from_name(format!("{} of pair", name.name));
    let places = here.iter().chain(&there).map(|c| Expr::Column(c.clone()).alias(of_pair(c).name));
    let pairs = LogicalPlanBuilder::from(both(&left, right.clone())?).project(places)?.build()?;
    let keys = |own: &[Column]| (own.iter().map(of_pair).collect::<Vec<_>>(), own.to_vec());
    // Each pair has a left row; a left row may have none.
    let (pair, own) = keys(&here);
    let lefts = match join.join_type {
        JoinType::Right => LogicalPlanBuilder::from(left).join(pairs, JoinType::Inner, (own, pair), None)?,
        _ => LogicalPlanBuilder::from(left).join(pairs, JoinType::Left, (own, pair), None)?,
    };
    let columns = join.schema.columns().into_iter().map(Expr::Column);
    lefts.join(right, join.join_type, keys(&there), None)?.project(columns)?.build().map(Some)
}

/// A side whose rows are numbered, computed once, and the column of the numbers.
fn numbered(side: &Arc<LogicalPlan>, made: &mut usize) -> Result<(LogicalPlan, [Column; 1])> {
    let function = WindowFunctionDefinition::WindowUDF(row_number_udwf());
    let number = Expr::from(WindowFunction::new(function, Vec::new()));
    let shown = Expr::Column(Column::from_name(number.schema_name().to_string()));
    let own = side.schema().columns().into_iter().map(Expr::Column);
    let name = format!("number of pair {made}");
    let plan = LogicalPlanBuilder::from(side.as_ref().clone())
        .window([number])?
        .project(own.chain([shown.alias(&name)]))?
        .build()?;
    let plan = Extra::plan(Kind::Shared(FIRST_SHARED + *made), vec![plan], Vec::new())?;
    *made += 1;
    Ok((plan, [Column::from_name(name)]))
}

fn has_subquery(condition: &Expr) -> Result<bool> {
    let mut found = false;
    walk::look_at_parts(condition, &mut |part| {
        found |= subquery_of(part).is_some_and(|subquery| !subquery.outer_ref_columns.is_empty())
            || matches!(part, Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether a plan depends on the row of an outer query.
fn depends(plan: &LogicalPlan) -> Result<bool> {
    // Subqueries of the plan may depend on its own rows.
    plan.exists(|node| Ok(node.contains_outer_reference()))
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
