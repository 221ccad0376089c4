//! Arrow IPC: the stream format to a stream, the file format (also known as Feather) to a file.

use super::Printer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::record_batch::RecordBatch;
use partita::{Error, Result};

/// Prints record batches.
pub struct ArrowIpc {
    to_file: bool,
    writer: Option<Writer>,
}

enum Writer {
    Stream(Box<StreamWriter<Vec<u8>>>),
    File(Box<FileWriter<Vec<u8>>>),
}

impl ArrowIpc {
    /// The file format or the stream format.
    pub fn new(to_file: bool) -> Self {
        ArrowIpc { to_file, writer: None }
    }

    fn writer(&mut self) -> Result<&mut Writer> {
        self.writer.as_mut().ok_or_else(|| Error::internal("rows before columns"))
    }
}

impl Writer {
    /// Moves what was written so far to `out`. The writer itself counts its offsets, so an emptied vector is fine.
    fn drain(&mut self, out: &mut Vec<u8>) {
        match self {
            Writer::Stream(w) => out.append(w.get_mut()),
            Writer::File(w) => out.append(w.get_mut()),
        }
    }
}

impl Printer for ArrowIpc {
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<()> {
        let mut writer = match self.to_file {
            true => Writer::File(Box::new(FileWriter::try_new(Vec::new(), schema)?)),
            false => Writer::Stream(Box::new(StreamWriter::try_new(Vec::new(), schema)?)),
        };
        writer.drain(out);
        self.writer = Some(writer);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let writer = self.writer()?;
        match writer {
            Writer::Stream(w) => w.write(batch)?,
            Writer::File(w) => w.write(batch)?,
        }
        writer.drain(out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let writer = self.writer()?;
        match writer {
            Writer::Stream(w) => w.finish()?,
            Writer::File(w) => w.finish()?,
        }
        writer.drain(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use arrow::ipc::reader::{FileReader, StreamReader};

    fn bytes(to_file: bool) -> Vec<u8> {
        let (mut printer, mut out) = (ArrowIpc::new(to_file), Vec::new());
        printer.begin(&simple().schema(), &mut out).unwrap();
        printer.rows(&simple(), &mut out).unwrap();
        printer.rows(&simple(), &mut out).unwrap();
        printer.end(&mut out).unwrap();
        out
    }

    #[test]
    fn comes_back_as_it_was() {
        let stream: Vec<_> = StreamReader::try_new(&bytes(false)[..], None).unwrap().map(|b| b.unwrap()).collect();
        let file = FileReader::try_new(std::io::Cursor::new(bytes(true)), None).unwrap();
        let file: Vec<_> = file.map(|b| b.unwrap()).collect();
        for batches in [stream, file] {
            let shown_again = shown("csv", &shape(), &batches);
            assert_eq!(shown_again, shown("csv", &shape(), &[simple(), simple()]));
        }
    }
}
