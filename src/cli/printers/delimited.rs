//! CSV and TSV. A field is quoted only where a reader would take it for something else: a delimiter, a quote or a line end
//! inside, or text that equals what stands for null. So null and the empty string come back as they were.

use super::{Printer, Shape};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use memchr::memchr;
use partita::Result;
use partita::cells::Column;

/// Prints values between delimiters, a row a line.
pub struct Delimited {
    delimiter: u8,
    header: bool,
    null: String,
}

impl Delimited {
    /// Fields divided by `delimiter`.
    pub fn new(delimiter: u8, shape: &Shape) -> Self {
        Delimited { delimiter, header: shape.header, null: shape.null.clone().unwrap_or_default() }
    }

    fn needs_quotes(&self, field: &[u8]) -> bool {
        field == self.null.as_bytes() || field.iter().any(|b| *b == self.delimiter || matches!(b, b'"' | b'\n' | b'\r'))
    }

    /// Appends `field`, in quotes if it must be.
    fn push(&self, field: &[u8], out: &mut Vec<u8>) {
        if !self.needs_quotes(field) {
            return out.extend_from_slice(field);
        }
        out.push(b'"');
        let mut rest = field;
        while let Some(at) = memchr(b'"', rest) {
            out.extend_from_slice(&rest[..=at]);
            out.push(b'"');
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }

    fn push_cell(&self, column: &Column, row: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        if column.is_null(row) {
            out.extend_from_slice(self.null.as_bytes());
        } else if column.is_plain() {
            column.text(row, out);
        } else if let Some(text) = column.as_text(row) {
            self.push(text.as_bytes(), out);
        } else {
            scratch.clear();
            column.text(row, scratch);
            self.push(scratch, out);
        }
    }
}

impl Printer for Delimited {
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<()> {
        if self.header {
            for (i, field) in schema.fields().iter().enumerate() {
                if i > 0 {
                    out.push(self.delimiter);
                }
                self.push(field.name().as_bytes(), out);
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = Column::all(batch)?;
        let mut scratch = Vec::new();
        for row in 0..batch.num_rows() {
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    out.push(self.delimiter);
                }
                self.push_cell(column, row, &mut scratch, out);
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
    use super::*;

    #[test]
    fn quotes_only_where_needed() {
        let text = "id,name,price,ok,note\n1,plain,1.0,true,\"\"\n-20,\"a,b\t\"\"c\"\"\nd|\",nan,false,é\n,,,,\n";
        assert_eq!(shown("csv", &shape(), &[simple()]), text);
        let tabs = "1\tplain\t1.0\ttrue\t\"\"\n-20\t\"a,b\t\"\"c\"\"\nd|\"\tnan\tfalse\té\n\t\t\t\t\n";
        assert_eq!(shown("tsv", &Shape { header: false, ..shape() }, &[simple()]), tabs);
    }

    #[test]
    fn text_that_looks_like_null_is_quoted() {
        let one =
            batch(vec![("a", std::sync::Arc::new(arrow::array::StringArray::from(vec![Some("NA"), None, Some("")])))]);
        assert_eq!(shown("csv", &Shape { null: Some("NA".into()), ..shape() }, &[one]), "a\n\"NA\"\nNA\n\n");
    }

    #[test]
    fn types_have_their_spelling() {
        let text = "amount,day,at,zoned,time,code,raw,big\n\
            123.45,2020-01-01,2020-01-01 00:00:00,2020-01-01 02:00:00.5+02,01:01:01,x,a\\x00,18446744073709551615\n\
            -0.05,1969-12-31,1970-01-01 00:00:01,1970-01-01 02:00:00+02,00:00:00.000001,,z,0\n";
        assert_eq!(shown("csv", &shape(), &[typed()]), text);
    }

    #[test]
    fn nested_values_are_text() {
        let text = "l\ts\tm\n[1, NULL]\t{'a': x, 'b': [1, NULL]}\t{k=1, l=NULL}\n\
            \t{'a': 'it\\'s, so', 'b': NULL}\t{}\n[]\t{'a': NULL, 'b': []}\t{}\n";
        assert_eq!(shown("tsv", &shape(), &[nested()]), text);
    }

    #[test]
    fn a_reader_gets_the_same_fields() {
        let text = shown("csv", &shape(), &[simple(), simple()]);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<Vec<String>> =
            reader.records().map(|r| r.unwrap().iter().map(str::to_string).collect()).collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[4], ["-20", "a,b\t\"c\"\nd|", "nan", "false", "é"]);
    }
}
