//! Tables that are put together, against what they are put together of.

use crate::error::{ErrorKind, Result};
use crate::formats::testing::{all, batches};
use crate::formats::{FilterPart, RowFilter, ScanSpec, Table, TableDef, format_named};
use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use std::path::Path;
use std::sync::Arc;

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn open(dir: &Path, glob: &str, options: &[(&str, &str)]) -> Result<Arc<Table>> {
    let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let paths = vec![dir.join(glob).to_string_lossy().into_owned()];
    Table::open(TableDef { paths, options, ..TableDef::default() })
}

fn columns(table: &Table) -> String {
    let of = |f: &Arc<arrow::datatypes::Field>| format!("{} {}", f.name(), f.data_type());
    table.schema.fields().iter().map(of).collect::<Vec<_>>().join(", ")
}

/// The cells of all rows, a line each.
fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let line = |batch: &RecordBatch, row: usize| {
        let cells = crate::cells::Column::all(batch).unwrap();
        let text = |c: &crate::cells::Column<'_>| {
            let mut out = Vec::new();
            c.text(row, &mut out);
            if c.is_null(row) { "-".into() } else { String::from_utf8(out).unwrap() }
        };
        cells.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| line(batch, row))).collect()
}

fn read(table: &Arc<Table>, spec: ScanSpec) -> Vec<String> {
    [1usize, 7, 1 << 20].map(|bytes| lines(&batches(table, spec.clone(), bytes).unwrap())).into_iter().fold(
        Vec::new(),
        |known, now| {
            assert!(known.is_empty() || known == now);
            now
        },
    )
}

/// `column = value` for numbers.
fn is(column: usize, value: i64) -> FilterPart {
    let eval = move |batch: &RecordBatch| {
        let numbers = batch.column(0).as_primitive::<Int64Type>();
        Ok(numbers.iter().map(|n| n.map(|n| n == value)).collect::<BooleanArray>())
    };
    FilterPart { columns: vec![column], bounds: Vec::new(), eval: Arc::new(eval) }
}

fn filtered(table: &Table, tests: Vec<FilterPart>) -> ScanSpec {
    ScanSpec { filter: RowFilter::all(tests).map(Arc::new), ..all(table) }
}

const SALES: [(&str, &str); 4] = [
    ("year=2023/month=11/a.csv", "x,y\n1,a\n2,b\n"),
    ("year=2024/month=01/a.csv", "x,y\n3,c\n"),
    ("year=2024/month=02/a.csv", "x,y\n4,d\n5,\n6,f\n"),
    ("year=__HIVE_DEFAULT_PARTITION__/month=x%2Fy/b.csv", "x,y\n7,g\n"),
];

