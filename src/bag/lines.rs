//! The lines of files, or the records of JSON documents, piece by piece.
//!
//! Life of a line:
//!
//! 1. Files are cut into pieces at any byte; a line belongs to the piece in which it starts. A compressed file is one piece,
//!    and so is a document: one array, or values over several lines.
//! 2. A partition is one piece, or several whole files. Its chain slides a window over the bytes and finds line ends, or
//!    where the next record of a document ends: of it only that record is in memory.
//! 3. The line's bytes in the window are made an item ([`text`](super::text)).
//!
//! What a line lacks to be an item goes to [`faults`](super::faults), with file, line, byte and column. Which line it is,
//! counted only then: once a piece, and from there on by counting.
//!
//! Limit: lines and records of at most an eighth of the budget; what the window grows to for them is accounted for.

use super::faults::Faults;
use super::items::{Blocked, Chain, Items, Pulled, Pulse};
use super::node::{Laying, Node, Pipe};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::formats::json_text::{Malformed, Text};
use crate::formats::{Document, Growth, HEAD, Next, Split, document_of, is_document, line_at, longest_record, tiles};
use crate::io::{Compression, FileRef, RemoteFile, Spares, Window};
use crate::memory::Budget;
use crate::ops::Cx;
use crate::units::ByteSize;
use memchr::memmem::Finder;
use std::sync::Arc;

/// Bytes that a reader brings into the cache at a time.
const WINDOW: usize = 512 << 10;

/// What lines end with.
#[derive(Clone)]
pub(super) struct Delimiter {
    finder: Arc<Finder<'static>>,
    /// Whether a `\r` before it goes, too.
    usual: bool,
}

impl Delimiter {
    /// `given`, or newlines.
    ///
    /// # Errors
    /// `Usage`, for one that leaves open where a line ends.
    pub(super) fn of(given: Option<&[u8]>) -> Result<Self> {
        let bytes = given.unwrap_or(b"\n");
        let overlaps = (1..bytes.len()).any(|n| bytes.ends_with(bytes.get(..n).unwrap_or_default()));
        if bytes.is_empty() || overlaps {
            return Err(Error::new(
                ErrorKind::Usage,
                "a delimiter must not be empty, nor end as it begins: where a line ends would not be clear",
            ));
        }
        Ok(Delimiter { finder: Arc::new(Finder::new(bytes).into_owned()), usual: given.is_none() })
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

/// Makes items of the lines of a partition. It may keep something from line to line.
pub(super) trait Make<T>: Send {
    /// What is made of a line of a file, and of what was kept before; `None` where there is nothing yet.
    fn make(&mut self, line: &[u8], file: &Arc<str>) -> Result<Option<T>>;

    /// What was kept, when there are no more lines.
    fn rest(&mut self) -> Option<T> {
        None
    }
}

impl<T, F: FnMut(&[u8], &Arc<str>) -> Result<Option<T>> + Send> Make<T> for F {
    fn make(&mut self, line: &[u8], file: &Arc<str>) -> Result<Option<T>> {
        self(line, file)
    }
}

/// Makes what makes the items of a partition.
pub(super) type Maker<T> = dyn Fn() -> Box<dyn Make<T>> + Send + Sync;

/// The lines of files, each made an item by `make`.
pub(super) struct Lines<T> {
    pub(super) name: String,
    pub(super) files: Arc<[FileRef]>,
    pub(super) split_bytes: Option<usize>,
    /// Whole files of a partition, where files are not cut.
    pub(super) together: Option<usize>,
    pub(super) delimiter: Delimiter,
    /// Where the records of documents are, in files that may be such: behind these keys.
    pub(super) records: Option<Arc<[String]>>,
    pub(super) make: Arc<Maker<T>>,
}

/// What all partitions of a run share.
struct Shared<T> {
    files: Arc<[FileRef]>,
    kinds: Vec<Compression>,
    splits: Vec<Split>,
    /// Whether a file is a document, where that was to be known before it was cut.
    documents: Vec<Option<bool>>,
    records: Option<Arc<[String]>>,
    /// Splits of a partition.
    together: usize,
    delimiter: Delimiter,
    window: usize,
    spares: Spares,
    budget: Option<Budget>,
    longest: usize,
    make: Arc<Maker<T>>,
    faults: Faults,
}

impl<T: 'static> Node<T> for Lines<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let bytes = self.split_bytes.unwrap_or_else(|| laying.plan.limits.split_bytes());
        let together = self.together.unwrap_or(1);
        let documents = self.documents(bytes)?;
        let is_whole = |file: usize| documents.get(file).copied().flatten().unwrap_or(false);
        let (mut splits, kinds) = tiles(&self.files, |file| !is_whole(file), bytes, self.together.is_some())?;
        let (whole, _) = tiles(&self.files, is_whole, bytes, true)?;
        splits.extend(whole);
        splits.sort_by_key(|split| (split.file, split.range.start));
        let tasks = splits.len().div_ceil(together);
        let window = bytes.clamp(64, WINDOW);
        let (files, lease) = RemoteFile::of_query(&self.files, &laying.plan.stages.graph.cancel);
        let shared = Arc::new(Shared {
            files,
            kinds,
            splits,
            documents,
            records: self.records.clone(),
            together,
            delimiter: self.delimiter.clone(),
            window,
            spares: Spares::default(),
            longest: longest_record(laying.plan.budget.as_ref()),
            budget: laying.plan.budget.clone(),
            make: self.make.clone(),
            faults: laying.faults.clone(),
        });
        let open = move |index: usize, _: &Cx| -> Result<Chain<T>> {
            let (from, to) = (index * shared.together, shared.splits.len().min((index + 1) * shared.together));
            let make = (shared.make)();
            Ok(Box::new(Reading { shared: shared.clone(), make, next: from, end: to, piece: None }))
        };
        Ok(Pipe { in_flight: 3 * window + lease, ..Pipe::of(self.name.clone(), tasks, open) })
    }
}

