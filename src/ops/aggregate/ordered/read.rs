//! The second phase: one range of the sorted rows becomes groups with their values.
//!
//! A batch of sorted rows is cut where keys change. Each call keeps the rows that count for it (filter, nulls,
//! DISTINCT), and folds what is left, piece by piece; where a group ends, all folds are closed. Values go out when they
//! make a batch.

use super::folds::Folding;
use super::folds::pieces::Pieces;
use super::{Call, Shared};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::ops::sort::canonical;
use crate::ops::{Cx, Pull, Source, Starved};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_row::{RowConverter, Rows, SortField};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// The source of one task.
pub(super) struct Read {
    shared: Arc<Shared>,
    sorted: Box<dyn Source>,
    /// Whether there is one group though there is no row.
    one: bool,
    reservation: Arc<Reservation>,
    /// Bytes charged for folds.
    charged: usize,
    keys: Changes,
    /// The keys of the groups that were begun since the last batch went out.
    groups: Vec<Pieces>,
    calls: Vec<Reader>,
    /// Groups begun since the last batch went out.
    begun: usize,
    out: VecDeque<Batch>,
    ended: bool,
}

/// One call and what it has seen.
struct Reader {
    call: Call,
    fold: Box<dyn Folding>,
    /// The last row that counted, where equal rows count once.
    last: Option<Changes>,
}

/// Tells where rows differ from those before them.
struct Changes {
    converter: Option<RowConverter>,
    /// The last row, as bytes.
    last: Option<Vec<u8>>,
}

impl Changes {
    fn new(fields: impl Iterator<Item = arrow::datatypes::DataType>) -> Result<Self> {
        let fields: Vec<SortField> = fields.map(SortField::new).collect();
        let converter = match fields.is_empty() {
            true => None,
            false => Some(RowConverter::new(fields)?),
        };
        Ok(Changes { converter, last: None })
    }

    /// For each row whether it differs from the one before it; the first row of all does.
    fn of(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<bool>> {
        let Some(converter) = &self.converter else {
            let mut changes = vec![false; rows];
            if let (Some(first), None) = (changes.first_mut(), &self.last) {
                *first = true;
                self.last = Some(Vec::new());
            }
            return Ok(changes);
        };
        let bytes: Rows = converter.convert_columns(columns)?;
        let mut changes = Vec::with_capacity(rows);
        let mut before = self.last.as_deref();
        for row in bytes.iter() {
            changes.push(before != Some(row.data()));
            before = Some(row.data());
        }
        let last = before.map(<[u8]>::to_vec);
        self.last = last;
        Ok(changes)
    }
}

impl Read {
    pub(super) fn new(shared: Arc<Shared>, sorted: Box<dyn Source>, index: usize, cx: &Cx) -> Result<Self> {
        let reservation = cx.memory.budget.require("aggregate: values", 0, false)?;
        let types = |range: Range<usize>| {
            let fields = shared.rows.fields().iter().take(range.end).skip(range.start);
            fields.map(|f| f.data_type().clone()).collect::<Vec<_>>()
        };
        let groups = types(0..shared.groups);
        let outputs = shared.output.fields().iter().skip(shared.groups);
        let calls = shared.calls.iter().zip(outputs).map(|(call, output)| {
            let all = types(0..shared.columns.len());
            let arguments = call.arguments.iter().filter_map(|i| all.get(*i).cloned()).collect::<Vec<_>>();
            let last = call.distinct.then(|| Changes::new(arguments.iter().cloned())).transpose()?;
            let fold = call.fold.begin(&arguments, output.data_type())?;
            Ok(Reader { call: call.clone(), fold, last })
        });
        Ok(Read {
            one: shared.groups == 0 && index == 0,
            keys: Changes::new(groups.iter().cloned())?,
            groups: groups.iter().map(|t| Pieces::new(t.clone())).collect(),
            calls: calls.collect::<Result<_>>()?,
            begun: 0,
            out: VecDeque::new(),
            ended: false,
            charged: 0,
            reservation,
            sorted,
            shared,
        })
    }

    fn absorb(&mut self, batch: &Batch, cx: &Cx) -> Result<()> {
        let columns = batch.data.columns();
        let keys = columns.get(..self.shared.groups).unwrap_or_default();
        let starts = self.keys.of(keys, batch.rows())?;
        let seen = self.calls.iter_mut().map(|c| c.see(columns, &starts)).collect::<Result<Vec<_>>>()?;
        let mut from = 0;
        while from < batch.rows() {
            let more = starts.iter().skip(from + 1).position(|s| *s);
            let to = more.map_or(batch.rows(), |n| from + 1 + n);
            if starts.get(from) == Some(&true) {
                self.end_group(cx)?;
                self.begun += 1;
                self.groups.iter_mut().zip(keys).try_for_each(|(pieces, key)| pieces.add(key, from..from + 1))?;
            }
            for (reader, seen) in self.calls.iter_mut().zip(&seen) {
                reader.fold.rows(&seen.arguments, seen.range(from..to))?;
            }
            from = to;
        }
        Ok(())
    }

    /// Ends the current group, if there is one, and puts values out when there are enough.
    fn end_group(&mut self, cx: &Cx) -> Result<()> {
        if self.begun == 0 {
            return Ok(());
        }
        self.calls.iter_mut().try_for_each(|c| c.fold.close())?;
        if self.begun >= cx.tuning.batch_rows || self.held() >= cx.tuning.batch_bytes {
            self.put_out()?;
        }
        Ok(())
    }

    fn held(&self) -> usize {
        let groups: usize = self.groups.iter().map(Pieces::held).sum();
        groups + self.calls.iter().map(|c| c.fold.held()).sum::<usize>()
    }

