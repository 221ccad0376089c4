//! One scan of a Parquet table: what its readers share.
//!
//! Memory: footers are read again when a split is opened and only a few are kept, so that a table of a hundred thousand
//! files costs no more than one of four. What a reader holds while it decodes is bounded by
//!
//! ```text
//! floor = sum over the leaves that are read of k * (page + dictionary)     k = 2 for bytes and text, else 1
//!       + the largest compressed page                                     one column at a time changes its page
//!       + 2 * batch_bytes                                                 the batch being built, rows being gathered
//! ```
//!
//! Pages and dictionaries are measured, from the headers of each leaf's largest chunk. Text is decoded into views, so the
//! batch before keeps a page and a dictionary alive beside the current ones: hence k.

use super::prune::Pruner;
use super::reader::Reader;
use super::source::Source;
use super::split::{Cutter, Unit};
use super::{fault, footer, schema};
use crate::error::{Error, Result};
use crate::formats::{FileRef, Scan, ScanSpec, Split, SplitReader};
use arrow::datatypes::SchemaRef;
use parquet::file::metadata::ParquetMetaData;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Footers kept for the splits that follow.
const FOOTERS: usize = 4;

/// A scan, cut into units.
pub(super) struct ParquetScan {
    shared: Arc<Shared>,
    units: Vec<Unit>,
    splits: Vec<Split>,
    floor: usize,
}

/// What the readers of a scan share.
pub(super) struct Shared {
    pub(super) files: Vec<FileRef>,
    pub(super) table: SchemaRef,
    /// The schema of what is yielded.
    pub(super) schema: SchemaRef,
    pub(super) spec: ScanSpec,
    pub(super) pruner: Pruner,
    pub(super) tally: Tally,
    footers: Mutex<VecDeque<(usize, Footer)>>,
}

/// A file's footer, and where the table's columns are in the file.
#[derive(Clone)]
pub(super) struct Footer {
    pub(super) meta: Arc<ParquetMetaData>,
    pub(super) columns: Arc<Vec<usize>>,
}

impl ParquetScan {
    /// Reads every footer once and cuts the table into units of about `split_bytes` of the columns that are wanted.
    pub(super) fn plan(
        files: Vec<FileRef>,
        table: SchemaRef,
        spec: ScanSpec,
        split_bytes: usize,
    ) -> Result<ParquetScan> {
        let schema = Arc::new(table.project(&spec.projection)?);
        let pruner = Pruner::new(spec.filter.as_deref(), &table);
        let footers = Mutex::new(VecDeque::new());
        let shared = Shared { files, table, schema, spec, pruner, tally: Tally::default(), footers };
        let read = shared.columns_read();
        schema::readable(&shared.table, &read)?;
        let mut cutter =
            Cutter { pruner: &shared.pruner, read, split_bytes, units: Vec::new(), sizes: BTreeMap::new() };
        for (index, file) in shared.files.iter().enumerate().filter(|(index, _)| shared.spec.reads(*index)) {
            fault::guard(&file.path, || {
                let source = Source::open(file)?;
                let footer = shared.footer(index, &source)?;
                let meta = schema::decoded(footer.meta)?;
                cutter.file(index, &source, &meta, &footer.columns)
            })?;
        }
        let floor = floor(&cutter, shared.spec.batch_bytes);
        let units = cutter.units;
        let splits = units.iter().map(Unit::split).collect();
        Ok(ParquetScan { shared: Arc::new(shared), units, splits, floor })
    }
}

fn floor(cutter: &Cutter<'_>, batch_bytes: usize) -> usize {
    let alive = |bytes: bool| if bytes { 2 } else { 1 };
    let leaves = cutter.sizes.values();
    let pages: usize = leaves.clone().map(|x| alive(x.bytes) * (x.pages.page + x.pages.dictionary)).sum();
    pages + leaves.map(|x| x.pages.compressed).max().unwrap_or(0) + batch_bytes.saturating_mul(2)
}

impl Scan for ParquetScan {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        let unit = self.units.get(index).ok_or_else(|| Error::internal(format!("no split {index} of a scan")))?;
        Ok(Box::new(Reader::open(self.shared.clone(), unit.clone())?))
    }

    fn floor(&self) -> usize {
        self.floor
    }
}

impl Shared {
    /// Columns of the table that are read at all: wanted, or needed by the filter.
    pub(super) fn columns_read(&self) -> Vec<usize> {
        let mut read = self.spec.projection.clone();
        read.extend(self.spec.filter.iter().flat_map(|filter| filter.columns.iter().copied()));
        read.sort_unstable();
        read.dedup();
        read
    }

    /// Whether the filter may be evaluated on its own columns before the others are decoded: where there are others.
    pub(super) fn filters_first(&self) -> bool {
        self.spec.filter.as_ref().is_some_and(|filter| {
            !filter.columns.is_empty() && self.spec.projection.iter().any(|column| !filter.columns.contains(column))
        })
    }

    /// The footer of a file, kept for a while.
    pub(super) fn footer(&self, file: usize, source: &Source) -> Result<Footer> {
        let mut kept = self.footers.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((_, footer)) = kept.iter().find(|(index, _)| *index == file) {
            return Ok(footer.clone());
        }
        let meta = footer::read(source)?;
        let own = schema::bare(schema::decoded(meta.clone())?.schema());
        let path = self.files.get(file).map_or("", |file| &file.path);
        let columns = Arc::new(schema::columns_of(&self.table, &own, path)?);
        let footer = Footer { meta, columns };
        kept.push_back((file, footer.clone()));
        if kept.len() > FOOTERS {
            kept.pop_front();
        }
        Ok(footer)
    }
}

/// How many rows the filter kept so far: whether it pays to evaluate it first.
#[derive(Default)]
pub(super) struct Tally {
    seen: AtomicU64,
    kept: AtomicU64,
    asked: AtomicU64,
}

/// A filter that keeps more than one row in so many is not evaluated first.
const PAYS_BELOW: u64 = 4;
/// Every so many row groups it is tried again: data may be clustered.
const TRY_AGAIN: u64 = 8;

impl Tally {
    pub(super) fn add(&self, seen: usize, kept: usize) {
        self.seen.fetch_add(seen as u64, Relaxed);
        self.kept.fetch_add(kept as u64, Relaxed);
    }

    /// Whether to evaluate the filter first in the next row group.
    pub(super) fn pays(&self) -> bool {
        let asked = self.asked.fetch_add(1, Relaxed);
        let (seen, kept) = (self.seen.load(Relaxed), self.kept.load(Relaxed));
        is_selective(seen as usize, kept as usize) || asked.is_multiple_of(TRY_AGAIN)
    }
}

/// Whether so few of the rows were kept that decoding only them pays.
pub(super) fn is_selective(seen: usize, kept: usize) -> bool {
    (kept as u64).saturating_mul(PAYS_BELOW) <= seen as u64
}
