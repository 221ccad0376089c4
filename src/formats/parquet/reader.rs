//! Reads one split, row group after row group.
//!
//! Life of a row group:
//! 1. Its part of the footer is cut out; its page index is read where bounds or a filter can use it.
//! 2. Bloom filters and page ranges leave out what they can.
//! 3. Where the filter has been selective, its own columns are decoded and it is evaluated: a mask of one bit a row.
//!    When few rows remain only they are decoded from the other columns; when many, the mask is forgotten.
//! 4. Batches are decoded page by page: the crate holds one page and one dictionary a column, and text points into them.
//!    Sparse rows are decoded in small batches and copied together, so that a batch never keeps many pages alive.
//! 5. Where the filter was not evaluated first, its columns are decoded beside the others, it is evaluated batch by batch
//!    and its columns are dropped: what is yielded always has exactly the rows that the filter keeps.

use super::prune::bloom_may_hold;
use super::scan::{Footer, Shared, is_selective};
use super::source::Source;
use super::split::Unit;
use super::stats::{flat_leaf, leaves};
use super::{fault, footer, schema, selection};
use crate::error::{Error, Result};
use crate::formats::sieve::Sieve;
use crate::formats::{RowFilter, SplitReader};
use arrow::array::BooleanBufferBuilder;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelectionPolicy,
};
use parquet::basic::Type;
use std::collections::VecDeque;
use std::sync::Arc;

/// A batch of sparse rows spans at most so many times the rows of a full batch.
const SPAN: usize = 2;
/// Above one row in so many a mask is cheaper than a list of ranges.
const MASK_BELOW: usize = 32;
/// Headers of one column chunk that are checked before it is decoded.
const HEADERS: usize = 1 << 20;

/// Reads one unit.
pub(super) struct Reader {
    shared: Arc<Shared>,
    unit: Unit,
    path: Arc<str>,
    source: Source,
    footer: Footer,
    groups: VecDeque<usize>,
    current: Option<Group>,
}

/// A row group that is being read.
enum Group {
    /// Only rows are counted.
    Count(usize),
    /// Columns are decoded.
    Decode(Box<Decode>),
}

struct Decode {
    rows: Columns,
    /// Which rows of each batch are kept; `None` where all that are decoded are.
    sieve: Option<Sieve>,
    /// Gathers sparse rows into full batches.
    gather: Option<BatchCoalescer>,
    /// Rows still to come; the row group must hold what it promised.
    expected: usize,
}

