//! How text files are cut: at any byte, the readers align to records. A compressed file is one split, a pipe too.

use crate::error::Result;
use crate::formats::{FileRef, Split};
use crate::io::Compression;

/// The splits of the files that `spec` reads and how each is compressed. `whole` says that files must not be cut.
///
/// # Errors
/// A file cannot be read, or has changed.
pub(crate) fn tiles(
    files: &[FileRef],
    reads: impl Fn(usize) -> bool,
    split_bytes: usize,
    whole: bool,
) -> Result<(Vec<Split>, Vec<Compression>)> {
    let mut splits = Vec::new();
    let mut kinds = Vec::new();
    for (file, found) in files.iter().enumerate() {
        if !reads(file) {
            kinds.push(Compression::None);
            continue;
        }
        let kind = Compression::of_file(found)?;
        if found.pipe.is_some() {
            splits.push(Split { file, range: 0..u64::MAX });
            kinds.push(kind);
            continue;
        }
        let pieces = match kind {
            Compression::None if !whole => found.size.div_ceil(split_bytes.max(1) as u64),
            _ => 1,
        };
        // Pieces of equal size: no short one at the end that leaves a worker alone with a long one.
        let cut = |i: u64| ((u128::from(found.size) * u128::from(i)) / u128::from(pieces.max(1))) as u64;
        splits.extend((0..pieces).map(|i| Split { file, range: cut(i)..cut(i + 1) }));
        kinds.push(kind);
    }
    Ok((splits, kinds))
}
