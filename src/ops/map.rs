//! A step that a program computes: each batch becomes another one, with as many rows as it likes.

use super::declared::Declared;
use super::{Cx, Pull, Transform, TransformOp};
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::guard::calling;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

type Body = dyn Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync;

/// What the program does with a batch, and the columns that it makes.
pub struct Mapper {
    columns: Declared,
    body: Box<Body>,
}

impl Mapper {
    /// `body` makes batches of the columns `schema`; `name` is for errors.
    pub fn new(
        name: &str,
        schema: SchemaRef,
        body: impl Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
    ) -> Mapper {
        Mapper { columns: Declared::new(name, schema), body: Box::new(body) }
    }

    /// The columns, as the engine holds them.
    pub fn schema(&self) -> SchemaRef {
        self.columns.held.clone()
    }
}

/// Maps batches. Cheap to clone.
#[derive(Clone)]
pub struct MapOp(pub Arc<Mapper>);

impl TransformOp for MapOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Map { mapper: self.0.clone(), made: None, split: 0, put: 0 }))
    }
}

struct Map {
    mapper: Arc<Mapper>,
    /// What is left of the batch that was made.
    made: Option<RecordBatch>,
    split: u64,
    /// Rows that were made of the piece so far.
    put: u64,
}

impl Transform for Map {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<()> {
        if self.split != batch.position.split {
            (self.split, self.put) = (batch.position.split, 0);
        }
        let columns = &self.mapper.columns;
        let made = calling(&columns.name, || (self.mapper.body)(batch.data))?;
        self.made = Some(columns.held(&made)?);
        Ok(())
    }

    fn pull(&mut self, cx: &Cx) -> Result<Pull> {
        let Some(batch) = self.made.take().filter(|b| b.num_rows() > 0) else { return Ok(Pull::Empty) };
        let rows = batch.num_rows().min(cx.tuning.batch_rows.max(1));
        if rows < batch.num_rows() {
            self.made = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        let position = Position { split: self.split, row: self.put };
        self.put += rows as u64;
        Ok(Pull::Batch(Batch::new(batch.slice(0, rows), position)))
    }
}
