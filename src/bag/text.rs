//! Bags of the lines of files, as text, as bytes, or decoded from JSON.
//!
//! Life of a line:
//!
//! 1. Files are cut into pieces at any byte; a line belongs to the piece in which it starts. A compressed file is one piece.
//! 2. A partition is one piece, or several whole files. Its chain slides a window over the bytes and finds line ends.
//! 3. The item is made from the line's bytes in the window: a decoded record is never copied as text before.
//!
//! What a line lacks to be an item goes to [`faults`](super::faults), with file, line, byte and column. Which line it is, is
//! counted only then: once a piece, and from there on by counting.
//!
//! Limits: UTF-8 only; lines of at most 64 MiB; a JSON document over several lines (one huge array) is refused by name.

use super::Bag;
use super::faults::Faults;
use super::items::{Blocked, Chain, Items, Pulled, Pulse};
use super::node::{Laying, Node, Pipe};
use crate::error::{Error, Place, Result};
use crate::formats::{Split, line_at, shorten, tiles};
use crate::frame::Session;
use crate::io::{Compression, FileRef, Spares, Window, resolve};
use crate::ops::Cx;
use crate::units::ByteSize;
use memchr::memmem::Finder;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Bytes that a reader brings into the cache at a time.
const WINDOW: usize = 512 << 10;
/// Files whose first line is looked at before a bag is made of them: of others the run says what is wrong.
const LOOKED_AT: usize = 8;
/// The longest line.
const LONGEST: usize = 64 << 20;

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
}

/// Makes an item of a line; `None` where there is none.
type Make<T> = dyn Fn(&[u8], &Arc<str>) -> Result<Option<T>> + Send + Sync;

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
        self.lines(path, options, Arc::new(move |line: &[u8], _: &Arc<str>| text(line, policy).map(Some)))
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
        let make = |line: &[u8], path: &Arc<str>| Ok(Some((path.clone(), text(line, InvalidUtf8::Fail)?)));
        self.lines(path, &TextOptions::default(), Arc::new(make))
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
        self.lines(path, options, Arc::new(|line: &[u8], _: &Arc<str>| Ok(Some(line.to_vec()))))
    }

    /// The records of files of JSON lines, decoded straight from the bytes into `T`: a struct that derives `Deserialize`, whose
    /// other fields are skipped, or `serde_json::Value`. Blank lines are no records.
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
    /// `Query`, for files that are not there; `Unsupported`, for a document over several lines.
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
        for file in resolve(&[path.to_string()])?.iter().take(LOOKED_AT) {
            refuse_document(file)?;
        }
        self.lines(path, options, Arc::new(|line: &[u8], _: &Arc<str>| record(line)))
    }

    fn lines<T: Send + 'static>(&self, path: &str, options: &TextOptions, make: Arc<Make<T>>) -> Result<Bag<T>> {
        let files: Arc<[FileRef]> = resolve(&[path.to_string()])?.into();
        let delimiter = Delimiter::of(options)?;
        if options.split_bytes.is_some() && options.files_per_partition.is_some() {
            return Err(usage("split_bytes and files_per_partition do not go together"));
        }
        if options.split_bytes == Some(0) || options.files_per_partition == Some(0) {
            return Err(usage("split_bytes and files_per_partition are at least 1"));
        }
        let name = format!("read {path}");
        Ok(Bag::new(self, Lines { name, files, options: options.clone(), delimiter, make }))
    }
}

/// An error, if the first line of the file is only the beginning of a value.
fn refuse_document(file: &FileRef) -> Result<()> {
    let mut window = Window::whole(file, Spares::default())?;
    window.refill(64 << 10)?;
    let rest = window.rest();
    let line = memchr::memchr(b'\n', rest).map_or(rest, |end| rest.get(..end).unwrap_or_default());
    let opens = line.trim_ascii_start().starts_with(b"[") || line.trim_ascii_start().starts_with(b"{");
    let goes_on = || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|e| e.is_eof());
    if opens && line.len() < rest.len() && goes_on() {
        let place = Place { file: Some(file.path.clone()), line: Some(1), ..Place::default() };
        return Err(Error::unsupported("a JSON document over several lines is not read into a bag yet")
            .at(place)
            .advise("write it as lines first: jq -c '.[]'"));
    }
    Ok(())
}

