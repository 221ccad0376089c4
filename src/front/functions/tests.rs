//! Cases that read `expression --> answer`, a file a family, in `cases/`. `PARTITA_REWRITE=1 cargo test functions` writes
//! their answers, and docs/functions.md, anew; read the difference.

use super::row::Row;
use super::table::FAMILIES;
use crate::front::Front;
use crate::front::tests::front;
use crate::front::tests::run::value_in;
use arrow::array::{Array, ArrayRef, Int64Array, Int64Builder, ListBuilder, StringViewArray};
use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn rewrites() -> bool {
    std::env::var_os("PARTITA_REWRITE").is_some()
}

/// What an expression is, or why it is nothing.
fn answer(front: &Front, expression: &str) -> String {
    match value_in(front, &format!("SELECT {expression}")) {
        Ok(text) if text == "null" => "NULL".to_string(),
        Ok(text) => text.replace('\n', "\\n"),
        Err(e) => format!("error: {}", e.message().lines().next().unwrap_or_default()),
    }
}

fn case_files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/front/functions/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn cases() {
    let front = front();
    let mut wrong = Vec::new();
    for file in case_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut made = String::new();
        for line in text.lines() {
            let Some((expression, wanted)) = line.split_once(" --> ").filter(|_| !line.starts_with('#')) else {
                made.push_str(&format!("{line}\n"));
                continue;
            };
            let got = answer(&front, expression);
            // An error is told by a part of its message.
            let said = wanted.strip_prefix("error: ").filter(|_| got.starts_with("error: "));
            if got != wanted && !said.is_some_and(|said| got.contains(said)) {
                wrong.push(format!("{expression}\n    wanted {wanted}\n    got    {got}"));
            }
            made.push_str(&format!("{expression} --> {got}\n"));
        }
        if rewrites() {
            std::fs::write(&file, made).unwrap();
        }
    }
    assert!(rewrites() || wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn rows() -> impl Iterator<Item = &'static Row> {
    FAMILIES.iter().flat_map(|(_, rows)| rows.iter())
}

#[test]
fn every_example_gives_its_answer() {
    let front = front();
    let mut wrong = Vec::new();
    for row in rows() {
        let (call, wanted) = row.example.split_once(" --> ").unwrap_or_else(|| panic!("{}: no example", row.name));
        let got = answer(&front, call);
        if got != wanted && !(wanted.starts_with("error") && got.starts_with("error")) {
            wrong.push(format!("{call}\n    wanted {wanted}\n    got    {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn null_arguments_are_no_surprise() {
    let front = front();
    for row in rows().filter(|row| row.name != "error") {
        for shape in row.takes.split(" | ") {
            let nulls: Vec<&str> = shape.split(", ").filter(|w| !w.is_empty()).map(|_| "NULL").collect();
            let got = answer(&front, &format!("{}({})", row.name, nulls.join(", ")));
            assert!(!got.contains("nternal"), "{}: {got}", row.name);
        }
    }
}

/// What a function says of columns.
fn call(name: &str, args: Vec<ColumnarValue>, rows: usize) -> ArrayRef {
    let udf = super::table::named(name).unwrap();
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let wanted = udf.coerce_types(&types).unwrap();
    let cast = |(a, t): (ColumnarValue, &DataType)| a.cast_to(t, None).unwrap();
    let args: Vec<ColumnarValue> = args.into_iter().zip(&wanted).map(cast).collect();
    let gives = Arc::new(Field::new("", udf.inner().return_type(&wanted).unwrap(), true));
    let fields = wanted.iter().map(|t| Arc::new(Field::new("", t.clone(), true))).collect();
    let config_options = Arc::new(ConfigOptions::default());
    let call = ScalarFunctionArgs { args, arg_fields: fields, number_rows: rows, return_field: gives, config_options };
    udf.invoke_with_args(call).unwrap().into_array(rows).unwrap()
}

#[test]
fn columns_and_constants_mix() {
    let column = |array: ArrayRef| ColumnarValue::Array(array);
    let texts = || column(Arc::new(StringViewArray::from(vec![Some("hello"), None, Some("héé")])));
    let ints = || column(Arc::new(Int64Array::from(vec![Some(1), Some(2), None])));
    let two = || ColumnarValue::Scalar(ScalarValue::Int64(Some(2)));
    let shown = |array: ArrayRef| {
        let cells = super::cast::texts_in(&array).unwrap();
        (0..array.len()).map(|i| cells.get(i).unwrap_or("NULL").to_string()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(shown(call("left", vec![texts(), two()], 3)), "he; NULL; hé");
    assert_eq!(shown(call("left", vec![texts(), ints()], 3)), "h; NULL; NULL");
    assert_eq!(shown(call("greatest", vec![ints(), two()], 3)), "2; 2; 2");
    assert_eq!(shown(call("list_value", vec![ints(), two()], 3)), "[1, 2]; [2, 2]; [NULL, 2]");
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_value([Some(2), Some(1)]);
    lists.append_null();
    lists.append_value([None, Some(2)]);
    let lists = column(Arc::new(lists.finish().slice(0, 3)));
    assert_eq!(shown(call("list_position", vec![lists.clone(), two()], 3)), "1; NULL; 2");
    assert_eq!(shown(call("list_sort", vec![lists.clone()], 3)), "[1, 2]; NULL; [2, NULL]");
    assert_eq!(shown(call("list_append", vec![lists.clone(), ints()], 3)), "[2, 1, 1]; [2]; [NULL, 2, NULL]");
    assert_eq!(shown(call("list_sum", vec![lists], 3)), "3; NULL; 2");
    assert_eq!(shown(call("concat_ws", vec![ScalarValue::from("-").into(), texts(), ints()], 3)), "hello-1; 2; héé");
    // A part of a longer column.
    let part: ArrayRef = Arc::new(StringViewArray::from(vec!["x", "ab", "cd"]).slice(1, 2));
    assert_eq!(shown(call("reverse", vec![column(part)], 2)), "ba; dc");
}

#[test]
fn every_name_is_there_once() {
    let mut seen = HashSet::new();
    for row in rows() {
        for name in row.also.iter().chain([&row.name]) {
            assert!(seen.insert(*name), "{name} is there twice");
        }
    }
}

/// docs/functions.md, as the table says it.
fn document() -> String {
    let mut made = "# Scalar functions\n\nNames, arguments and answers of the functions that are Partita's own; the \
        names are DuckDB's. `?` marks an argument that may be left out, `..` one that may repeat. Functions that are not \
        here come from DataFusion. This file is made from the table in `src/front/functions` \
        (`PARTITA_REWRITE=1 cargo test functions`).\n"
        .to_string();
    for (title, rows) in FAMILIES {
        made.push_str(&format!(
            "\n## {title}\n\n| function | takes | gives | what | example |\n|---|---|---|---|---|\n"
        ));
        for row in rows.iter().filter(|row| !row.name.contains(' ')) {
            let also: String = row.also.iter().map(|a| format!(", `{a}`")).collect();
            let (call, answer) = row.example.split_once(" --> ").unwrap_or((row.example, ""));
            let cell = |text: &str| text.replace('|', "\\|");
            made.push_str(&format!(
                "| `{}`{also} | {} | {} | {} | `{}` → `{}` |\n",
                row.name,
                cell(&row.takes.replace(" | ", " or ")),
                row.gives.word(),
                cell(row.doc),
                cell(call),
                cell(answer),
            ));
        }
    }
    made
}

#[test]
fn the_document_is_in_step() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
    if rewrites() {
        std::fs::write(&path, document()).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == document(), "docs/functions.md is old: PARTITA_REWRITE=1 cargo test functions");
}
