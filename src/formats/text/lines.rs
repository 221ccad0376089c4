//! What readers of lines share: where the first line of a split begins, how much is read at a time, which rows stay.

use crate::error::Result;
use crate::io::{FileRef, Spares, Window};
use arrow::array::{Array, BooleanArray};
use std::ops::Range;

/// Bytes that a reader brings into the cache at a time.
pub(in crate::formats) const WINDOW: usize = 512 << 10;

/// Input after which a batch is handed over although no row was kept.
pub(in crate::formats) const PATIENCE: usize = 4 << 20;

/// A window at the first line that begins in the range; `None` where none does. `want` bytes are read at a time.
pub(in crate::formats) fn align(
    file: &FileRef,
    range: &Range<u64>,
    want: usize,
    spares: &Spares,
) -> Result<Option<Window>> {
    if range.start == 0 {
        return Window::range(file, 0..range.end.min(file.end()), spares.clone()).map(Some);
    }
    let mut window = Window::range(file, range.start - 1..range.end, spares.clone())?;
    while window.refill(want)? {
        if let Some(n) = memchr::memchr(b'\n', window.rest()) {
            let pos = window.pos() + n + 1;
            let begins = window.offset(pos) < range.end;
            window.advance_to(pos);
            return Ok(begins.then_some(window));
        }
        window.advance_to(window.filled());
    }
    Ok(None)
}

/// Goes on behind the end of the line that begins here, however long it is. Returns whether it has an end.
pub(in crate::formats) fn pass_line(window: &mut Window, newline: u8) -> Result<bool> {
    loop {
        let end = memchr::memchr(newline, window.rest());
        window.advance_to(end.map_or(window.filled(), |n| window.pos() + n + 1));
        if end.is_some() || !window.overshoot()? {
            return Ok(end.is_some());
        }
    }
}

/// The rows that a mask keeps; null refuses.
pub(in crate::formats) fn kept(mask: &BooleanArray) -> Vec<u32> {
    let bits = match mask.nulls() {
        Some(nulls) => mask.values() & nulls.inner(),
        None => mask.values().clone(),
    };
    bits.set_indices_u32().collect()
}
