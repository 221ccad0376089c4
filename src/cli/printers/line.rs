//! A line for each value, `name = value`, and an empty line between rows: for rows that are too wide for a table.

use super::{Printer, Shape};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::Result;
use partita::cells::Column;
use unicode_width::UnicodeWidthStr;

/// Prints values one below the other.
pub struct Line {
    null: String,
    /// The names, filled with spaces to the width of the longest, then ` = `.
    labels: Vec<String>,
    rows: u64,
}

impl Line {
    /// Nulls look as the shape says.
    pub fn new(shape: &Shape) -> Self {
        Line { null: shape.null.clone().unwrap_or_else(|| "NULL".into()), labels: Vec::new(), rows: 0 }
    }
}

impl Printer for Line {
    fn begin(&mut self, schema: &SchemaRef, _out: &mut Vec<u8>) -> Result<()> {
        let widest = schema.fields().iter().map(|f| f.name().width()).max().unwrap_or(0);
        let label = |name: &str| format!("{}{name} = ", " ".repeat(widest - name.width()));
        self.labels = schema.fields().iter().map(|f| label(f.name())).collect();
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = Column::all(batch)?;
        for row in 0..batch.num_rows() {
            if self.rows > 0 {
                out.push(b'\n');
            }
            self.rows += 1;
            for (label, column) in self.labels.iter().zip(&columns) {
                out.extend_from_slice(label.as_bytes());
                match column.is_null(row) {
                    true => out.extend_from_slice(self.null.as_bytes()),
                    false => column.text(row, out),
                }
                out.push(b'\n');
            }
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
    fn names_line_up() {
        let text = "   id = 1\n name = plain\nprice = 1.0\n   ok = true\n note = \n\n   id = NULL\n name = NULL\n\
            price = NULL\n   ok = NULL\n note = NULL\n";
        assert_eq!(shown("line", &shape(), &[simple().slice(0, 1), simple().slice(2, 1)]), text);
    }
}
