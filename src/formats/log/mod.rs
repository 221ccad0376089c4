//! Logs: text whose lines have a form that programs agreed on, and lines as they stand.
//!
//! Life of a log file:
//!
//! 1. [`sniff`] tries the formats of [`known`] on lines of its beginning, middle and end, or the user names one, or writes a
//!    [`pattern`]. [`infer`] makes the [`layout`] of it: the fields and their types, fixed by the format, named by the file's
//!    header, or guessed from what the lines have; JSON and PostgreSQL's CSV ([`csvlog`]) are read by their own readers. Each file has its own; files of a glob are one table by the names of their
//!    columns ([`ByName::Each`]).
//! 2. A worker opens a split ([`reader`]) and goes to the first record that begins in it. The form takes each record apart into
//!    spans: [`access`], [`errors`], [`syslog`], [`balancer`], [`pairs`], [`w3c`], [`zeek`], [`journal`], [`messages`], each a
//!    file. No regular expression runs but the user's.
//! 3. [`columns`] makes arrays of the spans of wanted columns: those of the filter first, the others only for the rows that it
//!    keeps. Text is not copied: its views point into the window's buffer.
//!
//! A line that is not of the format, or has a value that is not of its field's type, does not match: it is left out, counted and
//! kept as a reject, or a row of its own (`unmatched => 'include'`), or an error (`on_error => 'fail'`). Whether a line matches does
//! not depend on which columns a query wants. What is guessed is never left out: a key or a value that contradicts the sample
//! is an error that [`is_misfit`](crate::Error::is_misfit).
//!
//! Limits: records of at most an eighth of the budget; text must be UTF-8 (or `invalid_utf8 => 'replace'`); compressed files and journal exports
//! are one split each; nothing is written in these formats.

mod access;
mod balancer;
mod columns;
mod csvlog;
mod cursor;
mod errors;
mod infer;
mod journal;
mod known;
mod layout;
mod messages;
mod options;
mod pairs;
mod pattern;
mod reader;
mod sniff;
mod syslog;
mod times;
mod w3c;
mod zeek;

#[cfg(test)]
mod describe;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use self::infer::Found;
use self::layout::Layout;
use self::options::{LogOptions, replaces};
use self::reader::{LogScan, Policy};
use super::{
    Assemble, ByName, ColumnStats, Encode, FileRef, Format, Output, Scan, ScanSpec, Table, TableDef, TableStats, csv,
    json, options as names,
};
use crate::error::{Error, Result};
use crate::memory::Budget;
use arrow::datatypes::{Field, Schema, SchemaRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format `log`.
pub(super) struct Log;

/// The format `text`: lines as they stand.
pub(super) struct Lines;

/// Whether a file is a log that a table can be made of without being told how; answers with the format that reads it.
/// `loosely` takes formats too that other text may look like.
///
/// # Errors
/// It cannot be read.
pub(super) fn recognized(file: &FileRef, loosely: bool) -> Result<Option<&'static str>> {
    Ok(infer::recognizes(file, loosely)?.map(|kind| if kind == known::Kind::Json { "json" } else { "log" }))
}

fn schema_of(layout: &Layout) -> SchemaRef {
    let fields: Vec<Field> = layout.fields.iter().map(|f| Field::new(&f.name, f.value.data_type(), true)).collect();
    Arc::new(Schema::new(fields))
}

fn stats(files: &[FileRef], columns: usize, record: u64) -> TableStats {
    let bytes: u64 = files.iter().map(|f| f.size).sum();
    TableStats {
        rows: Some(bytes / record.max(1)),
        bytes,
        columns: vec![ColumnStats::default(); columns],
        ..TableStats::default()
    }
}

/// The definition as JSON's reader wants it.
fn as_json(def: &TableDef) -> TableDef {
    let mut def = def.clone();
    ["format", "unmatched", "invalid_utf8"].iter().for_each(|name| {
        def.options.remove(*name);
    });
    def
}

/// The table as another format reads it.
fn same_as(table: &Table, def: TableDef, format: &'static dyn Format) -> Arc<Table> {
    Arc::new(Table::of_files(def, format, table.files.clone(), table.schema.clone(), table.stats.clone()))
}

fn no_writer(name: &str) -> Error {
    Error::unsupported(format!("writing files of the format {name}")).advise("write csv, json, parquet or arrow")
}

impl Format for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["log"]
    }

    fn inspect(&self, def: &TableDef, files: &[FileRef], budget: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        let [file] = files else { return Err(Error::internal("log files are inspected one by one")) };
        match infer::find(def, file, budget)? {
            (Found::Json, _) => json::Json.inspect(&as_json(def), files, budget),
            (Found::Csv(def), _) => csv::Csv.inspect(&def, files, budget),
            (Found::Log(layout), record) => {
                let schema = schema_of(&layout);
                let stats = stats(files, schema.fields().len(), record);
                Ok((schema, stats))
            }
        }
    }

    fn by_name(&self) -> ByName {
        ByName::Each
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        let [file] = table.files.as_slice() else { return Err(Error::internal("log files are read one by one")) };
        let options = LogOptions::of(&table.def)?;
        match infer::find(&table.def, file, spec.budget.as_ref())? {
            (Found::Json, _) => same_as(table, as_json(&table.def), &json::Json).scan(spec, split_bytes),
            (Found::Csv(def), _) => same_as(table, def, &csv::Csv).scan(spec, split_bytes),
            (Found::Log(layout), _) => {
                let policy = Policy {
                    include: options.unmatched.is_some(),
                    fail: options.fail,
                    replace: options.replace,
                    full: options.full,
                };
                Ok(Box::new(LogScan::new(table, spec, split_bytes, layout, policy)?))
            }
        }
    }

    fn encoder(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _held: usize) -> Result<Box<dyn Encode>> {
        Err(no_writer("log"))
    }

    fn assembler(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _: Box<dyn Output>) -> Result<Box<dyn Assemble>> {
        Err(no_writer("log"))
    }
}

impl Format for Lines {
    fn name(&self) -> &'static str {
        "text"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[]
    }

    fn inspect(&self, def: &TableDef, files: &[FileRef], _: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        names::known_for_reading(&def.options, "text", &["invalid_utf8", "infer"])?;
        replaces(def)?;
        if def.schema.is_some() {
            return Err(Error::unsupported("a declared schema for lines"));
        }
        let schema = schema_of(&Layout::lines());
        let stats = stats(files, schema.fields().len(), 100);
        Ok((schema, stats))
    }

    fn by_name(&self) -> ByName {
        ByName::Always
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        let policy = Policy { replace: replaces(&table.def)?, ..Policy::default() };
        Ok(Box::new(LogScan::new(table, spec, split_bytes, Layout::lines(), policy)?))
    }

    fn encoder(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _held: usize) -> Result<Box<dyn Encode>> {
        Err(no_writer("text"))
    }

    fn assembler(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _: Box<dyn Output>) -> Result<Box<dyn Assemble>> {
        Err(no_writer("text"))
    }
}
