//! One scan of log files, and the reader of one split.
//!
//! A record belongs to the split in which it begins. Where records may have several lines, only a line with a head begins one:
//! a split begins with its first head, and what comes before the first head of the file is the first split's, line by line.

use super::columns::{Bad, Pick, Records, Utf8};
use super::cursor::{NONE, Out, Span};
use super::infer::{line_end, plain};
use super::journal;
use super::layout::{Fit, Form, Layout};
use crate::error::{Error, Place, Result};
use crate::formats::faults::{Fault, Leaving};
use crate::formats::text::{Growth, PATIENCE, WINDOW, align, kept, longest_record, narrow, place_of, tiles};
use crate::formats::{FileRef, Scan, ScanSpec, Split, SplitReader, Table};
use crate::io::{Compression, Spares, Window};
use crate::rejects::Left;
use crate::units::ByteSize;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// What becomes of lines that do not match, and of bytes that are no text.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    /// They are rows, whose last column is the line.
    pub(super) include: bool,
    /// They are an error.
    pub(super) fail: bool,
    /// Bytes that are no UTF-8 are replaced.
    pub(super) replace: bool,
    /// What the sample did not show is an error for good, since all was looked at.
    pub(super) full: bool,
}

/// One scan, shared by its tasks.
pub(super) struct LogScan(Arc<Shared>);

struct Shared {
    table: Arc<Table>,
    spec: ScanSpec,
    layout: Arc<Layout>,
    policy: Policy,
    splits: Vec<Split>,
    kinds: Vec<Compression>,
    /// Fields that are looked at before a record is taken for one.
    checked: Vec<usize>,
    of_filter: Vec<usize>,
    filter_schema: SchemaRef,
    wanted_schema: SchemaRef,
    /// Whether a key that the sample did not have is an error.
    strict: bool,
    window: usize,
    /// Most records of a batch.
    rows: usize,
    /// The longest record, in bytes.
    longest: usize,
    spares: Spares,
}

impl LogScan {
    pub(super) fn new(
        table: &Arc<Table>,
        spec: ScanSpec,
        split_bytes: usize,
        layout: Layout,
        policy: Policy,
    ) -> Result<Self> {
        let (splits, kinds) = tiles(&table.files, |file| spec.reads(file), split_bytes, layout.is_whole())?;
        let of_filter = spec.filter.as_ref().map(|f| f.columns.clone()).unwrap_or_default();
        let all = (0..table.schema.fields().len()).all(|c| spec.projection.contains(&c) || of_filter.contains(&c));
        let window = split_bytes.clamp(64, WINDOW);
        let width = layout.fields.len().max(1);
        let rows = (4 * window / (size_of::<Span>() * width)).clamp(1, spec.batch_rows.max(1));
        let shared = Shared {
            checked: layout.checked(),
            filter_schema: Arc::new(table.schema.project(&of_filter)?),
            wanted_schema: Arc::new(table.schema.project(&spec.projection)?),
            strict: all,
            longest: longest_record(spec.budget.as_ref()),
            layout: Arc::new(layout),
            spares: Spares::default(),
            table: table.clone(),
            spec,
            policy,
            splits,
            kinds,
            of_filter,
            window,
            rows,
        };
        Ok(LogScan(Arc::new(shared)))
    }
}

impl Scan for LogScan {
    fn splits(&self) -> &[Split] {
        &self.0.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        Ok(Box::new(LogReader::open(&self.0, index)?))
    }

    fn floor(&self) -> usize {
        // The window and the one that views may hold back; the spans, four times as much at most; the builders.
        8 * self.0.window
    }

    fn rest(&self) {
        self.0.spares.clear();
    }
}

/// Reads one split.
struct LogReader {
    scan: Arc<Shared>,
    file: FileRef,
    window: Option<Window>,
    /// The offset at which records are no longer the split's.
    stop: u64,
    /// Whether the file's first head was not seen yet.
    headless: bool,
    /// What the next record must know of those before.
    state: usize,
    spans: Vec<Span>,
    extents: Vec<Span>,
    growth: Growth,
    /// Tells of lines that do not match.
    leaving: Option<Leaving>,
}

