//! Batches as bytes, and batches cut loose from the input.
//!
//! The bytes are one record batch message of Arrow's IPC stream format; the schema is not in them: whoever keeps encoded
//! batches keeps their schema once.
//!
//! ```text
//! FFFFFFFF | metadata length (i32, little endian) | metadata, padded to 64 | body: buffers, each padded to 64
//! ```
//!
//! Decoding does not copy: the columns share the given buffer. Encoding copies every buffer once, and views bring their
//! whole data buffers along: compact them first with [`compact_batch`].
//!
//! Does not cover dictionaries: columns are plain, text is `Utf8View`.

use super::spill::BlockRef;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayData, ArrayRef, AsArray, MutableArrayData, make_array};
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::StreamEncoder;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::collections::{BTreeMap, HashMap};

/// The continuation marker and the length of the metadata.
const PREFIX: usize = 8;

/// Appends the encoding of `batch` to `out`.
///
/// # Errors
/// `Unsupported` where a column is, or contains, a dictionary.
pub fn encode_batch(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    if let Some(field) = batch.schema_ref().fields().iter().find(|f| has_dictionary(f.data_type())) {
        return Err(Error::unsupported(format!("column {} is a dictionary, which cannot go to scratch", field.name())));
    }
    let mut encoder = StreamEncoder::try_new(batch.schema_ref())?;
    // The first message brings the schema along: let an empty batch have it.
    encoder.encode(&RecordBatch::new_empty(batch.schema()))?;
    let buffers = encoder.encode(batch)?;
    out.reserve_exact(buffers.iter().map(|b| b.len()).sum());
    buffers.iter().for_each(|b| out.extend_from_slice(b));
    Ok(())
}

/// The batch that [`encode_batch`] made `bytes` of; its columns share them.
///
/// # Errors
/// `Internal` where `bytes` are not the encoding of a batch with this schema.
pub fn decode_batch(bytes: &Buffer, schema: &SchemaRef) -> Result<RecordBatch> {
    let wrong = |what: &str| Error::internal(format!("stored bytes are no batch: {what}"));
    let length = bytes.get(4..PREFIX).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let length = length.ok_or_else(|| wrong("too short"))? as usize;
    let metadata = bytes.get(PREFIX..PREFIX + length).ok_or_else(|| wrong("metadata too short"))?;
    let message = root_as_message(metadata).map_err(|e| wrong(&e.to_string()))?;
    let header = message.header_as_record_batch().ok_or_else(|| wrong("another message"))?;
    let body = bytes.slice(PREFIX + length);
    read_record_batch(&body, header, schema.clone(), &HashMap::new(), None, &message.version())
        .map_err(|e: ArrowError| wrong(&e.to_string()))
}

/// Reads a block that holds an encoded batch.
///
/// # Errors
/// Those of [`BlockRef::read`] and [`decode_batch`].
pub fn read_batch(block: &BlockRef, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut bytes = MutableBuffer::from_len_zeroed(block.len());
    block.read(&mut bytes)?;
    decode_batch(&bytes.into(), schema)
}

/// The same rows in columns of their own: nothing of a larger buffer (an input chunk, a longer column) is kept alive.
/// Columns that keep nothing else alive are shared, not copied.
///
/// # Errors
/// Those of Arrow, for columns that contradict themselves.
pub fn compact_batch(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact).collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// Bytes of memory that `batch` keeps alive, each allocation counted once.
pub fn kept_bytes(batch: &RecordBatch) -> usize {
    let mut allocations = BTreeMap::new();
    batch.columns().iter().for_each(|column| see_buffers(&column.to_data(), &mut allocations));
    allocations.values().sum()
}

fn see_buffers(data: &ArrayData, allocations: &mut BTreeMap<usize, usize>) {
    let nulls = data.nulls().map(|n| n.buffer());
    for buffer in data.buffers().iter().chain(nulls) {
        allocations.insert(buffer.data_ptr().as_ptr() as usize, buffer.capacity());
    }
    data.child_data().iter().for_each(|child| see_buffers(child, allocations));
}

fn compact(column: &ArrayRef) -> Result<ArrayRef> {
    let data = column.to_data();
    let data = if is_part(&data) { copied(&data)? } else { data };
    Ok(make_array(without_garbage(data)?))
}

/// Whether the column is a minor part of its buffers, views' data aside.
fn is_part(data: &ArrayData) -> bool {
    let variadic = match data.data_type() {
        DataType::Utf8View | DataType::BinaryView => data.buffers().iter().skip(1).map(|b| b.capacity()).sum(),
        _ => 0,
    };
    let own = data.get_slice_memory_size().unwrap_or(0);
    // Allocations are rounded up; a few bytes more are no garbage.
    (data.get_buffer_memory_size() - variadic) / 2 > own + 256
}

