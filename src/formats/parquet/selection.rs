//! Which rows of a row group are read: ranges of pages, a split's part, the rows that a filter kept.

use super::prune::{Pruner, ValueRange, is_ordered, may_hold};
use super::stats::flat_leaf;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;
use datafusion_common::ScalarValue;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use std::ops::Range;

/// The rows of the only row group of `meta` that `pruner` and `part` leave; `None` for all.
///
/// `columns` says where the table's columns are in the file.
pub(super) fn rows_to_read(
    meta: &ArrowReaderMetadata,
    pruner: &Pruner,
    columns: &[usize],
    part: Option<&Range<usize>>,
) -> Result<Option<RowSelection>> {
    let rows = rows_of(meta)?;
    check_offsets(meta, rows)?;
    let mut selection = part.map(|part| RowSelection::from_consecutive_ranges(std::iter::once(part.clone()), rows));
    for (column, test) in &pruner.tests {
        let Some(pages) = columns.get(*column).and_then(|root| pages_of(meta, *root)) else { continue };
        let kept = pages.iter().filter(|page| may_hold(test, &page.values)).map(|page| page.rows.clone());
        let kept = RowSelection::from_consecutive_ranges(kept, rows);
        selection = Some(match selection {
            Some(others) => others.intersection(&kept),
            None => kept,
        });
    }
    Ok(selection.filter(|s| s.row_count() < rows))
}

/// Rows of the only row group.
pub(super) fn rows_of(meta: &ArrowReaderMetadata) -> Result<usize> {
    let rows = meta.metadata().row_groups().first().map_or(0, |group| group.num_rows());
    usize::try_from(rows).map_err(|_| Error::data("the file is corrupt: a row group of less than no rows"))
}

struct PageRange {
    rows: Range<usize>,
    values: ValueRange,
}

/// The pages of a flat column and what the column index says of them; `None` where there is none that can be used.
fn pages_of(meta: &ArrowReaderMetadata, root: usize) -> Option<Vec<PageRange>> {
    let leaf = flat_leaf(meta.parquet_schema(), root)?;
    let field = meta.schema().fields().get(root).filter(|field| is_ordered(field.data_type()))?;
    let (values, offsets) = (meta.metadata().column_index()?, meta.metadata().offset_index()?);
    let converter = StatisticsConverter::from_column_index(leaf, field, meta.parquet_schema()).ok()?;
    let min = converter.data_page_mins(values, offsets, &[0]).ok()?;
    let max = converter.data_page_maxes(values, offsets, &[0]).ok()?;
    let nulls = converter.data_page_null_counts(values, offsets, &[0]).ok()?;
    let counts = converter.data_page_row_counts(offsets, meta.metadata().row_groups(), &[0]).ok()??;
    if min.len() != counts.len() || max.len() != counts.len() {
        return None;
    }
    let mut at = 0usize;
    let mut pages = Vec::with_capacity(counts.len());
    for (index, count) in counts.iter().enumerate() {
        let rows = at..at.checked_add(usize::try_from(count?).ok()?)?;
        at = rows.end;
        let only_nulls = nulls.len() == counts.len() && known(&nulls, index) == count;
        let values = ValueRange { min: value(&min, index), max: value(&max, index), only_nulls };
        pages.push(PageRange { rows, values });
    }
    Some(pages)
}

fn known(counts: &UInt64Array, index: usize) -> Option<u64> {
    counts.is_valid(index).then(|| counts.value(index))
}

fn value(array: &ArrayRef, index: usize) -> ScalarValue {
    ScalarValue::try_from_array(array, index).unwrap_or(ScalarValue::Null)
}

/// Pages must follow each other within the row group: skipping by a broken index would lose rows without a word.
fn check_offsets(meta: &ArrowReaderMetadata, rows: usize) -> Result<()> {
    let chunks = meta.metadata().row_groups().first().map_or(&[][..], |group| group.columns());
    let index = meta.metadata().offset_index().and_then(|index| index.first());
    for (offsets, chunk) in index.into_iter().flatten().zip(chunks) {
        let pages = offsets.page_locations();
        let (start, length) = chunk.byte_range();
        let inside = pages.iter().all(|page| {
            let end = page.offset.saturating_add(i64::from(page.compressed_page_size));
            page.compressed_page_size >= 0
                && u64::try_from(page.offset).is_ok_and(|at| at >= start)
                && u64::try_from(end).is_ok_and(|end| end <= start + length)
        });
        let ordered = pages.windows(2).all(|two| two[0].first_row_index <= two[1].first_row_index);
        let first = pages.first().is_none_or(|page| page.first_row_index == 0);
        let last = pages.last().is_none_or(|page| usize::try_from(page.first_row_index).is_ok_and(|row| row <= rows));
        if !(inside && ordered && first && last) || (pages.is_empty() && rows > 0) {
            let name = chunk.column_path().string();
            return Err(Error::data(format!(
                "the file is corrupt: the page index of column {name} contradicts itself"
            )));
        }
    }
    Ok(())
}

/// How many selected rows make a batch that spans at most `span` rows of the file, between 1 and `most`: a batch keeps
/// the pages alive that its text points into, so a sparse one must be small.
pub(super) fn batch_of(mask: &BooleanBuffer, span: usize, most: usize) -> usize {
    let rows: Vec<u32> = mask.set_indices().map(|row| row as u32).collect();
    let mut size = most.max(1);
    while size > 1 && rows.chunks(size).any(|batch| spans(batch) > span) {
        size /= 2;
    }
    size
}

fn spans(batch: &[u32]) -> usize {
    match (batch.first(), batch.last()) {
        (Some(first), Some(last)) => (last - first) as usize,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_rows_make_small_batches() {
        let every = |n: usize| BooleanBuffer::collect_bool(1000, |row| row % n == 0);
        assert_eq!(batch_of(&every(1), 100, 64), 64);
        assert_eq!(batch_of(&every(10), 100, 64), 8);
        assert_eq!(batch_of(&every(500), 100, 64), 1);
        assert_eq!(batch_of(&BooleanBuffer::new_unset(10), 100, 64), 64);
    }
}
