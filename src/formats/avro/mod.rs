//! Avro: its container files, read and written through the crate `arrow-avro`.
//!
//! Life of a scan:
//!
//! 1. The header of each file has its [`schema`]; the types of its columns are [`settle`]d into ours. Files of a table
//!    agree by name.
//! 2. Files are cut at any byte, as text is: the blocks that begin in a piece ([`container`]) are its own. A file packed as a
//!    whole, or a pipe, is one piece.
//! 3. Some blocks at a time are unpacked, within a bound, and decoded ([`read`]): only the wanted columns. How many records
//!    there are, and where they end, is checked, since blocks have no checksum.
//!
//! Life of an output: each worker makes packed blocks of its rows; the file's mark is set behind each as they are put
//! together ([`write`]).
//!
//! Every codec of the specification is read and written (deflate, if nothing is said), every logical type read: decimals,
//! dates, times, timestamps with and without offset, durations, UUIDs (as text). A union of several types is what they have
//! in common, else the text of its values' JSON; an enum is text.
//!
//! Limits: types that contain themselves are refused; blocks are at most an eighth of the budget.

mod container;
mod read;
mod schema;
mod settle;
mod write;

#[cfg(test)]
mod tests;

use super::parquet::fault::guard;
use super::parquet::options::unknown;
use super::parquet::schema::{agree, columns_of};
use super::sieve::Sieve;
use super::text::{Growth, WINDOW, tiles};
use super::{
    Assemble, ColumnStats, Encode, FileRef, Format, Output, Scan, ScanSpec, Split, SplitReader, Table, TableDef,
    TableStats,
};
use crate::error::{Error, Result};
use crate::io::{Compression, Spares};
use crate::memory::Budget;
use arrow::datatypes::{Schema, SchemaRef};
use container::{Blocks, Header};
use read::{Decoder, Reader};
use schema::Written;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format `avro`.
pub struct Avro;

/// The one instance, for the table of formats.
pub static AVRO: Avro = Avro;

/// What a file of the format begins with.
pub(super) use container::MAGIC;

impl Format for Avro {
    fn name(&self) -> &'static str {
        "avro"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["avro"]
    }

    fn inspect(&self, def: &TableDef, files: &[FileRef], _: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        if let Some(name) = def.options.keys().find(|name| !matches!(name.as_str(), "compression" | "encoding")) {
            return Err(unknown(name, &["compression"]));
        }
        let mut table = def.schema.as_ref().map(|declared| declared.as_ref().clone());
        let mut stats = TableStats::default();
        for file in files {
            let own = guard(&file.path, || Ok(Decoder::new(&Written::parse(&Header::of(file)?.schema)?)?.schema))?;
            let merged = match table.take() {
                None => own.as_ref().clone(),
                Some(declared) if def.schema.is_some() => columns_of(&declared, &own, &file.path).map(|_| declared)?,
                Some(first) => agree(&first, &own, &file.path)?,
            };
            stats.bytes += file.size;
            table = Some(merged);
        }
        let table = table.ok_or_else(|| Error::query("a table of no Avro files"))?;
        stats.columns = vec![ColumnStats::default(); table.fields().len()];
        Ok((Arc::new(table), stats))
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        Ok(Box::new(AvroScan::plan(table, spec, split_bytes)?))
    }

    fn encoder(&self, schema: &SchemaRef, options: &BTreeMap<String, String>, _held: usize) -> Result<Box<dyn Encode>> {
        Ok(Box::new(write::Encoder::new(schema, options)?))
    }

    fn assembler(
        &self,
        schema: &SchemaRef,
        options: &BTreeMap<String, String>,
        to: Box<dyn Output>,
    ) -> Result<Box<dyn Assemble>> {
        Ok(Box::new(write::Assembler::new(schema, options, to)?))
    }
}

struct AvroScan {
    table: Arc<Table>,
    spec: ScanSpec,
    splits: Vec<Split>,
    kinds: Vec<Compression>,
    /// The table's columns that are decoded: the wanted ones, then what only the filter wants.
    columns: Vec<usize>,
    decoded: SchemaRef,
    sieve: Option<Arc<Sieve>>,
    spares: Spares,
}

impl AvroScan {
    fn plan(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<AvroScan> {
        let wanted = Arc::new(table.schema.project(&spec.projection)?);
        let (columns, sieve) = match &spec.filter {
            Some(filter) => {
                let (columns, sieve) = Sieve::new(&spec.projection, &wanted, filter, &table.schema)?;
                (columns, Some(Arc::new(sieve)))
            }
            None => (spec.projection.clone(), None),
        };
        let (splits, kinds) = tiles(&table.files, |file| spec.reads(file), split_bytes, false)?;
        let decoded = Arc::new(bare(&table.schema.project(&columns)?));
        let (table, spares) = (table.clone(), Spares::default());
        Ok(AvroScan { table, spec, splits, kinds, columns, decoded, sieve, spares })
    }

    fn reader(&self, file: &FileRef, split: &Split) -> Result<Reader> {
        let header = Header::of(file)?;
        let written = Written::parse(&header.schema)?;
        let kind = self.kinds.get(split.file).copied().unwrap_or_default();
        let budget = self.spec.budget.as_ref();
        let blocks = Blocks::open(file, &header, kind, split.range.clone(), &self.spares, budget)?;
        let growth = Growth::new(budget, 4 * self.spec.batch_bytes);
        let all = Decoder::new(&written)?;
        let at = columns_of(&self.table.schema, &all.schema, &file.path)?;
        let at: Vec<usize> = self.columns.iter().filter_map(|column| at.get(*column).copied()).collect();
        let (decoder, places) = match at.is_empty() {
            true => (None, Vec::new()),
            false => {
                let some = Decoder::of_columns(&written, &at)?;
                // All columns, where the others cannot be left out.
                let left_out = some.schema.fields().len() == at.len();
                let places = if left_out { (0..at.len()).collect() } else { at };
                (Some(some), places)
            }
        };
        let (schema, sieve, spec) = (self.decoded.clone(), self.sieve.clone(), self.spec.clone());
        Ok(Reader { blocks, decoder, places, schema, sieve, spec, current: None, growth })
    }
}

fn bare(schema: &Schema) -> Schema {
    super::parquet::schema::bare(schema)
}

impl Scan for AvroScan {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        let split = self.splits.get(index).ok_or_else(|| Error::internal(format!("no split {index} of a scan")))?;
        let file = self.table.files.get(split.file).ok_or_else(|| Error::internal("no such file"))?;
        guard(&file.path, || Ok(Box::new(self.reader(file, split)?) as Box<dyn SplitReader>))
    }

    fn floor(&self) -> usize {
        // The window while it moves; packed and unpacked blocks, and the columns that they become.
        2 * WINDOW + 5 * self.spec.batch_bytes
    }

    fn rest(&self) {
        self.spares.clear();
    }
}
