//! One scan of a table: its splits, and for each file where its records begin and how many quotes its splits have.
//!
//! Whether a split begins inside quotes is the parity of the quotes before it. A split is read once, as a whole: its reader
//! tells its parity before it looks for its first record. Since splits are opened in order, the few that other workers
//! have in hand have mostly told theirs by then; what is still missing is read by who needs it.

use super::decode::Column;
use super::dialect::{Dialect, WHOLE, behind_skipped, first_record};
use super::options::Ragged;
use super::reader::CsvReader;
use super::structure::{Piece, Structure, odd};
use crate::error::{Error, Place, Result};
use crate::formats::faults::OnError;
use crate::formats::text::{Declared, WINDOW, longest_of, tiles};
use crate::formats::{FileRef, Scan, ScanSpec, Split, SplitReader, Table};
use crate::io::{AHEAD, Compression, InputFile, Spares, Window};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// The most bytes before the first record: lines to skip and the header.
const HEAD: usize = 4 << 20;
/// The most bytes of a split, which is read at one time. (Splits of 8 MiB, counted in one pass over the file and read in
/// another, took a tenth more time.)
const SPLIT: usize = 1 << 20;

/// One scan, shared by its tasks.
pub(super) struct CsvScan(Arc<Shared>);

/// What all readers of a scan share.
pub(super) struct Shared {
    pub(super) table: Arc<Table>,
    pub(super) spec: ScanSpec,
    pub(super) dialect: Dialect,
    /// The columns that the filter wants, and the schema of them.
    pub(super) filter: Vec<Column>,
    pub(super) filter_schema: SchemaRef,
    /// The columns that are wanted, and the schema of them.
    pub(super) wanted: Vec<Column>,
    pub(super) wanted_schema: SchemaRef,
    /// Bytes that a reader brings into the cache at a time.
    pub(super) window: usize,
    /// Bytes of a split.
    split_bytes: usize,
    /// The longest record, in bytes.
    pub(super) longest: usize,
    pub(super) spares: Spares,
    /// What becomes of rows and values that cannot be read.
    pub(super) on_error: OnError,
    /// The columns that decide whether a row is left out.
    pub(super) checked: Vec<Column>,
    splits: Vec<Split>,
    files: Vec<State>,
}

/// What is known of a file.
struct State {
    compression: Compression,
    /// The number of its first split.
    first: usize,
    /// Where its records begin.
    body: Mutex<Option<u64>>,
    /// The parity of the quotes of each split, or `UNKNOWN`.
    parity: Vec<AtomicU8>,
    /// How many of the first splits are known, doubled, and their parity together.
    known: AtomicUsize,
}

const UNKNOWN: u8 = 2;

impl CsvScan {
    pub(super) fn new(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Self> {
        let mut dialect = Dialect::of(&table.def, &table.files)?;
        let settled = |(name, value): (&str, &str)| table.stats.settled.get(name).is_some_and(|text| text == value);
        dialect.settle(settled);
        let declared = Declared::of(&table.def)?;
        let on_error = OnError::of(&table.def.options)?;
        // Whether a split begins inside quotes is not to be told by counting them, where some of them are wrong.
        let one = dialect.said.one_piece || settled(WHOLE);
        let whole = one || !dialect.marks.is_plain() || dialect.said.limit.is_some();
        let split_bytes = split_bytes.min(SPLIT);
        let (splits, kinds) = tiles(&table.files, |file| spec.reads(file), split_bytes, whole)?;
        let column = |index: &usize| -> Result<Column> {
            let field = table.schema.fields().get(*index).ok_or_else(|| Error::internal("no such column"))?;
            let mut column = Column::new(*index, field.data_type(), declared.get(*index, field.name()).is_none())?;
            column.keeps_empty = dialect.said.keep_empty.contains(field.name());
            Ok(column)
        };
        if let Some(name) = dialect.said.keep_empty.iter().find(|n| table.schema.index_of(n).is_err()) {
            return Err(Error::query(format!("option force_not_null: there is no column {name:?}")));
        }
        let columns = |list: &[usize]| -> Result<Vec<Column>> { list.iter().map(column).collect() };
        let of_filter = spec.filter.as_ref().map(|f| f.columns.clone()).unwrap_or_default();
        let schema = |list: &[usize]| -> Result<SchemaRef> {
            let projected: Schema = table.schema.project(list)?;
            Ok(Arc::new(projected))
        };
        let all: Vec<usize> = (0..table.schema.fields().len()).collect();
        let read: Vec<usize> =
            all.iter().copied().filter(|c| spec.projection.contains(c) || of_filter.contains(c)).collect();
        let shared = Shared {
            checked: columns(if on_error == OnError::Reject { &all } else { &read })?,
            on_error,
            filter: columns(&of_filter)?,
            filter_schema: schema(&of_filter)?,
            wanted: columns(&spec.projection)?,
            wanted_schema: schema(&spec.projection)?,
            window: split_bytes.clamp(64, WINDOW),
            split_bytes,
            longest: longest_of(dialect.said.longest, spec.budget.as_ref()),
            spares: Spares::default(),
            files: states(&splits, kinds),
            splits,
            dialect,
            spec,
            table: table.clone(),
        };
        Ok(CsvScan(Arc::new(shared)))
    }
}

fn states(splits: &[Split], kinds: Vec<Compression>) -> Vec<State> {
    let state = |(file, compression)| {
        let first = splits.partition_point(|s| s.file < file);
        let count = splits.partition_point(|s| s.file <= file) - first;
        let parity = (0..count).map(|_| AtomicU8::new(UNKNOWN)).collect();
        State { compression, first, body: Mutex::new(None), parity, known: AtomicUsize::new(0) }
    };
    kinds.into_iter().enumerate().map(state).collect()
}

impl Scan for CsvScan {
    fn splits(&self) -> &[Split] {
        &self.0.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(CsvReader::open(&self.0, index)?))
    }

