//! Aggregate functions that DataFusion lacks, or has with other arguments or types than people expect from DuckDB.
//!
//! Here they only have names and types, a row each; what they compute is in `plan` and `ops`. Every name is a function
//! of its own, so that headers say what was typed.

mod declared;
mod discrete;
pub mod exprs;
mod joined;
mod picked;
mod quantiles;
mod statistics;
mod values;
mod widened;

use datafusion_expr::AggregateUDF;
use std::sync::Arc;

/// All of them. They take the place of DataFusion's of the same name.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let declared = [values::TABLE, quantiles::TABLE, statistics::TABLE].into_iter().flatten();
    declared.flat_map(declared::functions).chain(widened::functions()).collect()
}

#[cfg(test)]
mod tests;
