//! File formats: what a table is made of, how it is cut into splits, read and written. A format does not know that there
//! is a plan.
//!
//! Life of a table: a [`TableDef`] (paths, format, options) is resolved to files and a schema ([`Table::open`]); the table
//! is cut into [`Split`]s; a [`SplitReader`] yields the wanted columns of one split, without the rows that a [`RowFilter`]
//! refuses: nobody filters them again.
//!
//! Where a table's options ask for it, rows and values that cannot be read are left out and told ([`faults`]).
//!
//! Life of an output: each worker's [`Encode`] turns batches into [`Piece`]s; one [`Assemble`] appends the pieces in order
//! to a file that appears under its name only when it is complete.

mod arrow;
mod avro;
mod csv;
mod directory;
mod faults;
pub mod hive;
mod json;
mod late;
mod log;
mod manual;
mod many;
mod options;
mod parquet;
mod sample;
mod sieve;
mod table;
mod text;
mod values;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod long_tests;
#[cfg(test)]
mod testing;

pub use self::arrow::{ARROW, Arrow};
pub use self::avro::{AVRO, Avro};
pub(crate) use self::parquet::schema::viewed;
pub use self::parquet::{PARQUET, Parquet};
pub use crate::io::{FileRef, Output};
#[doc(hidden)]
pub use csv::scan_structure;
pub use csv::{Sniffed, sniff_csv, sniff_csv_with};
pub use directory::{BeginFile, Directory, Naming, OpenFile};
pub(crate) use json::{Document, HEAD, Next, document_of, is_document};
pub(crate) use json::{Seen as SeenObjects, cursor as json_text, is_json, objects_of, rows_of};
pub(crate) use late::file_with_key;
pub use manual::options_manual;
pub use table::{FORMATS, Table, format_by_ending, format_named};
pub(crate) use text::{Growth, line_at, longest_record, shorten, tiles};

use crate::error::Result;
use crate::memory::Budget;
use crate::rejects::Rejects;
use ::arrow::array::BooleanArray;
use ::arrow::datatypes::SchemaRef;
use ::arrow::record_batch::RecordBatch;
use datafusion_common::ScalarValue;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a table is, as the user said it. Serializable as text: strings only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDef {
    /// `csv`, `json`, `parquet`; `None` goes by the file's ending and its first bytes.
    pub format: Option<String>,
    /// Files, directories or globs, as the user wrote them.
    pub paths: Vec<String>,
    /// Options by name, their values as text (lists as JSON).
    pub options: BTreeMap<String, String>,
    /// A declared schema; `None` infers it.
    pub schema: Option<SchemaRef>,
}

/// A record-aligned piece of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Which file of the table.
    pub file: usize,
    /// For text, bytes of the file (a record belongs to the split in which it starts); for Parquet, row groups.
    pub range: std::ops::Range<u64>,
}

/// What is known of a table without reading it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableStats {
    /// Rows: exact for Parquet, else guessed from the sample.
    pub rows: Option<u64>,
    /// Bytes of the files.
    pub bytes: u64,
    /// By column of the schema: what is known of its values.
    pub columns: Vec<ColumnStats>,
    /// Options that only all the data tells, for those who scan it: by name, as a user would give them.
    pub settled: BTreeMap<String, String>,
}

/// What is known of a column's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnStats {
    /// The least value.
    pub min: Option<ScalarValue>,
    /// The greatest value.
    pub max: Option<ScalarValue>,
    /// Nulls, where counted.
    pub nulls: Option<u64>,
    /// Different values, where known or guessed from the sample.
    pub distinct: Option<u64>,
    /// Whether no value was seen that tells the column's type.
    pub unseen: bool,
}

/// How a format reads files of different columns as one table (`union_by_name`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByName {
    /// Its records name their columns: nothing needs to be done.
    Always,
    /// Values are text, which is read as the type that the table has.
    Read,
    /// Files have types: where they differ, values are cast.
    Cast,
    /// As `Cast`, and always: each file is inspected and read by itself.
    Each,
}

