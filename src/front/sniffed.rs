//! `sniff_csv('x.csv')`: what was found of a file, as a row, under the names that DuckDB gives it, and a query that reads the
//! file so without looking at it.

use super::types;
use crate::error::Result;
use crate::formats::{Sniffed, TableDef, sniff_csv_with};
use crate::io::Pipes;
use crate::memory::Budget;
use crate::ops::supply::Supply;
use arrow::array::{ArrayRef, BooleanArray, ListArray, RecordBatch, StringViewArray, StructArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use std::sync::Arc;

/// The one row.
///
/// # Errors
/// As of a table over those files.
pub(super) fn supply(def: &TableDef, pipes: &Pipes, budget: Option<&Budget>) -> Result<Supply> {
    let found = sniff_csv_with(def, pipes, budget)?;
    let text = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from(vec![text])) };
    let optional = |text: &Option<String>| -> ArrayRef { Arc::new(StringViewArray::from(vec![text.as_deref()])) };
    let mark = |mark: &str| if mark.is_empty() { text("(empty)") } else { text(mark) };
    let given: Vec<String> = found.given.iter().map(|(name, value)| format!("{name}={}", literal(value))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("Delimiter", text(&found.delimiter)),
        ("Quote", mark(&found.quote)),
        ("Escape", mark(&found.escape)),
        ("NewLineDelimiter", text(&found.new_line)),
        ("Comment", mark(&found.comment)),
        ("SkipRows", Arc::new(UInt64Array::from(vec![found.skip]))),
        ("HasHeader", Arc::new(BooleanArray::from(vec![found.header]))),
        ("Columns", columns(&found)?),
        ("DateFormat", optional(&found.date_format)),
        ("TimestampFormat", optional(&found.timestamp_format)),
        ("UserArguments", optional(&(!given.is_empty()).then(|| given.join(", ")))),
        ("Prompt", text(&prompt(def, &found))),
        ("DecimalSeparator", text(&found.decimal)),
        ("NullStrings", text(&found.nulls.join(", "))),
        ("StrictMode", Arc::new(BooleanArray::from(vec![found.strict]))),
    ];
    let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(nullable)?;
    Supply::batches(batch.schema(), vec![batch])
}

/// The columns: a list of their names and types.
fn columns(found: &Sniffed) -> Result<ArrayRef> {
    let of = |of: &dyn Fn(&Field) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(found.columns.fields().iter().map(|f| of(f))))
    };
    let field = |name: &str| Field::new(name, DataType::Utf8View, true);
    let fields = Fields::from(vec![field("name"), field("type")]);
    let arrays = vec![of(&|f| f.name().clone()), of(&|f| types::name(f.data_type()))];
    let pairs = StructArray::try_new(fields.clone(), arrays, None)?;
    let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
    let offsets = OffsetBuffer::from_lengths([found.columns.fields().len()]);
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(pairs), None)?))
}

/// A query that reads the files as they were found to be.
fn prompt(def: &TableDef, found: &Sniffed) -> String {
    let pair = |f: &Arc<Field>| format!("{}: {}", literal(f.name()), literal(&types::name(f.data_type())));
    let columns: Vec<String> = found.columns.fields().iter().map(pair).collect();
    let paths: Vec<String> = def.paths.iter().map(|p| literal(p)).collect();
    let paths = if let [one] = paths.as_slice() { one.clone() } else { format!("[{}]", paths.join(", ")) };
    let escape = if found.escape == found.quote { "" } else { &found.escape };
    let mut options = vec![
        "auto_detect=false".to_string(),
        format!("delim={}", literal(&found.delimiter)),
        format!("quote={}", literal(&found.quote)),
        format!("escape={}", literal(escape)),
        format!("new_line={}", literal(&found.new_line)),
        format!("skip={}", found.skip),
        format!("comment={}", literal(&found.comment)),
        format!("header={}", found.header),
    ];
    if found.decimal != "." {
        options.push(format!("decimal_separator={}", literal(&found.decimal)));
    }
    if !found.strict {
        options.push("strict_mode=false".into());
    }
    if found.spaced {
        options.push("skip_initial_space=true".into());
    }
    for (name, format) in [("dateformat", &found.date_format), ("timestampformat", &found.timestamp_format)] {
        options.extend(format.as_ref().map(|f| format!("{name}={}", literal(f))));
    }
    options.push(format!("columns={{{}}}", columns.join(", ")));
    format!("FROM read_csv({paths}, {});", options.join(", "))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