impl LogReader {
    fn open(scan: &Arc<Shared>, index: usize) -> Result<Self> {
        let split = scan.splits.get(index).ok_or_else(|| Error::internal("no such split"))?;
        let file = scan.table.files.get(split.file).ok_or_else(|| Error::internal("no such file"))?.clone();
        let kind = scan.kinds.get(split.file).copied().unwrap_or_default();
        let (window, stop) = match kind {
            Compression::None => (begin(scan, &file, split)?, split.range.end),
            kind => (Some(Window::stream(&file, kind, scan.spares.clone())?), u64::MAX),
        };
        let mut reader = LogReader {
            scan: scan.clone(),
            file,
            window,
            stop,
            headless: scan.layout.joins() && split.range.start == 0,
            state: 0,
            spans: Vec::new(),
            extents: Vec::new(),
            growth: Growth::new(scan.spec.budget.as_ref(), 2 * scan.window),
            leaving: None,
        };
        reader.skip_mark(split.range.start)?;
        let first = reader.window.as_ref().map(|w| w.offset(w.pos()));
        reader.leaving = first.map(|at| Leaving::new(&scan.spec.rejects, &reader.file, at, b'\n'));
        Ok(reader)
    }

    /// Goes behind the mark of UTF-8 at the beginning of a file. The first record is the split's even if the mark is all of it.
    fn skip_mark(&mut self, start: u64) -> Result<()> {
        let Some(window) = self.window.as_mut().filter(|_| start == 0) else { return Ok(()) };
        window.refill(64)?;
        if window.rest().len() < 3 {
            window.overshoot()?;
        }
        if window.rest().starts_with(&[0xEF, 0xBB, 0xBF]) {
            window.advance_to(window.pos() + 3);
            self.stop = self.stop.max(4);
        }
        Ok(())
    }

    /// Takes records until the batch is full or the complete ones here are taken; answers with the place behind them, `None`
    /// at the end of the split.
    fn advance(&mut self) -> Result<Option<usize>> {
        let Some(mut window) = self.window.take() else { return Ok(None) };
        let advanced = self.advance_in(&mut window);
        self.window = Some(window);
        advanced
    }

    fn advance_in(&mut self, window: &mut Window) -> Result<Option<usize>> {
        self.spans.clear();
        self.extents.clear();
        window.refill(self.scan.window)?;
        self.growth.see(window);
        loop {
            let over = window.offset(window.pos()) >= self.stop && !self.headless;
            if over || (window.rest().is_empty() && window.is_last()) {
                return Ok(None);
            }
            if let Some(end) = self.records(window)? {
                return Ok(Some(end));
            }
            if window.rest().len() > self.scan.longest {
                let reason = format!("a record is longer than {}", ByteSize(self.scan.longest));
                return Err(self.error(window, window.pos(), Error::data(reason)));
            }
            let more = window.overshoot()?;
            self.growth.see(window);
            if !more && window.is_last() && window.rest().is_empty() {
                return Ok(None);
            }
        }
    }

    /// Takes the records that are complete; `None` where none is.
    fn records(&mut self, window: &Window) -> Result<Option<usize>> {
        let bytes = window.bytes().get(..window.filled()).unwrap_or_default();
        let mut at = window.pos();
        while self.extents.len() < self.scan.rows && (window.offset(at) < self.stop || self.headless) {
            let Some(end) = self.end(bytes, at, window.is_last()) else { break };
            self.take(window, bytes, at, end)?;
            at = end;
        }
        Ok((at > window.pos()).then_some(at))
    }

    /// The place behind the record at `at`; `None` where it goes on behind what is here.
    fn end(&mut self, bytes: &[u8], at: usize, last: bool) -> Option<usize> {
        let layout = &*self.scan.layout;
        if matches!(layout.form, Form::Journal(_)) {
            return journal::end(bytes, at, last);
        }
        let mut end = line_end(bytes, at, last)?;
        if !layout.joins() {
            return Some(end);
        }
        if self.headless {
            self.headless = !layout.begins(plain(bytes.get(at..end).unwrap_or_default()));
            if self.headless {
                return Some(end);
            }
        }
        loop {
            if end >= bytes.len() {
                return last.then_some(end);
            }
            let next = line_end(bytes, end, last)?;
            if layout.begins(plain(bytes.get(end..next).unwrap_or_default())) {
                return Some(end);
            }
            end = next;
        }
    }

