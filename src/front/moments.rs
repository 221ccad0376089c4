//! Averages of dates and timestamps, sums and averages of intervals.
//!
//! The aggregates add numbers. So a moment becomes one before, and is made of one afterwards:
//!
//! ```text
//! avg(date)      make_timestamp(avg(epoch_us(date))::BIGINT)
//! sum(interval)  to_months(sum(its months)) + to_days(sum(its days)) + to_microseconds(sum(its microseconds))
//! avg(interval)  sum(interval) / count(interval)
//! min(interval)  arg_min(interval, interval_seconds(interval))
//! ORDER BY i     ORDER BY interval_seconds(i): by months, then by days, 36 hours would come before a day
//! ```
//!
//! Limits: not over windows; a timestamp with a zone other than UTC is left to be refused.

use super::aggregates::exprs::{arg_max, arg_min};
use super::functions::named;
use super::walk;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{Column, DFSchema, Result, plan_err};
use datafusion_expr::expr::{AggregateFunction, ScalarFunction, Sort as SortExpr};
use datafusion_expr::logical_plan::{Aggregate, LogicalPlan, Projection};
use datafusion_expr::{AggregateUDF, Cast, Expr, ExprSchemable, Operator, binary_expr};
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_functions_aggregate::sum::sum_udaf;
use std::sync::Arc;

/// Writes the aggregates above in terms of numbers, in subqueries too.
pub(super) fn as_numbers(plan: LogicalPlan) -> Result<LogicalPlan> {
    walk::plan_up(plan, &mut |node| match node {
        LogicalPlan::Aggregate(node) => match spread(&node)? {
            Some(made) => Ok(Transformed::yes(made)),
            None => Ok(Transformed::no(LogicalPlan::Aggregate(node))),
        },
        LogicalPlan::Sort(mut sort) => {
            let changed = by_length(&mut sort.expr, sort.input.schema())?;
            Ok(if changed { Transformed::yes } else { Transformed::no }(LogicalPlan::Sort(sort)))
        }
        other => Ok(Transformed::no(other)),
    })
    .data()
}

/// Sorts intervals by how long they are; whether there were any.
fn by_length(keys: &mut [SortExpr], input: &DFSchema) -> Result<bool> {
    let mut changed = false;
    for key in keys {
        if is_interval(&key.expr.get_type(input)?) {
            key.expr = function("interval_seconds", vec![key.expr.clone()])?;
            changed = true;
        }
    }
    Ok(changed)
}

/// The aggregate of numbers, and a projection with the names of before; `None` if there is nothing to do.
fn spread(node: &Aggregate) -> Result<Option<LogicalPlan>> {
    let mut parts = Parts::default();
    let made: Vec<Option<Expr>> =
        node.aggr_expr.iter().map(|e| parts.take(e, node.input.schema())).collect::<Result<_>>()?;
    if made.iter().all(Option::is_none) {
        return Ok(None);
    }
    let plain = Aggregate::try_new(Arc::clone(&node.input), node.group_expr.clone(), parts.aggregates)?;
    let keys = node.schema.fields().len().saturating_sub(node.aggr_expr.len());
    let columns = node.schema.iter().enumerate().map(|(at, (relation, field))| {
        let made = at.checked_sub(keys).and_then(|at| made.get(at)).cloned().flatten();
        match made {
            Some(expr) => expr.alias_qualified(relation.cloned(), field.name()),
            None => Expr::Column(Column::from((relation, field))),
        }
    });
    let columns = columns.collect();
    Projection::try_new(columns, Arc::new(LogicalPlan::Aggregate(plain))).map(|p| Some(LogicalPlan::Projection(p)))
}

/// The aggregates of numbers, each once.
#[derive(Default)]
struct Parts {
    aggregates: Vec<Expr>,
}

