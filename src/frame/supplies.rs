//! Frames over rows that the program has, reads or makes.

use super::{Frame, Session};
use crate::error::Result;
use crate::front::TableRef;
use crate::ops::supply::Supply;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

impl Session {
    /// A frame over batches in memory, which stay the program's: they are outside the budget.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    /// use partita::prelude::*;
    /// use std::sync::Arc;
    ///
    /// let session = Session::builder().build()?;
    /// let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    /// let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    /// let batch = RecordBatch::try_from_iter([("id", ids), ("name", names)])?;
    /// let frame = session.from_batches(batch.schema(), vec![batch.clone(), batch])?;
    /// session.register("pairs", &frame)?;
    /// assert_eq!(session.sql("SELECT DISTINCT name FROM pairs WHERE id > 1")?.count()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for a batch whose columns are not those of `schema`.
    pub fn from_batches(&self, schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Frame> {
        self.from_supply("batches", Supply::batches(schema, batches)?)
    }

    /// A frame over what a reader has left: any of Arrow's own readers, another query's [`Reader`](super::Reader), or
    /// rows from C. It is read by one thread, batch by batch, when a query has use for the next one.
    ///
    /// A reader can be read once, and so can the frame: a second run, also the second use in one query, is an error.
    /// [`Frame::persist`] keeps the rows for more.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().build()?;
    /// let other = session.sql("SELECT * FROM range(1000) AS t(n)")?.batches()?;
    /// let frame = session.from_reader(partita::frame::Reader::from(other))?;
    /// assert_eq!(frame.count()?, 1000);
    /// assert!(frame.count().is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for columns that cannot be a table. An error of the reader is one of the query.
    pub fn from_reader(&self, reader: impl RecordBatchReader + Send + 'static) -> Result<Frame> {
        self.from_supply("reader", Supply::reader(reader))
    }

    /// A frame over rows that a function makes: `open` is called with the number of a partition, from 0, and returns its
    /// batches, which are pulled one by one. Partitions run in parallel, their rows come in order. Each run of a query
    /// opens them anew, so the same partition should have the same rows.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    /// use partita::prelude::*;
    /// use std::sync::Arc;
    ///
    /// fn batch(numbers: Vec<i64>) -> partita::Result<RecordBatch> {
    ///     Ok(RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(numbers)) as ArrayRef)])?)
    /// }
    ///
    /// let session = Session::builder().build()?;
    /// let schema = batch(vec![])?.schema();
    /// let frame = session.from_fn(schema, 4, |partition| {
    ///     Ok((0..10).map(move |i| batch(vec![partition as i64, i])))
    /// })?;
    /// assert_eq!(frame.count()?, 4 * 10 * 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for columns that cannot be a table. An error or a panic of `open` and of the iterators ends the query.
    pub fn from_fn<I>(
        &self,
        schema: SchemaRef,
        partitions: usize,
        open: impl Fn(usize) -> Result<I> + Send + Sync + 'static,
    ) -> Result<Frame>
    where
        I: Iterator<Item = Result<RecordBatch>> + Send + 'static,
    {
        self.from_supply("rows", Supply::new("from_fn", schema, partitions, open))
    }

    /// A frame over a [`Supply`], whose columns are known under the name `name`.
    ///
    /// # Errors
    /// `Query`, for columns that cannot be a table.
    pub fn from_supply(&self, name: &str, supply: Supply) -> Result<Frame> {
        Ok(Frame::new(self.clone(), self.0.front.scan(name, TableRef::Supplied(Arc::new(supply)))?))
    }
}
