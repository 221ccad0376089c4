//! Computes columns.
//!
//! A function may make a long text, or a list, of a short one: then a batch of the result would be many times as large as
//! one of the input. So where texts or lists are computed, a batch is taken in pieces of as many rows as make about
//! `batch_bytes`, as far as the rows before tell; it begins with few, and a batch of usual rows is soon one piece. The same
//! where so many columns are computed that a batch of them would be larger.

use super::expr::Compiled;
use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::Batch;
use crate::config::Tuning;
use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Rows of the first piece.
const FIRST: usize = 32;
/// How many times as many rows the next piece has at most.
const GROWTH: usize = 8;

/// One column for each expression.
pub struct ProjectOp {
    /// What is computed.
    pub exprs: Arc<[Compiled]>,
    /// The names and types of the result.
    pub schema: SchemaRef,
}

impl TransformOp for ProjectOp {
    fn local(&self, cx: &Cx) -> Result<Box<dyn Transform>> {
        let piece = self.exprs.iter().any(may_be_long).then_some(FIRST).or_else(|| wide(&self.exprs, &cx.tuning));
        Ok(Box::new(Project { exprs: self.exprs.clone(), schema: self.schema.clone(), piece, batch: None, at: 0 }))
    }
}

/// Whether values are computed that may be of any length.
fn may_be_long(expr: &Compiled) -> bool {
    expr.column().is_none() && expr.literal().is_none() && expr.data_type().primitive_width().is_none()
}

/// How many rows are computed at once, where a batch of what is computed would have more than `batch_bytes`.
fn wide(exprs: &[Compiled], tuning: &Tuning) -> Option<usize> {
    let computed = exprs.iter().filter(|expr| expr.column().is_none());
    let width: usize = computed.map(|expr| expr.data_type().primitive_width().unwrap_or(0)).sum();
    let rows = tuning.batch_bytes / width.max(1);
    (rows < tuning.batch_rows).then_some(rows.max(1))
}

struct Project {
    exprs: Arc<[Compiled]>,
    schema: SchemaRef,
    /// How many rows are computed at once; all of a batch, if `None`.
    piece: Option<usize>,
    /// What was pushed, from row `at` on.
    batch: Option<Batch>,
    at: usize,
}

impl Project {
    /// The columns of some rows.
    fn compute(&self, batch: &Batch) -> Result<Batch> {
        let columns = self.exprs.iter().map(|e| e.eval(&batch.data)).collect::<Result<Vec<_>>>()?;
        // A projection of no columns still counts rows.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        let data = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(batch.with(data))
    }

    /// How many rows come next, after some that took `bytes`.
    fn learn(&mut self, rows: usize, bytes: usize, cx: &Cx) {
        let fit = rows.saturating_mul(cx.tuning.batch_bytes) / bytes.max(1);
        if let Some(piece) = &mut self.piece {
            *piece = fit.clamp(1, piece.saturating_mul(GROWTH).min(cx.tuning.batch_rows.max(1)));
        }
    }
}

impl Transform for Project {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        (self.batch, self.at) = (Some(batch), 0);
        Ok(())
    }

    fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        let Some(batch) = self.batch.take() else { return Ok(Pull::Empty) };
        let rows = batch.rows() - self.at;
        let Some(piece) = self.piece.filter(|piece| rows > *piece || self.at > 0) else {
            let computed = self.compute(&batch)?;
            if self.piece.is_some() {
                self.learn(rows, bytes(computed.data.columns()), cx);
            }
            return Ok(Pull::Batch(computed));
        };
        let rows = rows.min(piece);
        let mut part = batch.with(batch.data.slice(self.at, rows));
        part.position.row += self.at as u64;
        let computed = self.compute(&part)?;
        self.learn(rows, bytes(computed.data.columns()), cx);
        self.at += rows;
        if self.at < batch.rows() {
            self.batch = Some(batch);
        }
        Ok(Pull::Batch(computed))
    }
}

/// Bytes of the values of columns: not of buffers that are shared with others.
fn bytes(columns: &[ArrayRef]) -> usize {
    let long = |views: &[u128]| views.iter().map(|view| *view as u32 as usize).sum::<usize>() + size_of_val(views);
    let column = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View => long(column.as_string_view().views()),
        DataType::BinaryView => long(column.as_binary_view().views()),
        _ => column.to_data().get_slice_memory_size().unwrap_or(0),
    };
    columns.iter().map(column).sum()
}
