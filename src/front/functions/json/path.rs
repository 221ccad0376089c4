//! Paths into JSON: `$.a.b[0]`, `$."a b"`, `$[#-1]`, `$.*`, `$[*]`, `$..a`; `/a/b/0`; a key alone.

use datafusion_common::{Result, exec_err};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Key(String),
    /// A part of a pointer: a key, or digits for a place.
    Part(String),
    /// A place; negative ones count from the end.
    Index(i64),
    AnyKey,
    AnyIndex,
    /// Here, and everywhere below.
    Deep,
}

/// A way into a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Path(pub Vec<Step>);

impl Path {
    /// Reads a path.
    pub(super) fn parse(text: &str) -> Result<Path> {
        let made = match text.chars().next() {
            Some('$') => dollar(text.get(1..).unwrap_or_default()),
            Some('/') => Some(text.split('/').skip(1).map(pointer).collect()),
            _ => Some(vec![Step::Key(text.to_string())]),
        };
        match made {
            Some(steps) => Ok(Path(steps)),
            None => exec_err!("{text:?} is no path into JSON: $.key[0].\"other key\""),
        }
    }

    /// Whether it may lead to several places.
    pub(super) fn is_many(&self) -> bool {
        self.0.iter().any(|s| matches!(s, Step::AnyKey | Step::AnyIndex | Step::Deep))
    }

    /// All places that it leads to.
    pub(super) fn all<'a>(&self, doc: &'a str) -> Vec<&'a str> {
        let Ok(root) = serde_json::from_str::<&RawValue>(doc) else { return Vec::new() };
        let mut found = vec![root.get()];
        for step in &self.0 {
            found = found.into_iter().flat_map(|json| follow(step, json)).collect();
        }
        found
    }

    /// The first place that it leads to.
    pub(super) fn first<'a>(&self, doc: &'a str) -> Option<&'a str> {
        self.all(doc).into_iter().next()
    }
}

/// A part of `/a/0`: digits are a place in an array, and a key in an object.
fn pointer(part: &str) -> Step {
    Step::Part(part.replace("~1", "/").replace("~0", "~"))
}

/// The steps behind the `$`.
fn dollar(mut rest: &str) -> Option<Vec<Step>> {
    let mut made = Vec::new();
    while let Some(first) = rest.chars().next() {
        rest = rest.get(1..)?;
        match first {
            '.' if rest.starts_with('.') => {
                made.push(Step::Deep);
                // The second point stays for the key behind it, unless an index follows.
                if rest.starts_with(".[") {
                    rest = rest.get(1..)?;
                }
            }
            '.' if rest.starts_with('*') => {
                made.push(Step::AnyKey);
                rest = rest.get(1..)?;
            }
            '.' if rest.starts_with('"') => {
                let end = rest.get(1..)?.find('"')? + 1;
                made.push(Step::Key(rest.get(1..end)?.to_string()));
                rest = rest.get(end + 1..)?;
            }
            '.' => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let key = rest.get(..end).filter(|k| !k.is_empty())?;
                made.push(Step::Key(key.to_string()));
                rest = rest.get(end..)?;
            }
            '[' => {
                let end = rest.find(']')?;
                made.push(index(rest.get(..end)?.trim())?);
                rest = rest.get(end + 1..)?;
            }
            _ => return None,
        }
    }
    Some(made)
}

fn index(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::AnyIndex);
    }
    if let Some(key) = text.strip_prefix(['"', '\'']).and_then(|t| t.strip_suffix(['"', '\''])) {
        return Some(Step::Key(key.to_string()));
    }
    text.strip_prefix('#').unwrap_or(text).parse().ok().map(Step::Index)
}

