//! Files written and read back, filters against looking at every row, and other people's files, good and bad.

use super::PARQUET;
use super::source::modified;
use crate::error::{ErrorKind, Result};
use crate::formats::{Bound, BoundTest, FileRef, Format, Output, RowFilter, ScanSpec, Table, TableDef};
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::*;
use arrow::record_batch::RecordBatch;
use datafusion_common::ScalarValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(in crate::formats) struct ToFile(pub(in crate::formats) File);

impl Write for ToFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Output for ToFile {
    fn complete(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

pub(in crate::formats) fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

/// Writes batches, a piece for every two of them, as a worker would.
pub(in crate::formats) fn write(
    format: &'static dyn Format,
    path: &Path,
    batches: &[RecordBatch],
    pairs: &[(&str, &str)],
) {
    let (schema, options) = (batches[0].schema(), options(pairs));
    let to = Box::new(ToFile(File::create(path).unwrap()));
    let mut assembler = format.assembler(&schema, &options, to).unwrap();
    let mut encoder = format.encoder(&schema, &options, 1 << 30).unwrap();
    for pair in batches.chunks(2) {
        for batch in pair {
            encoder.push(batch).unwrap();
        }
        let piece = encoder.piece().unwrap();
        assert_eq!(piece.rows, pair.iter().map(RecordBatch::num_rows).sum::<usize>());
        assembler.append(piece).unwrap();
    }
    assert_eq!(assembler.finish().unwrap(), std::fs::metadata(path).unwrap().len());
}

pub(in crate::formats) fn table(format: &'static dyn Format, paths: &[PathBuf]) -> Result<Arc<Table>> {
    let files: Vec<FileRef> = paths
        .iter()
        .map(|path| {
            let meta = std::fs::metadata(path).unwrap();
            let path = path.to_string_lossy().into_owned().into();
            FileRef {
                path,
                size: meta.len(),
                modified: modified(&meta).unwrap(),
                pipe: None,
                remote: None,
                coding: Default::default(),
            }
        })
        .collect();
    let def = TableDef::default();
    let (schema, stats) = format.inspect(&def, &files, None)?;
    Ok(Arc::new(Table::of_files(def, format, files, schema, stats)))
}

pub(in crate::formats) fn all(table: &Table) -> ScanSpec {
    let projection = (0..table.schema.fields().len()).collect();
    ScanSpec {
        projection,
        filter: None,
        batch_rows: 100,
        batch_bytes: 1 << 20,
        files: None,
        rejects: Default::default(),
        budget: None,
    }
}

/// All splits in order, as one batch, and how many splits there were.
pub(in crate::formats) fn read(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<(RecordBatch, usize)> {
    let schema = Arc::new(table.schema.project(&spec.projection)?);
    let most = spec.batch_rows;
    let scan = table.scan(spec, split_bytes)?;
    let mut batches = Vec::new();
    for index in 0..scan.splits().len() {
        let mut reader = scan.open(index)?;
        while let Some(batch) = reader.next()? {
            assert!(batch.num_rows() <= most);
            assert_eq!(batch.schema(), schema);
            batches.push(batch);
        }
        assert!(reader.next()?.is_none(), "the end stays the end");
    }
    Ok((concat_batches(&schema, &batches)?, scan.splits().len()))
}

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^ (x >> 29)
}

fn some<T>(row: usize, value: T) -> Option<T> {
    (!mix(row as u64).is_multiple_of(7)).then_some(value)
}

/// Rows of every type that we carry, a seventh of the values null.
pub(in crate::formats) fn every_type(rows: std::ops::Range<usize>) -> RecordBatch {
    let r = || rows.clone();
    let text = |row: usize| format!("value {} {}", row % 50, "x".repeat((mix(row as u64) % 30) as usize));
    let offsets = OffsetBuffer::from_lengths(r().map(|row| row % 3));
    let items: StringViewArray = (0..r().map(|row| row % 3).sum::<usize>()).map(|i| some(i, text(i))).collect();
    let list = ListArray::new(Arc::new(Field::new("item", DataType::Utf8View, true)), offsets, Arc::new(items), None);
    let inner: Fields = vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8View, true)].into();
    let x: Int64Array = r().map(|row| some(row + 1, row as i64)).collect();
    let y: StringViewArray = r().map(|row| some(row + 2, text(row))).collect();
    let fields = StructArray::new(inner, vec![Arc::new(x) as ArrayRef, Arc::new(y)], None);
    let fixed =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(r().map(|row| some(row, [row as u8; 5])), 5).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("row", Arc::new(Int64Array::from_iter_values(r().map(|row| row as i64)))),
        ("bool", Arc::new(r().map(|row| some(row, row % 3 == 0)).collect::<BooleanArray>())),
        ("i8", Arc::new(r().map(|row| some(row, row as i8)).collect::<Int8Array>())),
        ("i16", Arc::new(r().map(|row| some(row, row as i16)).collect::<Int16Array>())),
        ("i32", Arc::new(r().map(|row| some(row, mix(row as u64) as i32)).collect::<Int32Array>())),
        ("u64", Arc::new(r().map(|row| some(row, mix(row as u64))).collect::<UInt64Array>())),
        ("f32", Arc::new(r().map(|row| some(row, row as f32 / 3.0)).collect::<Float32Array>())),
        ("f64", Arc::new(r().map(|row| some(row, row as f64 / 7.0)).collect::<Float64Array>())),
        ("text", Arc::new(r().map(|row| some(row, text(row))).collect::<StringViewArray>())),
        ("bytes", Arc::new(r().map(|row| some(row, text(row).into_bytes())).collect::<BinaryViewArray>())),
        ("date", Arc::new(r().map(|row| some(row, row as i32)).collect::<Date32Array>())),
        ("second", Arc::new(r().map(|row| some(row, row as i64)).collect::<TimestampSecondArray>())),
        (
            "micro",
            Arc::new(r().map(|row| some(row, row as i64)).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        ),
        ("time", Arc::new(r().map(|row| some(row, row as i64)).collect::<Time64NanosecondArray>())),
        ("small", Arc::new(decimal(r(), 9, 2))),
        ("large", Arc::new(decimal(r(), 38, 10))),
        ("fixed", Arc::new(fixed)),
        ("list", Arc::new(list)),
        ("struct", Arc::new(fields)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn decimal(rows: std::ops::Range<usize>, precision: u8, scale: i8) -> Decimal128Array {
    let values: Decimal128Array = rows.map(|row| some(row, row as i128 * 37 - 500)).collect();
    values.with_precision_and_scale(precision, scale).unwrap()
}

fn batches(rows: usize, size: usize) -> Vec<RecordBatch> {
    (0..rows).step_by(size).map(|at| every_type(at..rows.min(at + size))).collect()
}

#[test]
fn every_type_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let written = batches(1000, 130);
    let whole = concat_batches(&written[0].schema(), &written).unwrap();
    for compression in ["zstd", "snappy", "lz4", "gzip", "brotli", "none"] {
        for (dictionary, size) in [("true", "64"), ("false", "100000")] {
            let pairs = [("compression", compression), ("dictionary", dictionary), ("row_group_size", size)];
            write(&PARQUET, &path, &written, &pairs);
            let table = table(&PARQUET, std::slice::from_ref(&path)).unwrap();
            assert_eq!(table.stats.rows, Some(1000));
            let (back, splits) = read(&table, all(&table), 2000).unwrap();
            assert_eq!(back, whole, "{pairs:?}");
            assert!(splits >= 4, "{splits}");
        }
    }
}

#[test]
fn columns_come_in_the_order_asked_for_and_rows_without_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let written = batches(300, 100);
    write(&PARQUET, &path, &written, &[("row_group_size", "90")]);
    let table = table(&PARQUET, &[path]).unwrap();
    let whole = concat_batches(&written[0].schema(), &written).unwrap();
    let projection = vec![18, 0, 8];
    let (back, _) = read(&table, ScanSpec { projection: projection.clone(), ..all(&table) }, 1 << 20).unwrap();
    assert_eq!(back, whole.project(&projection).unwrap());
    let scan = table.scan(ScanSpec { projection: vec![], ..all(&table) }, 1 << 20).unwrap();
    let mut rows = 0;
    for index in 0..scan.splits().len() {
        let mut reader = scan.open(index).unwrap();
        while let Some(batch) = reader.next().unwrap() {
            rows += batch.num_rows();
        }
    }
    assert_eq!(rows, 300);
}

#[test]
fn statistics_are_exact() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&PARQUET, &path, &batches(1000, 130), &[("row_group_size", "100")]);
    let table = table(&PARQUET, &[path]).unwrap();
    let row = &table.stats.columns[0];
    assert_eq!(
        (row.min.clone(), row.max.clone()),
        (Some(ScalarValue::Int64(Some(0))), Some(ScalarValue::Int64(Some(999))))
    );
    let nulls = (0..1000).filter(|row| some(*row, ()).is_none()).count() as u64;
    assert_eq!((row.nulls, table.stats.columns[4].nulls), (Some(0), Some(nulls)));
    assert_eq!(table.stats.columns[7].max, None, "floats may hide NaN");
}

