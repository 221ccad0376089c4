//! Partita: a dataframe and bag query engine for data larger than memory, under a hard memory budget.
//!
//! Tables are read from CSV, Parquet and NDJSON files, planned into tasks over partitions, run in parallel within a
//! budget, and spilled to local scratch. A [`Session`] owns a budget, threads, scratch and a catalog; a [`Frame`] is a
//! query that has not run; a [`Bag`] is a list of items that are no rows; a [`Delayed`] is a call that has not run.
//!
//! ```
//! # fn main() -> partita::Result<()> {
//! use partita::prelude::*;
//!
//! let session = Session::builder().memory("64MiB")?.build()?;
//! let frame = session.sql("SELECT n % 2 AS odd, sum(n) AS total FROM (VALUES (1), (2), (3)) AS t(n) GROUP BY odd")?;
//! assert_eq!(frame.count()?, 2);
//! # Ok(())
//! # }
//! ```
//!
//! The layers, and the life of a query through them, are drawn in `ARCHITECTURE.md`.
#![warn(missing_docs)]
// The heads of modules lead readers of the source to private parts, too.
#![allow(rustdoc::private_intra_doc_links)]

pub mod bag;
pub mod batch;
pub mod cells;
pub mod config;
pub mod delayed;
pub mod error;
pub mod events;
pub mod formats;
pub mod frame;
pub mod front;
pub mod graph;
mod guard;
pub mod ids;
pub mod io;
mod jq;
pub mod memory;
pub mod ops;
pub mod plan;
pub mod rejects;
pub mod run;
pub mod sched;
pub mod store;
pub mod units;
pub mod wake;

pub use bag::Bag;
pub use delayed::{Delayed, Future, GraphBuilder};
pub use error::{Error, ErrorKind, Place, Result};
pub use frame::{
    Batches, Files, Frame, GroupBy, Outcome, Rows, Session, SessionBuilder, SessionStats, Writer, collect_all,
};
pub use units::parse_size;

/// What functions of a program are made of; see [`Session::register_fn`] and its neighbours.
pub mod functions {
    pub use crate::frame::Function;
    pub use crate::front::custom::{
        Accumulate, AggregateFunction, Argument, Returned, ScalarFunction, Step, TableFunction, TypedFunction,
    };
    pub use crate::ops::supply::{BatchIterator, Supply};
}

/// What most programs want: sessions, frames, and DataFusion's expressions.
pub mod prelude {
    pub use crate::bag::{Aggregate, BadItems, Bag, InvalidUtf8, Jq, Json, TextOptions, aggregates};
    pub use crate::delayed::{Delayed, DelayedFn, Future, GraphBuilder, compute_all, delayed, persist_all};
    pub use crate::frame::{
        Asof, Batches, Direction, Frame, GroupBy, Keep, Outcome, Pivot, Rank, Rolling, Sample, Session, SessionBuilder,
        TimeWindows, Unpivot,
    };
    pub use crate::frame::{
        backward_fill, clip, collect_all, concat, concat_by_name, cum_count, cum_max, cum_min, cum_prod, cum_sum, diff,
        forward_fill, interval, is_in, over, pct_change, ranked, replace_values, rolling, rolling_by, shift, when,
    };
    pub use crate::front::aggregate_exprs::{
        arg_max, arg_min, kurtosis, median, mode, product, quantile, quantile_disc, sem, skewness,
    };
    pub use crate::front::avg;
    pub use crate::{Error, ErrorKind, Result};
    pub use datafusion_common::{JoinType, ScalarValue};
    pub use datafusion_expr::{Expr, case, cast, col, ident, lit, not};
    pub use datafusion_functions::expr_fn::*;
    pub use datafusion_functions_aggregate::expr_fn::*;
    pub use datafusion_functions_window::expr_fn::{
        cume_dist, dense_rank, lag, lead, ntile, percent_rank, rank, row_number,
    };
}

/// The programs of README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The programs of docs/delayed.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/delayed.md")]
pub struct DelayedGuide;

/// The programs of docs/bags.md, compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/bags.md")]
pub struct BagsGuide;
