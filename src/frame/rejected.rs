//! `FROM rejects()`: what the last queries left out, as a table.

use crate::error::Result;
use crate::ops::supply::Supply;
use crate::rejects::{Reject, RejectLog};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

fn schema() -> SchemaRef {
    let (text, number) = (DataType::Utf8, DataType::Int64);
    let column = |(name, of): (&str, &DataType)| Field::new(name, of.clone(), true);
    let columns =
        [("file", &text), ("line", &number), ("byte", &number), ("column", &text), ("text", &text), ("reason", &text)];
    Arc::new(Schema::new(columns.map(column).to_vec()))
}

/// The table; it is looked up when it is read.
pub(super) fn supply(log: &RejectLog) -> Result<Supply> {
    let log = log.clone();
    Ok(Supply::new("rejects", schema(), 1, move |_| Ok(std::iter::once(batch(&log.list())))))
}

fn batch(rejects: &[Reject]) -> Result<RecordBatch> {
    let number = |of: fn(&Reject) -> Option<u64>| -> ArrayRef {
        Arc::new(Int64Array::from_iter(rejects.iter().map(|r| of(r).and_then(|n| i64::try_from(n).ok()))))
    };
    let text = |of: for<'a> fn(&'a Reject) -> Option<&'a str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rejects.iter().map(of)))
    };
    let columns = vec![
        text(|r| r.place.file.as_deref()),
        number(|r| r.place.line),
        number(|r| r.place.byte),
        text(|r| r.place.column.as_deref()),
        text(|r| r.place.text.as_deref()),
        text(|r| Some(&r.reason)),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
