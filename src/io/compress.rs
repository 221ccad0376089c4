//! Compressed files, told by their first bytes when read and by their ending when written.
//!
//! Several members, streams or frames behind each other are one text, as the tools that write them mean it. A file that is
//! cut off or damaged is an error, but for snappy, whose frames do not say that they are the last.

use super::ahead::Ahead;
use super::atomic::Output;
use super::encoding::Decoded;
use super::paths::FileRef;
use super::pipe::PipeReader;
use super::read::{InputFile, Sequential};
use super::window::fill;
use crate::error::{Error, Result};
use crate::units::{KIB, MIB};
use liblzma::stream::{Check, Stream};
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

/// How a file's bytes are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Not at all, but the text is in another encoding than UTF-8.
    Encoded,
    /// gzip, of one member or many.
    Gzip,
    /// zstd, of one frame or many.
    Zstd,
    /// bzip2, of one stream or many.
    Bzip2,
    /// xz, of one stream or many.
    Xz,
    /// Frames of LZ4.
    Lz4,
    /// Frames of snappy.
    Snappy,
}

/// Names of compressions and endings of files, the usual ones first.
const NAMES: &[(Compression, &[&str], &[&str])] = &[
    (Compression::Gzip, &["gzip", "gz"], &[".gz", ".gzip"]),
    (Compression::Zstd, &["zstd", "zst"], &[".zst", ".zstd"]),
    (Compression::Bzip2, &["bzip2", "bz2"], &[".bz2"]),
    (Compression::Xz, &["xz", "lzma2"], &[".xz"]),
    (Compression::Lz4, &["lz4"], &[".lz4"]),
    (Compression::Snappy, &["snappy"], &[".sz", ".snappy"]),
];

/// Bytes that bzip2 takes to pack, for each level.
const BZIP2_LEVEL: usize = 800 * KIB;
/// Bytes that xz takes to pack, by preset from 0 on.
const XZ_PRESETS: [usize; 7] = [3 * MIB, 9 * MIB, 17 * MIB, 32 * MIB, 48 * MIB, 94 * MIB, 94 * MIB];

/// The most memory that the dictionary of an xz file may take.
const XZ_MEMORY: u64 = 100 << 20;

