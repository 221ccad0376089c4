//! How files are read, step by step: the options of `read_csv` and the others, then the format.

use super::{Frame, Session};
use crate::error::Result;
use crate::formats::TableDef;
use serde_json::Value as Json;

/// Files that are being described; [`csv`](Files::csv), [`json`](Files::json), [`parquet`](Files::parquet) or
/// [`frame`](Files::frame) makes them a frame.
#[must_use = "nothing is read before it is a frame"]
pub struct Files<'a> {
    session: &'a Session,
    def: TableDef,
}

impl Session {
    /// Describes files: a path, a directory or a glob. The options are those of `read_csv` and `read_json` in SQL
    /// (docs/formats.md).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let dir = tempfile::tempdir().unwrap();
    /// let path = dir.path().join("a.txt").display().to_string();
    /// std::fs::write(&path, "made by hand\nann;1.000,5;-\nbob;2,5;NA\ncy;3").unwrap();
    /// let session = Session::builder().build()?;
    /// let files = session.files(&path).delimiter(';').header(false).names(&["who", "n", "x"]).skip(1);
    /// let files = files.nulls(&["-"]).types(&[("who", "text")]).limit(3);
    /// let frame = files.option("decimal", ",").option("thousands", ".").option("ragged", "pad").csv()?;
    /// assert_eq!(frame.lines()?, ["ann|1000.5|", "bob|2.5|NA", "cy|3.0|"]);
    /// assert!(session.files(&path).option("delimeter", ";").csv().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn files(&self, path: &str) -> Files<'_> {
        Files { session: self, def: TableDef { paths: vec![path.into()], ..TableDef::default() } }
    }
}

impl Files<'_> {
    /// An option by its name in SQL; lists and maps as JSON.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.def.options.insert(name.to_lowercase(), value.to_string());
        self
    }

    /// What separates fields.
    pub fn delimiter(self, delimiter: char) -> Self {
        self.option("delimiter", &delimiter.to_string())
    }

    /// Whether the first row names the columns.
    pub fn header(self, header: bool) -> Self {
        self.option("header", &header.to_string())
    }

    /// The names of the columns, from the first on.
    pub fn names(self, names: &[&str]) -> Self {
        self.option("names", &Json::from(names.to_vec()).to_string())
    }

    /// Types of columns, by their names in SQL. They are never widened.
    pub fn types(self, types: &[(&str, &str)]) -> Self {
        let pair = |(name, of): &(&str, &str)| format!("{}:{}", Json::from(*name), Json::from(*of));
        let pairs: Vec<String> = types.iter().map(pair).collect();
        self.option("types", &format!("{{{}}}", pairs.join(",")))
    }

    /// Texts that are null, in all columns.
    pub fn nulls(self, nulls: &[&str]) -> Self {
        self.option("nullstr", &Json::from(nulls.to_vec()).to_string())
    }

    /// Lines before everything else that are skipped.
    pub fn skip(self, lines: usize) -> Self {
        self.option("skip", &lines.to_string())
    }

    /// At most so many rows of each file.
    pub fn limit(self, rows: u64) -> Self {
        self.option("limit", &rows.to_string())
    }

    /// The encoding of the text, by any name that browsers know.
    pub fn encoding(self, name: &str) -> Self {
        self.option("encoding", name)
    }

    /// Reads separated values.
    ///
    /// # Errors
    /// Files that are not there, disagree, or are not CSV; options that do not exist or do not fit.
    pub fn csv(self) -> Result<Frame> {
        self.of("csv")
    }

    /// Reads JSON: lines, or one array.
    ///
    /// # Errors
    /// As above.
    pub fn json(self) -> Result<Frame> {
        self.of("json")
    }

    /// Reads Parquet.
    ///
    /// # Errors
    /// As above.
    pub fn parquet(self) -> Result<Frame> {
        self.of("parquet")
    }

    /// Reads what the names of the files and their first bytes say.
    ///
    /// # Errors
    /// As above.
    pub fn frame(self) -> Result<Frame> {
        self.session.read(self.def)
    }

    fn of(mut self, format: &str) -> Result<Frame> {
        self.def.format = Some(format.into());
        self.frame()
    }
}
