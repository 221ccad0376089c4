//! Bags of the lines of files, as text, as bytes, or decoded from JSON: what is asked for, and how a line becomes an item.
//!
//! The item is made from the line's bytes where they were read ([`lines`](super::lines)): a decoded record is never copied
//! as text before. What a line lacks to be an item is told with byte and column of the line; file and line are added where
//! they are known.
//!
//! Limits: UTF-8 only.

use super::Bag;
use super::decoder::{Unusual, decode};
use super::lines::{Delimiter, Lines, Make, Maker};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::formats::shorten;
use crate::frame::Session;
use crate::io::{Coding, FileRef, resolve_with};
use crate::jq::Trail;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What becomes of bytes that are no UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// The line is a bad item: an error, unless [`BadItems`](super::BadItems) says otherwise.
    #[default]
    Fail,
    /// They become U+FFFD.
    Replace,
}

/// How files are cut into partitions and partitions into lines.
#[derive(Clone, Debug, Default)]
pub struct TextOptions {
    /// Bytes of a partition of an uncompressed file; chosen by the session, if nothing is said.
    pub split_bytes: Option<usize>,
    /// So many whole files make a partition. Not together with `split_bytes`.
    pub files_per_partition: Option<usize>,
    /// What lines end with, which is not part of them; `\n`, and `\r\n`, if nothing is said.
    pub delimiter: Option<Vec<u8>>,
    /// What becomes of bytes that are no UTF-8, where lines are text.
    pub invalid_utf8: InvalidUtf8,
    /// The encoding of the files, as browsers name it: `latin1`, `shift_jis`. UTF-8, and UTF-16 by its mark, are found.
    pub encoding: Option<String>,
    /// How files are packed, where their first bytes should not say it: `none`, `gzip`.
    pub compression: Option<String>,
    /// Where in documents of JSON the records are: `data.items`. Of an array, they are its elements.
    pub records: Option<String>,
}

impl<T: DeserializeOwned + Send + 'static> Bag<T> {
    /// The records of files of JSON, whether they are lines or documents:
    /// [`read_json_lines_with`](Session::read_json_lines_with). Inside of a document they are where `records` says.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let path = std::env::temp_dir().join(format!("page-{}.json", std::process::id()));
    /// std::fs::write(&path, "{\"page\": 1, \"data\": {\"items\": [1, 2,\n 3]}}").expect("a directory for temporary files");
    /// let options = TextOptions { records: Some("data.items".into()), ..TextOptions::default() };
    /// assert_eq!(Bag::<i64>::read_json(&session, &path.to_string_lossy(), &options)?.sum()?, Some(6));
    /// # std::fs::remove_file(&path).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for files that are not there; `Usage`, for options that do not go together.
    pub fn read_json(session: &Session, path: &str, options: &TextOptions) -> Result<Bag<T>> {
        session.read_json_lines_with(path, options)
    }
}

impl Session {
    /// The lines of text files (a path, a directory or a glob), in order, without their ends. Files are decompressed by what
    /// they are: gzip, zstd.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let errors = session.read_text("testdata/*.jsonl")?.filter(|line| line.contains("\"buy\""));
    /// assert!(errors.count()? > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for files that are not there. What reading meets comes when the bag runs.
    pub fn read_text(&self, path: &str) -> Result<Bag<String>> {
        self.read_text_with(path, &TextOptions::default())
    }

    /// As [`read_text`](Self::read_text), with options.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let options = TextOptions { split_bytes: Some(1000), ..TextOptions::default() };
    /// let path = "testdata/events.jsonl";
    /// assert_eq!(session.read_text_with(path, &options)?.count()?, session.read_text(path)?.count()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As above, and `Usage` for options that do not go together.
    pub fn read_text_with(&self, path: &str, options: &TextOptions) -> Result<Bag<String>> {
        let policy = options.invalid_utf8;
        self.lines(path, options, each(move |line, _| text(line, policy).map(Some)))
    }

    /// As [`read_text`](Self::read_text), each line with the path of its file before it.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let files = session.read_text_with_path("testdata/*.jsonl")?.map(|(path, _line)| path.to_string()).distinct();
    /// assert!(files.collect()?.contains(&"testdata/events.jsonl".to_string()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`read_text`](Self::read_text).
    pub fn read_text_with_path(&self, path: &str) -> Result<Bag<(Arc<str>, String)>> {
        let make = each(|line, path| Ok(Some((path.clone(), text(line, InvalidUtf8::Fail)?))));
        self.lines(path, &TextOptions::default(), make)
    }

    /// The lines of files as bytes, whatever they are.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let longest = session.read_lines("testdata/events.jsonl", &TextOptions::default())?.map(|line| line.len()).max()?;
    /// assert!(longest > Some(10));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`read_text_with`](Self::read_text_with).
    pub fn read_lines(&self, path: &str, options: &TextOptions) -> Result<Bag<Vec<u8>>> {
        self.lines(path, options, each(|line, _| Ok(Some(line.to_vec()))))
    }

    /// The records of files of JSON, decoded straight from the bytes into `T`: a struct that derives `Deserialize`, whose
    /// other fields are skipped, or `serde_json::Value`. Blank lines are no records. A file that is one array, of any size, has
    /// its elements as records, and one that is written over several lines its values: one at a time is in memory.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Event {
    ///     kind: String,
    /// }
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let kinds = session.read_json_lines::<Event>("testdata/events.jsonl")?.map(|event| event.kind).frequencies();
    /// assert!(kinds.count()? > 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for files that are not there.
    pub fn read_json_lines<T: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<Bag<T>> {
        self.read_json_lines_with(path, &TextOptions::default())
    }

