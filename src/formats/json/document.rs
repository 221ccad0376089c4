//! Where the records of a document are that is no line of its own: the elements of an array, values one after the other,
//! or what is at a path inside of objects. The document streams: what is kept from one window to the next are the brackets
//! that are open.
//!
//! ```text
//! {"meta": {..}, "data": {"page": 1, "items": [ {..}, {..}, .. ]}}      records => 'data.items'
//!          skip   enter          skip  enter    record record
//! ```
//!
//! On the way to a record, objects are entered at the keys of the path and arrays element by element; at its end, an array
//! is a record for each element, anything else is one. What the path does not lead to is skipped; of that only brackets
//! and strings are checked.

use super::cursor::{Malformed, Text, Walk};

/// The deepest nesting of what is skipped.
const DEEPEST: usize = 1 << 16;

/// See the head of this file.
pub(crate) struct Document {
    path: Vec<String>,
    /// Whether the elements of an array are the records, rather than the array.
    spread: bool,
    /// Whether nothing may follow the first value.
    single: bool,
    open: Vec<Open>,
    state: State,
    skip: Skip,
    /// Whether there was a value where the records are.
    begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Array,
    Object,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value comes.
    Value,
    /// The first element of an array comes, or its end.
    First,
    /// A value ended.
    Behind,
    /// The first key of an object comes, or its end.
    FirstKey,
    /// A key comes.
    Key,
    /// A value comes that nobody wants.
    Skip,
}

/// What is next in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A record: where it begins and ends.
    Record(usize, usize),
    /// What is complete ends here; there must be more text.
    More(usize),
    /// The document ends here.
    End(usize),
}

impl Document {
    /// A document whose records are at `path`.
    pub(super) fn new(path: &[String], spread: bool, single: bool) -> Self {
        let (open, skip) = (Vec::new(), Skip::default());
        Document { path: path.to_vec(), spread, single, open, state: State::Value, skip, begun: false }
    }

    /// What comes at `at`; `last` says that the file ends where the text does.
    ///
    /// # Errors
    /// The text is no JSON.
    pub(crate) fn next(&mut self, text: Text<'_>, at: usize, last: bool) -> Walk<Next> {
        let mut at = at;
        loop {
            let before = if self.skip.is_inside() { at } else { text.space(at) };
            if before >= text.bytes.len() {
                let ended = last && self.open.is_empty() && self.state != State::Skip;
                return match (ended, last) {
                    (true, _) => Ok(Next::End(before)),
                    (false, true) => Err(Malformed(before)),
                    (false, false) => Ok(Next::More(before)),
                };
            }
            let stepped = self.step(text, before, last);
            match stepped {
                Ok(Step::To(next)) => at = next,
                Ok(Step::Record(end)) => return Ok(Next::Record(before, end)),
                Ok(Step::More(place)) if last => return Err(Malformed(place)),
                Ok(Step::More(place)) => return Ok(Next::More(place)),
                Err(Malformed(place)) if place >= text.bytes.len() && !last => return Ok(Next::More(before)),
                Err(malformed) => return Err(malformed),
            }
        }
    }

    fn step(&mut self, text: Text<'_>, at: usize, last: bool) -> Walk<Step> {
        let first = text.at(at);
        match self.state {
            State::First if first == b']' => self.close(at),
            State::Value | State::First => self.value(text, at, last),
            State::FirstKey if first == b'}' => self.close(at),
            State::FirstKey | State::Key => self.key(text, at),
            State::Behind => self.behind(first, at, text, last),
            State::Skip => {
                let (next, done) = self.skip.over(text, at)?;
                if done {
                    self.state = State::Behind;
                }
                // A backslash whose character is not there yet.
                Ok(if done || next >= text.bytes.len() { Step::To(next) } else { Step::More(next) })
            }
        }
    }

    fn close(&mut self, at: usize) -> Walk<Step> {
        self.open.pop();
        self.state = State::Behind;
        Ok(Step::To(at + 1))
    }

