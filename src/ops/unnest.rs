//! UNNEST: a row becomes as many rows as its longest list has elements; shorter lists are filled up with nulls, the other
//! columns repeat.
//!
//! ```text
//! a  l       m            a  l  m
//! 1  [5,6]   [x,y,z]  ->  1  5  x
//! 2  null    [w]          1  6  y
//!                         1  -  z
//!                         2  -  w
//! ```
//!
//! One level of lists at a time: deeper lists are unnested by several transforms behind each other ([`PickOp`] before and
//! behind them puts columns in place). Rows come out in batches of the usual size, however long a list is; where a row
//! repeats a nested column, the batch is cut by the bytes of the copies too.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, StructArray, UInt32Builder, UInt64Builder, make_array};
use arrow::compute::{nullif, take};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// What becomes of a row whose lists have no elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// It goes.
    Drop,
    /// A row without a list (null) stays, with nulls; one with an empty list goes.
    KeepNull,
    /// It stays, with nulls.
    Keep,
}

/// Opens the lists of some columns. Cheap to clone.
#[derive(Clone)]
pub struct UnnestOp {
    /// The columns that are lists to be opened.
    pub lists: Arc<[usize]>,
    /// What becomes of rows without elements.
    pub without: Without,
    /// The names and types of the output, column by column as in the input.
    pub schema: SchemaRef,
}

impl TransformOp for UnnestOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Unnest { op: self.clone(), input: None, split: 0, put: 0 }))
    }
}

struct Unnest {
    op: UnnestOp,
    input: Option<Input>,
    split: u64,
    /// Rows put out for this piece of the input: what positions count.
    put: u64,
}

/// A batch that is being opened.
struct Input {
    batch: Batch,
    lists: Vec<Spans>,
    row: usize,
    /// Elements of `row` that are out.
    done: usize,
}

/// Where the elements of each row's list are.
struct Spans {
    values: ArrayRef,
    /// First element and count; `None` is null.
    rows: Vec<Option<(usize, usize)>>,
}

impl Spans {
    fn of(array: &ArrayRef) -> Result<Self> {
        let valid = |row: usize, span: (usize, usize)| array.is_valid(row).then_some(span);
        let spans = |at: &dyn Fn(usize) -> (usize, usize)| (0..array.len()).map(|r| valid(r, at(r))).collect();
        let (values, rows) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.value_offsets();
                (list.values(), spans(&|r| span(offsets, r)))
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let offsets = list.value_offsets();
                (list.values(), spans(&|r| span(offsets, r)))
            }
            DataType::FixedSizeList(_, size) => {
                let (list, size) = (array.as_fixed_size_list(), usize::try_from(*size).unwrap_or(0));
                (list.values(), spans(&|r| (r * size, size)))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let offsets = map.value_offsets();
                let entries: ArrayRef = Arc::new(map.entries().clone());
                return Ok(Spans { rows: spans(&|r| span(offsets, r)), values: entries });
            }
            other => return Err(Error::unsupported(format!("unnest of a column of type {other}"))),
        };
        Ok(Spans { values: values.clone(), rows })
    }

    /// How many rows the list of `row` is worth.
    fn len(&self, row: usize, without: Without) -> usize {
        match (self.rows.get(row).copied().flatten(), without) {
            (None, Without::Drop) => 0,
            (None, _) => 1,
            (Some((_, 0)), Without::Keep) => 1,
            (Some((_, count)), _) => count,
        }
    }
}

fn span<T: Copy + TryInto<usize>>(offsets: &[T], row: usize) -> (usize, usize) {
    let at = |i: usize| offsets.get(i).and_then(|o| (*o).try_into().ok()).unwrap_or(0);
    (at(row), at(row + 1).saturating_sub(at(row)))
}

/// The rows of the output that are gathered: which row they repeat, and which elements they show.
struct Gathered {
    rows: UInt32Builder,
    elements: Vec<UInt64Builder>,
}

impl Unnest {
    /// The next rows of the output, at most a batch of them; none, when the input is used up.
    fn gather(&mut self, cx: &Cx) -> Result<Option<RecordBatch>> {
        let Some(input) = &mut self.input else { return Ok(None) };
        let mut out = Gathered {
            rows: UInt32Builder::new(),
            elements: input.lists.iter().map(|_| UInt64Builder::new()).collect(),
        };
        let (mut count, mut bytes) = (0, 0);
        while input.row < input.batch.rows() && count < cx.tuning.batch_rows && bytes < cx.tuning.batch_bytes {
            let without = self.op.without;
            let length = input.lists.iter().map(|l| l.len(input.row, without)).max().unwrap_or(0);
            let each = if length > 1 { self.op.repeated_bytes(&input.batch.data, input.row)? } else { 0 };
            let room = cx.tuning.batch_rows - count;
            let fits = (cx.tuning.batch_bytes - bytes).checked_div(each).map_or(room, |n| n.clamp(1, room));
            let rows = fits.min(length - input.done);
            out.add(input, rows);
            (count, bytes) = (count + rows, bytes + rows * each);
            input.done += rows;
            if input.done == length {
                (input.row, input.done) = (input.row + 1, 0);
            }
        }
        if count == 0 { Ok(None) } else { out.batch(input, &self.op).map(Some) }
    }
}

impl UnnestOp {
    /// Bytes that each repetition of a row copies, beyond a few words.
    fn repeated_bytes(&self, data: &RecordBatch, row: usize) -> Result<usize> {
        let repeated = |(i, c): &(usize, &ArrayRef)| c.data_type().is_nested() && !self.lists.contains(i);
        let columns = data.columns().iter().enumerate().filter(repeated);
        let bytes = columns.map(|(_, c)| Ok(c.slice(row, 1).to_data().get_slice_memory_size()?));
        bytes.sum()
    }
}

