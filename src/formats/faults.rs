//! What becomes of rows and values that cannot be read: the option `on_error`, and what a reader tells of them.
//!
//! - `fail`: the first one ends the query. The default.
//! - `null`: a value that is not of its column's type is null; a row that cannot be cut into values is left out.
//! - `reject`: the row is left out, the good ones next to it stay. Every column is checked, whatever a query reads of
//!   them, and before its filters, so that a row is out for every query or for none.
//!
//! With `null` and `reject` the types that a sample gave are settled: they widen to more digits, fractions and times of
//! day, but a value that would make them text is a fault like one that is not of a declared type.
//!
//! Lines are counted as the reader goes, from the first line of its split, which is only counted when somebody asks.

use super::FileRef;
use super::options;
use super::text::{line_at, shorten};
use crate::error::{Error, Place, Result};
use crate::io::Window;
use crate::rejects::{Left, Reject, Rejects};
use std::collections::BTreeMap;

/// The names of its options.
pub(super) const NAMES: [&str; 3] = ["on_error", "ignore_errors", "store_rejects"];

/// What becomes of a row or a value that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnError {
    /// The query ends.
    #[default]
    Fail,
    /// The value is null.
    Null,
    /// The row is left out.
    Reject,
}

impl OnError {
    /// What the options say.
    ///
    /// # Errors
    /// Values that they cannot have, or that contradict each other.
    pub(super) fn of(options: &BTreeMap<String, String>) -> Result<OnError> {
        let said = match options::first(options, &["on_error"]).map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("fail") => Some(OnError::Fail),
            Some("null") => Some(OnError::Null),
            Some("reject") => Some(OnError::Reject),
            Some(other) => {
                return Err(Error::query(format!("option on_error: {other:?} is none of fail, null, reject")));
            }
        };
        let mut wanted = said;
        for name in ["ignore_errors", "store_rejects"] {
            let Some(text) = options.get(name) else { continue };
            let rejects = options::boolean(name, text)?;
            match wanted {
                None if rejects => wanted = Some(OnError::Reject),
                Some(OnError::Fail) if rejects => {
                    return Err(Error::query(format!("{name} contradicts on_error => 'fail'")));
                }
                _ => {}
            }
        }
        Ok(wanted.unwrap_or_default())
    }

    /// Whether something may be left out.
    pub(super) fn is_lenient(self) -> bool {
        self != OnError::Fail
    }
}

/// Something that one reader leaves out.
#[derive(Debug)]
pub(super) struct Fault {
    /// What.
    pub(super) left: Left,
    /// Its place in the window's buffer.
    pub(super) at: usize,
    /// Where its text ends there.
    pub(super) end: usize,
    /// The column, if it is one's.
    pub(super) column: Option<String>,
    /// What is wrong.
    pub(super) reason: String,
}

/// Tells what one reader leaves out, with file, line and byte.
pub(super) struct Leaving {
    rejects: Rejects,
    file: FileRef,
    newline: u8,
    /// The number of the line at `counted`; `None` before somebody asked.
    line: Option<u64>,
    /// The offset up to which newlines are counted.
    counted: u64,
    /// Newlines from the beginning of the split to `counted`, while `line` is not known.
    lines: u64,
    start: u64,
}

impl Leaving {
    /// For a reader whose first record begins at the offset `start`.
    pub(super) fn new(rejects: &Rejects, file: &FileRef, start: u64, newline: u8) -> Leaving {
        Leaving { rejects: rejects.clone(), file: file.clone(), newline, line: None, counted: start, lines: 0, start }
    }

    /// Tells of one more, which is still in the window.
    pub(super) fn leave(&mut self, fault: Fault, window: &Window) {
        let line = if self.rejects.is_full() { None } else { self.line_of(fault.at, window) };
        let Leaving { rejects, file, .. } = self;
        rejects.add(fault.left, || {
            let text = window.bytes().get(fault.at..fault.end.min(window.filled())).unwrap_or_default();
            let place = Place {
                file: Some(file.path.clone()),
                line,
                byte: Some(window.offset(fault.at)),
                column: fault.column,
                text: Some(shorten(text)),
                ..Place::default()
            };
            Reject { place, reason: fault.reason }
        });
    }

    /// The reader goes on at `end` of the window's buffer.
    pub(super) fn passed(&mut self, end: usize, window: &Window) {
        if self.rejects.is_full() {
            return;
        }
        let piece = window.bytes().get(window.place(self.counted)..end).unwrap_or_default();
        let newlines = memchr::memchr_iter(self.newline, piece).count() as u64;
        self.counted = self.counted.max(window.offset(end));
        self.lines += newlines;
        self.line = self.line.map(|line| line + newlines);
    }

    fn line_of(&mut self, at: usize, window: &Window) -> Option<u64> {
        if self.line.is_none() {
            self.line = line_at(&self.file, self.start, self.newline).map(|first| first + self.lines);
        }
        let (place, counted) = (window.offset(at), window.place(self.counted));
        if place >= self.counted {
            self.passed(at, window);
            return self.line;
        }
        let behind = window.bytes().get(at..counted).unwrap_or_default();
        let newlines = memchr::memchr_iter(self.newline, behind).count() as u64;
        self.line.map(|line| line.saturating_sub(newlines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_three_engines() {
        let of = |pairs: &[(&str, &str)]| {
            OnError::of(&pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()).ok()
        };
        assert_eq!(of(&[]), Some(OnError::Fail));
        assert_eq!(of(&[("on_error", "NULL")]), Some(OnError::Null));
        assert_eq!(of(&[("ignore_errors", "true")]), Some(OnError::Reject));
        assert_eq!(of(&[("store_rejects", "1"), ("ignore_errors", "false")]), Some(OnError::Reject));
        assert_eq!(of(&[("store_rejects", "true"), ("on_error", "null")]), Some(OnError::Null));
        assert_eq!((of(&[("on_error", "skip")]), of(&[("on_error", "fail"), ("ignore_errors", "true")])), (None, None));
    }
}
