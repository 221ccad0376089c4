//! JSON objects that are in memory, one a line, as rows: for collections whose items are no rows.

use super::build::Object;
use super::cursor::{MAX_DEPTH, Text};
use super::shape::{Keys, Rule, Shape};
use crate::error::{Error, Place, Result};
use crate::formats::text::shorten;
use arrow::buffer::Buffer;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Bytes behind a text that may be loaded.
const PADDING: usize = 64;

/// What objects have in common.
#[derive(Default)]
pub struct Seen(Shape);

impl Seen {
    /// Takes an object into account.
    ///
    /// # Errors
    /// `Data`, for what is no JSON object, or nested too deep.
    pub fn add(&mut self, json: &[u8]) -> Result<()> {
        let text = Text { bytes: json };
        let at = text.space(0);
        if text.at(at) != b'{' || self.0.observe(text, at, 0, Rule::Widen).is_err() {
            let place = Place { text: Some(shorten(json)), ..Place::default() };
            return Err(Error::data(format!("an item is no JSON object of at most {MAX_DEPTH} levels"))
                .at(place)
                .advise("map it to a struct or a map: its fields become columns"));
        }
        Ok(())
    }

    /// What both have in common.
    pub fn merge(self, other: Seen) -> Seen {
        Seen(self.0.join(other.0))
    }

    /// The columns, in the order of their first appearance.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = match &self.0 {
            Shape::Struct(Keys { list, .. }) => list.iter().map(|(name, shape)| shape.field(name)).collect(),
            _ => Vec::new(),
        };
        Arc::new(Schema::new(fields))
    }
}

/// The objects of `lines`, one a line, as rows of `schema`, which was made of them.
///
/// # Errors
/// `Data`, for what does not fit the schema.
pub fn objects_of(schema: &SchemaRef, mut lines: Vec<u8>) -> Result<RecordBatch> {
    let len = lines.len();
    lines.resize(len + PADDING, 0);
    let buffer = Buffer::from_vec(lines);
    let text = Text { bytes: buffer.get(..len).unwrap_or_default() };
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let mut object = Object::new(schema.fields(), &all, true, &|_| true)?;
    let (mut at, mut rows) = (text.space(0), 0);
    while at < len {
        let taken = object.take(text, at, 0);
        let place = || Place { text: Some(shorten(text.bytes.get(at..).unwrap_or_default())), ..Place::default() };
        at = taken.map_err(|bad| Error::data(format!("an item does not fit its columns: {bad:?}")).at(place()))?;
        at = text.space(at);
        rows += 1;
    }
    let columns = object.finish(&buffer)?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_join_as_if_they_were_one() {
        let lines = [
            r#"{"a": 1, "b": [1]}"#,
            r#"{"a": 2.5, "c": {"x": null}}"#,
            r#"{"b": ["t"], "c": {"x": "2024-01-01", "y": []}}"#,
            r#"{"c": {"x": "2024-01-02", "y": [{"z": 1}]}, "a": null}"#,
            r#"{"d": true, "b": []}"#,
            r#"{"d": {"e": 1}}"#,
        ];
        let mut whole = Seen::default();
        lines.iter().for_each(|line| whole.add(line.as_bytes()).unwrap());
        for cut in 0..=lines.len() {
            let mut parts = [Seen::default(), Seen::default()];
            lines.iter().enumerate().for_each(|(i, l)| parts[usize::from(i >= cut)].add(l.as_bytes()).unwrap());
            let [a, b] = parts;
            assert_eq!(a.merge(b).schema(), whole.schema(), "cut at {cut}");
        }
        let rows = objects_of(&whole.schema(), lines.join("\n").into_bytes()).unwrap();
        assert_eq!((rows.num_rows(), rows.num_columns()), (6, 4));
        assert!(whole.add(b"[1]").is_err() && whole.add(b"{").is_err());
    }
}
