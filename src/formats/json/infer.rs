//! The columns of a table, from samples or (`infer => 'full'`) from everything.
//!
//! Records are objects, whose keys are columns. Where no object has any key, there is one column, `json`, of whatever
//! values there are; the schema is marked then, since a scan reads such records as a whole.

use super::cursor::{Malformed, Text};
use super::document::Next;
use super::layout::{Layout, behind_mark};
use super::options::{JsonOptions, Records};
use super::shape::{Keys, Rule, Shape};
use crate::error::{Error, Place, Result};
use crate::formats::sample::{Sample, samples};
use crate::formats::text::{Growth, longest_of, pass_line, place_of};
use crate::formats::{ColumnStats, FileRef, TableDef, TableStats};
use crate::io::{Compression, Spares, Window};
use crate::memory::Budget;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashMap;
use std::sync::Arc;

/// The column of records that are no objects.
const WHOLE: &str = "json";

/// The mark of a schema whose records are read as a whole.
const MARK: (&str, &str) = ("partita.json.records", "values");

/// Bytes of records that are sampled of a document, which only its beginning tells of.
const SAMPLED: u64 = 1 << 20;

/// Bytes that are brought into memory at a time.
const WINDOW: usize = 1 << 20;

/// Bytes that a key takes, about: its name twice, and what was seen of its values.
const KEY: usize = 256;

/// Whether the records of a table are read as a whole, into its only column.
pub(super) fn is_whole(schema: &Schema) -> bool {
    schema.metadata().get(MARK.0).is_some_and(|v| v == MARK.1)
}

/// Tells schema and statistics.
///
/// # Errors
/// Options that do not exist; files without any record.
pub(super) fn inspect(def: &TableDef, files: &[FileRef], budget: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
    let options = JsonOptions::of(def)?;
    for file in files.iter().filter(|_| options.packed.is_some()) {
        if options.packed != Some(Compression::of_file(file)?) {
            let place = Place { file: Some(file.path.clone()), ..Place::default() };
            return Err(Error::query("the file is not compressed as the option compression says").at(place));
        }
    }
    let layouts: Vec<Layout> = files.iter().map(|file| Layout::of(file, &options)).collect::<Result<_>>()?;
    let layout = |file: usize| layouts.get(file).copied().unwrap_or(Layout::Lines);
    let mut seen = Seen::of(&options, budget);
    for sample in samples(files)? {
        if layout(sample.file).is_lines() {
            seen.sample(&sample);
        } else if let Some(file) = files.get(sample.file).filter(|_| sample.first) {
            seen.document(file, layout(sample.file), SAMPLED)?;
        }
    }
    let bytes: u64 = files.iter().map(|f| f.size).sum();
    let rows = (seen.bytes > 0).then(|| (bytes as f64 * seen.rows as f64 / seen.bytes as f64) as u64);
    if options.full || seen.rows == 0 {
        seen.limit = if options.full { u64::MAX } else { 1 };
        seen.rule = if options.on_error.is_lenient() && options.full { Rule::Settled } else { Rule::Widen };
        for (index, file) in files.iter().enumerate() {
            match layout(index) {
                Layout::Lines => seen.lines(file)?,
                other => seen.document(file, other, u64::MAX)?,
            }
        }
    }
    let schema = schema(def, &options, seen, files)?;
    let columns = vec![ColumnStats::default(); schema.fields().len()];
    Ok((schema, TableStats { rows, bytes, columns, ..TableStats::default() }))
}

