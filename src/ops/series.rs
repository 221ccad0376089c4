//! Rows that are counted, not read: `range`, `generate_series`. A series of even steps is cut into pieces, a task each;
//! one of months is not even, and is one piece.

use super::{Cx, Pull, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Months, NaiveDateTime};
use std::sync::Arc;

/// A piece has at least so many rows,
const PIECE: u64 = 1 << 20;
/// and there are not many more pieces than this.
const PIECES: u64 = 1 << 10;

/// The values of a series: Int64, or microseconds of timestamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steps {
    /// `start`, `start + step`, ...: `rows` of them.
    Even {
        /// The first value.
        start: i64,
        /// The difference of two values.
        step: i64,
        /// How many.
        rows: u64,
    },
    /// Timestamps that are months and microseconds apart, each made of the one before.
    Months {
        /// The first value, in microseconds.
        start: i64,
        /// Where it ends.
        stop: i64,
        /// Whether `stop` is one of the values.
        inclusive: bool,
        /// Months between two values.
        months: i32,
        /// Microseconds between two values, beside the months.
        micros: i64,
    },
}

/// A series as a table of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    steps: Steps,
    schema: SchemaRef,
}

/// How many values there are from `start` to `stop`.
///
/// # Errors
/// `Query`, for a step of zero.
pub fn count(start: i64, stop: i64, step: i64, inclusive: bool) -> Result<u64> {
    if step == 0 {
        return Err(Error::query("the step of a series must not be 0"));
    }
    let distance = if step > 0 { i128::from(stop) - i128::from(start) } else { i128::from(start) - i128::from(stop) };
    let step = i128::from(step).abs();
    let rows = if inclusive { distance.div_euclid(step) + 1 } else { (distance + step - 1).div_euclid(step) };
    Ok(u64::try_from(rows.max(0)).unwrap_or(u64::MAX))
}

impl Series {
    /// Integers.
    pub fn integers(name: &str, steps: Steps) -> Self {
        Series { steps, schema: schema(name, DataType::Int64) }
    }

    /// Timestamps, without a time zone or shown in this one.
    pub fn timestamps(name: &str, zone: Option<Arc<str>>, steps: Steps) -> Self {
        Series { steps, schema: schema(name, DataType::Timestamp(TimeUnit::Microsecond, zone)) }
    }

    /// The column.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// How many rows there are, where that is known.
    pub fn rows(&self) -> Option<u64> {
        match self.steps {
            Steps::Even { rows, .. } => Some(rows),
            Steps::Months { .. } => None,
        }
    }

    /// How many pieces it is cut into.
    pub fn pieces(&self) -> usize {
        self.rows().map_or(1, |rows| rows.div_ceil(self.piece()).max(1) as usize)
    }

    fn piece(&self) -> u64 {
        (self.rows().unwrap_or(0) / PIECES).max(PIECE)
    }

    fn array(&self, values: Vec<i64>) -> ArrayRef {
        match self.schema.fields().first().map(|f| f.data_type()) {
            Some(DataType::Timestamp(_, zone)) => {
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone_opt(zone.clone()))
            }
            _ => Arc::new(Int64Array::from(values)),
        }
    }
}

fn schema(name: &str, data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(name, data_type, true)]))
}

/// The source of a series.
pub struct SeriesOp(pub Arc<Series>);

impl SourceOp for SeriesOp {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let series = self.0.clone();
        let values = match series.steps {
            Steps::Even { start, step, rows } => {
                let begin = series.piece().saturating_mul(index as u64).min(rows);
                let end = begin.saturating_add(series.piece()).min(rows);
                Values::Even { start, step, next: begin, end }
            }
            Steps::Months { start, .. } => Values::Months { next: Some(start) },
        };
        Ok(Box::new(Counting { series, values, row: 0 }))
    }
}

/// What is left of a piece.
enum Values {
    Even { start: i64, step: i64, next: u64, end: u64 },
    Months { next: Option<i64> },
}

struct Counting {
    series: Arc<Series>,
    values: Values,
    row: u64,
}

