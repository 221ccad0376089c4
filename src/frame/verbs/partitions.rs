//! In how many pieces a query's rows come.

use crate::error::Result;
use crate::frame::Frame;

impl Frame {
    /// The number of pieces in which the rows come, each the work of one task: those of the files, where nothing but
    /// filters and expressions is between. `None`, where that is only known when the query runs, as after a join.
    ///
    /// Nobody needs to choose it: pieces are small, and operators repartition by what they measure.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// assert_eq!(trips.clone().filter(col("km").gt(lit(2)))?.partitions()?, Some(1));
    /// assert_eq!(concat([trips.clone(), trips])?.partitions()?, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever planning meets.
    pub fn partitions(&self) -> Result<Option<usize>> {
        let planned = self.session.planned(self)?;
        self.session.0.lowering().pieces(&planned.optimized)
    }
}
