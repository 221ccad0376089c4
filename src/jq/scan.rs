//! One pass over the JSON of an item: checks all of it, and finds where the wanted pieces are.
//!
//! ```text
//! {"status":500,"user":{"id":7,"name":"x"},"path":"/a"}        wanted: .status, .user.id
//!           ^^^        ^^^^^^^^^^^^^^^^^^^ user    7 id        places in the text, by node of the tree of wanted paths
//! ```
//!
//! Most keys are where they were in the last item ([`trail`](super::trail)), strings are passed 32 bytes at a time
//! (`Text::string_end`).
//!
//! Afterwards pieces are walked without checks ([`Items`], [`Fields`], [`get`]): they are known to be JSON. Of equal keys the
//! last one counts.

use super::trail::Trail;
use super::value::MAX_DEPTH;
use crate::formats::json_text::{Malformed, Text, Walk};
use std::borrow::Cow;

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

impl Kind {
    #[inline]
    pub(super) fn of(json: &[u8]) -> Kind {
        match json.first() {
            Some(b'"') => Kind::Text,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }
}

/// The tree of paths that a program wants of its item. The first node is the item.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    fields: Vec<(Box<[u8]>, usize)>,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { nodes: vec![Node::default()] }
    }
}

impl Wanted {
    /// The node of a field of a node.
    pub(super) fn field(&mut self, node: usize, key: &[u8]) -> usize {
        let next = self.nodes.len();
        let Some(Node { fields }) = self.nodes.get_mut(node) else { return 0 };
        if let Some((_, found)) = fields.iter().find(|(k, _)| **k == *key) {
            return *found;
        }
        fields.push((key.into(), next));
        self.nodes.push(Node::default());
        next
    }

    fn fields(&self, node: usize) -> &[(Box<[u8]>, usize)] {
        self.nodes.get(node).map_or(&[], |n| &n.fields)
    }
}

/// Where the wanted pieces of an item are: begin and end by node; nothing where begin is [`NOWHERE`].
pub(super) type Found = Vec<(usize, usize)>;

const NOWHERE: (usize, usize) = (usize::MAX, 0);

/// Finds the wanted pieces in `json`, which may have spaces around its one value.
pub(super) fn scan(json: &[u8], wanted: &Wanted, found: &mut Found, trail: &mut Trail) -> Result<(), Malformed> {
    found.clear();
    found.resize(wanted.nodes.len(), NOWHERE);
    trail.begin();
    let mut scan = Scan { text: Text { bytes: json }, wanted, found, trail, spare: Vec::new() };
    let begin = scan.text.space(0);
    let end = scan.node(begin, 0, 0)?;
    match scan.text.space(end) == json.len() {
        true => Ok(()),
        false => Err(Malformed(scan.text.space(end))),
    }
}

/// Checks that the text is JSON.
pub(super) fn check(json: &[u8]) -> Result<(), Malformed> {
    scan(json, &Wanted::default(), &mut Found::new(), &mut Trail::default())
}

struct Scan<'a> {
    text: Text<'a>,
    wanted: &'a Wanted,
    found: &'a mut Found,
    trail: &'a mut Trail,
    /// Where texts go that are only checked.
    spare: Vec<u8>,
}

