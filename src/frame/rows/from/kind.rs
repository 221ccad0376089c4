//! What the values of a column have in common.

use super::value::{Name, Value};
use std::fmt;

/// The type of some values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// No value so far but nulls.
    Null,
    Bool,
    /// Whole numbers from the first to the second.
    Int(i128, i128),
    Float,
    Text,
    Bytes,
    List(Box<Kind>),
    Struct(Vec<(Name, Kind)>),
    Map(Box<Kind>, Box<Kind>),
}

/// Two values of a column that have no type in common.
#[derive(Debug)]
pub(super) struct Clash {
    found: &'static str,
    before: &'static str,
    /// From the inside out.
    path: Vec<Name>,
}

impl Clash {
    pub(super) fn path(&self) -> Option<String> {
        let path: Vec<&str> = self.path.iter().rev().map(|name| name.as_ref()).collect();
        (!path.is_empty()).then(|| path.join("."))
    }

    fn in_field(mut self, name: &Name) -> Self {
        self.path.push(name.clone());
        self
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is {}, where rows before have {}", self.found, self.before)
    }
}

/// Whole numbers that every float can be: up to 2^53.
const EXACT: i128 = 1 << 53;

impl Kind {
    /// Makes the type one of `value`, too.
    pub(super) fn join(&mut self, value: &Value) -> Result<(), Clash> {
        if *self == Kind::Null {
            *self = Kind::empty(value);
        }
        match (self, value) {
            (_, Value::Null) => Ok(()),
            (Kind::Bool, Value::Bool(_)) | (Kind::Float, Value::Float(_)) => Ok(()),
            (Kind::Text, Value::Text(_)) | (Kind::Bytes, Value::Bytes(_)) => Ok(()),
            (Kind::Int(least, most), Value::Int(n)) => {
                (*least, *most) = ((*least).min(*n), (*most).max(*n));
                Ok(())
            }
            (Kind::Float, Value::Int(n)) if n.abs() <= EXACT => Ok(()),
            (kind @ Kind::Int(..), Value::Float(_)) if kind.is_exact() => {
                *kind = Kind::Float;
                Ok(())
            }
            (Kind::List(item), Value::List(values)) => values.iter().try_for_each(|value| item.join(value)),
            (Kind::Struct(fields), Value::Struct(values)) => join_fields(fields, values),
            (Kind::Map(key, item), Value::Map(entries)) => entries.iter().try_for_each(|(k, v)| {
                key.join(k)?;
                item.join(v)
            }),
            (kind, value) => Err(Clash { found: Kind::empty(value).noun(), before: kind.noun(), path: Vec::new() }),
        }
    }

    /// The type of a value, before its parts are looked at.
    fn empty(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Int(n) => Kind::Int(*n, *n),
            Value::Float(_) => Kind::Float,
            Value::Text(_) => Kind::Text,
            Value::Bytes(_) => Kind::Bytes,
            Value::List(_) => Kind::List(Box::new(Kind::Null)),
            Value::Struct(_) => Kind::Struct(Vec::new()),
            Value::Map(_) => Kind::Map(Box::new(Kind::Null), Box::new(Kind::Null)),
        }
    }

    fn is_exact(&self) -> bool {
        matches!(self, Kind::Int(least, most) if least.abs() <= EXACT && most.abs() <= EXACT)
    }

    fn noun(&self) -> &'static str {
        match self {
            Kind::Null => "a null",
            Kind::Bool => "a truth value",
            Kind::Int(..) => "a whole number",
            Kind::Float => "a float",
            Kind::Text => "a text",
            Kind::Bytes => "bytes",
            Kind::List(_) => "a list",
            Kind::Struct(_) => "a struct",
            Kind::Map(..) => "a map",
        }
    }
}

/// Most structs have the fields of those before them, in their order.
fn join_fields(fields: &mut Vec<(Name, Kind)>, values: &[(Name, Value)]) -> Result<(), Clash> {
    for (i, (name, value)) in values.iter().enumerate() {
        let expected = fields.get(i).is_some_and(|(known, _)| known == name);
        let at = if expected { Some(i) } else { fields.iter().position(|(known, _)| known == name) };
        let at = at.unwrap_or_else(|| {
            fields.push((name.clone(), Kind::Null));
            fields.len() - 1
        });
        if let Some((_, kind)) = fields.get_mut(at) {
            kind.join(value).map_err(|clash| clash.in_field(name))?;
        }
    }
    Ok(())
}
