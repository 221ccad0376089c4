//! A table over files: the definition resolved to files, a format and a schema.

use super::{FileRef, Format, Scan, ScanSpec, TableDef, TableStats};
use crate::error::{Error, Result};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Every format there is.
pub static FORMATS: &[&dyn Format] = &[&super::PARQUET, &super::ARROW];

/// A table whose files, format and schema are known.
pub struct Table {
    /// What the user said.
    pub def: TableDef,
    /// How its files are read.
    pub format: &'static dyn Format,
    /// The files, in the order of their names.
    pub files: Vec<FileRef>,
    /// The columns. Text is `Utf8View`.
    pub schema: SchemaRef,
    /// What is known without reading.
    pub stats: TableStats,
}

impl Table {
    /// Finds the files, decides the format, infers or checks the schema.
    ///
    /// # Errors
    /// No such file, an empty glob, files of different formats or schemas, unknown options, broken content.
    pub fn open(_def: TableDef) -> Result<Arc<Table>> {
        Err(Error::unsupported("tables over files"))
    }

    /// Prepares a scan.
    ///
    /// # Errors
    /// As the format says.
    pub fn scan(self: &Arc<Self>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        self.format.scan(self, spec, split_bytes)
    }
}
