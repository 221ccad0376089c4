//! Aggregates of what must be computed apart first: of distinct values, and quantiles.
//!
//! ```text
//! input --tee--> aggregate (its other values)  <----------------------------------+
//!           +--> groups of (keys, argument), no values     --> (keys, argument) ---+
//!           +--> quantiles by keys                         --> (keys, quantile) ---+
//! ```
//!
//! 1. The input is read once, into all of them.
//! 2. What was computed apart becomes rows of the same columns as the input's, each in its own place and all others null,
//!    and goes into the aggregate, too: `count(DISTINCT x)` counts the rows in x's place, a quantile is the maximum of
//!    the one row in its place.
//!
//! So distinct values and quantiles spill as any aggregate does, and meet the others without a join.

use crate::error::Result;
use crate::events::Meter;
use crate::graph::Layout;
use crate::ops::aggregate::AggregateOp;
use crate::ops::aggregate::quantile::{Quantile, QuantileOp};
use crate::ops::pipeline::TransformSlots;
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
}

/// Ends `pipe`, whose rows have `schema` with `keys` keys in front, in what computes `apart` (and in `also`, for the other
/// aggregates); the pipeline of the results.
pub fn lower(
    lowering: &mut Lowering,
    pipe: Pipe,
    schema: &SchemaRef,
    keys: usize,
    apart: &[Apart],
    also: Option<AggregateOp>,
) -> Result<Pipe> {
    let limits = &lowering.limits;
    let branches = apart.iter().map(|a| Branch::new(a, schema, keys, limits)).collect::<Result<Vec<_>>>()?;
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
    let inlet = |branch: Branch| Inlet {
        name: format!("aggregate: {}", branch.name),
        transforms: vec![branch.spread(schema, keys)],
        source: branch.source,
        meter: branch.meter,
        layout: branch.layout,
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
        tasks: None,
        after: vec![combined],
        settles: Vec::new(),
    };
    Ok(Pipe { inlets: branches.into_iter().map(inlet).collect(), top, floor: 0 })
}

impl Branch {
    fn new(apart: &Apart, schema: &SchemaRef, keys: usize, limits: &Limits) -> Result<Self> {
        let (tuning, memory, meter) = (&limits.tuning, limits.memory, Arc::new(Meter::default()));
        let groups = (0..keys).collect::<Vec<_>>();
        let output = |columns: &[usize]| -> Result<SchemaRef> {
            Ok(Arc::new(Schema::new(schema.project(&[&groups, columns].concat())?.fields)))
        };
        Ok(match apart {
            Apart::Distinct { columns, places } => {
                let (output, all) = (output(columns)?, [&groups, columns.as_slice()].concat());
                let op = AggregateOp::new(schema, all, &[], output, tuning, memory, meter.clone())?;
                Branch {
                    name: "distinct",
                    floor: op.floor(limits.page(), tuning),
                    layout: Arc::new(op.layout(limits.page())),
                    sink: Arc::new(op.clone()),
                    source: Arc::new(op),
                    places: places.clone(),
                    meter,
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