impl Compression {
    /// Tells by the first bytes of a file.
    pub fn of_content(head: &[u8]) -> Self {
        match head {
            [0x1F, 0x8B, 0x08, ..] => Compression::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Compression::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Compression::Bzip2,
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x04, 0x22, 0x4D, 0x18, ..] => Compression::Lz4,
            [0xFF, 0x06, 0x00, 0x00, b's', b'N', b'a', b'P', b'p', b'Y', ..] => Compression::Snappy,
            _ => Compression::None,
        }
    }

    /// Tells by the ending of a name, and gives the name without it: `a.csv.gz` is gzip of `a.csv`.
    pub fn of_name(name: &str) -> (Self, &str) {
        for (kind, _, endings) in NAMES {
            for ending in *endings {
                let at = name.len().saturating_sub(ending.len());
                if at > 0 && name.get(at..).is_some_and(|e| e.eq_ignore_ascii_case(ending)) {
                    return (*kind, name.get(..at).unwrap_or(name));
                }
            }
        }
        (Compression::None, name)
    }

    /// The compression that people call `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "none" | "uncompressed") {
            return Ok(Compression::None);
        }
        let found = NAMES.iter().find(|(_, names, _)| names.contains(&lower.as_str()));
        found.map(|(kind, ..)| *kind).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().filter_map(|(_, names, _)| names.first()).copied().collect();
            Error::query(format!("there is no compression {name:?}"))
                .advise(format!("there are: none, {}", names.join(", ")))
        })
    }

    /// Bytes that the packing of an output should take of a budget of `memory` bytes.
    pub fn room(memory: usize) -> usize {
        memory / 16
    }

    /// Bytes of memory that packing takes where it should take at most `room`: those that take much can do with less.
    pub fn packer_bytes(self, room: usize) -> usize {
        match self {
            Compression::None | Compression::Encoded => 0,
            Compression::Gzip => 320 * KIB,
            // The window, a buffer as large, tables.
            Compression::Zstd => (2 << zstd_window(room)) + MIB,
            Compression::Bzip2 => 400 * KIB + bzip2_level(room) as usize * BZIP2_LEVEL,
            Compression::Xz => XZ_PRESETS.get(xz_preset(room) as usize).copied().unwrap_or(0),
            Compression::Lz4 => 256 * KIB,
            Compression::Snappy => 256 * KIB,
        }
    }

    /// The usual ending of files that are packed so.
    pub fn ending(self) -> &'static str {
        let endings = NAMES.iter().find(|(kind, ..)| *kind == self).map(|(.., endings)| *endings);
        endings.and_then(|e| e.first()).copied().unwrap_or("")
    }

    /// How the file `found` is packed: as was said, else by its first bytes.
    ///
    /// # Errors
    /// It cannot be read, or has changed.
    pub fn of_file(found: &FileRef) -> Result<Self> {
        let mut head = [0; 64];
        let read = match &found.pipe {
            Some(pipe) => fill(&mut PipeReader::new(pipe, 0), &mut head, &found.path, 0)?,
            None => InputFile::open(found)?.read_at(&mut head, 0)?,
        };
        let head = head.get(..read).unwrap_or_default();
        Ok(match found.coding.compression.unwrap_or_else(|| Self::of_content(head)) {
            Compression::None if found.coding.encoding_of(head).is_some() => Compression::Encoded,
            kind => kind,
        })
    }
}

/// The text of a file, decompressed and in UTF-8, in constant memory. Decompression goes on ahead.
///
/// # Errors
/// It cannot be opened, or has changed. Broken compressed data is an `InvalidData` or `UnexpectedEof` of the reader; text
/// that is not of its encoding an [`Error`] inside.
pub fn open_stream(found: &FileRef, kind: Compression) -> Result<Box<dyn Read + Send>> {
    let mut plain = unpacked(found, kind)?;
    let mut head = Vec::with_capacity(64);
    // What is broken is met again by whoever reads on: a decoder that failed goes on failing.
    let broken = plain.by_ref().take(64).read_to_end(&mut head).err();
    let encoding = found.coding.encoding_of(&head);
    let rest: Box<dyn Read + Send> = match broken {
        None => plain,
        Some(e) => Box::new(Broken(Some(e))),
    };
    let whole = Cursor::new(head).chain(rest);
    Ok(match encoding {
        None if matches!(kind, Compression::None | Compression::Encoded) => Box::new(whole),
        None => Box::new(Ahead::new(Box::new(whole))),
        Some(encoding) => Box::new(Ahead::new(Box::new(Decoded::new(whole, &found.path, encoding)))),
    })
}

/// The bytes of what arrives, such as standard input, decompressed by what they begin with. Of bytes that are not packed
/// no more is waited for than what was read.
///
/// # Errors
/// Reading fails.
pub fn open_arriving(mut input: Box<dyn Read + Send>, name: &str) -> Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    while may_be_packed(&head) {
        let mut more = [0; 64];
        match input.read(&mut more) {
            Ok(0) => break,
            Ok(n) => head.extend_from_slice(more.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(name, e)),
        }
    }
    let kind = Compression::of_content(&head);
    let whole = Cursor::new(head).chain(input);
    if kind == Compression::None { Ok(Box::new(whole)) } else { unpack(Box::new(whole), kind, name) }
}

