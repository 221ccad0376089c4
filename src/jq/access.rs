//! What is inside of values: how jaq gets at it and changes it.

use super::arithmetic::is_int;
use super::meter::{enter, tick};
use super::value::{Error, Fields, Val, ValR, as_str, charged, fields_of, items_of};
use super::write;
use bytes::Bytes;
use jaq_core::path::Opt;
use jaq_core::{Exn, ValX};
use jaq_json::Num;
use std::fmt;

/// An index or a bound: from the beginning, or from the end.
#[derive(Clone, Copy)]
struct At {
    from_start: bool,
    n: usize,
}

impl At {
    fn of(n: &Num) -> Option<At> {
        match n {
            Num::Int(n) => Some(At { from_start: *n >= 0, n: n.unsigned_abs() }),
            Num::BigInt(n) => {
                let text = n.to_string();
                let digits = text.strip_prefix('-');
                let n = digits.unwrap_or(&text).parse().ok()?;
                Some(At { from_start: digits.is_none(), n })
            }
            _ => None,
        }
    }

    /// The place in something of `len`; `None` before its beginning.
    fn within(self, len: usize) -> Option<usize> {
        if self.from_start { Some(self.n) } else { len.checked_sub(self.n) }
    }
}

/// Bounds of a slice.
type Bounds = (Option<At>, Option<At>);

fn bounds(range: jaq_core::val::Range<&Val>) -> Result<Bounds, Error> {
    let bound = |v: Option<&Val>| match v {
        None | Some(Val::Null) => Ok(None),
        Some(v) => v.at().map(Some),
    };
    Ok((bound(range.start)?, bound(range.end)?))
}

/// First and behind the last of what lies within the bounds.
fn cut((from, to): Bounds, len: usize) -> (usize, usize) {
    let place = |at: At| at.within(len).unwrap_or(0).min(len);
    let from = from.map_or(0, place);
    (from, to.map_or(len, place).max(from))
}

/// The same in bytes of a text whose bounds count characters.
fn cut_text(bounds: Bounds, text: &str) -> (usize, usize) {
    let (from, to) = cut(bounds, text.chars().count());
    let byte = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    (byte(from), byte(to))
}

const ITERABLE: &str = "iterable (array or object)";

impl Val {
    fn at(&self) -> Result<At, Error> {
        let at = if let Val::Num(n) = self { At::of(n) } else { None };
        at.ok_or_else(|| Error::typ(self.clone(), "integer"))
    }

    /// The value under an index; `None` where there is nothing.
    pub(super) fn index_opt(self, index: &Val) -> Result<Option<Val>, Error> {
        enter();
        Ok(match (self, index) {
            (Val::Null, _) => None,
            (Val::Arr(a), Val::Num(n)) if is_int(n) => {
                At::of(n).and_then(|at| at.within(a.items.len())).and_then(|at| a.items.get(at).cloned())
            }
            (Val::Arr(_), Val::Arr(part)) if part.items.is_empty() => Some(Val::from_iter([])),
            (Val::Arr(a), Val::Arr(part)) => Some(
                (0..a.items.len())
                    .filter(|at| a.items.get(*at..at + part.items.len()).is_some_and(|here| here == part.items))
                    .map(Val::from)
                    .collect(),
            ),
            (Val::Obj(o), Val::Str(key)) => o.fields.get(key).cloned(),
            (v @ (Val::Str(_) | Val::Arr(_)), Val::Obj(o)) => {
                let (start, end) = (o.fields.get(&b"start"[..]), o.fields.get(&b"end"[..]));
                return jaq_core::ValT::range(v, start..end).map(Some);
            }
            (v, index) => return Err(Error::index(v, index.clone())),
        })
    }
}

/// Puts something into an array or a text in the place of a slice.
fn spliced<T: Clone>(all: &[T], from: usize, to: usize, new: &[T]) -> Vec<T> {
    let before = all.get(..from).unwrap_or_default();
    let behind = all.get(to..).unwrap_or_default();
    before.iter().chain(new).chain(behind).cloned().collect()
}

