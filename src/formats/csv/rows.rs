//! Rows with the right number of fields, addressed by row and column.

use super::options::Ragged;
use super::structure::{Marks, Structure};
use std::borrow::Cow;

/// Complete rows of one piece of text.
pub(super) struct Rows<'a> {
    /// The text, with padding.
    pub(super) bytes: &'a [u8],
    spans: &'a [u32],
    stride: usize,
    columns: usize,
    rows: usize,
    /// Whether a `\r` before the newline belongs to it.
    trim_cr: bool,
    /// Bytes between fields.
    width: usize,
    /// What may quote a field behind blanks that are not of it.
    spaced: Option<u8>,
}

/// What every row should look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) columns: usize,
    /// Whether a `\r` before the newline belongs to it.
    pub(super) trim_cr: bool,
    /// What becomes of rows that do not.
    pub(super) ragged: Ragged,
    pub(super) marks: Marks,
}

/// A row with another number of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uneven {
    /// Where it begins.
    pub(super) at: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// How many fields it has; none for a comment that may be a row.
    pub(super) fields: Option<usize>,
}

impl Uneven {
    /// What is wrong, for people.
    pub(super) fn reason(self, columns: usize) -> String {
        match self.fields {
            Some(fields) => format!("the row has {fields} fields, but there are {columns} columns"),
            None => "a line begins as the comments of the file do, but has as many fields as a row".to_string(),
        }
    }

    /// What to do about it.
    pub(super) fn advice(self) -> &'static str {
        match self.fields {
            Some(_) => "ragged => 'pad' fills short rows with nulls, 'truncate' cuts long ones, too",
            None => "if it is a comment, say comment => '#'; if not, comment => ''",
        }
    }
}

impl<'a> Rows<'a> {
    /// The rows of a scan. Comments and blank lines are left out, but blank lines of tables of one column are not; then
    /// the places go to `spare`.
    ///
    /// # Errors
    /// The first row that has not as many fields as there are columns, where that is an error; a comment that nobody said
    /// there are, with as many fields.
    pub(super) fn new(
        bytes: &'a [u8],
        found: &'a Structure,
        spare: &'a mut Vec<u32>,
        shape: &Shape,
    ) -> Result<Self, Uneven> {
        let columns = shape.columns;
        let mut before = 0;
        let mut regular = shape.marks.comment.is_none();
        for end in &found.row_ends {
            regular &= (*end - before) as usize == columns;
            before = *end;
        }
        if regular {
            let rows = found.row_ends.len();
            return Ok(shape.rows(bytes, &found.spans, columns, rows));
        }
        let rows = evened(bytes, found, shape, spare, &mut Err)?;
        Ok(shape.rows(bytes, spare, columns + 1, rows))
    }

    /// The same, without the rows that have another number of fields: those go to `uneven`.
    pub(super) fn regular(
        bytes: &'a [u8],
        found: &'a Structure,
        spare: &'a mut Vec<u32>,
        shape: &Shape,
        uneven: &mut dyn FnMut(Uneven),
    ) -> Self {
        let mut leave = |row| {
            uneven(row);
            Ok(())
        };
        let rows = evened(bytes, found, shape, spare, &mut leave).unwrap_or_default();
        shape.rows(bytes, spare, shape.columns + 1, rows)
    }

    /// Keeps the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Where a field begins and ends, with its quotes.
    #[inline(always)]
    pub(super) fn field(&self, row: usize, column: usize) -> (usize, usize) {
        let k = row * self.stride + column;
        let Some([start, next]) = self.spans.get(k..).and_then(|s| s.first_chunk::<2>()) else { return (0, 0) };
        let last = column + 1 == self.columns;
        let (start, mut end) = (*start as usize, (*next as usize).saturating_sub(if last { 1 } else { self.width }));
        if last && self.trim_cr && end > start && self.bytes.get(end - 1) == Some(&b'\r') {
            end -= 1;
        }
        match self.spaced {
            None => (start, end),
            Some(quote) => unspaced(self.bytes, start, end, quote),
        }
    }

    /// The text of a field, with its quotes.
    pub(super) fn text(&self, row: usize, column: usize) -> &'a [u8] {
        let (start, end) = self.field(row, column);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// From the first byte of the first row to the last byte of the last.
    pub(super) fn extent(&self) -> (usize, usize) {
        match self.rows {
            0 => (0, 0),
            n => (self.field(0, 0).0, self.field(n - 1, self.columns - 1).1),
        }
    }
}

