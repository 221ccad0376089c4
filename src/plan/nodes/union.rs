//! Union: the inlets of all inputs, one after the other, in one pipeline. Nothing is copied.

use crate::error::Result;
use crate::events::Meter;
use crate::plan::{Described, Lowering, Pipe, batch_schema, nodes::project};
use datafusion_expr::{Expr, LogicalPlan, Union, cast};
use std::sync::Arc;

/// All rows of all inputs, in the inputs' order.
pub fn lower(lowering: &mut Lowering, node: &Union) -> Result<Pipe> {
    let (mut inlets, mut tops, mut floor) = (Vec::new(), Vec::new(), 0);
    for input in &node.inputs {
        let pipe = lowering.lower(input)?;
        let pipe = same_types(lowering, pipe, input, node)?;
        inlets.extend(pipe.inlets);
        tops.push(pipe.top);
        floor = floor.max(pipe.floor);
    }
    let top = Described::new("union", "", Arc::new(Meter::default()), tops);
    Ok(Pipe { inlets, top, floor })
}

/// Casts the columns of an input whose types are not those of the union.
fn same_types(lowering: &Lowering, mut pipe: Pipe, input: &LogicalPlan, node: &Union) -> Result<Pipe> {
    let (from, to) = (input.schema(), &node.schema);
    if from.fields().iter().zip(to.fields()).any(|(a, b)| a.data_type() != b.data_type()) {
        let exprs: Vec<Expr> = from
            .columns()
            .into_iter()
            .zip(to.fields())
            .map(|(column, field)| cast(Expr::Column(column), field.data_type().clone()))
            .collect();
        project::add(lowering, &mut pipe, &exprs, from, batch_schema(to))?;
    }
    Ok(pipe)
}
