//! What a document is like: its type, its keys, its shape.

use super::super::args::{Args, bools, ints, some, text_lists, texts};
use super::super::row::{Gives, Row};
use super::extract::Paths;
use super::path::{Children, children, minified};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use serde_json::Value;
use serde_json::value::RawValue;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "json",
        "text",
        Gives::Text,
        json,
        "The document without spaces; an error where it is not JSON.",
        "json('{ \"a\" : 1 }') --> {\"a\":1}",
    ),
    Row::new("json_valid", "text", Gives::Bool, valid, "Whether the text is JSON.", "json_valid('{') --> false"),
    Row::new(
        "json_type",
        "text, text? | text, int",
        Gives::Text,
        kind,
        "The type of the document, or of what is at a path.",
        "json_type('[1]') --> ARRAY",
    ),
    Row::new(
        "json_array_length",
        "text, text? | text, int",
        Gives::Int,
        array_length,
        "The number of elements; 0 of what is no array.",
        "json_array_length('[1, 2, 3]') --> 3",
    ),
    Row::new(
        "json_keys",
        "text, text? | text, int",
        Gives::Texts,
        keys,
        "The keys of the object; none of what is no object.",
        "json_keys('{\"a\": 1, \"b\": 2}') --> [a, b]",
    ),
    Row::new(
        "json_contains",
        "text, text",
        Gives::Bool,
        contains,
        "Whether the second document is somewhere in the first.",
        "json_contains('{\"a\": [1, 2]}', '1') --> true",
    ),
    Row::new(
        "json_structure",
        "text",
        Gives::Text,
        structure,
        "The types of all that is in the document.",
        "json_structure('{\"a\": [1, 2.5]}') --> {\"a\":[\"DOUBLE\"]}",
    ),
    Row::new(
        "json_pretty",
        "text",
        Gives::Text,
        pretty,
        "The document with a line for each value.",
        "json_pretty('1') --> 1",
    ),
];

fn broken<T>(text: &str) -> Result<T> {
    exec_err!("{text:?} is not JSON")
}

fn json(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row| {
        let text = some!(text.get(row));
        minified(text).map_or_else(|| broken(text), |made| Ok(Some(made)))
    })
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn valid(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    bools(args, |row| Ok(Some(is_json(some!(text.get(row))))))
}

/// DuckDB's word for a value.
fn type_of(json: &str) -> &'static str {
    let json = json.trim();
    match json.as_bytes().first() {
        Some(b'{') => "OBJECT",
        Some(b'[') => "ARRAY",
        Some(b'"') => "VARCHAR",
        Some(b't' | b'f') => "BOOLEAN",
        Some(b'n') | None => "NULL",
        Some(_) if json.parse::<u64>().is_ok() => "UBIGINT",
        Some(_) if json.parse::<i64>().is_ok() => "BIGINT",
        Some(_) if json.parse::<i128>().is_ok() => "HUGEINT",
        Some(_) => "DOUBLE",
    }
}

/// What is at the path, or all of it.
fn at<'a>(doc: &'a str, paths: &mut Option<Paths>, row: usize) -> Result<Option<&'a str>> {
    match paths {
        Some(paths) => Ok(some!(paths.get(row)?).first(doc)),
        None if is_json(doc) => Ok(Some(doc)),
        None => broken(doc),
    }
}

fn paths(args: &Args) -> Result<Option<Paths>> {
    if args.has(1) { Paths::new(args, 1).map(Some) } else { Ok(None) }
}

fn kind(args: &Args) -> Result<ArrayRef> {
    let (doc, mut paths) = (args.text(0)?, paths(args)?);
    texts(args, |row| Ok(at(some!(doc.get(row)), &mut paths, row)?.map(type_of)))
}

fn array_length(args: &Args) -> Result<ArrayRef> {
    let (doc, mut paths) = (args.text(0)?, paths(args)?);
    ints(args, |row| {
        let found = some!(at(some!(doc.get(row)), &mut paths, row)?);
        Ok(Some(match children(found) {
            Some(Children::Array(items)) => items.len() as i64,
            _ => 0,
        }))
    })
}

fn keys(args: &Args) -> Result<ArrayRef> {
    let (doc, mut paths) = (args.text(0)?, paths(args)?);
    text_lists(args, |row| {
        let found = some!(at(some!(doc.get(row)), &mut paths, row)?);
        Ok(Some(match children(found) {
            Some(Children::Object(pairs)) => pairs.into_iter().map(|(key, _)| Some(key)).collect(),
            _ => Vec::new(),
        }))
    })
}

/// Objects are contained with some of their keys, arrays with some of their elements.
fn holds(all: &Value, part: &Value) -> bool {
    let here = match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            part.iter().all(|(k, v)| all.get(k).is_some_and(|found| holds(found, v)))
        }
        (Value::Array(all), Value::Array(part)) => part.iter().all(|v| all.iter().any(|a| holds(a, v))),
        (all, part) => all == part,
    };
    here || match all {
        Value::Object(all) => all.values().any(|v| holds(v, part)),
        Value::Array(all) => all.iter().any(|v| holds(v, part)),
        _ => false,
    }
}

