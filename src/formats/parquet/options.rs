//! Options of a Parquet output: names and values as text.

use crate::error::{Error, Result};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use std::collections::BTreeMap;

/// Every option of an output.
const NAMES: [&str; 4] = ["compression", "compression_level", "row_group_size", "dictionary"];

/// Bytes that the crate takes for a column's dictionary before its first value: a table of 4096 places.
pub(super) const DICTIONARY: usize = 73_744;

/// How Parquet is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WriteOptions {
    /// `zstd`, `zstd(1)`..`zstd(22)`, `snappy`, `lz4`, `gzip`, `brotli`, `none`. Default: `zstd(1)`, or `lz4` where there
    /// is too little memory for the compressors of all columns.
    pub(super) compression: Option<Compression>,
    /// Most rows of a row group. Default: 1048576.
    pub(super) row_group_size: usize,
    /// Whether columns may be dictionary-encoded. Default: where there is memory for the dictionaries of all columns.
    pub(super) dictionary: Option<bool>,
}

impl WriteOptions {
    /// # Errors
    /// `Query` for an option that does not exist or a value that does not fit.
    pub(super) fn parse(options: &BTreeMap<String, String>) -> Result<WriteOptions> {
        let mut parsed = WriteOptions { compression: None, row_group_size: 1 << 20, dictionary: None };
        let leveled = with_level(options)?;
        for (name, value) in leveled.as_ref().unwrap_or(options) {
            match name.as_str() {
                "compression" => parsed.compression = Some(compression(value)?),
                "row_group_size" => parsed.row_group_size = row_group_size(value)?,
                "dictionary" => parsed.dictionary = Some(yes_or_no(name, value)?),
                _ => return Err(unknown(name, &NAMES)),
            }
        }
        Ok(parsed)
    }

    /// How `columns` columns of pages of `page` bytes are compressed by an encoder that should hold `held` bytes.
    pub(super) fn compression_for(&self, columns: usize, page: usize, held: usize) -> Result<Compression> {
        let small = zstd(1)?;
        let fits = columns.saturating_mul(compressor_bytes(small, page)) <= held.saturating_mul(2);
        Ok(self.compression.unwrap_or(if fits { small } else { Compression::LZ4_RAW }))
    }

    /// Whether `columns` columns have dictionaries in an encoder that should hold `held` bytes.
    pub(super) fn dictionary_for(&self, columns: usize, held: usize) -> bool {
        self.dictionary.unwrap_or(columns.saturating_mul(DICTIONARY) <= held / 2)
    }

    /// The crate's form of it. Pages and dictionaries are at most about `page` bytes, so that a reader needs little
    /// memory, and so do we; `indexed` says whether there are page indexes.
    pub(super) fn properties(
        &self,
        page: usize,
        indexed: bool,
        compression: Compression,
        dictionary: bool,
    ) -> WriterProperties {
        let statistics = if indexed { EnabledStatistics::Page } else { EnabledStatistics::Chunk };
        WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(compression)
            .set_dictionary_enabled(dictionary)
            .set_dictionary_page_size_limit(page)
            .set_data_page_size_limit(page)
            .set_data_page_row_count_limit(page_rows(page))
            .set_statistics_enabled(statistics)
            .set_offset_index_disabled(!indexed)
            .set_max_row_group_row_count(Some(self.row_group_size))
            .set_created_by(concat!("partita version ", env!("CARGO_PKG_VERSION")).to_string())
            .build()
    }
}

/// Rows of a page of `page` bytes: until a page ends, a dictionary-encoded column keeps 8 bytes for each row.
fn page_rows(page: usize) -> usize {
    (page / 8).clamp(1024, 20_000)
}

/// Bytes that one column's compressor takes about, for pages of `page` bytes.
pub(super) fn compressor_bytes(compression: Compression, page: usize) -> usize {
    let block = page.min(128 << 10);
    match compression {
        Compression::ZSTD(level) if level.compression_level() < 3 => (128 << 10) + 5 * block,
        Compression::ZSTD(_) => (1 << 20) + 16 * block,
        Compression::GZIP(_) => 320 << 10,
        Compression::BROTLI(_) => 2 << 20,
        _ => 0,
    }
}

/// `compression => zstd, compression_level => 5` as `compression => zstd(5)`.
fn with_level(options: &BTreeMap<String, String>) -> Result<Option<BTreeMap<String, String>>> {
    let Some(level) = options.get("compression_level") else { return Ok(None) };
    let kind = options.get("compression").map_or("zstd", String::as_str);
    if kind.contains('(') {
        return Err(Error::query(format!("the compression {kind} has a level already")));
    }
    let mut leveled = options.clone();
    leveled.remove("compression_level");
    leveled.insert("compression".into(), format!("{kind}({})", level.trim()));
    Ok(Some(leveled))
}

