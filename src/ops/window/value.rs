//! Values of other rows: `lag`, `lead`, `first_value`, `last_value`, `nth_value`.
//!
//! Each is the number of a row, or none, for every row; then the values at these numbers are gathered from the tape, batch
//! by batch. The last value found is kept, so that the first row of a giant partition need not stay on the tape.

use super::aggregate::exact_cast;
use super::frame::{Frames, Parts, moved};
use super::levels::Rows;
use super::nulls::NonNull;
use super::source::{At, Evaluator};
use super::tape::{Cursor, Tape};
use super::{Edge, Exclude, Function, Need, Place, Shared, Shift, Window};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Int64Type};
use std::sync::Arc;

/// No row.
pub(super) const NONE: u64 = u64::MAX;

/// A value of another row.
pub(super) struct Values {
    column: usize,
    which: Which,
    partition: usize,
    default: Option<usize>,
    output: DataType,
    gather: Gather,
    /// Whether frames begin with the partition.
    fixed: bool,
    /// Whether frames leave something out.
    exclude: bool,
    /// The frame of the row put out last.
    seen: (u64, u64),
}

enum Which {
    Shift(Shift),
    /// The n-th row that is not null before (negative) or behind.
    ShiftNonNull(NonNull, i64),
    Nth(Place),
    /// Before the hole of the frame, and behind it.
    NthNonNull(Box<[NonNull; 2]>, i64),
}

impl Values {
    /// The function, if it is one of these.
    pub(super) fn of(shared: &Shared, window: &Window, output: &DataType) -> Result<Option<Self>> {
        let constant = || Error::unsupported("IGNORE NULLS with a number of rows that is not constant");
        let (column, default, which) = match window.function {
            Function::Shift { value, back, default, ignore_nulls: false } => (value, default, Which::Shift(back)),
            Function::Shift { value, back, default, ignore_nulls: true } => match back {
                Shift::By(0) => (value, default, Which::Shift(back)),
                Shift::By(n) => (value, default, Which::ShiftNonNull(NonNull::new(value), n)),
                Shift::Column(..) => return Err(constant()),
            },
            Function::Nth { value, place, ignore_nulls: false } => (value, None, Which::Nth(place)),
            Function::Nth { value, place, ignore_nulls: true } => {
                let n = match place {
                    Place::First => 1,
                    Place::Last => -1,
                    Place::Nth(n) => n,
                    Place::Column(_) => return Err(constant()),
                };
                if window.frame.exclude != Exclude::Nothing && n.unsigned_abs() != 1 {
                    return Err(Error::unsupported("nth_value with IGNORE NULLS and EXCLUDE"));
                }
                (value, None, Which::NthNonNull(Box::new([NonNull::new(value), NonNull::new(value)]), n))
            }
            _ => return Ok(None),
        };
        let partition = shared.level(window.partition);
        let fixed = window.frame.start == Edge::Unbounded;
        let exclude = window.frame.exclude != Exclude::Nothing;
        let (gather, output) = (Gather::new(column), output.clone());
        Ok(Some(Values { column, which, partition, default, output, gather, fixed, exclude, seen: (0, 0) }))
    }

