//! One query as the scheduler sees it: its stages, which of them have tasks to start, and early wake-ups.

use super::web::Weave;
use crate::graph::{Web, depth_first};
use crate::ids::{QueryId, StageId, TaskId, Token};
use std::sync::Arc;

/// Early wake-ups remembered one by one; see [`Query::heard_early`].
const EARLY: usize = 256;

pub(super) struct Query {
    pub id: QueryId,
    pub priority: i32,
    stages: Vec<Stage>,
    /// Stages with tasks that did not start, the one to start from last.
    ready: Vec<usize>,
    /// Stages that have not ended.
    open: usize,
    /// Stages whose layout was asked and has not answered.
    laying: Vec<usize>,
    /// Tasks in progress.
    pub busy: usize,
    /// A task of it has started: it may hold something.
    pub begun: bool,
    /// It failed or was cancelled: nothing starts any more.
    pub ending: bool,
    next_task: u32,
    early: Vec<Token>,
    /// Tokens up to this one may have been heard and forgotten.
    forgotten: Token,
}

struct Stage {
    /// Its place in the static order.
    rank: usize,
    /// Stages that it waits for and that have not ended.
    waits: usize,
    /// Stages that wait for it.
    dependents: Vec<usize>,
    round: u32,
    /// Tasks of this round; how many of them started, and how many have not ended.
    tasks: usize,
    started: usize,
    left: usize,
    floor: usize,
    first_task: u32,
    /// What its tasks need of one another.
    weave: Option<Weave>,
}

/// A task that could start.
pub(super) struct Next {
    pub task: TaskId,
    pub stage: usize,
    pub round: u32,
    pub index: usize,
    pub retries: u32,
}

impl Query {
    pub fn new(id: QueryId, priority: i32, after: &[Vec<StageId>]) -> Self {
        let mut stages: Vec<Stage> = after.iter().map(|_| Stage::new()).collect();
        for (rank, stage) in depth_first(after).into_iter().enumerate() {
            stages[stage.0 as usize].rank = rank;
        }
        for (number, waits) in after.iter().enumerate() {
            for other in waits.iter().map(|s| s.0 as usize).filter(|o| *o < number) {
                stages[other].dependents.push(number);
                stages[number].waits += 1;
            }
        }
        let open = stages.len();
        Query {
            id,
            priority,
            stages,
            ready: Vec::new(),
            open,
            laying: Vec::new(),
            busy: 0,
            begun: false,
            ending: false,
            next_task: 0,
            early: Vec::new(),
            forgotten: Token(0),
        }
    }

    /// Stages that wait for nothing, in the static order.
    pub fn roots(&self) -> Vec<usize> {
        let mut roots: Vec<usize> = (0..self.stages.len()).filter(|s| self.stages[*s].waits == 0).collect();
        roots.sort_by_key(|s| self.stages[*s].rank);
        roots
    }

    /// The stage is being laid out from now on; returns the round.
    pub fn lay(&mut self, stage: usize) -> u32 {
        self.laying.push(stage);
        self.stages[stage].round
    }

    /// The layout answered. Returns the stages that may be laid out now, if that ended the stage.
    pub fn laid(&mut self, stage: usize, tasks: usize, floor: usize, web: Option<Arc<Web>>) -> Vec<usize> {
        let Some(asked) = self.laying.iter().position(|s| *s == stage) else { return Vec::new() };
        self.laying.swap_remove(asked);
        if self.ending {
            return Vec::new();
        }
        if tasks == 0 {
            return self.end(stage);
        }
        let weave = web.map(Weave::new);
        let tasks = weave.as_ref().map_or(tasks, Weave::len);
        let s = &mut self.stages[stage];
        (s.tasks, s.started, s.left, s.floor, s.first_task) = (tasks, 0, tasks, floor, self.next_task);
        s.weave = weave;
        self.next_task = self.next_task.wrapping_add(tasks as u32);
        self.offer(stage);
        Vec::new()
    }

    /// Lists the stage among those with tasks that could start, if it has some.
    fn offer(&mut self, stage: usize) {
        if self.stages[stage].next_floor().is_none() || self.ready.contains(&stage) {
            return;
        }
        let rank = self.stages[stage].rank;
        let at = self.ready.partition_point(|other| self.stages[*other].rank > rank);
        self.ready.insert(at, stage);
    }

