//! Projection: a transform.

use crate::error::Result;
use crate::ops::project::ProjectOp;
use crate::plan::{Lowering, Pipe, batch_schema, shorten};
use arrow::datatypes::SchemaRef;
use datafusion_common::DFSchema;
use datafusion_expr::{Expr, Projection};
use std::sync::Arc;

/// One column for each expression.
pub fn lower(lowering: &mut Lowering, node: &Projection) -> Result<Pipe> {
    let mut pipe = lowering.lower(&node.input)?;
    let columns_as_they_are = node.expr.len() == node.input.schema().fields().len()
        && node.expr.iter().enumerate().all(|(i, e)| is_column(e, i, node.input.schema()));
    if columns_as_they_are {
        return Ok(pipe); // only names change, and those are the plan's, not the batches'
    }
    add(lowering, &mut pipe, &node.expr, node.input.schema(), batch_schema(&node.schema))?;
    Ok(pipe)
}

/// Adds a projection of `exprs` over `input` to the pipeline.
pub fn add(lowering: &Lowering, pipe: &mut Pipe, exprs: &[Expr], input: &DFSchema, schema: SchemaRef) -> Result<()> {
    let compiled = exprs.iter().map(|e| lowering.compile(pipe, e, input)).collect::<Result<Vec<_>>>()?;
    let detail: Vec<String> = exprs.iter().map(ToString::to_string).collect();
    pipe.push(Arc::new(ProjectOp { exprs: compiled.into(), schema }), "project", shorten(&detail.join(", "), 200));
    Ok(())
}

/// Whether `expr` is the `index`-th column of `schema`, perhaps under another name.
pub fn is_column(expr: &Expr, index: usize, schema: &DFSchema) -> bool {
    match expr {
        Expr::Alias(alias) => is_column(&alias.expr, index, schema),
        Expr::Column(column) => schema.maybe_index_of_column(column) == Some(index),
        _ => false,
    }
}
