//! Recursive queries: `WITH RECURSIVE t AS (start UNION [ALL] step) ..`.
//!
//! A graph is laid before it runs, so a query that repeats itself is several queries. Before the main one:
//!
//! 1. `start` runs; its rows are the first round.
//! 2. `step` runs with the rows of the last round in place of `t`, again and again, until a round has no rows. With UNION,
//!    a round keeps only rows that no round had before.
//! 3. The rows of all rounds rest in order, and stand where the recursive query stood.
//!
//! All rows but the last page rest in scratch. A LIMIT above nothing but projections and filters ends the rounds when it
//! has its rows, so that a recursion without an end may have one; any other stops when it is cancelled.
//!
//! Limits: a round costs a query, some tenths of a millisecond; UNION reads what there is once a round.

use super::execute;
use super::session::Inner;
use crate::error::{Error, Result};
use crate::front::walk;
use crate::front::{Source, TableRef, WorkTable};
use crate::ops::collect::{CollectOp, Collected, Growing};
use crate::ops::expr::from_datafusion;
use crate::plan::{Outlet, batch_schema, bounds_of};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchemaRef, DataFusionError, JoinType, NullEquality, TableReference};
use datafusion_expr::logical_plan::{Aggregate, Join, JoinConstraint, Limit, Projection, RecursiveQuery, TableScan};
use datafusion_expr::{Expr, LogicalPlan, TableSource};
use std::sync::Arc;

/// `plan` with the rows of its recursive queries in their places.
///
/// # Errors
/// Whatever running them meets.
pub(super) fn settle(inner: &Arc<Inner>, plan: &LogicalPlan) -> Result<LogicalPlan> {
    if !is_recursive(plan)? {
        return Ok(plan.clone());
    }
    let settled = walk::plan_down(plan.clone(), &mut |node| {
        let made = match &node {
            LogicalPlan::Limit(limit) => limited(inner, limit),
            LogicalPlan::RecursiveQuery(query) => all_rows(inner, query).map(Some),
            _ => Ok(None),
        };
        match made {
            Ok(Some(made)) => Ok(Transformed::new(made, true, TreeNodeRecursion::Jump)),
            Ok(None) => Ok(Transformed::no(node)),
            Err(error) => Err(DataFusionError::External(Box::new(error))),
        }
    });
    settled.data().map_err(from_datafusion)
}

