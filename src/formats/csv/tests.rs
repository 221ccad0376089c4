//! The reader against the `csv` crate, at every split size, and against broken input.

use crate::error::{Error, ErrorKind};
use crate::formats::testing::*;
use crate::formats::{RowFilter, ScanSpec};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use std::sync::Arc;

/// Options of a table.
type Options = &'static [(&'static str, &'static str)];

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
fn splits_may_be_opened_by_many_threads_in_any_order() {
    let text: String = (0..400).map(|i| format!("{i},\"a\n{}\"\n", "\"\"".repeat(i % 4))).collect();
    let file = TestFile::new("a.csv", format!("a,b\n{text}"));
    let table = file.open(&[]).unwrap();
    let want = read(&table, 1 << 20).unwrap();
    for threads in [1, 2, 7] {
        let scan = table.scan(all(&table), 61).unwrap();
        let count = scan.splits().len();
        let part = |thread: usize| {
            let mine = (0..count).rev().filter(|i| i % threads == thread);
            let of = |index: usize| {
                let mut reader = scan.open(index).unwrap();
                (index, cells(&std::iter::from_fn(|| reader.next().unwrap()).collect::<Vec<_>>()))
            };
            mine.map(of).collect::<Vec<_>>()
        };
        let mut parts: Vec<_> = std::thread::scope(|scope| {
            let part = &part;
            let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
            all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        parts.sort_by_key(|(index, _)| *index);
        assert_eq!(parts.into_iter().flat_map(|(_, rows)| rows).collect::<Vec<_>>(), want, "{threads}");
    }
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
    let strict = [("all_text", "true"), ("strict_mode", "true")];
    let e = error("a,b\n1,2\nx,12\" pipe\n3,\"4\"\n", &strict);
    assert!(e.message().contains("middle") && place(&e).0 == Some(3), "{e}");
    let e = error("a,b\n1,\"2\n", &[("all_text", "true"), ("header", "true"), ("delimiter", ",")]);
    assert!(e.message().contains("not closed") && place(&e).0 == Some(2), "{e}");
    let e = error("a,b\nx,\"y\"z\n", &[("header", "true"), ("strict_mode", "true")]);
    assert!(e.message().contains("closing quote") && place(&e).0 == Some(2), "{e}");
    assert!(error("a,b\n1,2\n", &[("delimeter", ",")]).advice().unwrap().contains("delimiter"));
    assert!(error("a,b\n1,2\n", &[("types", "{\"x\": \"text\"}")]).message().contains("no such column"));
    let file = TestFile::new("a.csv", b"a,b\n1,x\n2,\xff\n");
    let e = read(&file.open(&[]).unwrap(), 100).unwrap_err();
    assert_eq!((e.message(), place(&e)), ("the text is not UTF-8", (Some(3), Some(10), Some("b".into()))));
}

/// The rows, the same wherever the file is cut; an empty text is `""`, a null `-`.
fn rows(text: impl AsRef<[u8]>, options: &[(&str, &str)]) -> String {
    let file = TestFile::new("a.csv", text);
    let table = file.open(options).unwrap_or_else(|e| panic!("{e}"));
    let cell = |c: &Option<String>| match c.as_deref() {
        None => "-".to_string(),
        Some("") => "\"\"".to_string(),
        Some(text) => text.replace('\n', "\\n"),
    };
    let line = |row: &Vec<Option<String>>| row.iter().map(cell).collect::<Vec<_>>().join("|");
    let show = |cells: &Cells| cells.iter().map(line).collect::<Vec<_>>().join(" / ");
    let whole = show(&read(&table, 1 << 20).unwrap_or_else(|e| panic!("{e}")));
    for split_bytes in [1, 3, 7, 20] {
        assert_eq!(show(&read(&table, split_bytes).unwrap()), whole, "splits of {split_bytes} bytes");
        let count = ScanSpec { projection: vec![], ..all(&table) };
        let counted: usize = batches(&table, count, split_bytes).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(counted, whole.split(" / ").filter(|row| !row.is_empty()).count(), "{whole}");
    }
    whole
}

#[test]
fn dialects_that_are_found() {
    for (text, wanted) in [
        ("a;b\n1,5;x\n-2,25;y\n", "1.5|x / -2.25|y"),
        ("Report of 2024\nmade by me\n\nid,name\n1,ann\n2,bob\n", "1|ann / 2|bob"),
        ("# made today\n# \"really\na,b\n1,x\n#c\n2,y\n", "1|x / 2|y"),
        ("a,b\n'x,1',2\n'y',3\n", "x,1|2 / y|3"),
        ("a,b\n\"x \\\"y\\\", z\",1\n\"\\\\\",2\n", "x \"y\", z|1 / \\|2"),
        ("a,b\n12\" pipe,1\n\"6\"\"\",2\n\"q\" rest,3\n\"l\n\",4\n", "12\" pipe|1 / 6\"|2 / q rest|3 / l\\n|4"),
        ("a b c\nx 1 y\nz 2 w\n", "x|1|y / z|2|w"),
        ("a,b\r1,2\r3,4", "1|2 / 3|4"),
        ("n,v,t\n1,NA,NA\nNULL,2.5,x\n\\N,n/a,NULL\n", "1|-|NA / -|2.5|x / -|-|NULL"),
        ("d,b\n2024-01-01,true\nNA,NULL\n", "2024-01-01|true / -|-"),
        ("a,b\n007,+49123\n8,5\n", "007|+49123 / 8|5"),
        ("a,b\n9007199254740993,0\n0.5,1\n", "9007199254740993|0 / 0.5|1"),
        ("a, b , c\n 1, 2.5 , x\n4,5, y\n", "1|2.5| x / 4|5.0| y"),
        ("a, b\n1, \"x,y\"\n2, \"z\"\n", "1|x,y / 2|z"),
        ("d,n\n31/01/2024,1\n01/02/2024,2\n", "2024-01-31|1 / 2024-02-01|2"),
        ("d,n\n01/02/2024,1\n03/04/2024,2\n", "01/02/2024|1 / 03/04/2024|2"),
        ("n\tt\n0\t\"\n1\t\"!\"_\n2\tx\n3\t\"\"\n", "0|\" / 1|\"!\"_ / 2|x / 3|\"\""),
    ] {
        assert_eq!(rows(text, &[]), wanted, "{text:?}");
    }
}

#[test]
fn options_override_one_by_one() {
    let cases: &[(&str, Options, &str)] = &[
        ("a;b\n1,5;x\n", &[("decimal", ".")], "1,5|x"),
        ("a,b\n1,x#y\n", &[("comment", "#")], "1|x"),
        ("a,b\n#1,x\n 2,y # z,w\n", &[("comment", "#"), ("all_text", "true")], " 2|y "),
        ("a,b\n1,x#y\n", &[("comment", "")], "1|x#y"),
        ("a|b\n1,5|2\n", &[("sep", "|"), ("decimal_separator", ",")], "1.5|2"),
        ("a;b\n1.234,5;1.000\n", &[("thousands", "."), ("decimal", ",")], "1234.5|1000"),
        ("a,b\n\"1,234\",x\n\"12,34\",y\n", &[("thousands", ",")], "1,234|x / 12,34|y"),
        ("a,b\n01/02/2024,1\n31/12/1999,2\n", &[("dateformat", "%d/%m/%Y")], "2024-02-01|1 / 1999-12-31|2"),
        ("a\n1.2.2024 10:30\n", &[("timestampformat", "%d.%m.%Y %H:%M"), ("delim", ",")], "2024-02-01T10:30:00"),
        ("a,b\n1,-\n-,x\n", &[("nullstr", "-")], "1|- / -|x"),
        ("a,b\n1,NA\n?,x\n", &[("nulls", "[\"NA\", \"?\"]")], "1|- / -|x"),
        ("a,b\n1,x\nNA,y\n", &[("nulls", "[]")], "1|x / NA|y"),
        ("a,b\n1,\n2,\"\"\n", &[], "1|- / 2|\"\""),
        ("a,b\n,\n,NA\n", &[("force_not_null", "b"), ("nulls", "NA")], "-|\"\" / -|NA"),
        ("a,b\n1,2\n3,4\n5,6\n7,8\n", &[("limit", "3")], "1|2 / 3|4 / 5|6"),
        ("a,b\n1\n\n1,2\r\n3\r\n", &[("null_padding", "true")], "1|- / 1|2 / 3|-"),
        ("a,b\n1,2,3\n4\n5,6\n", &[("ragged", "truncate")], "1|2 / 4|- / 5|6"),
        ("1\n2,3\n4,5,6\n", &[("ragged", "pad")], "1|-|- / 2|3|- / 4|5|6"),
        ("1,2\n3,4\n", &[("columns", "{\"b\": \"double\", \"a\": \"varchar\"}")], "1.0|2 / 3.0|4"),
        ("a,b\n1,2\n", &[("auto_detect", "false")], "a|b / 1|2"),
        ("x\\,y,1\nz,2\n", &[("quote", ""), ("escape", "\\")], "x,y|1 / z|2"),
        ("a,b\n1,2\n", &[("dtypes", "[\"text\", \"double\"]")], "1|2.0"),
        ("x\ny\na,b\n1,2\n", &[("skip", "2")], "1|2"),
        ("a,b\n1,2\n", &[("new_line", "\\n"), ("parallel", "false"), ("header", "auto")], "1|2"),
        ("a,b\n1,2\n3\n4,5,6\n7,8\n", &[("ragged", "reject")], "1|2 / 7|8"),
        ("a||b\n1||\"x||y\"\n2||\"\"\n3|||z|\n", &[("delim", "||")], "1|x||y / 2|\"\" / 3||z|"),
        ("a§b\r\n1§x\r\n2\r\n", &[("delim", "§"), ("ragged", "pad")], "1|x / 2|-"),
        ("a,b\n\"NA\",x\n1,\"NA\"\n", &[("nullstr", "NA")], "-|x / 1|-"),
        ("a,b\n\"NA\",x\n1,\"NA\"\n", &[("nullstr", "NA"), ("allow_quoted_nulls", "false")], "NA|x / 1|NA"),
        ("a,b\n1,\"\"\n2,x\n", &[("allow_quoted_nulls", "true")], "1|- / 2|x"),
        ("0,\\N\n1,\\\\N\n", &[("quote", ""), ("escape", "\\"), ("nullstr", "\\N")], "0|- / 1|\\N"),
        ("a,b\n1,ja\n2,nein\n", &[("true_values", "ja"), ("false_values", "nein")], "1|true / 2|false"),
        ("a,b\n1,Yes\n2,0\n", &[("types", "{\"b\": \"boolean\"}")], "1|true / 2|false"),
        ("a,b\n1, \"x,y\"\n2, z\n", &[("skip_initial_space", "true")], "1|x,y / 2|z"),
        ("a,b\n1, x\n2, z\n", &[("skip_initial_space", "false")], "1| x / 2| z"),
        ("a,b\n1,x\n2,y\nTotal: \"3\nrows", &[("skip_footer", "2")], "1|x / 2|y"),
        ("a,b\n007,+1\n8,2\n", &[("types", "{\"a\": \"int\", \"b\": \"double\"}")], "7|1.0 / 8|2.0"),
    ];
    for (text, options, wanted) in cases {
        assert_eq!(rows(text, options), *wanted, "{text:?} {options:?}");
    }
    let long =
        error("a,b\n1,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &[("max_line_size", "20")]);
    assert!(long.message().contains("longer than 20 "), "{long}");
    for (text, options, message) in [
        ("a,b\n1,2\n3\n", [("ragged", "error")], "1 fields"),
        ("a,b\n1,2\n3,4,5\n", [("ragged", "pad")], "3 fields"),
        ("a,b\n1,2\n", [("names", "[\"x\", \"x\"]")], "twice"),
        ("a,b\n1,2\n3,4,5\n", [("force_not_null", "z")], "no column"),
        ("a,b\n1,x\nNA,y\n", [("types", "{\"a\": \"int\"}")], "not of type"),
    ] {
        let e = error(text, &options);
        assert!(e.message().contains(message), "{options:?}: {e}");
    }
}

/// `rows` rows, of which the one at `place` (from 0) is `other`.
fn with_other(rows: usize, place: usize, usual: &str, other: &str) -> String {
    let line = |i| if i == place { other } else { usual };
    format!("k,v\n{}\n", (0..rows).map(line).collect::<Vec<_>>().join("\n"))
}

#[test]
fn what_changes_at_the_samples_end_is_noticed() {
    let sample: usize = 5;
    for place in [sample - 1, sample, sample + 1, 30] {
        for (other, wanted) in [
            ("2.5,x", "2.5|x"),
            ("x,y", "x|y"),
            ("NA,y", "-|y"),
            ("6\",y", "6\"|y"),
            ("\"1\"2,y", "12|y"),
            ("07,z", "07|z"),
        ] {
            let file = TestFile::new("a.csv", with_other(40, place, "1,x", other));
            for split_bytes in [1, 13, 1 << 20] {
                let table = file.open(&[("sample_size", "5")]).unwrap();
                let answer = match read(&table, split_bytes) {
                    Err(e) if e.is_misfit() => {
                        read(&file.open(&[("sample_size", "5"), ("infer", "full")]).unwrap(), split_bytes)
                    }
                    answer => answer,
                };
                let answer = answer.unwrap_or_else(|e| panic!("{place} {other:?}: {e}"));
                let row: Vec<&str> = answer[place].iter().map(|c| c.as_deref().unwrap_or("-")).collect();
                assert_eq!((answer.len(), row.join("|").as_str()), (40, wanted), "{place} {other:?} {split_bytes}");
            }
        }
        for other in ["1", "1,2,3"] {
            let file = TestFile::new("a.csv", with_other(40, place, "1,x", other));
            let table = file.open(&[("sample_size", "5")]).unwrap();
            let e = read(&table, 1 << 20).unwrap_err();
            assert_eq!((e.kind(), e.place().line), (ErrorKind::Data, Some(place as u64 + 2)), "{e}");
        }
    }
}

#[test]
fn a_comment_that_could_be_a_row_is_asked_about() {
    let text = "# made today\na,b\n1,x\n2,y\n".to_string() + &"3,z\n".repeat(2000) + "#4,w\n";
    let e = error(&text, &[]);
    assert!(e.message().contains("as many fields as a row") && e.place().line == Some(2005), "{e}");
    let file = TestFile::new("a.csv", &text);
    assert_eq!(read(&file.open(&[("comment", "#")]).unwrap(), 100).unwrap().len(), 2002);
}

#[test]
fn quotes_that_come_late_start_over_and_are_exact() {
    // Far behind the head, an odd quote; then a field with a newline, which the parity of quotes would get wrong.
    let head = "1,\"a\nb\"\n".repeat(40_000);
    let text = format!("k,v\n{head}2,12\" pipe\n{}3,\"c\nd\"\n", "1,x\n".repeat(200));
    let file = TestFile::new("a.csv", &text);
    let table = file.open(&[]).unwrap();
    let spec = ScanSpec { batch_rows: 8192, ..all(&table) };
    let scan = table.scan(spec.clone(), 1 << 14).unwrap();
    let failed = |index: usize| {
        let mut reader = scan.open(index).unwrap();
        std::iter::from_fn(|| reader.next().transpose()).find_map(|batch| batch.err())
    };
    let errors: Vec<Error> = (0..scan.splits().len()).filter_map(failed).collect();
    assert!(!errors.is_empty() && errors.iter().all(Error::is_misfit), "{errors:?}");
    let table = file.open(&[("infer", "full")]).unwrap();
    let got = cells(&batches(&table, ScanSpec { batch_rows: 8192, ..all(&table) }, 1 << 14).unwrap());
    assert_eq!(got.len(), 40_202);
    assert_eq!((got[40_000][1].as_deref(), got[40_201][1].as_deref()), (Some("12\" pipe"), Some("c\nd")));
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
    let mut packed =
        vec![("a.csv.gz", gz.finish().unwrap()), ("a.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap())];
    for name in ["a.csv.bz2", "a.csv.xz", "a.csv.lz4", "a.csv.sz"] {
        let path = plain.path().with_file_name(name);
        let kind = crate::io::Compression::of_name(name).0;
        let mut out =
            crate::io::Compressed::wrap(crate::io::AtomicFile::create(&path).unwrap(), kind, 1 << 20).unwrap();
        out.write_all(text.as_bytes()).unwrap();
        out.complete().unwrap();
        packed.push((name, std::fs::read(&path).unwrap()));
    }
    packed.push(("no name tells.csv", packed[2].1.clone()));
    for (name, bytes) in packed {
        let file = TestFile::new(name, bytes);
        for split_bytes in [64, 1000, 1 << 20] {
            assert_eq!(read(&file.open(&[]).unwrap(), split_bytes).unwrap(), want, "{name}");
        }
    }
}

#[test]
fn texts_in_other_encodings_read_as_those_in_utf_8() {
    let text: String = (0..3000).map(|i| format!("{i},\"n\u{e9}\u{20ac} {i}\n\u{fc}\"\n")).collect();
    let text = format!("a,b\u{e4}\n{text}");
    let want = read(&TestFile::new("a.csv", &text).open(&[]).unwrap(), 1 << 20).unwrap();
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let latin = encoding_rs::WINDOWS_1252.encode(&text).0.into_owned();
    let gz = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, bytes).unwrap();
        out.finish().unwrap()
    };
    let cases: [(&str, Vec<u8>, Options); 9] = [
        ("UTF-16LE, marked", [&[0xFF, 0xFE][..], &le].concat(), &[]),
        ("UTF-16BE, marked", [&[0xFE, 0xFF][..], &be].concat(), &[]),
        ("UTF-16LE, said", le.clone(), &[("encoding", "utf-16")]),
        ("UTF-16LE", le.clone(), &[]),
        ("UTF-16BE", be.clone(), &[]),
        ("UTF-16BE, packed", gz(&be), &[]),
        ("UTF-8, marked", [&[0xEF, 0xBB, 0xBF][..], text.as_bytes()].concat(), &[]),
        ("windows-1252", latin.clone(), &[("encoding", "latin1")]),
        ("windows-1252, packed", gz(&latin), &[("encoding", "CP1252"), ("compression", "gzip")]),
    ];
    for (name, bytes, options) in cases {
        let file = TestFile::new("a.csv", bytes);
        let table = file.open(options).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(table.schema.field(1).name(), "b\u{e4}", "{name}");
        for split_bytes in [64, 5000, 1 << 20] {
            assert_eq!(read(&table, split_bytes).unwrap(), want, "{name}");
        }
    }
    let e = error(std::str::from_utf8(b"a,b\n1,x\n").unwrap(), &[("encoding", "utf-32")]);
    assert_eq!(e.kind(), ErrorKind::Unsupported);
    let file = TestFile::new("a.csv", &latin);
    let e = file.open(&[("header", "true")]).err().unwrap();
    assert_eq!((e.message(), e.place().text.as_deref()), ("the name of a column is not UTF-8", Some("b\u{fffd}")));
    assert!(e.advice().unwrap().contains("encoding =>"));
    let named = [("header", "true"), ("names", "[\"a\", \"b\"]")];
    let e = read(&file.open(&named).unwrap(), 1 << 20).unwrap_err();
    assert_eq!((e.message(), e.place().line), ("the text is not UTF-8", Some(2)));
    assert!(e.advice().unwrap().contains("encoding =>"));
    let lenient = file.open(&[("header", "true"), ("on_error", "reject")]).unwrap();
    assert_eq!(lenient.schema.field(1).name(), "b\u{fffd}");
    let json: Vec<u8> = "{\"a\": \"\u{e9}\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let file = TestFile::new("a.jsonl", json);
    assert_eq!(read(&file.open(&[]).unwrap(), 100).unwrap(), [[Some("\u{e9}".to_string())]]);
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
    fn reads_quotes_anywhere_as_the_csv_crate_does(
        text in "[ab1,\"\n]{0,80}",
        split_bytes in 1usize..60,
        rows in 1usize..5,
    ) {
        let text = format!("x,y,z\n{text}");
        let file = TestFile::new("a.csv", &text);
        let options =
            [("all_text", "true"), ("header", "true"), ("delimiter", ","), ("ragged", "truncate"), ("quote", "\"")];
        let mut want = oracle(text.as_bytes(), b',');
        want.remove(0);
        want.iter_mut().for_each(|row| row.resize(3, String::new()));
        let read = |more: &[(&str, &str)]| {
            let options = [&options[..], more].concat();
            let table = file.open(&options)?;
            batches(&table, ScanSpec { batch_rows: rows, ..all(&table) }, split_bytes).map(|b| plain(cells(&b)))
        };
        let guessed = match read(&[]) {
            Err(e) if e.is_misfit() => read(&[("infer", "full")]),
            read => read,
        };
        for answer in [guessed, read(&[("strict_mode", "false")])] {
            match answer {
                Ok(answer) => assert_eq!(answer, want, "{text:?}"),
                // The crate takes what follows an open quote for its field.
                Err(e) => {
                    let says = |what: &str| e.message().contains(what);
                    assert!(says("not closed") || says("text follows its closing quote"), "{text:?}: {e}");
                }
            }
        }
        if let Ok(answer) = read(&[("strict_mode", "true")]) {
            assert_eq!(answer, want, "{text:?}");
        }
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

/// Rows of `id,name` beyond what the dialect is told from, then `tail`.
fn beyond_the_sample(tail: &str) -> String {
    let rows: String = (0..1100).map(|i| format!("{i},x\n")).collect();
    format!("id,name\n{rows}{tail}")
}

/// What a reader that may start over once gives, at many split sizes: the same rows, or an error.
fn mended(text: &str, options: Options) -> Result<Cells, Error> {
    let file = TestFile::new("a.csv", text);
    let sampled: Vec<_> = [options, &[("sample_size", "20")]].concat();
    let full: Vec<_> = [options, &[("infer", "full")]].concat();
    let at = |split_bytes: usize| {
        let again = |e: Error| if e.is_misfit() { read(&file.open(&full).unwrap(), split_bytes) } else { Err(e) };
        let rows = read(&file.open(&sampled).unwrap(), split_bytes).or_else(again);
        let count = |options: &[(&str, &str)]| {
            let table = file.open(options).unwrap();
            let spec = ScanSpec { projection: vec![], ..all(&table) };
            let counted = batches(&table, spec, split_bytes)?;
            Ok(counted.iter().map(RecordBatch::num_rows).sum::<usize>())
        };
        let counted = count(&sampled).or_else(|e: Error| if e.is_misfit() { count(&full) } else { Err(e) });
        assert_eq!(counted.ok(), rows.as_ref().ok().map(Vec::len), "splits of {split_bytes} bytes");
        rows
    };
    let whole = at(1 << 20);
    let near = text.len() - 120;
    for split_bytes in (1..40).map(|n| 97 * n).chain(near..text.len() + 1) {
        match (&whole, at(split_bytes)) {
            (Ok(whole), Ok(rows)) => assert_eq!(&rows, whole, "splits of {split_bytes} bytes"),
            (Err(whole), Err(e)) => {
                assert_eq!(
                    (e.to_string(), e.place()),
                    (whole.to_string(), whole.place()),
                    "splits of {split_bytes} bytes"
                )
            }
            (a, b) => panic!("splits of {split_bytes} bytes: {b:?}, in one {a:?}"),
        }
    }
    whole
}

/// The last rows of what was read.
fn last(rows: &Cells, n: usize) -> Vec<String> {
    let line =
        |row: &Vec<Option<String>>| row.iter().map(|c| c.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|");
    rows.iter().skip(rows.len() - n).map(line).collect()
}

#[test]
fn a_quote_that_swallows_lines_has_no_meaning_where_all_rows_are_sound_without() {
    let text = beyond_the_sample("1100,\"abc\n1101,y\n1102,12\" pipe\n1103,z\n");
    let rows = mended(&text, &[]).unwrap();
    assert_eq!(
        (rows.len(), last(&rows, 4)),
        (1104, ["1100|\"abc", "1101|y", "1102|12\" pipe", "1103|z"].map(String::from).into())
    );
    // In one line, text behind a quote is of its field as before.
    let rows = mended(&beyond_the_sample("1100,\"abc\" d\n1101,\"a\nb\" \n"), &[]).unwrap();
    assert_eq!(last(&rows, 2), ["1100|abc d", "1101|a\nb "]);
}

#[test]
fn a_quote_that_swallows_lines_is_an_error_where_others_quote() {
    for tail in ["1100,\"abc\n1101,y\n1102,\"q\"\n1103,z\n", "1100,\"abc\n1101,y\n1102,12\" pipe\n1103,\"z\"\n"] {
        let e = mended(&beyond_the_sample(tail), &[]).unwrap_err();
        let opening = beyond_the_sample("1100,").len() as u64;
        assert_eq!((e.place().line, e.place().byte), (Some(1102), Some(opening)), "{e}");
        assert_eq!(e.place().text.as_deref(), Some("1100,\"abc"));
        assert!(e.message().contains("goes over 3 lines, and text follows its closing quote"), "{e}");
        assert!(e.to_string().contains("quote => ''") && !e.is_misfit(), "{e}");
    }
    let tail = "1100,\"abc\n1101,y\n1102,\"q\"\n1103,z\n";
    let e = mended(&beyond_the_sample(tail), &[("strict_mode", "true")]).unwrap_err();
    assert_eq!(e.place().line, Some(1102), "{e}");
    let rows = mended(&beyond_the_sample(tail), &[("strict_mode", "false")]).unwrap();
    assert_eq!(last(&rows, 2), ["1100|abc\n1101,y\n1102,q\"", "1103|z"]);
    let rows = mended(&beyond_the_sample(tail), &[("quote", "")]).unwrap();
    assert_eq!(last(&rows, 4), ["1100|\"abc", "1101|y", "1102|\"q\"", "1103|z"]);
    let rows = mended(&beyond_the_sample(tail), &[("on_error", "reject")]).unwrap();
    assert_eq!(last(&rows, 4), ["1099|x", "1101|y", "1102|q", "1103|z"]);
}

#[test]
fn values_of_several_lines_stay_values() {
    let tail = "1100,\"abc\n1101,y\n1102,12\"\" pipe\"\r\n1103,\"\n\"\n1104,\"\"\"\n\"\"\"\n1105,z";
    let rows = mended(&beyond_the_sample(tail), &[]).unwrap();
    let want = ["1100|abc\n1101,y\n1102,12\" pipe", "1103|\n", "1104|\"\n\"", "1105|z"];
    assert_eq!(last(&rows, 4), want);
}

/// A wider type of the same kind is no reason to leave a row out, however few rows the types are guessed from; but no
/// row makes a column text that was one of numbers.
#[test]
fn a_wrong_guess_is_mended_before_anything_is_left_out() {
    for (value, widens) in [("1.5", true), ("99999999999999999999", true), ("x", false), ("2024-01-01", false)] {
        let text = format!("a,b\n1,u\n2,v\n{value},w\n4,x,too long\n");
        let file = TestFile::new("a.csv", &text);
        for on_error in ["reject", "null"] {
            let options = [("on_error", on_error), ("sample_size", "1")];
            let sampled = read(&file.open(&options).unwrap(), 1 << 20);
            assert_eq!(sampled.is_err_and(|e| e.is_misfit()), widens, "{value} {on_error}");
            let again = [options[0], if widens { ("infer", "full") } else { options[1] }];
            let table = file.open(&again).unwrap();
            let rejects = crate::rejects::Rejects::default();
            let spec = ScanSpec { rejects: rejects.clone(), ..all(&table) };
            let rows = cells(&batches(&table, spec, 1 << 20).unwrap());
            let left = match (widens, on_error) {
                (true, _) => (3, 1, 0),
                (false, "reject") => (2, 2, 0),
                (false, _) => (3, 1, 1),
            };
            assert_eq!((rows.len(), rejects.rows(), rejects.values()), left, "{value} {on_error}");
        }
    }
}

#[test]
fn long_records_are_reserved_as_they_grow() {
    let budget = crate::memory::Budget::new(1 << 20);
    let read = |long: usize| {
        let file = TestFile::new("a.csv", format!("a,b\n1,x\n2,\"{}\"\n3,y\n", "long\n".repeat(long / 5)));
        let table = file.open(&[("header", "true"), ("delimiter", ","), ("quote", "\"")]).unwrap();
        let spec = ScanSpec { budget: Some(budget.clone()), ..all(&table) };
        batches(&table, spec, 4 << 10).map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>())
    };
    assert_eq!(read(100 << 10).unwrap(), 3);
    let peak = budget.peak();
    assert!(((100 << 10)..(512 << 10)).contains(&peak), "{peak}");
    let e = read(200 << 10).unwrap_err();
    assert!(e.message().contains("a record is longer than 128.0 KiB"), "{e}");
    assert!(e.to_string().contains("raise the memory limit, or say max_line_size"), "{e}");
    assert_eq!(e.place().line, Some(3), "{e}");
}
