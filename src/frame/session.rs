//! A session: one budget, one pool, one catalog, and everything that runs in them.

use super::execute::{self, Running};
use super::pipes::InScratch;
use super::{Batches, Frame, Outcome, SessionBuilder, SessionStats, catalog, database, glob, rejected, tables, write};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Events;
use crate::formats::{Growth, TableDef};
use crate::front::custom::TableFunction;
use crate::front::{Bound, Front, Planned, Statement, TableRef};
use crate::io::{HIDDEN, Output, Pipes};
use crate::memory::{Budget, Memory, PagePool, anonymous_bytes, default_limit};
use crate::ops::collect::Collected;
use crate::ops::deliver::DeliverOp;
use crate::plan::{Limits, Lowering, Pipe, Stages, batch_schema, explain, explain_analyzed};
use crate::rejects::{Reject, RejectLog};
use crate::run::{Engine, Gate, InlinePool, OnEnd, Pool, Probe, QueryHandle, RayonPool, Setup};
use crate::store::{RealDisk, Scratch, ScratchOptions, TurnOptions, TurnQueue, TurnReader};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::ScalarValue;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Plans a query anew after a misfit, with full inference.
type Anew = dyn FnOnce(&Error) -> Result<Planned> + Send;

/// One budget, one pool of threads, scratch and a catalog. Cheap to clone; everything ends with the last clone.
///
/// Two sessions in one process share nothing.
#[derive(Clone)]
pub struct Session(pub(super) Arc<Inner>);

/// Rows of an answer that are read, before whoever asked complains of too many.
const MOST_ANSWERED: usize = 20_000;

pub(super) struct Inner {
    /// Held while a stored table is changed.
    pub(super) changing: Mutex<()>,
    pub(super) engine: Engine,
    pub(super) front: Front,
    pub(super) limits: Limits,
    pub(super) scratch: Scratch,
    /// Futures that have not ended.
    futures: Arc<Gate>,
    /// What the last queries left out.
    rejects: RejectLog,
    restarts: AtomicU64,
    /// How often everything was asked to stop.
    cancels: AtomicU64,
}

impl Inner {
    /// A queue for the rows of one query, and its reader.
    pub(super) fn queue(
        &self,
        schema: SchemaRef,
        skip: usize,
        fetch: Option<usize>,
    ) -> Result<(TurnQueue, TurnReader)> {
        let bytes = self.limits.tuning.result_queue_bytes.min(self.limits.memory / 32);
        let options = TurnOptions {
            schema,
            queue_bytes: bytes,
            ahead_bytes: bytes,
            offset: skip as u64,
            limit: fetch.map(|n| n as u64),
        };
        let reservation = self.engine.memory().budget.require("result", 0, false)?;
        Ok(TurnQueue::new(options, &self.scratch, reservation))
    }

    /// How often everything was asked to stop: who runs several queries in turn stops when this grows.
    pub(super) fn cancels(&self) -> u64 {
        self.cancels.load(Relaxed)
    }

    pub(super) fn lowering(&self) -> Lowering {
        let mut lowering = Lowering::new(self.limits.clone(), self.front.options());
        lowering.rejects = self.rejects.begin();
        lowering.budget = Some(self.engine.memory().budget.clone());
        lowering
    }

    /// A sink whose rows nobody will read: for plans that are only shown.
    fn nowhere(&self) -> Result<Arc<DeliverOp>> {
        let (queue, _) = self.queue(Arc::new(Schema::empty()), 0, None)?;
        Ok(Arc::new(DeliverOp::new(queue)))
    }

    /// What a statement asks for; questions on the way are answered by running queries.
    fn bind(self: &Arc<Self>, statement: &Statement) -> Result<Bound> {
        let bind = || self.front.bind_asking(statement, &|planned| self.answer(&planned));
        match bind() {
            // A name that is no column, but perhaps a key that no sample showed.
            Err(error) if error.is_misfit() && error.kind() == ErrorKind::Query => {
                self.infer_fully(&error)?;
                bind()
            }
            done => done,
        }
    }

