//! The reader against serde_json, at every split size, and against broken input; what is written reads back.

use crate::error::{Error, ErrorKind};
use crate::formats::testing::*;
use crate::formats::{RowFilter, ScanSpec, Table};
use crate::io::{AtomicFile, Compressed, Compression};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use serde_json::Value;
use std::sync::Arc;

fn to_json(table: &Arc<Table>, split_bytes: usize) -> Vec<Value> {
    let got = batches(table, all(table), split_bytes).unwrap();
    let mut encoder = super::write::encoder(&table.schema, &Default::default()).unwrap();
    got.iter().for_each(|b| encoder.push(b).unwrap());
    let bytes = encoder.piece().unwrap().bytes;
    bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
}

/// Without the keys whose value is null, at all depths.
fn bare(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(k, v)| (k, bare(v))).filter(|(_, v)| !v.is_null()).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(bare).collect()),
        other => other,
    }
}

fn same_at_every_split(text: &str) {
    let file = TestFile::new("a.jsonl", text);
    let table = file.open(&[]).unwrap();
    let lines = text.lines().filter(|l| !l.trim().is_empty());
    let want: Vec<Value> = lines.map(|l| bare(serde_json::from_str(l).unwrap())).collect();
    for split_bytes in 1..=text.len() + 1 {
        let got: Vec<Value> = to_json(&table, split_bytes).into_iter().map(bare).collect();
        assert_eq!(got, want, "splits of {split_bytes} bytes");
        let count = ScanSpec { projection: vec![], ..all(&table) };
        let rows: usize = batches(&table, count, split_bytes).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, want.len());
    }
}

#[test]
fn every_split_gives_the_same_objects() {
    same_at_every_split("{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n\n{\"b\":\"a rather long text\",\"a\":3}");
    same_at_every_split(
        "{\"u\":{\"id\":\"x\",\"n\":[1,2]},\"t\":[]}\r\n{ \"t\" : [\"a\", null] , \"u\" : null }\r\n{}\n",
    );
    same_at_every_split("{\"a\":\"\\u00e9\\n\\\"\",\"f\":1.5}\n{\"a\":\"\\ud83d\\ude00 and some more\",\"f\":2.5}\n");
    same_at_every_split("{\"l\":[{\"k\":1},{\"k\":2,\"m\":true}]}\n{\"l\":[{\"m\":false}]}\n{\"x\":1e3}\n");
}

#[test]
fn types_and_mixed_values() {
    let text = "{\"t\":\"2024-01-01T10:00:00Z\",\"d\":\"2024-01-01\",\"m\":1,\"big\":12345678901234567890,\"n\":null}\n\
                {\"t\":\"2024-01-01T10:00:00+01:00\",\"d\":\"2024-02-29\",\"m\":\"x\",\"big\":1,\"n\":null}\n\
                {\"m\":{\"k\": [1]}}\n";
    let file = TestFile::new("a.jsonl", text);
    let table = file.open(&[]).unwrap();
    let types: Vec<String> = table.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types, ["Timestamp(µs, \"UTC\")", "Date32", "Utf8View", "Decimal128(38, 0)", "Utf8View"]);
    let rows = read(&table, 1000).unwrap();
    let mixed: Vec<_> = rows.iter().map(|r| r[2].clone().unwrap()).collect();
    assert_eq!(mixed, ["1", "\"x\"", "{\"k\": [1]}"]);
    assert_eq!(rows[1][0].as_deref(), Some("2024-01-01T09:00:00Z"));
}

/// Keys of every length around 16 bytes, which differ in their first byte, their last one or their end.
#[test]
fn keys_are_told_apart_whatever_their_length() {
    for len in 0..24 {
        let key = "k".repeat(len);
        let others = [format!("{key}k"), format!("x{key}"), format!("{key}\u{e9}"), format!("{key}\\\"")];
        for other in others {
            let pairs = |a: i64, b: i64| format!("\"{key}\":{a},\"{other}\":{b}");
            let swapped = |a: i64, b: i64| format!("\"{other}\":{b},\"{key}\":{a}");
            let text = format!("{{{}}}\n{{{}}}\n{{\"{other}\":6}}\n{{\"{key}\":7}}\n", pairs(1, 2), swapped(3, 4),);
            let file = TestFile::new("a.jsonl", &text);
            let table = file.open(&[]).unwrap();
            let rows: Vec<Vec<String>> = read(&table, 1000)
                .unwrap()
                .into_iter()
                .map(|row| row.into_iter().map(|cell| cell.unwrap_or_default()).collect())
                .collect();
            assert_eq!(rows, [["1", "2"], ["3", "4"], ["", "6"], ["7", ""]], "{text}");
        }
    }
}

