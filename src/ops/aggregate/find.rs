//! Finds the groups of rows in a table. Most rows of most batches have one there: their loop does nothing else and is
//! compiled apart, so that what it needs stays in the processor's registers.

use super::cells::{Cells, Location};
use super::table::{Probe, Slot, View};
use std::ops::Range;

/// Slots walked before a row is appended without a place in the table: only equal hashes come so far.
const LONGEST_PROBE: usize = 256;

/// A row has no group in the table; the slot where one would come, if it may have one.
pub(super) struct Missing(pub(super) Option<Probe>);

/// The group of a hash whose row is the `same`.
#[inline(always)]
pub(super) fn find(
    table: &View<'_>,
    cells: &Cells<'_>,
    hash: u64,
    same: impl Fn(&[u8]) -> bool,
) -> Result<Location, Missing> {
    let mut probe = table.probe(hash);
    for _ in 0..=LONGEST_PROBE {
        match table.at(probe) {
            Slot::Empty => return Err(Missing(Some(probe))),
            Slot::Candidate(at) if same(cells.row(at)) => return Ok(at),
            _ => table.advance(&mut probe),
        }
    }
    Err(Missing(None))
}

/// Appends the groups of `rows`, up to the first row that has none. `same` says whether the group at a row has the key of a
/// row of the batch, `repeats` whether a row of the batch has the key of the one before.
#[inline(never)]
pub(super) fn find_all(
    table: &View<'_>,
    cells: &Cells<'_>,
    hashes: &[u64],
    rows: Range<usize>,
    found: &mut Vec<Location>,
    same: impl Fn(&[u8], usize) -> bool,
    repeats: impl Fn(usize) -> bool,
) -> Option<Missing> {
    let mut before = found.last().copied();
    for (i, hash) in rows.clone().zip(&hashes[rows]) {
        // A group that has just been made is not read for this: its bytes are still on their way to the memory.
        let at = match before {
            Some(before) if repeats(i) => before,
            _ => match find(table, cells, *hash, |row| same(row, i)) {
                Ok(at) => at,
                Err(missing) => return Some(missing),
            },
        };
        found.push(at);
        before = Some(at);
    }
    None
}
