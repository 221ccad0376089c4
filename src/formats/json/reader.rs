//! One scan of a table, and the reader of one split.

use super::build::{Bad, Object};
use super::cursor::Text;
use super::document::{Document, Next};
use super::infer::is_whole;
use super::layout::{Layout, behind_mark};
use super::options::JsonOptions;
use crate::error::{Error, Place, Result};
use crate::formats::faults::{Fault, Leaving, OnError};
use crate::formats::text::{Growth, PATIENCE, WINDOW, align, check_utf8, longer_advice, longest_of, place_of, tiles};
use crate::formats::{FileRef, Scan, ScanSpec, Split, SplitReader, Table};
use crate::io::{Compression, Spares, Window};
use crate::rejects::Left;
use crate::units::ByteSize;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use std::sync::Arc;

/// One scan, shared by its tasks.
pub(super) struct JsonScan(Arc<Shared>);

struct Shared {
    table: Arc<Table>,
    spec: ScanSpec,
    splits: Vec<Split>,
    layouts: Vec<(Layout, Compression)>,
    /// The columns that are decoded: the wanted ones, then those that only the filter wants.
    decoded: Vec<usize>,
    filter_schema: SchemaRef,
    wanted_schema: SchemaRef,
    /// Whether a key that the schema does not have is an error.
    strict: bool,
    options: JsonOptions,
    /// The longest record, in bytes.
    longest: usize,
    window: usize,
    spares: Spares,
}

impl JsonScan {
    pub(super) fn new(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Self> {
        let options = JsonOptions::of(&table.def)?;
        let layouts: Vec<Layout> = {
            let of = |(file, found)| if spec.reads(file) { Layout::of(found, &options) } else { Ok(Layout::Lines) };
            table.files.iter().enumerate().map(of).collect::<Result<_>>()?
        };
        let (mut splits, kinds) = tiles(&table.files, |file| spec.reads(file), split_bytes, false)?;
        for (file, _) in layouts.iter().enumerate().filter(|(_, l)| !l.is_lines()) {
            let end = table.files.get(file).map_or(0, FileRef::end);
            splits.retain(|s| s.file != file || s.range.start == 0);
            splits.iter_mut().filter(|s| s.file == file).for_each(|s| s.range.end = end);
        }
        let of_filter = spec.filter.as_ref().map(|f| f.columns.clone()).unwrap_or_default();
        let all: Vec<usize> = (0..table.schema.fields().len()).collect();
        // A row is left out for every query or for none.
        let checked = if options.on_error == OnError::Reject { all.as_slice() } else { &[] };
        let mut decoded = Vec::new();
        for column in spec.projection.iter().chain(&of_filter).chain(checked) {
            if !decoded.contains(column) {
                decoded.push(*column);
            }
        }
        let schema = |list: &[usize]| -> Result<SchemaRef> {
            let projected: Schema = table.schema.project(list)?;
            Ok(Arc::new(projected))
        };
        let shared = Shared {
            strict: table.def.schema.is_none() && options.columns.is_none() && decoded.len() == all.len(),
            filter_schema: schema(&of_filter)?,
            wanted_schema: schema(&spec.projection)?,
            longest: longest_of(options.longest, spec.budget.as_ref()),
            options,
            window: split_bytes.clamp(64, WINDOW),
            layouts: layouts.into_iter().zip(kinds).collect(),
            spares: Spares::default(),
            table: table.clone(),
            decoded,
            splits,
            spec,
        };
        Ok(JsonScan(Arc::new(shared)))
    }
}

impl Scan for JsonScan {
    fn splits(&self) -> &[Split] {
        &self.0.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(JsonReader::open(&self.0, index)?))
    }

    fn floor(&self) -> usize {
        // The window, the one that views may hold back, and the builders.
        4 * self.0.window
    }

    fn rest(&self) {
        self.0.spares.clear();
    }
}

