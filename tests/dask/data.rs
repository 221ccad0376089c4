//! A dataframe with an index, as pandas has one, on top of a frame without: index columns `i0..`, data columns `c0..`.

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_expr::Expr;
use parquet::arrow::ArrowWriter;
use partita::prelude::*;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Why a case is not run, or what it met.
#[derive(Debug)]
pub enum Stop {
    /// An operation or an argument that the adapter does not know.
    Skipped(String),
    /// What the engine said.
    Failed(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error.to_string())
    }
}

pub type Answer<T> = std::result::Result<T, Stop>;

pub fn skip<T>(what: impl Into<String>) -> Answer<T> {
    Err(Stop::Skipped(what.into()))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Frame,
    Series,
    Index,
    Scalar,
}

/// A value of an expression.
#[derive(Clone)]
pub struct Data {
    pub frame: Frame,
    /// How many index columns there are, and their names.
    pub index: Vec<Value>,
    /// The labels of the data columns.
    pub columns: Vec<Value>,
    pub shape: Shape,
    /// Whether pandas has a new index here, that counts rows: ours is not to be compared.
    pub fresh: bool,
}

pub fn column(name: &str) -> Expr {
    ident(name)
}

pub fn i(n: usize) -> String {
    format!("i{n}")
}

pub fn c(n: usize) -> String {
    format!("c{n}")
}

impl Data {
    pub fn index_exprs(&self) -> Vec<Expr> {
        (0..self.index.len()).map(|n| column(&i(n))).collect()
    }

    pub fn column_exprs(&self) -> Vec<Expr> {
        (0..self.columns.len()).map(|n| column(&c(n))).collect()
    }

    /// The number of the column with this label.
    pub fn find(&self, label: &Value) -> Answer<usize> {
        match self.columns.iter().position(|c| c == label) {
            Some(n) => Ok(n),
            None => skip(format!("no column {label}")),
        }
    }

    /// The types of the data columns.
    pub fn types(&self) -> Answer<Vec<DataType>> {
        let schema = self.frame.schema()?;
        let of = |n: usize| schema.field_with_name(&c(n)).map(|f| f.data_type().clone());
        Ok((0..self.columns.len()).map(of).collect::<std::result::Result<_, _>>().map_err(Error::from)?)
    }

    /// Other columns over the same rows.
    pub fn with(&self, exprs: Vec<Expr>, columns: Vec<Value>) -> Answer<Data> {
        let named = exprs.into_iter().enumerate().map(|(n, e)| e.alias(c(n)));
        let frame = self.frame.clone().select(self.index_exprs().into_iter().chain(named))?;
        Ok(Data { frame, columns, ..self.clone() })
    }

    /// Each column changed.
    pub fn map(&self, change: impl Fn(Expr) -> Expr) -> Answer<Data> {
        self.with(self.column_exprs().into_iter().map(change).collect(), self.columns.clone())
    }

    /// Other rows.
    pub fn rows(&self, change: impl FnOnce(Frame) -> Result<Frame>) -> Answer<Data> {
        Ok(Data { frame: change(self.frame.clone())?, ..self.clone() })
    }

    pub fn shaped(self, shape: Shape) -> Data {
        Data { shape, ..self }
    }

    /// As text: what stands in the index.
    pub fn labels(&self) -> Answer<Vec<String>> {
        Ok(self.frame.clone().select(self.index_exprs())?.lines()?)
    }

    /// The frame with columns called otherwise: `prefix` in front.
    pub fn prefixed(&self, prefix: &str) -> Answer<Frame> {
        Ok(self.frame.clone().rename_with(|name| format!("{prefix}{name}"))?)
    }
}

/// A frame of a case, written to a file and read again.
pub fn source(session: &Session, dir: &Path, id: &str, described: &Value) -> Answer<Data> {
    let series = described["kind"] == "series";
    let (labels, types, cells): (Vec<Value>, Vec<String>, Vec<Vec<Value>>) = if series {
        let values = list(&described["values"]);
        (vec![described["name"].clone()], vec![text(&described["dtype"])], vec![values])
    } else {
        let labels = list(&described["columns"]);
        let rows: Vec<Vec<Value>> = list(&described["rows"]).iter().map(list).collect();
        let cells = (0..labels.len()).map(|n| rows.iter().map(|r| r[n].clone()).collect()).collect();
        (labels, list(&described["dtypes"]).iter().map(text).collect(), cells)
    };
    let names = list(&described["index_names"]);
    let entries = list(&described["index"]);
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for n in 0..names.len() {
        let of = |entry: &Value| if names.len() > 1 { entry[n].clone() } else { entry.clone() };
        let array = guessed(&entries.iter().map(of).collect::<Vec<_>>())?;
        fields.push(Field::new(i(n), array.data_type().clone(), true));
        arrays.push(array);
    }
    for (n, (data_type, cells)) in types.iter().zip(&cells).enumerate() {
        let array = typed(data_type, cells)?;
        fields.push(Field::new(c(n), array.data_type().clone(), true));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let path = dir.join(format!("{id}.parquet"));
    if !path.exists() {
        let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(Error::from)?;
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    let frame = session.read_parquet(&path.to_string_lossy())?;
    let shape = if series { Shape::Series } else { Shape::Frame };
    Ok(Data { frame, index: names, columns: labels, shape, fresh: false })
}

pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn guessed(cells: &[Value]) -> Answer<ArrayRef> {
    let all = |test: fn(&Value) -> bool| cells.iter().all(|v| v.is_null() || test(v));
    match cells {
        cells if all(Value::is_i64) => typed("int64", cells),
        cells if all(Value::is_number) => typed("float64", cells),
        cells if all(Value::is_string) => typed("str", cells),
        _ => skip("an index of mixed values"),
    }
}

fn typed(data_type: &str, cells: &[Value]) -> Answer<ArrayRef> {
    let numbers = |to: DataType| -> Answer<ArrayRef> {
        let floats: ArrayRef = Arc::new(cells.iter().map(Value::as_f64).collect::<Float64Array>());
        Ok(cast(&floats, &to).map_err(Error::from)?)
    };
    match data_type {
        "int64" | "Int64" => Ok(Arc::new(cells.iter().map(Value::as_i64).collect::<Int64Array>())),
        "int32" => numbers(DataType::Int32),
        "uint8" => numbers(DataType::UInt8),
        "float64" => numbers(DataType::Float64),
        "float32" => numbers(DataType::Float32),
        "bool" | "boolean" => Ok(Arc::new(cells.iter().map(Value::as_bool).collect::<BooleanArray>())),
        "str" | "string" | "category" | "object" if cells.iter().all(|v| v.is_null() || v.is_string()) => {
            Ok(Arc::new(cells.iter().map(Value::as_str).collect::<StringArray>()))
        }
        "datetime64[us]" | "datetime64[ns]" => {
            let texts: ArrayRef = Arc::new(cells.iter().map(Value::as_str).collect::<StringArray>());
            let times = cast(&texts, &DataType::Timestamp(TimeUnit::Microsecond, None)).map_err(Error::from)?;
            assert!(times.as_any().is::<TimestampMicrosecondArray>());
            Ok(times)
        }
        other => skip(format!("the type {other}")),
    }
}
