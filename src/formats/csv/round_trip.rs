//! What is written reads back to the same values, whatever they are and however they are written.

use super::Csv;
use crate::formats::parquet::tests::write;
use crate::formats::testing::*;
use arrow::array::*;
use std::sync::Arc;

type Options = &'static [(&'static str, &'static str)];

/// How files are written, and how the same is said to the reader.
const DIALECTS: &[(Options, Options)] = &[
    (&[], &[]),
    (&[("header", "false")], &[("header", "false")]),
    (&[("delimiter", ";"), ("quote", "'")], &[("delimiter", ";"), ("quote", "'")]),
    (&[("delimiter", "||")], &[("delimiter", "||")]),
    (&[("delimiter", "\t"), ("escape", "\\")], &[("delimiter", "\t"), ("escape", "\\")]),
    (&[("null", "NA")], &[("nullstr", "NA"), ("allow_quoted_nulls", "false")]),
    (&[("force_quote", "*")], &[]),
];

/// Columns of five types, their values from these texts.
fn rows(texts: &[Option<String>]) -> RecordBatch {
    let hash = |t: &Option<String>| t.as_ref().map(|t| t.bytes().fold(7i64, |n, b| n.wrapping_mul(31) ^ i64::from(b)));
    let numbers: Vec<Option<i64>> = texts.iter().map(hash).collect();
    let all = |f: fn(i64) -> i64| numbers.iter().map(move |n| n.map(f));
    let floats: Float64Array =
        numbers.iter().map(|n| n.map(|n| f64::from_bits(n as u64)).filter(|f| f.is_finite())).collect();
    let days: Date32Array = all(|n| n % 100_000).map(|n| n.map(|n| n as i32)).collect();
    let times: TimestampMicrosecondArray =
        all(|n| n % 100_000_000_000_000_000).map(|n| n.filter(|n| *n > -62_000_000_000_000_000)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("s", Arc::new(StringViewArray::from_iter(texts)) as ArrayRef, true),
        ("n", Arc::new(Int64Array::from(numbers.clone())), true),
        ("x", Arc::new(floats), true),
        ("b", Arc::new(all(|n| n & 1).map(|n| n.map(|n| n == 1)).collect::<BooleanArray>()), true),
        ("d", Arc::new(days), true),
        ("t", Arc::new(times), true),
    ])
    .unwrap()
}

const TYPES: (&str, &str) =
    ("columns", r#"{"s": "text", "n": "bigint", "x": "double", "b": "boolean", "d": "date", "t": "timestamp"}"#);

fn text() -> impl proptest::strategy::Strategy<Value = Option<String>> {
    use proptest::prelude::*;
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(String::new())),
        6 => "[ab1,;|'\"#\\\\\t\n\r éN-]{1,12}".prop_map(Some),
        1 => Just(Some("NA".into())),
    ]
}

proptest::proptest! {
    #[test]
    fn declared_columns(texts in proptest::collection::vec(text(), 1..12), dialect in 0..DIALECTS.len(), split in 1usize..200) {
        let (writing, reading) = DIALECTS[dialect];
        let batch = rows(&texts);
        let file = TestFile::new("a.csv", "");
        write(&Csv, &file.path(), std::slice::from_ref(&batch), writing);
        let table = file.open(&[reading, &[TYPES]].concat()).unwrap();
        assert_eq!(read(&table, split).unwrap(), cells(&[batch]), "{writing:?} {}", std::fs::read_to_string(file.path()).unwrap());
    }

    /// A reader that knows nothing finds the same texts, where they look like nothing else.
    #[test]
    fn found_dialects(texts in proptest::collection::vec(text(), 1..12), alone: bool) {
        let mut texts = texts;
        texts.push(Some("a text".into()));
        let batch = rows(&texts).project(if alone { &[0] } else { &[1, 0] }).unwrap();
        let file = TestFile::new("a.csv", "");
        write(&Csv, &file.path(), std::slice::from_ref(&batch), &[]);
        let table = file.open(&[("header", "true")]).unwrap();
        assert_eq!(read(&table, 1 << 20).unwrap(), cells(&[batch]), "{}", std::fs::read_to_string(file.path()).unwrap());
    }
}

#[test]
fn without_quotes_what_needs_them_is_an_error() {
    let schema = rows(&[None]).project(&[0]).unwrap().schema();
    let options = crate::formats::parquet::tests::options(&[("quote", ""), ("delimiter", "||")]);
    let mut encoder = super::write::encoder(&schema, &options).unwrap();
    encoder.push(&rows(&[Some("a|b,\"".into())]).project(&[0]).unwrap()).unwrap();
    assert_eq!(encoder.piece().unwrap().bytes, b"a|b,\"\n");
    let e = encoder.push(&rows(&[Some("a||b".into())]).project(&[0]).unwrap()).unwrap_err();
    assert!(e.message().contains("nothing quotes") && e.place().text.as_deref() == Some("a||b"), "{e}");
    assert!(super::write::encoder(&schema, &crate::formats::parquet::tests::options(&[("delimiter", "|\"")])).is_err());
}