impl Reader {
    /// Opens the file and checks that it is the one that was inspected.
    pub(super) fn open(shared: Arc<Shared>, unit: Unit) -> Result<Reader> {
        let file = shared.files.get(unit.file).ok_or_else(|| Error::internal("a split of a file that is not there"))?;
        let path = file.path.clone();
        let (source, footer) = fault::guard(&path, || {
            let source = Source::open(file)?;
            let footer = shared.footer(unit.file, &source)?;
            Ok((source, footer))
        })?;
        let groups = unit.groups.iter().copied().collect();
        Ok(Reader { shared, unit, path, source, footer, groups, current: None })
    }

    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(group) = &mut self.current {
                if let Some(batch) = group.next(&self.shared)? {
                    return Ok(Some(batch));
                }
                self.current = None;
            }
            let Some(group) = self.groups.pop_front() else { return Ok(None) };
            self.current = self.begin(group)?;
        }
    }

    /// Begins a row group; `None` where no row of it is wanted.
    fn begin(&self, group: usize) -> Result<Option<Group>> {
        let part = self.unit.part.as_ref();
        if self.shared.spec.projection.is_empty() && self.shared.spec.filter.is_none() {
            let rows = self.footer.meta.row_group(group).num_rows() as usize;
            return Ok(Some(Group::Count(part.map_or(rows, |part| part.len()))));
        }
        let filter = self.shared.spec.filter.as_ref();
        let indexed = part.is_some() || filter.is_some() || !self.shared.pruner.is_empty();
        let one = footer::one_group(&self.source, &self.footer.meta, group, indexed)?;
        let meta = schema::decoded(one)?;
        if !self.bloom_filters_allow(&meta) {
            return Ok(None);
        }
        let columns = &self.footer.columns;
        let mut pick = Pick::all(selection::rows_to_read(&meta, &self.shared.pruner, columns, part)?, &meta)?;
        if pick.rows == 0 {
            return Ok(None);
        }
        self.check_pages(&meta)?;
        let mut left = filter;
        if let Some(filter) =
            filter.filter(|_| self.shared.filters_first() && pick.rows > 0 && self.shared.tally.pays())
        {
            (pick, left) = match self.filtered(&pick, &meta, filter)? {
                Some(few) => (few, None),
                None => (pick, left),
            };
        }
        Ok(if pick.rows == 0 { None } else { Some(Group::Decode(Box::new(self.decode(&meta, pick, left)?))) })
    }

    fn bloom_filters_allow(&self, meta: &ArrowReaderMetadata) -> bool {
        let Some(group) = meta.metadata().row_groups().first() else { return true };
        self.shared.pruner.tests.iter().all(|(column, test)| {
            let root = self.footer.columns.get(*column);
            let leaf = root.and_then(|root| flat_leaf(meta.parquet_schema(), *root));
            leaf.is_none_or(|leaf| bloom_may_hold(test, group.column(leaf), &self.source))
        })
    }

    /// No page may claim more than its chunk: the claim is allocated before the page is decompressed.
    fn check_pages(&self, meta: &ArrowReaderMetadata) -> Result<()> {
        if self.source.is_remote() {
            return Ok(()); // each when it is read
        }
        let Some(group) = meta.metadata().row_groups().first() else { return Ok(()) };
        for column in self.shared.columns_read() {
            let Some(root) = self.footer.columns.get(column) else { continue };
            for leaf in leaves(meta.parquet_schema(), *root) {
                super::pages::measure(&self.source, group.column(leaf), HEADERS)?;
            }
        }
        Ok(())
    }

    /// What is decoded next.
    fn announce(&self, meta: &ArrowReaderMetadata, wanted: &[usize]) -> Result<()> {
        let Some(group) = meta.metadata().row_groups().first().filter(|_| self.source.is_remote()) else {
            return Ok(());
        };
        let roots = wanted.iter().filter_map(|column| self.footer.columns.get(*column));
        let chunks = roots.flat_map(|root| leaves(meta.parquet_schema(), *root)).map(|leaf| group.column(leaf));
        self.source.announce(chunks, meta.metadata().offset_index().is_some())
    }

    /// Evaluates the filter on its own columns; picks what it keeps where that is little, else `None`.
    fn filtered(&self, pick: &Pick, meta: &ArrowReaderMetadata, filter: &RowFilter) -> Result<Option<Pick>> {
        let schema = Arc::new(self.shared.table.project(&filter.columns)?);
        let mut rows = self.columns(meta, &filter.columns, schema, pick)?;
        let mut mask = BooleanBufferBuilder::new(pick.rows);
        while let Some(batch) = rows.next()? {
            mask.append_buffer(filter.kept(&batch)?.values());
        }
        if mask.len() != pick.rows {
            return Err(short(pick.rows - mask.len().min(pick.rows)));
        }
        let mask = mask.finish();
        let kept = mask.count_set_bits();
        self.shared.tally.add(pick.rows, kept);
        if !is_selective(pick.rows, kept) {
            return Ok(None);
        }
        let span = self.batch_rows(meta, &self.shared.spec.projection);
        let batch = selection::batch_of(&mask, span.saturating_mul(SPAN), span);
        let masked = kept.saturating_mul(MASK_BELOW) > pick.rows;
        let own = RowSelection::from_boolean_buffer(mask);
        let all = match &pick.selection {
            Some(before) => before.and_then(&own),
            None => own,
        };
        Ok(Some(Pick { selection: Some(all), rows: kept, batch: Some(batch), masked }))
    }

    /// Decodes what is picked; `filter` is what is left to be evaluated.
    fn decode(&self, meta: &ArrowReaderMetadata, pick: Pick, filter: Option<&Arc<RowFilter>>) -> Result<Decode> {
        let Shared { spec, schema, table, .. } = &*self.shared;
        if let Some(filter) = filter {
            let (columns, sieve) = Sieve::new(&spec.projection, schema, filter, table)?;
            let rows = self.columns(meta, &columns, Arc::new(table.project(&columns)?), &pick)?;
            return Ok(Decode { rows, sieve: Some(sieve), gather: None, expected: pick.rows });
        }
        let rows = self.columns(meta, &spec.projection, schema.clone(), &pick)?;
        let full = self.batch_rows(meta, &spec.projection);
        let is_sparse = pick.batch.is_some_and(|batch| batch < full);
        let gather = is_sparse.then(|| BatchCoalescer::new(self.shared.schema.clone(), full));
        Ok(Decode { rows, sieve: None, gather, expected: pick.rows })
    }

    /// Decodes some columns of the table, in the order given.
    fn columns(&self, meta: &ArrowReaderMetadata, wanted: &[usize], schema: SchemaRef, pick: &Pick) -> Result<Columns> {
        let roots: Vec<usize> = wanted.iter().filter_map(|column| self.footer.columns.get(*column).copied()).collect();
        let mut sorted = roots.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let places = roots.iter().filter_map(|root| sorted.binary_search(root).ok()).collect();
        let mask = ProjectionMask::roots(meta.parquet_schema(), sorted);
        self.announce(meta, wanted)?;
        let batch = pick.batch.unwrap_or_else(|| self.batch_rows(meta, wanted));
        let policy = if pick.masked { RowSelectionPolicy::Mask } else { RowSelectionPolicy::Selectors };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.source.clone(), meta.clone())
            .with_projection(mask)
            .with_batch_size(batch)
            .with_row_selection_policy(policy);
        if let Some(selection) = &pick.selection {
            builder = builder.with_row_selection(selection.clone());
        }
        Ok(Columns { decoder: builder.build().map_err(fault::read)?, places, schema })
    }

    /// Rows of a batch whose columns take about `batch_bytes`, by the average row of the row group.
    fn batch_rows(&self, meta: &ArrowReaderMetadata, wanted: &[usize]) -> usize {
        let Some(group) = meta.metadata().row_groups().first() else { return 1 };
        let rows = u64::try_from(group.num_rows()).unwrap_or(1).max(1);
        let roots = wanted.iter().filter_map(|column| self.footer.columns.get(*column));
        let leaves = roots.flat_map(|root| leaves(meta.parquet_schema(), *root));
        let bytes: u64 = leaves.map(|leaf| decoded_bytes(group.column(leaf))).sum();
        let fit = (self.shared.spec.batch_bytes as u64).saturating_mul(rows) / bytes.max(1);
        usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, self.shared.spec.batch_rows.max(1))
    }
}

