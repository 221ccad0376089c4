//! How often each value of a group is there: the rows come ordered by value, so equal ones are neighbours.

use super::comparable::Comparable;
use super::pieces::Pieces;
use super::{Folding, item};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, ListArray, MapArray, StructArray, UInt32Array, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef, Fields};
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

/// Values that are being counted.
pub(super) struct Runs {
    comparable: Comparable,
    /// The value of the last row of the current group.
    last: Option<Vec<u8>>,
    /// The different values, and how often each is there.
    values: Pieces,
    counts: Vec<u64>,
    /// How many different values all groups up to each have.
    ends: Vec<usize>,
    result: Shape,
}

enum Shape {
    Map { entries: FieldRef, fields: Fields, sorted: bool },
    Top { item: FieldRef, most: usize },
}

impl Runs {
    fn new(argument: DataType, result: Shape) -> Result<Self> {
        Ok(Runs {
            comparable: Comparable::new(argument.clone())?,
            last: None,
            values: Pieces::new(argument),
            counts: Vec::new(),
            ends: Vec::new(),
            result,
        })
    }

    /// Makes maps from values to their counts.
    pub(super) fn histogram(argument: DataType, output: &DataType) -> Result<Self> {
        match output {
            DataType::Map(entries, sorted) => match entries.data_type() {
                DataType::Struct(fields) => {
                    let shape = Shape::Map { entries: entries.clone(), fields: fields.clone(), sorted: *sorted };
                    Runs::new(argument, shape)
                }
                _ => Err(Error::internal("a map has no keys and values")),
            },
            other => Err(Error::internal(format!("a histogram has type {other}"))),
        }
    }

    /// Makes lists of the `most` values that are there most often.
    pub(super) fn top(argument: DataType, most: usize, output: &DataType) -> Result<Self> {
        Runs::new(argument, Shape::Top { item: item(output)?, most })
    }

    /// The groups' ranges of values, of which there are `counts`.
    fn ranges(ends: &[usize]) -> impl Iterator<Item = Range<usize>> + '_ {
        std::iter::once(&0).chain(ends).zip(ends).map(|(from, to)| *from..*to)
    }
}

fn offsets(lengths: impl Iterator<Item = usize>) -> Result<OffsetBuffer<i32>> {
    let mut offsets = vec![0i32];
    let mut at = 0usize;
    for length in lengths {
        at += length;
        offsets.push(i32::try_from(at).map_err(|_| Error::resources("a histogram has more than 2147483647 values"))?);
    }
    Ok(OffsetBuffer::new(offsets.into()))
}

impl Folding for Runs {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let array = arguments.first().ok_or_else(|| Error::internal("nothing is counted"))?;
        let bytes = self.comparable.rows(array)?;
        for i in range {
            let value = bytes.row(i).data();
            match (&mut self.last, self.counts.last_mut()) {
                (Some(last), Some(count)) if last.as_slice() == value => *count += 1,
                _ => {
                    self.last = Some(value.to_vec());
                    self.counts.push(1);
                    self.values.add(array, i..i + 1)?;
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.last = None;
        self.ends.push(self.counts.len());
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let (values, counts, ends) =
            (self.values.take()?, std::mem::take(&mut self.counts), std::mem::take(&mut self.ends));
        let nulls = NullBuffer::from(Runs::ranges(&ends).map(|r| !r.is_empty()).collect::<Vec<_>>());
        let nulls = Some(nulls).filter(|n| n.null_count() > 0);
        match &self.result {
            Shape::Map { entries, fields, sorted } => {
                let lengths = offsets(Runs::ranges(&ends).map(|r| r.len()))?;
                let counts: ArrayRef = Arc::new(UInt64Array::from(counts));
                let all = StructArray::try_new(fields.clone(), vec![values, counts], None)?;
                Ok(Arc::new(MapArray::try_new(entries.clone(), lengths, all, nulls, *sorted)?))
            }
            Shape::Top { item, most } => {
                let mut picked: Vec<u32> = Vec::new();
                let mut lengths = Vec::with_capacity(ends.len());
                for range in Runs::ranges(&ends) {
                    let mut group: Vec<usize> = range.collect();
                    group.sort_by_key(|i| Reverse(counts.get(*i)));
                    group.truncate(*most);
                    lengths.push(group.len());
                    picked.extend(group.iter().map(|i| *i as u32));
                }
                let values = take(&values, &UInt32Array::from(picked), None)?;
                Ok(Arc::new(ListArray::try_new(item.clone(), offsets(lengths.into_iter())?, values, nulls)?))
            }
        }
    }

    fn held(&self) -> usize {
        self.values.held() + 8 * (self.counts.len() + self.ends.len())
    }
}
