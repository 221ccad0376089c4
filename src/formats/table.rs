//! A table over files: the definition resolved to files, a format and a schema.

use super::many::{self, Many};
use super::{FileRef, Format, Scan, ScanSpec, TableDef, TableStats, csv, json, log};
use crate::error::{Error, Result};
use crate::io::url::{path_of, scheme};
use crate::io::{Coding, Compression, Pipes, RemoteFile, Window, resolve_with};
use crate::memory::Budget;
use crate::wake::Cancel;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Every format there is.
pub static FORMATS: &[&dyn Format] =
    &[&csv::Csv, &json::Json, &super::PARQUET, &super::ARROW, &super::AVRO, &log::Log, &log::Lines];

/// Formats whose files are read here and there, so that a pipe cannot hold them.
const BY_RANGES: [&str; 2] = ["parquet", "arrow"];

/// A table whose files, format and schema are known.
pub struct Table {
    /// What the user said.
    pub def: TableDef,
    /// How its files are read.
    pub format: &'static dyn Format,
    /// The files, in the order of their names.
    pub files: Vec<FileRef>,
    /// The columns. Text is `Utf8View`.
    pub schema: SchemaRef,
    /// What is known without reading.
    pub stats: TableStats,
    /// How its columns are put together, where they are not just those of its files.
    pub(super) many: Option<Arc<Many>>,
}

impl Table {
    /// Finds the files, decides the format, infers or checks the schema.
    ///
    /// # Errors
    /// No such file, an empty glob, files of different formats or schemas, unknown options, broken content.
    pub fn open(def: TableDef) -> Result<Arc<Table>> {
        Table::open_with(def, &Pipes::default(), None)
    }

    /// As [`open`](Self::open), where paths may be pipes, and what long records take is accounted to `budget`.
    ///
    /// # Errors
    /// As `open`; `Resources` for a record that the budget has no room for.
    pub fn open_with(def: TableDef, pipes: &Pipes, budget: Option<&Budget>) -> Result<Arc<Table>> {
        let mut files = resolve_with(&def.paths, pipes)?;
        let option = |name: &str| def.options.get(name).map(String::as_str);
        let coding = Coding::of(option("encoding"), option("compression"))?;
        files.iter_mut().for_each(|file| file.coding = coding);
        let format = choose(&def, &files)?;
        let pipe = files.iter().find(|file| file.pipe.is_some());
        if let Some(pipe) = pipe.filter(|_| BY_RANGES.contains(&format.name())) {
            let what =
                if scheme(&pipe.path).is_some() { "comes from a server that knows no ranges" } else { "is a pipe" };
            let message = format!("{} {what}, but {} is not read from front to back", pipe.path, format.name());
            return Err(Error::unsupported(message).advise("write it to a file first"));
        }
        let many::Opened { many, schema, mut stats } = many::open(&def, format, &files, budget)?;
        if files.iter().any(|file| file.pipe.is_some()) {
            stats.rows = None; // nobody knows how much comes
        }
        Ok(Arc::new(Table { def, format, files, schema, stats, many }))
    }

    /// A table whose columns are those of its files.
    pub fn of_files(
        def: TableDef,
        format: &'static dyn Format,
        files: Vec<FileRef>,
        schema: SchemaRef,
        stats: TableStats,
    ) -> Table {
        Table { def, format, files, schema, stats, many: None }
    }

    /// The same table for one query: readers that wait for a store stop with `stop`. And the bytes that each reader of it
    /// may hold besides what its scan says.
    pub fn for_query(self: &Arc<Self>, stop: &Cancel) -> (Arc<Table>, usize) {
        if self.files.iter().all(|file| file.remote.is_none()) {
            return (self.clone(), 0);
        }
        let (files, lease) = RemoteFile::of_query(&self.files, stop);
        let files = files.to_vec();
        let many = self.many.as_ref().map(|many| Arc::new(many.over(&files)));
        let (def, schema, stats) = (self.def.clone(), self.schema.clone(), self.stats.clone());
        (Arc::new(Table { def, format: self.format, files, schema, stats, many }), lease)
    }

    /// Prepares a scan.
    ///
    /// # Errors
    /// As the format says.
    pub fn scan(self: &Arc<Self>, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        match &self.many {
            Some(many) => many.scan(self, spec, split_bytes),
            None => self.format.scan(self, spec, split_bytes),
        }
    }
}

