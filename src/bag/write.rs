//! Bags into files: one file a partition, packed as its name says.
//!
//! A file appears under its name when it is complete. If the run fails, the files that appeared are removed again; those
//! that had the same names before are replaced by then.

use super::Bag;
use super::items::lock;
use super::node::{Counted, Laying, Pipe};
use super::task::{Taken, Taker, Takers};
use crate::error::{Error, Result};
use crate::io::{AtomicFile, Compressed, Compression, Output};
use crate::ops::Cx;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What an open file has in flight: its buffer, and what a compressor holds.
const OPEN: usize = 4 << 20;

/// The file of a partition, while items are added to it.
pub(super) trait Filling<T>: Send {
    fn add(&mut self, item: T, cx: &Cx) -> Result<()>;

    /// The file has its name from now on.
    fn complete(self: Box<Self>) -> Result<()>;
}

/// Begins the file of that name.
pub(super) type Begin<T> = dyn Fn(&str, &Cx) -> Result<Box<dyn Filling<T>>> + Send + Sync;

/// The name of a partition's file; told its number and how many there are.
pub(super) type Name = dyn Fn(usize, usize) -> String + Send + Sync;

struct Files<T> {
    name: Arc<Name>,
    begin: Arc<Begin<T>>,
    counted: Counted<T>,
    /// The partitions by the names of their files.
    named: Mutex<BTreeMap<String, usize>>,
    /// The files that are complete.
    written: Arc<Mutex<BTreeMap<usize, String>>>,
}

impl<T: Send + 'static> Takers<T> for Files<T> {
    fn taker(&self, partition: usize, cx: &Cx) -> Result<Box<dyn Taker<T>>> {
        let path = (self.name)(partition, self.counted.count()?);
        if *lock(&self.named).entry(path.clone()).or_insert(partition) != partition {
            return Err(Error::query(format!("two partitions are named {path}")));
        }
        let file = Some((self.begin)(&path, cx)?);
        Ok(Box::new(Writing { file, path, partition, written: self.written.clone() }))
    }
}

struct Writing<T> {
    /// `None` once it is complete.
    file: Option<Box<dyn Filling<T>>>,
    path: String,
    partition: usize,
    written: Arc<Mutex<BTreeMap<usize, String>>>,
}

impl<T: Send> Taker<T> for Writing<T> {
    fn take(&mut self, item: T, cx: &Cx) -> Result<Taken> {
        self.file.as_mut().map_or(Ok(()), |file| file.add(item, cx))?;
        Ok(Taken::More)
    }

    fn end(&mut self, _cx: &Cx) -> Result<Taken> {
        if let Some(file) = self.file.take() {
            file.complete()?;
            lock(&self.written).insert(self.partition, self.path.clone());
        }
        Ok(Taken::Done)
    }
}

/// Appends an item to the bytes of a file.
type Append<T> = fn(&T, &mut Vec<u8>) -> Result<()>;

/// What stands before, between and behind the items of a file.
#[derive(Clone, Copy)]
struct Marks {
    before: &'static [u8],
    between: &'static [u8],
    behind: &'static [u8],
}

const LINES: Marks = Marks { before: b"", between: b"\n", behind: b"\n" };
const ARRAY: Marks = Marks { before: b"[\n", between: b",\n", behind: b"\n]\n" };

/// A file of text, packed as its name says.
struct TextFile<T> {
    file: Box<dyn Output>,
    path: String,
    bytes: Vec<u8>,
    append: Append<T>,
    marks: Marks,
    begun: bool,
}

/// Begins files of text.
fn text_file<T: Send + 'static>(append: Append<T>, marks: Marks) -> Arc<Begin<T>> {
    Arc::new(move |path: &str, cx: &Cx| {
        let (packed, _) = Compression::of_name(path);
        let room = Compression::room(cx.memory.budget.limit());
        let file = Compressed::wrap(AtomicFile::create(Path::new(path))?, packed, room)?;
        let (path, bytes) = (path.to_string(), marks.before.to_vec());
        Ok(Box::new(TextFile { file, path, bytes, append, marks, begun: false }) as Box<dyn Filling<T>>)
    })
}

