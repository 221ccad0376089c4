//! `when(test, value).when(..).otherwise(..)`: SQL's CASE.

use datafusion_expr::Expr;
use datafusion_expr::expr::Case;

/// Tests with their values, of which the first that is true counts.
#[derive(Clone, Debug)]
pub struct When {
    cases: Vec<(Box<Expr>, Box<Expr>)>,
}

/// `value` where `test` is true; what else, [`When`] says.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// let how_far = when(col("km").gt(lit(4)), lit("far")).when(col("km").gt(lit(2)), lit("near")).otherwise(lit("here"));
/// let only_far = when(col("km").gt(lit(4)), col("km")).otherwise_null();
/// assert_eq!(trips.select([how_far, only_far])?.lines()?, ["near|", "far|5", "here|", "far|5", "here|"]);
/// # Ok(())
/// # }
/// ```
pub fn when(test: Expr, value: Expr) -> When {
    When { cases: Vec::new() }.when(test, value)
}

impl When {
    /// `value` where no test before and `test` is true.
    pub fn when(mut self, test: Expr, value: Expr) -> When {
        self.cases.push((Box::new(test), Box::new(value)));
        self
    }

    /// `value` where no test is true.
    pub fn otherwise(self, value: Expr) -> Expr {
        Expr::Case(Case::new(None, self.cases, Some(Box::new(value))))
    }

    /// Null where no test is true.
    pub fn otherwise_null(self) -> Expr {
        Expr::Case(Case::new(None, self.cases, None))
    }
}
