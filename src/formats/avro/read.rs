//! Reads the blocks of a split: some at a time are decoded by the crate, and their rows yielded in slices.

use super::container::{Block, Blocks, Codec, Header, Mark, push_long, push_run};
use super::schema::{ROWS, Written};
use super::settle::{settle, settled_fields};
use crate::error::{Error, Result};
use crate::formats::parquet::fault::{guard, read_arrow};
use crate::formats::sieve::Sieve;
use crate::formats::text::{Growth, PATIENCE};
use crate::formats::{ScanSpec, SplitReader};
use arrow::array::{Array, AsArray, StructArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::AvroSchema;
use std::sync::Arc;

/// The mark behind the records of a group.
const MARK: Mark = *b"partita's blocks";

/// How the records of a file are decoded.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    /// The header of a container that holds one group.
    header: Arc<[u8]>,
    /// What of the records is wanted, where that is not all.
    wanted: Option<Arc<str>>,
    /// The columns, and their types.
    pub(super) schema: SchemaRef,
}

impl Decoder {
    /// Of all columns of a file.
    ///
    /// # Errors
    /// `Unsupported`, for what the crate does not read.
    pub(super) fn new(written: &Written) -> Result<Decoder> {
        Decoder::made(written, None)
    }

    /// Of some columns, in that order, where the crate can leave out the others; else of all.
    ///
    /// # Errors
    /// As above.
    pub(super) fn of_columns(written: &Written, columns: &[usize]) -> Result<Decoder> {
        let wanted = written.of_columns(columns).wrapped();
        // A name that only a field that is left out explains cannot be resolved.
        match Decoder::made(written, Some(wanted.into())) {
            Ok(decoder) => Ok(decoder),
            Err(_) => Decoder::new(written),
        }
    }

    fn made(written: &Written, wanted: Option<Arc<str>>) -> Result<Decoder> {
        let header = Header { schema: written.wrapped(), codec: Codec::Null, mark: MARK, len: 0 };
        let mut decoder = Decoder { header: header.bytes().into(), wanted, schema: Arc::new(Schema::empty()) };
        let own = decoder.builder(1).build(&*decoder.header).map_err(unreadable)?.schema();
        decoder.schema = Arc::new(Schema::new(match own.field_with_name(ROWS).map(|field| field.data_type()) {
            Ok(DataType::List(item)) => match item.data_type() {
                DataType::Struct(fields) => settled_fields(fields),
                _ => return Err(Error::internal("records that are no structs")),
            },
            _ => return Err(Error::internal("a group of blocks without records")),
        }));
        Ok(decoder)
    }

    fn builder(&self, rows: usize) -> ReaderBuilder {
        let builder = ReaderBuilder::new().with_batch_size(rows).with_tz(arrow_avro::codec::Tz::Utc);
        match &self.wanted {
            Some(wanted) => builder.with_reader_schema(AvroSchema::new(wanted.to_string())),
            None => builder,
        }
    }

    /// The columns of the records in `body`, which are so many.
    fn decode(&self, mut body: Vec<u8>, rows: usize) -> Result<StructArray> {
        push_long(0, &mut body);
        body.extend_from_slice(&MARK);
        let mut group = self.header.to_vec();
        push_long(1, &mut group);
        push_run(&body, &mut group);
        drop(body);
        group.extend_from_slice(&MARK);
        let batch = self.builder(1).build(group.as_slice()).map_err(unreadable)?.next();
        let batch = batch.ok_or_else(|| Error::data("the file is corrupt: a block has no records"))?;
        let batch = batch.map_err(read_arrow)?;
        let (list, mark) = match batch.columns() {
            [list, mark] => (list.as_list_opt::<i32>(), mark.as_fixed_size_binary_opt()),
            _ => (None, None),
        };
        let records = list.filter(|list| list.len() == 1).and_then(|list| list.values().as_struct_opt().cloned());
        let ended = mark.is_some_and(|mark| mark.len() == 1 && mark.value(0) == MARK);
        match records {
            Some(records) if ended && records.len() == rows => Ok(records),
            _ => Err(Error::data("the file is corrupt: the records of a block do not end where it ends")),
        }
    }
}

