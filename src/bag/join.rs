//! Joins of two bags by key: the hash join of frames over the rows of both.
//!
//! The right bag is kept in tables by the hash of its keys, the left one streams through them; what does not fit in memory
//! is divided, by further bits of the hash, or joined block by block where one key is too large (see
//! [`ops::join`](crate::ops::join)). What comes out rests before the next step reads it.

use super::Bag;
use super::coding::{Item, decode};
use super::node::{Laying, Node, Pipe};
use super::rows::{Decoding, Form, ReadRow, RowBuilder, RowReader, partitions_of, rows_of};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ops::Cx;
use crate::ops::collect::{CollectOp, PiecesOp, piece_layout};
use crate::ops::join::{Alone, From, Input, Join as Wanted, Kind};
use crate::plan::{self, Outlet, Sides, joined};
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;

/// Which pairs and which single items a join puts out.
#[derive(Clone, Copy)]
struct How {
    kind: Kind,
    left: bool,
    right: bool,
}

/// Appends a row of one side.
type Side<T> = dyn Fn(&mut RowBuilder, T, &Cx) -> Result<()> + Send + Sync;

struct Joined<L, R, U> {
    left: Arc<dyn Node<L>>,
    right: Arc<dyn Node<R>>,
    left_row: Arc<Side<L>>,
    right_row: Arc<Side<R>>,
    how: How,
    read: Arc<ReadRow<U>>,
}

impl<L: Item, R: Item, U: Send + 'static> Node<U> for Joined<L, R, U> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<U>> {
        let limits = laying.plan.limits.clone();
        let batch_bytes = limits.tuning.batch_bytes;
        let left = rows_of(self.left.lay(laying)?, Form::Keyed, batch_bytes, self.left_row.clone(), None);
        let right = rows_of(self.right.lay(laying)?, Form::Keyed, batch_bytes, self.right_row.clone(), None);
        let input = || Input { schema: Form::Keyed.schema(), keys: vec![0] };
        let columns = [self.how.left.then_some(From::Probe(1)), self.how.right.then_some(From::Build(1))];
        let columns: Vec<From> = columns.into_iter().flatten().collect();
        let names = (0..columns.len()).map(|i| Field::new(format!("item {i}"), DataType::BinaryView, true));
        let output = Arc::new(Schema::new(names.collect::<Vec<_>>()));
        let in_flight = left.inlets.iter().map(|inlet| inlet.in_flight).max().unwrap_or(0);
        let wanted = Wanted {
            kind: self.how.kind,
            build: input(),
            probe: input(),
            residual: None,
            null_equals_null: false,
            null_aware: false,
            columns,
            output: output.clone(),
            bits: limits.tuning.partition_bits(limits.memory),
            beside: limits.threads * in_flight,
            least: left.floor,
            // One join that has not decided yet: itself.
            undecided: Arc::new(1.into()),
        };
        let pipe = joined(&mut laying.plan, Sides { build: right, probe: left }, wanted, "bags by key")?;
        let rows = Arc::new(CollectOp::new(output, 0, None));
        let (stage, below) = laying.plan.close(pipe, Outlet::new(rows.clone(), "keep", 2 * limits.page()));
        let meter = Arc::new(Meter::default());
        let inlet = plan::Inlet {
            name: "read joined items".into(),
            source: Arc::new(PiecesOp { rows }),
            meter: meter.clone(),
            layout: Arc::new(piece_layout()),
            tasks: None,
            in_flight: 2 * batch_bytes,
            after: vec![stage],
            transforms: Vec::new(),
            settles: Vec::new(),
        };
        let kept = plan::Pipe::from(inlet, plan::Described::new("kept", "", meter, vec![below]));
        let read = self.read.clone();
        partitions_of(kept, move |source| Box::new(Decoding::new(source, &read)))
    }
}

/// The item in a column, `None` where the other side stood alone.
fn maybe<T: Item>(row: &RowReader, column: usize) -> Result<Option<T>> {
    row.bytes(column).map(decode).transpose()
}

fn sure<T: Item>(row: &RowReader, column: usize) -> Result<T> {
    maybe(row, column)?.ok_or_else(|| Error::internal("a joined item is null"))
}

