//! Golden scripts: SQL in, plan or error out. `PARTITA_REWRITE=1 cargo test front` writes them anew; read the difference.

mod files;
pub(super) mod run;

use super::*;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

/// A session with a few tables without rows.
pub(super) fn front() -> Front {
    use DataType::*;
    let front = Front::new().unwrap();
    let numbers = schema(&[("a", Int64), ("b", Utf8View), ("c", Float64), ("d", Int32)]);
    let other = schema(&[("a", Int64), ("x", Float64), ("doc", Utf8View)]);
    let mixed = schema(&[("Name", Utf8View), ("AGE", Int64), ("when", Timestamp(TimeUnit::Microsecond, None))]);
    for (name, schema, rows) in [("t", numbers, 1000), ("u", other, 100), ("people", mixed, 10)] {
        front.register(name, TableRef::Stored(Arc::new(()), schema, Some(rows)), false).unwrap();
    }
    let star = [
        ("fact", schema(&[("f1", Int64), ("f2", Int64)]), 1_000_000),
        ("dim1", schema(&[("k1", Int64), ("name1", Utf8View)]), 10_000),
        ("dim2", schema(&[("k2", Int64), ("name2", Utf8View)]), 1_000),
        ("dim3", schema(&[("k3", Int64)]), 100),
    ];
    for (name, schema, rows) in star {
        front.register(name, TableRef::Stored(Arc::new(()), schema, Some(rows)), false).unwrap();
    }
    front
}

/// What a statement becomes, as text.
fn answer(front: &Front, sql: &str) -> String {
    let bound = front.parse(sql).and_then(|all| all.iter().map(|s| front.bind(s)).collect::<Result<Vec<_>>>());
    match bound {
        Err(e) => format!("{:?}: {e}", e.kind()),
        Ok(all) => all.iter().map(|b| show(front, b)).collect::<Vec<_>>().join("\n"),
    }
}

fn show(front: &Front, bound: &Bound) -> String {
    match bound {
        Bound::Query(p) => planned(p),
        Bound::Copy { query, path, format, options } => {
            format!("copy to {path:?} as {format:?} with {options:?}\n{}", planned(query))
        }
        Bound::CreateTable { name, query, if_not_exists, or_replace, .. } => {
            format!("create table {name} ({if_not_exists}, {or_replace})\n{}", planned(query))
        }
        Bound::CreateView { name, view, or_replace, .. } => {
            let done = front.register(name, TableRef::View(Arc::clone(view)), *or_replace);
            format!("create view {name}: {done:?}")
        }
        Bound::Drop { names, if_exists } => format!("drop {names:?} ({if_exists})"),
        Bound::Describe(schema) => {
            let fields = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type()));
            fields.collect::<Vec<_>>().join("\n")
        }
        Bound::Explain { analyze, planned: p } => format!("explain ({analyze})\n{}", planned(p)),
        Bound::ShowTables { all } => format!("show tables ({all})"),
        Bound::Set { name, value } => format!("set {name} = {value:?}"),
        Bound::Insert { name, query, not_null } => format!("insert into {name} {not_null:?}\n{}", planned(query)),
        Bound::Remake { name, query, .. } => format!("make {name} anew\n{}", planned(query)),
        Bound::Truncate(name) => format!("truncate {name}"),
        Bound::Rename { from, to } => format!("rename {from} to {to}"),
        Bound::TableInfo(name) => format!("info of {name}"),
        Bound::Done(said) => said.clone(),
        Bound::Export(directory) => format!("export to {directory}"),
        Bound::Import(directory) => format!("import {directory}"),
    }
}

fn planned(p: &Planned) -> String {
    format!("{}\n{}", p.names.join(" | "), p.optimized.display_indent())
}

fn golden(script: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/front/golden").join(script);
    let text = std::fs::read_to_string(&path).unwrap();
    let front = front();
    let mut made = String::new();
    for block in text.split("\n\n").filter(|b| !b.trim().is_empty()) {
        let block = block.trim_matches('\n');
        let head: Vec<&str> = block.lines().take_while(|l| l.starts_with('#') || l.starts_with('>')).collect();
        let sql: Vec<&str> = head.iter().filter_map(|l| l.strip_prefix("> ")).collect();
        made.push_str(&head.join("\n"));
        if !sql.is_empty() {
            made.push('\n');
            made.push_str(answer(&front, &sql.join("\n")).trim_end());
        }
        made.push_str("\n\n");
    }
    if std::env::var_os("PARTITA_REWRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (text.trim().lines().collect(), made.trim().lines().collect());
    for (old, new) in old.iter().zip(&new) {
        if std::env::var_os("PARTITA_REWRITE").is_none() {
            assert_eq!(old.trim_end(), new.trim_end(), "in {script}");
        }
    }
    assert!(std::env::var_os("PARTITA_REWRITE").is_some() || old.len() == new.len(), "{script} has other lines");
}

#[test]
fn queries() {
    golden("queries.txt");
}

#[test]
fn joins() {
    golden("joins.txt");
}

#[test]
fn names() {
    golden("names.txt");
}

#[test]
fn overflow() {
    golden("overflow.txt");
}

#[test]
fn statements() {
    golden("statements.txt");
}

#[test]
fn errors() {
    golden("errors.txt");
}
