//! Runs a native program on an item whose wanted pieces were found.
//!
//! Values are pushed: an op calls what comes behind it with each value that it puts out, so nothing is gathered. An op that
//! puts out exactly one value answers with it ([`Eval::one`]).

use super::super::meter::{Held, admit, enter, tick};
use super::super::scan::{self, Found, Items, Kind, content};
use super::super::value::{Val, as_str};
use super::super::{access, arithmetic, library, write};
use super::value::V;
use super::{Function, Function1, Into, Native, Op, Step};
use jaq_core::ValT;
use jaq_core::ops::Cmp;
use jaq_json::Num;
use std::borrow::Cow;
use std::rc::Rc;

/// Why a native program did not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Exit {
    /// An error of the program, which `try` catches.
    Failed,
    /// An op declines a rare case: all of the program is left to jaq.
    Unable,
    /// Whoever takes the values wants no more.
    Down,
}

type Done<T = ()> = Result<T, Exit>;
type Next<'n, 'a> = &'n mut dyn FnMut(V<'a>) -> Done;

struct Eval<'a> {
    json: &'a [u8],
    found: &'a Found,
    constants: &'a [Box<[u8]>],
}

impl Native {
    /// Calls `out` with the JSON of each value that the program puts out for the item in `json`.
    pub(in super::super) fn run(
        &self,
        json: &[u8],
        found: &Found,
        constants: &[Box<[u8]>],
        out: &mut Vec<u8>,
        end: &mut dyn FnMut(&mut Vec<u8>) -> Done,
    ) -> Done {
        let eval = Eval { json, found, constants };
        let item = V::Raw(eval.node(0).unwrap_or_default());
        if let Op::Object(fields) = &self.op {
            eval.write_object(fields, &item, out)?;
            return end(out);
        }
        eval.write_each(&self.op, &item, out, end)
    }
}

