//! Window functions, for partitions of any size in little memory.
//!
//! Life of a row:
//! 1. `plan` has rows sorted by (partition keys, order keys, input position) with the external sort, or, without keys, kept
//!    in the input's order. One task reads them, in order ([`WindowOp`] opens the source of sorted rows).
//! 2. `keys` marks where partitions and groups of peers begin; arguments are computed; the batch goes to the end of the
//!    [`tape`](tape::Tape), which numbers rows from 0 through all partitions.
//! 3. Each window says how far it must see ahead ([`Need`]): not at all, some rows, to the end of the peers, to the end of
//!    the partition. Batches that wait for that rest on the tape, in pages, or in scratch when pages are refused.
//! 4. When all that a batch needs is there, its rows' frames are placed ([`frame`]), each window is evaluated, and the
//!    batch is put out with a column more for each window.
//! 5. What no window will look at again leaves the tape.
//!
//! ```text
//!                 frame of the row
//!               |<------------------->|
//!  ... scratch  | scratch   pages     |  pages   open     <- sorted rows
//!      ^        ^        ^            ^
//!      left     start    row put out  end
//! ```
//!
//! So functions that look back a little stream; those that must know the partition's end read it twice, from the tape. No
//! state grows with a partition or a frame: sliding aggregates keep states of one batch of rows and one for each further
//! batch ([`slide`]), values of other rows are read again from the tape ([`value`]).
//!
//! Several windows are evaluated in one pass when their partitions and orders are prefixes of one list of keys; each has
//! its own levels of it ([`Window::partition`], [`Window::peers`]).
//!
//! Known limits: one task puts out all partitions of a pass (ranges of the sort could be cut where partitions begin, then
//! one task each); aggregates without a state of fixed width (text extremes, lists, medians, distinct values) compute each
//! sliding frame anew ([`general`]).

mod aggregate;
mod feed;
mod frame;
mod general;
mod keys;
mod levels;
mod nulls;
mod place;
mod rank;
mod running;
mod slide;
mod source;
mod state;
mod tape;
mod value;

pub use place::{PlaceOp, place_fields};

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ops::expr::Compiled;
use crate::ops::{Cx, Source, SourceOp};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use std::sync::Arc;

/// Batches that a pass holds in the allocator at most: open ones at the end of the tape, read ones, the one that is put out.
pub const BATCHES: usize = tape::OPEN + tape::CACHE + 3;

/// One window function with its window. Columns are those of the tape: the sorted ones, then the computed ones.
#[derive(Clone, Debug)]
pub struct Window {
    /// What to compute.
    pub function: Function,
    /// How many keys make a partition.
    pub partition: usize,
    /// How many keys (those of the partition included) make rows peers.
    pub peers: usize,
    /// Which rows it sees.
    pub frame: Frame,
}

/// The rows that a window function sees: from `start` to `end`, both inside the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins.
    pub start: Edge,
    /// Where it ends.
    pub end: Edge,
    /// What is left out around the current row.
    pub exclude: Exclude,
}

/// What a frame leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exclude {
    /// Nothing.
    #[default]
    Nothing,
    /// The current row.
    Current,
    /// The current row and its peers.
    Group,
    /// The peers of the current row, but not itself.
    Ties,
}

/// One end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The end of the partition.
    Unbounded,
    /// So many rows after the current one (before it, if negative).
    Row(i64),
    /// The current row with its peers.
    Peers,
    /// So many groups of peers after that of the current row (before it, if negative).
    Group(i64),
    /// Rows up to a distance in the only key of the order.
    Range {
        /// The column of the key.
        key: usize,
        /// The column that says for each row which key is the last one inside.
        target: usize,
        /// How keys are ordered.
        options: SortOptions,
        /// Whether rows after the current one and its peers may be inside.
        following: bool,
    },
}

/// A window function.
#[derive(Clone, Debug)]
pub enum Function {
    /// 1 for the partition's first row, and so on.
    RowNumber,
    /// The number of the first peer.
    Rank,
    /// The number of the group of peers.
    DenseRank,
    /// (rank - 1) / (rows - 1).
    PercentRank,
    /// The share of rows up to the last peer.
    CumeDist,
    /// The number of the row's bucket, of as many as the column says.
    Ntile(usize),
    /// The value of another row of the partition.
    Shift {
        /// The column of values.
        value: usize,
        /// How far back (negative: ahead).
        back: Shift,
        /// The column of what is said where there is no such row; null, if `None`.
        default: Option<usize>,
        /// Whether rows with null are passed over.
        ignore_nulls: bool,
    },
    /// The value of a row of the frame; null where there is none.
    Nth {
        /// The column of values.
        value: usize,
        /// Which row.
        place: Place,
        /// Whether rows with null are passed over.
        ignore_nulls: bool,
    },
    /// An aggregate whose state has a fixed width.
    Aggregate {
        /// Which.
        kind: Aggregate,
        /// The columns of its arguments.
        arguments: Vec<usize>,
        /// A column of truth values: only rows with true count.
        filter: Option<usize>,
    },
    /// Any other aggregate.
    General {
        /// DataFusion's, over columns named and numbered as `arguments` are.
        aggregate: Arc<AggregateFunctionExpr>,
        /// The columns of its arguments.
        arguments: Vec<usize>,
        /// A column of truth values: only rows with true count.
        filter: Option<usize>,
    },
}

