//! Columns of a plan by the names that people give them.

use crate::error::Error;
use datafusion_common::{Column, DFSchema, DataFusionError, Result};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

/// The column of that name: exactly, or else in another case.
pub(super) fn found(schema: &DFSchema, name: &str) -> Result<Column> {
    let all = schema.columns();
    let mut exact = all.iter().filter(|c| c.name == name || c.flat_name() == name);
    match (exact.next(), exact.next()) {
        (Some(column), None) => return Ok(column.clone()),
        (Some(_), Some(_)) => return Err(no_column(schema, format!("several columns are called \"{name}\""))),
        (None, _) => {}
    }
    let mut alike = all.iter().filter(|c| c.name.eq_ignore_ascii_case(name));
    match (alike.next(), alike.next()) {
        (Some(column), None) => Ok(column.clone()),
        _ => Err(no_column(schema, format!("no column \"{name}\""))),
    }
}

/// All columns of these names; of none, all.
pub(super) fn found_all(schema: &DFSchema, names: &[&str]) -> Result<Vec<Column>> {
    match names {
        [] => Ok(schema.columns()),
        names => names.iter().map(|name| found(schema, name)).collect(),
    }
}

fn no_column(schema: &DFSchema, message: String) -> DataFusionError {
    let names: Vec<String> = schema.columns().iter().map(Column::flat_name).collect();
    DataFusionError::External(Box::new(Error::query(message).advise(format!("columns here: {}", names.join(", ")))))
}

/// `expr` under the name of `column`, that of its table included.
pub(super) fn as_column(expr: Expr, column: &Column) -> Expr {
    expr.alias_qualified(column.relation.clone(), column.name.clone())
}

/// Each column as `change` makes it, under its name; `None` for as it is.
pub(super) fn mapped(
    plan: LogicalPlan,
    mut change: impl FnMut(&Column) -> Result<Option<Expr>>,
) -> Result<LogicalPlan> {
    let columns = plan.schema().columns();
    let expr = |column: Column| {
        Ok(match change(&column)? {
            Some(expr) => as_column(expr, &column),
            None => Expr::Column(column),
        })
    };
    let exprs = columns.into_iter().map(expr).collect::<Result<Vec<_>>>()?;
    LogicalPlanBuilder::from(super::super::over::with_windows(plan, &exprs)?).project(exprs)?.build()
}

/// The plan's columns only, where others were added.
pub(super) fn only(plan: LogicalPlan, columns: Vec<Column>) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(plan).project(columns.into_iter().map(Expr::Column))?.build()
}
