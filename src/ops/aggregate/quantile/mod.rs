//! Medians and other quantiles of groups, exact, for any number of values in little memory.
//!
//! Nothing can be said of a median before all values of its group are there, so nothing is aggregated on the way:
//!
//! 1. The first phase of an aggregate ([`super::partial`]) makes a row of every input row, without looking any group up:
//!    the state of a maximum of one value is that value. Rows go to the radix partition of their key, and to scratch.
//! 2. `resolve`: the rows of one partition are loaded, numbered by group, and their values put together group by group;
//!    a quantile is then one selection in a slice. A partition that does not fit is divided by further bits of the hash.
//! 3. `giant`: where a division divides nothing, the rows of one key are put apart; their quantiles are found digit by
//!    digit, from histograms, in a few passes over scratch that need no memory for values.
//!
//! ```text
//! row: | length, null bits | hash | words of values, whose order is theirs | flags: 1 is not null | key |
//! ```
//!
//! Results are sums of nothing: the middle of two floats is computed in their type, of two integers and decimals exactly,
//! cut off towards zero. Does not cover: quantiles of text and of decimals of more than 38 digits.

mod giant;
mod pick;
mod resolve;

pub use pick::Rank;

use super::input::{Order, Shape};
use super::plan::{Aggregate, Function};
use super::{AggregateLayout, AggregateOp};
use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::Sizes;
use crate::ops::{Cx, Sink, SinkOp, Source, SourceOp};
use arrow::datatypes::{DataType, SchemaRef};
use std::sync::Arc;

/// A quantile of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The column of the input; nulls are passed over.
    pub argument: usize,
    /// Which of its values.
    pub rank: Rank,
}

/// The quantiles of a query: the end of one pipeline and the beginning of the next. Cheap to clone.
#[derive(Clone)]
pub struct QuantileOp {
    rows: AggregateOp,
    quantiles: Arc<[Wanted]>,
}

/// A quantile of the values in a part of the rows.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    part: usize,
    order: Order,
    rank: Rank,
}

impl QuantileOp {
    /// Groups batches of schema `input` by the columns `groups`. `output` has a field for each group column and then for
    /// each quantile, of the type of its argument. `limit` is the budget's, in bytes.
    ///
    /// # Errors
    /// `Unsupported`, for arguments whose type has no such quantile, and keys without order.
    pub fn new(
        input: &SchemaRef,
        groups: Vec<usize>,
        quantiles: &[Quantile],
        output: SchemaRef,
        tuning: &Tuning,
        limit: usize,
        meter: Arc<Meter>,
    ) -> Result<Self> {
        let mut columns: Vec<usize> = quantiles.iter().map(|q| q.argument).collect();
        columns.sort_unstable();
        columns.dedup();
        let values = |c: &usize| Aggregate { function: Function::Max, arguments: vec![*c], filter: None };
        let fields = groups.iter().chain(&columns).map(|c| input.fields().get(*c).cloned());
        let fields = fields.collect::<Option<Vec<_>>>().ok_or_else(|| Error::internal("a quantile has no column"))?;
        let kept: Vec<Aggregate> = columns.iter().map(values).collect();
        let rows = arrow::datatypes::Schema::new(fields);
        let mut plan = super::plan::Plan::new(input, groups, &kept, Arc::new(rows), tuning, limit)?;
        plan.each_row = true;
        plan.output = output;
        let wanted = quantiles.iter().map(|q| {
            let part = columns.iter().position(|c| *c == q.argument).unwrap_or_default();
            wanted(&plan, part, q.rank, input.field(q.argument).data_type())
        });
        let quantiles = wanted.collect::<Result<_>>()?;
        Ok(QuantileOp { rows: AggregateOp::planned(plan, meter)?, quantiles })
    }

    /// Bytes that one worker's state holds at least, with pages of `page_bytes`.
    pub fn floor(&self, page_bytes: usize, tuning: &Tuning) -> usize {
        self.rows.floor(page_bytes, tuning)
    }

    /// The rule of the stage that reads the result, with pages of `page_bytes`.
    pub fn layout(&self, page_bytes: usize) -> AggregateLayout {
        let layout = self.rows.layout(page_bytes);
        AggregateLayout { floor: layout.floor + giant::bytes(self.quantiles.len()), ..layout }
    }
}

fn wanted(plan: &super::plan::Plan, part: usize, rank: Rank, data_type: &DataType) -> Result<Wanted> {
    let order = plan.parts.get(part).and_then(|p| plan.inputs.get(p.input)).map(|i| &i.shape);
    match order {
        Some(Shape::Order(order)) if rank.is_of(data_type) => Ok(Wanted { part, order: *order, rank }),
        _ => Err(Error::unsupported(format!("quantiles of {data_type}"))),
    }
}

impl SinkOp for QuantileOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Sink>> {
        self.rows.local(cx)
    }

    fn finish(&self, cx: &Cx) -> Result<Sizes> {
        SinkOp::finish(&self.rows, cx)
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        SinkOp::spill(&self.rows, bytes, cx)
    }
}

impl SourceOp for QuantileOp {
    /// Tasks take partitions from one queue, so any number of them yields all groups.
    fn open(&self, _round: u32, _index: usize, cx: &Cx) -> Result<Box<dyn Source>> {
        Ok(Box::new(resolve::Resolve::new(self.rows.0.clone(), self.quantiles.clone(), cx)?))
    }

    fn spill(&self, bytes: usize, cx: &Cx) -> Result<usize> {
        SinkOp::spill(&self.rows, bytes, cx)
    }
}

#[cfg(test)]
mod tests;
