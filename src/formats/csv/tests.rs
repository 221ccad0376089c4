//! The reader against the `csv` crate, at every split size, and against broken input.

use crate::error::{Error, ErrorKind};
use crate::formats::testing::*;
use crate::formats::{RowFilter, ScanSpec};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use std::sync::Arc;

/// What the `csv` crate reads; an empty field is null unless it is quoted, which only we can tell, so both are empty.
fn oracle(text: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text);
    let record =
        |r: csv::Result<csv::ByteRecord>| r.unwrap().iter().map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    reader.byte_records().map(record).collect()
}

fn plain(cells: Cells) -> Vec<Vec<String>> {
    cells.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
}

fn same_at_every_split(text: &str, options: &[(&str, &str)]) {
    let file = TestFile::new("a.csv", text);
    let table = file.open(options).unwrap();
    let whole = read(&table, 1 << 20).unwrap();
    for split_bytes in 1..=text.len() + 1 {
        assert_eq!(read(&table, split_bytes).unwrap(), whole, "splits of {split_bytes} bytes of {text:?}");
        let count = ScanSpec { projection: vec![], ..all(&table) };
        let rows: usize = batches(&table, count, split_bytes).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, whole.len(), "count, splits of {split_bytes} bytes of {text:?}");
    }
}

#[test]
fn every_split_gives_the_same_rows() {
    let texts = [
        "a,b\n1,x\n2,y\n3,\"z\n,\"\"\n\"\n4,w",
        "a,b\r\n1,\"x\r\ny\"\r\n\r\n2,\"\"\r\n",
        "\u{feff}a,b,c\n\"\n\n\",\"\"\"\",\",\"\n1,2,3\n\n\n4,5,6\n",
        "one\n1\n\n3\n",
        "a,b\n",
        "a,b",
        "long,x\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,b\nc,d\n",
    ];
    for text in texts {
        same_at_every_split(text, &[]);
    }
    same_at_every_split("# \" skipped\na;b\n'x;'';\n';2\ny;3", &[("skip", "1"), ("quote", "'"), ("delimiter", ";")]);
    same_at_every_split("a,b\n\"x\\\"\\\\\n\",2\n\"y\",3\n", &[("escape", "\\")]);
    same_at_every_split("a,b\r1,2\r3,4\r", &[]);
}

#[test]
fn types_nulls_and_quotes() {
    let text = "i,f,b,d,t,z,n,s\n\
        1,1.5,true,2024-02-29,2024-01-01 10:00:00,2024-01-01T10:00:00+02:00,12345678901234567890,x\n\
        ,,,,,,,\n\
        \"-2\",\"1e3\",\"false\",\"1969-12-31\",2024-01-01,1970-01-01T00:00:00Z,-1,\"\"\n\
        3,2,True,2000-01-01,1960-05-05T00:00:00.5,2024-01-01 00:00:00.000001Z,0,\"say \"\"hi\"\" and more than twelve\"\n";
    let table = TestFile::new("a.csv", text);
    let table_ = table.open(&[]).unwrap();
    let types: Vec<String> = table_.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    let want = [
        "Int64",
        "Float64",
        "Boolean",
        "Date32",
        "Timestamp(µs)",
        "Timestamp(µs, \"UTC\")",
        "Decimal128(38, 0)",
        "Utf8View",
    ];
    assert_eq!(types, want);
    let rows = read(&table_, 100).unwrap();
    let row = |r: usize| rows[r].iter().map(|c| c.clone().unwrap_or("-".into())).collect::<Vec<_>>().join(" ");
    assert_eq!(row(0), "1 1.5 true 2024-02-29 2024-01-01T10:00:00 2024-01-01T08:00:00Z 12345678901234567890 x");
    assert_eq!(rows[1], vec![None; 8]);
    assert_eq!(row(2), "-2 1000.0 false 1969-12-31 2024-01-01T00:00:00 1970-01-01T00:00:00Z -1 ");
    assert_eq!(rows[2][7].as_deref(), Some(""), "a quoted empty field is an empty text");
    assert_eq!(
        row(3),
        "3 2.0 true 2000-01-01 1960-05-05T00:00:00.500 2024-01-01T00:00:00.000001Z 0 say \"hi\" and more than twelve"
    );
    let file = TestFile::new("a.csv", "a,b\n1,NA\nNA,x\n");
    let nulls = file.open(&[("nulls", "[\"NA\"]")]).unwrap();
    assert_eq!(read(&nulls, 100).unwrap(), [[Some("1".to_string()), None], [None, Some("x".into())]]);
}

