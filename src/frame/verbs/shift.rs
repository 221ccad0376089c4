//! Values of other rows, and how far a value is from them. In the order of the rows, or of [`over`](super::super::over).

use arrow::datatypes::DataType;
use datafusion_expr::{Expr, cast, lit};
use datafusion_functions_window::expr_fn::{lag, lead};

/// The value `rows` rows before; behind, for a negative number. Null where there is none.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let moved = trips.select([shift(col("km"), 1).alias("before"), shift(col("km"), -1).alias("behind")])?;
/// assert_eq!(moved.lines()?, ["|5", "3|2", "5|5", "2|", "5|"]);
/// # Ok(())
/// # }
/// ```
pub fn shift(expr: Expr, rows: i64) -> Expr {
    match rows {
        i64::MIN..0 => lead(expr, Some(rows.saturating_neg()), None),
        _ => lag(expr, Some(rows), None),
    }
}

/// The value less that of `rows` rows before.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.select([diff(col("km"), 1).alias("km")])?.lines()?, ["", "2", "-3", "3", ""]);
/// # Ok(())
/// # }
/// ```
pub fn diff(expr: Expr, rows: i64) -> Expr {
    expr.clone() - shift(expr, rows)
}

/// By which share of it the value is more than that of `rows` rows before: 0.5 for half as much again. A float.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.select([pct_change(col("fare"), 3).alias("fare")])?.lines()?[3..], ["0.6666666666666667", ""]);
/// # Ok(())
/// # }
/// ```
pub fn pct_change(expr: Expr, rows: i64) -> Expr {
    let float = cast(expr, DataType::Float64);
    float.clone() / shift(float, rows) - lit(1.0)
}
