//! Avro's container: a header with the schema, then blocks of records, each packed by itself and followed by the file's
//! mark.
//!
//! ```text
//! Obj 1 | {avro.schema, avro.codec} | mark     count size <packed records> mark     count size <packed records> mark
//! '-------------- header ------------------'  '------------- block -------------'  ..
//! ```
//!
//! Numbers are zigzag varints, the mark is 16 bytes by chance. A file may be cut at any byte: a block belongs to the
//! piece in which it begins, and where the first one begins is found by the mark before it.
//!
//! Limit: a block, packed and unpacked, is at most as long as the longest record of text may be.

use crate::error::{Error, ErrorKind, Place, Result};
use crate::formats::FileRef;
use crate::formats::text::{Growth, WINDOW, longest_record};
use crate::io::{Compression, Spares, Window};
use crate::memory::Budget;
use crate::units::ByteSize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

/// What a file begins with.
pub(in crate::formats) const MAGIC: &[u8; 4] = b"Obj\x01";
/// Bytes of the mark.
const MARK: usize = 16;
/// The longest header.
const HEADER: usize = 16 << 20;
/// The most memory that the dictionary of an xz block may take.
const XZ_MEMORY: u64 = 64 << 20;
/// Records without any bytes that a block may have: their number is all that there is of them.
const EMPTY: usize = 1 << 20;

/// The mark behind each block.
pub(super) type Mark = [u8; MARK];

/// How blocks are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Codec {
    /// Not at all.
    Null,
    /// What every reader knows.
    #[default]
    Deflate,
    /// With a checksum.
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

/// Codecs by their names in files, and by what else people call them.
pub(super) const CODECS: &[(Codec, &str, &str)] = &[
    (Codec::Null, "null", "none"),
    (Codec::Deflate, "deflate", "gzip"),
    (Codec::Snappy, "snappy", "snappy"),
    (Codec::Zstandard, "zstandard", "zstd"),
    (Codec::Bzip2, "bzip2", "bz2"),
    (Codec::Xz, "xz", "xz"),
];

/// What stands before the blocks.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// The JSON of the schema with which the file was written.
    pub(super) schema: String,
    pub(super) codec: Codec,
    pub(super) mark: Mark,
    /// Bytes of the header.
    pub(super) len: u64,
}

/// Why bytes are not what they should be.
enum Short {
    /// They go on behind what is here.
    More,
    /// They never will be.
    Broken(&'static str),
}

/// Reads numbers and runs of bytes.
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let end = self.at.checked_add(len).ok_or(Short::Broken("a length is out of range"))?;
        let taken = self.bytes.get(self.at..end).ok_or(Short::More)?;
        self.at = end;
        Ok(taken)
    }

    /// A zigzag varint.
    fn long(&mut self) -> Result<i64, Short> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().ok_or(Short::More)?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Short::Broken("a number is longer than 10 bytes"))
    }

    fn length(&mut self) -> Result<usize, Short> {
        usize::try_from(self.long()?).map_err(|_| Short::Broken("a length is out of range"))
    }

    fn run(&mut self) -> Result<&'a [u8], Short> {
        let len = self.length()?;
        self.take(len)
    }

    fn pairs(&mut self) -> Result<BTreeMap<&'a [u8], &'a [u8]>, Short> {
        let mut pairs = BTreeMap::new();
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(pairs);
            }
            if count < 0 {
                self.long()?; // the bytes of the pairs, which are counted by -count
            }
            for _ in 0..count.unsigned_abs() {
                let key = self.run()?;
                pairs.insert(key, self.run()?);
            }
        }
    }
}

