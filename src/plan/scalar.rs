//! Uncorrelated scalar subqueries: each becomes a pipeline of its own that sets a slot; whoever uses the value waits.

use super::Lowering;
use super::pipe::{Outlet, Pipe};
use crate::error::Result;
use crate::ops::expr::from_datafusion;
use crate::ops::scalar::ScalarOp;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::{Expr, LogicalPlan};
use std::sync::Arc;

/// The different scalar subqueries of `plan`, inner before outer.
pub fn subqueries(plan: &LogicalPlan) -> Result<Vec<Subquery>> {
    let mut found = Vec::new();
    collect(plan, &mut found)?;
    Ok(found)
}

fn collect(plan: &LogicalPlan, found: &mut Vec<Subquery>) -> Result<()> {
    let mut here = Vec::new();
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            here.extend(of(expr)?);
            Ok(TreeNodeRecursion::Continue)
        })
    })
    .map_err(from_datafusion)?;
    for subquery in here {
        collect(&subquery.subquery, found)?;
        if !found.contains(&subquery) {
            found.push(subquery);
        }
    }
    Ok(())
}

fn of(expr: &Expr) -> datafusion_common::Result<Vec<Subquery>> {
    let mut found = Vec::new();
    expr.apply(|e| {
        if let Expr::ScalarSubquery(subquery) = e {
            found.push(subquery.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Lays the stages of all scalar subqueries of `plan`.
pub fn lower_all(lowering: &mut Lowering, plan: &LogicalPlan) -> Result<()> {
    for (slot, subquery) in subqueries(plan)?.into_iter().enumerate() {
        let pipe = lowering.lower(&subquery.subquery)?;
        let data_type = subquery.subquery.schema().field(0).data_type().clone();
        let sink = Arc::new(ScalarOp::new(lowering.scope.clone(), slot, data_type));
        let (stage, _) = lowering.close(pipe, Outlet::new(sink, "subquery", 0));
        lowering.subqueries.push((subquery, stage));
    }
    Ok(())
}

/// Makes `pipe` wait for the values that `expr` uses.
pub fn wait_for_values(lowering: &Lowering, pipe: &mut Pipe, expr: &Expr) -> Result<()> {
    for subquery in of(expr).map_err(from_datafusion)? {
        let laid = lowering.subqueries.iter().find(|(known, _)| *known == subquery);
        laid.iter().for_each(|(_, stage)| pipe.wait_for(*stage));
    }
    Ok(())
}
