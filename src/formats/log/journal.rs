//! What `journalctl -o export` writes: records of fields, a blank line behind each.
//!
//! ```text
//! __REALTIME_TIMESTAMP=1423944916375353\n
//! MESSAGE=hello\n
//! MESSAGE\n[length: 8 bytes, little-endian][so many bytes, newlines too]\n
//! \n
//! ```
//!
//! A record that has a field twice is not of the format that a table can have. What `-o json` writes are JSON lines.

use super::cursor::Out;
use super::layout::{Field, Fit, Value};
use super::pairs::{Draft, Pairs};
use std::borrow::Cow;
use std::ops::Range;

/// When the record was written.
const CLOCK: &[u8] = b"__REALTIME_TIMESTAMP";

/// The field before those of the keys.
pub(super) fn fields() -> Vec<Field> {
    vec![Field::new("timestamp", Value::EpochMicros)]
}

/// One field of a record.
enum Part {
    Field(Range<usize>, Range<usize>, usize),
    /// The record ends, before that place.
    End(usize),
    /// It goes on behind what is here.
    More,
    /// This line is none.
    Broken,
}

fn part(bytes: &[u8], at: usize) -> Part {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(len) = memchr::memchr(b'\n', rest) else { return Part::More };
    let line = rest.get(..len).unwrap_or_default();
    if line.is_empty() {
        return Part::End(at + 1);
    }
    if let Some(equal) = memchr::memchr(b'=', line) {
        return Part::Field(at..at + equal, at + equal + 1..at + len, at + len + 1);
    }
    let begin = at + len + 9;
    let Some(length) = bytes.get(at + len + 1..begin) else { return Part::More };
    let length = length.iter().rev().fold(0u64, |n, b| (n << 8) | u64::from(*b));
    let end = usize::try_from(length).ok().and_then(|n| begin.checked_add(n));
    match end.map(|end| (end, bytes.get(end))) {
        Some((end, Some(b'\n'))) => Part::Field(at..at + len, begin..end, end + 1),
        Some((end, None)) if end < begin + (64 << 20) => Part::More,
        _ => Part::Broken,
    }
}

/// The place behind the record at `at`; `None` where it goes on behind what is here.
pub(super) fn end(bytes: &[u8], at: usize, last: bool) -> Option<usize> {
    let mut next = at;
    loop {
        match part(bytes, next) {
            Part::Field(_, _, behind) => next = behind,
            Part::End(behind) => return Some(behind),
            Part::More if last => return (at < bytes.len()).then_some(bytes.len()),
            Part::More => return None,
            // The rest of the line is a record of its own, which does not fit.
            Part::Broken => {
                let rest = bytes.get(next..).unwrap_or_default();
                return Some(next + memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1));
            }
        }
    }
}

/// Calls `field` with the key and value of each field; `None` where something is none.
fn each(record: &[u8], mut field: impl FnMut(&[u8], Range<usize>)) -> Option<()> {
    // The last line of a file may lack its end.
    let whole: Cow<'_, [u8]> = match record.last() {
        Some(b'\n') | None => record.into(),
        _ => [record, b"\n"].concat().into(),
    };
    let mut at = 0;
    while at < whole.len() {
        match part(&whole, at) {
            Part::Field(key, value, behind) => {
                field(whole.get(key)?, value);
                at = behind;
            }
            Part::End(behind) => at = behind,
            Part::More | Part::Broken => return None,
        }
    }
    Some(())
}

pub(super) fn take(pairs: &Pairs, record: &[u8], out: &mut Out<'_>) -> Fit {
    let (mut next, mut extra, mut twice, mut any) = (0, false, false, false);
    let found = each(record, |key, value| {
        any = true;
        if key == CLOCK {
            out.set(0, value.clone());
        }
        match pairs.place(key, next) {
            Some(place) => {
                next = place + 1;
                twice |= out.is_set(pairs.first() + place);
                out.set(pairs.first() + place, value);
            }
            None => extra = true,
        }
    });
    match found {
        Some(()) if twice || !any => Fit::No,
        Some(()) if extra => Fit::Extra,
        found => found.into(),
    }
}

/// Takes a record of a sample.
pub(super) fn add(draft: &mut Draft, record: &[u8]) {
    let mut values = Vec::new();
    let found = each(record, |key, value| values.push((key.to_vec(), value)));
    if found.is_some() {
        values.iter().for_each(|(key, value)| draft.value(key, record.get(value.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::pairs::Separator;
    use crate::formats::log::testing::taken;

    #[test]
    fn text_and_binary_fields() {
        let mut bytes = b"__REALTIME_TIMESTAMP=1423944916375353\nPRIORITY=6\nMESSAGE\n".to_vec();
        bytes.extend_from_slice(&11u64.to_le_bytes());
        bytes.extend_from_slice(b"two\n\nlines!\nX=a=b\n\nPRIORITY=3\n\n");
        let first = end(&bytes, 0, true).unwrap();
        assert_eq!(end(&bytes, first, true), Some(bytes.len()));
        for cut in 0..first {
            assert_eq!(end(&bytes[..cut], 0, false), None);
        }
        let record = &bytes[..first];
        let mut draft = Draft::new(Separator::Logfmt);
        add(&mut draft, record);
        let (fields, pairs) = draft.finish(fields());
        let got = taken(&fields, |out| take(&pairs, record, out) == Fit::Yes, record).unwrap();
        let texts: Vec<&str> = got.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(texts, ["1423944916375353", "1423944916375353", "6", "two\n\nlines!", "a=b"]);
    }
}
