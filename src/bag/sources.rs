//! Bags of what is in memory, counted, or made by a function. Files are in `text`.

use super::Bag;
use super::items::{Chain, Iterated};
use super::node::{Laying, Node, Pipe};
use crate::error::Result;
use crate::frame::Session;
use crate::ops::Cx;
use std::ops::Range;
use std::sync::Arc;

/// A node of partitions that are there from the start.
struct Made<F> {
    name: &'static str,
    partitions: usize,
    open: Arc<F>,
}

impl<T: 'static, F: Fn(usize) -> Chain<T> + Send + Sync + 'static> Node<T> for Made<F> {
    fn lay(&self, _laying: &mut Laying) -> Result<Pipe<T>> {
        let open = self.open.clone();
        Ok(Pipe::of(self.name, self.partitions, move |index: usize, _: &Cx| Ok(open(index))))
    }
}

/// The `index`-th of `parts` pieces of about equal length.
pub(super) fn piece(len: u64, parts: usize, index: usize) -> Range<u64> {
    let cut = |i: usize| (u128::from(len) * i as u128 / parts.max(1) as u128) as u64;
    cut(index)..cut(index + 1)
}

impl<T: Clone + Send + Sync + 'static> Bag<T> {
    /// The items of an iterator, which is run now, in exactly so many partitions (at least one where there are items), whose
    /// lengths differ by one at most. The items stay in memory, beside the budget; each run clones them.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::from_iter(&session, vec![3, 1, 2], 2).collect()?, [3, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_iter(session: &Session, items: impl IntoIterator<Item = T>, partitions: usize) -> Bag<T> {
        let items: Arc<[T]> = items.into_iter().collect();
        let partitions = if items.is_empty() { partitions } else { partitions.max(1) };
        let open = move |index: usize| -> Chain<T> {
            let (items, range) = (items.clone(), piece(items.len() as u64, partitions, index));
            let range = range.start as usize..range.end as usize;
            Box::new(Iterated(range.filter_map(move |i| items.get(i).cloned())))
        };
        Bag::new(session, Made { name: "items", partitions, open: Arc::new(open) })
    }
}

impl Bag<i64> {
    /// The integers of a range, in so many partitions (at least one where there are any).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..3, 5).collect()?, [0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn range(session: &Session, range: Range<i64>, partitions: usize) -> Bag<i64> {
        let len = if range.is_empty() { 0 } else { range.end.abs_diff(range.start) };
        let partitions = if len == 0 { partitions } else { partitions.max(1) };
        let open = move |index: usize| -> Chain<i64> {
            let piece = piece(len, partitions, index);
            let start = range.start;
            Box::new(Iterated(piece.map(move |n| start.wrapping_add_unsigned(n))))
        };
        Bag::new(session, Made { name: "range", partitions, open: Arc::new(open) })
    }
}

impl<T: Send + 'static> Bag<T> {
    /// So many partitions, each of the items that `make` gives for its number. It is called anew in each run.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let bag = Bag::from_fn(&session, 3, |partition| vec![partition; partition]);
    /// assert_eq!(bag.collect()?, [1, 2, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_fn<I>(session: &Session, partitions: usize, make: impl Fn(usize) -> I + Send + Sync + 'static) -> Bag<T>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        let open = move |index: usize| -> Chain<T> { Box::new(Iterated(make(index).into_iter())) };
        Bag::new(session, Made { name: "function", partitions, open: Arc::new(open) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_everything_once() {
        for (len, parts) in [(0, 3), (1, 1), (10, 3), (3, 10), (u64::MAX, 7)] {
            let pieces: Vec<Range<u64>> = (0..parts).map(|i| piece(len, parts, i)).collect();
            assert!(pieces.windows(2).all(|w| w[0].end == w[1].start));
            assert_eq!((pieces[0].start, pieces[parts - 1].end), (0, len));
            assert!(pieces.iter().all(|p| (p.end - p.start).abs_diff(len / parts as u64) <= 1));
        }
    }
}
