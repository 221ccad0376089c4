//! A query that has not run.

use super::over::with_windows;
use super::{Batches, GroupBy, Session};
use crate::error::Result;
use crate::front::Statement;
use crate::ops::expr::from_datafusion;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion_common::Result as PlanResult;
use datafusion_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, SortExpr, lit};
use std::collections::BTreeMap;

/// A query that has not run. Its verbs make new frames; `collect`, `batches`, `count` and `to_*` run it, each time anew.
#[derive(Clone)]
pub struct Frame {
    pub(super) session: Session,
    pub(super) plan: LogicalPlan,
    /// The headers as the user wrote them, where they differ from the plan's.
    pub(super) names: Option<Vec<String>>,
    /// The statement that it is, if no verb was added: bound anew when a guessed type proves wrong.
    pub(super) statement: Option<Statement>,
}

/// Expressions, or names of columns.
pub trait IntoExprs {
    /// As expressions.
    fn into_exprs(self) -> Vec<Expr>;
}

impl<T: IntoIterator<Item = Expr>> IntoExprs for T {
    fn into_exprs(self) -> Vec<Expr> {
        self.into_iter().collect()
    }
}

impl Frame {
    pub(super) fn new(session: Session, plan: LogicalPlan) -> Self {
        Frame { session, plan, names: None, statement: None }
    }

    pub(super) fn then(self, step: impl FnOnce(LogicalPlan) -> PlanResult<LogicalPlan>) -> Result<Frame> {
        Ok(Frame {
            plan: step(self.plan).map_err(from_datafusion)?,
            session: self.session,
            names: None,
            statement: None,
        })
    }

    /// One column for each expression.
    ///
    /// # Errors
    /// `Query` for unknown columns and types that do not fit.
    pub fn select(self, exprs: impl IntoExprs) -> Result<Frame> {
        let exprs = exprs.into_exprs();
        self.then(|plan| LogicalPlanBuilder::from(with_windows(plan, &exprs)?).project(exprs)?.build())
    }

    /// Adds columns, or replaces those of the same name.
    ///
    /// # Errors
    /// `Query` for unknown columns and types that do not fit.
    pub fn with_columns(self, exprs: impl IntoExprs) -> Result<Frame> {
        let new = exprs.into_exprs();
        self.then(|plan| {
            let names: Vec<String> = new.iter().map(|e| e.schema_name().to_string()).collect();
            let old = plan.schema().columns();
            let mut exprs: Vec<Expr> = Vec::with_capacity(old.len() + new.len());
            let mut left: BTreeMap<&str, Expr> = names.iter().map(String::as_str).zip(new.iter().cloned()).collect();
            exprs.extend(old.into_iter().map(|c| left.remove(c.name.as_str()).unwrap_or(Expr::Column(c))));
            exprs.extend(names.iter().filter_map(|name| left.remove(name.as_str())));
            LogicalPlanBuilder::from(with_windows(plan, &new)?).project(exprs)?.build()
        })
    }

    /// The rows for which `predicate` is true (not null, not false), in order.
    ///
    /// # Errors
    /// `Query` for unknown columns and an expression that is not boolean.
    pub fn filter(self, predicate: Expr) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).filter(predicate)?.build())
    }

    /// Groups by `keys`; say what to compute with [`GroupBy::agg`]. Without keys, the whole frame is one group.
    pub fn group_by(self, keys: impl IntoExprs) -> GroupBy {
        GroupBy { frame: self, keys: keys.into_exprs() }
    }

    /// The rows of this frame and of `other` whose columns of the given names are equal. Nulls equal nothing.
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn join(self, other: Frame, how: JoinType, left_on: &[&str], right_on: &[&str]) -> Result<Frame> {
        let keys = (left_on.to_vec(), right_on.to_vec());
        self.then(|plan| LogicalPlanBuilder::from(plan).join(other.plan, how, keys, None)?.build())
    }

    /// The rows in the order of `keys` (`col("a").sort(ascending, nulls_first)`). Ties keep the input's order.
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn sort(self, keys: impl IntoIterator<Item = SortExpr>) -> Result<Frame> {
        let keys: Vec<SortExpr> = keys.into_iter().collect();
        self.then(|plan| LogicalPlanBuilder::from(plan).sort(keys)?.build())
    }

    /// `rows` rows after the first `skip`, in order.
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn limit(self, skip: usize, rows: usize) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).limit(skip, Some(rows))?.build())
    }

    /// The rows of this frame, then those of `other`; columns by position.
    ///
    /// # Errors
    /// `Query`, where the columns do not fit.
    pub fn union(self, other: Frame) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).union(other.plan)?.build())
    }

    /// Each different row once.
    ///
    /// # Errors
    /// `Query`, for types that cannot be compared.
    pub fn distinct(self) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).distinct()?.build())
    }

    /// The first `rows` rows, read now.
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn head(self, rows: usize) -> Result<Vec<RecordBatch>> {
        self.limit(0, rows)?.collect()
    }

    /// The columns of the result.
    ///
    /// # Errors
    /// `Query`, where the plan does not hold together.
    pub fn schema(&self) -> Result<SchemaRef> {
        self.session.schema_of(self)
    }

    /// Runs the query; its rows are read as they come.
    ///
    /// # Errors
    /// Whatever planning meets. What running meets comes with the rows.
    pub fn batches(&self) -> Result<Batches> {
        self.session.run_frame(self)
    }

    /// Runs the query and gathers its rows in memory (the caller's, outside the budget).
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn collect(&self) -> Result<Vec<RecordBatch>> {
        self.batches()?.collect()
    }

    /// Runs the query and counts its rows.
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn count(&self) -> Result<usize> {
        let count = datafusion_functions_aggregate::expr_fn::count(lit(1i64));
        let counted = self.clone().then(|plan| {
            let none: Vec<Expr> = Vec::new();
            LogicalPlanBuilder::from(plan).aggregate(none, vec![count])?.build()
        })?;
        let batches = counted.collect()?;
        let rows = batches.iter().filter(|b| b.num_rows() > 0).find_map(|b| b.columns().first().cloned());
        Ok(rows.map_or(0, |c| c.as_primitive::<Int64Type>().value(0) as usize))
    }

    /// Writes the rows to a Parquet file; returns how many.
    ///
    /// # Errors
    /// Whatever the query meets; then no file appears.
    pub fn to_parquet(&self, path: &str) -> Result<u64> {
        self.write().format("parquet").to(path)
    }

    /// Writes the rows to a CSV file, compressed if the name ends in `.gz` or `.zst`; returns how many.
    ///
    /// # Errors
    /// Whatever the query meets; then no file appears.
    pub fn to_csv(&self, path: &str) -> Result<u64> {
        self.write().format("csv").to(path)
    }

    /// Writes the rows as JSON, one object a line; returns how many.
    ///
    /// # Errors
    /// Whatever the query meets; then no file appears.
    pub fn to_json(&self, path: &str) -> Result<u64> {
        self.write().format("jsonl").to(path)
    }

    /// What will run, as text.
    ///
    /// # Errors
    /// Whatever planning meets.
    pub fn explain(&self) -> Result<String> {
        self.session.explain_frame(self)
    }

    /// The session it belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The logical plan.
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }
}
