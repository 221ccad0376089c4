//! A query that has not run.

use super::over::{filtered, with_windows};
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
    /// The statement that it is, if no verb was added: bound anew when a guessed type proves wrong (see [`again`](super::again)).
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
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let miles = trips.select([col("city"), (col("km") * lit(0.5)).alias("half")])?;
    /// assert_eq!(miles.limit(0, 1)?.lines()?, ["Bern|1.5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and types that do not fit.
    pub fn select(self, exprs: impl IntoExprs) -> Result<Frame> {
        let exprs = exprs.into_exprs();
        self.knowing(&exprs)?.then(|plan| LogicalPlanBuilder::from(with_windows(plan, &exprs)?).project(exprs)?.build())
    }

    /// Adds columns, or replaces those of the same name.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let more = trips.with_columns([(col("km") + lit(1)).alias("km"), upper(col("city")).alias("name")])?;
    /// assert_eq!(more.limit(0, 1)?.lines()?, ["2024-01-01|Bern|4|4.5|BERN"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and types that do not fit.
    pub fn with_columns(self, exprs: impl IntoExprs) -> Result<Frame> {
        let new = exprs.into_exprs();
        self.knowing(&new)?.then(|plan| {
            let names: Vec<String> = new.iter().map(|e| e.schema_name().to_string()).collect();
            let old = plan.schema().columns();
            let mut exprs: Vec<Expr> = Vec::with_capacity(old.len() + new.len());
            let mut left: BTreeMap<&str, Expr> = names.iter().map(String::as_str).zip(new.iter().cloned()).collect();
            exprs.extend(old.into_iter().map(|c| left.remove(c.name.as_str()).unwrap_or(Expr::Column(c))));
            exprs.extend(names.iter().filter_map(|name| left.remove(name.as_str())));
            LogicalPlanBuilder::from(with_windows(plan, &new)?).project(exprs)?.build()
        })
    }

    /// The rows for which `predicate` is true (not null, not false), in order. It may have windows in it.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.filter(col("km").gt(lit(3)))?.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and an expression that is not boolean.
    pub fn filter(self, predicate: Expr) -> Result<Frame> {
        self.knowing([&predicate])?.then(|plan| filtered(plan, predicate))
    }

    /// Groups by `keys`; say what to compute with [`GroupBy::agg`]. Without keys, the whole frame is one group.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let sums = trips.group_by([col("city")]).agg([sum(col("km")).alias("km")])?;
    /// assert_eq!(sums.sort([col("city").sort(true, false)])?.lines()?, ["Basel|10", "Bern|5"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn group_by(self, keys: impl IntoExprs) -> GroupBy {
        GroupBy { frame: self, keys: keys.into_exprs() }
    }

    /// The rows of this frame and of `other` whose columns of the given names are equal. Nulls equal nothing.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let cities = trips.session().sql("FROM (VALUES ('Bern', 'BE')) c(name, canton)")?;
    /// assert_eq!(trips.join(cities, JoinType::LeftAnti, &["city"], &["name"])?.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn join(self, other: Frame, how: JoinType, left_on: &[&str], right_on: &[&str]) -> Result<Frame> {
        let keys = (left_on.to_vec(), right_on.to_vec());
        self.then(|plan| LogicalPlanBuilder::from(plan).join(other.plan, how, keys, None)?.build())
    }

    /// The rows in the order of `keys` (`col("a").sort(ascending, nulls_first)`). Ties keep the input's order.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let sorted = trips.sort([col("fare").sort(false, true), col("day").sort(true, false)])?;
    /// assert_eq!(sorted.columns(&["fare"])?.lines()?, ["", "7.5", "6.0", "4.5", "3.0"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn sort(self, keys: impl IntoIterator<Item = SortExpr>) -> Result<Frame> {
        let keys: Vec<SortExpr> = keys.into_iter().collect();
        let known = self.knowing(keys.iter().map(|key| &key.expr))?;
        known.then(|plan| LogicalPlanBuilder::from(plan).sort(keys)?.build())
    }

    /// `rows` rows after the first `skip`, in order.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.limit(3, 10)?.columns(&["city"])?.lines()?, ["Basel", "Bern"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn limit(self, skip: usize, rows: usize) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).limit(skip, Some(rows))?.build())
    }

    /// The rows of this frame, then those of `other`; columns by position.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.clone().union(trips)?.count()?, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, where the columns do not fit.
    pub fn union(self, other: Frame) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).union(other.plan)?.build())
    }

    /// Each different row once.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.columns(&["city"])?.distinct()?.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for types that cannot be compared.
    pub fn distinct(self) -> Result<Frame> {
        self.then(|plan| LogicalPlanBuilder::from(plan).distinct()?.build())
    }

    /// The first `rows` rows, read now.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.head(2)?.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn head(self, rows: usize) -> Result<Vec<RecordBatch>> {
        self.limit(0, rows)?.collect()
    }

    /// The columns of the result.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let names: Vec<String> = trips.schema()?.fields().iter().map(|field| field.name().clone()).collect();
    /// assert_eq!(names, ["day", "city", "km", "fare"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, where the plan does not hold together.
    pub fn schema(&self) -> Result<SchemaRef> {
        self.session.schema_of(self)
    }

    /// Runs the query; its rows are read as they come.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let mut rows = 0;
    /// for batch in trips.batches()? {
    ///     rows += batch?.num_rows();
    /// }
    /// assert_eq!(rows, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever planning meets. What running meets comes with the rows.
    pub fn batches(&self) -> Result<Batches> {
        self.session.run_frame(self)
    }

    /// Runs the query and gathers its rows in memory (the caller's, outside the budget).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.collect()?.iter().map(|batch| batch.num_rows()).sum::<usize>(), 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn collect(&self) -> Result<Vec<RecordBatch>> {
        self.batches()?.gather(Ok)
    }

    /// Runs the query and counts its rows.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.count()?, 5);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let file = std::env::temp_dir().join(format!("trips_{}.parquet", std::process::id()));
    /// assert_eq!(trips.to_parquet(&file.to_string_lossy())?, 5);
    /// # std::fs::remove_file(file).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets; then no file appears.
    pub fn to_parquet(&self, path: &str) -> Result<u64> {
        self.write().format("parquet").to(path)
    }

    /// Writes the rows to a CSV file, compressed if the name ends in `.gz` or `.zst`; returns how many.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let file = std::env::temp_dir().join(format!("trips_{}.csv", std::process::id()));
    /// assert_eq!(trips.to_csv(&file.to_string_lossy())?, 5);
    /// # std::fs::remove_file(file).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets; then no file appears.
    pub fn to_csv(&self, path: &str) -> Result<u64> {
        self.write().format("csv").to(path)
    }

    /// Writes the rows as JSON, one object a line; returns how many.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let file = std::env::temp_dir().join(format!("trips_{}.jsonl", std::process::id()));
    /// assert_eq!(trips.to_json(&file.to_string_lossy())?, 5);
    /// # std::fs::remove_file(file).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets; then no file appears.
    pub fn to_json(&self, path: &str) -> Result<u64> {
        self.write().format("jsonl").to(path)
    }

    /// What will run, as text.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert!(trips.explain()?.contains("scan"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever planning meets.
    pub fn explain(&self) -> Result<String> {
        self.session.explain_frame(self)
    }

    /// The session it belongs to.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.session().sql("SELECT 1")?.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The logical plan.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert!(trips.plan().to_string().contains("TableScan"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }
}