    fn enter(&mut self, what: Open, state: State, at: usize) -> Walk<Step> {
        if self.open.len() >= DEEPEST {
            return Err(Malformed(at));
        }
        self.open.push(what);
        self.state = state;
        Ok(Step::To(at + 1))
    }

    fn value(&mut self, text: Text<'_>, at: usize, last: bool) -> Walk<Step> {
        let matched = self.open.iter().filter(|open| **open == Open::Object).count();
        let arrives = matched == self.path.len();
        self.begun |= arrives;
        match text.at(at) {
            b'[' if !arrives => self.enter(Open::Array, State::First, at),
            b'[' if self.spread && self.open.last() != Some(&Open::Array) => self.enter(Open::Array, State::First, at),
            b'{' if !arrives => self.enter(Open::Object, State::FirstKey, at),
            first => {
                let end = text.skip(at)?;
                // A number may go on behind what is here.
                if end >= text.bytes.len() && !last && !matches!(first, b'"' | b'[' | b'{') {
                    return Err(Malformed(end));
                }
                self.state = State::Behind;
                Ok(if arrives { Step::Record(end) } else { Step::To(end) })
            }
        }
    }

    fn key(&mut self, text: Text<'_>, at: usize) -> Walk<Step> {
        let start = text.expect(at, b'"')?;
        let (end, _) = text.string_end(start)?;
        let behind = text.expect(text.space(end + 1), b':').map_err(|m| Malformed(m.0.min(text.bytes.len())))?;
        let mut key = Vec::new();
        text.unescape(start, end, &mut key)?;
        let depth = self.open.iter().filter(|open| **open == Open::Object).count();
        let wanted = depth.checked_sub(1).and_then(|depth| self.path.get(depth));
        let is_wanted = wanted.is_some_and(|wanted| wanted.as_bytes() == key);
        self.state = if is_wanted { State::Value } else { State::Skip };
        Ok(Step::To(behind))
    }

    fn behind(&mut self, first: u8, at: usize, text: Text<'_>, last: bool) -> Walk<Step> {
        match (self.open.last(), first) {
            (Some(Open::Array), b',') => self.state = State::Value,
            (Some(Open::Object), b',') => self.state = State::Key,
            (Some(Open::Array), b']') | (Some(Open::Object), b'}') => return self.close(at),
            (None, _) if !self.single => return self.value(text, at, last),
            _ => return Err(Malformed(at)),
        }
        Ok(Step::To(at + 1))
    }

    /// Whether there was a value where the records are, even if it is an empty array.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }
}

enum Step {
    To(usize),
    Record(usize),
    More(usize),
}

/// A value that is skipped, however long.
#[derive(Default)]
struct Skip {
    closers: Vec<u8>,
    string: bool,
    word: bool,
}

impl Skip {
    /// Whether white space counts.
    fn is_inside(&self) -> bool {
        self.string || self.word
    }

    fn close(&mut self, byte: u8, at: usize) -> Walk<()> {
        if self.closers.pop() == Some(byte) { Ok(()) } else { Err(Malformed(at)) }
    }