impl<T> TextFile<T> {
    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.bytes).map_err(|e| Error::io(&self.path, e))?;
        self.bytes.clear();
        Ok(())
    }
}

impl<T: Send> Filling<T> for TextFile<T> {
    fn add(&mut self, item: T, _cx: &Cx) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            self.bytes.extend_from_slice(self.marks.between);
        }
        (self.append)(&item, &mut self.bytes)?;
        if self.bytes.len() >= 64 << 10 { self.flush() } else { Ok(()) }
    }

    fn complete(mut self: Box<Self>) -> Result<()> {
        // A file without lines is empty.
        if self.begun || !self.marks.before.is_empty() {
            self.bytes.extend_from_slice(self.marks.behind);
        }
        self.flush()?;
        self.file.complete()
    }
}

/// The name of a file by a pattern: the star is the number, as wide as the last one. A pattern without one is a directory.
fn by_pattern(pattern: &str) -> impl Fn(usize, usize) -> String + Send + Sync + 'static {
    let pattern = match pattern.contains('*') {
        true => pattern.to_string(),
        false => format!("{}/*.part", pattern.trim_end_matches('/')),
    };
    move |partition, count| {
        let width = count.saturating_sub(1).to_string().len();
        pattern.replacen('*', &format!("{partition:0width$}"), 1)
    }
}

