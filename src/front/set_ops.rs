//! `INTERSECT ALL` and `EXCEPT ALL`: how often a row is in either input counts.
//!
//! The binder makes a semi or an anti join of them, which keeps every copy of a row or none. Here both inputs become one,
//! each row is counted on both sides, and is repeated as often as it should be:
//!
//! ```text
//! Repeat: max(l - r, 0), or min(l, r)
//!   Aggregate: by all columns; l = rows of the left input, r = rows of the right one
//!     Union
//!       left input, 1, null
//!       right input, null, 1
//! ```
//!
//! A join with `NullEqualsNull` comes from nothing else before the optimizer ran. Where the left input is distinct, the
//! join is right as it is.

use super::extra::{Extra, Kind};
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{Column, JoinType, NullEquality, Result, ScalarValue};
use datafusion_expr::logical_plan::{Join, Projection, Union};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col, lit, when};
use datafusion_functions_aggregate::expr_fn::count;
use std::sync::Arc;

/// Plans every such operation in `plan`, in subqueries too.
pub(super) fn count_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    walk::plan_up(plan, &mut |plan| match &plan {
        LogicalPlan::Join(join) if is_set_operation(join) => Ok(Transformed::yes(counted(join)?)),
        _ => Ok(Transformed::no(plan)),
    })
    .data()
}

fn is_set_operation(join: &Join) -> bool {
    join.null_equality == NullEquality::NullEqualsNull
        && matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.on.len() == join.left.schema().fields().len()
        && !matches!(&*join.left, LogicalPlan::Distinct(_))
}

fn counted(join: &Join) -> Result<LogicalPlan> {
    let (here, none) = (lit(1_i64), Expr::Literal(ScalarValue::Int64(None), None));
    let left = side(&join.left, here.clone(), none.clone())?;
    let right = side(&join.right, none, here)?;
    let union = LogicalPlan::Union(Union::try_new_with_loose_types(vec![Arc::new(left), Arc::new(right)])?);
    let names: Vec<String> = (0..join.on.len()).map(|i| format!("c{i}")).collect();
    let counts = vec![count(col("l")).alias("l"), count(col("r")).alias("r")];
    let (l, r) = (col("l"), col("r"));
    let times = match join.join_type {
        JoinType::LeftSemi => when(l.clone().lt(r.clone()), l).otherwise(r)?,
        _ => when(l.clone().gt(r.clone()), l - r).otherwise(lit(0_i64))?,
    };
    let groups: Vec<Expr> = names.iter().map(col).collect();
    let repeated = LogicalPlanBuilder::from(union)
        .aggregate(groups.clone(), counts)?
        .project(groups.into_iter().chain([times.alias("times")]))?
        .build()?;
    let plan = Extra::plan(Kind::Repeat, vec![repeated], Vec::new())?;
    let renamed = names.iter().zip(join.left.schema().iter()).map(|(name, (relation, field))| {
        let column = Column::from((relation, field));
        cast(col(name), field.data_type().clone()).alias_qualified(column.relation, column.name)
    });
    Ok(LogicalPlan::Projection(Projection::try_new(renamed.collect(), Arc::new(plan))?))
}

/// The columns of an input as `c0`, `c1`, .., and which side it is.
fn side(input: &Arc<LogicalPlan>, left: Expr, right: Expr) -> Result<LogicalPlan> {
    let columns = input.schema().iter().enumerate();
    let mut exprs: Vec<Expr> =
        columns.map(|(i, field)| Expr::Column(Column::from(field)).alias(format!("c{i}"))).collect();
    exprs.extend([left.alias("l"), right.alias("r")]);
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, input.clone())?))
}
