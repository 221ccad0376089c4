//! Declared types that the parsers do not make themselves: parsed as the nearest type that they do, then cast.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};

/// The type that text is parsed as when `wanted` is.
///
/// # Errors
/// Text cannot be read as `wanted`.
pub(in crate::formats) fn base_type(wanted: &DataType) -> Result<DataType> {
    use DataType::*;
    Ok(match wanted {
        Boolean | Int64 | Float64 | Date32 | Utf8View => wanted.clone(),
        Decimal128(_, scale) if *scale >= 0 => wanted.clone(),
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => Int64,
        UInt64 => Decimal128(38, 0),
        Float16 | Float32 => Float64,
        Date64 => Date32,
        Utf8 | LargeUtf8 => Utf8View,
        Timestamp(_, zone) => Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into())),
        other => return Err(Error::unsupported(format!("reading text as {other}"))),
    })
}

/// Casts a parsed column to the type that was declared.
///
/// # Errors
/// A value does not fit.
pub(in crate::formats) fn narrow(parsed: ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if parsed.data_type() == wanted {
        return Ok(parsed);
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&parsed, wanted, &strict)
        .map_err(|e| Error::data(format!("a value does not fit its declared type {wanted}: {e}")))
}

/// As [`narrow`], but values that do not fit are null; answers with their rows too.
///
/// # Errors
/// A cast that there is not.
pub(in crate::formats) fn narrowed(parsed: ArrayRef, wanted: &DataType) -> Result<(ArrayRef, Vec<usize>)> {
    if parsed.data_type() == wanted {
        return Ok((parsed, Vec::new()));
    }
    let safe = CastOptions { safe: true, ..CastOptions::default() };
    let array = cast_with_options(&parsed, wanted, &safe)?;
    let lost = (0..array.len()).filter(|row| array.is_null(*row) && parsed.is_valid(*row)).collect();
    Ok((array, lost))
}
