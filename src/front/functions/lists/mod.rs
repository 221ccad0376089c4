//! Functions of lists, structs and maps.
//!
//! Most are choices of elements, whatever those are: [`pick`] gathers, for each row, the places of the elements that the
//! answer has, and takes them at once. What compares elements compares their [`Keys`]: bytes in the order of the values.

pub(super) mod aggregate;
pub(super) mod basic;
pub(super) mod build;
pub(super) mod lambda;
pub(super) mod maps;
pub(super) mod order;
pub(super) mod sets;
pub(super) mod structs;
pub(super) mod vectors;

use super::args::{Args, Column};
use arrow::array::{Array, ArrayRef, ListArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, cast, concat, take};
use arrow::datatypes::{DataType, Field};
use arrow_row::{OwnedRow, Row, RowConverter, Rows, SortField};
use datafusion_common::{Result, exec_err};
use std::sync::Arc;

/// Most elements in the lists of one batch.
const MOST: usize = i32::MAX as usize;

/// Lists of elements of `list`, whose places among all its values `f` adds for a row. `None` makes the list null.
pub(super) fn pick(
    args: &Args,
    list: &Column<ListArray>,
    f: impl FnMut(usize, &mut Vec<Option<usize>>) -> Result<Option<()>>,
) -> Result<ArrayRef> {
    pick_from(args, list.array.values(), f)
}

/// As [`pick`], out of any values.
pub(super) fn pick_from(
    args: &Args,
    values: &ArrayRef,
    mut f: impl FnMut(usize, &mut Vec<Option<usize>>) -> Result<Option<()>>,
) -> Result<ArrayRef> {
    let (mut places, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..args.rows {
        let before = places.len();
        let made = f(row, &mut places)?;
        if made.is_none() {
            places.truncate(before);
        }
        if places.len() > MOST {
            return exec_err!("{} would make more than {MOST} elements", args.name());
        }
        lengths.push(places.len() - before);
        valid.push(made.is_some());
    }
    let field = match args.gives {
        DataType::List(field) => Arc::clone(field),
        _ => Arc::new(Field::new_list_field(values.data_type().clone(), true)),
    };
    let values = cast(&take_at(values, places.into_iter())?, field.data_type())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, values, Some(NullBuffer::from(valid)))?))
}

/// One element of `list` a row, or null.
pub(super) fn pick_one(
    args: &Args,
    list: &Column<ListArray>,
    mut f: impl FnMut(usize) -> Result<Option<usize>>,
) -> Result<ArrayRef> {
    let places = (0..args.rows).map(&mut f).collect::<Result<Vec<_>>>()?;
    take_at(list.array.values(), places.into_iter())
}

fn take_at(values: &ArrayRef, places: impl Iterator<Item = Option<usize>>) -> Result<ArrayRef> {
    let places: UInt64Array = places.map(|p| p.map(|p| p as u64)).collect();
    Ok(take(values, &places, None)?)
}

/// Bytes that are equal where values are, in their order; nulls are equal.
pub(super) struct Keys {
    rows: Rows,
    null: OwnedRow,
}

impl Keys {
    /// The keys of the values of several columns of one type, one after another.
    pub(super) fn new(columns: &[&ArrayRef]) -> Result<Keys> {
        let Some(first) = columns.first() else { return exec_err!("no columns to compare") };
        let converter = RowConverter::new(vec![SortField::new_with_options(
            first.data_type().clone(),
            // Nulls inside of lists are larger than values.
            SortOptions { descending: false, nulls_first: false },
        )])?;
        let arrays: Vec<&dyn Array> = columns.iter().map(|c| c.as_ref()).collect();
        let all = concat(&arrays)?;
        let null = arrow::array::new_null_array(first.data_type(), 1);
        let null = converter.convert_columns(&[null])?.row(0).owned();
        Ok(Keys { rows: converter.convert_columns(&[all])?, null })
    }

    /// The key of a value, unless it is null.
    pub(super) fn get(&self, at: usize) -> Option<Row<'_>> {
        let row = self.any(at);
        (row != self.null.row()).then_some(row)
    }

    /// The key of a value or a null.
    pub(super) fn any(&self, at: usize) -> Row<'_> {
        self.rows.row(at)
    }
}
