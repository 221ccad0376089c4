//! Cases that read `expression --> answer`, a file a family, in `cases/`. `PARTITA_REWRITE=1 cargo test functions` writes
//! their answers, and docs/functions.md, anew; read the difference.

use super::row::Row;
use super::table::FAMILIES;
use crate::front::Front;
use crate::front::tests::front;
use crate::front::tests::run::value_in;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn rewrites() -> bool {
    std::env::var_os("PARTITA_REWRITE").is_some()
}

/// What an expression is, or why it is nothing.
fn answer(front: &Front, expression: &str) -> String {
    match value_in(front, &format!("SELECT {expression}")) {
        Ok(text) => text.replace("null", "NULL").replace('\n', "\\n"),
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
            if got != wanted {
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
        if got != wanted {
            wrong.push(format!("{call}\n    wanted {wanted}\n    got    {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
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
        for row in *rows {
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
