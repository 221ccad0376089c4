//! Places of values among the others.

use super::running::only_if;
use arrow::datatypes::DataType;
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::{Expr, SortExpr, WindowFrame, WindowFunctionDefinition, cast, lit};
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_functions_window::rank::{dense_rank_udwf, rank_udwf};
use datafusion_functions_window::row_number::row_number_udwf;

/// Which place equal values have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The average of their places, a float.
    Average,
    /// The first of their places.
    Min,
    /// The last of their places.
    Max,
    /// As `Min`, without gaps behind.
    Dense,
    /// Places of their own, in the order of the rows.
    Ordinal,
}

/// The place of a value among all, from 1; nulls have none. By group: `over(ranked(..), [col("k")], [])`.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
/// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
/// for (rank, places) in [
///     (Rank::Average, ["1.0", "2.0", "3.5", "3.5", ""]),
///     (Rank::Min, ["1", "2", "3", "3", ""]),
///     (Rank::Max, ["1", "2", "4", "4", ""]),
///     (Rank::Dense, ["1", "2", "3", "3", ""]),
///     (Rank::Ordinal, ["1", "2", "3", "4", ""]),
/// ] {
///     let place = ranked(col("km"), rank, false).alias("place");
///     assert_eq!(trips.clone().select([place])?.sort([col("place").sort(true, false)])?.lines()?, places);
/// }
/// # Ok(())
/// # }
/// ```
pub fn ranked(expr: Expr, rank: Rank, descending: bool) -> Expr {
    let by = expr.clone().sort(!descending, false);
    let place = |fun, args| place(fun, args, by.clone());
    let window = WindowFunctionDefinition::WindowUDF;
    let first = place(window(rank_udwf()), Vec::new());
    // All values up to the row and those that are equal to it.
    let last = place(WindowFunctionDefinition::AggregateUDF(count_udaf()), vec![expr.clone()]);
    let whole = |e| cast(e, DataType::Int64);
    let place = match rank {
        Rank::Average => (cast(first, DataType::Float64) + cast(last, DataType::Float64)) / lit(2.0),
        Rank::Min => whole(first),
        Rank::Max => whole(last),
        Rank::Dense => whole(place(window(dense_rank_udwf()), Vec::new())),
        Rank::Ordinal => whole(place(window(row_number_udwf()), Vec::new())),
    };
    only_if(expr.is_not_null(), place)
}

fn place(fun: WindowFunctionDefinition, args: Vec<Expr>, by: SortExpr) -> Expr {
    let mut call = WindowFunction::new(fun, args);
    call.params.order_by = vec![by];
    call.params.window_frame = WindowFrame::new(Some(false));
    Expr::WindowFunction(Box::new(call))
}