    fn floor(&self) -> usize {
        let packed = self.0.files.iter().any(|f| f.compression != Compression::None);
        self.0.reader_bytes() + if packed { AHEAD } else { 0 }
    }

    fn rest(&self) {
        self.0.spares.clear();
    }
}

impl Shared {
    /// Bytes that a reader takes, but for long records: the window and the one that views may hold back, and places of
    /// fields (4 bytes for each 4 bytes, at most).
    pub(super) fn reader_bytes(&self) -> usize {
        2 * self.window.max(self.split_bytes) + self.window
    }

    pub(super) fn file(&self, split: &Split) -> Result<&FileRef> {
        self.table.files.get(split.file).ok_or_else(|| Error::internal("no such file"))
    }

    /// Whether the file of a split is in several.
    pub(super) fn is_cut(&self, split: &Split) -> bool {
        split.range.start > 0 || self.file(split).is_ok_and(|file| split.range.end < file.end())
    }

    /// Whether nothing of the rows is looked at.
    pub(super) fn only_counts(&self) -> bool {
        self.wanted.is_empty() && self.filter.is_empty() && !self.leaves()
    }

    /// Whether something may be left out.
    pub(super) fn leaves(&self) -> bool {
        self.on_error.is_lenient() || self.dialect.said.ragged == Ragged::Reject
    }

    pub(super) fn split(&self, index: usize) -> Result<&Split> {
        self.splits.get(index).ok_or_else(|| Error::internal("no such split"))
    }

    /// A window at the first record that begins in the split, and the offset at which records are no longer the
    /// split's; `None` where none begins in it.
    pub(super) fn window_at(&self, index: usize) -> Result<Option<(Window, u64)>> {
        let split = self.split(index)?;
        let (file, state) = (self.file(split)?, self.state(split)?);
        let body = self.body(file, state)?;
        if state.compression != Compression::None {
            let mut window = Window::stream(file, state.compression, self.spares.clone())?;
            window.refill(body as usize)?;
            window.advance_to(body as usize);
            return Ok(Some((window, u64::MAX)));
        }
        if split.range.end <= body {
            return Ok(None);
        }
        if split.range.start <= body {
            let range = body..split.range.end;
            return Ok(Some((Window::range(file, range.clone(), self.spares.clone())?, range.end)));
        }
        self.align(index, split, state, body)
    }

    fn state(&self, split: &Split) -> Result<&State> {
        self.files.get(split.file).ok_or_else(|| Error::internal("no such file"))
    }

    /// Reads a split, and goes from the byte before it to the first record that begins in it.
    fn align(&self, index: usize, split: &Split, state: &State, body: u64) -> Result<Option<(Window, u64)>> {
        let (file, range, marks) = (self.file(split)?, split.range.clone(), &self.dialect.marks);
        let mut window = Window::range(file, range.start - 1..range.end, self.spares.clone())?;
        let all = usize::try_from(range.end - range.start + 1).unwrap_or(usize::MAX).min(self.split_bytes + 1);
        while window.filled() < all && window.refill(all)? {}
        let mut inside = match marks.quote {
            Some(quote) => {
                let parity = window.rest().get(1..all).map(|text| odd(text, quote));
                if let (Some(parity), Some(slot)) = (parity, state.parity.get(index - state.first)) {
                    slot.store(u8::from(parity), Relaxed);
                }
                // Of the quotes before the byte before the split.
                self.inside(index, state, body, quote)? ^ (window.rest().first() == Some(&quote))
            }
            None => false,
        };
        let quote = marks.quote.unwrap_or(marks.newline);
        loop {
            let rest = window.rest();
            for at in memchr::memchr2_iter(quote, marks.newline, rest) {
                if rest.get(at) != Some(&marks.newline) {
                    inside = !inside;
                } else if !inside {
                    let pos = window.pos() + at + 1;
                    let begins = window.offset(pos) < range.end;
                    window.advance_to(pos);
                    return Ok(begins.then_some((window, range.end)));
                }
            }
            window.advance_to(window.filled());
            if !window.refill(self.window)? {
                return Ok(None);
            }
        }
    }

