//! Intervals that are equal where they are equally long: a day and 24 hours, a month and 30 days.
//!
//! Their bytes differ. What compares bytes (groups, DISTINCT, keys of joins, IN, partitions of windows) is told to compare
//! lengths; a group shows the first of its intervals. `=` and `<` are operators of ours and do so already, ORDER BY, min
//! and max see [`super::moments`].
//!
//! ```text
//! aggregate by i            project first(i) AS i, ..
//!   t                ->       aggregate by interval_seconds(i): first(i), ..
//!                               t
//! ```
//!
//! Limits: not in GROUPING SETS, nor inside of lists and structs.

use super::moments::{function, is_interval};
use super::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Aggregate, Distinct, LogicalPlan, Projection, Subquery};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator, WindowFrameBound, WindowFrameUnits, lit, when};
use datafusion_functions_aggregate::first_last::first_value;
use std::sync::Arc;

/// Compares intervals by their length everywhere in `plan`.
pub(super) fn by_length(plan: LogicalPlan) -> Result<LogicalPlan> {
    walk::plan_up(plan, &mut |node| {
        let schema = inputs(&node)?;
        let node = in_exprs(node, &schema)?;
        Ok(match node.data {
            LogicalPlan::Aggregate(aggregate) if has_spans(&aggregate.group_expr, &schema) => {
                Transformed::yes(regroup(&aggregate, &schema)?)
            }
            LogicalPlan::Distinct(Distinct::All(input))
                if input.schema().fields().iter().any(|f| is_interval(f.data_type())) =>
            {
                let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
                let aggregate = Aggregate::try_new(input, columns, Vec::new())?;
                Transformed::yes(regroup(&aggregate, &schema)?)
            }
            LogicalPlan::Distinct(Distinct::On(mut on)) if has_spans(&on.on_expr, &schema) => {
                let keys = on.on_expr.iter_mut().chain(on.sort_expr.iter_mut().flatten().map(|key| &mut key.expr));
                keys.into_iter().try_for_each(|key| length(key, &schema))?;
                Transformed::yes(LogicalPlan::Distinct(Distinct::On(on)))
            }
            LogicalPlan::Join(mut join) => {
                for (left, right) in &mut join.on {
                    if is_span(left, &schema) && is_span(right, &schema) {
                        length(left, &schema)?;
                        length(right, &schema)?;
                    }
                }
                Transformed::yes(LogicalPlan::Join(join))
            }
            other => Transformed::new_transformed(other, node.transformed),
        })
    })
    .data()
}

/// The columns of all inputs.
fn inputs(node: &LogicalPlan) -> Result<DFSchema> {
    match node.inputs().as_slice() {
        [] => Ok(DFSchema::empty()),
        [one] => Ok(one.schema().as_ref().clone()),
        several => {
            let mut all = DFSchema::empty();
            several.iter().for_each(|input| all.merge(input.schema()));
            Ok(all)
        }
    }
}

fn is_span(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|t| is_interval(&t))
}

fn has_spans(keys: &[Expr], schema: &DFSchema) -> bool {
    keys.iter().any(|key| is_span(key, schema))
}

/// Puts its length for an interval.
fn length(expr: &mut Expr, schema: &DFSchema) -> Result<()> {
    if is_span(expr, schema) {
        *expr = function("interval_seconds", vec![expr.clone()])?;
    }
    Ok(())
}

/// The aggregate by lengths, and the names of before over it.
fn regroup(node: &Aggregate, schema: &DFSchema) -> Result<LogicalPlan> {
    let (mut keys, mut aggregates) = (node.group_expr.clone(), node.aggr_expr.clone());
    let mut shown = Vec::with_capacity(keys.len());
    for key in &mut keys {
        shown.push(is_span(key, schema).then(|| first_value(key.clone(), Vec::new())));
        length(key, schema)?;
    }
    aggregates.extend(shown.iter().flatten().cloned());
    let columns =
        node.schema.iter().enumerate().map(|(at, (relation, field))| match shown.get(at).cloned().flatten() {
            Some(first) => Expr::Column(Column::from_name(first.schema_name().to_string()))
                .alias_qualified(relation.cloned(), field.name()),
            None => Expr::Column(Column::from((relation, field))),
        });
    let columns = columns.collect();
    let grouped = LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(&node.input), keys, aggregates)?);
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(grouped))?))
}

