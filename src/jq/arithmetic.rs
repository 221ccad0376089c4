//! `+ - * / %` on values, as jaq defines them.

use super::meter::{Held, tick};
use super::value::{Error, Fields, Val, ValR, as_str, charged, fields_of, items_of};
use bytes::Bytes;
use jaq_core::ops::Math;
use jaq_json::Num;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

/// The longest integer: what is done with digits takes more than linear time.
const MOST_BITS: u64 = 1 << 20;

fn bits(n: &Num) -> u64 {
    match n {
        Num::BigInt(n) => n.bits(),
        _ => 64,
    }
}

fn num(n: Num) -> ValR {
    if bits(&n) > MOST_BITS { Err(too_long()) } else { Ok(Val::Num(n)) }
}

fn too_long() -> Error {
    Error::str("a number has more than 300000 digits")
}

impl Add for Val {
    type Output = ValR;

    fn add(self, other: Self) -> ValR {
        tick();
        match (self, other) {
            (Val::Null, x) | (x, Val::Null) => Ok(x),
            (Val::Num(x), Val::Num(y)) => num(x + y),
            (Val::Str(x), Val::Str(y)) => Ok(Val::Str(joined(&x, &y))),
            (Val::Arr(x), Val::Arr(y)) => Ok(appended(x, items_of(y))),
            (Val::Obj(x), Val::Obj(y)) => {
                let mut fields = fields_of(x);
                fields.extend(fields_of(y));
                Ok(Val::obj(fields))
            }
            (x, y) => Err(Error::math(x, Math::Add, y)),
        }
    }
}

fn joined(x: &Bytes, y: &Bytes) -> Bytes {
    // Counted before it is made.
    drop(Held::new(x.len() + y.len()));
    let mut made = Vec::with_capacity(x.len() + y.len());
    made.extend_from_slice(x);
    made.extend_from_slice(y);
    charged(made)
}

/// In place, where nobody else has the array.
fn appended(x: Rc<super::value::Arr>, y: Vec<Val>) -> Val {
    match Rc::try_unwrap(x) {
        Ok(mut x) => {
            x.extend(y);
            Val::Arr(Rc::new(x))
        }
        Err(x) => x.items.iter().cloned().chain(y).collect(),
    }
}

impl Sub for Val {
    type Output = ValR;

    fn sub(self, other: Self) -> ValR {
        tick();
        match (self, other) {
            (Val::Num(x), Val::Num(y)) => num(x - y),
            (Val::Arr(x), Val::Arr(y)) => {
                let without: std::collections::BTreeSet<&Val> = y.items.iter().collect();
                Ok(items_of(x).into_iter().filter(|item| !without.contains(item)).collect())
            }
            (x, y) => Err(Error::math(x, Math::Sub, y)),
        }
    }
}

/// Objects in both are merged, too.
fn merged(into: &mut Fields, from: Fields) {
    super::meter::enter();
    for (key, value) in from {
        let merged = match (into.get_mut(&key), value) {
            (Some(Val::Obj(l)), Val::Obj(r)) => {
                let mut fields = l.fields.clone();
                merged(&mut fields, fields_of(r));
                Val::obj(fields)
            }
            (_, value) => value,
        };
        into.insert(key, merged);
    }
}

/// `"ab" * 3`; null for none.
fn repeated(text: &Bytes, times: &Num) -> ValR {
    let times = match times {
        Num::Int(n) => *n,
        Num::BigInt(n) if n.to_string().starts_with('-') => -1,
        _ => isize::MAX,
    };
    let Ok(times) = usize::try_from(times) else { return Ok(Val::Null) };
    if times == 0 {
        return Ok(Val::Null);
    }
    drop(Held::new(text.len().saturating_mul(times)));
    Ok(Val::Str(charged(text.repeat(times))))
}

impl Mul for Val {
    type Output = ValR;

    fn mul(self, other: Self) -> ValR {
        tick();
        match (self, other) {
            (Val::Num(x), Val::Num(y)) if bits(&x) + bits(&y) > MOST_BITS + 64 => Err(too_long()),
            (Val::Num(x), Val::Num(y)) => num(x * y),
            (Val::Str(text), Val::Num(n @ (Num::Int(_) | Num::BigInt(_))))
            | (Val::Num(n @ (Num::Int(_) | Num::BigInt(_))), Val::Str(text)) => repeated(&text, &n),
            (Val::Obj(x), Val::Obj(y)) => {
                let mut fields = fields_of(x);
                merged(&mut fields, fields_of(y));
                Ok(Val::obj(fields))
            }
            (x, y) => Err(Error::math(x, Math::Mul, y)),
        }
    }
}

/// The pieces of a text between separators; its characters, where the separator is empty.
pub(super) fn pieces(text: &Bytes, separator: &Bytes) -> Val {
    let (whole, at) = (as_str(text), as_str(separator));
    let piece = |s: &str| Val::Str(text.slice_ref(s.as_bytes()));
    if whole.is_empty() {
        Val::from_iter([])
    } else if at.is_empty() {
        whole.char_indices().map(|(i, c)| piece(whole.get(i..i + c.len_utf8()).unwrap_or_default())).collect()
    } else {
        whole.split(at).map(piece).collect()
    }
}

impl Div for Val {
    type Output = ValR;

    fn div(self, other: Self) -> ValR {
        tick();
        match (self, other) {
            (Val::Num(x), Val::Num(y)) => num(x / y),
            (Val::Str(x), Val::Str(y)) => Ok(pieces(&x, &y)),
            (x, y) => Err(Error::math(x, Math::Div, y)),
        }
    }
}

pub(super) fn is_int(n: &Num) -> bool {
    matches!(n, Num::Int(_) | Num::BigInt(_))
}

impl Rem for Val {
    type Output = ValR;

    fn rem(self, other: Self) -> ValR {
        tick();
        match (self, other) {
            (Val::Num(x), Val::Num(y)) if !(is_int(&x) && is_int(&y) && y == Num::Int(0)) => num(x % y),
            (x, y) => Err(Error::math(x, Math::Rem, y)),
        }
    }
}

impl Neg for Val {
    type Output = ValR;

    fn neg(self) -> ValR {
        tick();
        match self {
            Val::Num(n) => num(-n),
            x => Err(Error::typ(x, "number")),
        }
    }
}