/// Copies the places of the rows, each with its beginning and as many fields as there are columns; answers with their
/// number. What `uneven` lets pass is left out.
fn evened(
    bytes: &[u8],
    found: &Structure,
    shape: &Shape,
    spans: &mut Vec<u32>,
    uneven: &mut dyn FnMut(Uneven) -> Result<(), Uneven>,
) -> Result<usize, Uneven> {
    let (mut rows, mut before) = (0, 0);
    for r in 0..found.row_ends.len() {
        let next = found.row_ends.get(r).copied().unwrap_or(before);
        let of_row = found.spans.get(before as usize..=next as usize).unwrap_or_default();
        before = next;
        let (at, end) = (found.row_start(r), found.row_end(r));
        match shape.is_comment(bytes, at, end) {
            Ok(false) => {}
            Ok(true) => continue,
            Err(row) => {
                uneven(row)?;
                continue;
            }
        }
        let of_row = shape.without_comment(bytes, of_row);
        let fields = of_row.len().saturating_sub(1);
        if fields == shape.columns {
            spans.extend_from_slice(of_row);
        } else if is_blank(bytes, at, end) {
            continue;
        } else if fields < shape.columns && matches!(shape.ragged, Ragged::Pad | Ragged::Truncate) {
            shape.pad(bytes, of_row, spans);
        } else if fields > shape.columns && shape.ragged == Ragged::Truncate {
            spans.extend_from_slice(of_row.get(..=shape.columns).unwrap_or_default());
            // What ends the last field is a delimiter, where rows end with a byte.
            if let Some(end) = spans.last_mut() {
                *end -= shape.marks.width() as u32 - 1;
            }
        } else {
            uneven(Uneven { at, end, fields: Some(fields) })?;
            continue;
        }
        rows += 1;
    }
    Ok(rows)
}

impl Shape {
    fn rows<'a>(&self, bytes: &'a [u8], spans: &'a [u32], stride: usize, rows: usize) -> Rows<'a> {
        let (width, spaced) = (self.marks.width(), self.marks.quote.filter(|_| self.marks.spaced));
        Rows { bytes, spans, stride, columns: self.columns, rows, trim_cr: self.trim_cr, width, spaced }
    }

    /// Whether a line is a comment.
    ///
    /// # Errors
    /// Comments were found, not said, and this one could be a row.
    pub(super) fn is_comment(&self, bytes: &[u8], at: usize, end: usize) -> Result<bool, Uneven> {
        if self.marks.comment.is_none() || bytes.get(at).copied() != self.marks.comment || at >= end {
            return Ok(false);
        }
        let line = bytes.get(at..end).unwrap_or_default();
        let fields = self.marks.pieces(line);
        match self.marks.inline || fields != self.columns {
            true => Ok(true),
            false => Err(Uneven { at, end, fields: None }),
        }
    }

    /// The fields of a row without the comment behind them.
    fn without_comment<'s>(&self, bytes: &[u8], of_row: &'s [u32]) -> &'s [u32] {
        let (Some(mark), true, [_, .., last, _]) = (self.marks.comment, self.marks.inline, of_row) else {
            return of_row;
        };
        match (*last as usize).checked_sub(1).and_then(|at| bytes.get(at)) {
            Some(b) if *b == mark => of_row.split_last().map_or(of_row, |(_, rest)| rest),
            _ => of_row,
        }
    }

    /// Adds fields without text to a row.
    fn pad(&self, bytes: &[u8], of_row: &[u32], spans: &mut Vec<u32>) {
        spans.extend_from_slice(of_row);
        let Some(end) = spans.last_mut() else { return };
        let last = (*end as usize).checked_sub(2).and_then(|at| bytes.get(at));
        if self.trim_cr && last == Some(&b'\r') {
            *end -= 1;
        }
        // The end of the last field there is is now one between fields.
        *end += self.marks.width() as u32 - 1;
        let end = *end;
        spans.extend(std::iter::repeat_n(end, self.columns + 1 - of_row.len()));
    }
}

/// A field without the blanks before it, and those behind it where it is quoted.
pub(super) fn unspaced(bytes: &[u8], start: usize, end: usize, quote: u8) -> (usize, usize) {
    let text = bytes.get(start..end).unwrap_or_default();
    let blanks = text.iter().take_while(|b| **b == b' ').count();
    let behind = text.iter().rev().take_while(|b| **b == b' ').count();
    match text.get(blanks) {
        Some(b) if *b == quote => (start + blanks, end - behind),
        _ => (start + blanks, end),
    }
}

/// Whether a line has no bytes but for a `\r`.
pub(super) fn is_blank(bytes: &[u8], start: usize, end: usize) -> bool {
    matches!(bytes.get(start..end), Some([] | [b'\r']))
}