impl Parts {
    /// What an aggregate becomes, if it is one of moments; its parts are kept, as is what stays.
    fn take(&mut self, expr: &Expr, input: &DFSchema) -> Result<Option<Expr>> {
        let made = match expr {
            Expr::AggregateFunction(call) => match (call.func.name(), call.params.args.as_slice()) {
                ("avg", [of]) => self.average(call, of, &of.get_type(input)?)?,
                ("sum", [of]) if is_interval(&of.get_type(input)?) => Some(self.total(call, of)?),
                ("min", [of]) if is_interval(&of.get_type(input)?) => Some(self.extreme(call, of, arg_min)?),
                ("max", [of]) if is_interval(&of.get_type(input)?) => Some(self.extreme(call, of, arg_max)?),
                _ => None,
            },
            _ => None,
        };
        if made.is_none() {
            self.column(expr.clone());
        }
        Ok(made)
    }

    fn average(&mut self, call: &AggregateFunction, of: &Expr, data_type: &DataType) -> Result<Option<Expr>> {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        match data_type {
            t if is_interval(t) => {
                let count = self.part(call, count_udaf(), of.clone());
                let count = Expr::Cast(Cast::new(Box::new(count), DataType::Float64));
                let total = self.total(call, of)?;
                Ok(Some(function("interval_divide", vec![total, count])?))
            }
            DataType::Date32 => Ok(Some(self.moment(call, of, &micros)?)),
            DataType::Timestamp(_, zone) if zone.as_deref().is_none_or(|zone| ["UTC", "+00:00"].contains(&zone)) => {
                let as_type = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                Ok(Some(self.moment(call, of, &as_type)?))
            }
            _ => Ok(None),
        }
    }

    fn moment(&mut self, call: &AggregateFunction, of: &Expr, as_type: &DataType) -> Result<Expr> {
        let micros = self.part(call, Arc::clone(&call.func), function("epoch_us", vec![of.clone()])?);
        let micros = Expr::Cast(Cast::new(Box::new(micros), DataType::Int64));
        let moment = function("make_timestamp", vec![micros])?;
        Ok(Expr::Cast(Cast::new(Box::new(moment), as_type.clone())))
    }

    /// The shortest or the longest interval.
    fn extreme(&mut self, call: &AggregateFunction, of: &Expr, by: fn(Expr, Expr) -> Expr) -> Result<Expr> {
        let mut made = by(of.clone(), function("interval_seconds", vec![of.clone()])?);
        if let Expr::AggregateFunction(made) = &mut made {
            made.params.filter.clone_from(&call.params.filter);
        }
        Ok(self.column(made))
    }

    fn total(&mut self, call: &AggregateFunction, of: &Expr) -> Result<Expr> {
        let mut units = [("interval_months", "to_months"), ("interval_days", "to_days")]
            .into_iter()
            .chain([("interval_microseconds", "to_microseconds")])
            .map(|(of_unit, made_of)| {
                let part = self.part(call, sum_udaf(), function(of_unit, vec![of.clone()])?);
                function(made_of, vec![part])
            });
        let first = units.next().unwrap_or_else(|| plan_err!("an interval without units"))?;
        units.try_fold(first, |sum, unit| Ok(binary_expr(sum, Operator::Plus, unit?)))
    }

    /// The column of an aggregate with the filter of `call`.
    fn part(&mut self, call: &AggregateFunction, func: Arc<AggregateUDF>, of: Expr) -> Expr {
        let params = &call.params;
        let null_treatment = params.null_treatment;
        let filter = params.filter.clone();
        self.column(Expr::AggregateFunction(AggregateFunction::new_udf(
            func,
            vec![of],
            params.distinct,
            filter,
            Vec::new(),
            null_treatment,
        )))
    }

    fn column(&mut self, aggregate: Expr) -> Expr {
        let name = aggregate.schema_name().to_string();
        if !self.aggregates.contains(&aggregate) {
            self.aggregates.push(aggregate);
        }
        Expr::Column(Column::from_name(name))
    }
}

pub(super) fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

pub(super) fn function(name: &str, args: Vec<Expr>) -> Result<Expr> {
    match named(name) {
        Some(func) => Ok(Expr::ScalarFunction(ScalarFunction { func, args })),
        None => plan_err!("no function {name}"),
    }
}