impl Gathered {
    fn add(&mut self, input: &Input, rows: usize) {
        for i in input.done..input.done + rows {
            self.rows.append_value(input.row as u32);
            for (list, elements) in input.lists.iter().zip(&mut self.elements) {
                let span = list.rows.get(input.row).copied().flatten();
                let element = span.filter(|(_, count)| i < *count).map(|(start, _)| (start + i) as u64);
                elements.append_option(element);
            }
        }
    }

    fn batch(mut self, input: &Input, op: &UnnestOp) -> Result<RecordBatch> {
        let rows = self.rows.finish();
        let mut columns = Vec::with_capacity(input.batch.data.num_columns());
        for (i, column) in input.batch.data.columns().iter().enumerate() {
            let list = op.lists.iter().position(|l| *l == i);
            columns.push(match list.and_then(|at| input.lists.get(at).zip(self.elements.get_mut(at))) {
                Some((list, elements)) => take(&list.values, &elements.finish(), None)?,
                None => take(column, &rows, None)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(op.schema.clone(), columns, &options)?)
    }
}

impl Transform for Unnest {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        if self.split != batch.position.split {
            (self.split, self.put) = (batch.position.split, 0);
        }
        let column = |i: &usize| {
            let column = batch.data.columns().get(*i);
            column.ok_or_else(|| Error::internal(format!("there is no column {i} to unnest"))).and_then(Spans::of)
        };
        let lists = self.op.lists.iter().map(column).collect::<Result<_>>()?;
        self.input = Some(Input { batch, lists, row: 0, done: 0 });
        Ok(())
    }

    fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        match self.gather(cx)? {
            Some(data) => {
                let position = Position { split: self.split, row: self.put };
                self.put += data.num_rows() as u64;
                Ok(Pull::Batch(Batch::new(data, position)))
            }
            None => {
                self.input = None;
                Ok(Pull::Empty)
            }
        }
    }
}

/// Puts columns, and fields of structs, in order. Cheap to clone.
#[derive(Clone)]
pub struct PickOp {
    /// For each column of the output: the column of the input, and the field of that, if one is wanted.
    pub columns: Arc<[(usize, Option<usize>)]>,
    /// The names and types of the output.
    pub schema: SchemaRef,
}

impl TransformOp for PickOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Pick { op: self.clone(), batch: None }))
    }
}

struct Pick {
    op: PickOp,
    batch: Option<Batch>,
}

impl Transform for Pick {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let pick = |(column, field): &(usize, Option<usize>)| {
            let array = batch.data.columns().get(*column);
            let array = array.ok_or_else(|| Error::internal(format!("there is no column {column} to pick")))?;
            match field {
                None => Ok(array.clone()),
                Some(field) => field_of(array, *field),
            }
        };
        let columns = self.op.columns.iter().map(pick).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        self.batch = Some(batch.with(RecordBatch::try_new_with_options(self.op.schema.clone(), columns, &options)?));
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.batch.take().map_or(Pull::Empty, Pull::Batch))
    }
}

/// A field of a struct; null where the struct is.
fn field_of(array: &ArrayRef, field: usize) -> Result<ArrayRef> {
    let wrong = || Error::internal(format!("there is no field {field} in a column of type {}", array.data_type()));
    let of: &StructArray = array.as_struct_opt().ok_or_else(wrong)?;
    let column = of.columns().get(field).ok_or_else(wrong)?;
    match of.nulls() {
        None => Ok(column.clone()),
        Some(nulls) => {
            let is_null = arrow::array::BooleanArray::new(!nulls.inner(), None);
            Ok(make_array(nullif(column, &is_null)?.to_data()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{FixedSizeListArray, Int64Array, ListArray};
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::{Field, Fields, Int64Type};

    fn lists() -> ArrayRef {
        let rows = vec![Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some(vec![None])];
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
    }

    #[test]
    fn lists_by_what_they_are_worth() {
        let spans = Spans::of(&lists()).unwrap();
        assert_eq!(spans.rows, [Some((0, 2)), None, Some((2, 0)), Some((2, 1))]);
        let worth = |without| (0..4).map(|r| spans.len(r, without)).collect::<Vec<_>>();
        assert_eq!(worth(Without::Drop), [2, 0, 0, 1]);
        assert_eq!(worth(Without::KeepNull), [2, 1, 0, 1]);
        assert_eq!(worth(Without::Keep), [2, 1, 1, 1]);
        // Part of an array, and lists of one size.
        let part = Spans::of(&lists().slice(2, 2)).unwrap();
        assert_eq!(part.rows, [Some((2, 0)), Some((2, 1))]);
        let values = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let pairs = FixedSizeListArray::new(Arc::new(Field::new("e", DataType::Int64, true)), 2, values, None);
        let pairs: ArrayRef = Arc::new(pairs);
        assert_eq!(Spans::of(&pairs.slice(1, 1)).unwrap().values.len(), 2);
        assert!(Spans::of(&(Arc::new(Int64Array::from(vec![1])) as ArrayRef)).is_err());
    }

    #[test]
    fn a_field_is_null_where_its_struct_is() {
        let fields = Fields::from(vec![Field::new("a", DataType::Int64, true)]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None]));
        let nulls = NullBuffer::from(vec![true, false, true]);
        let of: ArrayRef = Arc::new(StructArray::new(fields, vec![column], Some(nulls)));
        let field = field_of(&of, 0).unwrap();
        assert_eq!(field.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), None, None]));
        assert!(field_of(&of, 1).is_err());
    }
}
