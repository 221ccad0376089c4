//! From frames to delayed calls and back: lists of Arrow's batches.

use super::Delayed;
use super::bags::resident;
use super::node::{Kind, Made, Node, Options};
use super::plan::Plan;
use super::task::Running;
use crate::error::{Error, Result};
use crate::frame::{Frame, Session};
use crate::plan::Stages;
use crate::run::{Engine, QueryHandle};
use crate::store::{Coding, Payload, Pieces, kept_bytes};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use std::io::{Cursor, Write};
use std::sync::{Arc, OnceLock};

type Batches = Vec<RecordBatch>;

/// Batches in scratch are a stream of Arrow's; no bytes, where there are none.
const CODING: Coding = Coding { encode, decode };

/// Bytes that are written at one time.
const PIECE: usize = 256 << 10;

fn encode(value: &Payload, out: &mut Pieces<'_>) -> Result<()> {
    let batches = value.downcast_ref::<Batches>().ok_or_else(|| Error::internal("a result of another type"))?;
    let Some(first) = batches.first() else { return Ok(()) };
    let mut sink = Sink { out, bytes: Vec::new(), failed: None };
    let written = write(&mut sink, first, batches);
    match sink.failed {
        Some(error) => Err(error),
        None => written,
    }
}

fn write(sink: &mut Sink<'_, '_>, first: &RecordBatch, batches: &[RecordBatch]) -> Result<()> {
    let mut writer = StreamWriter::try_new(&mut *sink, &first.schema())?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()?;
    drop(writer);
    sink.drain().map_err(|_| Error::internal("batches could not be written"))
}

fn decode(bytes: &[u8]) -> Result<Payload> {
    if bytes.is_empty() {
        return Ok(Arc::new(Batches::new()));
    }
    let batches: Result<Batches, _> = StreamReader::try_new(Cursor::new(bytes), None)?.collect();
    Ok(Arc::new(batches?))
}

/// Gathers what Arrow writes.
struct Sink<'a, 'b> {
    out: &'a mut Pieces<'b>,
    bytes: Vec<u8>,
    failed: Option<Error>,
}

impl Sink<'_, '_> {
    fn drain(&mut self) -> std::io::Result<()> {
        let taken = if self.bytes.is_empty() { Ok(()) } else { (self.out)(&self.bytes) };
        self.bytes.clear();
        taken.map_err(|error| {
            let told = std::io::Error::other(error.to_string());
            self.failed = Some(error);
            told
        })
    }
}

impl Write for Sink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= PIECE {
            self.drain()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Calls that run when the first of them is wanted, all in one run; their results rest as long as the frame is there.
struct Parts {
    engine: Engine,
    running: Arc<Running>,
    query: OnceLock<Option<QueryHandle>>,
}

impl Parts {
    fn batches(&self, index: usize) -> Result<Arc<Batches>> {
        let running = &self.running;
        running.futures().try_for_each(|future| future.wait(&self.engine))?;
        // Nothing waits in here: whoever waits may run another partition of this frame meanwhile.
        let query = self.query.get_or_init(|| {
            let mut stages = Stages::default();
            let laid = running.lay(&mut stages);
            laid.map(|_| self.engine.submit(stages.graph, stages.work, Box::new(|_| {})))
        });
        query.iter().try_for_each(QueryHandle::wait)?;
        let (value, _) = resident(running, index)?;
        value.downcast().map_err(|_| Error::internal("batches of another type"))
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.query.get().into_iter().flatten().for_each(QueryHandle::cancel);
    }
}

impl Frame {
    /// The rows as the result of a call: running it runs the frame. Rows that rest go to scratch as Arrow writes them.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let rows = session.sql("SELECT * FROM range(1000) AS t(n) WHERE n % 3 = 0")?.to_delayed();
    /// let count = delayed(|rows: &[arrow::array::RecordBatch]| rows.iter().map(|b| b.num_rows()).sum::<usize>());
    /// assert_eq!(count.call(&rows).compute(&session)?, 334);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_delayed(&self) -> Delayed<Vec<RecordBatch>> {
        let frame = self.clone();
        let call = move |_| {
            let batches = frame.collect()?;
            let bytes = batches.iter().map(kept_bytes).sum();
            Ok(Made { value: Arc::new(batches), bytes })
        };
        let kind = Kind::Call { call: Box::new(call), coding: Some(CODING) };
        let options = Arc::new(Options { name: "frame".into(), ..Options::default() });
        Delayed::of(Arc::new(Node { kind, options, inputs: Vec::new() }))
    }

    /// A frame of the columns of `schema` with a partition for each call, of the batches that are its result. The calls run when
    /// the frame first does, in one run; their results rest in the session as long as the frame is there. A function that makes
    /// batches is [pinned](super::DelayedFn::pinned).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use partita::prelude::*;
    /// use std::sync::Arc;
    ///
    /// let make = |from: i64| {
    ///     let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 10));
    ///     RecordBatch::try_from_iter([("n", numbers)]).map(|batch| vec![batch])
    /// };
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let schema = make(0)?[0].schema();
    /// let make = delayed(make).pinned().fallible();
    /// let frame = Frame::from_delayed(&session, schema, &[make.call(0i64), make.call(100i64)])?;
    /// assert_eq!(frame.filter(col("n").gt_eq(lit(5)))?.count()?, 15);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for columns that cannot be a table. Batches of other columns, and what the calls meet, end the query.
    pub fn from_delayed(session: &Session, schema: SchemaRef, calls: &[Delayed<Vec<RecordBatch>>]) -> Result<Frame> {
        let nodes: Vec<Arc<Node>> = calls.iter().map(|call| call.node.clone()).collect();
        let (count, engine) = (nodes.len(), session.engine().clone());
        let running = Running::new(Plan::of(&nodes), engine.shelf(), &engine.memory().budget);
        let parts = Parts { engine, running, query: OnceLock::new() };
        session.from_fn(schema, count, move |index| {
            let batches = parts.batches(index)?;
            Ok((0..batches.len()).filter_map(move |i| batches.get(i).cloned()).map(Ok))
        })
    }
}
