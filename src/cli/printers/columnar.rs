//! Formats that the library itself writes, as results of the command: Parquet.
//!
//! The library's assembler owns its output; here that output is a buffer which is emptied after every piece, so that the
//! command's one way of writing (a stream, or a file that appears when complete) serves these formats too.

use super::Printer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::formats::{Assemble, Encode, FORMATS, Output};
use partita::{Error, Result};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Prints pieces of one output.
pub struct Columnar {
    format: &'static str,
    held: usize,
    buffer: Buffer,
    open: Option<(Box<dyn Encode>, Box<dyn Assemble>)>,
}

impl Columnar {
    /// The library's format of that name; a piece ends when the encoder holds `held` bytes.
    pub fn new(format: &'static str, held: usize) -> Self {
        Columnar { format, held, buffer: Buffer::default(), open: None }
    }
}

impl Printer for Columnar {
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<()> {
        let format = FORMATS.iter().find(|f| f.name() == self.format);
        let format = format.ok_or_else(|| Error::unsupported(format!("writing {}", self.format)))?;
        let options = BTreeMap::new();
        let encode = format.encoder(schema, &options, self.held)?;
        let assemble = format.assembler(schema, &options, Box::new(self.buffer.clone()))?;
        self.open = Some((encode, assemble));
        self.buffer.drain(out);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let Some((encode, assemble)) = &mut self.open else { return Err(Error::internal("rows before columns")) };
        encode.push(batch)?;
        if encode.held() >= self.held {
            assemble.append(encode.piece()?)?;
            self.buffer.drain(out);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let Some((mut encode, mut assemble)) = self.open.take() else { return Ok(()) };
        let last = encode.piece()?;
        if last.rows > 0 {
            assemble.append(last)?;
        }
        assemble.finish()?;
        self.buffer.drain(out);
        Ok(())
    }
}

/// Bytes that one side writes and the other takes.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn drain(&self, out: &mut Vec<u8>) {
        out.append(&mut self.0.lock().unwrap_or_else(|e| e.into_inner()));
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Buffer {
    fn complete(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