impl<T: Send + 'static> Bag<T> {
    pub(super) fn to_files(&self, name: Arc<Name>, begin: Arc<Begin<T>>) -> Result<Vec<String>> {
        let written = Arc::<Mutex<BTreeMap<usize, String>>>::default();
        let mut laying: Laying = self.laying();
        let mut counted = None;
        let pipe: Pipe<T> = self.node.lay(&mut laying)?.regroup("write", Box::new(|count| count), |input| {
            let partitions = input.partitions.clone();
            counted = Some(input);
            partitions
        });
        let counted = counted.ok_or_else(|| Error::internal("partitions that are not counted"))?;
        let pipe = Pipe { in_flight: pipe.in_flight + OPEN, ..pipe };
        let named = Mutex::default();
        laying.drain(pipe, Arc::new(Files { name, begin, counted, named, written: written.clone() }));
        let run = self.run(laying);
        let written = std::mem::take(&mut *lock(&written));
        if run.is_err() {
            for path in written.values() {
                // The run's own error says more than one that a file is gone already.
                let _ = std::fs::remove_file(path);
            }
        }
        run.map(|()| written.into_values().collect())
    }

    /// Writes the items as text, one a line, into a file for each partition; returns the paths. The star of `pattern` is the
    /// number of the partition; names that end in `.gz` or `.zst` are packed.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let dir = std::env::temp_dir().join(format!("bag-text-{}", std::process::id()));
    /// std::fs::create_dir_all(&dir).expect("a directory for temporary files");
    /// let words = Bag::from_iter(&session, ["a", "b", "c"], 2);
    /// let paths = words.to_text_files(&format!("{}/words-*.txt.gz", dir.display()))?;
    /// assert!(paths[1].ends_with("words-1.txt.gz"));
    /// assert_eq!(session.read_text(&format!("{}/*.gz", dir.display()))?.collect()?, ["a", "b", "c"]);
    /// # std::fs::remove_dir_all(&dir).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; then files that appeared are removed.
    pub fn to_text_files(&self, pattern: &str) -> Result<Vec<String>>
    where
        T: AsRef<str>,
    {
        self.to_files(Arc::new(by_pattern(pattern)), text_file(line, LINES))
    }

    /// As [`to_text_files`](Self::to_text_files), with a function that names the file of a partition.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let dir = std::env::temp_dir();
    /// let name = move |partition| format!("{}/bag-{}-{partition}.txt", dir.display(), std::process::id());
    /// let paths = Bag::from_iter(&session, ["a", "b"], 2).to_text_files_named(name)?;
    /// assert_eq!(std::fs::read_to_string(&paths[1]).ok().as_deref(), Some("b\n"));
    /// # paths.iter().for_each(|path| std::fs::remove_file(path).unwrap_or_default());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As above; `Query`, where two partitions have the same name.
    pub fn to_text_files_named(&self, name: impl Fn(usize) -> String + Send + Sync + 'static) -> Result<Vec<String>>
    where
        T: AsRef<str>,
    {
        self.to_files(Arc::new(move |partition, _| name(partition)), text_file(line, LINES))
    }

    /// Writes the items as JSON, one a line, into a file for each partition; returns the paths. Names are made as by
    /// [`to_text_files`](Self::to_text_files).
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let pattern = format!("{}/bag-{}-*.jsonl.zst", std::env::temp_dir().display(), std::process::id());
    /// let paths = Bag::range(&session, 0..3, 2).map(|n| (n, "x")).to_json_lines(&pattern)?;
    /// assert_eq!(session.read_json_lines::<(i64, String)>(&paths[1])?.count()?, 2);
    /// # paths.iter().for_each(|path| std::fs::remove_file(path).unwrap_or_default());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever the run meets; `Data`, for an item that is no JSON (a map whose keys are no text).
    pub fn to_json_lines(&self, pattern: &str) -> Result<Vec<String>>
    where
        T: Serialize,
    {
        self.to_files(Arc::new(by_pattern(pattern)), text_file(json, LINES))
    }

    /// As [`to_json_lines`](Self::to_json_lines), each file being one array. Of a pattern without a star there is one file.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let path = format!("{}/bag-{}.json", std::env::temp_dir().display(), std::process::id());
    /// let paths = Bag::range(&session, 0..3, 2).to_json_arrays(&path)?;
    /// assert_eq!(std::fs::read_to_string(&paths[0]).ok().as_deref(), Some("[\n0,\n1,\n2\n]\n"));
    /// assert_eq!(session.read_json_lines::<i64>(&path)?.sum()?, Some(3));
    /// # std::fs::remove_file(&path).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As above.
    pub fn to_json_arrays(&self, pattern: &str) -> Result<Vec<String>>
    where
        T: Serialize,
    {
        self.to_one_or_more(pattern, text_file(json, ARRAY))
    }

    /// Files by a pattern; one, if it has no star.
    pub(super) fn to_one_or_more(&self, pattern: &str, begin: Arc<Begin<T>>) -> Result<Vec<String>> {
        if pattern.contains('*') {
            return self.to_files(Arc::new(by_pattern(pattern)), begin);
        }
        let path = pattern.to_string();
        let name: Arc<Name> = Arc::new(move |_, _| path.clone());
        let written = self.coalesce(1).to_files(name.clone(), begin.clone())?;
        match written.is_empty() {
            // A bag without partitions is a file without items.
            true => Bag::<T>::from_fn(&self.session, 1, |_| std::iter::empty()).to_files(name, begin),
            false => Ok(written),
        }
    }
}

fn line<T: AsRef<str>>(item: &T, bytes: &mut Vec<u8>) -> Result<()> {
    bytes.extend_from_slice(item.as_ref().as_bytes());
    Ok(())
}

fn json<T: Serialize>(item: &T, bytes: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *bytes, item)
        .map_err(|e| Error::data(format!("an item cannot be written as JSON: {e}")).because(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_partitions_do() {
        let name = by_pattern("out/x-*.gz");
        assert_eq!(
            (name(3, 4), name(3, 11), name(100, 101)),
            ("out/x-3.gz".into(), "out/x-03.gz".into(), "out/x-100.gz".into())
        );
        assert_eq!(by_pattern("out/")(0, 1), "out/0.part");
    }
}
