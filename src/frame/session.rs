//! A session: one budget, one pool, one catalog, and everything that runs in them.

use super::execute::{self, Running};
use super::{Batches, Frame, Outcome, SessionBuilder, SessionStats, write};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::formats::TableDef;
use crate::front::{Bound, Front, Planned, Statement, TableRef};
use crate::memory::{Memory, anonymous_bytes, default_limit};
use crate::ops::collect::CollectOp;
use crate::ops::deliver::DeliverOp;
use crate::plan::{Limits, Lowering, batch_schema, explain, explain_analyzed};
use crate::run::{Engine, InlinePool, Pool, Probe, RayonPool, Setup};
use crate::store::{Scratch, TurnOptions, TurnQueue, TurnReader};
use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One budget, one pool of threads, scratch and a catalog. Cheap to clone; everything ends with the last clone.
///
/// Two sessions in one process share nothing.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

pub(super) struct Inner {
    pub(super) engine: Engine,
    pub(super) front: Front,
    pub(super) limits: Limits,
    pub(super) scratch: Scratch,
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
        Lowering::new(self.limits.clone(), self.front.options())
    }

    /// A sink whose rows nobody will read: for plans that are only shown.
    fn nowhere(&self) -> Result<Arc<DeliverOp>> {
        let (queue, _) = self.queue(Arc::new(Schema::empty()), 0, None)?;
        Ok(Arc::new(DeliverOp::new(queue)))
    }

    /// Forgets what was guessed of the tables that hold the file of `error`: they are inferred from all their data.
    fn infer_fully(&self, error: &Error) {
        self.restarts.fetch_add(1, Relaxed);
        self.front.infer_fully(error.place().file.as_deref());
    }
}

