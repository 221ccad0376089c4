//! Which directory a row goes to: `year=2024/region=north`.
//!
//! Rows come sorted by the columns of the partition, so that those of one directory follow each other; then a writer has
//! one file open at a time, however many partitions there are, and each file is written once.

use crate::cells::Column;
use crate::error::{Error, Result};
use crate::formats::hive;
use arrow::array::RecordBatch;
use arrow::compute::partition;
use arrow::datatypes::SchemaRef;
use std::ops::Range;
use std::sync::Arc;

/// The columns of a partitioned output.
pub struct Partitions {
    /// The columns that are the partition, with their names.
    pub keys: Vec<(usize, String)>,
    /// The columns that are written.
    pub written: Vec<usize>,
    /// Their names and types.
    pub schema: SchemaRef,
}

impl Partitions {
    /// Neighbouring rows of one directory, and which it is.
    ///
    /// # Errors
    /// A type that cannot be compared.
    pub fn cut(&self, batch: &RecordBatch) -> Result<Vec<(Range<usize>, Arc<str>)>> {
        let keys: Option<Vec<_>> = self.keys.iter().map(|(at, _)| batch.columns().get(*at).cloned()).collect();
        let keys = keys.ok_or_else(|| Error::internal("a column of a partition is not there"))?;
        let cells = keys.iter().map(|key| Column::new(key.as_ref())).collect::<Result<Vec<_>>>()?;
        let ranges = if batch.num_rows() == 0 { Vec::new() } else { partition(&keys)?.ranges() };
        Ok(ranges.into_iter().map(|range| (range.clone(), self.directory(&cells, range.start))).collect())
    }

    fn directory(&self, cells: &[Column<'_>], row: usize) -> Arc<str> {
        let part = |((_, name), cell): (&(usize, String), &Column<'_>)| {
            let mut text = Vec::new();
            cell.text(row, &mut text);
            let text = String::from_utf8_lossy(&text);
            hive::directory(name, (!cell.is_null(row)).then_some(&*text))
        };
        self.keys.iter().zip(cells).map(part).collect::<Vec<_>>().join("/").into()
    }

    /// What is written of the rows.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn written(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        Ok(batch.project(&self.written)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};

    #[test]
    fn neighbours_go_together() {
        let a: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(1), None, None]));
        let b: ArrayRef = Arc::new(StringViewArray::from(vec!["x", "x", "x", "y/z"]));
        let batch = RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true)]).unwrap();
        let keys = vec![(0, "a".to_string()), (1, "b".to_string())];
        let partitions = Partitions { keys, written: vec![1], schema: Arc::new(batch.schema().project(&[1]).unwrap()) };
        let cut = partitions.cut(&batch).unwrap();
        let expected = ["a=1/b=x", "a=__HIVE_DEFAULT_PARTITION__/b=x", "a=__HIVE_DEFAULT_PARTITION__/b=y%2Fz"];
        assert_eq!(cut.iter().map(|(_, d)| &**d).collect::<Vec<_>>(), expected);
        assert_eq!(cut.iter().map(|(r, _)| r.clone()).collect::<Vec<_>>(), [0..2, 2..3, 3..4]);
        assert_eq!(partitions.written(&batch).unwrap().num_columns(), 1);
        assert!(partitions.cut(&batch.slice(0, 0)).unwrap().is_empty());
    }
}
