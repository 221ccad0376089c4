//! The bytes of one result on their way out, and what becomes of them when a query starts over.
//!
//! A value that contradicts a guessed type makes a query start over with a wider type. What was printed by then is out. So
//! the rerun's bytes are not written, but compared with those, as long as there are some; if they are the same, the rerun
//! goes on where the first run stopped, and the output is the rerun's from its first byte to its last. If they are not (a
//! number that is `1.0` now, a column more), that is an error which says which value it was.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::frame::Batches;
use partita::{Error, ErrorKind, Result};
use std::hash::Hasher;
use twox_hash::XxHash64;

/// The rows of a result.
pub trait Rows: Iterator<Item = Result<RecordBatch>> {
    /// Their columns; settled when the first row is there.
    fn schema(&self) -> SchemaRef;

    /// Starts the query over, from its first row; false where that does not help.
    ///
    /// # Errors
    /// What planning meets.
    fn start_over(&mut self, error: &Error) -> Result<bool>;
}

impl Rows for Batches {
    fn schema(&self) -> SchemaRef {
        Batches::schema(self)
    }

    fn start_over(&mut self, error: &Error) -> Result<bool> {
        Batches::start_over(self, error)
    }
}

/// See the head of this file.
#[derive(Default)]
pub struct Passing {
    /// What went out.
    out: Digest,
    /// What the rerun printed so far of that, and why it runs.
    again: Option<(Digest, Error)>,
}

/// How many bytes, and a hash of them that does not depend on the pieces in which they come.
#[derive(Default)]
struct Digest {
    bytes: u64,
    hash: XxHash64,
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.write(bytes);
    }
}

impl Passing {
    /// The query starts over because of `error`: what comes from now on is its output from the beginning.
    pub fn start_over(&mut self, error: Error) {
        self.again = Some((Digest::default(), error));
    }

    /// Takes printed bytes; those that are to be written go to `to`.
    ///
    /// # Errors
    /// The rerun prints something else than what is out.
    pub fn pass(&mut self, bytes: &[u8], to: &mut Vec<u8>) -> Result<()> {
        let Some((again, error)) = &mut self.again else {
            self.out.add(bytes);
            to.extend_from_slice(bytes);
            return Ok(());
        };
        let left = usize::try_from(self.out.bytes - again.bytes).unwrap_or(usize::MAX).min(bytes.len());
        let (same, new) = bytes.split_at(left);
        again.add(same);
        if again.bytes < self.out.bytes {
            return Ok(());
        }
        if again.hash.finish() != self.out.hash.finish() {
            return Err(otherwise(error));
        }
        self.again = None;
        self.pass(new, to)
    }

    /// All was printed.
    ///
    /// # Errors
    /// The rerun printed less than what is out.
    pub fn end(&self) -> Result<()> {
        match &self.again {
            Some((again, error)) if again.bytes < self.out.bytes => Err(otherwise(error)),
            _ => Ok(()),
        }
    }
}

fn otherwise(error: &Error) -> Error {
    let message = format!("{}; with the wider type, the rows that are out already print differently", error.message());
    Error::new(ErrorKind::Data, message).at(error.place().clone()).advise("set infer => 'full', or declare the type")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rerun(first: &str, second: &str, step: usize) -> Result<String> {
        let (mut passing, mut to) = (Passing::default(), Vec::new());
        first.as_bytes().chunks(3).for_each(|piece| passing.pass(piece, &mut to).unwrap());
        passing.start_over(Error::data("\"x\" is no number"));
        second.as_bytes().chunks(step).try_for_each(|piece| passing.pass(piece, &mut to))?;
        passing.end()?;
        Ok(String::from_utf8(to).unwrap())
    }

    #[test]
    fn a_digest_is_that_of_the_bytes_however_they_come() {
        let bytes: Vec<u8> = (0..100).collect();
        let of = |pieces: &[&[u8]]| {
            let mut digest = Digest::default();
            pieces.iter().for_each(|piece| digest.add(piece));
            (digest.bytes, digest.hash.finish())
        };
        for len in 0..bytes.len() {
            for cut in 0..=len {
                assert_eq!(of(&[&bytes[..cut], &bytes[cut..len]]), of(&[&bytes[..len]]), "{cut} of {len}");
                assert_eq!(of(&bytes[..len].chunks(cut + 1).collect::<Vec<_>>()), of(&[&bytes[..len]]));
                let mut other = bytes[..len].to_vec();
                if let Some(byte) = other.get_mut(cut) {
                    *byte ^= 1;
                    assert_ne!(of(&[&other]), of(&[&bytes[..len]]));
                }
            }
        }
    }

    #[test]
    fn goes_on_where_the_output_is_the_same() {
        for step in 1..12 {
            assert_eq!(rerun("a\n1\n2\n", "a\n1\n2\nx\n4\n", step).unwrap(), "a\n1\n2\nx\n4\n");
            assert_eq!(rerun("", "a\n1\n", step).unwrap(), "a\n1\n");
            assert_eq!(rerun("a\n1\n", "a\n1\n", step).unwrap(), "a\n1\n");
            for other in ["a\n1.0\n2.0\n3.5\n", "a\n1\n", "a,b\n1,\n2,\n"] {
                let error = rerun("a\n1\n2\n", other, step).unwrap_err();
                assert!(error.message().contains("\"x\" is no number"), "{error}");
            }
        }
    }
}
