//! Sessions and frames: what a program that links Partita sees.
//!
//! A [`Session`] owns one budget, one pool of threads, scratch and a catalog. A [`Frame`] is a query that has not run: its
//! verbs add to a logical plan, and `collect`, `batches`, `count` and the `to_*` methods run it.
//!
//! ```
//! # fn main() -> partita::Result<()> {
//! use partita::prelude::*;
//!
//! let session = Session::builder().memory("64MiB")?.threads(2).build()?;
//! let frame = session.sql("SELECT 6 * 7 AS answer")?;
//! let batches = frame.collect()?;
//! assert_eq!(batches[0].num_rows(), 1);
//! # Ok(())
//! # }
//! ```

mod again;
mod batches;
mod builder;
mod catalog;
mod database;
mod execute;
mod files;
mod functions;
mod glob;
mod group_by;
mod lazy;
mod logs;
mod outcome;
mod over;
mod pipes;
mod recursive;
mod rejected;
mod rows;
mod session;
mod sink;
mod supplies;
mod tables;
mod together;
mod verbs;
mod write;
mod writer;

#[cfg(test)]
mod aggregate_tests;
#[cfg(test)]
mod asof_tests;
#[cfg(test)]
mod at_once_tests;
#[cfg(test)]
mod correlated_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
pub(crate) mod faulted;
#[cfg(test)]
mod files_tests;
#[cfg(test)]
mod functions_tests;
#[cfg(test)]
mod holistic_tests;
#[cfg(test)]
mod pipes_tests;
#[cfg(test)]
mod recursive_tests;
#[cfg(test)]
mod rejects_tests;
#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod series_tests;
#[cfg(test)]
mod set_ops_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod sink_tests;
#[cfg(test)]
mod small_budget_tests;
#[cfg(test)]
mod sql_tests;
#[cfg(test)]
mod supplies_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod together_tests;
#[cfg(test)]
mod unnest_tests;
#[cfg(test)]
mod window_tests;

pub use batches::{Batches, Reader};
pub use builder::SessionBuilder;
pub use files::Files;
pub use functions::Function;
pub use group_by::GroupBy;
pub use lazy::{Frame, IntoExprs};
pub use outcome::{Outcome, SessionStats};
pub use over::over;
pub use rows::Rows;
pub use session::Session;
pub use together::collect_all;
pub use verbs::*;
pub use writer::Writer;
