//! Rows to columns, column by column.

use super::cell::{Cell, converter};
use super::layout::RowLayout;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayData, ArrayRef, BinaryViewArray, BooleanArray, StringViewArray};
use arrow::array::{make_array, make_view, new_null_array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow_row::RowConverter;

/// Turns rows of one layout into columns.
pub struct RowDecoder {
    layout: RowLayout,
    opaque: Vec<Option<Opaque>>,
}

impl RowDecoder {
    /// A decoder for `layout`.
    ///
    /// # Errors
    /// `Unsupported`, for a type that cannot be compared.
    pub fn new(layout: &RowLayout) -> Result<Self> {
        let opaque = layout
            .cells()
            .zip(layout.types())
            .map(|((cell, _), data_type)| (cell == Cell::Opaque).then(|| Opaque::new(data_type)).transpose());
        let opaque = opaque.collect::<Result<_>>()?;
        Ok(RowDecoder { layout: layout.clone(), opaque })
    }

    /// All columns of `rows`, in that order.
    ///
    /// # Errors
    /// `Internal`, for bytes that are not rows of this layout.
    pub fn decode(&self, rows: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        (0..self.layout.types().len()).map(|column| self.column(column, rows)).collect()
    }

    /// One column of `rows`.
    ///
    /// # Errors
    /// `Internal`, for bytes that are not rows of this layout.
    pub fn column(&self, column: usize, rows: &[&[u8]]) -> Result<ArrayRef> {
        let Some((cell, at)) = self.layout.cells().nth(column) else {
            return Err(Error::internal(format!("rows have no column {column}")));
        };
        let data_type = &self.layout.types()[column];
        let nulls = self.nulls(column, rows);
        match (cell, &self.opaque[column]) {
            (Cell::Bool, _) => {
                let values = BooleanBuffer::collect_bool(rows.len(), |r| rows[r][at] != 0);
                Ok(std::sync::Arc::new(BooleanArray::new(values, nulls)))
            }
            (Cell::Fixed(width, _), _) => fixed(data_type, width, at, rows, nulls),
            (Cell::Opaque, Some(Opaque { converter, null })) => {
                let parser = converter.parser();
                let cells = rows.iter().map(|row| match self.layout.is_null(row, column) {
                    true => parser.parse(null),
                    false => parser.parse(bytes_at(row, at, self.layout.cells_at())),
                });
                let array = converter.convert_rows(cells)?.swap_remove(0);
                if array.data_type() == data_type { Ok(array) } else { Ok(cast(&array, data_type)?) }
            }
            _ => text(data_type, at, self.layout.cells_at(), rows, nulls),
        }
    }

    fn nulls(&self, column: usize, rows: &[&[u8]]) -> Option<NullBuffer> {
        let valid = BooleanBuffer::collect_bool(rows.len(), |r| !self.layout.is_null(rows[r], column));
        Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0)
    }
}

/// A converter and its encoding of a null, which rows do not store.
struct Opaque {
    converter: RowConverter,
    null: Vec<u8>,
}

impl Opaque {
    fn new(data_type: &DataType) -> Result<Self> {
        let converter = converter(data_type)?;
        let null = converter.convert_columns(&[new_null_array(data_type, 1)])?.row(0).as_ref().to_vec();
        Ok(Opaque { converter, null })
    }
}

/// The bytes that the cell at `at` refers to.
pub(super) fn bytes_at(row: &[u8], at: usize, cells_at: usize) -> &[u8] {
    let word = |at: usize| row[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
    let (offset, length) = (cells_at + word(at), word(at + 4));
    &row[offset..offset + length]
}

fn fixed(data_type: &DataType, width: usize, at: usize, rows: &[&[u8]], nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    fn gather<const N: usize>(rows: &[&[u8]], at: usize) -> Buffer {
        let mut out = MutableBuffer::from_len_zeroed(rows.len() * N);
        for (to, row) in out.as_slice_mut().as_chunks_mut::<N>().0.iter_mut().zip(rows) {
            to.copy_from_slice(&row[at..at + N]);
        }
        out.into()
    }
    let values = match width {
        1 => gather::<1>(rows, at),
        2 => gather::<2>(rows, at),
        4 => gather::<4>(rows, at),
        8 => gather::<8>(rows, at),
        16 => gather::<16>(rows, at),
        _ => gather::<32>(rows, at),
    };
    let data = ArrayData::builder(data_type.clone()).len(rows.len()).add_buffer(values).nulls(nulls).build()?;
    Ok(make_array(data))
}

fn text(
    data_type: &DataType,
    at: usize,
    cells_at: usize,
    rows: &[&[u8]],
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let array = views(rows.iter().map(|row| bytes_at(row, at, cells_at)), nulls, is_text(data_type))?;
    if array.data_type() == data_type { Ok(array) } else { Ok(cast(&array, data_type)?) }
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// An array of views over copies of `cells`, in buffers whose size is known before.
pub(crate) fn views<'a>(
    cells: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    nulls: Option<NullBuffer>,
    text: bool,
) -> Result<ArrayRef> {
    let long = |cell: &[u8]| if cell.len() > 12 { cell.len() } else { 0 };
    let mut views = Vec::with_capacity(cells.len());
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    let mut left: usize = cells.clone().map(long).sum();
    data.reserve_exact(left.min(BUFFER));
    for cell in cells {
        if data.len() + long(cell) > BUFFER && !data.is_empty() {
            buffers.push(Buffer::from_vec(std::mem::take(&mut data)));
            data.reserve_exact(left.min(BUFFER).max(cell.len()));
        }
        views.push(make_view(cell, buffers.len() as u32, data.len() as u32));
        data.extend_from_slice(if cell.len() > 12 { cell } else { &[] });
        left -= long(cell);
    }
    if !data.is_empty() {
        buffers.push(Buffer::from_vec(data));
    }
    let views = ScalarBuffer::from(views);
    Ok(match text {
        true => std::sync::Arc::new(StringViewArray::try_new(views, buffers, nulls)?),
        false => std::sync::Arc::new(BinaryViewArray::try_new(views, buffers, nulls)?),
    })
}

/// Most bytes in one buffer of views, unless one cell has more: an offset into it must fit 31 bits.
const BUFFER: usize = 1 << 30;
