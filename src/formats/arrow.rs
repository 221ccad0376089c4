//! Arrow's own files (IPC): the container with a footer, and the bare stream.
//!
//! Life of a scan:
//! 1. The record batches of a file are found without reading them: from the footer's blocks, or by walking the headers of
//!    a stream's messages. Each is checked against the file's length, and before batches are decoded, so is what each
//!    compressed buffer claims to become, since the crate allocates what is claimed: it is a part of the floor.
//! 2. Batches of a container are put together into splits; a stream is one split, because its dictionaries change on the
//!    way.
//! 3. A reader decodes one batch of the file at a time and yields slices of it, text turned into views of its bytes.
//!
//! Life of an output: an encoder makes each piece a small stream, uncompressed; the assembler reads it back (its buffers
//! are not copied) and writes the batches into the one output, compressed if that was asked for. Text is written with
//! offsets (`Utf8`), which every reader knows, and which leaves behind the pages that views point into.
//!
//! Limits: a batch of the file is read whole, all columns; `floor` says what the largest takes.

use super::parquet::fault::{guard, read_arrow};
use super::parquet::options::unknown;
use super::parquet::schema::{agree, bare, columns_of, viewed};
use super::parquet::source::{Cursor, Source};
use super::sieve::Sieve;
use super::{
    Assemble, ColumnStats, Encode, FileRef, Format, Output, Piece, Scan, ScanSpec, Split, SplitReader, Table, TableDef,
    TableStats,
};
use crate::error::{Error, Result};
use crate::memory::Budget;
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};
use ::arrow::ipc::convert::fb_to_schema;
use ::arrow::ipc::reader::{FileReader, StreamReader};
use ::arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use ::arrow::ipc::{CompressionType, Message, root_as_footer, root_as_message};
use ::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::ops::Range;
use std::sync::Arc;

/// The Arrow format.
pub struct Arrow;

/// The one instance, for the table of formats.
pub static ARROW: Arrow = Arrow;

/// What a container begins and ends with.
const MAGIC: &[u8; 6] = b"ARROW1";
/// What a message begins with, before the length of its header.
const CONTINUATION: [u8; 4] = [0xff; 4];

impl Format for Arrow {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn endings(&self) -> &'static [&'static str] {
        &["arrow", "feather", "ipc", "arrows"]
    }

    fn inspect(&self, def: &TableDef, files: &[FileRef], _: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        WriteOptions::parse(&def.options)?;
        let mut table = def.schema.as_ref().map(|declared| bare(declared));
        let mut stats = TableStats { rows: Some(0), ..TableStats::default() };
        for file in files {
            let (own, rows) = guard(&file.path, || summary(file))?;
            let merged = match table.take() {
                None => own,
                Some(declared) if def.schema.is_some() => columns_of(&declared, &own, &file.path).map(|_| declared)?,
                Some(first) => agree(&first, &own, &file.path)?,
            };
            stats.rows = stats.rows.map(|sum| sum + rows);
            stats.bytes += file.size;
            table = Some(merged);
        }
        let table = table.ok_or_else(|| Error::query("a table of no Arrow files"))?;
        stats.columns = vec![ColumnStats::default(); table.fields().len()];
        Ok((Arc::new(table), stats))
    }

    fn scan(&self, table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        Ok(Box::new(ArrowScan::plan(table.files.clone(), table.schema.clone(), spec, split_bytes)?))
    }

    fn encoder(&self, schema: &SchemaRef, options: &BTreeMap<String, String>, _held: usize) -> Result<Box<dyn Encode>> {
        WriteOptions::parse(options)?;
        Ok(Box::new(Encoder { schema: Arc::new(plain_schema(schema)), stream: None, rows: 0 }))
    }

    fn assembler(
        &self,
        schema: &SchemaRef,
        options: &BTreeMap<String, String>,
        to: Box<dyn Output>,
    ) -> Result<Box<dyn Assemble>> {
        let options = WriteOptions::parse(options)?;
        let to = Counted { to, bytes: 0 };
        let (schema, ipc) = (plain_schema(schema), options.ipc()?);
        Ok(Box::new(if options.stream {
            Assembler::Stream(StreamWriter::try_new_with_options(to, &schema, ipc).map_err(written)?)
        } else {
            Assembler::File(FileWriter::try_new_with_options(to, &schema, ipc).map_err(written)?)
        }))
    }
}