impl jaq_core::ValT for Val {
    fn from_num(n: &str) -> ValR {
        tick();
        Ok(Val::Num(number(n)))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(pairs: I) -> ValR {
        tick();
        let mut fields = Fields::default();
        for (key, value) in pairs {
            match key {
                Val::Str(key) => fields.insert(key, value),
                key => return Err(Error::typ(key, "key of an object, which must be a string")),
            };
        }
        Ok(Val::obj(fields))
    }

    fn key_values(self) -> Box<dyn Iterator<Item = Result<(Val, Val), Error>>> {
        enter();
        match self {
            Val::Arr(a) => {
                Box::new((0..a.items.len()).filter_map(move |at| Some(Ok((Val::from(at), a.items.get(at)?.clone())))))
            }
            Val::Obj(o) => Box::new((0..o.fields.len()).filter_map(move |at| {
                let (key, value) = o.fields.get_index(at)?;
                Some(Ok((Val::Str(key.clone()), value.clone())))
            })),
            v => Box::new(std::iter::once(Err(Error::typ(v, ITERABLE)))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR>> {
        enter();
        match self {
            Val::Arr(a) => Box::new((0..a.items.len()).filter_map(move |at| {
                tick();
                Some(Ok(a.items.get(at)?.clone()))
            })),
            Val::Obj(o) => Box::new((0..o.fields.len()).filter_map(move |at| {
                tick();
                Some(Ok(o.fields.get_index(at)?.1.clone()))
            })),
            v => Box::new(std::iter::once(Err(Error::typ(v, ITERABLE)))),
        }
    }

    fn index(self, index: &Self) -> ValR {
        self.index_opt(index).map(|found| found.unwrap_or(Val::Null))
    }

    fn range(self, range: jaq_core::val::Range<&Self>) -> ValR {
        tick();
        match self {
            Val::Str(text) => {
                let (from, to) = cut_text(bounds(range)?, as_str(&text));
                Ok(Val::Str(text.slice(from..to)))
            }
            Val::Arr(a) => {
                let (from, to) = cut(bounds(range)?, a.items.len());
                Ok(a.items.get(from..to).unwrap_or_default().iter().cloned().collect())
            }
            v => Err(Error::typ(v, "rangeable (array or string)")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        enter();
        match self {
            Val::Arr(a) => {
                let items: Result<Vec<_>, Exn<'a, Val>> = items_of(a).into_iter().flat_map(f).collect();
                Ok(items?.into_iter().collect())
            }
            Val::Obj(o) => {
                let mut fields = Fields::default();
                for (key, value) in fields_of(o) {
                    if let Some(value) = f(value).next() {
                        fields.insert(key, value?);
                    }
                }
                Ok(Val::obj(fields))
            }
            v => opt.fail(v, |v| Exn::from(Error::typ(v, ITERABLE))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        tick();
        if let (Val::Str(_) | Val::Arr(_), Val::Obj(o)) = (&self, index) {
            let (start, end) = (o.fields.get(&b"start"[..]), o.fields.get(&b"end"[..]));
            return self.map_range(start..end, opt, f);
        }
        // What is not there is made, as in jq.
        let made = match (self, index) {
            (Val::Null, Val::Str(_)) => Val::obj(Fields::default()),
            (Val::Null, Val::Num(_)) => Val::from_iter([]),
            (v, _) => v,
        };
        match (made, index) {
            (Val::Obj(o), Val::Str(key)) => {
                let mut fields = fields_of(o);
                let before = fields.get(key).cloned();
                match f(before.clone().unwrap_or(Val::Null)).next().transpose()? {
                    Some(value) => {
                        fields.insert(key.clone(), value);
                    }
                    None => {
                        fields.shift_remove(key);
                    }
                }
                Ok(Val::obj(fields))
            }
            (Val::Arr(a), index) => {
                let at = match index.at() {
                    Ok(at) => at.within(a.items.len()),
                    Err(e) => return opt.fail(Val::Arr(a), |_| Exn::from(e)),
                };
                let beyond = || Exn::from(Error::str(format_args!("index {index} out of bounds")));
                let Some(at) = at else { return opt.fail(Val::Arr(a), |_| beyond()) };
                let before = a.items.get(at).cloned().unwrap_or(Val::Null);
                let items = items_of(a);
                let len = items.len();
                match f(before).next().transpose()? {
                    Some(value) => {
                        let gap = std::iter::repeat_n(Val::Null, at.saturating_sub(len));
                        let (mut value, mut items) = (Some(value), items.into_iter());
                        let first: Vec<Val> = items.by_ref().take(at).collect();
                        items.next();
                        Ok(first.into_iter().chain(gap).chain(value.take()).chain(items).collect())
                    }
                    None if at < len => {
                        Ok(items.into_iter().enumerate().filter(|(i, _)| *i != at).map(|(_, item)| item).collect())
                    }
                    // What comes behind would have moved: see the manual on deleting several places.
                    None => Err(beyond()),
                }
            }
            (v @ Val::Obj(_), index) => {
                opt.fail(v, |_| Exn::from(Error::typ(index.clone(), "key of an object, which must be a string")))
            }
            (v, _) => opt.fail(v, |v| Exn::from(Error::typ(v, ITERABLE))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: jaq_core::val::Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        tick();
        let bounds = match (&self, bounds(range)) {
            (Val::Str(_) | Val::Arr(_), Err(e)) => return opt.fail(self, |_| Exn::from(e)),
            (_, bounds) => bounds.unwrap_or_default(),
        };
        match self {
            Val::Arr(a) => {
                let (from, to) = cut(bounds, a.items.len());
                let part = a.items.get(from..to).unwrap_or_default().iter().cloned().collect();
                match f(part).next().transpose()? {
                    None => Ok(spliced(&a.items, from, to, &[]).into_iter().collect()),
                    Some(Val::Arr(new)) => Ok(spliced(&a.items, from, to, &new.items).into_iter().collect()),
                    Some(other) => Err(Exn::from(Error::typ(other, "array"))),
                }
            }
            Val::Str(text) => {
                let (from, to) = cut_text(bounds, as_str(&text));
                match f(Val::Str(text.slice(from..to))).next().transpose()? {
                    None => Ok(Val::Str(charged(spliced(&text, from, to, &[])))),
                    Some(Val::Str(new)) => Ok(Val::Str(charged(spliced(&text, from, to, &new)))),
                    Some(other) => Err(Exn::from(Error::typ(other, "string"))),
                }
            }
            v => opt.fail(v, |v| Exn::from(Error::typ(v, "array"))),
        }
    }

    fn as_bool(&self) -> bool {
        self.truth()
    }

    fn into_string(self) -> Self {
        match self {
            Val::Str(_) => self,
            v => Val::Str(write::json_of(&v)),
        }
    }
}

/// A number as it is written: integers of any length, and fractions that keep their digits until they are computed with.
pub(super) fn number(text: &str) -> Num {
    Num::from_str_radix(text, 10).unwrap_or_else(|| Num::Dec(std::rc::Rc::new(text.to_string())))
}

/// The nearest float.
pub(super) fn float(n: &Num) -> f64 {
    match n {
        Num::Float(f) => *f,
        Num::Int(n) => *n as f64,
        Num::Dec(text) => text.parse().unwrap_or(f64::NAN),
        Num::BigInt(_) => match n.clone() + Num::Float(0.0) {
            Num::Float(f) => f,
            _ => f64::NAN,
        },
    }
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Val::Arr(a) => Ok(items_of(a).into_iter().collect()),
            v => Err(v),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Val::Num(n) if is_int(n))
    }

    fn as_isize(&self) -> Option<isize> {
        if let Val::Num(n) = self { n.as_isize() } else { None }
    }

    fn as_f64(&self) -> Option<f64> {
        if let Val::Num(n) = self { Some(float(n)) } else { None }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Val::Str(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        if let Val::Str(text) = self { Some(text) } else { None }
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        match self {
            Val::Str(text) => Val::Str(text.slice_ref(sub)),
            _ => Val::Str(Bytes::new()),
        }
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Val::text(bytes)
    }
}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(as_str(&write::json_of(self)))
    }
}
