//! Rows that a program supplies: batches that it has, a reader, a function that makes them.
//!
//! Life of a supply: it is opened partition by partition, a task each; a partition's iterator is pulled batch by batch,
//! when the task has use for the next one, so nothing gathers here. A batch must have the columns that were declared; one
//! that is larger than a batch of the engine is cut. The rows of the first partition come first.
//!
//! A panic, an error and a wrong batch end the query and name the supply. The program's own memory (a batch that it made,
//! before it is cut) is not accounted for.

use super::declared::Declared;
use super::{Cx, Pull, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::guard::calling;
use arrow::array::RecordBatchReader;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The batches of a partition.
pub type BatchIterator = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Rows that a program supplies.
pub struct Supply {
    columns: Declared,
    partitions: usize,
    rows: Option<usize>,
    open: Box<dyn Fn(usize) -> Result<BatchIterator> + Send + Sync>,
}

impl Supply {
    /// `partitions` pieces of rows of the columns `schema`, in order. `open` is called once a partition for each run of a
    /// query, from the session's threads; it may be called again for the same partition by another run.
    pub fn new<I>(
        name: &str,
        schema: SchemaRef,
        partitions: usize,
        open: impl Fn(usize) -> Result<I> + Send + Sync + 'static,
    ) -> Supply
    where
        I: Iterator<Item = Result<RecordBatch>> + Send + 'static,
    {
        let open = Box::new(move |partition| open(partition).map(|i| Box::new(i) as BatchIterator));
        Supply { columns: Declared::new(name, schema), partitions, rows: None, open }
    }

    /// The same rows, so many of them.
    pub(crate) fn with_rows(self, rows: usize) -> Supply {
        Supply { rows: Some(rows), ..self }
    }

    /// Batches that are there already, as one partition.
    ///
    /// # Errors
    /// `Query`, for a batch whose columns differ from `schema`.
    pub fn batches(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Supply> {
        let batches: Arc<[RecordBatch]> = batches.into();
        let (all, rows) = (batches.clone(), batches.iter().map(RecordBatch::num_rows).sum());
        let open = move |_| {
            let all = all.clone();
            Ok((0..all.len()).filter_map(move |i| all.get(i).cloned()).map(Ok))
        };
        let supply = Supply { rows: Some(rows), ..Supply::new("from_batches", schema, 1, open) };
        batches.iter().try_for_each(|batch| supply.columns.check(batch))?;
        Ok(supply)
    }

    /// What a reader has left, as one partition. It can be opened once.
    pub fn reader(reader: impl RecordBatchReader + Send + 'static) -> Supply {
        let (schema, reader) = (reader.schema(), Mutex::new(Some(reader)));
        Supply::new("from_reader", schema, 1, move |_| {
            let reader = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
            let reader = reader.ok_or_else(|| {
                Error::query("the rows of the reader were read already, and it has no others")
                    .advise("persist() the frame before it is used twice")
            })?;
            Ok(reader.map(|batch| batch.map_err(Error::from)))
        })
    }

    /// The columns, as the engine holds them.
    pub fn schema(&self) -> SchemaRef {
        self.columns.held.clone()
    }

    /// How many rows there are, where that is known.
    pub fn rows(&self) -> Option<usize> {
        self.rows
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.partitions
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} columns, {} partitions)",
            self.columns.name,
            self.columns.held.fields().len(),
            self.partitions
        )
    }
}

/// The source of a supply.
pub struct SupplyOp(pub Arc<Supply>);

impl SourceOp for SupplyOp {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let supply = self.0.clone();
        let batches = calling(&supply.columns.name, || (supply.open)(index))?;
        Ok(Box::new(Supplied { supply, batches, rest: None, row: 0 }))
    }
}

struct Supplied {
    supply: Arc<Supply>,
    batches: BatchIterator,
    /// What is left of a large batch.
    rest: Option<RecordBatch>,
    row: u64,
}

impl Source for Supplied {
    fn next(&mut self, cx: &Cx) -> Result<Pull> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match calling(&self.supply.columns.name, || self.batches.next().transpose())? {
                Some(batch) => self.supply.columns.held(&batch)?,
                None => return Ok(Pull::End),
            },
        };
        let rows = batch.num_rows().min(cx.tuning.batch_rows.max(1));
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        if rows == 0 {
            return Ok(Pull::Empty);
        }
        let position = Position { split: 0, row: self.row };
        self.row += rows as u64;
        Ok(Pull::Batch(Batch::new(batch.slice(0, rows), position)))
    }
}
