//! Texts for addresses and for people: percent encoding, sizes.

use super::super::args::{Args, some, texts};
use super::super::row::{Gives, Row};
use arrow::array::ArrayRef;
use datafusion_common::Result;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "url_encode",
        "text",
        Gives::Text,
        encode,
        "All but letters, digits and `-_.~` as `%XX`.",
        "url_encode('a b&c') --> a%20b%26c",
    ),
    Row::new(
        "url_decode",
        "text",
        Gives::Text,
        decode,
        "`%XX` as the bytes that they are.",
        "url_decode('a%20b') --> a b",
    ),
    Row::new(
        "format_bytes",
        "int",
        Gives::Text,
        binary,
        "A number of bytes in units of 1024.",
        "format_bytes(16384) --> 16.0 KiB",
    )
    .also(&["formatreadablesize", "formatreadablebinarysize"]),
    Row::new(
        "formatreadabledecimalsize",
        "int",
        Gives::Text,
        decimal,
        "A number of bytes in units of 1000.",
        "formatReadableDecimalSize(16000) --> 16.0 kB",
    ),
];

fn encode(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row| {
        let mut made = String::new();
        for b in some!(text.get(row)).bytes() {
            match b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
                true => made.push(char::from(b)),
                false => made.push_str(&format!("%{b:02X}")),
            }
        }
        Ok(Some(made))
    })
}

fn decode(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row| {
        let text = some!(text.get(row));
        let mut made = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let byte = match (first, after) {
                (b'%', [a, b, ..]) => super::bytes::nibble(*a).zip(super::bytes::nibble(*b)).map(|(a, b)| a << 4 | b),
                _ => None,
            };
            made.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
        }
        Ok(Some(String::from_utf8(made).unwrap_or_else(|_| text.to_string())))
    })
}

fn sizes(args: &Args, base: f64, units: [&str; 6]) -> Result<ArrayRef> {
    let size = args.int(0)?;
    texts(args, |row| {
        let size = some!(size.get(row));
        let sign = if size < 0 { "-" } else { "" };
        if size.unsigned_abs() < base as u64 {
            return Ok(Some(format!("{size} {}", if size.abs() == 1 { "byte" } else { "bytes" })));
        }
        let mut value = size.unsigned_abs() as f64 / base;
        let mut unit = 0;
        while value >= base && unit + 1 < units.len() {
            value /= base;
            unit += 1;
        }
        // Cut off, not rounded: 1023.99 KiB are not 1024.0.
        let value = (value * 10.0).floor() / 10.0;
        Ok(Some(format!("{sign}{value:.1} {}", units.get(unit).copied().unwrap_or_default())))
    })
}

fn binary(args: &Args) -> Result<ArrayRef> {
    sizes(args, 1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

fn decimal(args: &Args) -> Result<ArrayRef> {
    sizes(args, 1000.0, ["kB", "MB", "GB", "TB", "PB", "EB"])
}
