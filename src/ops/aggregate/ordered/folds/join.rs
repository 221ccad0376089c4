//! A group's texts, one after the other.

use super::Folding;
use crate::error::{Error, Result};
use crate::ops::rows::views;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use std::ops::Range;
use std::sync::Arc;

/// A joined text has fewer bytes: a view says how long it is in 32 bits, signed in many places.
const LONGEST: usize = i32::MAX as usize;
/// Joined texts grow by so much at least, and by a quarter.
const STEP: usize = 64 << 10;

/// Texts that are being joined.
pub(super) struct Join {
    separator: Arc<str>,
    bytes: Vec<u8>,
    /// Where each closed text ends; `None` is null.
    texts: Vec<Option<Range<usize>>>,
    /// Where the current text begins, and whether anything is in it.
    begin: usize,
    any: bool,
}

impl Join {
    pub(super) fn new(separator: Arc<str>) -> Self {
        Join { separator, bytes: Vec::new(), texts: Vec::new(), begin: 0, any: false }
    }

    fn add(&mut self, text: &[u8]) -> Result<()> {
        let more = self.separator.len() + text.len();
        if self.bytes.len() + more > LONGEST {
            return Err(Error::resources("a joined text has more than 2 GiB"));
        }
        if self.bytes.len() + more > self.bytes.capacity() {
            self.bytes.reserve_exact(more.max(self.bytes.capacity() / 4).max(STEP));
        }
        if self.any {
            self.bytes.extend_from_slice(self.separator.as_bytes());
        }
        self.bytes.extend_from_slice(text);
        self.any = true;
        Ok(())
    }
}

impl Folding for Join {
    fn rows(&mut self, arguments: &[ArrayRef], range: Range<usize>) -> Result<()> {
        let texts = arguments.first().and_then(|a| a.as_string_view_opt());
        let texts = texts.ok_or_else(|| Error::internal("texts that are joined are no texts"))?;
        for i in range {
            if texts.is_valid(i) {
                self.add(texts.value(i).as_bytes())?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.texts.push(self.any.then_some(self.begin..self.bytes.len()));
        (self.begin, self.any) = (self.bytes.len(), false);
        Ok(())
    }

    fn take(&mut self) -> Result<ArrayRef> {
        let text = |range: &Option<Range<usize>>| range.clone().and_then(|r| self.bytes.get(r)).unwrap_or_default();
        let valid = self.texts.iter().map(Option::is_some).collect::<Vec<_>>();
        let nulls = Some(NullBuffer::from(valid)).filter(|n| n.null_count() > 0);
        let array = views(self.texts.iter().map(text), nulls, true)?;
        self.texts.clear();
        self.bytes = Vec::new();
        self.begin = 0;
        Ok(array)
    }

    fn held(&self) -> usize {
        self.bytes.capacity() + 24 * self.texts.len()
    }
}
