//! What footers say of a table: its schema, its rows, and the least and greatest values of its columns.
//!
//! Only what can be trusted is used: deprecated statistics of types whose order was once undefined, floats (NaN is left
//! out of them) and truncated values count as unknown.

use super::prune::{ValueRange, is_ordered};
use super::source::Source;
use super::{fault, footer, schema};
use crate::error::{Error, Result};
use crate::formats::{ColumnStats, FileRef, TableDef, TableStats};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::schema::types::SchemaDescriptor;
use std::cmp::Ordering;
use std::sync::Arc;

/// The schema and the statistics of a table. Each footer is dropped before the next is read.
pub(super) fn inspect(def: &TableDef, files: &[FileRef]) -> Result<(SchemaRef, TableStats)> {
    let mut table: Option<Schema> = def.schema.as_ref().map(|declared| schema::bare(declared));
    let mut folds: Vec<Fold> = Vec::new();
    let mut stats = TableStats { rows: Some(0), ..TableStats::default() };
    for file in files {
        fault::guard(&file.path, || {
            let meta = schema::decoded(footer::read(&Source::open(file)?)?)?;
            let own = schema::bare(meta.schema());
            let merged = match table.take() {
                None => own.clone(),
                Some(declared) if def.schema.is_some() => declared,
                Some(first) => schema::agree(&first, &own, &file.path)?,
            };
            let columns = schema::columns_of(&merged, &own, &file.path)?;
            folds.resize_with(columns.len(), Fold::default);
            for (fold, column) in folds.iter_mut().zip(columns) {
                fold.file(&meta, column);
            }
            let rows = meta.metadata().row_groups().iter().map(|g| g.num_rows() as u64).sum::<u64>();
            stats.rows = stats.rows.map(|sum| sum + rows);
            stats.bytes += file.size;
            table = Some(merged);
            Ok(())
        })?;
    }
    let table = table.ok_or_else(|| Error::query("a table of no Parquet files"))?;
    stats.columns = folds.into_iter().map(Fold::done).collect();
    Ok((Arc::new(table), stats))
}

/// What is known of a column after some row groups.
#[derive(Default)]
struct Fold {
    min: Known,
    max: Known,
    nulls: Option<u64>,
    nulls_unknown: bool,
    distinct: Option<u64>,
    groups: usize,
}

/// An extreme: none seen yet, known so far, or lost.
#[derive(Default)]
enum Known {
    #[default]
    Nothing,
    Value(ScalarValue),
    Lost,
}

impl Known {
    fn fold(&mut self, value: ScalarValue, wins: Ordering) {
        *self = match std::mem::take(self) {
            Known::Lost => Known::Lost,
            _ if value.is_null() => Known::Lost,
            Known::Nothing => Known::Value(value),
            Known::Value(old) => match value.partial_cmp(&old) {
                None => Known::Lost,
                Some(order) => Known::Value(if order == wins { value } else { old }),
            },
        };
    }

    fn done(self) -> Option<ScalarValue> {
        if let Known::Value(value) = self { Some(value) } else { None }
    }
}

impl Fold {
    fn file(&mut self, meta: &ArrowReaderMetadata, column: usize) {
        let field = meta.schema().field(column);
        let leaf = flat_leaf(meta.parquet_schema(), column).filter(|_| !field.data_type().is_nested());
        for group in meta.metadata().row_groups() {
            match leaf {
                Some(leaf) => self.group(field, meta.parquet_schema(), group, leaf),
                None => (self.min, self.max, self.nulls_unknown) = (Known::Lost, Known::Lost, true),
            }
        }
    }

    fn group(&mut self, field: &Field, columns: &SchemaDescriptor, group: &RowGroupMetaData, leaf: usize) {
        if group.num_rows() == 0 {
            return;
        }
        let chunk = group.column(leaf);
        let counted = chunk.statistics().and_then(|s| s.null_count_opt());
        match counted {
            Some(nulls) => self.nulls = Some(self.nulls.unwrap_or(0) + nulls),
            None => self.nulls_unknown = true,
        }
        self.groups += 1;
        let distinct = chunk.statistics().and_then(|s| s.distinct_count_opt());
        self.distinct = distinct.filter(|_| self.groups == 1);
        if counted == Some(group.num_rows() as u64) {
            return;
        }
        let range = value_range(field, columns, group, leaf);
        let exact = chunk.column_type() != Type::BYTE_ARRAY
            || chunk.statistics().is_some_and(|s| s.min_is_exact() && s.max_is_exact());
        if exact {
            self.min.fold(range.min, Ordering::Less);
            self.max.fold(range.max, Ordering::Greater);
        } else {
            (self.min, self.max) = (Known::Lost, Known::Lost);
        }
    }

    fn done(self) -> ColumnStats {
        let nulls = if self.nulls_unknown { None } else { self.nulls.or(Some(0)) };
        ColumnStats { min: self.min.done(), max: self.max.done(), nulls, distinct: self.distinct, unseen: false }
    }
}

/// The only leaf of a column that is not a group.
pub(super) fn flat_leaf(columns: &SchemaDescriptor, root: usize) -> Option<usize> {
    let is_flat = columns.root_schema().get_fields().get(root)?.is_primitive();
    leaves(columns, root).next().filter(|_| is_flat)
}

/// The leaves of a column.
pub(super) fn leaves(columns: &SchemaDescriptor, root: usize) -> impl Iterator<Item = usize> + '_ {
    (0..columns.num_columns()).filter(move |leaf| columns.get_column_root_idx(*leaf) == root)
}

/// What a row group says of the values of a flat column.
pub(super) fn value_range(
    field: &Field,
    columns: &SchemaDescriptor,
    group: &RowGroupMetaData,
    leaf: usize,
) -> ValueRange {
    let chunk = group.column(leaf);
    let nulls = chunk.statistics().and_then(|s| s.null_count_opt());
    let only_nulls = nulls.is_some_and(|nulls| nulls == group.num_rows() as u64);
    let unknown = ValueRange { min: ScalarValue::Null, max: ScalarValue::Null, only_nulls };
    if !is_trusted(field.data_type(), chunk) {
        return unknown;
    }
    let Ok(converter) = StatisticsConverter::from_column_index(leaf, field, columns) else { return unknown };
    ValueRange {
        min: first(converter.row_group_mins([group])),
        max: first(converter.row_group_maxes([group])),
        only_nulls,
    }
}

fn first(values: parquet::errors::Result<ArrayRef>) -> ScalarValue {
    let value = values.ok().filter(|array| array.len() == 1 && array.is_valid(0));
    value.and_then(|array| ScalarValue::try_from_array(&array, 0).ok()).unwrap_or(ScalarValue::Null)
}

fn is_trusted(kind: &DataType, chunk: &ColumnChunkMetaData) -> bool {
    let deprecated = chunk.statistics().is_none_or(|s| s.is_min_max_deprecated());
    let always_signed = kind.is_signed_integer() || kind.is_temporal();
    is_ordered(kind) && (!deprecated || always_signed) && chunk.column_type() != Type::INT96
}
