//! Columns to rows, column by column.

use super::cell::{Canonical, Cell, converter, has_nulls, raw_values};
use super::layout::RowLayout;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{ArrowPrimitiveType, Float16Type, StringViewType};
use arrow::datatypes::{BinaryViewType, ByteArrayType, ByteViewType, DataType, GenericBinaryType, GenericStringType};
use arrow_row::{RowConverter, Rows as ConvertedRows};

/// The rows of one batch, one after the other.
#[derive(Debug, Default)]
pub struct EncodedRows {
    bytes: Vec<u8>,
    /// Where each row begins, and the end.
    starts: Vec<u32>,
}

impl EncodedRows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a row.
    #[inline(always)]
    pub fn row(&self, index: usize) -> &[u8] {
        &self.bytes[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// All rows, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Turns columns into rows of one layout. Keeps buffers between batches; one a worker.
pub struct RowEncoder {
    layout: RowLayout,
    /// For each opaque column.
    converters: Vec<Option<RowConverter>>,
    /// Of each row: where its next bytes go, from the first fixed cell.
    cursors: Vec<u32>,
}

impl RowEncoder {
    /// An encoder for `layout`.
    ///
    /// # Errors
    /// `Unsupported`, for a type that cannot be compared.
    pub fn new(layout: &RowLayout) -> Result<Self> {
        let converters = layout
            .cells()
            .zip(layout.types())
            .map(|((cell, _), data_type)| (cell == Cell::Opaque).then(|| converter(data_type)).transpose());
        let converters = converters.collect::<Result<_>>()?;
        Ok(RowEncoder { layout: layout.clone(), converters, cursors: Vec::new() })
    }

    /// Writes `rows` rows of `columns` (which have the layout's types) into `out`; the prefix is left zero.
    ///
    /// # Errors
    /// `Resources`, for a row of 2 GiB or a batch of 4 GiB.
    pub fn encode(&mut self, columns: &[ArrayRef], rows: usize, out: &mut EncodedRows) -> Result<()> {
        let converted = self.convert(columns)?;
        self.place(columns, &converted, rows, out)?;
        let to = Target { starts: &out.starts, cells_at: self.layout.cells_at() };
        for (i, ((cell, place), column)) in self.layout.cells().zip(columns).enumerate() {
            match (cell, &converted[i]) {
                (Cell::Bool, _) => to.bools(column, place, &mut out.bytes),
                (Cell::Fixed(width, canonical), _) => to.fixed(column, width, canonical, place, &mut out.bytes),
                (Cell::Opaque, Some(rows)) => {
                    let cells = (0..rows.num_rows()).map(|r| (column.is_valid(r)).then(|| rows.row(r)));
                    to.var(cells, place, &mut self.cursors, &mut out.bytes)
                }
                _ => for_bytes(column, Write { to: &to, place, cursors: &mut self.cursors, bytes: &mut out.bytes }),
            }
            if has_nulls(column) {
                to.nulls(column, i, &mut out.bytes);
            }
        }
        Ok(())
    }

    fn convert(&mut self, columns: &[ArrayRef]) -> Result<Vec<Option<ConvertedRows>>> {
        let pairs = self.converters.iter_mut().zip(columns);
        pairs
            .map(|(converter, column)| match converter {
                Some(converter) => Ok(Some(converter.convert_columns(std::slice::from_ref(column))?)),
                None => Ok(None),
            })
            .collect()
    }

    /// Decides where rows begin, zeroes them and writes their lengths.
    fn place(
        &mut self,
        columns: &[ArrayRef],
        converted: &[Option<ConvertedRows>],
        rows: usize,
        out: &mut EncodedRows,
    ) -> Result<()> {
        out.starts.clear();
        out.bytes.clear();
        let base = self.layout.cells_at() + self.layout.fixed_bytes();
        if self.layout.constant_length().is_some() {
            let total = u32::try_from(base * rows).map_err(|_| too_large())?;
            out.starts.extend((0..=rows).map(|i| (i * base) as u32));
            out.bytes.resize(total as usize, 0);
            for row in out.bytes.chunks_exact_mut(base) {
                row[..4].copy_from_slice(&(base as u32).to_le_bytes());
            }
            return Ok(());
        }
        let mut lengths = vec![base as u64; rows];
        for ((cell, _), (column, converted)) in self.layout.cells().zip(columns.iter().zip(converted)) {
            match (cell, converted) {
                (Cell::Opaque, Some(cells)) => {
                    for (r, length) in lengths.iter_mut().enumerate().filter(|(r, _)| column.is_valid(*r)) {
                        *length += cells.row(r).as_ref().len() as u64;
                    }
                }
                (Cell::Bytes, _) => for_bytes(column, Measure { lengths: &mut lengths }),
                _ => {}
            }
        }
        let mut at = 0u32;
        out.starts.push(0);
        for length in &mut lengths {
            *length = length.next_multiple_of(8);
            let end = u64::from(at) + *length;
            at = u32::try_from(end).ok().filter(|_| *length < 1 << 31).ok_or_else(too_large)?;
            out.starts.push(at);
        }
        out.bytes.resize(at as usize, 0);
        for (start, length) in out.starts.iter().zip(&lengths) {
            let start = *start as usize;
            out.bytes[start..start + 4].copy_from_slice(&(*length as u32).to_le_bytes());
        }
        self.cursors.clear();
        self.cursors.resize(rows, self.layout.fixed_bytes() as u32);
        Ok(())
    }
}

fn too_large() -> Error {
    Error::resources("a row has more than 2 GiB, or a batch of rows more than 4 GiB").advise("make batches smaller")
}

/// Where the cells of a batch go.
struct Target<'a> {
    starts: &'a [u32],
    cells_at: usize,
}

impl Target<'_> {
    fn nulls(&self, column: &ArrayRef, index: usize, bytes: &mut [u8]) {
        for (r, start) in self.starts[..column.len()].iter().enumerate() {
            bytes[*start as usize + 4 + index / 8] |= u8::from(column.is_null(r)) << (index % 8);
        }
    }

    fn bools(&self, column: &ArrayRef, place: usize, bytes: &mut [u8]) {
        let values = column.as_boolean();
        for (r, start) in self.starts[..column.len()].iter().enumerate() {
            bytes[*start as usize + place] = u8::from(values.is_valid(r) && values.value(r));
        }
    }

    fn fixed(&self, column: &ArrayRef, width: usize, canonical: Canonical, place: usize, bytes: &mut [u8]) {
        let data = column.to_data();
        let raw = raw_values(&data, width);
        match (width, canonical) {
            (1, _) => self.copy(column, raw, place, bytes, |v: [u8; 1]| v),
            (2, Canonical::F16) => self.copy(column, raw, place, bytes, canonical_f16),
            (2, _) => self.copy(column, raw, place, bytes, |v: [u8; 2]| v),
            (4, Canonical::F32) => self.copy(column, raw, place, bytes, canonical_f32),
            (4, _) => self.copy(column, raw, place, bytes, |v: [u8; 4]| v),
            (8, Canonical::F64) => self.copy(column, raw, place, bytes, canonical_f64),
            (8, _) => self.copy(column, raw, place, bytes, |v: [u8; 8]| v),
            (16, _) => self.copy(column, raw, place, bytes, |v: [u8; 16]| v),
            _ => self.copy(column, raw, place, bytes, |v: [u8; 32]| v),
        }
    }

    fn copy<const N: usize>(
        &self,
        column: &ArrayRef,
        raw: &[u8],
        place: usize,
        bytes: &mut [u8],
        canonical: impl Fn([u8; N]) -> [u8; N],
    ) {
        let values = raw.as_chunks::<N>().0;
        if has_nulls(column) {
            for (r, (start, value)) in self.starts.iter().zip(values).enumerate() {
                if column.is_valid(r) {
                    let at = *start as usize + place;
                    bytes[at..at + N].copy_from_slice(&canonical(*value));
                }
            }
        } else {
            for (start, value) in self.starts.iter().zip(values) {
                let at = *start as usize + place;
                bytes[at..at + N].copy_from_slice(&canonical(*value));
            }
        }
    }

    fn var<T: AsRef<[u8]>>(
        &self,
        cells: impl Iterator<Item = Option<T>>,
        place: usize,
        cursors: &mut [u32],
        bytes: &mut [u8],
    ) {
        for ((cell, start), cursor) in cells.zip(self.starts).zip(cursors) {
            let Some(cell) = cell else { continue };
            let (cell, start) = (cell.as_ref(), *start as usize);
            let at = start + place;
            bytes[at..at + 4].copy_from_slice(&cursor.to_le_bytes());
            bytes[at + 4..at + 8].copy_from_slice(&(cell.len() as u32).to_le_bytes());
            let to = start + self.cells_at + *cursor as usize;
            bytes[to..to + cell.len()].copy_from_slice(cell);
            *cursor += cell.len() as u32;
        }
    }
}