impl<'a> Eval<'a> {
    /// The text of a wanted piece.
    #[inline]
    fn node(&self, node: usize) -> Option<&'a [u8]> {
        let (begin, end) = self.found.get(node).copied()?;
        self.json.get(begin..end)
    }

    /// The field at the end of a path of wanted pieces.
    #[inline]
    fn wanted(&self, nodes: &[usize]) -> Done<V<'a>> {
        let mut here = self.node(0).unwrap_or_default();
        for node in nodes {
            match Kind::of(here) {
                Kind::Object => match self.node(*node) {
                    Some(field) => here = field,
                    None => return Ok(V::NULL),
                },
                Kind::Null => return Ok(V::NULL),
                _ => return Err(Exit::Failed),
            }
        }
        Ok(V::Raw(here))
    }

    /// Appends an object without making it first. If one of its fields fails, a part of it was written.
    fn write_object(&self, fields: &'a [(Box<[u8]>, Op)], v: &V<'a>, out: &mut Vec<u8>) -> Done {
        tick();
        for (at, (key, op)) in fields.iter().enumerate() {
            out.push(if at == 0 { b'{' } else { b',' });
            write::text(key, out);
            out.push(b':');
            self.one(op, v)?.write(out);
        }
        if fields.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends all that `op` puts out for `v`, one behind the other; fields of the item are not passed on first.
    fn write_each(&self, op: &'a Op, v: &V<'a>, out: &mut Vec<u8>, end: &mut dyn FnMut(&mut Vec<u8>) -> Done) -> Done {
        let mut write = |v: V<'a>| {
            tick();
            v.write(out);
            end(out)
        };
        match op {
            Op::Wanted(nodes) => write(self.wanted(nodes)?),
            Op::Comma(a, b) => {
                self.write_each(a, v, out, end)?;
                self.write_each(b, v, out, end)
            }
            op => self.each(op, v, &mut write),
        }
    }

    /// Pushes all that `op` puts out for `v`.
    fn each(&self, op: &'a Op, v: &V<'a>, out: Next<'_, 'a>) -> Done {
        match op {
            Op::Empty => Ok(()),
            Op::Recurse => self.recurse(v, out),
            Op::Steps(from, steps) => self.each(from, v, &mut |v| self.steps(&v, steps, out)),
            Op::Pipe(a, b) => self.each(a, v, &mut |v| self.each(b, &v, out)),
            Op::Comma(a, b) => {
                self.each(a, v, out)?;
                self.each(b, v, out)
            }
            Op::Alternative(a, b) => {
                let mut any = false;
                self.each(a, v, &mut |made| match made.truth() {
                    true => {
                        any = true;
                        out(made)
                    }
                    false => Ok(()),
                })?;
                if any { Ok(()) } else { self.each(b, v, out) }
            }
            Op::If(condition, then, other) => {
                let taken = if self.one(condition, v)?.truth() { then } else { other };
                self.each(taken, v, out)
            }
            Op::Select(condition) => match self.one(condition, v)?.truth() {
                true => out(v.clone()),
                false => Ok(()),
            },
            Op::Try(body) => {
                let mut behind = None;
                let done = self.each(body, v, &mut |made| {
                    out(made).map_err(|why| {
                        behind = Some(why);
                        Exit::Down
                    })
                });
                // What fails behind the `try` is not caught by it.
                match (done, behind) {
                    (_, Some(why)) => Err(why),
                    (Err(Exit::Failed), None) => Ok(()),
                    (done, None) => done,
                }
            }
            single => out(self.one(single, v)?),
        }
    }

    /// The value of an op that puts out one.
    fn one(&self, op: &'a Op, v: &V<'a>) -> Done<V<'a>> {
        Ok(match op {
            Op::Id => v.clone(),
            Op::Null => V::NULL,
            Op::Bool(b) => V::Val(Val::Bool(*b)),
            Op::Int(n) => V::Val(Val::Num(Num::Int(*n))),
            Op::Number(text) => V::Val(Val::Num(access::number(text))),
            Op::Text(text) => V::Text(Cow::Borrowed(text)),
            Op::Constant(at) => V::Raw(self.constants.get(*at).ok_or(Exit::Unable)?),
            Op::Wanted(nodes) => self.wanted(nodes)?,
            Op::Array(None) => V::Array(Rc::default()),
            Op::Array(Some(inside)) => self.array(inside, v)?,
            Op::Object(fields) => {
                let made = fields.iter().map(|(key, op)| Ok((Cow::Borrowed(&**key), self.one(op, v)?)));
                V::Object(Rc::new(made.collect::<Done<_>>()?))
            }
            Op::Join(parts) => self.join(parts, v)?,
            Op::Neg(op) => V::Val((-self.one(op, v)?.val()).map_err(|_| Exit::Failed)?),
            Op::And(a, b) => V::Val(Val::Bool(self.one(a, v)?.truth() && self.one(b, v)?.truth())),
            Op::Or(a, b) => V::Val(Val::Bool(self.one(a, v)?.truth() || self.one(b, v)?.truth())),
            Op::Math(a, math, b) => {
                let (a, b) = (self.one(a, v)?, self.one(b, v)?);
                V::Val(math.run(a.val(), b.val()).map_err(|_| Exit::Failed)?)
            }
            Op::Compare(a, how, b) => {
                let (a, b) = (self.one(a, v)?, self.one(b, v)?);
                V::Val(Val::Bool(compare(&a, *how, &b)))
            }
            Op::If(condition, then, other) => {
                let taken = if self.one(condition, v)?.truth() { then } else { other };
                self.one(taken, v)?
            }
            Op::Pipe(a, b) => self.one(b, &self.one(a, v)?)?,
            Op::Alternative(a, b) => {
                let first = self.one(a, v)?;
                if first.truth() { first } else { self.one(b, v)? }
            }
            Op::Steps(from, steps) => {
                let mut here = self.one(from, v)?;
                for step in steps {
                    here = into(&here, &step.into)?;
                }
                here
            }
            Op::Call(f) => call(*f, v)?,
            Op::Call1(f, other) => call1(*f, v, &self.one(other, v)?)?,
            Op::Test(pattern) => {
                let text = v.text().ok_or(Exit::Failed)?;
                V::Val(Val::Bool(pattern.is_match(as_str(&text))))
            }
            Op::Empty | Op::Recurse | Op::Comma(..) | Op::Try(_) | Op::Select(_) => return Err(Exit::Unable),
        })
    }

    fn array(&self, inside: &'a Op, v: &V<'a>) -> Done<V<'a>> {
        let mut items = Vec::new();
        let mut held = Held::new(0);
        self.each(inside, v, &mut |item| {
            tick();
            held.grow(size_of::<V<'_>>());
            items.push(item);
            Ok(())
        })?;
        Ok(V::Array(Rc::new(items)))
    }

    fn join(&self, parts: &'a [Op], v: &V<'a>) -> Done<V<'a>> {
        let mut made = Vec::new();
        for part in parts {
            let part = self.one(part, v)?;
            match part.text() {
                Some(text) => made.extend_from_slice(&text),
                None => part.write(&mut made),
            }
            admit(made.len() as u64);
        }
        Ok(V::Text(Cow::Owned(made)))
    }

    fn steps(&self, v: &V<'a>, steps: &'a [Step], out: Next<'_, 'a>) -> Done {
        let Some((step, rest)) = steps.split_first() else { return out(v.clone()) };
        if let Into::Each = step.into {
            return match v.kind() {
                Kind::Array | Kind::Object => self.children(v, &mut |child| self.steps(&child, rest, out)),
                _ if step.optional => Ok(()),
                _ => Err(Exit::Failed),
            };
        }
        match into(v, &step.into) {
            Ok(inside) => self.steps(&inside, rest, out),
            Err(Exit::Failed) if step.optional => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// The elements of an array or the values of an object.
    fn children(&self, v: &V<'a>, out: Next<'_, 'a>) -> Done {
        match v {
            V::Raw(json) if Kind::of(json) == Kind::Array => Items::new(json).try_for_each(|item| {
                tick();
                out(V::Raw(item))
            }),
            V::Raw(json) if !write::has_twins(json) => scan::Fields::new(json).try_for_each(|(_, field)| {
                tick();
                out(V::Raw(field))
            }),
            V::Array(items) => items.iter().try_for_each(|item| out(item.clone())),
            V::Object(fields) => fields.iter().try_for_each(|(_, field)| out(field.clone())),
            v => v.val().values().try_for_each(|child| out(V::Val(child.map_err(|_| Exit::Failed)?))),
        }
    }

    fn recurse(&self, v: &V<'a>, out: Next<'_, 'a>) -> Done {
        enter();
        out(v.clone())?;
        match v.kind() {
            Kind::Array | Kind::Object => self.children(v, &mut |child| self.recurse(&child, out)),
            _ => Ok(()),
        }
    }
}

fn compare(a: &V<'_>, how: Cmp, b: &V<'_>) -> bool {
    match how {
        Cmp::Eq => a.same(b),
        Cmp::Ne => !a.same(b),
        Cmp::Lt => a.compare(b).is_lt(),
        Cmp::Le => a.compare(b).is_le(),
        Cmp::Gt => a.compare(b).is_gt(),
        Cmp::Ge => a.compare(b).is_ge(),
    }
}

/// The value under a key or at a place; null where there is none.
fn into<'a>(v: &V<'a>, step: &Into) -> Done<V<'a>> {
    let found = match (v, step) {
        (V::Raw(json), Into::Key(key)) => match Kind::of(json) {
            Kind::Object => scan::get(json, key).map(V::Raw),
            Kind::Null => None,
            _ => return Err(Exit::Failed),
        },
        (V::Raw(json), Into::At(at)) => match Kind::of(json) {
            Kind::Array => element(json, *at).map(V::Raw),
            Kind::Null => None,
            _ => return Err(Exit::Failed),
        },
        (V::Object(fields), Into::Key(key)) => {
            fields.iter().find(|(name, _)| **name == **key).map(|(_, field)| field.clone())
        }
        (V::Array(items), Into::At(at)) => match usize::try_from(*at) {
            Ok(at) => items.get(at).cloned(),
            Err(_) => items.len().checked_sub(at.unsigned_abs()).and_then(|at| items.get(at).cloned()),
        },
        (v, Into::Key(key)) => return indexed(v, Val::text(key.to_vec())),
        (v, Into::At(at)) => return indexed(v, Val::from(*at)),
        (_, Into::Each) => return Err(Exit::Unable),
    };
    Ok(found.unwrap_or(V::NULL))
}

