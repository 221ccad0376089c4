//! Samples of a table: pieces from the beginning, the middle and the end of several files.

use crate::error::Result;
use crate::io::{Compression, FileRef, Spares, Window};

/// Bytes of all pieces together, about.
const SAMPLE_BYTES: u64 = 1 << 20;

/// Most files that are looked into.
const SAMPLE_FILES: usize = 8;

/// A piece of a file.
pub(super) struct Sample {
    /// The number of its file.
    pub(super) file: usize,
    /// Its bytes, with padding behind `len`.
    pub(super) bytes: Vec<u8>,
    /// How many bytes count.
    pub(super) len: usize,
    /// Whether it begins where the file begins.
    pub(super) first: bool,
    /// Whether it ends where the file ends.
    pub(super) last: bool,
}

impl Sample {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The first `len` bytes (at most) of a file, decompressed.
///
/// # Errors
/// The file cannot be read.
pub(super) fn head(file: &FileRef, len: usize) -> Result<Sample> {
    let mut window = Window::whole(file, Spares::default())?;
    window.refill(len)?;
    Ok(take(&window, 0, true, window.is_last() || file.is_empty()))
}

fn take(window: &Window, file: usize, first: bool, last: bool) -> Sample {
    let mut bytes = window.rest().to_vec();
    let len = bytes.len();
    bytes.resize(len + 64, 0);
    Sample { file, bytes, len, first, last }
}

/// Pieces of some of the files. Compressed ones are looked into only at their beginning.
///
/// # Errors
/// A file cannot be read.
pub(super) fn samples(files: &[FileRef]) -> Result<Vec<Sample>> {
    let chosen = SAMPLE_FILES.min(files.len());
    let mut all = Vec::new();
    for i in 0..chosen {
        let index = if chosen == 1 { 0 } else { i * (files.len() - 1) / (chosen - 1) };
        let Some(file) = files.get(index) else { continue };
        let own = pieces(file, SAMPLE_BYTES / chosen.max(1) as u64)?;
        all.extend(own.into_iter().map(|sample| Sample { file: index, ..sample }));
    }
    Ok(all)
}

/// Pieces of one file, of about so many bytes together, as the first of several.
///
/// # Errors
/// It cannot be read.
pub(super) fn pieces(file: &FileRef, bytes: u64) -> Result<Vec<Sample>> {
    let piece = bytes / 3;
    if Compression::of_file(file)? != Compression::None || file.size <= 3 * piece {
        return Ok(vec![head(file, 3 * piece as usize)?]);
    }
    let mut all = Vec::new();
    for start in [0, (file.size - piece) / 2, file.size - piece] {
        let mut window = Window::range(file, start..start + piece, Spares::default())?;
        window.refill(piece as usize)?;
        all.push(take(&window, 0, start == 0, start + piece == file.size));
    }
    Ok(all)
}
