//! Helpers for the tests of formats: tables of a text, read in splits of any size.

use super::{RowFilter, ScanSpec, Table, TableDef};
use crate::error::Result;
use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file in a directory that goes with it.
pub(super) struct TestFile {
    dir: tempfile::TempDir,
    name: String,
}

impl TestFile {
    pub(super) fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), bytes).unwrap();
        TestFile { dir, name: name.to_string() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    pub(super) fn open(&self, options: &[(&str, &str)]) -> Result<Arc<Table>> {
        open(&self.path(), options)
    }
}

pub(super) fn open(path: &Path, options: &[(&str, &str)]) -> Result<Arc<Table>> {
    let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let paths = vec![path.to_string_lossy().into_owned()];
    Table::open(TableDef { paths, options, ..TableDef::default() })
}

/// What is wanted of a table: everything, in batches of 3 rows.
pub(super) fn all(table: &Table) -> ScanSpec {
    let projection = (0..table.schema.fields().len()).collect();
    ScanSpec {
        projection,
        filter: None,
        batch_rows: 3,
        batch_bytes: 1 << 20,
        files: None,
        rejects: Default::default(),
        budget: None,
    }
}

pub(super) fn with_filter(spec: ScanSpec, filter: RowFilter) -> ScanSpec {
    ScanSpec { filter: Some(Arc::new(filter)), ..spec }
}

/// All batches, split after split, each checked in full.
pub(super) fn batches(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Vec<RecordBatch>> {
    let (rows, scan) = (spec.batch_rows, table.scan(spec, split_bytes)?);
    let mut all = Vec::new();
    for index in 0..scan.splits().len() {
        let mut reader = scan.open(index)?;
        while let Some(batch) = reader.next()? {
            assert!(batch.num_rows() <= rows);
            batch.columns().iter().for_each(|c| c.to_data().validate_full().unwrap());
            all.push(batch);
        }
    }
    Ok(all)
}

pub(super) type Cells = Vec<Vec<Option<String>>>;

/// The rows of batches as texts.
pub(super) fn cells(batches: &[RecordBatch]) -> Cells {
    let options = FormatOptions::new();
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for r in 0..batch.num_rows() {
            let cell = |(f, c): (&ArrayFormatter<'_>, &Arc<dyn Array>)| c.is_valid(r).then(|| f.value(r).to_string());
            rows.push(columns.iter().zip(batch.columns()).map(cell).collect());
        }
    }
    rows
}

pub(super) fn read(table: &Arc<Table>, split_bytes: usize) -> Result<Cells> {
    Ok(cells(&batches(table, all(table), split_bytes)?))
}
