//! The laws of formats, checked over every row of the table: see [`Format`].
//!
//! One table of every type that all formats carry is written by each format, read back with splits of many sizes, with
//! projections and with filters whose columns are or are not wanted, and broken in many places.

use super::parquet::tests::write;
use super::testing::{cells, open};
use super::{Bound, BoundTest, FORMATS, Format, RowFilter, ScanSpec, Table};
use crate::error::Result;
use arrow::array::*;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Int64Type;
use datafusion_common::ScalarValue;
use std::path::PathBuf;
use std::sync::Arc;

const ROWS: i64 = 750;

/// Sizes of splits: about a record, some, many, the whole.
const SPLITS: &[usize] = &[97, 1000, 5000, 1 << 30];

fn texts(row: i64) -> Option<String> {
    match row % 7 {
        0 => None,
        1 => Some(String::new()),
        2 => Some(format!("a \"quoted\", {row}\nover lines \\ \t")),
        3 => Some("long ".repeat((row % 50) as usize)),
        _ => Some(format!("ä{row}€")),
    }
}

/// Rows of the types that every format carries; 0 to 100 in `n`, so that it can be filtered by ranges.
fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let all = || range.clone();
    let null = |row: i64, every: i64| row % every != 0;
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from_iter_values(all())) as ArrayRef, true),
        ("n", Arc::new(all().map(|r| null(r, 5).then_some(r * 100 / ROWS)).collect::<Int64Array>()), true),
        ("x", Arc::new(all().map(|r| null(r, 4).then_some(r as f64 / 8.0 + 0.125)).collect::<Float64Array>()), true),
        ("s", Arc::new(all().map(texts).collect::<StringViewArray>()), true),
        ("b", Arc::new(all().map(|r| null(r, 3).then_some(r % 2 == 0)).collect::<BooleanArray>()), true),
        ("d", Arc::new(all().map(|r| null(r, 6).then_some(19_000 + r as i32)).collect::<Date32Array>()), true),
    ])
    .unwrap()
}

/// The formats that are written.
fn written_formats() -> impl Iterator<Item = &'static &'static dyn Format> {
    let schema = rows(0..0).schema();
    FORMATS.iter().filter(move |f| f.encoder(&schema, &Default::default(), 1 << 20).is_ok())
}

struct Written {
    _dir: tempfile::TempDir,
    path: PathBuf,
    table: Arc<Table>,
}

/// The rows as a file of a format.
fn written(format: &'static dyn Format) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("t.{}", format.endings()[0]));
    let options: &[(&str, &str)] = if format.name() == "parquet" { &[("row_group_size", "200")] } else { &[] };
    let batches: Vec<RecordBatch> = (0..ROWS).step_by(250).map(|at| rows(at..at + 250)).collect();
    write(format, &path, &batches, options);
    let table = open(&path, &[]).unwrap();
    assert_eq!(table.format.name(), format.name());
    Written { _dir: dir, path, table }
}

