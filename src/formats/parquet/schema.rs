//! The columns of a file and of a table: text and bytes become views, and the files of a table agree by name.

use super::fault;
use crate::error::{Error, Place, Result};
use crate::formats::text::unique;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// What to do about files of different columns.
const DIFFERENT: &str = "union_by_name => true reads files of different columns as one table";

/// How a file is decoded: its metadata with our types.
pub(super) fn decoded(footer: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata> {
    let own = own_schema(&footer)?;
    let roots = footer.file_metadata().schema_descr().root_schema().get_fields().len();
    if own.fields().len() != roots {
        return Err(Error::unsupported("a Parquet file with a group that has no columns"));
    }
    let options = ArrowReaderOptions::new().with_schema(Arc::new(viewed_schema(&own)));
    ArrowReaderMetadata::try_new(footer, options).map_err(fault::read)
}

/// The schema as the file says it; an embedded Arrow schema that cannot be read is left aside.
fn own_schema(footer: &Arc<ParquetMetaData>) -> Result<SchemaRef> {
    let own = ArrowReaderMetadata::try_new(footer.clone(), ArrowReaderOptions::new());
    let own = own.or_else(|_| {
        ArrowReaderMetadata::try_new(footer.clone(), ArrowReaderOptions::new().with_skip_arrow_metadata(true))
    });
    Ok(own.map_err(fault::read)?.schema().clone())
}

fn viewed_schema(schema: &Schema) -> Schema {
    Schema::new(viewed_fields(schema.fields()))
}

fn viewed_fields(fields: &Fields) -> Fields {
    fields.iter().map(viewed_field).collect()
}

fn viewed_field(field: &FieldRef) -> FieldRef {
    let viewed = viewed(field.data_type());
    if viewed == *field.data_type() { field.clone() } else { Arc::new(field.as_ref().clone().with_data_type(viewed)) }
}

/// The type in which we hold values of `own`: text and bytes as views, dictionaries as what they stand for.
pub(crate) fn viewed(own: &DataType) -> DataType {
    match own {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, value) => viewed(value),
        DataType::List(item) => DataType::List(viewed_field(item)),
        DataType::LargeList(item) => DataType::LargeList(viewed_field(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(viewed_field(item), *n),
        DataType::Map(entry, sorted) => DataType::Map(viewed_field(entry), *sorted),
        DataType::Struct(fields) => DataType::Struct(viewed_fields(fields)),
        other => other.clone(),
    }
}

/// Refuses intervals, of which the crate would drop the months.
///
/// # Errors
/// `Unsupported`, for such a column among those that are read.
pub(super) fn readable(table: &Schema, read: &[usize]) -> Result<()> {
    fn holds_interval(of: &DataType) -> bool {
        match of {
            DataType::Interval(_) => true,
            DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) | DataType::Map(f, _) => {
                holds_interval(f.data_type())
            }
            DataType::Struct(fields) => fields.iter().any(|f| holds_interval(f.data_type())),
            _ => false,
        }
    }
    match read.iter().filter_map(|c| table.fields().get(*c)).find(|f| holds_interval(f.data_type())) {
        Some(field) => Err(Error::unsupported(format!("reading the intervals of {} from Parquet", field.name()))
            .advise("read the other columns, or write the intervals as text")),
        None => Ok(()),
    }
}

/// The same columns without metadata of the file, which would make equal schemas differ. A name that is there twice gets a
/// number.
pub(in crate::formats) fn bare(schema: &Schema) -> Schema {
    let names = unique(schema.fields().iter().map(|f| f.name().clone()).collect());
    let fields = schema.fields().iter().zip(names);
    Schema::new(fields.map(|(f, name)| Field::new(name, f.data_type().clone(), f.is_nullable())).collect::<Vec<_>>())
}

/// The schema of a table of which `file` is one more file: a column may hold nulls if it may in one of them.
///
/// # Errors
/// A column that one has and the other has not, or of another type; the error names file and column.
pub(in crate::formats) fn agree(table: &Schema, file: &Schema, path: &str) -> Result<Schema> {
    columns_of(table, file, path)?;
    if let Some(extra) = file.fields().iter().find(|f| table.index_of(f.name()).is_err()) {
        let error = Error::data("the file has a column that the table's first file has not");
        return Err(error.advise(DIFFERENT).at(column(path, extra.name())));
    }
    let mut fields = Vec::with_capacity(table.fields().len());
    for field in table.fields() {
        let nullable = field.is_nullable() || file.field_with_name(field.name()).is_ok_and(Field::is_nullable);
        fields.push(field.as_ref().clone().with_nullable(nullable));
    }
    Ok(Schema::new(fields))
}

/// For each column of the table, where it is in the file.
///
/// # Errors
/// A column that is missing, twice there, or of another type; the error names file and column.
pub(in crate::formats) fn columns_of(table: &Schema, file: &Schema, path: &str) -> Result<Vec<usize>> {
    let same_names = table.fields().len() == file.fields().len()
        && table.fields().iter().zip(file.fields()).all(|(a, b)| a.name() == b.name());
    let mut columns = Vec::with_capacity(table.fields().len());
    for (index, field) in table.fields().iter().enumerate() {
        let at = if same_names { index } else { find(field, file, path)? };
        let found = file.field(at).data_type();
        if found != field.data_type() {
            let error = Error::data(format!("the column is {found} here, but {} in the table", field.data_type()));
            return Err(error.advise(DIFFERENT).at(column(path, field.name())));
        }
        columns.push(at);
    }
    Ok(columns)
}

fn find(field: &Field, file: &Schema, path: &str) -> Result<usize> {
    let mut at = file.fields().iter().enumerate().filter(|(_, f)| f.name() == field.name()).map(|(i, _)| i);
    match (at.next(), at.next()) {
        (Some(index), None) => Ok(index),
        (None, _) => {
            let error = Error::data("the file lacks a column of the table");
            Err(error.advise(DIFFERENT).at(column(path, field.name())))
        }
        _ => Err(Error::data("the file has two columns of one name").at(column(path, field.name()))),
    }
}

pub(in crate::formats) fn column(path: &str, name: &str) -> Place {
    Place { file: Some(path.into()), column: Some(name.to_string()), ..Place::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(fields: &[(&str, DataType)]) -> Schema {
        Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), false)).collect::<Vec<_>>())
    }

    #[test]
    fn text_inside_lists_is_viewed_too() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        assert_eq!(viewed(&list), DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true))));
    }

    #[test]
    fn a_name_that_is_there_twice_gets_a_number() {
        let twice = bare(&schema(&[("a", DataType::Int64), ("a", DataType::Utf8), ("A", DataType::Int64)]));
        let names: Vec<&str> = twice.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["a", "a_1", "A"]);
    }

    #[test]
    fn columns_are_found_by_name_and_differences_named() {
        let table = schema(&[("a", DataType::Int64), ("b", DataType::Utf8View)]);
        let turned = schema(&[("b", DataType::Utf8View), ("a", DataType::Int64)]);
        assert_eq!(columns_of(&table, &turned, "f").unwrap(), [1, 0]);
        let other = schema(&[("a", DataType::Int32), ("b", DataType::Utf8View)]);
        let e = agree(&table, &other, "f").unwrap_err();
        assert_eq!((e.place().file.as_deref(), e.place().column.as_deref()), (Some("f"), Some("a")));
        for wrong in [schema(&[("a", DataType::Int64)]), schema(&[("a", DataType::Int64), ("c", DataType::Utf8View)])] {
            assert_eq!(agree(&table, &wrong, "f").unwrap_err().place().column.as_deref(), Some("b"));
        }
        let more = schema(&[("a", DataType::Int64), ("b", DataType::Utf8View), ("c", DataType::Int64)]);
        assert_eq!(agree(&table, &more, "f").unwrap_err().place().column.as_deref(), Some("c"));
    }
}