/// Whether what begins so may be packed, and it takes more bytes to know.
fn may_be_packed(head: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [
        &[0x1F, 0x8B, 8],
        &[0x28, 0xB5, 0x2F, 0xFD],
        b"BZh",
        &[0xFD, b'7', b'z', b'X', b'Z', 0],
        &[4, 0x22, 0x4D, 0x18],
        &[0xFF, 6, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y'],
    ];
    // Those of bzip2 are ten, of which not all are known.
    let is_open = |begins: &[u8]| head.len() < begins.len() || (begins == b"BZh" && head.len() < 10);
    BEGINNINGS.iter().any(|begins| is_open(begins) && begins.iter().zip(head).all(|(a, b)| a == b))
}

fn unpacked(found: &FileRef, kind: Compression) -> Result<Box<dyn Read + Send>> {
    let raw: Box<dyn Read + Send> = match &found.pipe {
        Some(pipe) => Box::new(PipeReader::new(pipe, 0)),
        None => Box::new(Sequential { input: InputFile::open(found)?, at: 0 }),
    };
    unpack(raw, kind, &found.path)
}

fn unpack(raw: Box<dyn Read + Send>, kind: Compression, name: &str) -> Result<Box<dyn Read + Send>> {
    let input = BufReader::with_capacity(128 << 10, raw);
    Ok(match kind {
        Compression::None | Compression::Encoded => Box::new(input),
        Compression::Gzip => Box::new(Gzip(Some(flate2::bufread::GzDecoder::new(input)))),
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(input).map_err(|e| Error::io(name, e))?),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        Compression::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED);
            let stream = stream.map_err(|e| Error::io(name, e.into()))?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
        }
        Compression::Lz4 => Box::new(Lz4(lz4_flex::frame::FrameDecoder::new(Tail { from: input, last: [0xFF; 8] }))),
        Compression::Snappy => Box::new(snap::read::FrameDecoder::new(input)),
    })
}

/// A stream that has failed.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))
    }
}

/// Members of gzip, one behind the other. Zeros behind them are no data: tools fill blocks with them.
struct Gzip<R>(Option<flate2::bufread::GzDecoder<R>>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            let read = member.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let below = member.get_mut();
            pass_zeros(below)?;
            match below.fill_buf()?.first() {
                Some(0x1F) => self.0 = self.0.take().map(|m| flate2::bufread::GzDecoder::new(m.into_inner())),
                Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "something else follows it")),
                None => self.0 = None,
            }
        }
    }
}

fn pass_zeros(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let here = from.fill_buf()?;
        let zeros = here.iter().take_while(|b| **b == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        from.consume(zeros);
    }
}

/// Frames of LZ4, one behind the other: the decoder stops at the end of each, also where a frame has no end.
struct Lz4<R: Read>(lz4_flex::frame::FrameDecoder<Tail<R>>);

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let below = self.0.get_mut();
            if below.from.fill_buf()?.is_empty() {
                return if below.ends_a_frame() { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }
}

/// A stream whose last bytes are remembered.
struct Tail<R> {
    from: R,
    last: [u8; 8],
}

impl<R> Tail<R> {
    /// A frame ends with a mark of four zeros, and perhaps a checksum.
    fn ends_a_frame(&self) -> bool {
        self.last.ends_with(&[0; 4]) || self.last.starts_with(&[0; 4])
    }
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        for b in into.iter().take(read).skip(read.saturating_sub(8)) {
            self.last.rotate_left(1);
            if let Some(last) = self.last.last_mut() {
                *last = *b;
            }
        }
        Ok(read)
    }
}

/// log2 of zstd's window: the usual one, or a smaller one.
fn zstd_window(room: usize) -> u32 {
    if room < 5 * MIB { 19 } else { 21 }
}

/// The best level of bzip2 that takes at most `room` bytes; else the one that takes least.
fn bzip2_level(room: usize) -> u32 {
    (room.saturating_sub(400 * KIB) / BZIP2_LEVEL).clamp(1, 9) as u32
}

/// The best preset of xz, up to the usual one, that takes at most `room` bytes; else the one that takes least.
fn xz_preset(room: usize) -> u32 {
    XZ_PRESETS.iter().rposition(|bytes| *bytes <= room).unwrap_or(0) as u32
}

