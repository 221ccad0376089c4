//! `on_error`: records that cannot be read are left out, or their values made null; against serde_json.

use crate::formats::ScanSpec;
use crate::formats::testing::*;
use crate::rejects::Rejects;
use arrow::array::RecordBatch;
use serde_json::Value;

const TYPES: (&str, &str) = ("types", "{\"a\": \"bigint\"}");

/// The rows that come out, and the rejects as `line:column:text`.
fn read_leniently(text: &[u8], split_bytes: usize, options: &[(&str, &str)]) -> (Vec<String>, Vec<String>, Rejects) {
    let file = TestFile::new("a.jsonl", text);
    let table = file.open(options).unwrap();
    let rejects = Rejects::default();
    let spec = ScanSpec { rejects: rejects.clone(), ..all(&table) };
    let rows = cells(&batches(&table, spec, split_bytes).unwrap());
    let rows = rows.iter().map(|row| row.iter().map(|c| c.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|"));
    let told = rejects.list().into_iter().map(|reject| {
        let (line, column) = (reject.place.line.unwrap(), reject.place.column.unwrap_or_default());
        format!("{line}:{column}:{}", reject.place.text.unwrap())
    });
    let (rows, told) = (rows.collect(), told.collect());
    let count = ScanSpec { projection: vec![], ..all(&table) };
    let counted: usize = batches(&table, count, split_bytes).unwrap().iter().map(RecordBatch::num_rows).sum();
    if options.contains(&("on_error", "reject")) {
        assert_eq!(counted, Vec::len(&rows), "counting");
    }
    (rows, told, rejects)
}

const BAD: &[u8] = b"{\"a\":1,\"b\":\"x\",\"l\":[{\"k\":1}]}\n{\"a\":\"two\",\"b\":\"a rather long text\",\"l\":[{\"k\":2}]}\n\
    {\"a\":3,\"b\":\"y\",\"l\":[{\"k\":3},{\"k\":4}\n\n[7]\n{\"a\":5,\"b\":\"\xff\",\"l\":[]}\n{\"a\":6,\"l\":[{\"k\":6}],\"b\":\"z\",\"a\":6}\n\
    {\"a\":7,\"b\":\"z\"} x\n{\"a\":8,\"b\":\"another rather long text\",\"l\":[{\"k\":8},{\"k\":null}]}\n{\"a\":9,\"b\":\"\\u12\"}\n{\"a\":10}";

#[test]
fn good_lines_next_to_bad_ones_stay() {
    for split_bytes in 1..BAD.len() + 2 {
        let (rows, told, rejects) = read_leniently(BAD, split_bytes, &[TYPES, ("on_error", "reject")]);
        let good = ["1|x|[{k: 1}]", "8|another rather long text|[{k: 8}, {k: }]", "10|-|-"];
        assert_eq!(rows, good, "splits of {split_bytes}");
        let lines: Vec<&str> = told.iter().map(|t| t.split(":{").next().unwrap()).collect();
        assert_eq!(lines, ["2:a", "3:l", "5::[7]", "6:", "7:a", "8:", "10:b"], "splits of {split_bytes}");
        assert_eq!((rejects.rows(), rejects.values()), (7, 0));
    }
}

#[test]
fn values_become_null_and_records_stay() {
    for split_bytes in [1, 50, 10_000] {
        let (rows, told, rejects) = read_leniently(BAD, split_bytes, &[TYPES, ("on_error", "null")]);
        let want =
            ["1|x|[{k: 1}]", "-|a rather long text|[{k: 2}]", "8|another rather long text|[{k: 8}, {k: }]", "10|-|-"];
        assert_eq!((rows, rejects.rows(), rejects.values()), (want.map(str::to_string).to_vec(), 6, 1));
        assert!(told.contains(&"2:a:\"two\"".to_string()), "{told:?}");
    }
}

#[test]
fn elements_of_arrays_are_left_out_but_no_broken_text() {
    let text = b"[{\"a\":1},\n{\"a\":\"x\"}, 7,\n {\"a\":2}]";
    let (rows, told, _) = read_leniently(text, 10, &[TYPES, ("on_error", "reject")]);
    assert_eq!((rows, told), (vec!["1".into(), "2".into()], vec!["2:a:{\"a\":\"x\"}".to_string(), "2::7".to_string()]));
    let file = TestFile::new("a.json", "[{\"a\":1}, {\"a\":}, {\"a\":2}]");
    let table = file.open(&[("on_error", "reject")]).unwrap();
    assert!(read(&table, 100).is_err());
}

#[test]
fn types_of_a_sample_are_settled_but_for_wider_numbers() {
    let mut text = String::new();
    for i in 0..200_000 {
        text += match i {
            60_000 => "{\"a\":1.5}\n",
            60_001 => "{\"a\":\"x\"}\n",
            60_002 => "{\"a\":1,\"late\":true}\n",
            _ => "{\"a\":1}\n",
        };
    }
    let file = TestFile::new("a.jsonl", &text);
    let table = file.open(&[("on_error", "reject")]).unwrap();
    let spec = |rejects: &Rejects, table: &crate::formats::Table| ScanSpec {
        batch_rows: 8192,
        rejects: rejects.clone(),
        ..all(table)
    };
    assert!(batches(&table, spec(&Rejects::default(), &table), 1 << 20).unwrap_err().is_misfit());
    let table = file.open(&[("on_error", "reject"), ("infer", "full")]).unwrap();
    let types: Vec<String> = table.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types, ["Float64", "Boolean"]);
    let rejects = Rejects::default();
    let rows: usize = batches(&table, spec(&rejects, &table), 1 << 20).unwrap().iter().map(RecordBatch::num_rows).sum();
    assert_eq!((rows, rejects.list()[0].place.line), (199_999, Some(60_002)));
}

/// An object that a line does not end goes on in the next one: what it would be there is no key and no value of the table.
#[test]
fn a_line_that_breaks_off_says_nothing_of_keys_and_types() {
    for text in
        ["{\"b\":{\"c\":1}}\n{\"b\":\n\n{\"b\":{\"c\":1}}\n", "{\"b\":{\"c\":1}}\n{\"b\":\n[1]}\n{\"b\":{\"c\":1}}\n"]
    {
        for split_bytes in 1..=text.len() {
            let options = [("on_error", "reject"), ("format", "newline_delimited")];
            let (rows, told, _) = read_leniently(text.as_bytes(), split_bytes, &options);
            assert!(rows.len() == 2 && told.iter().any(|t| t.starts_with("2:")), "{split_bytes}: {rows:?} {told:?}");
        }
    }
}

proptest::proptest! {
    /// A line is read where serde_json reads an object with a fitting value, and left out elsewhere.
    #[test]
    fn agrees_with_line_after_line(lines in proptest::collection::vec("\\{\"a\":(1|23|\"x\"|null|\\[\\]|1\\.5|)(,\"b\":(\"y\"|\\[1,\\{\\}\\]|nul)){0,1}\\}?[ x]?", 1..12), split_bytes in 1usize..100) {
        let text = format!("{{\"a\":1,\"b\":\"start\"}}\n{}", lines.join("\n"));
        let is_good = |line: &&str| matches!(
            serde_json::from_str::<Value>(line),
            Ok(Value::Object(o)) if o["a"].is_i64() || o["a"].is_null()
        );
        let want = text.lines().filter(is_good).count();
        let options = [("types", "{\"a\": \"bigint\"}"), ("on_error", "reject"), ("infer", "full")];
        let (rows, _, rejects) = read_leniently(text.as_bytes(), split_bytes, &options);
        assert_eq!((rows.len(), rejects.rows() as usize), (want, lines.len() + 1 - want), "{text}");
    }
}