#[test]
fn filters_leave_rows_out_before_other_columns_are_read() {
    let text: String = (0..100).map(|i| format!("{i},\"name {i}, rather long\",{}\n", i * 2)).collect();
    let file = TestFile::new("a.csv", format!("a,b,c\n{text}"));
    let table = file.open(&[]).unwrap();
    let keep = |batch: &RecordBatch| {
        let a = batch.column(0).as_primitive::<Int64Type>();
        Ok(BooleanArray::from_iter(a.iter().map(|v| if v == Some(50) { None } else { v.map(|v| v % 10 == 0) })))
    };
    for projection in [vec![1, 0], vec![2], vec![]] {
        let filter = RowFilter { columns: vec![0], bounds: vec![], eval: Arc::new(keep), parts: Vec::new() };
        let spec = with_filter(ScanSpec { projection: projection.clone(), ..all(&table) }, filter);
        let got = batches(&table, spec, 200).unwrap();
        let rows: usize = got.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 9);
        if projection.len() == 2 {
            assert_eq!(cells(&got)[1], [Some("name 10, rather long".to_string()), Some("10".into())]);
        }
    }
}

fn error(text: &str, options: &[(&str, &str)]) -> Error {
    let file = TestFile::new("a.csv", text);
    match file.open(options) {
        Ok(table) => read(&table, 1 << 20).unwrap_err(),
        Err(e) => e,
    }
}

#[test]
fn errors_have_a_place() {
    let place = |e: &Error| (e.place().line, e.place().byte, e.place().column.clone());
    let declared = [("types", "{\"b\": \"bigint\"}")];
    let e = error("a,b\n1,2\n3,x4\n", &declared);
    assert_eq!((e.kind(), e.is_misfit(), place(&e)), (ErrorKind::Data, false, (Some(3), Some(10), Some("b".into()))));
    assert_eq!(e.place().text.as_deref(), Some("x4"));
    let e = error("a,b\n1,2\n1,2,3\n", &[]);
    assert!(e.message().contains("3 fields") && place(&e).0 == Some(3), "{e}");
    let e = error("a,b\n1,2\nx,12\" pipe\n3,\"4\"\n", &[("all_text", "true")]);
    assert!(e.message().contains("middle") && place(&e).0 == Some(3), "{e}");
    let e = error("a,b\n1,\"2\n", &[("all_text", "true"), ("header", "true"), ("delimiter", ",")]);
    assert!(e.message().contains("not closed") && place(&e).0 == Some(2), "{e}");
    let e = error("a,b\nx,\"y\"z\n", &[("header", "true")]);
    assert!(e.message().contains("closing quote") && place(&e).0 == Some(2), "{e}");
    assert!(error("a,b\n1,2\n", &[("delimeter", ",")]).advice().unwrap().contains("delimiter"));
    assert!(error("a,b\n1,2\n", &[("types", "{\"x\": \"text\"}")]).message().contains("no such column"));
    let file = TestFile::new("a.csv", b"a,b\n1,x\n2,\xff\n");
    let e = read(&file.open(&[]).unwrap(), 100).unwrap_err();
    assert_eq!((e.message(), place(&e)), ("the text is not UTF-8", (Some(3), Some(10), Some("b".into()))));
}

#[test]
fn a_value_that_contradicts_the_guess_widens_on_request() {
    let mut text: String = "k,v\n".into();
    (0..300_000).for_each(|i| text += if i == 100_000 { "100000,oops\n" } else { "1,2\n" });
    let file = TestFile::new("a.csv", &text);
    let table = file.open(&[]).unwrap();
    let e = batches(&table, all(&table), 1 << 18).unwrap_err();
    assert!(e.is_misfit() && e.place().line == Some(100_002) && e.place().text.as_deref() == Some("oops"), "{e}");
    let table = file.open(&[("infer", "full")]).unwrap();
    let spec = ScanSpec { batch_rows: 8192, ..all(&table) };
    let got = batches(&table, spec, 1 << 18).unwrap();
    assert_eq!(got.iter().map(RecordBatch::num_rows).sum::<usize>(), 300_000);
    assert_eq!(table.schema.field(1).data_type().to_string(), "Utf8View");
}

