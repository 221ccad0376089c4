//! Tables that the session keeps: their rows rest in scratch, but for the last page.
//!
//! A table's rows never change: INSERT makes another table of the old rows and the new ones, which shares the old; UPDATE,
//! DELETE and ALTER TABLE make another of a query's rows.

use super::execute;
use super::session::{Inner, Session};
use crate::error::{Error, Result};
use crate::front::{Planned, Shape, TableRef};
use crate::ops::collect::{CollectOp, Collected};
use crate::plan::batch_schema;
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion_expr::{Expr, LogicalPlanBuilder, ident, lit};
use std::sync::{Arc, PoisonError};

/// CREATE TABLE: keeps the rows of `query`. Returns a sentence for people.
pub(super) fn create(
    inner: &Arc<Inner>,
    name: &str,
    query: &Planned,
    shape: Option<Arc<Shape>>,
    if_not_exists: bool,
    or_replace: bool,
) -> Result<String> {
    let exists = inner.front.table(name).is_ok();
    if exists && if_not_exists {
        return Ok(format!("table {name} exists"));
    }
    if exists && !or_replace {
        return Err(Error::query(format!("table {name} exists")).advise("CREATE OR REPLACE TABLE"));
    }
    let rows = collected(inner, query)?;
    let (count, schema) = (rows.rows, rows.schema.clone());
    inner.front.register(name, stored(rows, schema), or_replace)?;
    inner.front.keep_shape(name, shape);
    Ok(format!("table {name} created with {count} rows"))
}

/// The rows of a query at rest, under its headers.
fn collected(inner: &Arc<Inner>, query: &Planned) -> Result<Collected> {
    let schema = batch_schema(query.optimized.schema());
    let sink = Arc::new(CollectOp::new(schema, 0, None));
    execute::drain(inner, query, sink.clone(), 2 * inner.limits.page())?;
    let rows = sink.result().ok_or_else(|| Error::internal("a table without rows at rest"))?;
    Ok(rows.with_schema(execute::result_schema(query)))
}

fn stored(rows: Collected, schema: SchemaRef) -> TableRef {
    let count = usize::try_from(rows.rows).ok();
    TableRef::Stored(Arc::new(rows), schema, count)
}

/// The rows of a stored table.
fn kept(inner: &Inner, name: &str) -> Result<Collected> {
    match inner.front.table(name)? {
        TableRef::Stored(rows, ..) => {
            let rows = rows.downcast_ref::<Collected>();
            rows.cloned().ok_or_else(|| Error::internal("a stored table of an unknown kind"))
        }
        _ => Err(Error::query(format!("{name} is no table of this session: its rows are elsewhere"))),
    }
}

/// INSERT: the rows of `query` come behind those that are there.
pub(super) fn insert(session: &Session, name: &str, query: &Planned, not_null: &[String]) -> Result<String> {
    let inner = &session.0;
    let more = collected(inner, query)?;
    demand(session, name, &more, not_null)?;
    let _changing = inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
    let (rows, shape) = (kept(inner, name)?.then(&more), inner.front.shape(name));
    for key in shape.iter().flat_map(|shape| shape.keys()) {
        demand_different(session, name, &rows, key)?;
    }
    let schema = rows.schema.clone();
    inner.front.register(name, stored(rows, schema), true)?;
    inner.front.keep_shape(name, shape);
    Ok(format!("{} rows inserted into {name}", more.rows))
}

/// UPDATE, DELETE, ALTER TABLE: the rows of `query`, which were made of those of `was`, take their place.
pub(super) fn remake(
    session: &Session,
    name: &str,
    was: &TableRef,
    query: &Planned,
    shape: Arc<Shape>,
) -> Result<String> {
    let inner = &session.0;
    let rows = collected(inner, query)?;
    let not_null: Vec<String> = shape.not_null().map(str::to_string).collect();
    demand(session, name, &rows, &not_null)?;
    for key in shape.keys() {
        demand_different(session, name, &rows, key)?;
    }
    let _changing = inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
    if !same_rows(was, &inner.front.table(name)?) {
        return Err(Error::query(format!("{name} was changed by another statement meanwhile")).advise("run this again"));
    }
    let (count, schema) = (rows.rows, rows.schema.clone());
    inner.front.register(name, stored(rows, schema), true)?;
    inner.front.keep_shape(name, Some(shape));
    Ok(format!("table {name} changed, {count} rows"))
}

