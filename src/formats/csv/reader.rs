//! Reads one split: windows of text to batches.

use super::decode::{Bad, Column, Decoder};
use super::footer;
use super::lenient;
use super::rows::{Rows, Uneven};
use super::scan::Shared;
use super::structure::{Broken, Piece, Structure};
use crate::error::{Error, Place, Result};
use crate::formats::faults::Leaving;
use crate::formats::text::{Growth, PATIENCE, check_utf8, kept, line_at, longer_advice, narrow, shorten};
use crate::formats::{FileRef, SplitReader};
use crate::io::Window;
use crate::units::ByteSize;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use std::sync::Arc;

/// See the head of this file.
pub(super) struct CsvReader {
    pub(super) scan: Arc<Shared>,
    pub(super) file: FileRef,
    /// Who is told of rows that are left out, where they are.
    pub(super) leaving: Option<Leaving>,
    /// The text, and the offset at which records are no longer the split's.
    pub(super) input: Option<(Window, u64)>,
    pub(super) found: Structure,
    /// Bytes that a batch takes, from the last one.
    want: usize,
    /// Rows that are counted but not handed over yet.
    counted: usize,
    /// Rows that may still come.
    left: u64,
    /// Whether the split is not its file's first: what is wrong may be wrong because a quote before it was.
    later: bool,
    /// Whether the split is only a part of its file.
    cut: bool,
    /// Where lines begin that are no rows, at the end of the file.
    footer: u64,
    /// What a long record takes above the scan's floor.
    growth: Growth,
}

impl CsvReader {
    pub(super) fn open(scan: &Arc<Shared>, index: usize) -> Result<Self> {
        let split = scan.split(index)?;
        let file = scan.file(split)?.clone();
        let footer = footer::begin_of(&file, &scan.dialect.said, scan.dialect.marks.newline)?;
        let input = scan.window_at(index)?.map(|(window, stop)| (window, stop.min(footer)));
        let newline = scan.dialect.marks.newline;
        let leave =
            |(window, _): &(Window, u64)| Leaving::new(&scan.spec.rejects, &file, window.offset(window.pos()), newline);
        let leaving = input.as_ref().filter(|_| scan.leaves()).map(leave);
        let cut = scan.is_cut(split);
        let (left, later) = (scan.dialect.said.limit.unwrap_or(u64::MAX), split.range.start > 0);
        let (found, want) = (Structure::default(), scan.window);
        let growth = Growth::new(scan.spec.budget.as_ref(), scan.reader_bytes());
        let scan = scan.clone();
        Ok(CsvReader { scan, file, leaving, input, found, want, counted: 0, left, later, cut, footer, growth })
    }

