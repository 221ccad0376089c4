//! The last step of an as-of join: rows of both sides, sorted, become rows of the left side beside the nearest right one.
//!
//! ```text
//! key time side                                   key time | right
//!  a   1   R     remembered                        a   2   |  1
//!  a   2   L     beside what is remembered   ->    a   5   |  4
//!  a   4   R     remembered
//!  a   5   L
//! ```
//!
//! The input is one stream, sorted by keys, time and side; it has the keys in front, then the side (true is right), then
//! the columns of both sides, those of the other side null. Right rows without a key or a time are not in it. Only the
//! remembered row is kept from batch to batch.

use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use std::sync::Arc;

/// What an as-of join is asked for. Cheap to clone.
#[derive(Clone)]
pub struct AsofOp {
    /// How many columns of keys are in front.
    pub keys: usize,
    /// The column that says whether a row is of the right side.
    pub side: usize,
    /// The first column of the left side, and how many there are; the right side's follow.
    pub left: (usize, usize),
    /// Whether left rows without a right one stay.
    pub keeps_left: bool,
    /// The columns of the left side, then those of the right side.
    pub schema: SchemaRef,
}

impl TransformOp for AsofOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Asof { op: self.clone(), converter: None, last: None, output: None }))
    }
}

struct Asof {
    op: AsofOp,
    /// Made with the first batch, whose types it needs.
    converter: Option<Arc<RowConverter>>,
    last: Option<Last>,
    output: Option<Batch>,
}

/// The right row that is remembered.
struct Last {
    /// `None` without keys: every row has the same.
    key: Option<OwnedRow>,
    columns: Vec<ArrayRef>,
}

/// Where the right columns of an output row come from.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    Last,
    Row(usize),
}

/// A left row that is put out, and what it stands beside.
type Pair = (usize, Beside);

impl Asof {
    fn rows(&mut self, keys: &[ArrayRef]) -> Result<Option<Rows>> {
        if keys.is_empty() {
            return Ok(None);
        }
        let converter = match &self.converter {
            Some(known) => known.clone(),
            None => {
                let fields = keys.iter().map(|k| SortField::new(k.data_type().clone())).collect();
                self.converter.insert(Arc::new(RowConverter::new(fields)?)).clone()
            }
        };
        Ok(Some(converter.convert_columns(keys)?))
    }

    /// The rows that are put out, and the last right row.
    fn pairs(&self, data: &RecordBatch, rows: Option<&Rows>) -> Result<(Vec<Pair>, Option<usize>)> {
        let side = data.columns().get(self.op.side).and_then(|c| c.as_boolean_opt());
        let side = side.ok_or_else(|| Error::internal("an as-of join without sides"))?;
        let same = |a: usize, b: usize| rows.is_none_or(|rows| rows.row(a) == rows.row(b));
        let as_last = |row: usize| match (&self.last, rows) {
            (Some(last), Some(rows)) => last.key.as_ref().is_some_and(|key| rows.row(row) == key.row()),
            (last, None) => last.is_some(),
            (None, _) => false,
        };
        let (mut pairs, mut latest) = (Vec::new(), None);
        for row in 0..data.num_rows() {
            if side.value(row) {
                latest = Some(row);
                continue;
            }
            let beside = match latest {
                Some(right) if same(right, row) => Beside::Row(right),
                None if as_last(row) => Beside::Last,
                _ => Beside::Nothing,
            };
            if self.op.keeps_left || !matches!(beside, Beside::Nothing) {
                pairs.push((row, beside));
            }
        }
        Ok((pairs, latest))
    }

    fn output(&self, data: &RecordBatch, pairs: &[Pair]) -> Result<RecordBatch> {
        let (first, count) = self.op.left;
        let left: Vec<(usize, usize)> = pairs.iter().map(|(row, _)| (0, *row)).collect();
        let mut columns = Vec::with_capacity(self.op.schema.fields().len());
        for column in data.columns().iter().skip(first).take(count) {
            columns.push(interleave(&[column.as_ref()], &left)?);
        }
        let right: Vec<(usize, usize)> = pairs
            .iter()
            .map(|(_, beside)| match beside {
                Beside::Row(row) => (0, *row),
                Beside::Last => (1, 0),
                Beside::Nothing => (2, 0),
            })
            .collect();
        for (i, column) in data.columns().iter().skip(first + count).enumerate() {
            let nothing = new_null_array(column.data_type(), 1);
            let last = self.last.as_ref().and_then(|l| l.columns.get(i)).unwrap_or(&nothing);
            columns.push(interleave(&[column.as_ref(), last.as_ref(), nothing.as_ref()], &right)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(pairs.len()));
        Ok(RecordBatch::try_new_with_options(self.op.schema.clone(), columns, &options)?)
    }

    fn remember(&mut self, data: &RecordBatch, rows: Option<&Rows>, row: usize) -> Result<()> {
        let key = rows.map(|rows| rows.row(row).owned());
        let skip = self.op.left.0 + self.op.left.1;
        let one = crate::store::compact_batch(&data.slice(row, 1))?;
        let columns = one.columns().iter().skip(skip).cloned().collect();
        self.last = Some(Last { key, columns });
        Ok(())
    }
}

impl Transform for Asof {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        let keys: Vec<ArrayRef> = batch.data.columns().iter().take(self.op.keys).cloned().collect();
        let rows = self.rows(&keys)?;
        let (pairs, latest) = self.pairs(&batch.data, rows.as_ref())?;
        if !pairs.is_empty() {
            self.output = Some(batch.with(self.output(&batch.data, &pairs)?));
        }
        if let Some(row) = latest {
            self.remember(&batch.data, rows.as_ref(), row)?;
        }
        Ok(())
    }

    fn pull(&mut self, _cx: &Cx) -> Result<Pull> {
        Ok(self.output.take().map_or(Pull::Empty, Pull::Batch))
    }
}
