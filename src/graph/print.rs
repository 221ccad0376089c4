//! A graph as text for people (`Display`) and for Graphviz ([`Graph::dot`]).

use super::order::depth_first;
use super::{Graph, Stage};
use crate::ids::StageId;
use std::fmt::{self, Write};

impl fmt::Display for Graph {
    /// A line a stage: its number, name, what it waits for, and its layout.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let afters: Vec<String> = self.stages.iter().map(after_text).collect();
        let id = format!("s{}", self.stages.len().saturating_sub(1)).len();
        let name = self.stages.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
        let after = afters.iter().map(String::len).max().unwrap_or(0);
        for (i, (stage, waits)) in self.stages.iter().zip(&afters).enumerate() {
            writeln!(f, "{:<id$}  {:<name$}  after {waits:<after$}  {:?}", format!("s{i}"), stage.name, stage.layout)?;
        }
        Ok(())
    }
}

fn after_text(stage: &Stage) -> String {
    if stage.after.is_empty() {
        return "-".to_string();
    }
    stage.after.iter().map(StageId::to_string).collect::<Vec<_>>().join(",")
}

impl Graph {
    /// The stages in the static order in which they run when several could.
    pub fn order(&self) -> Vec<StageId> {
        depth_first(&self.stages.iter().map(|s| s.after.clone()).collect::<Vec<_>>())
    }

    /// The graph in Graphviz's language: a box a stage with its place in the static order, an arrow from each stage to
    /// those that wait for it.
    pub fn dot(&self) -> String {
        let mut place = vec![0; self.stages.len()];
        for (n, stage) in self.order().into_iter().enumerate() {
            place[stage.0 as usize] = n;
        }
        let mut out = String::from("digraph query {\n  rankdir=BT;\n  node [shape=box, fontname=\"monospace\"];\n");
        for (i, stage) in self.stages.iter().enumerate() {
            let _ = writeln!(out, "  s{i} [label=\"s{i} {}\\norder {}\"];", escape(&stage.name), place[i]);
        }
        for (i, stage) in self.stages.iter().enumerate() {
            for other in &stage.after {
                let _ = writeln!(out, "  {other} -> s{i};");
            }
        }
        out.push_str("}\n");
        out
    }
}

/// A name inside a quoted label: it may hold anything that a user wrote.
fn escape(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::Fixed;
    use super::*;
    use std::sync::Arc;

    fn join() -> Graph {
        let mut g = Graph::default();
        let build = g.add("scan \"orders\"", vec![], Arc::new(Fixed { tasks: 1, floor: 64 }));
        let probe = g.add("scan lineitem", vec![build], Arc::new(Fixed { tasks: 12, floor: 64 }));
        g.add("result", vec![probe, build], Arc::new(Fixed { tasks: 1, floor: 0 }));
        g
    }

    #[test]
    fn prints_a_line_a_stage() {
        let golden = "\
s0  scan \"orders\"  after -      Fixed { tasks: 1, floor: 64 }
s1  scan lineitem  after s0     Fixed { tasks: 12, floor: 64 }
s2  result         after s1,s0  Fixed { tasks: 1, floor: 0 }
";
        assert_eq!(join().to_string(), golden);
        assert_eq!(Graph::default().to_string(), "");
    }

    #[test]
    fn prints_graphviz() {
        let golden = r#"digraph query {
  rankdir=BT;
  node [shape=box, fontname="monospace"];
  s0 [label="s0 scan \"orders\"\norder 0"];
  s1 [label="s1 scan lineitem\norder 1"];
  s2 [label="s2 result\norder 2"];
  s0 -> s1;
  s1 -> s2;
  s0 -> s2;
}
"#;
        assert_eq!(join().dot(), golden);
    }
}
