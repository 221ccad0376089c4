//! Where partitions and groups of peers begin: rows whose keys differ from those of the row before.
//!
//! Keys are compared as the sort compares them: nulls are equal, -0.0 is 0.0, every NaN is one NaN.

use super::{Shared, WindowSpec, extended};
use crate::error::{Error, Result};
use crate::ops::rows::{canonical_f16, canonical_f32, canonical_f64};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_row::{RowConverter, SortField};
use std::sync::Arc;

/// The columns of the tape.
pub(super) fn schema(spec: &WindowSpec, levels: &[usize]) -> SchemaRef {
    let computed = spec.computed.iter().enumerate();
    let computed = computed.map(|(i, c)| Field::new(format!("computed {i}"), c.data_type().clone(), true));
    let marks = levels.iter().map(|keys| Field::new(format!("begins {keys}"), DataType::Boolean, true));
    extended(&spec.input, computed.chain(marks))
}

/// Completes batches as they come.
pub(super) struct Marker {
    shared: Arc<Shared>,
    keys: Vec<Key>,
    /// Whether a row has come.
    begun: bool,
}

struct Key {
    column: usize,
    /// For types that cannot be compared as they are.
    converter: Option<RowConverter>,
    /// The last value, as a column of one row.
    last: Option<ArrayRef>,
}

impl Marker {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Self> {
        let wanted = shared.levels.last().copied().unwrap_or(0);
        let key = |column: &usize| {
            let data_type = shared.data_type(*column)?;
            let plain = !data_type.is_nested() && !matches!(data_type, DataType::Null | DataType::Dictionary(..));
            let converter = match plain {
                true => None,
                false => Some(RowConverter::new(vec![SortField::new(data_type.clone())])?),
            };
            Ok(Key { column: *column, converter, last: None })
        };
        let keys = shared.spec.keys.iter().take(wanted).map(key).collect::<Result<Vec<_>>>()?;
        if keys.len() < wanted {
            return Err(Error::internal("a window has fewer keys than it says"));
        }
        Ok(Marker { shared: shared.clone(), keys, begun: false })
    }

    /// The batch with computed columns and marks.
    pub(super) fn complete(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        for computed in &self.shared.spec.computed {
            columns.push(computed.eval(batch)?);
        }
        let mut begins = MutableBuffer::from_len_zeroed(rows.div_ceil(8));
        if !self.begun
            && let Some(first) = begins.first_mut()
        {
            *first |= 1;
        }
        self.begun = true;
        let mut begins = BooleanBuffer::new(begins.into(), 0, rows);
        let mut done = 0;
        for level in &self.shared.levels {
            while done < *level
                && let Some(key) = self.keys.get_mut(done)
            {
                begins = &begins | &key.changes(batch)?;
                done += 1;
            }
            columns.push(Arc::new(BooleanArray::new(begins.clone(), None)));
        }
        Ok(RecordBatch::try_new(self.shared.tape.clone(), columns)?)
    }
}

impl Key {
    /// Which rows have another value than the row before; never the first row of all.
    fn changes(&mut self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let rows = batch.num_rows();
        let column = batch.columns().get(self.column);
        let column = column.ok_or_else(|| Error::internal(format!("a window has no key {}", self.column)))?;
        let column = self.comparable(column)?;
        let mut changes = arrow::array::BooleanBufferBuilder::new(rows);
        if rows > 0 {
            let first = match &self.last {
                Some(last) => distinct(last, &column.slice(0, 1))?.value(0),
                None => false,
            };
            changes.append(first);
            let later = distinct(&column.slice(0, rows - 1), &column.slice(1, rows - 1))?;
            changes.append_buffer(later.values());
            // A copy: the batch must not live on.
            self.last =
                Some(arrow::compute::take(&column, &arrow::array::UInt64Array::from(vec![rows as u64 - 1]), None)?);
        }
        Ok(changes.finish())
    }

    fn comparable(&self, column: &ArrayRef) -> Result<ArrayRef> {
        match &self.converter {
            None => Ok(canonical(column)),
            Some(converter) => {
                let rows = converter.convert_columns(std::slice::from_ref(column))?;
                Ok(Arc::new(rows.try_into_binary()?))
            }
        }
    }
}

/// The column with one zero and one NaN.
pub(super) fn canonical(column: &ArrayRef) -> ArrayRef {
    fn map<T: ArrowPrimitiveType>(column: &ArrayRef, f: impl Fn(T::Native) -> T::Native) -> ArrayRef {
        Arc::new(column.as_primitive::<T>().unary::<_, T>(f))
    }
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    match column.data_type() {
        DataType::Float16 => map::<Float16Type>(column, |v| Half::from_le_bytes(canonical_f16(v.to_le_bytes()))),
        DataType::Float32 => map::<Float32Type>(column, |v| f32::from_le_bytes(canonical_f32(v.to_le_bytes()))),
        DataType::Float64 => map::<Float64Type>(column, |v| f64::from_le_bytes(canonical_f64(v.to_le_bytes()))),
        _ => column.clone(),
    }
}
