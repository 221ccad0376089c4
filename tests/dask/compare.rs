//! Our answer and pandas'. Rows are compared with their index labels, in the order of both; what is not compared, and why,
//! is said in docs/conformance.md:
//!
//! - the order of rows (Dask's own tests sort, too), and dtypes: an integer beside missing values is a float in pandas;
//! - NaN and None are null;
//! - an index that pandas makes new and that only counts rows, and one that a test does not check.

use super::data::{Answer, Data, Shape, c, list, text};
use serde_json::Value;

/// A cell of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Cell {
    fn key(&self) -> String {
        match self {
            Cell::Null => "0".into(),
            Cell::Bool(b) => format!("1{b}"),
            Cell::Number(n) => format!("2{:+.7e}", n + 0.0),
            Cell::Text(t) => format!("3{t}"),
        }
    }

    fn is(&self, other: &Cell) -> bool {
        match (self, other) {
            (Cell::Number(a), Cell::Number(b)) => {
                a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3) || a.is_nan() && b.is_nan()
            }
            (a, b) => a == b,
        }
    }
}

/// A moment without zeros behind: `2000-01-01 00:00:00`.
fn plain(text: &str) -> String {
    let begins = text.len() >= 10 && text.is_char_boundary(10) && text[..10].chars().filter(|c| *c == '-').count() == 2;
    if !begins || !text[..4].chars().all(|c| c.is_ascii_digit()) {
        return text.to_string();
    }
    let text = text.replacen('T', " ", 1);
    let text = text.split_once('.').map_or(text.clone(), |(head, tail)| match tail.trim_end_matches('0') {
        "" => head.to_string(),
        tail => format!("{head}.{tail}"),
    });
    text.trim_end_matches(" 00:00:00").to_string()
}

pub fn of_json(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(b) => Cell::Bool(*b),
        Value::Number(n) => n.as_f64().map_or(Cell::Null, Cell::Number),
        Value::String(t) if t == "NaN" => Cell::Null,
        Value::String(t) => Cell::Text(plain(t)),
        other => Cell::Text(other.to_string()),
    }
}

/// The rows of a frame, cell by cell.
pub fn cells(data: &Data, index: bool) -> Answer<Vec<Vec<Cell>>> {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    let names = (0..data.columns.len()).map(c);
    let wanted: Vec<String> = match index {
        true => (0..data.index.len()).map(super::data::i).chain(names).collect(),
        false => names.collect(),
    };
    let mut rows = Vec::new();
    for batch in data.frame.collect()? {
        let options = FormatOptions::default();
        let columns: Vec<_> = wanted.iter().map(|n| batch.column_by_name(n).unwrap().clone()).collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| {
                if column.is_null(row) {
                    return Cell::Null;
                }
                let text = ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string();
                let kind = column.data_type();
                match kind {
                    arrow::datatypes::DataType::Boolean => Cell::Bool(text == "true"),
                    kind if kind.is_numeric() => match text.parse::<f64>() {
                        Ok(n) if n.is_nan() => Cell::Null,
                        Ok(n) => Cell::Number(n),
                        Err(_) => Cell::Text(text),
                    },
                    _ => Cell::Text(plain(&text)),
                }
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    Ok(rows)
}

fn sorted(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    rows.sort_by_key(|row| row.iter().map(Cell::key).collect::<Vec<_>>());
    rows
}

/// What differs.
pub fn compare(data: &Data, expected: &Value, check: &Value) -> Answer<Option<String>> {
    let kind = text(&expected["kind"]);
    let index = !data.fresh && check["check_index"] != false;
    let shape = match kind.as_str() {
        "frame" => Shape::Frame,
        "series" => Shape::Series,
        "index" => Shape::Index,
        _ => Shape::Scalar,
    };
    if shape != data.shape {
        return Ok(Some(format!("{:?} instead of {shape:?}", data.shape)));
    }
    let levels = |entry: &Value| -> Vec<Cell> {
        match (entry, data.index.len()) {
            (_, _) if !index => Vec::new(),
            (Value::Array(parts), n) if n > 1 => parts.iter().map(of_json).collect(),
            (entry, _) => vec![of_json(entry)],
        }
    };
    let entries = list(&expected["index"]);
    let (theirs, labels): (Vec<Vec<Cell>>, Option<Vec<Value>>) = match shape {
        Shape::Frame => {
            let rows = list(&expected["rows"]);
            let row = |(entry, row): (&Value, &Value)| {
                levels(entry).into_iter().chain(list(row).iter().map(of_json)).collect()
            };
            (entries.iter().zip(&rows).map(row).collect(), Some(list(&expected["columns"])))
        }
        Shape::Series => {
            let values = list(&expected["values"]);
            let row = |(entry, v): (&Value, &Value)| levels(entry).into_iter().chain([of_json(v)]).collect();
            (entries.iter().zip(&values).map(row).collect(), Some(vec![expected["name"].clone()]))
        }
        Shape::Index => (list(&expected["values"]).iter().map(|v| vec![of_json(v)]).collect(), None),
        Shape::Scalar => (vec![vec![of_json(&expected["value"])]], None),
    };
    if let Some(labels) = labels.filter(|l| *l != data.columns && check["check_names"] != false) {
        return Ok(Some(format!("columns {:?} instead of {labels:?}", data.columns)));
    }
    let (ours, theirs) = (sorted(cells(data, index)?), sorted(theirs));
    if ours.len() != theirs.len() {
        return Ok(Some(format!("{} rows instead of {}", ours.len(), theirs.len())));
    }
    let differs = ours.iter().zip(&theirs).find(|(a, b)| a.len() != b.len() || !a.iter().zip(*b).all(|(a, b)| a.is(b)));
    Ok(differs.map(|(a, b)| format!("{a:?} instead of {b:?}")))
}