/// A file format: a row of [`FORMATS`].
///
/// Laws, checked by one conformance suite over all formats: the splits of a table cover every record exactly once,
/// wherever they are cut; splits in order yield the rows in the file's order; text columns are `Utf8View`; a broken input
/// is an error with its place, never a panic and never a missing row.
pub trait Format: Send + Sync {
    /// Its name: `csv`.
    fn name(&self) -> &'static str;

    /// Endings of file names that mean this format, without compression: `["csv", "tsv"]`.
    fn endings(&self) -> &'static [&'static str];

    /// The schema of `files` (declared, or guessed from several places of several files) and what is known of the rows.
    /// What a record takes that is longer than the buffers, where all is looked at, is accounted to `budget`.
    ///
    /// # Errors
    /// Options that do not exist (with the nearest name), files that disagree, content that is not of this format;
    /// `Resources` for a record that the budget has no room for.
    fn inspect(&self, def: &TableDef, files: &[FileRef], budget: Option<&Budget>) -> Result<(SchemaRef, TableStats)>;

    /// How it reads files of different columns as one table.
    fn by_name(&self) -> ByName {
        ByName::Cast
    }

    /// What was found of how the files are written, in words, where there is something to find.
    ///
    /// # Errors
    /// The files cannot be read any more.
    fn notes(&self, _table: &Table) -> Result<Option<String>> {
        Ok(None)
    }

    /// Prepares one scan of a table: cuts it into splits of about `split_bytes`.
    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>>;

    /// An encoder for one worker. `held` is the most bytes it may hold.
    fn encoder(&self, schema: &SchemaRef, options: &BTreeMap<String, String>, held: usize) -> Result<Box<dyn Encode>>;

    /// Bytes that such an encoder takes at most, closing pieces included.
    fn encoder_bytes(&self, _schema: &SchemaRef, _options: &BTreeMap<String, String>, held: usize) -> Result<usize> {
        Ok(held + held / 2)
    }

    /// Begins an output into `to`.
    fn assembler(
        &self,
        schema: &SchemaRef,
        options: &BTreeMap<String, String>,
        to: Box<dyn Output>,
    ) -> Result<Box<dyn Assemble>>;
}

/// One scan of one table by one query, shared by its tasks.
pub trait Scan: Send + Sync {
    /// The splits, in the input's order.
    fn splits(&self) -> &[Split];

    /// Opens the `index`-th split.
    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>>;

    /// Bytes that one open reader may hold beside the batch that it yielded: buffers, dictionaries, pages.
    fn floor(&self) -> usize;

    /// Memory is short: lets go of buffers that wait for their next use.
    fn rest(&self) {}
}

/// What a scan wants of each split.
#[derive(Clone)]
pub struct ScanSpec {
    /// Columns of the table's schema, in the order in which they are wanted. May be empty (only rows are counted).
    pub projection: Vec<usize>,
    /// Which rows are wanted: exactly those for which it is true.
    pub filter: Option<Arc<RowFilter>>,
    /// Most rows of a batch.
    pub batch_rows: usize,
    /// Most bytes of a batch, where rows can be divided.
    pub batch_bytes: usize,
    /// Which of the table's files are read, the others are not even opened; `None` is all.
    pub files: Option<Arc<[bool]>>,
    /// Who is told of rows and values that are left out, where the table's options ask for that.
    pub rejects: Rejects,
    /// What records that are longer than a reader's buffers are accounted to.
    pub budget: Option<Budget>,
}

impl ScanSpec {
    /// Whether a file is read.
    pub fn reads(&self, file: usize) -> bool {
        self.files.as_ref().is_none_or(|files| files.get(file).copied().unwrap_or(true))
    }
}

