//! Writes Parquet: row groups are encoded by each worker, their bytes appended in order by one assembler.
//!
//! Life of a row group:
//! 1. [`Encoder::push`] hands each batch, column by column, to the crate's column writers; encoded pages are kept in
//!    memory as far as there is room, then on a shelf (see [`shelf`](super::shelf)).
//! 2. When it has `row_group_size` rows, or [`GROUP`] bytes, or the piece ends, the chunks are closed: they are the
//!    piece's `meta`, and its `bytes` are empty.
//! 3. [`Assembler::append`] copies the pages of each chunk to the output, and the crate shifts its offsets.
//!
//! Under a small budget pages and dictionaries are small, since every column has one of each in the making; then there are
//! no page indexes, which would take as much memory as there is.
//!
//! Limit: the footer of the output, with its page indexes, stays in memory until the end ([`Assembler::held`]): about
//! [`CHUNK`] bytes a column chunk, and about [`INDEXED`] a page where there are page indexes.

use super::fault;
use super::options::{DICTIONARY, WriteOptions, compressor_bytes};
use super::shelf::{Room, Stores};
use crate::error::{Error, Result};
use crate::formats::{Assemble, Encode, Output, Piece, Shelf};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;
use std::io::{self, Write};
use std::sync::Arc;

/// A piece's metadata: its row groups, each a list of column chunks.
struct Groups(Vec<Vec<ArrowColumnChunk>>);

/// A row group of so many encoded bytes ends, however few its rows are.
const GROUP: usize = 256 << 20;
/// The least that a page or a dictionary may have.
const LEAST_PAGE: usize = 8 << 10;
/// The most.
const MOST_PAGE: usize = 1 << 20;
/// Smaller pages have no indexes.
const INDEXED_PAGE: usize = 256 << 10;

/// Bytes of what is known of a column chunk, with its statistics.
const CHUNK: usize = size_of::<ColumnChunkMetaData>() + 256;
/// Bytes of a page's place in the indexes, with its bounds.
const INDEXED: usize = 160;

/// Bytes of memory of what is known of a column chunk and its pages.
fn chunk_bytes(chunk: &ArrowColumnChunk) -> usize {
    let pages = chunk.close().offset_index.as_ref().map_or(0, |index| index.page_locations().len());
    CHUNK + pages * INDEXED
}

/// What encoder and assembler must agree in.
struct Layout {
    schema: SchemaRef,
    columns: SchemaDescriptor,
    properties: Arc<WriterProperties>,
    dictionary: bool,
    row_group_size: usize,
}

/// The size of pages: each column has a page and a dictionary in the making, together a quarter of what may be held.
fn page(columns: &SchemaDescriptor, held: usize) -> usize {
    (held / 8 / columns.num_columns().max(1)).clamp(LEAST_PAGE, MOST_PAGE)
}

/// Bytes that an encoder takes which should hold `held`: the compressors of all columns come on top.
pub(super) fn encoder_bytes(schema: &SchemaRef, options: &WriteOptions, held: usize) -> Result<usize> {
    let columns = ArrowSchemaConverter::new().convert(schema).map_err(fault::write)?;
    let (count, page) = (columns.num_columns(), page(&columns, held));
    let compression = options.compression_for(count, page, held)?;
    let dictionary = if options.dictionary_for(count, held) { DICTIONARY } else { 0 };
    Ok(held + held / 2 + count * (dictionary + compressor_bytes(compression, page)))
}

impl Layout {
    fn new(schema: &SchemaRef, options: &WriteOptions, held: usize) -> Result<Layout> {
        let columns = ArrowSchemaConverter::new().convert(schema).map_err(fault::write)?;
        let page = page(&columns, held);
        let compression = options.compression_for(columns.num_columns(), page, held)?;
        let dictionary = options.dictionary_for(columns.num_columns(), held);
        let mut properties = options.properties(page, page >= INDEXED_PAGE, compression, dictionary);
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let properties = Arc::new(properties);
        Ok(Layout { schema: schema.clone(), columns, properties, dictionary, row_group_size: options.row_group_size })
    }

    fn factory(&self, room: &Arc<Room>) -> Result<ArrowRowGroupWriterFactory> {
        let factory = ArrowRowGroupWriterFactory::new(&self.file(io::sink())?, self.schema.clone());
        Ok(factory.with_page_store_factory(Arc::new(Stores(room.clone()))))
    }

