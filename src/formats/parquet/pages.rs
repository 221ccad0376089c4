//! How large the pages of a column chunk are, from their headers alone: what a reader will hold is known before it
//! reads, and a header that promises more than its chunk can hold is caught before it is believed.
//!
//! A header is a struct in Thrift's compact encoding; we want its first three fields and its length:
//!
//! ```text
//! field header   delta<<4 | type     varint id follows where delta = 0
//! i32, i64       zigzag varint
//! 1: type   2: uncompressed size   3: compressed size   4..: skipped   0x00: end
//! ```

use super::source::Source;
use crate::error::{Error, Place, Result};
use parquet::basic::PageType;
use parquet::file::metadata::ColumnChunkMetaData;

/// The largest pages of a column chunk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageSizes {
    /// The largest data page, decompressed.
    pub(super) page: usize,
    /// The largest page as it lies in the file.
    pub(super) compressed: usize,
    /// The dictionary, decompressed.
    pub(super) dictionary: usize,
}

/// What a page may be larger than its chunk's recorded size before we disbelieve it: old writers count loosely.
const SLACK: usize = 1 << 20;
/// Bytes that hold any header without large statistics; a longer one is read again with the second size.
const READS: [usize; 2] = [512, 64 << 10];

/// Walks the headers of a chunk's pages, at most `limit` of them. A header that cannot be understood ends the walk: the
/// decoder will say what is wrong with it.
///
/// # Errors
/// A header that promises a page far larger than the whole chunk.
pub(super) fn measure(source: &Source, chunk: &ColumnChunkMetaData, limit: usize) -> Result<PageSizes> {
    let (start, length) = chunk.byte_range();
    let end = start.saturating_add(length);
    let most = most_of(chunk);
    let mut sizes = PageSizes::default();
    let mut at = start;
    for _ in 0..limit {
        let Some(header) = header_at(source, at, end) else { break };
        if header.uncompressed > most {
            return Err(too_large(header.uncompressed, chunk.column_path().string(), at));
        }
        let size = if header.kind == DICTIONARY { &mut sizes.dictionary } else { &mut sizes.page };
        *size = header.uncompressed.max(*size);
        sizes.compressed = sizes.compressed.max(header.compressed);
        at = at.saturating_add((header.length + header.compressed) as u64);
    }
    Ok(sizes)
}

/// The most that a page of a chunk may claim to be.
pub(super) fn most_of(chunk: &ColumnChunkMetaData) -> usize {
    usize::try_from(chunk.uncompressed_size()).unwrap_or(0).saturating_mul(2).saturating_add(SLACK)
}

/// What a header claims that its page is, decompressed; `None` where it cannot be understood.
pub(super) fn claim(bytes: &[u8]) -> Option<usize> {
    parse(bytes).map(|header| header.uncompressed)
}

/// A page that claims too much.
pub(super) fn too_large(claim: usize, column: String, at: u64) -> Error {
    let place = Place { column: Some(column), byte: Some(at), ..Place::default() };
    Error::data(format!("the file is corrupt: a page claims {claim} bytes, more than its column")).at(place)
}

/// About how large the pages of a chunk are, by what the footer says of it: for files whose headers lie too far apart to be
/// looked at.
pub(super) fn estimate(chunk: &ColumnChunkMetaData) -> PageSizes {
    let whole = |bytes: i64| usize::try_from(bytes).unwrap_or(0);
    let (all, packed) = (whole(chunk.uncompressed_size()), whole(chunk.compressed_size()));
    let is_data = |kind: PageType| matches!(kind, PageType::DATA_PAGE | PageType::DATA_PAGE_V2);
    let counted = chunk.page_encoding_stats().map_or(0, |stats| {
        stats.iter().filter(|s| is_data(s.page_type)).map(|s| usize::try_from(s.count).unwrap_or(0)).sum()
    });
    // Pages are rarely even; writers close them at 1 MiB where nobody counts them.
    let even = |bytes: usize| bytes.checked_div(counted).map_or(bytes.min(USUAL), |each| each.saturating_mul(2));
    let has_dictionary = chunk.dictionary_page_offset().is_some();
    let dictionary = if has_dictionary { all.min(USUAL) } else { 0 };
    PageSizes { page: even(all).min(all), compressed: even(packed).min(packed).max(dictionary), dictionary }
}

