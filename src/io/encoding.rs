//! Text in other encodings than UTF-8, made UTF-8 on the way.
//!
//! What was said ([`Coding`]) is taken; otherwise text is UTF-8, or UTF-16 where it begins with the mark of that, or where
//! every other byte of its beginning is zero, nearly, which no text in UTF-8 has. Bytes that are no text of the encoding are an
//! error: nothing is replaced.

use super::compress::Compression;
use crate::error::{Error, Place, Result};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, Read};
use std::sync::Arc;

/// How the bytes of a file become text, as far as it was said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coding {
    /// How they are packed; `None` goes by the first bytes.
    pub compression: Option<Compression>,
    /// The encoding; `None` is UTF-8 or UTF-16, by the first bytes.
    pub encoding: Option<&'static Encoding>,
}

/// Names that people use and browsers do not.
const NAMES: &[(&str, &str)] = &[
    ("latin-1", "windows-1252"),
    ("latin_1", "windows-1252"),
    ("utf-8-sig", "utf-8"),
    ("utf_8", "utf-8"),
    ("utf_8_sig", "utf-8"),
    ("utf8-lossless", "utf-8"),
    ("utf16", "utf-16"),
    ("utf_16", "utf-16"),
    ("utf_16_le", "utf-16le"),
    ("utf_16_be", "utf-16be"),
    ("utf-16-le", "utf-16le"),
    ("utf-16-be", "utf-16be"),
];

impl Coding {
    /// Reads the options `encoding` and `compression`.
    ///
    /// # Errors
    /// Names that nobody has.
    pub fn of(encoding: Option<&str>, compression: Option<&str>) -> Result<Coding> {
        let encoding = encoding.filter(|name| *name != "auto").map(named).transpose()?;
        let compression = match compression {
            None | Some("auto" | "auto_detect" | "infer") => None,
            Some(name) => Some(Compression::named(name)?),
        };
        Ok(Coding { compression, encoding: encoding.filter(|e| *e != UTF_8) })
    }

    /// The encoding of a text that begins with `head`, if it is not UTF-8.
    pub(super) fn encoding_of(&self, head: &[u8]) -> Option<&'static Encoding> {
        self.encoding.or_else(|| utf16_of(head))
    }
}

fn named(name: &str) -> Result<&'static Encoding> {
    let lower = name.to_ascii_lowercase();
    let label = NAMES.iter().find(|(ours, _)| *ours == lower).map_or(lower.as_str(), |(_, label)| label);
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let error = Error::unsupported(format!("the encoding {name:?}"));
        error.advise(
            "there are utf-8, utf-16, latin1, windows-1250 to 1258, iso-8859-2 to 16, shift_jis, gbk, big5, euc-kr..",
        )
    })
}

/// Which UTF-16 a text is: by its mark, or by zeros in every other byte of its beginning.
fn utf16_of(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xFF, 0xFE, ..] => return Some(UTF_16LE),
        [0xFE, 0xFF, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let head = head.get(..head.len().min(64) & !1)?;
    // The other half of a character is zero in most that people type.
    let zeros = |first: usize| 4 * head.iter().skip(first).step_by(2).filter(|b| **b == 0).count() > head.len();
    let text = |first: usize| head.iter().skip(first).step_by(2).all(|b| *b != 0);
    match head.len() >= 4 {
        true if zeros(1) && text(0) => Some(UTF_16LE),
        true if zeros(0) && text(1) => Some(UTF_16BE),
        _ => None,
    }
}

/// Bytes that are decoded at a time.
const INPUT: usize = 32 << 10;

/// A text as UTF-8.
pub(super) struct Decoded<R> {
    from: R,
    name: Arc<str>,
    encoding: &'static Encoding,
    decoder: Decoder,
    input: Vec<u8>,
    /// What of the input is to come.
    rest: std::ops::Range<usize>,
    output: Vec<u8>,
    /// What of the output is to come.
    ready: std::ops::Range<usize>,
    /// Bytes decoded, and lines before what is to come.
    decoded: u64,
    lines: u64,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(from: R, name: &Arc<str>, encoding: &'static Encoding) -> Self {
        Decoded {
            from,
            name: name.clone(),
            encoding,
            decoder: encoding.new_decoder(),
            input: vec![0; INPUT],
            rest: 0..0,
            output: vec![0; 3 * INPUT],
            ready: 0..0,
            decoded: 0,
            lines: 0,
            ended: false,
        }
    }

