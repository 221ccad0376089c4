//! (to come)
use super::{Assemble, Encode, FileRef, Format, Output, Scan, ScanSpec, Table, TableDef, TableStats};
use crate::error::{Error, Result};
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format `json`.
pub(super) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["json", "jsonl", "ndjson"]
    }

    fn inspect(&self, _def: &TableDef, _files: &[FileRef]) -> Result<(SchemaRef, TableStats)> {
        Err(Error::unsupported("json"))
    }

    fn scan(&self, _table: &Arc<Table>, _spec: ScanSpec, _split_bytes: usize) -> Result<Box<dyn Scan>> {
        Err(Error::unsupported("json"))
    }

    fn encoder(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _held: usize) -> Result<Box<dyn Encode>> {
        Err(Error::unsupported("json"))
    }

    fn assembler(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _: Box<dyn Output>) -> Result<Box<dyn Assemble>> {
        Err(Error::unsupported("json"))
    }
}
