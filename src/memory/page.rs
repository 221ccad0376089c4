//! Pages of anonymous memory outside the allocator, given back to the kernel when the pool has enough of them.

use super::budget::Reservation;
use memmap2::MmapMut;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

/// Hands out pages, and regions of any size, charged to a reservation. Cheap to clone.
///
/// A few free pages are kept resident, so that a page that circulates does not fault each time; they are as many as a
/// small fixed number, which the budget counts as outside.
#[derive(Clone)]
pub struct PagePool(Arc<Pool>);

struct Pool {
    page_bytes: usize,
    free: Mutex<Vec<MmapMut>>,
}

/// Free pages that stay resident: 16 pages of 256 KiB are 4 MiB, of 64 KiB 1 MiB.
const KEEP: usize = 16;

impl PagePool {
    /// A pool of pages of `page_bytes`, a power of two of at least 4 KiB (smaller ones are for tests).
    pub fn new(page_bytes: usize) -> Self {
        PagePool(Arc::new(Pool { page_bytes, free: Mutex::new(Vec::new()) }))
    }

    /// The size of a page, in bytes.
    pub fn page_bytes(&self) -> usize {
        self.0.page_bytes
    }

    /// A page charged to `owner`; `None` where the budget or the kernel refuses. Its bytes are whatever was there.
    pub fn page(&self, owner: &Arc<Reservation>) -> Option<Page> {
        let bytes = self.0.page_bytes;
        if !owner.try_grow(bytes) {
            return None;
        }
        let kept = self.0.free.lock().unwrap_or_else(|e| e.into_inner()).pop();
        self.charged(kept.or_else(|| mapped(bytes)), bytes, owner)
    }

    /// A region of zeros of at least `bytes`, charged to `owner`; for directories whose size is known before.
    pub fn region(&self, bytes: usize, owner: &Arc<Reservation>) -> Option<Page> {
        let bytes = bytes.max(1).next_multiple_of(4096);
        if !owner.try_grow(bytes) {
            return None;
        }
        self.charged(mapped(bytes), bytes, owner)
    }

    /// Gives the free pages back to the kernel.
    pub fn release(&self) {
        let free = std::mem::take(&mut *self.0.free.lock().unwrap_or_else(|e| e.into_inner()));
        drop(free);
    }

    fn charged(&self, map: Option<MmapMut>, bytes: usize, owner: &Arc<Reservation>) -> Option<Page> {
        if map.is_none() {
            owner.shrink(bytes);
        }
        map.map(|map| Page { map: Some(map), owner: owner.clone(), pool: self.0.clone() })
    }
}

/// Zeros that are resident from the start, since they are charged from the start.
///
/// One call instead of a fault every 4 KiB is cheaper, but that is not all: memory that is read before it is written, as
/// tables are, would first be mapped to the kernel's page of zeros, and the first write to each 4 KiB would then interrupt
/// every other thread of the process to make it forget that.
fn mapped(bytes: usize) -> Option<MmapMut> {
    let mut map = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    if map.advise(memmap2::Advice::PopulateWrite).is_ok() {
        return Some(map);
    }
    map.chunks_mut(4096).for_each(|chunk| chunk[0] = 0);
    Some(map)
}

/// Memory charged to a reservation; it goes back on drop.
pub struct Page {
    /// `None` only while dropping.
    map: Option<MmapMut>,
    owner: Arc<Reservation>,
    pool: Arc<Pool>,
}

impl Page {
    /// Charges the page to another holder from now on.
    pub fn hand_over(&mut self, to: &Arc<Reservation>) {
        self.owner.hand_over(to, self.len());
        self.owner = to.clone();
    }
}

impl Deref for Page {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.map.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Page {
    /// The memory goes first and its account afterwards, so that no memory is ever nobody's.
    fn drop(&mut self) {
        let Some(map) = self.map.take() else { return };
        let bytes = map.len();
        self.pool.put(map);
        self.owner.shrink(bytes);
    }
}

impl Pool {
    /// Keeps the page for the next one who wants one, or gives it back to the kernel.
    fn put(&self, map: MmapMut) {
        if map.len() == self.page_bytes {
            let mut free = self.free.lock().unwrap_or_else(|e| e.into_inner());
            if free.len() < KEEP {
                free.push(map);
            }
        }
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page of {} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::*;

    #[test]
    fn pages_are_charged_while_they_live() {
        let budget = Budget::new(3 * 4096);
        let pool = PagePool::new(4096);
        let a = budget.reserve("a", 0, true).unwrap();
        let b = budget.reserve("b", 0, true).unwrap();
        let mut pages: Vec<Page> = (0..3).map(|_| pool.page(&a).unwrap()).collect();
        assert!(pool.page(&a).is_none());
        pages[0][17] = 3;
        pages[0].hand_over(&b);
        assert_eq!((a.held(), b.held()), (8192, 4096));
        pages.clear();
        assert_eq!(budget.held(), 0);
        let free = || pool.0.free.lock().unwrap().len();
        assert_eq!(free(), 3);
        pool.release();
        assert_eq!(free(), 0);
        let region = pool.region(5000, &a).unwrap();
        assert!(region.len() == 8192 && region.iter().all(|b| *b == 0));
    }
}
