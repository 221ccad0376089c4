//! Bags of a frame's rows, and frames of a bag's items.
//!
//! A row becomes an item through its JSON: what a frame writes into JSON lines, decoded into the item's type. The rows rest
//! before the bag reads them.
//!
//! Items become rows in two runs, the first of which keeps them at rest as lines of JSON, many to a row: it finds out which
//! columns all of them have (not only the first ones), and of which types. Whoever reads the frame makes the columns of the
//! lines, piece by piece and in parallel. Nested values stay nested.

use super::items::{Blocked, Chain, Items, Pulled, Pulse, lock};
use super::node::{Laying, Node, Partitions, Pipe};
use super::rows::Form;
use super::task::{Drawn, Opening, Taken};
use super::{Bag, Json, Session};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::formats::{Encode, SeenObjects, format_named, objects_of};
use crate::frame::Frame;
use crate::ops::collect::{CollectOp, Collected, PiecesOp, piece_layout};
use crate::ops::supply::Supply;
use crate::ops::{Cx, Pull, Source, SourceOp};
use crate::plan::{self, Outlet};
use arrow::array::{AsArray, BinaryViewBuilder};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The rows of a frame.
struct Rows<T> {
    frame: Frame,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Send + 'static> Node<T> for Rows<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let (pipe, [schema, named]) = self.frame.session().lower_frame(&mut laying.plan, &self.frame)?;
        let limits = laying.plan.limits.clone();
        let rows = Arc::new(CollectOp::new(schema, 0, None));
        let (stage, _) = laying.plan.close(pipe, Outlet::new(rows.clone(), "keep", 2 * limits.page()));
        let pieces = PiecesOp { rows };
        let open = move |index: usize, cx: &Cx| -> Result<Chain<T>> {
            let encoder = format_named("json")?.encoder(&named, &BTreeMap::new(), usize::MAX)?;
            let source = pieces.open(0, index, cx)?;
            Ok(Box::new(RowItems::<T>::new(source, encoder)))
        };
        let layout = Arc::new(piece_layout());
        let in_flight = 4 * limits.tuning.batch_bytes;
        Ok(Pipe { layout, tasks: None, after: vec![stage], in_flight, ..Pipe::of("rows of a frame", 0, open) })
    }
}

/// Lines that were encoded.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    at: usize,
}

impl Lines {
    fn next(&mut self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += len + 1;
        rest.get(..len)
    }
}

pub(super) struct RowItems<T> {
    source: Box<dyn Source>,
    encoder: Box<dyn Encode>,
    lines: Lines,
    of: PhantomData<fn() -> T>,
}

impl<T> RowItems<T> {
    /// The rows of a source, through an encoder of JSON lines.
    pub(super) fn new(source: Box<dyn Source>, encoder: Box<dyn Encode>) -> Self {
        RowItems { source, encoder, lines: Lines::default(), of: PhantomData }
    }
}

impl<T: DeserializeOwned> Items<T> for RowItems<T> {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        loop {
            if pulse.is_spent() {
                return Ok(Pulled::Pause);
            }
            if let Some(line) = self.lines.next() {
                pulse.burn(line.len());
                pulse.origin.item += 1;
                let item = serde_json::from_slice(line);
                return item.map(Pulled::Item).map_err(|e| {
                    let what = std::any::type_name::<T>();
                    Error::data(format!("a row does not fit an item of type {what}: {e}")).because(e)
                });
            }
            match self.source.next(pulse.cx)? {
                Pull::Batch(batch) => {
                    self.encoder.push(&batch.data)?;
                    self.lines = Lines { bytes: self.encoder.piece()?.bytes, at: 0 };
                }
                Pull::Empty => return Ok(Pulled::Pause),
                Pull::Starved(starved) => return Ok(Pulled::Blocked(Blocked::Starved(starved))),
                Pull::Wait(token) => return Ok(Pulled::Blocked(Blocked::Wait(token))),
                Pull::End => return Ok(Pulled::End),
            }
        }
    }
}

