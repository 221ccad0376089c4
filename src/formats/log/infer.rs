//! The layout of a file: its format, and its fields where the file names them.

use super::known::{KNOWN, Kind, known, of_kind};
use super::layout::{Field, Form, Layout, Value};
use super::options::LogOptions;
use super::sniff::Sampled;
use super::{csvlog, journal, messages, pairs, pattern, syslog, w3c, zeek};
use crate::error::{Error, Place, Result};
use crate::formats::sample::{Sample, pieces};
use crate::formats::text::{Declared, Growth, longest_record};
use crate::formats::{FileRef, TableDef};
use crate::io::{Spares, Window};
use crate::memory::Budget;
use arrow::datatypes::DataType;

/// Bytes of a file that are looked at.
const SAMPLE_BYTES: u64 = 192 << 10;

/// Bytes that are brought into memory at a time.
const WINDOW: usize = 1 << 20;

/// Bytes that a key takes, about: its name twice, and what was seen of its values.
const KEY: usize = 128;

/// A file, and what is accounted to while it is looked at.
#[derive(Clone, Copy)]
struct Input<'a> {
    file: &'a FileRef,
    budget: Option<&'a Budget>,
}

/// What a file is.
pub(super) enum Found {
    /// JSON's own reader reads it.
    Json,
    /// CSV's own reader reads it, so defined.
    Csv(TableDef),
    Log(Layout),
}

/// What a file is, and about how many bytes a record has.
///
/// # Errors
/// A file that cannot be read or is of no format; options that do not fit; `Resources` for a record that the budget has no
/// room for.
pub(super) fn find(def: &TableDef, file: &FileRef, budget: Option<&Budget>) -> Result<(Found, u64)> {
    let options = LogOptions::of(def)?;
    let samples = pieces(file, SAMPLE_BYTES)?;
    let sampled = sampled(&samples, file);
    let place = Place { file: Some(file.path.clone()), ..Place::default() };
    let found = layout(def, &options, Input { file, budget }, &sampled).map_err(|e| e.at(place))?;
    let lines = sampled.lines().count() as u64;
    let bytes: u64 = samples.iter().map(|s| s.len as u64).sum();
    Ok((found, bytes / lines.max(1)))
}

/// Whether a file is of a format that a table can be made of without being told.
///
/// # Errors
/// It cannot be read.
pub(super) fn recognizes(file: &FileRef, loosely: bool) -> Result<Option<Kind>> {
    let samples = pieces(file, SAMPLE_BYTES)?;
    let kind = sampled(&samples, file).kind();
    Ok(kind.filter(|k| loosely || !matches!(k, Kind::Messages | Kind::Pairs | Kind::Logfmt)))
}

/// The file's time of modification in microseconds; that of a pipe is now.
fn anchor(file: &FileRef) -> i64 {
    let now =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i128);
    let micros = if file.pipe.is_some() { now() } else { file.modified / 1000 };
    i64::try_from(micros).unwrap_or(0)
}

fn sampled<'a>(samples: &'a [Sample], file: &FileRef) -> Sampled<'a> {
    let head = samples.first().map(Sample::bytes).unwrap_or_default();
    let pieces = samples.iter().map(lines_of).collect();
    Sampled { head: head.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(head), pieces, anchor: anchor(file) }
}

/// The lines of a piece that are all there, without blank ones.
fn lines_of(sample: &Sample) -> Vec<&[u8]> {
    let mut bytes = sample.bytes();
    if sample.first {
        bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    } else {
        let begin = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        bytes = bytes.get(begin..).unwrap_or_default();
    }
    if !sample.last {
        // A piece that ends within its only line shows that line's beginning, which is better than nothing.
        let end = memchr::memrchr(b'\n', bytes).unwrap_or(bytes.len());
        bytes = bytes.get(..end).unwrap_or_default();
    }
    let plain = |line: &'_ [u8]| -> usize { line.strip_suffix(b"\r").unwrap_or(line).len() };
    bytes.split(|b| *b == b'\n').filter_map(|line| line.get(..plain(line))).filter(|l| !l.is_empty()).collect()
}

