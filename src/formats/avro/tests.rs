//! Files that another writer made (testdata/avro, by fastavro) and our own, cut anywhere, broken, and larger than they
//! should be.

use super::*;
use crate::formats::parquet::tests::{all, read as read_all, table, write as write_batches};
use crate::formats::testing::cells;
use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, TimeUnit};
use std::path::{Path, PathBuf};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/avro").join(name)
}

fn opened(name: &str) -> Result<Arc<Table>> {
    table(&AVRO, &[testdata(name)])
}

fn row(rows: &RecordBatch, name: &str, at: usize) -> Option<String> {
    let column = rows.schema().index_of(name).unwrap();
    cells(&[rows.slice(at, 1)])[0][column].clone()
}

#[test]
fn every_type_of_another_writer() {
    let table = opened("types.avro").unwrap();
    let (rows, _) = read_all(&table, all(&table), 1 << 20).unwrap();
    assert_eq!(rows.num_rows(), 200);
    let types: Vec<DataType> = ["i", "kind", "fixed", "tms", "uid", "num", "any", "real"]
        .iter()
        .map(|name| table.schema.field_with_name(name).unwrap().data_type().clone())
        .collect();
    let time = DataType::Time64(TimeUnit::Microsecond);
    let (text, bytes) = (DataType::Utf8View, DataType::BinaryView);
    assert_eq!(
        types,
        [DataType::Int32, text.clone(), bytes, time, text.clone(), DataType::Int64, text, DataType::Float64]
    );
    for (name, at, want) in [
        ("id", 7, Some("7")),
        ("i", 7, Some("7")),
        ("i", 9, None),
        ("f", 5, Some("2.5")),
        ("d", 8, None),
        ("ok", 4, Some("true")),
        ("s", 11, Some("text 11 ä")),
        ("kind", 5, Some("buy")),
        ("date", 1, Some("2024-03-01")),
        ("tms", 5, Some("01:02:03.005")),
        ("tus", 5, Some("01:02:03.000005")),
        ("ts", 5, Some("2024-02-29T12:00:00.005Z")),
        ("tsu", 7, None),
        ("tsu", 8, Some("2024-02-29T12:00:00.000008Z")),
        ("local", 8, Some("2024-02-29T12:00:00.000008")),
        ("money", 5, Some("-0.95")),
        ("uid", 5, Some("00000000-0000-0000-0000-000000000005")),
        ("tags", 5, Some("[x, x]")),
        ("attrs", 5, Some("{a: 5, b: -5}")),
        ("attrs", 6, Some("{}")),
        ("user", 6, None),
        ("user", 5, Some("{name: u2, kind: buy, scores: [1.5, ]}")),
        ("other", 4, Some("{name: u1, kind: , scores: [1.5, ]}")),
        ("other", 5, None),
        ("num", 3, None),
        ("num", 4, Some("4")),
        ("num", 5, Some("1099511627781")),
        ("any", 5, None),
        ("any", 6, Some("\"t6\"")),
        ("any", 7, Some("7")),
        ("any", 8, Some("true")),
        ("any", 9, Some("[9,10]")),
        ("real", 4, Some("4.5")),
        ("real", 5, Some("5.0")),
    ] {
        assert_eq!(row(&rows, name, at).as_deref(), want, "{name} {at}");
    }
    // Wherever it is cut, and whatever is left out: also fields whose types are explained by fields that are left out.
    for split_bytes in [50, 700, 5000] {
        assert_eq!(read_all(&table, all(&table), split_bytes).unwrap().0, rows, "{split_bytes}");
    }
    for projection in [vec![20], vec![19], vec![22, 0], vec![3, 16, 1]] {
        let spec = ScanSpec { projection: projection.clone(), ..all(&table) };
        assert_eq!(read_all(&table, spec, 3000).unwrap().0, rows.project(&projection).unwrap(), "{projection:?}");
    }
}

#[test]
fn every_codec_of_another_writer() {
    for codec in ["deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let table = opened(&format!("{codec}.avro")).unwrap();
        for split_bytes in [100, 1 << 20] {
            let rows = read_all(&table, all(&table), split_bytes).unwrap().0;
            assert_eq!((rows.num_rows(), row(&rows, "s", 299).unwrap()), (300, "row 299".into()), "{codec}");
        }
    }
}

#[test]
fn records_that_are_no_records_and_none() {
    let table = opened("values.avro").unwrap();
    let rows = read_all(&table, all(&table), 1 << 20).unwrap().0;
    let values: Vec<_> = (0..4).map(|at| row(&rows, "value", at).unwrap()).collect();
    assert_eq!(values, ["\"a\"", "1", "\"b\"", "2"]);
    let table = opened("empty.avro").unwrap();
    assert_eq!(read_all(&table, all(&table), 1 << 20).unwrap().0.num_rows(), 0);
    let error = opened("list.avro").err().unwrap();
    assert!(error.kind() == crate::ErrorKind::Unsupported && error.message().contains("type Node"), "{error}");
}