impl Counting {
    fn values(&mut self, most: usize) -> Result<Vec<i64>> {
        match &mut self.values {
            Values::Even { start, step, next, end } => {
                let until = next.saturating_add(most as u64).min(*end);
                let value = |i: u64| i64::try_from(i128::from(*start) + i128::from(i) * i128::from(*step));
                let values = (*next..until).map(value).collect::<std::result::Result<_, _>>();
                *next = until;
                values.map_err(|_| Error::query("a series that leaves the range of BIGINT"))
            }
            Values::Months { next } => {
                let mut values = Vec::new();
                while let Some(value) = next.filter(|v| self.series.steps.holds(*v)) {
                    if values.len() == most {
                        return Ok(values);
                    }
                    values.push(value);
                    *next = self.series.steps.after(value);
                }
                *next = None;
                Ok(values)
            }
        }
    }
}

impl Steps {
    /// Whether a value of months comes before the end.
    fn holds(&self, value: i64) -> bool {
        let Steps::Months { stop, inclusive, months, micros, .. } = self else { return false };
        let upward = *months > 0 || *micros > 0;
        (*inclusive && value == *stop) || if upward { value < *stop } else { value > *stop }
    }

    /// The value after `value`; none beyond the calendar.
    fn after(&self, value: i64) -> Option<i64> {
        let Steps::Months { months, micros, .. } = self else { return None };
        let time: NaiveDateTime = DateTime::from_timestamp_micros(value)?.naive_utc();
        let by = Months::new(months.unsigned_abs());
        let moved = if *months < 0 { time.checked_sub_months(by) } else { time.checked_add_months(by) };
        moved?.and_utc().timestamp_micros().checked_add(*micros)
    }
}

impl Source for Counting {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        let values = self.values(cx.tuning.batch_rows.max(1))?;
        if values.is_empty() {
            return Ok(Pull::End);
        }
        let position = Position { split: 0, row: self.row };
        self.row += values.len() as u64;
        let data = RecordBatch::try_new(self.series.schema(), vec![self.series.array(values)])?;
        Ok(Pull::Batch(Batch::new(data, position)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_counting() {
        for start in -7..7_i64 {
            for stop in -7..7_i64 {
                for step in [-3, -2, -1, 1, 2, 3] {
                    let before = |v: &i64| if step > 0 { *v < stop } else { *v > stop };
                    let all = std::iter::successors(Some(start), |v| Some(v + step));
                    let open = all.clone().take_while(before).count() as u64;
                    let closed = all.take_while(|v| before(v) || *v == stop).count() as u64;
                    assert_eq!(count(start, stop, step, false).unwrap(), open, "{start} {stop} {step}");
                    assert_eq!(count(start, stop, step, true).unwrap(), closed, "{start} {stop} {step}");
                }
            }
        }
        assert!(count(0, 1, 0, false).is_err());
        assert_eq!(count(i64::MIN, i64::MAX, 1, true).unwrap(), u64::MAX);
    }

    #[test]
    fn huge_series_have_a_bounded_number_of_pieces() {
        let series = |rows| Series::integers("range", Steps::Even { start: 0, step: 1, rows });
        assert_eq!((series(0).pieces(), series(1).pieces(), series(PIECE + 1).pieces()), (1, 1, 2));
        assert!(series(u64::MAX).pieces() as u64 <= PIECES + 1);
    }

    #[test]
    fn months_keep_within_the_month() {
        let day = |y, m, d| chrono::NaiveDate::from_ymd_opt(y, m, d).unwrap().and_hms_opt(0, 0, 0).unwrap();
        let micros = |t: NaiveDateTime| t.and_utc().timestamp_micros();
        let (start, stop) = (micros(day(2020, 1, 31)), micros(day(2020, 4, 29)));
        let series = |inclusive| {
            let steps = Steps::Months { start, stop, inclusive, months: 1, micros: 0 };
            let mut counting = Counting {
                series: Arc::new(Series::timestamps("s", None, steps)),
                values: Values::Months { next: Some(start) },
                row: 0,
            };
            [counting.values(2).unwrap(), counting.values(9).unwrap(), counting.values(9).unwrap()].concat()
        };
        let all = [day(2020, 1, 31), day(2020, 2, 29), day(2020, 3, 29), day(2020, 4, 29)].map(micros);
        assert_eq!(series(true), all);
        assert_eq!(series(false), all[..3]);
    }
}