/// Something done with every cell of a text or binary column, whatever its representation.
trait BytesVisitor {
    fn visit<T: AsRef<[u8]>>(self, cells: impl Iterator<Item = Option<T>>);
}

struct Measure<'a> {
    lengths: &'a mut [u64],
}

impl BytesVisitor for Measure<'_> {
    fn visit<T: AsRef<[u8]>>(self, cells: impl Iterator<Item = Option<T>>) {
        for (length, cell) in self.lengths.iter_mut().zip(cells) {
            *length += cell.map_or(0, |c| c.as_ref().len() as u64);
        }
    }
}

struct Write<'a, 'b> {
    to: &'a Target<'b>,
    place: usize,
    cursors: &'a mut [u32],
    bytes: &'a mut [u8],
}

impl BytesVisitor for Write<'_, '_> {
    fn visit<T: AsRef<[u8]>>(self, cells: impl Iterator<Item = Option<T>>) {
        self.to.var(cells, self.place, self.cursors, self.bytes)
    }
}

fn for_bytes(column: &ArrayRef, visitor: impl BytesVisitor) {
    fn views<T: ByteViewType>(column: &ArrayRef, visitor: impl BytesVisitor)
    where
        T::Native: AsRef<[u8]>,
    {
        visitor.visit(column.as_byte_view::<T>().iter())
    }
    fn offsets<T: ByteArrayType>(column: &ArrayRef, visitor: impl BytesVisitor)
    where
        T::Native: AsRef<[u8]>,
    {
        visitor.visit(column.as_bytes::<T>().iter())
    }
    match column.data_type() {
        DataType::Utf8View => views::<StringViewType>(column, visitor),
        DataType::BinaryView => views::<BinaryViewType>(column, visitor),
        DataType::Utf8 => offsets::<GenericStringType<i32>>(column, visitor),
        DataType::LargeUtf8 => offsets::<GenericStringType<i64>>(column, visitor),
        DataType::Binary => offsets::<GenericBinaryType<i32>>(column, visitor),
        DataType::LargeBinary => offsets::<GenericBinaryType<i64>>(column, visitor),
        _ => {}
    }
}

type Half = <Float16Type as ArrowPrimitiveType>::Native;

pub(crate) fn canonical_f16(v: [u8; 2]) -> [u8; 2] {
    let x = Half::from_le_bytes(v);
    if x.is_nan() {
        Half::NAN.to_le_bytes()
    } else if x == Half::ZERO {
        [0; 2]
    } else {
        v
    }
}

pub(crate) fn canonical_f32(v: [u8; 4]) -> [u8; 4] {
    let x = f32::from_le_bytes(v);
    if x.is_nan() { f32::NAN.to_le_bytes() } else { (x + 0.0).to_le_bytes() }
}

pub(crate) fn canonical_f64(v: [u8; 8]) -> [u8; 8] {
    let x = f64::from_le_bytes(v);
    if x.is_nan() { f64::NAN.to_le_bytes() } else { (x + 0.0).to_le_bytes() }
}