/// Reads one split.
struct JsonReader {
    scan: Arc<Shared>,
    file: FileRef,
    layout: Layout,
    /// Where its records are, if it has none a line.
    document: Option<Document>,
    /// Who is told of rows and values that are left out, where they are.
    leaving: Option<Leaving>,
    growth: Growth,
    window: Option<Window>,
    /// The offset at which objects are no longer the split's.
    stop: u64,
    object: Object,
    rows: usize,
}

impl Shared {
    /// What to do about a record that is too long.
    fn longer(&self) -> String {
        longer_advice(self.options.longest, self.longest, "maximum_object_size")
    }
}

impl JsonReader {
    fn open(scan: &Arc<Shared>, index: usize) -> Result<Self> {
        let split = scan.splits.get(index).ok_or_else(|| Error::internal("no such split"))?;
        let file = scan.table.files.get(split.file).ok_or_else(|| Error::internal("no such file"))?.clone();
        let (layout, kind) = scan.layouts.get(split.file).copied().unwrap_or((Layout::Lines, Compression::None));
        let fields: &Fields = scan.table.schema.fields();
        let guessed = |place: usize| {
            let name = fields.get(place).map(|f| f.name().as_str()).unwrap_or_default();
            scan.options.declared.get(place, name).is_none()
        };
        let mut object = Object::new(fields, &scan.decoded, scan.strict, &guessed)?;
        if is_whole(&scan.table.schema) {
            object = object.of_values();
        }
        if scan.options.on_error == OnError::Null {
            object = object.with_nulls();
        }
        let (window, stop) = match kind {
            Compression::None if layout.is_lines() => {
                (align(&file, &split.range, scan.window, &scan.spares)?, split.range.end)
            }
            Compression::None => (align(&file, &split.range, scan.window, &scan.spares)?, u64::MAX),
            kind => (Some(Window::stream(&file, kind, scan.spares.clone())?), u64::MAX),
        };
        let document = layout.document(&scan.options);
        let growth = Growth::new(scan.spec.budget.as_ref(), 2 * scan.window);
        let mut reader = JsonReader {
            scan: scan.clone(),
            file,
            layout,
            document,
            leaving: None,
            growth,
            window,
            stop,
            object,
            rows: 0,
        };
        reader.skip_mark(split.range.start)?;
        if let Some(window) = reader.window.as_ref().filter(|_| scan.options.on_error.is_lenient()) {
            let start = window.offset(window.pos());
            reader.leaving = Some(Leaving::new(&scan.spec.rejects, &reader.file, start, b'\n'));
        }
        Ok(reader)
    }

    fn skip_mark(&mut self, start: u64) -> Result<()> {
        let Some(window) = self.window.as_mut().filter(|_| start == 0) else { return Ok(()) };
        window.refill(64)?;
        window.advance_to(behind_mark(window.rest()));
        Ok(())
    }

    /// Takes objects until the batch is full or the complete ones here are taken; answers with the place behind them,
    /// `None` at the end of the split.
    fn advance(&mut self) -> Result<Option<usize>> {
        let Some(mut window) = self.window.take() else { return Ok(None) };
        let advanced = self.advance_in(&mut window);
        self.window = Some(window);
        advanced
    }

    fn advance_in(&mut self, window: &mut Window) -> Result<Option<usize>> {
        window.refill(self.scan.window)?;
        self.growth.see(window);
        loop {
            if window.offset(window.pos()) >= self.stop || (window.rest().is_empty() && window.is_last()) {
                return Ok(None);
            }
            let end = match self.layout {
                Layout::Lines => self.lines(window)?,
                _ => self.elements(window)?,
            };
            if let Some(end) = end {
                return Ok(Some(end));
            }
            if window.rest().len() > self.scan.longest {
                self.too_long(window)?;
                continue;
            }
            let more = window.overshoot()?;
            self.growth.see(window);
            if !more && window.is_last() && window.rest().is_empty() {
                return Ok(None);
            }
        }
    }