/// The format called `name`.
///
/// # Errors
/// There is none.
pub fn format_named(name: &str) -> Result<&'static dyn Format> {
    let lower = name.to_ascii_lowercase();
    let found = FORMATS.iter().find(|f| f.name() == lower || f.endings().contains(&lower.as_str()));
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|f| f.name()).collect();
        Error::query(format!("there is no format {name:?}")).advise(format!("there are: {}", names.join(", ")))
    })
}

/// The format that the ending of a file's name means, without that of its compression.
pub fn format_by_ending(path: &str) -> Option<&'static dyn Format> {
    let (_, plain) = Compression::of_name(path_of(path));
    let ending = std::path::Path::new(plain).extension()?.to_str()?.to_ascii_lowercase();
    FORMATS.iter().find(|f| f.endings().contains(&ending.as_str())).copied()
}

/// What the user said, else what the ending says, else what the first bytes say.
fn choose(def: &TableDef, files: &[FileRef]) -> Result<&'static dyn Format> {
    if let Some(name) = &def.format {
        return format_named(name);
    }
    let Some(first) = files.first() else { return Err(Error::query("no files are named")) };
    let Some(format) = format_by_ending(&first.path) else { return by_content(first) };
    if format.name() == "log" && files.len() == 1 && log::recognized(first, true)? == Some("json") {
        return format_named("json");
    }
    let other = |f: &&FileRef| format_by_ending(&f.path).is_some_and(|o| o.name() != format.name());
    match files.iter().find(other) {
        Some(other) => {
            let message = format!("{} and {} are files of different formats", first.path, other.path);
            Err(Error::query(message).advise("name a glob with one ending, or the format"))
        }
        None => Ok(format),
    }
}

fn by_content(file: &FileRef) -> Result<&'static dyn Format> {
    let mut window = Window::whole(file, Default::default())?;
    window.refill(4096)?;
    let head = window.rest();
    let called_log = || path_of(&file.path).rsplit(['/', '\\']).next().is_some_and(|name| name.contains("log"));
    let name = match head {
        [b'P', b'A', b'R', b'1', ..] => "parquet",
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => "arrow",
        _ if head.starts_with(super::avro::MAGIC) => "avro",
        _ if matches!(head.iter().find(|b| !b.is_ascii_whitespace()), Some(b'{' | b'[')) => "json",
        _ => log::recognized(file, called_log())?.unwrap_or("csv"),
    };
    format_named(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn open(files: &[(&str, &str)], format: Option<&str>) -> Result<Arc<Table>> {
        let dir = tempfile::tempdir().unwrap();
        let paths = files.iter().map(|(name, text)| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        });
        Table::open(TableDef { paths: paths.collect(), format: format.map(str::to_string), ..TableDef::default() })
    }

    #[test]
    fn the_format_by_name_ending_or_content() {
        let (csv, json) = ("a,b\n1,2\n", "{\"a\": 1}\n");
        assert_eq!(open(&[("x.csv", csv)], None).unwrap().format.name(), "csv");
        assert_eq!(open(&[("x.jsonl", json)], None).unwrap().format.name(), "json");
        assert_eq!(open(&[("x.log", json)], None).unwrap().format.name(), "json");
        assert_eq!(open(&[("x", csv)], None).unwrap().format.name(), "csv");
        let access = "::1 - - [26/Dec/2016:16:16:29 +0200] \"GET / HTTP/1.1\" 404 209\n";
        for name in ["x.log", "access.log.1", "x"] {
            assert_eq!(open(&[(name, access)], None).unwrap().format.name(), "log", "{name}");
        }
        let message = "2024-02-29 12:30:15 INFO ready\n";
        assert_eq!(open(&[("syslog", message)], None).unwrap().format.name(), "log");
        assert_eq!(open(&[("x", message)], None).unwrap().format.name(), "csv");
        assert_eq!(open(&[("x.log", access), ("y.log", json)], None).unwrap().schema.fields().len(), 15);
        assert_eq!(open(&[("x.log", "just\nsome\ntext\n")], None).err().unwrap().kind(), ErrorKind::Data);
        assert_eq!(open(&[("x.csv", json)], Some("json")).unwrap().format.name(), "json");
        let kind = |r: Result<Arc<Table>>| r.err().map(|e| e.kind());
        assert_eq!(kind(open(&[("x.csv", csv), ("y.json", json)], None)), Some(ErrorKind::Query));
        assert_eq!(kind(open(&[("x.csv", csv)], Some("xls"))), Some(ErrorKind::Query));
        assert_eq!(kind(open(&[], None)), Some(ErrorKind::Query));
    }
}
