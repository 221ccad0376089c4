//! How many values of a group each bin has: a bin holds what is at most its bound and above the one before. What is above
//! the last bound is counted under the largest value of the type (for texts the empty one), if there is any.

use super::Folding;
use super::comparable::Comparable;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, MapArray, StructArray, UInt32Array, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, FieldRef, Fields};
use arrow_row::OwnedRow;
use datafusion_common::ScalarValue;
use std::ops::Range;
use std::sync::Arc;

/// Values that are being counted.
pub(super) struct Bins {
    comparable: Comparable,
    /// The bounds in order, each once, then the key of what is above all.
    keys: ArrayRef,
    bounds: Vec<OwnedRow>,
    /// Of the current group, by bin.
    counts: Vec<u64>,
    /// Of the groups before it.
    done: Vec<u64>,
    entries: FieldRef,
    fields: Fields,
    sorted: bool,
}

impl Bins {
    /// Counts values in bins of these bounds, to maps of type `output`.
    pub(super) fn new(bounds: &ArrayRef, output: &DataType) -> Result<Self> {
        let wrong = || Error::internal(format!("a histogram has type {output}"));
        let DataType::Map(entries, sorted) = output else { return Err(wrong()) };
        let DataType::Struct(fields) = entries.data_type() else { return Err(wrong()) };
        let mut comparable = Comparable::new(bounds.data_type().clone())?;
        let rows = comparable.rows(bounds)?;
        let mut order: Vec<u32> = (0..bounds.len() as u32).collect();
        order.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
        order.dedup_by(|a, b| rows.row(*a as usize) == rows.row(*b as usize));
        let owned = order.iter().map(|i| rows.row(*i as usize).owned()).collect::<Vec<_>>();
        let known = take(bounds, &UInt32Array::from(order), None)?;
        let above = above(bounds.data_type())?.to_array().map_err(crate::ops::expr::from_datafusion)?;
        Ok(Bins {
            comparable,
            keys: concat(&[known.as_ref(), above.as_ref()])?,
            counts: vec![0; owned.len() + 1],
            bounds: owned,
            done: Vec::new(),
            entries: entries.clone(),
            fields: fields.clone(),
            sorted: *sorted,
        })
    }
}

/// The key of what is above all bounds.
fn above(of: &DataType) -> Result<ScalarValue> {
    Ok(match of {
        DataType::Int8 => i8::MAX.into(),
        DataType::Int16 => i16::MAX.into(),
        DataType::Int32 => i32::MAX.into(),
        DataType::Int64 => i64::MAX.into(),
        DataType::UInt8 => u8::MAX.into(),
        DataType::UInt16 => u16::MAX.into(),
        DataType::UInt32 => u32::MAX.into(),
        DataType::UInt64 => u64::MAX.into(),
        DataType::Float32 => f32::INFINITY.into(),
        DataType::Float64 => f64::INFINITY.into(),
        DataType::Utf8View => ScalarValue::Utf8View(Some(String::new())),
        DataType::Utf8 => ScalarValue::Utf8(Some(String::new())),
        other => return Err(Error::unsupported(format!("a histogram with bins of type {other}"))),
    })
}

impl Folding for Bins {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let array = arguments.first().ok_or_else(|| Error::internal("nothing is counted"))?;
        let bytes = self.comparable.rows(array)?;
        for i in range {
            let value = bytes.row(i);
            let bin = self.bounds.partition_point(|bound| bound.row() < value);
            if let Some(count) = self.counts.get_mut(bin) {
                *count += 1;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.done.extend_from_slice(&self.counts);
        self.counts.fill(0);
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let done = std::mem::take(&mut self.done);
        let (mut keys, mut counts, mut ends, mut known) = (Vec::new(), Vec::new(), vec![0i32], Vec::new());
        for group in done.chunks(self.counts.len()) {
            let any = group.iter().any(|n| *n > 0);
            known.push(any);
            let shown = |(bin, n): &(usize, &u64)| any && (*bin < self.bounds.len() || **n > 0);
            for (bin, n) in group.iter().enumerate().filter(shown) {
                keys.push(bin as u32);
                counts.push(*n);
            }
            let end = i32::try_from(keys.len());
            ends.push(end.map_err(|_| Error::resources("histograms have more than 2147483647 bins"))?);
        }
        let nulls = Some(NullBuffer::from(known)).filter(|n| n.null_count() > 0);
        let keys = take(&self.keys, &UInt32Array::from(keys), None)?;
        let counts: ArrayRef = Arc::new(UInt64Array::from(counts));
        let all = StructArray::try_new(self.fields.clone(), vec![keys, counts], None)?;
        let ends = OffsetBuffer::new(ends.into());
        Ok(Arc::new(MapArray::try_new(self.entries.clone(), ends, all, nulls, self.sorted)?))
    }

    fn held(&self) -> usize {
        8 * self.done.len()
    }
}
