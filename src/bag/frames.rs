//! Bags of a frame's rows, and frames of a bag's items.
//!
//! A row becomes an item through its JSON: what a frame writes into JSON lines, decoded into the item's type. The rows rest
//! before the bag reads them.
//!
//! Items become rows in two runs, the first of which keeps them at rest as the text of their JSON: it finds out which columns
//! all of them have (not only the first ones), and of which types; the second makes the columns. Nested values stay nested.

use super::Bag;
use super::items::{Blocked, Chain, Items, Pulled, Pulse};
use super::node::{Laying, Node, Partitions, Pipe};
use super::reduce::Fold;
use super::task::{Drawn, Opening, Taken};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::formats::{Encode, SeenObjects, format_named, objects_of};
use crate::frame::Frame;
use crate::ops::collect::{CollectOp, PiecesOp, piece_layout};
use crate::ops::{Cx, Pull, Source, SourceOp};
use crate::plan::{self, Outlet};
use arrow::datatypes::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

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

/// The partitions of a bag of objects as a source of batches.
struct Building {
    partitions: Arc<dyn Partitions<String>>,
    schema: SchemaRef,
}

impl SourceOp for Building {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let opening = Opening::new(self.partitions.clone(), index);
        Ok(Box::new(Built { opening, schema: self.schema.clone(), lines: Vec::new(), rows: 0, ended: false }))
    }
}

struct Built {
    opening: Opening<String>,
    schema: SchemaRef,
    lines: Vec<u8>,
    rows: usize,
    ended: bool,
}

impl Source for Built {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        if self.ended {
            return Ok(Pull::End);
        }
        let (lines, rows, tuning) = (&mut self.lines, &mut self.rows, &cx.tuning);
        let drawn = self.opening.pull(cx, &mut |line| {
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
            *rows += 1;
            let full = *rows >= tuning.batch_rows || lines.len() >= tuning.batch_bytes;
            Ok(if full { Taken::Enough } else { Taken::More })
        })?;
        match drawn {
            Drawn::Wait(token) => return Ok(Pull::Wait(token)),
            Drawn::Starved(starved) => return Ok(Pull::Starved(starved)),
            Drawn::More | Drawn::Pause => {}
            Drawn::End => self.ended = true,
        }
        let full = self.rows >= cx.tuning.batch_rows || self.lines.len() >= cx.tuning.batch_bytes;
        if self.rows == 0 || !(full || self.ended) {
            return Ok(if self.ended { Pull::End } else { Pull::Empty });
        }
        self.rows = 0;
        let data = objects_of(&self.schema, std::mem::take(&mut self.lines))?;
        Ok(Pull::Batch(Batch::new(data, Position::default())))
    }
}

/// The items at rest as the text of their JSON, and the columns that all of them make.
pub(super) fn texts_and_schema<T: Serialize + Send + 'static>(bag: &Bag<T>) -> Result<(Bag<String>, SchemaRef)> {
    let texts = bag.mapped("to JSON", |item| {
        let text = serde_json::to_string(&item);
        text.map(Some).map_err(|e| Error::data(format!("an item cannot be written as JSON: {e}")).because(e))
    });
    let texts = texts.persist()?;
    let seen = texts.fold_into(Fold {
        init: Box::new(|_| SeenObjects::default()),
        add: Box::new(|seen: &mut SeenObjects, text: String| seen.add(text.as_bytes()).map(|()| false)),
        merge: Box::new(|a: SeenObjects, b: SeenObjects| Ok(a.merge(b))),
    })?;
    Ok((texts, seen.unwrap_or_default().schema()))
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
        let (texts, schema) = texts_and_schema(self)?;
        let mut laying = texts.laying();
        let pipe = texts.node.lay(&mut laying)?;
        let limits = laying.plan.limits.clone();
        let meter = Arc::new(Meter::default());
        let inlet = plan::Inlet {
            name: pipe.name.clone(),
            source: Arc::new(Building { partitions: pipe.partitions, schema: schema.clone() }),
            meter: meter.clone(),
            layout: pipe.layout,
            tasks: pipe.tasks,
            in_flight: pipe.in_flight + 4 * limits.tuning.batch_bytes,
            after: pipe.after,
            transforms: Vec::new(),
            settles: Vec::new(),
        };
        let rows = Arc::new(CollectOp::new(schema, 0, None));
        let top = plan::Described::new("bag", pipe.name, meter, Vec::new());
        let outlet = Outlet::new(rows.clone(), "keep", 2 * limits.page());
        laying.plan.close(plan::Pipe::from(inlet, top), outlet);
        self.run(laying)?;
        let rows = rows.result().ok_or_else(|| Error::internal("rows that were not kept"))?;
        self.session.frame_of(rows)
    }
}