fn schema(def: &TableDef, options: &JsonOptions, seen: Seen<'_>, files: &[FileRef]) -> Result<SchemaRef> {
    if let Some(schema) = &def.schema {
        return Ok(schema.clone());
    }
    if let Some(names) = &options.columns {
        let field = |name: &String| options.declared.get(usize::MAX, name).map(|t| Field::new(name, t.clone(), true));
        return Ok(Arc::new(Schema::new(names.iter().filter_map(field).collect::<Vec<_>>())));
    }
    let has_keys = matches!(&seen.objects, Shape::Struct(Keys { list, .. }) if !list.is_empty());
    if let Some(place) = seen.malformed.filter(|_| seen.rows == 0 && !seen.sound) {
        return Err(Error::data("malformed JSON").at(place));
    }
    if seen.rows == 0 && !seen.sound && files.iter().all(FileRef::is_empty) {
        let place = Place { file: files.first().map(|f| f.path.clone()), ..Place::default() };
        let error = Error::data("the file is empty, so its columns are not known");
        return Err(error.at(place).advise("say them: columns => {'name': 'type'}"));
    }
    if seen.rows == 0 && !seen.sound {
        let place = Place { file: files.first().map(|f| f.path.clone()), ..Place::default() };
        return Err(Error::data("the file holds no JSON records").at(place).advise(match &options.records {
            Records::At(path) => format!("there is nothing at records => '{}'", path.join(".")),
            _ => "if they are inside of an object, say where: records => 'key.key'".to_string(),
        }));
    }
    let whole = options.records == Records::Values || !(has_keys || options.records == Records::Objects);
    let (shapes, mark) = match (whole, seen.objects) {
        (true, objects) => {
            let shape = if seen.rows == 0 { Shape::Mixed } else { objects.join(seen.others) };
            (vec![(WHOLE.to_string(), shape)], HashMap::from([(MARK.0.to_string(), MARK.1.to_string())]))
        }
        (false, Shape::Struct(Keys { list, .. })) => (list, HashMap::new()),
        (false, _) => (Vec::new(), HashMap::new()),
    };
    let names: Vec<String> = shapes.iter().map(|(name, _)| name.clone()).collect();
    options.declared.check(&names)?;
    let levels = options.depth.saturating_sub(1);
    let field = |(place, (name, shape)): (usize, &(String, Shape))| match options.declared.get(place, name) {
        Some(data_type) => Field::new(name, data_type.clone(), true),
        None if options.all_text => Field::new(name, DataType::Utf8View, true),
        None => shape.field_within(name, levels),
    };
    let fields: Vec<Field> = shapes.iter().enumerate().map(field).collect();
    Ok(Arc::new(Schema::new(fields).with_metadata(mark)))
}

/// What was seen of the records.
struct Seen<'a> {
    options: &'a JsonOptions,
    budget: Option<&'a Budget>,
    /// What objects have in common, and what other values have.
    objects: Shape,
    others: Shape,
    rows: u64,
    bytes: u64,
    rule: Rule,
    /// Records that are looked at, at most.
    limit: u64,
    /// Whether a document was sound, even if it had no records.
    sound: bool,
    /// The first line of a piece that is no JSON, as long as there is no record.
    broken: Option<usize>,
    /// Where it is in its file.
    malformed: Option<Place>,
}

impl<'a> Seen<'a> {
    fn of(options: &'a JsonOptions, budget: Option<&'a Budget>) -> Self {
        Seen {
            options,
            budget,
            objects: Shape::Null,
            others: Shape::Null,
            rows: 0,
            bytes: 0,
            rule: Rule::Widen,
            limit: options.sample,
            sound: false,
            broken: None,
            malformed: None,
        }
    }

