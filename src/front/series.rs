//! `range` and `generate_series` in FROM: constants become a table that is counted ([`ops::series`](crate::ops::series));
//! what depends on another table (`FROM t, range(t.n)`) becomes a lateral UNNEST of the list that the function of the same
//! name makes. UNNEST in FROM names its columns as DuckDB does.

use super::catalog::{Source, TableRef};
use super::context::external;
use super::functions::cast::cast_expr;
use super::parse::table_factor;
use crate::error::{Error, Result};
use crate::front::walk;
use crate::ops::expr::from_datafusion;
use crate::ops::series::{Series, Steps, count};
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion_common::tree_node::TransformedResult;
use datafusion_common::{DFSchema, ScalarValue, TableReference};
use datafusion_expr::planner::{PlannedRelation, RelationPlannerContext, RelationPlanning};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Expr, LogicalPlanBuilder};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_sql::sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, Ident, Query, TableAlias, TableAliasColumnDef, TableFactor, VisitorMut,
};
use std::ops::ControlFlow;
use std::sync::Arc;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// Whether `function` makes a series.
pub(super) fn is_series(function: &str) -> bool {
    matches!(function, "range" | "generate_series")
}

/// Rewrites what stands in FROM of every select in `query`: series that depend on columns, names of unnested columns.
///
/// # Errors
/// `Query`, where the rewritten text has no meaning.
pub(super) fn in_from(query: &mut Query) -> Result<()> {
    walk::try_alter(query, &mut Relations)
}

struct Relations;

impl VisitorMut for Relations {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<Error>> {
        match rewritten(factor) {
            Ok(Some(new)) => *factor = new,
            Ok(None) => {}
            Err(e) => return ControlFlow::Break(Box::new(e)),
        }
        ControlFlow::Continue(())
    }
}

fn rewritten(factor: &TableFactor) -> Result<Option<TableFactor>> {
    match factor {
        TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
            called(name, alias.as_ref(), &args.args, *with_ordinality)
        }
        TableFactor::Function { name, alias, args, with_ordinality, .. } => {
            let made = called(name, alias.as_ref(), args, *with_ordinality)?;
            let series = is_series(&name.to_string().to_lowercase()) && !with_ordinality;
            // LATERAL before a series that depends on nothing says nothing.
            match made.is_none() && series {
                true => plain_call(name, alias.as_ref(), args).map(Some),
                false => Ok(made),
            }
        }
        _ => Ok(None),
    }
}

fn called(
    name: &ast::ObjectName,
    alias: Option<&TableAlias>,
    args: &[FunctionArg],
    ordinality: bool,
) -> Result<Option<TableFactor>> {
    let function = name.to_string().to_lowercase();
    if function == "unnest" {
        return unnested(alias, args, ordinality).map(Some);
    }
    if !is_series(&function) || ordinality || args.iter().all(is_constant) {
        return Ok(None);
    }
    lateral(&function, args, alias).map(Some)
}

/// The same call, without LATERAL.
fn plain_call(name: &ast::ObjectName, alias: Option<&TableAlias>, args: &[FunctionArg]) -> Result<TableFactor> {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    let mut made = table_factor(&format!("{name}({})", args.join(", ")))?;
    if let TableFactor::Table { alias: own, .. } = &mut made {
        *own = alias.cloned();
    }
    Ok(made)
}

/// Whether an argument names no column and asks no query.
fn is_constant(arg: &FunctionArg) -> bool {
    struct Names;
    impl VisitorMut for Names {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            let names = matches!(expr, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_));
            if names { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    walk::alter(&mut arg.clone(), &mut Names).is_continue()
}

/// The list that a series is, as an expression.
fn list(function: &str, args: &[FunctionArg]) -> String {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    match (function, args.as_slice()) {
        // range(n) counts from 0, as the scalar function does; generate_series is given both ends.
        ("generate_series", [end]) => format!("generate_series(0, {end})"),
        _ => format!("{function}({})", args.join(", ")),
    }
}

fn lateral(function: &str, args: &[FunctionArg], alias: Option<&TableAlias>) -> Result<TableFactor> {
    let text = format!("LATERAL (SELECT unnest({}) AS {function}) AS {function}", list(function, args));
    let mut made = table_factor(&text)?;
    if let (Some(alias), TableFactor::Derived { alias: own, .. }) = (alias, &mut made) {
        *own = Some(alias.clone());
    }
    Ok(made)
}

/// UNNEST with names for its columns; the number of an element is one more list.
fn unnested(alias: Option<&TableAlias>, args: &[FunctionArg], ordinality: bool) -> Result<TableFactor> {
    let plain = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        other => Err(Error::unsupported(format!("UNNEST in FROM with {other}"))),
    };
    let mut array_exprs = args.iter().map(plain).collect::<Result<Vec<_>>>()?;
    let name = alias.map_or_else(|| Ident::new("unnest"), |a| a.name.clone());
    let column = |name: Ident| TableAliasColumnDef { name, data_type: None };
    let mut columns = alias.map_or_else(Vec::new, |a| a.columns.clone());
    if columns.is_empty() && array_exprs.len() == 1 {
        columns.push(column(name.clone()));
    }
    if let (true, [list]) = (ordinality, array_exprs.as_slice()) {
        let numbers = format!("range(1, CAST(array_length({list}) AS BIGINT) + 1)");
        array_exprs.push(super::parse::expression(&numbers)?);
        if columns.len() == 1 {
            columns.push(column(Ident::new("ordinality")));
        }
    } else if ordinality {
        return Err(Error::unsupported("WITH ORDINALITY behind UNNEST of several lists"));
    }
    let alias = Some(TableAlias { explicit: true, name, columns, at: None });
    Ok(TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality: false })
}

