//! A Markdown table. Bars inside of values are escaped and line ends become `<br>`, so that a row stays a row.

use super::{Printer, Shape};
use crate::cli::types::is_numeric;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::Result;
use partita::cells::Column;

/// Prints rows between bars.
pub struct Markdown {
    null: String,
}

impl Markdown {
    /// Nulls look as the shape says.
    pub fn new(shape: &Shape) -> Self {
        Markdown { null: shape.null.clone().unwrap_or_else(|| "NULL".into()) }
    }
}

fn push(field: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b" ");
    for b in field {
        match b {
            b'|' => out.extend_from_slice(b"\\|"),
            b'\n' => out.extend_from_slice(b"<br>"),
            b'\r' => {}
            _ => out.push(*b),
        }
    }
    out.extend_from_slice(b" |");
}

impl Printer for Markdown {
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'|');
        schema.fields().iter().for_each(|f| push(f.name().as_bytes(), out));
        out.extend_from_slice(b"\n|");
        for field in schema.fields() {
            out.extend_from_slice(if is_numeric(field.data_type()) { b"---:|" } else { b"----|" });
        }
        out.push(b'\n');
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = Column::all(batch)?;
        let mut cell = Vec::new();
        for row in 0..batch.num_rows() {
            out.push(b'|');
            for column in &columns {
                cell.clear();
                match column.is_null(row) {
                    true => cell.extend_from_slice(self.null.as_bytes()),
                    false => column.text(row, &mut cell),
                }
                push(&cell, out);
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn rows_stay_rows() {
        let text = "| id | name | price | ok | note |\n|---:|----|---:|----|----|\n| 1 | plain | 1.0 | true |  |\n\
            | -20 | a,b\t\"c\"<br>d\\| | nan | false | é |\n| NULL | NULL | NULL | NULL | NULL |\n";
        assert_eq!(shown("markdown", &shape(), &[simple()]), text);
    }
}