fn follow<'a>(step: &Step, json: &'a str) -> Vec<&'a str> {
    match step {
        Step::Key(key) | Step::Part(key) => match children(json) {
            Some(Children::Object(pairs)) => {
                pairs.into_iter().find(|(k, _)| k == key).map(|(_, v)| v).into_iter().collect()
            }
            Some(Children::Array(items)) if matches!(step, Step::Part(_)) => {
                key.parse::<usize>().ok().and_then(|at| items.get(at).copied()).into_iter().collect()
            }
            _ => Vec::new(),
        },
        Step::Index(at) => {
            let Some(Children::Array(items)) = children(json) else { return Vec::new() };
            let size = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
            let place = if *at < 0 { items.len().checked_sub(size) } else { Some(size) };
            place.and_then(|p| items.get(p).copied()).into_iter().collect()
        }
        Step::AnyKey => match children(json) {
            Some(Children::Object(pairs)) => pairs.into_iter().map(|(_, v)| v).collect(),
            _ => Vec::new(),
        },
        Step::AnyIndex => match children(json) {
            Some(Children::Array(items)) => items,
            _ => Vec::new(),
        },
        Step::Deep => {
            let below = match children(json) {
                Some(Children::Object(pairs)) => pairs.into_iter().map(|(_, v)| v).collect(),
                Some(Children::Array(items)) => items,
                None => Vec::new(),
            };
            std::iter::once(json).chain(below.into_iter().flat_map(|v| follow(step, v))).collect()
        }
    }
}

/// The values inside of a document, as they are written.
pub(super) enum Children<'a> {
    Object(Vec<(String, &'a str)>),
    Array(Vec<&'a str>),
}

/// What is inside of an object or an array.
pub(super) fn children(json: &str) -> Option<Children<'_>> {
    match json.trim_start().as_bytes().first()? {
        b'{' => serde_json::Deserializer::from_str(json).deserialize_map(Pairs).ok().map(Children::Object),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            Some(Children::Array(items.into_iter().map(RawValue::get).collect()))
        }
        _ => None,
    }
}

/// Keys and values in their order.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut made = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
            made.push((key, value.get()));
        }
        Ok(made)
    }
}

/// The document without space between its parts; `None` where it is not JSON.
pub(super) fn minified(json: &str) -> Option<String> {
    let raw = serde_json::from_str::<&RawValue>(json).ok()?.get();
    let mut made = String::with_capacity(raw.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in raw.chars() {
        if !quoted && c.is_ascii_whitespace() {
            continue;
        }
        made.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    Some(made)
}

/// The value as text: without quotes, if it is one; JSON's null is nothing.
pub(super) fn plain(json: &str) -> Option<String> {
    match json.trim().as_bytes().first()? {
        b'n' => None,
        b'"' => serde_json::from_str(json).ok(),
        _ => minified(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let of = |text: &str| Path::parse(text).unwrap().0;
        let key = |k: &str| Step::Key(k.into());
        assert_eq!(of("$.a.b[0]"), [key("a"), key("b"), Step::Index(0)]);
        assert_eq!(of("$.\"a.b\"[#-1]"), [key("a.b"), Step::Index(-1)]);
        assert_eq!(of("$[*].*"), [Step::AnyIndex, Step::AnyKey]);
        assert_eq!(of("$..a"), [Step::Deep, key("a")]);
        assert_eq!(of("/a/0"), [Step::Part("a".into()), Step::Part("0".into())]);
        assert_eq!(of("a.b"), [key("a.b")]);
        assert_eq!(of("$"), []);
        for bad in ["$a", "$.", "$[x]", "$[0", "$.\"a"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_are_found() {
        let doc = r#"{"a": [{"b": 1}, {"b": 12345678901234567890123}], "c": {"b": null}}"#;
        let all = |path: &str| Path::parse(path).unwrap().all(doc);
        assert_eq!(all("$.a[1].b"), ["12345678901234567890123"]);
        assert_eq!(all("$.a[*].b"), ["1", "12345678901234567890123"]);
        assert_eq!(all("$..b"), ["1", "12345678901234567890123", "null"]);
        assert_eq!(all("/a/0/b"), ["1"]);
        assert_eq!(all("$.x"), Vec::<&str>::new());
        assert_eq!(Path::default().all("no json"), Vec::<&str>::new());
    }
}