    /// The row that each row takes its value of.
    fn places(&mut self, rows: &Rows, frames: &Frames, tape: &mut Tape) -> Result<Vec<u64>> {
        let partition = rows.level(self.partition)?;
        let bounds = || partition.starts.iter().zip(&partition.ends);
        let numbered = (rows.piece.first..).zip(bounds());
        Ok(match &mut self.which {
            Which::Shift(Shift::By(n)) => {
                let back = n.saturating_neg();
                numbered.map(|(row, (start, end))| within(row, back, *start, *end)).collect()
            }
            Which::Shift(Shift::Column(column, factor)) => {
                let offsets = cast(rows.piece.column(*column)?, &DataType::Int64)?;
                let offsets = offsets.as_primitive::<Int64Type>();
                let place = |(i, (row, (start, end))): (usize, (u64, (&u64, &u64)))| match offsets.is_null(i) {
                    true => NONE,
                    false => within(row, offsets.value(i).saturating_mul(-*factor), *start, *end),
                };
                numbered.enumerate().map(place).collect()
            }
            Which::ShiftNonNull(walker, n) => {
                let mut places = Vec::with_capacity(rows.len());
                for (row, (start, end)) in numbered {
                    places.push(match *n > 0 {
                        true => walker.place(*start, row, -*n, tape)?,
                        false => walker.place(row + 1, *end, -*n, tape)?,
                    });
                }
                places
            }
            Which::Nth(Place::Column(column)) => {
                let numbers = cast(rows.piece.column(*column)?, &DataType::Int64)?;
                let numbers = numbers.as_primitive::<Int64Type>();
                let place = |(i, parts): (usize, Parts)| match numbers.is_null(i) {
                    true => NONE,
                    false => nth(numbers.value(i), parts),
                };
                frames.parts().enumerate().map(place).collect()
            }
            Which::Nth(place) => {
                let n = match place {
                    Place::Last => -1,
                    Place::Nth(n) => *n,
                    Place::First | Place::Column(_) => 1,
                };
                frames.parts().map(|parts| nth(n, parts)).collect()
            }
            Which::NthNonNull(walkers, n) => {
                let mut places = Vec::with_capacity(rows.len());
                for parts in frames.parts() {
                    places.push(non_null(walkers, *n, parts, tape)?);
                }
                places
            }
        })
    }
}

/// The n-th row of a frame that is not null; around a hole, only the first or the last one is asked for.
fn non_null(walkers: &mut [NonNull; 2], n: i64, parts: Parts, tape: &mut Tape) -> Result<u64> {
    let [left, right] = walkers;
    let (first, second) = match n > 0 {
        true => (left.place(parts.left.0, parts.left.1, n, tape)?, None),
        false => (right.place(parts.right.0, parts.right.1, n, tape)?, Some(parts.left)),
    };
    if first != NONE {
        return Ok(first);
    }
    if let Some(row) = parts.here
        && left.is_set(row, tape)?
    {
        return Ok(row);
    }
    match second {
        Some((start, end)) => left.place(start, end, n, tape),
        None => right.place(parts.right.0, parts.right.1, n, tape),
    }
}

/// The row `n` rows on, if it is in the partition.
fn within(row: u64, n: i64, start: u64, end: u64) -> u64 {
    let place = match n < 0 {
        true => row.checked_sub(n.unsigned_abs()),
        false => Some(moved(row, n)),
    };
    place.filter(|p| (start..end).contains(p)).unwrap_or(NONE)
}

/// The n-th row of a frame, counted from its end if `n` is negative.
fn nth(n: i64, parts: Parts) -> u64 {
    let here = parts.here.map_or((0, 0), |row| (row, row + 1));
    let mut ranges = [parts.left, here, parts.right];
    if n < 0 {
        ranges.reverse();
    }
    let mut left = n.unsigned_abs();
    for (start, end) in ranges.into_iter().filter(|_| n != 0) {
        match left <= end - start {
            true if n > 0 => return start + left - 1,
            true => return end - left,
            false => left -= end - start,
        }
    }
    NONE
}

impl Evaluator for Values {
    fn need(&self) -> Need {
        match &self.which {
            Which::Shift(Shift::By(n)) => Need::Rows(n.saturating_neg().max(0) as u64),
            Which::Shift(Shift::Column(..)) => Need::Partition,
            Which::ShiftNonNull(_, n) if *n < 0 => Need::Partition,
            _ => Need::Nothing,
        }
    }

    fn sees_frames(&self) -> bool {
        matches!(self.which, Which::Nth(_) | Which::NthNonNull(..))
    }

    fn evaluate(&mut self, at: At<'_>, tape: &mut Tape) -> Result<ArrayRef> {
        let places = self.places(at.rows, at.frames, tape)?;
        self.seen = (at.frames.starts.last().copied().unwrap_or(0), at.frames.ends.last().copied().unwrap_or(0));
        let values = self.gather.values(&places, tape, at.rows.piece.column(self.column)?.data_type())?;
        let values = match self.default.filter(|_| places.contains(&NONE)) {
            None => values,
            Some(default) => {
                let default = exact_cast(at.rows.piece.column(default)?, values.data_type())?;
                let found = BooleanArray::from_iter(places.iter().map(|p| Some(*p != NONE)));
                zip(&found, &values, &default)?
            }
        };
        if values.data_type() == &self.output { Ok(values) } else { Ok(cast(&values, &self.output)?) }
    }

