//! Where the encoded pages of a row group are until it is written: in memory as far as there is room, then on the shelf
//! that the encoder was given. So a row group may be far larger than memory.

use crate::formats::{Shelf, Shelved};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::errors::{ParquetError, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Smaller blobs stay in memory: heads of pages.
const SMALL: usize = 256;

/// Room for pages, shared by all columns of an encoder.
#[derive(Debug)]
pub(super) struct Room {
    shelf: Option<Arc<dyn Shelf>>,
    most: usize,
    used: AtomicUsize,
}

impl Room {
    /// `most` bytes stay in memory where there is a shelf for the others; all, where there is none.
    pub(super) fn new(shelf: Option<Arc<dyn Shelf>>, most: usize) -> Arc<Self> {
        Arc::new(Room { shelf, most, used: AtomicUsize::new(0) })
    }

    /// Bytes of pages in memory.
    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// Makes the stores of columns that share a room.
#[derive(Debug)]
pub(super) struct Stores(pub(super) Arc<Room>);

impl PageStoreFactory for Stores {
    fn create(&self, _args: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        Ok(Box::new(Pages { room: self.0.clone(), pages: Vec::new() }))
    }
}

/// The pages of one column chunk.
struct Pages {
    room: Arc<Room>,
    pages: Vec<Kept>,
}

enum Kept {
    Here(Bytes),
    Away(Box<dyn Shelved>),
    Taken,
}

fn failed(error: crate::error::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl PageStore for Pages {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        let key = PageKey::new(self.pages.len() as u64);
        let kept = match &self.room.shelf {
            Some(shelf) if value.len() > SMALL && self.room.used() + value.len() > self.room.most => {
                Kept::Away(shelf.put(&value).map_err(failed)?)
            }
            _ => {
                self.room.used.fetch_add(value.len(), Relaxed);
                // A head comes in a vector that has room for many.
                Kept::Here(if value.len() > SMALL { value } else { Bytes::copy_from_slice(&value) })
            }
        };
        self.pages.push(kept);
        Ok(key)
    }

    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        let kept = usize::try_from(key.get()).ok().and_then(|at| self.pages.get_mut(at));
        match kept.map(|kept| std::mem::replace(kept, Kept::Taken)) {
            Some(Kept::Here(bytes)) => {
                self.room.used.fetch_sub(bytes.len(), Relaxed);
                Ok(bytes)
            }
            Some(Kept::Away(shelved)) => Ok(shelved.take().map_err(failed)?.into()),
            Some(Kept::Taken) | None => Err(ParquetError::General("a page that is not there".into())),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let here = |kept: &Kept| if let Kept::Here(bytes) = kept { bytes.len() } else { 0 };
        self.room.used.fetch_sub(self.pages.iter().map(here).sum(), Relaxed);
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pages", self.pages.len())
    }
}