    /// A record is longer than is allowed: an error, or a line that is left out.
    fn too_long(&mut self, window: &mut Window) -> Result<()> {
        let reason = format!("a record is longer than {}", ByteSize(self.scan.longest));
        let Some(leaving) = self.leaving.as_mut().filter(|_| self.layout.is_lines()) else {
            return Err(self.error(window, window.pos(), Error::data(reason).advise(self.scan.longer())));
        };
        let at = window.pos();
        leaving.leave(Fault { left: Left::Row, at, end: window.filled(), column: None, reason }, window);
        loop {
            let newline = memchr::memchr(b'\n', window.rest());
            let end = newline.map_or(window.filled(), |n| window.pos() + n + 1);
            leaving.passed(end, window);
            window.advance_to(end);
            if newline.is_some() || !window.overshoot()? {
                return Ok(());
            }
        }
    }

    /// Takes lines; `None` where none is complete.
    fn lines(&mut self, window: &Window) -> Result<Option<usize>> {
        let limit = match memchr::memrchr(b'\n', window.rest()) {
            _ if window.is_last() => window.filled(),
            Some(n) => window.pos() + n + 1,
            None => return Ok(None),
        };
        let stop = if self.stop >= window.offset(limit) { limit } else { window.place(self.stop) };
        let text = Text { bytes: window.bytes().get(..limit).unwrap_or_default() };
        let mut at = window.pos();
        let sound = self.leaving.is_none() || is_utf8(text.bytes.get(at..).unwrap_or_default());
        while at < stop && self.rows < self.scan.spec.batch_rows.max(1) {
            at = match self.line(text, at) {
                Ok(end) if sound && end - at <= self.scan.longest => end,
                taken => self.judged(taken, text, at, window)?,
            };
        }
        Ok(Some(at))
    }

    /// The line at `at` was taken, or not; what is wrong with it ends the query, or the line is left out.
    fn judged(&mut self, taken: Result<usize, Bad>, text: Text<'_>, at: usize, window: &Window) -> Result<usize> {
        let rest = text.bytes.get(at..).unwrap_or_default();
        let next = at + memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        let bad = match taken {
            Err(bad) => bad,
            Ok(end) if end - at > self.scan.longest => {
                self.forget();
                self.long_record(at, next, window)?;
                return Ok(next);
            }
            Ok(end) if is_utf8(text.bytes.get(at..end).unwrap_or_default()) => return Ok(end),
            Ok(_) => {
                self.forget();
                self.leave_row(at, next, "the text is not UTF-8".into(), window);
                return Ok(next);
            }
        };
        self.left_out(bad, at, next, window)?;
        Ok(next)
    }

    /// Leaves out the record in `at..end`, or fails with what is wrong with it.
    fn left_out(&mut self, bad: Bad, at: usize, end: usize, window: &Window) -> Result<()> {
        let bad = self.within_line(bad, at, window);
        let widens = match bad {
            Bad::Key(_) => true,
            // What widens has widened, where all was looked at.
            Bad::Narrow(_) => self.object.was_guessed() && !self.scan.options.full,
            _ => false,
        };
        if self.leaving.is_none() || widens {
            return Err(self.bad(bad, at, window));
        }
        let (place, reason) = self.what(bad, at, window);
        let reason = match self.object.unfinished() {
            Some(_) => reason.to_string(),
            None => format!("{reason}, at byte {} of it", place - at.min(place)),
        };
        self.leave_row(at, end, reason, window);
        self.object.undo();
        Ok(())
    }

    fn leave_row(&mut self, at: usize, end: usize, reason: String, window: &Window) {
        let column = self.object.unfinished().map(str::to_string);
        let text = window.bytes().get(at..end).unwrap_or_default();
        let end = at + text.trim_ascii_end().len();
        if let Some(leaving) = &mut self.leaving {
            leaving.leave(Fault { left: Left::Row, at, end, column, reason }, window);
        }
    }

