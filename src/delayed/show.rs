//! Graphs of calls as text for people and for Graphviz.

use super::Delayed;
use super::node::{Kind, Node};
use super::plan::{From, Plan};
use std::fmt::Write;
use std::sync::Arc;

/// A line a task: its number, its name, what it needs.
pub(super) fn text(nodes: &[Arc<Node>]) -> String {
    let plan = Plan::of(nodes);
    let number = format!("#{}", plan.tasks.len().saturating_sub(1)).len();
    let name = plan.tasks.iter().map(|task| task.node.options.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (i, task) in plan.tasks.iter().enumerate() {
        let needs: Vec<String> = task.inputs.iter().map(|from| named(&plan, *from)).collect();
        let needs = if needs.is_empty() { "-".into() } else { needs.join(", ") };
        let label = &task.node.options.name;
        let _ = writeln!(out, "{:<number$}  {label:<name$}  after {needs}", format!("#{i}"));
    }
    for root in plan.roots.iter().filter(|root| matches!(root, From::Given(_))) {
        let _ = writeln!(out, "{}", named(&plan, *root));
    }
    out
}

fn named(plan: &Plan, from: From) -> String {
    match from {
        From::Task(task) => format!("#{task}"),
        From::Given(given) => plan.givens.get(given as usize).map_or("?".into(), |node| given_name(node)),
    }
}

fn given_name(node: &Node) -> String {
    let name = &node.options.name;
    match &node.kind {
        Kind::Rested(_) => format!("{name} (at rest)"),
        Kind::Future(_) => format!("{name} (future)"),
        Kind::Value(_) | Kind::Call { .. } => name.to_string(),
    }
}

/// The same in Graphviz's language: a box a task, an ellipse a value that is there, an arrow from each to those that need it.
pub(super) fn dot(nodes: &[Arc<Node>]) -> String {
    let plan = Plan::of(nodes);
    let mut out = String::from("digraph delayed {\n  rankdir=BT;\n  node [shape=box, fontname=\"monospace\"];\n");
    for (i, given) in plan.givens.iter().enumerate() {
        let _ = writeln!(out, "  g{i} [label=\"{}\", shape=ellipse];", escape(&given_name(given)));
    }
    for (i, task) in plan.tasks.iter().enumerate() {
        let _ = writeln!(out, "  t{i} [label=\"{} #{i}\"];", escape(&task.node.options.name));
    }
    for (i, task) in plan.tasks.iter().enumerate() {
        for from in &task.inputs {
            let _ = match from {
                From::Task(other) => writeln!(out, "  t{other} -> t{i};"),
                From::Given(other) => writeln!(out, "  g{other} -> t{i};"),
            };
        }
    }
    out.push_str("}\n");
    out
}

/// A name inside a quoted label: it may hold anything.
fn escape(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ")
}

impl<T> Delayed<T> {
    /// The call and all that it needs as text, a line a task in the order in which they run where several could.
    ///
    /// ```
    /// use partita::prelude::*;
    ///
    /// let load = delayed(|path: &str| path.len()).name("load");
    /// let sum = delayed(|sizes: &[usize]| sizes.iter().sum::<usize>()).name("sum");
    /// let files = [load.call("a.csv"), load.call("b.csv")];
    /// let shown = "\
    /// #0  load  after -
    /// #1  load  after -
    /// #2  sum   after #0, #1
    /// ";
    /// assert_eq!(sum.call(&files).visualize(), shown);
    /// ```
    pub fn visualize(&self) -> String {
        text(std::slice::from_ref(&self.node))
    }

    /// The same in Graphviz's language.
    ///
    /// ```
    /// use partita::prelude::*;
    ///
    /// let double = delayed(|n: i64| n * 2).name("double");
    /// let dot = double.call(double.call(1i64)).dot();
    /// assert!(dot.contains("t1 [label=\"double #1\"];") && dot.contains("t0 -> t1;"));
    /// ```
    pub fn dot(&self) -> String {
        dot(std::slice::from_ref(&self.node))
    }
}