/// A record batch of a file, not yet read.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    rows: u64,
    /// Bytes of its body.
    body: u64,
    /// The same, once its buffers are unpacked.
    unpacked: u64,
}

/// How much is learned of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Depth {
    /// Its headers.
    Headers,
    /// Also what its compressed buffers claim to become.
    Buffers,
}

/// What a file is made of.
struct Layout {
    /// A container, whose batches can be read in any order.
    is_container: bool,
    schema: Schema,
    /// Its record batches.
    blocks: Vec<Block>,
    /// Bytes of the largest body, unpacked; dictionaries, too.
    largest: u64,
}

fn layout(source: &Source, depth: Depth) -> Result<Layout> {
    let mut begin = [0; 6];
    read_exact(source, 0, &mut begin)?;
    if &begin == MAGIC {
        return container(source, depth);
    }
    if begin.get(..4) != Some(&CONTINUATION) {
        return Err(Error::data("this is not an Arrow file (it begins neither with ARROW1 nor with a message)"));
    }
    stream(source, depth)
}

fn read_exact(source: &Source, at: u64, buffer: &mut [u8]) -> Result<()> {
    let read = source.read_at(at, buffer).map_err(|e| read_arrow(e.into()))?;
    if read < buffer.len() { Err(truncated()) } else { Ok(()) }
}

fn truncated() -> Error {
    Error::data("the file is truncated, or not an Arrow file")
}

/// Bytes of the file, of which it must have them.
fn bytes_at(source: &Source, at: u64, length: u64) -> Result<Vec<u8>> {
    if at.checked_add(length).is_none_or(|end| end > source.len()) {
        return Err(truncated());
    }
    let mut buffer = vec![0; usize::try_from(length).map_err(|_| truncated())?];
    read_exact(source, at, &mut buffer)?;
    Ok(buffer)
}

fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::data(format!("the file is corrupt: {what}"))
}

fn unsigned(n: i64) -> Result<u64> {
    u64::try_from(n).map_err(|_| truncated())
}

fn container(source: &Source, depth: Depth) -> Result<Layout> {
    let tail = source.len().checked_sub(10).ok_or_else(truncated)?;
    let mut end = [0; 10];
    read_exact(source, tail, &mut end)?;
    let [a, b, c, d, magic @ ..] = end;
    let length = u32::from_le_bytes([a, b, c, d]);
    let begin = tail.checked_sub(u64::from(length)).filter(|_| &magic == MAGIC).ok_or_else(truncated)?;
    let bytes = bytes_at(source, begin, u64::from(length))?;
    let footer = root_as_footer(&bytes).map_err(corrupt)?;
    let schema = fb_to_schema(footer.schema().ok_or_else(|| corrupt("it has no schema"))?);
    let dictionaries = blocks_at(source, footer.dictionaries().into_iter().flatten(), depth)?;
    let blocks = blocks_at(source, footer.recordBatches().into_iter().flatten(), depth)?;
    let largest = dictionaries.iter().chain(&blocks).map(|block| block.unpacked).max().unwrap_or(0);
    Ok(Layout { is_container: true, schema, blocks, largest })
}

fn blocks_at<'a>(
    source: &Source,
    list: impl Iterator<Item = &'a ::arrow::ipc::Block>,
    depth: Depth,
) -> Result<Vec<Block>> {
    list.map(|b| block_at(source, b.offset(), b.metaDataLength(), b.bodyLength(), depth)).collect()
}

/// Checks that a block lies in the file, and counts its rows from its header.
fn block_at(source: &Source, offset: i64, header: i32, body: i64, depth: Depth) -> Result<Block> {
    let (offset, header, body) = (unsigned(offset)?, unsigned(i64::from(header))?, unsigned(body)?);
    let end = offset.checked_add(header).and_then(|at| at.checked_add(body));
    if end.is_none_or(|end| end > source.len()) {
        return Err(truncated());
    }
    let bytes = bytes_at(source, offset, header)?;
    let begin = if bytes.get(..4) == Some(&CONTINUATION) { 8 } else { 4 };
    let message = root_as_message(bytes.get(begin..).ok_or_else(truncated)?).map_err(corrupt)?;
    let unpacked = unpacked(source, &message, offset + header, body, depth)?;
    Ok(Block { rows: rows(&message)?.unwrap_or(0), body, unpacked })
}

