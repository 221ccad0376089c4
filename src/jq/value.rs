//! Values of a program that does not run natively: what jaq works on.
//!
//! They behave as jaq's own do (jaq-json), which is the oracle of the tests, but for three things:
//!
//! 1. Every container knows its depth and what it weighs written out, so that a value that shares its parts a million times
//!    is refused when it is made, not when it is compared or written. Everything that is held is counted
//!    ([`meter`](super::meter)).
//! 2. There are no byte strings, and keys of objects are text, as in JSON.
//! 3. What is taken out of an object leaves the other keys in their order, as in jq.

use super::meter::{self, Held, admit, enter, tick};
use bytes::Bytes;
use jaq_json::{Map, Num};
use std::cmp::Ordering;
use std::rc::Rc;

/// Deepest nesting.
pub(super) const MAX_DEPTH: u32 = 512;

/// A value.
#[derive(Clone, Debug, Default)]
pub(super) enum Val {
    #[default]
    Null,
    Bool(bool),
    Num(Num),
    /// UTF-8, always.
    Str(Bytes),
    Arr(Rc<Arr>),
    Obj(Rc<Obj>),
}

pub(super) type Error = jaq_core::Error<Val>;
pub(super) type ValR = Result<Val, Error>;
pub(super) type Fields = Map<Bytes, Val>;

/// An array.
#[derive(Debug)]
pub(super) struct Arr {
    pub(super) items: Vec<Val>,
    weight: u64,
    depth: u32,
    held: Held,
}

/// An object.
#[derive(Debug)]
pub(super) struct Obj {
    pub(super) fields: Fields,
    weight: u64,
    depth: u32,
    /// Counts while the object is there.
    _held: Held,
}

/// What a value takes in a container, about.
const ITEM: usize = size_of::<Val>();
const FIELD: usize = size_of::<Val>() + size_of::<Bytes>() + 24;

/// One level deeper than what is inside.
fn above(inside: u32) -> u32 {
    let depth = inside + 1;
    if depth > MAX_DEPTH {
        meter::too_deep();
    }
    depth
}

impl Arr {
    fn empty() -> Self {
        Arr { items: Vec::new(), weight: 8, depth: 1, held: Held::new(ITEM) }
    }

    fn push(&mut self, item: Val) {
        tick();
        self.weight = self.weight.saturating_add(item.weight());
        admit(self.weight);
        self.depth = self.depth.max(above(item.depth()));
        self.held.grow(ITEM);
        self.items.push(item);
    }
}

impl FromIterator<Val> for Val {
    fn from_iter<I: IntoIterator<Item = Val>>(items: I) -> Self {
        let mut made = Arr::empty();
        for item in items {
            made.push(item);
        }
        Val::Arr(Rc::new(made))
    }
}

/// Bytes that are counted.
struct Charged<B> {
    bytes: B,
    _held: Held,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Charged<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Text that is counted. `bytes` are UTF-8.
pub(super) fn charged(bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
    let len = bytes.as_ref().len();
    if len == 0 {
        return Bytes::new();
    }
    Bytes::from_owner(Charged { bytes, _held: Held::new(len + 32) })
}

/// The text as `str`.
pub(super) fn as_str(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

impl Val {
    /// Text; what is no UTF-8 in it is replaced.
    pub(super) fn text(bytes: impl AsRef<[u8]> + Send + 'static) -> Val {
        Val::Str(match simdutf8::basic::from_utf8(bytes.as_ref()) {
            Ok(_) => charged(bytes),
            Err(_) => charged(String::from_utf8_lossy(bytes.as_ref()).into_owned()),
        })
    }

    pub(super) fn obj(fields: Fields) -> Val {
        let mut weight = 8u64;
        let mut depth = 0;
        for (key, value) in &fields {
            weight = weight.saturating_add(value.weight()).saturating_add(key.len() as u64 + 8);
            depth = depth.max(value.depth());
        }
        admit(weight);
        let held = Held::new(ITEM + fields.len() * FIELD);
        Val::Obj(Rc::new(Obj { fields, weight, depth: above(depth), _held: held }))
    }

    /// What it takes when it is written out, about.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Val::Null | Val::Bool(_) => 8,
            Val::Num(Num::Dec(text)) => 8 + text.len() as u64,
            Val::Num(Num::BigInt(n)) => 8 + n.bits() / 3,
            Val::Num(_) => 8,
            Val::Str(text) => 8 + text.len() as u64,
            Val::Arr(a) => a.weight,
            Val::Obj(o) => o.weight,
        }
    }

