//! Frames over logs and lines.

use super::{Frame, Session};
use crate::error::Result;
use crate::formats::TableDef;

impl Session {
    /// A frame over log files (a path, a directory or a glob), compressed or not, of any of the formats in docs/logs.md; each file's
    /// is found out by itself. Files of several formats are one frame, whose columns are matched by name. Lines that do not match
    /// are left out, counted and kept as rejects.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let failed = session.read_log("testdata/access.log")?.filter(col("status").gt_eq(lit(500)))?;
    /// let by_path = failed.group_by([col("path")]).agg([sum(col("bytes")).alias("bytes")])?;
    /// assert!(by_path.count()? > 1);
    ///
    /// let pattern = r"%{IP:client} %{GREEDYDATA} %{INT:status:int} (?:%{INT:bytes:int}|-)";
    /// assert_eq!(session.read_log_as("testdata/access.log", pattern)?.select([col("client")])?.count()?, 60);
    ///
    /// let lines = session.read_text_rows("testdata/access.log")?.filter(col("text").like(lit("%HTTP/2.0%")))?;
    /// assert!(lines.count()? > 0);
    /// assert_eq!(lines.schema()?.field(1).name(), "offset");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Files that are not there, or are of no format that is known.
    pub fn read_log(&self, path: &str) -> Result<Frame> {
        self.read(TableDef { format: Some("log".into()), paths: vec![path.into()], ..TableDef::default() })
    }

    /// As [`read_log`](Self::read_log), the format by its name, or as a grok pattern or a regular expression with named groups.
    ///
    /// # Errors
    /// As above; and `Query`, for a name or a pattern that there is not.
    pub fn read_log_as(&self, path: &str, format: &str) -> Result<Frame> {
        let options = [("format".to_string(), format.to_string())].into();
        self.read(TableDef { format: Some("log".into()), paths: vec![path.into()], options, ..TableDef::default() })
    }

    /// The lines of text files as rows: `text`, the `offset` of its first byte in the decompressed file, and the `file`. In SQL
    /// that is `read_text('path')`; [`read_text`](Self::read_text) makes a bag of them.
    ///
    /// # Errors
    /// Files that are not there; text that is not UTF-8.
    pub fn read_text_rows(&self, path: &str) -> Result<Frame> {
        self.read(TableDef { format: Some("text".into()), paths: vec![path.into()], ..TableDef::default() })
    }
}