impl Scan<'_> {
    /// A wanted value that begins at `at`.
    fn node(&mut self, at: usize, node: usize, depth: u32) -> Walk<usize> {
        let fields = self.wanted.fields(node);
        let end = match self.text.at(at) {
            b'{' if !fields.is_empty() => {
                // Of an earlier field of the same name nothing counts.
                self.forget(node);
                self.object(at, depth, Some(node))?
            }
            _ => {
                self.forget(node);
                self.pass(at, depth)?
            }
        };
        if let Some(place) = self.found.get_mut(node) {
            *place = (at, end);
        }
        Ok(end)
    }

    #[inline(always)]
    fn forget(&mut self, node: usize) {
        if self.found.get(node).is_some_and(|place| *place != NOWHERE) {
            self.forget_fields(node);
        }
    }

    #[cold]
    fn forget_fields(&mut self, node: usize) {
        for (_, field) in self.wanted.fields(node) {
            self.forget(*field);
            if let Some(place) = self.found.get_mut(*field) {
                *place = NOWHERE;
            }
        }
    }

    /// Behind an object; its wanted fields are found.
    fn object(&mut self, at: usize, depth: u32, node: Option<usize>) -> Walk<usize> {
        if depth >= MAX_DEPTH {
            return Err(Malformed(at));
        }
        let mut at = self.text.space(at + 1);
        if self.text.at(at) == b'}' {
            return Ok(at + 1);
        }
        loop {
            let rest = self.text.bytes.get(at..).unwrap_or_default();
            let (behind, field) = match self.trail.follow(rest, node) {
                Some((len, field)) => (at + len, field),
                None => self.key(at, node)?,
            };
            at = self.text.space(behind);
            at = match field {
                Some(field) => self.node(at, field, depth + 1)?,
                None => self.pass(at, depth + 1)?,
            };
            at = self.text.space(at);
            match self.text.at(at) {
                b',' => at = self.text.space(at + 1),
                b'}' => return Ok(at + 1),
                _ => return Err(Malformed(at)),
            }
        }
    }

    /// Behind the key that begins at `at`, and its colon; its node, if it is wanted.
    #[inline(never)]
    fn key(&mut self, at: usize, node: Option<usize>) -> Walk<(usize, Option<usize>)> {
        let begin = self.text.expect(at, b'"')?;
        let (end, escaped) = self.text.string_end(begin)?;
        let field = match node {
            Some(node) => self.field(node, begin, end, escaped)?,
            None => self.check(begin, end, escaped).map(|()| None)?,
        };
        let behind = self.text.expect(self.text.space(end + 1), b':')?;
        self.trail.note(self.text.bytes.get(at..behind).unwrap_or_default(), node, field);
        Ok((behind, field))
    }

    /// The node of the key in `begin..end`, if it is wanted.
    #[inline]
    fn field(&self, node: usize, begin: usize, end: usize, escaped: bool) -> Walk<Option<usize>> {
        let fields = self.wanted.fields(node);
        let find = |key: &[u8]| fields.iter().find(|(k, _)| **k == *key).map(|(_, node)| *node);
        if escaped {
            let mut key = Vec::new();
            self.text.unescape(begin, end, &mut key)?;
            return Ok(find(&key));
        }
        Ok(find(self.text.bytes.get(begin..end).unwrap_or_default()))
    }

    /// A text's escapes must be some.
    #[inline]
    fn check(&mut self, begin: usize, end: usize, escaped: bool) -> Walk<()> {
        if !escaped {
            return Ok(());
        }
        self.spare.clear();
        self.text.unescape(begin, end, &mut self.spare)
    }

    /// Behind the value that begins at `at`: what is usual at once.
    #[inline(always)]
    fn pass(&mut self, at: usize, depth: u32) -> Walk<usize> {
        match self.text.at(at) {
            b'"' => match self.text.string_end(at + 1)? {
                (end, false) => Ok(end + 1),
                _ => self.skip(at, depth),
            },
            b'-' | b'0'..=b'9' => self.text.number_end(at),
            _ => self.skip(at, depth),
        }
    }

    /// Behind the value that begins at `at`.
    #[inline(never)]
    fn skip(&mut self, at: usize, depth: u32) -> Walk<usize> {
        match self.text.at(at) {
            b'"' => {
                let (end, escaped) = self.text.string_end(at + 1)?;
                self.check(at + 1, end, escaped)?;
                Ok(end + 1)
            }
            b'-' | b'0'..=b'9' => self.text.number_end(at),
            b'{' => self.object(at, depth, None),
            b'[' => self.array(at, depth),
            _ => self.text.word_end(at),
        }
    }

    fn array(&mut self, at: usize, depth: u32) -> Walk<usize> {
        if depth >= MAX_DEPTH {
            return Err(Malformed(at));
        }
        let mut at = self.text.space(at + 1);
        if self.text.at(at) == b']' {
            return Ok(at + 1);
        }
        loop {
            at = self.skip(at, depth + 1)?;
            at = self.text.space(at);
            match self.text.at(at) {
                b',' => at = self.text.space(at + 1),
                b']' => return Ok(at + 1),
                _ => return Err(Malformed(at)),
            }
        }
    }
}

