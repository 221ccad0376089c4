//! The value of one row of a frame: `arg_min`, `arg_max` and `mode` for windows, which ask DataFusion's way. Groups pick
//! theirs in `ops`.

use crate::ops::sort::canonical;
use arrow::array::{Array, ArrayRef};
use arrow::compute::SortOptions;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::Accumulator;
use datafusion_expr::function::AccumulatorArgs;
use std::collections::HashMap;

fn converter(args: &AccumulatorArgs, at: usize, descending: bool) -> Result<RowConverter> {
    let Some(field) = args.expr_fields.get(at) else { return exec_err!("{} lacks an argument", args.name) };
    // With this, a null inside of a list is larger than any value, in both directions.
    let options = SortOptions { descending, nulls_first: descending };
    Ok(RowConverter::new(vec![SortField::new_with_options(field.data_type().clone(), options)])?)
}

/// The value beside the smallest or the largest key, the first of equal ones.
#[derive(Debug)]
pub(super) struct ArgBy {
    keys: RowConverter,
    /// Whether null values count.
    nulls: bool,
    best: Option<(OwnedRow, ScalarValue)>,
    none: ScalarValue,
}

impl ArgBy {
    pub(super) fn new(args: &AccumulatorArgs, largest: bool, nulls: bool) -> Result<ArgBy> {
        let none = ScalarValue::try_from(args.return_field.data_type())?;
        Ok(ArgBy { keys: converter(args, 1, largest)?, nulls, best: None, none })
    }
}

impl Accumulator for ArgBy {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [column, keys, ..] = values else { return exec_err!("a value and a key are wanted") };
        let rows = self.keys.convert_columns(&[canonical(keys)])?;
        for row in (0..column.len()).filter(|row| keys.is_valid(*row) && (self.nulls || column.is_valid(*row))) {
            let key = rows.row(row);
            if self.best.as_ref().is_none_or(|(best, _)| key < best.row()) {
                self.best = Some((key.owned(), ScalarValue::try_from_array(column, row)?.compacted()));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.best.as_ref().map_or(&self.none, |(_, value)| value).clone())
    }

    fn size(&self) -> usize {
        let held = self.best.as_ref().map_or(0, |(key, value)| key.as_ref().len() + value.size());
        size_of::<Self>() + self.keys.size() + held
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("the value of a window is not merged")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        exec_err!("the value of a window is not merged")
    }
}

/// The value that is there most often, the first of several.
#[derive(Debug)]
pub(super) struct Mode {
    rows: RowConverter,
    /// How often each value was seen, and as which one of all.
    seen: HashMap<Box<[u8]>, (u64, usize)>,
    bytes: usize,
    best: Option<(u64, usize, ScalarValue)>,
    none: ScalarValue,
}

impl Mode {
    pub(super) fn new(args: &AccumulatorArgs) -> Result<Mode> {
        let none = ScalarValue::try_from(args.return_field.data_type())?;
        Ok(Mode { rows: converter(args, 0, false)?, seen: HashMap::new(), bytes: 0, best: None, none })
    }
}

impl Accumulator for Mode {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(column) = values.first() else { return Ok(()) };
        let rows = self.rows.convert_columns(&[canonical(column)])?;
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            let key = rows.row(row);
            let number = self.seen.len();
            let (count, number) = match self.seen.get_mut(key.data()) {
                Some((count, number)) => {
                    *count += 1;
                    (*count, *number)
                }
                None => {
                    self.bytes += key.data().len();
                    self.seen.insert(key.data().into(), (1, number));
                    (1, number)
                }
            };
            let better =
                |(most, first, _): &(u64, usize, ScalarValue)| count > *most || (count == *most && number < *first);
            if self.best.as_ref().is_none_or(better) {
                self.best = Some((count, number, ScalarValue::try_from_array(column, row)?.compacted()));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.best.as_ref().map_or(&self.none, |(.., value)| value).clone())
    }

    fn size(&self) -> usize {
        let entry = size_of::<(Box<[u8]>, (u64, usize))>() + 1;
        size_of::<Self>() + self.rows.size() + self.bytes + self.seen.capacity() * entry
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("the mode of a window is not merged")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        exec_err!("the mode of a window is not merged")
    }
}
