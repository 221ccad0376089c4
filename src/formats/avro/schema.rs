//! Schemas of Avro as JSON: what of them counts for reading, and how blocks are given to the crate.
//!
//! The crate reads containers, and believes what blocks say of themselves. So a group of blocks is given to it as one
//! record of another schema, whose first field is the list of the records, and whose second is a mark of ours:
//!
//! ```text
//! {"rows": [ <records of a block>, <records of the next>, .. ], "mark": 16 bytes}
//! ```
//!
//! Where the mark comes out as it went in, there were exactly as many records as the blocks said.
//!
//! Types are given names of ours. What does not matter for reading (documentation, defaults, aliases, properties of other tools) is taken out. Text that
//! is a UUID stays text. A schema that is no record is one column, `value`.

use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the column of records that have no fields.
const VALUE: &str = "value";

/// The names of the fields of what blocks are wrapped in.
pub(super) const ROWS: &str = "rows";

/// Keys of a schema that matter for reading, beside names, fields and logical types.
const KEPT: [&str; 7] = ["type", "items", "values", "symbols", "size", "precision", "scale"];
/// Those of them that are schemas.
const NESTED: [&str; 3] = ["type", "items", "values"];

/// A schema with which records are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written(Value);

impl Written {
    /// # Errors
    /// The text is no schema.
    pub(super) fn parse(text: &str) -> Result<Written> {
        let schema: Value = serde_json::from_str(text)
            .map_err(|e| Error::data(format!("the file is corrupt: its schema is no JSON: {e}")))?;
        let mut essence = Essence::default();
        let schema = essence.of(&schema, "");
        if let Some(why) = essence.refused {
            return Err(Error::unsupported(why));
        }
        Ok(Written(match is_record(&schema) {
            true => schema,
            false => json!({"type": "record", "name": "partita_row", "fields": [{"name": VALUE, "type": schema}]}),
        }))
    }

    /// The names of the columns.
    #[cfg(test)]
    fn names(&self) -> Vec<String> {
        let name = |field: &Value| Some(field.get("name")?.as_str()?.to_string());
        self.fields().iter().filter_map(name).collect()
    }

    fn fields(&self) -> &[Value] {
        self.0.get("fields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Only those of its fields, in that order.
    pub(super) fn of_columns(&self, columns: &[usize]) -> Written {
        let fields: Vec<Value> = columns.iter().filter_map(|at| self.fields().get(*at).cloned()).collect();
        let mut record = self.0.clone();
        if let Some(record) = record.as_object_mut() {
            record.insert("fields".into(), Value::Array(fields));
        }
        Written(record)
    }

    /// The schema of a group of blocks.
    pub(super) fn wrapped(&self) -> String {
        json!({
            "type": "record",
            "name": "partita_group",
            "fields": [
                {"name": ROWS, "type": {"type": "array", "items": self.0}},
                {"name": "mark", "type": {"type": "fixed", "name": "partita_mark", "size": 16}},
            ],
        })
        .to_string()
    }
}

fn is_record(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| matches!(kind.as_str(), Some("record" | "error")))
}

/// What types are called that are no names.
const WORDS: [&str; 14] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "error", "enum", "array", "map",
    "fixed",
];

/// Keeps the parts of a schema that matter. Types get names of ours: the crate does not find all that the specification
/// lets name each other.
#[derive(Default)]
struct Essence {
    /// Our names by full ones.
    names: BTreeMap<String, String>,
    /// Types that are being explained.
    open: Vec<String>,
    /// Our names of types whose values have no bytes.
    hollow: BTreeSet<String>,
    /// What is not read.
    refused: Option<String>,
}

/// The full name of what is called `name` inside of a namespace.
fn full(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.to_string(),
        false => format!("{namespace}.{name}"),
    }
}

impl Essence {
    fn of(&mut self, schema: &Value, namespace: &str) -> Value {
        match schema {
            Value::Array(branches) => Value::Array(branches.iter().map(|branch| self.of(branch, namespace)).collect()),
            Value::Object(object) => self.of_object(object, namespace),
            Value::String(name) if !WORDS.contains(&name.as_str()) => {
                let full = full(name, namespace);
                let known = self.names.get(&full).or_else(|| self.names.get(name));
                if self.open.iter().any(|open| *open == full || open == name) {
                    self.refused = Some(format!("the type {full} of this Avro file, which contains itself"));
                }
                Value::String(known.unwrap_or(name).clone())
            }
            other => other.clone(),
        }
    }

