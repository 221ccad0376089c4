//! Bags of JSON documents: arrays of any size, records inside of objects, and what is wrong with some of them.

use crate::bag::{BadItems, Bag, TextOptions};
use crate::error::ErrorKind;
use crate::frame::Session;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

fn session(memory: &str) -> Session {
    Session::builder().memory(memory).unwrap().threads(2).inline(true).build().unwrap()
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn arrays_lines_and_values_wherever_they_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let items: Vec<Value> = (0..50).map(|n| json!({"n": n, "s": "x]\"}\n".repeat(n % 4)})).collect();
    let lines: Vec<String> = items.iter().map(Value::to_string).collect();
    let files = [
        ("array.json", json!(items).to_string()),
        ("pretty.json", serde_json::to_string_pretty(&items).unwrap()),
        ("lines.jsonl", lines.join("\n")),
        ("values.json", items.iter().map(|item| format!("{item:#}\n")).collect::<String>()),
    ];
    for (name, text) in &files {
        file(dir.path(), name, text);
    }
    let session = session("64MiB");
    for split_bytes in [None, Some(1), Some(64), Some(700)] {
        let options = TextOptions { split_bytes, ..TextOptions::default() };
        for (name, _) in &files {
            let path = dir.path().join(name);
            let bag = Bag::<Value>::read_json(&session, &path.to_string_lossy(), &options).unwrap();
            assert_eq!(bag.collect().unwrap(), items, "{name} {split_bytes:?}");
            let jq = session.read_jq(&path.to_string_lossy(), ".n", &options).unwrap();
            assert_eq!(jq.decode::<u64>().sum().unwrap(), Some((0..50).sum()), "{name} {split_bytes:?}");
        }
        let all = format!("{}/*", dir.path().display());
        assert_eq!(Bag::<Value>::read_json(&session, &all, &options).unwrap().count().unwrap(), 200);
    }
}

#[test]
fn records_inside_of_objects() {
    let dir = tempfile::tempdir().unwrap();
    let page = |from: u32| json!({"page": {"from": from}, "data": {"items": [from, from + 1], "more": []}, "z": [9]});
    let text = format!("{:#}\n{}", page(0), page(10));
    let path = file(dir.path(), "pages.json", &text);
    let options = TextOptions { records: Some("data.items".into()), ..TextOptions::default() };
    let session = session("64MiB");
    for split_bytes in [None, Some(10)] {
        let options = TextOptions { split_bytes, ..options.clone() };
        let numbers = Bag::<u32>::read_json(&session, &path, &options).unwrap();
        assert_eq!(numbers.collect().unwrap(), [0, 1, 10, 11]);
    }
    let wrong = TextOptions { delimiter: Some(b";".to_vec()), ..options.clone() };
    assert_eq!(Bag::<u32>::read_json(&session, &path, &wrong).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(session.read_text_with(&path, &options).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn what_is_wrong_is_told_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let broken = file(dir.path(), "a.json", "[\n{\"n\": 1},\n{\"n\": \"x\"},\n{\"n\": 3} {");
    file(dir.path(), "b.json", "[{\"n\": 4}]");
    #[derive(serde::Deserialize)]
    struct Record {
        n: u32,
    }
    let session = session("64MiB");
    let error = session.read_json_lines::<Record>(&broken).unwrap().count().unwrap_err();
    assert_eq!((error.kind(), error.place().byte), (ErrorKind::Data, Some(20)), "{error}");
    let bad = BadItems::reject();
    let both = format!("{}/*.json", dir.path().display());
    let numbers = session.read_json_lines::<Record>(&both).unwrap().on_error(&bad).map(|record| record.n);
    assert_eq!(numbers.collect().unwrap(), [1, 3, 4], "a document that is broken ends there; others do not");
    let places: Vec<_> = bad.rejects().iter().map(|reject| reject.place.byte).collect();
    assert_eq!(places, [Some(20), Some(33)]);
}

#[test]
fn a_long_line_or_record_is_an_error_and_a_shorter_one_is_accounted() {
    let dir = tempfile::tempdir().unwrap();
    for (name, begin, end) in [("a.json", "[\n", "]"), ("a.jsonl", "", "")] {
        for (memory, fits) in [("16MiB", false), ("64MiB", true)] {
            let path = dir.path().join(name);
            let mut to = std::fs::File::create(&path).unwrap();
            write!(to, "{begin}{{\"s\":\"{}\"}}\n{end}", "x".repeat(5 << 20)).unwrap();
            let session = session(memory);
            let read = session.read_jq(&path.to_string_lossy(), ".s | length", &TextOptions::default()).unwrap();
            match read.decode::<usize>().collect() {
                Ok(lengths) => assert!(fits && lengths == [5 << 20], "{name} {memory}"),
                Err(error) => {
                    assert!(!fits && error.kind() == ErrorKind::Resources && error.advice().is_some(), "{error}");
                    assert_eq!(error.place().file.as_deref(), path.to_str());
                }
            }
            assert!(!fits || session.stats().peak_account > 5 << 20, "{name}");
        }
    }
}

#[test]
fn files_of_arrays_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let session = session("64MiB");
    let items = Bag::range(&session, 0..10, 3).filter(|n| *n < 7);
    let pattern = format!("{}/x-*.json.gz", dir.path().display());
    assert_eq!(items.to_json_arrays(&pattern).unwrap().len(), 3);
    assert_eq!(session.read_json_lines::<i64>(&pattern).unwrap().collect().unwrap(), (0..7).collect::<Vec<_>>());
    let one = format!("{}/one.json", dir.path().display());
    for items in [items.clone(), items.filter(|_| false), Bag::from_iter(&session, [], 0)] {
        assert_eq!(items.to_json_arrays(&one).unwrap(), std::slice::from_ref(&one));
        let text = std::fs::read_to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Vec<i64>>(&text).unwrap(), items.collect().unwrap());
    }
}

#[test]
fn files_of_avro_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let session = session("64MiB");
    let items = Bag::range(&session, 0..100, 3).map(|n| json!({"n": n, "tags": vec!["x"; n as usize % 3]}));
    let pattern = format!("{}/x-*.avro", dir.path().display());
    assert_eq!(items.to_avro(&pattern).unwrap().len(), 3);
    let back = Bag::<Value>::read_avro(&session, &pattern).unwrap();
    assert_eq!(back.collect().unwrap(), items.collect().unwrap());
    let text = Bag::from_iter(&session, [json!({"a b": 1})], 1);
    let error = text.to_avro(&format!("{}/y.avro", dir.path().display())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(!dir.path().join("y.avro").exists());
}
