//! Walks over JSON text: where strings, numbers and values end.
//!
//! All functions take the whole buffer and a place, and answer with the place behind. Text that is no JSON is `Err` with
//! the place; text that ends too early too, its place being the end.

use super::strings;
use crate::formats::values::load8;

pub(crate) use super::strings::End;

/// The place at which the text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) usize);

pub(crate) type Walk<T> = Result<T, Malformed>;

/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 64;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

const TRUE: u32 = u32::from_le_bytes(*b"true");
const NULL: u32 = u32::from_le_bytes(*b"null");
const FALS: u32 = u32::from_le_bytes(*b"fals");

/// JSON text up to `bytes.len()`.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Text<'a> {
    #[inline(always)]
    pub(crate) fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Behind white space.
    #[inline(always)]
    pub(crate) fn space(&self, mut at: usize) -> usize {
        while matches!(self.at(at), b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        at
    }

    /// Behind `byte`, which must come.
    #[inline(always)]
    pub(crate) fn expect(&self, at: usize, byte: u8) -> Walk<usize> {
        if self.at(at) == byte { Ok(at + 1) } else { Err(Malformed(at)) }
    }

    /// The end of the string whose content begins at `at` (the place of the closing quote), and whether it has escapes.
    #[inline(always)]
    pub(crate) fn string_end(&self, at: usize) -> Walk<(usize, bool)> {
        strings::end(self, at).map(|end| (end.at, end.escaped))
    }

    /// The same, and whether the string is known to be ASCII.
    #[inline(always)]
    pub(crate) fn string(&self, at: usize) -> Walk<End> {
        strings::end(self, at)
    }

    /// As [`string_end`](Self::string_end), 8 bytes at a time.
    #[inline(never)]
    pub(super) fn string_end_by_words(&self, mut at: usize) -> Walk<(usize, bool)> {
        let mut escaped = false;
        loop {
            let x = load8(self.bytes, at);
            let special = zeros(x ^ (ONES * b'"' as u64)) | zeros(x ^ (ONES * b'\\' as u64)) | controls(x);
            if special == 0 {
                at += 8;
                continue;
            }
            at += special.trailing_zeros() as usize / 8;
            match self.at(at) {
                b'"' => return Ok((at, escaped)),
                b'\\' if at + 1 < self.bytes.len() => {
                    escaped = true;
                    at += 2;
                }
                b'\\' => return Err(Malformed(self.bytes.len())),
                _ => return Err(Malformed(at.min(self.bytes.len()))),
            }
        }
    }

    /// Behind the number that begins at `at`. How many digits there are is hard to guess: the usual ones, less than eight in
    /// front of a point and behind it, are looked at together.
    #[inline(always)]
    pub(crate) fn number_end(&self, at: usize) -> Walk<usize> {
        let start = at + usize::from(self.at(at) == b'-');
        let whole = load8(self.bytes, start);
        let len = digits_in(whole);
        let mut end = start + len;
        let mut usual = (1..8).contains(&len) & ((whole as u8 != b'0') | (len == 1));
        if self.at(end) == b'.' {
            let len = digits_in(load8(self.bytes, end + 1));
            usual &= (1..8).contains(&len);
            end += 1 + len;
        }
        match usual && !matches!(self.at(end), b'e' | b'E') {
            true => Ok(end),
            false => self.any_number_end(at),
        }
    }

    #[inline(never)]
    fn any_number_end(&self, at: usize) -> Walk<usize> {
        let start = at + usize::from(self.at(at) == b'-');
        let mut end = self.digits(start);
        if end > start + 1 && self.at(start) == b'0' {
            return Err(Malformed(at));
        }
        let mut sound = end > start;
        if self.at(end) == b'.' {
            let fraction = end + 1;
            end = self.digits(fraction);
            sound &= end > fraction;
        }
        if matches!(self.at(end), b'e' | b'E') {
            let exponent = end + 1 + usize::from(matches!(self.at(end + 1), b'+' | b'-'));
            end = self.digits(exponent);
            sound &= end > exponent;
        }
        match sound {
            true => Ok(end),
            false => Err(self.cut_off(at, end)),
        }
    }

    fn digits(&self, mut at: usize) -> usize {
        loop {
            let len = digits_in(load8(self.bytes, at));
            at += len;
            if len < 8 {
                return at;
            }
        }
    }

    /// What is wrong with the text from `at` on: that it ends too early, if it is sound up to `end` where it ends.
    #[cold]
    fn cut_off(&self, at: usize, end: usize) -> Malformed {
        Malformed(if end >= self.bytes.len() { self.bytes.len() } else { at })
    }

    /// Behind `true`, `false` or `null`.
    #[inline(always)]
    pub(crate) fn word_end(&self, at: usize) -> Walk<usize> {
        let x = load8(self.bytes, at);
        match x as u32 {
            TRUE | NULL => Ok(at + 4),
            FALS if (x >> 32) as u8 == b'e' => Ok(at + 5),
            _ => self.no_word(at),
        }
    }

    /// What is wrong with the text at `at`, which is no word.
    #[cold]
    fn no_word(&self, at: usize) -> Walk<usize> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let begun = [&b"true"[..], b"false", b"null"].into_iter().any(|w| w.starts_with(rest));
        Err(Malformed(if begun { self.bytes.len() } else { at }))
    }

    /// Behind the value that begins at `at`.
    #[inline(always)]
    pub(crate) fn skip(&self, at: usize) -> Walk<usize> {
        match self.at(at) {
            b'"' => self.skip_string(at + 1),
            b'-' | b'0'..=b'9' => self.number_end(at),
            b'{' | b'[' => self.skip_nested(at, 0),
            _ => self.word_end(at),
        }
    }

    /// Behind the string whose content begins at `at`.
    #[inline(always)]
    fn skip_string(&self, at: usize) -> Walk<usize> {
        let (end, escaped) = self.string_end(at)?;
        if escaped {
            self.check_escapes(at, end)?;
        }
        Ok(end + 1)
    }

    /// Checks the escapes of a string that nobody unescapes.
    fn check_escapes(&self, at: usize, end: usize) -> Walk<()> {
        let mut at = at;
        while let Some(n) = memchr::memchr(b'\\', self.bytes.get(at..end).unwrap_or_default()) {
            at += n;
            match self.at(at + 1) {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' if self.hex(at + 2).is_some() => at += 6,
                _ => return Err(Malformed(at)),
            }
        }
        Ok(())
    }

    fn skip_nested(&self, at: usize, depth: usize) -> Walk<usize> {
        if depth > MAX_DEPTH {
            return Err(Malformed(at));
        }
        let (object, close) = (self.at(at) == b'{', if self.at(at) == b'{' { b'}' } else { b']' });
        let mut at = self.space(at + 1);
        if self.at(at) == close {
            return Ok(at + 1);
        }
        loop {
            if object {
                at = self.expect(at, b'"')?;
                at = self.space(self.skip_string(at)?);
                at = self.space(self.expect(at, b':')?);
            }
            at = match self.at(at) {
                b'{' | b'[' => self.skip_nested(at, depth + 1)?,
                _ => self.skip(at)?,
            };
            at = self.space(at);
            match self.at(at) {
                b',' => at = self.space(at + 1),
                b if b == close => return Ok(at + 1),
                _ => return Err(Malformed(at)),
            }
        }
    }

    /// The content of a string in `at..end`, its escapes resolved, appended to `to`.
    pub(crate) fn unescape(&self, at: usize, end: usize, to: &mut Vec<u8>) -> Walk<()> {
        let mut at = at;
        while at < end {
            let rest = self.bytes.get(at..end).unwrap_or_default();
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            to.extend_from_slice(rest.get(..plain).unwrap_or_default());
            at += plain;
            if at < end {
                at = self.escape(at, to)?;
            }
        }
        Ok(())
    }

    /// One escape; `at` is the place of its backslash.
    fn escape(&self, at: usize, to: &mut Vec<u8>) -> Walk<usize> {
        let simple = match self.at(at + 1) {
            b @ (b'"' | b'\\' | b'/') => b,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(at, to),
            _ => return Err(Malformed(at)),
        };
        to.push(simple);
        Ok(at + 2)
    }

    fn unicode(&self, at: usize, to: &mut Vec<u8>) -> Walk<usize> {
        let first = self.hex(at + 2).ok_or(Malformed(at))?;
        let (code, end) = match first {
            0xD800..=0xDBFF if self.at(at + 6) == b'\\' && self.at(at + 7) == b'u' => {
                let second = self.hex(at + 8).filter(|s| (0xDC00..=0xDFFF).contains(s)).ok_or(Malformed(at))?;
                (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), at + 12)
            }
            _ => (first, at + 6),
        };
        let c = char::from_u32(code).ok_or(Malformed(at))?;
        to.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(end)
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits.iter().try_fold(0, |n, b| Some(n * 16 + char::from(*b).to_digit(16)?))
    }
}

