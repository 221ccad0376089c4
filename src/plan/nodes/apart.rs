//! Aggregates of what must be computed apart first: of distinct or counted values, quantiles, and what sees rows in
//! order.
//!
//! ```text
//! input --tee--> aggregate (its other values)  <-----------------------------------------+
//!           +--> groups of (keys, argument), no values     --> (keys, argument) ----------+
//!           +--> groups of (keys, argument), counted       --> (keys, argument, count) ---+
//!           +--> quantiles by keys                         --> (keys, quantile) ----------+
//!           +--> rows sorted by keys and an order, folded  --> (keys, values) ------------+
//! ```
//!
//! 1. The input is read once, into all of them.
//! 2. What was computed apart becomes rows of the same columns as the input's, each in its own place and all others
//!    null, and goes into the aggregate, too: `count(DISTINCT x)` counts the rows in x's place, a quantile is the
//!    maximum of the one row in its place.
//!
//! So all of them spill as any aggregate does, and meet the others without a join. Ordered values that are alone need
//! not meet anybody.

use crate::error::Result;
use crate::events::Meter;
use crate::graph::{Fixed, Layout};
use crate::ids::StageId;
use crate::ops::aggregate::ordered::{Call, OrderedOp, OrderedSpec};
use crate::ops::aggregate::quantile::{Quantile, QuantileOp};
use crate::ops::aggregate::{Aggregate, AggregateOp, Function};
use crate::ops::pipeline::TransformSlots;
use crate::ops::sort::SortKey;
use crate::ops::spread::SpreadOp;
use crate::ops::tee::TeeOp;
use crate::ops::{SinkOp, SourceOp};
use crate::plan::{Described, Inlet, Limits, Lowering, Outlet, Pipe};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// Something that is computed apart, and the columns in which the aggregate finds it.
pub enum Apart {
    /// The different combinations of values of `columns`.
    Distinct {
        /// Columns of the input.
        columns: Vec<usize>,
        /// Where they go.
        places: Vec<usize>,
    },
    /// As `Distinct`, with how often each value is there and where it is first.
    Counted {
        /// A column of the input.
        column: usize,
        /// The column of positions.
        position: usize,
        /// Where values, counts and positions go.
        places: [usize; 3],
    },
    /// What sees the rows of a group in order.
    Ordered {
        /// Which.
        order: Vec<SortKey>,
        /// What is computed.
        calls: Vec<Call>,
        /// Where it goes.
        places: Vec<usize>,
    },
    /// Quantiles.
    Quantiles {
        /// Which.
        list: Vec<Quantile>,
        /// Where they go.
        places: Vec<usize>,
    },
}

/// One of the operators that compute apart.
struct Branch {
    name: &'static str,
    sink: Arc<dyn SinkOp>,
    source: Arc<dyn SourceOp>,
    floor: usize,
    layout: Arc<dyn Layout>,
    places: Vec<usize>,
    meter: Arc<Meter>,
    /// What sorts, and needs stages between sink and source.
    sorts: Option<OrderedOp>,
}

/// Ends `pipe`, whose rows have `schema` with `keys` keys in front, in what computes `apart` (and in `also`, for the
/// other aggregates); the pipeline of the results.
pub fn lower(
    lowering: &mut Lowering,
    pipe: Pipe,
    schema: &SchemaRef,
    keys: usize,
    apart: &[Apart],
    also: Option<AggregateOp>,
) -> Result<Pipe> {
    let limits = &lowering.limits;
    // Sorts that gather at the same time share what one may keep.
    let sorts = apart.iter().filter(|a| matches!(a, Apart::Ordered { .. })).count();
    let branches = apart.iter().map(|a| Branch::new(a, schema, keys, sorts, limits)).collect::<Result<Vec<_>>>()?;
    let mut sinks: Vec<Arc<dyn SinkOp>> = branches.iter().map(|b| b.sink.clone()).collect();
    let mut floor: usize = branches.iter().map(|b| b.floor).sum();
    if let Some(also) = also {
        floor += also.floor(limits.page(), &limits.tuning);
        sinks.push(Arc::new(also));
    }
    let (combined, below) = lowering.close(pipe, Outlet::new(Arc::new(TeeOp { sinks }), "apart", floor));
    let describe = |b: &Branch| Described::new(b.name, "", b.meter.clone(), Vec::new());
    let tops = std::iter::once(below).chain(branches.iter().map(describe)).collect();
    let top = Described::new("spread", "", Arc::new(Meter::default()), tops);
    let inlet = |branch: Branch| {
        let spread = branch.spread(schema, keys);
        branch.inlet(lowering, combined, spread)
    };
    Ok(Pipe { inlets: branches.into_iter().map(inlet).collect(), top, floor: 0 })
}

