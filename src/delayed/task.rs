//! Runs the tasks of a plan: gets the arguments, calls the function, keeps the result until the last one who needs it.

use super::args::Results;
use super::future::Handle;
use super::node::{Kind, Made, Node};
use super::plan::{From, Plan, Planned, WebLayout};
use crate::error::{Error, Place, Result};
use crate::guard::guarded;
use crate::memory::{Budget, InFlight};
use crate::ops::{Cx, Starved, Step, Task, Work};
use crate::plan::Stages;
use crate::store::{Held, Kept, Payload, Shelf, Shelved};
use crate::units::ByteSize;
use std::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A plan that runs.
pub(super) struct Running {
    plan: Plan,
    /// Of each task: its result, and how many arguments it still is.
    slots: Vec<Slot>,
    shelf: Shelf,
    budget: Budget,
    _held: Option<Held>,
}

/// Tasks of a plan whose own memory is counted.
const MANY: usize = 1000;

struct Slot {
    result: Mutex<Option<Shelved>>,
    uses: AtomicU32,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Shelved>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    pub(super) fn new(plan: Plan, shelf: &Shelf, budget: &Budget) -> Arc<Running> {
        let slot = |uses| Slot { result: Mutex::new(None), uses: AtomicU32::new(uses) };
        let slots = plan.uses().into_iter().map(slot).collect();
        let held = (plan.tasks.len() >= MANY).then(|| shelf.hold(plan.bytes()));
        Arc::new(Running { plan, slots, shelf: shelf.clone(), budget: budget.clone(), _held: held })
    }

    /// Lays its stage, if there is something to run. Returns the stage.
    pub(super) fn lay(self: &Arc<Self>, stages: &mut Stages) -> Option<crate::ids::StageId> {
        if self.plan.tasks.is_empty() {
            return None;
        }
        let layout = Arc::new(WebLayout(Arc::new(self.plan.web())));
        Some(stages.add("delayed".into(), Vec::new(), layout, Arc::new(Calls(self.clone()))))
    }

    fn planned(&self, task: usize) -> Result<&Planned> {
        self.plan.tasks.get(task).ok_or_else(|| Error::internal(format!("there is no task {task}")))
    }

    fn slot(&self, task: u32) -> Result<&Slot> {
        self.slots.get(task as usize).ok_or_else(|| Error::internal(format!("there is no task {task}")))
    }

    /// The result at rest, `None` for a value that does not rest.
    fn rested(&self, from: From) -> Result<(Option<Shelved>, Option<Payload>)> {
        match from {
            From::Task(task) => {
                let shelved = self.slot(task)?.lock().clone();
                shelved.map(|shelved| (Some(shelved), None)).ok_or_else(|| Error::internal("a result is not there"))
            }
            From::Given(given) => match self.plan.givens.get(given as usize).map(|node| &node.kind) {
                Some(Kind::Value(value)) => Ok((None, Some(value.clone()))),
                Some(Kind::Rested(shelved)) => Ok((Some(shelved.clone()), None)),
                Some(Kind::Future(future)) => future.rested(),
                Some(Kind::Call { .. }) | None => Err(Error::internal("a value is not there")),
            },
        }
    }

    /// One argument less is this task's result; says whether it was the last.
    fn release(&self, from: From) -> Result<()> {
        if let From::Task(task) = from {
            let slot = self.slot(task)?;
            if slot.uses.fetch_sub(1, AcqRel) == 1 {
                let result = slot.lock().take();
                drop(result);
            }
        }
        Ok(())
    }

    /// What was asked for, when everything has run: results at rest, or values.
    pub(super) fn roots(&self) -> Result<Vec<(Option<Shelved>, Option<Payload>)>> {
        self.plan.roots.iter().map(|root| self.rested(*root)).collect()
    }

    /// The one of that number.
    pub(super) fn root(&self, number: usize) -> Result<(Option<Shelved>, Option<Payload>)> {
        let root = self.plan.roots.get(number);
        self.rested(*root.ok_or_else(|| Error::internal(format!("there is no result {number}")))?)
    }