fn indexed<'a>(v: &V<'a>, index: Val) -> Done<V<'a>> {
    v.val().index_opt(&index).map(|found| V::Val(found.unwrap_or(Val::Null))).map_err(|_| Exit::Failed)
}

fn element(array: &[u8], at: isize) -> Option<&[u8]> {
    match usize::try_from(at) {
        Ok(at) => Items::new(array).nth(at),
        Err(_) => Items::new(array).nth(Items::new(array).count().checked_sub(at.unsigned_abs())?),
    }
}

fn text_of(made: Vec<u8>) -> V<'static> {
    V::Text(Cow::Owned(made))
}

fn call<'a>(f: Function, v: &V<'a>) -> Done<V<'a>> {
    Ok(match f {
        Function::Not => V::Val(Val::Bool(!v.truth())),
        Function::Length => length(v)?,
        Function::Keys => keys(v)?,
        Function::ToEntries => entries(v)?,
        Function::Type => V::Text(Cow::Borrowed(match v.kind() {
            Kind::Null => b"null",
            Kind::Bool => b"boolean",
            Kind::Number => b"number",
            Kind::Text => b"string",
            Kind::Array => b"array",
            Kind::Object => b"object",
        })),
        Function::ToString => match v.kind() {
            Kind::Text => v.clone(),
            _ => {
                let mut made = Vec::new();
                v.write(&mut made);
                text_of(made)
            }
        },
        Function::ToNumber => to_number(v)?,
        Function::Add => match v.kind() {
            Kind::Array | Kind::Object => {
                let mut sum = Val::Null;
                for child in v.val().values() {
                    sum = child.and_then(|child| sum + child).map_err(|_| Exit::Failed)?;
                }
                V::Val(sum)
            }
            _ => return Err(Exit::Failed),
        },
        Function::Downcase => text_of(v.text().ok_or(Exit::Failed)?.to_ascii_lowercase()),
        Function::Upcase => text_of(v.text().ok_or(Exit::Failed)?.to_ascii_uppercase()),
    })
}

