//! Aggregates that see the rows of a group in order: lists, joined texts, histograms, and every function that has
//! nothing better than an accumulator.
//!
//! Life of a row:
//! 1. `gather`: keys, arguments and filters are put beside the hash of the keys, and go into an external
//!    [sort](crate::ops::sort) by hash, keys, the order asked for and, last, the input's position. So results are the
//!    same whatever the workers and the budget were.
//! 2. `read`: a task reads a range of the order, in which no group is cut in two, and folds each group's rows, one
//!    group after the other ([`folds`]).
//!
//! ```text
//! sorted: | keys | arguments | filters |     fold: rows, rows, close | rows, close | ...  -->  | keys | values |
//! ```
//!
//! Memory: that of the sort, and the values of the groups that are being put out: a batch of them, or one that is
//! larger. It is charged when it is there, and a value for which there is no memory ends the query.
//!
//! DISTINCT compares a row's arguments with those before it, so the order must bring equal ones together.

mod folds;
mod gather;
mod read;

pub use folds::Fold;

use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::Sizes;
use crate::ops::sort::{MergeLayout, PassLayout, SortKey, SortOp, SortSpec};
use crate::ops::{Cx, Sink, SinkOp, Source, SourceOp, Step, Task, Work};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// One aggregate.
#[derive(Clone, Debug)]
pub struct Call {
    /// What becomes of a group's rows.
    pub fold: Fold,
    /// Its arguments, as columns of the input.
    pub arguments: Vec<usize>,
    /// A column of truth values: only rows with true count.
    pub filter: Option<usize>,
    /// Whether rows whose first argument is null do not count.
    pub skip_nulls: bool,
    /// Whether of rows with equal arguments only the first counts.
    pub distinct: bool,
}

/// Aggregates over one order.
pub struct OrderedSpec {
    /// The schema of the input.
    pub input: SchemaRef,
    /// The columns to group by.
    pub groups: Vec<usize>,
    /// The order of rows in a group.
    pub order: Vec<SortKey>,
    /// What is computed.
    pub calls: Vec<Call>,
    /// A field for each group column and then for each call.
    pub output: SchemaRef,
}

/// The ordered aggregates of a query: the end of one pipeline, stages of the sort, and the beginning of the next
/// pipeline. Cheap to clone.
#[derive(Clone)]
pub struct OrderedOp(Arc<Shared>);

/// What all workers share.
struct Shared {
    sort: SortOp,
    /// Columns of the input that are sorted along: groups first, then what calls need.
    columns: Vec<usize>,
    groups: usize,
    /// Columns of the input that are only sorted by.
    keys: Vec<usize>,
    /// What goes into the sort.
    rows: SchemaRef,
    /// The calls, with columns of what comes out of the sort.
    calls: Vec<Call>,
    output: SchemaRef,
    meter: Arc<Meter>,
}

/// First bytes of a sort key that have the hash: a byte that says it is not null, and eight.
const HASH_BYTES: usize = 9;

impl OrderedOp {
    /// Aggregates as `spec` says, with pages of `page` bytes under a budget of `limit` bytes, by `threads` workers.
    ///
    /// # Errors
    /// `Unsupported`, for keys or an order of types that have none; `Internal`, for columns that are not there.
    pub fn new(
        spec: OrderedSpec,
        tuning: &Tuning,
        limit: usize,
        page: usize,
        threads: usize,
        meter: Arc<Meter>,
    ) -> Result<Self> {
        let groups = spec.groups.len();
        let mut columns = spec.groups.clone();
        let mut calls = spec.calls;
        for call in &mut calls {
            for column in call.arguments.iter_mut().chain(&mut call.filter) {
                *column = place(&mut columns, groups, *column);
            }
        }
        let keys: Vec<usize> = spec.order.iter().map(|k| k.column).collect();
        let rows = rows(&spec.input, &columns, &keys)?;
        let ascending = |column| SortKey { column, options: SortOptions { descending: false, nulls_first: false } };
        let order = spec.order.iter().enumerate();
        let order = order.map(|(i, k)| SortKey { column: columns.len() + 1 + i, options: k.options });
        let by = std::iter::once(columns.len()).chain(0..groups).map(ascending).chain(order);
        let sort = SortSpec { input: rows.clone(), columns: columns.len(), keys: by.collect(), fetch: None };
        let sort = SortOp::new(sort, tuning, limit, page, threads, meter.clone())?;
        let sort = sort.with_prefix(if groups == 0 { 0 } else { HASH_BYTES });
        Ok(OrderedOp(Arc::new(Shared { sort, columns, groups, keys, rows, calls, output: spec.output, meter })))
    }

    /// Bytes that one worker's state holds at least.
    pub fn floor(&self, tuning: &Tuning) -> usize {
        self.0.sort.floor(tuning)
    }

    /// The stage that measures what was sorted, for the passes after it.
    pub fn measured(&self) -> Arc<dyn Work> {
        Arc::new(Measure(self.0.sort.clone()))
    }

    /// The stage between sink and source.
    pub fn passes(&self) -> (PassLayout, Arc<dyn Work>) {
        self.0.sort.passes()
    }

    /// The rule of the stage that reads the result.
    pub fn layout(&self) -> MergeLayout {
        self.0.sort.layout()
    }
}

/// Where `column` is among `columns`, the first of which are groups and may have been made canonical.
fn place(columns: &mut Vec<usize>, groups: usize, column: usize) -> usize {
    match columns.iter().skip(groups).position(|c| *c == column) {
        Some(at) => groups + at,
        None => {
            columns.push(column);
            columns.len() - 1
        }
    }
}

/// The columns that go into the sort: those that come out again, the hash, those that are only sorted by.
fn rows(input: &SchemaRef, columns: &[usize], keys: &[usize]) -> Result<SchemaRef> {
    let field = |name: &str, i: usize, column: &usize| {
        let field = input.fields().get(*column);
        let field = field.ok_or_else(|| Error::internal(format!("an aggregate's input has no column {column}")))?;
        Ok::<_, Error>(Field::new(format!("{name}{i}"), field.data_type().clone(), true))
    };
    let mut fields = columns.iter().enumerate().map(|(i, c)| field("c", i, c)).collect::<Result<Vec<_>>>()?;
    fields.push(Field::new("hash", DataType::UInt64, false));
    for (i, key) in keys.iter().enumerate() {
        fields.push(field("k", i, key)?);
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// A stage that only says what the sort has at rest.
struct Measure(SortOp);

struct Nothing;

impl Work for Measure {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Task>> {
        Ok(Box::new(Nothing))
    }

    fn sizes(&self) -> Sizes {
        self.0.sizes()
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        SinkOp::spill(&self.0, bytes, cx)
    }
}

impl Task for Nothing {
    fn step(&mut self, _cx: &Cx) -> Result<Step> {
        Ok(Step::Done)
    }
}

impl SinkOp for OrderedOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        Ok(Box::new(gather::Gather::new(self.0.clone(), self.0.sort.local(cx)?, cx)?))
    }

    fn finish(&self, cx: &Cx) -> Result<Sizes> {
        SinkOp::finish(&self.0.sort, cx)
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        SinkOp::spill(&self.0.sort, bytes, cx)
    }
}

impl SourceOp for OrderedOp {
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Source>> {
        let sorted = self.0.sort.open(round, index, cx)?;
        Ok(Box::new(read::Read::new(self.0.clone(), sorted, index, cx)?))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        SourceOp::spill(&self.0.sort, bytes, cx)
    }
}

#[cfg(test)]
mod tests;