/// An output that packs its bytes on the way to another.
pub struct Compressed {
    /// `None` once the packer failed.
    packer: Option<Packer>,
    kind: Compression,
    room: usize,
}

enum Packer {
    Gzip(flate2::write::GzEncoder<Box<dyn Output>>),
    Zstd(zstd::Encoder<'static, Box<dyn Output>>),
    Bzip2(bzip2::write::BzEncoder<Box<dyn Output>>),
    Xz(liblzma::write::XzEncoder<Box<dyn Output>>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<Box<dyn Output>>>),
    Snappy(Box<snap::write::FrameEncoder<Box<dyn Output>>>),
    /// Between two members.
    Resting(Box<dyn Output>),
}

impl Packer {
    /// Begins a member.
    fn begin(to: Box<dyn Output>, kind: Compression, room: usize) -> Result<Packer> {
        Ok(match kind {
            Compression::None | Compression::Encoded => Packer::Resting(to),
            Compression::Gzip => Packer::Gzip(flate2::write::GzEncoder::new(to, flate2::Compression::new(6))),
            Compression::Zstd => {
                let mut packer = zstd::Encoder::new(to, 3).map_err(|e| Error::io("zstd", e))?;
                packer.window_log(zstd_window(room)).map_err(|e| Error::io("zstd", e))?;
                Packer::Zstd(packer)
            }
            Compression::Bzip2 => {
                Packer::Bzip2(bzip2::write::BzEncoder::new(to, bzip2::Compression::new(bzip2_level(room))))
            }
            Compression::Xz => {
                let stream = Stream::new_easy_encoder(xz_preset(room), Check::Crc64);
                let failed = |e| Error::resources("there is no memory to pack with xz").because(e);
                Packer::Xz(liblzma::write::XzEncoder::new_stream(to, stream.map_err(failed)?))
            }
            Compression::Lz4 => Packer::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(to))),
            Compression::Snappy => Packer::Snappy(Box::new(snap::write::FrameEncoder::new(to))),
        })
    }

    /// Ends the member.
    fn end(self) -> io::Result<Box<dyn Output>> {
        match self {
            Packer::Gzip(w) => w.finish(),
            Packer::Zstd(w) => w.finish(),
            Packer::Bzip2(w) => w.finish(),
            Packer::Xz(w) => w.finish(),
            Packer::Lz4(w) => w.finish().map_err(io::Error::from),
            Packer::Snappy(w) => w.into_inner().map_err(|e| e.into_error()),
            Packer::Resting(to) => Ok(to),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Packer::Gzip(w) => w,
            Packer::Zstd(w) => w,
            Packer::Bzip2(w) => w,
            Packer::Xz(w) => w,
            Packer::Lz4(w) => w,
            Packer::Snappy(w) => w,
            Packer::Resting(w) => w,
        }
    }
}

impl Compressed {
    /// Packs what is written to `to`; without compression that is `to` itself. Should take at most about `room` bytes of
    /// memory, see [`Compression::packer_bytes`].
    ///
    /// # Errors
    /// The compressor cannot be made.
    pub fn wrap(to: Box<dyn Output>, kind: Compression, room: usize) -> Result<Box<dyn Output>> {
        if matches!(kind, Compression::None | Compression::Encoded) {
            return Ok(to);
        }
        let packer = Some(Packer::begin(to, kind, room)?);
        Ok(Box::new(Compressed { packer, kind, room }))
    }

    fn take(&mut self) -> io::Result<Packer> {
        self.packer.take().ok_or_else(|| io::Error::other("the compressor failed before"))
    }
}

impl Write for Compressed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let packer = match self.take()? {
            Packer::Resting(to) => Packer::begin(to, self.kind, self.room).map_err(io::Error::other)?,
            packer => packer,
        };
        self.packer.insert(packer).writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.packer.as_mut().map_or(Ok(()), |packer| packer.writer().flush())
    }
}

