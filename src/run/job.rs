//! The jobs that actions become: a task's steps, a layout, a request for memory.

use super::engine::Inner;
use super::query::{Chosen, Doing, Query};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Event;
use crate::graph::{Facts, Round, Sizes};
use crate::guard::{drop_guarded, guarded};
use crate::ids::{ReservationId, StageId};
use crate::ops::{Starved, Step};
use crate::sched::{NOBODY, Signal, UNOPENED};
use crate::units::ByteSize;
use std::sync::Arc;
use std::time::Duration;

/// How long whoever reads results gets to take some before a task fails for want of memory: so many times so long.
const READERS_NAPS: u32 = 250;
const READERS_NAP: Duration = Duration::from_millis(2);

/// Steps a task until it waits, starves or ends.
pub(super) fn run_task(engine: &Inner, query: &Query, mut doing: Doing) {
    let (id, task) = (query.id, doing.id);
    match steps(engine, query, &mut doing) {
        Ok(Step::Wait(token)) => {
            query.park(doing);
            engine.signal(Signal::Waiting { query: id, task, token });
        }
        Ok(Step::Starved(starved)) => {
            doing.starved = Some(starved);
            query.park(doing);
            let Starved { reservation, bytes } = starved;
            let claims = engine.memory.budget.claims();
            engine.signal(Signal::Starved { query: id, task, reservation, bytes, claims });
        }
        Ok(_) => end_task(engine, query, doing, None),
        Err(error) => end_task(engine, query, doing, Some(error)),
    }
}

/// Fails a starved task that cannot be helped.
pub(super) fn starve_task(engine: &Inner, query: &Query, mut doing: Doing) {
    let refused = doing.refused.take().or_else(|| doing.task.as_mut().and_then(|task| task.refused()));
    let error = refused.unwrap_or_else(|| starvation(engine, doing.starved));
    let error = error.at(query.place(doing.stage, Some(doing.index)));
    end_task(engine, query, doing, Some(error));
}

fn starvation(engine: &Inner, starved: Option<Starved>) -> Error {
    let budget = &engine.memory.budget;
    let holder = starved.and_then(|s| budget.find(s.reservation));
    let name = holder.as_ref().map_or("a task", |h| h.name());
    Error::resources(format!(
        "{name} needs {} more, but only {} of the memory budget of {} is free, and nobody can give any back",
        ByteSize(starved.map_or(0, |s| s.bytes)),
        ByteSize(budget.free()),
        ByteSize(budget.limit()),
    ))
    .advise("raise --memory or lower --threads")
}

fn steps(engine: &Inner, query: &Query, doing: &mut Doing) -> Result<Step> {
    let cx = &query.cx;
    loop {
        cx.cancel.check()?;
        let over = engine.probe.tick(&engine.memory.budget);
        if over > 0 {
            engine.signal(Signal::Over { bytes: over, claims: engine.memory.budget.claims() });
        }
        let step = guarded(|| match &mut doing.task {
            Some(task) => task.step(cx),
            None => open(query, doing),
        });
        match step.map_err(|e| e.at(query.place(doing.stage, Some(doing.index))))? {
            Step::More => {}
            Step::Gave(bytes) => engine.signal(Signal::Freed { query: query.id, task: doing.id, bytes }),
            stop => return Ok(stop),
        }
    }
}

/// Opens a task. Floors in progress fit into the budget, but others may hold more than their floors at this moment: then
/// a task whose floor is refused starves like any other, until they gave that back.
fn open(query: &Query, doing: &mut Doing) -> Result<Step> {
    match query.work(doing.stage)?.open(doing.round, doing.index, &query.cx) {
        Ok(task) => {
            (doing.task, doing.refused) = (Some(task), None);
            Ok(Step::More)
        }
        Err(error) if error.kind() == ErrorKind::Resources => {
            doing.refused = Some(error);
            Ok(Step::Starved(Starved { reservation: UNOPENED, bytes: doing.floor.max(1) }))
        }
        Err(error) => Err(error),
    }
}

