//! One case: a query over small files, and the rows that it must give.

use super::compare::Row;
use serde_json::Value;
use std::path::Path;

pub struct Case {
    pub id: String,
    pub sql: String,
    /// Names of tables, and their files.
    pub tables: Vec<(String, String)>,
    pub types: Vec<String>,
    /// `ordered`, `rowsort` or `valuesort`.
    pub sort: String,
    pub expected: Vec<Row>,
    pub tags: Vec<String>,
    /// Written by the rules of sqllogictest: `/` divides whole numbers as such, and an integer column shows floats without
    /// their fraction.
    pub is_slt: bool,
}

/// The cases of `directory`: one object a line in `cases.jsonl`, tables in `t`.
pub fn read(directory: &Path) -> Vec<Case> {
    let path = directory.join("cases.jsonl");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| parse(line, directory)).collect()
}

fn parse(line: &str, directory: &Path) -> Case {
    let case: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_string();
    let texts = |key: &str| case[key].as_array().into_iter().flatten().filter_map(word).collect();
    let tables = case["tables"].as_object().into_iter().flatten();
    let file = |name: &Value| directory.join("t").join(name.as_str().unwrap_or_default()).display().to_string();
    let row = |row: &Value| row.as_array().into_iter().flatten().map(word).collect();
    let data = directory.join("../data").display().to_string();
    Case {
        id: text("id"),
        sql: text("sql").replace("{DATA}", &data),
        tables: tables.map(|(name, path)| (name.clone(), file(path))).collect(),
        types: texts("types"),
        sort: text("sort"),
        expected: case["expected"].as_array().into_iter().flatten().map(row).collect(),
        tags: texts("tags"),
        is_slt: case["fmt"] == "slt",
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}
