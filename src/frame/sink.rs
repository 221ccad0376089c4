//! Queries whose rows go to a directory of files: partitioned by columns, a file a worker, or files of a size.
//!
//! Life of a partitioned output: the rows are sorted by the columns of the partition (in scratch, where memory is short), so
//! that thousands of partitions need one open file; each file is written once. Ties go by input position, so that the
//! order of a query holds within each file.

use super::execute;
use super::session::Inner;
use crate::error::{Error, Result};
use crate::formats::{Directory, Format, Naming, format_by_ending, format_named};
use crate::front::Planned;
use crate::io::url::scheme;
use crate::io::{Compressed, Compression, Existing, Stage, Staging};
use crate::ops::expr::from_datafusion;
use crate::ops::partitions::Partitions;
use crate::ops::write::{Way, WriteOp};
use crate::units::parse_size;
use arrow::datatypes::SchemaRef;
use datafusion_expr::{Expr, LogicalPlanBuilder};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What an output of many files is asked for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SinkOptions {
    partition_by: Vec<String>,
    write_partition_columns: bool,
    per_thread: bool,
    file_bytes: Option<usize>,
    pattern: Option<String>,
    ending: Option<String>,
    existing: Existing,
}

impl SinkOptions {
    /// Takes them out of `options`; `None` where one file is meant.
    ///
    /// # Errors
    /// Options that contradict each other, or values that they cannot have.
    pub(super) fn take(options: &mut BTreeMap<String, String>) -> Result<Option<SinkOptions>> {
        let existing = existing(options)?;
        let (per_thread, write_partition_columns) =
            (flag(options, "per_thread_output")?, flag(options, "write_partition_columns")?);
        let file_bytes = options.remove("file_size_bytes").map(|text| size(&text)).transpose()?;
        let partition_by = options.remove("partition_by").map(|text| names(&text)).transpose()?.unwrap_or_default();
        let (pattern, ending) = (options.remove("filename_pattern"), options.remove("file_extension"));
        let made =
            SinkOptions { partition_by, write_partition_columns, per_thread, file_bytes, pattern, ending, existing };
        let one_file = made.partition_by.is_empty() && !per_thread && made.file_bytes.is_none();
        if one_file {
            return made.of_one_file().map(|()| None);
        }
        if per_thread && !made.partition_by.is_empty() {
            return Err(Error::query("PER_THREAD_OUTPUT and PARTITION_BY cannot go together")
                .advise("with PARTITION_BY each file is written once, whatever the threads"));
        }
        if existing == Existing::Added && made.pattern.as_ref().is_some_and(|p| !p.contains("{uuid}")) {
            return Err(Error::query(
                "APPEND wants {uuid} in the FILENAME_PATTERN, so that no file has the name already",
            ));
        }
        Ok(Some(made))
    }

    /// Refuses what only a directory has.
    fn of_one_file(&self) -> Result<()> {
        let wrong = match self {
            SinkOptions { write_partition_columns: true, .. } => "WRITE_PARTITION_COLUMNS wants PARTITION_BY",
            SinkOptions { pattern: Some(_), .. } => "FILENAME_PATTERN is for an output of many files",
            SinkOptions { ending: Some(_), .. } => "FILE_EXTENSION is for an output of many files",
            SinkOptions { existing: Existing::Added, .. } => "APPEND is for an output of many files",
            _ => return Ok(()),
        };
        Err(Error::query(wrong).advise("PARTITION_BY, PER_THREAD_OUTPUT and FILE_SIZE_BYTES write many files"))
    }

    fn naming(&self, format: &'static dyn Format, packed: Compression) -> Naming {
        let usual = if self.existing == Existing::Added { "data_{uuid}" } else { "data_{i}" };
        let packing = packed.ending();
        Naming {
            pattern: self.pattern.clone().unwrap_or_else(|| usual.to_string()),
            ending: self.ending.clone().unwrap_or_else(|| format!("{}{packing}", format.name())),
        }
    }
}