    fn keeps(&self, next: u64) -> u64 {
        let (start, end) = self.seen;
        // Where frames begin with the partition, the row is the one known already, or was in no frame yet.
        let from_start = if self.fixed { end.min(next) } else { start.min(next) };
        let from_end = |n: i64| end.saturating_sub(n.unsigned_abs()).min(next);
        match &self.which {
            Which::Shift(Shift::By(n)) => moved(next, n.saturating_neg().min(0)),
            Which::ShiftNonNull(walker, _) => walker.keeps(next, false),
            Which::NthNonNull(walkers, n) => {
                let fixed = self.fixed && *n > 0;
                let left = walkers[0].keeps(next, fixed);
                if self.exclude { left.min(walkers[1].keeps(next, false)) } else { left }
            }
            _ if self.exclude => start.min(next),
            Which::Shift(Shift::Column(..)) | Which::Nth(Place::Column(_)) => 0,
            Which::Nth(Place::First) => from_start,
            Which::Nth(Place::Nth(n)) if *n > 0 => from_start,
            Which::Nth(Place::Nth(n)) => from_end(*n),
            Which::Nth(Place::Last) => from_end(1),
        }
    }

    fn keeps_partition(&self) -> bool {
        matches!(self.which, Which::Shift(Shift::Column(..)) | Which::Nth(Place::Column(_)))
    }
}

/// Takes values out of the tape by the numbers of their rows.
pub(super) struct Gather {
    column: usize,
    cursor: Cursor,
    /// The last value found, as a column of one row.
    last: Option<(u64, ArrayRef)>,
}

impl Gather {
    pub(super) fn new(column: usize) -> Self {
        Gather { column, cursor: Cursor::default(), last: None }
    }

    /// The values at `places`; null for [`NONE`].
    pub(super) fn values(&mut self, places: &[u64], tape: &mut Tape, data_type: &DataType) -> Result<ArrayRef> {
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut rest = places;
        while let Some(place) = rest.iter().find(|p| **p != NONE).copied() {
            let known = self.last.as_ref().filter(|(row, _)| *row == place);
            let (column, first, end) = match known {
                Some((row, value)) => (value.clone(), *row, row + 1),
                None => {
                    let piece = self.cursor.at(place, tape)?;
                    (piece.column(self.column)?.clone(), piece.first, piece.end())
                }
            };
            let inside = |p: &u64| (first..end).contains(p);
            let (run, behind) = rest.split_at(rest.iter().take_while(|p| **p == NONE || inside(p)).count());
            let index = |p: &u64| inside(p).then(|| (p - first) as u32);
            parts.push(take(&column, &UInt32Array::from_iter(run.iter().map(index)), None)?);
            if let Some(last) = run.iter().rev().find(|p| **p != NONE)
                && self.last.as_ref().is_none_or(|(row, _)| row != last)
            {
                let one = UInt32Array::from(vec![(last - first) as u32]);
                self.last = Some((*last, alone(&take(&column, &one, None)?)?));
            }
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(new_null_array(data_type, rest.len()));
        }
        self.cursor.rest();
        match parts.as_slice() {
            [] => Ok(new_null_array(data_type, 0)),
            [one] => Ok(one.clone()),
            parts => Ok(concat(&parts.iter().map(|p| p.as_ref()).collect::<Vec<_>>())?),
        }
    }
}

/// A column of one row that keeps no batch alive.
fn alone(value: &ArrayRef) -> Result<ArrayRef> {
    let batch = arrow::record_batch::RecordBatch::try_from_iter([("value", value.clone())])?;
    let batch = crate::store::compact_batch(&batch)?;
    batch.columns().first().map(Arc::clone).ok_or_else(|| Error::internal("a value without its column"))
}
