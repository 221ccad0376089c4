//! The session that the command talks to. (Interface: the queries themselves are not here yet.)

use crate::error::{Error, Result};
use crate::units::parse_size;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use std::path::PathBuf;
use std::sync::Arc;

/// Runs queries under one budget.
pub struct Session {}

/// What a session is made of.
#[derive(Default)]
pub struct SessionBuilder {
    settings: crate::config::Settings,
}

/// How a session was used so far. Sizes are bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionStats {
    /// The budget.
    pub budget: usize,
    /// The most that was accounted for at one time.
    pub peak_account: usize,
    /// The most anonymous memory that the process had.
    pub peak_anonymous: usize,
    /// Bytes written to scratch.
    pub scratch_written: u64,
    /// The most that scratch held at one time.
    pub scratch_peak: u64,
}

/// A parsed statement.
pub struct Statement {}

/// What a statement gave.
pub enum Outcome {
    /// Rows, as they come.
    Rows(Batches),
    /// Something was done; a short message for people.
    Done(String),
}

/// Rows of a running query. Dropping it cancels the query.
pub struct Batches {}

impl Batches {
    /// The columns, named as the user wrote them.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::empty())
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;
    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

/// A size: bytes, or text like `64MiB`.
pub trait IntoSize {
    /// The bytes.
    ///
    /// # Errors
    /// The text is no size.
    fn bytes(self) -> Result<usize>;
}

impl IntoSize for usize {
    fn bytes(self) -> Result<usize> {
        Ok(self)
    }
}

impl IntoSize for &str {
    fn bytes(self) -> Result<usize> {
        parse_size(self)
    }
}

impl SessionBuilder {
    /// The budget.
    pub fn memory(mut self, size: impl IntoSize) -> Self {
        self.settings.memory = size.bytes().ok();
        self
    }

    /// Worker threads.
    pub fn threads(mut self, n: usize) -> Self {
        self.settings.threads = Some(n);
        self
    }

    /// Adds a directory for scratch.
    pub fn scratch(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.scratch.push(dir.into());
        self
    }

    /// The most that scratch may hold.
    pub fn scratch_limit(mut self, bytes: u64) -> Self {
        self.settings.scratch_limit = Some(bytes);
        self
    }

    /// Whether the process's real anonymous memory corrects the account.
    pub fn whole_process(mut self, yes: bool) -> Self {
        self.settings.whole_process = yes;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// Settings that do not fit.
    pub fn build(self) -> Result<Session> {
        Ok(Session {})
    }
}

impl Session {
    /// Begins a session.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Parses statements.
    ///
    /// # Errors
    /// SQL that does not parse.
    pub fn statements(&self, sql: &str) -> Result<Vec<Statement>> {
        Err(Error::unsupported(format!("queries cannot run yet: {sql}")))
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// Whatever the query meets before its first row.
    pub fn run(&self, _statement: &Statement) -> Result<Outcome> {
        Ok(Outcome::Done(String::new()))
    }

    /// Names a file as a table.
    ///
    /// # Errors
    /// A file that is not there.
    pub fn register_file(&self, _name: &str, path: &str) -> Result<()> {
        Err(Error::unsupported(format!("tables over files: {path}")))
    }

    /// How it was used so far.
    pub fn stats(&self) -> SessionStats {
        SessionStats::default()
    }

    /// Asks every query to stop.
    pub fn cancel_all(&self) {}
}
