//! Where in a file something is wrong, found out only when it is.

use crate::error::{Error, Place, Result};
use crate::io::{FileRef, Spares, Window};
use std::sync::Arc;

/// What to do about bytes that are no UTF-8.
pub(in crate::formats) const ENCODING: &str = "say its encoding: encoding => 'windows-1252', 'utf-16', 'shift_jis', ..";

/// The line (from 1) of the byte at `offset` of the decompressed file; `None` where the file cannot be read again.
pub(crate) fn line_at(file: &FileRef, offset: u64, newline: u8) -> Option<u64> {
    let mut window = Window::whole(file, Spares::default()).ok()?;
    let mut line = 1;
    while window.refill(256 << 10).ok()? {
        let end = window.place(offset);
        let piece = window.bytes().get(window.pos()..end).unwrap_or_default();
        line += memchr::memchr_iter(newline, piece).count() as u64;
        if window.offset(window.filled()) >= offset {
            break;
        }
        window.advance_to(window.filled());
    }
    Some(line)
}

/// Where in a file the text at `at` of a window stands, with its line.
pub(in crate::formats) fn place_of(file: &FileRef, window: &Window, at: usize) -> Place {
    let byte = window.offset(at);
    let rest = window.bytes().get(at..window.filled()).unwrap_or_default();
    let line = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
    Place {
        file: Some(file.path.clone()),
        line: line_at(file, byte, b'\n'),
        byte: Some(byte),
        text: Some(shorten(line)),
        ..Place::default()
    }
}

/// A text for a message: at most 80 characters.
pub(crate) fn shorten(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..320).unwrap_or(text));
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// Checks that `bytes`, which begin at `offset` of the file, are UTF-8.
///
/// # Errors
/// `Data`, with the place of the first byte that is wrong.
pub(in crate::formats) fn check_utf8(bytes: &[u8], file: &FileRef, offset: u64, newline: u8) -> Result<()> {
    if simdutf8::basic::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    let Err(e) = std::str::from_utf8(bytes) else { return Ok(()) };
    let byte = offset + e.valid_up_to() as u64;
    let around = bytes.get(e.valid_up_to().saturating_sub(20)..).unwrap_or_default();
    let place = Place {
        file: Some(Arc::clone(&file.path)),
        line: line_at(file, byte, newline),
        byte: Some(byte),
        text: Some(shorten(around.get(..60).unwrap_or(around))),
        ..Place::default()
    };
    Err(Error::data("the text is not UTF-8").at(place).advise(ENCODING))
}
