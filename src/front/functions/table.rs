//! The one table of scalar functions that are ours. A new one is a row in its family's file; a new family is a line here.

use super::row::{Row, Scalar};
use super::{json, lists, numbers, session, text, times};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// A family: its heading in docs/functions.md, and its rows.
pub(in crate::front) type Family = (&'static str, &'static [Row]);

/// All families.
pub(in crate::front) const FAMILIES: &[Family] = &[
    ("Text", text::basic::ROWS),
    ("Text: pieces", text::slices::ROWS),
    ("Text: split and join", text::split::ROWS),
    ("Text: regular expressions", text::regex::ROWS),
    ("Text: formats", text::format::ROWS),
    ("Text: distances", text::distance::ROWS),
    ("Text: bytes", text::bytes::ROWS),
    ("Text: digests", text::digest::ROWS),
    ("Text: paths", text::paths::ROWS),
    ("Text: addresses and sizes", text::url::ROWS),
    ("Numbers: exact", numbers::exact::ROWS),
    ("Numbers: rounding", numbers::round::ROWS),
    ("Numbers: floats", numbers::float::ROWS),
    ("Numbers: bits", numbers::bits::ROWS),
    ("Values compared", numbers::compare::ROWS),
    ("Times: parts", times::fields::ROWS),
    ("Times: beginnings", times::trunc::ROWS),
    ("Times: buckets", times::bucket::ROWS),
    ("Times: differences", times::diff::ROWS),
    ("Times: made of numbers", times::make::ROWS),
    ("Times: as text", times::strftime::ROWS),
    ("Times: as text, as in PostgreSQL", times::to_char::ROWS),
    ("Times: out of text", times::strptime::ROWS),
    ("Times: intervals", times::intervals::ROWS),
    ("Times: arithmetic", times::operators::ROWS),
    ("Times: zones", times::zones::ROWS),
    ("Lists", lists::basic::ROWS),
    ("Lists: made", lists::build::ROWS),
    ("Lists: order", lists::order::ROWS),
    ("Lists: sets", lists::sets::ROWS),
    ("Lists: aggregates", lists::aggregate::ROWS),
    ("Lists: vectors", lists::vectors::ROWS),
    ("Structs", lists::structs::ROWS),
    ("Maps", lists::maps::ROWS),
    ("JSON: pieces", json::extract::ROWS),
    ("JSON: keys and indexes", json::get::ROWS),
    ("JSON: types and shapes", json::inspect::ROWS),
    ("JSON: made", json::build::ROWS),
    ("JSON: programs of jq", json::jq::ROWS),
    ("Values and session", session::ROWS),
];

/// The functions of all rows.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).map(function).collect()
}

fn function(row: &'static Row) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Scalar::new(row)))
}

/// One of our functions by its name.
pub(in crate::front) fn named(name: &str) -> Option<Arc<ScalarUDF>> {
    FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).find(|row| row.name == name).map(function)
}
