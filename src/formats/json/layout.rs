//! How the records of a file are separated: by its options, else by its head.
//!
//! A file that begins with `[` is one array, unless its first line is a whole one and more arrays follow below. A file
//! whose first line is not one whole value, but which is sound JSON over several lines, is a document: values one after
//! the other. Everything else has a record a line.

use super::cursor::{Malformed, Text};
use super::document::Document;
use super::options::{Form, JsonOptions, Records};
use crate::error::Result;
use crate::formats::{FileRef, sample};

/// Bytes of the head that are looked at.
pub(crate) const HEAD: usize = 64 << 10;

/// How the records of a file are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One a line.
    Lines,
    /// Inside of one value.
    Array,
    /// One after the other.
    Values,
}

impl Layout {
    /// Tells that of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(file: &FileRef, options: &JsonOptions) -> Result<Layout> {
        if matches!(options.records, Records::At(_)) && options.form != Form::Array {
            return Ok(Layout::Values);
        }
        match options.form {
            Form::Lines => Ok(Layout::Lines),
            Form::Array => Ok(Layout::Array),
            Form::Unstructured => Ok(Layout::Values),
            Form::Auto => {
                let head = sample::head(file, HEAD)?;
                Ok(guess(head.bytes(), head.last))
            }
        }
    }

    /// Whether the file can be cut at lines.
    pub(super) fn is_lines(self) -> bool {
        self == Layout::Lines
    }

    /// The document of a file, where it is one.
    pub(super) fn document(self, options: &JsonOptions) -> Option<Document> {
        let path = match &options.records {
            Records::At(path) => path.as_slice(),
            _ => &[],
        };
        match self {
            Layout::Lines => None,
            Layout::Array => Some(Document::new(path, true, true)),
            // Where values of any kind come one after the other, arrays are values too.
            Layout::Values => Some(Document::new(path, options.form != Form::Unstructured, false)),
        }
    }
}

/// The records of a file that begins with `head` (all of it, if that is `last`), where they are not one a line; with a
/// path, they are what is behind these keys.
pub(crate) fn document_of(head: &[u8], last: bool, path: &[String]) -> Option<Document> {
    let layout = if path.is_empty() { guess(head, last) } else { Layout::Values };
    (!layout.is_lines()).then(|| Document::new(path, true, layout == Layout::Array))
}

/// Whether a file is such a document.
///
/// # Errors
/// It cannot be read.
pub(crate) fn is_document(file: &FileRef, path: &[String]) -> Result<bool> {
    if !path.is_empty() {
        return Ok(true);
    }
    let head = sample::head(file, HEAD)?;
    Ok(document_of(head.bytes(), head.last, path).is_some())
}

/// The bytes of a mark of UTF-8.
pub(super) fn behind_mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 }
}

fn guess(head: &[u8], last: bool) -> Layout {
    let text = Text { bytes: head };
    let start = text.space(behind_mark(head));
    let rest = head.get(start..).unwrap_or_default();
    let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = Text { bytes: head.get(..end).unwrap_or_default() };
    let whole = line.skip(start);
    let cut = end == head.len() && !last;
    match text.at(start) {
        b'[' => match whole {
            Ok(behind) if line.space(behind) == end && text.at(text.space(end)) == b'[' => Layout::Lines,
            _ => Layout::Array,
        },
        b'{' if !cut => match whole {
            // Another value on the same line.
            Ok(behind) if text.at(line.space(behind)) == b'{' => Layout::Values,
            Err(Malformed(at)) if at == end && is_sound(text, start) => Layout::Values,
            Ok(_) if goes_on_later(head, end) => Layout::Values,
            _ => Layout::Lines,
        },
        _ => Layout::Lines,
    }
}

/// Whether below whole lines, of which the first one ends at `end`, there is a value over several lines.
fn goes_on_later(head: &[u8], mut end: usize) -> bool {
    let text = Text { bytes: head };
    while let Some(len) = head.get(end + 1..).and_then(|rest| memchr::memchr(b'\n', rest)) {
        let begin = end + 1;
        end = begin + len;
        let line = Text { bytes: head.get(..end).unwrap_or_default() };
        let at = line.space(begin);
        match line.skip(at) {
            _ if at >= end => {}
            Ok(_) => {}
            Err(Malformed(place)) => {
                let behind = text.skip(at).map(|behind| text.space(behind));
                return place == end && behind.is_ok_and(|behind| behind >= head.len() || text.at(behind) == b'{');
            }
        }
    }
    false
}

/// Whether a file that begins so is JSON whose objects go on over lines.
pub(in crate::formats) fn goes_on_over_lines(head: &[u8]) -> bool {
    head.first() == Some(&b'{') && guess(head, false) == Layout::Values
}

/// Whether the value at `start` is sound as far as it is there.
fn is_sound(text: Text<'_>, start: usize) -> bool {
    match text.skip(start) {
        Ok(_) => true,
        Err(Malformed(at)) => at >= text.bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (head, want) in [
            ("{\"a\":1}\n{\"a\":2}\n", Layout::Lines),
            ("\u{feff}{\"a\":1}\n", Layout::Lines),
            ("[\n{\"a\":1}]\n", Layout::Array),
            ("[1,2]", Layout::Array),
            ("[1,2]\n[3]\n", Layout::Lines),
            ("[1][2]\n", Layout::Array),
            ("{\n \"a\": 1\n}\n", Layout::Values),
            ("{\"a\":1} {\"a\":2}\n", Layout::Values),
            // A first line that is broken, rather than the beginning of something.
            ("{\"a\":\n{\"a\":2}}x\n", Layout::Values),
            ("{\"a\":1,\n{\"a\":2}\n", Layout::Lines),
            ("{\"a\":1}\n\n{\"a\":\n2}\n{\"a\":3}\n", Layout::Values),
            ("{\"a\":1}\n{\"a\":\n{\"a\":3}\n", Layout::Lines),
            ("{\"a\":1}\n{\"a\":2\n", Layout::Lines),
            ("{\"a\":1}\nx\n{\"a\":3}\n", Layout::Lines),
            ("12\n13\n", Layout::Lines),
            ("", Layout::Lines),
        ] {
            assert_eq!(guess(head.as_bytes(), true), want, "{head}");
        }
        assert_eq!(guess(b"{\"a\": \"a long line that goes on", false), Layout::Lines);
    }
}
