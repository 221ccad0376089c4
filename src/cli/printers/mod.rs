//! Results as bytes: a printer for each `--format`.
//!
//! Life of a result: [`Shape::printer`] makes the printer of the chosen format; `begin` gets the columns; `rows` gets batch
//! after batch; `end` says what remains to be said. Each appends to a buffer that the caller writes out, so a printer does
//! no IO and is tested on its text. Only `table` keeps rows (its first and last ones); the rest streams.
//!
//! A new format is a file here and a row in [`FORMATS`].

mod arrow_ipc;
mod boxes;
mod columnar;
mod delimited;
mod json;
mod line;
mod markdown;
mod table;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::io::Compression;
use partita::{Error, ErrorKind, Result};

/// Turns one result into bytes.
pub trait Printer {
    /// Columns with these names and types follow.
    ///
    /// # Errors
    /// Types that the format cannot hold.
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<()>;

    /// Rows, in order.
    ///
    /// # Errors
    /// Values that cannot be shown.
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;

    /// There are no more rows.
    ///
    /// # Errors
    /// As `rows`.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}

/// How results look: what the options say.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Whether csv and tsv name their columns, and tables show their head.
    pub header: bool,
    /// What stands for null; `None` leaves it to the format.
    pub null: Option<String>,
    /// Most rows that a table shows; 0 shows all.
    pub max_rows: usize,
    /// Most columns of characters that a table may take; 0 for no limit.
    pub width: usize,
    /// Bytes that an encoder may hold before it ends a piece of its output.
    pub held: usize,
    /// Whether the bytes go to a file that is complete at the end (else to a stream).
    pub to_file: bool,
}

type Make = fn(&Shape) -> Box<dyn Printer>;

/// A format of results.
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// Endings of `-o` files that choose it.
    pub endings: &'static [&'static str],
    /// Whether one output holds one result only.
    pub single: bool,
    make: Make,
}

const fn many(name: &'static str, endings: &'static [&'static str], make: Make) -> Format {
    Format { name, endings, single: false, make }
}

const fn single(name: &'static str, endings: &'static [&'static str], make: Make) -> Format {
    Format { name, endings, single: true, make }
}

/// Every format of results.
pub static FORMATS: &[Format] = &[
    many("table", &["txt"], |shape| Box::new(table::Table::new(shape))),
    many("csv", &["csv"], |shape| Box::new(delimited::Delimited::new(b',', shape))),
    many("tsv", &["tsv", "tab"], |shape| Box::new(delimited::Delimited::new(b'\t', shape))),
    many("json", &["json"], |_| Box::new(json::Json::array())),
    many("jsonl", &["jsonl", "ndjson"], |_| Box::new(json::Json::lines())),
    many("markdown", &["md"], |shape| Box::new(markdown::Markdown::new(shape))),
    many("line", &[], |shape| Box::new(line::Line::new(shape))),
    single("parquet", &["parquet", "pq"], |shape| Box::new(columnar::Columnar::new("parquet", shape.held))),
    single("arrow", &["arrow", "feather", "ipc"], |shape| Box::new(arrow_ipc::ArrowIpc::new(shape.to_file))),
];

impl Format {
    /// The format called `name`.
    ///
    /// # Errors
    /// `Usage`, with the names there are.
    pub fn named(name: &str) -> Result<&'static Format> {
        FORMATS.iter().find(|f| f.name == name).ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|f| f.name).collect();
            Error::new(ErrorKind::Usage, format!("there is no format {name:?}"))
                .advise(format!("one of: {}", names.join(", ")))
        })
    }

    /// The format that the ending of a file's name stands for, before that of its packing.
    pub fn of_path(path: &std::path::Path) -> Option<&'static Format> {
        let (_, plain) = Compression::of_name(path.to_str()?);
        let ending = std::path::Path::new(plain).extension()?.to_str()?.to_ascii_lowercase();
        FORMATS.iter().find(|f| f.endings.contains(&ending.as_str()))
    }

    /// A printer for one result.
    pub fn printer(&self, shape: &Shape) -> Box<dyn Printer> {
        (self.make)(shape)
    }
}

