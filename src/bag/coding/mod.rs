//! Items as bytes, while they rest or travel by key: a small tagged encoding for serde's data model.
//!
//! ```text
//! NIL | FALSE | TRUE | INT varint | NEG varint | FLOAT 8 bytes | TEXT length bytes | BYTES length bytes
//! SOME value | LIST value .. END | MAP key value .. END
//! ```
//!
//! It describes itself, so that `serde_json::Value`, untagged enums and flattened structs come back as they went, and it
//! keeps what JSON loses: NaN and infinities, keys of maps that are no text, bytes, `Some(None)`.
//!
//! A *key* is written canonically, since two keys are the same when their bytes are: entries of maps and fields of structs
//! in the order of their names' bytes, one zero, one NaN, an integer by its value whatever its width. So a `u8` meets an
//! `i64`, and a struct meets the map with the same entries.
//!
//! `serde_json::value::RawValue` is covered by the name under which it asks. Not covered: other types that only read
//! themselves from one particular format.

mod decode;
mod encode;

#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind, Result};
use decode::Decoder;
use encode::Encoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// What may rest in scratch or travel by key, and come back: every type that serde can write and read.
pub trait Item: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Item for T {}

/// The name under which JSON that is kept as text is written and read.
const RAW: &str = "$serde_json::private::RawValue";

const NIL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// A number that is not negative.
const INT: u8 = 3;
/// The number -1 - n.
const NEG: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const SOME: u8 = 8;
const LIST: u8 = 9;
const MAP: u8 = 10;
const END: u8 = 11;

/// Appends `item` to `out`.
#[inline]
pub(super) fn encode<T: Serialize + ?Sized>(item: &T, out: &mut Vec<u8>) -> Result<()> {
    item.serialize(&mut Encoder { out, canonical: false, drain: None }).map_err(|e| unfit::<T>("written", &e))
}

/// Writes `item` in pieces, so that its bytes are never all in memory.
pub(crate) fn encode_pieces<T: Serialize + ?Sized>(
    item: &T,
    pieces: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (mut out, mut failed) = (Vec::new(), None);
    let mut drain = |bytes: &mut Vec<u8>| {
        let taken = pieces(bytes);
        bytes.clear();
        taken.map_err(|error| {
            let fault = Fault(error.to_string());
            failed = Some(error);
            fault
        })
    };
    let written = item.serialize(&mut Encoder { out: &mut out, canonical: false, drain: Some(&mut drain) });
    match failed {
        Some(error) => return Err(error),
        None => written.map_err(|e| unfit::<T>("written", &e))?,
    }
    if out.is_empty() { Ok(()) } else { pieces(&out) }
}

/// Appends the canonical bytes of `key` to `out`.
#[inline]
pub(super) fn encode_key<T: Serialize + ?Sized>(key: &T, out: &mut Vec<u8>) -> Result<()> {
    key.serialize(&mut Encoder { out, canonical: true, drain: None }).map_err(|e| unfit::<T>("written as a key", &e))
}

/// The item that `bytes` are.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = Decoder { rest: bytes };
    let item = T::deserialize(&mut decoder).map_err(|e| unfit::<T>("read back", &e))?;
    match decoder.rest.is_empty() {
        true => Ok(item),
        false => Err(unfit::<T>("read back", &Fault("bytes are left over".into()))),
    }
}

fn unfit<T: ?Sized>(what: &str, fault: &Fault) -> Error {
    let name = std::any::type_name::<T>();
    Error::new(ErrorKind::Data, format!("an item of type {name} cannot be {what}: {}", fault.0))
        .advise("its Serialize and Deserialize must agree; keyed and resting items are written with them")
}

/// Why serde could not write or read.
#[derive(Debug)]
struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault(message.to_string())
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault(message.to_string())
    }
}
