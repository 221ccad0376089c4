//! Regular expressions of programs: `test`, `match`, `capture`, `scan`, `split`, `sub` and `gsub` are made of one search.
//!
//! The syntax is that of the `regex` crate: like Oniguruma's, which jq has, but without look-around and back references, so
//! that the time is linear in the text.

use super::value::{Error, Val, ValR, as_str};
use bytes::Bytes;
use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Patterns that are kept.
const KEPT: usize = 64;
/// Bytes of a compiled pattern.
const MOST: usize = 4 << 20;

/// A pattern with its flags.
pub(super) struct Compiled {
    pub(super) regex: Regex,
    global: bool,
    skip_empty: bool,
}

/// The patterns of a program, each compiled once.
#[derive(Default)]
pub(super) struct Regexes(Mutex<HashMap<(Bytes, Bytes), Arc<Compiled>>>);

impl Regexes {
    pub(super) fn get(&self, pattern: &Val, flags: &Val) -> Result<Arc<Compiled>, Error> {
        let text = |v: &Val| match v {
            Val::Str(text) => Ok(text.clone()),
            v => Err(Error::typ(v.clone(), "string")),
        };
        // What is kept must not be counted as this item's.
        let key = (Bytes::copy_from_slice(&text(pattern)?), Bytes::copy_from_slice(&text(flags)?));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = kept.get(&key) {
            return Ok(made.clone());
        }
        let made = Arc::new(compile(as_str(&key.0), as_str(&key.1)).map_err(Error::str)?);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, made.clone());
        Ok(made)
    }
}

/// # Errors
/// What is wrong with the pattern or the flags, in words.
pub(super) fn compile(pattern: &str, flags: &str) -> Result<Compiled, String> {
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(MOST).dfa_size_limit(MOST);
    let (mut global, mut skip_empty) = (false, false);
    for flag in flags.chars() {
        match flag {
            'g' => global = true,
            'n' => skip_empty = true,
            'i' => drop(builder.case_insensitive(true)),
            'm' => drop(builder.multi_line(true)),
            's' => drop(builder.dot_matches_new_line(true)),
            'p' => drop(builder.multi_line(true).dot_matches_new_line(true)),
            'l' => drop(builder.swap_greed(true)),
            'x' => drop(builder.ignore_whitespace(true)),
            other => return Err(format!("invalid regex flag: {other}")),
        }
    }
    let regex = builder.build().map_err(|e| {
        let said = e.to_string();
        let reason = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
        format!("invalid regex: {reason}")
    })?;
    Ok(Compiled { regex, global, skip_empty })
}

impl Compiled {
    /// Whether some part of the text matches.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self.skip_empty {
            true => self.regex.find_iter(text).any(|m| !m.is_empty()),
            false => self.regex.is_match(text),
        }
    }
}

/// Counts characters of growing offsets.
struct Characters<'a> {
    text: &'a str,
    byte: usize,
    seen: usize,
}

impl Characters<'_> {
    fn before(&mut self, byte: usize) -> usize {
        // A group may begin before the one that was counted last.
        let from = if byte < self.byte { 0 } else { self.byte };
        let seen = if byte < self.byte { 0 } else { self.seen };
        self.seen = seen + self.text.get(from..byte).unwrap_or_default().chars().count();
        self.byte = byte;
        self.seen
    }
}

/// The matches in a text, each an array of its groups, and the texts between them.
pub(super) fn search(v: &Val, compiled: &Compiled, matches: bool, between: bool) -> ValR {
    let Val::Str(bytes) = v else { return Err(Error::typ(v.clone(), "string")) };
    let text = as_str(bytes);
    let piece = |s: &str| Val::Str(bytes.slice_ref(s.as_bytes()));
    let mut characters = Characters { text, byte: 0, seen: 0 };
    let (mut found, mut last) = (Vec::new(), 0);
    for captures in compiled.regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        if compiled.skip_empty && whole.is_empty() {
            continue;
        }
        if between {
            found.push(piece(text.get(last..whole.start()).unwrap_or_default()));
            last = whole.end();
        }
        if matches {
            let groups = captures.iter().zip(compiled.regex.capture_names());
            let groups = groups.filter_map(|(group, name)| {
                let group = group?;
                let word = |w: &'static str| Bytes::from_static(w.as_bytes());
                let fields = [
                    (word("offset"), Val::from(characters.before(group.start()))),
                    (word("length"), Val::from(group.as_str().chars().count())),
                    (word("string"), piece(group.as_str())),
                ];
                let name = name.map(|name| (word("name"), Val::from(name.to_string())));
                Some(Val::obj(fields.into_iter().chain(name).collect()))
            });
            found.push(groups.collect());
        }
        if !compiled.global {
            break;
        }
    }
    if between {
        found.push(piece(text.get(last..).unwrap_or_default()));
    }
    Ok(found.into_iter().collect())
}
