//! What a step holds beside the items that pass it, announced to the budget.

use super::Bag;
use super::node::{Laying, Node, Pipe};
use crate::error::Result;
use std::sync::Arc;

/// The same partitions, each charged with more bytes.
struct Charged<T> {
    input: Arc<dyn Node<T>>,
    bytes: usize,
}

impl<T: 'static> Node<T> for Charged<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let pipe = self.input.lay(laying)?;
        Ok(Pipe { in_flight: pipe.in_flight + self.bytes, ..pipe })
    }
}

impl<T: Send + 'static> Bag<T> {
    /// The same items, while the budget is charged with so many bytes for each partition that is open: for functions of the
    /// steps before it that hold something large. Where that many are not free, fewer partitions are open at a time.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let tables = Bag::range(&session, 0..4, 4).map(|n| vec![n; 100_000]).holding(1 << 20);
    /// assert_eq!(tables.map(|table| table.len() as u64).sum()?, Some(400_000));
    /// # Ok(())
    /// # }
    /// ```
    pub fn holding(&self, bytes: usize) -> Bag<T> {
        self.then(Charged { input: self.node.clone(), bytes })
    }
}
