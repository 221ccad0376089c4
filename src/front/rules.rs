//! The rules that turn a bound plan into the one that is run, in their order.
//!
//! 1. What SQL says and DataFusion has no word for gets its nodes: shared CTEs, as-of joins, lateral UNNEST,
//!    INTERSECT ALL and EXCEPT ALL, [intervals](spans), aggregates of [`moments`], [nulls in lists](nested_order),
//!    subqueries that DataFusion plans wrongly, and, when it refused the plan, correlated ones.
//! 2. Analysis: grouping functions, types, [casts](super::functions::cast), [checked arithmetic](super::overflow).
//! 3. DataFusion's rules: subqueries become joins, filters and limits go down, columns nobody wants go away.
//! 4. Sorts go away whose order nobody sees ([`unseen`]).
//! 5. [Join order](super::join_order), from what is known of the tables; then the columns once more, since the joins
//!    changed places.

use super::functions::cast::Casts;
use super::functions::{Functions, QueryConfig};
use super::overflow::CheckedArithmetic;
use super::{asof, belonging, decorrelate, distinct, join_order, lateral, moments, nested_order, set_ops, share};
use super::{spans, unseen};
use chrono::Utc;
use datafusion_common::Result;
use datafusion_expr::LogicalPlan;
use datafusion_optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::{Analyzer, Optimizer};
use std::sync::Arc;

/// All rules.
pub(super) struct Rules {
    analyzer: Analyzer,
    optimizer: Optimizer,
    columns: Optimizer,
}

impl Rules {
    pub(super) fn new() -> Rules {
        let analyzer = Analyzer::with_rules(vec![
            Arc::new(ResolveGroupingFunction::new()),
            Arc::new(TypeCoercion::new()),
            Arc::new(Casts),
            Arc::new(CheckedArithmetic),
        ]);
        let columns = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
        let optimizer = Optimizer::with_rules(distinct::only_without_order(Optimizer::new().rules));
        Rules { analyzer, optimizer, columns }
    }

    /// The plan to run.
    pub(super) fn run(&self, plan: LogicalPlan, functions: &Functions) -> Result<LogicalPlan> {
        let config = QueryConfig { functions, start: Utc::now() };
        belonging::check(&plan)?;
        let plan = set_ops::count_rows(lateral::flatten(asof::plan(share::mark(plan)?)?)?)?;
        let plan = decorrelate::hard(nested_order::apart(moments::as_numbers(spans::by_length(plan)?)?)?)?;
        let optimized = match self.optimize(plan.clone(), &config) {
            Ok(made) if !decorrelate::is_left(&made)? => made,
            refused => match decorrelate::all(plan)? {
                Some(plan) => self.optimize(plan, &config)?,
                None => refused?,
            },
        };
        let ordered = join_order::reorder(unseen::drop_sorts(optimized)?)?;
        match ordered.transformed {
            true => self.columns.optimize(ordered.data, &config, |_, _| {}),
            false => Ok(ordered.data),
        }
    }

    fn optimize(&self, plan: LogicalPlan, config: &QueryConfig<'_>) -> Result<LogicalPlan> {
        let analyzed = self.analyzer.execute_and_check(plan, &config.functions.options, |_, _| {})?;
        self.optimizer.optimize(analyzed, config, |_, _| {})
    }
}