impl Session {
    /// Settings of a session to come.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    pub(super) fn start(builder: SessionBuilder) -> Result<Session> {
        let SessionBuilder { settings, observers, inline, story, trim } = builder;
        let memory = settings.memory.unwrap_or_else(default_limit);
        let threads = settings.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get()));
        let tuning = settings.tuning.for_budget(memory);
        let scratch = Scratch::new(settings.scratch, settings.scratch_limit, tuning.scratch_write_bytes)?;
        let limits = Limits { tuning: Arc::new(tuning), memory, threads };
        let memory = Memory::new(limits.memory, limits.page());
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
        Ok(Session(Arc::new(Inner {
            engine,
            front,
            limits,
            scratch,
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
        match self.0.front.bind(statement)? {
            Bound::Query(planned) => Ok(Outcome::Rows(self.rows(planned, Some(statement.clone()))?)),
            other => match self.run_bound(other) {
                Err(error) if error.is_misfit() => {
                    self.0.infer_fully(&error);
                    self.run_bound(self.0.front.bind(statement)?)
                }
                done => done,
            },
        }
    }

    fn run_bound(&self, bound: Bound) -> Result<Outcome> {
        match bound {
            Bound::Query(planned) => Ok(Outcome::Rows(self.rows(planned, None)?)),
            Bound::Copy { query, path, format, options } => {
                let rows = write::to_file(&self.0, &query, &path, format.as_deref(), &options)?;
                Ok(Outcome::Done(format!("{rows} rows written to {path}")))
            }
            Bound::CreateTable { name, query, if_not_exists, or_replace } => {
                self.create_table(&name, &query, if_not_exists, or_replace)
            }
            Bound::CreateView { name, view, if_not_exists, or_replace } => {
                if if_not_exists && self.0.front.table(&name).is_ok() {
                    return Ok(Outcome::Done(format!("view {name} exists")));
                }
                self.0.front.register(&name, TableRef::View(view), or_replace)?;
                Ok(Outcome::Done(format!("view {name} created")))
            }
            Bound::Drop { names, if_exists } => self.drop_tables(&names, if_exists),
            Bound::Describe(schema) => self.values(described(&schema)?),
            Bound::Explain { analyze, planned } => self.explain(&planned, analyze),
            Bound::ShowTables => {
                let names: Vec<String> = self.0.front.tables().into_iter().map(|(name, _)| name).collect();
                self.values(text_columns(&[("name", names)])?)
            }
            Bound::Set { name, .. } => Err(Error::unsupported(format!("the setting {name}"))),
        }
    }

    fn create_table(&self, name: &str, query: &Planned, if_not_exists: bool, or_replace: bool) -> Result<Outcome> {
        let exists = self.0.front.table(name).is_ok();
        if exists && if_not_exists {
            return Ok(Outcome::Done(format!("table {name} exists")));
        }
        if exists && !or_replace {
            return Err(Error::query(format!("table {name} exists")).advise("CREATE OR REPLACE TABLE"));
        }
        let schema = batch_schema(query.optimized.schema());
        let sink = Arc::new(CollectOp::new(schema, 0, None));
        execute::drain(&self.0, query, sink.clone(), 2 * self.0.limits.page())?;
        let rows = sink.result().ok_or_else(|| Error::internal("a table without rows at rest"))?;
        let named = execute::result_schema(query);
        let count = rows.rows as usize;
        self.0.front.register(
            name,
            TableRef::Stored(Arc::new(rows.with_schema(named.clone())), named, Some(count)),
            or_replace,
        )?;
        Ok(Outcome::Done(format!("table {name} created with {count} rows")))
    }

    fn drop_tables(&self, names: &[String], if_exists: bool) -> Result<Outcome> {
        if !if_exists {
            names.iter().try_for_each(|name| self.0.front.table(name).map(drop))?;
        }
        names.iter().for_each(|name| drop(self.0.front.drop_table(name)));
        Ok(Outcome::Done(format!("{} dropped", names.join(", "))))
    }

    fn explain(&self, planned: &Planned, analyze: bool) -> Result<Outcome> {
        let text = if analyze {
            let mut running = execute::start(&self.0, planned)?;
            while running.next()?.is_some() {}
            explain_analyzed(&running.top)
        } else {
            explain(&execute::lower(&self.0, planned, self.0.nowhere()?, 0)?.top)
        };
        self.values(text_columns(&[("plan", text.lines().map(String::from).collect())])?)
    }

    /// Rows that are here already.
    fn values(&self, batch: RecordBatch) -> Result<Outcome> {
        let rows = crate::ops::collect::Collected::resident(batch);
        let (schema, count) = (rows.schema.clone(), rows.rows as usize);
        let plan = self.0.front.scan("result", TableRef::Stored(Arc::new(rows), schema, Some(count)))?;
        Ok(Outcome::Rows(self.rows(self.0.front.plan(plan)?, None)?))
    }

    /// Starts `planned`; a misfit before the first row binds `statement` anew, with full inference.
    fn rows(&self, planned: Planned, statement: Option<Statement>) -> Result<Batches> {
        let inner = self.0.clone();
        let (schema, running) = match (execute::start(&self.0, &planned), &statement) {
            // A recursive query has read files before there is a queue for rows.
            (Err(error), Some(statement)) if error.is_misfit() => {
                self.0.infer_fully(&error);
                match self.0.front.bind(statement)? {
                    Bound::Query(planned) => (execute::result_schema(&planned), execute::start(&self.0, &planned)?),
                    _ => return Err(Error::internal("a query that became something else")),
                }
            }
            (running, _) => (execute::result_schema(&planned), running?),
        };
        let again = statement.map(|statement| {
            let again = move |error: &Error| -> Result<(SchemaRef, Running)> {
                inner.infer_fully(error);
                match inner.front.bind(&statement)? {
                    Bound::Query(planned) => Ok((execute::result_schema(&planned), execute::start(&inner, &planned)?)),
                    _ => Err(Error::internal("a query that became something else")),
                }
            };
            Box::new(again) as Box<super::batches::Again>
        });
        Ok(Batches::new(schema, running, again))
    }

    /// A query as a frame.
    ///
    /// # Errors
    /// `Query` for a text that is not one query, or names what is not there.
    pub fn sql(&self, sql: &str) -> Result<Frame> {
        let statements = self.statements(sql)?;
        let [statement] = statements.as_slice() else {
            return Err(Error::query(format!("{} statements where one query is wanted", statements.len())));
        };
        match self.0.front.bind(statement)? {
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
        self.rows(self.planned(frame)?, frame.statement.clone())
    }

    pub(super) fn explain_frame(&self, frame: &Frame) -> Result<String> {
        Ok(explain(&execute::lower(&self.0, &self.planned(frame)?, self.0.nowhere()?, 0)?.top))
    }

    pub(super) fn write_frame(
        &self,
        frame: &Frame,
        path: &str,
        format: &str,
        options: BTreeMap<String, String>,
    ) -> Result<u64> {
        write::to_file(&self.0, &self.planned(frame)?, path, Some(format), &options)
    }

    /// Asks every running query to stop.
    pub fn cancel_all(&self) {
        self.0.cancels.fetch_add(1, Relaxed);
        self.0.engine.cancel_all();
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
            scratch_peak: scratch.peak,
            restarts: self.0.restarts.load(Relaxed),
        }
    }
}

fn text_columns(columns: &[(&str, Vec<String>)]) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8View, true)).collect();
    let arrays = columns.iter().map(|(_, values)| Arc::new(StringViewArray::from_iter_values(values)) as ArrayRef);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())?)
}

fn described(schema: &SchemaRef) -> Result<RecordBatch> {
    let names = schema.fields().iter().map(|f| f.name().clone()).collect();
    let types = schema.fields().iter().map(|f| crate::front::type_name(f.data_type())).collect();
    text_columns(&[("column_name", names), ("column_type", types)])
}