    /// Finds the next rows; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let Some((window, stop)) = &mut self.input else { return Ok(false) };
        if self.left == 0 {
            return Ok(false);
        }
        window.refill(self.want)?;
        loop {
            let (start, end) = (window.pos(), window.place(self.footer));
            let last = window.is_last() || window.offset(end) >= self.footer;
            if window.offset(start) >= *stop {
                return Ok(false);
            }
            let rows_only = self.scan.only_counts();
            let max_rows = if rows_only { usize::MAX } else { self.scan.spec.batch_rows.max(1) };
            let piece = Piece { start, end, stop: window.place(*stop), last, max_rows, rows_only };
            if start < end {
                let scanned = self.found.scan(window.bytes(), &self.scan.dialect.marks, piece);
                self.growth.note(window.bytes().len() + self.found.bytes());
                let found = !self.found.row_ends.is_empty();
                let lenient = self.scan.on_error.is_lenient();
                match (scanned, &mut self.leaving) {
                    (Ok(()), _) if found && !lenient => {
                        check_lengths(&self.found, window, &self.scan, &self.file)?;
                        return Ok(true);
                    }
                    (_, Some(_)) if found => return Ok(true),
                    (Ok(()), _) => {}
                    // Where the splits behind begin was told by all quotes: a new start reads the file in one piece.
                    (Err(b), Some(_)) if lenient && self.cut => {
                        return Err(broken(b, window, &self.scan, &self.file).misfit());
                    }
                    (Err(b), Some(leaving)) if lenient && !self.scan.dialect.may_be_otherwise(b) => {
                        lenient::leave_line(leaving, window, self.scan.dialect.marks.newline, b.reason())?;
                        continue;
                    }
                    (Err(b), _) => {
                        return Err(doubted(broken(b, window, &self.scan, &self.file), &self.scan, self.later));
                    }
                }
            }
            let most = self.scan.longest;
            if end - start > most {
                if let Some(leaving) = self.leaving.as_mut().filter(|_| self.scan.on_error.is_lenient()) {
                    let reason = format!("a record is longer than {}", ByteSize(most));
                    lenient::leave_line(leaving, window, self.scan.dialect.marks.newline, &reason)?;
                    continue;
                }
                return Err(too_long(start, window, &self.scan, &self.file));
            }
            if !window.overshoot()? && window.is_last() && window.rest().is_empty() {
                return Ok(false);
            }
        }
    }

    /// Counts rows; nothing else is wanted.
    fn count(&mut self) -> Result<Option<RecordBatch>> {
        while self.counted == 0 {
            if !self.advance()? {
                return Ok(None);
            }
            let Some((window, _)) = &mut self.input else { return Ok(None) };
            let rows = self.found.row_ends.len();
            let shape = self.scan.dialect.shape();
            let mut none = 0;
            for r in 0..rows {
                let (at, end) = (self.found.row_start(r), self.found.row_end(r));
                let blank = shape.columns > 1 && super::rows::is_blank(window.bytes(), at, end);
                let comment = shape.is_comment(window.bytes(), at, end);
                none += usize::from(blank || comment.map_err(|u| uneven(u, window, &self.scan, &self.file))?);
            }
            let left = usize::try_from(self.left).unwrap_or(usize::MAX);
            self.counted = (rows - none).min(left);
            self.left -= self.counted as u64;
            window.advance_to(self.found.row_end(rows - 1) + 1);
        }
        let rows = self.counted.min(self.scan.spec.batch_rows.max(1));
        self.counted -= rows;
        batch(&self.scan, Vec::new(), rows).map(Some)
    }

    /// Decodes the rows found, those that the filter keeps. Rows of another length are left out, where that is wanted.
    fn decode(&mut self) -> Result<Option<RecordBatch>> {
        let Some((window, _)) = &self.input else { return Ok(None) };
        let scan = &*self.scan;
        let (mut spare, shape) = (Vec::new(), scan.dialect.shape());
        let mut rows = match &mut self.leaving {
            None => Rows::new(window.bytes(), &self.found, &mut spare, &shape)
                .map_err(|u| doubted(uneven(u, window, scan, &self.file), scan, self.later))?,
            Some(leaving) => {
                let mut leave = |row: Uneven| leaving.leave(lenient::fault_of(row, shape.columns), window);
                Rows::regular(window.bytes(), &self.found, &mut spare, &shape, &mut leave)
            }
        };
        rows.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= rows.len() as u64;
        if rows.len() == 0 {
            return Ok(None);
        }
        if scan.wanted.iter().chain(&scan.filter).any(Column::is_text) {
            self.check_text(window, &rows)?;
        }
        let buffer = window.buffer();
        let job = Job { reader: self, window, rows: &rows, buffer: &buffer };
        job.run()
    }

    /// Checks the text of all fields at once; only where that fails, of the wanted ones.
    fn check_text(&self, window: &Window, rows: &Rows<'_>) -> Result<()> {
        let (start, end) = rows.extent();
        let all = window.bytes().get(start..end).unwrap_or_default();
        if simdutf8::basic::from_utf8(all).is_ok() {
            return Ok(());
        }
        for row in 0..rows.len() {
            for column in self.scan.wanted.iter().chain(&self.scan.filter).filter(|c| c.is_text()) {
                let at = window.offset(rows.field(row, column.index).0);
                let name = self.scan.dialect.names.get(column.index).cloned();
                check_utf8(rows.text(row, column.index), &self.file, at, self.scan.dialect.marks.newline)
                    .map_err(|e| e.at(Place { column: name, ..Place::default() }))?;
            }
        }
        Ok(())
    }
}

