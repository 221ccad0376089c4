//! Rows with the right number of fields, addressed by row and column.

use super::structure::Structure;
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
}

/// A row with another number of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ragged {
    /// Where it begins.
    pub(super) at: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// How many fields it has.
    pub(super) fields: usize,
}

impl Ragged {
    /// What is wrong, for people.
    pub(super) fn reason(self, columns: usize) -> String {
        format!("the row has {} fields, but there are {columns} columns", self.fields)
    }
}

impl<'a> Rows<'a> {
    /// The rows of a scan. Blank lines are left out, but for tables of one column; then the places go to `spare`.
    ///
    /// # Errors
    /// The first row that has not `columns` fields.
    pub(super) fn new(
        bytes: &'a [u8],
        found: &'a Structure,
        spare: &'a mut Vec<u32>,
        columns: usize,
        trim_cr: bool,
    ) -> Result<Self, Ragged> {
        let mut before = 0;
        let mut regular = true;
        for end in &found.row_ends {
            regular &= (*end - before) as usize == columns;
            before = *end;
        }
        if regular {
            let rows = found.row_ends.len();
            return Ok(Rows { bytes, spans: &found.spans, stride: columns, columns, rows, trim_cr });
        }
        let rows = without_blanks(bytes, found, columns, spare, &mut Err)?;
        Ok(Rows { bytes, spans: spare, stride: columns + 1, columns, rows, trim_cr })
    }

    /// The same, without the rows that have another number of fields: those go to `ragged`.
    pub(super) fn regular(
        bytes: &'a [u8],
        found: &'a Structure,
        spare: &'a mut Vec<u32>,
        columns: usize,
        trim_cr: bool,
        ragged: &mut dyn FnMut(Ragged),
    ) -> Self {
        let mut leave = |row| {
            ragged(row);
            Ok(())
        };
        let rows = without_blanks(bytes, found, columns, spare, &mut leave).unwrap_or_default();
        Rows { bytes, spans: spare, stride: columns + 1, columns, rows, trim_cr }
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
        let (start, mut end) = (*start as usize, (*next as usize).saturating_sub(1));
        if column + 1 == self.columns && self.trim_cr && end > start && self.bytes.get(end - 1) == Some(&b'\r') {
            end -= 1;
        }
        (start, end)
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

/// Copies the places of the rows that are not blank, each with its beginning; answers with their number. What `ragged`
/// lets pass is left out.
fn without_blanks(
    bytes: &[u8],
    found: &Structure,
    columns: usize,
    spans: &mut Vec<u32>,
    ragged: &mut dyn FnMut(Ragged) -> Result<(), Ragged>,
) -> Result<usize, Ragged> {
    let (mut rows, mut before) = (0, 0);
    for r in 0..found.row_ends.len() {
        let end = found.row_ends.get(r).copied().unwrap_or(before);
        let fields = (end - before) as usize;
        let of_row = found.spans.get(before as usize..=end as usize).unwrap_or_default();
        before = end;
        if fields == columns {
            spans.extend_from_slice(of_row);
            rows += 1;
        } else if !is_blank(bytes, found.row_start(r), found.row_end(r)) {
            ragged(Ragged { at: found.row_start(r), end: found.row_end(r), fields })?;
        }
    }
    Ok(rows)
}

/// Whether a line has no bytes but for a `\r`.
pub(super) fn is_blank(bytes: &[u8], start: usize, end: usize) -> bool {
    matches!(bytes.get(start..end), Some([] | [b'\r']))
}

/// The value of a field: without its quotes, doubled (or escaped) ones made single. `None` where text follows the closing
/// quote.
pub(super) fn unquote(text: &[u8], quote: u8, escape: Option<u8>) -> Option<Cow<'_, [u8]>> {
    let inner = match text {
        [first, inner @ .., last] if *first == quote && *last == quote => inner,
        [first, ..] if *first == quote => return None,
        _ => return Some(Cow::Borrowed(text)),
    };
    let special = escape.unwrap_or(quote);
    if memchr::memchr2(quote, special, inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(b) = bytes.next() {
        if *b == special {
            match bytes.next() {
                Some(next) if escape.is_some() || *next == quote => value.push(*next),
                _ => return None,
            }
        } else if *b == quote {
            return None;
        } else {
            value.push(*b);
        }
    }
    Some(Cow::Owned(value))
}
