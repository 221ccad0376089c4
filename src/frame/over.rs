//! Windows in expressions of a [`Frame`](super::Frame).

use super::IntoExprs;
use crate::error::{Error, Result};
use datafusion_common::Result as PlanResult;
use datafusion_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion_expr::utils::find_window_exprs;
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
/// # Errors
/// `Query`, where `function` is neither an aggregate nor a window function.
pub fn over(
    function: Expr,
    partition_by: impl IntoExprs,
    order_by: impl IntoIterator<Item = SortExpr>,
) -> Result<Expr> {
    let order_by: Vec<SortExpr> = order_by.into_iter().collect();
    let window_frame = WindowFrame::new((!order_by.is_empty()).then_some(false));
    let partition_by = partition_by.into_exprs();
    let call = match function {
        Expr::AggregateFunction(call) if call.params.order_by.is_empty() => WindowFunction {
            fun: WindowFunctionDefinition::AggregateUDF(call.func),
            params: WindowFunctionParams {
                args: call.params.args,
                partition_by,
                order_by,
                window_frame,
                filter: call.params.filter,
                null_treatment: call.params.null_treatment,
                distinct: call.params.distinct,
            },
        },
        Expr::WindowFunction(call) => WindowFunction {
            fun: call.fun,
            params: WindowFunctionParams { partition_by, order_by, window_frame, ..call.params },
        },
        other => {
            return Err(Error::query(format!("{other} is neither an aggregate nor a window function")));
        }
    };
    Ok(Expr::WindowFunction(Box::new(call)))
}

/// `plan` with a column more for each window in `exprs`, which a projection over it then finds.
pub(super) fn with_windows(plan: LogicalPlan, exprs: &[Expr]) -> PlanResult<LogicalPlan> {
    match find_window_exprs(exprs) {
        windows if windows.is_empty() => Ok(plan),
        windows => LogicalPlanBuilder::window_plan(plan, windows),
    }
}