fn filter(column: usize, bounds: Vec<BoundTest>, keep: impl Fn(i64) -> bool + Send + Sync + 'static) -> RowFilter {
    let bounds = bounds.into_iter().map(|test| Bound { column, test }).collect();
    let eval =
        move |rows: &RecordBatch| Ok(rows.column(0).as_primitive::<Int64Type>().iter().map(|v| v.map(&keep)).collect());
    RowFilter { columns: vec![column], bounds, eval: Arc::new(eval), parts: Vec::new() }
}

fn int(v: i64) -> ScalarValue {
    ScalarValue::Int64(Some(v))
}

#[test]
fn row_groups_and_pages_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let rows = 200_000;
    // No dictionary, so that pages of the column end at 20 000 rows each.
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let other: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|v| v * 3)));
    let batch = RecordBatch::try_from_iter([("v", values), ("w", other)]).unwrap();
    let written: Vec<_> = (0..rows as usize).step_by(1000).map(|at| batch.slice(at, 1000)).collect();
    write(&PARQUET, &path, &written, &[("dictionary", "false"), ("row_group_size", "2000")]);
    let many = table(&PARQUET, &[path]).unwrap();
    let narrow = || vec![BoundTest::AtLeast(int(5500)), BoundTest::AtMost(int(6500))];
    let spec = |filter| ScanSpec { filter: Some(Arc::new(filter)), projection: vec![0], ..all(&many) };
    // What is left out by bounds never reaches the filter; what reaches it is all that is decoded.
    let seen = Arc::new(AtomicUsize::new(0));
    let counting = |bounds: Vec<BoundTest>| {
        let seen = seen.clone();
        filter(0, bounds, move |v| {
            seen.fetch_add(1, Relaxed);
            (5500..=6500).contains(&v)
        })
    };
    let (back, _) = read(&many, spec(counting(narrow())), 1).unwrap();
    assert_eq!((back.num_rows(), seen.swap(0, Relaxed)), (1001, 4000), "two row groups of 2000 hold 5500 to 6500");
    let (back, _) = read(&many, spec(counting(vec![BoundTest::OneOf(vec![int(1), int(199_999)])])), 1).unwrap();
    assert_eq!((back.num_rows(), seen.swap(0, Relaxed)), (0, 4000));
    let (back, splits) = read(&many, spec(counting(vec![BoundTest::AtLeast(int(200_000))])), 1).unwrap();
    assert_eq!((back.num_rows(), splits, seen.swap(0, Relaxed)), (0, 0, 0));

    let path = dir.path().join("b.parquet");
    let whole: Vec<RecordBatch> = written.chunks(200).map(|c| concat_batches(&batch.schema(), c).unwrap()).collect();
    write(&PARQUET, &path, &whole, &[("dictionary", "false")]);
    let one = table(&PARQUET, &[path]).unwrap();
    let spec = ScanSpec { filter: Some(Arc::new(counting(narrow()))), projection: vec![0], ..all(&one) };
    let (back, _) = read(&one, spec, 1 << 30).unwrap();
    let least = back.column(0).as_primitive::<Int64Type>().value(0);
    let decoded = seen.swap(0, Relaxed);
    assert!((1001..50_000).contains(&decoded), "pages: {decoded}");
    assert_eq!((least, back.num_rows()), (5500, 1001));
    // One row group larger than a split is cut by rows, and nothing is lost or doubled.
    let (back, splits) = read(&one, ScanSpec { batch_rows: 8192, ..all(&one) }, 100_000).unwrap();
    assert!(splits > 1, "{splits}");
    assert_eq!(back, batch);
}

