//! An aggregate's arguments, batch by batch, as the states take them.

use super::tape::Tape;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use std::sync::Arc;

/// Makes a batch's arguments of its columns.
pub(super) type Load<T> = Arc<dyn Fn(&[ArrayRef]) -> Result<Vec<T>> + Send + Sync>;

/// Where arguments are, and which rows count.
#[derive(Clone)]
pub(super) struct Arguments<T> {
    pub(super) columns: Vec<usize>,
    /// A column of truth values: only rows with true count.
    pub(super) filter: Option<usize>,
    pub(super) load: Load<T>,
}

/// The arguments of one batch at a time.
pub(super) struct Feed<T> {
    arguments: Arguments<T>,
    /// The number of the batch's first row.
    first: u64,
    items: Vec<T>,
    /// The rows that count; all, if `None`.
    valid: Option<BooleanBuffer>,
}

impl<T: Copy> Feed<T> {
    pub(super) fn new(arguments: Arguments<T>) -> Self {
        Feed { arguments, first: 0, items: Vec::new(), valid: None }
    }

    /// Goes to the batch with `row`; the number of the row after its last.
    pub(super) fn load(&mut self, row: u64, tape: &mut Tape) -> Result<u64> {
        let end = self.first + self.items.len() as u64;
        if (self.first..end).contains(&row) {
            return Ok(end);
        }
        let piece = tape.piece(row)?;
        let columns = self.arguments.columns.iter().map(|c| piece.column(*c).cloned()).collect::<Result<Vec<_>>>()?;
        self.valid = counting(&columns, self.arguments.filter.map(|f| piece.column(f)).transpose()?)?;
        self.items = (self.arguments.load)(&columns)?;
        if columns.is_empty() {
            self.items = (self.arguments.load)(&[Arc::new(arrow::array::NullArray::new(piece.data.num_rows()))])?;
        }
        if self.items.len() != piece.data.num_rows() {
            return Err(Error::internal("an aggregate's arguments are not as many as rows"));
        }
        self.first = piece.first;
        Ok(piece.end())
    }

    /// Calls `f` with the arguments of the rows from `from` to `to`, all of the batch, that count.
    #[inline(always)]
    pub(super) fn each(&self, from: u64, to: u64, mut f: impl FnMut(T)) {
        for row in from..to {
            if let Some(item) = self.item(row) {
                f(item);
            }
        }
    }

    /// The argument of a row of the batch, if it counts.
    #[inline(always)]
    pub(super) fn item(&self, row: u64) -> Option<T> {
        let index = row.checked_sub(self.first)? as usize;
        if self.valid.as_ref().is_some_and(|v| !v.value(index)) {
            return None;
        }
        self.items.get(index).copied()
    }
}

/// The rows in which no argument is null and the filter is true; `None` for all.
pub(super) fn counting(columns: &[ArrayRef], filter: Option<&ArrayRef>) -> Result<Option<BooleanBuffer>> {
    let mut valid: Option<BooleanBuffer> = None;
    let mut mask = |more: BooleanBuffer| {
        valid = Some(match valid.take() {
            Some(before) => &before & &more,
            None => more,
        })
    };
    for column in columns {
        if let Some(nulls) = column.logical_nulls().filter(|n| n.null_count() > 0) {
            mask(nulls.into_inner());
        }
    }
    if let Some(filter) = filter {
        let filter = filter.as_boolean_opt().ok_or_else(|| Error::internal("a FILTER is not a truth value"))?;
        mask(match filter.nulls() {
            Some(nulls) => filter.values() & nulls.inner(),
            None => filter.values().clone(),
        });
    }
    Ok(valid)
}