fn length<'a>(v: &V<'a>) -> Done<V<'a>> {
    let n = match v {
        V::Raw(json) => match Kind::of(json) {
            Kind::Null => 0,
            Kind::Array => Items::new(json).count(),
            Kind::Object if !write::has_twins(json) => scan::Fields::new(json).count(),
            Kind::Text => as_str(&content(json)).chars().count(),
            _ => return library::length(&v.val()).map(V::Val).map_err(|_| Exit::Failed),
        },
        V::Array(items) => items.len(),
        V::Object(fields) => fields.len(),
        v => return library::length(&v.val()).map(V::Val).map_err(|_| Exit::Failed),
    };
    Ok(V::Val(Val::from(n)))
}

fn keys<'a>(v: &V<'a>) -> Done<V<'a>> {
    let mut keys: Vec<Cow<'a, [u8]>> = match v {
        V::Raw(json) => match Kind::of(json) {
            Kind::Object => scan::Fields::new(json).map(|(key, _)| content(key)).collect(),
            Kind::Array => {
                let places = (0..Items::new(json).count()).map(|at| V::Val(Val::from(at)));
                return Ok(V::Array(Rc::new(places.collect())));
            }
            _ => return Err(Exit::Failed),
        },
        V::Object(fields) => fields.iter().map(|(key, _)| key.clone()).collect(),
        _ => return Err(Exit::Unable),
    };
    keys.sort_unstable();
    keys.dedup();
    Ok(V::Array(Rc::new(keys.into_iter().map(V::Text).collect())))
}

fn entries<'a>(v: &V<'a>) -> Done<V<'a>> {
    let V::Raw(json) = v else { return Err(Exit::Unable) };
    if Kind::of(json) != Kind::Object || write::has_twins(json) {
        return Err(Exit::Unable);
    }
    let entry = |(key, value): (&'a [u8], &'a [u8])| {
        let key = (Cow::Borrowed(&b"key"[..]), V::Text(content(key)));
        V::Object(Rc::new(vec![key, (Cow::Borrowed(&b"value"[..]), V::Raw(value))]))
    };
    Ok(V::Array(Rc::new(scan::Fields::new(json).map(entry).collect())))
}

fn to_number<'a>(v: &V<'a>) -> Done<V<'a>> {
    if v.kind() == Kind::Number {
        return Ok(v.clone());
    }
    let text = v.text().ok_or(Exit::Failed)?;
    // What is a number to the letter; of other texts jaq says what they are.
    let digits = matches!(text.first(), Some(b'-' | b'0'..=b'9'));
    if !digits || scan::check(&text).is_err() || text.ends_with(b" ") {
        return Err(Exit::Unable);
    }
    Ok(V::Val(Val::Num(access::number(as_str(text.trim_ascii())))))
}

fn call1<'a>(f: Function1, v: &V<'a>, other: &V<'a>) -> Done<V<'a>> {
    let texts = || Some((v.text()?, other.text()?));
    let answer = match f {
        Function1::Has => return has(v, other),
        Function1::Contains => library::contains(&v.val(), &other.val()),
        Function1::StartsWith => texts().map(|(a, b)| a.starts_with(&b)).ok_or(Exit::Failed)?,
        Function1::EndsWith => texts().map(|(a, b)| a.ends_with(&b)).ok_or(Exit::Failed)?,
        Function1::LeftTrim => {
            let (a, b) = texts().ok_or(Exit::Unable)?;
            return Ok(a.strip_prefix(&*b).map_or_else(|| v.clone(), |rest| text_of(rest.to_vec())));
        }
        Function1::RightTrim => {
            let (a, b) = texts().ok_or(Exit::Unable)?;
            return Ok(a.strip_suffix(&*b).map_or_else(|| v.clone(), |rest| text_of(rest.to_vec())));
        }
        Function1::Split => match (v.val(), other.val()) {
            (Val::Str(a), Val::Str(b)) => return Ok(V::Val(arithmetic::pieces(&a, &b))),
            _ => return Err(Exit::Unable),
        },
    };
    Ok(V::Val(Val::Bool(answer)))
}

fn has<'a>(v: &V<'a>, key: &V<'a>) -> Done<V<'a>> {
    let found = match (v, key.text()) {
        (V::Raw(json), Some(key)) if Kind::of(json) == Kind::Object => scan::get(json, &key).is_some(),
        _ => v.val().index_opt(&key.val()).map_err(|_| Exit::Failed)?.is_some(),
    };
    Ok(V::Val(Val::Bool(found)))
}
