//! One scan of a table, and the reader of one split.

use super::build::{Bad, Object};
use super::cursor::{Malformed, Text};
use crate::error::{Error, Place, Result};
use crate::formats::text::{Declared, check_utf8, line_at, shorten, tiles};
use crate::formats::{FileRef, Scan, ScanSpec, Split, SplitReader, Table, sample};
use crate::io::{Compression, Spares, Window};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use std::sync::Arc;

/// Bytes that a reader brings into the cache at a time.
const WINDOW: usize = 512 << 10;

/// The longest record.
const MAX_RECORD: usize = 64 << 20;

/// Input after which a batch is handed over although no row was kept.
const PATIENCE: usize = 4 << 20;

/// How the objects of a file are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// One a line.
    Lines,
    /// As elements of an array, or one after the other over several lines.
    Document,
}

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
    declared: Declared,
    window: usize,
    spares: Spares,
}

impl JsonScan {
    pub(super) fn new(table: &Arc<Table>, spec: ScanSpec, split_bytes: usize) -> Result<Self> {
        let layouts: Vec<Layout> = {
            let of = |(file, found)| if spec.reads(file) { layout(found) } else { Ok(Layout::Lines) };
            table.files.iter().enumerate().map(of).collect::<Result<_>>()?
        };
        let (mut splits, kinds) = tiles(&table.files, |file| spec.reads(file), split_bytes, false)?;
        for (file, _) in layouts.iter().enumerate().filter(|(_, l)| **l == Layout::Document) {
            let size = table.files.get(file).map_or(0, |f| f.size);
            splits.retain(|s| s.file != file || s.range.start == 0);
            splits.iter_mut().filter(|s| s.file == file).for_each(|s| s.range.end = size);
        }
        let of_filter = spec.filter.as_ref().map(|f| f.columns.clone()).unwrap_or_default();
        let mut decoded = Vec::new();
        for column in spec.projection.iter().chain(&of_filter) {
            if !decoded.contains(column) {
                decoded.push(*column);
            }
        }
        let schema = |list: &[usize]| -> Result<SchemaRef> {
            let projected: Schema = table.schema.project(list)?;
            Ok(Arc::new(projected))
        };
        let shared = Shared {
            strict: table.def.schema.is_none() && decoded.len() == table.schema.fields().len(),
            filter_schema: schema(&of_filter)?,
            wanted_schema: schema(&spec.projection)?,
            declared: Declared::of(&table.def)?,
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

/// Tells by the head of a file.
fn layout(file: &FileRef) -> Result<Layout> {
    let head = sample::head(file, 64 << 10)?;
    let text = Text { bytes: head.bytes() };
    let start = text.space(behind_mark(head.bytes()));
    let line = head.bytes().get(start..).unwrap_or_default();
    let end = start + memchr::memchr(b'\n', line).unwrap_or(line.len());
    let cut = end == head.len && !head.last;
    match text.at(start) {
        b'[' => Ok(Layout::Document),
        // The first line is the beginning of an object that goes on below.
        b'{' if !cut
            && Text { bytes: head.bytes().get(..end).unwrap_or_default() }.skip(start) == Err(Malformed(end)) =>
        {
            Ok(Layout::Document)
        }
        _ => Ok(Layout::Lines),
    }
}

fn behind_mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 }
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
}

/// Reads one split.
struct JsonReader {
    scan: Arc<Shared>,
    file: FileRef,
    layout: Layout,
    window: Option<Window>,
    /// The offset at which objects are no longer the split's.
    stop: u64,
    object: Object,
    rows: usize,
}

impl JsonReader {
    fn open(scan: &Arc<Shared>, index: usize) -> Result<Self> {
        let split = scan.splits.get(index).ok_or_else(|| Error::internal("no such split"))?;
        let file = scan.table.files.get(split.file).ok_or_else(|| Error::internal("no such file"))?.clone();
        let (layout, kind) = scan.layouts.get(split.file).copied().unwrap_or((Layout::Lines, Compression::None));
        let fields: &Fields = scan.table.schema.fields();
        let guessed = |place: usize| {
            let name = fields.get(place).map(|f| f.name().as_str()).unwrap_or_default();
            scan.declared.get(place, name).is_none()
        };
        let object = Object::new(fields, &scan.decoded, scan.strict, &guessed)?;
        let (window, stop) = match kind {
            Compression::None if layout == Layout::Lines => (align(scan, &file, split)?, split.range.end),
            Compression::None => (align(scan, &file, split)?, u64::MAX),
            kind => (Some(Window::stream(&file, kind, scan.spares.clone())?), u64::MAX),
        };
        let mut reader = JsonReader { scan: scan.clone(), file, layout, window, stop, object, rows: 0 };
        reader.skip_mark(split.range.start)?;
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
        loop {
            if window.offset(window.pos()) >= self.stop || (window.rest().is_empty() && window.is_last()) {
                return Ok(None);
            }
            let end = match self.layout {
                Layout::Lines => self.lines(window)?,
                Layout::Document => self.document(window)?,
            };
            if let Some(end) = end {
                return Ok(Some(end));
            }
            if window.rest().len() > MAX_RECORD {
                return Err(self.error(window, window.pos(), Error::data("a record is longer than 64 MiB")));
            }
            let more = window.overshoot()?;
            if !more && window.is_last() && window.rest().is_empty() {
                return Ok(None);
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
        while at < stop && self.rows < self.scan.spec.batch_rows.max(1) {
            at = self.line(text, at, window)?;
        }
        Ok(Some(at))
    }

    /// Takes the line at `at`, which may be blank; answers with the place of the next one.
    #[inline(always)]
    fn line(&mut self, text: Text<'_>, at: usize, window: &Window) -> Result<usize> {
        let first = text.at(at);
        let begin = if first == b'{' { at } else { self.indent(text, at) };
        if matches!(text.at(begin), b'\n' | 0) && (begin >= text.bytes.len() || text.at(begin) == b'\n') {
            return Ok(begin + 1);
        }
        let end = self.take(text, begin, at, window)?;
        let mut end = if text.at(end) == b'\n' { end } else { self.indent(text, end) };
        if end < text.bytes.len() {
            if text.at(end) != b'\n' {
                return Err(self.bad(Bad::Malformed(end), at, window));
            }
            end += 1;
        }
        if memchr::memchr(b'\n', text.bytes.get(begin..end.saturating_sub(1)).unwrap_or_default()).is_some() {
            return Err(self.bad(Bad::Malformed(begin), at, window));
        }
        Ok(end)
    }

    /// Behind the white space of a line.
    fn indent(&self, text: Text<'_>, mut at: usize) -> usize {
        while matches!(text.at(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    fn take(&mut self, text: Text<'_>, at: usize, line: usize, window: &Window) -> Result<usize> {
        match self.object.take(text, at, 0) {
            Ok(end) => {
                self.rows += 1;
                Ok(end)
            }
            Err(bad) => Err(self.bad(bad, line, window)),
        }
    }

    /// Takes elements of a document; `None` where none is complete.
    fn document(&mut self, window: &Window) -> Result<Option<usize>> {
        let text = Text { bytes: window.bytes().get(..window.filled()).unwrap_or_default() };
        let mut done = window.pos();
        while self.rows < self.scan.spec.batch_rows.max(1) {
            let mut at = text.space(done);
            while matches!(text.at(at), b'[' | b',' | b']') {
                at = text.space(at + 1);
            }
            if at >= window.filled() {
                done = window.filled();
                break;
            }
            match text.skip(at) {
                Ok(_) if text.at(at) == b'{' => done = self.take(text, at, at, window)?,
                Ok(_) => return Err(self.bad(Bad::Malformed(at), at, window)),
                Err(Malformed(place)) if place >= window.filled() && !window.is_last() => break,
                Err(m) => return Err(self.bad(m.into(), at, window)),
            }
        }
        Ok((done > window.pos()).then_some(done))
    }

    fn bad(&self, bad: Bad, line: usize, window: &Window) -> Error {
        let advice = "set infer => 'full' to look at all of the file before";
        let bad = self.within_line(bad, line, window);
        let (at, error) = match bad {
            Bad::Malformed(_) if window.bytes().get(line) != Some(&b'{') => {
                (line, Error::data("this is no JSON object").advise("read other JSON as a bag"))
            }
            Bad::Malformed(at) => (at, Error::data("malformed JSON")),
            Bad::Key(at) => (at, Error::data("a key that the schema does not have").misfit().advise(advice)),
            Bad::Twice(at) => (at, Error::data("an object has a key twice")),
            Bad::Misfit(at) => (at, self.misfit()),
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
            Bad::Malformed(at) | Bad::Misfit(at) | Bad::Key(at) | Bad::Twice(at)
                if at > end && self.layout == Layout::Lines =>
            {
                Bad::Malformed(end)
            }
            bad => bad,
        }
    }

    fn misfit(&self) -> Error {
        let error = Error::data("the value is not of its column's type");
        let name = self.object.unfinished().unwrap_or_default();
        let place = self.scan.table.schema.index_of(name).unwrap_or(usize::MAX);
        match self.scan.declared.get(place, name) {
            Some(_) => error,
            None => {
                error.misfit().advise(format!("the type was guessed from a sample; set types => {{'{name}': 'text'}}"))
            }
        }
    }

    fn error(&self, window: &Window, at: usize, error: Error) -> Error {
        let byte = window.offset(at);
        let rest = window.bytes().get(at..window.filled()).unwrap_or_default();
        let line = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
        error.at(Place {
            file: Some(self.file.path.clone()),
            line: line_at(&self.file, byte, b'\n'),
            byte: Some(byte),
            text: Some(shorten(line)),
            ..Place::default()
        })
    }

    /// The batch of the rows taken, which end at `end`.
    fn batch(&mut self, end: usize) -> Result<RecordBatch> {
        let Some(window) = &self.window else { return Err(Error::internal("no window")) };
        let text = window.bytes().get(window.pos()..end).unwrap_or_default();
        check_utf8(text, &self.file, window.offset(window.pos()), b'\n')?;
        let rows = std::mem::take(&mut self.rows);
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

impl SplitReader for JsonReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut passed = 0;
        while let Some(end) = self.advance()? {
            let batch = if self.rows > 0 { Some(self.batch(end)?) } else { None };
            let Some(window) = &mut self.window else { return Ok(None) };
            passed += end - window.pos();
            window.advance_to(end);
            match batch {
                Some(batch) if batch.num_rows() > 0 || passed >= PATIENCE => return Ok(Some(batch)),
                _ => {}
            }
        }
        Ok(None)
    }
}

/// A window at the first line that begins in the split; `None` where none does.
fn align(scan: &Shared, file: &FileRef, split: &Split) -> Result<Option<Window>> {
    if split.range.start == 0 {
        return Window::range(file, 0..split.range.end.min(file.size), scan.spares.clone()).map(Some);
    }
    let mut window = Window::range(file, split.range.start - 1..split.range.end, scan.spares.clone())?;
    while window.refill(scan.window)? {
        if let Some(n) = memchr::memchr(b'\n', window.rest()) {
            let pos = window.pos() + n + 1;
            let begins = window.offset(pos) < split.range.end;
            window.advance_to(pos);
            return Ok(begins.then_some(window));
        }
        window.advance_to(window.filled());
    }
    Ok(None)
}