/// `plan` with tables without rows in place of its recursive queries, to be shown.
pub(super) fn shown(plan: &LogicalPlan) -> Result<LogicalPlan> {
    if !is_recursive(plan)? {
        return Ok(plan.clone());
    }
    let shown = walk::plan_down(plan.clone(), &mut |node| match &node {
        LogicalPlan::RecursiveQuery(query) => {
            let schema = batch_schema(&query.schema);
            let rows = Collected::resident(arrow::array::RecordBatch::new_empty(schema));
            let name = format!("the rounds of {}", query.name);
            Ok(Transformed::new(scan(&name, rows, &query.schema), true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(node)),
    });
    shown.data().map_err(from_datafusion)
}

fn is_recursive(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    let mut look = |node: &LogicalPlan| {
        found |= matches!(node, LogicalPlan::RecursiveQuery(_));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    };
    walk::look_at_plans(plan, &mut look).map_err(from_datafusion)?;
    Ok(found)
}

/// A scan of rows at rest, with the columns `schema`.
fn scan(name: &str, rows: Collected, schema: &DFSchemaRef) -> LogicalPlan {
    LogicalPlan::TableScan(TableScan {
        table_name: TableReference::bare(name),
        source: stored(rows),
        projection: None,
        projected_schema: schema.clone(),
        filters: Vec::new(),
        fetch: None,
        statistics_requests: Default::default(),
    })
}

fn stored(rows: Collected) -> Arc<dyn TableSource> {
    let (schema, count) = (rows.schema.clone(), usize::try_from(rows.rows).ok());
    Source::new(TableRef::Stored(Arc::new(rows), schema, count))
}

/// The rows of all rounds.
fn all_rows(inner: &Arc<Inner>, query: &RecursiveQuery) -> Result<LogicalPlan> {
    let mut rounds = Rounds::new(inner, query)?;
    while rounds.next()?.is_some() {}
    Ok(scan(&query.name, rounds.all.rows()?, &query.schema))
}

/// A limit over projections and filters of a recursive query: rounds until it has its rows.
fn limited(inner: &Arc<Inner>, limit: &Limit) -> Result<Option<LogicalPlan>> {
    let Some(query) = streamed(&limit.input) else { return Ok(None) };
    let (skip, Some(fetch)) = bounds_of(limit)? else { return Ok(None) };
    let wanted = skip.saturating_add(fetch) as u64;
    let mut rounds = Rounds::new(inner, query)?;
    let mut kept = rounds.growing(batch_schema(limit.input.schema()));
    while kept.rows < wanted
        && let Some(rows) = rounds.next()?
    {
        let over = above(&limit.input, &scan(&query.name, rows, &query.schema))?;
        let left = usize::try_from(wanted - kept.rows).ok();
        kept.add(&collect(inner, &settle(inner, &over)?, left)?)?;
    }
    let rows = scan(&query.name, kept.rows()?, limit.input.schema());
    Ok(Some(LogicalPlan::Limit(Limit { input: Arc::new(rows), ..limit.clone() })))
}

/// The recursive query below projections, filters and aliases.
fn streamed(plan: &LogicalPlan) -> Option<&RecursiveQuery> {
    match plan {
        LogicalPlan::RecursiveQuery(query) => Some(query),
        LogicalPlan::Projection(node) => streamed(&node.input),
        LogicalPlan::Filter(node) => streamed(&node.input),
        LogicalPlan::SubqueryAlias(node) => streamed(&node.input),
        _ => None,
    }
}

/// What is above the recursive query, over `rows`.
fn above(plan: &LogicalPlan, rows: &LogicalPlan) -> Result<LogicalPlan> {
    let replaced = plan.clone().transform_down(|node| match node {
        LogicalPlan::RecursiveQuery(_) => Ok(Transformed::new(rows.clone(), true, TreeNodeRecursion::Jump)),
        other => Ok(Transformed::no(other)),
    });
    replaced.data().map_err(from_datafusion)
}

/// The rows of a plan, in order.
fn collect(inner: &Arc<Inner>, plan: &LogicalPlan, fetch: Option<usize>) -> Result<Collected> {
    let sink = Arc::new(CollectOp::new(batch_schema(plan.schema()), 0, fetch));
    execute::run(inner, plan, Outlet::new(sink.clone(), "round", 2 * inner.limits.page()))?;
    sink.result().ok_or_else(|| Error::internal("a round without rows at rest"))
}

/// The rounds of a recursive query.
struct Rounds<'a> {
    inner: &'a Arc<Inner>,
    query: &'a RecursiveQuery,
    /// The names and types of the work table.
    schema: SchemaRef,
    /// The rows of the last round; `None` before the first.
    last: Option<Collected>,
    /// The rows of all rounds.
    all: Growing,
    /// What `cancels` was in the beginning.
    cancels: u64,
}

impl<'a> Rounds<'a> {
    fn new(inner: &'a Arc<Inner>, query: &'a RecursiveQuery) -> Result<Self> {
        let schema = batch_schema(&query.schema);
        let types =
            |plan: &LogicalPlan| plan.schema().fields().iter().map(|f| f.data_type().clone()).collect::<Vec<_>>();
        if types(&query.static_term) != types(&query.recursive_term) {
            return Err(Error::query(format!(
                "the two parts of the recursive query {} have different types",
                query.name
            ))
            .advise("add casts"));
        }
        let tuning = &inner.limits.tuning;
        let all = Growing::new(schema.clone(), &inner.scratch, inner.limits.page(), tuning.batch_rows);
        Ok(Rounds { inner, query, schema, last: None, all, cancels: inner.cancels() })
    }

    fn growing(&self, schema: SchemaRef) -> Growing {
        let limits = &self.inner.limits;
        Growing::new(schema, &self.inner.scratch, limits.page(), limits.tuning.batch_rows)
    }

    /// The rows of the next round; `None`, when there are none.
    fn next(&mut self) -> Result<Option<Collected>> {
        if self.inner.cancels() != self.cancels {
            return Err(Error::cancelled());
        }
        let plan = match &self.last {
            None => self.query.static_term.as_ref().clone(),
            Some(rows) => step(self.query, rows)?,
        };
        let plan = settle(self.inner, &plan)?;
        let plan = if self.query.is_distinct { self.unseen(plan)? } else { plan };
        let rows = collect(self.inner, &plan, None)?.with_schema(self.schema.clone());
        if rows.rows == 0 {
            return Ok(None);
        }
        self.all.add(&rows)?;
        self.last = Some(rows.clone());
        Ok(Some(rows))
    }

    /// The different rows of `plan` that no round had before.
    fn unseen(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let columns = plan.schema().columns().into_iter().enumerate();
        let named: Vec<Expr> = columns.map(|(i, c)| Expr::Column(c).alias(format!("c{i}"))).collect();
        let names: Vec<Expr> = (0..named.len()).map(|i| Expr::Column(Column::from_name(format!("c{i}")))).collect();
        let made = || -> datafusion_common::Result<LogicalPlan> {
            let named = LogicalPlan::Projection(Projection::try_new(named, Arc::new(plan))?);
            let different = Aggregate::try_new(Arc::new(named), names.clone(), Vec::new())?;
            Ok(LogicalPlan::Aggregate(different))
        };
        let different = made().map_err(from_datafusion)?;
        if self.last.is_none() {
            return Ok(different);
        }
        let seen = self.seen()?;
        let on = names.into_iter().zip(seen.schema().columns().into_iter().map(Expr::Column)).collect();
        let join = Join::try_new(
            Arc::new(different),
            Arc::new(seen),
            on,
            None,
            JoinType::LeftAnti,
            JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        );
        join.map(LogicalPlan::Join).map_err(from_datafusion)
    }

    /// The rows of all rounds, under names that nothing else has.
    fn seen(&self) -> Result<LogicalPlan> {
        let fields = self.schema.fields().iter().enumerate();
        let fields: Vec<Field> = fields.map(|(i, f)| f.as_ref().clone().with_name(format!("s{i}"))).collect();
        let schema = Arc::new(Schema::new(fields));
        let columns = datafusion_common::DFSchema::try_from(schema.clone()).map_err(from_datafusion)?;
        Ok(scan("seen", self.all.rows()?.with_schema(schema), &Arc::new(columns)))
    }
}

/// The recursive part, over the rows of the last round.
fn step(query: &RecursiveQuery, rows: &Collected) -> Result<LogicalPlan> {
    let source = stored(rows.clone());
    let replaced = walk::plan_down(query.recursive_term.as_ref().clone(), &mut |node| match node {
        // Another query of the same name means itself.
        LogicalPlan::RecursiveQuery(other) if other.name == query.name => {
            Ok(Transformed::new(LogicalPlan::RecursiveQuery(other), false, TreeNodeRecursion::Jump))
        }
        LogicalPlan::TableScan(scan) if WorkTable::of(scan.source.as_ref()).is_some_and(|t| t.name == query.name) => {
            Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source: source.clone(), ..scan })))
        }
        other => Ok(Transformed::no(other)),
    });
    replaced.data().map_err(from_datafusion)
}
