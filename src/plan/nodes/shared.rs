//! A plan that is used more than once: the first use lays its stages, whose rows rest in order; each use reads them.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ids::StageId;
use crate::ops::collect::{CollectOp, PiecesOp, piece_layout};
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_expr::LogicalPlan;
use std::sync::Arc;

/// The rows of a shared plan, at rest.
#[derive(Clone)]
pub struct Shared {
    number: usize,
    stage: StageId,
    rows: Arc<CollectOp>,
    schema: SchemaRef,
    top: Described,
}

/// Reads the rows of the shared plan of that number, of which `plan` is a copy.
pub fn lower(lowering: &mut Lowering, number: usize, plan: &LogicalPlan) -> Result<Pipe> {
    let schema = batch_schema(plan.schema());
    let known = lowering.shared.iter().find(|shared| shared.number == number).cloned();
    let first = known.is_none();
    let shared = match known {
        Some(shared) => shared,
        None => lay(lowering, number, plan, schema.clone())?,
    };
    if types(&shared.schema) != types(&schema) {
        return Err(Error::internal(format!("two uses of one CTE differ: {} and {}", shared.schema, schema)));
    }
    let meter = Arc::new(Meter::default());
    // The plan below is shown where it is used first.
    let below = if first { vec![shared.top.clone()] } else { Vec::new() };
    let top = Described::new("shared", number.to_string(), meter.clone(), below);
    let inlet = Inlet {
        name: "read shared rows".into(),
        source: Arc::new(PiecesOp { rows: shared.rows.clone() }),
        meter,
        layout: Arc::new(piece_layout()),
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
        tasks: None,
        after: vec![shared.stage],
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Ok(Pipe::from(inlet, top))
}

fn lay(lowering: &mut Lowering, number: usize, plan: &LogicalPlan, schema: SchemaRef) -> Result<Shared> {
    let pipe = lowering.lower(plan)?;
    let rows = Arc::new(CollectOp::new(schema.clone(), 0, None));
    let floor = 2 * lowering.limits.page();
    let outlet = Outlet { detail: number.to_string(), ..Outlet::new(rows.clone(), "keep", floor) };
    let (stage, top) = lowering.close(pipe, outlet);
    let shared = Shared { number, stage, rows, schema, top };
    lowering.shared.push(shared.clone());
    Ok(shared)
}

fn types(schema: &SchemaRef) -> Vec<&DataType> {
    schema.fields().iter().map(|f| f.data_type()).collect()
}
