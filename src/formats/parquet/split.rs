//! How a table is cut: row groups that the bounds leave, small neighbours together, large ones in parts.

use super::footer::has_page_index;
use super::pages::{PageSizes, estimate, measure};
use super::prune::{Pruner, may_hold};
use super::source::Source;
use super::stats::{flat_leaf, leaves, value_range};
use crate::error::Result;
use crate::formats::Split;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use std::collections::BTreeMap;
use std::ops::Range;

/// The least rows of a part of a row group: below, decoding a dictionary again costs more than it saves.
const PART_ROWS: usize = 32 << 10;
/// Most parts of one row group.
const PARTS: usize = 16;
/// Headers read of one column chunk to learn how large pages are.
const HEADERS: usize = 64;

/// What one reader reads.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// Which file of the table.
    pub(super) file: usize,
    /// Which of its row groups.
    pub(super) groups: Vec<usize>,
    /// A part of the only row group, in rows.
    pub(super) part: Option<Range<usize>>,
}

impl Unit {
    /// The unit as callers see it: the row groups from its first to its last.
    pub(super) fn split(&self) -> Split {
        let first = self.groups.first().copied().unwrap_or(0) as u64;
        let last = self.groups.last().copied().unwrap_or(0) as u64;
        Split { file: self.file, range: first..last + 1 }
    }
}

/// Cuts file after file.
pub(super) struct Cutter<'a> {
    pub(super) pruner: &'a Pruner,
    /// Columns of the table that are read.
    pub(super) read: Vec<usize>,
    pub(super) split_bytes: usize,
    pub(super) units: Vec<Unit>,
    /// For each column of the table, the largest pages seen by leaf.
    pub(super) sizes: BTreeMap<(usize, usize), Largest>,
}

/// The largest column chunk of a leaf, and its pages.
#[derive(Default)]
pub(super) struct Largest {
    chunk: i64,
    pub(super) pages: PageSizes,
    pub(super) bytes: bool,
}

impl Cutter<'_> {
    /// Adds the units of a file. `columns` says where the table's columns are in it.
    pub(super) fn file(
        &mut self,
        file: usize,
        source: &Source,
        meta: &ArrowReaderMetadata,
        columns: &[usize],
    ) -> Result<()> {
        let mut gathered = Unit { file, groups: Vec::new(), part: None };
        let mut bytes = 0usize;
        for (index, group) in meta.metadata().row_groups().iter().enumerate() {
            if group.num_rows() == 0 || !self.survives(group, meta, columns) {
                continue;
            }
            let size = self.learn(source, group, meta, columns)?;
            if bytes.saturating_add(size) > self.split_bytes && !gathered.groups.is_empty() {
                self.units.push(std::mem::replace(&mut gathered, Unit { file, groups: Vec::new(), part: None }));
                bytes = 0;
            }
            if size > self.split_bytes && has_page_index(group) {
                self.parts(file, index, group.num_rows() as usize, size);
            } else {
                gathered.groups.push(index);
                bytes = bytes.saturating_add(size);
            }
        }
        if !gathered.groups.is_empty() {
            self.units.push(gathered);
        }
        Ok(())
    }

    fn survives(&self, group: &RowGroupMetaData, meta: &ArrowReaderMetadata, columns: &[usize]) -> bool {
        self.pruner.tests.iter().all(|(column, test)| {
            let Some(root) = columns.get(*column).copied() else { return true };
            let Some(leaf) = flat_leaf(meta.parquet_schema(), root) else { return true };
            let Some(field) = meta.schema().fields().get(root) else { return true };
            field.data_type().is_nested() || may_hold(test, &value_range(field, meta.parquet_schema(), group, leaf))
        })
    }

    /// The bytes in the file of the columns that are read, and what their pages take.
    fn learn(
        &mut self,
        source: &Source,
        group: &RowGroupMetaData,
        meta: &ArrowReaderMetadata,
        columns: &[usize],
    ) -> Result<usize> {
        let mut bytes = 0;
        for column in &self.read {
            let Some(root) = columns.get(*column) else { continue };
            for (nth, leaf) in leaves(meta.parquet_schema(), *root).enumerate() {
                let chunk = group.column(leaf);
                bytes += usize::try_from(chunk.compressed_size()).unwrap_or(0);
                self.sizes.entry((*column, nth)).or_default().see(source, chunk)?;
            }
        }
        Ok(bytes)
    }

    fn parts(&mut self, file: usize, group: usize, rows: usize, bytes: usize) {
        let parts = bytes.div_ceil(self.split_bytes.max(1)).min(rows / PART_ROWS).clamp(1, PARTS);
        let size = rows.div_ceil(parts);
        for start in (0..rows).step_by(size.max(1)) {
            let part = (parts > 1).then(|| start..rows.min(start + size));
            self.units.push(Unit { file, groups: vec![group], part });
        }
    }
}

impl Largest {
    /// Measures the chunk if it is larger than any before: few are, so few are measured.
    fn see(&mut self, source: &Source, chunk: &ColumnChunkMetaData) -> Result<()> {
        let size = chunk.uncompressed_size();
        if size <= self.chunk + self.chunk / 4 {
            return Ok(());
        }
        let pages = if source.is_remote() { estimate(chunk) } else { measure(source, chunk, HEADERS)? };
        self.chunk = size;
        self.pages.page = self.pages.page.max(pages.page);
        self.pages.compressed = self.pages.compressed.max(pages.compressed);
        self.pages.dictionary = self.pages.dictionary.max(pages.dictionary);
        self.bytes |= matches!(chunk.column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        Ok(())
    }
}
