//! Items as rows of frames' operators, and back.
//!
//! ```text
//! key: canonical bytes | item: encoded | hash of the key      by key
//! item: encoded | sort key: bytes in the order of keys         in order
//! item: encoded                                                at rest
//! ```
//!
//! A partition of a bag is a source of batches; sources of batches are chains of items again.

use super::coding::{encode, encode_key};
use super::hash::hash;
use super::items::{Blocked, Chain, Items, Pulled, Pulse};
use super::node::{Partitions, Pipe};
use super::task::{Drawn, Opening, Taken};
use crate::batch::{Batch, Position};
use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ops::sort::SortOp;
use crate::ops::{Cx, Pull, Source, SourceOp};
use crate::plan;
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Key, item, hash.
    Keyed,
    /// Item, sort key.
    Ordered,
    /// Item.
    Plain,
}

impl Form {
    pub(super) fn schema(self) -> SchemaRef {
        let bytes = |name: &str| Field::new(name, DataType::BinaryView, true);
        Arc::new(Schema::new(match self {
            Form::Keyed => vec![bytes("key"), bytes("item"), Field::new("hash", DataType::UInt64, true)],
            Form::Ordered => vec![bytes("item"), bytes("order")],
            Form::Plain => vec![bytes("item")],
        }))
    }
}

/// A batch of rows in the making.
pub(super) struct RowBuilder {
    form: Form,
    keys: BinaryViewBuilder,
    items: BinaryViewBuilder,
    hashes: Vec<u64>,
    /// The bytes of the key in hand, of the item in hand.
    key: Vec<u8>,
    item: Vec<u8>,
    pub(super) rows: usize,
    bytes: usize,
    most: usize,
}

impl RowBuilder {
    pub(super) fn new(form: Form) -> Self {
        RowBuilder {
            form,
            keys: BinaryViewBuilder::new(),
            items: BinaryViewBuilder::new(),
            hashes: Vec::new(),
            key: Vec::new(),
            item: Vec::new(),
            rows: 0,
            bytes: 0,
            most: usize::MAX,
        }
    }

    /// Makes batches of fewer bytes than usual.
    pub(super) fn most(&mut self, bytes: usize) {
        self.most = bytes;
    }

    /// Adds an item alone.
    pub(super) fn plain<T: Serialize>(&mut self, item: &T) -> Result<()> {
        self.item.clear();
        encode(item, &mut self.item)?;
        self.push_item()
    }

    /// Adds an item under its key.
    pub(super) fn keyed<K: Serialize + ?Sized, T: Serialize>(
        &mut self,
        key: &K,
        item: &T,
        tuning: &Tuning,
    ) -> Result<()> {
        self.key.clear();
        encode_key(key, &mut self.key)?;
        let hash = hash(&self.key, tuning);
        self.push_key(hash)?;
        self.plain(item)
    }

    /// Adds an item under the bytes of its key.
    pub(super) fn under<T: Serialize>(&mut self, key: &[u8], hash: u64, item: &T) -> Result<()> {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.push_key(hash)?;
        self.plain(item)
    }

    /// Adds an item with bytes to sort it by.
    pub(super) fn ordered<T: Serialize>(&mut self, order: impl FnOnce(&mut Vec<u8>), item: &T) -> Result<()> {
        self.key.clear();
        order(&mut self.key);
        self.push_key(0)?;
        self.plain(item)
    }

    fn push_key(&mut self, hash: u64) -> Result<()> {
        self.keys.try_append_value(&self.key)?;
        self.hashes.push(hash);
        self.bytes += self.key.len() + 24;
        Ok(())
    }

    fn push_item(&mut self) -> Result<()> {
        self.items.try_append_value(&self.item)?;
        self.bytes += self.item.len() + 16;
        self.rows += 1;
        Ok(())
    }

    pub(super) fn is_full(&self, tuning: &Tuning) -> bool {
        self.rows >= tuning.batch_rows || self.bytes >= tuning.batch_bytes.min(self.most)
    }

    /// The rows so far, of which there is one at least.
    pub(super) fn finish(&mut self) -> Result<RecordBatch> {
        let items: ArrayRef = Arc::new(self.items.finish());
        let keys: ArrayRef = Arc::new(self.keys.finish());
        let hashes: ArrayRef = Arc::new(UInt64Array::from(std::mem::take(&mut self.hashes)));
        (self.rows, self.bytes) = (0, 0);
        let columns = match self.form {
            Form::Keyed => vec![keys, items, hashes],
            Form::Ordered => vec![items, keys],
            Form::Plain => vec![items],
        };
        Ok(RecordBatch::try_new(self.form.schema(), columns)?)
    }
}

