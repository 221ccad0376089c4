//! What a session says about its tables, as rows.

use crate::error::Result;
use crate::front::{Front, READ_AS, TableRef, type_name};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// Columns of text, which may hold nulls.
pub(super) fn text_columns(columns: &[(&str, Vec<Option<String>>)]) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8View, true)).collect();
    let arrays = columns.iter().map(|(_, values)| Arc::new(StringViewArray::from_iter(values)) as ArrayRef);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())?)
}

/// DESCRIBE: one row a column; the first one says how files are read, where that was found.
pub(super) fn described(schema: &SchemaRef) -> Result<RecordBatch> {
    let names = schema.fields().iter().map(|f| Some(f.name().clone())).collect();
    let types = schema.fields().iter().map(|f| Some(type_name(f.data_type()))).collect();
    let mut columns = vec![("column_name", names), ("column_type", types)];
    if let Some(notes) = schema.metadata().get(READ_AS) {
        let notes = std::iter::once(Some(notes.clone())).chain(std::iter::repeat(None));
        columns.push(("read_as", notes.take(schema.fields().len()).collect()));
    }
    text_columns(&columns)
}

/// SHOW TABLES: one row a table; with `all`, what it is and its columns.
pub(super) fn tables(front: &Front, all: bool) -> Result<RecordBatch> {
    let tables = front.tables();
    let names = tables.iter().map(|(name, _)| Some(name.clone())).collect();
    if !all {
        return text_columns(&[("name", names)]);
    }
    let kind = |table: &TableRef| match table {
        TableRef::Files(_) => "files",
        TableRef::Stored(..) => "table",
        TableRef::Series(..) => "series",
        TableRef::Supplied(_) => "program",
        TableRef::View(_) => "view",
    };
    let columns = |of: &dyn Fn(&Field) -> String| {
        let listed = |table: &TableRef| table.schema().fields().iter().map(|f| of(f)).collect::<Vec<_>>().join(", ");
        tables.iter().map(|(_, table)| Some(listed(table))).collect::<Vec<_>>()
    };
    text_columns(&[
        ("name", names),
        ("kind", tables.iter().map(|(_, table)| Some(kind(table).to_string())).collect()),
        ("column_names", columns(&|f| f.name().clone())),
        ("column_types", columns(&|f| type_name(f.data_type()))),
    ])
}

/// PRAGMA table_info: one row a column, with what it demands and defaults to.
pub(super) fn table_info(front: &Front, name: &str) -> Result<RecordBatch> {
    let (table, shape) = (front.table(name)?, front.shape(name));
    let schema = table.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let numbers = Int64Array::from_iter_values((0..).take(names.len()));
    let types = StringViewArray::from_iter_values(schema.fields().iter().map(|f| type_name(f.data_type())));
    let demands = |n: &&str| Some(shape.as_ref().is_some_and(|s| s.is_not_null(n)));
    let defaults = names.iter().map(|n| shape.as_ref().and_then(|s| s.default_of(n)));
    let columns: [(&str, ArrayRef); 5] = [
        ("cid", Arc::new(numbers)),
        ("name", Arc::new(StringViewArray::from_iter_values(&names))),
        ("type", Arc::new(types)),
        ("notnull", Arc::new(names.iter().map(demands).collect::<BooleanArray>())),
        ("dflt_value", Arc::new(defaults.collect::<StringViewArray>())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))?)
}