/// Plans a series in FROM.
pub(super) fn plan(
    function: &str,
    args: Vec<FunctionArg>,
    alias: Option<TableAlias>,
    context: &mut dyn RelationPlannerContext,
) -> datafusion_common::Result<RelationPlanning> {
    let mut exprs = Vec::with_capacity(args.len());
    for arg in &args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                exprs.push(context.sql_to_expr(expr.clone(), &DFSchema::empty())?);
            }
            other => return Err(external(Error::query(format!("{function} cannot take {other}")))),
        }
    }
    let plan = match exprs.into_iter().map(constant).collect::<Result<Option<Vec<_>>>>().map_err(external)? {
        Some(values) => {
            let series = Arc::new(series(function, &values).map_err(external)?);
            let schema = series.schema();
            let source = Source::new(TableRef::Series(series, schema));
            LogicalPlanBuilder::scan(TableReference::bare(function), source, None)?.build()?
        }
        // Not known before the query runs.
        None => context.plan(lateral(function, &args, None).map_err(external)?)?,
    };
    Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
}

/// The values of the arguments of a function in FROM, none of which may depend on a row.
pub(super) fn constants(
    function: &str,
    args: &[FunctionArg],
    context: &mut dyn RelationPlannerContext,
) -> datafusion_common::Result<Vec<ScalarValue>> {
    let refused = |what: &dyn std::fmt::Display| {
        external(Error::unsupported(format!("{function} in FROM takes constants, not {what}")))
    };
    let mut values = Vec::with_capacity(args.len());
    for arg in args {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return Err(refused(arg)) };
        if !is_constant(arg) {
            return Err(refused(arg));
        }
        let value = constant(context.sql_to_expr(expr.clone(), &DFSchema::empty())?).map_err(external)?;
        values.push(value.ok_or_else(|| refused(arg))?);
    }
    Ok(values)
}

/// The value of an expression; `None`, where the query must run for it.
fn constant(expr: Expr) -> Result<Option<ScalarValue>> {
    let schema = Arc::new(DFSchema::empty());
    let simplifier =
        ExprSimplifier::new(SimplifyContext::builder().with_schema(schema.clone()).with_current_time().build());
    let ours = walk::expr_up(expr, &mut |e| cast_expr(e, &schema)).data().map_err(from_datafusion)?;
    let coerced = simplifier.coerce(ours, &schema).map_err(from_datafusion)?;
    match simplifier.simplify(coerced).map_err(from_datafusion)? {
        Expr::Literal(value, _) => Ok(Some(value)),
        _ => Ok(None),
    }
}

/// The series of these arguments; one of nulls has no rows.
fn series(function: &str, values: &[ScalarValue]) -> Result<Series> {
    let inclusive = function == "generate_series";
    let wrong = || {
        Error::query(format!(
            "{function} takes (stop), (start, stop) or (start, stop, step) of integers, or (start, stop, interval) of times"
        ))
    };
    let times = values
        .iter()
        .take(2)
        .any(|v| matches!(v.data_type(), DataType::Date32 | DataType::Date64 | DataType::Timestamp(..)));
    match (values, times) {
        (_, false) if values.iter().any(|v| v.data_type().is_nested()) => Err(wrong()),
        ([start, stop, step], true) => timestamps(function, start, stop, step, inclusive),
        ([stop], false) => integers(function, &ScalarValue::Int64(Some(0)), stop, None, inclusive),
        ([start, stop], false) => integers(function, start, stop, None, inclusive),
        ([start, stop, step], false) => integers(function, start, stop, Some(step), inclusive),
        _ => Err(wrong()),
    }
}

