//! Small expressions of values that people have words for.

use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, Literal};

/// `expr`, but at least `low` and at most `high`, where they are given. Nulls stay.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let clipped = trips.select([clip(col("km"), Some(lit(3)), Some(lit(4))).alias("km")])?;
/// assert_eq!(clipped.lines()?, ["3", "4", "3", "4", ""]);
/// # Ok(())
/// # }
/// ```
pub fn clip(expr: Expr, low: Option<Expr>, high: Option<Expr>) -> Expr {
    let under = low.map(|low| (Box::new(expr.clone().lt(low.clone())), Box::new(low)));
    let above = high.map(|high| (Box::new(expr.clone().gt(high.clone())), Box::new(high)));
    match under.into_iter().chain(above).collect::<Vec<_>>() {
        none if none.is_empty() => expr,
        cases => Expr::Case(Case::new(None, cases, Some(Box::new(expr)))),
    }
}

/// Whether `expr` is one of `values`.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// assert_eq!(trips.clone().filter(is_in(col("km"), [2, 3]))?.count()?, 2);
/// assert_eq!(trips.filter(col("km").between(lit(2), lit(3)))?.count()?, 2);
/// # Ok(())
/// # }
/// ```
pub fn is_in(expr: Expr, values: impl IntoIterator<Item = impl Literal>) -> Expr {
    expr.in_list(values.into_iter().map(|value| value.lit()).collect(), false)
}

/// `expr`, with other values for some: `(old, new)`. A null as old value stands for nulls.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let replaced = trips.select([replace_values(col("city"), [("Bern", "Berne")]).alias("city")])?;
/// assert_eq!(replaced.distinct()?.sort([col("city").sort(true, false)])?.lines()?, ["Basel", "Berne"]);
/// # Ok(())
/// # }
/// ```
pub fn replace_values<A: Literal, B: Literal>(expr: Expr, values: impl IntoIterator<Item = (A, B)>) -> Expr {
    let test = |old: Expr| match &old {
        Expr::Literal(value, _) if value.is_null() => expr.clone().is_null(),
        _ => expr.clone().eq(old),
    };
    let cases = values.into_iter().map(|(old, new)| (Box::new(test(old.lit())), Box::new(new.lit())));
    match cases.collect::<Vec<_>>() {
        none if none.is_empty() => expr,
        cases => Expr::Case(Case::new(None, cases, Some(Box::new(expr)))),
    }
}