    fn of_object(&mut self, object: &Map<String, Value>, namespace: &str) -> Value {
        let (mut kept, mut inside) = (Map::new(), namespace.to_string());
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        if let Some(name) = text("name") {
            let name = full(name, text("namespace").unwrap_or(namespace));
            inside = name.rsplit_once('.').map_or(String::new(), |(namespace, _)| namespace.to_string());
            let ours = format!("partita_{}", self.names.len());
            self.open.push(name.clone());
            kept.insert("name".into(), self.names.entry(name).or_insert(ours).clone().into());
        }
        for key in KEPT {
            let Some(value) = object.get(key) else { continue };
            let value = if NESTED.contains(&key) { self.of(value, &inside) } else { value.clone() };
            kept.insert(key.into(), value);
        }
        if let Some(fields) = object.get("fields").and_then(Value::as_array) {
            let field = |field: &Value| {
                let kind = field.get("type").map(|kind| self.of(kind, &inside));
                json!({"name": field.get("name"), "type": kind})
            };
            kept.insert("fields".into(), fields.iter().map(field).collect());
        }
        if text("name").is_some() {
            self.open.pop();
        }
        if kept.get("items").is_some_and(|items| self.is_hollow(items)) {
            // How many there are would be believed, however many.
            self.refused = Some("an array of Avro whose items have no bytes".into());
        }
        // The crate would make bytes of a text that is a UUID.
        if let Some(logical) = text("logicalType").filter(|logical| *logical != "uuid") {
            kept.insert("logicalType".into(), logical.into());
        } else if kept.len() == 1 {
            return kept.remove("type").unwrap_or_default();
        }
        let (name, made) = (kept.get("name").and_then(Value::as_str).map(str::to_string), Value::Object(kept));
        if self.is_hollow(&made) {
            self.hollow.extend(name);
        }
        made
    }

    /// Whether values of the type have no bytes.
    fn is_hollow(&self, schema: &Value) -> bool {
        match schema {
            Value::String(name) => name == "null" || self.hollow.contains(name),
            Value::Object(object) => match object.get("type").and_then(Value::as_str) {
                Some("record" | "error") => {
                    let fields = object.get("fields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    fields.iter().all(|field| field.get("type").is_some_and(|kind| self.is_hollow(kind)))
                }
                Some("fixed") => object.get("size").and_then(Value::as_u64) == Some(0),
                Some("null") => true,
                _ => false,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_kept() {
        let text = r#"{"type": "record", "name": "r", "namespace": "x.y", "doc": "d", "fields": [
            {"name": "id", "type": {"type": "string", "logicalType": "uuid"}, "default": "", "order": "ignore"},
            {"name": "e", "type": ["null", {"type": "enum", "name": "z.e", "symbols": ["A"], "default": "A"}]},
            {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros", "adjust": true}},
            {"name": "f", "type": {"type": "array", "items": "z.e"}},
            {"name": "g", "type": {"type": "map", "values": {"type": "fixed", "name": "s", "size": 2}}},
            {"name": "h", "type": ["x.y.s", "s"]}]}"#;
        let written = Written::parse(text).unwrap();
        let fields = json!([
            {"name": "id", "type": "string"},
            {"name": "e", "type": ["null", {"type": "enum", "name": "partita_1", "symbols": ["A"]}]},
            {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "f", "type": {"type": "array", "items": "partita_1"}},
            {"name": "g", "type": {"type": "map", "values": {"type": "fixed", "name": "partita_2", "size": 2}}},
            {"name": "h", "type": ["partita_2", "partita_2"]},
        ]);
        assert_eq!(written, Written(json!({"type": "record", "name": "partita_0", "fields": fields})));
        assert_eq!(written.names(), ["id", "e", "t", "f", "g", "h"]);
        assert_eq!(written.of_columns(&[2, 0]).names(), ["t", "id"]);
        assert_eq!(Written::parse("\"long\"").unwrap().names(), ["value"]);
        let hollow = r#"{"type": "record", "name": "h", "fields": [{"name": "n", "type": "null"}]}"#;
        assert!(Written::parse(hollow).is_ok());
        for items in ["\"null\"", hollow, r#"{"type": "fixed", "name": "f", "size": 0}"#] {
            assert!(Written::parse(&format!(r#"{{"type": "array", "items": {items}}}"#)).is_err(), "{items}");
        }
        assert!(Written::parse("{").is_err());
    }
}