/// All rows of a scan, split after split.
fn read(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<RecordBatch> {
    let schema = Arc::new(table.schema.project(&spec.projection)?);
    let scan = table.scan(spec.clone(), split_bytes)?;
    let mut batches = Vec::new();
    for index in 0..scan.splits().len() {
        let mut reader = scan.open(index)?;
        while let Some(batch) = reader.next()? {
            assert!(batch.num_rows() <= spec.batch_rows);
            batches.push(batch);
        }
    }
    if schema.fields().is_empty() {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        return Ok(RecordBatch::try_new_with_options(schema, vec![], &options)?);
    }
    Ok(concat_batches(&schema, &batches)?)
}

fn spec(projection: &[usize], filter: Option<RowFilter>) -> ScanSpec {
    ScanSpec {
        projection: projection.to_vec(),
        filter: filter.map(Arc::new),
        batch_rows: 64,
        batch_bytes: 1 << 20,
        files: None,
        rejects: Default::default(),
        budget: None,
    }
}

#[test]
fn what_is_written_comes_back_wherever_it_is_cut() {
    let whole = rows(0..ROWS);
    for format in written_formats() {
        let file = written(*format);
        for split_bytes in SPLITS {
            for projection in [vec![0, 1, 2, 3, 4, 5], vec![3, 0], vec![4]] {
                let back = read(&file.table, spec(&projection, None), *split_bytes).unwrap();
                let expected = cells(&[whole.project(&projection).unwrap()]);
                assert_eq!(cells(&[back]), expected, "{} {split_bytes} {projection:?}", format.name());
            }
            let counted = read(&file.table, spec(&[], None), *split_bytes).unwrap();
            assert_eq!(counted.num_rows(), ROWS as usize, "{} {split_bytes}", format.name());
        }
    }
}

/// `n` between, in a batch whose columns are `columns`; null where `n` is.
fn between(columns: &[usize], low: i64, high: i64, bounds: bool) -> RowFilter {
    let place = columns.iter().position(|c| *c == 1).unwrap();
    let eval = move |batch: &RecordBatch| {
        let n = batch.column(place).as_primitive::<Int64Type>();
        Ok(n.iter().map(|n| n.map(|n| (low..=high).contains(&n))).collect())
    };
    let value = |v| ScalarValue::Int64(Some(v));
    let tests = [BoundTest::AtLeast(value(low)), BoundTest::AtMost(value(high))];
    let bounds = tests.into_iter().filter(|_| bounds).map(|test| Bound { column: 1, test }).collect();
    RowFilter { columns: columns.to_vec(), bounds, eval: Arc::new(eval), parts: Vec::new() }
}

#[test]
fn filters_are_exact() {
    let whole = rows(0..ROWS);
    for format in written_formats() {
        let file = written(*format);
        for (low, high) in [(0, 100), (40, 41), (3, 90), (99, 200), (500, 600)] {
            for projection in [vec![], vec![0], vec![1], vec![3, 1, 0], vec![2, 5, 4]] {
                for columns in [vec![1], vec![3, 1]] {
                    let kept = (between(&[1], low, high, false).eval)(&whole.project(&[1]).unwrap()).unwrap();
                    let expected = filter_record_batch(&whole.project(&projection).unwrap(), &kept).unwrap();
                    for (split_bytes, bounds) in [(64, true), (3000, false), (1 << 30, true), (1 << 30, false)] {
                        let filter = between(&columns, low, high, bounds);
                        let back = read(&file.table, spec(&projection, Some(filter)), split_bytes).unwrap();
                        let case = format!("{} {low}-{high} {projection:?} {columns:?}", format.name());
                        assert_eq!(back.num_rows(), kept.true_count(), "{case}");
                        assert_eq!(cells(&[back]), cells(std::slice::from_ref(&expected)), "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_filter_that_fails_is_an_error() {
    for format in written_formats() {
        let file = written(*format);
        let eval = |_: &RecordBatch| Err(crate::Error::data("no"));
        let filter = RowFilter { columns: vec![1], bounds: vec![], eval: Arc::new(eval), parts: Vec::new() };
        let error = read(&file.table, spec(&[0], Some(filter)), 1 << 20).err().unwrap();
        assert_eq!(error.message(), "no", "{}", format.name());
    }
}

#[test]
fn broken_input_is_an_error_or_loses_no_row() {
    for format in written_formats() {
        let file = written(*format);
        let bytes = std::fs::read(&file.path).unwrap();
        let rows = || -> Result<usize> {
            let table = open(&file.path, &[])?;
            let all: Vec<usize> = (0..table.schema.fields().len()).collect();
            Ok(read(&table, spec(&all, None), 1 << 20)?.num_rows())
        };
        // Formats with a footer know when they are cut; text does not.
        for cut in (1..bytes.len() - 8).step_by(bytes.len() / 40) {
            std::fs::write(&file.path, &bytes[..cut]).unwrap();
            let read = rows();
            if matches!(format.name(), "parquet" | "arrow") {
                assert!(read.is_err(), "{} cut at {cut}", format.name());
            } else if let Ok(read) = read {
                assert!(read <= ROWS as usize, "{} cut at {cut}", format.name());
            }
        }
        // Bytes that cannot stand in any of them: an error, or all rows (a byte that nobody needs).
        // Names of columns come first in text, and any name will do.
        for at in (100..bytes.len()).step_by(bytes.len() / 40) {
            let mut bent = bytes.clone();
            bent[at] = 0xff;
            std::fs::write(&file.path, &bent).unwrap();
            // Text may fall apart into other records, but never silently lose its encoding.
            match rows() {
                Ok(read) if matches!(format.name(), "parquet" | "arrow") => assert_eq!(read, ROWS as usize),
                Ok(read) => panic!("{} byte {at}: {read} rows", format.name()),
                Err(_) => {}
            }
        }
    }
}
