//! Columns get other names and types, or go.

use super::columns::{as_column, found, found_all, mapped};
use crate::error::Result;
use crate::frame::Frame;
use arrow::datatypes::DataType;
use datafusion_expr::{Expr, LogicalPlanBuilder, cast};
use std::collections::BTreeMap;

impl Frame {
    /// Gives columns other names: `(old, new)`.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let renamed = trips.rename(&[("km", "distance")])?;
    /// assert_eq!(renamed.schema()?.field(2).name(), "distance");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, and for names that are taken.
    pub fn rename(self, names: &[(&str, &str)]) -> Result<Frame> {
        self.then(|plan| {
            let mut new = BTreeMap::new();
            for (old, name) in names {
                new.insert(found(plan.schema(), old)?, *name);
            }
            let exprs = plan.schema().columns().into_iter().map(|column| match new.get(&column) {
                Some(name) => Expr::Column(column.clone()).alias_qualified(column.relation, *name),
                None => Expr::Column(column),
            });
            let exprs: Vec<Expr> = exprs.collect();
            LogicalPlanBuilder::from(plan).project(exprs)?.build()
        })
    }

    /// Gives all columns the names that `name` makes of theirs.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let renamed = trips.rename_with(|name| format!("trip_{name}"))?;
    /// assert_eq!(renamed.schema()?.field(0).name(), "trip_day");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, where two columns get the same name.
    pub fn rename_with(self, name: impl Fn(&str) -> String) -> Result<Frame> {
        self.then(|plan| {
            let columns = plan.schema().columns().into_iter();
            let exprs: Vec<Expr> =
                columns.map(|c| Expr::Column(c.clone()).alias_qualified(c.relation, name(&c.name))).collect();
            LogicalPlanBuilder::from(plan).project(exprs)?.build()
        })
    }

    /// All columns but these.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.drop(&["day", "fare"])?.head(1)?[0].num_columns(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn drop(self, names: &[&str]) -> Result<Frame> {
        self.then(|plan| {
            let gone = names.iter().map(|n| found(plan.schema(), n)).collect::<datafusion_common::Result<Vec<_>>>()?;
            let stay = plan.schema().columns().into_iter().filter(|c| !gone.contains(c)).map(Expr::Column);
            let stay: Vec<Expr> = stay.collect();
            LogicalPlanBuilder::from(plan).project(stay)?.build()
        })
    }

    /// Gives columns other types. A value that has no meaning in the new type is an error; `try_cast` in an expression makes
    /// it null.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::datatypes::DataType;
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let cast = trips.cast(&[("km", DataType::Float64)])?.select([col("km")])?;
    /// assert_eq!(cast.limit(0, 2)?.lines()?, ["3.0", "5.0"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and types that have no common values.
    pub fn cast(self, types: &[(&str, DataType)]) -> Result<Frame> {
        self.then(|plan| {
            let mut new = BTreeMap::new();
            for (name, data_type) in types {
                new.insert(found(plan.schema(), name)?, data_type.clone());
            }
            mapped(plan, |column| Ok(new.get(column).map(|t| cast(Expr::Column(column.clone()), t.clone()))))
        })
    }

    /// These columns, by their names.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.columns(&["city", "km"])?.limit(0, 1)?.lines()?, ["Bern|3"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns.
    pub fn columns(self, names: &[&str]) -> Result<Frame> {
        self.then(|plan| {
            let columns = found_all(plan.schema(), names)?;
            let exprs: Vec<Expr> = columns.iter().map(|c| as_column(Expr::Column(c.clone()), c)).collect();
            LogicalPlanBuilder::from(plan).project(exprs)?.build()
        })
    }
}
