//! What a join is told, and what follows from it for rows.

use crate::error::{Error, Result};
use crate::ops::expr::Compiled;
use crate::ops::rows::{Canonical, Cell, RowDecoder, RowLayout};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// What comes out of a join, seen from the sides that are built and probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Whether each pair that meets is a row.
    pub pairs: bool,
    /// Which rows of the probe side come out by themselves.
    pub probe: Alone,
    /// Which rows of the build side come out by themselves.
    pub build: Alone,
}

/// Which rows of one side come out, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// None.
    No,
    /// Those that met another row.
    Matched,
    /// Those that met no other row.
    Unmatched,
    /// All, with a column that says whether they met another row.
    Marked,
}

/// Where a column of a result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The column of the probe side's batches.
    Probe(usize),
    /// The column of the build side's batches.
    Build(usize),
    /// Whether the row met another.
    Mark,
}

/// One side of a join.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its columns.
    pub schema: SchemaRef,
    /// The columns that are compared, in the same order on both sides, and of the same types.
    pub keys: Vec<usize>,
}

/// A condition beside the equality of keys.
#[derive(Clone, Debug)]
pub struct Residual {
    /// The columns that the test sees.
    pub columns: Vec<From>,
    /// Their names and types.
    pub schema: SchemaRef,
    /// The condition.
    pub test: Compiled,
}

/// A join as it is asked for.
pub struct Join {
    /// What comes out.
    pub kind: Kind,
    /// The side that is kept.
    pub build: Input,
    /// The side that streams.
    pub probe: Input,
    /// A condition beside the equality of keys.
    pub residual: Option<Residual>,
    /// Whether null keys are equal.
    pub null_equals_null: bool,
    /// Whether a null key on either side makes the answer unknown, so that no row comes out (`NOT IN`); only where
    /// unmatched rows of the probe side come out.
    pub null_aware: bool,
    /// Where the columns of the result come from.
    pub columns: Vec<From>,
    /// The names and types of the result.
    pub output: SchemaRef,
    /// log2 of the number of partitions of a large build side.
    pub bits: u32,
    /// Bytes that the tasks of the probe side's pipeline have in flight, all together.
    pub beside: usize,
    /// Bytes that one of those tasks holds at least: without them nobody probes.
    pub least: usize,
    /// Joins of the query that have not decided yet which partitions become tables.
    pub undecided: Arc<AtomicUsize>,
}

/// What is fixed while a join runs.
pub(super) struct Plan {
    pub join: Join,
    /// Rows of the build side: hash or link, keys, other columns.
    pub build: Side,
    /// Rows of the probe side that wait for their partition: hash, keys, other columns.
    pub probe: Side,
    /// The keys of the probe side alone.
    pub key: RowLayout,
    /// For each key: its cell, its place in a key row, its place in a build row.
    pub cells: Vec<(Cell, usize, usize)>,
}

/// How rows of one side are kept.
pub(super) struct Side {
    pub layout: RowLayout,
    /// For each column of the rows, the column of the batches.
    pub columns: Vec<usize>,
    /// For each column of the batches, the column of the rows.
    place: Vec<usize>,
    keys: usize,
    schema: SchemaRef,
}

/// How keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    /// One value of eight bytes, at this place of a build row.
    Eight(usize),
    /// One value of four bytes, at this place of a build row.
    Four(usize),
    /// Anything else.
    Cells,
}

impl Side {
    fn new(input: &Input) -> Result<Side> {
        let fields = input.schema.fields();
        let mut columns: Vec<usize> = Vec::new();
        for key in &input.keys {
            // A column that is two keys is kept twice: keys are found by their number.
            columns.push(*key);
        }
        columns.extend((0..fields.len()).filter(|c| !input.keys.contains(c)));
        let types: Option<Vec<DataType>> =
            columns.iter().map(|c| fields.get(*c).map(|f| f.data_type().clone())).collect();
        let types = types.ok_or_else(|| Error::internal("a join's key is not in its input"))?;
        let layout = RowLayout::with_keys(&types, input.keys.len(), 8);
        RowDecoder::new(&layout)?;
        let place = (0..fields.len()).map(|c| columns.iter().position(|x| *x == c).unwrap_or(0)).collect();
        Ok(Side { layout, columns, place, keys: input.keys.len(), schema: input.schema.clone() })
    }

