//! Bytes of states, found by location.

use super::table::View;

/// Rows whose groups are fetched from memory at one time.
pub(super) const AHEAD: usize = 64;

/// Reads the slots of `hashes` (at most [`AHEAD`]) and what the rows that they lead to have first and at `key`, all of
/// which is all over the memory. Places are computed before they are read, in loops apart: a loop that only reads makes
/// the processor wait for many of them at one time, as one that also computes, or compares, does not.
#[inline(always)]
pub(super) fn fetch(table: &View<'_>, cells: &Cells<'_>, key: usize, hashes: &[u64]) {
    let count = hashes.len().min(AHEAD);
    let (mut slots, mut rows, mut keys) = ([&[0; 8]; AHEAD], [&0; AHEAD], [&0; AHEAD]);
    slots.iter_mut().zip(hashes).for_each(|(slot, hash)| *slot = table.slot(*hash));
    let mut words = [0; AHEAD];
    words.iter_mut().zip(&slots[..count]).for_each(|(word, slot)| *word = u64::from_le_bytes(**slot));
    for (i, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
        let row = cells.row(word & LOCATION);
        (rows[i], keys[i]) = (row.first().unwrap_or(&0), row.get(key).unwrap_or(&0));
    }
    let read = rows[..count].iter().zip(&keys[..count]).fold(0, |all, (row, key)| all ^ **row ^ **key);
    std::hint::black_box(read);
}

/// Where a row is: the page's number and the offset in it, in 48 bits.
pub(super) type Location = u64;

/// Bits of a location.
pub(super) const LOCATION: u64 = (1 << 48) - 1;
const OFFSET_BITS: u32 = 26;

/// The row at `offset` (a multiple of 8) of page `page`.
#[inline(always)]
pub(super) fn location(page: usize, offset: usize) -> Location {
    (page as u64) << OFFSET_BITS | (offset as u64 >> 3)
}

/// Pages being worked on, by number.
pub(super) struct Cells<'a>(pub(super) Vec<&'a mut [u8]>);

impl Cells<'_> {
    /// The bytes from `at` of the row at `location`.
    #[inline(always)]
    pub(super) fn bytes_mut<const N: usize>(&mut self, location: Location, at: usize) -> &mut [u8; N] {
        let (page, offset) = split(location);
        bytes_mut(self.0[page], offset + at)
    }

    /// The row at `location` and what is behind it in its page.
    #[inline(always)]
    pub(super) fn row(&self, location: Location) -> &[u8] {
        let (page, offset) = split(location);
        &self.0[page][offset..]
    }

    /// The row at `location` and what is behind it in its page.
    #[inline(always)]
    pub(super) fn row_mut(&mut self, location: Location) -> &mut [u8] {
        let (page, offset) = split(location);
        &mut self.0[page][offset..]
    }
}

#[inline(always)]
fn split(location: Location) -> (usize, usize) {
    ((location >> OFFSET_BITS) as usize, ((location & ((1 << OFFSET_BITS) - 1)) << 3) as usize)
}

/// `N` bytes at `at`.
#[inline(always)]
pub(super) fn bytes<const N: usize>(row: &[u8], at: usize) -> &[u8; N] {
    match row[at..].first_chunk() {
        Some(bytes) => bytes,
        None => cut_off(),
    }
}

/// `N` bytes at `at`.
#[inline(always)]
pub(super) fn bytes_mut<const N: usize>(row: &mut [u8], at: usize) -> &mut [u8; N] {
    match row[at..].first_chunk_mut() {
        Some(bytes) => bytes,
        None => cut_off(),
    }
}

/// A location is only made for a row that is there as a whole, so this is a defect of this module.
#[cold]
fn cut_off() -> ! {
    panic!("a row ends before its state does")
}

/// Words as floats.
#[inline(always)]
pub(super) fn floats<const N: usize>(words: &[[u8; 8]]) -> [f64; N] {
    std::array::from_fn(|i| f64::from_le_bytes(words[i]))
}
