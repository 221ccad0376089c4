//! The columns of batches that a program makes: as it declared them, and as the engine holds them.
//!
//! A batch must have the declared types by position; its names do not matter. Text and bytes become views, dictionaries
//! their values.

use crate::error::{Error, Result};
use crate::formats::viewed;
use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// See the module's head.
pub struct Declared {
    /// Who makes the batches, in errors: `from_reader`.
    pub name: String,
    declared: SchemaRef,
    /// The columns as the engine holds them.
    pub held: SchemaRef,
}

impl Declared {
    /// Batches of the columns `schema`, made by `name`.
    pub fn new(name: &str, schema: SchemaRef) -> Declared {
        let field = |f: &FieldRef| f.as_ref().clone().with_data_type(viewed(f.data_type())).with_nullable(true);
        let held = Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()));
        Declared { name: name.to_string(), declared: schema, held }
    }

    /// # Errors
    /// `Query`, for a batch with other columns than were declared.
    pub fn check(&self, batch: &RecordBatch) -> Result<()> {
        let (declared, found) = (self.declared.fields(), batch.columns());
        if declared.len() != found.len() {
            let (has, wants) = (found.len(), declared.len());
            return Err(Error::query(format!("{}: a batch of {has} columns where {wants} are declared", self.name)));
        }
        let fits =
            |(f, c): &(&FieldRef, &ArrayRef)| f.data_type() == c.data_type() || viewed(f.data_type()) == *c.data_type();
        match declared.iter().zip(found).find(|pair| !fits(pair)) {
            None => Ok(()),
            Some((field, column)) => Err(Error::query(format!(
                "{}: the column {} is {} in a batch, but {} is declared",
                self.name,
                field.name(),
                column.data_type(),
                field.data_type()
            ))),
        }
    }

    /// The batch as the engine holds it.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn held(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.check(batch)?;
        let column = |(c, f): (&ArrayRef, &FieldRef)| match c.data_type() == f.data_type() {
            true => Ok(c.clone()),
            false => Ok(cast(c, f.data_type())?),
        };
        let columns = batch.columns().iter().zip(self.held.fields()).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.held.clone(), columns, &options)?)
    }
}