    /// As [`read_json_lines`](Self::read_json_lines), with options.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use serde_json::Value;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let options = TextOptions { files_per_partition: Some(10), ..TextOptions::default() };
    /// let events = session.read_json_lines_with::<Value>("testdata/events.jsonl", &options)?;
    /// assert!(events.filter(|event| event["kind"].is_string()).count()? > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As above, and `Usage` for options that do not go together.
    pub fn read_json_lines_with<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        options: &TextOptions,
    ) -> Result<Bag<T>> {
        self.records(path, options, records())
    }

    /// As [`lines`](Self::lines), of files that may be documents of JSON.
    pub(super) fn records<T: Send + 'static>(
        &self,
        path: &str,
        options: &TextOptions,
        make: Arc<Maker<T>>,
    ) -> Result<Bag<T>> {
        let keys = |path: &str| path.trim_start_matches("$.").split('.').map(str::to_string).collect();
        let records: Arc<[String]> = options.records.as_deref().map_or_else(Vec::new, keys).into();
        match (&options.delimiter, records.is_empty()) {
            (Some(_), false) => Err(usage("delimiter and records do not go together")),
            (Some(_), true) => self.lines(path, options, make),
            (None, _) => self.pieces(path, options, Some(records), make),
        }
    }

    pub(super) fn lines<T: Send + 'static>(
        &self,
        path: &str,
        options: &TextOptions,
        make: Arc<Maker<T>>,
    ) -> Result<Bag<T>> {
        match options.records {
            Some(_) => Err(usage("records are where JSON is read")),
            None => self.pieces(path, options, None, make),
        }
    }

    fn pieces<T: Send + 'static>(
        &self,
        path: &str,
        options: &TextOptions,
        records: Option<Arc<[String]>>,
        make: Arc<Maker<T>>,
    ) -> Result<Bag<T>> {
        let mut files = resolve_with(&[path.to_string()], self.pipes())?;
        let coding = Coding::of(options.encoding.as_deref(), options.compression.as_deref())?;
        files.iter_mut().for_each(|file| file.coding = coding);
        let files: Arc<[FileRef]> = files.into();
        let delimiter = Delimiter::of(options.delimiter.as_deref())?;
        if options.split_bytes.is_some() && options.files_per_partition.is_some() {
            return Err(usage("split_bytes and files_per_partition do not go together"));
        }
        if options.split_bytes == Some(0) || options.files_per_partition == Some(0) {
            return Err(usage("split_bytes and files_per_partition are at least 1"));
        }
        let name = format!("read {path}");
        let (split_bytes, together) = (options.split_bytes, options.files_per_partition);
        Ok(Bag::new(self, Lines { name, files, split_bytes, together, delimiter, records, make }))
    }
}

/// A maker that keeps nothing from line to line.
fn each<T: 'static>(make: impl Fn(&[u8], &Arc<str>) -> Result<Option<T>> + Send + Sync + 'static) -> Arc<Maker<T>> {
    let make = Arc::new(make);
    Arc::new(move || -> Box<dyn Make<T>> {
        let make = make.clone();
        Box::new(move |line: &[u8], path: &Arc<str>| make(line, path))
    })
}

fn usage(message: &str) -> Error {
    Error::new(ErrorKind::Usage, message)
}

fn text(line: &[u8], policy: InvalidUtf8) -> Result<String> {
    match (simdutf8::basic::from_utf8(line), policy) {
        (Ok(text), _) => Ok(text.to_string()),
        (Err(_), InvalidUtf8::Replace) => Ok(String::from_utf8_lossy(line).into_owned()),
        (Err(_), InvalidUtf8::Fail) => {
            let at = std::str::from_utf8(line).err().map_or(0, |e| e.valid_up_to());
            Err(bad_at(Error::data("the text is not UTF-8"), at, line)
                .advise("read it with InvalidUtf8::Replace, or as bytes with read_lines"))
        }
    }
}

/// A maker of records. Where lines of a type are never as usual, it does not try them twice.
fn records<T: DeserializeOwned + 'static>() -> Arc<Maker<T>> {
    Arc::new(|| -> Box<dyn Make<T>> {
        let (mut trials, mut trail) = (TRIALS, Trail::default());
        Box::new(move |line: &[u8], _: &Arc<str>| {
            if trials > 0 {
                match decode(line, &mut trail) {
                    Ok(record) => {
                        trials = TRIALS;
                        return Ok(Some(record));
                    }
                    Err(Unusual) => trials -= 1,
                }
            }
            record(line)
        })
    })
}

/// How often in a row a line is tried the fast way.
const TRIALS: u32 = 64;

fn record<T: DeserializeOwned>(line: &[u8]) -> Result<Option<T>> {
    match serde_json::from_slice(line) {
        Ok(record) => Ok(Some(record)),
        Err(_) if line.iter().all(u8::is_ascii_whitespace) => Ok(None),
        Err(e) => {
            let said = e.to_string();
            let reason = said.rsplit_once(" at line ").map_or(said.as_str(), |(reason, _)| reason).to_string();
            let message = if e.is_data() { reason } else { format!("the line is no JSON: {reason}") };
            Err(bad_at(Error::data(message), e.column().saturating_sub(1), line))
        }
    }
}

/// The error with the column and the text; the reader of the line adds file and line.
fn bad_at(error: Error, at: usize, line: &[u8]) -> Error {
    let from = if line.len() > 80 { at.saturating_sub(40) } else { 0 };
    let text = shorten(line.get(from..).unwrap_or(line));
    error.at(Place { byte: Some(at as u64), column: Some(format!("{}", at + 1)), text: Some(text), ..Place::default() })
}
