//! JSON that is in memory as rows: objects, one a line, and the values of rows, one behind the other with a space of any kind
//! between them. For collections whose items are no rows.

use super::build::{Bad, Object};
use super::cursor::{MAX_DEPTH, Malformed, Text};
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

    /// Takes rows into account, of which there is nothing else: the values of columns of these names, the same ones each time.
    /// Answers with their number.
    ///
    /// # Errors
    /// `Data`, for what is no JSON, or nested too deep.
    pub fn add_rows(&mut self, names: &[String], values: &[u8]) -> Result<usize> {
        let text = Text { bytes: values };
        let (mut at, mut rows) = (text.space(0), 0);
        while at < values.len() && !names.is_empty() {
            at = self.0.observe_row(names, text, at, Rule::Widen).map_err(|Malformed(place)| {
                let text = Some(shorten(values.get(at..place.max(at + 40).min(values.len())).unwrap_or_default()));
                let error = Error::data(format!("a value is no JSON of at most {MAX_DEPTH} levels"));
                error.at(Place { text, ..Place::default() })
            })?;
            rows += 1;
        }
        Ok(rows)
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
pub fn objects_of(schema: &SchemaRef, lines: Vec<u8>) -> Result<RecordBatch> {
    built(schema, lines, |object, text, at| object.take(text, at, 0))
}

/// The rows whose `values` stand one behind the other, by the columns of `schema`, which was made of them.
///
/// # Errors
/// `Data`, for what does not fit the schema.
pub fn rows_of(schema: &SchemaRef, values: Vec<u8>) -> Result<RecordBatch> {
    built(schema, values, Object::take_row)
}

/// Rows of text, each of which `take` takes.
fn built(
    schema: &SchemaRef,
    mut lines: Vec<u8>,
    take: impl Fn(&mut Object, Text<'_>, usize) -> Result<usize, Bad>,
) -> Result<RecordBatch> {
    let len = lines.len();
    lines.resize(len + PADDING, 0);
    let buffer = Buffer::from_vec(lines);
    let text = Text { bytes: buffer.get(..len).unwrap_or_default() };
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let mut object = Object::new(schema.fields(), &all, true, &|_| true)?;
    let (mut at, mut rows) = (text.space(0), 0);
    while at < len {
        let taken = take(&mut object, text, at);
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
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_string()),
            "true|false|-?[1-9][0-9]{0,2}|[0-9]\\.[0-9]{1,2}|-?1e[1-9]|99999999999999999999|0|-0",
            "\"[a-c ]{0,3}\"|\"a long text of (one|two) kinds\"|\"2024-0[1-9]-11( 10:00:00Z?)?\"|\"\\\\u00e9\\\\n\"",
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(|list| format!("[{}]", list.join(","))),
                prop::collection::vec(("[ab]", inner), 0..3).prop_map(|fields| {
                    let fields: BTreeMap<String, String> = fields.into_iter().collect();
                    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }

    proptest! {
        /// Rows are what objects of the same values are.
        #[test]
        fn rows_are_objects_without_keys(rows in prop::collection::vec((value(), value()), 0..12)) {
            let names = ["a".to_string(), "b \"".to_string()];
            let (mut objects, mut columns) = (Seen::default(), Seen::default());
            let lines: Vec<String> = rows.iter().map(|(a, b)| format!("{{\"a\":{a}, \"b \\\"\": {b}}}")).collect();
            lines.iter().for_each(|line| objects.add(line.as_bytes()).unwrap());
            let values: String = rows.iter().map(|(a, b)| format!("{a}\n{b}\n")).collect();
            assert_eq!(columns.add_rows(&names, values.as_bytes()).unwrap(), rows.len());
            assert_eq!(columns.schema(), objects.schema());
            let schema = objects.schema();
            match (rows_of(&schema, values.into_bytes()), objects_of(&schema, lines.join("\n").into_bytes())) {
                (Ok(rows), Ok(objects)) => assert_eq!(rows, objects),
                (rows, objects) => assert_eq!(rows.is_err(), objects.is_err()),
            }
        }
    }

    #[test]
    fn broken_rows_are_told() {
        let names = ["a".to_string(), "b".to_string()];
        for broken in ["1", "1 2 3", "1 x", "\"a", "1 [2"] {
            assert!(Seen::default().add_rows(&names, broken.as_bytes()).is_err(), "{broken}");
        }
        let deep = format!("1 {}{}", "[".repeat(100), "]".repeat(100));
        assert!(Seen::default().add_rows(&names, deep.as_bytes()).is_err());
    }
}