fn existing(options: &mut BTreeMap<String, String>) -> Result<Existing> {
    let mut chosen = Vec::new();
    for (name, existing) in
        [("overwrite", Existing::Replaced), ("overwrite_or_ignore", Existing::Kept), ("append", Existing::Added)]
    {
        if flag(options, name)? {
            chosen.push(existing);
        }
    }
    match chosen.as_slice() {
        [] => Ok(Existing::Refused),
        [one] => Ok(*one),
        _ => Err(Error::query("only one of OVERWRITE, OVERWRITE_OR_IGNORE and APPEND can be set")),
    }
}

fn flag(options: &mut BTreeMap<String, String>, name: &str) -> Result<bool> {
    match options.remove(name).map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("false" | "0" | "off" | "no") => Ok(false),
        Some("true" | "1" | "on" | "yes") => Ok(true),
        Some(other) => Err(Error::query(format!("option {name}: {other:?} is neither true nor false"))),
    }
}

fn size(text: &str) -> Result<usize> {
    match parse_size(text) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(Error::query(format!("option file_size_bytes: {text:?} is not a size")).advise("write it like 128MB")),
    }
}

/// One name, or a list of them as JSON.
fn names(text: &str) -> Result<Vec<String>> {
    if !text.trim_start().starts_with('[') {
        return Ok(vec![text.to_string()]);
    }
    serde_json::from_str(text).map_err(|e| Error::query("PARTITION_BY wants names of columns").because(e))
}

/// How an output of text is packed: as COMPRESSION says, else as the name says. Parquet and Arrow pack by themselves.
pub(super) fn packing(
    format: &'static dyn Format,
    path: &str,
    options: &mut BTreeMap<String, String>,
) -> Result<Compression> {
    let by_name = Compression::of_name(path).0;
    if !matches!(format.name(), "csv" | "json") {
        return Ok(by_name);
    }
    match options.remove("compression").map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("auto" | "auto_detect") => Ok(by_name),
        Some(name) => Compression::named(name),
    }
}

/// Runs `planned` into the directory `path`, which appears when it is complete. Returns the rows.
pub(super) fn to_directory(
    inner: &Arc<Inner>,
    planned: &Planned,
    path: &str,
    format: Option<&str>,
    mut options: BTreeMap<String, String>,
    wanted: &SinkOptions,
    held: usize,
) -> Result<u64> {
    let format = match (format, &wanted.ending) {
        (Some(name), _) => format_named(name)?,
        (None, ending) => ending
            .as_ref()
            .and_then(|ending| format_by_ending(&format!("x.{ending}")))
            .or_else(|| format_by_ending(path))
            .ok_or_else(|| Error::query("the format of the files is not said").advise("say (FORMAT parquet)"))?,
    };
    let packed = packing(format, "", &mut options)?;
    let whole = execute::result_schema(planned);
    let partitions = partitions(&whole, wanted)?;
    let schema = partitions.as_ref().map_or(whole, |p| p.schema.clone());
    // A worker has a file of its own, and may have handed over another one.
    let room = Compression::room(inner.limits.memory);
    let floor = format.encoder_bytes(&schema, &options, held)? + 2 * packed.packer_bytes(room);
    let (begin_schema, begin_options) = (schema.clone(), options.clone());
    let begin = move |to| format.assembler(&begin_schema, &begin_options, Compressed::wrap(to, packed, room)?);
    let never_empty = partitions.is_none();
    let naming = wanted.naming(format, packed);
    let staging: Box<dyn Stage> = match scheme(path) {
        Some(_) => inner.front.remote().stage(path, wanted.existing)?,
        None => Box::new(Staging::begin(Path::new(path), wanted.existing)?),
    };
    let file_bytes = wanted.file_bytes.map(|n| n as u64);
    let directory = Directory::create(staging, naming, file_bytes, never_empty, Box::new(begin));
    let make = move || format.encoder(&schema, &options, held);
    let way = if wanted.per_thread { Way::Apart } else { Way::Together };
    let planned = match &partitions {
        Some(partitions) => sorted(planned, partitions)?,
        None => planned.clone(),
    };
    let sink = WriteOp::into_directory(Box::new(make), directory, partitions, way, (held, floor, wanted.file_bytes));
    let sink = Arc::new(sink);
    sink.outcome(execute::drain(inner, &planned, sink.clone(), floor))
}