impl Frame {
    /// The rows as items: structs whose fields are named as the columns, or `serde_json::Value`. Values are what they are in
    /// JSON: decimals and times are text, NaN is null.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Row {
    ///     n: i64,
    ///     word: Option<String>,
    /// }
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let frame = session.sql("SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(n, word)")?;
    /// let words = frame.to_bag::<Row>().filter(|row| row.word.is_none()).map(|row| row.n);
    /// assert_eq!(words.collect()?, [2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_bag<T: DeserializeOwned + Send + 'static>(&self) -> Bag<T> {
        Bag::new(self.session(), Rows { frame: self.clone(), of: PhantomData })
    }
}

/// Items at rest as lines of JSON, and the columns that all of them make.
pub(super) struct Texts {
    rows: Collected,
    items: usize,
    /// Where the pieces end of each partition that was not empty.
    ends: Vec<usize>,
    pub(super) schema: SchemaRef,
}

/// The largest piece of lines that rest together: it is read at one time.
const PIECE: usize = 256 << 10;
/// Pieces that a frame reads as one partition, where there are not too many,
const PIECES: usize = 16;
/// and partitions at most.
const PARTITIONS: usize = 64;

/// Appends an item to a piece of text that rests, and takes it into account; answers with the number of its rows.
pub(super) type Add<T> = dyn Fn(T, &mut Vec<u8>, &mut SeenObjects) -> Result<usize> + Send + Sync;

/// Makes rows of such a piece.
pub(super) type Read = fn(&SchemaRef, Vec<u8>) -> Result<RecordBatch>;

impl Texts {
    /// Runs the bag, and keeps its items as lines.
    fn of<T: Serialize + Send + 'static>(bag: &Bag<T>) -> Result<Arc<Texts>> {
        let add = |item: T, lines: &mut Vec<u8>, objects: &mut SeenObjects| {
            let begin = lines.len();
            write_line(&item, lines)?;
            objects.add(lines.get(begin..).unwrap_or_default())?;
            lines.push(b'\n');
            Ok(1)
        };
        Texts::kept(bag, Arc::new(add))
    }

    /// Runs the bag, and keeps what `add` makes of its items.
    pub(super) fn kept<T: Send + 'static>(bag: &Bag<T>, add: Arc<Add<T>>) -> Result<Arc<Texts>> {
        let mut laying = bag.laying();
        let pipe = bag.node.lay(&mut laying)?;
        let limits = laying.plan.limits.clone();
        let (meter, seen) = (Arc::new(Meter::default()), Arc::<Mutex<Partitioned>>::default());
        let top = plan::Described::new("bag", pipe.name.clone(), meter.clone(), Vec::new());
        let inlet = plan::Inlet {
            name: pipe.name,
            source: Arc::new(Writing { partitions: pipe.partitions, add, seen: seen.clone() }),
            meter,
            layout: pipe.layout,
            tasks: pipe.tasks,
            in_flight: pipe.in_flight + 4 * limits.tuning.batch_bytes,
            after: pipe.after,
            transforms: Vec::new(),
            settles: Vec::new(),
        };
        let rows = Arc::new(CollectOp::new(Form::Plain.schema(), 0, None));
        let outlet = Outlet::new(rows.clone(), "rest", 2 * limits.page());
        laying.plan.close(plan::Pipe::from(inlet, top), outlet);
        bag.run(laying)?;
        let rows = rows.result().ok_or_else(|| Error::internal("lines that were not kept"))?;
        let (mut all, mut items, mut ends) = (SeenObjects::default(), 0, Vec::new());
        for one in std::mem::take(&mut *lock(&seen)).into_values().filter(|one| one.items > 0) {
            all = all.merge(one.objects);
            items += one.items;
            ends.push(ends.last().unwrap_or(&0) + one.pieces);
        }
        Ok(Arc::new(Texts { rows, items, ends, schema: all.schema() }))
    }

    /// The rows that `read` makes of the pieces.
    pub(super) fn frame(self: Arc<Self>, session: &Session, read: Read) -> Result<Frame> {
        let (schema, partitions, items) = (self.schema.clone(), self.partitions(), self.items);
        let columns = schema.clone();
        let supply = Supply::new("bag", schema, partitions, move |partition| {
            let columns = columns.clone();
            Ok(self.share(partition).map(move |text| read(&columns, text?)))
        });
        session.from_supply("bag", supply.with_rows(items))
    }

    /// How many partitions frames read.
    fn partitions(&self) -> usize {
        (self.rows.len() / PIECES).clamp(1, PARTITIONS)
    }

    /// The pieces of such a partition.
    fn share(self: &Arc<Self>, partition: usize) -> impl Iterator<Item = Result<Vec<u8>>> + Send + use<> {
        let (all, count) = (self.rows.len(), self.partitions());
        self.pieces(all * partition / count..all * (partition + 1) / count)
    }

    fn pieces(self: &Arc<Self>, pieces: Range<usize>) -> impl Iterator<Item = Result<Vec<u8>>> + Send + use<> {
        let texts = self.clone();
        pieces.map(move |piece| texts.piece(piece))
    }

    fn piece(&self, index: usize) -> Result<Vec<u8>> {
        let batch = self.rows.batch(index)?;
        let lines = batch.as_ref().and_then(|batch| batch.columns().first()?.as_binary_view_opt());
        let lines = lines.and_then(|lines| lines.iter().next().flatten());
        lines.map(<[u8]>::to_vec).ok_or_else(|| Error::internal("lines at rest were lost"))
    }
}

