//! Values of a native program: pieces of the item's text where they stand, and what was made of them.

use super::super::access::number;
use super::super::meter::enter;
use super::super::scan::{Kind, content};
use super::super::value::{Fields, Val, as_str, charged};
use super::super::{read, write};
use jaq_json::Num;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

/// A value.
#[derive(Clone)]
pub(super) enum V<'a> {
    /// JSON that was checked, without spaces around it.
    Raw(&'a [u8]),
    Text(Cow<'a, [u8]>),
    Array(Rc<Vec<V<'a>>>),
    /// No key twice.
    Object(Rc<Vec<(Cow<'a, [u8]>, V<'a>)>>),
    /// Anything.
    Val(Val),
}

impl<'a> V<'a> {
    pub(super) const NULL: V<'static> = V::Val(Val::Null);

    pub(super) fn kind(&self) -> Kind {
        match self {
            V::Raw(json) => Kind::of(json),
            V::Text(_) => Kind::Text,
            V::Array(_) => Kind::Array,
            V::Object(_) => Kind::Object,
            V::Val(v) => match v {
                Val::Null => Kind::Null,
                Val::Bool(_) => Kind::Bool,
                Val::Num(_) => Kind::Number,
                Val::Str(_) => Kind::Text,
                Val::Arr(_) => Kind::Array,
                Val::Obj(_) => Kind::Object,
            },
        }
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            V::Raw(json) => !matches!(json.first(), Some(b'n' | b'f')),
            V::Val(v) => v.truth(),
            _ => true,
        }
    }

    /// What a text says.
    pub(super) fn text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            V::Raw(json) if Kind::of(json) == Kind::Text => Some(content(json)),
            V::Text(text) => Some(Cow::Borrowed(text)),
            V::Val(Val::Str(text)) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<Num> {
        match self {
            V::Raw(json) if Kind::of(json) == Kind::Number => {
                Some(small(json).map_or_else(|| number(as_str(json)), Num::Int))
            }
            V::Val(Val::Num(n)) => Some(n.clone()),
            _ => None,
        }
    }

    /// The whole value.
    pub(super) fn val(&self) -> Val {
        match self {
            V::Raw(json) => read::value_of(json),
            V::Text(text) => Val::Str(charged(text.to_vec())),
            V::Array(items) => {
                enter();
                items.iter().map(V::val).collect()
            }
            V::Object(fields) => {
                enter();
                let mut made = Fields::default();
                for (key, value) in fields.iter() {
                    made.insert(charged(key.to_vec()), value.val());
                }
                Val::obj(made)
            }
            V::Val(v) => v.clone(),
        }
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            V::Raw(json) => write::raw(json, out),
            V::Text(text) => write::text(text, out),
            V::Array(items) => {
                enter();
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            V::Object(fields) => {
                enter();
                out.push(b'{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write::text(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            V::Val(v) => write::value(v, out),
        }
    }

    fn rank(&self) -> u8 {
        match self.kind() {
            Kind::Null => 0,
            Kind::Bool => 1,
            Kind::Number => 2,
            Kind::Text => 3,
            Kind::Array => 4,
            Kind::Object => 5,
        }
    }

    pub(super) fn same(&self, other: &V<'_>) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool, Kind::Bool) => self.truth() == other.truth(),
            (Kind::Number, Kind::Number) => match (self.small(), other.small()) {
                (Some(a), Some(b)) => a == b,
                _ => self.number() == other.number(),
            },
            (Kind::Text, Kind::Text) => self.text() == other.text(),
            (a, b) => a == b && self.val() == other.val(),
        }
    }

    pub(super) fn compare(&self, other: &V<'_>) -> Ordering {
        match (self.kind(), other.kind()) {
            (Kind::Bool, Kind::Bool) => self.truth().cmp(&other.truth()),
            (Kind::Number, Kind::Number) => match (self.small(), other.small()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => self.number().cmp(&other.number()),
            },
            (Kind::Text, Kind::Text) => self.text().cmp(&other.text()),
            (a, b) if a == b && a != Kind::Null => self.val().cmp(&other.val()),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    #[inline]
    fn small(&self) -> Option<isize> {
        match self {
            V::Raw(json) => small(json),
            V::Val(Val::Num(Num::Int(n))) => Some(*n),
            _ => None,
        }
    }
}

/// An integer of few digits.
#[inline]
fn small(json: &[u8]) -> Option<isize> {
    let (negative, digits) = match json {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut n = 0isize;
    for digit in digits {
        match digit {
            b'0'..=b'9' => n = n * 10 + isize::from(digit - b'0'),
            _ => return None,
        }
    }
    Some(if negative { -n } else { n })
}
