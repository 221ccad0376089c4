//! Some rows, by chance.

use super::columns::only;
use super::rows::{by_place, placed, unqualified};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::front::hash;
use datafusion_common::Column;
use datafusion_expr::{Expr, LogicalPlanBuilder, lit};
use datafusion_functions::expr_fn::random;

/// How many rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// Each row with this chance, from 0 to 1.
    Fraction(f64),
    /// So many, each set of them equally likely.
    Rows(usize),
}

const CHANCE: &str = "chance";
const ROW: &str = "row of sample";

impl Frame {
    /// Some rows by chance, without repetition, in order. The same seed over the same rows takes the same ones, whatever the
    /// threads and the budget (until a release changes the numbers).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let numbers = Session::builder().build()?.sql("FROM range(1000) t(n)")?;
    /// assert_eq!(numbers.clone().sample(Sample::Rows(10), None)?.count()?, 10);
    /// let some = numbers.sample(Sample::Fraction(0.5), Some(17))?;
    /// assert!((400..600).contains(&some.count()?));
    /// assert_eq!(some.lines()?, some.lines()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a fraction that is none.
    pub fn sample(self, size: Sample, seed: Option<u64>) -> Result<Frame> {
        if let Sample::Fraction(share) = size
            && !(0.0..=1.0).contains(&share)
        {
            return Err(Error::query(format!("a sample of {share} of the rows")).advise("a fraction from 0 to 1"));
        }
        let columns = self.plan.schema().columns();
        let numbered = match seed {
            Some(_) => self.with_row_index(ROW)?,
            None => self,
        };
        let chance = match seed {
            Some(seed) => hash(vec![unqualified(ROW), lit(seed)])?,
            None => random(),
        };
        match (size, seed) {
            (Sample::Fraction(share), None) => numbered.filter(chance.lt(lit(share))),
            (Sample::Fraction(share), Some(_)) => {
                // All of 1 must be everything; the conversion saturates.
                let below = chance.lt(lit((share * u64::MAX as f64) as u64));
                let all = if share == 1.0 { lit(true) } else { below };
                numbered.filter(all)?.then(|plan| only(plan, columns))
            }
            (Sample::Rows(rows), _) => numbered.then(|plan| {
                let plan = placed(plan)?;
                let all = plan.schema().columns().into_iter().map(Expr::Column);
                let exprs: Vec<Expr> = all.chain([chance.alias(CHANCE)]).collect();
                let by_chance = Expr::Column(Column::new_unqualified(CHANCE)).sort(true, false);
                let chosen = LogicalPlanBuilder::from(plan).project(exprs)?.sort_with_limit([by_chance], Some(rows))?;
                only(chosen.sort(by_place(true))?.build()?, columns)
            }),
        }
    }
}