    /// Makes some output; none at the end.
    fn more(&mut self) -> io::Result<()> {
        while self.ready.is_empty() && !self.ended {
            let mut last = false;
            if self.rest.is_empty() {
                let read = self.from.read(&mut self.input)?;
                self.rest = 0..read;
                last = read == 0;
            }
            let input = self.input.get(self.rest.clone()).unwrap_or_default();
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(input, &mut self.output, last);
            self.rest.start += read;
            self.decoded += read as u64;
            self.ready = 0..written;
            let made = self.output.get(..written).unwrap_or_default();
            self.lines += memchr::memchr_iter(b'\n', made).count() as u64;
            match result {
                DecoderResult::Malformed(bad, after) => return Err(self.malformed(bad, after)),
                DecoderResult::InputEmpty => self.ended = last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }

    fn malformed(&self, bad: u8, after: u8) -> io::Error {
        let byte = self.decoded.saturating_sub(u64::from(bad) + u64::from(after));
        let place =
            Place { file: Some(self.name.clone()), line: Some(self.lines + 1), byte: Some(byte), ..Place::default() };
        let error = Error::data(format!("the text is not {}", self.encoding.name()));
        io::Error::other(
            error.at(place).advise("say its encoding: encoding => 'windows-1252', 'utf-8', 'shift_jis', .."),
        )
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.more()?;
        let ready = self.output.get(self.ready.clone()).unwrap_or_default();
        let count = ready.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), ready.get(..count)) {
            to.copy_from_slice(from);
        }
        self.ready.start += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `most` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    fn decoded(bytes: &[u8], encoding: &'static Encoding, most: usize) -> io::Result<String> {
        let mut text = String::new();
        Decoded::new(Slow(bytes, most), &"x".into(), encoding).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn every_piece_size_gives_the_same_text() {
        let text = "naïve, “quoted” €\n日本 𝄞\n".repeat(300);
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xFE, 0xFF][..], &text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()].concat();
        for most in [1, 2, 3, 7, 1000, 1 << 20] {
            assert_eq!(decoded(&utf16, UTF_16LE, most).unwrap(), text);
            assert_eq!(decoded(&marked, UTF_16LE, most).unwrap(), text, "the mark decides");
            assert_eq!(decoded(b"caf\xe9 \x80", encoding_rs::WINDOWS_1252, most).unwrap(), "café €");
        }
    }

    #[test]
    fn bytes_that_are_no_text_have_a_place() {
        let mut bytes: Vec<u8> = "ab\ncd\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.extend([0x00, 0xDC, b'x', 0]);
        for most in [1, 3, 100] {
            let e = decoded(&bytes, UTF_16LE, most).unwrap_err();
            let e = e.get_ref().unwrap().downcast_ref::<Error>().unwrap();
            assert_eq!((e.message(), e.place().line, e.place().byte), ("the text is not UTF-16LE", Some(3), Some(12)));
        }
        assert!(decoded(&bytes[..3], UTF_16LE, 9).is_err(), "half a character");
    }

    #[test]
    fn names_and_heads() {
        let of = |name| Coding::of(Some(name), None).map(|c| c.encoding.map(Encoding::name));
        for (name, wanted) in [
            ("utf-8", None),
            ("UTF-8-sig", None),
            ("latin-1", Some("windows-1252")),
            ("ISO-8859-15", Some("ISO-8859-15")),
            ("cp1255", Some("windows-1255")),
            ("utf-16", Some("UTF-16LE")),
            ("utf-16-be", Some("UTF-16BE")),
            ("Shift_JIS", Some("Shift_JIS")),
        ] {
            assert_eq!(of(name).unwrap(), wanted, "{name}");
        }
        assert!(of("utf-32").is_err() && of("klingon").is_err() && Coding::of(None, Some("rar")).is_err());
        let le: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!((utf16_of(&le), utf16_of(&be)), (Some(UTF_16LE), Some(UTF_16BE)));
        assert_eq!((utf16_of(b"a,b\n1,2\n"), utf16_of(b"a\0"), utf16_of(b"")), (None, None, None));
    }
}
