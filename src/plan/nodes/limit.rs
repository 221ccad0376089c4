//! Limit in the middle of a query: each task stops after so many rows; the rows are kept in order; the first of them
//! are read. At the end of a query the queue of results does the same without keeping them.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::Fixed;
use crate::ops::collect::{CollectOp, CollectedOp, From};
use crate::ops::limit::LimitOp;
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema};
use datafusion_expr::{FetchType, Limit, SkipType};
use std::sync::Arc;

/// The rows to skip and the rows to fetch.
pub fn bounds(node: &Limit) -> Result<(usize, Option<usize>)> {
    let not_constant = || Error::unsupported("LIMIT and OFFSET must be constants");
    let SkipType::Literal(skip) = node.get_skip_type().map_err(|_| not_constant())? else {
        return Err(not_constant());
    };
    let FetchType::Literal(fetch) = node.get_fetch_type().map_err(|_| not_constant())? else {
        return Err(not_constant());
    };
    Ok((skip, fetch))
}

/// Adds the limit of each task.
pub fn per_task(pipe: &mut Pipe, skip: usize, fetch: Option<usize>) {
    if let Some(rows) = fetch.and_then(|n| n.checked_add(skip)) {
        pipe.push(Arc::new(LimitOp { rows }), "limit", format!("{rows} rows a task"));
    }
}

/// The first rows of the input, in its order.
pub fn lower(lowering: &mut Lowering, node: &Limit) -> Result<Pipe> {
    let (skip, fetch) = bounds(node)?;
    let mut pipe = lowering.lower(&node.input)?;
    per_task(&mut pipe, skip, fetch);
    let sink = Arc::new(CollectOp::new(batch_schema(node.input.schema()), skip, fetch));
    let detail = format!("{} after {skip}", fetch.map_or("all".into(), |n| n.to_string()));
    let floor = 2 * lowering.limits.page();
    let (stage, described) = lowering.close(pipe, Outlet { detail, ..Outlet::new(sink.clone(), "limit", floor) });
    let meter = Arc::new(Meter::default());
    let top = Described::new("read", "", meter.clone(), vec![described]);
    let inlet = Inlet {
        name: "read limited rows".into(),
        source: Arc::new(CollectedOp { from: From::Sink(sink) }),
        meter,
        layout: Arc::new(Fixed { tasks: 1, floor: 0 }),
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
        tasks: Some(1),
        after: vec![stage],
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Ok(Pipe::from(inlet, top))
}
