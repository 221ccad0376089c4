//! Random sessions against an inline fake world: tasks that run, wait, starve, spill, fail. What must hold in all of
//! them: places and floors are kept, everything ends, each task of a successful query is done once, and a replay agrees.

use super::story::{header, replay};
use super::{Action, Scheduler, Signal};
use crate::ids::{QueryId, ReservationId, StageId, TaskId, Token};
use crate::memory::Claim;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A small generator of its own, so that a seed names a session.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

type Name = (QueryId, TaskId);

struct Task {
    stage: StageId,
    floor: usize,
    /// What it holds; its reservation has its own name.
    held: usize,
    asked: bool,
    steps: usize,
    reservation: ReservationId,
    running: bool,
}

struct World {
    dice: Dice,
    scheduler: Scheduler,
    threads: usize,
    budget: usize,
    floors: usize,
    tasks: BTreeMap<Name, Task>,
    /// Rounds that each stage still gets.
    rounds: BTreeMap<(QueryId, StageId), usize>,
    floor_of: BTreeMap<(QueryId, StageId), usize>,
    after: BTreeMap<QueryId, Vec<Vec<StageId>>>,
    open: BTreeMap<QueryId, usize>,
    aborted: BTreeSet<QueryId>,
    finished: BTreeSet<QueryId>,
    started: usize,
    done: usize,
    signals: VecDeque<Signal>,
    tokens: Vec<(QueryId, Token)>,
    next: u32,
    failing: bool,
    pub story: String,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (threads, floors) = (1 + dice.roll(4), 20 + dice.roll(60));
        let scheduler = Scheduler::new(threads, floors);
        let story = header(&scheduler) + "\n";
        let (failing, budget) = (dice.roll(4) == 0, floors + dice.roll(30));
        World {
            dice,
            scheduler,
            threads,
            budget,
            floors,
            tasks: BTreeMap::new(),
            rounds: BTreeMap::new(),
            floor_of: BTreeMap::new(),
            after: BTreeMap::new(),
            open: BTreeMap::new(),
            aborted: BTreeSet::new(),
            finished: BTreeSet::new(),
            started: 0,
            done: 0,
            signals: VecDeque::new(),
            tokens: Vec::new(),
            next: 0,
            failing,
            story,
        }
    }

    fn submit(&mut self, query: u32) {
        let query = QueryId(query);
        let mut stages: Vec<Vec<StageId>> = Vec::new();
        for n in 0..1 + self.dice.roll(5) as u32 {
            let mut after: Vec<StageId> = (0..n).map(StageId).collect();
            after.retain(|_| self.dice.roll(2) == 0);
            self.rounds.insert((query, StageId(n)), self.dice.roll(3));
            stages.push(after);
        }
        self.open.insert(query, stages.len());
        self.after.insert(query, stages.clone());
        self.signals.push_back(Signal::Submit { query, priority: 0, stages });
    }

    /// Delivers signals and lets tasks step, in random order, until nothing is left to do.
    fn run(&mut self) {
        for turn in 0.. {
            assert!(turn < 200_000, "it does not end:\n{}", &self.story[self.story.len().saturating_sub(3000)..]);
            let running: Vec<Name> = self.tasks.iter().filter(|(_, t)| t.running).map(|(n, _)| *n).collect();
            let choices = running.len() + usize::from(!self.signals.is_empty()) + usize::from(!self.tokens.is_empty());
            if choices == 0 {
                break;
            }
            let choice = self.dice.roll(choices);
            if let Some(name) = running.get(choice) {
                self.step(*name);
            } else if let Some(signal) = self.signals.pop_front() {
                self.deliver(signal);
            } else {
                let at = self.dice.roll(self.tokens.len());
                let (query, token) = self.tokens.swap_remove(at);
                self.signals.push_back(Signal::Ready { query, token });
            }
        }
    }

    fn deliver(&mut self, signal: Signal) {
        self.story.push_str(&format!("> {signal}\n"));
        let mut actions = Vec::new();
        self.scheduler.on(signal, &mut actions);
        for action in actions {
            self.story.push_str(&format!("< {action}\n"));
            self.perform(action);
        }
        self.check();
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Lay { query, stage, .. } => self.lay(query, stage),
            Action::Start { query, task, stage, .. } => self.start(query, task, stage),
            Action::Resume { query, task } => {
                let task = self.tasks.get_mut(&(query, task)).expect("only what was started goes on");
                assert!(!std::mem::replace(&mut task.running, true));
            }
            Action::Ask { reservation, .. } => self.ask(reservation),
            Action::Spill { reservation, .. } => {
                self.ask(reservation);
                self.signals.push_back(Signal::Gave { reservation, bytes: 0 });
            }
            Action::Starve { query, task } => {
                self.tasks.remove(&(query, task));
                self.signals.push_back(Signal::Failed { query, task });
            }
            Action::Abort { query } => {
                self.aborted.insert(query);
                self.tasks.retain(|(q, _), t| *q != query || t.running);
            }
            Action::Finish { query } => {
                assert!(self.tasks.keys().all(|(q, _)| *q != query), "nothing runs after the end");
                assert!(self.finished.insert(query), "a query ends once");
                assert!(self.aborted.contains(&query) || self.open[&query] == 0);
            }
        }
    }

    fn lay(&mut self, query: QueryId, stage: StageId) {
        for other in &self.after[&query][stage.0 as usize] {
            assert!(!self.rounds.contains_key(&(query, *other)), "{stage} waits for {other}");
        }
        let rounds = self.rounds.get_mut(&(query, stage)).expect("an ended stage is not laid out again");
        let (tasks, floor) = if *rounds == 0 {
            self.rounds.remove(&(query, stage));
            *self.open.get_mut(&query).unwrap() -= 1;
            (0, 0)
        } else {
            *rounds -= 1;
            (1 + self.dice.roll(6), self.dice.roll(self.floors / 2))
        };
        self.floor_of.insert((query, stage), floor);
        self.signals.push_back(Signal::Laid { query, stage, tasks, floor, web: None });
    }

    fn start(&mut self, query: QueryId, task: TaskId, stage: StageId) {
        assert!(!self.aborted.contains(&query));
        self.started += 1;
        self.next += 1;
        let (floor, reservation) = (self.floor_of[&(query, stage)], ReservationId(self.next));
        let task_state =
            Task { stage, floor, held: 0, asked: false, steps: self.dice.roll(8), reservation, running: true };
        assert!(self.tasks.insert((query, task), task_state).is_none(), "a task starts once");
    }

    fn ask(&mut self, reservation: ReservationId) {
        self.tasks.values_mut().filter(|t| t.reservation == reservation).for_each(|t| t.asked = true);
    }

    fn committed(&self) -> usize {
        self.tasks.values().map(|t| t.held.max(t.floor)).sum()
    }

    /// One step of a task: it honours a request, grows, waits, fails or ends.
    fn step(&mut self, (query, id): Name) {
        let free = self.budget.saturating_sub(self.committed());
        let (what, more, fails) = (self.dice.roll(6), 1 + self.dice.roll(12), self.dice.roll(40) == 0);
        let Some(task) = self.tasks.get_mut(&(query, id)) else { return };
        let above = task.held.saturating_sub(task.floor);
        if std::mem::take(&mut task.asked) && above > 0 {
            task.held = task.floor;
            return self.signals.push_back(Signal::Freed { query, task: id, bytes: above });
        }
        if self.aborted.contains(&query) || (self.failing && fails) {
            self.tasks.remove(&(query, id));
            return self.signals.push_back(Signal::Failed { query, task: id });
        }
        if task.steps == 0 {
            self.tasks.remove(&(query, id));
            self.done += 1;
            return self.signals.push_back(Signal::Done { query, task: id });
        }
        if what == 0 {
            task.steps -= 1;
            task.running = false;
            self.next += 1;
            let token = Token(u64::from(self.next));
            self.tokens.push((query, token));
            return self.signals.push_back(Signal::Waiting { query, task: id, token });
        }
        let grown = (task.held + more).max(task.floor) - task.held.max(task.floor);
        if grown <= free {
            task.held += more;
            task.steps -= 1;
            return;
        }
        // A state that can spill works within its floor: with nothing above it, it goes on without growing.
        if above == 0 && (what < 4 || !self.failing) {
            task.steps -= 1;
            return;
        }
        task.running = false;
        let reservation = task.reservation;
        let claims =
            self.tasks.values().map(|t| Claim { id: t.reservation, held: t.held, floor: t.floor, revocable: true });
        let claims = claims.collect();
        self.signals.push_back(Signal::Starved { query, task: id, reservation, bytes: more, claims });
    }

    fn check(&self) {
        assert!(self.tasks.values().filter(|t| t.running).count() <= self.threads, "threads");
        for query in self.after.keys() {
            assert!(self.tasks.keys().filter(|(q, _)| q == query).count() <= self.threads, "places of a query");
        }
        let floors: usize = self.tasks.values().map(|t| t.floor).sum();
        assert!(floors <= self.floors, "floors");
        for ((query, _), task) in &self.tasks {
            assert!(self.rounds.contains_key(&(*query, task.stage)), "a stage ended before its tasks");
        }
    }
}

#[test]
fn random_sessions_end_and_replay() {
    let (mut starved, mut resumed, mut aborted, mut done) = (0, 0, 0, 0);
    for seed in 1..=1500 {
        let mut world = World::new(seed);
        let queries = 1 + world.dice.roll(4) as u32;
        for query in 0..queries {
            world.submit(query);
            if world.dice.roll(8) == 0 {
                world.signals.push_back(Signal::Cancel { query: QueryId(query) });
            }
        }
        world.run();
        assert_eq!(world.finished.len(), queries as usize, "seed {seed} left a query open:\n{}", world.story);
        assert!(world.tasks.is_empty(), "seed {seed}");
        assert!(!world.aborted.is_empty() || world.started == world.done, "seed {seed}: each task is done once");
        assert!(world.failing || !world.story.contains("< starve "), "seed {seed}: memory suffices");
        replay(&world.story).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        starved += world.story.matches("> starved").count();
        resumed += world.story.matches("> freed").count();
        aborted += world.aborted.len();
        done += world.done;
    }
    assert!(starved > 1000 && resumed > 500 && aborted > 100 && done > 10_000, "{starved} {resumed} {aborted} {done}");
}
