//! Filter: a transform.

use crate::error::Result;
use crate::ops::filter::FilterOp;
use crate::plan::{Lowering, Pipe};
use datafusion_expr::Filter;
use std::sync::Arc;

/// Rows of the input for which the predicate is true.
pub fn lower(lowering: &mut Lowering, node: &Filter) -> Result<Pipe> {
    let mut pipe = lowering.lower(&node.input)?;
    let predicate = Arc::new(lowering.compile(&mut pipe, &node.predicate, node.input.schema())?);
    pipe.push(Arc::new(FilterOp { predicate }), "filter", node.predicate.to_string());
    Ok(pipe)
}
