//! A web in progress: what each of its tasks still waits for, and which of them could start.

use crate::graph::{Knot, Web};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

pub(super) struct Weave {
    web: Arc<Web>,
    /// Of each task: how many that it needs are not done, and how often it may start again.
    waits: Vec<u32>,
    retries: Vec<u32>,
    /// Who needs each task: the n-th one's from `begins[n]` to `begins[n + 1]`.
    dependents: Vec<u32>,
    begins: Vec<usize>,
    /// Tasks that could start, the first of them on top.
    ready: BinaryHeap<Reverse<(Reverse<i32>, u32)>>,
}

impl Weave {
    pub fn new(web: Arc<Web>) -> Self {
        let count = web.tasks.len();
        let mut begins = vec![0usize; count + 1];
        for (_, need) in edges(&web) {
            begins[need as usize + 1] += 1;
        }
        for n in 0..count {
            begins[n + 1] += begins[n];
        }
        let (mut next, mut waits) = (begins.clone(), vec![0; count]);
        let mut dependents = vec![0; begins[count]];
        for (task, need) in edges(&web) {
            let at = &mut next[need as usize];
            dependents[*at] = task;
            *at += 1;
            waits[task as usize] += 1;
        }
        let retries = web.tasks.iter().map(|knot| knot.retries).collect();
        let mut weave = Weave { web, waits, retries, dependents, begins, ready: BinaryHeap::new() };
        (0..count).filter(|n| weave.waits[*n] == 0).collect::<Vec<_>>().into_iter().for_each(|n| weave.offer(n));
        weave
    }

    pub fn len(&self) -> usize {
        self.waits.len()
    }

    /// The floor of the task that would start next; `None` where none could.
    pub fn floor(&self) -> Option<usize> {
        let Reverse((_, task)) = self.ready.peek()?;
        Some(self.web.tasks[*task as usize].floor)
    }

    /// Takes that task.
    pub fn start(&mut self) -> Option<usize> {
        self.ready.pop().map(|Reverse((_, task))| task as usize)
    }

    /// How often the task may start again.
    pub fn retries(&self, task: usize) -> u32 {
        self.retries[task]
    }

    /// The task is done: those that waited for nothing else could start now.
    pub fn done(&mut self, task: usize) {
        for at in self.begins[task]..self.begins[task + 1] {
            let dependent = self.dependents[at] as usize;
            self.waits[dependent] -= 1;
            if self.waits[dependent] == 0 {
                self.offer(dependent);
            }
        }
    }

    /// The task has failed; says whether it could start again now.
    pub fn again(&mut self, task: usize) -> bool {
        let may = self.retries[task] > 0;
        if may {
            self.retries[task] -= 1;
            self.offer(task);
        }
        may
    }

    fn offer(&mut self, task: usize) {
        self.ready.push(Reverse((Reverse(self.web.tasks[task].priority), task as u32)));
    }
}

/// Each task with each one that it needs.
fn edges(web: &Web) -> impl Iterator<Item = (u32, u32)> + '_ {
    let of = |(task, knot): (usize, &Knot)| {
        let task = task as u32;
        knot.needs.clone().into_iter().filter(move |need| *need < task).map(move |need| (task, need))
    };
    web.tasks.iter().enumerate().flat_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weave(tasks: &[(&[u32], i32)]) -> Weave {
        let knot =
            |(needs, priority): &(&[u32], i32)| Knot { needs: needs.to_vec(), priority: *priority, ..Knot::default() };
        Weave::new(Arc::new(Web { tasks: tasks.iter().map(knot).collect() }))
    }

    #[test]
    fn a_task_starts_when_all_it_needs_are_done() {
        let mut weave = weave(&[(&[], 0), (&[], 0), (&[0, 1], 0), (&[2, 0], 0)]);
        assert_eq!((weave.start(), weave.start(), weave.start()), (Some(0), Some(1), None));
        weave.done(1);
        assert_eq!(weave.floor(), None);
        weave.done(0);
        assert_eq!((weave.start(), weave.start()), (Some(2), None));
        weave.done(2);
        assert_eq!(weave.start(), Some(3));
    }

    #[test]
    fn the_highest_priority_goes_first_then_the_smallest_number() {
        let mut weave = weave(&[(&[], 0), (&[], 7), (&[], 0), (&[], 7), (&[], -1)]);
        let order: Vec<usize> = std::iter::from_fn(|| weave.start()).collect();
        assert_eq!(order, [1, 3, 0, 2, 4]);
    }

    #[test]
    fn needs_that_come_later_do_not_count() {
        let mut weave = weave(&[(&[0, 1, 9], 0), (&[0], 0)]);
        assert_eq!(weave.start(), Some(0));
        weave.done(0);
        assert_eq!(weave.start(), Some(1));
    }

    #[test]
    fn a_task_starts_again_as_often_as_it_may() {
        let knot = Knot { retries: 2, ..Knot::default() };
        let mut weave = Weave::new(Arc::new(Web { tasks: vec![knot] }));
        for left in [2, 1] {
            assert_eq!((weave.start(), weave.retries(0)), (Some(0), left));
            assert!(weave.again(0));
        }
        assert_eq!((weave.start(), weave.retries(0), weave.again(0)), (Some(0), 0, false));
    }
}