    /// Takes the lines of a piece. What is broken is left to the reader, which tells the place.
    fn sample(&mut self, sample: &Sample) {
        let bytes = sample.bytes();
        let start = match sample.first {
            true => behind_mark(bytes),
            false => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |n| n + 1),
        };
        self.complete(bytes, start, sample.last);
    }

    /// Takes the complete lines of a piece; answers with the place behind them.
    fn complete(&mut self, bytes: &[u8], start: usize, last: bool) -> usize {
        let mut at = start;
        while self.rows < self.limit {
            let rest = bytes.get(at..).unwrap_or_default();
            let end = match memchr::memchr(b'\n', rest) {
                Some(n) => at + n,
                None if last && !rest.is_empty() => bytes.len(),
                None => break,
            };
            let line = Text { bytes: bytes.get(..end).unwrap_or_default() };
            let begin = line.space(at);
            match line.skip(begin) {
                Ok(behind) if line.space(behind) == end => self.record(line, begin, (end + 1 - at) as u64),
                _ if begin == end || self.rows > 0 => {}
                Ok(behind) => self.broken = self.broken.or(Some(line.space(behind))),
                Err(Malformed(place)) => self.broken = self.broken.or(Some(place.min(end))),
            }
            at = (end + 1).min(bytes.len());
        }
        at
    }

    /// Takes the record at `at`, which is sound.
    fn record(&mut self, text: Text<'_>, at: usize, bytes: u64) {
        let shape = if text.at(at) == b'{' { &mut self.objects } else { &mut self.others };
        if shape.observe(text, at, 0, self.rule).is_ok() {
            self.rows += 1;
            self.bytes += bytes;
        }
    }

    /// Takes all lines of a file.
    fn lines(&mut self, file: &FileRef) -> Result<()> {
        let mut window = Window::whole(file, Spares::default())?;
        let mut growth = Growth::new(self.budget, 2 * WINDOW);
        window.refill(64)?;
        window.advance_to(behind_mark(window.rest()));
        while self.rows < self.limit {
            window.refill(WINDOW)?;
            let done = self.complete(window.rest(), 0, window.is_last());
            let none = done == 0;
            if let Some(at) = self.broken.take().filter(|_| self.rows == 0 && self.malformed.is_none()) {
                self.malformed = Some(place_of(file, &window, window.pos() + at));
            }
            window.advance_to(window.pos() + done);
            growth.hold(window.bytes().len(), self.keys(), &window, file)?;
            if none && window.rest().len() > self.longest() {
                // The reader tells of it, or leaves it out.
                if !self.options.on_error.is_lenient() || !pass_line(&mut window, b'\n')? {
                    return Ok(());
                }
            } else if none && !growth.overshoot(&mut window, self.keys(), file)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The longest record that is looked at, in bytes.
    fn longest(&self) -> usize {
        longest_of(self.options.longest, self.budget)
    }

    /// Bytes that the keys take.
    fn keys(&self) -> usize {
        match &self.objects {
            Shape::Struct(keys) => KEY * keys.list.len(),
            _ => 0,
        }
    }

    /// Takes the records of a document, until there were `most` bytes of them.
    fn document(&mut self, file: &FileRef, layout: Layout, most: u64) -> Result<()> {
        let Some(mut document) = layout.document(self.options) else { return Ok(()) };
        let mut window = Window::whole(file, Spares::default())?;
        let mut growth = Growth::new(self.budget, 2 * WINDOW);
        window.refill(64)?;
        window.advance_to(behind_mark(window.rest()));
        let end = self.bytes.saturating_add(most);
        while self.bytes < end && self.rows < self.limit {
            window.refill(WINDOW)?;
            let text = Text { bytes: window.bytes().get(..window.filled()).unwrap_or_default() };
            let mut at = window.pos();
            let more = loop {
                match document.next(text, at, window.is_last()) {
                    Ok(Next::Record(from, to)) => {
                        self.record(text, from, (to - at) as u64);
                        at = to;
                        if self.bytes >= end || self.rows >= self.limit {
                            break false;
                        }
                    }
                    Ok(Next::More(to)) => {
                        at = to;
                        break true;
                    }
                    Ok(Next::End(_)) => {
                        self.sound |= document.has_begun();
                        break false;
                    }
                    // What is broken is left to the reader, but for what begins so.
                    Err(Malformed(place)) => {
                        if self.rows == 0 && self.malformed.is_none() {
                            self.malformed = Some(place_of(file, &window, place));
                        }
                        break false;
                    }
                }
            };
            window.advance_to(at);
            if !more
                || window.rest().len() > self.longest()
                || (!growth.overshoot(&mut window, self.keys(), file)? && window.is_last())
            {
                return Ok(());
            }
        }
        Ok(())
    }
}
