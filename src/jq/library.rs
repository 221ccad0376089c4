//! What programs that do not run natively are given: jaq's core and library over our values, and what these lack.
//!
//! Left out are functions that reach beyond the item: `input`, `inputs`, modules. `halt` ends with an error ([`slow`]
//! (super::slow)). Functions on regular expressions are ours, with the `regex` crate: its time is linear, its size bounded.

use super::access::float;
use super::meter::{enter, tick};
use super::regex::{self, Regexes};
use super::value::{Error, Val, ValR, as_str};
use super::{read, scan, write};
use bytes::Bytes;
use jaq_core::box_iter::box_once;
use jaq_core::data::HasLut;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, bome, run, unary, v};
use jaq_core::{Cv, DataT, Exn, Lut, RunPtr, ValXs};
use jaq_json::Num;
use std::sync::Arc;

/// The kind of data that our programs work on.
pub(super) struct Ours;

impl DataT for Ours {
    type V<'a> = Val;
    type Data<'a> = Here<'a>;
}

/// What every function of a running program can reach.
pub(super) struct Here<'a> {
    pub(super) lut: &'a Lut<Ours>,
    pub(super) regexes: &'a Regexes,
    /// Where the item was read.
    pub(super) file: Option<&'a Arc<str>>,
}

impl Clone for Here<'_> {
    /// jaq does this whenever it calls a function: so this is where recursions and loops without values are counted.
    fn clone(&self) -> Self {
        enter();
        Here { lut: self.lut, regexes: self.regexes, file: self.file }
    }
}

impl<'a> HasLut<'a, Ours> for Here<'a> {
    fn lut(&self) -> &'a Lut<Ours> {
        self.lut
    }
}

/// What jq has and jaq has not.
const DEFINITIONS: &str = r#"
def toarray: if . >= [] and . < {} then . else [.] end;
def trimstr($x): ltrimstr($x) | rtrimstr($x);
def leaf_paths: paths(scalars);
def join($x): reduce .[] as $i (null; (if . == null then "" else . + $x end)
  + ($i | if . == null then "" elif . == true or . == false or isnumber then tostring else . end)) // "";
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] = $row);
def INDEX(f): INDEX(.[]; f);
def ascii: [.] | implode;
def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f): {x: null, e: false} as $init
  | foreach f as $i ($init;
      if .e then $init end
      | if $i | length == 2
        then setpath(["e"]; $i[0] | length == 0) | setpath(["x"] + $i[0]; $i[1])
        else setpath(["e"]; $i[0] | length == 1) end;
      if .e then .x else empty end);
def truncate_stream(stream): . as $n | null | stream | . as $input
  | if (.[0] | length) > $n then setpath([0]; .[0][$n:]) else empty end;
def getpath_or_null($p): getpath($p);
def splits($re): split($re; null | "") | .[];
def @csv: [.[] | if . == null then "" elif . == true then "true" elif . == false then "false" elif isnumber then tostring
  elif isstring then "\"" + gsub("\""; "\"\"") + "\"" else error("\(.) cannot be in a CSV row") end] | join(",");
def @tsv: [.[] | if . == null then "" elif . == true then "true" elif . == false then "false" elif isnumber then tostring
  elif isstring then gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
  else error("\(.) cannot be in a TSV row") end] | join("\t");
def halt_error($code): error;
def halt_error: error;
"#;

/// The functions that are defined in jq.
pub(super) fn defs() -> impl Iterator<Item = Def<&'static str>> {
    let own = jaq_core::load::parse(DEFINITIONS, |p| p.defs()).unwrap_or_default();
    jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(own)
}

/// Functions of jaq's library that are ours instead.
const REPLACED: &[&str] = &["matches", "split_matches", "split_", "ltrimstr", "rtrimstr"];

/// The functions that are not.
pub(super) fn funs() -> impl Iterator<Item = Fun<Ours>> {
    let library = jaq_std::funs::<Ours>().filter(|(name, ..)| !REPLACED.contains(name));
    jaq_core::funs::<Ours>().chain(library).chain(ours())
}

