//! From a planned query to rows: lower, submit, read the queue.

use super::recursive;
use super::session::Inner;
use crate::error::Result;
use crate::front::Planned;
use crate::ops::SinkOp;
use crate::ops::deliver::DeliverOp;
use crate::plan::{Described, Lowered, Outlet, batch_schema, bounds_of};
use crate::rejects::Rejects;
use crate::run::QueryHandle;
use crate::store::{TryPop, TurnReader};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_expr::LogicalPlan;
use std::sync::Arc;

/// A query that runs and whose rows come through a queue.
pub(super) struct Running {
    rows: TurnReader,
    handle: QueryHandle,
    inner: Arc<Inner>,
    /// What it leaves out.
    pub(super) rejects: Rejects,
    /// The plan, for `EXPLAIN ANALYZE`.
    pub(super) top: Described,
}

impl Running {
    /// The next rows, in order; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        withdrawn(self.pull(), &self.rejects)
    }

    fn pull(&mut self) -> Result<Option<RecordBatch>> {
        if !self.inner.engine.is_lent() {
            return Ok(self.rows.pop()?.map(|batch| batch.data));
        }
        // The thread that reads is needed to run the query: it runs jobs until there are rows.
        loop {
            match self.rows.try_pop()? {
                TryPop::Batch(batch) => return Ok(Some(batch.data)),
                TryPop::End => return Ok(None),
                TryPop::Empty => self.inner.engine.help(),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.cancel();
    }
}

/// Starts `planned`; its rows are read through the result.
pub(super) fn start(inner: &Arc<Inner>, planned: &Planned) -> Result<Running> {
    let settled = recursive::settle(inner, &planned.optimized)?;
    let (plan, skip, fetch) = peel_limit(&settled)?;
    let (queue, rows) = inner.queue(batch_schema(settled.schema()), skip, fetch)?;
    let sink = Arc::new(DeliverOp::new(queue.clone()));
    let floor = inner.limits.tuning.result_queue_bytes;
    let lowering = inner.lowering();
    let rejects = lowering.rejects.clone();
    let lowered = lowering.finish(plan, Outlet::new(sink, "result", floor))?;
    let top = lowered.top.clone();
    let handle = inner.engine.submit(
        lowered.stages.graph,
        lowered.stages.work,
        Box::new(move |result| result.unwrap_or_else(|error| queue.fail(error))),
    );
    Ok(Running { rows, handle, inner: inner.clone(), rejects, top })
}

/// Runs `planned` into `sink` to its end.
pub(super) fn drain(inner: &Arc<Inner>, planned: &Planned, sink: Arc<dyn SinkOp>, floor: usize) -> Result<Described> {
    run(inner, &recursive::settle(inner, &planned.optimized)?, Outlet::new(sink, "result", floor))
}

/// Runs `plan` into `outlet` to its end.
pub(super) fn run(inner: &Inner, plan: &LogicalPlan, outlet: Outlet) -> Result<Described> {
    let lowering = inner.lowering();
    let rejects = lowering.rejects.clone();
    let lowered = lowering.finish(plan, outlet)?;
    let top = lowered.top.clone();
    let handle = inner.engine.submit(lowered.stages.graph, lowered.stages.work, Box::new(|_| {}));
    withdrawn(handle.wait(), &rejects)?;
    Ok(top)
}

/// A query that a misfit ends may start over: what it left out does not count.
fn withdrawn<T>(done: Result<T>, rejects: &Rejects) -> Result<T> {
    if done.as_ref().is_err_and(crate::Error::is_misfit) {
        rejects.withdraw();
    }
    done
}

/// Runs the inputs of `plan`, plans that run together, each into its sink, to their ends.
pub(super) fn drain_all(
    inner: &Arc<Inner>,
    plan: &LogicalPlan,
    sinks: Vec<Arc<dyn SinkOp>>,
    floor: usize,
) -> Result<()> {
    let plan = recursive::settle(inner, plan)?;
    let outlets = sinks.into_iter().map(|sink| Outlet::new(sink, "result", floor)).collect();
    let lowering = inner.lowering();
    let rejects = lowering.rejects.clone();
    let stages = lowering.finish_all(&plan, outlets)?;
    withdrawn(inner.engine.submit(stages.graph, stages.work, Box::new(|_| {})).wait(), &rejects)
}

/// In how many pieces the rows of `planned` are made, where that is known beforehand.
pub(super) fn pieces(inner: &Inner, planned: &Planned) -> Result<Option<usize>> {
    inner.lowering().pieces(&recursive::shown(&planned.optimized)?)
}

/// Lowers `planned` into `sink`, to be shown.
pub(super) fn lower(inner: &Inner, planned: &Planned, sink: Arc<dyn SinkOp>, floor: usize) -> Result<Lowered> {
    let plan = recursive::shown(&planned.optimized)?;
    inner.lowering().finish(&plan, Outlet::new(sink, "result", floor))
}

/// A limit at the top of a query is kept by the queue of results.
fn peel_limit(plan: &LogicalPlan) -> Result<(&LogicalPlan, usize, Option<usize>)> {
    match plan {
        LogicalPlan::Limit(node) => {
            let (skip, fetch) = bounds_of(node)?;
            Ok((&node.input, skip, fetch))
        }
        other => Ok((other, 0, None)),
    }
}

/// The columns of a query under the user's headers.
pub(super) fn result_schema(planned: &Planned) -> SchemaRef {
    let fields = planned.optimized.schema().fields();
    let name = |i: usize, f: &Field| planned.names.get(i).unwrap_or(f.name()).clone();
    let fields: Vec<Field> =
        fields.iter().enumerate().map(|(i, f)| Field::new(name(i, f), f.data_type().clone(), true)).collect();
    Arc::new(Schema::new(fields))
}

/// The same columns under the names of `schema`.
pub(super) fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(c, f)| if c.data_type() == f.data_type() { Ok(c.clone()) } else { Ok(cast(c, f.data_type())?) })
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