    fn file<W: Write + Send>(&self, to: W) -> Result<SerializedFileWriter<W>> {
        SerializedFileWriter::new(to, self.columns.root_schema_ptr(), self.properties.clone()).map_err(fault::write)
    }
}

/// Encodes one worker's rows.
pub(super) struct Encoder {
    layout: Layout,
    factory: ArrowRowGroupWriterFactory,
    room: Arc<Room>,
    held: usize,
    writers: Vec<ArrowColumnWriter>,
    rows: usize,
    done_rows: usize,
    groups: Vec<Vec<ArrowColumnChunk>>,
}

impl Encoder {
    /// An encoder that should hold at most `held` bytes.
    pub(super) fn new(schema: &SchemaRef, options: &WriteOptions, held: usize) -> Result<Encoder> {
        let layout = Layout::new(schema, options, held)?;
        let room = Room::new(None, usize::MAX);
        let factory = layout.factory(&room)?;
        let (writers, groups) = (Vec::new(), Vec::new());
        Ok(Encoder { layout, factory, room, held, writers, rows: 0, done_rows: 0, groups })
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

    fn is_full(&self) -> bool {
        let bytes = || self.writers.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum::<usize>();
        self.rows >= self.layout.row_group_size || bytes() >= GROUP
    }

    fn close_group(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let chunks = self.writers.drain(..).map(|writer| writer.close().map_err(fault::write));
        self.groups.push(chunks.collect::<Result<_>>()?);
        self.done_rows += std::mem::take(&mut self.rows);
        Ok(())
    }
}

impl Encode for Encoder {
    fn shelve(&mut self, shelf: Arc<dyn Shelf>) -> Result<()> {
        self.room = Room::new(Some(shelf), self.held / 4);
        self.factory = self.layout.factory(&self.room)?;
        Ok(())
    }

    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut at = 0;
        while at < rows.num_rows() {
            let take = (rows.num_rows() - at).min(self.layout.row_group_size - self.rows);
            self.write(&rows.slice(at, take))?;
            at += take;
            if self.is_full() {
                self.close_group()?;
            }
        }
        Ok(())
    }

    /// Pages in memory, also of pieces that wait, and what is in the making; without the empty tables of dictionaries,
    /// which do not shrink when a piece ends.
    fn held(&self) -> usize {
        let empty = if self.layout.dictionary { DICTIONARY } else { 0 };
        let in_making = |writer: &ArrowColumnWriter| writer.memory_size().saturating_sub(empty);
        self.room.used() + self.writers.iter().map(in_making).sum::<usize>()
    }

    /// What is in the making, and the row groups that are ended.
    fn size(&self) -> usize {
        let open: usize = self.writers.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
        let ended = self.groups.iter().flatten().map(|chunk| chunk.close().metadata.compressed_size());
        open + ended.map(|bytes| usize::try_from(bytes).unwrap_or(0)).sum::<usize>()
    }

    fn piece(&mut self) -> Result<Piece> {
        self.close_group()?;
        let rows = std::mem::take(&mut self.done_rows);
        let groups = Groups(std::mem::take(&mut self.groups));
        let held = groups.0.iter().flatten().map(chunk_bytes).sum();
        Ok(Piece { bytes: Vec::new(), rows, meta: Some(Box::new(groups)), held })
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
    /// Bytes of the footer so far.
    footer: usize,
}

impl Assembler {
    pub(super) fn new(schema: &SchemaRef, options: &WriteOptions, to: Box<dyn Output>) -> Result<Assembler> {
        let file = Layout::new(schema, options, usize::MAX)?.file(Sink { to, bytes: 0 })?;
        Ok(Assembler { file, footer: 0 })
    }
}

impl Assemble for Assembler {
    fn append(&mut self, piece: Piece) -> Result<()> {
        let groups = piece.meta.and_then(|meta| meta.downcast::<Groups>().ok());
        let groups = groups.ok_or_else(|| Error::internal("a piece of another format"))?;
        for chunks in groups.0 {
            let mut group = self.file.next_row_group().map_err(fault::write)?;
            for chunk in chunks {
                self.footer += chunk_bytes(&chunk);
                chunk.append_to_row_group(&mut group).map_err(fault::write)?;
            }
            group.close().map_err(fault::write)?;
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.footer
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        // Writes the footer, then hands the output back.
        let sink = self.file.into_inner().map_err(fault::write)?;
        sink.to.complete()?;
        Ok(sink.bytes)
    }
}