fn usage(message: &str) -> Error {
    Error::new(crate::error::ErrorKind::Usage, message)
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

/// The error with the column, which for now is all that is known of the place, and the text.
fn bad_at(error: Error, at: usize, line: &[u8]) -> Error {
    let from = if line.len() > 80 { at.saturating_sub(40) } else { 0 };
    let text = shorten(line.get(from..).unwrap_or(line));
    error.at(Place { byte: Some(at as u64), column: Some(format!("{}", at + 1)), text: Some(text), ..Place::default() })
}

/// What lines end with.
#[derive(Clone)]
struct Delimiter {
    finder: Arc<Finder<'static>>,
    /// Whether a `\r` before it goes, too.
    usual: bool,
}

impl Delimiter {
    fn of(options: &TextOptions) -> Result<Self> {
        let bytes = options.delimiter.as_deref().unwrap_or(b"\n");
        let overlaps = (1..bytes.len()).any(|n| bytes.ends_with(bytes.get(..n).unwrap_or_default()));
        if bytes.is_empty() || overlaps {
            return Err(usage(
                "a delimiter must not be empty, nor end as it begins: where a line ends would not be clear",
            ));
        }
        Ok(Delimiter { finder: Arc::new(Finder::new(bytes).into_owned()), usual: options.delimiter.is_none() })
    }

    fn len(&self) -> usize {
        self.finder.needle().len()
    }

    /// Where the first line in `bytes` ends: the line and the place behind its end.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.finder.needle() {
            [one] => memchr::memchr(*one, bytes),
            _ => self.finder.find(bytes),
        }
    }
}

struct Lines<T> {
    name: String,
    files: Arc<[FileRef]>,
    options: TextOptions,
    delimiter: Delimiter,
    make: Arc<Make<T>>,
}

/// What all partitions of a run share.
struct Shared<T> {
    files: Arc<[FileRef]>,
    kinds: Vec<Compression>,
    splits: Vec<Split>,
    /// Splits of a partition.
    together: usize,
    delimiter: Delimiter,
    window: usize,
    spares: Spares,
    make: Arc<Make<T>>,
    faults: Faults,
}

impl<T: 'static> Node<T> for Lines<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let bytes = self.options.split_bytes.unwrap_or_else(|| laying.plan.limits.split_bytes());
        let together = self.options.files_per_partition.unwrap_or(1);
        let (splits, kinds) = tiles(&self.files, |_| true, bytes, self.options.files_per_partition.is_some())?;
        let tasks = splits.len().div_ceil(together);
        let window = bytes.clamp(64, WINDOW);
        let shared = Arc::new(Shared {
            files: self.files.clone(),
            kinds,
            splits,
            together,
            delimiter: self.delimiter.clone(),
            window,
            spares: Spares::default(),
            make: self.make.clone(),
            faults: laying.faults.clone(),
        });
        let open = move |index: usize, _: &Cx| -> Result<Chain<T>> {
            let (from, to) = (index * shared.together, shared.splits.len().min((index + 1) * shared.together));
            Ok(Box::new(Reading { shared: shared.clone(), next: from, end: to, piece: None }))
        };
        Ok(Pipe { in_flight: 3 * window, ..Pipe::of(self.name.clone(), tasks, open) })
    }
}

/// The lines of a partition.
struct Reading<T> {
    shared: Arc<Shared<T>>,
    next: usize,
    end: usize,
    piece: Option<Piece>,
}

/// A piece of a file that is being read.
struct Piece {
    file: FileRef,
    window: Window,
    start: u64,
    /// The offset at which lines are no longer the piece's.
    stop: u64,
    /// Lines that were taken.
    taken: u64,
    /// The number of the first line, once somebody asked.
    first: Option<u64>,
}

/// A line in the window.
struct Line {
    begin: usize,
    end: usize,
    /// Where the next one begins.
    next: usize,
}

impl Piece {
    fn open<T>(shared: &Shared<T>, split: &Split) -> Result<Self> {
        let file = shared.files.get(split.file).ok_or_else(|| Error::internal("no such file"))?.clone();
        let kind = shared.kinds.get(split.file).copied().unwrap_or_default();
        let (window, stop) = match kind {
            Compression::None => {
                // From where an end of the line before would be seen.
                let from = split.range.start.saturating_sub(shared.delimiter.len() as u64);
                (Window::range(&file, from..split.range.end, shared.spares.clone())?, split.range.end)
            }
            kind => (Window::stream(&file, kind, shared.spares.clone())?, u64::MAX),
        };
        let mut piece = Piece { file, window, start: split.range.start, stop, taken: 0, first: None };
        if piece.start > 0 {
            piece.align(&shared.delimiter, shared.window)?;
        } else {
            piece.first = Some(1);
            piece.skip_mark()?;
        }
        Ok(piece)
    }

    /// Goes behind the mark of UTF-8 at the beginning of a file. The first line is the piece's even if the mark is all of it.
    fn skip_mark(&mut self) -> Result<()> {
        self.window.refill(64)?;
        if self.window.rest().len() < 3 {
            self.window.overshoot()?;
        }
        if self.window.rest().starts_with(&[0xEF, 0xBB, 0xBF]) {
            let behind = self.window.pos() + 3;
            self.window.advance_to(behind);
            self.stop = self.stop.max(4);
        }
        Ok(())
    }

