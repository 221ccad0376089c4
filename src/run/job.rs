//! The jobs that actions become: a task's steps, a layout, a request for memory.

use super::engine::Inner;
use super::guard::{drop_guarded, guarded};
use super::query::{Chosen, Doing, Query};
use crate::error::{Error, Result};
use crate::events::Event;
use crate::graph::{Facts, Round, Sizes};
use crate::ids::{ReservationId, StageId};
use crate::ops::{Starved, Step, Task};
use crate::sched::Signal;
use crate::units::ByteSize;
use std::sync::Arc;

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
pub(super) fn starve_task(engine: &Inner, query: &Query, doing: Doing) {
    let bytes = doing.starved.map_or(0, |s| s.bytes);
    let budget = &engine.memory.budget;
    let holder = doing.starved.and_then(|s| budget.find(s.reservation));
    let name = holder.as_ref().map_or("a task", |h| h.name());
    let error = Error::resources(format!(
        "{name} needs {} more, but only {} of the memory budget of {} is free, and nobody can give any back",
        ByteSize(bytes),
        ByteSize(budget.free()),
        ByteSize(budget.limit()),
    ))
    .advise("raise --memory or lower --threads");
    end_task(engine, query, doing, Some(error));
}

fn steps(engine: &Inner, query: &Query, doing: &mut Doing) -> Result<Step> {
    let cx = &query.cx;
    let (task, index) = (doing.id, doing.index);
    loop {
        cx.cancel.check()?;
        engine.probe.tick(&engine.memory.budget);
        let step = guarded(|| opened(query, doing)?.step(cx)).map_err(|e| e.at(query.place(doing.stage, Some(index))))?;
        match step {
            Step::More => {}
            Step::Gave(bytes) => engine.signal(Signal::Freed { query: query.id, task, bytes }),
            stop => return Ok(stop),
        }
    }
}

fn opened<'a>(query: &Query, doing: &'a mut Doing) -> Result<&'a mut dyn Task> {
    let task = match doing.task.take() {
        Some(task) => task,
        None => query.work(doing.stage)?.open(doing.round, doing.index, &query.cx)?,
    };
    Ok(&mut **doing.task.insert(task))
}

/// Drops the task, so that its memory is free, and only then says that it has ended.
fn end_task(engine: &Inner, query: &Query, doing: Doing, error: Option<Error>) {
    let dropped = drop_guarded(doing.task).map_err(|e| e.at(query.place(doing.stage, Some(doing.index))));
    let (id, task) = (query.id, doing.id);
    engine.events.tell(|| Event::TaskEnded { query: id, task });
    match error.or(dropped.err()) {
        None => engine.signal(Signal::Done { query: id, task }),
        Some(error) => {
            query.fail(error);
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
    if tasks > 0 {
        engine.events.tell(|| Event::StageLaid { query: id, stage, tasks });
    }
    if !laid.why.is_empty() {
        query.choose(Chosen { stage, round, tasks, why: laid.why });
    }
    engine.signal(Signal::Laid { query: id, stage, tasks, floor });
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

/// Asks states at rest to give memory back, and says how much came. The youngest query gives first.
pub(super) fn relieve(engine: &Inner, reservation: ReservationId, bytes: usize) {
    let mut given = 0;
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
    if given >= bytes && let Some(holder) = engine.memory.budget.find(reservation) {
        // It was answered from what rests: nobody needs to give once more.
        holder.take_wanted();
    }
    engine.signal(Signal::Gave { reservation, bytes: given });
}

fn spill(engine: &Inner, query: &Arc<Query>, stage: StageId, bytes: usize) -> usize {
    let given = guarded(|| query.work(stage)?.spill(bytes, &query.cx));
    given.unwrap_or_else(|error| {
        engine.fail(query, error.at(query.place(stage, None)));
        0
    })
}
