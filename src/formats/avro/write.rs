//! Writes Avro: encoders make blocks, the assembler sets the file's mark behind each.
//!
//! The mark follows from the schema and the first block, so equal rows make equal files.

use super::container::{CODECS, Codec, Header, Mark, packed, push_long, push_run};
use crate::error::{Error, Result};
use crate::formats::parquet::options::unknown;
use crate::formats::{Assemble, Encode, Output, Piece};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_avro::schema::AvroSchema;
use arrow_avro::writer::WriterBuilder;
use arrow_avro::writer::format::AvroBinaryFormat;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use twox_hash::XxHash64;

/// The codec that the options of an output name.
///
/// # Errors
/// Options that Avro does not have.
pub(super) fn codec_of(options: &BTreeMap<String, String>) -> Result<Codec> {
    let mut codec = Codec::default();
    for (name, value) in options {
        if !matches!(name.as_str(), "compression" | "codec") {
            return Err(unknown(name, &["compression"]));
        }
        let lower = value.trim().to_ascii_lowercase();
        let found = CODECS.iter().find(|(_, name, other)| *name == lower || *other == lower);
        codec = found.map(|(codec, ..)| *codec).ok_or_else(|| {
            let names: Vec<&str> = CODECS.iter().map(|(_, name, _)| *name).collect();
            Error::query(format!("compression of Avro is one of {}, not {value:?}", names.join(", ")))
        })?;
    }
    Ok(codec)
}

/// The types in which Avro can hold rows.
///
/// # Errors
/// `Unsupported`, for names and types that it cannot hold.
pub(super) fn plain_schema(schema: &Schema) -> Result<SchemaRef> {
    Ok(Arc::new(Schema::new(schema.fields().iter().map(plain_field).collect::<Result<Vec<_>>>()?)))
}

fn plain_field(field: &FieldRef) -> Result<FieldRef> {
    let name = field.name();
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(letter) || !name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        return Err(Error::unsupported(format!("a column of Avro that is called {name:?}"))
            .advise("its names are letters, digits and _: say SELECT .. AS another"));
    }
    let kind =
        plain(field.data_type()).map_err(|e| e.at(crate::formats::parquet::schema::column("the output", name)))?;
    Ok(Arc::new(field.as_ref().clone().with_data_type(kind).with_metadata(Default::default())))
}

/// An item or an entry, whose name Avro does not keep.
fn plain_inner(field: &FieldRef) -> Result<FieldRef> {
    let kind = plain(field.data_type())?;
    Ok(Arc::new(field.as_ref().clone().with_data_type(kind).with_metadata(Default::default())))
}

fn plain(kind: &DataType) -> Result<DataType> {
    use DataType as T;
    Ok(match kind {
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::UInt32 => T::Int64,
        T::UInt64 => T::Decimal128(20, 0),
        T::Float16 => T::Float32,
        T::Utf8View | T::LargeUtf8 => T::Utf8,
        T::BinaryView | T::LargeBinary | T::FixedSizeBinary(_) => T::Binary,
        T::Dictionary(_, value) => plain(value)?,
        T::Date64 => T::Timestamp(TimeUnit::Millisecond, None),
        T::Timestamp(TimeUnit::Second, zone) => T::Timestamp(TimeUnit::Millisecond, zone.clone()),
        T::Time32(_) => T::Time32(TimeUnit::Millisecond),
        T::Time64(TimeUnit::Nanosecond) => {
            return Err(Error::unsupported("Avro cannot hold times of nanoseconds").advise("cast them to TIME"));
        }
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => T::List(plain_inner(item)?),
        T::Map(entries, sorted) => T::Map(map_entries(entries)?, *sorted),
        T::Struct(fields) => T::Struct(fields.iter().map(plain_field).collect::<Result<Vec<_>>>()?.into()),
        T::Interval(_) | T::Duration(_) | T::Union(..) | T::Decimal256(..) => {
            return Err(Error::unsupported(format!("Avro cannot hold the type {kind}")).advise("cast it to text"));
        }
        T::Decimal128(_, scale) if *scale < 0 => T::Decimal128(38, 0),
        other => other.clone(),
    })
}

