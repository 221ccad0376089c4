//! One row of a sort: its key, then its columns.
//!
//! ```text
//! | u32 length | u32 key length | key, position | padding | payload: a row of `ops::rows` |
//! |<------------- a multiple of 8 ------------->|         multiples of 8
//! ```
//!
//! Key and columns stay together, so that a merge reads one stream a run and a row moves by one copy. Columns that are
//! keys are there twice: a key cannot always be turned back (-0.0), and decoding it would cost more than the bytes.

const HEAD: usize = 8;

/// Bytes of a row whose key (with position) and payload have so many.
#[inline(always)]
pub(super) fn bytes(key: usize, payload: usize) -> usize {
    (HEAD + key).next_multiple_of(8) + payload
}

/// Writes a row, of which `to` has the length.
#[inline(always)]
pub(super) fn write(to: &mut [u8], key: &[u8], position: &[u8], payload: &[u8]) {
    let (whole, middle, end) = (to.len() as u32, HEAD + key.len(), HEAD + key.len() + position.len());
    let begin = to.len() - payload.len();
    to[..4].copy_from_slice(&whole.to_le_bytes());
    to[4..HEAD].copy_from_slice(&((end - HEAD) as u32).to_le_bytes());
    to[HEAD..middle].copy_from_slice(key);
    to[middle..end].copy_from_slice(position);
    to[end..begin].fill(0);
    to[begin..].copy_from_slice(payload);
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b)) as usize
}

/// The row that begins at `offset`; `None` where there is none.
#[inline(always)]
pub(super) fn at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let rest = bytes.get(offset..)?;
    rest.get(..word(rest, 0)).filter(|row| row.len() >= HEAD)
}

/// A row's key, with its position.
#[inline(always)]
pub(super) fn key(row: &[u8]) -> &[u8] {
    row.get(HEAD..HEAD + word(row, 4)).unwrap_or_default()
}

/// A row's columns.
#[inline(always)]
pub(super) fn payload(row: &[u8]) -> &[u8] {
    row.get((HEAD + word(row, 4)).next_multiple_of(8)..).unwrap_or_default()
}

/// The first bytes of a row's key, zeros behind its end: whole runs are cut by them.
#[inline(always)]
pub(super) fn head(row: &[u8]) -> u128 {
    if row.is_empty() {
        return u128::MAX;
    }
    let key = key(row);
    if let Some(bytes) = key.first_chunk() {
        return u128::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 16];
    bytes[..key.len()].copy_from_slice(key);
    u128::from_be_bytes(bytes)
}
