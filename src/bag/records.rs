//! The records of JSON that comes in pieces and cannot be read again: lines, or one document.
//!
//! What begins as one array, or as a value over several lines, is a document; everything else is lines, each of which goes on
//! as soon as it is complete. What it is, is known with the first line, where that begins as an array with what follows it.
//! Of a document only the record in hand is kept.

use crate::error::{Error, Place, Result};
use crate::formats::json_text::{Malformed, Text};
use crate::formats::{Document, HEAD, Next, document_of};

/// A record that is not complete is looked at again when it has grown by this part of it, so that long ones are not read
/// over and over.
const GROWTH: usize = 8;

/// The mark of UTF-8.
const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// See the head of this file.
///
/// ```
/// use partita::bag::Records;
///
/// # fn main() -> partita::Result<()> {
/// let mut records = Records::new(None);
/// assert!(records.feed(b"[\n{\"a\":", false)?.is_empty());
/// assert_eq!(records.feed(b"1}, 2,", false)?, [b"{\"a\":1}".to_vec(), b"2".to_vec()]);
/// assert_eq!(records.feed(b" 3]", true)?, [b"3"]);
/// # Ok(())
/// # }
/// ```
pub struct Records {
    path: Vec<String>,
    form: Form,
    /// What came and went on to nobody yet.
    text: Vec<u8>,
    /// How many bytes came before that.
    before: u64,
    /// How many bytes there must be before it is looked at again.
    wanted: usize,
}

enum Form {
    Unknown,
    Lines,
    Document(Box<Document>),
    /// Behind the end of a document.
    Ended,
    /// Behind what is no JSON.
    Broken(Error),
}

impl Records {
    /// Nothing came yet. Behind a path (`data.items`) are the records of a document; without one what comes says what it is.
    pub fn new(path: Option<&str>) -> Records {
        let path =
            path.map_or_else(Vec::new, |path| path.trim_start_matches("$.").split('.').map(str::to_string).collect());
        Records { path, form: Form::Unknown, text: Vec::new(), before: 0, wanted: 0 }
    }

    /// Nothing came yet, and whatever comes is lines.
    pub fn lines_only() -> Records {
        Records { form: Form::Lines, ..Records::new(None) }
    }

    /// Takes what came, and answers with the records that are complete with it. Lines may be blank. `last` says that there is
    /// no more.
    ///
    /// Records before a place where a document is no JSON come first, and the next call fails: so whoever wants to know feeds
    /// nothing until nothing comes.
    ///
    /// # Errors
    /// `Data`, for a document that is no JSON.
    pub fn feed(&mut self, bytes: &[u8], last: bool) -> Result<Vec<Vec<u8>>> {
        self.text.extend_from_slice(bytes);
        if let Form::Unknown = self.form {
            if self.before == 0 && self.text.starts_with(&MARK) {
                self.pass(MARK.len());
            }
            if !last && !self.is_known() {
                return Ok(Vec::new());
            }
            self.form = document_of(&self.text, last, &self.path).map_or(Form::Lines, |d| Form::Document(Box::new(d)));
        }
        match &self.form {
            Form::Broken(error) => {
                self.text.clear();
                Err(error.clone())
            }
            Form::Unknown | Form::Ended => Ok(Vec::new()),
            Form::Lines => Ok(self.lines(last)),
            Form::Document(_) if self.text.len() < self.wanted && !last => Ok(Vec::new()),
            Form::Document(_) => self.records(last),
        }
    }

    /// How many bytes wait for the end of their record.
    pub fn waiting(&self) -> usize {
        self.text.len()
    }

    /// Whether what is here says what it is.
    fn is_known(&self) -> bool {
        if !self.path.is_empty() || self.text.len() >= HEAD {
            return true;
        }
        let text = self.text.trim_ascii_start();
        let behind = memchr::memchr(b'\n', text).and_then(|end| text.get(end..)).map(<[u8]>::trim_ascii_start);
        match text.first() {
            Some(b'[') => behind.is_some_and(|behind| !behind.is_empty()),
            _ => behind.is_some(),
        }
    }

    /// Forgets the first bytes.
    fn pass(&mut self, bytes: usize) {
        self.text.drain(..bytes.min(self.text.len()));
        self.before += bytes as u64;
    }

    fn lines(&mut self, last: bool) -> Vec<Vec<u8>> {
        let complete = match memchr::memrchr(b'\n', &self.text) {
            _ if last => self.text.len(),
            Some(end) => end + 1,
            None => return Vec::new(),
        };
        let text = self.text.get(..complete).unwrap_or_default();
        let lines = text.split_inclusive(|byte| *byte == b'\n').map(|line| {
            let ended = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            ended.unwrap_or(line).to_vec()
        });
        let lines = lines.collect();
        self.pass(complete);
        lines
    }

