//! From what is asked for to a web of tasks: only what is needed, each node once, in depth-first order.

use super::future::Handle;
use super::node::{Kind, Node};
use crate::graph::{Facts, Knot, Layout, Round, Web};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Where a result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The task of that number.
    Task(u32),
    /// The value of that number, which is there already.
    Given(u32),
}

/// A task of the plan.
pub(super) struct Planned {
    pub(super) node: Arc<Node>,
    /// Of each argument.
    pub(super) inputs: Vec<From>,
}

/// Everything that must run, and what is asked for.
#[derive(Default)]
pub(super) struct Plan {
    /// Each after all that it needs.
    pub(super) tasks: Vec<Planned>,
    pub(super) givens: Vec<Arc<Node>>,
    pub(super) roots: Vec<From>,
}

impl Plan {
    pub(super) fn of(roots: &[Arc<Node>]) -> Plan {
        let mut plan = Plan::default();
        let mut known = HashMap::new();
        for root in roots {
            plan.visit(root, &mut known);
        }
        plan.roots = roots.iter().filter_map(|root| known.get(&Arc::as_ptr(root)).copied()).collect();
        plan
    }

    /// Adds the node and all it needs. A stack of its own: chains may be long.
    fn visit(&mut self, root: &Arc<Node>, known: &mut HashMap<*const Node, From>) {
        let mut stack = vec![(root, 0)];
        while let Some((node, next)) = stack.pop() {
            if known.contains_key(&Arc::as_ptr(node)) {
                continue;
            }
            match node.inputs.get(next) {
                Some(input) => {
                    stack.push((node, next + 1));
                    stack.push((input, 0));
                }
                None => {
                    let from = self.add(node, known);
                    known.insert(Arc::as_ptr(node), from);
                }
            }
        }
    }

    fn add(&mut self, node: &Arc<Node>, known: &HashMap<*const Node, From>) -> From {
        if !node.is_call() {
            self.givens.push(node.clone());
            return From::Given(self.givens.len() as u32 - 1);
        }
        let inputs = node.inputs.iter().filter_map(|input| known.get(&Arc::as_ptr(input)).copied()).collect();
        self.tasks.push(Planned { node: node.clone(), inputs });
        From::Task(self.tasks.len() as u32 - 1)
    }

    /// How many arguments, of tasks and of who asks, are the result of each task.
    pub(super) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.tasks.len()];
        let arguments = self.tasks.iter().flat_map(|task| &task.inputs).chain(&self.roots);
        for from in arguments {
            if let From::Task(task) = from
                && let Some(uses) = uses.get_mut(*task as usize)
            {
                *uses += 1;
            }
        }
        uses
    }

    /// What running it takes beside the nodes and their results, about: here, in the scheduler, and on its way there.
    pub(super) fn bytes(&self) -> usize {
        let inputs: usize = self.tasks.iter().map(|task| task.inputs.len()).sum();
        160 * self.tasks.len() + 20 * inputs
    }

    /// The tasks' needs, as the scheduler sees them.
    pub(super) fn web(&self) -> Web {
        let knot = |task: &Planned| {
            let of = |from: &From| if let From::Task(task) = from { Some(*task) } else { None };
            let mut needs: Vec<u32> = task.inputs.iter().filter_map(of).collect();
            needs.sort_unstable();
            needs.dedup();
            let options = &task.node.options;
            Knot { needs, priority: options.priority, retries: options.retries, floor: options.memory }
        };
        Web { tasks: self.tasks.iter().map(knot).collect() }
    }

    /// Futures whose results are needed.
    pub(super) fn futures(&self) -> impl Iterator<Item = &Arc<Handle>> {
        self.givens.iter().filter_map(|given| if let Kind::Future(future) = &given.kind { Some(future) } else { None })
    }

    /// Where a task hangs in the graph: itself, who needs it, who needs that one, and so on to what was asked for.
    pub(super) fn path(&self, task: usize) -> String {
        let mut path = String::new();
        let (mut at, mut steps) = (task, 0);
        while let Some(planned) = self.tasks.get(at) {
            path.push_str(&format!("{} #{at}", planned.node.options.name));
            let needs = |other: &Planned| other.inputs.contains(&From::Task(at as u32));
            let Some(next) = self.tasks.iter().skip(at + 1).position(needs) else { break };
            steps += 1;
            path.push_str(if steps < PATH { " -> " } else { " -> ..." });
            if steps == PATH {
                break;
            }
            at += 1 + next;
        }
        path
    }
}

/// Tasks of a path that are told.
const PATH: usize = 6;

/// The layout of the only stage that a plan is.
pub(super) struct WebLayout(pub(super) Arc<Web>);

impl fmt::Debug for WebLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a web of {} tasks", self.0.tasks.len())
    }
}

impl Layout for WebLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let tasks = if facts.round == 0 { self.0.tasks.len() } else { 0 };
        Round { tasks, ..Round::default() }
    }

    fn web(&self) -> Option<Arc<Web>> {
        Some(self.0.clone())
    }
}