#[test]
fn compressed_files_read_as_plain_ones() {
    use std::io::Write;
    let text: String = (0..5000).map(|i| format!("{i},\"line\n{i}\"\n")).collect();
    let text = format!("a,b\n{text}");
    let plain = TestFile::new("a.csv", &text);
    let want = read(&plain.open(&[]).unwrap(), 1 << 20).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    let packed = [("a.csv.gz", gz.finish().unwrap()), ("a.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap())];
    for (name, bytes) in packed {
        let file = TestFile::new(name, bytes);
        for split_bytes in [64, 1000, 1 << 20] {
            assert_eq!(read(&file.open(&[]).unwrap(), split_bytes).unwrap(), want, "{name}");
        }
    }
}

#[test]
fn several_files_are_one_table() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("1.csv", "a,b\n1,x\n"), ("2.csv", "a,b\n2,y"), ("3.csv", "a,b\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let table = open(dir.path(), &[]).unwrap();
    assert_eq!(plain(read(&table, 5).unwrap()), [["1", "x"], ["2", "y"]]);
    std::fs::write(dir.path().join("4.csv"), "b,a\n1,2\n").unwrap();
    let e = read(&open(dir.path(), &[]).unwrap(), 100).unwrap_err();
    assert!(e.message().contains("header") && e.place().file.as_ref().unwrap().ends_with("4.csv"), "{e}");
}

#[test]
fn the_spectrum_of_csv_files() {
    let root = std::env::var("PARTITA_TESTDATA").unwrap_or("../../shared/testdata".into());
    let dir = std::path::Path::new(&root).join("csv/csv-spectrum/csvs");
    let Ok(entries) = std::fs::read_dir(&dir) else {
        return eprintln!("skipped: there is no {}", dir.display());
    };
    for path in entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "csv")) {
        let text = std::fs::read(&path).unwrap();
        let table = open(&path, &[("all_text", "true"), ("header", "true"), ("delimiter", ",")]).unwrap();
        let mut want = oracle(&text, b',');
        want.remove(0);
        for split_bytes in [1, 2, 3, 7, 1 << 20] {
            assert_eq!(plain(read(&table, split_bytes).unwrap()), want, "{}", path.display());
        }
    }
}

proptest::proptest! {
    #[test]
    fn agrees_with_the_csv_crate(
        rows in proptest::collection::vec(proptest::collection::vec("[ab1,\"\n\r é]{0,20}", 3), 1..12),
        crlf: bool,
        end: bool,
        split_bytes in 1usize..200,
    ) {
        let mut text = String::from("x,y,z");
        for row in &rows {
            text += if crlf { "\r\n" } else { "\n" };
            let fields = row.iter().map(|f| match f.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", f.replace('"', "\"\"")),
                false => f.clone(),
            });
            text += &fields.collect::<Vec<_>>().join(",");
        }
        text += if end { "\n" } else { "" };
        let file = TestFile::new("a.csv", &text);
        let table = file.open(&[("all_text", "true"), ("header", "true"), ("delimiter", ",")]).unwrap();
        let mut want = oracle(text.as_bytes(), b',');
        want.remove(0);
        assert_eq!(plain(read(&table, split_bytes).unwrap()), want, "{text:?}");
    }

    #[test]
    fn never_panics(text in "[a1,;\"\n\r\\\\]{0,80}", split_bytes in 1usize..40) {
        let file = TestFile::new("a.csv", &text);
        if let Ok(table) = file.open(&[]) {
            let whole = read(&table, 1 << 20).map_err(|e| e.kind());
            let cut = read(&table, split_bytes).map_err(|e| e.kind());
            assert_eq!(whole, cut, "{text:?}");
        }
    }
}
