//! The end of a query whose rows somebody reads: batches go to a queue that puts the pieces of the input in turn.

use super::{Cx, Flow, Sink, SinkOp};
use crate::batch::Batch;
use crate::error::Result;
use crate::graph::Sizes;
use crate::store::TurnQueue;
use std::sync::Arc;

/// Hands rows to the reader of the result.
pub struct DeliverOp {
    /// The reader's queue.
    pub queue: Arc<TurnQueue>,
}

impl SinkOp for DeliverOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Sink>> {
        unimplemented!()
    }
    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        unimplemented!()
    }
}