    /// Whether the first byte of a split is inside quotes.
    fn inside(&self, index: usize, state: &State, body: u64, quote: u8) -> Result<bool> {
        let known = state.known.load(Relaxed);
        let (from, mut inside) = (state.first + known / 2, known % 2 == 1);
        if from > index {
            (state.first..index).try_fold(false, |inside, i| Ok(inside ^ self.parity_of(i, state, body, quote)?))
        } else {
            for i in from..index {
                inside ^= self.parity_of(i, state, body, quote)?;
            }
            state.known.fetch_max((index - state.first) * 2 + usize::from(inside), Relaxed);
            Ok(inside)
        }
    }

    /// The parity of the quotes of one split, behind the file's head.
    fn parity_of(&self, index: usize, state: &State, body: u64, quote: u8) -> Result<bool> {
        let split = self.split(index)?;
        let slot = state.parity.get(index - state.first);
        match slot.map(|s| s.load(Relaxed)) {
            Some(parity) if parity != UNKNOWN => return Ok(parity == 1),
            _ => {}
        }
        let input = InputFile::open(self.file(split)?)?;
        let mut buffer = vec![0; self.window.min(256 << 10)];
        let (mut at, mut parity) = (split.range.start.max(body), false);
        while at < split.range.end {
            let want = buffer.len().min((split.range.end - at) as usize);
            let read = input.read_at(buffer.get_mut(..want).unwrap_or_default(), at)?;
            parity ^= odd(buffer.get(..read).unwrap_or_default(), quote);
            at += read.max(1) as u64;
        }
        if let Some(slot) = slot {
            slot.store(u8::from(parity), Relaxed);
        }
        Ok(parity)
    }

    /// Where the records of a file begin: behind a byte order mark, skipped lines and the header, which must name the
    /// table's columns.
    fn body(&self, file: &FileRef, state: &State) -> Result<u64> {
        let mut known = state.body.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(body) = *known {
            return Ok(body);
        }
        let place = Place { file: Some(file.path.clone()), ..Place::default() };
        let body = self.find_body(file).map_err(|e| e.at(place))?;
        *known = Some(body);
        Ok(body)
    }

    fn find_body(&self, file: &FileRef) -> Result<u64> {
        let mut window = Window::whole(file, Spares::default())?;
        let mut want = 16 << 10;
        loop {
            window.refill(want)?;
            if let Some(body) = self.body_in(&window)? {
                return Ok(body);
            }
            if window.is_last() || want >= HEAD {
                return Err(Error::data("no end of the header within the first 4 MiB"));
            }
            want *= 4;
        }
    }

    fn body_in(&self, window: &Window) -> Result<Option<u64>> {
        let marks = &self.dialect.marks;
        let text = window.rest();
        let start = behind_skipped(text, self.dialect.skip, marks.newline);
        if start == text.len() && !window.is_last() && self.dialect.skip > 0 {
            return Ok(None);
        }
        if !self.dialect.header {
            return Ok(Some(start as u64));
        }
        let (end, last) = (window.filled(), window.is_last() || text.is_empty());
        let mut found = Structure::default();
        let mut start = start;
        loop {
            let piece = Piece { start, end, stop: end, last, max_rows: 1, rows_only: true };
            let broken = |_| Error::data("the header has a quote in the middle of a field, or one that is not closed");
            let scanned = found.scan(window.bytes(), marks, piece).map_err(broken);
            if found.row_ends.is_empty() {
                scanned?; // what is broken below the header is the reader's to tell
                return Ok(last.then_some(end as u64));
            }
            let next = found.row_end(0) + 1;
            let comment = marks.comment.is_some() && window.bytes().get(start).copied() == marks.comment;
            if !comment && !super::rows::is_blank(window.bytes(), start, next - 1) {
                self.check_header(window.bytes().get(start..next.min(end)).unwrap_or_default())?;
                return Ok(Some(next.min(end) as u64));
            }
            start = next;
        }
    }

    fn check_header(&self, record: &[u8]) -> Result<()> {
        let header = first_record(record, &self.dialect.marks);
        if !self.dialect.named_by_header && self.dialect.width(&header) == self.dialect.names.len() {
            return Ok(());
        }
        let names = self.dialect.named(&header)?;
        if self.dialect.named_by_header && names == self.dialect.names {
            return Ok(());
        }
        let message = format!(
            "the header names {}, but that of the first file {}",
            names.join(", "),
            self.dialect.names.join(", ")
        );
        Err(Error::data(message).advise("union_by_name => true reads files of different columns as one table"))
    }
}
