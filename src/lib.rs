//! Partita: a dataframe and bag query engine for data larger than memory.
#![warn(missing_docs)]

pub mod batch;
pub mod config;
pub mod error;
pub mod events;
pub mod formats;
pub mod frame;
pub mod graph;
pub mod ids;
pub mod io;
pub mod memory;
pub mod ops;
pub mod sched;
pub mod store;
pub mod units;
pub mod wake;

pub use error::{Error, ErrorKind, Place, Result};
pub use units::parse_size;
