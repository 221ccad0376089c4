//! How a session is set up.

use super::Session;
use crate::config::{Settings, Tuning};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Observer;
use crate::memory::{Refusal, Request};
use crate::run::{Recorder, Trim};
use crate::store::Disk;
use crate::units::parse_size;
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of a session to come. What is not set has a default that suits the machine.
#[derive(Default)]
pub struct SessionBuilder {
    pub(super) settings: Settings,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) inline: bool,
    pub(super) story: Option<Recorder>,
    pub(super) trim: Option<Trim>,
    pub(super) disk: Option<Arc<dyn Disk>>,
    pub(super) refuse: Option<Box<Refusal>>,
}

/// A size in bytes, as a number or as people write it.
pub trait IntoSize {
    /// The size in bytes.
    ///
    /// # Errors
    /// `Usage`, where a text is no size.
    fn into_size(self) -> Result<usize>;
}

impl IntoSize for usize {
    fn into_size(self) -> Result<usize> {
        Ok(self)
    }
}

impl IntoSize for &str {
    fn into_size(self) -> Result<usize> {
        parse_size(self)
    }
}

impl SessionBuilder {
    /// The budget: what the session's data may hold in memory, as bytes or as `"64MiB"`. Without it, 75 % of the smaller of
    /// the machine's memory and the cgroup's limit.
    ///
    /// # Errors
    /// `Usage`, where the text is no size.
    pub fn memory(mut self, size: impl IntoSize) -> Result<Self> {
        self.settings.memory = Some(size.into_size()?);
        Ok(self)
    }

    /// Worker threads. Without it, one a core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads);
        self
    }

    /// Adds a directory for scratch; several are used round robin.
    pub fn scratch(mut self, dir: impl Into<PathBuf>) -> Self {
        self.settings.scratch.push(dir.into());
        self
    }

    /// The most that scratch may hold, in bytes or as `"10GB"`.
    ///
    /// # Errors
    /// `Usage`, where the text is no size.
    pub fn scratch_limit(mut self, size: impl IntoSize) -> Result<Self> {
        self.settings.scratch_limit = Some(size.into_size()? as u64);
        Ok(self)
    }

    /// Holds the whole process to the budget: a probe of its real anonymous memory corrects the account. For programs that
    /// do nothing else, like the command.
    pub fn whole_process(mut self, whole: bool) -> Self {
        self.settings.whole_process = whole;
        self
    }

    /// What makes the program's allocator give freed memory back to the kernel. Called now and then while a session that
    /// holds the [whole process](Self::whole_process) to its budget is short of memory.
    pub fn trim(mut self, trim: impl Fn() + Send + Sync + 'static) -> Self {
        self.trim = Some(Box::new(trim));
        self
    }

    /// The engine's constants.
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.settings.tuning = tuning;
        self
    }

    /// Somebody who sees what happens.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// What scratch asks instead of the operating system: for tests that break disks on purpose, see
    /// [`FaultyDisk`](crate::store::FaultyDisk).
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Refuses memory that the budget has: for tests.
    pub fn refuse(mut self, refuse: impl Fn(Request) -> bool + Send + Sync + 'static) -> Self {
        self.refuse = Some(Box::new(refuse));
        self
    }

    /// Runs everything on the thread that asks for rows, in an order that never varies. For tests.
    pub fn inline(mut self, inline: bool) -> Self {
        self.inline = inline;
        self
    }

    /// Somebody who takes the lines of the session's story: each signal that the scheduler hears and each action that it
    /// answers with, as they happen. [`sched::story::replay`](crate::sched::story::replay) proves from them that every
    /// choice was the scheduler's. Called under its lock: be quick.
    pub fn story(mut self, recorder: impl FnMut(&str) + Send + 'static) -> Self {
        self.story = Some(Box::new(recorder));
        self
    }

    /// Starts the session.
    ///
    /// # Errors
    /// `Usage` for settings that do not fit, `Resources` for threads that do not start or scratch that cannot be written.
    pub fn build(self) -> Result<Session> {
        if self.settings.threads == Some(0) {
            return Err(Error::new(ErrorKind::Usage, "a session needs at least one thread"));
        }
        if !self.settings.tuning.preaggregate_slots.is_power_of_two() || self.settings.tuning.batch_rows == 0 {
            return Err(Error::new(ErrorKind::Usage, "tuning: slots must be a power of two, batches at least one row"));
        }
        Session::built(self)
    }
}
