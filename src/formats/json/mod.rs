//! JSON: objects one a line, in an array, one after the other, or inside of other objects. Our own reader.
//!
//! Life of a split:
//!
//! 1. [`infer`] joins the [`shape`]s of sampled objects into a schema: columns in the order of their first appearance,
//!    nested structs and lists, values that have nothing in common as the text of their JSON.
//! 2. A worker opens the split and goes to the first line that begins in it: a newline is never inside a string.
//! 3. [`build`] walks each object once. The next key is guessed to be the one that followed last time, which one
//!    comparison confirms; unwanted values are skipped; wanted ones go straight into typed builders. Text without escapes
//!    is not copied: its views point into the window's buffer.
//!
//! A key that the schema does not have, and a value that does not fit its guessed type, are errors that
//! [`is_misfit`](crate::Error::is_misfit), unless the query does not read them. [`layout`] tells how the records of a
//! file are separated; a file that has not one a line is one split, a [`document`] that streams. Records that are no
//! objects are one column, `json`. What cannot be read may be left out ([`faults`](crate::formats::faults)).
//!
//! Limits: records of at most an eighth of the budget (an option), nested at most 64 deep; a key that an object has twice is an error; NaN and comments
//! are no JSON.

mod build;
pub(crate) mod cursor;
mod document;
mod infer;
mod layout;
mod objects;
mod options;
mod reader;
mod shape;
mod strings;
mod write;

#[cfg(test)]
mod lenient_tests;
#[cfg(test)]
mod tests;

pub(crate) use document::{Document, Next};
pub(super) use layout::goes_on_over_lines;
pub(crate) use layout::{HEAD, document_of, is_document};
pub use objects::{Seen, objects_of, rows_of};
pub use shape::is_json;

use super::{Assemble, ByName, Encode, FileRef, Format, Output, Scan, ScanSpec, Table, TableDef, TableStats};
use crate::error::Result;
use crate::memory::Budget;
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

    fn inspect(&self, def: &TableDef, files: &[FileRef], budget: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        infer::inspect(def, files, budget)
    }

    fn by_name(&self) -> ByName {
        ByName::Always
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        Ok(Box::new(reader::JsonScan::new(table, spec, split_bytes)?))
    }

    fn encoder(&self, schema: &SchemaRef, options: &BTreeMap<String, String>, _held: usize) -> Result<Box<dyn Encode>> {
        write::encoder(schema, options)
    }

    fn assembler(
        &self,
        schema: &SchemaRef,
        options: &BTreeMap<String, String>,
        to: Box<dyn Output>,
    ) -> Result<Box<dyn Assemble>> {
        write::assembler(schema, options, to)
    }
}
