//! The rules that turn a bound plan into the one that is run, in their order.
//!
//! 1. Analysis: grouping functions, types, [checked arithmetic](super::overflow).
//! 2. DataFusion's rules: subqueries become joins, filters and limits go down, columns nobody wants go away.
//! 3. [Join order](super::join_order), from what is known of the tables; then the columns once more, since the joins
//!    changed places.

use super::distinct;
use super::functions::{Functions, QueryConfig};
use super::join_order;
use super::overflow::CheckedArithmetic;
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
            Arc::new(CheckedArithmetic),
        ]);
        let columns = Optimizer::with_rules(vec![Arc::new(OptimizeProjections::new())]);
        let optimizer = Optimizer::with_rules(distinct::only_without_order(Optimizer::new().rules));
        Rules { analyzer, optimizer, columns }
    }

    /// The plan to run.
    pub(super) fn run(&self, plan: LogicalPlan, functions: &Functions) -> Result<LogicalPlan> {
        let config = QueryConfig { functions, start: Utc::now() };
        let analyzed = self.analyzer.execute_and_check(plan, &functions.options, |_, _| {})?;
        let optimized = self.optimizer.optimize(analyzed, &config, |_, _| {})?;
        let ordered = join_order::reorder(optimized)?;
        match ordered.transformed {
            true => self.columns.optimize(ordered.data, &config, |_, _| {}),
            false => Ok(ordered.data),
        }
    }
}