/// Rows of a record batch's message; `None` for other messages.
fn rows(message: &Message<'_>) -> Result<Option<u64>> {
    let rows = message.header_as_record_batch().map(|batch| batch.length());
    rows.map(|rows| u64::try_from(rows).map_err(|_| corrupt("a batch of less than no rows"))).transpose()
}

/// How many times as long as it is a buffer may become: more than either codec does, zeros included (LZ4 about 255 times,
/// Zstandard some 32,000).
const MOST: u64 = 1 << 20;

/// Bytes of a message's body, which is at `at`, once each buffer has become what the length before it claims.
fn unpacked(source: &Source, message: &Message<'_>, at: u64, body: u64, depth: Depth) -> Result<u64> {
    let dictionary = || message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let batch = message.header_as_record_batch().or_else(dictionary);
    let packed = batch.filter(|batch| depth == Depth::Buffers && batch.compression().is_some());
    let mut sum = 0u64;
    for buffer in packed.and_then(|batch| batch.buffers()).into_iter().flatten() {
        let (offset, length) = (unsigned(buffer.offset())?, unsigned(buffer.length())?);
        if offset.checked_add(length).is_none_or(|end| end > body) {
            return Err(corrupt("a buffer lies outside of its batch"));
        }
        if length < 8 {
            continue;
        }
        let mut prefix = [0; 8];
        read_exact(source, at + offset, &mut prefix)?;
        let claimed = match i64::from_le_bytes(prefix) {
            -1 => length,
            claimed => u64::try_from(claimed).ok().filter(|claimed| *claimed / MOST <= length).ok_or_else(|| {
                corrupt(format_args!("a buffer of {length} bytes claims to be {claimed} when it is unpacked"))
            })?,
        };
        sum = sum.saturating_add(claimed);
    }
    Ok(sum.max(body))
}

/// A stream, walked from header to header.
fn stream(source: &Source, depth: Depth) -> Result<Layout> {
    let (mut blocks, mut largest, mut schema) = (Vec::new(), 0, None);
    let mut at = 0;
    while at < source.len() {
        let mut prefix = [0; 8];
        read_exact(source, at, &mut prefix)?;
        let [a, b, c, d, length @ ..] = prefix;
        let length = u64::from(u32::from_le_bytes(length));
        if [a, b, c, d] != CONTINUATION {
            return Err(truncated());
        }
        if length == 0 {
            break; // the mark of the end
        }
        let header = bytes_at(source, at + 8, length)?;
        let message = root_as_message(&header).map_err(corrupt)?;
        let (begin, body) = (at + 8 + length, unsigned(message.bodyLength())?);
        at = begin.checked_add(body).filter(|end| *end <= source.len()).ok_or_else(truncated)?;
        let unpacked = unpacked(source, &message, begin, body, depth)?;
        largest = unpacked.max(largest);
        if let Some(rows) = rows(&message)? {
            blocks.push(Block { rows, body, unpacked });
        }
        schema = schema.or_else(|| message.header_as_schema().map(fb_to_schema));
    }
    let schema = schema.ok_or_else(|| corrupt("it has no schema"))?;
    Ok(Layout { is_container: false, schema, blocks, largest })
}

fn summary(file: &FileRef) -> Result<(Schema, u64)> {
    let source = Source::open(file)?;
    let layout = layout(&source, Depth::Headers)?;
    Ok((viewed_schema(&layout.schema), layout.blocks.iter().map(|block| block.rows).sum()))
}

fn viewed_schema(own: &Schema) -> Schema {
    let fields = own.fields().iter().map(|f| f.as_ref().clone().with_data_type(viewed(f.data_type())));
    bare(&Schema::new(fields.collect::<Vec<_>>()))
}