fn layout(def: &TableDef, options: &LogOptions, input: Input<'_>, sampled: &Sampled<'_>) -> Result<Found> {
    let empty = sampled.lines().next().is_none();
    let kind = match &options.format {
        Some(text) if pattern::is_pattern(text) => {
            let lines: Vec<&[u8]> = sampled.lines().collect();
            let (fields, form) = pattern::compile(text, &lines, sampled.anchor)?;
            return finish(def, options, "pattern", fields, Form::Pattern(form), sampled.anchor);
        }
        Some(name) => known(name).map(|k| k.kind).ok_or_else(|| unknown(name))?,
        None if empty => Kind::Messages,
        None => sampled.kind().ok_or_else(unrecognized)?,
    };
    let name = of_kind(kind).map_or("log", |k| k.name);
    let (fields, form) = match kind {
        Kind::Json => return Ok(Found::Json),
        Kind::PostgresCsv => return csvlog::as_csv(def, sampled.head).map(Found::Csv),
        Kind::Zeek => {
            let (fields, zeek) = zeek::header(sampled.head)?;
            (fields, Form::Zeek(zeek))
        }
        Kind::W3c => of_w3c(options, input, sampled)?,
        Kind::Journal => of_journal(input)?,
        Kind::Logfmt => of_pairs(options, input, sampled, pairs::Separator::Logfmt)?,
        Kind::Pairs => {
            let separator = sampled.separator().map_or(pairs::Separator::Blank, |(separator, _)| separator);
            of_pairs(options, input, sampled, separator)?
        }
        Kind::Syslog => {
            let clock = Clock::of(options, input, sampled, syslog::moment_of)?;
            (syslog::fields(clock.value()), Form::Syslog(clock.zoned()))
        }
        Kind::Messages => {
            let clock = Clock::of(options, input, sampled, messages::moment_of)?;
            (messages::fields(clock.value()), Form::Messages(clock.zoned()))
        }
        kind => {
            let known = of_kind(kind).zip(kind.form());
            known.map(|(k, form)| ((k.fields)(), form)).ok_or_else(|| Error::internal("a format without a form"))?
        }
    };
    finish(def, options, name, fields, form, sampled.anchor)
}

fn finish(
    def: &TableDef,
    options: &LogOptions,
    name: &'static str,
    mut fields: Vec<Field>,
    form: Form,
    anchor: i64,
) -> Result<Found> {
    let declared = Declared::of(def)?;
    let names: Vec<String> = fields.iter().map(|f| f.name.clone()).collect();
    declared.check(&names)?;
    for (place, field) in fields.iter_mut().enumerate() {
        let Some(wanted) = declared.get(place, &field.name) else { continue };
        crate::formats::text::base_type(wanted)?;
        field.guessed = false;
        let own = field.value.data_type();
        if *wanted == own {
            continue;
        }
        field.value = match (&form, wanted) {
            (_, DataType::Timestamp(..)) if field.value.is_moment() => {
                let message = format!("reading the column {:?} of type {own} as {wanted}", field.name);
                return Err(Error::unsupported(message).advise("cast it in the query"));
            }
            (Form::Pairs(_), DataType::Utf8View) => Value::Quoted,
            (_, wanted) => Value::Typed(wanted.clone()),
        };
    }
    if let Some(column) = &options.unmatched {
        if names.contains(column) {
            return Err(Error::query(format!("the records have a field {column:?} already")));
        }
        fields.push(Field::new(column, Value::Text));
    }
    Ok(Found::Log(Layout { name, form, fields, anchor }))
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = KNOWN.iter().map(|k| k.name).collect();
    Error::query(format!("there is no log format {name:?}")).advise(format!(
        "there are: {}; or a grok pattern, or a regular expression with named groups",
        names.join(", ")
    ))
}

fn unrecognized() -> Error {
    Error::data("no log format takes the lines of this file").advise(
        "name the format: read_log('..', format => 'combined' or a grok pattern or a regular expression); \
         or read_csv, read_text",
    )
}

/// Whether moments have zones.
#[derive(Default)]
struct Clock {
    with: bool,
    without: bool,
}

impl Clock {
    fn of(
        options: &LogOptions,
        input: Input<'_>,
        sampled: &Sampled<'_>,
        moment: fn(&[u8], i64) -> Option<super::times::Moment>,
    ) -> Result<Clock> {
        let mut clock = Clock::default();
        let mut add = |line: &[u8]| {
            if let Some(moment) = moment(line, sampled.anchor) {
                clock.with |= moment.zoned;
                clock.without |= !moment.zoned;
            }
        };
        sampled.lines().for_each(&mut add);
        if options.full {
            let mut add = |line: &[u8]| {
                add(plain(line));
                0
            };
            whole(input, line_end, &mut add)?;
        }
        Ok(clock)
    }

