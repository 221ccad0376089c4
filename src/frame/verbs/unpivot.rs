//! Columns become rows.

use super::columns::found;
use super::explode::turned;
use crate::error::{Error, Result};
use crate::frame::Frame;
use datafusion_common::Result as PlanResult;
use datafusion_expr::{Expr, lit};

/// Which columns become rows, and what the new ones are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpivot<'a> {
    /// The columns that become rows; of none, all that are not in `index`.
    pub on: &'a [&'a str],
    /// The columns that stay; they repeat.
    pub index: &'a [&'a str],
    /// The column of names.
    pub name: &'a str,
    /// The column of values.
    pub value: &'a str,
}

impl Default for Unpivot<'_> {
    fn default() -> Self {
        Unpivot { on: &[], index: &[], name: "variable", value: "value" }
    }
}

impl Frame {
    /// For each row, a row with the name and the value of each of some columns; values get a common type, nulls stay. What
    /// others call melt.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?.limit(0, 2)?;
    /// let long = trips.unpivot(Unpivot { on: &["km", "fare"], index: &["city"], ..Unpivot::default() })?;
    /// assert_eq!(long.lines()?, ["Bern|km|3.0", "Bern|fare|4.5", "Basel|km|5.0", "Basel|fare|"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, for none, and for types that have nothing in common.
    pub fn unpivot(self, how: Unpivot<'_>) -> Result<Frame> {
        self.then(|plan| {
            let schema = plan.schema().clone();
            let index = how.index.iter().map(|n| found(&schema, n)).collect::<PlanResult<Vec<_>>>()?;
            let on = match how.on {
                [] => schema.columns().into_iter().filter(|c| !index.contains(c)).collect(),
                names => names.iter().map(|n| found(&schema, n)).collect::<PlanResult<Vec<_>>>()?,
            };
            if on.is_empty() {
                let none = Error::query("no column to unpivot");
                return Err(datafusion_common::DataFusionError::External(Box::new(none)));
            }
            let names = on.iter().map(|c| lit(c.name.as_str())).collect();
            let values = on.into_iter().map(Expr::Column).collect();
            let stay = index.into_iter().map(Expr::Column).collect();
            turned(plan, stay, vec![(how.name.into(), names), (how.value.into(), values)])
        })
    }
}
