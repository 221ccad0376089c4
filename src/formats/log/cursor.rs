//! Walking over one record: words, quoted and bracketed texts, and where fields are.

use std::ops::Range;

/// The place of a field in the reader's buffer.
pub(super) type Span = (u32, u32);

/// The span of a field that is null.
pub(super) const NONE: Span = (u32::MAX, u32::MAX);

/// Where the fields of one record go.
pub(super) struct Out<'a> {
    /// Where the record begins in the buffer.
    pub(super) base: usize,
    /// A span for each field, `NONE` before the record is taken.
    pub(super) spans: &'a mut [Span],
    /// What the reader's next record must know of those before.
    pub(super) state: &'a mut usize,
}

impl Out<'_> {
    /// Field number `field` is `range` of the record.
    #[inline]
    pub(super) fn set(&mut self, field: usize, range: Range<usize>) {
        if let Some(span) = self.spans.get_mut(field) {
            *span = ((self.base + range.start) as u32, (self.base + range.end) as u32);
        }
    }

    /// As `set`, but `-` and the empty text are null.
    #[inline]
    pub(super) fn set_dash(&mut self, field: usize, text: &[u8], range: Range<usize>) {
        if !matches!(text.get(range.clone()), None | Some([] | [b'-'])) {
            self.set(field, range);
        }
    }

    pub(super) fn is_set(&self, field: usize) -> bool {
        self.spans.get(field).is_some_and(|span| *span != NONE)
    }
}

/// Walks over a record. What does not fit is `None`.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Cursor { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Goes behind `byte`, if that is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    /// Goes behind `byte`.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Goes behind `word`, if that is next.
    pub(super) fn eat_all(&mut self, word: &[u8]) -> bool {
        let is = self.rest().starts_with(word);
        self.at += if is { word.len() } else { 0 };
        is
    }

    /// Goes behind blanks.
    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Up to the next `byte`, and behind it.
    pub(super) fn until(&mut self, byte: u8) -> Option<Range<usize>> {
        let len = memchr::memchr(byte, self.rest())?;
        let range = self.at..self.at + len;
        self.at = range.end + 1;
        Some(range)
    }

    /// Up to the next blank, which stays; not empty.
    pub(super) fn word(&mut self) -> Option<Range<usize>> {
        let rest = self.rest();
        let len = memchr::memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
        let range = self.at..self.at + len;
        self.at = range.end;
        (len > 0).then_some(range)
    }

    /// What is between quotes; a backslash takes the meaning of the byte behind it.
    pub(super) fn quoted(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let begin = self.at;
        loop {
            let rest = self.rest();
            let len = memchr::memchr2(b'"', b'\\', rest)?;
            match rest.get(len) {
                Some(b'"') => {
                    let end = self.at + len;
                    self.at = end + 1;
                    return Some(begin..end);
                }
                _ => self.at = (self.at + len + 2).min(self.text.len()),
            }
        }
    }

    /// What is between brackets, which may be nested.
    pub(super) fn bracketed(&mut self) -> Option<Range<usize>> {
        self.expect(b'[')?;
        let (begin, mut depth) = (self.at, 1usize);
        loop {
            let rest = self.rest();
            let len = memchr::memchr2(b'[', b']', rest)?;
            let opens = rest.get(len) == Some(&b'[');
            self.at += len + 1;
            depth = if opens { depth + 1 } else { depth - 1 };
            if depth == 0 {
                return Some(begin..self.at - 1);
            }
        }
    }

    /// Everything to come.
    pub(super) fn tail(&mut self) -> Range<usize> {
        let range = self.at..self.text.len();
        self.at = self.text.len();
        range
    }
}

/// `range` without blanks at its ends.
pub(super) fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inner = text.get(range.clone()).unwrap_or_default();
    let begin = range.start + (inner.len() - inner.trim_ascii_start().len());
    begin..begin + inner.trim_ascii().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_brackets() {
        let text = br#"one "a \"quoted\" text" [a [nested] one] - "#;
        let mut c = Cursor::new(text);
        assert_eq!(c.word(), Some(0..3));
        c.blanks();
        let quoted = c.quoted().unwrap();
        assert_eq!(&text[quoted], br#"a \"quoted\" text"#);
        c.blanks();
        let bracketed = c.bracketed().unwrap();
        assert_eq!(&text[bracketed], b"a [nested] one");
        assert_eq!(&text[trimmed(text, c.tail())], b"-");
        assert!(c.is_done() && c.word().is_none() && c.quoted().is_none());
        for broken in [&br#""no end"#[..], br#""ends in \"#, b"[no end", b"[[no end]"] {
            assert!(Cursor::new(broken).quoted().is_none() && Cursor::new(broken).bracketed().is_none());
        }
    }
}
