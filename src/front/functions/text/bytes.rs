//! Bytes as text: hexadecimal, binary, base64, other bases.

use super::super::args::{Args, blobs, some, texts};
use super::super::row::{Gives, Row, is_text};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "hex",
        "text | blob | integer",
        Gives::Text,
        hex,
        "Bytes, or an integer, in hexadecimal digits.",
        "hex('abc') --> 616263",
    )
    .also(&["to_hex"]),
    Row::new("unhex", "text", Gives::Blob, unhex, "The bytes of hexadecimal digits.", "unhex('616263') --> abc")
        .also(&["from_hex"]),
    Row::new("bin", "text | integer", Gives::Text, bin, "Bytes, or an integer, in binary digits.", "bin(5) --> 101")
        .also(&["to_binary"]),
    Row::new("to_base64", "blob | text", Gives::Text, base64, "Bytes in base64.", "to_base64('abc'::blob) --> YWJj")
        .also(&["base64"]),
    Row::new("from_base64", "text", Gives::Blob, from_base64, "The bytes of base64.", "from_base64('YWJj') --> abc"),
    Row::new("encode", "text", Gives::Blob, encode, "The bytes of a text in UTF-8.", "encode('aé') --> a\\xC3\\xA9"),
    Row::new("decode", "blob", Gives::Text, decode, "Bytes in UTF-8 as a text.", "decode('a\\xC3\\xA9'::blob) --> aé"),
    Row::new(
        "to_base",
        "int, int, int?",
        Gives::Text,
        to_base,
        "An integer in a base from 2 to 36, of at least so many digits.",
        "to_base(255, 16) --> FF",
    ),
];

/// The value of a hexadecimal digit.
pub(in super::super) fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Bytes of a text or a blob, row by row.
pub(super) fn bytes_of<'a>(args: &'a Args) -> Result<impl Fn(usize) -> Option<Vec<u8>> + use<'a>> {
    let text = if is_text(args.type_of(0)) { Some(args.text(0)?) } else { None };
    let blob = if text.is_none() { Some(args.blob(0)?) } else { None };
    Ok(move |row: usize| match (&text, &blob) {
        (Some(t), _) => t.get(row).map(|s| s.as_bytes().to_vec()),
        (_, Some(b)) => b.get(row).map(<[u8]>::to_vec),
        _ => None,
    })
}

pub(super) fn hex_of(bytes: &[u8], upper: bool) -> String {
    let digit = |n: u8| {
        let c = char::from_digit(u32::from(n), 16).unwrap_or('0');
        if upper { c.to_ascii_uppercase() } else { c }
    };
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn hex(args: &Args) -> Result<ArrayRef> {
    if args.type_of(0).is_integer() {
        return bits(args, |n| format!("{n:X}"));
    }
    let bytes = bytes_of(args)?;
    texts(args, |row| Ok(Some(hex_of(&some!(bytes(row)), true))))
}

/// An integer as its 64 bits.
fn bits(args: &Args, f: impl Fn(u64) -> String) -> Result<ArrayRef> {
    if args.type_of(0) == &DataType::UInt64 {
        let n = args.any(0)?;
        let values = arrow::array::AsArray::as_primitive::<arrow::datatypes::UInt64Type>(&n.array);
        return texts(args, |row| Ok(Some(f(values.value(some!(n.at(row)))))));
    }
    let n = args.int(0)?;
    texts(args, |row| Ok(Some(f(u64::from_ne_bytes(some!(n.get(row)).to_ne_bytes())))))
}

fn unhex(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    blobs(args, |row| {
        let text = some!(text.get(row));
        let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_string() };
        let pair = |p: &[u8]| match p {
            [a, b] => Some(nibble(*a)? << 4 | nibble(*b)?),
            _ => None,
        };
        match padded.as_bytes().chunks(2).map(pair).collect::<Option<Vec<u8>>>() {
            Some(bytes) => Ok(Some(bytes)),
            None => exec_err!("{text:?} is not hexadecimal"),
        }
    })
}

fn bin(args: &Args) -> Result<ArrayRef> {
    if args.type_of(0).is_integer() {
        return bits(args, |n| format!("{n:b}"));
    }
    let bytes = bytes_of(args)?;
    texts(args, |row| Ok(Some(some!(bytes(row)).iter().map(|b| format!("{b:08b}")).collect::<String>())))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(args: &Args) -> Result<ArrayRef> {
    let bytes = bytes_of(args)?;
    texts(args, |row| Ok(Some(base64_of(&some!(bytes(row))))))
}

fn base64_of(bytes: &[u8]) -> String {
    let mut made = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().chain(std::iter::repeat(&0)).take(3).fold(0u32, |n, b| n << 8 | u32::from(*b));
        for i in 0..4u32 {
            let digit = (group >> (18 - 6 * i)) & 63;
            let letter = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            made.push(if i as usize <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    made
}

fn from_base64(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    blobs(args, |row| {
        let text = some!(text.get(row));
        match bytes_of_base64(text) {
            Some(bytes) => Ok(Some(bytes)),
            None => exec_err!("{text:?} is not base64"),
        }
    })
}

fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    let mut made = Vec::with_capacity(text.len() / 4 * 3);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let groups = text.len() / 4;
    for (i, chunk) in text.as_bytes().chunks(4).enumerate() {
        let padding = chunk.iter().rev().take_while(|b| **b == b'=').count();
        if padding > 2 || (padding > 0 && i + 1 < groups) {
            return None;
        }
        let mut group = 0u32;
        for b in chunk.iter().take(4 - padding) {
            group = group << 6 | u32::try_from(ALPHABET.iter().position(|a| a == b)?).ok()?;
        }
        group <<= 6 * padding;
        let [_, bytes @ ..] = group.to_be_bytes();
        made.extend(bytes.iter().take(3 - padding));
    }
    Some(made)
}

fn encode(args: &Args) -> Result<ArrayRef> {
    let bytes = bytes_of(args)?;
    blobs(args, |row| Ok(bytes(row)))
}

fn decode(args: &Args) -> Result<ArrayRef> {
    let blob = args.blob(0)?;
    texts(args, |row| match std::str::from_utf8(some!(blob.get(row))) {
        Ok(text) => Ok(Some(text.to_string())),
        Err(_) => exec_err!("these bytes are not UTF-8"),
    })
}

fn to_base(args: &Args) -> Result<ArrayRef> {
    let (n, base, width) = (args.int(0)?, args.int(1)?, args.int_or(2, 0)?);
    texts(args, |row| {
        let (n, base, width) = (some!(n.get(row)), some!(base.get(row)), some!(width.get(row)));
        let (Ok(mut n), true, true) = (u64::try_from(n), (2..=36).contains(&base), (0..=64).contains(&width)) else {
            return exec_err!("to_base wants a number of at least 0, a base from 2 to 36, and 0 to 64 digits");
        };
        let mut digits = Vec::new();
        while n > 0 || digits.len() < usize::try_from(width).unwrap_or(0).max(1) {
            let digit = u32::try_from(n % base.unsigned_abs()).unwrap_or(0);
            digits.push(char::from_digit(digit, 36).unwrap_or('0').to_ascii_uppercase());
            n /= base.unsigned_abs();
        }
        Ok(Some(digits.into_iter().rev().collect::<String>()))
    })
}