/// A zigzag varint, appended.
pub(super) fn push_long(n: i64, out: &mut Vec<u8>) {
    let mut value = ((n << 1) ^ (n >> 63)) as u64;
    while value > 0x7F {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A run of bytes with its length, appended.
pub(super) fn push_run(bytes: &[u8], out: &mut Vec<u8>) {
    push_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

fn corrupt(what: &str) -> Error {
    Error::data(format!("the file is corrupt, or no Avro file: {what}"))
}

impl Header {
    /// The header of a file.
    ///
    /// # Errors
    /// The file cannot be read, or has none.
    pub(super) fn of(file: &FileRef) -> Result<Header> {
        let mut window = Window::whole(file, Spares::default())?;
        Header::read(&mut window)
    }

    /// The header at the beginning of the window, which is behind it then.
    fn read(window: &mut Window) -> Result<Header> {
        let mut want = 16 << 10;
        loop {
            fill(window, want)?;
            match Header::parse(window.rest()) {
                Ok(parsed) => {
                    let header = parsed?;
                    let behind = window.pos() + usize::try_from(header.len).unwrap_or(usize::MAX);
                    window.advance_to(behind);
                    return Ok(header);
                }
                Err(Short::Broken(what)) => return Err(corrupt(what)),
                Err(Short::More) if window.rest().len() < want => return Err(corrupt("it ends within its header")),
                Err(Short::More) if want >= HEADER => return Err(corrupt("its header has no end")),
                Err(Short::More) => want *= 4,
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<Result<Header>, Short> {
        let mut from = Bytes { bytes, at: 0 };
        if from.take(4)? != MAGIC {
            return Err(Short::Broken("it does not begin with Obj and 1"));
        }
        let pairs = from.pairs()?;
        let mark: Mark = from.take(MARK)?.try_into().map_err(|_| Short::More)?;
        let schema = pairs.get(&b"avro.schema"[..]).ok_or(Short::Broken("its header has no schema"))?;
        let schema = std::str::from_utf8(schema).map_err(|_| Short::Broken("its schema is not UTF-8"))?;
        let codec = pairs.get(&b"avro.codec"[..]).copied().unwrap_or(b"null");
        let known = CODECS.iter().find(|(_, name, _)| name.as_bytes() == codec).map(|(codec, ..)| *codec);
        Ok(match known {
            Some(codec) => Ok(Header { schema: schema.to_string(), codec, mark, len: from.at as u64 }),
            None => Err(Error::unsupported(format!("the codec {:?} of Avro", String::from_utf8_lossy(codec)))),
        })
    }

    /// The same header as bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let codec = CODECS.iter().find(|(codec, ..)| *codec == self.codec).map_or("null", |(_, name, _)| *name);
        let mut out = MAGIC.to_vec();
        push_long(2, &mut out);
        for (key, value) in [("avro.schema", self.schema.as_str()), ("avro.codec", codec)] {
            push_run(key.as_bytes(), &mut out);
            push_run(value.as_bytes(), &mut out);
        }
        push_long(0, &mut out);
        out.extend_from_slice(&self.mark);
        out
    }
}

/// Reads until `want` bytes are here, or the file has ended.
fn fill(window: &mut Window, want: usize) -> Result<()> {
    while window.rest().len() < want {
        let target = want.max(WINDOW);
        if !window.refill(target)? && !window.overshoot()? {
            break;
        }
    }
    Ok(())
}

/// The blocks that begin in a piece of a file.
pub(super) struct Blocks {
    file: FileRef,
    window: Window,
    header: Header,
    stop: u64,
    longest: usize,
    growth: Growth,
}

/// A block whose packed records are in the window.
pub(super) struct Block {
    pub(super) rows: usize,
    packed: Range<usize>,
    /// Where it begins in the file.
    at: u64,
}

impl Blocks {
    /// # Errors
    /// What reading meets.
    pub(super) fn open(
        file: &FileRef,
        header: &Header,
        kind: Compression,
        range: Range<u64>,
        spares: &Spares,
        budget: Option<&Budget>,
    ) -> Result<Blocks> {
        let (start, stop) = (range.start, range.end);
        let (mut window, stop) = match kind {
            Compression::None => {
                let from = if start == 0 { 0 } else { header.len.max(start).saturating_sub(MARK as u64) };
                (Window::range(file, from..stop.max(from), spares.clone())?, stop)
            }
            kind => (Window::stream(file, kind, spares.clone())?, u64::MAX),
        };
        if start == 0 {
            Header::read(&mut window)?;
        } else {
            find(&mut window, &header.mark)?;
        }
        let growth = Growth::new(budget, 2 * WINDOW);
        let (file, header) = (file.clone(), header.clone());
        Ok(Blocks { file, window, header, stop, longest: longest_record(budget), growth })
    }

    /// The next block; `None` when there are no more.
    ///
    /// # Errors
    /// `Data`, where the file is not what it should be; `Resources`, for a block that is too long.
    pub(super) fn next(&mut self) -> Result<Option<Block>> {
        let at = self.window.offset(self.window.pos());
        if at >= self.stop {
            return Ok(None);
        }
        fill(&mut self.window, 20)?;
        let rest = self.window.rest();
        if rest.is_empty() {
            return Ok(None);
        }
        let mut from = Bytes { bytes: rest, at: 0 };
        let sizes = from.length().and_then(|rows| Ok((rows, from.length()?)));
        let (rows, size) = sizes.map_err(|short| match short {
            Short::More => self.broken("it ends within a block", at),
            Short::Broken(what) => self.broken(what, at),
        })?;
        let begin = from.at;
        if size > self.longest {
            return Err(self.too_long(size, at));
        }
        fill(&mut self.window, begin + size + MARK)?;
        self.growth.see(&self.window);
        let rest = self.window.rest();
        match rest.get(begin + size..begin + size + MARK) {
            None => return Err(self.broken("it ends within a block", at)),
            Some(mark) if mark != self.header.mark => {
                return Err(self.broken("a block does not end with the file's mark", at));
            }
            Some(_) => {}
        }
        let begin = self.window.pos() + begin;
        self.window.advance_to(begin + size + MARK);
        Ok(Some(Block { rows, packed: begin..begin + size, at }))
    }

    /// Appends the records of the block that was found last to `out`.
    ///
    /// # Errors
    /// As above.
    pub(super) fn unpack(&self, block: &Block, out: &mut Vec<u8>) -> Result<()> {
        let packed = self.window.bytes().get(block.packed.clone()).unwrap_or_default();
        let records = unpacked(self.header.codec, packed, self.longest).map_err(|e| self.located(e, block.at))?;
        let records = records.ok_or_else(|| self.too_long(self.longest, block.at))?;
        if block.rows > records.len().max(EMPTY) {
            return Err(self.broken("a block has more records than bytes", block.at));
        }
        out.extend_from_slice(&records);
        Ok(())
    }

    fn located(&self, error: Error, at: u64) -> Error {
        error.at(Place { file: Some(self.file.path.clone()), byte: Some(at), ..Place::default() })
    }

    fn broken(&self, what: &str, at: u64) -> Error {
        self.located(corrupt(what), at)
    }

    fn too_long(&self, size: usize, at: u64) -> Error {
        let message =
            format!("a block of the file has {} or more, of which {} may be", ByteSize(size), ByteSize(self.longest));
        let error = Error::resources(message).advise("raise --memory: a block takes at most an eighth of it");
        self.located(error, at)
    }

    /// The file's path, for errors.
    pub(super) fn path(&self) -> &str {
        &self.file.path
    }
}

/// Goes behind the first mark.
fn find(window: &mut Window, mark: &Mark) -> Result<()> {
    let finder = memchr::memmem::Finder::new(mark);
    loop {
        window.refill(WINDOW)?;
        let rest = window.rest();
        if let Some(at) = finder.find(rest) {
            let behind = window.pos() + at + MARK;
            window.advance_to(behind);
            return Ok(());
        }
        // It may go on behind what is here.
        let keep = rest.len().min(MARK - 1);
        window.advance_to(window.filled() - keep);
        if !window.refill(keep + WINDOW)? && !window.overshoot()? {
            window.advance_to(window.filled());
            return Ok(());
        }
    }
}

/// The records of a packed block; `None`, if they are longer than `most`.
fn unpacked(codec: Codec, packed: &[u8], most: usize) -> Result<Option<Cow<'_, [u8]>>> {
    Ok(match codec {
        Codec::Null => Some(Cow::Borrowed(packed)),
        Codec::Deflate => drained(flate2::read::DeflateDecoder::new(packed), most)?,
        Codec::Zstandard => drained(zstd::Decoder::with_buffer(packed).map_err(unreadable)?, most)?,
        Codec::Bzip2 => drained(bzip2::read::MultiBzDecoder::new(packed), most)?,
        Codec::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED);
            let stream = stream.map_err(|e| unreadable(e.into()))?;
            drained(liblzma::read::XzDecoder::new_stream(packed, stream), most)?
        }
        Codec::Snappy => snappy(packed, most)?,
    })
}

fn drained<'a>(from: impl Read, most: usize) -> Result<Option<Cow<'a, [u8]>>> {
    let mut out = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut out).map_err(unreadable)?;
    Ok((out.len() <= most).then_some(Cow::Owned(out)))
}

/// Behind the packed records stands their checksum.
fn snappy<'a>(packed: &[u8], most: usize) -> Result<Option<Cow<'a, [u8]>>> {
    let broken = |e: snap::Error| corrupt(&format!("a block cannot be unpacked: {e}"));
    let (packed, sum) = packed.split_last_chunk::<4>().ok_or_else(|| corrupt("a block has no checksum"))?;
    if snap::raw::decompress_len(packed).map_err(broken)? > most {
        return Ok(None);
    }
    let out = snap::raw::Decoder::new().decompress_vec(packed).map_err(broken)?;
    if crc(&out) != *sum {
        return Err(corrupt("the checksum of a block is another"));
    }
    Ok(Some(Cow::Owned(out)))
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

fn unreadable(e: std::io::Error) -> Error {
    corrupt(&format!("a block cannot be unpacked: {e}"))
}

/// Packs the records of a block.
///
/// # Errors
/// What the packer meets.
pub(super) fn packed(codec: Codec, records: Vec<u8>) -> Result<Vec<u8>> {
    use std::io::Write;
    let failed = |e: std::io::Error| Error::new(ErrorKind::Io, format!("a block of Avro cannot be packed: {e}"));
    match codec {
        Codec::Null => Ok(records),
        Codec::Deflate => {
            let mut to = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
            to.write_all(&records).and_then(|()| to.finish()).map_err(failed)
        }
        Codec::Zstandard => zstd::encode_all(records.as_slice(), 3).map_err(failed),
        Codec::Bzip2 => {
            let mut to = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            to.write_all(&records).and_then(|()| to.finish()).map_err(failed)
        }
        Codec::Xz => {
            let mut to = liblzma::write::XzEncoder::new(Vec::new(), 6);
            to.write_all(&records).and_then(|()| to.finish()).map_err(failed)
        }
        Codec::Snappy => {
            let packed = snap::raw::Encoder::new().compress_vec(&records);
            let mut packed = packed.map_err(|e| failed(std::io::Error::other(e)))?;
            packed.extend_from_slice(&crc(&records));
            Ok(packed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for n in [0, 1, -1, 63, 64, -64, -65, 300, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_long(n, &mut out);
            assert!(matches!(Bytes { bytes: &out, at: 0 }.long(), Ok(m) if m == n), "{n}");
        }
        assert!(matches!(Bytes { bytes: &[0x80], at: 0 }.long(), Err(Short::More)));
        assert!(matches!(Bytes { bytes: &[0xFF; 11], at: 0 }.long(), Err(Short::Broken(_))));
    }

    #[test]
    fn blocks_are_packed_and_unpacked_within_a_bound() {
        let records: Vec<u8> = (0..5000u32).flat_map(|n| (n % 100).to_le_bytes()).collect();
        for (codec, name, _) in CODECS {
            let small = packed(*codec, records.clone()).unwrap();
            assert_eq!(unpacked(*codec, &small, 20_000).unwrap().as_deref(), Some(&records[..]), "{name}");
            if *codec != Codec::Null {
                assert!(small.len() < records.len() / 2, "{name}");
                assert!(unpacked(*codec, &small, 19_999).unwrap().is_none(), "{name}");
                assert!(unpacked(*codec, &small[..small.len() / 2], 20_000).is_err(), "{name}");
            }
        }
    }
}
