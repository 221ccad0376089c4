//! Comma-separated values: our own reader, since it decides most queries' time.
//!
//! Life of a split:
//!
//! 1. [`dialect`] tells delimiter, quotes, header and names: what the [`options`] say, the rest as [`sniff`] finds it in the
//!    head of the first file. [`infer`] tells the types from samples.
//! 2. A worker opens the split: whether its first byte is inside quotes follows from the number of quotes before it
//!    ([`scan`] keeps the parity of each split), then the first record that begins in the split is looked for.
//! 3. A [`Window`](crate::io::Window) has the split, or some 512 KiB of a file that is not cut; [`structure`] finds where fields and
//!    rows end ([`walk`], in dialects that masks cannot tell); [`rows`] checks that every row has as many fields as there
//!    are columns.
//! 4. [`decode`] turns the wanted columns into arrays, those of the filter first and the others only for the rows that it
//!    keeps. Text is not copied: its views point into the window's buffer.
//!
//! An empty field is null; a quoted empty field is an empty text (and null in other columns). Blank lines are skipped,
//! but in a table of one column they are nulls. A value that is not of its guessed type is an error that
//! [`is_misfit`](crate::Error::is_misfit), and so is a quote where the sample had none: then all is read to tell types, and
//! how quotes are used.
//!
//! Limits: a record of at most an eighth of the budget, if nothing else is said (`max_line_size`), is reserved as it grows; files with an escape character other than the quote, with comments, or with quotes
//! where none should be, and compressed files, are one split each.

mod decode;
mod dialect;
mod footer;
mod infer;
mod lenient;
mod lexicon;
pub(super) mod options;
mod reader;
mod report;
mod rows;
mod scan;
mod sniff;
mod structure;
mod walk;
mod write;

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

pub use report::{Sniffed, sniff_csv, sniff_csv_with};
pub use structure::scan_structure;

use super::{Assemble, ByName, Encode, FileRef, Format, Output, Scan, ScanSpec, Table, TableDef, TableStats};
use crate::error::Result;
use crate::memory::Budget;
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format `csv`.
pub(super) struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["csv", "tsv", "tab", "psv", "txt"]
    }

    fn inspect(&self, def: &TableDef, files: &[FileRef], budget: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        infer::inspect(def, files, budget)
    }

    fn by_name(&self) -> ByName {
        ByName::Read
    }

    fn notes(&self, table: &Table) -> Result<Option<String>> {
        report::notes(table).map(Some)
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        Ok(Box::new(scan::CsvScan::new(table, spec, split_bytes)?))
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
