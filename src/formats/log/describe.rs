//! docs/logs.md is made of the tables of formats and of grok's pieces.

use super::known::KNOWN;
use super::pattern::LIBRARY;
use arrow::datatypes::DataType;
use std::path::Path;

fn type_name(of: &DataType) -> &'static str {
    match of {
        DataType::Int64 => "BIGINT",
        DataType::Float64 => "DOUBLE",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        _ => "VARCHAR",
    }
}

fn formats() -> String {
    let mut text = String::from("| format | what it is | columns |\n|---|---|---|\n");
    for known in KNOWN {
        let also = known.also.iter().map(|name| format!(", `{name}`")).collect::<String>();
        let column = |f: &super::layout::Field| match type_name(&f.value.data_type()) {
            "VARCHAR" => format!("`{}`", f.name),
            other => format!("`{}` {other}", f.name),
        };
        let columns = (known.fields)().iter().map(column).collect::<Vec<_>>().join(", ");
        let columns = if columns.is_empty() { "those of the file" } else { columns.as_str() };
        text += &format!("| `{}`{also} | {} | {columns} |\n", known.name, known.about);
    }
    text
}

fn pieces() -> String {
    let names: Vec<String> = LIBRARY.iter().map(|(name, _)| format!("`{name}`")).collect();
    let mut text = String::new();
    for line in names.chunks(8) {
        text += &format!("{}\n", line.join(", "));
    }
    text
}

/// `document` with what stands between the marks of `name` replaced.
fn with(document: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let from = document.find(&begin).unwrap() + begin.len();
    let to = document.find(&end).unwrap();
    format!("{}\n{text}\n{}", &document[..from], &document[to..])
}

#[test]
fn the_document_says_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let made = with(&with(&document, "formats", &formats()), "pieces", &pieces());
    if std::env::var_os("PARTITA_REWRITE").is_some() {
        std::fs::write(&path, made).unwrap();
    } else {
        assert!(made == document, "docs/logs.md is not up to date: PARTITA_REWRITE=1 cargo test document_says");
    }
}