fn same_rows(one: &TableRef, other: &TableRef) -> bool {
    match (one, other) {
        (TableRef::Stored(one, ..), TableRef::Stored(other, ..)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

/// Refuses new rows that have nulls where the table has none.
fn demand(session: &Session, name: &str, rows: &Collected, not_null: &[String]) -> Result<()> {
    if not_null.is_empty() || rows.rows == 0 {
        return Ok(());
    }
    let inner = &session.0;
    let plan = inner.front.scan("inserted", stored(rows.clone(), rows.schema.clone()))?;
    let count = |name: &String| datafusion_functions_aggregate::expr_fn::count(ident(name)).alias(name);
    let counts: Vec<Expr> = not_null.iter().map(count).collect();
    let none: Vec<Expr> = Vec::new();
    let plan = LogicalPlanBuilder::from(plan)
        .aggregate(none, counts)
        .and_then(LogicalPlanBuilder::build)
        .map_err(crate::ops::expr::from_datafusion)?;
    let answer = inner.answer(&inner.front.plan(plan)?)?;
    for batch in answer.iter().filter(|batch| batch.num_rows() > 0) {
        for (column, name_of) in batch.columns().iter().zip(not_null) {
            let held = column.as_primitive::<Int64Type>().value(0);
            if u64::try_from(held).ok() != Some(rows.rows) {
                return Err(Error::query(format!("a null for the column {name_of} of {name}, which is NOT NULL")));
            }
        }
    }
    Ok(())
}

/// Refuses rows of which two have the same key. A null is equal to nothing.
fn demand_different(session: &Session, name: &str, rows: &Collected, key: &[String]) -> Result<()> {
    let inner = &session.0;
    let plan = inner.front.scan("inserted", stored(rows.clone(), rows.schema.clone()))?;
    let known = key.iter().map(|column| ident(column).is_not_null()).reduce(Expr::and);
    let count = datafusion_functions_aggregate::expr_fn::count(lit(1_i64)).alias("rows of a key");
    let columns: Vec<Expr> = key.iter().map(ident).collect();
    let plan = LogicalPlanBuilder::from(plan)
        .filter(known.unwrap_or_else(|| lit(true)))
        .and_then(|plan| plan.aggregate(columns, [count]))
        .and_then(|plan| plan.filter(ident("rows of a key").gt(lit(1_i64))))
        .and_then(|plan| plan.limit(0, Some(1)))
        .and_then(LogicalPlanBuilder::build)
        .map_err(crate::ops::expr::from_datafusion)?;
    let twice = inner.answer(&inner.front.plan(plan)?)?;
    let Some(batch) = twice.iter().find(|batch| batch.num_rows() > 0) else { return Ok(()) };
    let value = |column: &ArrayRef| arrow::util::display::array_value_to_string(column, 0).unwrap_or_default();
    let values: Vec<String> = batch.columns().iter().take(key.len()).map(value).collect();
    let (columns, values) = (key.join(", "), values.join(", "));
    Err(Error::query(format!(
        "a second row of {name} with the key ({columns}) = ({values}), which is PRIMARY KEY or UNIQUE"
    ))
    .advise("nothing was changed"))
}

/// TRUNCATE: the table stays, without rows.
pub(super) fn truncate(inner: &Inner, name: &str) -> Result<String> {
    let _changing = inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
    let (rows, shape) = (kept(inner, name)?, inner.front.shape(name));
    let schema = rows.schema.clone();
    inner.front.register(name, stored(rows.emptied(), schema), true)?;
    inner.front.keep_shape(name, shape);
    Ok(format!("{} rows of {name} forgotten", rows.rows))
}

/// ALTER TABLE .. RENAME TO.
pub(super) fn rename(inner: &Inner, from: &str, to: &str) -> Result<String> {
    let _changing = inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
    let (table, shape) = (inner.front.table(from)?, inner.front.shape(from));
    inner.front.register(to, table, false)?;
    inner.front.drop_table(from);
    inner.front.keep_shape(to, shape);
    Ok(format!("{from} is {to} now"))
}

/// DROP TABLE, DROP VIEW.
pub(super) fn drop_all(inner: &Inner, names: &[String], if_exists: bool) -> Result<String> {
    let _changing = inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
    if !if_exists {
        names.iter().try_for_each(|name| inner.front.table(name).map(drop))?;
    }
    names.iter().for_each(|name| drop(inner.front.drop_table(name)));
    Ok(format!("{} dropped", names.join(", ")))
}