    /// Moments that differ stay text: one column cannot be both.
    fn value(&self) -> Value {
        if self.with && self.without { Value::Text } else { Value::Time(self.with) }
    }

    fn zoned(&self) -> Option<bool> {
        (!self.with || !self.without).then_some(self.with)
    }
}

fn of_pairs(
    options: &LogOptions,
    input: Input<'_>,
    sampled: &Sampled<'_>,
    separator: pairs::Separator,
) -> Result<(Vec<Field>, Form)> {
    let mut draft = pairs::Draft::new(separator);
    sampled.lines().for_each(|line| draft.add(line, sampled.anchor));
    if options.full {
        let mut add = |line: &[u8]| {
            draft.add(plain(line), sampled.anchor);
            KEY * draft.keys()
        };
        whole(input, line_end, &mut add)?;
    }
    let (fields, pairs) = draft.finish(Vec::new());
    if fields.is_empty() {
        return Err(Error::data("no key=value in this file"));
    }
    Ok((fields, Form::Pairs(pairs)))
}

fn of_w3c(options: &LogOptions, input: Input<'_>, sampled: &Sampled<'_>) -> Result<(Vec<Field>, Form)> {
    let mut draft = w3c::Draft::default();
    match options.full {
        true => whole(input, line_end, &mut |line| {
            draft.add(plain(line));
            0
        })?,
        false => sampled.lines().for_each(|line| draft.add(line)),
    }
    if draft.is_empty() {
        return Err(
            Error::data("no #Fields: in this file").advise("its fields are named nowhere: set format to a pattern")
        );
    }
    let (fields, w3c) = draft.finish();
    Ok((fields, Form::W3c(w3c)))
}

/// Records of the journal have fields of their own: all of them are looked at.
fn of_journal(input: Input<'_>) -> Result<(Vec<Field>, Form)> {
    let mut draft = pairs::Draft::new(pairs::Separator::Logfmt);
    let mut add = |record: &[u8]| {
        journal::add(&mut draft, record);
        KEY * draft.keys()
    };
    whole(input, journal::end, &mut add)?;
    let (fields, pairs) = draft.finish(journal::fields());
    Ok((fields, Form::Journal(pairs)))
}

/// The place behind the line at `at`; `None` where it goes on behind what is here.
pub(super) fn line_end(bytes: &[u8], at: usize, last: bool) -> Option<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    match memchr::memchr(b'\n', rest) {
        Some(len) => Some(at + len + 1),
        None => (last && !rest.is_empty()).then_some(bytes.len()),
    }
}

/// Calls `record` with every record of a file, its end included; it answers with the bytes that it keeps.
fn whole(
    input: Input<'_>,
    end: fn(&[u8], usize, bool) -> Option<usize>,
    record: &mut dyn FnMut(&[u8]) -> usize,
) -> Result<()> {
    let mut window = Window::whole(input.file, Spares::default())?;
    let mut growth = Growth::new(input.budget, 2 * WINDOW);
    let longest = longest_record(input.budget);
    let mut kept = 0;
    loop {
        window.refill(WINDOW)?;
        let bytes = window.bytes().get(..window.filled()).unwrap_or_default();
        let mut at = window.pos();
        while let Some(next) = end(bytes, at, window.is_last()) {
            kept = record(bytes.get(at..next).unwrap_or_default());
            at = next;
        }
        let none = at == window.pos();
        window.advance_to(at);
        growth.hold(window.bytes().len(), kept, &window, input.file)?;
        // A record that is too long is left to the reader.
        if none && (window.rest().len() > longest || !growth.overshoot(&mut window, kept, input.file)?) {
            return Ok(());
        }
    }
}

/// A record without its end of line.
pub(super) fn plain(record: &[u8]) -> &[u8] {
    let line = record.strip_suffix(b"\n").unwrap_or(record);
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Layout {
    /// The layout of a format whose fields are always the same.
    pub(super) fn fixed(kind: Kind, anchor: i64) -> Option<Layout> {
        let known = of_kind(kind)?;
        Some(Layout { name: known.name, form: kind.form()?, fields: (known.fields)(), anchor })
    }

    /// Lines as they stand, with where they begin and in which file.
    pub(super) fn lines() -> Layout {
        let fields =
            vec![Field::new("text", Value::Text), Field::new("offset", Value::Offset), Field::new("file", Value::File)];
        Layout { name: "text", form: Form::Lines, fields, anchor: 0 }
    }
}
