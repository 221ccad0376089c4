//! Nulls get values, or their rows go.

use super::columns::{found_all, mapped};
use super::running::rows_frame;
use crate::error::Result;
use crate::frame::Frame;
use arrow::datatypes::DataType;
use datafusion_common::{Column, ExprSchema};
use datafusion_expr::expr::{NullTreatment, WindowFunction};
use datafusion_expr::utils::conjunction;
use datafusion_expr::{Expr, ExprSchemable, Literal, LogicalPlanBuilder, WindowFunctionDefinition};
use datafusion_functions::expr_fn::coalesce;
use datafusion_functions_window::nth_value::{first_value_udwf, last_value_udwf};

impl Frame {
    /// Nulls become `value`, in all columns that hold values of its kind: numbers, texts, truth values, times.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.fill_null(0)?.columns(&["km", "fare"])?.lines()?, ["3|4.5", "5|0.0", "2|3.0", "5|7.5", "0|6.0"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None today; the plan is checked.
    pub fn fill_null(self, value: impl Literal) -> Result<Frame> {
        let value = value.lit();
        self.then(|plan| {
            let schema = plan.schema().clone();
            let kind = value.get_type(&schema)?;
            mapped(plan, |column| {
                let fits = alike(schema.field_from_column(column)?.data_type(), &kind);
                Ok(fits.then(|| coalesce(vec![Expr::Column(column.clone()), value.clone()])))
            })
        })
    }

    /// Nulls become the last value before them, in these columns (in all, of none), in the order of the rows; at most
    /// `limit` in a row. By group: [`forward_fill`] and [`over`](super::super::over).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.fill_forward(&["km"], None)?.columns(&["km"])?.lines()?, ["3", "5", "2", "5", "5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn fill_forward(self, names: &[&str], limit: Option<u64>) -> Result<Frame> {
        self.filled(names, |expr| forward_fill(expr, limit))
    }

    /// Nulls become the next value behind them, in these columns (in all, of none), in the order of the rows; at most
    /// `limit` in a row.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.fill_backward(&["fare"], None)?.columns(&["fare"])?.lines()?, ["4.5", "3.0", "3.0", "7.5", "6.0"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn fill_backward(self, names: &[&str], limit: Option<u64>) -> Result<Frame> {
        self.filled(names, |expr| backward_fill(expr, limit))
    }

    fn filled(self, names: &[&str], fill: impl Fn(Expr) -> Expr) -> Result<Frame> {
        self.then(|plan| {
            let chosen: Vec<Column> = found_all(plan.schema(), names)?;
            mapped(plan, |column| Ok(chosen.contains(column).then(|| fill(Expr::Column(column.clone())))))
        })
    }

    /// The rows without a null in these columns (in any, of none).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.clone().drop_nulls(&[])?.count()?, 3);
    /// assert_eq!(trips.drop_nulls(&["km"])?.count()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn drop_nulls(self, names: &[&str]) -> Result<Frame> {
        self.then(|plan| {
            let tests = found_all(plan.schema(), names)?.into_iter().map(|c| Expr::Column(c).is_not_null());
            match conjunction(tests) {
                Some(all) => LogicalPlanBuilder::from(plan).filter(all)?.build(),
                None => Ok(plan),
            }
        })
    }
}

/// Whether a value of the one type can stand for a null of the other.
fn alike(column: &DataType, value: &DataType) -> bool {
    let kind = |t: &DataType| match t {
        t if t.is_numeric() => 1,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 2,
        t if t.is_temporal() => 3,
        _ => 0,
    };
    column == value || kind(column) != 0 && kind(column) == kind(value)
}

/// `expr`, or where it is null the last value before, at most `limit` rows away; in the order of the rows, or of
/// [`over`](super::super::over).
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let by_city = over(forward_fill(col("km"), None), [col("city")], [col("day").sort(true, false)])?;
/// let filled = trips.with_columns([by_city.alias("km")])?.sort([col("day").sort(true, false)])?;
/// assert_eq!(filled.columns(&["km"])?.tail(1)?.lines()?, ["2"]);
/// # Ok(())
/// # }
/// ```
pub fn forward_fill(expr: Expr, limit: Option<u64>) -> Expr {
    nearest(WindowFunctionDefinition::WindowUDF(last_value_udwf()), expr, (limit.or(Some(u64::MAX)), Some(0)))
}

/// `expr`, or where it is null the next value behind, at most `limit` rows away.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let filled = trips.select([backward_fill(col("fare"), Some(1)).alias("fare")])?;
/// assert_eq!(filled.lines()?, ["4.5", "3.0", "3.0", "7.5", "6.0"]);
/// # Ok(())
/// # }
/// ```
pub fn backward_fill(expr: Expr, limit: Option<u64>) -> Expr {
    nearest(WindowFunctionDefinition::WindowUDF(first_value_udwf()), expr, (Some(0), limit.or(Some(u64::MAX))))
}

fn nearest(fun: WindowFunctionDefinition, expr: Expr, (before, behind): (Option<u64>, Option<u64>)) -> Expr {
    let mut call = WindowFunction::new(fun, vec![expr]);
    call.params.window_frame = rows_frame(before, behind);
    call.params.null_treatment = Some(NullTreatment::IgnoreNulls);
    Expr::WindowFunction(Box::new(call))
}