/// What a page or a dictionary is at most, as writers are usually told.
const USUAL: usize = 1 << 20;

const DICTIONARY: i64 = 2;

#[derive(Debug, PartialEq)]
struct Header {
    kind: i64,
    uncompressed: usize,
    compressed: usize,
    length: usize,
}

fn header_at(source: &Source, at: u64, end: u64) -> Option<Header> {
    let left = usize::try_from(end.checked_sub(at)?).ok()?;
    let mut buffer = vec![0; READS[0].min(left)];
    for size in READS {
        buffer.resize(size.min(left), 0);
        let read = source.read_at(at, &mut buffer).ok()?;
        if let Some(header) = parse(buffer.get(..read)?) {
            return Some(header);
        }
    }
    None
}

fn parse(bytes: &[u8]) -> Option<Header> {
    let mut thrift = Thrift { rest: bytes };
    let mut wanted = [None; 3];
    let mut id = 0i64;
    loop {
        let (delta, kind) = thrift.field()?;
        if kind == 0 {
            break;
        }
        id = if delta == 0 { thrift.zigzag()? } else { id + delta };
        match (id, kind) {
            (1..=3, I32) => *wanted.get_mut(id as usize - 1)? = Some(thrift.zigzag()?),
            _ => thrift.skip(kind, 0)?,
        }
    }
    let size = |index: usize| usize::try_from(wanted[index]?).ok();
    Some(Header {
        kind: wanted[0]?,
        uncompressed: size(1)?,
        compressed: size(2)?,
        length: bytes.len() - thrift.rest.len(),
    })
}

const I32: u8 = 5;

struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes(&mut self, n: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    /// The id's delta and the type of the next field.
    fn field(&mut self) -> Option<(i64, u8)> {
        let byte = self.byte()?;
        Some((i64::from(byte >> 4), byte & 15))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte & 128 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        match kind {
            1 | 2 => Some(()), // booleans live in the type
            3 => self.bytes(1),
            4..=6 => self.varint().map(drop),
            7 => self.bytes(8),
            8 => self.varint().and_then(|n| self.bytes(n)),
            9 | 10 if depth < 8 => self.skip_list(depth),
            12 if depth < 8 => self.skip_struct(depth),
            _ => None,
        }
    }

    fn skip_struct(&mut self, depth: u32) -> Option<()> {
        loop {
            let (delta, kind) = self.field()?;
            if kind == 0 {
                return Some(());
            }
            if delta == 0 {
                self.varint()?;
            }
            self.skip(kind, depth + 1)?;
        }
    }

    fn skip_list(&mut self, depth: u32) -> Option<()> {
        let byte = self.byte()?;
        let n = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        for _ in 0..n {
            // A boolean in a list takes a byte, unlike one in a struct.
            if matches!(byte & 15, 1 | 2) { self.bytes(1)? } else { self.skip(byte & 15, depth + 1)? }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_and_skips_the_rest() {
        // type 0, uncompressed 300, compressed 200, crc, data page header { i32, binary "ab", bool }
        let bytes =
            [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0x90, 0x03, 0x15, 2, 0x1c, 0x15, 4, 0x18, 2, b'a', b'b', 0x11, 0, 0, 99];
        let header = Header { kind: 0, uncompressed: 300, compressed: 200, length: bytes.len() - 1 };
        assert_eq!(parse(&bytes), Some(header));
        for cut in 0..bytes.len() - 1 {
            assert_eq!(parse(&bytes[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn noise_is_refused_without_a_panic() {
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let noise: Vec<u8> = (0..40)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (seed >> 56) as u8
                })
                .collect();
            if let Some(header) = parse(&noise) {
                assert!(header.length <= noise.len());
            }
        }
    }
}
