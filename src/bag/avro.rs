//! Bags of the records of Avro files, and Avro files of bags.
//!
//! Records are read as they come, a piece of a file being a partition, and become items through their JSON, as the rows of
//! frames do; nothing rests. Files are written in two runs, as frames are made of bags: the first keeps the items and finds
//! out which fields they have, and of which types.

use super::Bag;
use super::frames::{RowItems, texts_and_schema};
use super::items::Chain;
use super::node::{Laying, Node, Pipe};
use super::write::{Begin, Filling};
use crate::error::Result;
use crate::formats::{Assemble, Encode, ScanSpec, Table, TableDef, format_named, objects_of};
use crate::frame::Session;
use crate::io::AtomicFile;
use crate::ops::scan::ScanOp;
use crate::ops::{Cx, SourceOp};
use arrow::datatypes::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

/// The records of a table of files.
struct Records<T> {
    table: Arc<Table>,
    name: String,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Send + 'static> Node<T> for Records<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let limits = &laying.plan.limits;
        let spec = ScanSpec {
            projection: (0..self.table.schema.fields().len()).collect(),
            filter: None,
            batch_rows: limits.tuning.batch_rows,
            batch_bytes: limits.tuning.batch_bytes,
            files: None,
            rejects: laying.plan.rejects.clone(),
            budget: laying.plan.budget.clone(),
        };
        let scan = self.table.scan(spec, limits.split_bytes())?;
        let in_flight = scan.floor() + 4 * limits.tuning.batch_bytes;
        let tasks = scan.splits().len();
        let schema = self.table.schema.clone();
        let op = ScanOp { scan: scan.into(), schema: schema.clone() };
        let open = move |index: usize, cx: &Cx| -> Result<Chain<T>> {
            let encoder = format_named("json")?.encoder(&schema, &BTreeMap::new(), usize::MAX)?;
            Ok(Box::new(RowItems::<T>::new(op.open(0, index, cx)?, encoder)))
        };
        Ok(Pipe { in_flight, ..Pipe::of(self.name.clone(), tasks, open) })
    }
}

impl<T: DeserializeOwned + Send + 'static> Bag<T> {
    /// The records of Avro files (a path, a directory or a glob), decoded into `T`: a struct, or `serde_json::Value`. Decimals
    /// and times are text, as where rows of a frame become items ([`Frame::to_bag`](crate::Frame::to_bag)).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Event {
    ///     id: i64,
    ///     user: Option<User>,
    /// }
    ///
    /// #[derive(serde::Deserialize)]
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let events = Bag::<Event>::read_avro(&session, "testdata/avro/types.avro")?;
    /// let names = events.filter(|event| event.id < 10).flat_map(|event| event.user).map(|user| user.name);
    /// assert_eq!(names.frequencies().count()?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for files that are not there; `Data`, for files that are no Avro; `Unsupported`, for types that contain
    /// themselves.
    pub fn read_avro(session: &Session, path: &str) -> Result<Bag<T>> {
        let def = TableDef { format: Some("avro".into()), paths: vec![path.into()], ..TableDef::default() };
        Ok(Bag::new(session, Records { table: Table::open(def)?, name: format!("read {path}"), of: PhantomData }))
    }
}

/// Writes one file.
struct AvroFile {
    encoder: Box<dyn Encode>,
    file: Box<dyn Assemble>,
    schema: SchemaRef,
    /// Items that are no block yet.
    lines: Vec<u8>,
    rows: usize,
}

/// Begins files of that schema.
fn avro_file(schema: SchemaRef) -> Result<Arc<Begin<String>>> {
    let (avro, options) = (format_named("avro")?, BTreeMap::new());
    // What Avro cannot hold is told before a file begins.
    avro.encoder(&schema, &options, 0)?;
    Ok(Arc::new(move |path: &str, cx: &Cx| {
        let to = AtomicFile::create(Path::new(path))?;
        let encoder = avro.encoder(&schema, &options, cx.tuning.batch_bytes)?;
        let file = avro.assembler(&schema, &options, to)?;
        Ok(Box::new(AvroFile { encoder, file, schema: schema.clone(), lines: Vec::new(), rows: 0 })
            as Box<dyn Filling<String>>)
    }))
}

impl AvroFile {
    fn flush(&mut self) -> Result<()> {
        if std::mem::take(&mut self.rows) == 0 {
            return Ok(());
        }
        self.encoder.push(&objects_of(&self.schema, std::mem::take(&mut self.lines))?)?;
        self.file.append(self.encoder.piece()?)
    }
}

impl Filling<String> for AvroFile {
    fn add(&mut self, item: String, cx: &Cx) -> Result<()> {
        self.lines.extend_from_slice(item.as_bytes());
        self.lines.push(b'\n');
        self.rows += 1;
        let full = self.rows >= cx.tuning.batch_rows || self.lines.len() >= cx.tuning.batch_bytes;
        if full { self.flush() } else { Ok(()) }
    }

    fn complete(mut self: Box<Self>) -> Result<()> {
        self.flush()?;
        self.file.finish().map(drop)
    }
}

impl<T: Serialize + Send + 'static> Bag<T> {
    /// Writes the items into Avro files, one a partition, `*` in the pattern being its number; answers with their names. Of a
    /// pattern without a star there is one file. The schema is that of all items, as in [`to_frame`](Self::to_frame): all
    /// fields may be null.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use serde_json::{Value, json};
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let path = std::env::temp_dir().join(format!("items-{}.avro", std::process::id()));
    /// let items = Bag::from_iter(&session, [json!({"a": 1}), json!({"a": 2.5, "b": ["x"]})], 2);
    /// let files = items.to_avro(&path.to_string_lossy())?;
    /// let back = Bag::<Value>::read_avro(&session, &files[0])?.collect()?;
    /// assert_eq!(back, [json!({"a": 1.0, "b": null}), json!({"a": 2.5, "b": ["x"]})]);
    /// # std::fs::remove_file(&path).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Data`, for items that are no objects; `Unsupported`, for fields whose names are not letters,
    /// digits and `_`.
    pub fn to_avro(&self, pattern: &str) -> Result<Vec<String>> {
        let (texts, schema) = texts_and_schema(self)?;
        let batches = 6 * self.session.lowering().limits.tuning.batch_bytes;
        texts.holding(batches).to_one_or_more(pattern, avro_file(schema)?)
    }
}
