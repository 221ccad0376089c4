//! The scheduler's rules. See the module's head for the story; state of one query is in `query`, tasks in progress are in
//! `slots`, the choice of a victim in `victim`.
//!
//! A signal about something that is over (a task of a query that was dropped) is heard and does nothing: signals cross.

use super::query::{Next, Query};
use super::slots::{Hunger, Slot, Slots, State};
use super::victim::{Choice, victim};
use super::{Action, NOBODY, Signal};
use crate::graph::Web;
use crate::ids::{QueryId, ReservationId, StageId, TaskId, Token};
use crate::memory::Claim;
use std::sync::Arc;

/// How often a task may have the driver look for memory that nobody is known to hold.
const MOST_LOOKS: u32 = 100;

/// Decides what starts, waits, spills and ends in one session.
pub struct Scheduler {
    threads: usize,
    /// Threads inside tasks that run other queries' jobs meanwhile.
    lent: usize,
    floors_limit: usize,
    /// The highest priority first, of equal ones the oldest.
    queries: Vec<Query>,
    slots: Slots,
    /// Grows whenever memory was freed.
    epoch: u64,
}

impl Scheduler {
    /// A scheduler of `threads` threads (at least one) whose tasks' floors sum to at most `floors_limit` bytes.
    pub fn new(threads: usize, floors_limit: usize) -> Self {
        let threads = threads.max(1);
        Scheduler { threads, lent: 0, floors_limit, queries: Vec::new(), slots: Slots::default(), epoch: 0 }
    }

    /// Worker threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The most that floors in progress may sum to, in bytes.
    pub fn floors_limit(&self) -> usize {
        self.floors_limit
    }

    /// Hears `signal` and adds to `out` what must be done, in order.
    pub fn on(&mut self, signal: Signal, out: &mut Vec<Action>) {
        match signal {
            Signal::Submit { query, priority, stages } => self.submit(query, priority, &stages, out),
            Signal::Laid { query, stage, tasks, floor, web } => self.laid(query, stage, (tasks, floor), web, out),
            Signal::Done { query, task } => self.ended(query, task, false, out),
            Signal::Failed { query, task } => self.ended(query, task, true, out),
            Signal::Waiting { query, task, token } => self.waits(query, task, token, out),
            Signal::Ready { query, token } => self.ready(query, token),
            Signal::Starved { query, task, reservation, bytes, claims } => {
                self.starves(query, task, reservation, bytes, claims, out)
            }
            Signal::Over { bytes, claims } => self.over(bytes, &claims, out),
            Signal::Freed { bytes, .. } => self.gave(None, bytes, out),
            Signal::Gave { reservation, bytes } => self.gave(Some(reservation), bytes, out),
            Signal::Lent => self.lent += 1,
            Signal::Returned => self.lent = self.lent.saturating_sub(1),
            Signal::Cancel { query } => self.cancel(query, out),
        }
        self.fill(out);
        self.settle(out);
    }

    // ---- Stages ----

    fn position(&self, query: QueryId) -> Option<usize> {
        self.queries.iter().position(|q| q.id == query)
    }

    fn submit(&mut self, id: QueryId, priority: i32, after: &[Vec<StageId>], out: &mut Vec<Action>) {
        if self.position(id).is_some() {
            return;
        }
        let query = Query::new(id, priority, after);
        let roots = query.roots();
        let at = self.queries.partition_point(|q| q.priority >= priority);
        self.queries.insert(at, query);
        self.lay(at, roots, out);
        self.finish_if_over(at, out);
    }

    fn lay(&mut self, at: usize, stages: Vec<usize>, out: &mut Vec<Action>) {
        let query = &mut self.queries[at];
        for stage in stages {
            let round = query.lay(stage);
            out.push(Action::Lay { query: query.id, stage: StageId(stage as u32), round });
        }
    }

