//! One call of a function, or a value that is there: what a [`Delayed`](super::Delayed) stands for.
//!
//! Nodes refer to the nodes they need, so a program's graph is in its `Delayed`s and nowhere else. A chain of them may be very
//! long: whatever walks it does so without recursion, its drop too.

use super::args::Results;
use super::future::Handle;
use crate::error::Result;
use crate::store::{Coding, Payload, Shelved};
use std::mem;
use std::sync::Arc;

/// What a task may be told beside its function.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) name: Arc<str>,
    pub(super) retries: u32,
    pub(super) priority: i32,
    /// Bytes that it needs while it runs.
    pub(super) memory: usize,
}

/// A result, and the bytes that it takes.
pub(super) struct Made {
    pub(super) value: Payload,
    pub(super) bytes: usize,
}

/// Calls the function with the results of the nodes that it needs.
pub(super) type Call = dyn Fn(Results) -> Result<Made> + Send + Sync;

pub(super) enum Kind {
    /// A function to call.
    Call { call: Box<Call>, coding: Option<Coding> },
    /// A value of the program.
    Value(Payload),
    /// A result that rests.
    Rested(Shelved),
    /// A result that comes.
    Future(Arc<Handle>),
}

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) options: Arc<Options>,
    /// What the function needs, an entry for each use.
    pub(super) inputs: Vec<Arc<Node>>,
}

impl Node {
    /// A node that is no call.
    pub(super) fn given(name: &str, kind: Kind) -> Arc<Node> {
        let options = Arc::new(Options { name: name.into(), ..Options::default() });
        Arc::new(Node { kind, options, inputs: Vec::new() })
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind, Kind::Call { .. })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut left = mem::take(&mut self.inputs);
        while let Some(node) = left.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                left.append(&mut node.inputs);
            }
        }
    }
}