    fn end(&mut self, stage: usize) -> Vec<usize> {
        self.open -= 1;
        let mut free = Vec::new();
        for dependent in std::mem::take(&mut self.stages[stage].dependents) {
            self.stages[dependent].waits -= 1;
            if self.stages[dependent].waits == 0 {
                free.push(dependent);
            }
        }
        free.sort_by_key(|s| self.stages[*s].rank);
        free
    }

    /// A task of `stage` has ended well; says whether it was the last of its round.
    pub fn done(&mut self, number: usize, task: TaskId) -> bool {
        let stage = &mut self.stages[number];
        stage.left -= 1;
        let ended = stage.left == 0;
        stage.round += u32::from(ended);
        let index = stage.index(task);
        if let Some(weave) = &mut stage.weave {
            weave.done(index);
            self.offer(number);
        }
        ended
    }

    /// A task of `stage` has failed; says whether it may start again.
    pub fn again(&mut self, number: usize, task: TaskId) -> bool {
        let stage = &mut self.stages[number];
        let index = stage.index(task);
        let may = !self.ending && stage.weave.as_mut().is_some_and(|weave| weave.again(index));
        if may {
            self.offer(number);
        }
        may
    }

    /// The floor of the task that could start next. While an earlier stage is being laid out, which is quick, later
    /// stages hold back: else each gap between two stages would open one more branch.
    pub fn next_floor(&self) -> Option<usize> {
        let next = &self.stages[*self.ready.last()?];
        let earlier = self.laying.iter().any(|s| self.stages[*s].rank < next.rank);
        next.next_floor().filter(|_| !earlier)
    }

    /// Takes the task that could start next.
    pub fn start(&mut self) -> Option<Next> {
        let number = *self.ready.last()?;
        let stage = &mut self.stages[number];
        let index = match &mut stage.weave {
            Some(weave) => weave.start()?,
            None => stage.started,
        };
        stage.started += 1;
        if stage.next_floor().is_none() {
            self.ready.pop();
        }
        self.busy += 1;
        self.begun = true;
        let task = TaskId(stage.first_task.wrapping_add(index as u32));
        let retries = stage.weave.as_ref().map_or(0, |weave| weave.retries(index));
        Some(Next { task, stage: number, round: stage.round, index, retries })
    }

    /// Nothing starts any more.
    pub fn stop(&mut self) {
        self.ending = true;
        self.ready.clear();
        self.early.clear();
    }

    /// Whether nothing of it runs or will run.
    pub fn is_over(&self) -> bool {
        self.open == 0 || (self.ending && self.laying.is_empty() && self.busy == 0)
    }

    /// Remembers a wake-up that came before its wait. Tokens that nobody ever waits for must not pile up: beyond a few
    /// hundred the oldest are forgotten, and whoever waits for a token that old goes on at once (and waits again).
    pub fn hear(&mut self, token: Token) {
        if self.ending || self.early.contains(&token) {
            return;
        }
        if self.early.len() == EARLY {
            let lost = self.early.remove(0);
            self.forgotten = self.forgotten.max(lost);
        }
        self.early.push(token);
    }

    /// Whether `token` was heard before the wait for it.
    pub fn heard_early(&mut self, token: Token) -> bool {
        match self.early.iter().position(|t| *t == token) {
            Some(at) => {
                self.early.swap_remove(at);
                true
            }
            None => token <= self.forgotten,
        }
    }
}

impl Stage {
    fn new() -> Self {
        Stage {
            rank: 0,
            waits: 0,
            dependents: Vec::new(),
            round: 0,
            tasks: 0,
            started: 0,
            left: 0,
            floor: 0,
            first_task: 0,
            weave: None,
        }
    }

    /// The floor of its task that could start next.
    fn next_floor(&self) -> Option<usize> {
        match &self.weave {
            Some(weave) => weave.floor(),
            None => (self.started < self.tasks).then_some(self.floor),
        }
    }

    /// The place of a task in its round.
    fn index(&self, task: TaskId) -> usize {
        task.0.wrapping_sub(self.first_task) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_ups_that_nobody_waits_for_do_not_pile_up() {
        let mut query = Query::new(QueryId(0), 0, &[]);
        for token in 1..=10_000 {
            query.hear(Token(token));
        }
        assert_eq!(query.early.len(), EARLY);
        assert!(query.heard_early(Token(10_000)) && query.heard_early(Token(1)) && !query.heard_early(Token(10_001)));
    }
}