/// Reading Parquet has no options.
pub(super) fn none_for_reading(options: &BTreeMap<String, String>) -> Result<()> {
    match options.keys().find(|name| !NAMES.contains(&name.as_str())) {
        Some(name) => Err(Error::query(format!("parquet has no option {name:?} for reading")).advise(format!(
            "a Parquet file says all about itself; of any table there are: {}",
            crate::formats::many::options::NAMES.join(", ")
        ))),
        None => Ok(()),
    }
}

fn compression(text: &str) -> Result<Compression> {
    let text = text.trim().to_ascii_lowercase();
    let (name, level) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((name, level)) => (name, Some(level.trim().parse::<u32>().map_err(|_| no_compression(&text))?)),
        None => (text.as_str(), None),
    };
    let bad = |_| no_compression(&text);
    Ok(match (name, level) {
        ("none" | "uncompressed", None) => Compression::UNCOMPRESSED,
        ("snappy", None) => Compression::SNAPPY,
        ("lz4" | "lz4_raw", None) => Compression::LZ4_RAW,
        ("zstd", level) => zstd(i32::try_from(level.unwrap_or(1)).unwrap_or(i32::MAX))?,
        ("gzip", level) => Compression::GZIP(GzipLevel::try_new(level.unwrap_or(6)).map_err(bad)?),
        ("brotli", level) => Compression::BROTLI(BrotliLevel::try_new(level.unwrap_or(1)).map_err(bad)?),
        _ => return Err(no_compression(&text)),
    })
}

fn zstd(level: i32) -> Result<Compression> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(level).map_err(|_| no_compression(&format!("zstd({level})")))?))
}

fn no_compression(text: &str) -> Error {
    Error::query(format!("{text:?} is no compression of Parquet"))
        .advise("one of zstd, zstd(1) to zstd(22), snappy, lz4, gzip, brotli, none")
}

fn row_group_size(text: &str) -> Result<usize> {
    let size = text.trim().parse().ok().filter(|size| *size > 0);
    size.ok_or_else(|| Error::query(format!("row_group_size is a number of rows, at least 1, not {text:?}")))
}

pub(in crate::formats) fn yes_or_no(name: &str, text: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(Error::query(format!("{name} is true or false, not {text:?}"))),
    }
}

/// The error for an option that does not exist, with the nearest that does.
pub(in crate::formats) fn unknown(name: &str, known: &[&str]) -> Error {
    let near = known.iter().map(|k| (distance(name, k), *k)).min().filter(|(d, k)| *d <= k.len() / 2);
    let advice = match near {
        Some((_, near)) => format!("did you mean {near:?}?"),
        None => format!("the options are {}", known.join(", ")),
    };
    Error::query(format!("there is no option {name:?}")).advise(advice)
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (above, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (corner + usize::from(x != y)).min(*above + 1).min(left + 1);
            corner = std::mem::replace(above, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, value: &str) -> Result<WriteOptions> {
        WriteOptions::parse(&BTreeMap::from([(name.to_string(), value.to_string())]))
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("compression", "ZSTD(3)").unwrap().compression, Some(zstd(3).unwrap()));
        assert_eq!(parse("compression", "none").unwrap().compression, Some(Compression::UNCOMPRESSED));
        assert_eq!(parse("row_group_size", "10").unwrap().row_group_size, 10);
        for (name, value) in [("compression", "zip"), ("compression", "zstd(99)"), ("row_group_size", "0"), ("x", "1")]
        {
            assert!(parse(name, value).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn many_columns_in_little_memory_are_compressed_without_tables() {
        let options = WriteOptions::parse(&BTreeMap::new()).unwrap();
        let (page, held) = (8 << 10, 4 << 20);
        assert_eq!(options.compression_for(16, page, held).unwrap(), zstd(1).unwrap());
        assert_eq!(options.compression_for(100, page, held).unwrap(), Compression::LZ4_RAW);
        let chosen = parse("compression", "gzip").unwrap();
        assert!(matches!(chosen.compression_for(100, page, held).unwrap(), Compression::GZIP(_)));
    }

    #[test]
    fn many_columns_in_little_memory_have_no_dictionaries() {
        let options = WriteOptions::parse(&BTreeMap::new()).unwrap();
        assert_eq!(
            [1, 28, 29, 1000].map(|columns| options.dictionary_for(columns, 4 << 20)),
            [true, true, false, false]
        );
        assert!(parse("dictionary", "yes").unwrap().dictionary_for(1000, 4 << 20));
        assert!(!parse("dictionary", "no").unwrap().dictionary_for(1, 4 << 20));
    }

    #[test]
    fn names_the_nearest_option() {
        assert_eq!(parse("compresion", "zstd").unwrap_err().advice(), Some("did you mean \"compression\"?"));
        assert_eq!([distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")], [3, 3, 0]);
    }
}