    fn depth(&self) -> u32 {
        match self {
            Val::Arr(a) => a.depth,
            Val::Obj(o) => o.depth,
            _ => 0,
        }
    }

    pub(super) fn truth(&self) -> bool {
        !matches!(self, Val::Null | Val::Bool(false))
    }

    fn rank(&self) -> u8 {
        match self {
            Val::Null => 0,
            Val::Bool(_) => 1,
            Val::Num(_) => 2,
            Val::Str(_) => 3,
            Val::Arr(_) => 4,
            Val::Obj(_) => 5,
        }
    }
}

/// The elements for whoever owns the array; copies of them where others do too.
pub(super) fn items_of(a: Rc<Arr>) -> Vec<Val> {
    match Rc::try_unwrap(a) {
        Ok(a) => a.items,
        Err(a) => a.items.clone(),
    }
}

pub(super) fn fields_of(o: Rc<Obj>) -> Fields {
    match Rc::try_unwrap(o) {
        Ok(o) => o.fields,
        Err(o) => o.fields.clone(),
    }
}

impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        tick();
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => a.cmp(b),
            (Val::Num(a), Val::Num(b)) => a.cmp(b),
            (Val::Str(a), Val::Str(b)) => a.cmp(b),
            (Val::Arr(a), Val::Arr(b)) => {
                enter();
                a.items.cmp(&b.items)
            }
            (Val::Obj(a), Val::Obj(b)) => {
                enter();
                compare_objects(&a.fields, &b.fields)
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// First the keys, sorted, then the values in their order.
fn compare_objects(a: &Fields, b: &Fields) -> Ordering {
    fn sorted(fields: &Fields) -> Vec<(&Bytes, &Val)> {
        let mut pairs: Vec<_> = fields.iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(b.0));
        pairs
    }
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    let (a, b) = (sorted(a), sorted(b));
    let keys = a.iter().map(|(k, _)| k).cmp(b.iter().map(|(k, _)| k));
    keys.then_with(|| a.iter().map(|(_, v)| v).cmp(b.iter().map(|(_, v)| v)))
}

impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        tick();
        match (self, other) {
            (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Num(a), Val::Num(b)) => a == b,
            (Val::Str(a), Val::Str(b)) => a == b,
            (Val::Arr(a), Val::Arr(b)) => {
                enter();
                a.items == b.items
            }
            (Val::Obj(a), Val::Obj(b)) => {
                enter();
                a.fields == b.fields
            }
            _ => false,
        }
    }
}

impl Eq for Val {}

impl From<bool> for Val {
    fn from(b: bool) -> Self {
        Val::Bool(b)
    }
}

impl From<isize> for Val {
    fn from(n: isize) -> Self {
        Val::Num(Num::Int(n))
    }
}

impl From<usize> for Val {
    fn from(n: usize) -> Self {
        Val::Num(Num::from_integral(n))
    }
}

impl From<f64> for Val {
    fn from(n: f64) -> Self {
        Val::Num(Num::Float(n))
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Val::Str(charged(text))
    }
}

impl From<std::ops::Range<Option<Val>>> for Val {
    fn from(range: std::ops::Range<Option<Val>>) -> Self {
        let ends = [("start", range.start), ("end", range.end)];
        let named = ends.into_iter().filter_map(|(name, end)| Some((Bytes::from_static(name.as_bytes()), end?)));
        Val::obj(named.collect())
    }
}

impl Extend<Val> for Arr {
    fn extend<I: IntoIterator<Item = Val>>(&mut self, items: I) {
        for item in items {
            self.push(item);
        }
    }
}
