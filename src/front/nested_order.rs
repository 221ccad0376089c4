//! Nulls inside of lists and structs come after the values, whatever ORDER BY says of nulls: `[1, 2] < [1, NULL]`.
//!
//! A sort key's encoding has one place for nulls, at all depths. Where a key's own nulls stand elsewhere than the larger
//! values do, whether it is null becomes a key of its own:
//!
//! ```text
//! ORDER BY l DESC NULLS LAST  ->  ORDER BY l IS NULL, l DESC NULLS FIRST
//! ```

use super::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::Sort;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan};

/// Tells both kinds of nulls apart, in sorts and in what is ordered by itself.
pub(super) fn apart(plan: LogicalPlan) -> Result<LogicalPlan> {
    walk::plan_up(plan, &mut |node| {
        if let LogicalPlan::Sort(mut sort) = node {
            let changed = told(&mut sort.expr, sort.input.schema());
            let sort = LogicalPlan::Sort(sort);
            return Ok(if changed { Transformed::yes(sort) } else { Transformed::no(sort) });
        }
        let schema = match node.inputs().as_slice() {
            [input] => Some(input.schema().clone()),
            _ => None,
        };
        let Some(schema) = schema else { return Ok(Transformed::no(node)) };
        let names = NamePreserver::new(&node);
        walk::exprs(node, &mut |expr| {
            let name = names.save(&expr);
            let made = walk::expr_up(expr, &mut |part| Ok(ordered(part, &schema)))?;
            Ok(made.update_data(|expr| name.restore(expr)))
        })
    })
    .data()
}

fn ordered(mut part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let changed = match &mut part {
        Expr::AggregateFunction(call) => told(&mut call.params.order_by, schema),
        Expr::WindowFunction(window) => told(&mut window.params.order_by, schema),
        _ => false,
    };
    if changed { Transformed::yes(part) } else { Transformed::no(part) }
}

fn told(keys: &mut Vec<Sort>, schema: &DFSchema) -> bool {
    let apart = |key: &Sort| {
        key.nulls_first == key.asc && key.expr.get_type(schema).is_ok_and(|data_type| data_type.is_nested())
    };
    if !keys.iter().any(apart) {
        return false;
    }
    let each = |key: Sort| match apart(&key) {
        true => {
            let null = Sort { expr: key.expr.clone().is_null(), asc: !key.nulls_first, nulls_first: false };
            vec![null, Sort { nulls_first: !key.asc, ..key }]
        }
        false => vec![key],
    };
    *keys = std::mem::take(keys).into_iter().flat_map(each).collect();
    true
}