struct ArrowScan {
    files: Vec<FileRef>,
    table: SchemaRef,
    /// The schema of what is decoded: what is wanted, then what only the filter wants.
    decoded: SchemaRef,
    columns: Vec<usize>,
    sieve: Option<Arc<Sieve>>,
    spec: ScanSpec,
    splits: Vec<Split>,
    containers: Vec<bool>,
    /// Bytes of the largest batch, unpacked.
    largest: u64,
}

/// A batch in memory, decompressed, and its text as views.
const TIMES: u64 = 3;

impl ArrowScan {
    fn plan(files: Vec<FileRef>, table: SchemaRef, spec: ScanSpec, split_bytes: usize) -> Result<ArrowScan> {
        let wanted = Arc::new(table.project(&spec.projection)?);
        let (columns, sieve) = match &spec.filter {
            Some(filter) => {
                let (columns, sieve) = Sieve::new(&spec.projection, &wanted, filter, &table)?;
                (columns, Some(Arc::new(sieve)))
            }
            None => (spec.projection.clone(), None),
        };
        let decoded = Arc::new(table.project(&columns)?);
        let (mut splits, mut containers, mut largest) = (Vec::new(), Vec::new(), 0);
        for (index, file) in files.iter().enumerate() {
            if !spec.reads(index) {
                containers.push(false);
                continue;
            }
            let layout = guard(&file.path, || layout(&Source::open(file)?, Depth::Buffers))?;
            largest = layout.largest.max(largest);
            containers.push(layout.is_container);
            let ranges = if layout.is_container {
                together(&layout.blocks, split_bytes as u64)
            } else {
                std::iter::once(0..layout.blocks.len() as u64).collect()
            };
            splits.extend(ranges.into_iter().map(|range| Split { file: index, range }));
        }
        Ok(ArrowScan { files, table, decoded, columns, sieve, spec, splits, containers, largest })
    }
}

/// Neighbouring blocks of about `bytes` together.
fn together(blocks: &[Block], bytes: u64) -> Vec<Range<u64>> {
    let (mut ranges, mut begin, mut sum) = (Vec::new(), 0u64, 0u64);
    for (index, block) in blocks.iter().enumerate() {
        let index = index as u64;
        if sum > 0 && sum.saturating_add(block.body) > bytes {
            ranges.push(begin..index);
            (begin, sum) = (index, 0);
        }
        sum = sum.saturating_add(block.body);
    }
    if begin < blocks.len() as u64 {
        ranges.push(begin..blocks.len() as u64);
    }
    ranges
}

impl Scan for ArrowScan {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        let split = self.splits.get(index).ok_or_else(|| Error::internal(format!("no split {index} of a scan")))?;
        let lost = || Error::internal("a split of a file that is not there");
        let file = self.files.get(split.file).ok_or_else(lost)?;
        let is_container = *self.containers.get(split.file).ok_or_else(lost)?;
        guard(&file.path, || {
            let source = Source::open(file)?;
            let decoder = Decoder::open(&source, is_container, split.range.clone())?;
            let all = columns_of(&self.table, &viewed_schema(&decoder.schema()), &file.path)?;
            let columns = self.columns.iter().filter_map(|column| all.get(*column).copied()).collect();
            let (schema, spec, path) = (self.decoded.clone(), self.spec.clone(), file.path.clone());
            let sieve = self.sieve.clone();
            Ok(Box::new(Reader { path, decoder, columns, schema, sieve, spec, current: None }) as Box<dyn SplitReader>)
        })
    }

    fn floor(&self) -> usize {
        let batch = usize::try_from(self.largest.saturating_mul(TIMES)).unwrap_or(usize::MAX);
        batch.saturating_add(self.spec.batch_bytes)
    }
}

/// The crate's two readers.
enum Decoder {
    File(FileReader<BufReader<Cursor>>, u64),
    Stream(StreamReader<BufReader<Cursor>>),
}