impl<T> Lines<T> {
    /// Which files are documents, of those that would be cut otherwise.
    fn documents(&self, split_bytes: usize) -> Result<Vec<Option<bool>>> {
        let known = |file: &FileRef| match &self.records {
            None => Ok(Some(false)),
            Some(_) if file.pipe.is_some() || file.size <= split_bytes as u64 => Ok(None),
            Some(path) => is_document(file, path).map(Some),
        };
        self.files.iter().map(known).collect()
    }
}

/// The lines of a partition.
struct Reading<T> {
    shared: Arc<Shared<T>>,
    make: Box<dyn Make<T>>,
    next: usize,
    end: usize,
    piece: Option<Piece>,
}

/// A piece of a file that is being read.
struct Piece {
    file: FileRef,
    window: Window,
    /// Where its records are, if it has none a line.
    document: Option<Document>,
    growth: Growth,
    /// The longest line, in bytes.
    longest: usize,
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
        let growth = Growth::new(shared.budget.as_ref(), 2 * shared.window);
        let (start, longest) = (split.range.start, shared.longest);
        let mut piece = Piece { file, window, document: None, growth, longest, start, stop, taken: 0, first: None };
        if piece.start > 0 {
            piece.align(&shared.delimiter, shared.window)?;
        } else {
            piece.first = Some(1);
            piece.skip_mark()?;
            let known = shared.documents.get(split.file).copied().flatten();
            if let Some(path) = shared.records.as_ref().filter(|_| known != Some(false)) {
                piece.window.refill(HEAD)?;
                piece.document = document_of(piece.window.rest(), piece.window.is_last(), path);
            }
        }
        Ok(piece)
    }

    /// The next line or record; `None` at the end of the piece.
    #[inline]
    fn next(&mut self, delimiter: &Delimiter, window: usize) -> Result<Option<Line>> {
        match self.document.is_some() {
            false => self.line(delimiter, window),
            true => self.next_record(window),
        }
    }

    #[inline(never)]
    fn next_record(&mut self, window: usize) -> Result<Option<Line>> {
        let Some(mut document) = self.document.take() else { return Ok(None) };
        // Behind what is no JSON there are no further records.
        let record = self.record(&mut document, window)?;
        self.document = Some(document);
        Ok(record)
    }

    /// The next record of a document.
    fn record(&mut self, document: &mut Document, window: usize) -> Result<Option<Line>> {
        loop {
            let text = Text { bytes: self.window.bytes().get(..self.window.filled()).unwrap_or_default() };
            match document.next(text, self.window.pos(), self.window.is_last()) {
                Ok(Next::Record(begin, end)) => return Ok(Some(Line { begin, end, next: end })),
                Ok(Next::End(_)) => return Ok(None),
                Ok(Next::More(at)) => self.window.advance_to(at),
                Err(Malformed(at)) => {
                    let what = if at < text.bytes.len() { "the text is no JSON" } else { "the text ends too early" };
                    let place = self.place(Some(self.window.offset(at)));
                    return Err(
                        Error::data(format!("{what}; behind that no record of the document is found")).at(place)
                    );
                }
            }
            let here = self.window.rest().len();
            if here > self.longest {
                return Err(self.too_long("a record"));
            }
            if !self.window.refill(window)? {
                self.window.overshoot()?;
            }
            self.growth.see(&self.window);
        }
    }

    fn too_long(&self, what: &str) -> Error {
        let message = format!("{what} is longer than {}", ByteSize(self.longest));
        let error = Error::resources(message).advise("raise --memory: it takes at most an eighth of it");
        error.at(self.place(Some(self.window.offset(self.window.pos()))))
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
            if rest.len() > self.longest {
                return Err(self.too_long("a line"));
            }
            seen = rest.len().saturating_sub(delimiter.len() - 1);
            let here = rest.len();
            if !self.window.refill(here + window)? && !self.window.overshoot()? && self.window.is_last() {
                begin = self.window.pos();
                let end = self.window.filled();
                return Ok((begin < end).then(|| self.cut(begin, end, end, delimiter)));
            }
            begin = self.window.pos();
            self.growth.see(&self.window);
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

    /// The number of the line in hand, where that is known.
    fn line_number(&self) -> Option<u64> {
        self.first.filter(|_| self.document.is_none()).map(|first| first + self.taken)
    }

    /// Adds file, line and byte to what is wrong with the line at `offset`.
    fn located(&mut self, error: Error, offset: u64, delimiter: &Delimiter) -> Error {
        let lines = delimiter.usual || delimiter.len() == 1;
        let newline = delimiter.finder.needle().first().copied().unwrap_or(b'\n');
        if self.first.is_none() && lines {
            self.first = line_at(&self.file, offset, newline).map(|line| line.saturating_sub(self.taken));
        }
        let place = Place { line: self.line_number(), ..self.place(Some(offset + error.place().byte.unwrap_or(0))) };
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
            let line = match piece.next(&shared.delimiter, shared.window) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                Err(error) => {
                    // A document that is broken; the files behind it may be sound.
                    shared.faults.meet(error)?;
                    return Ok(None);
                }
            };
            let offset = piece.window.offset(line.begin);
            pulse.burn(line.next - line.begin);
            pulse.origin.byte = offset;
            pulse.origin.line = piece.line_number().unwrap_or(0);
            pulse.origin.item += 1;
            let text = piece.window.bytes().get(line.begin..line.end).unwrap_or_default();
            let made = self.make.make(text, &piece.file.path);
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
            let Some(split) = self.shared.splits.get(self.next).filter(|_| self.next < self.end) else {
                return Ok(self.make.rest().map_or(Pulled::End, Pulled::Item));
            };
            let piece = Piece::open(&self.shared, split)?;
            self.next += 1;
            pulse.origin.file = Some(piece.file.path.clone());
            self.piece = Some(piece);
        }
    }
}
