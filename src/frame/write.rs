//! Queries whose rows go to a file.

use super::execute;
use super::session::Inner;
use crate::error::{Error, Result};
use crate::formats::{FORMATS, Format};
use crate::front::{Planned, unknown_format};
use crate::io::AtomicFile;
use crate::ops::write::WriteOp;
use crate::units::MIB;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs `planned` into the file `path`, which appears when it is complete. Returns the rows.
pub(super) fn to_file(
    inner: &Arc<Inner>,
    planned: &Planned,
    path: &str,
    format: Option<&str>,
    options: &BTreeMap<String, String>,
) -> Result<u64> {
    let format = match format {
        Some(name) => by_name(name)?,
        None => by_ending(path)?,
    };
    let schema = execute::result_schema(planned);
    let output = AtomicFile::create(path)?;
    let assembler = format.assembler(&schema, options, Box::new(output))?;
    let held = held_bytes(inner.limits.memory, inner.limits.threads);
    let (make_schema, make_options) = (schema.clone(), options.clone());
    let make = move || format.encoder(&make_schema, &make_options, held);
    let sink = Arc::new(WriteOp::new(Box::new(make), assembler, held));
    execute::drain(inner, planned, sink.clone(), 2 * held)?;
    Ok(sink.written().0)
}

/// Bytes that an encoder may hold: all of them together at most a quarter of the budget.
fn held_bytes(memory: usize, threads: usize) -> usize {
    (memory / 4 / threads.max(1) / 2).clamp(MIB, 64 * MIB)
}

fn by_name(name: &str) -> Result<&'static dyn Format> {
    let lower = name.to_ascii_lowercase();
    let found = FORMATS.iter().find(|f| f.name() == lower || f.endings().contains(&lower.as_str()));
    found.copied().ok_or_else(|| unknown_format(name))
}

fn by_ending(path: &str) -> Result<&'static dyn Format> {
    let name = path.trim_end_matches(".gz").trim_end_matches(".zst");
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let found = FORMATS.iter().find(|f| f.endings().contains(&ending.as_str()));
    found.copied().ok_or_else(|| {
        Error::query(format!("the name {path} does not tell the format of the output"))
            .advise("end it in .parquet, .csv or .jsonl, or say (FORMAT parquet)")
    })
}
