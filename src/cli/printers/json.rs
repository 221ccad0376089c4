//! JSON: an array with an object for each row, or an object a line.

use super::{Printer, distinct_names};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::Result;
use partita::cells::{Column, quoted};

/// Prints objects.
pub struct Json {
    /// What stands before the first row, between rows, and after the last one.
    frame: [&'static str; 3],
    /// `"name":` of each column, with the comma before it.
    keys: Vec<Vec<u8>>,
    rows: u64,
}

impl Json {
    /// One array.
    pub fn array() -> Self {
        Json { frame: ["[", ",\n", "]\n"], keys: Vec::new(), rows: 0 }
    }

    /// An object a line.
    pub fn lines() -> Self {
        Json { frame: ["", "\n", ""], keys: Vec::new(), rows: 0 }
    }
}

impl Printer for Json {
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<()> {
        for (i, name) in distinct_names(schema).iter().enumerate() {
            let mut key = Vec::new();
            key.extend_from_slice(if i > 0 { b"," } else { b"" });
            quoted(name, &mut key);
            key.push(b':');
            self.keys.push(key);
        }
        out.extend_from_slice(self.frame[0].as_bytes());
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = Column::all(batch)?;
        for row in 0..batch.num_rows() {
            if self.rows > 0 {
                out.extend_from_slice(self.frame[1].as_bytes());
            }
            self.rows += 1;
            out.push(b'{');
            for (key, column) in self.keys.iter().zip(&columns) {
                out.extend_from_slice(key);
                column.json(row, out);
            }
            out.push(b'}');
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let is_lines = self.frame[2].is_empty();
        if is_lines && self.rows > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(self.frame[2].as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn an_array_of_objects() {
        let text = r#"[{"id":1,"name":"plain","price":1.0,"ok":true,"note":""},
{"id":-20,"name":"a,b\t\"c\"\nd|","price":null,"ok":false,"note":"é"},
{"id":null,"name":null,"price":null,"ok":null,"note":null}]
"#;
        assert_eq!(shown("json", &shape(), &[simple()]), text);
        assert_eq!(shown("json", &shape(), &[simple().slice(0, 0)]), "[]\n");
        assert_eq!(shown("jsonl", &shape(), &[simple().slice(0, 0)]), "");
    }

    #[test]
    fn an_object_a_line_over_several_batches() {
        let text = shown("jsonl", &shape(), &[simple(), simple().slice(0, 0), simple()]);
        let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[4]["name"], "a,b\t\"c\"\nd|");
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn types_keep_all_their_digits() {
        let text = r#"{"amount":123.45,"day":"2020-01-01","at":"2020-01-01 00:00:00","zoned":"2020-01-01 02:00:00.5+02","time":"01:01:01","code":"x","raw":"a\\x00","big":18446744073709551615}
{"amount":-0.05,"day":"1969-12-31","at":"1970-01-01 00:00:01","zoned":"1970-01-01 02:00:00+02","time":"00:00:00.000001","code":null,"raw":"z","big":0}
"#;
        assert_eq!(shown("jsonl", &shape(), &[typed()]), text);
    }

    #[test]
    fn nested_values_are_real_json() {
        let text = r#"{"l":[1,null],"s":{"a":"x","b":[1,null]},"m":{"k":1,"l":null}}
{"l":null,"s":{"a":"it's, so","b":null},"m":{}}
{"l":[],"s":{"a":null,"b":[]},"m":{}}
"#;
        assert_eq!(shown("jsonl", &shape(), &[nested()]), text);
    }
}
