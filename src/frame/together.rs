//! Frames whose rows are computed now and rest with the session, and several of them at once.

use super::{Frame, execute};
use crate::error::{Error, Result};
use crate::front::TableRef;
use crate::front::mapped::Mapped;
use crate::ops::SinkOp;
use crate::ops::collect::CollectOp;
use crate::ops::expr::from_datafusion;
use crate::ops::map::Mapper;
use crate::plan::batch_schema;
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_expr::{LogicalPlan, LogicalPlanBuilder, ident};
use std::sync::Arc;

/// Runs several frames of one session as one query, and gathers the rows of each in memory (the caller's, outside the
/// budget). What the frames have in common is done once: joins, aggregates, sorts and windows of a frame that they were made
/// of, and scans of the same CSV or JSON files. So what is drawn at random in a frame is the same for all that are made of
/// it.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().build()?;
/// let sales = session.sql("SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t(k, v)")?;
/// let sums = sales.group_by([col("k")]).agg([sum(col("v")).alias("total")])?;
/// let large = sums.clone().filter(col("total").gt(lit(3)))?;
/// let count = sums.group_by([]).agg([count(lit(1)).alias("keys")])?;
/// let [large, count] = &collect_all(&[large, count])?[..] else { unreachable!() };
/// assert_eq!((large[0].num_rows(), count[0].num_rows()), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Whatever one of the queries meets; then all of them fail.
pub fn collect_all(frames: &[Frame]) -> Result<Vec<Vec<RecordBatch>>> {
    rest(frames)?.iter().map(Frame::collect).collect()
}

impl Frame {
    /// Runs the query now, and keeps its rows with the session: in scratch, but for the last page of a worker. The frame
    /// that is returned reads them as often as it is used; they go with the last frame that is made of it.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let drawn = session.sql("SELECT random() AS x FROM range(100)")?.persist()?;
    /// let largest = drawn.clone().group_by([]).agg([max(col("x")).alias("most")])?;
    /// assert_eq!(drawn.join(largest, JoinType::Inner, &["x"], &["most"])?.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the query meets.
    pub fn persist(&self) -> Result<Frame> {
        let kept = rest(std::slice::from_ref(self))?.pop();
        kept.ok_or_else(|| Error::internal("a frame whose rows were not kept"))
    }

    /// Gives each batch of rows to `map` and goes on with the batches that it returns, of the columns `schema`: for what no
    /// expression says. A batch has at most some thousands of rows, in order; text comes as `Utf8View`, and may be returned
    /// as any kind of text. `map` runs on the session's threads, several at a time, and knows of one batch only; it may be
    /// called again for rows that it has seen, and not be called for rows that nobody needs.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::compute::concat_batches;
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let frame = session.sql("SELECT n FROM range(1000) AS t(n)")?;
    /// let twice = frame.clone().map_partitions(frame.schema()?, |batch| {
    ///     Ok(concat_batches(&batch.schema(), [&batch, &batch])?)
    /// })?;
    /// assert_eq!(twice.count()?, 2000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for two columns of one name. A panic of `map`, an error and a batch of other columns are errors of the
    /// query.
    pub fn map_partitions(
        self,
        schema: SchemaRef,
        map: impl Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
    ) -> Result<Frame> {
        let plan = Mapped::plan(self.plan, Mapper::new("map_partitions", schema, map))?;
        Ok(Frame::new(self.session, plan))
    }

    /// In how many pieces the rows are made: splits of files, partitions of a source. `None` where that is decided while
    /// the query runs, as behind an aggregate, a join or a sort.
    ///
    /// There is no `repartition`: files are cut into splits by bytes, and what comes behind an exchange by what it turned
    /// out to be, so that tasks fit the budget and keep all threads busy, whatever the files were.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// assert_eq!(session.read_csv("testdata/sales.csv")?.partitions()?, Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever planning meets.
    pub fn partitions(&self) -> Result<Option<usize>> {
        execute::pieces(&self.session.0, &self.session.planned(self)?)
    }
}

/// The frames over their rows, which rest.
fn rest(frames: &[Frame]) -> Result<Vec<Frame>> {
    match rest_once(frames) {
        Err(error) if error.is_misfit() => {
            rest_once(&frames.iter().map(|frame| frame.again(&error)).collect::<Result<Vec<_>>>()?)
        }
        done => done,
    }
}

fn rest_once(frames: &[Frame]) -> Result<Vec<Frame>> {
    let Some(first) = frames.first() else { return Ok(Vec::new()) };
    let inner = &first.session.0;
    if frames.iter().any(|frame| !Arc::ptr_eq(&frame.session.0, inner)) {
        return Err(Error::query("frames of different sessions do not run together"));
    }
    let plan = inner.front.plan_together(frames.iter().map(|frame| frame.plan.clone()).collect())?;
    let sink = |input: &LogicalPlan| Arc::new(CollectOp::new(batch_schema(input.schema()), 0, None));
    let sinks: Vec<_> = plan.inputs().into_iter().map(sink).collect();
    let ends = sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn SinkOp>).collect();
    execute::drain_all(inner, &plan, ends, 2 * inner.limits.page())?;
    frames.iter().zip(&sinks).map(|(frame, sink)| over_rows(frame, sink)).collect()
}

/// A frame with the columns of `frame` over rows that were collected. The rows have columns of plain names, since those of
/// the frame may be told apart by their tables only.
fn over_rows(frame: &Frame, sink: &CollectOp) -> Result<Frame> {
    let rows = sink.result().ok_or_else(|| Error::internal("a frame without rows at rest"))?;
    let plain = rows.schema.fields().iter().enumerate();
    let plain: Vec<Field> = plain.map(|(i, f)| Field::new(format!("c{i}"), f.data_type().clone(), true)).collect();
    let (schema, count) = (Arc::new(Schema::new(plain)), usize::try_from(rows.rows).ok());
    let rows = rows.with_schema(schema.clone());
    let scan = frame.session.0.front.scan("kept", TableRef::Stored(Arc::new(rows), schema, count))?;
    let column = |(i, (qualifier, field)): (usize, (Option<&_>, &Arc<Field>))| {
        let column: Option<&datafusion_common::TableReference> = qualifier;
        ident(format!("c{i}")).alias_qualified(column.cloned(), field.name())
    };
    let columns: Vec<_> = frame.plan.schema().iter().enumerate().map(column).collect();
    let plan = LogicalPlanBuilder::from(scan).project(columns).and_then(LogicalPlanBuilder::build);
    let plan = plan.map_err(from_datafusion)?;
    Ok(Frame { session: frame.session.clone(), plan, names: frame.names.clone(), statement: None })
}