fn integers(
    name: &str,
    start: &ScalarValue,
    stop: &ScalarValue,
    step: Option<&ScalarValue>,
    inclusive: bool,
) -> Result<Series> {
    let integer = |v: &ScalarValue| -> Result<Option<i64>> {
        let fits = v.is_null() || v.data_type().is_integer();
        match v.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) if fits => Ok(value),
            _ => Err(Error::query(format!("{name} counts integers, not {v}"))),
        }
    };
    let (start, stop, step) = (integer(start)?, integer(stop)?, step.map_or(Ok(Some(1)), integer)?);
    let steps = match (start, stop, step) {
        (Some(start), Some(stop), Some(step)) => {
            Steps::Even { start, step, rows: count(start, stop, step, inclusive)? }
        }
        _ => Steps::Even { start: 0, step: 1, rows: 0 },
    };
    Ok(Series::integers(name, steps))
}

fn timestamps(
    name: &str,
    start: &ScalarValue,
    stop: &ScalarValue,
    step: &ScalarValue,
    inclusive: bool,
) -> Result<Series> {
    let zone = [start, stop].iter().find_map(|v| match v.data_type() {
        DataType::Timestamp(_, zone) => zone,
        _ => None,
    });
    let of_series = |steps| Series::timestamps(name, zone.clone(), steps);
    let micros = |v: &ScalarValue| -> Result<Option<i64>> {
        match v.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).map_err(from_datafusion)? {
            ScalarValue::TimestampMicrosecond(value, _) => Ok(value),
            other => Err(Error::query(format!("{name} from {other}"))),
        }
    };
    let interval = match step {
        ScalarValue::IntervalMonthDayNano(step) => *step,
        ScalarValue::IntervalDayTime(step) => {
            step.map(|s| IntervalMonthDayNano::new(0, s.days, i64::from(s.milliseconds) * 1_000_000))
        }
        ScalarValue::IntervalYearMonth(step) => step.map(|months| IntervalMonthDayNano::new(months, 0, 0)),
        ScalarValue::Null => None,
        other => return Err(Error::query(format!("{name} of times steps by an interval, not {other}"))),
    };
    let (Some(start), Some(stop), Some(step)) = (micros(start)?, micros(stop)?, interval) else {
        return Ok(of_series(Steps::Even { start: 0, step: 1, rows: 0 }));
    };
    if let Some(zone) = zone.as_ref().filter(|zone| !is_utc(zone) && (step.months, step.days) != (0, 0)) {
        return Err(Error::unsupported(format!("{name} by days or months in the time zone {zone}"))
            .advise("count timestamps without a zone, and put AT TIME ZONE behind"));
    }
    let micros = i64::from(step.days)
        .checked_mul(MICROS_A_DAY)
        .and_then(|days| days.checked_add(step.nanoseconds / 1000))
        .ok_or_else(|| Error::query(format!("{name} with a step that is too long")))?;
    let months = step.months;
    if (months > 0 && micros < 0) || (months < 0 && micros > 0) {
        return Err(Error::query(format!("{name} with a step that goes both ways")));
    }
    let steps = match (months, micros) {
        (0, 0) => return Err(Error::query(format!("the step of {name} must not be 0"))),
        (0, step) => Steps::Even { start, step, rows: count(start, stop, step, inclusive)? },
        _ => Steps::Months { start, stop, inclusive, months, micros },
    };
    Ok(of_series(steps))
}

/// Whether days in a zone are days of 24 hours.
fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "GMT" | "Z" | "+00:00" | "+00")
}

/// `SELECT i FROM range(3) AS i`: gives the column the name of its table, where that is what is missing.
pub(super) fn name_column(statement: &mut ast::Statement, missing: &str) -> bool {
    struct Naming<'a>(&'a str);
    impl VisitorMut for Naming<'_> {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, alias: Some(alias), args: Some(_), .. } = factor
                && is_series(&name.to_string().to_lowercase())
                && alias.columns.is_empty()
                && alias.name.value.eq_ignore_ascii_case(self.0)
            {
                let name = Ident { value: alias.name.value.clone(), ..alias.name.clone() };
                alias.columns.push(TableAliasColumnDef { name, data_type: None });
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
    }
    walk::alter(statement, &mut Naming(missing)).is_break()
}