/// What was seen of partitions.
type Partitioned = BTreeMap<usize, Seen>;

/// What the items of a partition have in common, and how many they are.
#[derive(Default)]
struct Seen {
    objects: SeenObjects,
    items: usize,
    pieces: usize,
}

/// The partitions of a bag as a source of batches, each of one row with many lines.
struct Writing<T> {
    partitions: Arc<dyn Partitions<T>>,
    add: Arc<Add<T>>,
    seen: Arc<Mutex<Partitioned>>,
}

impl<T: Send + 'static> SourceOp for Writing<T> {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(Written {
            opening: Opening::new(self.partitions.clone(), index),
            add: self.add.clone(),
            seen: self.seen.clone(),
            partition: index,
            lines: Vec::new(),
            here: Seen::default(),
            in_piece: 0,
            ended: false,
        }))
    }
}

struct Written<T> {
    opening: Opening<T>,
    add: Arc<Add<T>>,
    seen: Arc<Mutex<Partitioned>>,
    partition: usize,
    lines: Vec<u8>,
    here: Seen,
    /// Rows since the last piece.
    in_piece: usize,
    ended: bool,
}

impl<T: Send + 'static> Source for Written<T> {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        if self.ended {
            return Ok(Pull::End);
        }
        let (most_bytes, most_rows) = (PIECE.min(cx.tuning.batch_bytes), cx.tuning.batch_rows);
        let (lines, objects, in_piece) = (&mut self.lines, &mut self.here.objects, &mut self.in_piece);
        let add = &*self.add;
        let drawn = self.opening.pull(cx, &mut |item| {
            *in_piece += add(item, lines, objects)?;
            let is_full = lines.len() >= most_bytes || *in_piece >= most_rows;
            Ok(if is_full { Taken::Enough } else { Taken::More })
        })?;
        match drawn {
            Drawn::Wait(token) => return Ok(Pull::Wait(token)),
            Drawn::Starved(starved) => return Ok(Pull::Starved(starved)),
            Drawn::More | Drawn::Pause => {}
            Drawn::End => self.ended = true,
        }
        match self.in_piece {
            0 if self.ended => {
                self.tell();
                Ok(Pull::End)
            }
            n if n > 0 && (self.ended || self.lines.len() >= most_bytes || n >= most_rows) => self.batch(),
            _ => Ok(Pull::Empty),
        }
    }
}

