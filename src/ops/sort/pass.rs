//! Between the phases: runs in memory are sorted, and runs that are too many for one merge become fewer.
//!
//! The rounds of the stage: first a task for each run in memory, then passes, until the layout has no more groups.

use super::cursor::Merged;
use super::lease::Lease;
use super::run::{Draft, Run, RunWriter};
use super::{Shared, no_memory};
use crate::error::{Error, Result};
use crate::graph::Sizes;
use crate::memory::Page;
use crate::ops::{Cx, Step, Task, Work};
use crate::store::StreamWriter;
use crate::units::ByteSize;
use std::sync::Arc;

/// Rows merged in one step.
const STEP: usize = 8192;

/// The work of the stage.
pub(super) struct Passes(pub(super) Arc<Shared>);

impl Work for Passes {
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        if round == 0 {
            return Ok(Box::new(Order(self.0.clone())));
        }
        Ok(Box::new(Pass::new(self.0.clone(), round, index, cx)?))
    }

    fn sizes(&self) -> Sizes {
        self.0.sizes()
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.spill(bytes, cx)
    }
}

/// Sorts one run in memory.
struct Order(Arc<Shared>);

impl Task for Order {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        if let Some(mut run) = self.0.take_unsorted() {
            let sorted = run.sort(&cx.cancel);
            self.0.add(Run::Memory(run));
            sorted?;
        }
        Ok(Step::Done)
    }
}

/// Merges a group of runs into one in scratch.
struct Pass {
    shared: Arc<Shared>,
    round: u32,
    index: usize,
    /// `None` before the first step: opening must not fail after runs were taken.
    rows: Option<Merged>,
    page: Page,
    /// `None` at the end.
    writer: Option<StreamWriter>,
    draft: Draft,
    left: usize,
    lease: Lease,
}

impl Pass {
    fn new(shared: Arc<Shared>, round: u32, index: usize, cx: &Cx) -> Result<Self> {
        let (count, largest) = shared.group_size(round, index);
        let floor = shared.share.pass_floor(count, largest);
        let lease = Lease::take(&shared, floor, cx)?.ok_or_else(|| lacks(floor, cx))?;
        Ok(Pass {
            page: cx.memory.page(&lease.reservation).ok_or_else(no_memory)?,
            draft: Draft::default(),
            writer: Some(shared.writer(cx)),
            left: shared.limit,
            rows: None,
            round,
            index,
            lease,
            shared,
        })
    }

    fn begin(&mut self, cx: &Cx) -> Result<()> {
        let runs = self.shared.take_group(self.index);
        self.rows = Some(Merged::of(runs, &cx.memory, &self.lease.reservation)?);
        Ok(())
    }
}

fn lacks(floor: usize, cx: &Cx) -> Error {
    let (free, limit) = (ByteSize(cx.memory.budget.free()), ByteSize(cx.memory.budget.limit()));
    let floor = ByteSize(floor);
    Error::resources(format!(
        "sort: pass needs at least {floor}, but only {free} of the memory budget of {limit} is free"
    ))
    .advise("raise --memory or lower --threads")
}

impl Task for Pass {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        if self.rows.is_none() {
            self.begin(cx)?;
        }
        let (Some(merged), Some(writer)) = (&mut self.rows, &mut self.writer) else { return Ok(Step::Done) };
        let mut out = RunWriter { page: &mut self.page, writer, draft: &mut self.draft };
        let most = STEP.min(self.left);
        let mut rows = 0;
        while rows < most
            && let Some(row) = merged.row()
        {
            out.push(row)?;
            merged.advance()?;
            rows += 1;
        }
        self.left -= rows;
        if rows == STEP {
            return Ok(Step::More);
        }
        let run = out.finish(&self.shared.lists(cx)?)?;
        self.shared.meter.add_spilled(run.bytes as usize);
        self.shared.meter.see_pass(self.round + 1);
        cx.scratch.see_pass(self.round + 1);
        self.shared.add(Run::Scratch(run));
        self.writer.take().into_iter().for_each(|writer| self.shared.give_writer(writer));
        Ok(Step::Done)
    }
}