/// What the crate says about a schema.
fn unreadable(e: arrow::error::ArrowError) -> Error {
    Error::unsupported(format!("a part of this file's Avro schema: {e}"))
}

/// Reads one split.
pub(super) struct Reader {
    pub(super) blocks: Blocks,
    /// `None`, where no column is wanted.
    pub(super) decoder: Option<Decoder>,
    /// Where the wanted columns are among those that are decoded.
    pub(super) places: Vec<usize>,
    /// Of what is wanted and what the filter wants.
    pub(super) schema: SchemaRef,
    pub(super) sieve: Option<Arc<Sieve>>,
    pub(super) spec: ScanSpec,
    pub(super) current: Option<(RecordBatch, usize)>,
    pub(super) growth: Growth,
}

impl Reader {
    /// Rows are counted, where nothing of them is wanted.
    fn count(&mut self) -> Result<Option<RecordBatch>> {
        let mut rows = 0usize;
        while rows == 0 {
            let Some(block) = self.blocks.next()? else { return Ok(None) };
            rows = block.rows;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), Vec::new(), &options)?))
    }

    /// As many blocks as make a batch.
    fn group(&mut self, decoder: &Decoder) -> Result<Option<RecordBatch>> {
        let (mut body, mut rows) = (Vec::new(), 0usize);
        while body.len() < self.spec.batch_bytes && rows < self.spec.batch_rows {
            let Some(block) = self.blocks.next()? else { break };
            self.add(&block, &mut body)?;
            rows = rows.saturating_add(block.rows);
        }
        if rows == 0 && body.is_empty() {
            return Ok(None);
        }
        // The records, once more for the crate, and what becomes of them.
        self.growth.note(body.len().saturating_mul(4));
        let records = decoder.decode(body, rows)?;
        let pairs = self.places.iter().zip(self.schema.fields());
        let column = |(at, field): (&usize, &Arc<arrow::datatypes::Field>)| {
            let column = records.columns().get(*at).ok_or_else(|| Error::internal("a column was not decoded"))?;
            settle(column, field.data_type())
        };
        let columns = pairs.map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?))
    }

    fn add(&self, block: &Block, body: &mut Vec<u8>) -> Result<()> {
        if block.rows == 0 {
            return Ok(());
        }
        push_long(block.rows as i64, body);
        self.blocks.unpack(block, body)
    }

    /// Rows that were read and not yet yielded.
    fn slice(&mut self) -> Option<RecordBatch> {
        let (batch, at) = self.current.as_mut()?;
        let width = batch.get_array_memory_size() / batch.num_rows().max(1);
        let most = (self.spec.batch_bytes / width.max(1)).clamp(1, self.spec.batch_rows.max(1));
        let slice = batch.slice(*at, (batch.num_rows() - *at).min(most));
        *at += slice.num_rows();
        (slice.num_rows() > 0).then_some(slice)
    }

    fn step(&mut self) -> Result<Option<RecordBatch>> {
        let mut seen = 0;
        loop {
            if let Some(rows) = self.slice() {
                let bytes = rows.get_array_memory_size();
                let Some(sieve) = &self.sieve else { return Ok(Some(rows)) };
                let kept = sieve.pass(&rows)?;
                seen += bytes.min(self.spec.batch_bytes);
                if kept.num_rows() > 0 || seen >= PATIENCE {
                    return Ok(Some(kept));
                }
                continue;
            }
            let made = match self.decoder.clone() {
                Some(decoder) => self.group(&decoder)?,
                None => self.count()?,
            };
            match made {
                Some(batch) => self.current = Some((batch, 0)),
                None => return Ok(None),
            }
        }
    }
}

impl SplitReader for Reader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let path = self.blocks.path().to_string();
        guard(&path, || self.step())
    }
}
