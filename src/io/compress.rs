//! Compressed files, told by their first bytes when read and by their ending when written.

use super::atomic::Output;
use super::paths::FileRef;
use super::pipe::PipeReader;
use super::read::{InputFile, Sequential};
use super::window::fill;
use crate::error::{Error, Result};
use std::io::{self, BufReader, Read, Write};

/// How a file's bytes are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, of one member or many.
    Gzip,
    /// zstd, of one frame or many.
    Zstd,
}

impl Compression {
    /// Tells by the first bytes of a file.
    pub fn of_content(head: &[u8]) -> Self {
        match head {
            [0x1F, 0x8B, 0x08, ..] => Compression::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// Tells by the ending of a name, and gives the name without it: `a.csv.gz` is gzip of `a.csv`.
    pub fn of_name(name: &str) -> (Self, &str) {
        let ends = [(".gz", Compression::Gzip), (".zst", Compression::Zstd), (".zstd", Compression::Zstd)];
        for (ending, kind) in ends {
            let at = name.len().saturating_sub(ending.len());
            if at > 0 && name.get(at..).is_some_and(|e| e.eq_ignore_ascii_case(ending)) {
                return (kind, name.get(..at).unwrap_or(name));
            }
        }
        (Compression::None, name)
    }

    /// How the file `found` is packed.
    ///
    /// # Errors
    /// It cannot be read, or has changed.
    pub fn of_file(found: &FileRef) -> Result<Self> {
        let mut head = [0; 4];
        let read = match &found.pipe {
            Some(pipe) => fill(&mut PipeReader::new(pipe, 0), &mut head, &found.path, 0)?,
            None => InputFile::open(found)?.read_at(&mut head, 0)?,
        };
        Ok(Self::of_content(head.get(..read).unwrap_or_default()))
    }
}

/// The decompressed bytes of a file, in constant memory.
///
/// # Errors
/// It cannot be opened, or has changed. Broken compressed data is an `InvalidData` or `UnexpectedEof` of the reader.
pub fn open_stream(found: &FileRef, kind: Compression) -> Result<Box<dyn Read + Send>> {
    let raw: Box<dyn Read + Send> = match &found.pipe {
        Some(pipe) => Box::new(PipeReader::new(pipe, 0)),
        None => Box::new(Sequential { input: InputFile::open(found)?, at: 0 }),
    };
    let input = BufReader::with_capacity(128 << 10, raw);
    Ok(match kind {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(input).map_err(|e| Error::io(&found.path, e))?),
    })
}

/// An output that packs its bytes on the way to another.
pub struct Compressed(Packer);

enum Packer {
    Gzip(flate2::write::GzEncoder<Box<dyn Output>>),
    Zstd(zstd::Encoder<'static, Box<dyn Output>>),
}

impl Compressed {
    /// Packs what is written to `to`; without compression that is `to` itself.
    ///
    /// # Errors
    /// The compressor cannot be made.
    pub fn wrap(to: Box<dyn Output>, kind: Compression) -> Result<Box<dyn Output>> {
        let packer = match kind {
            Compression::None => return Ok(to),
            Compression::Gzip => Packer::Gzip(flate2::write::GzEncoder::new(to, flate2::Compression::new(6))),
            Compression::Zstd => Packer::Zstd(zstd::Encoder::new(to, 3).map_err(|e| Error::io("zstd", e))?),
        };
        Ok(Box::new(Compressed(packer)))
    }
}

impl Write for Compressed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Packer::Gzip(w) => w.write(bytes),
            Packer::Zstd(w) => w.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Packer::Gzip(w) => w.flush(),
            Packer::Zstd(w) => w.flush(),
        }
    }
}

impl Output for Compressed {
    fn complete(self: Box<Self>) -> Result<()> {
        let inner = match self.0 {
            Packer::Gzip(w) => w.finish(),
            Packer::Zstd(w) => w.finish(),
        };
        inner.map_err(|e| Error::io("the compressed output", e))?.complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::AtomicFile;

    #[test]
    fn packs_and_unpacks_also_several_members() {
        let dir = tempfile::tempdir().unwrap();
        for (name, kind) in [("a.gz", Compression::Gzip), ("b.zst", Compression::Zstd), ("c", Compression::None)] {
            let path = dir.path().join(name);
            let mut out = Compressed::wrap(AtomicFile::create(&path).unwrap(), Compression::of_name(name).0).unwrap();
            out.write_all(b"hello ").unwrap();
            out.complete().unwrap();
            let twice = std::fs::read(&path).unwrap().repeat(2);
            std::fs::write(&path, twice).unwrap();
            let found = FileRef::of(&path).unwrap();
            assert_eq!(Compression::of_file(&found).unwrap(), kind);
            let mut text = String::new();
            open_stream(&found, kind).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello hello ");
        }
    }

    #[test]
    fn a_torn_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gz");
        let mut out = Compressed::wrap(AtomicFile::create(&path).unwrap(), Compression::Gzip).unwrap();
        out.write_all(&[7; 1000]).unwrap();
        out.complete().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let found = FileRef::of(&path).unwrap();
        assert!(open_stream(&found, Compression::Gzip).unwrap().read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn names_tell() {
        assert_eq!(Compression::of_name("x/a.CSV.GZ"), (Compression::Gzip, "x/a.CSV"));
        assert_eq!(Compression::of_name("a.csv"), (Compression::None, "a.csv"));
    }
}
