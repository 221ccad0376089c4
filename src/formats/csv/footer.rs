//! Lines at the end of a file that are none of its rows: where they begin.

use super::options::Said;
use crate::error::{Error, Result};
use crate::formats::FileRef;
use crate::io::{Compression, InputFile};

/// Bytes that are looked at a time, from the end on.
const PIECE: u64 = 64 << 10;

/// Where the lines at the end of a file begin that are to be skipped; `u64::MAX` where there are none.
///
/// # Errors
/// A compressed file, or a pipe, whose end is not known before it is there.
pub(super) fn begin_of(file: &FileRef, said: &Said, newline: u8) -> Result<u64> {
    if said.footer == 0 {
        return Ok(u64::MAX);
    }
    if file.pipe.is_some() || Compression::of_file(file)? != Compression::None {
        let error = Error::unsupported("skip_footer for a compressed file, a pipe, or another encoding than UTF-8");
        return Err(error.advise("unpack the file first"));
    }
    let input = InputFile::open(file)?;
    let (mut end, mut left) = (file.size, said.footer);
    while end > 0 {
        let begin = end.saturating_sub(PIECE);
        let mut piece = vec![0; (end - begin) as usize];
        let read = input.read_at(&mut piece, begin)?;
        piece.truncate(read);
        match behind(&piece, begin, file.size, &mut left, newline) {
            Some(at) => return Ok(at),
            None => end = begin,
        }
    }
    Ok(0)
}

/// The end of a text without its last lines.
pub(super) fn end_without(text: &[u8], said: &Said, newline: u8) -> usize {
    let (mut left, len) = (said.footer, text.len());
    if left == 0 {
        return len;
    }
    behind(text, 0, len as u64, &mut left, newline).map_or(0, |at| at as usize)
}

/// Counts the newlines of a piece from its end on; the place behind the one that is the last to be counted. One that ends
/// the file begins no line.
fn behind(piece: &[u8], begin: u64, size: u64, left: &mut usize, newline: u8) -> Option<u64> {
    for at in memchr::memrchr_iter(newline, piece) {
        let place = begin + at as u64 + 1;
        if place == size {
            continue;
        }
        *left -= 1;
        if *left == 0 {
            return Some(place);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::TestFile;

    #[test]
    fn the_last_lines() {
        let long = format!("a\n{}\nb\n{}\nc", "x".repeat(100_000), "y".repeat(70_000));
        for (text, lines, want) in [
            ("a\nb\nc\n", 1, 4),
            ("a\nb\nc", 1, 4),
            ("a\nb\nc\n", 2, 2),
            ("a\nb", 2, 0),
            ("a\n", 5, 0),
            (&long, 3, 100_003),
        ] {
            let (file, said) = (TestFile::new("a.csv", text), Said { footer: lines, ..Said::default() });
            let found = FileRef::of(&file.path()).unwrap();
            assert_eq!(begin_of(&found, &said, b'\n').unwrap(), want, "{text:.9} {lines}");
            assert_eq!(end_without(text.as_bytes(), &said, b'\n') as u64, want);
        }
        assert_eq!(end_without(b"a\n", &Said::default(), b'\n'), 2);
    }
}
