//! Rows that a program supplies: batches that it has, a reader, a function that makes them.
//!
//! Life of a supply: it is opened partition by partition, a task each; a partition's iterator is pulled batch by batch,
//! when the task has use for the next one, so nothing gathers here. A batch must have the columns that were declared, by
//! position; text and bytes become views, dictionaries their values; one that is larger than a batch of the engine is
//! cut. The rows of the first partition come first.
//!
//! A panic, an error and a wrong batch end the query and name the supply. The program's own memory (a batch that it made,
//! before it is cut) is not accounted for.

use super::{Cx, Pull, Source, SourceOp};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::formats::viewed;
use crate::guard::calling;
use arrow::array::RecordBatchReader;
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The batches of a partition.
pub type BatchIterator = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Rows that a program supplies.
pub struct Supply {
    /// What it is, in errors: `from_reader`.
    name: String,
    /// The columns as declared.
    declared: SchemaRef,
    /// The columns as the engine holds them.
    held: SchemaRef,
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
        let fields = schema.fields().iter().map(|f| Field::new(f.name(), viewed(f.data_type()), true));
        let held = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Supply { name: name.to_string(), declared: schema, held, partitions, rows: None, open }
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
        batches.iter().try_for_each(|batch| supply.check(batch))?;
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
            Ok(reader.map(|batch| batch.map_err(from_reader)))
        })
    }

    /// The columns, as the engine holds them.
    pub fn schema(&self) -> SchemaRef {
        self.held.clone()
    }

    /// How many rows there are, where that is known.
    pub fn rows(&self) -> Option<usize> {
        self.rows
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// Whether a batch has the declared columns: their types by position; names do not matter.
    fn check(&self, batch: &RecordBatch) -> Result<()> {
        let (declared, found) = (self.declared.fields(), batch.columns());
        if declared.len() != found.len() {
            let (has, wants) = (found.len(), declared.len());
            return Err(Error::query(format!("{}: a batch of {has} columns where {wants} are declared", self.name)));
        }
        let differs = |(_, (f, c)): &(usize, (&Arc<Field>, &arrow::array::ArrayRef))| {
            f.data_type() != c.data_type() && viewed(f.data_type()) != *c.data_type()
        };
        match declared.iter().zip(found).enumerate().find(differs) {
            None => Ok(()),
            Some((_, (field, column))) => {
                let (name, wanted, has) = (field.name(), field.data_type(), column.data_type());
                Err(Error::query(format!(
                    "{}: the column {name} is {has} in a batch, but {wanted} is declared",
                    self.name
                )))
            }
        }
    }

    /// The batch as the engine holds it.
    fn held(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.check(batch)?;
        let column = |(c, f): (&arrow::array::ArrayRef, &Arc<Field>)| match c.data_type() == f.data_type() {
            true => Ok(c.clone()),
            false => Ok(cast(c, f.data_type())?),
        };
        let columns = batch.columns().iter().zip(self.held.fields()).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.held.clone(), columns, &options)?)
    }
}

/// An error of a reader: one of ours, where it came from us.
fn from_reader(error: arrow::error::ArrowError) -> Error {
    match error {
        arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::data(other.to_string()),
        },
        other => other.into(),
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} columns, {} partitions)", self.name, self.held.fields().len(), self.partitions)
    }
}

/// The source of a supply.
pub struct SupplyOp(pub Arc<Supply>);

impl SourceOp for SupplyOp {
    fn open(&self, _round: u32, index: usize, _cx: &Cx) -> Result<Box<dyn Source>> {
        let supply = self.0.clone();
        let batches = calling(&supply.name, || (supply.open)(index))?;
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
            None => match calling(&self.supply.name, || self.batches.next().transpose())? {
                Some(batch) => self.supply.held(&batch)?,
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
