//! The value of the row that comes first by some keys: first, last, arg_min, arg_max, mode, and min and max of nested
//! values, where the value is the key.
//!
//! Keys and value become one string of bytes whose order is the keys' (the format of `arrow-row`), and the state is the
//! smallest of them, kept as a text is (see [`super::text`]). The keys end with the row's position where ties are
//! possible, so that neither threads nor budgets show.

use crate::error::{Error, Result};
use crate::ops::sort::canonical;
use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, Rows, SortField};

/// What comes first, by the arguments in their order; a bit for each argument, the first is the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pick {
    /// Arguments whose largest value comes first.
    pub descending: u32,
    /// Arguments whose nulls come before their values.
    pub nulls_first: u32,
    /// Arguments that must not be null: a row where one is does not count.
    pub required: u32,
}

impl Pick {
    /// The most arguments.
    pub const MOST: usize = 32;

    /// Whether a set of arguments has the one at `index`.
    pub(super) fn has(set: u32, index: usize) -> bool {
        set.checked_shr(index as u32).is_some_and(|s| s & 1 == 1)
    }
}

/// The arguments of a pick as one string of bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Encoding {
    fields: Vec<(DataType, SortOptions)>,
}

impl Encoding {
    /// # Errors
    /// `Unsupported`, for a type that has no order.
    pub(super) fn new(pick: Pick, types: &[DataType]) -> Result<Self> {
        if types.is_empty() || types.len() > Pick::MOST {
            return Err(Error::unsupported(format!("an aggregate of {} sort keys", types.len())));
        }
        let options =
            |i| SortOptions { descending: Pick::has(pick.descending, i), nulls_first: Pick::has(pick.nulls_first, i) };
        let encoding = Encoding { fields: types.iter().cloned().enumerate().map(|(i, t)| (t, options(i))).collect() };
        encoding.converter()?;
        Ok(encoding)
    }

    fn converter(&self) -> Result<RowConverter> {
        let fields = self.fields.iter().map(|(t, o)| SortField::new_with_options(t.clone(), *o)).collect();
        RowConverter::new(fields).map_err(|e| Error::unsupported(format!("values cannot be ordered: {e}")))
    }

    /// One string of bytes a row. The last column is the value, whose bits stay.
    pub(super) fn rows(&self, columns: &[&ArrayRef]) -> Result<Rows> {
        let last = columns.len().saturating_sub(1);
        let column = |(i, c): (usize, &&ArrayRef)| if i < last { canonical(c) } else { (*c).clone() };
        let columns: Vec<ArrayRef> = columns.iter().enumerate().map(column).collect();
        Ok(self.converter()?.convert_columns(&columns)?)
    }

    /// The values of states; null where there is no state.
    pub(super) fn values(&self, states: &[Option<&[u8]>]) -> Result<ArrayRef> {
        let converter = self.converter()?;
        let parser = converter.parser();
        let seen: Vec<_> = states.iter().flatten().map(|s| parser.parse(s)).collect();
        let value = self.fields.last().map_or(DataType::Null, |(t, _)| t.clone());
        if seen.is_empty() {
            return Ok(new_null_array(&value, states.len()));
        }
        let all = seen.len() == states.len();
        let column = converter.convert_rows(seen)?.pop();
        let column = column.ok_or_else(|| Error::internal("a state has no value"))?;
        if all {
            return Ok(column);
        }
        let mut next = 0;
        let place = |state: &Option<&[u8]>| {
            state.map(|_| {
                next += 1;
                next - 1
            })
        };
        Ok(take(&column, &UInt32Array::from_iter(states.iter().map(place)), None)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray, Int64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn the_smallest_string_has_the_first_rows_value() {
        let pick = Pick { descending: 1, nulls_first: 0, required: 0 };
        let encoding = Encoding::new(pick, &[DataType::Int64, DataType::Int64, DataType::Utf8View]).unwrap();
        let key: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(7), Some(7)]));
        let tie: ArrayRef = Arc::new(Int64Array::from(vec![1, 0, 3, 2]));
        let value: ArrayRef = Arc::new(StringViewArray::from(vec![Some("three"), Some("null"), Some("late"), None]));
        let rows = encoding.rows(&[&key, &tie, &value]).unwrap();
        let first = rows.iter().map(|r| r.data().to_vec()).min().unwrap();
        let last = rows.iter().map(|r| r.data().to_vec()).max().unwrap();
        let values = encoding.values(&[Some(last.as_slice()), None, Some(first.as_slice())]).unwrap();
        assert_eq!(values.as_string_view().value(0), "null");
        assert!(values.is_null(1) && values.is_null(2));
    }

    #[test]
    fn a_pick_has_few_arguments() {
        assert!(Encoding::new(Pick::default(), &std::array::from_fn::<_, 33, _>(|_| DataType::Int64)).is_err());
        assert!(!Pick::has(u32::MAX, 40));
    }
}
