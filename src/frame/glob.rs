//! `FROM glob('logs/*.csv')`: the files that a pattern matches, as a table.

use crate::front::custom::TableFunction;
use crate::io::{Pipes, matching};
use crate::ops::supply::Supply;
use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// Rows of a batch.
const ROWS: usize = 1024;

/// The function: a pattern in, a column `file` out. The files are looked for when the table is read.
pub(super) fn function(pipes: Pipes) -> TableFunction {
    TableFunction::new(&[DataType::Utf8], move |values| {
        let pattern = values.iter().find_map(|value| value.try_as_str().flatten().map(str::to_string));
        let (pipes, schema) = (pipes.clone(), Arc::new(Schema::new(vec![Field::new("file", DataType::Utf8, false)])));
        let of = schema.clone();
        Ok(Supply::new("glob", schema, 1, move |_| {
            let found = match &pattern {
                Some(pattern) => matching(pattern, &pipes)?,
                None => Vec::new(),
            };
            let batch = |files: &[Arc<str>]| {
                let column: ArrayRef = Arc::new(StringArray::from_iter_values(files));
                Ok(RecordBatch::try_new(of.clone(), vec![column])?)
            };
            Ok(found.chunks(ROWS).map(batch).collect::<Vec<_>>().into_iter())
        }))
    })
}
