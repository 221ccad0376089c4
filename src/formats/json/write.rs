//! JSON out: objects one a line (`jsonl`, `ndjson`), or one array of them (`json`).

use crate::error::{Error, Result};
use crate::formats::text::{RowWriter, TextAssembler, encoder_of, json_value};
use crate::formats::{Assemble, Encode, Output, options};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;

const OPTIONS: &[&str] = &["array"];

/// Writes objects, separated by newlines, or by commas in an array.
struct Objects {
    /// `"key":` of each column.
    keys: Vec<Vec<u8>>,
    array: bool,
}

impl RowWriter for Objects {
    fn rows(&self, batch: &RecordBatch, to: &mut Vec<u8>) -> Result<()> {
        let columns: Vec<&ArrayRef> = batch.columns().iter().collect();
        for row in 0..batch.num_rows() {
            for (c, (key, column)) in self.keys.iter().zip(&columns).enumerate() {
                to.push(if c == 0 { b'{' } else { b',' });
                to.extend_from_slice(key);
                json_value(column.as_ref(), row, to)?;
            }
            if columns.is_empty() {
                to.push(b'{');
            }
            to.extend_from_slice(if self.array { b"},\n" } else { b"}\n" });
        }
        Ok(())
    }
}

fn is_array(options: &BTreeMap<String, String>) -> Result<bool> {
    options::known(options, "json", OPTIONS)?;
    options.get("array").map_or(Ok(false), |a| options::boolean("array", a))
}

pub(super) fn encoder(schema: &SchemaRef, options: &BTreeMap<String, String>) -> Result<Box<dyn Encode>> {
    let key = |name: &str| -> Result<Vec<u8>> {
        let quoted = serde_json::to_string(name).map_err(|e| Error::internal(e.to_string()))?;
        Ok(format!("{quoted}:").into_bytes())
    };
    let keys = schema.fields().iter().map(|f| key(f.name())).collect::<Result<_>>()?;
    Ok(encoder_of(Objects { keys, array: is_array(options)? }))
}

pub(super) fn assembler(
    _schema: &SchemaRef,
    options: &BTreeMap<String, String>,
    to: Box<dyn Output>,
) -> Result<Box<dyn Assemble>> {
    let assembler = match is_array(options)? {
        // Each object is written with a comma and a newline behind it; those of the last one are left out.
        true => TextAssembler::new(to, b"[\n", b"\n]\n", 2)?,
        false => TextAssembler::new(to, b"", b"", 0)?,
    };
    Ok(Box::new(assembler))
}