#[test]
fn arrays_and_objects_over_several_lines() {
    let array = "[\n{\"a\": 1, \"b\": [\n1]},\n {\"a\": 2, \"b\": []}, {\"a\":3}]\n";
    let pretty = "{\n  \"a\": 1,\n  \"b\": [1]\n}\n{\n  \"a\": 2,\n  \"b\": []\n}\n{\"a\":3}";
    for text in [array, pretty] {
        let file = TestFile::new("a.json", text);
        let table = file.open(&[]).unwrap();
        for split_bytes in [1, 7, 1000] {
            let got: Vec<Value> = to_json(&table, split_bytes).into_iter().map(bare).collect();
            let want = "[{\"a\": 1, \"b\": [1]}, {\"a\": 2, \"b\": []}, {\"a\": 3}]";
            assert_eq!(Value::Array(got), serde_json::from_str::<Value>(want).unwrap());
        }
    }
}

#[test]
fn filters_refuse_rows() {
    let text: String =
        (0..50).map(|i| format!("{{\"a\":{i},\"b\":\"name {i}, rather long\",\"c\":{{\"d\":{i}}}}}\n")).collect();
    let file = TestFile::new("a.jsonl", text);
    let table = file.open(&[]).unwrap();
    let keep = |batch: &RecordBatch| {
        let a = batch.column(0).as_primitive::<Int64Type>();
        Ok(BooleanArray::from_iter(a.iter().map(|v| v.map(|v| v % 10 == 0))))
    };
    for projection in [vec![1], vec![]] {
        let filter = RowFilter { columns: vec![0], bounds: vec![], eval: Arc::new(keep), parts: Vec::new() };
        let spec = with_filter(ScanSpec { projection: projection.clone(), ..all(&table) }, filter);
        let got = batches(&table, spec, 300).unwrap();
        assert_eq!(got.iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
        if projection.len() == 1 {
            assert_eq!(cells(&got)[2], [Some("name 20, rather long".to_string())]);
        }
    }
}

fn error(text: &str, options: &[(&str, &str)]) -> Error {
    let file = TestFile::new("a.jsonl", text);
    match file.open(options) {
        Ok(table) => read(&table, 1 << 20).unwrap_err(),
        Err(e) => e,
    }
}

/// A file that is broken from its beginning says where, as one that is broken later.
#[test]
fn what_begins_broken_says_where() {
    for (name, text, line, byte) in [
        ("a.jsonl", "{\"a\":NaN}\n{\"a\":Infinity}\n", 1, 5),
        ("a.jsonl", "\n\n  {'a':1}\n", 3, 5),
        ("a.jsonl", "{\"a\":1},\n{\"a\":2},\n", 1, 7),
        ("a.jsonl", "{\"a\":\"x\ty\"}\n", 1, 7),
        ("a.json", "{\"a\":1,}", 1, 7),
        ("a.json", "{", 1, 1),
        ("a.json", "[\n", 2, 2),
        ("a.json", "[{\"a\" 1}]", 1, 6),
    ] {
        let file = TestFile::new(name, text);
        let e = file.open(&[]).err().unwrap_or_else(|| panic!("{text}"));
        assert_eq!((e.message(), e.place().line, e.place().byte), ("malformed JSON", Some(line), Some(byte)), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let e = TestFile::new("a.json", deep).open(&[]).err().unwrap();
    assert!(e.message() == "malformed JSON" && e.place().line == Some(1), "{e}");
    let e = TestFile::new("a.jsonl", "").open(&[]).err().unwrap();
    assert!(e.message().contains("the file is empty"), "{e}");
    assert_eq!(TestFile::new("a.jsonl", "x\n{\"a\":1}\n").open(&[]).unwrap().schema.fields().len(), 1);
}

#[test]
fn errors_have_a_place() {
    let good = "{\"a\":1}\n";
    for bad in [
        "{\"a\":1",
        "{\"a\" 1}",
        "{\"a\":1} x",
        "{\"a\":01}",
        "[1]",
        "7",
        "{\"a\":1,}",
        "{\"a\":nul}",
        "{\"a\":1,\"a\":2}",
    ] {
        let e = error(&format!("{good}{good}{bad}\n{good}"), &[]);
        assert_eq!((e.kind(), e.place().line), (ErrorKind::Data, Some(3)), "{bad}: {e}");
        assert!(!e.is_misfit(), "{bad}");
    }
    let e = error("{\"a\":\"x\"}\n{\"a\":1}\n", &[("types", "{\"a\":\"bigint\"}")]);
    assert_eq!((e.is_misfit(), e.place().line, e.place().column.as_deref()), (false, Some(1), Some("a")), "{e}");
    let lenient = TestFile::new("a.jsonl", "{\"a\":\"x\"}\n{\"a\":1}\n");
    let rows = read(&lenient.open(&[("types", "{\"a\":\"text\"}")]).unwrap(), 100).unwrap();
    assert_eq!(rows, [[Some("x".to_string())], [Some("1".to_string())]]);
}

#[test]
fn what_the_sample_did_not_show_widens_on_request() {
    for late in ["{\"a\":1,\"new\":2}", "{\"a\":\"x\"}", "{\"a\":1.5}"] {
        let mut text = String::new();
        (0..200_000).for_each(|i| text += if i == 60_000 { late } else { "{\"a\":1}" }.to_string().as_str().trim_end());
        let text = text.replace("}{", "}\n{");
        let file = TestFile::new("a.jsonl", &text);
        let table = file.open(&[]).unwrap();
        let spec = |t: &Arc<Table>| ScanSpec { batch_rows: 8192, ..all(t) };
        let e = batches(&table, spec(&table), 1 << 18).unwrap_err();
        assert!(e.is_misfit() && e.place().line == Some(60_001), "{e}");
        let table = file.open(&[("infer", "full")]).unwrap();
        let rows: usize = batches(&table, spec(&table), 1 << 18).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 200_000, "{late}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let text = "{\"a\":1,\"f\":0.1,\"s\":\"\",\"n\":null,\"d\":\"2024-02-29\",\"t\":\"2024-01-01T10:00:00.5\",\"x\":\"a,\\\"b\\\"\\n\"}\n\
                {\"a\":-2,\"f\":1e300,\"s\":null,\"n\":\"y\",\"d\":null,\"t\":\"1960-01-01T00:00:00\",\"x\":\" \"}\n";
    let source = TestFile::new("a.jsonl", text);
    let table = source.open(&[]).unwrap();
    let want = read(&table, 1000).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, options) in [
        ("o.csv", vec![]),
        ("o.tsv.gz", vec![("delimiter", "\t")]),
        ("o.jsonl.zst", vec![]),
        ("o.json", vec![("array", "true")]),
    ] {
        let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let format = crate::formats::format_by_ending(name).unwrap();
        let path = dir.path().join(name);
        let out = Compressed::wrap(AtomicFile::create(&path).unwrap(), Compression::of_name(name).0, 1 << 20).unwrap();
        let mut assembler = format.assembler(&table.schema, &options, out).unwrap();
        let mut encoder = format.encoder(&table.schema, &options, 1 << 20).unwrap();
        for batch in batches(&table, ScanSpec { batch_rows: 1, ..all(&table) }, 1000).unwrap() {
            encoder.push(&batch).unwrap();
            assembler.append(encoder.piece().unwrap()).unwrap();
        }
        assembler.finish().unwrap();
        let back = open(&path, &[]).unwrap();
        assert_eq!(back.schema.fields().len(), table.schema.fields().len(), "{name}");
        assert_eq!(read(&back, 50).unwrap(), want, "{name}");
    }
}

fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|i| Value::from(f64::from(i) / 64.0)), // serde_json reads others inexactly
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..3).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Whether the schema's value is the written one: mixed values come as the text of their JSON, integers in a column of
/// floats as floats.
fn agrees(got: &Value, want: &Value) -> bool {
    match (got, want) {
        (Value::Object(g), Value::Object(w)) if w.iter().all(|(k, v)| g.contains_key(k) || v.is_null()) => {
            g.iter().all(|(k, v)| agrees(v, w.get(k).unwrap_or(&Value::Null)))
        }
        (Value::Array(g), Value::Array(w)) if g.len() == w.len() => g.iter().zip(w).all(|(g, w)| agrees(g, w)),
        (Value::Number(g), Value::Number(w)) => g == w || close(g.as_f64(), w.as_f64()),
        (Value::String(g), w) if !matches!(w, Value::String(s) if s == g) => {
            serde_json::from_str::<Value>(g).is_ok_and(|g| agrees(&g, w) || &g == w)
        }
        (g, w) => g == w,
    }
}

/// Equal, but for the last digit: serde_json does not read back every float as it wrote it.
fn close(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a - b).abs() <= 4.0 * f64::EPSILON * b.abs())
}