fn map_entries(entries: &FieldRef) -> Result<FieldRef> {
    let T::Struct(fields) = entries.data_type() else { return Err(Error::internal("a map without entries")) };
    use DataType as T;
    let inner = fields.iter().map(plain_inner).collect::<Result<Vec<_>>>()?;
    if inner.first().is_none_or(|key| *key.data_type() != T::Utf8) {
        return Err(Error::unsupported("Avro cannot hold maps whose keys are no text").advise("cast the keys to text"));
    }
    Ok(Arc::new(entries.as_ref().clone().with_data_type(T::Struct(inner.into()))))
}

fn written(e: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("Avro cannot hold these rows: {e}"))
}

/// Makes blocks of rows.
pub(super) struct Encoder {
    schema: SchemaRef,
    codec: Codec,
    /// Blocks so far, each with its length before it.
    blocks: Vec<u8>,
    rows: usize,
}

impl Encoder {
    /// # Errors
    /// As [`plain_schema`] and [`codec_of`].
    pub(super) fn new(schema: &Schema, options: &BTreeMap<String, String>) -> Result<Encoder> {
        let (schema, codec) = (plain_schema(schema)?, codec_of(options)?);
        Ok(Encoder { schema, codec, blocks: Vec::new(), rows: 0 })
    }
}

impl Encode for Encoder {
    fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let pairs = rows.columns().iter().zip(self.schema.fields());
        let columns = pairs.map(|(column, field)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let plain = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let builder = WriterBuilder::new(self.schema.as_ref().clone());
        let mut encoder = builder.build_encoder::<AvroBinaryFormat>().map_err(written)?;
        encoder.encode(&plain).map_err(written)?;
        let records = packed(self.codec, encoder.flush().bytes().to_vec())?;
        let mut block = Vec::with_capacity(records.len() + 20);
        push_long(rows.num_rows() as i64, &mut block);
        push_run(&records, &mut block);
        self.blocks.extend_from_slice(&(block.len() as u64).to_le_bytes());
        self.blocks.extend_from_slice(&block);
        self.rows += rows.num_rows();
        Ok(())
    }

    fn held(&self) -> usize {
        self.blocks.capacity()
    }

    fn piece(&mut self) -> Result<Piece> {
        Ok(Piece { bytes: std::mem::take(&mut self.blocks), rows: std::mem::take(&mut self.rows), meta: None, held: 0 })
    }
}

/// Puts blocks into a file.
pub(super) struct Assembler {
    to: Box<dyn Output>,
    header: Header,
    begun: bool,
    bytes: u64,
}

impl Assembler {
    /// # Errors
    /// As [`Encoder::new`].
    pub(super) fn new(schema: &Schema, options: &BTreeMap<String, String>, to: Box<dyn Output>) -> Result<Assembler> {
        let schema = AvroSchema::try_from(plain_schema(schema)?.as_ref()).map_err(written)?;
        let header = Header { schema: schema.json_string, codec: codec_of(options)?, mark: Mark::default(), len: 0 };
        Ok(Assembler { to, header, begun: false, bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes).map_err(|e| Error::io("the output", e))
    }

    /// Writes the header, before the first blocks.
    fn begin(&mut self, first: &[u8]) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let of_schema = XxHash64::oneshot(0, self.header.schema.as_bytes());
        let halves = [XxHash64::oneshot(of_schema, first), XxHash64::oneshot(!of_schema, first)];
        for (to, from) in self.header.mark.iter_mut().zip(halves.iter().flat_map(|half| half.to_le_bytes())) {
            *to = from;
        }
        let header = self.header.bytes();
        self.write(&header)
    }
}

impl Assemble for Assembler {
    fn append(&mut self, piece: Piece) -> Result<()> {
        if piece.bytes.is_empty() {
            return Ok(());
        }
        self.begin(&piece.bytes)?;
        let (mut rest, mark) = (piece.bytes.as_slice(), self.header.mark);
        while let Some((len, behind)) = rest.split_first_chunk::<8>() {
            let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
            let block = behind.get(..len).ok_or_else(|| Error::internal("a block of a piece is cut off"))?;
            self.write(block)?;
            self.write(&mark)?;
            rest = behind.get(len..).unwrap_or_default();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<u64> {
        self.begin(&[])?;
        self.to.flush().map_err(|e| Error::io("the output", e))?;
        self.to.complete()?;
        Ok(self.bytes)
    }
}