/// How far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// The same for all rows.
    By(i64),
    /// As the column says, times the factor.
    Column(usize, i64),
}

/// Which row of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first.
    First,
    /// The last.
    Last,
    /// The n-th, the same for all rows, from 1; negative counts from the end.
    Nth(i64),
    /// The n-th, as the column says.
    Column(usize),
}

/// An aggregate whose state has a fixed width: two states can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Rows for which no argument is null.
    Count,
    /// Of integers and decimals (exact) and floats (compensated).
    Sum,
    /// The sum divided by the count, as a float.
    Avg,
    /// The product, as a float.
    Product,
    /// The smallest value of a type of fixed width; NaN is the largest float.
    Min,
    /// The largest value.
    Max,
    /// The variance.
    Variance {
        /// Whether to divide by one less than the count.
        sample: bool,
        /// Whether to take the root.
        root: bool,
    },
    /// The covariance of two arguments.
    Covariance {
        /// Whether to divide by one less than the count.
        sample: bool,
    },
    /// Pearson's correlation of two arguments.
    Corr,
    /// Whether all values are true.
    BoolAnd,
    /// Whether any value is true.
    BoolOr,
    /// All bits that all integers have.
    BitAnd,
    /// All bits that any integer has.
    BitOr,
    /// Bits that an odd number of integers have.
    BitXor,
}

impl Aggregate {
    /// Whether there is a state of fixed width for arguments of these types.
    pub fn takes(self, types: &[DataType]) -> bool {
        aggregate::takes(self, types)
    }
}

/// How far ahead of a row a window must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Not at all.
    Nothing,
    /// So many rows, or to the partition's end.
    Rows(u64),
    /// To the end of its peers.
    Peers,
    /// To the end of its partition.
    Partition,
}

/// What a pass is asked for.
pub struct WindowSpec {
    /// The columns that the sort puts out.
    pub input: SchemaRef,
    /// How many of them are put out: the first ones.
    pub columns: usize,
    /// What is computed from them, as further columns of the tape.
    pub computed: Vec<Compiled>,
    /// The columns that the sort went by.
    pub keys: Vec<usize>,
    /// What to compute.
    pub windows: Vec<Window>,
    /// The columns that are put out, then one for each window.
    pub output: SchemaRef,
}

/// One pass over sorted rows. Cheap to clone.
#[derive(Clone)]
pub struct WindowOp(Arc<Shared>);

struct Shared {
    spec: WindowSpec,
    /// Numbers of keys after which a partition or a group of peers begins, ascending.
    levels: Vec<usize>,
    /// The tape's columns: sorted, computed, then a mark for each level.
    tape: SchemaRef,
    sorted: Arc<dyn SourceOp>,
    meter: Arc<Meter>,
}

impl WindowOp {
    /// The pass that `spec` says over the rows of `sorted`.
    ///
    /// # Errors
    /// `Internal`, for columns that are not there; `Unsupported`, for arguments of a type that a function does not take.
    pub fn new(spec: WindowSpec, sorted: Arc<dyn SourceOp>, meter: Arc<Meter>) -> Result<Self> {
        if spec.output.fields().len() != spec.columns + spec.windows.len() {
            return Err(Error::internal("a window's output does not have a column for each window"));
        }
        let mut levels: Vec<usize> = spec.windows.iter().flat_map(|w| [w.partition, w.peers]).collect();
        levels.sort_unstable();
        levels.dedup();
        let tape = keys::schema(&spec, &levels);
        let shared = Shared { spec, levels, tape, sorted, meter };
        shared.evaluators()?;
        Ok(WindowOp(Arc::new(shared)))
    }
}

impl Shared {
    /// The place of a number of keys among the levels.
    fn level(&self, keys: usize) -> usize {
        self.levels.partition_point(|l| *l < keys)
    }

    /// The tape's column that marks where groups of a level begin.
    fn mark(&self, level: usize) -> usize {
        self.tape.fields().len() - self.levels.len() + level
    }

    fn data_type(&self, column: usize) -> Result<&DataType> {
        let field = self.tape.fields().get(column);
        field.map(|f| f.data_type()).ok_or_else(|| Error::internal(format!("a window has no column {column}")))
    }

    fn output_type(&self, window: usize) -> Result<&DataType> {
        let field = self.spec.output.fields().get(self.spec.columns + window);
        field.map(|f| f.data_type()).ok_or_else(|| Error::internal("a window without a column"))
    }
}

impl SourceOp for WindowOp {
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Source>> {
        let sorted = self.0.sorted.open(round, index, cx)?;
        Ok(Box::new(source::Windows::new(self.0.clone(), sorted, cx)?))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.0.sorted.spill(bytes, cx)
    }
}

/// The schema of sorted columns with more behind them.
fn extended(schema: &Schema, more: impl IntoIterator<Item = arrow::datatypes::Field>) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| f.as_ref().clone()).chain(more);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