#[test]
fn filtering_first_gives_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let written = batches(5000, 500);
    let whole = concat_batches(&written[0].schema(), &written).unwrap();
    for (size, dictionary) in [("700", "true"), ("5000", "false")] {
        write(&PARQUET, &path, &written, &[("row_group_size", size), ("dictionary", dictionary)]);
        let table = table(&PARQUET, std::slice::from_ref(&path)).unwrap();
        for modulo in [1, 3, 10, 100, 1000, 6000] {
            let keep = move |v: i64| mix(v as u64) % modulo == 1;
            let spec = ScanSpec { filter: Some(Arc::new(filter(0, vec![], keep))), batch_rows: 64, ..all(&table) };
            let (back, _) = read(&table, spec, 1 << 20).unwrap();
            let kept = |rows: &RecordBatch| -> RecordBatch {
                let mask = rows.column(0).as_primitive::<Int64Type>().values().iter().map(|v| Some(keep(*v))).collect();
                filter_record_batch(rows, &mask).unwrap()
            };
            assert_eq!(back, kept(&whole), "one in {modulo}");
        }
    }
}

#[test]
fn files_of_one_table_agree_or_say_where_not() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"), dir.path().join("c.parquet"));
    let rows = every_type(0..10);
    write(&PARQUET, &a, &[rows.project(&[0, 8]).unwrap()], &[]);
    write(&PARQUET, &b, &[rows.project(&[8, 0]).unwrap()], &[]);
    write(&PARQUET, &c, &[rows.project(&[0, 4]).unwrap()], &[]);
    let both = table(&PARQUET, &[a.clone(), b]).unwrap();
    let (back, _) = read(&both, all(&both), 1 << 20).unwrap();
    let one = rows.project(&[0, 8]).unwrap();
    assert_eq!(back, concat_batches(&one.schema(), [&one, &one]).unwrap());
    let error = table(&PARQUET, &[a, c.clone()]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!((error.place().file.as_deref(), error.place().column.as_deref()), (c.to_str(), Some("text")));
}

