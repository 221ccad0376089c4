//! Where each cell of a row is.

use super::cell::{Canonical, Cell};
use arrow::datatypes::DataType;

/// The places of cells in rows of some columns. See the module's head for the picture.
#[derive(Clone, Debug)]
pub struct RowLayout {
    types: Vec<DataType>,
    cells: Vec<Cell>,
    /// Of each cell, from the row's first byte.
    places: Vec<usize>,
    head: usize,
    prefix: usize,
    fixed: usize,
}

impl RowLayout {
    /// Rows of columns of these types, without a prefix.
    pub fn new(types: &[DataType]) -> Self {
        Self::with_prefix(types, 0)
    }

    /// Rows that keep `prefix` bytes (rounded up to 8) for the operator between null bits and cells.
    pub fn with_prefix(types: &[DataType], prefix: usize) -> Self {
        let cells: Vec<Cell> = types.iter().map(Cell::of).collect();
        let head = (4 + types.len().div_ceil(8)).next_multiple_of(8);
        let prefix = prefix.next_multiple_of(8);
        let mut at = head + prefix;
        let mut places = vec![0; cells.len()];
        // The widest first: then no cell straddles an 8-byte boundary and narrow ones share a word.
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(cells[*i].width()));
        for i in order {
            places[i] = at;
            at += cells[i].width();
        }
        let fixed = at.next_multiple_of(8) - head - prefix;
        RowLayout { types: types.to_vec(), cells, places, head, prefix, fixed }
    }

    /// As [`with_prefix`](Self::with_prefix), but only the first `keys` columns are compared: floats of the others keep
    /// their bits.
    pub fn with_keys(types: &[DataType], keys: usize, prefix: usize) -> Self {
        let mut layout = Self::with_prefix(types, prefix);
        for cell in layout.cells.iter_mut().skip(keys) {
            if let Cell::Fixed(width, _) = *cell {
                *cell = Cell::Fixed(width, Canonical::Already);
            }
        }
        layout
    }

    /// The types of the columns.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Bytes of length and null bits.
    pub fn head_bytes(&self) -> usize {
        self.head
    }

    /// Bytes that belong to the operator, after the head.
    pub fn prefix(&self) -> usize {
        self.prefix
    }

    /// Where the cells begin: head and prefix.
    pub fn cells_at(&self) -> usize {
        self.head + self.prefix
    }

    /// Bytes of the fixed parts of all cells.
    pub fn fixed_bytes(&self) -> usize {
        self.fixed
    }

    /// The length of every row, if there is no text or other cell of varying length.
    pub fn constant_length(&self) -> Option<usize> {
        (!self.cells.iter().any(|c| c.is_var())).then_some(self.cells_at() + self.fixed)
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = (Cell, usize)> + '_ {
        self.cells.iter().copied().zip(self.places.iter().copied())
    }

    /// Whether the cell of `column` is null in `row`.
    pub fn is_null(&self, row: &[u8], column: usize) -> bool {
        row[4 + column / 8] >> (column % 8) & 1 == 1
    }
}
