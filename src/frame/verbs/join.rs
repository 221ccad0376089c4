//! Joins by the same names, by expressions, and of everything with everything.
//!
//! The columns of the right side get names of their own before the join and their own again behind it. So a frame may be
//! joined with itself, and a name that both sides have becomes `name_right` on the right. The names in between have a number
//! of the session in them: rules that take projections away must not make those of two joins meet.

use super::columns::{as_column, found};
use super::rows::unqualified;
use crate::error::Result;
use crate::frame::{Frame, IntoExprs};
use datafusion_common::{Column, JoinType, Result as PlanResult, plan_err};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_functions::expr_fn::coalesce;
use std::collections::BTreeSet;

impl Frame {
    /// The rows of this frame and of `other` whose columns of these names are equal; the columns are there once. Of other
    /// names that both have, the right one gets `_right` behind. Nulls equal nothing.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// let trips = session.read_csv("testdata/trips.csv")?.columns(&["city", "km"])?;
    /// let cities = session.sql("FROM (VALUES ('Bern', 'BE', 1), ('Chur', 'GR', 2)) t(city, canton, km)")?;
    /// let joined = trips.join_using(cities, JoinType::Full, &["city"])?.filter(col("km_right").is_not_null())?;
    /// let sorted = joined.sort([col("city").sort(true, false), col("km").sort(true, false)])?;
    /// assert_eq!(sorted.lines()?, ["Bern|2|BE|1", "Bern|3|BE|1", "Bern||BE|1", "Chur||GR|2"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, and types that cannot be compared.
    pub fn join_using(self, other: Frame, how: JoinType, names: &[&str]) -> Result<Frame> {
        let number = self.session.0.front.number();
        self.then(|left| {
            let keys = |plan: &LogicalPlan| -> PlanResult<Vec<Column>> {
                names.iter().map(|name| found(plan.schema(), name)).collect()
            };
            let (left_keys, right_keys) = (keys(&left)?, keys(&other.plan)?);
            let exprs = |keys: &[Column]| keys.iter().cloned().map(Expr::Column).collect();
            let on = (exprs(&left_keys), exprs(&right_keys));
            joined((left, other.plan), how, on, (&left_keys, &right_keys), number)
        })
    }

    /// The rows of this frame and of `other` where each expression of `left_on` equals the one of `right_on`. All columns
    /// stay; a right one whose name is taken gets `_right` behind. Nulls equal nothing.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// let trips = session.read_csv("testdata/trips.csv")?.columns(&["city", "km"])?;
    /// let cities = session.sql("FROM (VALUES ('BERN', 'BE')) t(name, canton)")?;
    /// let joined = trips.join_exprs(cities, JoinType::Inner, [upper(col("city"))], [col("name")])?;
    /// assert_eq!(joined.count()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, another number of expressions, and types that cannot be compared.
    pub fn join_exprs(
        self,
        other: Frame,
        how: JoinType,
        left_on: impl IntoExprs,
        right_on: impl IntoExprs,
    ) -> Result<Frame> {
        let on = (left_on.into_exprs(), right_on.into_exprs());
        let number = self.session.0.front.number();
        self.then(|left| joined((left, other.plan), how, on, (&[], &[]), number))
    }

    /// Each row of this frame with each row of `other`. A right column whose name is taken gets `_right` behind.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.clone().cross_join(trips)?.count()?, 25);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn cross_join(self, other: Frame) -> Result<Frame> {
        let number = self.session.0.front.number();
        self.then(|left| {
            beside(left, other.plan, number, |left, right| LogicalPlanBuilder::from(left).cross_join(right)?.build())
        })
    }
}

/// The right side of a join, under names that nobody else has.
pub(super) struct Right {
    /// Its columns, then its keys.
    pub(super) plan: LogicalPlan,
    /// The columns as they were.
    columns: Vec<Column>,
    prefix: String,
    keys: usize,
}