fn ours() -> impl Iterator<Item = Fun<Ours>> {
    let plain: [(&'static str, usize, RunPtr<Ours>); 11] = [
        ("fromjson", 0, |cv| from_json(cv.1)),
        ("tojson", 0, |cv| bome(Ok(Val::Str(write::json_of(&cv.1))))),
        ("length", 0, |cv| bome(length(&cv.1))),
        ("contains", 1, |cv| unary(cv, |all, part| Ok(Val::Bool(contains(&all, &part))))),
        ("has", 1, |cv| unary(cv, |v, key| v.index_opt(&key).map(|found| Val::Bool(found.is_some())))),
        ("indices", 1, |cv| unary(cv, |v, part| indices(&v, &part))),
        ("bsearch", 1, |cv| unary(cv, bsearch)),
        ("ltrimstr", 1, |cv| unary(cv, |v, part| Ok(trimmed(v, &part, |text, part| text.strip_prefix(part))))),
        ("rtrimstr", 1, |cv| unary(cv, |v, part| Ok(trimmed(v, &part, |text, part| text.strip_suffix(part))))),
        ("matches", 2, |cv| matching(cv, true, false)),
        ("input_filename", 0, |cv| {
            bome(Ok(cv.0.data().file.map_or(Val::Null, |file| Val::text(file.as_bytes().to_vec()))))
        }),
    ];
    let splits: [(&'static str, usize, RunPtr<Ours>); 2] =
        [("split_matches", 2, |cv| matching(cv, true, true)), ("split_", 2, |cv| matching(cv, false, true))];
    plain.into_iter().chain(splits).map(|(name, arguments, f)| run::<Ours>((name, v(arguments), f)))
}

fn matching<'a>(mut cv: Cv<'a, Ours>, matches: bool, between: bool) -> ValXs<'a, Val> {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let found = cv.0.data().regexes.get(&pattern, &flags).and_then(|re| regex::search(&cv.1, &re, matches, between));
    bome(found)
}

fn from_json<'a>(text: Val) -> ValXs<'a, Val> {
    let Val::Str(json) = &text else { return box_once(Err(Exn::from(Error::typ(text, "string")))) };
    let json: Bytes = json.clone();
    let said = |text: Val| Exn::from(Error::str(format_args!("cannot parse {text} as JSON")));
    if json.trim_ascii().is_empty() {
        return Box::new(std::iter::empty());
    }
    // jq has a name for it, too.
    if json.trim_ascii() == b"nan" || json.trim_ascii() == b"NaN" {
        return box_once(Ok(Val::from(f64::NAN)));
    }
    match scan::check(&json) {
        Ok(()) => box_once(Ok(read::value_of(json.trim_ascii()))),
        Err(_) => box_once(Err(said(text))),
    }
}

/// Characters, elements, keys; of a number its distance from zero.
pub(super) fn length(v: &Val) -> ValR {
    Ok(match v {
        Val::Null => Val::from(0usize),
        Val::Num(Num::Int(n)) => Val::Num(Num::from_integral(n.unsigned_abs())),
        Val::Num(n @ Num::BigInt(_)) if *n < Num::Int(0) => return -v.clone(),
        Val::Num(n @ Num::BigInt(_)) => Val::Num(n.clone()),
        Val::Num(n) => Val::from(float(n).abs()),
        Val::Str(s) => Val::from(as_str(s).chars().count()),
        Val::Arr(a) => Val::from(a.items.len()),
        Val::Obj(o) => Val::from(o.fields.len()),
        Val::Bool(_) => return Err(Error::str(format_args!("{v} has no length"))),
    })
}

/// Texts contain their parts, arrays what some element contains, objects what is under the same key.
pub(super) fn contains(all: &Val, part: &Val) -> bool {
    tick();
    match (all, part) {
        (Val::Str(all), Val::Str(part)) => memchr::memmem::find(all, part).is_some(),
        (Val::Arr(all), Val::Arr(part)) => {
            enter();
            part.items.iter().all(|part| all.items.iter().any(|all| contains(all, part)))
        }
        (Val::Obj(all), Val::Obj(part)) => {
            enter();
            part.fields.iter().all(|(key, part)| all.fields.get(key).is_some_and(|all| contains(all, part)))
        }
        (all, part) => all == part,
    }
}

/// Where a part begins: by characters in a text, by elements in an array.
fn indices(v: &Val, part: &Val) -> ValR {
    match (v, part) {
        (Val::Str(_), Val::Str(part)) if part.is_empty() => Ok(Val::from_iter([])),
        (Val::Str(v), Val::Str(part)) => {
            let starts = as_str(v).char_indices().enumerate();
            let hits = starts.filter(|(_, (at, _))| v.get(*at..).is_some_and(|rest| rest.starts_with(part)));
            Ok(hits.map(|(n, _)| Val::from(n)).collect())
        }
        (Val::Arr(_), Val::Arr(part)) if part.items.is_empty() => Ok(Val::from_iter([])),
        (Val::Arr(v), Val::Arr(part)) => {
            let here = |at: &usize| v.items.get(*at..at + part.items.len()).is_some_and(|here| here == part.items);
            Ok((0..v.items.len()).filter(here).map(Val::from).collect())
        }
        (Val::Arr(v), part) => {
            let hits = v.items.iter().enumerate().filter(|(_, item)| *item == part);
            Ok(hits.map(|(at, _)| Val::from(at)).collect())
        }
        (v, part) => Err(Error::index(v.clone(), part.clone())),
    }
}

/// A text without a part at one of its ends; whatever has no such part, or is no text, as it is.
fn trimmed(v: Val, part: &Val, strip: for<'a> fn(&'a [u8], &[u8]) -> Option<&'a [u8]>) -> Val {
    let (Val::Str(text), Val::Str(part)) = (&v, part) else { return v };
    match strip(text, part) {
        Some(rest) => Val::Str(text.slice_ref(rest)),
        None => v,
    }
}

fn bsearch(all: Val, wanted: Val) -> ValR {
    let Val::Arr(all) = all else { return Err(Error::typ(all, "array")) };
    Ok(match all.items.binary_search(&wanted) {
        Ok(at) => Val::from(at),
        Err(at) => Val::from(-1 - isize::try_from(at).unwrap_or(isize::MAX)),
    })
}
