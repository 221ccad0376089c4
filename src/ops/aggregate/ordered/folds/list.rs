//! A group's values as a list.

use super::pieces::Pieces;
use super::{Folding, item};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};
use std::ops::Range;
use std::sync::Arc;

/// Lists that are being made.
pub(super) struct List {
    most: usize,
    /// Of the current group.
    count: usize,
    lists: Lists,
}

/// Closed lists and the values of the next one.
pub(super) struct Lists {
    item: FieldRef,
    pub(super) values: Pieces,
    ends: Vec<usize>,
}

impl Lists {
    pub(super) fn new(item: FieldRef) -> Self {
        Lists { values: Pieces::new(item.data_type().clone()), item, ends: Vec::new() }
    }

    /// The values that came since the last call are a list.
    pub(super) fn close(&mut self) {
        self.ends.push(self.values.len());
    }

    pub(super) fn held(&self) -> usize {
        self.values.held() + 8 * self.ends.len()
    }

    /// The ends of all lists, and their values.
    ///
    /// # Errors
    /// `Resources`, for more than 2^31 values.
    pub(super) fn parts(&mut self) -> Result<(OffsetBuffer<i32>, Vec<bool>, ArrayRef)> {
        let ends = std::mem::take(&mut self.ends);
        let mut offsets = vec![0];
        let mut any = Vec::with_capacity(ends.len());
        for end in ends {
            let end = i32::try_from(end).map_err(|_| Error::resources("a list has more than 2147483647 values"))?;
            any.push(offsets.last().is_some_and(|before| *before < end));
            offsets.push(end);
        }
        Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), any, self.values.take()?))
    }

    /// All lists; one without values is null.
    pub(super) fn take(&mut self) -> Result<ArrayRef> {
        let (offsets, any, values) = self.parts()?;
        let nulls = Some(NullBuffer::from(any)).filter(|n| n.null_count() > 0);
        Ok(Arc::new(ListArray::try_new(self.item.clone(), offsets, values, nulls)?))
    }
}

impl List {
    pub(super) fn new(most: usize, output: &DataType) -> Result<Self> {
        Ok(List { most, count: 0, lists: Lists::new(item(output)?) })
    }
}

impl Folding for List {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let room = self.most - self.count;
        let range = range.start..range.end.min(range.start.saturating_add(room));
        let Some(values) = arguments.first().filter(|_| !range.is_empty()) else { return Ok(()) };
        self.count += range.len();
        self.lists.values.add(values, range)
    }

    fn close(&mut self) -> Result<()> {
        self.count = 0;
        self.lists.close();
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        self.lists.take()
    }

    fn held(&self) -> usize {
        self.lists.held()
    }
}