#[test]
fn a_file_that_changes_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&PARQUET, &path, &batches(10, 10), &[]);
    let table = table(&PARQUET, std::slice::from_ref(&path)).unwrap();
    let scan = table.scan(all(&table), 1 << 20).unwrap();
    write(&PARQUET, &path, &batches(20, 10), &[]);
    let error = scan.open(0).err().unwrap();
    assert!(error.message().contains("changed"), "{error}");
}

/// Inspects and reads a file whole; the number of rows.
fn rows_of(path: &Path) -> Result<(Arc<Table>, RecordBatch)> {
    let table = table(&PARQUET, &[path.to_path_buf()])?;
    let (rows, _) = read(&table, all(&table), 1 << 20)?;
    Ok((table, rows))
}

#[test]
fn a_damaged_file_is_an_error_or_has_all_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (path, broken) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"));
    write(&PARQUET, &path, &batches(300, 100), &[("row_group_size", "100")]);
    let bytes = std::fs::read(&path).unwrap();
    for cut in (0..bytes.len()).step_by(97) {
        std::fs::write(&broken, &bytes[..cut]).unwrap();
        let error = rows_of(&broken).err().expect("a truncated file");
        assert_eq!((error.kind(), error.place().file.as_deref()), (ErrorKind::Data, broken.to_str()), "{error}");
    }
    for at in (4..bytes.len()).step_by(61) {
        let mut bent = bytes.clone();
        bent[at] ^= 1 << (mix(at as u64) % 8);
        std::fs::write(&broken, &bent).unwrap();
        if let Ok((_, rows)) = rows_of(&broken) {
            assert_eq!(rows.num_rows(), 300, "byte {at}");
        }
    }
}

/// A folder of other people's files, or `None` with a word where it is absent.
fn foreign(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PARTITA_TESTDATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let found = root.unwrap_or(beside).join(folder);
    if found.is_dir() {
        return Some(found);
    }
    eprintln!("skipped: no {}; set PARTITA_TESTDATA", found.display());
    None
}

#[test]
fn fuzzed_files_do_no_harm() {
    let Some(folder) = foreign("fuzz/arrow-parquet") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Err(error) = rows_of(&path) {
            assert!(error.place().file.is_some(), "{error}");
        }
    }
}

#[test]
fn bad_files_are_errors() {
    let Some(folder) = foreign("parquet/parquet-testing/bad_data") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "parquet") && !path.ends_with("ARROW-GH-43605.parquet") {
            let result = rows_of(&path).map(|(_, rows)| rows.num_rows());
            assert!(matches!(&result, Err(e) if e.kind() == ErrorKind::Data), "{path:?}: {result:?}");
        }
    }
}