proptest::proptest! {
    #[test]
    fn agrees_with_serde(rows in proptest::collection::vec(proptest::collection::btree_map("[p-r]", any_value(), 1..3), 1..5), split_bytes in 1usize..100) {
        let rows: Vec<Value> = rows.into_iter().map(|m| Value::Object(m.into_iter().collect())).collect();
        let text: String = rows.iter().map(|r| format!("{r}\n")).collect();
        let file = TestFile::new("a.jsonl", &text);
        let got = to_json(&file.open(&[]).unwrap(), split_bytes);
        assert_eq!(got.len(), rows.len());
        for (got, want) in got.iter().zip(&rows) {
            assert!(agrees(got, want), "{got} is not {want}");
        }
    }

    #[test]
    fn never_panics(text in "[{}a1:,\"\n\\[\\]\\\\u]{0,60}") {
        let file = TestFile::new("a.jsonl", &text);
        if let Ok(table) = file.open(&[]) {
            let whole = read(&table, 1 << 20).map_err(|e| e.kind());
            let cut = read(&table, 7).map_err(|e| e.kind());
            assert_eq!(whole, cut, "{text:?}");
        }
    }
}

fn rows_of(text: &str, options: &[(&str, &str)], split_bytes: usize) -> Vec<String> {
    let file = TestFile::new("a.json", text);
    let rows = read(&file.open(options).unwrap(), split_bytes).unwrap();
    rows.iter().map(|row| row.iter().map(|c| c.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|")).collect()
}

#[test]
fn records_inside_of_objects() {
    let text = "{\"meta\": {\"pages\": [1, \"]}\"]}, \"data\": {\"n\": 2, \"items\": [{\"a\": 1, \"b\": \"a rather long text\"},\n\
                {\"a\": 2, \"b\": \"y\"}]}, \"more\": 7}\n{\"data\": {\"items\": [{\"b\": \"z\"}]}}";
    for split_bytes in 1..90 {
        let got = rows_of(text, &[("records", "data.items")], split_bytes);
        assert_eq!(got, ["1|a rather long text", "2|y", "-|z"], "windows of {split_bytes}");
    }
    let nothing = TestFile::new("a.json", text).open(&[("records", "data.item")]).err().unwrap();
    assert!(nothing.to_string().contains("data.item'"), "{nothing}");
    assert_eq!(rows_of("{\"a\":{\"b\":[1,2]}}", &[("records", "a.b")], 9), ["1", "2"]);
}

#[test]
fn values_that_are_no_objects_are_one_column() {
    for (text, options, want) in [
        ("[1,2.5,null]", vec![], vec!["1.0", "2.5", "-"]),
        ("\"x\"\n\"y\"\n", vec![], vec!["x", "y"]),
        ("[1,2]\n[3]\n", vec![], vec!["[1, 2]", "[3]"]),
        ("[[1],[2]]", vec![], vec!["[1]", "[2]"]),
        ("[{\"a\":1}] ", vec![("records", "false")], vec!["{a: 1}"]),
        ("{\"a\":1}\n{\"a\":2}", vec![("records", "false")], vec!["{a: 1}", "{a: 2}"]),
        ("[1, \"x\", {}]", vec![], vec!["1", "\"x\"", "{}"]),
        ("[]", vec![], vec![]),
        ("{}", vec![], vec!["{}"]),
        (
            "{\"a\":1}{\"a\":2}\n[3]",
            vec![("format", "unstructured"), ("records", "false")],
            vec!["{\"a\":1}", "{\"a\":2}", "[3]"],
        ),
        ("{\"a\":[{\"b\":{\"c\":1}}]}\n", vec![("maximum_depth", "2")], vec!["[{\"b\":{\"c\":1}}]"]),
    ] {
        assert_eq!(rows_of(text, &options, 4), want, "{text}");
    }
    let declared = TestFile::new("a.json", "{\"a\":1,\"b\":2}\n{\"c\":3}\n");
    let table = declared.open(&[("columns", "{\"a\": \"text\", \"c\": \"double\"}")]).unwrap();
    assert_eq!(read(&table, 100).unwrap(), [[Some("1".to_string()), None], [None, Some("3.0".to_string())]]);
}

#[test]
fn words_of_options() {
    let file = TestFile::new("a.json", "[{\"a\":1},{\"a\":\"a text of more than twenty bytes\"}]");
    for (name, value) in
        [("format", "xml"), ("sample_size", "x"), ("maximum_depth", "0"), ("compression", "zap"), ("recordz", "a")]
    {
        assert_eq!(file.open(&[(name, value)]).err().map(|e| e.kind()), Some(ErrorKind::Query), "{name}");
    }
    let manual = include_str!("../../../docs/files.md");
    super::options::OPTIONS.iter().for_each(|(name, _)| assert!(manual.contains(&format!("| `{name}")), "{name}"));
    let one = file.open(&[("sample_size", "1")]).unwrap();
    assert!(read(&one, 100).unwrap_err().is_misfit());
    let short = file.open(&[("maximum_object_size", "30")]).unwrap();
    assert!(read(&short, 10).unwrap_err().message().contains("longer than 30 B"));
    assert_eq!(read(&file.open(&[("sample_size", "-1")]).unwrap(), 10).unwrap().len(), 2);
}

proptest::proptest! {
    /// An array streams as its elements do on lines, whatever the windows are.
    #[test]
    fn arrays_agree_with_lines(rows in proptest::collection::vec(proptest::collection::btree_map("[p-r]", any_value(), 1..3), 1..5), split_bytes in 1usize..100, pretty in proptest::bool::ANY) {
        let rows: Vec<Value> = rows.into_iter().map(|m| Value::Object(m.into_iter().collect())).collect();
        let array = if pretty { serde_json::to_string_pretty(&rows).unwrap() } else { serde_json::to_string(&rows).unwrap() };
        let lines: String = rows.iter().map(|r| format!("{r}\n")).collect();
        let values: String = rows.iter().map(|r| if pretty { serde_json::to_string_pretty(r).unwrap() } else { r.to_string() }).collect();
        let inside = format!("{{\"x\":{{\"p\":[{{}}]}},\"d\":{array},\"y\":null}}");
        let of = |text: &str, options: &[(&str, &str)]| {
            let file = TestFile::new("a.json", text);
            let got = to_json(&file.open(options).unwrap(), split_bytes);
            got.into_iter().map(bare).collect::<Vec<_>>()
        };
        let want: Vec<Value> = rows.iter().cloned().map(bare).collect();
        let lines = of(&lines, &[]);
        assert_eq!(lines.len(), want.len());
        // Mixed values keep the white space that they were written with.
        if !pretty {
            assert_eq!(of(&array, &[]), lines);
            assert_eq!(of(&inside, &[("records", "d")]), lines);
        }
        assert_eq!(of(&array, &[]).len(), lines.len());
        assert_eq!(of(&values, &[("format", "unstructured")]).len(), lines.len());
        assert_eq!(of(&inside, &[("records", "d")]).len(), lines.len());
    }
}

/// A record of any length is read where the budget permits it, and accounted for; a longer one is told with its place.
#[test]
fn long_records_are_held_in_the_budget() {
    let long = "x".repeat(3 << 20);
    let text = format!("{{\"a\":\"short\"}}\n{{\"a\":\"{long}\"}}\n{{\"a\":\"short\"}}\n");
    for (name, text) in [("a.jsonl", text.clone()), ("a.json", format!("[{}]", text.trim_end().replace('\n', ",")))] {
        let file = TestFile::new(name, &text);
        let table = file.open(&[]).unwrap();
        let budget = crate::memory::Budget::new(64 << 20);
        let spec = ScanSpec { budget: Some(budget.clone()), ..all(&table) };
        let rows: usize = batches(&table, spec, 1 << 20).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!((rows, budget.held()), (3, 0));
        assert!(budget.peak() >= 2 << 20, "{}", budget.peak());
        let small = crate::memory::Budget::new(8 << 20);
        let spec = ScanSpec { budget: Some(small), ..all(&table) };
        let error = batches(&table, spec, 1 << 20).unwrap_err();
        assert!(error.message().contains("longer than 1.0 MiB"), "{error}");
        assert!(
            error.place().file.is_some() && error.place().line.is_some() && error.place().byte.is_some(),
            "{error}"
        );
    }
}