    /// Where the hash or link of a row is.
    #[inline(always)]
    pub fn prefix(&self) -> usize {
        self.layout.head_bytes()
    }

    /// The row column that holds a column of the batches.
    pub fn place(&self, column: usize) -> usize {
        self.place.get(column).copied().unwrap_or(usize::MAX)
    }

    /// Whether a key of the row is null.
    #[inline(always)]
    pub fn has_null_key(&self, row: &[u8]) -> bool {
        let whole = self.keys / 8;
        let rest = (1u8 << (self.keys % 8)) - 1;
        row[4..4 + whole].iter().any(|b| *b != 0) || (rest != 0 && row[4 + whole] & rest != 0)
    }

    /// The columns of `batch` in the order of rows.
    pub fn columns_of(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let column = |c: &usize| batch.columns().get(*c).cloned();
        let columns: Option<Vec<_>> = self.columns.iter().map(column).collect();
        columns.ok_or_else(|| Error::internal("a join's input lacks a column"))
    }

    /// The batch that `rows` were made of.
    pub fn batch(&self, decoder: &RowDecoder, rows: &[&[u8]]) -> Result<RecordBatch> {
        let columns = (0..self.place.len()).map(|c| decoder.column(self.place(c), rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

impl Plan {
    pub fn new(join: Join) -> Result<Plan> {
        let (build, probe) = (Side::new(&join.build)?, Side::new(&join.probe)?);
        let keys = join.probe.keys.len();
        if build.layout.types()[..join.build.keys.len()] != probe.layout.types()[..keys] {
            return Err(Error::internal("the keys of a join have different types"));
        }
        if join.null_aware && (join.residual.is_some() || join.kind.probe != Alone::Unmatched || keys != 1) {
            return Err(Error::unsupported("NOT IN with further conditions on both sides is not supported yet"));
        }
        let key = RowLayout::new(&probe.layout.types()[..keys]);
        let cells = key.cells().zip(build.layout.cells()).map(|((cell, a), (_, b))| (cell, a, b)).collect();
        Ok(Plan { join, build, probe, key, cells })
    }

    /// The types of the keys.
    pub fn key_types(&self) -> &[DataType] {
        self.key.types()
    }

    pub fn compare(&self) -> Compare {
        match self.cells.as_slice() {
            [(Cell::Fixed(8, Canonical::Already), _, place)] if !self.join.null_equals_null => Compare::Eight(*place),
            [(Cell::Fixed(4, Canonical::Already), _, place)] if !self.join.null_equals_null => Compare::Four(*place),
            _ => Compare::Cells,
        }
    }

    /// Whether rows of the build side with a null key are of no use.
    pub fn drops_nulls(&self) -> bool {
        !self.join.null_equals_null && matches!(self.join.kind.build, Alone::No | Alone::Matched)
    }

    /// Whether it must be known which rows of the build side met another.
    pub fn flags(&self) -> bool {
        self.join.kind.build != Alone::No
    }

    /// Whether the key row `key` and the build row `row` have equal keys.
    #[inline(always)]
    pub fn same(&self, key: &[u8], row: &[u8]) -> bool {
        let nulls = self.cells.len();
        for (i, byte) in (0..nulls.div_ceil(8)).enumerate() {
            let bits = (nulls - i * 8).min(8);
            let mask = if bits == 8 { u8::MAX } else { (1 << bits) - 1 };
            if key[4 + byte] & mask != row[4 + byte] & mask {
                return false;
            }
        }
        let (key_cells, row_cells) = (self.key.cells_at(), self.build.layout.cells_at());
        self.cells.iter().all(|(cell, a, b)| match cell {
            Cell::Bool => key[*a] == row[*b],
            Cell::Fixed(width, _) => key[*a..*a + width] == row[*b..*b + width],
            Cell::Bytes | Cell::Opaque => bytes(key, *a, key_cells) == bytes(row, *b, row_cells),
        })
    }
}

#[inline(always)]
fn bytes(row: &[u8], at: usize, cells_at: usize) -> &[u8] {
    let word = |at: usize| row[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
    let (offset, length) = (cells_at + word(at), word(at + 4));
    &row[offset..offset + length]
}

/// The eight bytes at `at` of a row.
#[inline(always)]
pub(super) fn word(row: &[u8], at: usize) -> u64 {
    row.get(at..).and_then(|r| r.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}
