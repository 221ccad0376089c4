//! How the crate's failures become ours: a broken file is an error of kind `Data` that names the file, even where the
//! crate panics on it.

use crate::error::{Error, ErrorKind, Place, Result};
use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` on the file `path`; a panic inside becomes an error, and every error names the file.
pub(in crate::formats) fn guard<T>(path: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let result = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::data(format!("the file is corrupt: {}", panic_text(&*panic)))));
    result.map_err(|e| e.at(at(path)))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("its decoder gave up")
}

/// The place of a whole file.
pub(in crate::formats) fn at(path: &str) -> Place {
    Place { file: Some(path.into()), ..Place::default() }
}

/// What the crate says about a file that it reads.
pub(super) fn read(e: ParquetError) -> Error {
    match e {
        ParquetError::NYI(m) => {
            Error::unsupported(format!("this file uses a part of Parquet that is not read yet: {m}"))
        }
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => from_io(*io),
            Err(other) => Error::data(format!("the file is corrupt: {other}")),
        },
        other => Error::data(format!("the file is corrupt: {other}")),
    }
}

/// What the crate says through Arrow's errors about a file that it reads.
pub(in crate::formats) fn read_arrow(e: ArrowError) -> Error {
    match e {
        ArrowError::IoError(_, io) if io.get_ref().is_some_and(|e| e.is::<Error>()) => from_io(io),
        ArrowError::IoError(m, io) => Error::new(ErrorKind::Io, m).because(io),
        ArrowError::NotYetImplemented(m) => Error::unsupported(m),
        other => Error::data(format!("the file is corrupt: {other}")),
    }
}

/// What reading a file says; some of it we have said ourselves.
fn from_io(io: std::io::Error) -> Error {
    match io.downcast::<Error>() {
        Ok(own) => own,
        Err(io) => Error::new(ErrorKind::Io, io.to_string()).because(io),
    }
}

/// What the crate says about an output.
pub(super) fn write(e: ParquetError) -> Error {
    match e {
        ParquetError::NYI(m) => Error::unsupported(format!("Parquet cannot hold this type: {m}")),
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => Error::io("the output", *io),
            // What a shelf says is ours already.
            Err(other) => match other.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Error::internal(other.to_string()),
            },
        },
        ParquetError::ArrowError(m) => Error::unsupported(format!("Parquet cannot hold these rows: {m}")),
        other => Error::internal(format!("writing Parquet: {other}")),
    }
}
