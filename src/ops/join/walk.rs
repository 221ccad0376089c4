//! From the hashes of a batch to the rows of tables that may be meant, in rounds: each round looks at one row of each
//! chain that is not at its end.
//!
//! Directories and rows are all over the memory, and to wait for one after the other would be most of a join's time. So
//! places are computed for many rows first, and a loop that does nothing but read them follows: the processor waits for
//! many of them at one time. A loop that also compares and branches is full after a few (measured: 200 ns a row, 65 in
//! loops apart). Rounds instead of chains are MonetDB/X100's vectorized probing (Boncz, Zukowski, Nes: "MonetDB/X100:
//! Hyper-Pipelining Query Execution", 2005).

use super::table::{Directory, follow, row_at};
use super::tables::Tables;
use crate::ops::rows::row_bytes;

/// Rows of chains looked at before the query's end is asked about.
const PATIENCE: usize = 1 << 18;
/// Words that are read at one time.
const AHEAD: usize = 64;

/// Rows that meet: of the batch, and of a table.
#[derive(Default)]
pub(super) struct Pairs {
    pub rows: Vec<u32>,
    pub links: Vec<u64>,
}

impl Pairs {
    pub fn clear(&mut self) {
        self.rows.clear();
        self.links.clear();
    }

    fn push(&mut self, row: u32, link: u64) {
        self.rows.push(row);
        self.links.push(link);
    }
}

/// Replaces `heads` by, for each hash, the first row of a table that may have it, or 0.
pub(super) fn heads(tables: &Tables, hashes: &[u64], heads: &mut Vec<u64>) {
    let directories = tables.directories();
    let (mut slots, mut words) = ([&[0; 8]; AHEAD], [0; AHEAD]);
    heads.clear();
    for hashes in hashes.chunks(AHEAD) {
        for (slot, hash) in slots.iter_mut().zip(hashes) {
            *slot = directories.get(tables.partition(*hash)).unwrap_or(&Directory::EMPTY).slot(*hash);
        }
        read(&slots, hashes.len(), &mut words);
        heads.extend(words.iter().zip(hashes).map(|(word, hash)| follow(*word, *hash)));
    }
}

/// Reads the first `count` words, which are anywhere. `N` is at most 8.
#[inline(always)]
fn read<const N: usize>(places: &[&[u8; N]; AHEAD], count: usize, words: &mut [u64; AHEAD]) {
    for (word, place) in words.iter_mut().zip(&places[..count.min(AHEAD)]) {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(*place);
        *word = u64::from_le_bytes(bytes);
    }
}

/// What rows are looked for, and how many pairs are wanted at one time.
pub(super) struct Search<'a> {
    pub tables: &'a Tables,
    pub hashes: &'a [u64],
    pub matched: &'a [bool],
    /// Where rows have the word that leads on.
    pub prefix: usize,
    pub most: usize,
    /// Bytes of build rows after which a batch is full; `None` where rows are short and equally long.
    pub most_bytes: Option<usize>,
    pub skip_matched: bool,
    pub first_only: bool,
}

/// Where the rows of a batch stand in their chains.
#[derive(Default)]
pub(super) struct Walk {
    /// Rows of the batch and where they look in this round, from `at` on.
    now: Pairs,
    at: usize,
    /// The same for the next round.
    next: Pairs,
}

impl Walk {
    /// Begins at the heads of chains, for a batch of so many rows.
    pub fn begin(&mut self, heads: &[u64]) {
        self.now.clear();
        self.next.clear();
        self.at = 0;
        for (row, head) in (0u32..).zip(heads).filter(|(_, head)| **head != 0) {
            self.now.push(row, *head);
        }
    }

    /// Walks until `pairs` is full or patience ends; `false` when all chains were walked. `key` is where `N` bytes of a
    /// table's row are that help to compare; `equal` compares the key of a row of the batch with a row of a table and
    /// these bytes.
    #[inline(always)]
    pub fn run<const N: usize>(
        &mut self,
        search: &Search,
        pairs: &mut Pairs,
        key: usize,
        equal: impl Fn(usize, &[u8], u64) -> bool,
    ) -> bool {
        let (mut patience, mut bytes) = (PATIENCE, 0);
        let tables = search.tables.bytes();
        // Of the rows that are looked at: all of it, the word that leads on, and the key; as places, and as words.
        let (mut rows, mut to_next, mut to_key) = ([&[][..]; AHEAD], [&[0; 8]; AHEAD], [&[0; N]; AHEAD]);
        let (mut nexts, mut keys) = ([0; AHEAD], [0; AHEAD]);
        loop {
            while self.at < self.now.rows.len() {
                let end = (self.at + AHEAD).min(self.now.rows.len());
                let (looking, links) = (&self.now.rows[self.at..end], &self.now.links[self.at..end]);
                for (i, (row, link)) in looking.iter().zip(links).enumerate() {
                    let table = search.tables.partition(search.hashes[*row as usize]);
                    rows[i] = row_at(tables[table], *link);
                    to_next[i] = rows[i].get(search.prefix..).and_then(|b| b.first_chunk()).unwrap_or(&[0; 8]);
                    to_key[i] = rows[i].get(key..).and_then(|b| b.first_chunk()).unwrap_or(&[0; N]);
                }
                read(&to_next, looking.len(), &mut nexts);
                read(&to_key, looking.len(), &mut keys);
                for (i, (row, link)) in looking.iter().zip(links).enumerate() {
                    let at = *row as usize;
                    if search.skip_matched && search.matched[at] {
                        continue;
                    }
                    let meets = equal(at, rows[i], keys[i]);
                    let next = follow(nexts[i], search.hashes[at]);
                    if next != 0 && !(meets && search.first_only) {
                        self.next.push(*row, next);
                    }
                    patience -= 1;
                    let mut full = patience == 0;
                    if meets {
                        pairs.push(*row, *link);
                        if let Some(most) = search.most_bytes {
                            bytes += row_bytes(rows[i]);
                            full |= bytes >= most;
                        }
                        full |= pairs.rows.len() >= search.most;
                    }
                    if full {
                        self.at += i + 1;
                        return true;
                    }
                }
                self.at = end;
            }
            std::mem::swap(&mut self.now, &mut self.next);
            self.next.clear();
            self.at = 0;
            if self.now.rows.is_empty() {
                return false;
            }
        }
    }
}