impl Output for Compressed {
    fn complete(mut self: Box<Self>) -> Result<()> {
        let inner = self.take().and_then(Packer::end);
        inner.map_err(|e| Error::io("the compressed output", e))?.complete()
    }

    fn rest(&mut self) -> Result<()> {
        let inner = self.take().and_then(Packer::end);
        self.packer = Some(Packer::Resting(inner.map_err(|e| Error::io("the compressed output", e))?));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::AtomicFile;

    const ALL: [(&str, Compression); 7] = [
        ("a.gz", Compression::Gzip),
        ("b.zst", Compression::Zstd),
        ("c", Compression::None),
        ("d.bz2", Compression::Bzip2),
        ("e.xz", Compression::Xz),
        ("f.lz4", Compression::Lz4),
        ("g.sz", Compression::Snappy),
    ];

    fn packed(dir: &std::path::Path, name: &str, text: &[u8]) -> Vec<u8> {
        let path = dir.join(name);
        let mut out = Compressed::wrap(AtomicFile::create(&path).unwrap(), Compression::of_name(name).0, MIB).unwrap();
        out.write_all(text).unwrap();
        out.complete().unwrap();
        std::fs::read(&path).unwrap()
    }

    fn unpacked_text(path: &std::path::Path, bytes: &[u8]) -> io::Result<(Compression, Vec<u8>)> {
        std::fs::write(path, bytes).unwrap();
        let found = FileRef::of(path).unwrap();
        let kind = Compression::of_file(&found).unwrap();
        let mut text = Vec::new();
        open_stream(&found, kind).unwrap().read_to_end(&mut text).map(|_| (kind, text))
    }

    #[test]
    fn zeros_behind_gzip_are_no_data_but_anything_else_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let member = packed(dir.path(), "a.gz", b"hello ");
        let padded = |zeros: usize| [&member[..], &vec![0; zeros]].concat();
        for zeros in [0, 1, 511, 300_000] {
            let (kind, text) = unpacked_text(&path, &padded(zeros)).unwrap();
            assert!(kind == Compression::Gzip && text == b"hello ");
            let (_, text) = unpacked_text(&path, &[padded(zeros), padded(zeros)].concat()).unwrap();
            assert_eq!(text, b"hello hello ");
            let e = unpacked_text(&path, &[&padded(zeros)[..], b"x"].concat()).unwrap_err();
            assert!(e.to_string().contains("something else follows it"), "{e}");
        }
        for end in 1..member.len() {
            assert!(unpacked_text(&path, &[&member[..], &member[..end]].concat()).is_err(), "{end}");
        }
    }

