//! Which rows, by their place and by their values.

use super::columns::{as_column, found_all, only};
use crate::error::Result;
use crate::frame::Frame;
use crate::front::extra::{Extra, Kind};
use crate::ops::window::place_fields;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::{Column, Result as PlanResult};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, cast, lit};
use datafusion_functions_aggregate::expr_fn::count;
use datafusion_functions_aggregate::first_last::{first_value_udaf, last_value_udaf};
use datafusion_functions_window::expr_fn::row_number;

/// Which of several rows with equal keys stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The first.
    First,
    /// The last.
    Last,
    /// None: only rows whose keys nobody else has.
    None,
}

impl Frame {
    /// One row for each different combination of values in these columns (in all, of none). The order of the rows is
    /// unspecified.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?.columns(&["city", "km"])?;
    /// let by_city = |keep| -> Result<Vec<String>> {
    ///     trips.clone().distinct_on(&["city"], keep)?.sort([col("city").sort(true, false)])?.lines()
    /// };
    /// assert_eq!(by_city(Keep::First)?, ["Basel|5", "Bern|3"]);
    /// assert_eq!(by_city(Keep::Last)?, ["Basel|5", "Bern|"]);
    /// assert_eq!(trips.clone().distinct_on(&["km"], Keep::None)?.count()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn distinct_on(self, names: &[&str], keep: Keep) -> Result<Frame> {
        self.then(|plan| {
            let all = plan.schema().columns();
            let keys = found_all(plan.schema(), names)?;
            let value = |i: usize| format!("value {i}");
            let kept = match keep {
                Keep::Last => last_value_udaf(),
                _ => first_value_udaf(),
            };
            let others: Vec<Column> = all.iter().filter(|c| !keys.contains(c)).cloned().collect();
            let mut values: Vec<Expr> = others
                .iter()
                .enumerate()
                .map(|(i, c)| kept.call(vec![Expr::Column(c.clone())]).alias(value(i)))
                .collect();
            values.push(count(lit(1i64)).alias("rows of key"));
            let keyed: Vec<Expr> = keys.iter().cloned().map(Expr::Column).collect();
            let mut made = LogicalPlanBuilder::from(plan).aggregate(keyed, values)?;
            if keep == Keep::None {
                made = made.filter(unqualified("rows of key").eq(lit(1i64)))?;
            }
            let expr = |c: &Column| match others.iter().position(|o| o == c) {
                Some(i) => as_column(unqualified(&value(i)), c),
                None => Expr::Column(c.clone()),
            };
            made.project(all.iter().map(expr).collect::<Vec<_>>())?.build()
        })
    }

    /// The last `rows` rows, in order.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.tail(2)?.columns(&["day"])?.lines()?, ["2024-01-05", "2024-01-06"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn tail(self, rows: usize) -> Result<Frame> {
        self.then(|plan| {
            let columns = plan.schema().columns();
            let last = LogicalPlanBuilder::from(placed(plan)?).sort_with_limit(by_place(false), Some(rows))?;
            only(last.sort(by_place(true))?.build()?, columns)
        })
    }

    /// `rows` rows after the first `begin`, in order; a negative `begin` counts from the end.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let days = Session::builder().build()?.read_csv("testdata/trips.csv")?.columns(&["day"])?;
    /// assert_eq!(days.clone().slice(1, 1)?.lines()?, ["2024-01-02"]);
    /// assert_eq!(days.slice(-2, 1)?.lines()?, ["2024-01-05"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn slice(self, begin: i64, rows: usize) -> Result<Frame> {
        match usize::try_from(begin) {
            Ok(begin) => self.limit(begin, rows),
            Err(_) => self.tail(usize::try_from(begin.unsigned_abs()).unwrap_or(usize::MAX))?.limit(0, rows),
        }
    }

    /// The rows backwards.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.reverse()?.limit(0, 1)?.columns(&["day"])?.lines()?, ["2024-01-06"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn reverse(self) -> Result<Frame> {
        self.then(|plan| {
            let columns = plan.schema().columns();
            only(LogicalPlanBuilder::from(placed(plan)?).sort(by_place(false))?.build()?, columns)
        })
    }

    /// The `rows` rows with the largest values in these columns, the largest first; nulls are the smallest.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.nlargest(2, &["fare"])?.columns(&["fare"])?.lines()?, ["7.5", "6.0"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn nlargest(self, rows: usize, names: &[&str]) -> Result<Frame> {
        self.first_by(rows, names, false)
    }

    /// The `rows` rows with the smallest values in these columns, the smallest first; nulls are the largest.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.nsmallest(2, &["fare"])?.columns(&["fare"])?.lines()?, ["3.0", "4.5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn nsmallest(self, rows: usize, names: &[&str]) -> Result<Frame> {
        self.first_by(rows, names, true)
    }

    fn first_by(self, rows: usize, names: &[&str], ascending: bool) -> Result<Frame> {
        self.then(|plan| {
            let keys = found_all(plan.schema(), names)?.into_iter();
            let keys: Vec<SortExpr> = keys.map(|c| Expr::Column(c).sort(ascending, false)).collect();
            LogicalPlanBuilder::from(plan).sort_with_limit(keys, Some(rows))?.build()
        })
    }

    /// A column more, in front: the number of the row, from 0, in the order of the rows.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.with_row_index("row")?.limit(3, 1)?.columns(&["row", "day"])?.lines()?, ["3|2024-01-05"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, where the name is taken.
    pub fn with_row_index(self, name: &str) -> Result<Frame> {
        let index = (cast(row_number(), DataType::Int64) - lit(1i64)).alias(name);
        let columns = self.plan.schema().columns();
        self.select(std::iter::once(index).chain(columns.into_iter().map(Expr::Column)))
    }

    /// The rows as text, for looking at few of them and for tests: values separated by `|`, nulls empty.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.limit(1, 1)?.lines()?, ["2024-01-02|Basel|5|"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn lines(&self) -> Result<Vec<String>> {
        let lines = |batch: RecordBatch| {
            let options = FormatOptions::default();
            let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
            let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
            let line = |row| {
                let cells = columns.iter().map(|c| c.value(row).try_to_string());
                Ok(cells.collect::<std::result::Result<Vec<_>, _>>()?.join("|"))
            };
            (0..batch.num_rows()).map(line).collect::<Result<Vec<_>>>()
        };
        Ok(self.batches()?.gather(lines)?.concat())
    }
}

/// The plan with two columns more, by which rows sort as they come.
pub(super) fn placed(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    Extra::plan(Kind::Place, vec![plan], Vec::new())
}

/// The keys that put rows as they came, or backwards.
pub(super) fn by_place(ascending: bool) -> Vec<SortExpr> {
    place_fields().iter().map(|f| unqualified(f.name()).sort(ascending, false)).collect()
}

/// A column that has no table.
pub(super) fn unqualified(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