impl<T> Written<T> {
    fn batch(&mut self) -> Result<Pull> {
        let position = Position { split: 0, row: self.here.pieces as u64 };
        self.here.items += std::mem::take(&mut self.in_piece);
        self.here.pieces += 1;
        let mut lines = BinaryViewBuilder::new();
        lines.try_append_value(&self.lines)?;
        self.lines.clear();
        self.lines.shrink_to(2 * PIECE);
        let data = RecordBatch::try_new(Form::Plain.schema(), vec![Arc::new(lines.finish())])?;
        if self.ended {
            self.tell();
        }
        Ok(Pull::Batch(Batch::new(data, position)))
    }

    /// Tells what was seen of the whole partition.
    fn tell(&mut self) {
        lock(&self.seen).insert(self.partition, std::mem::take(&mut self.here));
    }
}

/// Appends the JSON of an item in one line.
fn write_line<T: Serialize + 'static>(item: &T, lines: &mut Vec<u8>) -> Result<()> {
    let begin = lines.len();
    match (item as &dyn Any).downcast_ref::<Json>() {
        Some(json) => lines.extend_from_slice(json.as_str().as_bytes()),
        None => serde_json::to_writer(&mut *lines, item)
            .map_err(|e| Error::data(format!("an item cannot be written as JSON: {e}")).because(e))?,
    }
    // JSON that stands as it was read may have line ends, between its values only.
    let made = lines.get_mut(begin..).unwrap_or_default();
    if memchr::memchr(b'\n', made).is_some() {
        made.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    }
    Ok(())
}

/// Lines at rest as items.
struct Resting(Arc<Texts>);

impl Node<String> for Resting {
    fn lay(&self, _laying: &mut Laying) -> Result<Pipe<String>> {
        let texts = self.0.clone();
        let open = move |index: usize, _: &Cx| -> Result<Chain<String>> {
            let end = |index: usize| texts.ends.get(index).copied().unwrap_or(0);
            let begin = index.checked_sub(1).map_or(0, end);
            Ok(Box::new(RestingLines { pieces: Box::new(texts.pieces(begin..end(index))), lines: Lines::default() }))
        };
        Ok(Pipe { in_flight: 4 * PIECE, ..Pipe::of("lines at rest", self.0.ends.len(), open) })
    }
}

struct RestingLines {
    pieces: Box<dyn Iterator<Item = Result<Vec<u8>>> + Send>,
    lines: Lines,
}

impl Items<String> for RestingLines {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<String>> {
        if pulse.is_spent() {
            return Ok(Pulled::Pause);
        }
        loop {
            if let Some(line) = self.lines.next() {
                pulse.burn(line.len());
                let line = String::from_utf8(line.to_vec());
                return line.map(Pulled::Item).map_err(|_| Error::internal("a line at rest is not UTF-8"));
            }
            match self.pieces.next() {
                Some(bytes) => self.lines = Lines { bytes: bytes?, at: 0 },
                None => return Ok(Pulled::End),
            }
        }
    }
}

/// The items at rest as the text of their JSON, and the columns that all of them make.
pub(super) fn texts_and_schema<T: Serialize + Send + 'static>(bag: &Bag<T>) -> Result<(Bag<String>, SchemaRef)> {
    let texts = Texts::of(bag)?;
    let schema = texts.schema.clone();
    Ok((bag.then(Resting(texts)), schema))
}

impl<T: Serialize + Send + 'static> Bag<T> {
    /// The items as rows of a frame, which rest from now on: fields become columns, in the order in which they first appear in
    /// any item, and a column has the type that fits all its values; nested values stay nested, and values that have nothing
    /// in common become the text of their JSON. Items must be structs, or maps whose keys are text.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use serde_json::json;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let items = Bag::from_iter(&session, [json!({"a": 1}), json!({"a": 2.5, "b": "x"})], 2);
    /// session.register("items", &items.to_frame()?)?;
    /// assert_eq!(session.sql("SELECT * FROM items WHERE a > 2 AND b = 'x'")?.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Data`, for items that are no objects.
    pub fn to_frame(&self) -> Result<Frame> {
        Texts::of(self)?.frame(&self.session, objects_of)
    }
}
