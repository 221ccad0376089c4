//! Items that cannot be read: what becomes of them, and who is told.

use crate::error::{Error, ErrorKind, Result};
use crate::rejects::{Kept, Reject};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What becomes of items that cannot be read: lines that are no JSON, that do not fit the item's type, or are no UTF-8, and
/// those for which [`try_map`](super::Bag::try_map) fails. Without one, the first of them ends the query.
///
/// Cheap to clone; all clones count together, over all runs of the bags that they were given to.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let bad = BadItems::reject();
/// let words = Bag::from_iter(&session, ["1", "two", "3"], 2);
/// let numbers = words.try_map(|word| word.parse::<i64>()).on_error(&bad);
/// assert_eq!(numbers.sum()?, Some(4));
/// assert_eq!((bad.count(), bad.rejects()[0].reason.as_str()), (1, "invalid digit found in string"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BadItems(Arc<Shared>);

struct Shared {
    count: AtomicU64,
    kept: Option<Kept>,
    told: Option<Box<dyn Fn(Reject) + Send + Sync>>,
}

impl BadItems {
    fn new(kept: bool, told: Option<Box<dyn Fn(Reject) + Send + Sync>>) -> Self {
        BadItems(Arc::new(Shared { count: AtomicU64::new(0), kept: kept.then(Kept::default), told }))
    }

    /// They are left out and counted.
    pub fn skip() -> Self {
        Self::new(false, None)
    }

    /// They are left out and counted, and the first thousand are kept, with their places.
    pub fn reject() -> Self {
        Self::new(true, None)
    }

    /// They are left out and counted, and `told` is called with each, on the thread that met it.
    pub fn each(told: impl Fn(Reject) + Send + Sync + 'static) -> Self {
        Self::new(false, Some(Box::new(told)))
    }

    /// How many there were so far.
    pub fn count(&self) -> u64 {
        self.0.count.load(Relaxed)
    }

    /// Those that were kept, in the order in which they were met.
    pub fn rejects(&self) -> Vec<Reject> {
        self.0.kept.as_ref().map(Kept::list).unwrap_or_default()
    }

    fn add(&self, reject: Reject) {
        self.0.count.fetch_add(1, Relaxed);
        if let Some(told) = &self.0.told {
            return told(reject);
        }
        if let Some(kept) = &self.0.kept {
            kept.add(reject);
        }
    }
}

impl fmt::Debug for BadItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        write!(f, "{count} bad item{}", if count == 1 { "" } else { "s" })
    }
}

/// What a step does with a bad item; `None` fails.
#[derive(Clone, Default)]
pub(super) struct Faults(pub(super) Option<BadItems>);

impl Faults {
    /// The item is left out, or the query fails with `error`.
    pub(super) fn meet(&self, error: Error) -> Result<()> {
        match &self.0 {
            // The disk's and the engine's errors are not the item's.
            Some(bad) if matches!(error.kind(), ErrorKind::Data | ErrorKind::Query) => {
                bad.add(Reject { place: error.place().clone(), reason: error.message().to_string() });
                Ok(())
            }
            _ => Err(error),
        }
    }
}