    fn take(&mut self, window: &Window, bytes: &[u8], at: usize, end: usize) -> Result<()> {
        let scan = &*self.scan;
        let whole = bytes.get(at..end).unwrap_or_default();
        let record = match &scan.layout.form {
            Form::Journal(_) => whole,
            _ => plain(whole),
        };
        // Lines that are rows as they stand may be blank.
        if record.trim_ascii().is_empty() && !matches!(scan.layout.form, Form::Lines) {
            return Ok(());
        }
        // After the last head nothing is left over: a record of the split, and yet it may begin behind its end.
        if window.offset(at) >= self.stop && !self.headless {
            return Ok(());
        }
        let begin = self.spans.len();
        self.spans.resize(begin + scan.layout.fields.len(), NONE);
        let own = self.spans.get_mut(begin..).unwrap_or_default();
        let mut fit = scan.layout.take(record, &mut Out { base: at, spans: own, state: &mut self.state });
        if matches!(fit, Fit::Yes | Fit::Extra) && !scan.layout.are_sound(&scan.checked, bytes, own) {
            fit = Fit::No;
        }
        match fit {
            Fit::Yes => {}
            Fit::Extra if scan.strict => return Err(self.misfit(window, at, "a key that the sample did not have")),
            Fit::Extra => {}
            Fit::Misfit(what) => return Err(self.misfit(window, at, what)),
            Fit::Skip => {
                self.spans.truncate(begin);
                return Ok(());
            }
            Fit::No => {
                if scan.policy.fail {
                    return Err(self.no_match(window, at));
                }
                if !scan.policy.include {
                    self.spans.truncate(begin);
                    let reason = format!("the line is not of the format {:?}", scan.layout.name);
                    let fault = Fault { left: Left::Row, at, end: at + record.len(), column: None, reason };
                    if let Some(leaving) = &mut self.leaving {
                        leaving.leave(fault, window);
                    }
                    return Ok(());
                }
                own.fill(NONE);
                if let Some(last) = own.last_mut() {
                    *last = (at as u32, (at + record.len()) as u32);
                }
            }
        }
        self.extents.push((at as u32, (at + record.len()) as u32));
        Ok(())
    }

    fn misfit(&self, window: &Window, at: usize, what: &str) -> Error {
        let error = Error::data(what);
        let error = match self.scan.policy.full {
            true => error,
            false => error.misfit().advise("set infer => 'full' to look at all of the file before"),
        };
        self.error(window, at, error)
    }

    fn no_match(&self, window: &Window, at: usize) -> Error {
        let error = Error::data(format!("the line is not of the format {:?}", self.scan.layout.name));
        let advice = "set on_error => 'reject' to leave such lines out, unmatched => 'include' to see them";
        self.error(window, at, error.advise(advice))
    }

    fn error(&self, window: &Window, at: usize, error: Error) -> Error {
        error.at(place_of(&self.file, window, at))
    }

