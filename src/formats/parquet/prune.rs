//! Which row groups and pages cannot hold a wanted row, by what is known of their values.
//!
//! Everything here errs towards reading: a bound that does not convert exactly to the column's type, an unknown least or
//! greatest value, values of types that do not compare: all keep the rows.

use super::source::Source;
use crate::formats::{BoundTest, RowFilter};
use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;
use std::cmp::Ordering;

/// A larger bloom filter is not read: it would not pay, and memory for it was not reserved.
const BLOOM_BYTES: i32 = 1 << 20;

/// The bounds of a filter, in the types of the table's columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Pruner {
    /// Column of the table, and what its values must satisfy.
    pub(super) tests: Vec<(usize, BoundTest)>,
}

/// What is known of the values in a piece of a column. A null value is an unknown one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueRange {
    pub(super) min: ScalarValue,
    pub(super) max: ScalarValue,
    /// Whether every value is known to be null.
    pub(super) only_nulls: bool,
}

impl Pruner {
    pub(super) fn new(filter: Option<&RowFilter>, schema: &Schema) -> Pruner {
        let bounds = filter.map_or(&[][..], |filter| &filter.bounds);
        let tests = bounds.iter().filter_map(|bound| {
            let kind = schema.fields().get(bound.column)?.data_type();
            Some((bound.column, converted(&bound.test, kind)?))
        });
        Pruner { tests: tests.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }
}

fn converted(test: &BoundTest, kind: &DataType) -> Option<BoundTest> {
    Some(match test {
        BoundTest::AtLeast(value) => BoundTest::AtLeast(exactly(value, kind)?),
        BoundTest::AtMost(value) => BoundTest::AtMost(exactly(value, kind)?),
        BoundTest::OneOf(values) => {
            let known = values.iter().filter(|value| !value.is_null());
            BoundTest::OneOf(known.map(|value| exactly(value, kind)).collect::<Option<_>>()?)
        }
    })
}

/// The value in another type, if it is the same value there.
fn exactly(value: &ScalarValue, kind: &DataType) -> Option<ScalarValue> {
    if value.is_null() {
        return None;
    }
    if value.data_type() == *kind {
        return Some(value.clone());
    }
    let there = value.cast_to(kind).ok()?;
    let back = there.cast_to(&value.data_type()).ok()?;
    (!there.is_null() && back == *value).then_some(there)
}

/// Whether a value within `range` can satisfy `test`.
pub(super) fn may_hold(test: &BoundTest, range: &ValueRange) -> bool {
    if range.only_nulls {
        return false;
    }
    let below = |value: &ScalarValue| compare(&range.max, value) == Some(Ordering::Less);
    let above = |value: &ScalarValue| compare(&range.min, value) == Some(Ordering::Greater);
    match test {
        BoundTest::AtLeast(least) => !below(least),
        BoundTest::AtMost(most) => !above(most),
        BoundTest::OneOf(values) => values.iter().any(|value| !below(value) && !above(value)),
    }
}

fn compare(known: &ScalarValue, value: &ScalarValue) -> Option<Ordering> {
    if known.is_null() { None } else { known.partial_cmp(value) }
}

/// Whether statistics of this type bound the values in the engine's order. Floats do not: their statistics leave out NaN.
pub(super) fn is_ordered(kind: &DataType) -> bool {
    !kind.is_nested() && !kind.is_floating() && !matches!(kind, DataType::Interval(_) | DataType::Null)
}

/// Whether the chunk's bloom filter leaves room for one of the wanted values; true where it has none that we read.
pub(super) fn bloom_may_hold(test: &BoundTest, chunk: &ColumnChunkMetaData, source: &Source) -> bool {
    let BoundTest::OneOf(values) = test else { return true };
    if !chunk.bloom_filter_length().is_some_and(|length| (1..=BLOOM_BYTES).contains(&length)) {
        return true;
    }
    // A filter that cannot be read excludes nothing.
    let Ok(Some(filter)) = Sbbf::read_from_column_chunk(chunk, source) else { return true };
    values.iter().any(|value| hashed(&filter, chunk.column_type(), value).unwrap_or(true))
}

/// `None` where a value of this type may be stored in another form than we have it.
fn hashed(filter: &Sbbf, stored: Type, value: &ScalarValue) -> Option<bool> {
    use ScalarValue as S;
    Some(match (stored, value) {
        (Type::INT32, S::Int32(Some(v)) | S::Date32(Some(v))) => filter.check(v),
        (Type::INT64, S::Int64(Some(v))) => filter.check(v),
        (Type::BYTE_ARRAY, S::Utf8View(Some(v)) | S::Utf8(Some(v))) => filter.check(v.as_str()),
        (Type::BYTE_ARRAY, S::BinaryView(Some(v)) | S::Binary(Some(v))) => filter.check(v.as_slice()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{Bound, RowFilter};
    use arrow::array::BooleanArray;
    use arrow::datatypes::Field;
    use std::sync::Arc;

    fn range(min: Option<i64>, max: Option<i64>) -> ValueRange {
        ValueRange { min: ScalarValue::Int64(min), max: ScalarValue::Int64(max), only_nulls: false }
    }

    fn int(v: i64) -> ScalarValue {
        ScalarValue::Int64(Some(v))
    }

    #[test]
    fn agrees_with_looking_at_every_value() {
        for (min, max) in [(1, 3), (2, 2), (-5, 0)] {
            for v in -6..5 {
                let range = range(Some(min), Some(max));
                assert_eq!(may_hold(&BoundTest::AtLeast(int(v)), &range), (min..=max).any(|x| x >= v));
                assert_eq!(may_hold(&BoundTest::AtMost(int(v)), &range), (min..=max).any(|x| x <= v));
                assert_eq!(may_hold(&BoundTest::OneOf(vec![int(v), int(9)]), &range), (min..=max).contains(&v));
            }
        }
    }

    #[test]
    fn what_is_unknown_is_kept() {
        assert!(may_hold(&BoundTest::AtLeast(int(5)), &range(Some(1), None)));
        assert!(may_hold(&BoundTest::AtMost(int(5)), &range(None, Some(9))));
        assert!(may_hold(&BoundTest::AtLeast(ScalarValue::from("x")), &range(Some(1), Some(2))));
        assert!(!may_hold(&BoundTest::AtLeast(int(0)), &ValueRange { only_nulls: true, ..range(None, None) }));
    }

    #[test]
    fn bounds_that_do_not_convert_are_dropped() {
        let schema = Schema::new(vec![Field::new("a", DataType::Int32, true)]);
        let bound = |value| Bound { column: 0, test: BoundTest::AtLeast(value) };
        let filter = RowFilter {
            columns: vec![0],
            bounds: vec![bound(int(5)), bound(int(5_000_000_000)), bound(ScalarValue::Float64(Some(1.5)))],
            eval: Arc::new(|rows| Ok(BooleanArray::from(vec![true; rows.num_rows()]))),
            parts: Vec::new(),
        };
        let kept = Pruner::new(Some(&filter), &schema).tests;
        assert_eq!(kept, [(0, BoundTest::AtLeast(ScalarValue::Int32(Some(5))))]);
    }
}
