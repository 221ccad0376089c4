//! How columns of numbers go together, each with each.

use super::explode::turned;
use super::rows::unqualified;
use crate::error::Result;
use crate::frame::Frame;
use arrow::datatypes::DataType;
use datafusion_common::Column;
use datafusion_expr::{Expr, cast, lit};
use datafusion_functions_aggregate::expr_fn::{corr, covar_samp};

impl Frame {
    /// The correlation (Pearson's) of each column of numbers with each: a row and a column for each, names in `column`. Of two
    /// columns, rows count in which both have a value. Two columns only: `agg([corr(col("a"), col("b"))])`.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let twice = trips.select([col("km"), (col("km") * lit(-2)).alias("back")])?;
    /// assert_eq!(twice.corr()?.lines()?, ["km|1.0|-1.0", "back|-1.0|1.0"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn corr(self) -> Result<Frame> {
        self.matrix(corr)
    }

    /// The covariance of each column of numbers with each, as of a sample; as [`corr`](Self::corr).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.columns(&["km"])?.cov()?.lines()?, ["km|2.25"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn cov(self) -> Result<Frame> {
        self.matrix(covar_samp)
    }

    fn matrix(self, of: impl Fn(Expr, Expr) -> Expr) -> Result<Frame> {
        let fields = self.plan.schema().iter().filter(|(_, f)| f.data_type().is_numeric());
        let columns: Vec<Column> = fields.map(|(q, f)| Column::new(q.cloned(), f.name())).collect();
        let float = |c: &Column| cast(Expr::Column(c.clone()), DataType::Float64);
        let name = |i: usize, j: usize| format!("of {i} and {j}");
        let (mut aggregates, mut lists) = (Vec::new(), Vec::new());
        for (j, right) in columns.iter().enumerate() {
            for (i, left) in columns.iter().enumerate() {
                aggregates.push(of(float(left), float(right)).alias(name(i, j)));
            }
            let items = (0..columns.len()).map(|i| unqualified(&name(i, j))).collect();
            lists.push((right.name.clone(), items));
        }
        let names = columns.iter().map(|c| lit(c.name.as_str())).collect();
        let lists = std::iter::once(("column".to_string(), names)).chain(lists).collect();
        self.agg(aggregates)?.then(|plan| turned(plan, Vec::new(), lists))
    }
}
