//! Positional join: both inputs are kept in order, then read side by side.

use crate::error::Result;
use crate::events::Meter;
use crate::front::extra::Extra;
use crate::graph::Fixed;
use crate::ops::collect::CollectOp;
use crate::ops::positional::PositionalOp;
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema};
use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::UserDefinedLogicalNodeCore;
use std::sync::Arc;

/// The n-th row of `left` beside the n-th of `right`.
pub fn lower(lowering: &mut Lowering, node: &Extra, left: &LogicalPlan, right: &LogicalPlan) -> Result<Pipe> {
    let (mut sides, mut after, mut tops) = (Vec::new(), Vec::new(), Vec::new());
    for input in [left, right] {
        let pipe = lowering.lower(input)?;
        let sink = Arc::new(CollectOp::new(batch_schema(input.schema()), 0, None));
        let floor = 2 * lowering.limits.page();
        let (stage, top) = lowering.close(pipe, Outlet::new(sink.clone(), "keep", floor));
        sides.push(sink);
        after.push(stage);
        tops.push(top);
    }
    let [left, right] = <[Arc<CollectOp>; 2]>::try_from(sides).map_err(|_| crate::Error::internal("two sides"))?;
    let meter = Arc::new(Meter::default());
    let schema = batch_schema(UserDefinedLogicalNodeCore::schema(node));
    let top = Described::new("positional join", "", meter.clone(), tops);
    let inlet = Inlet {
        name: "positional join".into(),
        source: Arc::new(PositionalOp { sides: [left, right], schema }),
        meter,
        layout: Arc::new(Fixed { tasks: 1, floor: 0 }),
        in_flight: 4 * lowering.limits.tuning.batch_bytes,
        tasks: Some(1),
        after,
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Ok(Pipe::from(inlet, top))
}
