//! One row of a sort: its key, then its columns.
//!
//! ```text
//! | u32 length | u32 key length | key, position | padding | payload: a row of `ops::rows` |
//! |<------------- a multiple of 8 ------------->|         multiples of 8
//! ```
//!
//! Key and columns stay together, so that a merge reads one stream a run and a row moves by one copy. Columns that are
//! keys are there twice: a key cannot always be turned back (-0.0), and decoding it would cost more than the bytes.

use super::keys::POSITION;

const HEAD: usize = 8;

/// Bytes of a row whose key (without position) and payload have so many.
#[inline(always)]
pub(super) fn bytes(key: usize, payload: usize) -> usize {
    (HEAD + key + POSITION).next_multiple_of(8) + payload
}

/// Writes a row, of which `to` has the length.
#[inline(always)]
pub(super) fn write(to: &mut [u8], key: &[u8], position: [u8; POSITION], payload: &[u8]) {
    let (whole, end) = (to.len() as u32, HEAD + key.len() + POSITION);
    let begin = to.len() - payload.len();
    to[..4].copy_from_slice(&whole.to_le_bytes());
    to[4..HEAD].copy_from_slice(&((key.len() + POSITION) as u32).to_le_bytes());
    to[HEAD..end - POSITION].copy_from_slice(key);
    to[end - POSITION..end].copy_from_slice(&position);
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

/// The first bytes of a row's key: whole runs are cut by them. A key has no fewer, thanks to the position.
#[inline(always)]
pub(super) fn head(row: &[u8]) -> u128 {
    key(row).first_chunk().map_or(u128::MAX, |b| u128::from_be_bytes(*b))
}