/// Lengths in what a node computes. Its columns keep their names.
fn in_exprs(node: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&node);
    walk::exprs(node, &mut |expr| {
        let name = names.save(&expr);
        let made = walk::expr_up(expr, &mut |part| compared(part, schema))?;
        Ok(made.update_data(|expr| name.restore(expr)))
    })
}

/// An expression that compares intervals by their bytes, with their lengths.
fn compared(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let each = |all: &mut [Expr]| all.iter_mut().try_for_each(|e| length(e, schema));
    Ok(Transformed::yes(match expr {
        Expr::InList(mut list) if is_span(&list.expr, schema) => {
            length(&mut list.expr, schema)?;
            each(&mut list.list)?;
            Expr::InList(list)
        }
        Expr::InSubquery(mut asked) if is_span(&asked.expr, schema) => {
            length(&mut asked.expr, schema)?;
            asked.subquery = lengths(&asked.subquery)?;
            Expr::InSubquery(asked)
        }
        Expr::BinaryExpr(BinaryExpr { mut left, op, mut right })
            if matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
                && is_span(&left, schema)
                && is_span(&right, schema) =>
        {
            length(&mut left, schema)?;
            length(&mut right, schema)?;
            Expr::BinaryExpr(BinaryExpr { left, op, right })
        }
        Expr::Case(mut case) if case.expr.as_ref().is_some_and(|e| is_span(e, schema)) => {
            case.expr.iter_mut().try_for_each(|e| length(e, schema))?;
            case.when_then_expr.iter_mut().try_for_each(|(when, _)| length(when, schema))?;
            Expr::Case(case)
        }
        Expr::ScalarFunction(call) if call.name() == "nullif" && has_spans(&call.args, schema) => {
            match call.args.as_slice() {
                [value, other] => {
                    let (mut left, mut right) = (value.clone(), other.clone());
                    length(&mut left, schema)?;
                    length(&mut right, schema)?;
                    when(left.eq(right), lit(ScalarValue::Null)).otherwise(value.clone())?
                }
                _ => Expr::ScalarFunction(call),
            }
        }
        Expr::AggregateFunction(mut call) if call.params.distinct && call.func.name() == "count" => {
            each(&mut call.params.args)?;
            Expr::AggregateFunction(call)
        }
        Expr::WindowFunction(mut window) => {
            each(&mut window.params.partition_by)?;
            let frame = &window.params.window_frame;
            // An offset of a frame is added to the key as it is.
            let adds = frame.units == WindowFrameUnits::Range
                && [&frame.start_bound, &frame.end_bound].into_iter().any(has_offset);
            if !adds {
                window.params.order_by.iter_mut().try_for_each(|key| length(&mut key.expr, schema))?;
            }
            Expr::WindowFunction(window)
        }
        other => return Ok(Transformed::no(other)),
    }))
}

fn has_offset(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => !value.is_null(),
        WindowFrameBound::CurrentRow => false,
    }
}

/// The subquery whose column is a length.
fn lengths(subquery: &Subquery) -> Result<Subquery> {
    let plan = &subquery.subquery;
    let columns = plan.schema().iter().map(|field| {
        let mut column = Expr::Column(Column::from(field));
        length(&mut column, plan.schema())?;
        Ok(column)
    });
    let columns = columns.collect::<Result<_>>()?;
    let plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::clone(plan))?);
    Ok(Subquery { subquery: Arc::new(plan), ..subquery.clone() })
}