    /// The rows of a query that a statement's meaning depends on: few, since they become names or numbers.
    pub(super) fn answer(self: &Arc<Self>, planned: &Planned) -> Result<Vec<RecordBatch>> {
        let mut running = execute::start(self, planned)?;
        let (mut batches, mut rows) = (Vec::new(), 0);
        while let Some(batch) = running.next()? {
            rows += batch.num_rows();
            batches.push(batch);
            if rows > MOST_ANSWERED {
                break;
            }
        }
        Ok(batches)
    }

    /// Forgets what was guessed of the tables that hold the file of `error`: they are inferred from all their data.
    ///
    /// # Errors
    /// `Resources` for a record that the budget has no room for.
    pub(super) fn infer_fully(&self, error: &Error) -> Result<()> {
        self.restarts.fetch_add(1, Relaxed);
        self.front.infer_fully(error.place().file.as_deref())
    }
}

/// What is held outside of scans and operators has a reservation each.
fn accounts(budget: Budget) -> impl Fn() -> Box<dyn Fn(usize) + Send + Sync> + Send + Sync + 'static {
    move || {
        let growth = Mutex::new(Growth::new(Some(&budget), 0));
        Box::new(move |bytes| growth.lock().unwrap_or_else(PoisonError::into_inner).note(bytes))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.run_down();
    }
}