/// About what a column chunk takes in memory when decoded.
fn decoded_bytes(chunk: &parquet::file::metadata::ColumnChunkMetaData) -> u64 {
    let values = u64::try_from(chunk.num_values()).unwrap_or(0);
    let bytes = |recorded: Option<i64>| u64::try_from(recorded.unwrap_or(chunk.uncompressed_size())).unwrap_or(0);
    match chunk.column_type() {
        Type::BOOLEAN => values.div_ceil(8),
        Type::INT32 | Type::FLOAT => values * 4,
        Type::INT64 | Type::DOUBLE | Type::INT96 => values * 8,
        Type::BYTE_ARRAY => values * 16 + bytes(chunk.unencoded_byte_array_data_bytes()),
        Type::FIXED_LEN_BYTE_ARRAY => values * u64::try_from(chunk.column_descr().type_length()).unwrap_or(16).max(16),
    }
}

/// Which rows of a row group to decode, and how.
struct Pick {
    selection: Option<RowSelection>,
    rows: usize,
    batch: Option<usize>,
    masked: bool,
}

impl Pick {
    fn all(selection: Option<RowSelection>, meta: &ArrowReaderMetadata) -> Result<Pick> {
        let rows = match &selection {
            Some(selection) => selection.row_count(),
            None => selection::rows_of(meta)?,
        };
        Ok(Pick { selection, rows, batch: None, masked: false })
    }
}

/// Some columns of a row group, batch by batch.
struct Columns {
    decoder: ParquetRecordBatchReader,
    /// For each column that is yielded, its place among those decoded.
    places: Vec<usize>,
    schema: SchemaRef,
}

impl Columns {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.decoder.next() else { return Ok(None) };
        let batch = batch.map_err(fault::read_arrow)?;
        let columns: Option<Vec<_>> = self.places.iter().map(|place| batch.columns().get(*place).cloned()).collect();
        let columns = columns.ok_or_else(|| Error::internal("a decoded column is not there"))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        Ok(Some(batch.map_err(fault::read_arrow)?))
    }
}

impl Group {
    fn next(&mut self, shared: &Shared) -> Result<Option<RecordBatch>> {
        match self {
            Group::Count(0) => Ok(None),
            Group::Count(left) => {
                let rows = shared.spec.batch_rows.clamp(1, *left);
                *left -= rows;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                Ok(Some(RecordBatch::try_new_with_options(shared.schema.clone(), Vec::new(), &options)?))
            }
            Group::Decode(decode) => decode.next(),
        }
    }
}

impl Decode {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(full) = self.gather.as_mut().and_then(BatchCoalescer::next_completed_batch) {
                return Ok(Some(full));
            }
            match self.rows.next()? {
                Some(batch) => {
                    self.expected = self.expected.checked_sub(batch.num_rows()).ok_or_else(|| {
                        Error::data("the file is corrupt: a row group holds more rows than it promises")
                    })?;
                    match (&mut self.gather, &self.sieve) {
                        (Some(gather), _) => gather.push_batch(batch)?,
                        (None, Some(sieve)) => return sieve.pass(&batch).map(Some),
                        (None, None) => return Ok(Some(batch)),
                    }
                }
                None if self.expected > 0 => return Err(short(self.expected)),
                None => match self.gather.as_mut().filter(|gather| gather.get_buffered_rows() > 0) {
                    Some(gather) => gather.finish_buffered_batch()?,
                    None => return Ok(None),
                },
            }
        }
    }
}

fn short(rows: usize) -> Error {
    Error::data(format!("the file is corrupt: a row group lacks {rows} of the rows that it promises"))
}

impl SplitReader for Reader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let path = self.path.clone();
        let result = fault::guard(&path, || self.step()).map_err(|e| self.source.cause(e).at(fault::at(&path)));
        if result.is_err() {
            // What panicked or failed is in no state to go on.
            (self.current, self.groups) = (None, VecDeque::new());
        }
        result
    }
}
