//! What is in a frame, in few rows.

use super::columns::found;
use super::explode::turned;
use super::rows::unqualified;
use crate::error::Result;
use crate::frame::{Frame, IntoExprs};
use crate::front::aggregate_exprs::{mode, quantile};
use crate::front::avg;
use crate::ops::expr::from_datafusion;
use arrow::datatypes::DataType;
use datafusion_common::Column;
use datafusion_expr::{Expr, ExprSchemable, cast, lit};
use datafusion_functions_aggregate::expr_fn::{count, count_distinct, max, min, stddev, sum};

/// What `describe` says of each column.
const STATISTICS: [&str; 9] = ["count", "null_count", "mean", "std", "min", "25%", "50%", "75%", "max"];

impl Frame {
    /// One row with these aggregates, or expressions of them, over all rows.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let row = trips.clone().agg([sum(col("km")), quantile(col("fare"), 0.5), median(col("km")), mode(col("city"))])?;
    /// assert_eq!(row.lines()?, ["15|5.25|4.0|Bern"]);
    /// let range = trips.agg([(max(col("km")) - min(col("km"))).alias("range")])?;
    /// assert_eq!(range.lines()?, ["3"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and types that an aggregate does not take.
    pub fn agg(self, aggregates: impl IntoExprs) -> Result<Frame> {
        self.group_by([]).agg(aggregates)
    }

    /// Nine rows: how many values and nulls each column has, its average, standard deviation, smallest and largest value
    /// and quartiles (exact). Columns of numbers are floats; of others there are no averages, and values are text.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let lines = trips.columns(&["city", "fare"])?.describe()?.lines()?;
    /// assert_eq!(lines[..3], ["count|5|4.0", "null_count|0|1.0", "mean||5.25"]);
    /// assert_eq!(lines[4..7], ["min|Basel|3.0", "25%||4.125", "50%||5.25"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for types that have no smallest value.
    pub fn describe(self) -> Result<Frame> {
        let schema = self.plan.schema().clone();
        let (mut aggregates, mut lists) = (Vec::new(), Vec::new());
        for (i, column) in schema.columns().into_iter().enumerate() {
            let expr = Expr::Column(column.clone());
            let numeric = expr.get_type(&schema).map_err(from_datafusion)?.is_numeric();
            let values = statistics(expr, numeric);
            let name = |n: usize| format!("statistic {i} {n}");
            let items = (0..values.len()).map(|n| unqualified(&name(n))).collect();
            aggregates.extend(values.into_iter().enumerate().map(|(n, e)| e.alias(name(n))));
            lists.push((column.name, items));
        }
        let labels = STATISTICS.iter().map(|s| lit(*s)).collect();
        let lists = std::iter::once(("statistic".to_string(), labels)).chain(lists).collect();
        self.agg(aggregates)?.then(|plan| turned(plan, Vec::new(), lists))
    }

    /// Each different value of a column, and how many rows have it (`count`), the most frequent first; null is one of them.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.value_counts("city")?.lines()?, ["Bern|3", "Basel|2"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn value_counts(self, name: &str) -> Result<Frame> {
        let column = Expr::Column(found(self.plan.schema(), name).map_err(from_datafusion)?);
        let counted = self.group_by([column.clone()]).agg([count(lit(1i64)).alias("count")])?;
        counted.sort([unqualified("count").sort(false, false), column.sort(true, false)])
    }

    /// How many different values each column has, nulls not counted. One row.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.nunique()?.lines()?, ["4|2|3|4"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for types that cannot be compared.
    pub fn nunique(self) -> Result<Frame> {
        let counts = |c: Column| count_distinct(Expr::Column(c.clone())).alias(c.name);
        let counts: Vec<Expr> = self.plan.schema().columns().into_iter().map(counts).collect();
        self.agg(counts)
    }

    /// The value that is there most often, of each column; of several, the one that comes first. One row.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.columns(&["city", "km"])?.mode()?.lines()?, ["Bern|5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for types that cannot be compared.
    pub fn mode(self) -> Result<Frame> {
        let modes = |c: Column| mode(Expr::Column(c.clone())).alias(c.name);
        let modes: Vec<Expr> = self.plan.schema().columns().into_iter().map(modes).collect();
        self.agg(modes)
    }
}

fn statistics(expr: Expr, numeric: bool) -> Vec<Expr> {
    let target = if numeric { DataType::Float64 } else { DataType::Utf8View };
    let is_null = datafusion_expr::expr::Case::new(
        None,
        vec![(Box::new(expr.clone().is_null()), Box::new(lit(1i64)))],
        Some(Box::new(lit(0i64))),
    );
    let nulls = datafusion_functions::expr_fn::coalesce(vec![sum(Expr::Case(is_null)), lit(0i64)]);
    let of_numbers = |e: Expr| if numeric { e } else { lit(datafusion_common::ScalarValue::Null) };
    let float = || cast(expr.clone(), DataType::Float64);
    let share = |share: f64| of_numbers(quantile(float(), share));
    let all = vec![
        count(expr.clone()),
        nulls,
        of_numbers(avg(float())),
        of_numbers(stddev(float())),
        min(expr.clone()),
        share(0.25),
        share(0.5),
        share(0.75),
        max(expr.clone()),
    ];
    all.into_iter().map(|e| cast(e, target.clone())).collect()
}