/// The value of a field: without its quotes, doubled (or escaped) ones made single. Text behind the closing quote belongs
/// to it, or is `None` where that is not allowed.
pub(super) fn unquote<'t>(text: &'t [u8], marks: &Marks, loose: bool) -> Option<Cow<'t, [u8]>> {
    let Some(quote) = marks.quote else {
        return Some(match marks.escape {
            Some(escape) if text.contains(&escape) => Cow::Owned(unescaped(text, escape)),
            _ => Cow::Borrowed(text),
        });
    };
    let Some((_, rest)) = text.split_first().filter(|(first, _)| **first == quote) else {
        return Some(Cow::Borrowed(text));
    };
    if let Some((last, inner)) = rest.split_last()
        && *last == quote
        && memchr::memchr2(quote, marks.escape.unwrap_or(quote), inner).is_none()
    {
        return Some(Cow::Borrowed(inner));
    }
    let mut value = Vec::with_capacity(rest.len());
    let mut bytes = rest.iter();
    while let Some(b) = bytes.next() {
        if Some(*b) == marks.escape {
            value.extend(bytes.next());
        } else if *b != quote {
            value.push(*b);
        } else if bytes.as_slice().first() == Some(&quote) {
            bytes.next();
            value.push(quote);
        } else {
            let behind = bytes.as_slice();
            value.extend_from_slice(behind);
            return (behind.is_empty() || loose).then_some(Cow::Owned(value));
        }
    }
    loose.then_some(Cow::Owned(value))
}

fn unescaped(text: &[u8], escape: u8) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(b) = bytes.next() {
        value.extend(if *b == escape { bytes.next() } else { Some(b) });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of rows of two columns.
    fn texts(text: &str, marks: Marks, ragged: Ragged) -> Result<Vec<String>, Uneven> {
        let mut bytes = text.as_bytes().to_vec();
        let end = bytes.len();
        bytes.resize(end + 64, 0);
        let (mut found, mut spare) = (Structure::default(), Vec::new());
        let piece =
            super::super::structure::Piece { start: 0, end, stop: end, last: true, max_rows: 9, rows_only: false };
        found.scan(&bytes, &marks, piece).unwrap();
        let shape = Shape { columns: 2, trim_cr: true, ragged, marks };
        let rows = Rows::new(&bytes, &found, &mut spare, &shape)?;
        let row =
            |r| (0..2).map(|c| String::from_utf8_lossy(rows.text(r, c)).into_owned()).collect::<Vec<_>>().join("<>");
        Ok((0..rows.len()).map(row).collect())
    }

    #[test]
    fn delimiters_of_several_bytes_and_blanks_before_fields() {
        let (first, tail) = super::super::structure::Tail::of(b"||").unwrap();
        let wide = Marks { tail, ..Marks::new(first, Some(b'"'), b'\n') };
        let text = "a||b\r\n|||\n\"||\"||c|\n";
        assert_eq!(texts(text, wide, Ragged::Error).unwrap(), ["a<>b", "<>|", "\"||\"<>c|"]);
        let text = "a\r\nb||c||d||e\n||\n\nf||g\n";
        assert_eq!(texts(text, wide, Ragged::Truncate).unwrap(), ["a<>", "b<>c", "<>", "f<>g"]);
        assert!(texts(text, wide, Ragged::Error).is_err());
        let spaced = Marks { spaced: true, ..Marks::new(b',', Some(b'"'), b'\n') };
        let text = "a, b \n  \"x,y\" ,  \"z\"  \r\n , \n";
        assert_eq!(texts(text, spaced, Ragged::Error).unwrap(), ["a<>b ", "\"x,y\"<>\"z\"", "<>"]);
    }

    #[test]
    fn values_of_fields() {
        let marks = Marks::new(b',', Some(b'"'), b'\n');
        let value = |text: &str, marks: &Marks, loose| {
            unquote(text.as_bytes(), marks, loose).map(|v| String::from_utf8(v.into_owned()).unwrap())
        };
        for (text, strict, loose) in [
            ("a", Some("a"), "a"),
            ("\"a\"", Some("a"), "a"),
            ("\"\"", Some(""), ""),
            ("\"a\"\"b\"", Some("a\"b"), "a\"b"),
            ("12\" x", Some("12\" x"), "12\" x"),
            ("\"a\"b", None, "ab"),
            ("\"a\"b\"c\"", None, "ab\"c\""),
            ("\"a\" ", None, "a "),
            ("\"", None, ""),
        ] {
            assert_eq!(value(text, &marks, false).as_deref(), strict, "{text}");
            assert_eq!(value(text, &marks, true).as_deref(), Some(loose), "{text}");
        }
        let escapes = Marks { escape: Some(b'\\'), ..marks };
        assert_eq!(value("\"a\\\"\\\\\"", &escapes, false).as_deref(), Some("a\"\\"));
        assert_eq!(value("\"a\"\"b\"", &escapes, false).as_deref(), Some("a\"b"));
        let bare = Marks { quote: None, ..escapes };
        assert_eq!(value("a\\,\"b\"", &bare, false).as_deref(), Some("a,\"b\""));
    }
}
