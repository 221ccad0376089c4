//! Sorts whose order nobody sees go away.
//!
//! `FROM (SELECT .. ORDER BY x) LIMIT 3` gives the first three by x, `list(x)` over it a sorted list, `row_number()` the
//! places: the order of a subquery is what the query around it begins with, so the binder keeps its sort. Below a join, a
//! DISTINCT or aggregates that do not ask for an order it cannot be seen, and costs time and scratch: there it is removed.
//!
//! A sort with a limit decides which rows there are; it stays.

use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{JoinType, Result};
use datafusion_expr::Expr;
use datafusion_expr::logical_plan::{Aggregate, Distinct, LogicalPlan};
use std::sync::Arc;

/// Aggregates that are the same in any order of their input. Of others nothing is assumed.
const ORDERLESS: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
    "bit_xor",
    "median",
    "quantile_cont",
    "quantile_disc",
    "stddev",
    "stddev_pop",
    "var",
    "var_pop",
    "corr",
    "covar_samp",
    "covar_pop",
    "approx_distinct",
    "count_if",
    "grouping",
];

/// The plan without sorts whose order cannot be seen, in subqueries too.
pub(super) fn drop_sorts(plan: LogicalPlan) -> Result<LogicalPlan> {
    below(plan, true)
}

/// The plan, whose order somebody sees or not.
fn below(plan: LogicalPlan, seen: bool) -> Result<LogicalPlan> {
    let plan = plan.map_subqueries(|subquery| below(subquery, true).map(Transformed::yes)).data()?;
    if let LogicalPlan::Sort(sort) = &plan
        && sort.fetch.is_none()
        && !seen
    {
        return below(Arc::unwrap_or_clone(Arc::clone(&sort.input)), false);
    }
    let sees: Vec<bool> = (0..plan.inputs().len()).map(|at| sees(&plan, at, seen)).collect();
    let mut sees = sees.into_iter();
    plan.map_children(|child| below(child, sees.next().unwrap_or(true)).map(Transformed::yes)).data()
}

/// Whether the order of an input can be seen through `plan`, whose own is seen or not.
fn sees(plan: &LogicalPlan, input: usize, seen: bool) -> bool {
    match plan {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::Unnest(_) => seen,
        // The side that is kept streams through a semi join in its order: so people see it.
        LogicalPlan::Join(join) => {
            let keeps = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark);
            seen && keeps && input == 0
        }
        LogicalPlan::Distinct(Distinct::All(_)) => false,
        LogicalPlan::Aggregate(Aggregate { aggr_expr, .. }) => !aggr_expr.iter().all(has_no_order),
        // Equal keys stay in the order in which they come; limits count; others may do either.
        _ => true,
    }
}

/// Whether an aggregate is the same in any order of its input.
fn has_no_order(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(call) => ORDERLESS.contains(&call.func.name()),
        Expr::Alias(alias) => has_no_order(&alias.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bound;
    use super::super::tests::front;

    /// The sorts in the plan of a query.
    fn sorts(sql: &str) -> usize {
        let front = front();
        let statement = front.parse(sql).unwrap().remove(0);
        let Bound::Query(planned) = front.bind(&statement).unwrap() else { panic!("{sql} is no query") };
        planned.optimized.display_indent().to_string().matches("Sort:").count()
    }

    #[test]
    fn sorts_that_nobody_sees_go_away() {
        for sql in [
            "select count(*), sum(c) from (select * from t order by a)",
            "select b, max(a) from (select * from t order by a) group by b",
            "select distinct a from (select * from t order by c)",
            "select t.c from (select * from t order by a) t join (select * from u order by x) u on t.a = u.a",
            "select sum(x) from (select * from (select * from u order by x) v where x > 1)",
            "select a from t where a in (select a from u order by x)",
            "with q as (select a from t order by c) select count(distinct a) from q",
        ] {
            assert_eq!(sorts(sql), 0, "{sql}");
        }
    }

    #[test]
    fn others_stay() {
        for (sql, wanted) in [
            ("select a from (select a, c from t order by c) where a > 1", 1),
            ("select a from (select a, c from t order by c) limit 3", 1),
            ("select count(*) from (select a from t order by c limit 5)", 1),
            ("select array_agg(a) from (select a from t order by c)", 1),
            ("select array_agg(a), count(*) from (select a from t order by c)", 1),
            ("select row_number() over () from (select a from t order by c)", 1),
            ("select a, c from (select a, c from t order by c) order by a", 2),
            ("select a from (select a from t order by c) where a in (select a from u order by x)", 1),
            ("select a from (select a from t order by c) union all select a from u", 1),
        ] {
            assert_eq!(sorts(sql), wanted, "{sql}");
        }
    }
}