impl SplitReader for CsvReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.scan.only_counts() {
            return self.count();
        }
        let mut passed = 0;
        while self.advance()? {
            let decoded = if self.scan.on_error.is_lenient() { self.decode_leniently()? } else { self.decode()? };
            let Some((window, _)) = &mut self.input else { return Ok(None) };
            let end = self.found.row_end(self.found.row_ends.len() - 1) + 1;
            if let Some(leaving) = &mut self.leaving {
                leaving.passed(end, window);
            }
            let took = end - window.pos();
            window.advance_to(end);
            passed += took;
            let full = self.found.row_ends.len() >= self.scan.spec.batch_rows;
            self.want = if full { (took + took / 8).clamp(64, self.scan.window) } else { self.scan.window };
            match decoded {
                Some(batch) if batch.num_rows() > 0 => return Ok(Some(batch)),
                _ if passed >= PATIENCE => return batch(&self.scan, empty(&self.scan), 0).map(Some),
                _ => {}
            }
        }
        Ok(None)
    }
}

fn empty(scan: &Shared) -> Vec<ArrayRef> {
    scan.wanted.iter().map(|c| arrow::array::new_empty_array(&c.wanted)).collect()
}

pub(super) fn batch(scan: &Shared, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(scan.wanted_schema.clone(), columns, &options)?)
}

/// One batch being decoded.
struct Job<'a> {
    reader: &'a CsvReader,
    window: &'a Window,
    rows: &'a Rows<'a>,
    buffer: &'a Buffer,
}

impl Job<'_> {
    fn run(&self) -> Result<Option<RecordBatch>> {
        let scan = &*self.reader.scan;
        let Some(filter) = &scan.spec.filter else {
            let columns = scan.wanted.iter().map(|c| self.column(c, None)).collect::<Result<_>>()?;
            return batch(scan, columns, self.rows.len()).map(Some);
        };
        let tested: Vec<ArrayRef> = scan.filter.iter().map(|c| self.column(c, None)).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        let input = RecordBatch::try_new_with_options(scan.filter_schema.clone(), tested.clone(), &options)?;
        let mask = (filter.eval)(&input)?;
        let kept = kept(&mask);
        if kept.is_empty() {
            return Ok(None);
        }
        let all = kept.len() == self.rows.len();
        let column = |c: &Column| -> Result<ArrayRef> {
            let known = scan.filter.iter().position(|f| f.index == c.index).and_then(|i| tested.get(i));
            match known {
                Some(array) if all => Ok(array.clone()),
                Some(array) => Ok(arrow::compute::filter(array, &mask)?),
                None => self.column(c, (!all).then_some(kept.as_slice())),
            }
        };
        let columns = scan.wanted.iter().map(column).collect::<Result<_>>()?;
        batch(scan, columns, kept.len()).map(Some)
    }

    fn column(&self, column: &Column, pick: Option<&[u32]>) -> Result<ArrayRef> {
        let (dialect, reader) = (&self.reader.scan.dialect, self.reader);
        let (rows, buffer, marks, lexicon) = (self.rows, self.buffer, &dialect.marks, &dialect.lexicon);
        let loose = dialect.joins_behind_quotes();
        let decoder = Decoder { rows, buffer, marks, lexicon, loose, met: None, unread: &[] };
        let array = decoder.column(column, pick).map_err(|bad| self.bad(bad, column))?;
        narrow(array, &column.wanted)
            .map_err(|e| e.at(Place { file: Some(reader.file.path.clone()), ..self.named(column) }))
    }

    fn named(&self, column: &Column) -> Place {
        Place { column: self.reader.scan.dialect.names.get(column.index).cloned(), ..Place::default() }
    }

    fn bad(&self, bad: Bad, column: &Column) -> Error {
        let (row, error) = match bad {
            Bad::Other(e) => return e,
            Bad::Quote(row) => (row, Error::data("text follows the closing quote of a field").advise(NO_QUOTES)),
            Bad::Misfit(row) => (row, self.misfit(column)),
        };
        let at = self.window.offset(self.rows.field(row, column.index).0);
        let text = self.rows.text(row, column.index);
        error.at(place(&self.reader.file, at, &self.reader.scan, text)).at(self.named(column))
    }

    fn misfit(&self, column: &Column) -> Error {
        let error = Error::data(format!("the value is not {}", type_name(&column.wanted)));
        if !column.guessed {
            return error;
        }
        let name = self.named(column).column.unwrap_or_default();
        error.misfit().advise(format!("the type was guessed from a sample; set types => {{'{name}': 'text'}}"))
    }
}

