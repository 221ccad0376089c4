//! The n-th row of a frame that is not null, from either end, for frames whose ends only grow.
//!
//! Two places walk over the column, one for each end of what is counted:
//!
//! ```text
//! from the start:  start ... place          place is the n-th that is not null from start on
//! from the end:              place ... end  place is the n-th that is not null before end
//! ```

use super::tape::{Cursor, Tape};
use super::value::NONE;
use crate::error::Result;
use arrow::array::Array;

/// Counts rows that are not null between two places.
pub(super) struct NonNull {
    column: usize,
    /// What is counted: from `low` to `high`.
    low: u64,
    high: u64,
    count: u64,
    below: Cursor,
    above: Cursor,
}

impl NonNull {
    pub(super) fn new(column: usize) -> Self {
        NonNull { column, low: 0, high: 0, count: 0, below: Cursor::default(), above: Cursor::default() }
    }

    /// The first row that it will look at again; `fixed`: until the partition ends, all frames begin where they did.
    pub(super) fn keeps(&self, next: u64, fixed: bool) -> u64 {
        if fixed { self.high.min(next) } else { self.low.min(next) }
    }

    /// The n-th row of `start..end` that is not null, from the end if `n` is negative; [`NONE`], if there are fewer.
    pub(super) fn place(&mut self, start: u64, end: u64, n: i64, tape: &mut Tape) -> Result<u64> {
        if start >= self.high {
            (self.low, self.high, self.count) = (start, start, 0);
        }
        match n > 0 {
            true => self.first_ones(start, end, n.unsigned_abs(), tape),
            false => self.last_ones(start, end, n.unsigned_abs(), tape),
        }
    }

    /// Whether a row at hand is not null.
    pub(super) fn is_set(&mut self, row: u64, tape: &mut Tape) -> Result<bool> {
        is_set(&mut Cursor::default(), self.column, row, tape)
    }

    fn first_ones(&mut self, start: u64, end: u64, n: u64, tape: &mut Tape) -> Result<u64> {
        while self.low < start {
            self.count -= u64::from(is_set(&mut self.below, self.column, self.low, tape)?);
            self.low += 1;
        }
        while self.high < end && self.count < n {
            self.count += u64::from(is_set(&mut self.above, self.column, self.high, tape)?);
            self.high += 1;
        }
        // The last one counted is the n-th; it may be behind the end of a frame that is smaller than the one before.
        let found = self.count >= n && n > 0 && self.high <= end;
        Ok(if found { self.high - 1 } else { NONE })
    }

    fn last_ones(&mut self, start: u64, end: u64, n: u64, tape: &mut Tape) -> Result<u64> {
        while self.high < end {
            self.count += u64::from(is_set(&mut self.above, self.column, self.high, tape)?);
            self.high += 1;
        }
        while self.low < start || self.count > n {
            self.count -= u64::from(is_set(&mut self.below, self.column, self.low, tape)?);
            self.low += 1;
        }
        if self.count < n || n == 0 {
            return Ok(NONE);
        }
        // Nulls before the n-th are no part of any later count.
        while !is_set(&mut self.below, self.column, self.low, tape)? {
            self.low += 1;
        }
        Ok(self.low)
    }
}

fn is_set(cursor: &mut Cursor, column: usize, row: u64, tape: &mut Tape) -> Result<bool> {
    let piece = cursor.at(row, tape)?;
    Ok(!piece.column(column)?.is_null(piece.index(row)))
}
