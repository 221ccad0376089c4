//! Queries whose rows go to a file.

use super::execute;
use super::session::Inner;
use super::sink::{self, SinkOptions};
use crate::error::{Error, Result};
use crate::formats::{format_by_ending, format_named};
use crate::front::Planned;
use crate::io::url::{path_of, scheme};
use crate::io::{AtomicFile, Compressed, Compression, Output};
use crate::memory::Reservation;
use crate::ops::write::WriteOp;
use crate::units::MIB;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Runs `planned` into the file `path`, which appears when it is complete. Returns the rows.
pub(super) fn to_file(
    inner: &Arc<Inner>,
    planned: &Planned,
    path: &str,
    format: Option<&str>,
    options: &BTreeMap<String, String>,
) -> Result<u64> {
    let mut options = options.clone();
    if let Some(wanted) = SinkOptions::take(&mut options)? {
        let held = held_bytes(inner.limits.memory, inner.limits.threads);
        return sink::to_directory(inner, planned, path, format, options, &wanted, held);
    }
    let format = match format {
        Some(name) => format_named(name)?,
        None => format_by_ending(path_of(path)).ok_or_else(|| {
            Error::query(format!("the name {path} does not tell the format of the output"))
                .advise("end it in .parquet, .csv or .jsonl, or say (FORMAT parquet)")
        })?,
    };
    let schema = execute::result_schema(planned);
    // Text is packed as its name says; a .tsv has tabs, unless the user said otherwise.
    let named = path_of(path);
    let (packed, plain) = (sink::packing(format, named, &mut options)?, Compression::of_name(named).1);
    let output = begin(inner, Path::new(path))?;
    let room = Compression::room(inner.limits.memory);
    let output = Compressed::wrap(output, packed, room)?;
    if plain.ends_with(".tsv") && !["delimiter", "delim", "sep"].iter().any(|o| options.contains_key(*o)) {
        options.insert("delimiter".into(), "\t".into());
    }
    let assembler = format.assembler(&schema, &options, output)?;
    let held = held_bytes(inner.limits.memory, inner.limits.threads);
    let floor = format.encoder_bytes(&schema, &options, held)? + packed.packer_bytes(room);
    let (make_schema, make_options) = (schema.clone(), options);
    let make = move || format.encoder(&make_schema, &make_options, held);
    let sink = Arc::new(WriteOp::new(Box::new(make), assembler, held, floor));
    sink.outcome(execute::drain(inner, planned, sink.clone(), floor))
}

fn begin(inner: &Inner, path: &Path) -> Result<Box<dyn Output>> {
    match path.to_str().filter(|address| scheme(address).is_some()) {
        Some(address) => inner.front.remote().create(address),
        None => AtomicFile::create(path),
    }
}

/// An output for bytes that somebody else makes, packed as its name says.
pub(super) fn create(inner: &Inner, path: &Path) -> Result<Box<dyn Output>> {
    let packed = Compression::of_name(path_of(&path.to_string_lossy())).0;
    let room = Compression::room(inner.limits.memory);
    let reservation = inner.engine.memory().budget.require("packing", packed.packer_bytes(room), false)?;
    let output = Compressed::wrap(begin(inner, path)?, packed, room)?;
    Ok(Box::new(Counted { output, _reservation: reservation }))
}

/// An output whose packing the budget knows.
struct Counted {
    output: Box<dyn Output>,
    _reservation: Arc<Reservation>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl Output for Counted {
    fn complete(self: Box<Self>) -> Result<()> {
        self.output.complete()
    }

    fn rest(&mut self) -> Result<()> {
        self.output.rest()
    }
}

/// Bytes that an encoder may hold: all of them together at most a quarter of the budget.
fn held_bytes(memory: usize, threads: usize) -> usize {
    (memory / 4 / threads.max(1) / 2).clamp(MIB, 64 * MIB)
}