    /// The same as values, for the program: outside of the budget.
    pub(super) fn answers(&self) -> Result<Results> {
        let mut values = Vec::with_capacity(self.plan.roots.len());
        for root in &self.plan.roots {
            let (shelved, value) = self.rested(*root)?;
            self.release(*root)?;
            values.push(match (shelved, value) {
                (_, Some(value)) => value,
                (Some(shelved), None) => shelved.out()?,
                (None, None) => return Err(Error::internal("an answer is not there")),
            });
        }
        Ok(Results::new(values))
    }

    /// Futures that must be there before this runs.
    pub(super) fn futures(&self) -> impl Iterator<Item = &Arc<Handle>> {
        self.plan.futures()
    }

    fn place(&self, task: usize) -> Place {
        Place { task: Some(self.plan.path(task)), ..Place::default() }
    }
}

struct Calls(Arc<Running>);

impl Work for Calls {
    fn open(&self, _round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        let node = &self.0.planned(index)?.node;
        let memory = node.options.memory;
        let name = || format!("the task {}", node.options.name);
        let in_flight = if memory > 0 { Some(cx.memory.budget.in_flight(&name(), memory)?) } else { None };
        let running = self.0.clone();
        Ok(Box::new(CallTask { running, index, arguments: Vec::new(), made: None, missing: 0, _in_flight: in_flight }))
    }
}

/// An argument that is in memory.
struct Argument {
    value: Payload,
    /// What it is charged to.
    shelved: Option<Shelved>,
}

struct CallTask {
    running: Arc<Running>,
    index: usize,
    arguments: Vec<Argument>,
    /// The result, before it is kept; and whether it was made.
    made: Option<(Option<Payload>, usize)>,
    /// Bytes that were refused last.
    missing: usize,
    _in_flight: Option<InFlight>,
}

impl Task for CallTask {
    fn step(&mut self, _cx: &Cx) -> Result<Step> {
        let wanted = self.running.shelf.take_wanted();
        let given = if wanted > 0 { self.running.shelf.give(wanted) } else { 0 };
        if given > 0 {
            return Ok(Step::Gave(given));
        }
        let running = self.running.clone();
        let planned = running.planned(self.index)?;
        if self.made.is_none() {
            if !self.gather(planned)? {
                return Ok(self.starved());
            }
            self.run(&planned.node)?;
            self.release(planned, false)?;
        }
        if !self.keep(&planned.node)? {
            return Ok(self.starved());
        }
        self.release(planned, true)?;
        Ok(Step::Done)
    }

    fn refused(&mut self) -> Option<Error> {
        let (missing, budget) = (self.missing, &self.running.budget);
        let name = self.running.planned(self.index).map_or("?", |planned| &planned.node.options.name);
        let what = if self.made.is_some() { "its result" } else { "its arguments" };
        let error = Error::resources(format!(
            "the task {name} needs {} for {what}, but only {} of the memory budget of {} is free, and nobody can give any back",
            ByteSize(missing),
            ByteSize(budget.free()),
            ByteSize(budget.limit()),
        ));
        Some(error.at(self.running.place(self.index)).advise("raise --memory or lower --threads"))
    }
}

impl CallTask {
    fn starved(&self) -> Step {
        Step::Starved(Starved { reservation: self.running.shelf.reservation(), bytes: self.missing })
    }