/// Adds an item to the rows of its partition.
pub(super) type AddRow<T> = dyn Fn(&mut RowBuilder, T, &Cx) -> Result<()> + Send + Sync;

/// Sees the rows of each batch: partition, number in it, rows, bytes.
pub(super) type SeeBatch = dyn Fn(usize, u64, usize, usize) + Send + Sync;

/// The partitions of a bag as a source of batches.
struct ItemsOp<T> {
    partitions: Arc<dyn Partitions<T>>,
    form: Form,
    add: Arc<AddRow<T>>,
    see: Option<Arc<SeeBatch>>,
}

/// The rows of a bag's items, as a pipeline of frames.
pub(super) fn rows_of<T: Send + 'static>(
    pipe: Pipe<T>,
    form: Form,
    batch_bytes: usize,
    add: Arc<AddRow<T>>,
    see: Option<Arc<SeeBatch>>,
) -> plan::Pipe {
    let meter = Arc::new(Meter::default());
    let top = plan::Described::new("bag", pipe.name.clone(), meter.clone(), Vec::new());
    let inlet = plan::Inlet {
        name: pipe.name,
        source: Arc::new(ItemsOp { partitions: pipe.partitions, form, add, see }),
        meter,
        layout: pipe.layout,
        tasks: pipe.tasks,
        in_flight: pipe.in_flight + 2 * batch_bytes,
        after: pipe.after,
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    plan::Pipe::from(inlet, top)
}

impl<T: Send + 'static> SourceOp for ItemsOp<T> {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(Encoding {
            opening: Opening::new(self.partitions.clone(), index),
            rows: RowBuilder::new(self.form),
            add: self.add.clone(),
            see: self.see.clone(),
            partition: index,
            batches: 0,
            row: 0,
            ended: false,
        }))
    }
}

struct Encoding<T> {
    opening: Opening<T>,
    rows: RowBuilder,
    add: Arc<AddRow<T>>,
    see: Option<Arc<SeeBatch>>,
    partition: usize,
    batches: u64,
    row: u64,
    ended: bool,
}

impl<T> Encoding<T> {
    fn batch(&mut self) -> Result<Pull> {
        let bytes = self.rows.bytes;
        let data = self.rows.finish()?;
        if let Some(see) = &self.see {
            see(self.partition, self.batches, data.num_rows(), bytes);
        }
        let position = Position { split: 0, row: self.row };
        self.row += data.num_rows() as u64;
        self.batches += 1;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}

impl<T: Send> Source for Encoding<T> {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        if self.ended {
            return Ok(Pull::End);
        }
        let (rows, add) = (&mut self.rows, &self.add);
        let drawn = self.opening.pull(cx, &mut |item| {
            add(rows, item, cx)?;
            Ok(if rows.is_full(&cx.tuning) { Taken::Enough } else { Taken::More })
        })?;
        match drawn {
            Drawn::Wait(token) => return Ok(Pull::Wait(token)),
            Drawn::Starved(starved) => return Ok(Pull::Starved(starved)),
            Drawn::More | Drawn::Pause => {}
            Drawn::End => self.ended = true,
        }
        match self.rows.rows {
            0 if self.ended => Ok(Pull::End),
            0 => Ok(Pull::Empty),
            _ if self.ended || self.rows.is_full(&cx.tuning) => self.batch(),
            _ => Ok(Pull::Empty),
        }
    }
}

/// Rows that come from a source, one after the other.
pub(super) struct RowReader {
    /// `None` at the end.
    source: Option<Box<dyn Source>>,
    columns: Vec<BinaryViewArray>,
    next: usize,
    rows: usize,
}

