//! Open pages, one a partition, that rows are appended to.

use crate::error::Result;
use crate::memory::Page;
use crate::ops::rows::Chunk;
use crate::store::SpillWriter;

/// A page that is being filled.
pub(super) struct Open {
    page: Page,
    pub used: usize,
    rows: u64,
}

impl Open {
    pub fn new(page: Page) -> Self {
        Open { page, used: 0, rows: 0 }
    }

    /// Appends a copy of `row` with `word` at `prefix`; `false` where it does not fit.
    #[inline(always)]
    pub fn append(&mut self, row: &[u8], prefix: usize, word: u64) -> bool {
        let Some(to) = self.page.get_mut(self.used..self.used + row.len()) else { return false };
        to.copy_from_slice(row);
        to[prefix..prefix + 8].copy_from_slice(&word.to_le_bytes());
        self.used += row.len();
        self.rows += 1;
        true
    }

    /// Writes what is in it to scratch; the page is empty then.
    pub fn write(&mut self, writer: &mut SpillWriter) -> Result<Chunk> {
        let chunk = Chunk::Spilled(writer.write(&self.page[..self.used])?, self.rows);
        (self.used, self.rows) = (0, 0);
        Ok(chunk)
    }

    /// The page with what is in it.
    pub fn close(self) -> Chunk {
        Chunk::Resident(self.page, self.used, self.rows)
    }
}