    /// Gets the arguments into memory: those that are there, then room for all others at once. Where that is refused none of
    /// them is held while others run.
    fn gather(&mut self, planned: &Planned) -> Result<bool> {
        let mut rested = Vec::with_capacity(planned.inputs.len());
        let mut missing = 0;
        for from in &planned.inputs {
            let (shelved, value) = self.running.rested(*from)?;
            let value = match (value, shelved.as_ref().map(Shelved::here)) {
                (None, Some(Kept::Refused(bytes))) => {
                    missing += bytes;
                    None
                }
                (None, Some(Kept::Here(value))) => Some(value),
                (value, _) => value,
            };
            rested.push((shelved, value));
        }
        let mut room = match missing {
            0 => None,
            _ => match self.running.shelf.room(missing) {
                Some(room) => Some(room),
                None => return self.refuse(rested, missing),
            },
        };
        for (shelved, value) in &mut rested {
            if let (Some(shelved), None) = (shelved, &value) {
                match shelved.borrow_in(room.as_mut())? {
                    Kept::Here(there) => *value = Some(there),
                    Kept::Refused(bytes) => return self.refuse(rested, bytes),
                }
            }
        }
        let argument = |(shelved, value): (Option<Shelved>, Option<Payload>)| {
            let value = value.ok_or_else(|| Error::internal("an argument is not there"))?;
            Ok(Argument { value, shelved })
        };
        self.arguments = rested.into_iter().map(argument).collect::<Result<_>>()?;
        Ok(true)
    }

    /// Memory for arguments is missing. Nothing could be moved, or it would not have been refused; what came for this call goes
    /// again at once: answered to a request it would look like progress, over and over.
    fn refuse(&mut self, rested: Vec<(Option<Shelved>, Option<Payload>)>, missing: usize) -> Result<bool> {
        drop(rested);
        self.missing = missing;
        self.running.shelf.give(usize::MAX);
        Ok(false)
    }

    /// The arguments are needed no more: once the function has returned, or, where it may have to run again, once its result is
    /// kept.
    fn release(&self, planned: &Planned, kept: bool) -> Result<()> {
        let again = planned.node.options.retries > 0;
        if again != kept {
            return Ok(());
        }
        planned.inputs.iter().try_for_each(|from| self.running.release(*from))
    }

    /// Whether nobody needs the argument after this call.
    fn is_last(&self, node: &Node, from: From) -> bool {
        let From::Task(task) = from else { return false };
        let uses = self.running.slot(task).map_or(0, |slot| slot.uses.load(Acquire));
        node.options.retries == 0 && uses == 1
    }

    fn run(&mut self, node: &Arc<Node>) -> Result<()> {
        let Kind::Call { call, .. } = &node.kind else { return Err(Error::internal("a task without function")) };
        let running = self.running.clone();
        let inputs = &running.planned(self.index)?.inputs;
        // What rests is charged until the call is over, also where the function has it.
        let (mut values, mut charged) = (Vec::with_capacity(inputs.len()), Vec::new());
        for (argument, from) in std::mem::take(&mut self.arguments).into_iter().zip(inputs) {
            if let Some(shelved) = argument.shelved {
                if self.is_last(node, *from) {
                    drop(shelved.take()?);
                }
                charged.push(shelved);
            }
            values.push(argument.value);
        }
        let call = || guarded(|| Ok(call(Results::new(values))));
        let called = match stacker::maybe_grow(LEAST_STACK, STACK, call) {
            Ok(called) => called.map_err(|error| error.within(&format!("the task {}", node.options.name))),
            Err(panic) => Err(Error::internal(format!("the task {} {}", node.options.name, panic.message()))),
        };
        let Made { value, bytes } = called.map_err(|error| error.at(running.place(self.index)))?;
        drop(charged);
        self.made = Some((Some(value), bytes));
        Ok(())
    }

    fn keep(&mut self, node: &Node) -> Result<bool> {
        let Some((value, bytes)) = &mut self.made else { return Err(Error::internal("a result is not there")) };
        let Kind::Call { coding, .. } = &node.kind else { return Err(Error::internal("a task without function")) };
        let running = &self.running;
        match running.shelf.put(value, *bytes, *coding).map_err(|error| error.at(running.place(self.index)))? {
            Kept::Here(shelved) => {
                *running.slot(self.index as u32)?.lock() = Some(shelved);
                Ok(true)
            }
            Kept::Refused(bytes) => {
                self.missing = bytes;
                Ok(false)
            }
        }
    }
}

/// Stack that a function finds at least, and what it gets where that is not there: a task that waits for others runs them on
/// its own stack.
const LEAST_STACK: usize = 256 << 10;
const STACK: usize = 1 << 20;