    fn laid(
        &mut self,
        id: QueryId,
        stage: StageId,
        (tasks, floor): (usize, usize),
        web: Option<Arc<Web>>,
        out: &mut Vec<Action>,
    ) {
        let Some(at) = self.position(id) else { return };
        let free = self.queries[at].laid(stage.0 as usize, tasks, floor, web);
        self.lay(at, free, out);
        self.finish_if_over(at, out);
    }

    fn finish_if_over(&mut self, at: usize, out: &mut Vec<Action>) {
        if self.queries[at].is_over() {
            let query = self.queries.remove(at);
            out.push(Action::Finish { query: query.id });
        }
    }

    // ---- Ends ----

    fn ended(&mut self, id: QueryId, task: TaskId, failed: bool, out: &mut Vec<Action>) {
        let Some(slot) = self.slots.find(id, task) else { return };
        let Some((at, stage)) = self.leave(slot) else { return };
        let query = &mut self.queries[at];
        if failed && !query.again(stage, task) {
            self.abort(at, out);
        } else if !failed && !query.ending && query.done(stage, task) {
            self.lay(at, vec![stage], out);
        }
        self.finish_if_over(at, out);
    }

    /// The task is no longer in progress, and its memory is free. Returns its query's place and its stage.
    fn leave(&mut self, slot: usize) -> Option<(usize, usize)> {
        let slot = self.slots.remove(slot);
        self.freed();
        let at = self.position(slot.query)?;
        self.queries[at].busy -= 1;
        Some((at, slot.stage))
    }

    fn cancel(&mut self, id: QueryId, out: &mut Vec<Action>) {
        if let Some(at) = self.position(id) {
            self.abort(at, out);
            self.finish_if_over(at, out);
        }
    }

    /// No task of the query starts or goes on any more; running ones are waited for.
    fn abort(&mut self, at: usize, out: &mut Vec<Action>) {
        let query = &mut self.queries[at];
        if query.ending {
            return;
        }
        query.stop();
        let id = query.id;
        out.push(Action::Abort { query: id });
        while let Some(slot) = self.slots.seek(0, |s| s.query == id && s.state != State::Running) {
            self.leave(slot);
        }
    }

    /// A task of a query that is ending stopped by itself: it is dropped. Says whether that was so.
    fn dropped(&mut self, slot: usize, out: &mut Vec<Action>) -> bool {
        let id = self.slots.get(slot).query;
        let Some(at) = self.position(id) else { return false };
        if !self.queries[at].ending {
            return false;
        }
        self.leave(slot);
        out.push(Action::Abort { query: id });
        self.finish_if_over(at, out);
        true
    }

    // ---- Waiting ----

    fn waits(&mut self, id: QueryId, task: TaskId, token: Token, out: &mut Vec<Action>) {
        let Some(slot) = self.slots.find(id, task) else { return };
        if self.dropped(slot, out) {
            return;
        }
        let heard = self.position(id).is_some_and(|at| self.queries[at].heard_early(token));
        self.slots.set(slot, if heard { State::Roused } else { State::Waiting(token) });
    }

    fn ready(&mut self, id: QueryId, token: Token) {
        match self.slots.seek(0, |s| s.query == id && s.state == State::Waiting(token)) {
            Some(slot) => self.slots.set(slot, State::Roused),
            None => {
                if let Some(at) = self.position(id) {
                    self.queries[at].hear(token);
                }
            }
        }
    }

    // ---- Memory ----

