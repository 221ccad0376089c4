//! How a frame is written, step by step: the format, its options, one file or many.

use super::Frame;
use crate::error::Result;
use std::collections::BTreeMap;

/// An output that is being described; [`to`](Writer::to) runs the query into it.
#[must_use = "nothing is written before `to`"]
pub struct Writer<'a> {
    frame: &'a Frame,
    format: Option<String>,
    options: BTreeMap<String, String>,
}

impl Frame {
    /// Describes how to write the rows; [`Writer::to`] does it. The options are those of COPY.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let dir = tempfile::tempdir().unwrap();
    /// let out = dir.path().join("sales").display().to_string();
    /// let session = Session::builder().build()?;
    /// let sales = session.sql("SELECT range AS id, range % 3 AS region FROM range(9)")?;
    /// let rows = sales.write().format("parquet").partition_by(&["region"]).option("row_group_size", "1000").to(&out)?;
    /// assert_eq!(rows, 9);
    /// assert!(sales.write().format("csv").partition_by(&["region"]).to(&out).is_err()); // it is there already
    /// sales.write().format("csv").partition_by(&["region"]).overwrite().to(&out)?;
    /// let back = session.sql(&format!("SELECT sum(id) FROM '{out}/region=2/*.csv'"))?;
    /// assert_eq!(back.count()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn write(&self) -> Writer<'_> {
        Writer { frame: self, format: None, options: BTreeMap::new() }
    }
}

impl Writer<'_> {
    /// `parquet`, `csv`, `json`, `arrow`. Without it, the path tells.
    pub fn format(mut self, name: &str) -> Self {
        self.format = Some(name.to_string());
        self
    }

    /// An option of COPY by its name: `compression`, `row_group_size`, `delimiter`, `nullstr`..
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(name.to_lowercase(), value.to_string());
        self
    }

    /// A directory `column=value` for each value of the columns, which are left out of the files.
    pub fn partition_by(self, columns: &[&str]) -> Self {
        let list = serde_json::Value::from(columns.to_vec()).to_string();
        self.option("partition_by", &list)
    }

    /// A directory in which each worker writes its own file, in no particular order.
    pub fn file_per_thread(self) -> Self {
        self.option("per_thread_output", "true")
    }

    /// A directory of files of about so many bytes, in the order of the rows.
    pub fn file_bytes(self, bytes: usize) -> Self {
        self.option("file_size_bytes", &bytes.to_string())
    }

    /// The new directory replaces one that is there.
    pub fn overwrite(self) -> Self {
        self.option("overwrite", "true")
    }

    /// The new files are added to a directory that is there.
    pub fn append(self) -> Self {
        self.option("append", "true")
    }

    /// Runs the query into the file or directory `path`, which appears when it is complete. Returns the rows.
    ///
    /// # Errors
    /// Options that do not exist; whatever the query and writing meet: then nothing appears.
    pub fn to(self, path: &str) -> Result<u64> {
        self.frame.session.write_frame(self.frame, path, self.format.as_deref(), self.options)
    }
}