impl Right {
    pub(super) fn new(plan: LogicalPlan, prefix: String, keys: Vec<Expr>) -> PlanResult<Self> {
        let columns = plan.schema().columns();
        let named = |kind: &str, i: usize, e: Expr| e.alias(format!("{prefix} {kind} {i}"));
        let count = keys.len();
        let all = columns.iter().enumerate().map(|(i, c)| named("column", i, Expr::Column(c.clone())));
        let all: Vec<Expr> = all.chain(keys.into_iter().enumerate().map(|(i, e)| named("key", i, e))).collect();
        let plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        Ok(Right { plan, columns, prefix, keys: count })
    }

    /// The column that holds its n-th one.
    pub(super) fn column(&self, i: usize) -> Expr {
        unqualified(&format!("{} column {i}", self.prefix))
    }

    pub(super) fn keys(&self) -> Vec<Expr> {
        (0..self.keys).map(|i| unqualified(&format!("{} key {i}", self.prefix))).collect()
    }

    /// What the columns become behind a join, beside names that are taken; `gone` ones go.
    pub(super) fn outputs(&self, taken: &[Column], gone: &[Column], make: impl Fn(usize, Expr) -> Expr) -> Vec<Expr> {
        let stay: Vec<(usize, &Column)> = self.columns.iter().enumerate().filter(|(_, c)| !gone.contains(c)).collect();
        let is_taken = |name: &str| taken.iter().any(|t| t.name == name);
        let free = stay.iter().map(|(_, c)| c.name.as_str()).filter(|name| !is_taken(name));
        let mut used: BTreeSet<String> = taken.iter().map(|c| c.name.as_str()).chain(free).map(String::from).collect();
        let output = |(i, c): (usize, &Column)| {
            let expr = make(i, self.column(i));
            if !is_taken(&c.name) {
                return as_column(expr, c);
            }
            let mut name = format!("{}_right", c.name);
            while !used.insert(name.clone()) {
                name.push_str("_right");
            }
            expr.alias(name)
        };
        stay.into_iter().map(output).collect()
    }

    /// The columns under their names, where only they are left.
    fn restored(&self) -> Vec<Expr> {
        self.columns.iter().enumerate().map(|(i, c)| as_column(self.column(i), c)).collect()
    }
}

/// What `join` makes of both sides, under the sides' names.
pub(super) fn beside(
    left: LogicalPlan,
    right: LogicalPlan,
    number: usize,
    join: impl FnOnce(LogicalPlan, LogicalPlan) -> PlanResult<LogicalPlan>,
) -> PlanResult<LogicalPlan> {
    let columns = left.schema().columns();
    let right = Right::new(right, format!("right {number}"), Vec::new())?;
    let outputs = right.outputs(&columns, &[], |_, e| e);
    let all: Vec<Expr> = columns.into_iter().map(Expr::Column).chain(outputs).collect();
    LogicalPlanBuilder::from(join(left, right.plan)?).project(all)?.build()
}

/// A join on equal expressions; `merged` columns of both sides become one.
fn joined(
    (left, right): (LogicalPlan, LogicalPlan),
    how: JoinType,
    (left_on, right_on): (Vec<Expr>, Vec<Expr>),
    (merged, merged_right): (&[Column], &[Column]),
    number: usize,
) -> PlanResult<LogicalPlan> {
    if left_on.is_empty() || left_on.len() != right_on.len() {
        return plan_err!("a join on {} and {} expressions", left_on.len(), right_on.len());
    }
    let columns = left.schema().columns();
    let right = Right::new(right, format!("right {number}"), right_on)?;
    let keys = right.keys();
    let join =
        LogicalPlanBuilder::from(left).join_with_expr_keys(right.plan.clone(), how, (left_on, keys.clone()), None)?;
    match how {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => join.build(),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => join.project(right.restored())?.build(),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            let key = |c: &Column| match (how, merged.iter().position(|m| m == c).and_then(|at| keys.get(at))) {
                (JoinType::Right, Some(key)) => as_column(key.clone(), c),
                (JoinType::Full, Some(key)) => as_column(coalesce(vec![Expr::Column(c.clone()), key.clone()]), c),
                _ => Expr::Column(c.clone()),
            };
            let outputs = right.outputs(&columns, merged_right, |_, e| e);
            let all: Vec<Expr> = columns.iter().map(key).chain(outputs).collect();
            join.project(all)?.build()
        }
    }
}