/// A test of rows, handed down so that a format can skip what nobody wants.
pub struct RowFilter {
    /// The columns of the table's schema that `eval` wants, in its order.
    pub columns: Vec<usize>,
    /// Consequences of the test on single columns; for pruning by statistics. Rows within may still fail the test.
    pub bounds: Vec<Bound>,
    /// The test: true keeps the row; null and false refuse it.
    pub eval: Arc<EvalFn>,
    /// The same test as a conjunction, where it is one of several tests.
    pub parts: Vec<FilterPart>,
}

/// One of several tests that a row must pass.
#[derive(Clone)]
pub struct FilterPart {
    /// As of the [`RowFilter`].
    pub columns: Vec<usize>,
    /// As of the [`RowFilter`].
    pub bounds: Vec<Bound>,
    /// As of the [`RowFilter`].
    pub eval: Arc<EvalFn>,
}

/// A test over a batch of the columns that it wants.
pub type EvalFn = dyn Fn(&RecordBatch) -> Result<BooleanArray> + Send + Sync;

/// A consequence of a filter on one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The column of the table's schema.
    pub column: usize,
    /// What its values must satisfy. A null never does.
    pub test: BoundTest,
}

/// What the values of one column must satisfy.
#[derive(Clone, Debug, PartialEq)]
pub enum BoundTest {
    /// At least (inclusive).
    AtLeast(ScalarValue),
    /// At most (inclusive).
    AtMost(ScalarValue),
    /// One of these.
    OneOf(Vec<ScalarValue>),
}

/// Reads one split.
pub trait SplitReader: Send {
    /// The next rows, at most as many as asked for; `None` at the end.
    fn next(&mut self) -> Result<Option<RecordBatch>>;
}

/// Where an encoder may put encoded bytes until its piece is appended, so that they do not stay in memory.
pub trait Shelf: Send + Sync + std::fmt::Debug {
    /// Puts a copy of `bytes` away.
    ///
    /// # Errors
    /// A full disk, a limit of scratch.
    fn put(&self, bytes: &[u8]) -> Result<Box<dyn Shelved>>;
}

/// Bytes on a shelf.
pub trait Shelved: Send {
    /// Takes them back.
    ///
    /// # Errors
    /// What reading the disk meets.
    fn take(self: Box<Self>) -> Result<Vec<u8>>;
}

/// Turns one worker's batches into pieces of an output.
pub trait Encode: Send {
    /// Gives it a shelf, before the first rows. One that makes small pieces needs none.
    ///
    /// # Errors
    /// What making it ready for that meets.
    fn shelve(&mut self, _shelf: Arc<dyn Shelf>) -> Result<()> {
        Ok(())
    }
    /// Adds rows.
    fn push(&mut self, rows: &RecordBatch) -> Result<()>;
    /// Bytes held, encoded or not.
    fn held(&self) -> usize;
    /// Bytes that the piece has so far, about.
    fn size(&self) -> usize {
        self.held()
    }
    /// Ends the piece: everything pushed since the last one.
    fn piece(&mut self) -> Result<Piece>;
}

/// A part of an output file: rows in order.
pub struct Piece {
    /// Encoded bytes.
    pub bytes: Vec<u8>,
    /// Rows inside.
    pub rows: usize,
    /// What the format's `Assemble` must know besides (Parquet: metadata of the row group).
    pub meta: Option<Box<dyn Any + Send>>,
    /// Bytes of memory that `meta` takes.
    pub held: usize,
}

/// Appends pieces to one output, in order. Dropped before `finish`, it leaves nothing behind.
pub trait Assemble: Send {
    /// Appends a piece.
    fn append(&mut self, piece: Piece) -> Result<()>;
    /// Bytes of memory that it keeps until the end, such as a footer.
    fn held(&self) -> usize {
        0
    }
    /// Nothing may be appended for a while: what is kept in memory only to append more is given up.
    fn rest(&mut self) -> Result<()> {
        Ok(())
    }
    /// Completes the output: it appears under its name. Returns its size in bytes.
    fn finish(self: Box<Self>) -> Result<u64>;
}
