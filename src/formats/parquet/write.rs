//! Writes Parquet: row groups are encoded by each worker, their bytes appended in order by one assembler.
//!
//! Life of a row group:
//! 1. [`Encoder::push`] hands each batch, column by column, to the crate's column writers, which hold encoded pages.
//! 2. When it has `row_group_size` rows, or the piece ends, the chunks are closed and laid one after the other into the
//!    piece's bytes; what is known of them (sizes, statistics, page indexes, all relative to the chunk's start) is the
//!    piece's `meta`. The bytes may rest in scratch meanwhile.
//! 3. [`Assembler::append`] copies the bytes of each chunk to the output and shifts its offsets.
//!
//! Limit: the footer of the output, with its page indexes, stays in memory until the end: about 100 bytes a page.

use super::fault;
use super::options::WriteOptions;
use crate::error::{Error, Result};
use crate::formats::{Assemble, Encode, Output, Piece};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use std::io::{self, Write};
use std::sync::Arc;

/// A piece's metadata: its row groups, each a list of column chunks with their lengths.
struct Groups(Vec<Vec<Chunk>>);

struct Chunk {
    length: usize,
    close: ColumnCloseResult,
}

/// What encoder and assembler must agree in.
struct Layout {
    schema: SchemaRef,
    columns: SchemaDescriptor,
    properties: Arc<WriterProperties>,
    row_group_size: usize,
}

impl Layout {
    fn new(schema: &SchemaRef, options: &WriteOptions) -> Result<Layout> {
        let columns = ArrowSchemaConverter::new().convert(schema).map_err(fault::write)?;
        let mut properties = options.properties();
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let properties = Arc::new(properties);
        Ok(Layout { schema: schema.clone(), columns, properties, row_group_size: options.row_group_size })
    }

    fn file<W: Write + Send>(&self, to: W) -> Result<SerializedFileWriter<W>> {
        SerializedFileWriter::new(to, self.columns.root_schema_ptr(), self.properties.clone()).map_err(fault::write)
    }
}

/// Encodes one worker's rows.
pub(super) struct Encoder {
    layout: Layout,
    factory: ArrowRowGroupWriterFactory,
    writers: Vec<ArrowColumnWriter>,
    rows: usize,
    done: Vec<u8>,
    done_rows: usize,
    groups: Vec<Vec<Chunk>>,
}

impl Encoder {
    /// An encoder whose row groups end with its pieces, or at `row_group_size` rows. The caller bounds what it holds.
    pub(super) fn new(schema: &SchemaRef, options: &WriteOptions) -> Result<Encoder> {
        let layout = Layout::new(schema, options)?;
        let factory = ArrowRowGroupWriterFactory::new(&layout.file(io::sink())?, schema.clone());
        let (writers, done, groups) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Encoder { layout, factory, writers, rows: 0, done, done_rows: 0, groups })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if self.writers.is_empty() {
            self.writers = self.factory.create_column_writers(0).map_err(fault::write)?;
        }
        let mut writers = self.writers.iter_mut();
        for (field, column) in self.layout.schema.fields().iter().zip(rows.columns()) {
            for leaf in compute_leaves(field, column).map_err(fault::write)? {
                let writer = writers.next().ok_or_else(|| Error::internal("more leaves than column writers"))?;
                writer.write(&leaf).map_err(fault::write)?;
            }
        }
        self.rows += rows.num_rows();
        Ok(())
    }

    /// Bytes of the row group in the making.
    fn open_bytes(&self) -> usize {
        self.writers.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    fn close_group(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut chunks = Vec::with_capacity(self.writers.len());
        let mut length = 0;
        for writer in self.writers.drain(..) {
            let chunk = writer.close().map_err(fault::write)?;
            length += usize::try_from(chunk.close().metadata.compressed_size()).unwrap_or(0);
            chunks.push(chunk);
        }
        let group = lay_out(&self.layout, chunks, length, &mut self.done)?;
        self.groups.push(group);
        self.done_rows += self.rows;
        self.rows = 0;
        Ok(())
    }
}

