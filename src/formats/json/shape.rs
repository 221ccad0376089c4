//! What JSON values have in common: the guess that samples are joined into.

use super::cursor::{MAX_DEPTH, Malformed, Text, Walk};
use crate::formats::values::Kind;
use arrow::datatypes::{DataType, Field};
use std::collections::HashMap;
use std::sync::Arc;

/// Structs with more keys than this are maps in disguise: they stay the text of their JSON.
const MAX_KEYS: usize = 1000;

/// The mark of a text column that holds the JSON of its values (Arrow's canonical extension type).
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.json");

/// What becomes of a shape when a value does not fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It widens until the value fits.
    Widen,
    /// It widens, but not to text: values that would make it text are left out.
    Settled,
}

/// What was seen of the values at one place.
#[derive(Clone, Debug, Default)]
pub(super) enum Shape {
    /// Only nulls.
    #[default]
    Null,
    /// Numbers or booleans.
    Plain(Kind),
    /// Strings, perhaps all of them dates or timestamps.
    Quoted(Kind),
    /// Arrays.
    List(Box<Shape>),
    /// Objects.
    Struct(Keys),
    /// Values with nothing in common.
    Mixed,
}

/// The keys of objects, in the order of their first appearance.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) list: Vec<(String, Shape)>,
    places: HashMap<String, usize>,
}

impl Keys {
    /// The shape of a key that is expected at a place, as most keys are that were seen before.
    fn expected(&mut self, place: usize, key: &[u8]) -> Option<&mut Shape> {
        self.list.get_mut(place).filter(|(name, _)| name.as_bytes() == key).map(|(_, shape)| shape)
    }

    fn shape(&mut self, key: String) -> Option<&mut Shape> {
        let place = *self.places.entry(key).or_insert_with_key(|key| {
            self.list.push((key.clone(), Shape::Null));
            self.list.len() - 1
        });
        self.list.get_mut(place).map(|(_, shape)| shape)
    }
}

impl Shape {
    /// Takes the value at `at` into account; answers with the place behind it.
    pub(super) fn observe(&mut self, text: Text<'_>, at: usize, depth: usize, rule: Rule) -> Walk<usize> {
        if depth > MAX_DEPTH {
            return Err(Malformed(at));
        }
        match text.at(at) {
            b'{' => self.observe_object(text, at, depth, rule),
            b'[' => self.observe_array(text, at, depth, rule),
            _ => self.observe_scalar(text, at, rule),
        }
    }

    fn observe_scalar(&mut self, text: Text<'_>, at: usize, rule: Rule) -> Walk<usize> {
        let end = text.skip(at)?;
        let value = text.bytes.get(at..end).unwrap_or_default();
        let seen = match value {
            b"null" => return Ok(end),
            // Nothing makes it less of a text.
            [b'"', ..] if matches!(self, Shape::Quoted(Kind::Text)) => return Ok(end),
            [b'"', inner @ .., b'"'] => match Kind::of(inner) {
                kind @ (Kind::Date | Kind::Timestamp | Kind::TimestampTz) => Shape::Quoted(kind),
                _ => Shape::Quoted(Kind::Text),
            },
            _ => match Kind::of(value) {
                Kind::Text => return Err(Malformed(at)),
                kind if matches!(self, Shape::Plain(before) if *before == kind) => return Ok(end),
                kind => Shape::Plain(kind),
            },
        };
        self.join_by(rule, |shape| shape.join_scalar(seen));
        Ok(end)
    }

    /// Joins something to it, unless the rule says that this would be too much.
    fn join_by(&mut self, rule: Rule, join: impl FnOnce(&mut Shape)) {
        let mut joined = match rule {
            Rule::Widen => std::mem::take(self),
            // Only structs are large, and those stay what they are.
            Rule::Settled if matches!(self, Shape::Struct(_) | Shape::List(_)) => return,
            Rule::Settled => self.clone(),
        };
        join(&mut joined);
        let is_text = matches!(joined, Shape::Mixed | Shape::Quoted(Kind::Text));
        if rule == Rule::Widen || !is_text || matches!(self, Shape::Null) {
            *self = joined;
        }
    }

    fn join_scalar(&mut self, seen: Shape) {
        *self = match (std::mem::take(self), seen) {
            (Shape::Null, seen) => seen,
            (Shape::Quoted(a), Shape::Quoted(b)) => Shape::Quoted(a.join(b)),
            (Shape::Plain(a), Shape::Plain(b)) => match a.join(b) {
                Kind::Text => Shape::Mixed,
                kind => Shape::Plain(kind),
            },
            _ => Shape::Mixed,
        };
    }