#[test]
fn other_writers_files_match_the_oracle() {
    let Some(folder) = foreign("parquet") else { return };
    let lines = std::fs::read_to_string(folder.join("oracle.jsonl")).unwrap();
    let mut failures = Vec::new();
    let mut compared = 0;
    for line in lines.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = case["file"].as_str().unwrap();
        // Both are refused with an error: one records chunks without their dictionaries' headers (PARQUET-816), the other
        // has a field of its own in the footer where the format has since put another.
        let refused =
            ["nation.dict-malformed.parquet", "dict-page-offset-zero.parquet"].iter().any(|x| name.ends_with(x));
        if case["status"] != "agree" || refused {
            continue;
        }
        compared += 1;
        match rows_of(&folder.join(name)) {
            Err(error) => failures.push(format!("{name}: {error}")),
            Ok((_, rows)) => failures.extend(difference(&case, &rows).map(|d| format!("{name}: {d}"))),
        }
    }
    assert!(compared > 100 && failures.is_empty(), "{compared} compared\n{}", failures.join("\n"));
}

fn difference(case: &serde_json::Value, rows: &RecordBatch) -> Option<String> {
    if case["pa"]["rows"].as_u64() != Some(rows.num_rows() as u64) {
        return Some(format!("{} rows, wanted {}", rows.num_rows(), case["pa"]["rows"]));
    }
    for (column, nulls) in rows.columns().iter().zip(case["pa"]["nulls"].as_array()?) {
        if column.data_type() != &DataType::Null && nulls.as_u64() != Some(column.null_count() as u64) {
            return Some(format!("{} nulls, wanted {nulls}", column.null_count()));
        }
    }
    for (row, line) in case["rows_json"].as_array().into_iter().flatten().enumerate() {
        let wanted: serde_json::Value = serde_json::from_str(line.as_str()?).ok()?;
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            let (Some(found), Some(wanted)) = (json(column, row), wanted.get(field.name())) else { continue };
            if !same(&found, wanted) {
                return Some(format!("row {row}, {}: {found}, wanted {wanted}", field.name()));
            }
        }
    }
    None
}

fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as V;
    match (a, b) {
        (V::Number(x), V::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            x == y || (x - y).abs() <= 1e-6 * x.abs().max(y.abs())
        }
        (V::Array(x), V::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (V::Object(x), V::Object(y)) => x.iter().all(|(k, x)| y.get(k).is_none_or(|y| same(x, y))),
        _ => a == b,
    }
}

/// A value as JSON, where it has an obvious form.
fn json(column: &ArrayRef, row: usize) -> Option<serde_json::Value> {
    use serde_json::Value as V;
    if column.is_null(row) {
        return (column.data_type() != &DataType::Null).then_some(V::Null);
    }
    Some(match column.data_type() {
        DataType::Boolean => V::from(column.as_boolean().value(row)),
        DataType::Int32 => V::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => V::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => V::from(Some(column.as_primitive::<Float64Type>().value(row)).filter(|v| v.is_finite())?),
        DataType::Utf8View => V::from(column.as_string_view().value(row)),
        DataType::Decimal128(_, scale) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            V::from(value as f64 / 10f64.powi(i32::from(*scale)))
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            V::Array((0..items.len()).map(|i| json(&items, i)).collect::<Option<_>>()?)
        }
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns();
            let pairs = fields.iter().zip(columns).map(|(f, c)| Some((f.name().clone(), json(c, row)?)));
            V::Object(pairs.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[test]
fn a_name_that_is_there_twice_is_two_columns() {
    let dir = tempfile::tempdir().unwrap();
    let fields = vec![Field::new("a", DataType::Int64, false), Field::new("a", DataType::Int64, false)];
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1, 2, 3])), Arc::new(Int64Array::from(vec![10, 20, 30]))];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    for (format, name) in
        [(&crate::formats::PARQUET as &'static dyn Format, "x.parquet"), (&crate::formats::ARROW, "x.arrow")]
    {
        let path = dir.path().join(name);
        write(format, &path, std::slice::from_ref(&batch), &[]);
        let table = table(format, &[path]).unwrap();
        let names: Vec<&str> = table.schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["a", "a_1"]);
        for (projection, want) in [(vec![0, 1], vec![1, 10]), (vec![1, 0], vec![10, 1]), (vec![1], vec![10])] {
            let (rows, _) = read(&table, ScanSpec { projection, ..all(&table) }, 1 << 20).unwrap();
            let first: Vec<i64> = rows.columns().iter().map(|c| c.as_primitive::<Int64Type>().value(0)).collect();
            assert_eq!(first, want, "{name}");
        }
    }
}