impl Decoder {
    fn open(source: &Source, is_container: bool, range: Range<u64>) -> Result<Decoder> {
        let read = BufReader::new(source.cursor());
        if !is_container {
            return Ok(Decoder::Stream(StreamReader::try_new(read, None).map_err(read_arrow)?));
        }
        let mut file = FileReader::try_new(read, None).map_err(read_arrow)?;
        if range.start > 0 {
            file.set_index(usize::try_from(range.start).unwrap_or(usize::MAX)).map_err(read_arrow)?;
        }
        Ok(Decoder::File(file, range.end.saturating_sub(range.start)))
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Decoder::File(file, _) => file.schema(),
            Decoder::Stream(stream) => stream.schema(),
        }
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = match self {
            Decoder::File(_, 0) => None,
            Decoder::File(file, left) => {
                *left -= 1;
                let batch = file.next();
                Some(batch.ok_or_else(|| Error::data("the file is corrupt: a batch is missing"))?)
            }
            Decoder::Stream(stream) => stream.next(),
        };
        batch.transpose().map_err(read_arrow)
    }
}

struct Reader {
    path: Arc<str>,
    decoder: Decoder,
    /// Where the wanted columns are in the file.
    columns: Vec<usize>,
    /// Of what is decoded.
    schema: SchemaRef,
    sieve: Option<Arc<Sieve>>,
    spec: ScanSpec,
    current: Option<Slices>,
}

/// A batch of the file, of which the rows before `at` were yielded.
struct Slices {
    batch: RecordBatch,
    at: usize,
    rows: usize,
}

impl Reader {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(slices) = &mut self.current {
                let left = slices.batch.num_rows() - slices.at;
                if left > 0 {
                    let slice = slices.batch.slice(slices.at, left.min(slices.rows));
                    slices.at += slice.num_rows();
                    let rows = self.view(&slice)?;
                    return match &self.sieve {
                        Some(sieve) => sieve.pass(&rows).map(Some),
                        None => Ok(Some(rows)),
                    };
                }
                self.current = None;
            }
            let Some(batch) = self.decoder.next()? else { return Ok(None) };
            let width = batch.get_array_memory_size() / batch.num_rows().max(1);
            let rows = (self.spec.batch_bytes / width.max(1)).clamp(1, self.spec.batch_rows.max(1));
            self.current = Some(Slices { batch, at: 0, rows });
        }
    }

    fn view(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (at, field) in self.columns.iter().zip(self.schema.fields()) {
            let column =
                batch.columns().get(*at).ok_or_else(|| Error::data("the file is corrupt: a column is missing"))?;
            columns.push(cast(column, field.data_type()).map_err(read_arrow)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(read_arrow)
    }
}

impl SplitReader for Reader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let path = self.path.clone();
        guard(&path, || self.step())
    }
}

/// How Arrow is written.
#[derive(Clone, Debug, Default, PartialEq)]
struct WriteOptions {
    /// `none` (default), `lz4`, `zstd`.
    compression: Option<CompressionType>,
    /// `container`: `file` (default) or `stream`.
    stream: bool,
}

impl WriteOptions {
    fn parse(options: &BTreeMap<String, String>) -> Result<WriteOptions> {
        let mut parsed = WriteOptions::default();
        for (name, value) in options {
            match (name.as_str(), value.trim().to_ascii_lowercase().as_str()) {
                ("compression", "none") => parsed.compression = None,
                ("compression", "lz4") => parsed.compression = Some(CompressionType::LZ4_FRAME),
                ("compression", "zstd") => parsed.compression = Some(CompressionType::ZSTD),
                ("container", "file") => parsed.stream = false,
                ("container", "stream") => parsed.stream = true,
                ("compression", _) => return Err(Error::query("compression of Arrow is none, lz4 or zstd")),
                ("container", _) => return Err(Error::query("container of Arrow is file or stream")),
                _ => return Err(unknown(name, &["compression", "container"])),
            }
        }
        Ok(parsed)
    }

    fn ipc(&self) -> Result<IpcWriteOptions> {
        IpcWriteOptions::default().try_with_compression(self.compression).map_err(written)
    }
}

fn written(e: ::arrow::error::ArrowError) -> Error {
    match e {
        ::arrow::error::ArrowError::IoError(_, io) => Error::io("the output", io),
        other => other.into(),
    }
}

/// Text and bytes with offsets instead of views.
fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(plain_field(item), *n),
        DataType::Map(entry, sorted) => DataType::Map(plain_field(entry), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(plain(field.data_type())))
}