/// As [`lower`], where `apart`, which is ordered, is all that there is: yields keys and then its values in `order`, as
/// `output` has them.
pub fn lower_alone(
    lowering: &mut Lowering,
    pipe: Pipe,
    schema: &SchemaRef,
    keys: usize,
    apart: &Apart,
    order: &[usize],
    output: SchemaRef,
) -> Result<Pipe> {
    let branch = Branch::new(apart, schema, keys, 1, &lowering.limits)?;
    let outlet = Outlet { meter: branch.meter.clone(), ..Outlet::new(branch.sink.clone(), branch.name, branch.floor) };
    let (combined, below) = lowering.close(pipe, outlet);
    let meter = Arc::new(Meter::default());
    let top = Described::new("groups", "", meter.clone(), vec![below]);
    let columns = (0..keys).chain(order.iter().map(|i| keys + i)).map(Some).collect();
    let values = TransformSlots::new(Arc::new(SpreadOp { columns, schema: output }), Arc::new(Meter::default()));
    let inlet = Branch { meter, ..branch }.inlet(lowering, combined, values);
    Ok(Pipe::from(inlet, top))
}

impl Branch {
    /// Where its results come from, once `combined` has ended; `then` makes the aggregate's columns of them.
    fn inlet(self, lowering: &mut Lowering, combined: StageId, then: Arc<TransformSlots>) -> Inlet {
        let after = match &self.sorts {
            None => combined,
            Some(op) => {
                // Sinks that share a pipeline measure together, and a sort must know its own runs.
                let one = Arc::new(Fixed { tasks: 1, floor: 0 });
                let stages = &mut lowering.stages;
                let measured = stages.add("aggregate: runs".into(), vec![combined], one, op.measured());
                let (layout, work) = op.passes();
                stages.add("aggregate: passes".into(), vec![measured], Arc::new(layout), work)
            }
        };
        Inlet {
            name: format!("aggregate: {}", self.name),
            transforms: vec![then],
            source: self.source,
            meter: self.meter,
            layout: self.layout,
            in_flight: 2 * lowering.limits.tuning.batch_bytes,
            tasks: None,
            after: vec![after],
            settles: Vec::new(),
        }
    }

    fn of_groups(name: &'static str, op: AggregateOp, places: &[usize], limits: &Limits, meter: Arc<Meter>) -> Self {
        Branch {
            name,
            floor: op.floor(limits.page(), &limits.tuning),
            layout: Arc::new(op.layout(limits.page())),
            sink: Arc::new(op.clone()),
            source: Arc::new(op),
            places: places.to_vec(),
            meter,
            sorts: None,
        }
    }

    fn new(apart: &Apart, schema: &SchemaRef, keys: usize, sorts: usize, limits: &Limits) -> Result<Self> {
        let (tuning, memory, meter) = (&limits.tuning, limits.memory, Arc::new(Meter::default()));
        let groups = (0..keys).collect::<Vec<_>>();
        let output = |columns: &[usize]| -> Result<SchemaRef> {
            Ok(Arc::new(Schema::new(schema.project(&[&groups, columns].concat())?.fields)))
        };
        Ok(match apart {
            Apart::Distinct { columns, places } => {
                let (output, all) = (output(columns)?, [&groups, columns.as_slice()].concat());
                let op = AggregateOp::new(schema, all, &[], output, tuning, memory, meter.clone())?;
                Branch::of_groups("distinct", op, places, limits, meter)
            }
            Apart::Counted { column, position, places } => {
                let all = [groups.as_slice(), &[*column]].concat();
                let output = output(places)?;
                let count = Aggregate { function: Function::Count, arguments: vec![*column], filter: None };
                let first = Aggregate { function: Function::Min, arguments: vec![*position], filter: None };
                let op = AggregateOp::new(schema, all, &[count, first], output, tuning, memory, meter.clone())?;
                Branch::of_groups("counted", op, places, limits, meter)
            }
            Apart::Ordered { order, calls, places } => {
                let spec = OrderedSpec {
                    input: schema.clone(),
                    groups: groups.clone(),
                    order: order.clone(),
                    calls: calls.clone(),
                    output: output(places)?,
                };
                let op =
                    OrderedOp::new(spec, tuning, memory / sorts.max(1), limits.page(), limits.threads, meter.clone())?;
                Branch {
                    name: "ordered",
                    floor: op.floor(tuning),
                    layout: Arc::new(op.layout()),
                    sink: Arc::new(op.clone()),
                    source: Arc::new(op.clone()),
                    places: places.clone(),
                    meter,
                    sorts: Some(op),
                }
            }
            Apart::Quantiles { list, places } => {
                let arguments: Vec<usize> = list.iter().map(|q| q.argument).collect();
                let output = output(&arguments)?;
                let op = QuantileOp::new(schema, groups, list, output, tuning, memory, meter.clone())?;
                Branch {
                    name: "quantiles",
                    floor: op.floor(limits.page(), tuning),
                    layout: Arc::new(op.layout(limits.page())),
                    sink: Arc::new(op.clone()),
                    source: Arc::new(op),
                    places: places.clone(),
                    meter,
                    sorts: None,
                }
            }
        })
    }

    /// Puts keys and results into their places.
    fn spread(&self, schema: &SchemaRef, keys: usize) -> Arc<TransformSlots> {
        let place = |column: usize| match column < keys {
            true => Some(column),
            false => self.places.iter().position(|p| *p == column).map(|i| keys + i),
        };
        let columns = (0..schema.fields().len()).map(place).collect();
        TransformSlots::new(Arc::new(SpreadOp { columns, schema: schema.clone() }), Arc::new(Meter::default()))
    }
}
