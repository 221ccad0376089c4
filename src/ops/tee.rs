//! One input for several sinks.
//!
//! Each batch goes to the first sink, then to the second, and so on. A sink that starves or waits holds up the rest; when
//! it is ready again the batch goes on to the next. The columns of a batch are shared, not copied.

use super::{Cx, Flow, Sink, SinkOp};
use crate::batch::Batch;
use crate::error::Result;
use crate::graph::Sizes;
use crate::memory::Reservation;
use std::sync::Arc;

/// Gives every batch to each of its sinks.
pub struct TeeOp {
    /// The sinks, in the order in which they see a batch.
    pub sinks: Vec<Arc<dyn SinkOp>>,
}

impl SinkOp for TeeOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        let sinks: Vec<_> = self.sinks.iter().map(|s| s.local(cx)).collect::<Result<_>>()?;
        Ok(Box::new(Tee { at: sinks.len(), sinks, batch: None, blocked: false }))
    }

    /// The parts of all sinks, one sink after the other.
    fn finish(&self, cx: &Cx) -> Result<Sizes> {
        let sizes = self.sinks.iter().map(|s| s.finish(cx)).collect::<Result<Vec<_>>>()?;
        Ok(Sizes { parts: sizes.into_iter().flat_map(|s| s.parts).collect() })
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for sink in &self.sinks {
            if given < bytes {
                given += sink.spill(bytes - given, cx)?;
            }
        }
        Ok(given)
    }
}

struct Tee {
    sinks: Vec<Box<dyn Sink>>,
    /// What goes round; `None` while it is the end of a task.
    batch: Option<Batch>,
    /// The sink whose turn it is; as many as there are when nothing goes round.
    at: usize,
    /// Whether that sink has to be resumed.
    blocked: bool,
}

impl Tee {
    fn go_round(&mut self, cx: &Cx) -> Result<Flow> {
        while let Some(sink) = self.sinks.get_mut(self.at) {
            let flow = match (self.blocked, &self.batch) {
                (true, _) => sink.resume(cx)?,
                (false, Some(batch)) => sink.push(batch.clone(), cx)?,
                (false, None) => sink.end(cx)?,
            };
            self.blocked = flow != Flow::Ready;
            if self.blocked {
                return Ok(flow);
            }
            self.at += 1;
        }
        self.batch = None;
        Ok(Flow::Ready)
    }

    /// The sink that holds most comes first.
    fn by_size(&mut self) -> Vec<&mut Box<dyn Sink>> {
        let mut sinks: Vec<_> = self.sinks.iter_mut().collect();
        sinks.sort_by_key(|s| std::cmp::Reverse(s.reservation().map_or(0, |r| r.held())));
        sinks
    }
}

impl Sink for Tee {
    fn begin(&mut self, split: u64, cx: &Cx) -> Result<()> {
        self.sinks.iter_mut().try_for_each(|s| s.begin(split, cx))
    }

    fn push(&mut self, batch: Batch, cx: &Cx) -> Result<Flow> {
        (self.batch, self.at) = (Some(batch), 0);
        self.go_round(cx)
    }

    fn resume(&mut self, cx: &Cx) -> Result<Flow> {
        self.go_round(cx)
    }

    fn end(&mut self, cx: &Cx) -> Result<Flow> {
        (self.batch, self.at) = (None, 0);
        self.go_round(cx)
    }

    fn is_done(&self) -> bool {
        self.sinks.iter().all(|s| s.is_done())
    }

    /// The one of which memory was asked back, if any was.
    fn reservation(&self) -> Option<&Arc<Reservation>> {
        let all = || self.sinks.iter().filter_map(|s| s.reservation());
        all().find(|r| r.wanted() > 0).or_else(|| all().next())
    }

    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        let mut given = 0;
        for sink in self.by_size() {
            if given < bytes {
                given += sink.spill(bytes - given, cx)?;
            }
        }
        Ok(given)
    }

    fn finish(self: Box<Self>, cx: &Cx) -> Result<()> {
        self.sinks.into_iter().try_for_each(|s| s.finish(cx))
    }
}
