//! The nodes that DataFusion has no word for; see [`front::extra`](crate::front::extra).

use crate::error::{Error, Result};
use crate::front::extra::{Extra, Kind};
use crate::front::mapped::Mapped;
use crate::ops::map::MapOp;
use crate::ops::repeat::RepeatOp;
use crate::ops::window::PlaceOp;
use crate::plan::nodes::{asof, positional, shared};
use crate::plan::{Lowering, Pipe, batch_schema};
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::{Extension, UserDefinedLogicalNodeCore};
use std::sync::Arc;

/// Whatever the node is.
pub fn lower(lowering: &mut Lowering, node: &Extension) -> Result<Pipe> {
    if let Some(mapped) = node.node.as_any().downcast_ref::<Mapped>() {
        let mut pipe = lowering.lower(&mapped.input)?;
        pipe.push(Arc::new(MapOp(mapped.mapper.clone())), "map", "");
        return Ok(pipe);
    }
    let Some(extra) = node.node.as_any().downcast_ref::<Extra>() else {
        return Err(Error::unsupported(format!("the node {}", node.node.name())));
    };
    match (extra.kind, extra.inputs.as_slice()) {
        (Kind::Shared(number), [input]) => shared::lower(lowering, number, input),
        (Kind::Repeat, [input]) => repeat(lowering, extra, input),
        (Kind::Place, [input]) => place(lowering, extra, input),
        (Kind::Asof(join), [left, right]) => asof::lower(lowering, extra, join, left, right),
        (Kind::Positional, [left, right]) => positional::lower(lowering, extra, left, right),
        (kind, _) => Err(Error::internal(format!("{kind:?} was not planned"))),
    }
}

fn repeat(lowering: &mut Lowering, extra: &Extra, input: &LogicalPlan) -> Result<Pipe> {
    let mut pipe = lowering.lower(input)?;
    pipe.push(Arc::new(RepeatOp { schema: batch_schema(UserDefinedLogicalNodeCore::schema(extra)) }), "repeat", "");
    Ok(pipe)
}

fn place(lowering: &mut Lowering, extra: &Extra, input: &LogicalPlan) -> Result<Pipe> {
    let mut pipe = lowering.lower(input)?;
    pipe.push(Arc::new(PlaceOp { schema: batch_schema(UserDefinedLogicalNodeCore::schema(extra)) }), "place", "");
    Ok(pipe)
}