/// Drops the task, so that its memory is free, and only then says that it has ended.
fn end_task(engine: &Inner, query: &Query, doing: Doing, error: Option<Error>) {
    let (id, task, retries) = (query.id, doing.id, doing.retries);
    let dropped = drop_guarded(doing.task).map_err(|e| e.at(query.place(doing.stage, Some(doing.index))));
    engine.events.tell(|| Event::TaskEnded { query: id, task });
    match error.or(dropped.err()) {
        None => engine.signal(Signal::Done { query: id, task }),
        Some(error) => {
            // A task that is started again has not failed yet.
            if retries == 0 {
                query.fail(error);
            }
            engine.signal(Signal::Failed { query: id, task });
        }
    }
}

/// Asks a stage's layout for its next round.
pub(super) fn lay(engine: &Inner, query: &Arc<Query>, stage: StageId, round: u32) {
    let laid = guarded(|| next_round(engine, query, stage, round)).map_err(|e| e.at(query.place(stage, None)));
    let laid = laid.unwrap_or_else(|error| {
        engine.fail(query, error);
        Round::default()
    });
    let (id, tasks, floor) = (query.id, laid.tasks, laid.floor);
    let web = query.stages.get(stage.0 as usize).filter(|_| tasks > 0).and_then(|stage| stage.layout.web());
    if tasks > 0 {
        engine.events.tell(|| Event::StageLaid { query: id, stage, tasks });
    }
    if !laid.why.is_empty() {
        query.choose(Chosen { stage, round, tasks, why: laid.why });
    }
    engine.signal(Signal::Laid { query: id, stage, tasks, floor, web });
}

fn next_round(engine: &Inner, query: &Query, number: StageId, round: u32) -> Result<Round> {
    query.cx.cancel.check()?;
    let gone = || Error::internal(format!("{number} is not in the graph"));
    let stage = query.stages.get(number.0 as usize).ok_or_else(gone)?;
    let sizes: Vec<Sizes> = if round == 0 {
        stage.after.iter().map(|other| Ok(query.work(*other)?.sizes())).collect::<Result<_>>()?
    } else {
        vec![query.work(number)?.sizes()]
    };
    let facts = Facts { sizes: &sizes, round, share: engine.memory.budget.free(), threads: query.cx.threads };
    let laid = stage.layout.next(&facts);
    if u32::try_from(laid.tasks).is_err() {
        return Err(Error::unsupported(format!("{} tasks in one round", laid.tasks)));
    }
    Ok(laid)
}

/// Asks states at rest to give memory back, and says how much came. Results that rest give what they are asked for; else
/// the youngest query gives first.
pub(super) fn relieve(engine: &Inner, reservation: ReservationId, bytes: usize) {
    let mut given = engine.shelf.give_for(reservation, bytes);
    for query in engine.queries().iter().rev() {
        if given >= bytes || !query.enter() {
            continue;
        }
        for number in 0..query.stages.len() as u32 {
            if given >= bytes {
                break;
            }
            given += spill(engine, query, StageId(number), bytes - given);
        }
        engine.leave(query);
    }
    given += engine.shelf.give(bytes.saturating_sub(given));
    if given >= bytes
        && let Some(holder) = engine.memory.budget.find(reservation)
    {
        // It was answered from what rests: nobody needs to give once more.
        holder.take_wanted();
    }
    if reservation == NOBODY {
        engine.memory.pool.release();
        given = given.max(engine.probe.look_again(&engine.memory.budget, bytes));
        if given == 0 && engine.may_sleep() {
            given = await_readers(engine);
        }
    }
    engine.signal(Signal::Gave { reservation, bytes: given });
}

/// All tasks starve, but who reads results may be about to take rows that wait for it, or to drop them: gives it a while.
/// Returns the bytes that came free.
fn await_readers(engine: &Inner) -> usize {
    let budget = &engine.memory.budget;
    let before = budget.free();
    for _ in 0..READERS_NAPS {
        let given = budget.free().saturating_sub(before);
        if given > 0 || engine.queries().iter().all(|query| query.cx.cancel.is_cancelled()) {
            return given;
        }
        std::thread::sleep(READERS_NAP);
    }
    0
}

fn spill(engine: &Inner, query: &Arc<Query>, stage: StageId, bytes: usize) -> usize {
    let given = guarded(|| query.work(stage)?.spill(bytes, &query.cx));
    given.unwrap_or_else(|error| {
        engine.fail(query, error.at(query.place(stage, None)));
        0
    })
}
