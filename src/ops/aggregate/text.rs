//! The smallest or largest text of a group: it lives in the row of its group, in a slot behind the key.
//!
//! ```text
//! state: | u32 offset of the slot in the row | u32 capacity | u32 length | u32 1 if any was seen |
//! ```
//!
//! A row is all there is of a group, so it can move to scratch and back without anything else. A text that does not fit
//! its slot makes the row move to a larger place: [`offer`] says so, and the caller moves it with [`enlarged`]. Slots
//! double, so that ever longer texts cost no more than twice their bytes.

use super::cells::bytes;
use crate::error::{Error, Result};

fn word(row: &[u8], at: usize) -> usize {
    u32::from_le_bytes(*bytes(row, at)) as usize
}

/// The text of the state at `at` of `row`.
pub(super) fn value(row: &[u8], at: usize) -> Option<&[u8]> {
    let (offset, length) = (word(row, at), word(row, at + 8));
    (word(row, at + 12) == 1).then(|| &row[offset..offset + length])
}

/// Bytes of a slot for a text of `length` bytes in a new row.
pub(super) fn slot(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// Writes the state and the text of a new row, whose slot begins at `offset`.
pub(super) fn begin(row: &mut [u8], at: usize, offset: usize, text: Option<&[u8]>) {
    let length = text.map_or(0, <[u8]>::len);
    let state = [offset, slot(length), length, usize::from(text.is_some())];
    for (i, word) in state.iter().enumerate() {
        row[at + 4 * i..at + 4 * i + 4].copy_from_slice(&(*word as u32).to_le_bytes());
    }
    if let Some(text) = text {
        row[offset..offset + length].copy_from_slice(text);
    }
}

/// Puts `text` in if it is smaller (or larger, for `most`) than what is there. `false`: it is, but its slot is too
/// small, and nothing was changed.
pub(super) fn offer(row: &mut [u8], at: usize, text: &[u8], most: bool) -> bool {
    match value(row, at) {
        Some(now) if (text > now) != most || text == now => return true,
        _ => {}
    }
    let offset = word(row, at);
    if text.len() > word(row, at + 4) {
        return false;
    }
    row[offset..offset + text.len()].copy_from_slice(text);
    row[at + 8..at + 12].copy_from_slice(&(text.len() as u32).to_le_bytes());
    row[at + 12..at + 16].copy_from_slice(&1u32.to_le_bytes());
    true
}

/// `row` with a slot of at least `length` bytes for the state at `at`, behind all that it has.
///
/// # Errors
/// `Resources`, for a row of 2 GiB.
pub(super) fn enlarged(row: &[u8], at: usize, length: usize, states: &[usize], end_of_key: usize) -> Result<Vec<u8>> {
    let capacity = |state: usize| {
        if state == at { slot(length.max(2 * word(row, at + 4))) } else { word(row, state + 4) }
    };
    let total = end_of_key + states.iter().map(|s| capacity(*s)).sum::<usize>();
    let words = u32::try_from(total).ok().filter(|t| *t < 1 << 31);
    let words = words.ok_or_else(|| Error::resources("the texts of a group have more than 2 GiB"))?;
    let mut new = row[..end_of_key].to_vec();
    new.resize(total, 0);
    new[..4].copy_from_slice(&words.to_le_bytes());
    let mut offset = end_of_key;
    for state in states {
        let text = value(row, *state);
        begin(&mut new, *state, offset, text);
        new[state + 4..state + 8].copy_from_slice(&(capacity(*state) as u32).to_le_bytes());
        offset += capacity(*state);
    }
    Ok(new)
}

/// Where the slot of the state at `at` begins.
pub(super) fn slot_offset(row: &[u8], at: usize) -> usize {
    word(row, at)
}