    /// Takes the line at `at`, which may be blank; answers with the place of the next one.
    #[inline(always)]
    fn line(&mut self, text: Text<'_>, at: usize) -> Result<usize, Bad> {
        let first = text.at(at);
        let begin = if first == b'{' { at } else { self.indent(text, at) };
        if begin >= text.bytes.len() || text.at(begin) == b'\n' {
            return Ok(begin + 1);
        }
        let end = self.object.take(text, begin, 0)?;
        self.rows += 1;
        let mut end = if text.at(end) == b'\n' { end } else { self.indent(text, end) };
        if end < text.bytes.len() {
            if text.at(end) != b'\n' {
                return Err(self.not_taken(Bad::Malformed(end)));
            }
            end += 1;
        }
        if memchr::memchr(b'\n', text.bytes.get(begin..end.saturating_sub(1)).unwrap_or_default()).is_some() {
            return Err(self.not_taken(Bad::Malformed(begin)));
        }
        Ok(end)
    }

    /// The record that was taken last is none.
    #[cold]
    fn not_taken(&mut self, bad: Bad) -> Bad {
        self.forget();
        bad
    }

    fn forget(&mut self) {
        self.rows = self.rows.saturating_sub(1);
        self.object.drop_last();
    }

    /// A record in `at..end` is longer than is allowed: an error, or it is left out.
    fn long_record(&mut self, at: usize, end: usize, window: &Window) -> Result<()> {
        let reason = format!("a record is longer than {}", ByteSize(self.scan.longest));
        if self.leaving.is_some() {
            self.leave_row(at, end, reason, window);
            return Ok(());
        }
        Err(self.error(window, at, Error::data(reason).advise(self.scan.longer())))
    }