fn plain_schema(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(plain_field).collect::<Fields>())
}

struct Encoder {
    schema: SchemaRef,
    stream: Option<StreamWriter<Vec<u8>>>,
    rows: usize,
}

impl Encode for Encoder {
    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(StreamWriter::try_new(Vec::new(), &self.schema).map_err(written)?),
        };
        let pairs = rows.columns().iter().zip(self.schema.fields());
        let columns = pairs.map(|(column, field)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let plain = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.rows += rows.num_rows();
        stream.write(&plain).map_err(written)
    }

    fn held(&self) -> usize {
        self.stream.as_ref().map_or(0, |stream| stream.get_ref().capacity())
    }

    fn piece(&mut self) -> Result<Piece> {
        let bytes = match self.stream.take() {
            Some(stream) => stream.into_inner().map_err(written)?,
            None => Vec::new(),
        };
        Ok(Piece { bytes, rows: std::mem::take(&mut self.rows), meta: None, held: 0 })
    }
}

/// The output, its bytes counted.
struct Counted {
    to: Box<dyn Output>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

enum Assembler {
    File(FileWriter<Counted>),
    Stream(StreamWriter<Counted>),
}

impl Assemble for Assembler {
    fn append(&mut self, piece: Piece) -> Result<()> {
        if piece.bytes.is_empty() {
            return Ok(());
        }
        for batch in StreamReader::try_new(io::Cursor::new(piece.bytes), None)? {
            match self {
                Assembler::File(file) => file.write(&batch?),
                Assembler::Stream(stream) => stream.write(&batch?),
            }
            .map_err(written)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        let mut to = match *self {
            Assembler::File(file) => file.into_inner().map_err(written)?,
            Assembler::Stream(stream) => stream.into_inner().map_err(written)?,
        };
        to.flush().map_err(|e| Error::io("the output", e))?;
        to.to.complete()?;
        Ok(to.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parquet::tests::{all, every_type, read, table, write};
    use super::*;
    use ::arrow::compute::concat_batches;

    #[test]
    fn every_type_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.arrow");
        let written: Vec<_> = (0..1000).step_by(130).map(|at| every_type(at..1000.min(at + 130))).collect();
        let whole = concat_batches(&written[0].schema(), &written).unwrap();
        for (container, compression) in [("file", "none"), ("file", "zstd"), ("stream", "none"), ("stream", "lz4")] {
            write(&ARROW, &path, &written, &[("container", container), ("compression", compression)]);
            let table = table(&ARROW, std::slice::from_ref(&path)).unwrap();
            assert_eq!(table.stats.rows, Some(1000));
            let (back, splits) = read(&table, all(&table), 30_000).unwrap();
            assert_eq!(back, whole, "{container} {compression}");
            assert_eq!(splits > 1, container == "file");
            let spec = ScanSpec { projection: vec![8, 0], ..all(&table) };
            assert_eq!(read(&table, spec, 1).unwrap().0, whole.project(&[8, 0]).unwrap());
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_or_has_all_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let (path, broken) = (dir.path().join("a.arrow"), dir.path().join("b.arrow"));
        for (container, compression) in [("file", "none"), ("stream", "none"), ("file", "zstd"), ("stream", "lz4")] {
            let options = [("container", container), ("compression", compression)];
            write(&ARROW, &path, &[every_type(0..100), every_type(100..200)], &options);
            let bytes = std::fs::read(&path).unwrap();
            let rows = |bytes: &[u8]| {
                std::fs::write(&broken, bytes).unwrap();
                let table = table(&ARROW, std::slice::from_ref(&broken))?;
                Ok::<_, Error>(read(&table, all(&table), 1 << 20)?.0.num_rows())
            };
            for cut in (0..bytes.len() - 8).step_by(211) {
                assert!(rows(&bytes[..cut]).is_err(), "{container} {compression} cut at {cut}");
            }
            for at in (0..bytes.len()).step_by(173) {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << (at % 8);
                assert!(rows(&bent).map_or(true, |rows| rows == 200), "{container} {compression} byte {at}");
            }
        }
    }
}