fn partitions(schema: &SchemaRef, wanted: &SinkOptions) -> Result<Option<Partitions>> {
    if wanted.partition_by.is_empty() {
        return Ok(None);
    }
    let fields = schema.fields();
    let find = |name: &String| {
        let exact = fields.iter().position(|f| f.name() == name);
        exact.or_else(|| fields.iter().position(|f| f.name().eq_ignore_ascii_case(name))).ok_or_else(|| {
            let names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
            Error::query(format!("PARTITION_BY: there is no column {name}"))
                .advise(format!("there are: {}", names.join(", ")))
        })
    };
    let mut keys: Vec<(usize, String)> = Vec::new();
    for name in &wanted.partition_by {
        let at = find(name)?;
        if keys.iter().any(|(known, _)| *known == at) {
            return Err(Error::query(format!("PARTITION_BY names {name} twice")));
        }
        keys.push((at, fields.get(at).map_or(name, |f| f.name()).clone()));
    }
    let is_written = |at: &usize| wanted.write_partition_columns || !keys.iter().any(|(key, _)| key == at);
    let written: Vec<usize> = (0..fields.len()).filter(is_written).collect();
    if written.is_empty() {
        return Err(Error::query("all columns are partition columns: there is nothing to write into the files")
            .advise("WRITE_PARTITION_COLUMNS writes them into the files too"));
    }
    let schema = Arc::new(schema.project(&written)?);
    Ok(Some(Partitions { keys, written, schema }))
}

/// The rows of a query, those of one partition after the other.
fn sorted(planned: &Planned, partitions: &Partitions) -> Result<Planned> {
    let columns = planned.optimized.schema().columns();
    let keys = partitions.keys.iter().filter_map(|(at, _)| columns.get(*at).cloned());
    let keys: Vec<_> = keys.map(|column| Expr::Column(column).sort(true, true)).collect();
    let sorted = LogicalPlanBuilder::from(planned.optimized.clone()).sort(keys).and_then(LogicalPlanBuilder::build);
    Ok(Planned { optimized: sorted.map_err(from_datafusion)?, ..planned.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(pairs: &[(&str, &str)]) -> Result<Option<SinkOptions>> {
        let mut options = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let taken = SinkOptions::take(&mut options);
        assert!(taken.is_err() || options.keys().all(|k| k == "header"));
        taken
    }

    #[test]
    fn one_file_or_many() {
        assert_eq!(take(&[("header", "true"), ("overwrite", "true")]).unwrap(), None);
        let many = take(&[("partition_by", r#"["a","b"]"#), ("append", "true"), ("header", "x")]).unwrap().unwrap();
        assert_eq!((many.partition_by, many.existing), (vec!["a".to_string(), "b".to_string()], Existing::Added));
        assert_eq!(take(&[("file_size_bytes", "1MB")]).unwrap().unwrap().file_bytes, Some(1_000_000));
        for wrong in [
            vec![("overwrite", "true"), ("append", "true"), ("partition_by", "a")],
            vec![("append", "true")],
            vec![("filename_pattern", "x")],
            vec![("file_extension", "x")],
            vec![("write_partition_columns", "true")],
            vec![("partition_by", "a"), ("per_thread_output", "true")],
            vec![("partition_by", "a"), ("append", "true"), ("filename_pattern", "x{i}")],
            vec![("file_size_bytes", "many")],
            vec![("per_thread_output", "perhaps")],
        ] {
            assert!(take(&wrong).is_err(), "{wrong:?}");
        }
    }
}