/// Rows of the types that Avro has.
fn some_rows(range: std::ops::Range<usize>) -> RecordBatch {
    let every = crate::formats::parquet::tests::every_type(range);
    let kept: Vec<usize> = every
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, f)| !["time", "fixed", "i8", "i16", "u64", "second"].contains(&f.name().as_str()))
        .map(|(at, _)| at)
        .collect();
    every.project(&kept).unwrap()
}

#[test]
fn what_is_written_comes_back_in_every_codec() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.avro");
    let written: Vec<_> = (0..1000).step_by(130).map(|at| some_rows(at..1000.min(at + 130))).collect();
    let whole = concat_batches(&written[0].schema(), &written).unwrap();
    for codec in ["null", "deflate", "snappy", "zstd", "bzip2", "xz"] {
        write_batches(&AVRO, &path, &written, &[("compression", codec)]);
        let first = std::fs::read(&path).unwrap();
        let table = table(&AVRO, std::slice::from_ref(&path)).unwrap();
        let (back, splits) = read_all(&table, all(&table), 5000).unwrap();
        assert_eq!(cells(&[back]), cells(std::slice::from_ref(&whole)), "{codec}");
        assert!(splits > 2, "{codec}");
        write_batches(&AVRO, &path, &written, &[("compression", codec)]);
        assert_eq!(std::fs::read(&path).unwrap(), first, "equal rows make equal files");
    }
}

#[test]
fn narrow_types_are_widened_and_what_avro_lacks_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.avro");
    let rows = RecordBatch::try_from_iter([
        ("a", Arc::new(Int8Array::from(vec![-1, 2])) as ArrayRef),
        ("b", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("c", Arc::new(TimestampSecondArray::from(vec![5, 6]))),
    ])
    .unwrap();
    write_batches(&AVRO, &path, std::slice::from_ref(&rows), &[]);
    let table = table(&AVRO, std::slice::from_ref(&path)).unwrap();
    let back = read_all(&table, all(&table), 1 << 20).unwrap().0;
    assert_eq!(cells(&[back]), cells(&[rows]));
    for (name, column) in [
        ("sum(x)", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("1a", Arc::new(Int64Array::from(vec![1]))),
        ("t", Arc::new(Time64NanosecondArray::from(vec![1]))),
        ("i", Arc::new(IntervalYearMonthArray::from(vec![1]))),
    ] {
        let schema = RecordBatch::try_from_iter([(name, column)]).unwrap().schema();
        let error = AVRO.encoder(&schema, &BTreeMap::new(), 1 << 20).err().unwrap();
        assert!(error.kind() == crate::ErrorKind::Unsupported && error.advice().is_some(), "{error}");
    }
}

#[test]
fn a_damaged_file_is_an_error_or_has_all_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (path, broken) = (dir.path().join("a.avro"), dir.path().join("b.avro"));
    for codec in ["null", "deflate", "snappy"] {
        write_batches(&AVRO, &path, &[some_rows(0..100), some_rows(100..200)], &[("compression", codec)]);
        let bytes = std::fs::read(&path).unwrap();
        let rows = |bytes: &[u8]| {
            std::fs::write(&broken, bytes).unwrap();
            let table = table(&AVRO, std::slice::from_ref(&broken))?;
            Ok::<_, Error>(read_all(&table, all(&table), 1 << 20)?.0.num_rows())
        };
        for cut in (0..bytes.len() - 1).step_by(211) {
            assert!(rows(&bytes[..cut]).is_err(), "{codec} cut at {cut}");
        }
        for at in (0..bytes.len()).step_by(97) {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << (at % 8);
            assert!(rows(&bent).map_or(true, |rows| rows == 200), "{codec} byte {at}");
        }
    }
}

#[test]
fn a_count_that_lies_and_a_block_that_swells_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.avro");
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"n","type":"long"}]}"#;
    let file = |codec, rows: i64, packed: &[u8]| {
        let header = Header { schema: schema.into(), codec, mark: [7; 16], len: 0 };
        let mut bytes = header.bytes();
        container::push_long(rows, &mut bytes);
        container::push_run(packed, &mut bytes);
        bytes.extend_from_slice(&[7; 16]);
        std::fs::write(&path, bytes).unwrap();
        let table = table(&AVRO, std::slice::from_ref(&path))?;
        let budget = crate::memory::Budget::new(8 << 20);
        read_all(&table, ScanSpec { budget: Some(budget), ..all(&table) }, 1 << 20).map(|read| read.0.num_rows())
    };
    let records = [2, 4, 6, 8];
    assert_eq!(file(container::Codec::Null, 4, &records).unwrap(), 4);
    for rows in [-1, 1, 3, 5, 1 << 40, i64::MAX] {
        assert_eq!(file(container::Codec::Null, rows, &records).unwrap_err().kind(), crate::ErrorKind::Data, "{rows}");
    }
    // An eighth of 8 MiB is a block's most.
    let swells = container::packed(container::Codec::Deflate, vec![0; 2 << 20]).unwrap();
    let error = file(container::Codec::Deflate, 2 << 20, &swells).unwrap_err();
    assert!(error.kind() == crate::ErrorKind::Resources && error.advice().is_some(), "{error}");
}