    /// The batch of the records taken, which end at `end`.
    fn batch(&self, end: usize) -> Result<RecordBatch> {
        let Some(window) = &self.window else { return Err(Error::internal("no window")) };
        let scan = &*self.scan;
        let text = window.bytes().get(window.pos()..end).unwrap_or_default();
        let sound = !scan.layout.cuts_anywhere() && simdutf8::basic::from_utf8(text).is_ok();
        let buffer = window.buffer();
        let records = Records {
            bytes: window.bytes(),
            buffer: &buffer,
            spans: &self.spans,
            width: scan.layout.fields.len(),
            extents: &self.extents,
            base: window.offset(0),
            path: &self.file.path,
            utf8: match (sound, scan.policy.replace) {
                (true, _) => Utf8::Checked,
                (false, true) => Utf8::Replace,
                (false, false) => Utf8::Fail,
            },
            anchor: scan.layout.anchor,
        };
        let Some(filter) = &scan.spec.filter else {
            let columns = scan.spec.projection.iter().map(|c| self.column(&records, *c, None));
            return self.rows(columns.collect::<Result<_>>()?, self.extents.len());
        };
        let tested = scan.of_filter.iter().map(|c| self.column(&records, *c, None)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.extents.len()));
        let input = RecordBatch::try_new_with_options(scan.filter_schema.clone(), tested.clone(), &options)?;
        let mask = (filter.eval)(&input)?;
        let kept = kept(&mask);
        let column = |column: &usize| -> Result<ArrayRef> {
            match scan.of_filter.iter().position(|f| f == column).and_then(|at| tested.get(at)) {
                Some(array) => Ok(arrow::compute::filter(array, &mask)?),
                None => self.column(&records, *column, Some(&kept)),
            }
        };
        self.rows(scan.spec.projection.iter().map(column).collect::<Result<_>>()?, kept.len())
    }

    fn rows(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.scan.wanted_schema.clone(), columns, &options)?)
    }

    fn column(&self, records: &Records<'_>, column: usize, pick: Pick<'_>) -> Result<ArrayRef> {
        let field = self.scan.layout.fields.get(column).ok_or_else(|| Error::internal("no such column"))?;
        let array = records.column(column, &field.value, pick).map_err(|bad| self.bad(bad, column))?;
        let wanted = self.scan.table.schema.field(column).data_type();
        let place =
            || Place { file: Some(self.file.path.clone()), column: Some(field.name.clone()), ..Place::default() };
        narrow(array, wanted).map_err(|e| e.at(place()))
    }

    fn bad(&self, bad: Bad, column: usize) -> Error {
        let (layout, Some(window)) = (&self.scan.layout, &self.window) else { return Error::internal("no window") };
        let Some(field) = layout.fields.get(column) else { return Error::internal("no such column") };
        let name = field.name.clone();
        let (row, error) = match bad {
            Bad::Other(e) => return e,
            Bad::Utf8(row) => (
                row,
                Error::data("the text is not UTF-8")
                    .advise("set invalid_utf8 => 'replace', or convert the file with iconv"),
            ),
            Bad::Misfit(row) => {
                let error = Error::data(format!("the value is not of type {}", field.value.data_type()));
                let advice = format!("the type was guessed from a sample; set types => {{'{name}': 'text'}}");
                (row, if field.guessed && !self.scan.policy.full { error.misfit().advise(advice) } else { error })
            }
        };
        let at = self.extents.get(row).map_or(0, |(begin, _)| *begin as usize);
        self.error(window, at, error.at(Place { column: Some(name), ..Place::default() }))
    }
}

impl SplitReader for LogReader {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut passed = 0;
        while let Some(end) = self.advance()? {
            let batch = if self.extents.is_empty() { None } else { Some(self.batch(end)?) };
            let Some(window) = &mut self.window else { return Ok(None) };
            passed += end - window.pos();
            if let Some(leaving) = &mut self.leaving {
                leaving.passed(end, window);
            }
            window.advance_to(end);
            match batch {
                Some(batch) if batch.num_rows() > 0 => return Ok(Some(batch)),
                _ if passed >= PATIENCE => {
                    let empty = RecordBatch::new_empty(self.scan.wanted_schema.clone());
                    return Ok(Some(empty));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// A window at the first record that begins in the split; `None` where none does.
fn begin(scan: &Shared, file: &FileRef, split: &Split) -> Result<Option<Window>> {
    let Some(mut window) = align(file, &split.range, scan.window, &scan.spares)? else { return Ok(None) };
    let begins = split.range.start == 0 || !scan.layout.joins() || to_head(scan, &mut window, split.range.end)?;
    Ok(begins.then_some(window))
}

/// Goes to the next line with a head that begins before `stop`; false where there is none.
fn to_head(scan: &Shared, window: &mut Window, stop: u64) -> Result<bool> {
    loop {
        let at = window.pos();
        if window.offset(at) >= stop {
            return Ok(false);
        }
        let bytes = window.bytes().get(..window.filled()).unwrap_or_default();
        match line_end(bytes, at, window.is_last()) {
            Some(end) if scan.layout.begins(plain(bytes.get(at..end).unwrap_or_default())) => return Ok(true),
            Some(end) => window.advance_to(end),
            None => {
                let here = window.rest().len();
                if !window.refill(here + scan.window)? && !window.overshoot()? && window.rest().is_empty() {
                    return Ok(false);
                }
            }
        }
    }
}
