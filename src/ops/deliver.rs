//! The end of a query whose rows somebody reads: batches go to a queue that puts the pieces of the input in turn.

use super::{Cx, Flow, Sink, SinkOp};
use crate::batch::Batch;
use crate::error::Result;
use crate::graph::{PartSize, Sizes};
use crate::store::{Push, TurnQueue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Hands rows to the reader of the result.
pub struct DeliverOp {
    queue: TurnQueue,
    shared: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Pieces of the input that began: they are numbered from 0 without gaps.
    pieces: AtomicU64,
    rows: AtomicU64,
}

impl DeliverOp {
    /// A sink into `queue`.
    pub fn new(queue: TurnQueue) -> Self {
        DeliverOp { queue, shared: Arc::default() }
    }
}

impl SinkOp for DeliverOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Deliver { queue: self.queue.clone(), shared: self.shared.clone(), split: 0, done: false }))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        self.queue.close(self.shared.pieces.load(Relaxed));
        let rows = self.shared.rows.load(Relaxed);
        Ok(Sizes { parts: vec![PartSize { rows, ..PartSize::default() }] })
    }
}

struct Deliver {
    queue: TurnQueue,
    shared: Arc<Counts>,
    split: u64,
    done: bool,
}

impl Sink for Deliver {
    fn begin(&mut self, split: u64, _cx: &Cx) -> Result<()> {
        self.shared.pieces.fetch_max(split + 1, Relaxed);
        (self.split, self.done) = (split, self.queue.is_done(split));
        Ok(())
    }

    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        self.shared.rows.fetch_add(batch.rows() as u64, Relaxed);
        Ok(match self.queue.push(self.split, batch, &cx.wakers)? {
            Push::Ready => Flow::Ready,
            Push::Wait(token) => Flow::Wait(token),
            Push::Done => {
                self.done = true;
                Flow::Ready
            }
        })
    }

    fn end(&mut self, _cx: &Cx) -> Result<Flow> {
        self.queue.end(self.split);
        Ok(Flow::Ready)
    }

    fn is_done(&self) -> bool {
        self.done || self.queue.is_done(self.split)
    }

    fn finish(self: Box<Self>, _cx: &Cx) -> Result<()> {
        Ok(())
    }
}