    fn records(&mut self, last: bool) -> Result<Vec<Vec<u8>>> {
        let Form::Document(document) = &mut self.form else { return Ok(Vec::new()) };
        let text = Text { bytes: &self.text };
        let (mut at, mut made) = (0, Vec::new());
        let ended = loop {
            match document.next(text, at, last) {
                Ok(Next::Record(begin, end)) => {
                    made.push(self.text.get(begin..end).unwrap_or_default().to_vec());
                    at = end;
                }
                Ok(Next::More(to)) => break (to, false),
                Ok(Next::End(to)) => break (to, true),
                Err(Malformed(place)) => {
                    let what = if place < self.text.len() { "the text is no JSON" } else { "the text ends too early" };
                    let place = Place { byte: Some(self.before + place as u64), ..Place::default() };
                    let error =
                        Error::data(format!("{what}; behind that no record of the document is found")).at(place);
                    self.form = Form::Broken(error.clone());
                    return if made.is_empty() { Err(error) } else { Ok(made) };
                }
            }
        };
        if ended.1 {
            self.form = Form::Ended;
        }
        self.pass(ended.0);
        self.wanted = self.text.len() + self.text.len() / GROWTH;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, path: Option<&str>, step: usize) -> Result<Vec<String>> {
        let (mut records, mut made) = (Records::new(path), Vec::new());
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(step).collect();
        for piece in &pieces {
            made.extend(records.feed(piece, false)?);
        }
        loop {
            match records.feed(b"", true)? {
                last if last.is_empty() => break,
                last => made.extend(last),
            }
        }
        Ok(made.into_iter().map(|record| String::from_utf8(record).unwrap()).collect())
    }

    #[test]
    fn records_are_the_same_however_they_come() {
        let (path, none) = (Some("data.items"), None);
        let cases: [(&str, Option<&str>, &[&str]); 10] = [
            ("", none, &[]),
            ("1\n\n\"a\"\r\n3", none, &["1", "", "\"a\"", "3"]),
            ("{\"a\":1}\n{\"a\":2\nx\n", none, &["{\"a\":1}", "{\"a\":2", "x"]),
            ("[1, [2],\n{\"a\": \"]\"}\n]\n", none, &["1", "[2]", "{\"a\": \"]\"}"]),
            ("[1,2]\n[3]\n", none, &["[1,2]", "[3]"]),
            ("[1,2]", none, &["1", "2"]),
            ("\u{feff}{\n\"a\": 1\n}\n{\"a\": 2}", none, &["{\n\"a\": 1\n}", "{\"a\": 2}"]),
            ("{\"n\":0,\"data\":{\"items\":[{\"a\":1},\n 2]}}", path, &["{\"a\":1}", "2"]),
            ("[]", none, &[]),
            ("[]", path, &[]),
        ];
        for (text, path, want) in cases {
            for step in 1..=text.len() + 1 {
                assert_eq!(records(text, path, step).unwrap(), want, "{text:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn a_line_goes_on_at_once_and_a_broken_document_says_where() {
        let mut lines = Records::new(None);
        assert_eq!(lines.feed(b"{\"a\":1}\n{\"a\"", false).unwrap(), [b"{\"a\":1}"]);
        assert_eq!((lines.feed(b":2}\n", false).unwrap().len(), lines.waiting()), (1, 0));
        for (text, byte) in [("[1, 2 3]", 6), ("[1, {\"a\":", 9), ("[1]\n2", 4)] {
            for step in [1, 3, 100] {
                let error = records(text, None, step).unwrap_err();
                assert_eq!(error.place().byte, Some(byte), "{text} in steps of {step}");
            }
        }
    }

    #[test]
    fn records_before_a_broken_place_come_first() {
        for text in ["[1, 2 3]", "[1, 2", "[1, 2, {\"a\"}, 4]", "[1,\n2]\n3"] {
            for step in 1..=text.len() {
                let (mut records, mut made, mut broken) = (Records::new(None), Vec::new(), false);
                for (piece, last) in
                    text.as_bytes().chunks(step).map(|piece| (piece, false)).chain([(&b""[..], true); 3])
                {
                    match records.feed(piece, last) {
                        Ok(found) => made.extend(found),
                        Err(_) => broken = true,
                    }
                }
                assert_eq!((made, broken), (vec![b"1".to_vec(), b"2".to_vec()], true), "{text:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn a_long_record_is_not_read_over_and_over() {
        let (mut records, long) = (Records::new(None), "x".repeat(1 << 20));
        assert!(records.feed(b"[\n\"", false).unwrap().is_empty());
        for piece in long.as_bytes().chunks(1000) {
            assert!(records.feed(piece, false).unwrap().is_empty());
        }
        assert!(records.wanted > records.waiting());
        assert_eq!(records.feed(b"\"]", true).unwrap()[0].len(), (1 << 20) + 2);
    }
}
