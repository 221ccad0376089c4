//! What must hold of a graph before it runs.

use super::Graph;
use crate::error::{Error, Result};

impl Graph {
    /// Checks that every stage waits only for stages made before it, each named once; so there is no cycle.
    ///
    /// # Errors
    /// `Internal`, naming the stage: whoever made the graph is wrong, not the user.
    pub fn check(&self) -> Result<()> {
        for (number, stage) in self.stages.iter().enumerate() {
            for (place, other) in stage.after.iter().enumerate() {
                if other.0 as usize >= number {
                    return Err(fault(
                        number,
                        &stage.name,
                        &format!("waits for {other}, which does not come before it"),
                    ));
                }
                if stage.after[..place].contains(other) {
                    return Err(fault(number, &stage.name, &format!("waits for {other} twice")));
                }
            }
        }
        Ok(())
    }
}

fn fault(number: usize, name: &str, what: &str) -> Error {
    Error::internal(format!("stage s{number} ({name}) {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Fixed, Graph};
    use crate::ids::StageId;
    use std::sync::Arc;

    fn graph(after: &[&[u32]]) -> Graph {
        let mut graph = Graph::default();
        for a in after {
            graph.add("x", a.iter().map(|s| StageId(*s)).collect(), Arc::new(Fixed { tasks: 1, floor: 0 }));
        }
        graph
    }

    #[test]
    fn later_own_and_double_numbers_are_refused() {
        assert!(graph(&[&[], &[0], &[0, 1]]).check().is_ok());
        assert!(graph(&[&[0]]).check().is_err());
        assert!(graph(&[&[], &[0, 0]]).check().is_err());
        let e = graph(&[&[], &[5]]).check().unwrap_err();
        assert_eq!(e.message(), "stage s1 (x) waits for s5, which does not come before it");
    }
}