/// Lays chunks one after the other into `bytes`.
///
/// The crate lets nobody but itself take a chunk's pages, so they pass through a file of its making without a footer:
/// its magic is cut off, and its idea of where dictionary and data begin tells the dictionary's length.
fn lay_out(layout: &Layout, chunks: Vec<ArrowColumnChunk>, length: usize, bytes: &mut Vec<u8>) -> Result<Vec<Chunk>> {
    let mut closes: Vec<ColumnCloseResult> = chunks.iter().map(|chunk| copy_of(chunk.close())).collect();
    let begin = bytes.len();
    bytes.reserve_exact(length + MAGIC);
    let mut file = layout.file(&mut *bytes)?;
    let mut group = file.next_row_group().map_err(fault::write)?;
    for chunk in chunks {
        chunk.append_to_row_group(&mut group).map_err(fault::write)?;
    }
    let meta = group.close().map_err(fault::write)?;
    file.flush().map_err(|e| Error::io("memory", e))?;
    drop(file);
    bytes.drain(begin..begin + MAGIC);
    let mut laid = Vec::with_capacity(closes.len());
    for (close, column) in closes.drain(..).zip(meta.columns()) {
        let dictionary = column.dictionary_page_offset().map_or(0, |at| column.data_page_offset() - at);
        let dictionary = usize::try_from(dictionary).unwrap_or(0);
        let close = close.update_dictionary_location(dictionary).map_err(fault::write)?;
        let length = usize::try_from(column.compressed_size()).map_err(|_| Error::internal("a chunk of no length"))?;
        laid.push(Chunk { length, close });
    }
    Ok(laid)
}

/// Bytes before the first chunk of a file.
const MAGIC: usize = 4;

fn copy_of(close: &ColumnCloseResult) -> ColumnCloseResult {
    ColumnCloseResult {
        bytes_written: close.bytes_written,
        rows_written: close.rows_written,
        metadata: close.metadata.clone(),
        bloom_filter: close.bloom_filter.clone(),
        column_index: close.column_index.clone(),
        offset_index: close.offset_index.clone(),
    }
}

impl Encode for Encoder {
    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut at = 0;
        while at < rows.num_rows() {
            let take = (rows.num_rows() - at).min(self.layout.row_group_size - self.rows);
            self.write(&rows.slice(at, take))?;
            at += take;
            if self.rows >= self.layout.row_group_size {
                self.close_group()?;
            }
        }
        Ok(())
    }

    /// The bytes of closed row groups, and twice those of the open one: closing it copies it once.
    fn held(&self) -> usize {
        self.done.capacity() + 2 * self.open_bytes()
    }

    fn piece(&mut self) -> Result<Piece> {
        self.close_group()?;
        let rows = std::mem::take(&mut self.done_rows);
        let groups = Groups(std::mem::take(&mut self.groups));
        Ok(Piece { bytes: std::mem::take(&mut self.done), rows, meta: Some(Box::new(groups)) })
    }
}

/// The output as the crate wants it, its bytes counted.
struct Sink {
    to: Box<dyn Output>,
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Appends row groups to one file.
pub(super) struct Assembler {
    file: SerializedFileWriter<Sink>,
}

impl Assembler {
    pub(super) fn new(schema: &SchemaRef, options: &WriteOptions, to: Box<dyn Output>) -> Result<Assembler> {
        Ok(Assembler { file: Layout::new(schema, options)?.file(Sink { to, bytes: 0 })? })
    }
}

impl Assemble for Assembler {
    fn append(&mut self, piece: Piece) -> Result<()> {
        let groups = piece.meta.and_then(|meta| meta.downcast::<Groups>().ok());
        let groups = groups.ok_or_else(|| Error::internal("a piece of another format"))?;
        let mut bytes = Bytes::from(piece.bytes);
        for chunks in groups.0 {
            let mut group = self.file.next_row_group().map_err(fault::write)?;
            for chunk in chunks {
                if chunk.length > bytes.len() {
                    return Err(Error::internal("a piece is shorter than its column chunks"));
                }
                let own = bytes.split_to(chunk.length);
                group.append_column(&own, chunk.close).map_err(fault::write)?;
            }
            group.close().map_err(fault::write)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        // Writes the footer, then hands the output back.
        let sink = self.file.into_inner().map_err(fault::write)?;
        sink.to.complete()?;
        Ok(sink.bytes)
    }
}
