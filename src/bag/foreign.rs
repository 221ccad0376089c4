//! The seam between bags and what else runs on the engine: a bag of what other stages of its graph leave, and single partitions
//! of a bag for others.

use super::Bag;
use super::items::{Blocked, Chain, Items, Pulled, Pulse};
use super::node::{Laying, Node, Pipe};
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::graph::Fixed;
use crate::ids::StageId;
use crate::ops::Cx;
use crate::plan::Stages;
use std::sync::Arc;

/// The items of a partition that somebody else holds.
pub(crate) type Left<T> = Box<dyn Iterator<Item = T> + Send>;

/// Opens a partition that stages have left. An error of kind `Resources` is tried again.
pub(crate) type OpenLeft<T> = Arc<dyn Fn(usize) -> Result<Left<T>> + Send + Sync>;

/// Lays the stages that must run before, and says how partitions are opened afterwards.
pub(crate) type LayLeft<T> = dyn Fn(&mut Stages) -> Result<(Option<StageId>, OpenLeft<T>)> + Send + Sync;

struct LeftBy<T> {
    name: &'static str,
    partitions: usize,
    lay: Box<LayLeft<T>>,
}

impl<T: Send + 'static> Node<T> for LeftBy<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let (stage, open) = (self.lay)(&mut laying.plan.stages)?;
        let open = move |index: usize, _: &Cx| -> Result<Chain<T>> { Ok(Box::new(Handed(open(index)?))) };
        Ok(Pipe { after: stage.into_iter().collect(), ..Pipe::of(self.name, self.partitions, open) })
    }
}

struct Handed<T>(Left<T>);

impl<T> Items<T> for Handed<T> {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        if pulse.is_spent() {
            return Ok(Pulled::Pause);
        }
        pulse.burn(0);
        pulse.origin.item += 1;
        Ok(self.0.next().map_or(Pulled::End, Pulled::Item))
    }
}

/// One partition of a bag.
struct Only<T> {
    input: Arc<dyn Node<T>>,
    index: usize,
}

impl<T: Send + 'static> Node<T> for Only<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let input = self.input.lay(laying)?;
        let (partitions, index) = (input.partitions, self.index);
        let open = move |_: usize, cx: &Cx| partitions.open(index, cx);
        let name = format!("{}, partition {index}", input.name);
        let pipe = Pipe::of(name, 1, open);
        Ok(Pipe { layout: Arc::new(Fixed { tasks: 1, floor: 0 }), in_flight: input.in_flight, ..pipe })
    }
}

impl<T: Send + 'static> Bag<T> {
    /// So many partitions, left by stages that `lay` lays.
    pub(crate) fn left_by(session: &Session, name: &'static str, partitions: usize, lay: Box<LayLeft<T>>) -> Bag<T> {
        Bag::new(session, LeftBy { name, partitions, lay })
    }

    /// How many partitions there are, where each can run by itself: nothing must run before.
    pub(crate) fn independent(&self) -> Result<Option<usize>> {
        let pipe = self.node.lay(&mut self.laying())?;
        Ok(pipe.tasks.filter(|_| pipe.after.is_empty()))
    }

    /// Only the partition of that number.
    pub(crate) fn only(&self, index: usize) -> Result<Bag<T>> {
        match self.independent()? {
            Some(count) if index < count => Ok(self.then(Only { input: self.node.clone(), index })),
            _ => Err(Error::internal(format!("the bag has no partition {index} of its own"))),
        }
    }
}
