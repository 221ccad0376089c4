//! Join order.
use datafusion_common::Result;
use datafusion_common::tree_node::Transformed;
use datafusion_expr::LogicalPlan;

/// Reorders.
pub(super) fn reorder(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    Ok(Transformed::no(plan))
}