    /// Behind the white space of a line.
    fn indent(&self, text: Text<'_>, mut at: usize) -> usize {
        while matches!(text.at(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    /// Takes records of a document; `None` where none is complete.
    fn elements(&mut self, window: &Window) -> Result<Option<usize>> {
        let Some(mut document) = self.document.take() else { return Ok(None) };
        let done = self.elements_of(&mut document, window);
        self.document = Some(document);
        done
    }

    fn elements_of(&mut self, document: &mut Document, window: &Window) -> Result<Option<usize>> {
        let text = Text { bytes: window.bytes().get(..window.filled()).unwrap_or_default() };
        let mut done = window.pos();
        while self.rows < self.scan.spec.batch_rows.max(1) {
            match document.next(text, done, window.is_last()) {
                Ok(Next::Record(from, to)) => {
                    match self.object.take(text, from, 0) {
                        _ if to - from > self.scan.longest => {
                            self.object.undo();
                            self.long_record(from, to, window)?;
                        }
                        Ok(_) => self.rows += 1,
                        Err(bad) => self.left_out(bad, from, to, window)?,
                    }
                    done = to;
                }
                Ok(Next::More(to) | Next::End(to)) => {
                    done = to;
                    break;
                }
                Err(malformed) => return Err(self.bad(malformed.into(), done.max(malformed.0), window)),
            }
        }
        Ok((done > window.pos()).then_some(done))
    }

    /// What is wrong with the record at `line`: where exactly, and what.
    fn what(&self, bad: Bad, line: usize, window: &Window) -> (usize, &'static str) {
        match bad {
            Bad::Malformed(_) if self.wants_objects() && window.bytes().get(line) != Some(&b'{') => {
                (line, "this is no JSON object")
            }
            Bad::Malformed(at) => (at, "malformed JSON"),
            Bad::Key(at) => (at, "a key that the schema does not have"),
            Bad::Twice(at) => (at, "an object has a key twice"),
            Bad::Misfit(at) | Bad::Narrow(at) => (at, "the value is not of its column's type"),
        }
    }

    fn wants_objects(&self) -> bool {
        self.layout.is_lines() && !is_whole(&self.scan.table.schema)
    }

    fn bad(&self, bad: Bad, line: usize, window: &Window) -> Error {
        let bad = self.within_line(bad, line, window);
        let (at, message) = self.what(bad, line, window);
        let error = Error::data(message);
        let error = match bad {
            Bad::Malformed(_) if self.wants_objects() && window.bytes().get(line) != Some(&b'{') => {
                error.advise("records => false takes each value as one column, json")
            }
            Bad::Key(_) => error.misfit().advise("set infer => 'full' to look at all of the file before"),
            Bad::Misfit(_) | Bad::Narrow(_) => self.misfit(error),
            _ => error,
        };
        let error = match self.object.unfinished() {
            Some(name) => error.at(Place { column: Some(name.to_string()), ..Place::default() }),
            None => error,
        };
        self.error(window, at, error)
    }

    /// What is wrong behind a line's end is wrong at its end: an object went on there.
    fn within_line(&self, bad: Bad, line: usize, window: &Window) -> Bad {
        let rest = window.bytes().get(line..window.filled()).unwrap_or_default();
        let end = line + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        match bad {
            Bad::Malformed(at) | Bad::Misfit(at) | Bad::Narrow(at) | Bad::Key(at) | Bad::Twice(at)
                if at > end && self.layout.is_lines() =>
            {
                Bad::Malformed(end)
            }
            bad => bad,
        }
    }

    fn misfit(&self, error: Error) -> Error {
        match (self.object.was_guessed(), self.object.unfinished()) {
            (true, Some(name)) => {
                error.misfit().advise(format!("the type was guessed from a sample; set types => {{'{name}': 'text'}}"))
            }
            _ => error,
        }
    }

    fn error(&self, window: &Window, at: usize, error: Error) -> Error {
        error.at(place_of(&self.file, window, at))
    }

    /// The batch of the rows taken, which end at `end`.
    fn batch(&mut self, end: usize) -> Result<RecordBatch> {
        let Some(window) = &self.window else { return Err(Error::internal("no window")) };
        let text = window.bytes().get(window.pos()..end).unwrap_or_default();
        if self.leaving.is_none() || !self.layout.is_lines() {
            check_utf8(text, &self.file, window.offset(window.pos()), b'\n')?;
        }
        let rows = std::mem::take(&mut self.rows);
        self.tell_nulls(end);
        let Some(window) = &self.window else { return Err(Error::internal("no window")) };
        let decoded = self.object.finish(&window.buffer())?;
        let scan = &*self.scan;
        let column = |c: &usize| -> Result<ArrayRef> {
            let array = scan.decoded.iter().position(|d| d == c).and_then(|i| decoded.get(i));
            array.cloned().ok_or_else(|| Error::internal("a column was not decoded"))
        };
        let pick = |list: &[usize], schema: &SchemaRef| -> Result<RecordBatch> {
            let columns = list.iter().map(column).collect::<Result<_>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
        };
        let wanted = pick(&scan.spec.projection, &scan.wanted_schema)?;
        let Some(filter) = &scan.spec.filter else { return Ok(wanted) };
        let mask = (filter.eval)(&pick(&filter.columns, &scan.filter_schema)?)?;
        Ok(arrow::compute::filter_record_batch(&wanted, &mask)?)
    }
}

impl JsonReader {
    /// Tells of values that were made null, and counts the lines up to `end`.
    fn tell_nulls(&mut self, end: usize) {
        let (Some(leaving), Some(window)) = (&mut self.leaving, &self.window) else { return };
        let text = Text { bytes: window.bytes().get(..window.filled()).unwrap_or_default() };
        for (name, at) in self.object.nulled() {
            let reason = "the value is not of its column's type".to_string();
            let end = text.skip(at).unwrap_or(at);
            leaving.leave(Fault { left: Left::Value, at, end, column: Some(name), reason }, window);
        }
        leaving.passed(end, window);
    }
}

impl SplitReader for JsonReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut passed = 0;
        while let Some(end) = self.advance()? {
            let begun = self.window.as_ref().map_or(end, Window::pos);
            passed += end.saturating_sub(begun);
            let batch = if self.rows > 0 || passed >= PATIENCE { Some(self.batch(end)?) } else { None };
            if batch.is_none() {
                self.tell_nulls(end);
            }
            let Some(window) = &mut self.window else { return Ok(None) };
            window.advance_to(end);
            match batch {
                Some(batch) if batch.num_rows() > 0 || passed >= PATIENCE => return Ok(Some(batch)),
                _ => {}
            }
        }
        Ok(None)
    }
}

fn is_utf8(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}