    fn starves(
        &mut self,
        id: QueryId,
        task: TaskId,
        reservation: ReservationId,
        bytes: usize,
        claims: Vec<Claim>,
        out: &mut Vec<Action>,
    ) {
        let Some(slot) = self.slots.find(id, task) else { return };
        if self.dropped(slot, out) {
            return;
        }
        let fresh = Hunger {
            reservation,
            bytes,
            claims,
            tried: Vec::new(),
            asked: None,
            last_chance: false,
            epoch: self.epoch,
            looks: 0,
        };
        let looks = self.slots.hunger(slot).map_or(0, |old| old.looks);
        let fresh = Hunger { looks, ..fresh };
        let again = match self.slots.hunger(slot) {
            Some(old) if old.epoch == self.epoch && old.held() == fresh.held() => {
                Hunger { tried: std::mem::take(&mut old.tried), last_chance: old.last_chance, ..fresh }
            }
            _ => fresh,
        };
        self.slots.set_hunger(slot, again);
        self.slots.set(slot, State::Starved);
        self.relieve(slot, out);
    }

    /// Whoever holds most above its floor gives back what is too much.
    fn over(&self, bytes: usize, claims: &[Claim], out: &mut Vec<Action>) {
        let Some(query) = self.queries.first().map(|q| q.id) else { return };
        if let Choice::Other(reservation) = victim(claims, NOBODY, &[]) {
            out.push(Action::Spill { query, reservation, bytes });
        }
    }

    fn gave(&mut self, from: Option<ReservationId>, bytes: usize, out: &mut Vec<Action>) {
        if bytes > 0 {
            return self.freed();
        }
        let waits_for = |s: &Slot| s.state == State::Starved && s.hunger.as_ref().is_some_and(|h| h.asked == from);
        let mut at = 0;
        while let Some(slot) = from.and_then(|_| self.slots.seek(at, waits_for)) {
            self.relieve(slot, out);
            at = slot + 1;
        }
    }

    /// Memory was freed: a new epoch begins, and all who starved try again.
    fn freed(&mut self) {
        self.epoch += 1;
        while self.slots.starved() > 0 {
            let Some(slot) = self.slots.seek(0, |s| s.state == State::Starved) else { return };
            self.slots.set(slot, State::Roused);
        }
    }

    /// Asks the next victim for a starved task; says whether there was one.
    fn relieve(&mut self, slot: usize, out: &mut Vec<Action>) -> bool {
        let Some(hunger) = self.slots.hunger(slot) else { return false };
        hunger.asked = None;
        let bytes = hunger.bytes;
        let reservation = match victim(&hunger.claims, hunger.reservation, &hunger.tried) {
            Choice::Nobody => return false,
            Choice::Oneself => hunger.reservation,
            Choice::Other(other) => other,
        };
        hunger.tried.push(reservation);
        let query = self.slots.get(slot).query;
        let starves =
            |s: &Slot| s.state == State::Starved && s.hunger.as_ref().is_some_and(|h| h.reservation == reservation);
        match self.slots.seek(0, starves) {
            // Its own next step gives; nobody else can reach what a starved task holds.
            Some(other) => {
                self.slots.set(other, State::Roused);
                out.push(Action::Ask { query, reservation, bytes });
            }
            None => {
                if let Some(hunger) = self.slots.hunger(slot) {
                    hunger.asked = Some(reservation);
                }
                out.push(Action::Spill { query, reservation, bytes });
            }
        }
        true
    }

    /// When nobody runs who could free memory: asks on, gives everybody a last chance, and at last fails a task.
    fn settle(&mut self, out: &mut Vec<Action>) {
        if self.slots.starved() == 0 || self.somebody_will_free() {
            return;
        }
        let mut at = 0;
        while let Some(slot) = self.slots.seek(at, |s| s.state == State::Starved) {
            if self.relieve(slot, out) {
                return self.fill(out);
            }
            at = slot + 1;
        }
        if self.rouse_once() {
            return self.fill(out);
        }
        if self.slots.waiting() == 0 && !self.look_outside(out) {
            self.starve(out);
        }
    }