/// Behind a value that is known to be JSON.
#[inline]
fn behind(text: &Text<'_>, at: usize) -> usize {
    match text.at(at) {
        b'{' | b'[' => behind_nested(text, at),
        b'"' => text.string_end(at + 1).map_or(text.bytes.len(), |(end, _)| end + 1),
        _ => {
            let mut at = at;
            while !matches!(text.at(at), b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' | b':')
                && at < text.bytes.len()
            {
                at += 1;
            }
            at
        }
    }
}

fn behind_nested(text: &Text<'_>, at: usize) -> usize {
    let (mut depth, mut at) = (0usize, at);
    while at < text.bytes.len() {
        match text.at(at) {
            b'"' => at = text.string_end(at + 1).map_or(text.bytes.len(), |(end, _)| end),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The elements of an array that is known to be JSON.
pub(super) struct Items<'a> {
    text: Text<'a>,
    at: usize,
}

impl<'a> Items<'a> {
    pub(super) fn new(json: &'a [u8]) -> Self {
        let text = Text { bytes: json };
        Items { text, at: text.space(1) }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if matches!(self.text.at(self.at), b']' | 0) {
            return None;
        }
        let end = behind(&self.text, self.at);
        let item = self.text.bytes.get(self.at..end)?;
        let next = self.text.space(end);
        self.at = if self.text.at(next) == b',' { self.text.space(next + 1) } else { next };
        Some(item)
    }
}

/// The keys (with their quotes) and values of an object that is known to be JSON.
pub(super) struct Fields<'a> {
    text: Text<'a>,
    at: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(json: &'a [u8]) -> Self {
        let text = Text { bytes: json };
        Fields { text, at: text.space(1) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        if self.text.at(self.at) != b'"' {
            return None;
        }
        let key_end = behind(&self.text, self.at);
        let key = self.text.bytes.get(self.at..key_end)?;
        let at = self.text.space(self.text.space(key_end) + 1);
        let end = behind(&self.text, at);
        let value = self.text.bytes.get(at..end)?;
        let next = self.text.space(end);
        self.at = if self.text.at(next) == b',' { self.text.space(next + 1) } else { next };
        Some((key, value))
    }
}

/// The value of a field of an object that is known to be JSON.
pub(super) fn get<'a>(object: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    Fields::new(object).filter(|(k, _)| is_key(k, key)).last().map(|(_, value)| value)
}

/// Whether a quoted text is `key`.
pub(super) fn is_key(quoted: &[u8], key: &[u8]) -> bool {
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    inside == key || (memchr::memchr(b'\\', inside).is_some() && *content(quoted) == *key)
}

/// What a quoted text says.
pub(super) fn content(quoted: &[u8]) -> Cow<'_, [u8]> {
    let end = quoted.len().saturating_sub(1);
    let inside = quoted.get(1..end).unwrap_or_default();
    if memchr::memchr(b'\\', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut made = Vec::with_capacity(inside.len());
    // It was checked before.
    let _ = Text { bytes: quoted }.unescape(1, end, &mut made);
    Cow::Owned(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, paths: &[&[&str]]) -> Option<Vec<Option<String>>> {
        let mut wanted = Wanted::default();
        let nodes: Vec<usize> =
            paths.iter().map(|path| path.iter().fold(0, |node, key| wanted.field(node, key.as_bytes()))).collect();
        let mut found = Found::new();
        let mut trail = Trail::default();
        scan(json.as_bytes(), &wanted, &mut found, &mut trail).ok()?;
        // Once more, with all keys known.
        let first = found.clone();
        scan(json.as_bytes(), &wanted, &mut found, &mut trail).ok()?;
        assert_eq!(found, first);
        let text = |node: &usize| json.get(found[*node].0..found[*node].1).map(str::to_string);
        Some(nodes.iter().map(text).collect())
    }

    #[test]
    fn wanted_pieces_are_found_in_one_pass() {
        let some = |texts: &[&str]| {
            Some(texts.iter().map(|t| if t.is_empty() { None } else { Some(t.to_string()) }).collect::<Vec<_>>())
        };
        let json = r#" {"a": {"b" : [1, {"b":2}], "c":3}, "d":"x"} "#;
        assert_eq!(found(json, &[&["a", "b"], &["d"], &["e"]]), some(&[r#"[1, {"b":2}]"#, "\"x\"", ""]));
        assert_eq!(found(json, &[&["d", "x"], &[]]), some(&["", json.trim()]));
        // The last of equal keys counts, with all that is in it.
        assert_eq!(found(r#"{"a":{"b":1},"a":{"c":2}}"#, &[&["a", "b"], &["a", "c"]]), some(&["", "2"]));
        assert_eq!(found(r#"{"\u0061":1}"#, &[&["a"]]), some(&["1"]));
    }

    proptest::proptest! {
        #[test]
        fn takes_what_serde_takes(text in "[{}\\[\\]:,\"a0-9.eE+\\\\utrlsfn -]{0,24}") {
            let serde = serde_json::from_str::<serde_json::Value>(&text);
            // Numbers beyond floats are numbers here.
            let too_large = serde.as_ref().is_err_and(|e| e.to_string().contains("out of range"));
            assert_eq!(found(&text, &[&["a"]]).is_some(), serde.is_ok() || too_large, "{text}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(found(&deep(512), &[]).is_some());
        assert!(found(&deep(513), &[]).is_none());
        assert!(found(&"[".repeat(1_000_000), &[]).is_none());
    }
}