    /// All groups begun so far, which are closed, become a batch.
    fn put_out(&mut self) -> Result<()> {
        let mut columns = self.groups.iter_mut().map(|g| g.take()).collect::<Result<Vec<_>>>()?;
        for reader in &mut self.calls {
            columns.push(reader.fold.take()?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.begun));
        let data = RecordBatch::try_new_with_options(self.shared.output.clone(), columns, &options)?;
        self.begun = 0;
        self.out.push_back(Batch::new(data, Position::default()));
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        if self.begun == 0 && self.one && self.keys.last.is_none() {
            self.begun = 1;
        }
        if self.begun > 0 {
            self.calls.iter_mut().try_for_each(|c| c.fold.close())?;
            self.put_out()?;
        }
        Ok(())
    }

    /// Charges what folds and values hold; values are copied once when they go out.
    fn charge(&mut self) -> Option<Starved> {
        let held = if self.ended { 0 } else { 2 * self.held() };
        if held <= self.charged {
            self.reservation.shrink(self.charged - held);
            self.charged = held;
            return None;
        }
        let more = held - self.charged;
        if !self.reservation.try_grow(more) {
            return Some(Starved { reservation: self.reservation.id(), bytes: more });
        }
        self.charged = held;
        self.shared.meter.see_memory(held);
        None
    }
}

/// The rows of a batch that count for a call.
struct Seen {
    arguments: Vec<ArrayRef>,
    /// How many rows before each row count; `None` where all do.
    before: Option<Vec<u32>>,
}

impl Seen {
    /// Where the rows of `range` that count are among the arguments.
    fn range(&self, range: Range<usize>) -> Range<usize> {
        let at = |i: usize| self.before.as_ref().map_or(i, |b| b.get(i).map_or(0, |n| *n as usize));
        at(range.start)..at(range.end)
    }

    fn new(arguments: Vec<ArrayRef>, keep: Option<BooleanBuffer>) -> Result<Self> {
        let Some(keep) = keep else { return Ok(Seen { arguments, before: None }) };
        let mut before = Vec::with_capacity(keep.len() + 1);
        let mut count = 0;
        for kept in keep.iter() {
            before.push(count);
            count += u32::from(kept);
        }
        before.push(count);
        let keep = BooleanArray::new(keep, None);
        let arguments = arguments.iter().map(|a| filter(a, &keep)).collect::<Result<_, _>>()?;
        Ok(Seen { arguments, before: Some(before) })
    }
}

impl Reader {
    fn see(&mut self, columns: &[ArrayRef], starts: &[bool]) -> Result<Seen> {
        let column = |i: &usize| {
            columns.get(*i).cloned().ok_or_else(|| Error::internal("a call has an argument that was not sorted along"))
        };
        let arguments = self.call.arguments.iter().map(column).collect::<Result<Vec<_>>>()?;
        let mut keep: Option<BooleanBuffer> = None;
        if let Some(i) = &self.call.filter {
            let mask = column(i)?;
            let mask = mask.as_boolean_opt().ok_or_else(|| Error::internal("a FILTER is not a truth value"))?;
            keep = both(keep, mask.nulls().map_or(mask.values().clone(), |n| mask.values() & n.inner()));
        }
        if self.call.skip_nulls
            && let Some(nulls) = arguments.first().and_then(|a| a.logical_nulls()).filter(|n| n.null_count() > 0)
        {
            keep = both(keep, nulls.into_inner());
        }
        if let Some(last) = &mut self.last {
            let different = different(last, &arguments, keep.as_ref(), starts)?;
            keep = both(keep, different);
        }
        Seen::new(arguments, keep)
    }
}

fn both(one: Option<BooleanBuffer>, other: BooleanBuffer) -> Option<BooleanBuffer> {
    Some(one.map_or(other.clone(), |one| &one & &other))
}

/// The rows among `keep` that differ from the last one before them that is in the same group.
fn different(
    last: &mut Changes,
    arguments: &[ArrayRef],
    keep: Option<&BooleanBuffer>,
    starts: &[bool],
) -> Result<BooleanBuffer> {
    let canonical: Vec<ArrayRef> = arguments.iter().map(canonical).collect();
    let Some(converter) = &last.converter else { return Ok(BooleanBuffer::new_set(starts.len())) };
    let bytes = converter.convert_columns(&canonical)?;
    let mut before = last.last.as_deref();
    let mut mask = Vec::with_capacity(starts.len());
    for (i, start) in starts.iter().enumerate() {
        if *start {
            before = None;
        }
        let counts = keep.is_none_or(|k| k.value(i));
        let row = bytes.row(i).data();
        mask.push(counts && before != Some(row));
        if counts {
            before = Some(row);
        }
    }
    let before = before.map(<[u8]>::to_vec);
    last.last = before;
    Ok(BooleanBuffer::from(mask))
}

impl Source for Read {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        cx.cancel.check()?;
        if let Some(batch) = self.out.pop_front() {
            return Ok(Pull::Batch(batch));
        }
        if self.ended {
            return Ok(Pull::End);
        }
        if let Some(starved) = self.charge() {
            return Ok(Pull::Starved(starved));
        }
        match self.sorted.next(cx)? {
            Pull::Batch(batch) => self.absorb(&batch, cx)?,
            Pull::End => self.end()?,
            other => return Ok(other),
        }
        Ok(self.out.pop_front().map_or(Pull::Empty, Pull::Batch))
    }

    fn reservation(&self) -> Option<&Arc<Reservation>> {
        self.sorted.reservation()
    }

    fn spill(&mut self, bytes: usize, cx: &Cx) -> Result<usize> {
        self.sorted.spill(bytes, cx)
    }
}