impl Session {
    /// Settings of a session to come.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    pub(super) fn built(builder: SessionBuilder) -> Result<Session> {
        let SessionBuilder { settings, observers, inline, story, trim, disk, refuse } = builder;
        let memory = settings.memory.unwrap_or_else(default_limit);
        let threads = settings.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
        let tuning = settings.tuning.for_budget(memory);
        let (dirs, limit, write_bytes) = (settings.scratch, settings.scratch_limit, tuning.scratch_write_bytes);
        let options = ScratchOptions { dirs, limit, write_bytes, ..ScratchOptions::default() };
        let scratch = Scratch::with_disk(options, disk.unwrap_or_else(|| Arc::new(RealDisk)))?;
        let limits = Limits { tuning: Arc::new(tuning), memory, threads };
        let budget = Budget::with_refusal(limits.memory, refuse);
        let memory = Memory { budget, pool: PagePool::new(limits.page()) };
        memory.budget.keep_slack();
        if settings.whole_process {
            memory.budget.set_base(anonymous_bytes().unwrap_or(0));
        }
        let pool: Arc<dyn Pool> = match inline {
            true => Arc::new(InlinePool::new()),
            false => Arc::new(RayonPool::new(threads)?),
        };
        let engine = Engine::new(Setup {
            threads,
            pool,
            memory,
            scratch: scratch.clone(),
            tuning: limits.tuning.clone(),
            events: Events::to(observers),
            probe: if settings.whole_process { Probe::on(trim.unwrap_or(Box::new(|| {}))) } else { Probe::off() },
            story,
        });
        let front = Front::new()?;
        let rejects = RejectLog::default();
        let shown = rejects.clone();
        front.remote().fit(limits.memory, limits.split_bytes());
        front.remote().account(accounts(engine.memory().budget.clone()));
        front.account(engine.memory().budget.clone());
        front.keep_pipes(Arc::new(InScratch::new(scratch.clone(), engine.memory().budget.clone())));
        front.add_table_function("rejects", TableFunction::new(&[], move |_| rejected::supply(&shown)))?;
        front.add_table_function("glob", glob::function(front.pipes().clone()))?;
        let changing = Mutex::default();
        let futures = Arc::new(Gate::new(limits.tuning.future_queue));
        Ok(Session(Arc::new(Inner {
            changing,
            engine,
            front,
            limits,
            scratch,
            futures,
            rejects,
            restarts: AtomicU64::new(0),
            cancels: AtomicU64::new(0),
        })))
    }

    /// The statements of a text, to be run one by one with [`run`](Self::run).
    ///
    /// # Errors
    /// `Query`, with line, column and a caret under the place.
    pub fn statements(&self, sql: &str) -> Result<Vec<Statement>> {
        self.0.front.parse(sql)
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// Whatever binding, planning and running meet; errors of a query's rows come with the rows.
    pub fn run(&self, statement: &Statement) -> Result<Outcome> {
        match self.run_once(statement) {
            Err(error) if error.is_misfit() => {
                self.0.infer_fully(&error)?;
                self.run_once(statement)
            }
            done => done,
        }
    }

    fn run_once(&self, statement: &Statement) -> Result<Outcome> {
        match self.0.bind(statement)? {
            Bound::Query(planned) => Ok(Outcome::Rows(self.rows(planned, Some(self.bound_again(statement)))?)),
            other => self.run_bound(other),
        }
    }

    fn run_bound(&self, bound: Bound) -> Result<Outcome> {
        match bound {
            Bound::Query(planned) => Ok(Outcome::Rows(self.rows(planned, None)?)),
            Bound::Copy { query, path, format, options } => {
                let rows = write::to_file(&self.0, &query, &path, format.as_deref(), &options)?;
                Ok(Outcome::Done(format!("{rows} rows written to {path}")))
            }
            Bound::CreateTable { name, query, shape, if_not_exists, or_replace } => {
                tables::create(&self.0, &name, &query, shape, if_not_exists, or_replace).map(Outcome::Done)
            }
            Bound::Insert { name, query, not_null } => {
                tables::insert(self, &name, &query, &not_null).map(Outcome::Done)
            }
            Bound::Remake { name, was, query, shape } => {
                tables::remake(self, &name, &was, &query, shape).map(Outcome::Done)
            }
            Bound::Truncate(name) => tables::truncate(&self.0, &name).map(Outcome::Done),
            Bound::Rename { from, to } => tables::rename(&self.0, &from, &to).map(Outcome::Done),
            Bound::CreateView { name, view, if_not_exists, or_replace } => {
                if if_not_exists && self.0.front.table(&name).is_ok() {
                    return Ok(Outcome::Done(format!("view {name} exists")));
                }
                self.0.front.register(&name, TableRef::View(view), or_replace)?;
                Ok(Outcome::Done(format!("view {name} created")))
            }
            Bound::Drop { names, if_exists } => tables::drop_all(&self.0, &names, if_exists).map(Outcome::Done),
            Bound::Describe(schema) => self.values(catalog::described(&schema)?),
            Bound::Explain { analyze, planned } => self.explain(&planned, analyze),
            Bound::ShowTables { all } => self.values(catalog::tables(&self.0.front, all)?),
            Bound::TableInfo(name) => self.values(catalog::table_info(&self.0.front, &name)?),
            Bound::Set { name, value } => {
                let value = value.map(|value| self.0.front.setting(&name).filter(|v| v == HIDDEN).unwrap_or(value));
                let value = value.unwrap_or_else(|| "its default".into());
                Ok(Outcome::Done(format!("{name} is {value}")))
            }
            Bound::Done(said) => Ok(Outcome::Done(said)),
            Bound::Export(directory) => database::export(self, &directory).map(Outcome::Done),
            Bound::Import(directory) => database::import(self, &directory).map(Outcome::Done),
        }
    }

    fn explain(&self, planned: &Planned, analyze: bool) -> Result<Outcome> {
        let text = if analyze {
            let before = self.stats();
            let mut running = execute::start(&self.0, planned)?;
            while running.next()?.is_some() {}
            explain_analyzed(&running.top) + &self.stats().since(&before)
        } else {
            explain(&execute::lower(&self.0, planned, self.0.nowhere()?, 0)?.top)
        };
        self.values(catalog::text_columns(&[("plan", text.lines().map(|line| Some(line.to_string())).collect())])?)
    }

    /// Rows that are here already.
    pub(super) fn values(&self, batch: RecordBatch) -> Result<Outcome> {
        let rows = Collected::resident(batch);
        let (schema, count) = (rows.schema.clone(), rows.rows as usize);
        let plan = self.0.front.scan("result", TableRef::Stored(Arc::new(rows), schema, Some(count)))?;
        Ok(Outcome::Rows(self.rows(self.0.front.plan(plan)?, None)?))
    }

    /// How a statement is bound anew after a misfit.
    fn bound_again(&self, statement: &Statement) -> Box<Anew> {
        let (inner, statement) = (self.0.clone(), statement.clone());
        Box::new(move |error| {
            inner.infer_fully(error)?;
            match inner.bind(&statement)? {
                Bound::Query(planned) => Ok(planned),
                _ => Err(Error::internal("a query that became something else")),
            }
        })
    }

    /// Starts `planned`; after a misfit before the first row, what `anew` makes of it, with full inference.
    pub(super) fn rows(&self, planned: Planned, anew: Option<Box<Anew>>) -> Result<Batches> {
        let (planned, running, anew) = match (execute::start(&self.0, &planned), anew) {
            // A recursive query has read files before there is a queue for rows.
            (Err(error), Some(anew)) if error.is_misfit() => {
                let planned = anew(&error)?;
                let running = execute::start(&self.0, &planned)?;
                (planned, running, None)
            }
            (running, anew) => (planned, running?, anew),
        };
        let inner = self.0.clone();
        let again = anew.map(|anew| {
            let again = move |error: &Error| -> Result<(SchemaRef, Running)> {
                let planned = anew(error)?;
                Ok((execute::result_schema(&planned), execute::start(&inner, &planned)?))
            };
            Box::new(again) as Box<super::batches::Again>
        });
        Ok(Batches::new(execute::result_schema(&planned), running, again))
    }

    /// A query as a frame.
    ///
    /// # Errors
    /// `Query` for a text that is not one query, or names what is not there.
    pub fn sql(&self, sql: &str) -> Result<Frame> {
        self.frame(&self.one(sql)?)
    }

    /// A query as a frame, with values for its parameters, `?` and `$1` by their numbers, `$name` by their names.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let values = [("low", 1i64.into()), ("high", 5i64.into())];
    /// assert_eq!(session.sql_with("SELECT $low + 1 AS n WHERE $low < $high", &values)?.count()?, 1);
    /// assert_eq!(session.sql_with("SELECT ? || ?", &[("1", "a".into()), ("2", "b".into())])?.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`sql`](Self::sql); and `Query`, for a parameter without value or a value without parameter.
    pub fn sql_with(&self, sql: &str, values: &[(&str, ScalarValue)]) -> Result<Frame> {
        let values: Vec<_> = values.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        self.frame(&self.0.front.with_values(&self.one(sql)?, &values)?)
    }

    /// The only statement of a text.
    fn one(&self, sql: &str) -> Result<Statement> {
        let mut statements = self.statements(sql)?;
        match (statements.pop(), statements.len()) {
            (Some(statement), 0) => Ok(statement),
            (last, others) => {
                let found = others + usize::from(last.is_some());
                Err(Error::query(format!("{found} statements where one query is wanted")))
            }
        }
    }

    /// A frame of one statement.
    pub(super) fn frame(&self, statement: &Statement) -> Result<Frame> {
        match self.0.bind(statement)? {
            Bound::Query(planned) => {
                let mut frame = Frame::new(self.clone(), planned.bound);
                frame.names = Some(planned.names);
                frame.statement = Some(statement.clone());
                Ok(frame)
            }
            _ => Err(Error::query("a statement without rows").advise("run it with Session::execute")),
        }
    }

    /// Runs every statement of a text, and reads the rows of queries away.
    ///
    /// # Errors
    /// Whatever the first failing statement meets; those before it are done.
    pub fn execute(&self, sql: &str) -> Result<()> {
        for statement in self.statements(sql)? {
            if let Outcome::Rows(rows) = self.run(&statement)? {
                for batch in rows {
                    batch?;
                }
            }
        }
        Ok(())
    }

    /// Gives files a name for SQL: a path, a directory or a glob.
    ///
    /// # Errors
    /// Files that are not there or not readable, a name that is taken.
    pub fn register_file(&self, name: &str, path: &str) -> Result<()> {
        let table = self.0.front.open(TableDef { paths: vec![path.into()], ..TableDef::default() })?;
        self.0.front.register(name, TableRef::Files(table), true)
    }

    /// Gives a frame a name for SQL: a view, computed at each use.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn register(&self, name: &str, frame: &Frame) -> Result<()> {
        self.0.front.register(name, TableRef::View(crate::front::View::new(frame.plan.clone())), false)
    }

    /// A call of any function that SQL knows, as an expression: scalar, aggregate, or of a window.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// let month = session.function("strftime", [col("day"), lit("%B")])?.alias("month");
    /// let trips = session.read_csv("testdata/trips.csv")?.select([month])?.distinct()?;
    /// assert_eq!(trips.lines()?, ["January"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, with the nearest name.
    pub fn function(&self, name: &str, args: impl super::IntoExprs) -> Result<datafusion_expr::Expr> {
        self.0.front.call(name, args.into_exprs())
    }

    /// A frame over CSV files: a path, a directory or a glob.
    ///
    /// # Errors
    /// Files that are not there, disagree, or are not CSV.
    pub fn read_csv(&self, path: &str) -> Result<Frame> {
        self.read(TableDef { format: Some("csv".into()), paths: vec![path.into()], ..TableDef::default() })
    }

    /// A frame over JSON files (lines, or one array).
    ///
    /// # Errors
    /// Files that are not there, disagree, or are not JSON.
    pub fn read_json(&self, path: &str) -> Result<Frame> {
        self.read(TableDef { format: Some("json".into()), paths: vec![path.into()], ..TableDef::default() })
    }

    /// A frame over Parquet files.
    ///
    /// # Errors
    /// Files that are not there, disagree, or are not Parquet.
    pub fn read_parquet(&self, path: &str) -> Result<Frame> {
        self.read(TableDef { format: Some("parquet".into()), paths: vec![path.into()], ..TableDef::default() })
    }

    /// A frame over files with all options.
    ///
    /// # Errors
    /// As the format says.
    pub fn read(&self, def: TableDef) -> Result<Frame> {
        let name = def.paths.first().cloned().unwrap_or_default();
        let name = std::path::Path::new(&name).file_stem().map_or("t".into(), |s| s.to_string_lossy().into_owned());
        let table = self.0.front.open(def)?;
        Ok(Frame::new(self.clone(), self.0.front.scan(&name, TableRef::Files(table))?))
    }

    pub(super) fn planned(&self, frame: &Frame) -> Result<Planned> {
        let mut planned = self.0.front.plan(frame.plan.clone())?;
        if let Some(names) = &frame.names {
            planned.names.clone_from(names);
        }
        Ok(planned)
    }

    pub(super) fn schema_of(&self, frame: &Frame) -> Result<SchemaRef> {
        Ok(execute::result_schema(&self.planned(frame)?))
    }

    pub(super) fn run_frame(&self, frame: &Frame) -> Result<Batches> {
        let own = frame.clone();
        let anew = move |error: &Error| own.session.planned(&own.again(error)?);
        self.rows(self.planned(frame)?, Some(Box::new(anew)))
    }

    pub(super) fn explain_frame(&self, frame: &Frame) -> Result<String> {
        Ok(explain(&execute::lower(&self.0, &self.planned(frame)?, self.0.nowhere()?, 0)?.top))
    }

    pub(super) fn write_frame(
        &self,
        frame: &Frame,
        path: &str,
        format: Option<&str>,
        options: BTreeMap<String, String>,
    ) -> Result<u64> {
        let write = |frame: &Frame| write::to_file(&self.0, &self.planned(frame)?, path, format, &options);
        match write(frame) {
            Err(error) if error.is_misfit() => write(&frame.again(&error)?),
            done => done,
        }
    }

    /// What a plan is lowered with, for collections that are no frames.
    pub(crate) fn lowering(&self) -> Lowering {
        self.0.lowering()
    }

    /// Runs stages that were laid with [`lowering`](Self::lowering).
    pub(crate) fn submit_stages(&self, stages: Stages, on_end: OnEnd) -> QueryHandle {
        self.submit_stages_at(0, stages, on_end)
    }

    /// The same, before all queries of lower priority.
    pub(crate) fn submit_stages_at(&self, priority: i32, stages: Stages, on_end: OnEnd) -> QueryHandle {
        self.0.engine.submit_at(priority, stages.graph, stages.work, on_end)
    }

    /// The bound of futures that have not ended.
    pub(crate) fn futures(&self) -> &Arc<Gate> {
        &self.0.futures
    }

    /// The rows of a frame as a pipeline beside what was laid before; their columns, and these under the user's headers.
    ///
    /// # Errors
    /// Whatever planning meets.
    pub(crate) fn lower_frame(&self, lowering: &mut Lowering, frame: &Frame) -> Result<(Pipe, [SchemaRef; 2])> {
        let planned = self.planned(frame)?;
        let settled = super::recursive::settle(&self.0, &planned.optimized)?;
        let schemas = [batch_schema(settled.schema()), execute::result_schema(&planned)];
        Ok((lowering.begin(&settled)?, schemas))
    }

    /// Standard input, pipes, and what is reached over the network.
    pub(crate) fn pipes(&self) -> &Pipes {
        self.0.front.pipes()
    }

    /// Where queries run.
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Asks every running query to stop.
    pub fn cancel_all(&self) {
        self.0.cancels.fetch_add(1, Relaxed);
        self.0.engine.cancel_all();
        self.0.front.remote().stop();
    }

    /// The directories of scratch that are in memory (tmpfs, ramfs): what is spilled there takes RAM, and no budget counts
    /// it. Give the session a directory on a disk, see [`SessionBuilder::scratch`].
    pub fn scratch_in_memory(&self) -> Vec<std::path::PathBuf> {
        self.0.scratch.in_memory()
    }

    /// What could not be read and was left out by the last queries, where a table's `on_error` asks for that: at most the
    /// first thousand rejects of each of the last four queries that had any. `FROM rejects()` shows the same.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let path = std::env::temp_dir().join("partita-rejects-doc.csv");
    /// std::fs::write(&path, "a,b\n1,x\ntwo,y\n3,z\n").unwrap();
    /// let options = "types => {'a': 'int'}, on_error => 'reject'";
    /// let rows = session.sql(&format!("FROM read_csv('{}', {options})", path.display()))?;
    /// assert_eq!((rows.count()?, session.stats().rejected), (2, 1));
    /// let reject = &session.rejects()[0];
    /// assert_eq!((reject.place.line, reject.place.column.as_deref()), (Some(3), Some("a")));
    /// assert_eq!(session.sql("SELECT text, reason FROM rejects()")?.lines()?, ["two|the value is not of type Int32"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rejects(&self) -> Vec<Reject> {
        self.0.rejects.list()
    }

    /// A file for bytes of your own that appears under its name when it is complete, packed as the name says (`.gz`, `.zst`
    /// and so on); in a bucket where it is the address of one (`s3://..`). What packing takes counts against the budget.
    ///
    /// # Errors
    /// The file cannot be made; `Resources`, where packing does not fit into the budget.
    ///
    /// ```
    /// use std::io::Write;
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("words.csv.gz");
    /// let session = partita::Session::builder().build()?;
    /// let mut file = session.create(&path)?;
    /// file.write_all(b"word\nhello\n")?;
    /// assert!(!path.exists());
    /// file.complete()?;
    /// let rows = session.sql(&format!("FROM '{}'", path.display()))?;
    /// assert_eq!(rows.count()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Box<dyn Output>> {
        write::create(&self.0, path.as_ref())
    }

    /// What the session used so far.
    pub fn stats(&self) -> SessionStats {
        let budget = &self.0.engine.memory().budget;
        let scratch = self.0.scratch.stats();
        SessionStats {
            budget: budget.limit(),
            peak_account: budget.peak(),
            peak_anonymous: self.0.engine.peak(),
            scratch_written: scratch.written,
            scratch_compressed: scratch.stored,
            scratch_read: scratch.read,
            scratch_passes: scratch.passes,
            scratch_peak: scratch.peak,
            restarts: self.0.restarts.load(Relaxed),
            rejected: self.0.rejects.counts().0,
            nulled: self.0.rejects.counts().1,
        }
    }
}
