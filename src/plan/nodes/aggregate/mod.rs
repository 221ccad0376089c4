//! Aggregate: keys and arguments are computed first, then rows meet in partitions by the hash of their keys.
//!
//! ```text
//! input -> project: keys, arguments -> [position] -> [expand: grouping sets] -> aggregate -> [project: values]
//!                                                                  +-> apart --------^
//! ```
//!
//! Which columns there are is in [`columns`], how each function is computed in [`ways`] and what of in [`calls`],
//! grouping sets are in [`sets`], and what is computed apart is in [`super::apart`].

mod calls;
mod columns;
mod sets;
mod ways;

use crate::error::Result;
use crate::events::Meter;
use crate::ops::aggregate::AggregateOp;
use crate::ops::expand::ExpandOp;
use crate::ops::expr::from_datafusion;
use crate::ops::position::PositionOp;
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema, nodes::project, shorten};
use arrow::datatypes::SchemaRef;
use columns::Columns;
use datafusion_common::DFSchema;
use datafusion_expr::{Aggregate, Expr, LogicalPlan};
use sets::Sets;
use std::sync::Arc;

/// One row for each different combination of keys.
pub fn lower(lowering: &mut Lowering, node: &Aggregate) -> Result<Pipe> {
    let mut pipe = lowering.lower(&node.input)?;
    let sets = Sets::of(node)?;
    let mut columns = Columns::new(node, &sets)?;
    let outputs = node.aggr_expr.iter().map(|e| calls::add(&mut columns, e)).collect::<Result<Vec<_>>>()?;
    columns.only_input_rows(sets.has_empty());

    let schema = columns.schema()?;
    project::add(lowering, &mut pipe, &columns.exprs, node.input.schema(), schema.clone())?;
    if let Some(column) = columns.position {
        pipe.push(Arc::new(PositionOp { column }), "position", "");
    }
    if let Some(list) = &sets.list {
        let op = ExpandOp { sets: list.clone(), column: sets.keys.len() };
        pipe.push(Arc::new(op), "expand", format!("{} sets", list.len()));
    }

    let limits = &lowering.limits;
    let groups = (0..columns.keys).collect();
    let (tuning, meter) = (&limits.tuning, Arc::new(Meter::default()));
    let values = columns.output(node)?;
    let op = AggregateOp::new(&schema, groups, &columns.wanted, values.clone(), tuning, limits.memory, meter.clone())?;
    let alone = !columns.plain && !sets.has_empty();
    let also = columns.plain.then(|| op.clone());
    let pipe = match columns.apart.as_slice() {
        [one] if alone && let Some(order) = columns.comes_from(one) => {
            super::apart::lower_alone(lowering, pipe, &schema, columns.keys, one, &order, values.clone())?
        }
        apart => {
            let mut pipe = match apart {
                [] => pipe,
                apart => super::apart::lower(lowering, pipe, &schema, columns.keys, apart, also)?,
            };
            if sets.has_empty() {
                pipe.inlets.push(sets.empty_rows(&schema)?);
            }
            finish(lowering, pipe, op, meter, described(node))
        }
    };
    outermost(lowering, pipe, node, &columns, outputs, &values)
}

/// Each different row once.
pub fn lower_distinct(lowering: &mut Lowering, input: &Arc<LogicalPlan>) -> Result<Pipe> {
    let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
    let node = Aggregate::try_new(input.clone(), columns, Vec::new()).map_err(from_datafusion)?;
    lower(lowering, &node)
}

/// Computes what is made of several values, or has another type than its value.
fn outermost(
    lowering: &Lowering,
    mut pipe: Pipe,
    node: &Aggregate,
    columns: &Columns<'_>,
    outputs: Vec<Expr>,
    values: &SchemaRef,
) -> Result<Pipe> {
    let output = batch_schema(&node.schema);
    let names = values.fields().iter().map(|f| Expr::Column(datafusion_common::Column::from_name(f.name())));
    let exprs: Vec<Expr> = names.clone().take(columns.keys).chain(outputs).collect();
    if exprs.iter().cloned().eq(names) && values.fields().iter().zip(output.fields()).all(same_type) {
        return Ok(pipe);
    }
    let input = DFSchema::try_from(values.as_ref().clone()).map_err(from_datafusion)?;
    let exprs = exprs.into_iter().zip(output.fields()).map(|(e, f)| columns::as_type(e, &input, f.data_type()));
    project::add(lowering, &mut pipe, &exprs.collect::<Result<Vec<_>>>()?, &input, output)?;
    Ok(pipe)
}

fn same_type((a, b): (&arrow::datatypes::FieldRef, &arrow::datatypes::FieldRef)) -> bool {
    a.data_type() == b.data_type()
}

fn finish(lowering: &mut Lowering, pipe: Pipe, op: AggregateOp, below: Arc<Meter>, detail: String) -> Pipe {
    let limits = &lowering.limits;
    let op = Arc::new(op);
    let outlet = Outlet {
        op: op.clone(),
        name: "aggregate",
        detail: shorten(&detail, 200),
        floor: op.floor(limits.page(), &limits.tuning),
        meter: below,
    };
    let layout = Arc::new(op.layout(limits.page()));
    let (combined, below) = lowering.close(pipe, outlet);

    let meter = Arc::new(Meter::default());
    let top = Described::new("groups", "", meter.clone(), vec![below]);
    let inlet = Inlet {
        name: "aggregate: groups".into(),
        source: op,
        meter,
        layout,
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
        tasks: None,
        after: vec![combined],
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Pipe::from(inlet, top)
}

fn described(node: &Aggregate) -> String {
    let list = |exprs: &[Expr]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match node.group_expr.is_empty() {
        true => list(&node.aggr_expr),
        false => format!("{} by {}", list(&node.aggr_expr), list(&node.group_expr)),
    }
}