impl RowReader {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        RowReader { source: Some(source), columns: Vec::new(), next: 0, rows: 0 }
    }

    /// Brings the first rows in.
    pub(super) fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        match self.fill(pulse)? {
            Pulled::Blocked(why) => Ok(Some(why)),
            _ => Ok(None),
        }
    }

    /// Goes to the next row: its bytes are then in [`bytes`](Self::bytes).
    pub(super) fn advance(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<()>> {
        match self.fill(pulse)? {
            Pulled::Item(()) => {
                self.next += 1;
                pulse.origin.item += 1;
                pulse.burn((0..self.columns.len()).filter_map(|column| self.bytes(column)).map(<[u8]>::len).sum());
                Ok(Pulled::Item(()))
            }
            other => Ok(other),
        }
    }

    /// Brings rows in, if none are left.
    fn fill(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<()>> {
        if self.next < self.rows {
            return Ok(if pulse.is_spent() { Pulled::Pause } else { Pulled::Item(()) });
        }
        let Some(source) = &mut self.source else { return Ok(Pulled::End) };
        match source.next(pulse.cx)? {
            Pull::Batch(batch) => {
                (self.next, self.rows) = (0, batch.rows());
                let columns = batch.data.columns().iter().map(|c| c.as_binary_view_opt().cloned());
                let strange = || Error::internal("rows of a bag with a column that is no bytes");
                self.columns = columns.collect::<Option<_>>().ok_or_else(strange)?;
                Ok(if self.rows > 0 { Pulled::Item(()) } else { Pulled::Pause })
            }
            Pull::Empty => Ok(Pulled::Pause),
            Pull::Starved(starved) => Ok(Pulled::Blocked(Blocked::Starved(starved))),
            Pull::Wait(token) => Ok(Pulled::Blocked(Blocked::Wait(token))),
            Pull::End => {
                self.source = None;
                Ok(Pulled::End)
            }
        }
    }

    /// The bytes of a column of the row in hand; `None` for a null.
    pub(super) fn bytes(&self, column: usize) -> Option<&[u8]> {
        let column = self.columns.get(column)?;
        let row = self.next.checked_sub(1).filter(|row| *row < column.len())?;
        column.is_valid(row).then(|| column.value(row))
    }
}

/// Makes an item of the row in hand.
pub(super) type ReadRow<T> = dyn Fn(&RowReader) -> Result<T> + Send + Sync;

/// A chain of items read from rows.
pub(super) struct Decoding<T> {
    rows: RowReader,
    read: Arc<ReadRow<T>>,
}

impl<T> Decoding<T> {
    pub(super) fn new(source: Box<dyn Source>, read: &Arc<ReadRow<T>>) -> Self {
        Decoding { rows: RowReader::new(source), read: read.clone() }
    }
}

impl<T> Items<T> for Decoding<T> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.rows.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        super::items::item!(self.rows.advance(pulse));
        Ok(Pulled::Item((self.read)(&self.rows)?))
    }
}

/// The ranges of a sort, whose memory goes back when each of them was read.
pub(super) fn ranges_of<T: 'static>(
    rows: plan::Pipe,
    sort: SortOp,
    make: impl Fn(Box<dyn Source>) -> Chain<T> + Send + Sync + 'static,
) -> Result<Pipe<T>> {
    let pipe = partitions_of(rows, make)?;
    let read = Arc::new(AtomicUsize::new(0));
    Ok(pipe.regroup("ranges", Box::new(|count| count), |input| {
        Arc::new(move |index: usize, cx: &Cx| -> Result<Chain<T>> {
            let last = Last { sort: sort.clone(), read: read.clone(), ranges: input.count()? };
            Ok(Box::new(Ranged { items: input.partitions.open(index, cx)?, _last: last }))
        })
    }))
}

/// Counts the ranges that were read.
struct Last {
    sort: SortOp,
    read: Arc<AtomicUsize>,
    ranges: usize,
}

impl Drop for Last {
    fn drop(&mut self) {
        if self.read.fetch_add(1, Relaxed) + 1 >= self.ranges {
            self.sort.release();
        }
    }
}

/// The items of a range. What they hold goes back before the range counts as read.
struct Ranged<T> {
    items: Chain<T>,
    _last: Last,
}

impl<T> Items<T> for Ranged<T> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.items.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        self.items.next(pulse)
    }
}

/// The partitions that a pipeline of frames puts out, where it is one source without steps.
pub(super) fn partitions_of<T: 'static>(
    rows: plan::Pipe,
    make: impl Fn(Box<dyn Source>) -> Chain<T> + Send + Sync + 'static,
) -> Result<Pipe<T>> {
    let mut inlets = rows.inlets.into_iter();
    let (Some(inlet), None) = (inlets.next(), inlets.next()) else {
        return Err(Error::internal("a pipeline of several sources has no partitions"));
    };
    if !inlet.transforms.is_empty() || !inlet.settles.is_empty() {
        return Err(Error::internal("a pipeline with steps has no partitions"));
    }
    let source = inlet.source;
    Ok(Pipe {
        name: inlet.name,
        partitions: Arc::new(move |index: usize, cx: &Cx| Ok(make(source.open(0, index, cx)?))),
        layout: inlet.layout,
        tasks: inlet.tasks,
        after: inlet.after,
        in_flight: inlet.in_flight + rows.floor,
    })
}