    #[test]
    fn packs_and_unpacks_also_several_members() {
        let dir = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..300_000u64).flat_map(|i| (i * i % 977).to_string().into_bytes()).collect();
        for (name, kind) in ALL {
            for text in [&b"hello "[..], &text] {
                let twice = packed(dir.path(), name, text).repeat(2);
                let (found, back) = unpacked_text(&dir.path().join("x"), &twice).unwrap();
                assert!(found == kind && back == text.repeat(2), "{name}");
            }
        }
    }

    #[test]
    fn a_packer_that_rests_keeps_nothing_and_goes_on_in_another_member() {
        let dir = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..9000u64).flat_map(|i| (i * i % 977).to_string().into_bytes()).collect();
        for (name, kind) in ALL.into_iter().filter(|(_, kind)| *kind != Compression::None) {
            let path = dir.path().join(name);
            let to: Box<dyn Output> = AtomicFile::create(&path).unwrap();
            let packer = Some(Packer::begin(to, kind, MIB).unwrap());
            let mut out = Box::new(Compressed { packer, kind, room: MIB });
            for part in text.chunks(7000) {
                out.write_all(part).unwrap();
                for _ in 0..2 {
                    out.rest().unwrap();
                    assert!(matches!(out.packer, Some(Packer::Resting(_))), "{name}");
                }
            }
            out.complete().unwrap();
            let (found, back) = unpacked_text(&dir.path().join("x"), &std::fs::read(&path).unwrap()).unwrap();
            assert!(found == kind && back == text, "{name}");
        }
    }

    /// Gives a few bytes at a time.
    struct Drops(io::Cursor<Vec<u8>>);

    impl Read for Drops {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(3);
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn what_arrives_is_unpacked_however_it_arrives() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"hello, ".repeat(1000);
        for (name, _) in ALL {
            let bytes = packed(dir.path(), name, &text);
            let mut back = Vec::new();
            open_arriving(Box::new(Drops(Cursor::new(bytes))), "-").unwrap().read_to_end(&mut back).unwrap();
            assert!(back == text, "{name}");
        }
        for text in ["", "B", "BZh", "BZhurrah, no bzip2", "{\"a\": 1}", "\u{1f}"] {
            let mut back = String::new();
            open_arriving(Box::new(Drops(Cursor::new(text.into()))), "-").unwrap().read_to_string(&mut back).unwrap();
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_torn_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..2000u32).flat_map(|i| (i * i % 977).to_string().into_bytes()).collect();
        for (name, kind) in ALL.iter().filter(|(_, kind)| *kind != Compression::None) {
            let bytes = packed(dir.path(), name, &text);
            for cut in (12..bytes.len()).step_by(bytes.len() / 60 + 1).chain(bytes.len() - 9..bytes.len()) {
                match unpacked_text(&dir.path().join("x"), &bytes[..cut]) {
                    Err(_) => {}
                    // The first bytes of some are not enough to know them.
                    Ok((found, _)) if found != *kind => {}
                    Ok((_, back)) => {
                        assert!(
                            *kind == Compression::Snappy && text.starts_with(&back),
                            "{name} cut at {cut} of {}",
                            bytes.len()
                        )
                    }
                }
            }
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..2000u32).flat_map(|i| (i * i % 977).to_string().into_bytes()).collect();
        for (name, kind) in ALL.iter().filter(|(_, kind)| *kind != Compression::None) {
            let bytes = packed(dir.path(), name, &text);
            for at in (20..bytes.len() - 8).step_by(bytes.len() / 40 + 1) {
                let mut bent = bytes.clone();
                bent[at] ^= 0x55;
                if let Ok((_, back)) = unpacked_text(&dir.path().join("x"), &bent) {
                    // zstd, as its tool writes it, and LZ4 may go without a checksum of the content.
                    let unchecked = matches!(kind, Compression::Zstd | Compression::Lz4);
                    assert!(unchecked || back == text, "{name} damaged at {at}");
                }
            }
        }
    }

    #[test]
    fn packing_takes_what_there_is() {
        assert_eq!([0, 3 * MIB, 50 * MIB, usize::MAX].map(xz_preset), [0, 0, 4, 6]);
        assert_eq!([0, 4 * MIB, 50 * MIB].map(bzip2_level), [1, 4, 9]);
        for kind in [Compression::Xz, Compression::Bzip2, Compression::Zstd, Compression::Gzip] {
            for room in [3 * MIB, 4 * MIB, 10 * MIB] {
                assert!(kind.packer_bytes(room) <= room, "{kind:?} in {room} bytes");
            }
        }
    }

    #[test]
    fn names_tell() {
        assert_eq!(Compression::of_name("x/a.CSV.GZ"), (Compression::Gzip, "x/a.CSV"));
        assert_eq!(Compression::of_name("a.csv.xz"), (Compression::Xz, "a.csv"));
        assert_eq!(Compression::of_name("a.csv"), (Compression::None, "a.csv"));
        assert_eq!(Compression::named("BZ2").unwrap().ending(), ".bz2");
        assert!(Compression::named("zip").is_err());
    }
}