impl<L: Item> Bag<L> {
    fn joined<R: Item, K: Item, U: Send + 'static>(
        &self,
        right: &Bag<R>,
        left_key: impl Fn(&L) -> K + Send + Sync + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + 'static,
        how: How,
        read: impl Fn(&RowReader) -> Result<U> + Send + Sync + 'static,
    ) -> Bag<U> {
        let left_row = move |rows: &mut RowBuilder, item: L, cx: &Cx| rows.keyed(&left_key(&item), &item, &cx.tuning);
        let right_row = move |rows: &mut RowBuilder, item: R, cx: &Cx| rows.keyed(&right_key(&item), &item, &cx.tuning);
        self.then(Joined {
            left: self.node.clone(),
            right: right.node.clone(),
            left_row: Arc::new(left_row),
            right_row: Arc::new(right_row),
            how,
            read: Arc::new(read),
        })
    }

    /// Every item with every item of `right` whose key is equal. The order is unspecified, as in all joins.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (numbers, more) = (Bag::range(&session, 0..4, 2), Bag::range(&session, 2..6, 2));
    /// let mut pairs = numbers.join(&more, |n| *n, |m| *m).collect()?;
    /// pairs.sort();
    /// assert_eq!(pairs, [(2, 2), (3, 3)]);
    /// assert_eq!(numbers.join(&more, |n| n % 2, |m| m % 2).count()?, 8);
    /// # Ok(())
    /// # }
    /// ```
    pub fn join<R: Item, K: Item>(
        &self,
        right: &Bag<R>,
        left_key: impl Fn(&L) -> K + Send + Sync + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + 'static,
    ) -> Bag<(L, R)> {
        let kind = Kind { pairs: true, probe: Alone::No, build: Alone::No };
        let how = How { kind, left: true, right: true };
        self.joined(right, left_key, right_key, how, |row| Ok((sure(row, 0)?, sure(row, 1)?)))
    }

    /// As [`join`](Self::join), and every item that meets none of `right` once, with `None`.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (numbers, more) = (Bag::range(&session, 0..3, 2), Bag::range(&session, 2..6, 2));
    /// let mut pairs = numbers.left_join(&more, |n| *n, |m| *m).collect()?;
    /// pairs.sort();
    /// assert_eq!(pairs, [(0, None), (1, None), (2, Some(2))]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn left_join<R: Item, K: Item>(
        &self,
        right: &Bag<R>,
        left_key: impl Fn(&L) -> K + Send + Sync + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + 'static,
    ) -> Bag<(L, Option<R>)> {
        let kind = Kind { pairs: true, probe: Alone::Unmatched, build: Alone::No };
        let how = How { kind, left: true, right: true };
        self.joined(right, left_key, right_key, how, |row| Ok((sure(row, 0)?, maybe(row, 1)?)))
    }

    /// As [`join`](Self::join), and every item of either bag that meets none of the other once, with `None`.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (numbers, more) = (Bag::range(&session, 1..3, 2), Bag::range(&session, 2..4, 2));
    /// let mut pairs = numbers.outer_join(&more, |n| *n, |m| *m).collect()?;
    /// pairs.sort();
    /// assert_eq!(pairs, [(None, Some(3)), (Some(1), None), (Some(2), Some(2))]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn outer_join<R: Item, K: Item>(
        &self,
        right: &Bag<R>,
        left_key: impl Fn(&L) -> K + Send + Sync + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + 'static,
    ) -> Bag<(Option<L>, Option<R>)> {
        let kind = Kind { pairs: true, probe: Alone::Unmatched, build: Alone::Unmatched };
        let how = How { kind, left: true, right: true };
        self.joined(right, left_key, right_key, how, |row| Ok((maybe(row, 0)?, maybe(row, 1)?)))
    }

    /// The items that meet one of `right`, each once.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (numbers, more) = (Bag::range(&session, 0..9, 2), Bag::from_iter(&session, [3, 3, 4, 99], 2));
    /// let mut met = numbers.semi_join(&more, |n| *n, |m| *m).collect()?;
    /// met.sort();
    /// assert_eq!(met, [3, 4]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn semi_join<R: Item, K: Item>(
        &self,
        right: &Bag<R>,
        left_key: impl Fn(&L) -> K + Send + Sync + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + 'static,
    ) -> Bag<L> {
        let kind = Kind { pairs: false, probe: Alone::Matched, build: Alone::No };
        let how = How { kind, left: true, right: false };
        self.joined(right, left_key, right_key, how, |row| sure(row, 0))
    }

    /// The items that meet none of `right`.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (numbers, more) = (Bag::range(&session, 0..5, 2), Bag::from_iter(&session, [3, 3, 4, 99], 2));
    /// let mut alone = numbers.anti_join(&more, |n| *n, |m| *m).collect()?;
    /// alone.sort();
    /// assert_eq!(alone, [0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn anti_join<R: Item, K: Item>(
        &self,
        right: &Bag<R>,
        left_key: impl Fn(&L) -> K + Send + Sync + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + 'static,
    ) -> Bag<L> {
        let kind = Kind { pairs: false, probe: Alone::Unmatched, build: Alone::No };
        let how = How { kind, left: true, right: false };
        self.joined(right, left_key, right_key, how, |row| sure(row, 0))
    }
}