fn contains(args: &Args) -> Result<ArrayRef> {
    let (doc, part) = (args.text(0)?, args.text(1)?);
    bools(args, |row| {
        let (doc, part) = (some!(doc.get(row)), some!(part.get(row)));
        match (serde_json::from_str(doc), serde_json::from_str(part)) {
            (Ok(doc), Ok(part)) => Ok(Some(holds(&doc, &part))),
            (Err(_), _) => broken(doc),
            _ => broken(part),
        }
    })
}

/// The shape of values: a type, what is in an array, the keys of an object.
enum Shape {
    Null,
    Scalar(&'static str),
    Array(Box<Shape>),
    Object(Vec<(String, Shape)>),
    Json,
}

impl Shape {
    fn of(json: &str) -> Shape {
        match children(json) {
            Some(Children::Array(items)) => {
                Shape::Array(Box::new(items.into_iter().map(Shape::of).fold(Shape::Null, Shape::join)))
            }
            Some(Children::Object(pairs)) => {
                Shape::Object(pairs.into_iter().map(|(key, v)| (key, Shape::of(v))).collect())
            }
            None => match type_of(json) {
                "NULL" => Shape::Null,
                other => Shape::Scalar(other),
            },
        }
    }

    fn join(self, other: Shape) -> Shape {
        const NUMBERS: [&str; 4] = ["UBIGINT", "BIGINT", "HUGEINT", "DOUBLE"];
        match (self, other) {
            (Shape::Null, one) | (one, Shape::Null) => one,
            (Shape::Scalar(a), Shape::Scalar(b)) => {
                let rank = |t: &str| NUMBERS.iter().position(|n| *n == t);
                match (rank(a), rank(b)) {
                    _ if a == b => Shape::Scalar(a),
                    (Some(x), Some(y)) => Shape::Scalar(if x > y { a } else { b }),
                    _ => Shape::Json,
                }
            }
            (Shape::Array(a), Shape::Array(b)) => Shape::Array(Box::new(a.join(*b))),
            (Shape::Object(mut a), Shape::Object(b)) => {
                for (key, shape) in b {
                    match a.iter().position(|(k, _)| *k == key) {
                        Some(at) => {
                            let (key, old) = a.remove(at);
                            a.insert(at, (key, old.join(shape)));
                        }
                        None => a.push((key, shape)),
                    }
                }
                Shape::Object(a)
            }
            _ => Shape::Json,
        }
    }

    fn show(&self, out: &mut String) {
        match self {
            Shape::Null => out.push_str("\"NULL\""),
            Shape::Json => out.push_str("\"JSON\""),
            Shape::Scalar(name) => out.push_str(&format!("\"{name}\"")),
            Shape::Array(inner) => {
                out.push('[');
                inner.show(out);
                out.push(']');
            }
            Shape::Object(pairs) => {
                out.push('{');
                for (i, (key, shape)) in pairs.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push(':');
                    shape.show(out);
                }
                out.push('}');
            }
        }
    }
}

fn structure(args: &Args) -> Result<ArrayRef> {
    let doc = args.text(0)?;
    texts(args, |row| {
        let doc = some!(doc.get(row));
        if !is_json(doc) {
            return broken(doc);
        }
        let mut made = String::new();
        Shape::of(doc).show(&mut made);
        Ok(Some(made))
    })
}

fn pretty(args: &Args) -> Result<ArrayRef> {
    let doc = args.text(0)?;
    texts(args, |row| {
        let doc = some!(doc.get(row));
        if !is_json(doc) {
            return broken(doc);
        }
        let mut made = String::new();
        indent(doc, 0, &mut made);
        Ok(Some(made))
    })
}

fn indent(json: &str, depth: usize, out: &mut String) {
    let lines = |out: &mut String, open: char, close: char, items: Vec<(Option<String>, &str)>| {
        out.push(open);
        for (i, (key, value)) in items.iter().enumerate() {
            out.push_str(if i > 0 { ",\n" } else { "\n" });
            out.push_str(&"    ".repeat(depth + 1));
            if let Some(key) = key {
                out.push_str(&format!("{}: ", Value::from(key.as_str())));
            }
            indent(value, depth + 1, out);
        }
        if !items.is_empty() {
            out.push('\n');
            out.push_str(&"    ".repeat(depth));
        }
        out.push(close);
    };
    match children(json) {
        Some(Children::Object(pairs)) => {
            lines(out, '{', '}', pairs.into_iter().map(|(k, v)| (Some(k), v)).collect());
        }
        Some(Children::Array(items)) => lines(out, '[', ']', items.into_iter().map(|v| (None, v)).collect()),
        None => out.push_str(json.trim()),
    }
}
