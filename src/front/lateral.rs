//! Lateral joins over nothing but UNNEST: `FROM t, UNNEST(t.l) AS u(x)`.
//!
//! The binder leaves `Cross Join(t, Subquery(.. Unnest(Projection(outer_ref(t.l), one row))))`, which no rule of
//! DataFusion's can plan. The subquery makes its rows from one row; here it makes them from each row of `t`:
//!
//! ```text
//! Join                                         SubqueryAlias u        (as a projection)
//!   t                                            Unnest
//!   SubqueryAlias u                    ->          Projection: t.*, t.l
//!     Subquery                                       t
//!       Unnest
//!         Projection: outer_ref(t.l)
//!           one row
//! ```
//!
//! The columns of `t` go through every step. Limits: steps are projections, filters, unnests and aliases; a LEFT JOIN has
//! one unnest, no filter, and `ON true`.

use super::dependent::Domain;
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::logical_plan::{Filter, Join, Subquery, SubqueryAlias};
use datafusion_expr::{Expr, JoinType, LogicalPlan};
use datafusion_sql::sqlparser::ast::{self, JoinOperator, Select, TableFactor, VisitorMut};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Lets subqueries in FROM see the tables on their left, as if each said LATERAL; whether any did not say so before.
pub(super) fn see_left(statement: &mut ast::Statement) -> bool {
    struct Seeing(bool);
    impl Seeing {
        fn open(&mut self, factor: &mut TableFactor) {
            if let TableFactor::Derived { lateral, .. } = factor {
                self.0 |= !*lateral;
                *lateral = true;
            }
        }
    }
    impl VisitorMut for Seeing {
        type Break = ();

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            for (i, from) in select.from.iter_mut().enumerate() {
                if i > 0 {
                    self.open(&mut from.relation);
                }
                let sees = |j: &JoinOperator| {
                    use JoinOperator::{CrossJoin, Inner, Join, Left, LeftOuter};
                    matches!(j, CrossJoin(_) | Inner(_) | Join(_) | Left(_) | LeftOuter(_))
                };
                from.joins.iter_mut().filter(|j| sees(&j.join_operator)).for_each(|j| self.open(&mut j.relation));
            }
            ControlFlow::Continue(())
        }
    }
    let mut seeing = Seeing(false);
    let _ = walk::alter(statement, &mut seeing);
    seeing.0
}

/// Plans every such join in `plan`, in subqueries too.
pub(super) fn flatten(plan: LogicalPlan) -> Result<LogicalPlan> {
    walk::plan_up(plan, &mut |plan| match &plan {
        LogicalPlan::Join(join) => Ok(match flattened(join)? {
            Some(flat) => Transformed::yes(flat),
            None => Transformed::no(plan),
        }),
        _ => Ok(Transformed::no(plan)),
    })
    .data()
}

fn flattened(join: &Join) -> Result<Option<LogicalPlan>> {
    if !join.on.is_empty() {
        return Ok(None);
    }
    let Some((subquery, alias)) = lateral(&join.right) else { return Ok(None) };
    let always = |e: &Expr| matches!(e, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    let condition = join.filter.as_ref().filter(|e| !always(e));
    let kept = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left if condition.is_none() => true,
        _ => return Ok(None),
    };
    let names = join.left.schema().columns().into_iter().map(|c| (c.clone(), c)).collect();
    let domain = Domain { plan: join.left.as_ref().clone(), names, distinct: false, keeps: kept };
    let plan = match alias {
        Some(alias) => domain.alias(alias)?,
        None => domain.over(&subquery.subquery)?,
    };
    let (Some(plan), Some(condition)) = (&plan, condition) else { return Ok(plan) };
    Ok(Some(LogicalPlan::Filter(Filter::try_new(condition.clone(), Arc::new(plan.clone()))?)))
}

/// The correlated subquery that is the right side of a join, and its name.
fn lateral(plan: &LogicalPlan) -> Option<(&Subquery, Option<&SubqueryAlias>)> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some((subquery, None)),
        LogicalPlan::SubqueryAlias(alias) => match &*alias.input {
            LogicalPlan::Subquery(subquery) => Some((subquery, Some(alias))),
            _ => None,
        },
        _ => None,
    }
}