    /// Nobody has anything to give, but what nobody is known to hold may be less by now: the driver looks, once an epoch.
    /// Says whether there is still hope in that.
    fn look_outside(&mut self, out: &mut Vec<Action>) -> bool {
        let Some(slot) = self.slots.last_starved() else { return false };
        let query = self.slots.get(slot).query;
        let Some(hunger) = self.slots.hunger(slot) else { return false };
        if hunger.tried.contains(&NOBODY) || hunger.looks >= MOST_LOOKS {
            return false;
        }
        hunger.tried.push(NOBODY);
        hunger.looks += 1;
        hunger.asked = Some(NOBODY);
        out.push(Action::Spill { query, reservation: NOBODY, bytes: hunger.bytes });
        true
    }

    fn somebody_will_free(&self) -> bool {
        let due = |s: &Slot| s.state == State::Starved && s.hunger.as_ref().is_some_and(|h| h.asked.is_some());
        // A thread that is lent waits for another query: perhaps for the very one that starves.
        self.slots.running() > self.lent || self.slots.roused() > 0 || self.slots.seek(0, due).is_some()
    }

    /// Everybody who is not running goes on once, to honour what was asked. Says whether somebody had not yet.
    fn rouse_once(&mut self) -> bool {
        let mut roused = false;
        for slot in 0..self.slots.len() {
            if self.slots.get(slot).state != State::Starved {
                continue;
            }
            if let Some(hunger) = self.slots.hunger(slot).filter(|h| !h.last_chance) {
                hunger.last_chance = true;
                self.slots.set(slot, State::Roused);
                roused = true;
            }
        }
        while roused && let Some(slot) = self.slots.seek(0, |s| matches!(s.state, State::Waiting(_))) {
            self.slots.set(slot, State::Roused);
        }
        roused
    }

    /// Fails the starved task that matters least; what its query holds becomes free for the others.
    fn starve(&mut self, out: &mut Vec<Action>) {
        if let Some(slot) = self.slots.last_starved() {
            self.slots.set(slot, State::Running);
            let slot = self.slots.get(slot);
            out.push(Action::Starve { query: slot.query, task: slot.task });
        }
    }

    // ---- Starting ----

    /// Gives free threads to tasks that can go on, then to tasks that can start.
    fn fill(&mut self, out: &mut Vec<Action>) {
        let threads = self.threads + self.lent;
        while self.slots.running() < threads && self.slots.roused() > 0 {
            let Some(slot) = self.slots.first_roused() else { break };
            self.slots.set(slot, State::Running);
            let slot = self.slots.get(slot);
            out.push(Action::Resume { query: slot.query, task: slot.task });
        }
        while self.slots.running() < threads {
            let Some(at) = self.next_query() else { break };
            self.start(at, out);
        }
    }

    /// The first query with a task that may start now. While a task waits until it can be opened, queries that hold
    /// something go on, so that they end; none begins that would take what they give back.
    fn next_query(&self) -> Option<usize> {
        let only_begun = self.slots.has_unopened();
        let opened = self.slots.opened().count();
        for (at, query) in self.queries.iter().enumerate() {
            let Some(floor) = query.next_floor().filter(|_| query.busy < self.threads) else { continue };
            if only_begun && !query.begun {
                continue;
            }
            // When nothing else will free memory the task starts anyway: its reservation says no, with the sizes.
            let fits = self.slots.floors().saturating_add(floor) <= self.floors_limit;
            if fits || opened <= self.lent {
                return Some(at);
            }
            // A later query may use what is left only while this one goes on: else this one might wait forever.
            if query.busy == 0 {
                return None;
            }
        }
        None
    }

    fn start(&mut self, at: usize, out: &mut Vec<Action>) {
        let query = &mut self.queries[at];
        let floor = query.next_floor().unwrap_or(0);
        let Some(next) = query.start() else { return };
        let (id, task, stage) = (query.id, next.task, next.stage);
        self.slots.push(Slot { query: id, task, stage, floor, state: State::Running, hunger: None });
        let stage = StageId(stage as u32);
        let Next { round, index, retries, .. } = next;
        out.push(Action::Start { query: id, task, stage, round, index, floor, retries });
    }
}