pub(super) const NO_QUOTES: &str = "if quotes have no meaning in this file, set quote => ''";

/// A type as people call it, with its article.
pub(super) fn type_name(t: &DataType) -> String {
    match t {
        DataType::Int64 => "an integer of 64 bits".into(),
        DataType::Float64 => "a number".into(),
        DataType::Boolean => "true or false".into(),
        DataType::Date32 => "a date".into(),
        DataType::Timestamp(_, None) => "a timestamp without an offset".into(),
        DataType::Timestamp(_, Some(_)) => "a timestamp with an offset".into(),
        other => format!("of type {other}"),
    }
}

pub(super) fn place(file: &FileRef, at: u64, scan: &Shared, text: &[u8]) -> Place {
    let line = line_at(file, at, scan.dialect.marks.newline);
    Place { file: Some(file.path.clone()), line, byte: Some(at), text: Some(shorten(text)), ..Place::default() }
}

fn broken(broken: Broken, window: &Window, scan: &Shared, file: &FileRef) -> Error {
    let (at, newline) = (broken.at(), scan.dialect.marks.newline);
    let error = match broken {
        Broken::Swallowed(_, closing) => {
            let lines = memchr::memchr_iter(newline, window.bytes().get(at..closing).unwrap_or_default()).count() + 1;
            Error::data(format!("a quoted field goes over {lines} lines, and text follows its closing quote")).advise(
                "if quotes have no meaning in this file, set quote => ''; if this is one value, strict_mode => false",
            )
        }
        _ => Error::data(broken.reason()).advise(NO_QUOTES),
    };
    let error = match scan.dialect.may_be_otherwise(broken) {
        true => error.misfit(),
        false => error,
    };
    let begin = match broken {
        Broken::Swallowed(..) => line_begin(window, at, newline),
        _ => at,
    };
    let text = window.bytes().get(begin..window.filled()).unwrap_or_default();
    let text = text.get(..memchr::memchr(newline, text).unwrap_or(text.len())).unwrap_or_default();
    error.at(place(file, window.offset(at), scan, text))
}

/// Where the line begins in which a place is.
fn line_begin(window: &Window, at: usize, newline: u8) -> usize {
    let start = window.pos().min(at);
    let before = window.bytes().get(start..at).unwrap_or_default();
    memchr::memrchr(newline, before).map_or(start, |n| start + n + 1)
}

/// Where quotes are not said to stand only where they should, an error behind one that does not is perhaps none: a new start
/// that reads everything first will tell.
fn doubted(error: Error, scan: &Shared, later: bool) -> Error {
    match later && scan.dialect.is_strict_by_guess() && !scan.dialect.is_full() {
        true => error.misfit(),
        false => error,
    }
}

fn uneven(row: Uneven, window: &Window, scan: &Shared, file: &FileRef) -> Error {
    let text = window.bytes().get(row.at..row.end).unwrap_or_default();
    let error = Error::data(row.reason(scan.dialect.names.len())).advise(row.advice());
    error.at(place(file, window.offset(row.at), scan, text))
}

/// Where a longest record was given, all are measured.
fn check_lengths(found: &Structure, window: &Window, scan: &Shared, file: &FileRef) -> Result<()> {
    let Some(most) = scan.dialect.said.longest else { return Ok(()) };
    let length = |r: &usize| found.row_end(*r) - found.row_start(*r);
    match (0..found.row_ends.len()).find(|r| length(r) > most) {
        Some(r) => Err(too_long(found.row_start(r), window, scan, file)),
        None => Ok(()),
    }
}

fn too_long(at: usize, window: &Window, scan: &Shared, file: &FileRef) -> Error {
    let text = window.bytes().get(at..window.filled()).unwrap_or_default();
    let text = text.get(..80).unwrap_or(text);
    let longer = longer_advice(scan.dialect.said.longest, scan.longest, "max_line_size");
    Error::data(format!("a record is longer than {}", ByteSize(scan.longest)))
        .advise(format!("{longer}; if quotes have no meaning in this file, set quote => ''"))
        .at(place(file, window.offset(at), scan, text))
}
