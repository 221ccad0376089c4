//! What becomes of a group's rows, which come in order.
//!
//! A fold is told rows, piece by piece, then that the group is closed, and so on; [`Folding::take`] hands out the
//! values of all groups closed since the last time.

mod accumulate;
mod bins;
mod comparable;
mod deviation;
mod join;
mod list;
mod nth;
pub(super) mod pieces;
mod quantile;
mod runs;

use crate::error::Result;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use std::ops::Range;
use std::sync::Arc;

/// What becomes of a group's rows.
#[derive(Clone, Debug)]
pub enum Fold {
    /// A list of the first so many; null, if there is none.
    List {
        /// The most values.
        most: usize,
    },
    /// Texts, one after the other; null, if there is none.
    Join {
        /// What stands between two.
        separator: Arc<str>,
    },
    /// The value of the n-th row, from 0.
    Nth(u64),
    /// How often each value is there, as a map. The rows are ordered by value.
    Histogram,
    /// How many values each bin has, as a map from the bins' bounds.
    Bins(ArrayRef),
    /// A list of the values that are there most often, so many at most. The rows are ordered by value.
    Top(usize),
    /// Discrete quantiles of values of any type: one for each share. The rows are ordered by value.
    Quantile {
        /// From 0 to 1.
        shares: Arc<[f64]>,
        /// Whether the result is a list.
        list: bool,
    },
    /// The median of the distances to the median. The rows are ordered by value, a float.
    Deviation,
    /// Whatever DataFusion's accumulator makes of it.
    Accumulate(Arc<AggregateFunctionExpr>),
}

/// A fold at work.
pub(super) trait Folding: Send {
    /// Takes rows of the current group.
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()>;

    /// The current group has no more rows; the next rows are of another one.
    fn close(&mut self) -> Result<()>;

    /// The values of all groups that were closed since the last time. There is no group that is not closed.
    fn take(&mut self) -> Result<ArrayRef>;

    /// Bytes of memory that it holds, about.
    fn held(&self) -> usize;
}

impl Fold {
    /// Begins to fold rows with arguments of these types to values of type `output`.
    ///
    /// # Errors
    /// `Internal`, for arguments that do not fit.
    pub(super) fn begin(&self, arguments: &[DataType], output: &DataType) -> Result<Box<dyn Folding>> {
        let first = arguments.first().cloned().unwrap_or(DataType::Null);
        Ok(match self {
            Fold::List { most } => Box::new(list::List::new(*most, output)?),
            Fold::Join { separator } => Box::new(join::Join::new(separator.clone())),
            Fold::Nth(n) => Box::new(nth::Nth::new(first, *n)),
            Fold::Histogram => Box::new(runs::Runs::histogram(first, output)?),
            Fold::Bins(bounds) => Box::new(bins::Bins::new(bounds, output)?),
            Fold::Top(most) => Box::new(runs::Runs::top(first, *most, output)?),
            Fold::Quantile { shares, list } => {
                Box::new(quantile::Quantile::new(first, shares.clone(), list.then_some(output))?)
            }
            Fold::Deviation => Box::new(deviation::Deviation::default()),
            Fold::Accumulate(function) => Box::new(accumulate::Accumulate::new(function.clone())),
        })
    }
}

/// The type of the items of a list.
fn item(list: &DataType) -> Result<arrow::datatypes::FieldRef> {
    match list {
        DataType::List(item) => Ok(item.clone()),
        other => Err(crate::error::Error::internal(format!("an aggregate of lists has type {other}"))),
    }
}
