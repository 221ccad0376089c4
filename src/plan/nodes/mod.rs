//! One file for each node of the logical plan.

pub mod aggregate;
pub mod apart;
pub mod call;
pub mod filter;
pub mod join;
pub mod limit;
pub mod project;
pub mod scan;
pub mod sort;
pub mod union;
pub mod values;
pub mod window;