fn copied(data: &ArrayData) -> Result<ArrayData> {
    let mut copy = MutableArrayData::new(vec![data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    Ok(copy.freeze())
}

/// Rewrites views, at any depth, that refer to buffers with other bytes in them.
fn without_garbage(data: ArrayData) -> Result<ArrayData> {
    match data.data_type() {
        DataType::Utf8View => {
            let array = make_array(data);
            let views = array.as_string_view();
            let garbage = capacity(views.data_buffers()) > views.total_buffer_bytes_used();
            Ok(if garbage { views.gc().into_data() } else { views.to_data() })
        }
        DataType::BinaryView => {
            let array = make_array(data);
            let views = array.as_binary_view();
            let garbage = capacity(views.data_buffers()) > views.total_buffer_bytes_used();
            Ok(if garbage { views.gc().into_data() } else { views.to_data() })
        }
        DataType::Dictionary(..) => Ok(data),
        _ if data.child_data().is_empty() => Ok(data),
        _ => {
            let children = data.child_data().iter().cloned().map(without_garbage).collect::<Result<Vec<_>>>()?;
            Ok(data.into_builder().child_data(children).build()?)
        }
    }
}

fn capacity(buffers: &[Buffer]) -> usize {
    buffers.iter().map(|b| b.capacity()).sum()
}

fn has_dictionary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(..) => true,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => has_dictionary(f.data_type()),
        DataType::Struct(fields) => fields.iter().any(|f| has_dictionary(f.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, f)| has_dictionary(f.data_type())),
        DataType::RunEndEncoded(_, f) => has_dictionary(f.data_type()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use arrow::datatypes::{Field, Int32Type, Schema};
    use std::sync::Arc;

    fn text(i: usize) -> Option<String> {
        (!i.is_multiple_of(7)).then(|| "long enough not to be inlined ".repeat(i % 4) + &i.to_string())
    }

    /// Columns of many types, nested ones too.
    fn batch(rows: usize) -> RecordBatch {
        let views: StringViewArray = (0..rows).map(text).collect();
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for i in 0..rows {
            (0..i % 3).for_each(|k| lists.values().append_option(text(i + k)));
            lists.append(!i.is_multiple_of(5));
        }
        let ints: Int64Array = (0..rows as i64).map(|i| (i % 3 != 0).then_some(i * i)).collect();
        let flags: BooleanArray = (0..rows).map(|i| (i % 4 != 0).then_some(i % 2 == 0)).collect();
        let pair: ArrayRef = Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("t", DataType::Utf8View, true)),
            Arc::new(views.clone()) as ArrayRef,
        )]));
        let bytes: BinaryViewArray = (0..rows).map(|i| text(i).map(String::into_bytes)).collect();
        let decimals = Decimal128Array::from_iter_values(0..rows as i128).with_precision_and_scale(38, 2).unwrap();
        RecordBatch::try_from_iter_with_nullable([
            ("views", Arc::new(views) as ArrayRef, true),
            ("lists", Arc::new(lists.finish()), true),
            ("ints", Arc::new(ints), true),
            ("flags", Arc::new(flags), true),
            ("pair", pair, true),
            ("bytes", Arc::new(bytes), true),
            ("decimals", Arc::new(decimals), true),
            ("nulls", Arc::new(NullArray::new(rows)), true),
        ])
        .unwrap()
    }

    fn round_trip(batch: &RecordBatch) -> RecordBatch {
        let mut bytes = vec![];
        encode_batch(batch, &mut bytes).unwrap();
        decode_batch(&Buffer::from(bytes.as_slice()), &batch.schema()).unwrap()
    }

    #[test]
    fn batches_come_back() {
        let whole = batch(300);
        for (from, len) in [(0, 300), (0, 0), (1, 1), (13, 200), (299, 1)] {
            let part = whole.slice(from, len);
            assert_eq!(round_trip(&part), part);
            assert_eq!(compact_batch(&part).unwrap(), part);
            assert_eq!(round_trip(&compact_batch(&part).unwrap()), part);
        }
    }

    #[test]
    fn rows_without_columns_come_back() {
        let options = RecordBatchOptions::new().with_row_count(Some(5));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(round_trip(&batch).num_rows(), 5);
        assert_eq!(compact_batch(&batch).unwrap().num_rows(), 5);
    }

    #[test]
    fn a_compact_batch_keeps_nothing_else_alive() {
        let whole = batch(20_000);
        let part = compact_batch(&whole.slice(5000, 10)).unwrap();
        assert!(kept_bytes(&part) < 20_000, "{} of {}", kept_bytes(&part), kept_bytes(&whole));
        assert!(kept_bytes(&whole) > 1_000_000);
        let mut bytes = vec![];
        encode_batch(&part, &mut bytes).unwrap();
        assert!(bytes.len() < 20_000, "{}", bytes.len());
    }

    #[test]
    fn shared_buffers_are_counted_once() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let one = RecordBatch::try_from_iter([("a", column.clone())]).unwrap();
        let two = RecordBatch::try_from_iter([("a", column.clone()), ("b", column.clone())]).unwrap();
        assert_eq!(kept_bytes(&one), kept_bytes(&two));
        let decoded = round_trip(&batch(100));
        assert!(kept_bytes(&decoded) < 2 * kept_bytes(&batch(100)));
    }

    #[test]
    fn wrong_bytes_are_an_error() {
        let batch = batch(50);
        let mut bytes = vec![];
        encode_batch(&batch, &mut bytes).unwrap();
        for len in [0, 3, 8, 20, 200] {
            let cut = Buffer::from(bytes.get(..len).unwrap());
            assert!(decode_batch(&cut, &batch.schema()).is_err(), "{len}");
        }
    }

    #[test]
    fn dictionaries_are_refused() {
        let column: DictionaryArray<Int32Type> = vec!["a", "b"].into_iter().collect();
        let batch = RecordBatch::try_from_iter([("d", Arc::new(column) as ArrayRef)]).unwrap();
        let error = encode_batch(&batch, &mut vec![]).unwrap_err();
        assert!(error.to_string().contains("column d is a dictionary"), "{error}");
    }
}
