//! Rows in pages that are in memory or in scratch.

use crate::error::{Error, Result};
use crate::memory::{Memory, Page, Reservation};
use crate::ops::Cancel;
use crate::store::{BlockRef, SpillWriter};
use std::sync::Arc;

/// The top bit of a row's length: the row is no longer valid, iterations pass over it.
const DEAD: u32 = 1 << 31;

/// The length of the row that begins `bytes`, and whether it is dead.
fn length(bytes: &[u8]) -> Option<(usize, bool)> {
    let word = u32::from_le_bytes(*bytes.first_chunk()?);
    Some(((word & !DEAD) as usize, word & DEAD != 0))
}

/// The length in bytes of the row that `bytes` begin with; 0 where there is none.
pub fn row_bytes(bytes: &[u8]) -> usize {
    length(bytes).map_or(0, |(length, _)| length)
}

/// Takes the row that `bytes` begin with out of iterations.
pub fn mark_dead(bytes: &mut [u8]) {
    bytes[3] |= 0x80;
}

/// Makes the first `length` bytes, which are none or at least 8, a row that iterations pass over.
pub fn leave_out(bytes: &mut [u8], length: usize) {
    if let Some(word) = bytes.first_chunk_mut().filter(|_| length > 0) {
        *word = (length as u32 | DEAD).to_le_bytes();
    }
}

/// Rows one after the other in memory, dead ones passed over: yields offset and row.
#[derive(Clone)]
pub struct Rows<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rows<'a> {
    /// The rows in `bytes`, from the row at offset `from`.
    pub fn new(bytes: &'a [u8], from: usize) -> Self {
        Rows { bytes, at: from }
    }

    /// The offset of the row after the last one yielded.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            let (length, dead) = length(rest).filter(|(length, _)| *length >= 8)?;
            let (at, row) = (self.at, rest.get(..length)?);
            self.at += length;
            if !dead {
                return Some((at, row));
            }
        }
    }
}

/// Some rows in one page, or in scratch.
pub enum Chunk {
    /// In memory: the page (or a region, for one row larger than a page), its used bytes and its rows.
    Resident(Page, usize, u64),
    /// In scratch, with its rows.
    Spilled(BlockRef, u64),
}

impl Chunk {
    /// Rows in it, dead ones included.
    pub fn rows(&self) -> u64 {
        match self {
            Chunk::Resident(_, _, rows) | Chunk::Spilled(_, rows) => *rows,
        }
    }

    /// Bytes of its rows.
    pub fn bytes(&self) -> usize {
        match self {
            Chunk::Resident(_, used, _) => *used,
            Chunk::Spilled(block, _) => block.len(),
        }
    }

    /// Says that it is read next.
    pub fn ahead(&self) {
        if let Chunk::Spilled(block, _) = self {
            block.ahead();
        }
    }

    /// Bytes of memory it holds.
    pub fn held(&self) -> usize {
        match self {
            Chunk::Resident(page, ..) => page.len(),
            Chunk::Spilled(..) => 0,
        }
    }
}

/// An append-only list of rows, in pages of one holder; each page is in memory or in scratch.
#[derive(Default)]
pub struct RowPages {
    chunks: Vec<Chunk>,
}

impl RowPages {
    /// Appends a copy of `row`; `Some(bytes)` says that a page of so many bytes was refused, and nothing was appended.
    /// A row larger than a page gets a region of its own.
    ///
    /// # Errors
    /// `Internal`, for bytes that are no row.
    pub fn append(&mut self, row: &[u8], memory: &Memory, owner: &Arc<Reservation>) -> Result<Option<usize>> {
        if row_bytes(row) != row.len() || row.len() < 8 {
            return Err(Error::internal("a row does not have the length that it says"));
        }
        if let Some(Chunk::Resident(page, used, rows)) = self.chunks.last_mut()
            && let Some(to) = page.get_mut(*used..*used + row.len())
        {
            to.copy_from_slice(row);
            *used += row.len();
            *rows += 1;
            return Ok(None);
        }
        let page_bytes = memory.pool.page_bytes();
        let page = match row.len() <= page_bytes {
            true => memory.page(owner),
            false => memory.pool.region(row.len(), owner),
        };
        let Some(mut page) = page else { return Ok(Some(row.len().max(page_bytes))) };
        page[..row.len()].copy_from_slice(row);
        self.chunks.push(Chunk::Resident(page, row.len(), 1));
        Ok(None)
    }

    /// Adds rows that are in a page already.
    pub fn push(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    /// Adds all rows of `other`.
    pub fn extend(&mut self, other: RowPages) {
        self.chunks.extend(other.chunks);
    }

    /// The pages, in order of appending.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// The pages, in order of appending.
    pub fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }

    /// Rows in all pages, dead ones included.
    pub fn rows(&self) -> u64 {
        self.chunks.iter().map(Chunk::rows).sum()
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::bytes).sum()
    }

    /// Bytes of memory that its pages hold.
    pub fn held(&self) -> usize {
        self.chunks.iter().map(Chunk::held).sum()
    }

    /// Bytes of rows in scratch.
    pub fn spilled(&self) -> usize {
        self.chunks.iter().filter(|c| c.held() == 0).map(Chunk::bytes).sum()
    }

    /// Charges the pages in memory to `to` from now on.
    pub fn hand_over(&mut self, to: &Arc<Reservation>) {
        for chunk in &mut self.chunks {
            if let Chunk::Resident(page, ..) = chunk {
                page.hand_over(to);
            }
        }
    }

    /// Writes pages to scratch until `bytes` of memory are given back or none is left; returns the bytes given back.
    ///
    /// # Errors
    /// What writing meets: a full disk, a limit; `Cancelled`.
    pub fn spill(&mut self, bytes: usize, writer: &mut SpillWriter, cancel: &Cancel) -> Result<usize> {
        let mut given = 0;
        for chunk in &mut self.chunks {
            if given >= bytes {
                break;
            }
            cancel.check()?;
            let held = chunk.held();
            if let Chunk::Resident(page, used, rows) = chunk {
                *chunk = Chunk::Spilled(writer.write(&page[..*used])?, *rows);
                given += held;
            }
        }
        Ok(given)
    }

    /// Calls `each` with the rows of every page, in order of appending; pages in scratch come back one at a time into
    /// `buffer`, and stay in scratch.
    ///
    /// # Errors
    /// What reading meets, and what `each` says.
    pub fn for_each(&self, buffer: &mut Vec<u8>, mut each: impl FnMut(Rows<'_>) -> Result<()>) -> Result<()> {
        for chunk in &self.chunks {
            match chunk {
                Chunk::Resident(page, used, _) => each(Rows::new(&page[..*used], 0))?,
                Chunk::Spilled(block, _) => {
                    buffer.resize(block.len(), 0);
                    block.read(buffer)?;
                    each(Rows::new(&buffer[..block.len()], 0))?;
                }
            }
        }
        Ok(())
    }
}
