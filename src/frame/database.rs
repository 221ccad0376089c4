//! EXPORT and IMPORT DATABASE: a directory with `schema.sql`, which makes tables and views, `load.sql`, which fills the
//! tables, and a Parquet file for each of them.
//!
//! Tables over files stay where they are: they come back as views of them.

use super::{Session, write};
use crate::error::{Error, Result};
use crate::formats::TableDef;
use crate::front::{TableRef, View, type_name};
use crate::io::AtomicFile;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// Writes everything that the session keeps by name.
pub(super) fn export(session: &Session, directory: &str) -> Result<String> {
    let path = Path::new(directory);
    std::fs::create_dir_all(path).map_err(|e| Error::io(directory, e))?;
    let (mut schema, mut load) = (String::new(), String::new());
    let tables = session.0.front.tables();
    let mut views: BTreeMap<String, String> = BTreeMap::new();
    for (number, (name, table)) in tables.iter().enumerate() {
        match table {
            TableRef::Stored(..) => {
                let _ = writeln!(schema, "CREATE TABLE {}({});", quoted(name), columns(session, name, table));
                let file = path.join(format!("{}_{number}.parquet", plain(name))).display().to_string();
                let plan = session.0.front.scan(name, table.clone())?;
                write::to_file(&session.0, &session.0.front.plan(plan)?, &file, Some("parquet"), &BTreeMap::new())?;
                let _ = writeln!(load, "COPY {} FROM '{}' (FORMAT parquet);", quoted(name), file.replace('\'', "''"));
            }
            TableRef::Files(files) => drop(views.insert(name.clone(), reading(&files.def))),
            TableRef::Series(..) => return Err(Error::internal(format!("the series {name} has a name"))),
            TableRef::Supplied(_) => return Err(no_sql(name)),
            TableRef::View(view) => drop(views.insert(name.clone(), view_sql(name, view)?)),
        }
    }
    while let Some(next) = independent(&views) {
        if let Some(sql) = views.remove(&next) {
            let _ = writeln!(schema, "CREATE VIEW {} AS {sql};", quoted(&next));
        }
    }
    text(&path.join("schema.sql"), &schema)?;
    text(&path.join("load.sql"), &load)?;
    Ok(format!("{} tables and views exported to {directory}", tables.len()))
}

/// Runs what [`export`] wrote.
pub(super) fn import(session: &Session, directory: &str) -> Result<String> {
    for file in ["schema.sql", "load.sql"] {
        let path = Path::new(directory).join(file);
        let sql = std::fs::read_to_string(&path).map_err(|e| Error::io(path.display(), e))?;
        session.execute(&sql)?;
    }
    Ok(format!("{directory} imported"))
}

/// A view that names no other of `views`; the first one where they go in circles.
fn independent(views: &BTreeMap<String, String>) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let names = |sql: &str, name: &str| sql.split(|c| !is_word(c)).any(|word| word.eq_ignore_ascii_case(name));
    let free = |(name, sql): &(&String, &String)| !views.keys().any(|other| other != *name && names(sql, other));
    views.iter().find(free).or_else(|| views.iter().next()).map(|(name, _)| name.clone())
}

fn columns(session: &Session, name: &str, table: &TableRef) -> String {
    let shape = session.0.front.shape(name);
    let column = |f: &arrow::datatypes::FieldRef| {
        let mut sql = format!("{} {}", quoted(f.name()), type_name(f.data_type()));
        if let Some(shape) = &shape {
            if shape.is_not_null(f.name()) {
                sql.push_str(" NOT NULL");
            }
            if let Some(default) = shape.default_of(f.name()) {
                let _ = write!(sql, " DEFAULT {default}");
            }
        }
        sql
    };
    let keys = shape.iter().flat_map(|shape| shape.keys()).map(|key| {
        let columns: Vec<String> = key.iter().map(|name| quoted(name)).collect();
        format!("UNIQUE ({})", columns.join(", "))
    });
    table.schema().fields().iter().map(column).chain(keys).collect::<Vec<_>>().join(", ")
}

fn view_sql(name: &str, view: &View) -> Result<String> {
    view.sql().ok_or_else(|| no_sql(name))
}

fn no_sql(name: &str) -> Error {
    Error::unsupported(format!("EXPORT of {name}, a view that was made without SQL"))
        .advise("CREATE TABLE .. AS keeps its rows")
}

fn reading(def: &TableDef) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let paths: Vec<String> = def.paths.iter().map(|path| quote(path)).collect();
    match &def.format {
        None if paths.len() == 1 => format!("SELECT * FROM {}", paths.concat()),
        format => {
            let options = def.options.iter().map(|(name, value)| format!(", {name} => {}", quote(value)));
            let format = format.as_deref().unwrap_or("csv");
            format!("SELECT * FROM read_{format}([{}]{})", paths.join(", "), options.collect::<String>())
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn text(path: &Path, text: &str) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(|e| Error::io(path.display(), e))?;
    file.complete()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_come_after_those_that_they_name() {
        let views = [("a", "select * from b"), ("b", "select * from c"), ("c", "select 1 as ab")];
        let mut views: BTreeMap<String, String> = views.map(|(n, s)| (n.to_string(), s.to_string())).into();
        let mut order = String::new();
        while let Some(next) = independent(&views) {
            views.remove(&next);
            order.push_str(&next);
        }
        assert_eq!(order, "cba");
    }
}
