//! Parquet: columns in row groups, read with the `parquet` crate and written by it.
//!
//! Life of a scan:
//! 1. `footer` reads and checks the footer of each file; `schema` turns its types into ours (text as views) and insists
//!    that the files of a table agree by name; `stats` folds what the footers say of rows and values.
//! 2. `split` leaves out row groups that the filter's bounds exclude (`prune`), puts small neighbours together and cuts
//!    large ones by rows.
//! 3. `reader` opens one split: leaves out more by bloom filters and page indexes, evaluates a selective filter on its
//!    own columns first (late materialization), then decodes the rest page by page.
//!
//! Life of an output: `write` encodes whole row groups in each worker; the assembler appends their bytes to the file and
//! shifts the offsets in their metadata.
//!
//! All reading goes through `source`, which reads at positions and never shares a cursor between threads; every call
//! into the crate goes through `fault::guard`, which turns a panic on broken input into an error.
//!
//! Limits: encrypted files and columns are refused. Bounds on floats are not used for pruning, because statistics leave
//! out NaN, which the engine's order puts beyond every number. A page whose compressed bytes expand to far more than its
//! header says (gzip and brotli) is noticed only after it was expanded. Files of writers that counted chunks without the
//! dictionary's header (PARQUET-816) are refused.

pub(super) mod fault;
mod footer;
pub(super) mod options;
mod pages;
mod prune;
mod reader;
mod scan;
pub(super) mod schema;
mod selection;
mod shelf;
pub(super) mod source;
mod split;
mod stats;
#[cfg(test)]
pub(super) mod tests;
mod write;

use super::{Assemble, Encode, FileRef, Format, Output, Scan, ScanSpec, Table, TableDef, TableStats};
use crate::error::Result;
use crate::memory::Budget;
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The Parquet format.
pub struct Parquet;

/// The one instance, for the table of formats.
pub static PARQUET: Parquet = Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["parquet", "pq", "parq"]
    }

    fn inspect(&self, def: &TableDef, files: &[FileRef], _: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        options::none_for_reading(&def.options)?;
        stats::inspect(def, files)
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        let scan = scan::ParquetScan::plan(table.files.clone(), table.schema.clone(), spec, split_bytes)?;
        Ok(Box::new(scan))
    }

    fn encoder(&self, schema: &SchemaRef, options: &BTreeMap<String, String>, held: usize) -> Result<Box<dyn Encode>> {
        Ok(Box::new(write::Encoder::new(schema, &options::WriteOptions::parse(options)?, held)?))
    }

    fn encoder_bytes(&self, schema: &SchemaRef, options: &BTreeMap<String, String>, held: usize) -> Result<usize> {
        write::encoder_bytes(schema, &options::WriteOptions::parse(options)?, held)
    }

    fn assembler(
        &self,
        schema: &SchemaRef,
        options: &BTreeMap<String, String>,
        to: Box<dyn Output>,
    ) -> Result<Box<dyn Assemble>> {
        Ok(Box::new(write::Assembler::new(schema, &options::WriteOptions::parse(options)?, to)?))
    }
}
