//! Two random tables with the same columns, as files.

use super::value::{Random, Row, Value};
use arrow::array::*;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use partita::formats::TableDef;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The columns; `id` is unique over both tables.
pub const COLUMNS: &[&str] = &["id", "k", "g", "f", "t", "b", "d", "m"];

pub fn schema() -> SchemaRef {
    let types = [
        DataType::Int64,
        DataType::Int64,
        DataType::Int64,
        DataType::Float64,
        DataType::Utf8View,
        DataType::Boolean,
        DataType::Date32,
        DataType::Decimal128(12, 2),
    ];
    Arc::new(Schema::new(
        COLUMNS.iter().zip(types).map(|(name, kind)| Field::new(*name, kind, true)).collect::<Vec<_>>(),
    ))
}

pub struct Table {
    pub name: &'static str,
    pub rows: Vec<Row>,
    format: &'static str,
    files: Vec<usize>,
}

pub struct Tables {
    pub dir: tempfile::TempDir,
    pub tables: [Table; 2],
}

impl Tables {
    pub fn random(random: &mut Random) -> Tables {
        let dir = tempfile::tempdir().unwrap();
        let tables = [Table::random(random, "a", 0), Table::random(random, "b", 100_000)];
        tables.iter().for_each(|table| table.write(dir.path()));
        Tables { dir, tables }
    }

    pub fn describe(&self) -> String {
        let [a, b] = &self.tables;
        format!("a: {} in {:?}, b: {} in {:?}", a.format, a.files, b.format, b.files)
    }
}

impl Table {
    fn random(random: &mut Random, name: &'static str, from: i64) -> Table {
        let format = *random.pick(&["csv", "json", "parquet"]);
        let most = *random.pick(&[3, 40, 400]);
        // Empty files too.
        let files: Vec<usize> = (0..1 + random.below(4)).map(|_| random.below(most + 1)).collect();
        let giant = random.one_in(2);
        let rows = (0..files.iter().sum::<usize>()).map(|i| row(random, from + i as i64, giant, format != "json"));
        Table { name, rows: rows.collect(), format, files }
    }

    pub fn def(&self, dir: &Path) -> TableDef {
        TableDef {
            format: Some(self.format.into()),
            paths: vec![dir.join(format!("{}-*.{}", self.name, self.format)).to_string_lossy().into_owned()],
            schema: (self.format != "parquet").then(schema),
            ..TableDef::default()
        }
    }

    fn write(&self, dir: &Path) {
        let mut rest = &self.rows[..];
        for (i, count) in self.files.iter().enumerate() {
            let (rows, left) = rest.split_at(*count);
            let path = dir.join(format!("{}-{i}.{}", self.name, self.format));
            match self.format {
                "csv" => std::fs::write(path, csv(rows)).unwrap(),
                "json" => std::fs::write(path, json(rows)).unwrap(),
                _ => parquet(&path, rows),
            }
            rest = left;
        }
    }
}

fn row(random: &mut Random, id: i64, giant: bool, nan: bool) -> Row {
    let mut or_null = |value: Value, random: &mut Random| if random.one_in(8) { Value::Null } else { value };
    let k = random.below(12) as i64 - 3;
    let g = if giant && !random.one_in(10) { 7 } else { random.below(1000) as i64 };
    let f = match random.below(12) {
        0 if nan => f64::NAN,
        1 => -0.0,
        2 => 0.0,
        n => (n as f64 - 6.0) * 1.25,
    };
    let t = match random.below(9) {
        0 => String::new(),
        1 => "long, \"quoted\"\nand broken ".repeat(1 + random.below(12)),
        n => format!("ö{}", n + random.below(30)),
    };
    let (b, d, m) = (random.one_in(2), 10_000 + random.below(40) as i32, random.below(2_000_000) as i128 - 1_000_000);
    vec![
        Value::Int(id),
        or_null(Value::Int(k), random),
        or_null(Value::Int(g), random),
        or_null(Value::Float(f), random),
        or_null(Value::Text(t), random),
        or_null(Value::Bool(b), random),
        or_null(Value::Date(d), random),
        or_null(Value::Decimal(m), random),
    ]
}

pub fn date(days: i32) -> String {
    let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    (epoch + chrono::Duration::days(days.into())).to_string()
}

pub fn decimal(unscaled: i128) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", unscaled.abs() / 100, unscaled.abs() % 100)
}

fn csv(rows: &[Row]) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for row in rows {
        let cells = row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Decimal(m) => decimal(*m),
            Value::Float(f) => f.to_string(),
            Value::Date(d) => date(*d),
            Value::Text(t) => format!("\"{}\"", t.replace('"', "\"\"")),
        });
        writeln!(text, "{}", cells.collect::<Vec<_>>().join(",")).unwrap();
    }
    text
}

fn json(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells = COLUMNS.iter().zip(row).filter(|(_, value)| !value.is_null()).map(|(name, value)| {
            let value = match value {
                Value::Null => "null".into(),
                Value::Bool(b) => b.to_string(),
                Value::Int(i) => i.to_string(),
                Value::Decimal(m) => decimal(*m),
                Value::Float(f) => format!("{f:?}"),
                Value::Date(d) => format!("\"{}\"", date(*d)),
                Value::Text(t) => serde_json::to_string(t).unwrap(),
            };
            format!("\"{name}\":{value}")
        });
        writeln!(text, "{{{}}}", cells.collect::<Vec<_>>().join(",")).unwrap();
    }
    text
}

macro_rules! column {
    ($rows:expr, $i:expr, $kind:ident) => {
        $rows.iter().map(|row: &Row| match &row[$i] {
            Value::$kind(x) => Some(x.clone()),
            _ => None,
        })
    };
}

fn parquet(path: &Path, rows: &[Row]) {
    let decimals = column!(rows, 7, Decimal).collect::<Decimal128Array>().with_precision_and_scale(12, 2).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(column!(rows, 0, Int).collect::<Int64Array>()),
        Arc::new(column!(rows, 1, Int).collect::<Int64Array>()),
        Arc::new(column!(rows, 2, Int).collect::<Int64Array>()),
        Arc::new(column!(rows, 3, Float).collect::<Float64Array>()),
        Arc::new(column!(rows, 4, Text).collect::<StringViewArray>()),
        Arc::new(column!(rows, 5, Bool).collect::<BooleanArray>()),
        Arc::new(column!(rows, 6, Date).collect::<Date32Array>()),
        Arc::new(decimals),
    ];
    let batch = RecordBatch::try_new(schema(), columns).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(64));
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