#[test]
fn directories_are_columns() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &SALES);
    let table = open(dir.path(), "**/*.csv", &[]).unwrap();
    assert_eq!(columns(&table), "x Int64, y Utf8View, month Utf8View, year Int64");
    let rows = ["1 a 11 2023", "2 b 11 2023", "3 c 01 2024", "4 d 02 2024", "5 - 02 2024", "6 f 02 2024", "7 g x/y -"];
    assert_eq!(read(&table, all(&table)), rows);
    let some = ScanSpec { projection: vec![3, 0], ..all(&table) };
    assert_eq!(read(&table, some.clone())[2..], ["2024 3", "2024 4", "2024 5", "2024 6", "- 7"]);
    assert_eq!(
        batches(&table, ScanSpec { projection: vec![], ..some }, 9)
            .unwrap()
            .iter()
            .map(RecordBatch::num_rows)
            .sum::<usize>(),
        7
    );
    let plain = open(dir.path(), "**/*.csv", &[("hive_partitioning", "false")]).unwrap();
    assert_eq!(columns(&plain), "x Int64, y Utf8View");
    let types = [("hive_types", r#"{"year": "varchar"}"#)];
    assert_eq!(
        columns(&open(dir.path(), "**/*.csv", &types).unwrap()),
        "x Int64, y Utf8View, month Utf8View, year Utf8View"
    );
    let e = open(dir.path(), "**/*.csv", &[("hive_types", r#"{"month": "int"}"#)]).err().unwrap();
    assert_eq!(
        (e.place().column.as_deref(), e.place().file.as_deref().unwrap().contains("x%2Fy")),
        (Some("month"), true)
    );
    let one = open(dir.path(), "year=2024/month=02/a.csv", &[]).unwrap();
    assert_eq!(read(&one, all(&one)), ["4 d 02 2024", "5 - 02 2024", "6 f 02 2024"]);
}

#[test]
fn files_that_keys_refuse_are_not_opened() {
    for packed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<String> =
            (0..5).map(|k| format!("k={k}/a.{}", if packed { "parquet" } else { "csv" })).collect();
        for (k, name) in files.iter().enumerate() {
            std::fs::create_dir(dir.path().join(format!("k={k}"))).unwrap();
            match packed {
                false => write(dir.path(), &[(name, &format!("x\n{k}\n{}\n", 10 + k))]),
                true => {
                    parquet(&dir.path().join(name), &[("x", Arc::new(Int64Array::from(vec![k as i64, 10 + k as i64])))])
                }
            }
        }
        let table = open(dir.path(), "*/a.*", &[("filename", "true"), ("file_row_number", "n")]).unwrap();
        assert_eq!(columns(&table), "x Int64, n Int64, filename Utf8View, k Int64");
        // What is broken now is noticed by whoever opens it. The first file tells how the others are written.
        for broken in files.iter().filter(|f| !f.starts_with("k=3") && !f.starts_with("k=0")) {
            std::fs::write(dir.path().join(broken), "no longer what it was").unwrap();
        }
        let spec = |tests| ScanSpec { projection: vec![0, 1, 3], ..filtered(&table, tests) };
        assert_eq!(read(&table, spec(vec![is(3, 3)])), ["3 0 3", "13 1 3"]);
        assert_eq!(read(&table, spec(vec![is(3, 3), is(0, 13)])), ["13 1 3"]);
        assert_eq!(read(&table, spec(vec![is(3, 3), is(1, 0)])), ["3 0 3"]);
        assert!(read(&table, spec(vec![is(3, 9)])).is_empty());
        assert!(batches(&table, spec(vec![is(3, 2)]), 100).is_err());
    }
}

#[test]
fn paths_and_numbers_of_rows() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.csv", "x\n1\n2\n3\n"), ("b.csv", "x\n4\n5\n")]);
    let table = open(dir.path(), "?.csv", &[("filename", "path"), ("file_row_number", "true")]).unwrap();
    assert_eq!(columns(&table), "x Int64, file_row_number Int64, path Utf8View");
    let rows = read(&table, all(&table));
    let of = |file: &str, x: i64, n: i64| format!("{x} {n} {}", dir.path().join(file).display());
    assert_eq!(rows, [of("a.csv", 1, 0), of("a.csv", 2, 1), of("a.csv", 3, 2), of("b.csv", 4, 0), of("b.csv", 5, 1)]);
    assert_eq!(read(&table, filtered(&table, vec![is(0, 5)])), [of("b.csv", 5, 1)]);
    let taken = open(dir.path(), "?.csv", &[("filename", "x")]).err().unwrap();
    assert_eq!(taken.kind(), ErrorKind::Query);
    let wrong = open(dir.path(), "?.csv", &[("filenam", "x")]).err().unwrap();
    assert!(wrong.advice().unwrap().contains("\"filename\""), "{wrong}");
}

#[test]
fn different_keys_are_no_columns_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a=1/x.csv", "x\n1\n"), ("b=1/x.csv", "x\n2\n"), ("a=1/c=2/x.csv", "x\n3\n")]);
    assert_eq!(columns(&open(dir.path(), "**/*.csv", &[]).unwrap()), "x Int64");
    assert!(open(dir.path(), "**/*.csv", &[("hive_partitioning", "true")]).is_err());
    assert!(open(dir.path(), "a=1/x.csv", &[("hive_types", r#"{"z": "int"}"#)]).is_err());
    write(dir.path(), &[("own/x=7/f.csv", "x,z\n1,2\n")]);
    let table = open(dir.path(), "own/*/f.csv", &[]).unwrap();
    assert_eq!((columns(&table).as_str(), read(&table, all(&table))), ("x Int64, z Int64", vec!["7 2".to_string()]));
}

#[test]
fn text_files_united_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("a.csv", "a,b\n1,x\n,y\n"), ("b.csv", "c;b;d\n2;007;\n"), ("c.csv", "a,c,d\n1.5,,2024-01-01\n")],
    );
    assert!(open(dir.path(), "*.csv", &[]).and_then(|t| batches(&t, all(&t), 100)).is_err());
    let table = open(dir.path(), "*.csv", &[("union_by_name", "true")]).unwrap();
    assert_eq!(columns(&table), "a Float64, b Utf8View, c Int64, d Date32");
    assert_eq!(read(&table, all(&table)), ["1.0 x - -", "- y - -", "- 007 2 -", "1.5 - - 2024-01-01"]);
    assert_eq!(read(&table, filtered(&table, vec![is(2, 2)])), ["- 007 2 -"]);
    write(dir.path(), &[("aa.csv", "")]);
    let with_empty = open(dir.path(), "*.csv", &[("union_by_name", "true")]).unwrap();
    assert_eq!(read(&with_empty, all(&with_empty)).len(), 4);
    let named = open(dir.path(), "*.csv", &[("union_by_name", "true"), ("filename", "f")]).unwrap();
    let spec = ScanSpec { projection: vec![3, 1], ..filtered(&named, vec![is(2, 2)]) };
    assert_eq!(read(&named, spec), ["- 007"]);
}

fn parquet(path: &Path, columns: &[(&str, ArrayRef)]) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(n, c)| (*n, c.clone(), true))).unwrap();
    let format = format_named("parquet").unwrap();
    let none = Default::default();
    let mut encoder = format.encoder(&batch.schema(), &none, 1 << 20).unwrap();
    encoder.push(&batch).unwrap();
    let mut file = format.assembler(&batch.schema(), &none, crate::io::AtomicFile::create(path).unwrap()).unwrap();
    file.append(encoder.piece().unwrap()).unwrap();
    file.finish().unwrap();
}

#[test]
fn typed_files_united_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec!["x", "y"]));
    let small = arrow::compute::cast(&ints, &arrow::datatypes::DataType::Int32).unwrap();
    parquet(&dir.path().join("a.parquet"), &[("a", small), ("b", texts.clone())]);
    parquet(&dir.path().join("b.parquet"), &[("b", ints.clone()), ("a", ints.clone()), ("c", ints.clone())]);
    parquet(&dir.path().join("c.parquet"), &[("c", ints)]);
    assert!(open(dir.path(), "*.parquet", &[]).is_err());
    let table = open(dir.path(), "*.parquet", &[("union_by_name", "true")]).unwrap();
    assert_eq!(columns(&table), "a Int64, b Utf8View, c Int64");
    assert_eq!(read(&table, all(&table)), ["1 x -", "- y -", "1 1 1", "- - -", "- - 1", "- - -"]);
    for column in [0, 2] {
        let kept = read(&table, filtered(&table, vec![is(column, 1)]));
        assert_eq!(kept, if column == 0 { ["1 x -", "1 1 1"] } else { ["1 1 1", "- - 1"] });
    }
    assert_eq!(read(&table, filtered(&table, vec![is(0, 1), is(2, 1)])), ["1 1 1"]);
}
