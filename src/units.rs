//! Sizes as people write and read them: `64MiB`, `1.5 GB`, `4096`.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// One kibibyte, in bytes.
pub const KIB: usize = 1 << 10;
/// One mebibyte, in bytes.
pub const MIB: usize = 1 << 20;
/// One gibibyte, in bytes.
pub const GIB: usize = 1 << 30;

/// Parses a size in bytes. Without a unit the number is bytes; `k`, `M`, `G`, `T` and `KiB`.. are powers of 1024, `kB`,
/// `MB`.. powers of 1000. Case does not matter, but for that: `K` and `KB` are read as `k` and `kB`.
///
/// ```
/// assert_eq!(partita::parse_size("64MiB").unwrap(), 64 << 20);
/// assert_eq!(partita::parse_size("1.5 GB").unwrap(), 1_500_000_000);
/// assert!(partita::parse_size("many").is_err());
/// ```
///
/// # Errors
/// [`ErrorKind::Usage`] where the text is no size, is negative, or does not fit.
pub fn parse_size(text: &str) -> Result<usize> {
    let bad =
        || Error::new(ErrorKind::Usage, format!("{text:?} is not a size")).advise("write it like 64MiB, 1.5GB or 4096");
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let scale: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024f64.powi(2),
        "g" | "gib" => 1024f64.powi(3),
        "t" | "tib" => 1024f64.powi(4),
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(bad()),
    };
    let bytes = number * scale;
    if bytes >= 0.0 && bytes < 2f64.powi(62) { Ok(bytes as usize) } else { Err(bad()) }
}

/// Shows a number of bytes in the largest unit that keeps it readable: `512 B`, `64.0 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub usize);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < KIB {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("1k", 1024), ("2 GiB", 2 << 30), ("3MB", 3_000_000)] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "MiB", "-1", "1.2.3", "5 XB", "1e30T", "inf"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shows_what_people_read() {
        assert_eq!(ByteSize(17).to_string(), "17 B");
        assert_eq!(ByteSize(64 * MIB).to_string(), "64.0 MiB");
        assert_eq!(ByteSize(1536 * MIB).to_string(), "1.5 GiB");
    }
}