    fn observe_object(&mut self, text: Text<'_>, at: usize, depth: usize, rule: Rule) -> Walk<usize> {
        if matches!(self, Shape::Null) {
            *self = Shape::Struct(Keys::default());
        }
        let Shape::Struct(keys) = self else {
            self.join_by(rule, |shape| *shape = Shape::Mixed);
            return text.skip(at);
        };
        let mut at = text.space(at + 1);
        if text.at(at) == b'}' {
            return Ok(at + 1);
        }
        for place in 0.. {
            at = text.expect(at, b'"')?;
            let (end, escaped) = text.string_end(at)?;
            let behind = text.space(text.expect(text.space(end + 1), b':')?);
            let quoted = text.bytes.get(at..end).unwrap_or_default();
            let is_expected = !escaped && keys.expected(place, quoted).is_some();
            let shape = match is_expected {
                true => keys.expected(place, quoted),
                false => {
                    let mut key = Vec::new();
                    text.unescape(at, end, &mut key)?;
                    keys.shape(String::from_utf8(key).map_err(|_| Malformed(at))?)
                }
            };
            let shape = shape.ok_or(Malformed(behind))?;
            at = behind;
            at = text.space(shape.observe(text, at, depth + 1, rule)?);
            match text.at(at) {
                b',' => at = text.space(at + 1),
                b'}' => break,
                _ => return Err(Malformed(at)),
            }
        }
        if depth > 0 && keys.list.len() > MAX_KEYS {
            *self = Shape::Mixed;
        }
        Ok(at + 1)
    }

    /// Takes a row into account: the values of objects that all have these keys, one behind the other.
    pub(super) fn observe_row(&mut self, names: &[String], text: Text<'_>, mut at: usize, rule: Rule) -> Walk<usize> {
        if matches!(self, Shape::Null) {
            *self = Shape::Struct(Keys::default());
        }
        let Shape::Struct(keys) = self else { return Err(Malformed(at)) };
        if keys.list.is_empty() {
            for name in names {
                keys.shape(name.clone());
            }
        }
        if keys.list.len() != names.len() {
            return Err(Malformed(at));
        }
        for (_, shape) in &mut keys.list {
            at = text.space(shape.observe(text, at, 1, rule)?);
        }
        Ok(at)
    }

    fn observe_array(&mut self, text: Text<'_>, at: usize, depth: usize, rule: Rule) -> Walk<usize> {
        if matches!(self, Shape::Null) {
            *self = Shape::List(Box::default());
        }
        let Shape::List(item) = self else {
            self.join_by(rule, |shape| *shape = Shape::Mixed);
            return text.skip(at);
        };
        let mut at = text.space(at + 1);
        if text.at(at) == b']' {
            return Ok(at + 1);
        }
        loop {
            at = text.space(item.observe(text, at, depth + 1, rule)?);
            match text.at(at) {
                b',' => at = text.space(at + 1),
                b']' => return Ok(at + 1),
                _ => return Err(Malformed(at)),
            }
        }
    }

    /// What both have in common.
    pub(super) fn join(self, other: Shape) -> Shape {
        match (self, other) {
            (Shape::Null, one) | (one, Shape::Null) => one,
            (Shape::List(mut a), Shape::List(b)) => {
                *a = a.join(*b);
                Shape::List(a)
            }
            (Shape::Struct(mut a), Shape::Struct(b)) => {
                for (key, theirs) in b.list {
                    if let Some(ours) = a.shape(key) {
                        *ours = std::mem::take(ours).join(theirs);
                    }
                }
                Shape::Struct(a)
            }
            (mut a, b @ (Shape::Plain(_) | Shape::Quoted(_))) => {
                a.join_scalar(b);
                a
            }
            _ => Shape::Mixed,
        }
    }

    /// The column of this shape.
    pub(super) fn field(&self, name: &str) -> Field {
        self.field_within(name, MAX_DEPTH)
    }

    /// The column of this shape; lists and structs beyond so many levels are the text of their JSON.
    pub(super) fn field_within(&self, name: &str, levels: usize) -> Field {
        let below = levels.saturating_sub(1);
        let (data_type, json) = match self {
            Shape::List(_) | Shape::Struct(_) if levels == 0 => (DataType::Utf8View, true),
            Shape::Null => (DataType::Utf8View, false),
            Shape::Plain(kind) | Shape::Quoted(kind) => (kind.data_type(), false),
            Shape::List(item) => (DataType::List(Arc::new(item.field_within("item", below))), false),
            Shape::Struct(keys) if !keys.list.is_empty() => {
                (DataType::Struct(keys.list.iter().map(|(k, s)| s.field_within(k, below)).collect()), false)
            }
            Shape::Struct(_) | Shape::Mixed => (DataType::Utf8View, true),
        };
        let field = Field::new(name, data_type, true);
        let (key, value) = EXTENSION;
        if json { field.with_metadata(HashMap::from([(key.to_string(), value.to_string())])) } else { field }
    }
}

/// Whether a text column holds the JSON of its values.
pub fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION.0).is_some_and(|v| v == EXTENSION.1)
}
