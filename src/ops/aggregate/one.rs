//! Batches whose rows are all of one group, as they are where there are no groups, or where rows come sorted: sums and
//! counts are made in registers, and the state is touched once. Row by row, each would wait for the one before.

use super::cells::{Cells, Location};
use super::float;
use super::input::{Input, Values};
use super::state::{Kind, Part, add_float};
use arrow::buffer::BooleanBuffer;
use std::ops::Range;

/// The group of all rows, if it is one.
pub(super) fn group(rows: &[Location]) -> Option<Location> {
    let (first, rest) = rows.split_first()?;
    (!rest.is_empty() && rest.iter().all(|row| row == first)).then_some(*first)
}

impl Part {
    /// Updates the state at `row` with the batch's rows `range`; `false`: it has to be done row by row.
    pub(super) fn update_one(&self, input: &Input, range: Range<usize>, row: Location, cells: &mut Cells<'_>) -> bool {
        let valid = input.valid.as_ref();
        let count = valid.map_or(range.len(), |valid| valid.slice(range.start, range.len()).count_set_bits());
        if count == 0 {
            return true;
        }
        match (self.kind, &input.values) {
            (Kind::Count, _) => {
                let state = cells.bytes_mut(row, self.at);
                *state = (u64::from_le_bytes(*state) + count as u64).to_le_bytes();
            }
            (Kind::SumInt, Values::Int(values)) => {
                self.add_int(integers(&values[range.clone()], range, valid), row, cells);
            }
            (Kind::SumInt, Values::Unsigned(values)) => {
                self.add_int(integers(&values[range.clone()], range, valid), row, cells);
            }
            (Kind::SumFloat, Values::Float(values)) => {
                let values = &values[range.clone()];
                let sum = match valid {
                    None => float::sum(values.len(), |i| values[i]),
                    Some(valid) => {
                        float::sum(values.len(), |i| if valid.value(range.start + i) { values[i] } else { 0.0 })
                    }
                };
                let Some((high, low)) = sum else { return false };
                let row = cells.row_mut(row);
                add_float(super::cells::bytes_mut(row, self.at), high, low);
                row[self.flag] = 1;
            }
            _ => return false,
        }
        true
    }

    fn add_int(&self, sum: i128, row: Location, cells: &mut Cells<'_>) {
        let state = cells.bytes_mut(row, self.at);
        *state = ((i128::from_le_bytes(*state) + 2 * sum) | 1).to_le_bytes();
    }
}

fn integers<T: Copy + Into<i128>>(values: &[T], range: Range<usize>, valid: Option<&BooleanBuffer>) -> i128 {
    match valid {
        None => values.iter().map(|v| (*v).into()).sum(),
        Some(valid) => values.iter().zip(range).filter(|(_, i)| valid.value(*i)).map(|(v, _)| (*v).into()).sum(),
    }
}