/// The columns' names, made different from each other for formats in which a second key would hide the first:
/// `a`, `a` becomes `a`, `a_1`.
fn distinct_names(schema: &SchemaRef) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut n = 0;
        while names.contains(&name) {
            n += 1;
            name = format!("{}_{n}", field.name());
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod testing {
    //! Hand-made batches and the text that printers make of them.

    use super::*;
    use arrow::array::*;
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema};
    use std::sync::Arc;

    pub fn shape() -> Shape {
        Shape { header: true, null: None, max_rows: 40, width: 0, held: 1 << 20, to_file: false }
    }

    /// What `format` makes of the batches as one result.
    pub fn shown(format: &str, shape: &Shape, batches: &[RecordBatch]) -> String {
        let mut printer = Format::named(format).unwrap().printer(shape);
        let mut out = Vec::new();
        printer.begin(&batches[0].schema(), &mut out).unwrap();
        for batch in batches {
            printer.rows(batch, &mut out).unwrap();
        }
        printer.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    pub fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, c)| c).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    /// Three rows: plain values, values that need care, nulls.
    pub fn simple() -> RecordBatch {
        batch(vec![
            ("id", Arc::new(Int64Array::from(vec![Some(1), Some(-20), None]))),
            ("name", Arc::new(StringViewArray::from(vec![Some("plain"), Some("a,b\t\"c\"\nd|"), None]))),
            ("price", Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), None]))),
            ("ok", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
            ("note", Arc::new(StringArray::from(vec![Some(""), Some("é"), None]))),
        ])
    }

    /// Every kind of type that needs a decision.
    pub fn typed() -> RecordBatch {
        let zoned = TimestampMicrosecondArray::from(vec![1_577_836_800_500_000, 0]).with_timezone("+02:00");
        let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), None].into_iter().collect();
        batch(vec![
            ("amount", Arc::new(Decimal128Array::from(vec![12345, -5]).with_precision_and_scale(15, 2).unwrap())),
            ("day", Arc::new(Date32Array::from(vec![18_262, -1]))),
            ("at", Arc::new(TimestampSecondArray::from(vec![1_577_836_800, 1]))),
            ("zoned", Arc::new(zoned)),
            ("time", Arc::new(Time64MicrosecondArray::from(vec![3_661_000_000, 1]))),
            ("code", Arc::new(dictionary)),
            ("raw", Arc::new(BinaryArray::from(vec![&b"a\x00"[..], b"z"]))),
            ("big", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ])
    }

    /// Lists, structs and maps in each other.
    pub fn nested() -> RecordBatch {
        let list =
            ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None, Some(vec![])]);
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some("it's, so"), None]));
        let fields: Fields =
            vec![Field::new("a", DataType::Utf8, true), Field::new("b", list.data_type().clone(), true)].into();
        let both = StructArray::new(fields, vec![words, Arc::new(list.clone())], None);
        let entry: Fields =
            vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int32, true)].into();
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["k", "l"]));
        let entries =
            StructArray::new(entry.clone(), vec![keys, Arc::new(Int32Array::from(vec![Some(1), None]))], None);
        let field = Arc::new(Field::new("entries", DataType::Struct(entry), false));
        let map = MapArray::new(field, OffsetBuffer::new(vec![0, 2, 2, 2].into()), entries, None, false);
        batch(vec![("l", Arc::new(list)), ("s", Arc::new(both)), ("m", Arc::new(map))])
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use arrow::array::*;
    use std::sync::Arc;

    #[test]
    fn formats_are_found_by_name_and_by_ending() {
        assert!(Format::named("csv").is_ok());
        assert_eq!(Format::named("cvs").err().unwrap().kind(), ErrorKind::Usage);
        assert_eq!(Format::of_path("x/y.MD".as_ref()).unwrap().name, "markdown");
        assert_eq!(Format::of_path("x/y.csv.gz".as_ref()).unwrap().name, "csv");
        assert!(Format::of_path("noending".as_ref()).is_none());
    }

    #[test]
    fn a_name_that_stands_twice_gets_a_number() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let twice = batch(vec![("a", column.clone()), ("a", column.clone()), ("a_1", column)]);
        assert_eq!(distinct_names(&twice.schema()), ["a", "a_1", "a_1_1"]);
    }
}
