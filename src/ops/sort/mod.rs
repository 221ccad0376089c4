//! ORDER BY.

mod keys;

pub use keys::{KeyEncoder, POSITION, SortKey};
