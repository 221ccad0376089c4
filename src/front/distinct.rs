//! Distinct aggregates as two groupings, where no order shows.
//!
//! DataFusion's rule makes `f(DISTINCT x)` an `f(x)` over the groups of x. That is right for counts and sums; a list or a
//! text would come in the order of groups, which is not the same in every run. Those stay as they are, and are computed
//! apart.

use datafusion_common::Result;
use datafusion_common::tree_node::Transformed;
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_optimizer::optimizer::ApplyOrder;
use datafusion_optimizer::single_distinct_to_groupby::SingleDistinctToGroupBy;
use datafusion_optimizer::{OptimizerConfig, OptimizerRule};
use std::sync::Arc;

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rules, with ours in the place of DataFusion's.
pub(super) fn only_without_order(rules: Vec<Rule>) -> Vec<Rule> {
    let ours: Rule = Arc::new(OnlyWithoutOrder(SingleDistinctToGroupBy::new()));
    rules.into_iter().map(|rule| if rule.name() == ours.name() { ours.clone() } else { rule }).collect()
}

#[derive(Debug)]
struct OnlyWithoutOrder(SingleDistinctToGroupBy);

impl OptimizerRule for OnlyWithoutOrder {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Aggregate(node) if !node.aggr_expr.iter().all(has_no_order) => Ok(Transformed::no(plan)),
            _ => self.0.rewrite(plan, config),
        }
    }
}

fn has_no_order(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(call) => matches!(call.func.name(), "count" | "sum" | "avg" | "min" | "max"),
        Expr::Alias(alias) => has_no_order(&alias.expr),
        _ => false,
    }
}