/// The high bit of each byte that is zero (and perhaps of bytes above the lowest such).
#[inline(always)]
fn zeros(x: u64) -> u64 {
    x.wrapping_sub(ONES) & !x & HIGH
}

/// The high bit of each byte below 0x20 (and perhaps of bytes above the lowest such).
#[inline(always)]
fn controls(x: u64) -> u64 {
    x.wrapping_sub(ONES * 0x20) & !x & HIGH
}

/// How many digits `x` begins with.
#[inline(always)]
fn digits_in(x: u64) -> usize {
    // A digit is 0..=9 now: adding 0x76 must not reach the high bit, which must not be set either.
    let x = x ^ (ONES * u64::from(b'0'));
    let others = (((x & !HIGH) + ONES * 0x76) | x) & HIGH;
    others.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_end_where_serde_says(text in "-?[0-9]{0,20}([.][0-9]{0,18})?([eE][+-]?[0-9]{0,3})?[,}x. ]{0,9}") {
            let t = Text { bytes: text.as_bytes() };
            assert_eq!(t.number_end(0), t.any_number_end(0), "{text}");
            if let Ok(end) = t.number_end(0) {
                let number = serde_json::from_str::<serde_json::Value>(&text[..end]);
                assert!(number.is_ok() || number.unwrap_err().to_string().contains("out of range"), "{text}");
            }
        }

        #[test]
        fn skips_what_serde_reads(text in "[{}\\[\\]:,\"a0-9.eE+\\\\utrlsfn -]{0,24}") {
            let t = Text { bytes: text.as_bytes() };
            let start = t.space(0);
            let ours = t.skip(start).is_ok_and(|end| t.space(end) == text.len());
            // Only half of a surrogate pair, and numbers beyond floats, are a matter of taste.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let taste = theirs.as_ref().is_err_and(|e| e.to_string().contains("surrogate") || e.to_string().contains("range"));
            assert!(ours == theirs.is_ok() || taste, "{text}");
        }

        #[test]
        fn unescapes_as_serde(content in "\\PC{0,30}") {
            for text in [serde_json::to_string(&content).unwrap(), format!("\"{}\"", escaped(&content))] {
                let t = Text { bytes: text.as_bytes() };
                let (end, _) = t.string_end(1).unwrap();
                let mut to = Vec::new();
                t.unescape(1, end, &mut to).unwrap();
                assert_eq!((to, end + 1), (content.clone().into_bytes(), text.len()));
            }
        }
    }

    fn escaped(text: &str) -> String {
        text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect()
    }

    #[test]
    fn broken_text_is_told_with_its_place() {
        for (text, at) in [
            ("\"a", 2),
            ("\"a\nb\"", 2),
            ("01", 0),
            ("-", 1),
            ("1.", 2),
            ("1.x", 0),
            ("1e+", 3),
            ("[0.e1]", 1),
            ("[1.2.3]", 4),
            ("nul", 3),
            ("nulx", 0),
            ("\"\\x\"", 1),
            ("[\"\\u00zz\"]", 2),
            ("[1,]", 3),
            ("{\"a\"1}", 4),
            ("[1", 2),
        ] {
            assert_eq!(Text { bytes: text.as_bytes() }.skip(0), Err(Malformed(at)), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Text { bytes: deep.as_bytes() }.skip(0).is_err());
        assert!(Text { bytes: b"\\ud800" }.unescape(0, 6, &mut Vec::new()).is_err());
    }
}
