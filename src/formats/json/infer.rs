//! The columns of a table, from samples or (`infer => 'full'`) from everything.

use super::cursor::Text;
use super::shape::{Keys, Shape};
use crate::error::{Error, Place, Result};
use crate::formats::sample::{Sample, samples};
use crate::formats::text::Declared;
use crate::formats::{ColumnStats, FileRef, TableDef, TableStats, options};
use crate::io::{Spares, Window};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// Tells schema and statistics.
///
/// # Errors
/// Options that do not exist; files without any object.
pub(super) fn inspect(def: &TableDef, files: &[FileRef]) -> Result<(SchemaRef, TableStats)> {
    options::known_for_reading(&def.options, "json", &["types", "infer", "all_text"])?;
    let full = match options::first(&def.options, &["infer"]) {
        None | Some("sample") => false,
        Some("full") => true,
        Some(other) => return Err(Error::query(format!("option infer: {other:?} is neither 'sample' nor 'full'"))),
    };
    let mut seen = Seen::default();
    for sample in samples(files)? {
        seen.sample(&sample);
    }
    let bytes: u64 = files.iter().map(|f| f.size).sum();
    let rows = (seen.bytes > 0).then(|| (bytes as f64 * seen.rows as f64 / seen.bytes as f64) as u64);
    if full {
        for file in files {
            seen.whole(file)?;
        }
    }
    let schema = schema(def, seen.shape, files)?;
    let columns = vec![ColumnStats::default(); schema.fields().len()];
    Ok((schema, TableStats { rows, bytes, columns, ..TableStats::default() }))
}

fn schema(def: &TableDef, shape: Shape, files: &[FileRef]) -> Result<SchemaRef> {
    if let Some(schema) = &def.schema {
        return Ok(schema.clone());
    }
    let Shape::Struct(Keys { list, .. }) = shape else {
        let place = Place { file: files.first().map(|f| f.path.clone()), ..Place::default() };
        return Err(Error::data("the file holds no JSON objects").at(place).advise("read other JSON as a bag"));
    };
    let declared = Declared::of(def)?;
    let names: Vec<String> = list.iter().map(|(name, _)| name.clone()).collect();
    declared.check(&names)?;
    let all_text = options::first(&def.options, &["all_text"]).map(|t| options::boolean("all_text", t)).transpose()?;
    let field = |(place, (name, shape)): (usize, &(String, Shape))| match declared.get(place, name) {
        Some(data_type) => Field::new(name, data_type.clone(), true),
        None if all_text == Some(true) => Field::new(name, DataType::Utf8View, true),
        None => shape.field(name),
    };
    let fields: Vec<Field> = list.iter().enumerate().map(field).collect();
    Ok(Arc::new(Schema::new(fields)))
}

#[derive(Default)]
struct Seen {
    shape: Shape,
    rows: u64,
    bytes: u64,
}

impl Seen {
    /// Takes the objects of a piece. What is broken is left to the reader, which tells the place.
    fn sample(&mut self, sample: &Sample) {
        let bytes = sample.bytes();
        let start = match sample.first {
            true => 0,
            false => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |n| n + 1),
        };
        self.objects(bytes, start);
    }

    /// Takes objects from `at` on, however they are separated; answers with the place behind the last one.
    fn objects(&mut self, bytes: &[u8], start: usize) -> usize {
        let text = Text { bytes };
        let mut done = start;
        loop {
            let mut at = text.space(done);
            while matches!(text.at(at), b'[' | b',' | b']' | 0xEF | 0xBB | 0xBF) {
                at = text.space(at + 1);
            }
            if at >= bytes.len() {
                return done;
            }
            let end = match text.at(at) {
                b'{' => text.skip(at).ok(),
                _ => None,
            };
            match end {
                Some(end) => {
                    if self.shape.observe(text, at, 0).is_ok() {
                        self.rows += 1;
                        self.bytes += (end + 1 - done) as u64;
                    }
                    done = end;
                }
                // A broken line, or one that the piece cuts off.
                None => match bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) {
                    Some(n) if start > 0 || self.rows > 0 => done = at + n + 1,
                    _ => return done,
                },
            }
        }
    }

    fn whole(&mut self, file: &FileRef) -> Result<()> {
        let mut window = Window::whole(file, Spares::default())?;
        loop {
            window.refill(1 << 20)?;
            let done = self.objects(window.rest(), 0);
            let none = done == 0;
            window.advance_to(window.pos() + done);
            if none && !window.overshoot()? {
                return Ok(());
            }
        }
    }
}