    /// Goes to the first line that begins in the piece.
    fn align(&mut self, delimiter: &Delimiter, window: usize) -> Result<()> {
        loop {
            self.window.refill(window)?;
            let rest = self.window.rest();
            if let Some(at) = delimiter.find(rest) {
                let next = self.window.pos() + at + delimiter.len();
                self.window.advance_to(next);
                if self.window.offset(next) >= self.start {
                    return Ok(());
                }
                continue;
            }
            // A delimiter may go on behind what is here.
            let keep = rest.len().min(delimiter.len() - 1);
            self.window.advance_to(self.window.filled() - keep);
            if !self.window.refill(keep + window)? && !self.window.overshoot()? {
                self.window.advance_to(self.window.filled());
                return Ok(());
            }
        }
    }

    /// The next line; `None` at the end of the piece.
    fn line(&mut self, delimiter: &Delimiter, window: usize) -> Result<Option<Line>> {
        let (mut seen, mut begin) = (0, self.window.pos());
        loop {
            if self.window.offset(begin) >= self.stop {
                return Ok(None);
            }
            let rest = self.window.rest();
            if let Some(at) = delimiter.find(rest.get(seen..).unwrap_or_default()) {
                let end = begin + seen + at;
                return Ok(Some(self.cut(begin, end, end + delimiter.len(), delimiter)));
            }
            if rest.len() > LONGEST {
                let message = format!("a line is longer than {}", ByteSize(LONGEST));
                return Err(Error::data(message).at(self.place(Some(self.window.offset(begin)))));
            }
            seen = rest.len().saturating_sub(delimiter.len() - 1);
            let here = rest.len();
            if !self.window.refill(here + window)? && !self.window.overshoot()? && self.window.is_last() {
                begin = self.window.pos();
                let end = self.window.filled();
                return Ok((begin < end).then(|| self.cut(begin, end, end, delimiter)));
            }
            begin = self.window.pos();
        }
    }

    fn cut(&self, begin: usize, end: usize, next: usize, delimiter: &Delimiter) -> Line {
        let line = self.window.bytes().get(begin..end).unwrap_or_default();
        let end = if delimiter.usual && next > end && line.ends_with(b"\r") { end - 1 } else { end };
        Line { begin, end, next }
    }

    fn place(&self, byte: Option<u64>) -> Place {
        Place { file: Some(self.file.path.clone()), byte, ..Place::default() }
    }

    /// Adds file, line and byte to what is wrong with the line at `offset`.
    fn located(&mut self, error: Error, offset: u64, delimiter: &Delimiter) -> Error {
        let lines = delimiter.usual || delimiter.len() == 1;
        let newline = delimiter.finder.needle().first().copied().unwrap_or(b'\n');
        if self.first.is_none() && lines {
            self.first = line_at(&self.file, offset, newline).map(|line| line.saturating_sub(self.taken));
        }
        let place = Place {
            line: self.first.map(|first| first + self.taken),
            ..self.place(Some(offset + error.place().byte.unwrap_or(0)))
        };
        let inner = Place { byte: None, ..error.place().clone() };
        let mut made = Error::new(error.kind(), error.message()).at(inner).at(place);
        if let Some(advice) = error.advice() {
            made = made.advise(advice);
        }
        made
    }
}

impl<T> Reading<T> {
    /// The next item of the open piece; `None` at its end.
    fn item(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Pulled<T>>> {
        let (shared, Some(piece)) = (&*self.shared, &mut self.piece) else { return Ok(None) };
        loop {
            if pulse.is_spent() {
                return Ok(Some(Pulled::Pause));
            }
            let Some(line) = piece.line(&shared.delimiter, shared.window)? else { return Ok(None) };
            let offset = piece.window.offset(line.begin);
            pulse.burn(line.next - line.begin);
            pulse.origin.byte = offset;
            pulse.origin.line = piece.first.map_or(0, |first| first + piece.taken);
            pulse.origin.item += 1;
            let made =
                (shared.make)(piece.window.bytes().get(line.begin..line.end).unwrap_or_default(), &piece.file.path);
            let made = made.map_err(|error| piece.located(error, offset, &shared.delimiter));
            piece.taken += 1;
            piece.window.advance_to(line.next);
            match made {
                Ok(Some(item)) => return Ok(Some(Pulled::Item(item))),
                Ok(None) => {}
                Err(error) => shared.faults.meet(error)?,
            }
        }
    }
}

impl<T> Items<T> for Reading<T> {
    fn begin(&mut self, _pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        Ok(None)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<T>> {
        loop {
            if let Some(pulled) = self.item(pulse)? {
                return Ok(pulled);
            }
            self.piece = None;
            if self.next >= self.end {
                return Ok(Pulled::End);
            }
            let Some(split) = self.shared.splits.get(self.next) else { return Ok(Pulled::End) };
            let piece = Piece::open(&self.shared, split)?;
            self.next += 1;
            pulse.origin.file = Some(piece.file.path.clone());
            self.piece = Some(piece);
        }
    }
}
