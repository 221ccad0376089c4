//! Values become columns: one aggregate a value, over the rows that have it.

use super::columns::found;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::front::walk;
use crate::ops::expr::from_datafusion;
use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion_common::{Result as PlanResult, ScalarValue};
use datafusion_expr::{Expr, Literal, LogicalPlanBuilder};

/// The most columns that a pivot makes.
const MOST_COLUMNS: usize = 5_000;

/// What a pivot makes columns of.
#[derive(Clone, Debug)]
pub struct Pivot<'a> {
    /// The column whose values become columns.
    pub on: &'a str,
    /// The columns that make a row; of none, one row.
    pub index: &'a [&'a str],
    /// What stands in the new columns.
    pub aggregate: Expr,
    /// The values that become columns; without, a first query finds them, in their order.
    pub values: Option<Vec<ScalarValue>>,
}

impl Frame {
    /// A row for each combination of `index`, with a column for each value of `on` that holds the aggregate over its rows. A
    /// null of `on` makes no column. Without values, a query runs now to find them. The order of the rows is unspecified.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let pivot = Pivot { on: "city", index: &["day"], aggregate: sum(col("km")), values: None };
    /// let wide = trips.clone().pivot(pivot.clone())?.sort([col("day").sort(true, false)])?;
    /// assert_eq!(wide.schema()?.field(1).name(), "Basel");
    /// assert_eq!(wide.lines()?, ["2024-01-01||3", "2024-01-02|5|2", "2024-01-05|5|", "2024-01-06||"]);
    /// let given = trips.pivot(Pivot { values: Some(vec!["Bern".into()]), index: &[], ..pivot })?;
    /// assert_eq!(given.lines()?, ["5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, for an expression without an aggregate, and for too many values.
    pub fn pivot(self, how: Pivot<'_>) -> Result<Frame> {
        let on = Expr::Column(found(self.plan.schema(), how.on).map_err(from_datafusion)?);
        let values = match how.values {
            Some(values) => values,
            None => self.values_of(on.clone())?,
        };
        let mut columns = Vec::with_capacity(values.len());
        for value in values {
            let test = on.clone().eq(value.lit());
            columns.push(only_where(&how.aggregate, &test)?.alias(name(&value)?));
        }
        self.then(|plan| {
            let index = how.index.iter().map(|n| found(plan.schema(), n)).collect::<PlanResult<Vec<_>>>()?;
            let index: Vec<Expr> = index.into_iter().map(Expr::Column).collect();
            LogicalPlanBuilder::from(plan).aggregate(index, columns)?.build()
        })
    }

    /// The different values, in their order; asked now.
    fn values_of(&self, expr: Expr) -> Result<Vec<ScalarValue>> {
        let name = super::rows::unqualified("value");
        let different = self.clone().select([expr.alias("value")])?.distinct()?.filter(name.clone().is_not_null())?;
        let mut values = Vec::new();
        for batch in different.sort([name.sort(true, false)])?.limit(0, MOST_COLUMNS + 1)?.collect()? {
            for column in batch.columns() {
                for row in 0..column.len() {
                    values.push(ScalarValue::try_from_array(column, row).map_err(from_datafusion)?);
                }
            }
        }
        match values.len() > MOST_COLUMNS {
            false => Ok(values),
            true => {
                Err(Error::query(format!("a pivot with more than {MOST_COLUMNS} columns")).advise("give its values"))
            }
        }
    }
}

fn name(value: &ScalarValue) -> Result<String> {
    match value.cast_to(&DataType::Utf8).map_err(from_datafusion)? {
        ScalarValue::Utf8(Some(text)) => Ok(text),
        _ => Err(Error::query(format!("{value} is no value to pivot by"))),
    }
}

/// `expr`, whose aggregates see only rows where `test` is true.
fn only_where(expr: &Expr, test: &Expr) -> Result<Expr> {
    let mut found = false;
    let made = walk::expr_down(expr.clone(), &mut |expr| {
        let Expr::AggregateFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
        found = true;
        call.params.filter = Some(Box::new(match call.params.filter {
            Some(filter) => filter.and(test.clone()),
            None => test.clone(),
        }));
        Ok(Transformed::new(Expr::AggregateFunction(call), true, TreeNodeRecursion::Jump))
    });
    match found {
        true => Ok(made.map_err(from_datafusion)?.data),
        false => Err(Error::query(format!("a pivot wants an aggregate, not {expr}"))),
    }
}