    /// Goes on; answers with the place behind, and whether the value has ended.
    fn over(&mut self, text: Text<'_>, at: usize) -> Walk<(usize, bool)> {
        let (bytes, mut at) = (text.bytes, at);
        while let Some(byte) = bytes.get(at) {
            if self.string {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(n) = memchr::memchr2(b'"', b'\\', rest) else { return Ok((bytes.len(), false)) };
                at += n;
                if bytes.get(at) == Some(&b'\\') {
                    if at + 1 >= bytes.len() {
                        return Ok((at, false));
                    }
                    at += 2;
                    continue;
                }
                self.string = false;
                at += 1;
            } else {
                match byte {
                    b'"' if !self.word => self.string = true,
                    b'{' | b'[' if !self.word => {
                        if self.closers.len() >= DEEPEST {
                            return Err(Malformed(at));
                        }
                        self.closers.push(if *byte == b'{' { b'}' } else { b']' });
                    }
                    b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if self.word && self.closers.is_empty() => {
                        self.word = false;
                        return Ok((at, true));
                    }
                    b'}' | b']' => self.close(*byte, at)?,
                    _ if self.closers.is_empty() => self.word = true,
                    _ => {}
                }
                at += 1;
                if self.string || self.word {
                    continue;
                }
            }
            if self.closers.is_empty() {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a text that comes in windows which grow by `step` bytes.
    fn records(text: &str, path: &str, single: bool, step: usize) -> Result<Vec<String>, usize> {
        let path: Vec<String> = path.split('.').filter(|p| !p.is_empty()).map(str::to_string).collect();
        let mut document = Document::new(&path, true, single);
        let (mut found, mut at, mut here) = (Vec::new(), 0, step);
        loop {
            here = here.min(text.len());
            let last = here == text.len();
            let window = Text { bytes: &text.as_bytes()[..here] };
            match document.next(window, at, last).map_err(|m| m.0)? {
                Next::Record(from, to) => {
                    found.push(text[from..to].to_string());
                    at = to;
                }
                Next::More(to) => (at, here) = (to, here + step),
                Next::End(_) => return Ok(found),
            }
        }
    }

    #[test]
    fn records_wherever_they_are_in_whatever_windows() {
        let deep = "{\"m\":{\"x\":[1,\"]}\\\"\",{}],\"items\":[9]},\"n\":12, \"data\" : {\"p\":true,\"items\":[{\"a\":1},\n [2], 3 ]}}\n\
                    {\"data\":{\"items\":{\"a\":4}}} {\"data\":null} {\"data\":[{\"items\":[5]},{\"items\":6}]}";
        let cases: [(&str, &str, bool, &[&str]); 8] = [
            ("[{\"a\": [1]}, 2 ,\"x]\"]", "", true, &["{\"a\": [1]}", "2", "\"x]\""]),
            (" [ ] \n", "", true, &[]),
            ("{\"a\":1}{\"a\":2}\n12 34", "", false, &["{\"a\":1}", "{\"a\":2}", "12", "34"]),
            ("[[1],[2]]", "", true, &["[1]", "[2]"]),
            ("-1.5e3", "", false, &["-1.5e3"]),
            (deep, "data.items", false, &["{\"a\":1}", "[2]", "3", "{\"a\":4}", "5", "6"]),
            (deep, "n", false, &["12"]),
            (deep, "nothing", false, &[]),
        ];
        for (text, path, single, want) in cases {
            for step in 1..=text.len() {
                assert_eq!(records(text, path, single, step).unwrap(), want, "{text} in steps of {step}");
            }
        }
    }

    #[test]
    fn what_is_no_json_is_told_in_whatever_windows() {
        for text in [
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1]x",
            "[1][2]",
            "[1",
            "[\"a",
            "{\"a\":1",
            "[1}",
            "[tru]",
            "[1e]",
            "[-]",
            "[\"\\x\"]",
        ] {
            for step in 1..=text.len() {
                assert!(records(text, "", true, step).is_err(), "{text} in steps of {step}");
            }
        }
        for text in
            ["{\"a\"}", "{\"b\":[}],\"a\":1}", "{\"a\":1,}", "{\"b\":1 \"a\":2}", "{\"b\":\"x\\", "{\"b\":}", "{\"b\""]
        {
            assert!(records(text, "a", false, text.len()).is_err(), "{text}");
            assert!(records(text, "a", false, 1).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde(text in "[{}\\[\\]:,\"a0-9 \n]{0,24}", step in 1usize..5) {
            let ours = records(&text, "", true, step);
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(serde_json::Value::Array(list)) => {
                    let got: Vec<serde_json::Value> = ours.unwrap().iter().map(|t| serde_json::from_str(t).unwrap()).collect();
                    assert_eq!(got, list);
                }
                Ok(_) => assert_eq!(ours.unwrap().len(), 1),
                Err(_) => assert!(ours.is_err() || text.trim_ascii().is_empty(), "{text}"),
            }
        }
    }
}
