//! Windows in expressions of a [`Frame`](super::Frame).

use super::IntoExprs;
use crate::error::{Error, Result};
use crate::front::walk;
use crate::ops::expr::from_datafusion;
use datafusion_common::Result as PlanResult;
use datafusion_common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion_expr::expr_rewriter::normalize_col;
use datafusion_expr::utils::{columnize_expr, find_window_exprs};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, WindowFrame, WindowFunctionDefinition};

/// `function` over the rows with the same `partition_by` as a row, in the order of `order_by`: an aggregate, or a window
/// function as `row_number()` or `lag(col("x"), None, None)`. With an order, an aggregate sees the rows up to the row and
/// those that are equal to it in the order; without, all rows of the partition.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let session = Session::builder().build()?;
/// let share = cast(col("v"), arrow::datatypes::DataType::Float64) / over(sum(col("v")), [col("k")], [])?;
/// let first = over(row_number(), [col("k")], [col("v").sort(false, false)])?;
/// let frame = session
///     .sql("SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t(k, v)")?
///     .with_columns([share.alias("share"), first.alias("place")])?
///     .filter(col("place").eq(lit(1)))?;
/// assert_eq!(frame.count()?, 2);
/// # Ok(())
/// # }
/// ```
///
/// Of an expression, all aggregates and window functions inside are over that window. An order or a frame that a function
/// brings ([`ranked`](super::ranked), [`rolling`](super::rolling)) stays, where no other order is given.
///
/// # Errors
/// `Query`, where there is neither an aggregate nor a window function.
pub fn over(
    function: Expr,
    partition_by: impl IntoExprs,
    order_by: impl IntoIterator<Item = SortExpr>,
) -> Result<Expr> {
    let (partition_by, order_by) = (partition_by.into_exprs(), order_by.into_iter().collect::<Vec<_>>());
    let mut found = false;
    let made = walk::expr_down(function.clone(), &mut |expr| {
        let window = match expr {
            Expr::AggregateFunction(call) if call.params.order_by.is_empty() => window_of(call),
            Expr::WindowFunction(call) => *call,
            other => return Ok(Transformed::no(other)),
        };
        found = true;
        let placed = Expr::WindowFunction(Box::new(placed(window, &partition_by, &order_by)));
        Ok(Transformed::new(placed, true, TreeNodeRecursion::Jump))
    });
    match found {
        true => Ok(made.map_err(from_datafusion)?.data),
        false => Err(Error::query(format!("{function} is neither an aggregate nor a window function"))),
    }
}

/// The aggregate over a window of all rows.
pub(super) fn window_of(call: AggregateFunction) -> WindowFunction {
    let params = call.params;
    WindowFunction {
        fun: WindowFunctionDefinition::AggregateUDF(call.func),
        params: WindowFunctionParams {
            args: params.args,
            partition_by: Vec::new(),
            order_by: Vec::new(),
            window_frame: WindowFrame::new(None),
            filter: params.filter,
            null_treatment: params.null_treatment,
            distinct: params.distinct,
        },
    }
}

fn placed(mut call: WindowFunction, partition_by: &[Expr], order_by: &[SortExpr]) -> WindowFunction {
    let params = &mut call.params;
    if !partition_by.is_empty() {
        params.partition_by = partition_by.to_vec();
    }
    if !order_by.is_empty() {
        params.order_by = order_by.to_vec();
    }
    if params.window_frame == WindowFrame::new(None) {
        params.window_frame = WindowFrame::new((!params.order_by.is_empty()).then_some(false));
    }
    call
}

/// `plan` with a column more for each window in `exprs`, which a projection over it then finds.
pub(super) fn with_windows(plan: LogicalPlan, exprs: &[Expr]) -> PlanResult<LogicalPlan> {
    match find_window_exprs(exprs) {
        windows if windows.is_empty() => Ok(plan),
        windows => LogicalPlanBuilder::window_plan(plan, windows),
    }
}

/// The rows of `plan` for which `predicate` is true; its windows see all rows.
pub(super) fn filtered(plan: LogicalPlan, predicate: Expr) -> PlanResult<LogicalPlan> {
    let columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let predicates = [predicate];
    if find_window_exprs(&predicates).is_empty() {
        let [predicate] = predicates;
        return LogicalPlanBuilder::from(plan).filter(predicate)?.build();
    }
    let windowed = with_windows(plan, &predicates)?;
    let [predicate] = predicates;
    let predicate = columnize_expr(normalize_col(predicate, &windowed)?, &windowed)?;
    LogicalPlanBuilder::from(windowed).filter(predicate)?.project(columns)?.build()
}
