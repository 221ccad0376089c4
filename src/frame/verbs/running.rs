//! Aggregates of all rows so far: `cum_sum` and its like. In the order of the rows, or of [`over`](super::super::over).
//! Where the value is null, so is the result; the next one goes on.

use crate::front::aggregate_exprs::product;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, WindowFrame, WindowFrameBound, WindowFrameUnits};
use datafusion_functions_aggregate::expr_fn::{count, max, min, sum};

use crate::frame::over::window_of;

/// So many rows before and behind a row; `None` and `u64::MAX` for all.
pub(super) fn rows_frame(before: Option<u64>, behind: Option<u64>) -> WindowFrame {
    let bound = |rows: Option<u64>| ScalarValue::UInt64(rows.filter(|n| *n != u64::MAX));
    let end = |rows: Option<u64>| match rows {
        Some(0) => WindowFrameBound::CurrentRow,
        rows => WindowFrameBound::Following(bound(rows)),
    };
    let start = match before {
        Some(0) => WindowFrameBound::CurrentRow,
        rows => WindowFrameBound::Preceding(bound(rows)),
    };
    WindowFrame::new_bounds(WindowFrameUnits::Rows, start, end(behind))
}

/// The aggregate over the rows of `frame`.
pub(super) fn framed(aggregate: Expr, frame: &WindowFrame) -> Expr {
    match aggregate {
        Expr::AggregateFunction(call) => {
            let mut window = window_of(call);
            window.params.window_frame = frame.clone();
            Expr::WindowFunction(Box::new(window))
        }
        other => other,
    }
}

/// `then` where `test` holds, else null.
pub(super) fn only_if(test: Expr, then: Expr) -> Expr {
    Expr::Case(Case::new(None, vec![(Box::new(test), Box::new(then))], None))
}

fn so_far(expr: Expr, aggregate: Expr) -> Expr {
    only_if(expr.is_not_null(), framed(aggregate, &rows_frame(None, Some(0))))
}

/// The sum of the values so far.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let sums = trips.clone().select([cum_sum(col("km")).alias("km"), cum_sum(col("fare")).alias("fare")])?;
/// assert_eq!(sums.lines()?, ["3|4.5", "8|", "10|7.5", "15|15.0", "|21.0"]);
/// let by_city = over(cum_sum(col("km")), [col("city")], [col("day").sort(true, false)])?;
/// let sums = trips.select([col("city"), by_city.alias("km")])?.filter(col("city").eq(lit("Basel")))?;
/// assert_eq!(sums.lines()?, ["Basel|5", "Basel|10"]);
/// # Ok(())
/// # }
/// ```
pub fn cum_sum(expr: Expr) -> Expr {
    so_far(expr.clone(), sum(expr))
}

/// The smallest of the values so far.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.select([cum_min(col("km")).alias("km")])?.lines()?, ["3", "3", "2", "2", ""]);
/// # Ok(())
/// # }
/// ```
pub fn cum_min(expr: Expr) -> Expr {
    so_far(expr.clone(), min(expr))
}

/// The largest of the values so far.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.select([cum_max(col("km")).alias("km")])?.lines()?, ["3", "5", "5", "5", ""]);
/// # Ok(())
/// # }
/// ```
pub fn cum_max(expr: Expr) -> Expr {
    so_far(expr.clone(), max(expr))
}

/// The product of the values so far, a float.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.select([cum_prod(col("km")).alias("km")])?.lines()?, ["3.0", "15.0", "30.0", "150.0", ""]);
/// # Ok(())
/// # }
/// ```
pub fn cum_prod(expr: Expr) -> Expr {
    so_far(expr.clone(), product(expr))
}

/// How many values there are so far that are not null.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.select([cum_count(col("fare")).alias("fares")])?.lines()?, ["1", "1", "2", "3", "4"]);
/// # Ok(())
/// # }
/// ```
pub fn cum_count(expr: Expr) -> Expr {
    framed(count(expr), &rows_frame(None, Some(0)))
}
