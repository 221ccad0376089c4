//! One file for each node of the logical plan.

pub mod aggregate;
pub mod apart;
pub mod asof;
pub mod call;
pub mod extra;
pub mod filter;
pub mod join;
pub mod limit;
pub mod positional;
pub mod project;
pub mod scan;
pub mod shared;
pub mod sort;
pub mod union;
pub mod unnest;
pub mod values;
pub mod window;
